import pytest
import torch

from dimr.correspondence.hint import NUM_BODY, PoseHint, landmark_bumps, look_at_pose
from dimr.encoder.blazepose import BlazePose, BlazePoseOutput


class Seer(BlazePose):
    """Sees every landmark at pixel (64, 192) of 256, a metre to the right."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def forward(self, image):
        assert image.shape[-2:] == (256, 256)
        landmarks = torch.tensor([64.0, 192.0, -32.0, 20.0, -20.0]).repeat(len(image), 39, 1)
        world = torch.tensor([1.0, 0.0, 0.0]).repeat(len(image), 39, 1)
        empty = torch.zeros(len(image), 1, 256, 256)
        return BlazePoseOutput(
            landmarks,
            torch.ones(len(image)),
            empty,
            empty[:, :, ::4, ::4].repeat(1, 39, 1, 1),
            world,
        )


def test_landmarks_are_crop_normalised_whatever_the_size():
    for size in (192, 256):
        pose = look_at_pose(Seer(), torch.zeros(2, 3, size, size))
        wanted = torch.tensor([-0.5, 0.5, -0.25, 1.0, 0.0, 1.0, 0.0, 0.0])
        torch.testing.assert_close(pose[1, 7], wanted, atol=1e-6, rtol=0)


class TestBumps:
    def test_a_bump_stands_at_its_landmark(self):
        pose = torch.zeros(1, 2, 8)
        pose[0, 0, :4] = torch.tensor([-0.75, 0.25, 0.0, 1.0])  # cell column 0.5, row 4.5 of 8
        pose[0, 1, 3] = 0.0  # not visible
        bumps = landmark_bumps(pose, (8, 8))
        assert not bumps[0, 1].any()
        best = bumps[0, 0].max()
        assert {tuple(place) for place in (bumps[0, 0] == best).nonzero().tolist()} == {
            (4, 0), (4, 1), (5, 0), (5, 1)
        }  # fmt: skip

    def test_landmarks_outside_leave_the_map_empty(self):
        pose = torch.zeros(1, 1, 8)
        pose[0, 0, :4] = torch.tensor([5.0, 0.0, 0.0, 1.0])
        assert landmark_bumps(pose, (8, 8)).max() < 1e-6


class TestHint:
    def test_starts_silent_and_learns(self):
        hint = PoseHint(16, 8)
        tokens, maps = hint(torch.rand(2, 39, 8), (6, 6))
        assert tokens.shape == (2, 16, 1, 1) and maps.shape == (2, 8, 6, 6)
        assert not tokens.any() and not maps.any()
        (tokens.sum() + maps.sum()).backward()
        assert hint.to_tokens.weight.grad.any() and hint.bumps.weight.grad.any()

    def test_nobody_looked_adds_nothing(self):
        hint = PoseHint(16, 8)
        for layer in (hint.to_tokens, hint.to_map, hint.bumps):
            torch.nn.init.ones_(layer.weight)
            torch.nn.init.ones_(layer.bias)
        pose = torch.rand(2, 39, 8)
        pose[1] = 0
        tokens, maps = hint(pose, (6, 6))
        assert tokens[0].any() and maps[0].any()
        assert not tokens[1].any() and not maps[1].any()

    def test_only_landmarks_on_the_body_are_drawn(self):
        assert PoseHint(16, 8).bumps.in_channels == NUM_BODY


def test_other_sizes_of_the_original_are_refused():
    with pytest.raises(ValueError, match="256"):
        BlazePose()(torch.zeros(1, 3, 128, 128))

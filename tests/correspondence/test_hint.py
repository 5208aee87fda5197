import pytest
import torch

from dimr.correspondence.hint import (
    CIRCLE,
    GREY,
    LIMBS,
    THICKNESS,
    PoseHint,
    look_at_pose,
    stick_figure,
)
from dimr.encoder.blazepose import BlazePose


class Seer(BlazePose):
    """Sees every landmark at (64, 192) of 256 pixels but the circle, a metre to the right."""

    CIRCLE_PX = (64.0, 64.0)

    def __init__(self):
        torch.nn.Module.__init__(self)
        self.looked_at = []

    def find_landmarks(self, image):
        assert image.shape[-2:] == (256, 256)
        self.looked_at.append(image)
        landmarks = torch.tensor([64.0, 192.0, -32.0, 20.0, -20.0]).repeat(len(image), 39, 1)
        landmarks[:, CIRCLE, :2] = torch.tensor(self.CIRCLE_PX)
        world = torch.tensor([1.0, 0.0, 0.0]).repeat(len(image), 39, 1)
        return landmarks, world, torch.ones(len(image))


class Sideways(Seer):
    """The body's top lies to the right."""

    CIRCLE_PX = (192.0, 192.0)


class Blind(Seer):
    """All landmarks lie on one spot: no window to look at again."""

    CIRCLE_PX = (64.0, 192.0)


def test_landmarks_are_crop_normalised_whatever_the_size():
    for size in (192, 256):
        pose = look_at_pose(Blind(), torch.zeros(2, 3, size, size))
        wanted = torch.tensor([-0.5, 0.5, -0.25, 1.0, 0.0, 1.0, 0.0, 0.0])
        torch.testing.assert_close(pose[1, 7], wanted, atol=1e-6, rtol=0)


def test_the_second_look_is_at_the_body_and_speaks_of_the_crop():
    # hips at (-0.5, 0.5), radius 1: the window reaches 1.25 around them, and sees them at
    # (-0.5, 0.5) of itself again
    pose = look_at_pose(Seer(), torch.zeros(1, 3, 64, 64))
    wanted = torch.tensor([-0.5 - 0.625, 0.5 + 0.625, -0.25 * 1.25, 1.0, 0.0, 1.0, 0.0, 0.0])
    torch.testing.assert_close(pose[0, 7], wanted, atol=1e-5, rtol=0)


def test_the_second_look_turns_what_it_sees_back():
    # the window's up is the crop's right: its x axis is the crop's y axis
    pose = look_at_pose(Sideways(), torch.zeros(1, 3, 64, 64))
    wanted = torch.tensor([-0.5 - 0.625, 0.5 - 0.625, -0.25 * 1.25, 1.0, 0.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(pose[0, 7], wanted, atol=1e-5, rtol=0)


def test_the_first_look_is_upright_if_it_is_known_how():
    image = torch.zeros(2, 3, 64, 64)
    image[..., 32:] = 1  # the right half, whence the body's top lies
    seer = Blind()
    pose = look_at_pose(seer, image, angle_rad=torch.tensor([torch.pi / 2, 0.0]))
    turned, upright = seer.looked_at[0]
    assert (turned[:, 8:120, 8:-8] == 1).all() and not turned[:, 136:].any()
    assert (upright[:, 8:-8, 136:-8] == 1).all() and not upright[..., :120].any()
    torch.testing.assert_close(pose[0, 7, 5:], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(pose[1, 7, 5:], torch.tensor([1.0, 0.0, 0.0]), atol=1e-6, rtol=0)


def test_the_others_are_grey_when_it_looks():
    seer, others = Blind(), torch.zeros(1, 1, 128, 128)
    others[..., 64:] = 1  # the right half
    look_at_pose(seer, torch.ones(1, 3, 256, 256), others)
    seen = seer.looked_at[0]
    assert (seen[..., :128] > 0.999).all() and ((seen[..., 128:] - GREY).abs() < 1e-3).all()


class TestStickFigure:
    @staticmethod
    def pose_with(limb, start, end, seen=(1.0, 1.0)):
        """(1, 39, 8): one limb seen; a trunk of length 0.5 gives the scale."""
        pose = torch.zeros(1, 39, 8)
        pose[0, [11, 12], 1] = -0.25
        pose[0, [23, 24], 1] = 0.25
        for landmark, place, visible in zip(LIMBS[limb], (start, end), seen, strict=True):
            pose[0, landmark, :3] = torch.tensor(place)
            pose[0, landmark, 3] = visible
        return pose

    def test_near_along_and_depth_on_a_limb_by_hand(self):
        # left shin: x from -0.75 to 0.75 at y = 0.25, z from 0 to 1; pixels at -0.75 ... 0.75
        limb = LIMBS.index((25, 27))
        pose = self.pose_with(limb, (-0.75, 0.25, 0.0), (0.75, 0.25, 1.0), (1.0, 0.5))
        near, along, depth = stick_figure(pose, (4, 4))[0].unflatten(0, (3, -1))[:, limb]
        torch.testing.assert_close(near[2], torch.full((4,), 0.5))
        torch.testing.assert_close(along[2], 0.5 * torch.tensor([-1.0, -1 / 3, 1 / 3, 1.0]))
        torch.testing.assert_close(depth[2], 0.5 * torch.tensor([0.0, 1 / 3, 2 / 3, 1.0]))
        fall = torch.exp(torch.tensor(-(0.5**2) / (2 * (THICKNESS * 0.5) ** 2)))
        torch.testing.assert_close(near[1], (0.5 * fall).repeat(4))

    def test_beyond_its_ends_a_limb_fades_and_goes_on_as_its_end(self):
        limb = LIMBS.index((25, 27))
        pose = self.pose_with(limb, (-0.25, 0.25, 0.0), (0.25, 0.25, 0.0))
        near, along, _ = stick_figure(pose, (4, 4))[0].unflatten(0, (3, -1))[:, limb]
        assert near[2, 3] < near[2, 2]
        torch.testing.assert_close(along[2, 3] / near[2, 3], torch.tensor(1.0))

    def test_unseen_limbs_and_points_on_one_spot_leave_zeros(self):
        assert not stick_figure(torch.zeros(1, 39, 8), (8, 8)).any()


class TestHint:
    def test_starts_silent_and_learns(self):
        hint = PoseHint(16, 8)
        tokens, maps = hint(torch.rand(2, 39, 8), (6, 6))
        assert tokens.shape == (2, 16, 1, 1) and maps.shape == (2, 8, 6, 6)
        assert not tokens.any() and not maps.any()
        (tokens.sum() + maps.sum()).backward()
        assert hint.to_tokens.weight.grad.any() and hint.limbs.weight.grad.any()

    def test_nobody_looked_adds_nothing(self):
        hint = PoseHint(16, 8)
        for layer in (hint.to_tokens, hint.limbs):
            torch.nn.init.ones_(layer.weight)
            torch.nn.init.ones_(layer.bias)
        pose = torch.rand(2, 39, 8)
        pose[1] = 0
        tokens, maps = hint(pose, (6, 6))
        assert tokens[0].any() and maps[0].any()
        assert not tokens[1].any() and not maps[1].any()


def test_other_sizes_of_the_original_are_refused():
    for ask in (BlazePose(), BlazePose().find_landmarks):
        with pytest.raises(ValueError, match="256"):
            ask(torch.zeros(1, 3, 128, 128))

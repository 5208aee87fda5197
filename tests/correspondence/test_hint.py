import math
from dataclasses import replace

import pytest
import torch
from skimage.data import astronaut

from dimr.correspondence import hint
from dimr.correspondence.hint import (
    CIRCLE,
    GREY,
    LIMBS,
    LOOKS,
    THICKNESS,
    PoseHint,
    look_at_pose,
    stick_figure,
)
from dimr.encoder.blazepose import BlazePose
from dimr.image.crop import crop_picture, crop_to_full, norm_to_crop, picture_to_tensor
from dimr.types import Crop


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
        return landmarks, world, self.presence(image)

    def presence(self, image):
        return torch.ones(len(image))


class Sideways(Seer):
    """The body's top lies to the right."""

    CIRCLE_PX = (192.0, 192.0)


class Blind(Seer):
    """All landmarks lie on one spot: no window to look at again."""

    CIRCLE_PX = (64.0, 192.0)


class Choosy(Blind):
    """Is as sure as the window's top is bright."""

    def presence(self, image):
        return image[:, 0, :64].mean((1, 2))


def test_landmarks_are_crop_normalised_whatever_the_size():
    for size in (192, 256):
        pose = look_at_pose(Blind(), torch.zeros(2, 3, size, size))
        wanted = torch.tensor([-0.5, 0.5, -0.25, 1.0, 0.0, 1.0, 0.0, 0.0])
        torch.testing.assert_close(pose[1, 7], wanted, atol=1e-6, rtol=0)


def test_the_second_look_is_at_the_body_and_speaks_of_the_crop(monkeypatch):
    monkeypatch.setattr(hint, "LOOKS", 2)
    # hips at (-0.5, 0.5), radius 1: the window reaches 1.25 around them, and sees them at
    # (-0.5, 0.5) of itself again
    pose = look_at_pose(Seer(), torch.zeros(1, 3, 64, 64))
    wanted = torch.tensor([-0.5 - 0.625, 0.5 + 0.625, -0.25 * 1.25, 1.0, 0.0, 1.0, 0.0, 0.0])
    torch.testing.assert_close(pose[0, 7], wanted, atol=1e-5, rtol=0)


def test_the_second_look_turns_what_it_sees_back(monkeypatch):
    monkeypatch.setattr(hint, "LOOKS", 2)
    # the window's up is the crop's right: its x axis is the crop's y axis
    pose = look_at_pose(Sideways(), torch.zeros(1, 3, 64, 64))
    wanted = torch.tensor([-0.5 - 0.625, 0.5 - 0.625, -0.25 * 1.25, 1.0, 0.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(pose[0, 7], wanted, atol=1e-5, rtol=0)


def test_whoever_is_not_seen_upright_is_sought_turned():
    image = torch.zeros(3, 3, 64, 64)
    image[0, :, :, 44:] = 1  # its right is bright: turned by a quarter, that is the top
    image[1, :, :20] = 1  # its top is
    image[2, :, 60:] = 0.5  # hardly anything is: its bottom, and that is not certain
    seer = Choosy()
    pose = look_at_pose(seer, image)
    assert pose[:, 7, 3].tolist() == pytest.approx([1, 1, 0], abs=0.02)  # times how sure
    axes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(pose[:, 7, 5:], axes, atol=1e-6, rtol=0)
    assert [len(each) for each in seer.looked_at] == [3] * LOOKS + [2] * 3 * LOOKS


def test_a_second_person_upside_down_does_not_outdo_who_is_seen_for_certain():
    image = torch.zeros(1, 3, 64, 64)
    image[..., :20, :], image[..., 44:, :] = 1, 1.5
    seer = Choosy()
    look_at_pose(seer, image)
    assert len(seer.looked_at) == LOOKS


def test_the_others_are_grey_when_it_looks():
    seer, others = Blind(), torch.zeros(1, 1, 128, 128)
    others[..., 64:] = 1  # the right half
    look_at_pose(seer, torch.ones(1, 3, 256, 256), others)
    seen = seer.looked_at[0]
    assert (seen[..., :128] > 0.999).all() and ((seen[..., 128:] - GREY).abs() < 1e-3).all()


@pytest.fixture(scope="module")
def network():
    return BlazePose.pretrained().eval()


class TestPhotograph:
    """The astronaut, who sits and faces us."""

    CROP = Crop((220.0, 380.0), 800.0, 192)

    @torch.no_grad()
    def look(self, network, angle_rad=0.0, others=None):
        image = picture_to_tensor(
            crop_picture(astronaut(), replace(self.CROP, angle_rad=angle_rad))
        )
        return look_at_pose(network, image, others)[0]

    def test_landmarks_are_in_the_crops_coordinates(self, network):
        pose = self.look(network)
        nose_px = norm_to_crop(pose[0, :2].numpy(), 192)
        assert crop_to_full(self.CROP, nose_px) == pytest.approx([225, 130], abs=20)
        assert (pose[[0, 11, 12], 3] > 0.9).all()
        across_m = pose[11, 5:] - pose[12, 5:]  # her left shoulder is to our right
        assert 0.2 < across_m[0] < 0.5 and across_m[0] > 3 * across_m[1].abs()

    @pytest.mark.parametrize("angle_rad", [0.2, math.pi])
    def test_a_turned_crop_turns_them_all(self, network, angle_rad):
        plain, other = (self.look(network, each) for each in (0.0, angle_rad))
        cos, sin = math.cos(angle_rad), math.sin(angle_rad)
        back, rows = torch.tensor([[cos, sin], [-sin, cos]]), [0, 11, 12]
        assert (plain[rows, :2] @ back.T - other[rows, :2]).abs().max() < 0.1
        shoulders = [each[11, 5:7] - each[12, 5:7] for each in (plain, other)]
        assert (shoulders[0] @ back.T - shoulders[1]).abs().max() < 0.08

    def test_whoever_is_greyed_out_is_not_seen(self, network):
        assert (self.look(network, others=torch.ones(1, 1, 96, 96))[:, 3] < 0.5).all()


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

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from dimr.body.camera import full_to_norm
from dimr.body.model import BodyModel
from dimr.correspondence import landmarks
from dimr.correspondence.landmarks import (
    AROUND,
    CLOSER_LOOKS,
    FOLLOWED,
    LARGEST_SPREAD,
    LEAST_SPREAD,
    POSE_VALUES,
    SECOND_LOOKS,
    TURNS_RAD,
    USUAL_SPREAD,
    LandmarkNet,
    SecondOpinion,
    Spread,
    find_pose,
    look_around,
    look_at_pose,
    look_unmarked,
    narrow_pose,
    own_pose,
    surroundings,
    weigh,
    widen,
)
from dimr.correspondence.looks import (
    HALF_SIDE,
    MARK_SIZE,
    WINDOW_MARGIN,
    Look,
    look,
    next_window,
    rotations,
    window_after,
    window_around,
)
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.blazepose import CIRCLE, BlazePose
from dimr.image.crop import crop_picture, crop_to_full, norm_to_crop, picture_to_tensor
from dimr.surface.atlas import load_atlas
from dimr.train.weights import load_stages
from dimr.types import Crop


class Seer(LandmarkNet):
    """Sees every landmark at (64, 192) of 256 pixels but the circle, a metre to the right."""

    CIRCLE_PX = (64.0, 64.0)

    def __init__(self):
        torch.nn.Module.__init__(self)  # without a network
        self.second = None
        self.looked_at = []

    def forward(self, window, mark):
        assert window.shape[-2:] == (256, 256) and mark.shape[1:] == (2, MARK_SIZE, MARK_SIZE)
        self.looked_at.append((window, mark))
        places = torch.tensor([64.0, 192.0, -32.0, 20.0, -20.0]).repeat(len(window), 39, 1)
        places[:, CIRCLE, :2] = torch.tensor(self.CIRCLE_PX)
        world = torch.tensor([1.0, 0.0, 0.0]).repeat(len(window), 39, 1)
        summary = window.mean((1, 2, 3))[:, None, None, None].expand(-1, 288, 2, 2)
        return places, world, self.upright(window), summary

    def upright(self, window):
        return torch.ones(len(window))


class Choosy(Seer):
    """Takes a window for as upright as its top is bright."""

    def upright(self, window):
        return window[:, 0, :64].mean((1, 2))


def nobody(size):
    return torch.zeros(1, 2, size, size)


@pytest.mark.parametrize("size", [64, 192, 256])
def test_landmarks_are_crop_normalised_whatever_the_size(size):
    window = torch.zeros(2, 2), torch.eye(2).expand(2, 2, 2)
    found = look(Seer(), torch.zeros(2, 3, size, size), torch.zeros(2, 2, 96, 96), *window)
    pose = found.pose
    wanted = torch.tensor([-0.5, 0.5, -0.25, 1.0, 0.0, 1.0, 0.0, 0.0])
    torch.testing.assert_close(pose[1, 7], wanted, atol=1e-6, rtol=0)


def test_the_second_look_is_at_the_body_and_turns_what_it_sees_back():
    # hips at (-0.5, 0.5), the circle's radius 0.4: half a side of 0.5, up is the crop's right
    middle, axes = next_window(torch.tensor([[-0.5, 0.5]]), torch.tensor([[-0.1, 0.5]]))
    pose, upright, half, _ = look(Seer(), torch.zeros(1, 3, 64, 64), nobody(32), middle, axes)
    assert upright.tolist() == [1.0] and half.tolist() == pytest.approx([0.5])
    # (-0.5, 0.5) in the window: half a unit to its left is the crop's up, down is the crop's left
    wanted = torch.tensor([-0.5 - 0.25, 0.5 - 0.25, -0.25 * 0.5, 1.0, 0.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(pose[0, 7], wanted, atol=1e-5, rtol=0)


class TestSearch:
    """The body that is seen stands at (-0.5, 0.5) of each window; second looks are at it."""

    def search(self, image):
        seer = Choosy()
        return find_pose(seer, image, torch.zeros(len(image), 2, 32, 32)).pose, seer

    def test_who_is_upright_for_certain_is_looked_at_and_followed(self):
        _, seer = self.search(torch.ones(3, 3, 64, 64))
        assert [len(window) for window, _ in seer.looked_at] == [3] * (1 + CLOSER_LOOKS)

    def test_each_closer_look_is_where_the_one_before_saw_the_body(self):
        class Small(Seer):
            CIRCLE_PX = (64.0, 144.0)

        image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        seer, seen = Small(), [(0.0, 0.0, 1.0)]
        find_pose(seer, image, nobody(32))
        for _ in range(CLOSER_LOOKS):
            x, y, half = seen[-1]
            hips = x - 0.5 * half, y + 0.5 * half
            half = max(HALF_SIDE[0], 1.25 * 0.375 * half)
            room = HALF_SIDE[1] - half
            seen.append((*(min(max(each, -room), room) for each in hips), half))
        for (window, _), (x, y, half) in zip(seer.looked_at, seen, strict=True):
            axes = half * torch.eye(2)[None]
            again = Seer()
            look(again, image, nobody(32), torch.tensor([[x, y]]), axes)
            torch.testing.assert_close(window, again.looked_at[0][0], atol=1e-4, rtol=0)

    def test_the_others_are_turned(self):
        image = torch.ones(3, 3, 64, 64)
        image[1] = 0.5
        _, seer = self.search(image)
        turned = [len(TURNS_RAD), *[FOLLOWED] * CLOSER_LOOKS]
        upright = [3] * (1 + CLOSER_LOOKS)
        assert [len(window) for window, _ in seer.looked_at] == [*upright, *turned]

    def test_the_most_upright_rotation_counts_for_each_crop(self):
        image = torch.zeros(4, 3, 64, 64)
        image[0, :, :, 44:] = 1  # its right is bright: turned by a quarter, that is the top
        image[1, :, :20] = 1  # its top is
        image[2, :, 44:] = 1  # its bottom is
        image[3, :, :, :20] = 1  # its left is
        pose, _ = self.search(image)
        axes = torch.tensor([[0.0, 1, 0], [1.0, 0, 0], [-1.0, 0, 0], [0.0, -1, 0]])
        torch.testing.assert_close(pose[:, 7, 5:], axes, atol=1e-6, rtol=0)

    def test_a_last_look_that_is_not_upright_gives_way_to_the_other(self):
        class Doubting(Choosy):
            """Sees through whoever it took for the most upright at first."""

            def upright(self, window):
                upright = super().upright(window)
                if len(self.looked_at) == 2 * (1 + CLOSER_LOOKS):  # the last one
                    upright[0] *= 0.1
                return upright

        image = torch.zeros(1, 3, 64, 64)
        image[:, :, :, 44:], image[:, :, :20] = 0.8, 0.9
        pose = find_pose(Doubting(), image, nobody(32)).pose
        torch.testing.assert_close(pose[0, 7, 5:], torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)


class TestNextWindow:
    def test_upright(self):
        middle, axes = next_window(torch.tensor([[0.1, 0.2]]), torch.tensor([[0.1, -0.2]]))
        torch.testing.assert_close(middle, torch.tensor([[0.1, 0.2]]))
        torch.testing.assert_close(axes, 0.5 * torch.eye(2)[None])

    @pytest.mark.parametrize("angle_rad", [0.5, 2.0, -3.0])
    def test_a_turned_body_turns_it(self, angle_rad):
        up = rotations(torch.tensor([angle_rad]))[0] @ torch.tensor([0.0, -0.4])
        _, axes = next_window(torch.zeros(1, 2), up[None])
        torch.testing.assert_close(axes[0], 0.5 * rotations(torch.tensor([angle_rad]))[0])

    def test_it_never_looks_far_beyond_the_crop(self):
        middle, axes = next_window(torch.tensor([[0.7, 1.5]]), torch.tensor([[0.7, -3.0]]))
        assert middle.tolist() == [[0.0, 0.0]]
        torch.testing.assert_close(axes, HALF_SIDE[1] * torch.eye(2)[None])
        middle, axes = next_window(torch.tensor([[0.9, 0.0]]), torch.tensor([[0.9, -0.8]]))
        assert middle[0, 0] == pytest.approx(HALF_SIDE[1] - 1.0)

    def test_a_body_without_size_keeps_some_window(self):
        _, axes = next_window(torch.zeros(1, 2), torch.zeros(1, 2))
        torch.testing.assert_close(axes[0].det(), torch.tensor(HALF_SIDE[0] ** 2))


def test_the_mark_is_cut_as_the_picture_is():
    seer, marker = Seer(), torch.zeros(1, 2, 96, 96)
    marker[:, 0, :48], marker[:, 1, 48:] = 1, 1  # the upper half is meant
    middle, axes = torch.tensor([[0.0, -0.5]]), 0.5 * rotations(torch.tensor([math.pi / 2]))
    look(seer, torch.ones(1, 3, 192, 192), marker, middle, axes)
    _, mark = seer.looked_at[0]
    assert (mark[0, 0, :, 1:-1] > 0.99).all()  # a window within that half
    look(seer, torch.ones(1, 3, 192, 192), marker, torch.zeros(1, 2), 2 * axes)
    _, mark = seer.looked_at[1]
    # turned by a quarter, its x axis is the crop's y axis: whoever is meant is to the left
    assert (mark[0, 0, :, : MARK_SIZE // 2 - 1] > 0.99).all()
    assert (mark[0, 1, :, MARK_SIZE // 2 + 1 :] > 0.99).all()


class TestNetwork:
    def test_as_it_ships_it_says_what_the_original_says(self):
        window = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            found = LandmarkNet.pretrained()(window, torch.rand(2, 2, MARK_SIZE, MARK_SIZE))
            wanted = BlazePose.pretrained().find_landmarks(window)
        for each, other in zip(found[:3], wanted, strict=True):
            torch.testing.assert_close(each, other)

    def test_it_is_the_same_each_time(self):
        first = LandmarkNet.pretrained().state_dict()
        torch.rand(7)
        for name, value in LandmarkNet.pretrained().state_dict().items():
            assert torch.equal(value, first[name]), name

    def test_the_mark_starts_silent_and_learns(self):
        network, mark = LandmarkNet.pretrained(), torch.rand(1, 2, MARK_SIZE, MARK_SIZE)
        window = torch.rand(1, 3, 256, 256)
        places, _, _, _ = network(window, mark)
        places.sum().backward()
        assert network.mark[-1].weight.grad.any()
        with torch.no_grad():
            network.mark[-1].weight.normal_()
            other, _, _, _ = network(window, 0 * mark)
            marked, _, _, _ = network(window, mark)
        assert not torch.equal(other, marked)


class TestAround:
    """Landmarks are looked for in a window around the crop."""

    CROP = Crop((30.0, 40.0), 96.0, 192)

    def test_it_has_the_crop_in_its_middle_and_pixels_as_large(self):
        around = surroundings(self.CROP)
        assert around == Crop((30.0, 40.0), 144.0, 288)

    def test_landmarks_of_it_are_told_in_the_crop(self):
        points_px = np.array([[30.0, 40.0], [78.0, 40.0], [12.0, -7.0]])
        pose = torch.ones(1, 39, POSE_VALUES)
        pose[0, :3, :2] = torch.from_numpy(full_to_norm(surroundings(self.CROP), points_px))
        found = narrow_pose(pose)
        wanted = full_to_norm(self.CROP, points_px)
        assert found[0, :3, :2].numpy() == pytest.approx(wanted, abs=1e-5)
        assert found[0, 0, 2:].tolist() == [1.5, 1, 1, 1, 1, 1, 1.5, 1]
        assert POSE_VALUES == 10

    def test_nothing_is_known_around_a_crop_alone(self):
        image = torch.rand(1, 3, 64, 64)
        wide = widen(image)
        assert wide.shape == (1, 3, 96, 96) and wide.count_nonzero() == image.count_nonzero()
        assert torch.equal(wide[..., 16:80, 16:80], image)

    def test_a_picture_that_ends_at_the_crop_has_nothing_around(self):
        stage1 = load_stages("open", BodyModel.load(), load_atlas())[0]
        rng = np.random.default_rng(0)
        picture = rng.integers(0, 255, (192, 192, 3)).astype(np.uint8)
        mask = np.zeros((192, 192), bool)
        mask[20:180, 60:120] = True
        crop = Crop((95.5, 95.5), 192.0, 192)
        person = mask_to_detection(1.0, mask)
        seen = stage1.see(picture, person, crop)
        with torch.no_grad():
            alone = stage1.features((picture_to_tensor(picture), stage1.marker(person, crop)))
        torch.testing.assert_close(seen.pose, alone.pose, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(seen.maps[0], alone.maps[0])


class TestPhotograph:
    """The astronaut, who sits and faces us."""

    CROP = Crop((220.0, 380.0), 800.0, 192)

    @torch.no_grad()
    def look(self, angle_rad=0.0):
        crop = replace(self.CROP, angle_rad=angle_rad)
        image = picture_to_tensor(crop_picture(astronaut(), crop))
        return look_at_pose(LandmarkNet.pretrained().eval(), image, nobody(96))[0]

    def test_landmarks_are_in_the_crops_coordinates(self):
        pose = self.look()
        nose_px = norm_to_crop(pose[0, :2].numpy(), 192)
        assert crop_to_full(self.CROP, nose_px) == pytest.approx([225, 130], abs=20)
        assert (pose[[0, 11, 12], 3] > 0.9).all()
        across_m = pose[11, 5:8] - pose[12, 5:8]  # her left shoulder is to our right
        assert 0.2 < across_m[0] < 0.5 and across_m[0] > 3 * across_m[1].abs()

    @pytest.mark.parametrize("angle_rad", [0.2, math.pi])
    def test_a_turned_crop_turns_them_all(self, angle_rad):
        plain, other = self.look(), self.look(angle_rad)
        cos, sin = math.cos(angle_rad), math.sin(angle_rad)
        back, rows = torch.tensor([[cos, sin], [-sin, cos]]), [0, 11, 12]
        assert (plain[rows, :2] @ back.T - other[rows, :2]).abs().max() < 0.1
        shoulders = [each[11, 5:7] - each[12, 5:7] for each in (plain, other)]
        assert (shoulders[0] @ back.T - shoulders[1]).abs().max() < 0.08


def test_metres_are_single_precision_whatever_surrounds_the_network():
    network = LandmarkNet.pretrained().eval()
    image = picture_to_tensor(crop_picture(astronaut(), TestPhotograph.CROP))
    with torch.no_grad():
        single = find_pose(network, image, nobody(96))
        with torch.autocast("cpu", torch.bfloat16):
            around = find_pose(network, image, nobody(96))
            coarse = network.branch(network.top(torch.rand(1, 144, 8, 8)).float())[1]
    assert all(each.dtype == torch.float32 for each in (*single, *around))
    gap_m = (around.pose[..., 5:] - single.pose[..., 5:]).norm(dim=-1)
    assert coarse.dtype != torch.float32 and 0 < gap_m.mean() < 0.05


class TestSpread:
    def look(self, half):
        summary = torch.zeros(2, 288, 2, 2)
        summary[1] = 1
        return Look(torch.zeros(2, 39, 8), torch.ones(2), torch.full((2,), half), summary)

    def test_it_is_the_usual_one_before_anything_is_learnt(self):
        spread = LandmarkNet.pretrained().spread.of(self.look(0.5))
        torch.testing.assert_close(spread[..., 0], torch.full((2, 39), 0.5 * USUAL_SPREAD))
        torch.testing.assert_close(spread[..., 1], torch.full((2, 39), USUAL_SPREAD))

    @torch.no_grad()
    def test_it_depends_on_the_features_within_limits(self):
        network = LandmarkNet()
        network.spread.weight[2 * 7] = 1.0  # landmark 7 in the crop
        network.spread.weight[2 * 8 + 1] = -1.0  # landmark 8 in metres
        spread = network.spread.of(self.look(0.5))
        assert spread[1, 7].tolist() == pytest.approx([0.5 * LARGEST_SPREAD, USUAL_SPREAD])
        assert spread[1, 8].tolist() == pytest.approx([0.5 * USUAL_SPREAD, LEAST_SPREAD])
        torch.testing.assert_close(spread[0], network.spread.of(self.look(0.5))[0])

    @torch.no_grad()
    def test_it_comes_last(self):
        network, image = LandmarkNet.pretrained().eval(), torch.rand(2, 3, 64, 64)
        pose = look_at_pose(network, image, torch.zeros(2, 2, 16, 16))
        found = find_pose(network, image, torch.zeros(2, 2, 16, 16))
        assert pose.shape == (2, 39, POSE_VALUES)
        torch.testing.assert_close(pose[..., :8], found.pose)
        torch.testing.assert_close(pose[..., 8:], network.spread.of(found))


class Elsewhere(Seer):
    """Sees everything at the left edge, two metres to the right."""

    look_after = SecondOpinion.look_after

    def forward(self, window, mark):
        places, world, upright, summary = super().forward(window, mark)
        places[..., 0] = 0.0
        return places, 2 * world, 0 * upright, summary


class TestSecondOpinion:
    def asked(self, spread, spread_second):
        network, second = Seer(), Elsewhere()
        for each, value in ((network, spread), (second, spread_second)):
            each.spread = Spread()
            each.spread.bias.data.fill_(math.log(value))
        image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        marker = torch.zeros(2, 2, 32, 32)
        alone = look_at_pose(network, image, marker)
        network.second = second
        return alone, look_at_pose(network, image, marker), network, second

    @torch.no_grad()
    def test_it_looks_where_another_look_would_be_next_and_follows(self):
        alone, _, _, second = self.asked(0.1, 0.1)
        image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        again, window = Elsewhere(), window_after(alone[..., :8])
        for _ in range(SECOND_LOOKS):
            window = window_after(look(again, image, torch.zeros(2, 2, 32, 32), *window).pose)
        assert len(second.looked_at) == SECOND_LOOKS
        for (seen, _), (wanted, _) in zip(second.looked_at, again.looked_at, strict=True):
            torch.testing.assert_close(seen, wanted)

    @torch.no_grad()
    def test_it_need_not_be_asked(self):
        alone, _, network, second = self.asked(0.1, 0.1)
        second.looked_at.clear()
        image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        assert torch.equal(own_pose(network, image, torch.zeros(2, 2, 32, 32)), alone)
        around = look_around(network, image, torch.zeros(2, 2, 32, 32), second=False)
        assert all(torch.equal(each, narrow_pose(alone)) for each in around)
        assert not second.looked_at

    @torch.no_grad()
    @pytest.mark.parametrize(("spread", "second"), [(0.1, 0.001), (0.001, 0.1)])
    def test_whoever_is_surer_counts(self, spread, second):
        alone, found, _, _ = self.asked(max(spread, LEAST_SPREAD), max(second, LEAST_SPREAD))
        metres = found[0, 7, 5] / alone[0, 7, 5]
        assert metres == pytest.approx(2 if second < spread else 1, abs=0.05)
        assert torch.equal(found[..., 3:5], alone[..., 3:5])

    def test_by_hand(self):
        pose, other = torch.zeros(1, 39, POSE_VALUES), torch.ones(1, 39, POSE_VALUES)
        pose[..., 8], pose[..., 9] = 0.2, 0.1
        other[..., 8], other[..., 9] = 0.1, 0.3
        found = weigh(pose, other)[0, 7]
        # inverse fourth powers, 1 to 16, in the crop; inverse squares, 9 to 1, in metres
        near = 16 / 17
        wanted = [near, near, near, 0.0, 0.0, 0.1, 0.1, 0.1, 0.2 - 0.1 * near, 0.12]
        torch.testing.assert_close(found, torch.tensor(wanted))

    def test_the_original_heeds_no_mark_and_never_learns(self):
        second = SecondOpinion()
        assert not any(each.requires_grad for each in second.network.parameters())
        window = torch.rand(1, 3, 256, 256)
        one, other = (second(window, torch.full((1, 2, 32, 32), each)) for each in (0.0, 1.0))
        assert torch.equal(one[0], other[0])

    @torch.no_grad()
    def test_it_looks_where_the_body_was_seen_too(self):
        """By somebody else: lying, its head to the left."""
        alone, _, network, second = self.asked(0.1, 0.1)
        second.looked_at.clear()
        body = torch.tensor([[0.2, 0.1], [-0.2, 0.1]]).expand(2, 2, 2)
        image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        marker = torch.zeros(2, 2, 32, 32)
        look_at_pose(network, image, marker, body)
        again, half = Elsewhere(), 0.4 * WINDOW_MARGIN
        axes = half * torch.tensor([[0.0, 1.0], [-1.0, 0.0]]).expand(2, 2, 2)
        for window in (window_after(alone[..., :8]), (body[:, 0], axes)):
            for _ in range(SECOND_LOOKS):
                window = window_after(look(again, image, marker, *window).pose)
        after, there = again.looked_at[:SECOND_LOOKS], again.looked_at[SECOND_LOOKS:]
        assert len(second.looked_at) == SECOND_LOOKS
        for (windows, _), (one, _), (other, _) in zip(second.looked_at, after, there, strict=True):
            torch.testing.assert_close(windows, torch.cat([one, other]))
        # the same in coordinates of the crop in the middle of its surroundings
        look_around(network, image, marker, AROUND * body)
        torch.testing.assert_close(second.looked_at[SECOND_LOOKS][0], second.looked_at[0][0])

    @torch.no_grad()
    @pytest.mark.parametrize("bright", [0, 1])
    def test_the_surer_look_counts_for_each(self, bright, monkeypatch):
        """One of two pictures is bright where the body was seen; the other all over the rest."""
        monkeypatch.setattr(landmarks, "SECOND_LOOKS", 1)
        second = Choosy()
        second.look_after = SecondOpinion.look_after.__get__(second)
        body = torch.tensor([[0.5, 0.5], [0.5, 0.4]]).expand(2, 2, 2)
        image = torch.zeros(2, 3, 64, 64)
        image[1 - bright] = 1
        image[:, :, 40:56, 40:56] = 1 - image[:, :, 40:56, 40:56]
        first = look(
            Seer(),
            image,
            nobody(32).expand(2, -1, -1, -1),
            torch.zeros(2, 2),
            torch.eye(2).expand(2, 2, 2),
        )
        found = second.look_after(first.pose, image, nobody(32).expand(2, -1, -1, -1), body)
        there = found.half < 0.2
        assert there.tolist() == [bright == 0, bright == 1]

    @torch.no_grad()
    def test_who_is_not_marked_is_where_it_says(self):
        _, _, network, _ = self.asked(0.2, 0.1)
        places, spread = look_unmarked(network, torch.rand(2, 3, 64, 64))
        network.second = None
        alone, same = look_unmarked(network, torch.rand(2, 3, 64, 64))
        assert (places[..., 0] < alone[..., 0]).all()
        torch.testing.assert_close(spread, torch.full((2, 39), 0.2))
        torch.testing.assert_close(same, spread)

    def test_a_body_in_one_point_is_a_window_still(self):
        middle, axes = window_around(torch.zeros(1, 2), torch.zeros(1, 2))
        assert torch.isfinite(axes).all() and axes.any() and not middle.any()

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut, coffee

from dimr.correspondence import sightings
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.sightings import (
    NEAR,
    ROOM,
    SEEN,
    SIDES_PX,
    Sighting,
    find_sightings,
    read_sightings,
    sighted_limbs,
    with_bodies,
)
from dimr.encoder.movenet import MoveNet, MoveNetMaps
from dimr.image.crop import box_iou

HIGH, WIDE = 16, 24


def logit(probability):
    return float(np.log(probability / (1 - probability)))


def empty_maps():
    def zeros(channels, value=0.0):
        return torch.full((1, channels, HIGH, WIDE), value)

    return MoveNetMaps(zeros(1, -20.0), zeros(2), zeros(2), zeros(17, -20.0), zeros(34), zeros(34))


def put(maps, row, column, probability=0.8, size=(8.0, 4.0)):
    """A person with a middle and all keypoints there."""
    maps.centre[0, 0, row, column] = logit(probability)
    maps.box_size[0, :, row, column] = torch.tensor(size)
    maps.box_offset[0, :, row, column] = torch.tensor([0.5, 0.25])


class TestReading:
    def test_a_box_is_around_the_middle_and_in_the_picture(self):
        maps = empty_maps()
        put(maps, 6, 10)
        put(maps, 1, 22, 0.5)
        first, second = read_sightings(maps, 0.1)
        assert first.score == second.score == 0  # no keypoint is seen
        # 6.5 -+ 4 rows, 10.25 -+ 2 columns, four pixels each
        np.testing.assert_allclose(first.box_px, [33, 10, 49, 42])
        np.testing.assert_allclose(second.box_px, [81, 0, 96, 22])

    def test_there_is_one_middle_in_a_neighbourhood(self):
        maps = empty_maps()
        for column, probability in ((10, 0.8), (12, 0.7), (15, 0.6)):
            put(maps, 6, column, probability)
        assert [each.box_px[0] for each in read_sightings(maps, 0.1)] == [33, 53]

    def test_the_score_is_that_of_the_middle_and_of_what_is_seen(self):
        maps = empty_maps()
        put(maps, 6, 3)
        put(maps, 6, 15, 0.7)
        for number, probability in ((4, 0.9), (5, 0.3), (6, 0.1)):
            maps.heatmap[0, number, 6, 15] = logit(probability)
        first, second = read_sightings(maps, 0.1)
        assert first.score == pytest.approx(0.7 * 0.6, rel=1e-4)  # 0.1 is not seen
        assert second.score == 0 and second.box_px[0] == 4 * 1.25

    def test_whoever_is_less_sure_is_nobody(self):
        maps = empty_maps()
        put(maps, 6, 10, 0.3)
        assert len(read_sightings(maps, 0.29)) == 1 and read_sightings(maps, 0.31) == []

    def test_a_keypoint_is_where_the_map_sees_it_near_what_the_middle_says(self):
        maps = empty_maps()
        put(maps, 6, 10)
        maps.keypoint[0, 2 * 7 : 2 * 7 + 2, 6, 10] = torch.tensor([2.0, 1.0])  # at (8, 11)
        maps.heatmap[0, 7, 9, 11] = logit(0.9)
        maps.keypoint_offset[0, 2 * 7 : 2 * 7 + 2, 9, 11] = torch.tensor([0.25, -0.5])
        maps.heatmap[0, 7, 2, 23] = logit(0.99)  # somebody else's: outside of the box
        (person,) = read_sightings(maps, 0.1)
        np.testing.assert_allclose(person.keypoints_px[7], [4 * 10.5, 4 * 9.25])
        # one cell away, of the 64 that a map of the first reduction is wide
        assert person.seen[7] == pytest.approx(0.9 * np.exp(-1 / (NEAR * 64)), rel=1e-4)

    def test_of_two_places_the_one_that_fits_the_middle_counts(self):
        maps = empty_maps()
        put(maps, 6, 10)
        maps.heatmap[0, 3, 6, 10] = logit(0.6)
        maps.heatmap[0, 3, 9, 10] = logit(0.9)  # exp(-9 / 19.2) = 0.63
        (person,) = read_sightings(maps, 0.1)
        np.testing.assert_allclose(person.keypoints_px[3], [40, 24])

    def test_a_keypoint_that_nobody_sees_is_where_the_middle_says_even_outside(self):
        maps = empty_maps()
        put(maps, 6, 10)
        maps.keypoint[0, 2 * 15 : 2 * 15 + 2, 6, 10] = torch.tensor([12.0, -1.0])
        maps.heatmap[0, 15, 9, 10] = logit(SEEN / 2)
        (person,) = read_sightings(maps, 0.1)
        np.testing.assert_allclose(person.keypoints_px[15], [4 * 9, 4 * 18])
        assert person.seen[15] < SEEN


FADES = {256: 1.0, 512: 0.9, 1024: 0.8}


class Lamps(MoveNet):
    """Takes what is white for people, each with all keypoints in its middle, seen the better, the
    fewer pixels there are."""

    def __init__(self, seen=0.9):
        super().__init__()
        self.seen, self.looked_at = seen, []

    def forward(self, image):
        self.looked_at.append(tuple(image.shape[2:]))
        high, wide = (length // 4 for length in image.shape[2:])
        maps = MoveNetMaps(
            *(
                torch.full((1, channels, high, wide), float(value))
                for channels, value in ((1, -20.0), (2, 0), (2, 0), (17, -20.0), (34, 0), (34, 0))
            )
        )
        white = (image[0, 0].numpy() > 0.5).astype(np.uint8)
        for x, y, width, height, _ in cv2.connectedComponentsWithStats(white)[2][1:]:
            row, column = int((y + height / 2) / 4), int((x + width / 2) / 4)
            maps.centre[0, 0, row, column] = logit(0.8)
            maps.box_size[0, :, row, column] = torch.tensor([height / 4, width / 4])
            within = torch.tensor([(y + height / 2) / 4 - row, (x + width / 2) / 4 - column])
            maps.box_offset[0, :, row, column] = within
            seen = self.seen * FADES[max(image.shape[2:])]
            maps.heatmap[0, :, row, column] = logit(seen)
        return maps


class TestReductions:
    def found(self, shape, *boxes, seen=0.9):
        picture = np.zeros((*shape, 3), np.uint8)
        for x0, y0, x1, y1 in boxes:
            picture[y0:y1, x0:x1] = 255
        lamps = Lamps(seen)
        return find_sightings(lamps, picture), lamps.looked_at

    def test_a_picture_without_more_pixels_is_looked_at_once(self):
        _, looked_at = self.found((400, 511))
        assert looked_at == [(256, 256)]

    def test_larger_reductions_are_looked_at_where_the_picture_is(self):
        for shape, wide in (((960, 1280), [(384, 512), (768, 1024)]), ((512, 200), [(512, 256)])):
            _, looked_at = self.found(shape)
            assert looked_at == [(256, 256), *wide]

    def test_whoever_asks_may_ask_for_fewer(self):
        lamps = Lamps()
        find_sightings(lamps, np.zeros((960, 1280, 3), np.uint8), sides_px=SIDES_PX[:1])
        assert lamps.looked_at == [(256, 256)]

    @pytest.mark.parametrize("upright", [False, True])
    def test_small_and_large_people_are_seen_where_they_are(self, upright):
        large, small = (80, 300, 380, 900), (1100, 500, 1130, 560)
        turned = [(y0, x0, y1, x1) for x0, y0, x1, y1 in (large, small)]
        shape = (1280, 960) if upright else (960, 1280)
        boxes = turned if upright else [large, small]
        found, _ = self.found(shape, *boxes)
        assert len(found) == 2
        for box, within_px in zip(boxes, (6, 3), strict=True):
            best = max(found, key=lambda each: box_iou(each.box_px, np.array(box, float)))
            assert abs(best.box_px - box).max() < within_px
            middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
            assert np.linalg.norm(best.keypoints_px[0] - middle) < 6 * within_px

    def test_who_is_seen_twice_is_one(self):
        """40, 80 and 160 px long in the three: the second counts, the third believes it not."""
        (person,), _ = self.found((960, 1280), (600, 400, 680, 600))
        assert abs(person.box_px - [600, 400, 680, 600]).max() < 4
        assert person.seen[0] == pytest.approx(0.9 * FADES[512], rel=1e-3)
        assert person.score == pytest.approx(0.8 * 0.9, rel=1e-3)  # as sure as it ever was

    @pytest.mark.parametrize("score", [0.3, 0.9])
    def test_a_part_of_somebody_larger_is_nobody_unless_it_is_surer(self, monkeypatch, score):
        whole = standing()._replace(box_px=np.array([40.0, 0, 80, 150]))
        part, beside = standing(score=score), standing(left=60)
        looks = iter([[whole], [whole, part, beside]])
        monkeypatch.setattr(sightings, "_look_at", lambda *_: next(looks))
        found = find_sightings(MoveNet(), np.zeros((400, 512, 3), np.uint8))
        boxes = [each.box_px.tolist() for each in found]
        wanted = [whole, beside] if score < 0.8 else [part, whole, beside]
        assert boxes == [each.box_px.tolist() for each in wanted]

    def test_each_takes_the_place_of_one_at_most(self, monkeypatch):
        one, other = standing(score=0.7), standing(left=3, score=0.6)
        finer = standing(left=1, score=0.3)
        looks = iter([[one, other], [finer]])
        monkeypatch.setattr(sightings, "_look_at", lambda *_: next(looks))
        found = find_sightings(MoveNet(), np.zeros((400, 512, 3), np.uint8))
        assert [each.score for each in found] == [0.7, 0.6]
        assert [each.box_px[0] for each in found] == [46, 48]

    def test_small_ones_without_keypoints_are_nobody(self):
        specks = [self.found((960, 1280), (1100, 500, 1103, 503), seen=k)[0] for k in (0.9, 0.05)]
        assert [len(each) for each in specks] == [1, 0]


def standing(seen=0.9, score=0.8, left=0.0):
    """60 px tall: feet, knees, hips, wrists, elbows, shoulders and face on two vertical lines."""
    heights = [6, 4, 4, 5, 5, 15, 15, 24, 24, 32, 32, 33, 33, 48, 48, 62, 62]
    sides = [0] + [3, -3] * 8
    points = np.array(
        [[50 + left + side, y] for side, y in zip(sides, heights, strict=True)], float
    )
    box = np.array([45 + left, 2, 55 + left, 64], float)
    return Sighting(score, box, points, np.full(17, seen))


class TestBody:
    def test_it_stands_on_the_hips_and_reaches_past_the_farthest(self):
        hips, circle = standing().body_px
        np.testing.assert_allclose(hips, [50, 33])
        radius = ROOM * max(np.hypot(3, 29), 62 / 2)
        np.testing.assert_allclose(circle, [50, 33 - radius])

    def test_whoever_lies_is_turned(self):
        person = standing()
        turned = person._replace(keypoints_px=person.keypoints_px[:, ::-1])
        (x, y), circle = turned.body_px
        assert circle[1] == pytest.approx(y) and circle[0] < x - 25

    def test_a_body_in_one_point_is_upright(self):
        person = standing()._replace(keypoints_px=np.full((17, 2), 50.0))
        hips, circle = person.body_px
        assert circle[0] == hips[0] and circle[1] < hips[1]


class TestLimbs:
    def test_they_are_where_the_person_is(self):
        found = sighted_limbs(standing(), (80, 100))
        assert found.score == 0.8 and found.mask[20:60, 50].all() and not found.mask[:, 70:].any()

    def test_what_is_not_seen_is_left_out(self):
        person = standing()
        person.seen[11:] = SEEN / 2  # hips and legs
        mask = sighted_limbs(person, (80, 100)).mask
        assert mask[20, 53] and not mask[45:].any()

    def test_whoever_shows_no_limb_is_their_box(self):
        mask = sighted_limbs(standing(seen=0.0), (80, 100)).mask
        assert mask[2:65, 45:56].all() and mask.sum() == 63 * 11

    @pytest.mark.parametrize(
        "box", [(100, 80, 100, 80), (0, 0, 0, 0), (99.6, 3, 100, 5), (-9, 3, -2, 5)]
    )
    def test_a_box_at_the_rim_is_somebody_still(self, box):
        person = standing(seen=0.0)._replace(box_px=np.array(box, float))
        assert sighted_limbs(person, (80, 100)).mask.any()


class TestWithBodies:
    @staticmethod
    def person(left):
        mask = np.zeros((80, 100), bool)
        mask[2:64, 45 + left : 55 + left] = True
        return mask_to_detection(0.9, mask)

    def test_each_gets_the_body_that_fits_best(self):
        first, second, third = (self.person(left) for left in (0, 20, 40))
        sightings = [standing(left=19), standing(left=1)]
        found = with_bodies([first, second, third], sightings)
        np.testing.assert_array_equal(found[0].body_px, sightings[1].body_px)
        np.testing.assert_array_equal(found[1].body_px, sightings[0].body_px)
        assert found[2].body_px is None

    def test_one_body_is_one_person(self):
        near, exact = self.person(2), self.person(0)
        found = with_bodies([near, exact], [standing()])
        assert found[0].body_px is None and found[1].body_px is not None

    def test_nobody_sighted_changes_nothing(self):
        people = [self.person(0)]
        assert with_bodies(people, []) == people


class TestFinding:
    @pytest.fixture
    def network(self):
        return MoveNet.pretrained().eval()

    def test_the_astronaut_is_sighted_in_pixels_of_the_picture(self, network):
        (person,) = find_sightings(network, astronaut())
        assert person.score > 0.4
        np.testing.assert_allclose(person.keypoints_px[0], [222, 122], atol=12)  # nose
        assert person.box_px[0] < 40 and person.box_px[3] > 480

    def test_wherever_the_picture_is_larger(self, network):
        wide = np.zeros((512, 700, 3), np.uint8)
        wide[:, 150:662] = astronaut()
        person = find_sightings(network, wide)[0]
        np.testing.assert_allclose(person.keypoints_px[0], [372, 122], atol=15)

    def test_black_and_coffee_are_hardly_anybody(self, network):
        assert find_sightings(network, np.zeros((40, 60, 3), np.uint8)) == []
        assert all(each.score < 0.2 for each in find_sightings(network, coffee()))

    def test_two_boxes_of_one_are_one(self, monkeypatch):
        person = standing()
        again = standing(score=0.5, left=1)
        monkeypatch.setattr(
            "dimr.correspondence.sightings.read_sightings", lambda maps, least: [person, again]
        )
        network = MoveNet().eval()
        assert len(find_sightings(network, np.zeros((256, 256, 3), np.uint8))) == 1

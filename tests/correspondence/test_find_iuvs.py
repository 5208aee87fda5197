import numpy as np
import pytest

from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import SURE, UNCONFIRMED, UNEXPLAINED, Stage1
from dimr.encoder.blazepose import BlazePose
from dimr.types import Crop, Detection, Iuv


class Seeing(Stage1):
    """Two people, the second seen by the first pass only; the second pass sees a whole crop."""

    def __init__(self) -> None:
        self.crop_size, self.margin = 32, 1.0
        self.marked: list[Crop] = []

    def find_people(self, picture: np.ndarray) -> list[Detection]:
        people = []
        for score, left in ((0.9, 10), (0.8, 60)):
            mask = np.zeros((70, 100), bool)
            mask[20:40, left : left + 20] = True
            people.append(mask_to_detection(score, mask))
        return people

    def encode(self, picture: np.ndarray, marker):
        assert picture.shape == (32, 32, 3)

    def marker(self, detection: Detection, crop: Crop):
        self.marked.append(crop)

    def refine(self, features) -> Iuv:
        mask = np.full((16, 16), len(self.marked) == 1)
        return Iuv(mask, np.where(mask[..., None], [0.25, 0.75], 0).astype(np.float32))


def test_find_iuvs_lays_the_second_look_back_onto_the_picture():
    (window,) = Seeing().find_iuvs(np.zeros((70, 100, 3), np.uint8))
    assert window.score == 0.9
    expected = np.zeros((70, 100), bool)
    expected[20:40, 10:30] = True
    full = window.to_picture((100, 70))
    np.testing.assert_array_equal(full.mask, expected)
    np.testing.assert_allclose(full.uv[expected], [(0.25, 0.75)] * 400)


class Crowd(Stage1):
    """The first pass sees three people; every look of the confirmer ends at the first."""

    def __init__(self, scores) -> None:
        self.scene_size, self.margin, self.confirmer = 256, 1.25, BlazePose()
        self.scores = scores

    def _candidates(self, picture, window):
        people = []
        for number, score in enumerate(self.scores):
            mask = np.zeros((70, 100), bool)
            mask[20:40, 30 * number : 30 * number + 20] = True
            people.append(mask_to_detection(score, mask))
        return people, np.zeros((70, 100), bool)

    def _outline(self, picture, score, mask, others):
        return mask


class Overlapping(Crowd):
    """One person is found; the first pass sees more of people than that one."""

    def __init__(self, everyone) -> None:
        super().__init__((0.9,))
        self.confirmer = None
        self.everyone = everyone
        self.asked: list = []

    def _candidates(self, picture, window):
        return super()._candidates(picture, window)[0], self.everyone

    def _outline(self, picture, score, mask, others):
        self.asked.append((mask, others))
        return mask | others  # the second pass takes others for the person, too


def picture_mask(left: int, right: int) -> np.ndarray:
    mask = np.zeros((70, 100), bool)
    mask[20:42, left:right] = True
    return mask


def test_people_whom_nobody_confirms_count_if_the_first_pass_is_sure(monkeypatch):
    first = mask_to_detection(0.95, picture_mask(0, 22))
    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *looked: first)
    found = Crowd((0.9, 0.8, SURE - 0.01)).find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.score for person in found] == [0.95, UNCONFIRMED * 0.8]
    assert found[1].box_px[0] == 29.5  # the second candidate


def test_who_stands_beside_somebody_known_is_confirmed_once_those_are_grey(monkeypatch):
    first, second = (
        mask_to_detection(score, picture_mask(*columns))
        for score, columns in ((0.95, (0, 22)), (0.7, (31, 52)))
    )

    def confirm(network, picture, window, known=None):
        if known is None:
            return first
        np.testing.assert_array_equal(known, first.mask)
        return second

    monkeypatch.setattr("dimr.correspondence.stage1.confirm", confirm)
    found = Crowd((0.9, 0.8)).find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.score for person in found] == [0.95, 0.7]
    np.testing.assert_array_equal(found[0].others, second.mask)
    np.testing.assert_array_equal(found[1].others, first.mask)


def test_the_marker_says_who_is_meant_and_who_is_not():
    stage1 = Crowd(())
    detection = mask_to_detection(0.9, picture_mask(0, 50))._replace(others=picture_mask(50, 100))
    marker = stage1.marker(detection, Crop((49.5, 30.5), 20.0, 40))[0]
    assert marker.shape == (2, 20, 20)
    assert (marker[0, :, :10] == 1).all() and not marker[0, :, 10:].any()
    assert (marker[1, :, 10:] == 1).all() and not marker[1, :, :10].any()
    alone = stage1.marker(detection._replace(others=None), Crop((49.5, 30.5), 20.0, 40))
    assert not alone[0, 1].any()


def test_what_nobody_explains_beside_somebody_is_somebody_behind():
    stage1 = Overlapping(picture_mask(0, 50))
    front, behind = stage1.find_people(np.zeros((70, 100, 3), np.uint8))
    assert front.score == 0.9 and behind.score == UNEXPLAINED
    assert not (front.mask & behind.mask).any()
    assert behind.mask[30, 25:49].all() and not behind.mask[:, :20].any()
    np.testing.assert_array_equal(behind.others, front.mask)
    asked_for, known = stage1.asked[1]
    assert known[30, 10] and not asked_for[30, 10]  # whom we know is marked as not meant


@pytest.mark.parametrize("everyone", [picture_mask(0, 20), picture_mask(60, 90)])
def test_one_person_who_explains_everything_near_is_left_as_found(everyone):
    stage1 = Overlapping(everyone)
    (person,) = stage1.find_people(np.zeros((70, 100, 3), np.uint8))
    assert not stage1.asked and person.mask.sum() == 400


def test_who_is_a_part_of_somebody_better_goes():
    stage1 = Overlapping(picture_mask(0, 20))
    mask = picture_mask(0, 20)
    found = [mask_to_detection(0.9, mask), mask_to_detection(0.5, mask & picture_mask(2, 30))]
    assert len(stage1._divide(np.zeros((70, 100, 3), np.uint8), found, mask)) == 1

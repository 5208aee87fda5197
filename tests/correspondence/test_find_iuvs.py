import numpy as np

from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import SURE, UNCONFIRMED, Stage1
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

    def encode(self, picture: np.ndarray):
        assert picture.shape == (32, 32, 3)

    def marker(self, mask: np.ndarray, crop: Crop):
        self.marked.append(crop)

    def refine(self, features, marker) -> Iuv:
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
        return people


def test_people_whom_nobody_confirms_count_if_the_first_pass_is_sure(monkeypatch):
    mask = np.zeros((70, 100), bool)
    mask[20:42, 0:22] = True
    first = mask_to_detection(0.95, mask)
    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *looked: first)
    found = Crowd((0.9, 0.8, SURE - 0.01)).find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.score for person in found] == [0.95, UNCONFIRMED * 0.8]
    assert found[1].box_px[0] == 29.5  # the second candidate

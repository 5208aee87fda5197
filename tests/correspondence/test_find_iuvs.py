import numpy as np
import pytest
import torch

from dimr.correspondence.decode import SurfaceTable
from dimr.correspondence.figure import SCORE as FIGURE_SCORE
from dimr.correspondence.figure import SURE_SPREAD, Figure
from dimr.correspondence.network import CorrespondenceMaps
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import SURE, UNCONFIRMED, UNEXPLAINED, Stage1
from dimr.encoder.blazepose import BlazePose
from dimr.image.crop import crop_picture
from dimr.types import Crop, Detection, Iuv


class Seeing(Stage1):
    """Two people, the second seen by the first pass only; the second pass sees a whole crop."""

    def __init__(self) -> None:
        self.crop_size, self.margin = 32, 1.0
        self.table = SurfaceTable(  # one texel of each part, all at the same point
            np.append(0, np.arange(25)),
            np.zeros((24, 3), np.float32),
            np.stack([np.arange(24) / 32, np.full(24, 0.75)], axis=1).astype(np.float32),
        )
        self.asked: list[Detection] = []

    def find_people(self, picture: np.ndarray) -> list[Detection]:
        people = []
        for score, left in ((0.9, 10), (0.8, 60)):
            mask = np.zeros((70, 100), bool)
            mask[20:40, left : left + 20] = True
            people.append(mask_to_detection(score, mask))
        return people

    def see(self, picture: np.ndarray, detection: Detection, crop: Crop):
        self.asked.append(detection)

    def decode(self, features) -> CorrespondenceMaps:
        logit = 20.0 if len(self.asked) == 1 else -20.0
        part = torch.zeros(1, 24, 16, 16)
        part[:, 8] = 20
        return CorrespondenceMaps(
            torch.full((1, 16, 16), logit),
            part,
            torch.zeros(1, 24, 3, 16, 16),
            torch.zeros(1, 8, 8),
            torch.zeros(1, 2, 8, 8),
        )


def test_find_iuvs_lays_the_second_look_back_onto_the_picture():
    (window,) = Seeing().find_iuvs(np.zeros((70, 100, 3), np.uint8))
    assert window.score == 0.9
    expected = np.zeros((70, 100), bool)
    expected[20:40, 10:30] = True
    full = window.to_picture((100, 70))
    np.testing.assert_array_equal(full.mask, expected)
    np.testing.assert_allclose(full.uv[expected], [(0.25, 0.75)] * 400)
    assert full.confidence[expected] == pytest.approx(1, abs=1e-3)


def test_outlines_are_finer_than_the_cells_they_come_from():
    """A triangle whose crop has 16 cells for 64 pixels: the mark's edge decides where in a cell
    the outline lies, the cell's probability whether it is the person's at all."""
    stage1 = Seeing()
    y, x = np.mgrid[:70, :100]
    mask = (x - 10 <= y - 3) & (x >= 10) & (y >= 3) & (y < 67)
    detection = mask_to_detection(0.9, mask)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    stage1.decode = lambda features: _cells_of(stage1, mask, detection)
    fine = stage1.look_again(np.zeros((70, 100, 3), np.uint8), detection, identity, (70, 100))
    assert (fine.mask & mask).sum() > 0.97 * (fine.mask | mask).sum()
    half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    small = stage1.look_again(np.zeros((70, 100, 3), np.uint8), detection, half, (35, 50))
    np.testing.assert_array_equal(small.uv[20, 8], [0.25, 0.75])
    assert abs(small.mask.sum() - fine.mask.sum() / 4) < 0.05 * small.mask.sum()


def test_a_laid_body_corrects_the_surface_and_leaves_the_outline():
    """The crop and every cell of it are given; stage 1 itself stays as it was."""
    stage1, given = Seeing(), []

    def lay(cropped, features, cells):
        given.append((cropped.shape, cells.mask.all()))
        return Iuv(cells.mask, np.full_like(cells.uv, 0.5), cells.confidence)

    picture = np.zeros((70, 100, 3), np.uint8)
    (laid,) = stage1.laid(lay).find_iuvs(picture)
    assert given[0] == ((32, 32, 3), True)
    stage1.asked.clear()
    (plain,) = stage1.find_iuvs(picture)
    assert np.array_equal(laid.iuv.mask, plain.iuv.mask)
    assert (laid.iuv.uv[laid.iuv.mask] == 0.5).all()
    assert (plain.iuv.uv[plain.iuv.mask] == [0.25, 0.75]).all()
    assert np.array_equal(laid.iuv.confidence, plain.iuv.confidence)


def _cells_of(stage1: Seeing, mask: np.ndarray, detection: Detection) -> CorrespondenceMaps:
    """Whole cells: the person's if half of their pixels are."""
    maps = Seeing.decode(stage1, None)
    crop = stage1.refine_crop(detection)
    own = Crop(crop.centre_px, crop.side_px, 16)
    share = torch.from_numpy(crop_picture(mask.astype(np.float32), own))
    return maps._replace(person=torch.where(share > 0.5, 20.0, -20.0)[None])


class Crowd(Stage1):
    """The first pass sees three people; every look of the confirmer ends at the first."""

    def __init__(self, scores) -> None:
        self.scene_size, self.margin, self.confirmer = 256, 1.25, BlazePose()
        self.poser = None
        self.scores = scores

    def _candidates(self, picture, window):
        people = []
        for number, score in enumerate(self.scores):
            mask = np.zeros((70, 100), bool)
            mask[20:40, 30 * number : 30 * number + 20] = True
            people.append(mask_to_detection(score, mask))
        return people, np.zeros((70, 100), bool)

    def _outline(self, picture, mask, others):
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

    def _outline(self, picture, mask, others):
        self.asked.append((mask, others))
        return mask | others  # the second pass takes others for the person, too


def picture_mask(left: int, right: int) -> np.ndarray:
    mask = np.zeros((70, 100), bool)
    mask[20:42, left:right] = True
    return mask


def test_people_whom_nobody_confirms_count_if_the_first_pass_is_sure(monkeypatch):
    first = mask_to_detection(0.95, picture_mask(0, 22))
    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *looked, **how: first)
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


def test_whoever_is_seen_nowhere_upright_is_sought_turned(monkeypatch):
    asked, lying = [], mask_to_detection(0.98, picture_mask(0, 20))

    def confirm_turned(network, picture, window, candidate, known=None):
        asked.append((candidate, known))
        return lying if len(asked) == 1 else None

    looks = []
    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about: looks.append(about))
    monkeypatch.setattr("dimr.correspondence.stage1.confirm_turned", confirm_turned)
    found = Crowd((0.4, 0.3)).find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.score for person in found] == [0.98]
    assert asked[0][1] is None and asked[0][0][30, 10]
    np.testing.assert_array_equal(asked[1][1], lying.mask)
    # the whole picture, both candidates, and the second once more without the first
    assert [len(about) > 3 for about in looks] == [False, False, False, True]


def test_where_nobody_is_found_a_portrait_is_sought_before_anybody(monkeypatch):
    close, asked = mask_to_detection(0.8, picture_mask(0, 90)), []

    def find_portrait(network, picture, window, everyone):
        asked.append((window.side_px, everyone.shape))
        return close

    for name in ("confirm", "confirm_turned"):
        monkeypatch.setattr(f"dimr.correspondence.stage1.{name}", lambda *about: None)
    monkeypatch.setattr("dimr.correspondence.stage1.find_portrait", find_portrait)
    monkeypatch.setattr("dimr.correspondence.stage1.find_anybody", lambda *about: 1 / 0)
    picture = np.zeros((70, 100, 3), np.uint8)
    assert [person.score for person in Crowd((0.4,)).find_people(picture)] == [0.8]
    assert asked == [(100, (70, 100))]


def test_where_nobody_is_found_anybody_will_do(monkeypatch):
    last, asked = mask_to_detection(0.98, picture_mask(0, 20)), []

    def find_anybody(network, picture, window, everyone):
        asked.append((window.side_px, everyone))
        return last

    for name in ("confirm", "confirm_turned", "find_portrait"):
        monkeypatch.setattr(f"dimr.correspondence.stage1.{name}", lambda *about: None)
    monkeypatch.setattr("dimr.correspondence.stage1.find_anybody", find_anybody)
    picture = np.zeros((70, 100, 3), np.uint8)
    assert [person.score for person in Crowd((0.4,)).find_people(picture)] == [0.98]
    assert asked[0][0] == 100 and asked[0][1].shape == (70, 100)
    assert Crowd((0.9,)).find_people(picture)[0].score == UNCONFIRMED * 0.9  # somebody is
    assert len(asked) == 1


def tall_mask(left: int, right: int) -> np.ndarray:
    mask = np.zeros((70, 100), bool)
    mask[:64, left:right] = True
    return mask


class TestFigure:
    """Whom the landmark network sees may be somebody else than those who are found."""

    @pytest.fixture
    def asked(self, monkeypatch):
        asked = []

        def find_figure(poser, picture, window):
            asked.append(window.side_px)
            return Figure(self.limbs, self.spread)

        for name in ("confirm", "confirm_turned", "find_portrait", "find_anybody"):
            monkeypatch.setattr(f"dimr.correspondence.stage1.{name}", lambda *about: None)
        monkeypatch.setattr("dimr.correspondence.stage1.find_figure", find_figure)
        self.limbs, self.spread = tall_mask(60, 80), 2 * SURE_SPREAD
        return asked

    @staticmethod
    def find(*scores):
        crowd = Crowd(scores)
        crowd.poser = object()
        return crowd.find_people(np.zeros((70, 100, 3), np.uint8))

    @pytest.mark.parametrize("score", [0.4, 0.9])
    def test_limbs_elsewhere_are_the_one_person(self, asked, score):
        (person,) = self.find(score)
        np.testing.assert_array_equal(person.mask, self.limbs)
        assert person.score == UNCONFIRMED * score and asked == [140]

    def test_limbs_at_the_same_place_change_nothing(self, asked):
        self.limbs = picture_mask(5, 25)
        (person,) = self.find(0.9)
        assert person.box_px.tolist() == [-0.5, 19.5, 19.5, 39.5] and len(asked) == 1

    def test_no_limbs_change_nothing(self, asked):
        self.limbs = np.zeros((70, 100), bool)
        assert self.find(0.4)[0].box_px[0] == -0.5

    def test_who_is_not_seen_for_certain_joins_nobody(self, asked, monkeypatch):
        assert len(self.find(0.9, 0.8)) == 2 and len(asked) == 1
        confirmed = mask_to_detection(0.6, picture_mask(0, 22))
        monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about: confirmed)
        assert self.find(0.9) == [confirmed] and len(asked) == 2

    def test_who_is_seen_for_certain_joins_others(self, asked, monkeypatch):
        self.spread = SURE_SPREAD / 2
        confirmed = mask_to_detection(0.6, picture_mask(0, 22))
        monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about: confirmed)
        first, second = self.find(0.9)
        assert (first.score, second.score) == (0.6, FIGURE_SCORE)
        np.testing.assert_array_equal(second.mask, self.limbs)

    def test_who_is_small_may_be_a_part_of_something(self, asked, monkeypatch):
        self.limbs, self.spread = picture_mask(60, 80), SURE_SPREAD / 2
        confirmed = mask_to_detection(0.6, picture_mask(0, 22))
        monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about: confirmed)
        assert self.find(0.9) == [confirmed]

    @pytest.mark.parametrize(("score", "known"), [(0.9, True), (0.5, False)])
    def test_somebody_sure_may_show_but_a_part_of_themselves(self, score, known):
        head = np.zeros((70, 100), bool)
        head[:8, 62:70] = True
        figure = Figure(tall_mask(60, 80), 0.0)
        assert figure.is_sure and figure.is_other([mask_to_detection(score, head)]) != known

    def test_who_is_seen_already_does_not(self, asked, monkeypatch):
        self.limbs, self.spread = tall_mask(2, 22), SURE_SPREAD / 2
        confirmed = mask_to_detection(0.6, tall_mask(0, 22))
        monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about: confirmed)
        assert self.find(0.9) == [confirmed]

    def test_no_limbs_are_nobody(self):
        nothing = Figure(np.zeros((70, 100), bool), 0.0)
        assert not nothing.is_sure and not nothing.is_other([])

    def test_a_part_of_them_is_nobody_else(self):
        figure = Figure(picture_mask(60, 80), 0.0)
        part = mask_to_detection(0.9, picture_mask(58, 65))
        other = mask_to_detection(0.9, picture_mask(40, 70))
        found = figure.among([part, other])
        assert [each.box_px[0] for each in found] == [39.5, 59.5]

    def test_whoever_is_confirmed_later_is_believed(self, asked, monkeypatch):
        lying = mask_to_detection(0.98, picture_mask(0, 20))
        monkeypatch.setattr("dimr.correspondence.stage1.confirm_turned", lambda *about: lying)
        assert [person.score for person in self.find(0.4)] == [0.98]

    def test_nobody_stays_nobody(self, asked):
        assert self.find() == [] and not asked


def test_where_nobody_at_all_is_seen_the_surest_doubtful_one_counts_little(monkeypatch):
    for name in ("confirm", "confirm_turned", "find_portrait", "find_anybody"):
        monkeypatch.setattr(f"dimr.correspondence.stage1.{name}", lambda *about: None)
    picture = np.zeros((70, 100, 3), np.uint8)
    (person,) = Crowd((0.3, 0.45, 0.4)).find_people(picture)
    assert person.score == pytest.approx(UNCONFIRMED * 0.45) and person.box_px[0] == 29.5
    assert Crowd(()).find_people(picture) == []


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

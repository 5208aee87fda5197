from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimr.correspondence.confirm import PRESENT
from dimr.correspondence.decode import SurfaceTable
from dimr.correspondence.divide import UNEXPLAINED
from dimr.correspondence.figure import SCORE as FIGURE_SCORE
from dimr.correspondence.figure import SURE_SPREAD, Figure
from dimr.correspondence.follow import SIGHTED, FollowUp
from dimr.correspondence.landmarks import LandmarkNet, SecondOpinion, look_around, widen
from dimr.correspondence.network import CorrespondenceMaps, CorrespondenceNet
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.sightings import Sighting
from dimr.correspondence.stage1 import ALL_SURE, SURE, UNCONFIRMED, Stage1
from dimr.encoder.blazepose import BlazePose
from dimr.image.crop import box_to_crop, crop_picture
from dimr.types import Crop, Detection, Iuv


class Seeing(Stage1):
    """Two people, the second seen by the first pass only; the second pass sees a whole crop."""

    def __init__(self) -> None:
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

    def refine_crop(self, detection: Detection) -> Crop:
        return box_to_crop(detection.box_px, 32, 1.0)

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

    def lay(seen, crop, features, cells):
        given.append((seen is picture, crop.size, cells.mask.all()))
        return Iuv(cells.mask, np.full_like(cells.uv, 0.5), cells.confidence)

    picture = np.zeros((70, 100, 3), np.uint8)
    (laid,) = stage1.laid(lay).find_iuvs(picture)
    assert given[0] == (True, 32, True)
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
        self.confirmer = BlazePose()
        self.poser = self.spotter = self.larger = self.outliner = None
        self.scores = scores

    def _candidates(self, picture, window):
        people = []
        for number, score in enumerate(self.scores):
            mask = np.zeros((70, 100), bool)
            mask[20:40, 30 * number : 30 * number + 20] = True
            people.append(mask_to_detection(score, mask))
        return people, np.zeros((70, 100), bool)

    def _outline(self, picture, sightings, mask, others):
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

    def _outline(self, picture, sightings, mask, others):
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


def test_who_touches_nobody_has_the_pixels_that_the_outliner_sees(monkeypatch):
    stage1 = Crowd((0.9, 0.8))
    stage1.outliner = object()
    people = [mask_to_detection(0.9, picture_mask(left, left + 20)) for left in (0, 50)]
    looks = iter(people)
    asked = []

    def outline_of(network, picture, person, sightings):
        asked.append(person)
        return person.mask & (np.arange(70)[:, None] < 30) if len(asked) == 1 else person.mask & 0

    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *looked, **how: next(looks))
    monkeypatch.setattr("dimr.correspondence.stage1.outline_of", outline_of)
    monkeypatch.setattr(FollowUp, "people", lambda *_: ([], []))
    found = stage1.find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.mask.sum() for person in found] == [10 * 20, 22 * 20]  # nothing: as it was
    assert asked[0].others is not None and (asked[0].others == people[1].mask).all()


def test_who_stands_beside_somebody_known_is_confirmed_once_those_are_grey(monkeypatch):
    first, second = (
        mask_to_detection(score, picture_mask(*columns))
        for score, columns in ((0.95, (0, 22)), (0.7, (31, 52)))
    )

    def confirm(network, picture, window, known=None, **how):
        if known is None:
            return first
        np.testing.assert_array_equal(known, first.mask)
        return second

    monkeypatch.setattr("dimr.correspondence.stage1.confirm", confirm)
    found = Crowd((0.9, 0.8)).find_people(np.zeros((70, 100, 3), np.uint8))
    assert [person.score for person in found] == [0.95, 0.7]
    np.testing.assert_array_equal(found[0].others, second.mask)
    np.testing.assert_array_equal(found[1].others, first.mask)


class Listening(CorrespondenceNet):
    """Keeps what it hears."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)  # without a network
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.encoder = torch.nn.Module()
        self.encoder.features = lambda image: SimpleNamespace(maps=[image])
        self.heard: list = []

    def decode(self, features, marker, pose=None):
        self.heard.append(pose)
        return Seeing.decode(SimpleNamespace(asked=[0]), None)


def test_the_second_pass_hears_landmarks_as_in_its_training():
    """Those of the network that is told who is meant; stage 2 those weighed with the second."""
    poser = LandmarkNet.pretrained()
    poser.second = SecondOpinion()
    stage1 = Stage1(Listening(), Seeing().table, poser=poser)
    generator = torch.Generator().manual_seed(0)
    crop = torch.rand(1, 3, 32, 32, generator=generator), torch.ones(1, 2, 16, 16)
    with torch.inference_mode():
        features = stage1.features(crop)
        wide = widen(crop[0]), widen(crop[1])
        alone, weighed = look_around(stage1.poser, *wide)
        again = stage1.features(crop, for_stage2=False)
    stage1.decode(features)
    (heard,) = stage1.network.heard
    assert torch.equal(heard, alone)
    assert torch.equal(features.pose, weighed) and not torch.equal(alone, weighed)
    assert torch.equal(again.pose, alone) and torch.equal(again.hint, alone)


def sighting(left: float, right: float, score: float = 0.64) -> Sighting:
    """Somebody between two columns, head up, all keypoints on a line."""
    points = np.full((17, 2), (left + right) / 2)
    points[:, 1] = np.linspace(20, 41, 17)
    box = np.array([left - 0.5, 19.5, right - 0.5, 41.5])
    return Sighting(score, box, points, np.full(17, 0.9))


class TestSightings:
    """People whom MoveNet saw come first; the first pass has a say about the others."""

    @pytest.fixture
    def looks(self, monkeypatch):
        looks: list = []

        def confirm(network, picture, window, known=None, least=PRESENT, larger=None):
            looks.append((window, known, least))
            return self.answers.pop(0)

        for module in ("stage1", "follow"):
            monkeypatch.setattr(f"dimr.correspondence.{module}.confirm", confirm)
        monkeypatch.setattr(
            "dimr.correspondence.stage1.find_sightings", lambda network, picture: self.sightings
        )
        return looks

    @staticmethod
    def find(*scores):
        crowd = Crowd(scores)
        crowd.spotter = object()
        return crowd.find_people(np.zeros((70, 100, 3), np.uint8))

    def test_they_are_looked_at_where_their_bodies_are(self, looks):
        first = mask_to_detection(0.81, picture_mask(2, 22))
        self.sightings, self.answers = [sighting(2, 22)], [first]
        (person,) = self.find(0.9)  # the candidate is the same person
        assert person.score == pytest.approx(np.sqrt(0.81 * 0.64))
        np.testing.assert_array_equal(person.mask, first.mask)
        ((window, known, least),) = looks
        hips, circle = self.sightings[0].body_px
        assert window.centre_px == pytest.approx(tuple(hips)) and window.angle_rad == 0
        assert window.side_px == pytest.approx(2.5 * np.linalg.norm(circle - hips))
        assert known is None and least == SIGHTED
        np.testing.assert_array_equal(person.body_px, self.sightings[0].body_px)

    def test_whoever_stands_in_front_is_greyed_out_for_the_next(self, looks):
        first, second = (
            mask_to_detection(score, picture_mask(*columns))
            for score, columns in ((0.9, (2, 22)), (0.8, (24, 44)))
        )
        self.sightings = [sighting(2, 22), sighting(12, 32, 0.36)]
        self.answers = [first, first, second]
        found = self.find()
        assert [person.mask.tolist() for person in found] == [
            first.mask.tolist(),
            second.mask.tolist(),
        ]
        (_, _, _), (_, nobody, _), (_, known, _) = looks
        assert nobody is None and known[30, 5] and not known[30, 22]  # the second's limbs are not

    def test_who_is_the_same_again_is_nobody_else(self, looks):
        first = mask_to_detection(0.9, picture_mask(2, 22))
        self.sightings = [sighting(2, 22), sighting(5, 25)]
        self.answers = [first, first, first]
        assert len(self.find()) == 1 and len(looks) == 3

    def test_who_is_sighted_but_not_confirmed_is_left_to_the_first_pass(self, looks):
        self.sightings, self.answers = [sighting(60, 80)], [None, None]
        (person,) = self.find(0.9)
        assert person.box_px[0] == -0.5 and person.score == UNCONFIRMED * 0.9
        assert person.body_px is None

    def test_where_nobody_else_is_found_the_sighted_limbs_count_little(self, looks):
        self.sightings, self.answers = [sighting(60, 80)], [None, None]
        (person,) = self.find(0.4)
        assert person.score == pytest.approx(UNCONFIRMED * 0.64)
        assert person.mask[30, 70] and not person.mask[:, :60].any()

    def test_a_body_without_a_size_is_not_looked_at(self, looks):
        point = sighting(60, 60)._replace(
            keypoints_px=np.full((17, 2), 60.0), box_px=np.array([60.0, 60, 60, 60])
        )
        self.sightings, self.answers = [point], [None]
        assert len(self.find(0.9)) == 1 and len(looks) == 1


def tall_mask(left: int, right: int) -> np.ndarray:
    mask = np.zeros((70, 100), bool)
    mask[:64, left:right] = True
    return mask


class TestFigure:
    """Where nobody sure is found, whom the landmark network sees unmarked may be somebody else."""

    @pytest.fixture
    def asked(self, monkeypatch):
        asked = []

        def find_figure(poser, picture, window):
            asked.append(window.side_px)
            return Figure(self.limbs, self.spread)

        monkeypatch.setattr(
            "dimr.correspondence.stage1.confirm", lambda *about, **how: self.confirmed
        )
        monkeypatch.setattr("dimr.correspondence.stage1.find_figure", find_figure)
        self.limbs, self.spread, self.confirmed = tall_mask(60, 80), SURE_SPREAD / 2, None
        return asked

    @staticmethod
    def find(*scores):
        crowd = Crowd(scores)
        crowd.poser = object()
        return crowd.find_people(np.zeros((70, 100, 3), np.uint8))

    def test_who_is_seen_for_certain_joins_others(self, asked):
        second, first = self.find(0.9)
        assert (first.score, second.score) == (UNCONFIRMED * 0.9, FIGURE_SCORE)
        np.testing.assert_array_equal(second.mask, self.limbs)
        assert asked == [140]

    def test_where_somebody_sure_is_found_nobody_is_asked(self, asked):
        self.confirmed = mask_to_detection(ALL_SURE, picture_mask(0, 22))
        assert self.find(0.9) == [self.confirmed] and not asked

    def test_who_is_not_seen_for_certain_joins_nobody(self, asked):
        self.spread = 2 * SURE_SPREAD
        assert len(self.find(0.9)) == 1 and len(asked) == 1

    def test_who_is_small_may_be_a_part_of_something(self, asked):
        self.limbs = picture_mask(60, 80)
        assert len(self.find(0.9)) == 1 and len(asked) == 1

    def test_limbs_at_the_same_place_change_nothing(self, asked):
        self.limbs = tall_mask(2, 22)
        self.confirmed = mask_to_detection(ALL_SURE - 0.1, tall_mask(0, 22))
        assert self.find(0.9) == [self.confirmed] and len(asked) == 1

    @pytest.mark.parametrize(("score", "known"), [(0.9, True), (0.5, False)])
    def test_somebody_sure_may_show_but_a_part_of_themselves(self, score, known):
        head = np.zeros((70, 100), bool)
        head[:8, 62:70] = True
        figure = Figure(tall_mask(60, 80), 0.0)
        assert figure.is_sure and figure.is_other([mask_to_detection(score, head)]) != known

    @pytest.mark.parametrize(("right", "known"), [(29, True), (60, False)])
    def test_who_shares_enough_pixels_is_the_same(self, right, known):
        figure = Figure(tall_mask(0, 20), 0.0)
        assert figure.is_other([mask_to_detection(0.5, tall_mask(0, right))]) != known

    def test_no_limbs_are_nobody(self):
        nothing = Figure(np.zeros((70, 100), bool), 0.0)
        assert not nothing.is_sure and not nothing.is_other([])

    def test_a_part_of_them_is_nobody_else(self):
        figure = Figure(picture_mask(60, 80), 0.0)
        part = mask_to_detection(0.9, picture_mask(58, 65))
        other = mask_to_detection(0.9, picture_mask(40, 70))
        found = figure.among([part, other])
        assert [each.box_px[0] for each in found] == [39.5, 59.5]

    def test_nobody_stays_nobody(self, asked):
        assert self.find() == [] and not asked


def test_where_nobody_at_all_is_seen_the_surest_doubtful_one_counts_little(monkeypatch):
    monkeypatch.setattr("dimr.correspondence.stage1.confirm", lambda *about, **how: None)
    picture = np.zeros((70, 100, 3), np.uint8)
    (person,) = Crowd((0.45, 0.4, 0.3)).find_people(picture)
    assert person.score == pytest.approx(UNCONFIRMED * 0.45) and person.box_px[0] == -0.5
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
    ((asked_for, known),) = stage1.asked  # the one in front touches nobody who is known
    assert known[30, 10] and not asked_for[30, 10]  # whom we know is marked as not meant

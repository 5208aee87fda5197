"""Whoever was sighted is outlined, and those behind them are sought without them."""

import numpy as np
import pytest

from dimr.correspondence import follow
from dimr.correspondence.follow import HIDDEN_PEOPLE, LEAST_HIDDEN, FollowUp, paint_over
from dimr.correspondence.outlines import LEAST_PIXELS
from dimr.correspondence.sightings import SIDES_PX
from stick_people import PICTURE, SIZE, Limbs, columns, outlined, upright

NOBODY = np.zeros((SIZE, SIZE), bool)


def networks(outliner=None, spotter=None) -> FollowUp:
    return FollowUp(spotter, object(), None, outliner)


def test_both_of_whom_one_outline_was_known_are_found(monkeypatch):
    """Without telling apart the second would be the first once more."""
    monkeypatch.setattr(follow, "confirm", lambda *looked, **how: outlined(30, 80, 0.49))
    sightings = [upright(40), upright(70)]
    assert len(networks().people(PICTURE, sightings, NOBODY)) == 1
    first, second = networks(Limbs()).people(PICTURE, sightings, NOBODY)
    assert first.score == second.score == pytest.approx(np.sqrt(0.49 * 0.8))
    assert not (first.mask & second.mask).any()
    assert LEAST_PIXELS <= second.mask.sum() < columns(30, 80).sum() / 2


def test_nobody_sighted_is_nobody_hidden():
    assert networks(Limbs(), object()).people(PICTURE, [], ~NOBODY) == []


class TestHidden:
    """Columns 20 to 50 are in front, what is seen of somebody behind goes on to column 80."""

    @pytest.fixture
    def looks(self, monkeypatch):
        looks: list = []
        self.score, self.behind = LEAST_HIDDEN, outlined(30, 80, 0.8)

        def find_sightings(network, picture, least, sides_px):
            assert least == LEAST_HIDDEN and sides_px == SIDES_PX[:1]
            looks.append(picture)
            return [upright(65)._replace(score=self.score)]

        def claims_of(network, picture, seen):
            assert [each.person for each in seen] == [self.both]
            return [columns(20, 50)]

        self.both = outlined(20, 80)
        monkeypatch.setattr(follow, "find_sightings", find_sightings)
        monkeypatch.setattr(follow, "claims_of", claims_of)
        monkeypatch.setattr(follow, "tell_apart", self.tell_apart)
        monkeypatch.setattr(follow, "confirm", self.confirm)
        return looks

    def confirm(self, network, picture, window, *known):
        return self.both if abs(window.centre_px[0] - 35) < 1 else self.behind

    def tell_apart(self, network, picture, seen):
        first, *behind = seen
        return [first._replace(person=outlined(20, 50)), *behind]

    def find(self, everyone: np.ndarray) -> list:
        picture = np.full((SIZE, SIZE, 3), 200, np.uint8)
        picture[columns(20, 50)] = 0
        return networks(object(), object()).people(picture, [upright(35)], everyone)

    def test_somebody_behind_is_found_where_those_in_front_end(self, looks):
        first, second = self.find(columns(20, 80))
        assert first.score == pytest.approx(np.sqrt(0.7 * 0.8))
        assert second.score == pytest.approx(np.sqrt(0.8 * LEAST_HIDDEN))
        assert second.mask[50, 60:80].all() and not (first.mask & second.mask).any()
        (rest,) = looks
        assert rest[columns(24, 46)].min() > 150  # nothing of who is in front

    def test_who_is_not_sure_enough_is_nobody(self, looks):
        self.score = 0.9 * LEAST_HIDDEN
        assert len(self.find(columns(20, 80))) == 1

    def test_a_look_that_sees_nobody_finds_nobody(self, looks):
        self.behind = None
        assert len(self.find(columns(20, 80))) == 1

    def test_the_first_pass_has_to_see_people_there(self, looks):
        assert len(self.find(columns(20, 50))) == 1 and not looks  # nobody is left to look for
        seen = columns(20, 50)
        seen[100:, :] = True  # as many pixels, elsewhere
        assert len(self.find(seen)) == 1 and len(looks) == 1
        share = int(np.ceil(HIDDEN_PEOPLE * 30)) + 2
        assert len(self.find(columns(20, 50 + share))) == 2

    def test_a_small_rest_is_a_part_of_somebody(self, looks):
        self.behind = outlined(30, 54, 0.8)
        assert len(self.find(columns(20, 80))) == 1

    def test_one_person_sighted_twice_is_one(self, looks, monkeypatch):
        twice = [upright(x)._replace(score=0.5) for x in (65, 66)]
        monkeypatch.setattr(follow, "find_sightings", lambda *looked: twice)
        assert len(self.find(columns(20, 80))) == 2


class TestPaintOver:
    def test_what_is_beside_takes_the_place(self):
        picture = np.zeros((60, 80, 3), np.uint8)
        picture[:] = np.linspace(20, 230, 80).astype(np.uint8)[:, None]
        covered = picture.copy()
        mask = np.zeros((60, 80), bool)
        mask[20:40, 30:50] = True
        covered[mask] = [255, 0, 0]
        painted = paint_over(covered, mask)
        assert np.abs(painted[mask].astype(int) - picture[mask]).max() < 40
        beside = np.ones((60, 80), bool)
        beside[18:42, 28:52] = False
        np.testing.assert_array_equal(painted[beside], picture[beside])

    def test_a_large_picture_keeps_its_pixels_elsewhere(self):
        picture = np.random.default_rng(0).integers(0, 255, (700, 900, 3), dtype=np.uint8)
        mask = np.zeros((700, 900), bool)
        mask[200:500, 300:400] = True
        painted = paint_over(picture, mask)
        assert painted.shape == picture.shape
        np.testing.assert_array_equal(painted[:, :280], picture[:, :280])
        assert painted[300:400, 320:380].std() < picture.std() / 2  # reduced, then enlarged

    def test_everybody_everywhere_leaves_something(self):
        assert paint_over(PICTURE, ~NOBODY).shape == PICTURE.shape

"""Whoever was sighted is outlined, and those behind them are sought without them."""

import numpy as np
import pytest

from dimr.correspondence import follow
from dimr.correspondence.follow import HIDDEN_PEOPLE, LEAST_HIDDEN, FollowUp, paint_over
from dimr.correspondence.outlines import LEAST_PIXELS, Sighted
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.sightings import SIDES_PX
from dimr.encoder.movenet import MoveNet
from stick_people import PICTURE, SIZE, Limbs, columns, outlined, upright

NOBODY = np.zeros((SIZE, SIZE), bool)
SPOTTER = MoveNet.__new__(MoveNet)


def networks(outliner=None, spotter=None) -> FollowUp:
    return FollowUp(spotter, object(), None, outliner)


def test_both_of_whom_one_outline_was_known_are_found(monkeypatch):
    """Without telling apart the second would be the first once more."""
    monkeypatch.setattr(follow, "confirm", lambda *looked: outlined(30, 80, 0.49))
    sightings = [upright(40), upright(70)]
    assert len(networks().people(PICTURE, sightings, NOBODY)[0]) == 1
    (first, second), same = networks(Limbs()).people(PICTURE, sightings, NOBODY)
    assert same == sightings
    assert first.score == second.score == pytest.approx(np.sqrt(0.49 * 0.8))
    assert not (first.mask & second.mask).any()
    assert LEAST_PIXELS <= second.mask.sum() < columns(30, 80).sum() / 2


def test_nobody_sighted_is_nobody_hidden():
    assert networks(Limbs(), SPOTTER).people(PICTURE, [], ~NOBODY) == ([], [])


class TestHidden:
    """Who is in front has columns 20 to 50 and the outline of both up to column 70; who is behind
    is seen up to column 80.
    """

    @pytest.fixture
    def looks(self, monkeypatch):
        looks: list = []
        self.score, self.behind, self.at = LEAST_HIDDEN, outlined(30, 80, 0.8), (65,)

        def find_sightings(network, picture, least, sides_px):
            assert least == LEAST_HIDDEN and sides_px == SIDES_PX[:1]
            looks.append(picture)
            return [upright(x)._replace(score=self.score) for x in self.at]

        def confirm(network, picture, window, known, least, larger):
            if abs(window.centre_px[0] - 35) < 1:
                assert picture[80, 35].max() == 0  # whoever was seen is looked at in the picture
                return outlined(20, 70)
            if known is not None:  # nobody behind is asked for again in the picture itself
                return outlined(90, 100)
            assert picture[80, 35].min() > 150
            return self.behind

        monkeypatch.setattr(follow, "find_sightings", find_sightings)
        monkeypatch.setattr(follow, "confirm", confirm)
        return looks

    @pytest.fixture
    def apart(self, monkeypatch):
        """Networks that know who has which pixels."""

        def claims_of(network, picture, seen):
            np.testing.assert_array_equal(seen[0].person.mask, columns(20, 70))
            assert len(seen) == 1
            return iter([columns(20, 50)])

        def tell_apart(network, picture, seen):
            return [seen[0]._replace(person=outlined(20, 50)), *seen[1:]]

        monkeypatch.setattr(follow, "claims_of", claims_of)
        monkeypatch.setattr(follow, "tell_apart", tell_apart)

    def find(self, everyone: np.ndarray) -> list:
        picture = np.full((SIZE, SIZE, 3), 200, np.uint8)
        picture[columns(33, 38)] = 0
        people = networks(Limbs(), SPOTTER).people
        found, self.sightings = people(picture, [upright(35)], everyone)
        return found

    def test_somebody_behind_is_found_where_those_in_front_end(self, looks, apart):
        first, second = self.find(columns(20, 80))
        assert first.score == pytest.approx(np.sqrt(0.7 * 0.8))
        assert second.score == pytest.approx(np.sqrt(0.8 * LEAST_HIDDEN))
        np.testing.assert_array_equal(second.mask, columns(50, 80))
        (rest,) = looks
        assert rest[columns(20, 50)].min() > 150  # nothing of who is in front
        assert [each.keypoints_px[0, 0] for each in self.sightings] == [35, 65]

    def test_who_is_not_sure_enough_is_nobody(self, looks, apart):
        self.score = 0.9 * LEAST_HIDDEN
        assert len(self.find(columns(20, 80))) == 1 == len(self.sightings)

    def test_a_look_that_sees_nobody_finds_nobody(self, looks, apart):
        self.behind = None
        assert len(self.find(columns(20, 80))) == 1

    def test_the_first_pass_has_to_see_people_there(self, looks, apart):
        for end in (70, 72):  # the rim of an outline is nobody else
            assert len(self.find(columns(20, end))) == 1 and not looks
        for share, people in ((HIDDEN_PEOPLE, 2), (HIDDEN_PEOPLE - 0.03, 1)):
            everyone = columns(20, 50 + int(np.ceil(share * 30)))
            everyone[104:] = True
            assert len(self.find(everyone)) == people

    def test_a_small_rest_is_a_part_of_somebody(self, looks, apart):
        self.behind = outlined(30, 55, 0.8)
        assert len(self.find(columns(20, 80))) == 1

    def test_specks_are_nobodys(self, looks, apart):
        speck = columns(50, 80)
        speck[110:112, 60:62] = True
        self.behind = mask_to_detection(0.8, speck)
        _, second = self.find(columns(20, 80))
        np.testing.assert_array_equal(second.mask, columns(50, 80))

    def test_one_person_sighted_twice_is_one(self, looks, apart):
        self.at = 65, 66
        assert len(self.find(columns(20, 80))) == 2 == len(self.sightings)

    def test_who_shares_an_outline_is_told_apart_by_limbs(self, looks):
        """The networks that know who has which pixels are real but for the limbs."""
        self.at = (62,)
        first, second = self.find(columns(20, 80))
        assert not (first.mask & second.mask).any()
        assert first.mask[80, 35] and second.mask[80, 62]

    def test_somebody_in_front_who_is_seen_again_is_not_asked_for_elsewhere(self, looks):
        self.at = (37,)  # where the picture is painted, who is in front was
        (first,) = self.find(columns(20, 80))
        assert first.mask[80, 35]

    def test_whose_limbs_nobody_sees_is_painted_over_as_outlined(self, looks, monkeypatch):
        monkeypatch.setattr(follow, "claims_of", lambda *asked: iter([None]))
        self.behind = outlined(30, 79)
        assert len(self.find(columns(10, 110))) == 1  # little is left of who is behind
        assert looks[0][columns(20, 70)].min() > 150

    def test_the_largest_in_front_says_who_is_small(self, monkeypatch, looks):
        monkeypatch.setattr(
            follow, "claims_of", lambda *asked: iter([columns(20, 50), columns(95, 100)])
        )
        monkeypatch.setattr(follow, "tell_apart", lambda network, picture, seen: seen)
        self.behind = outlined(50, 55, 0.8)
        seen = [Sighted(upright(x), outlined(20, 50)) for x in (35, 97)]
        picture = np.full((SIZE, SIZE, 3), 200, np.uint8)
        assert not networks(Limbs(), SPOTTER).hidden(picture, seen, columns(20, 110))
        self.behind = outlined(50, 57, 0.8)
        assert networks(Limbs(), SPOTTER).hidden(picture, seen, columns(20, 110))


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

    def test_some_pixels_beside_are_painted_too(self):
        """Masks end a little inside of people."""
        picture = np.full((100, 100, 3), 220, np.uint8)
        picture[30:70, 30:70] = 0
        mask = np.zeros((100, 100), bool)
        mask[32:68, 32:68] = True
        assert paint_over(picture, mask).min() > 200

    def test_where_nothing_is_around_nothing_is_left(self):
        picture = np.full((40, 40, 3), 220, np.uint8)
        mask = np.zeros((40, 40), bool)
        mask[2:38, 2:38] = True
        assert not paint_over(picture, mask).any()

    @pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2000)])
    def test_odd_pictures(self, size):
        picture = np.full((*size, 3), 90, np.uint8)
        mask = np.zeros(size, bool)
        np.testing.assert_array_equal(paint_over(picture, mask), picture)
        mask[:, 0] = True
        assert paint_over(picture, mask).shape == picture.shape

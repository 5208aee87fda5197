"""People who touch are told apart by their limbs."""

import numpy as np
import pytest
import torch

from dimr.correspondence.outlines import (
    OutlineNet,
    Sighted,
    claims_of,
    limb_map,
    limb_maps,
    outline_of,
    sighted_crop,
    tell_apart,
)
from dimr.correspondence.people import of_marks
from dimr.types import Crop
from stick_people import PICTURE, SIZE, Limbs, columns, outlined, upright

LEFT_ARM = [5, 7]


def whole() -> Crop:
    """The window that is the picture."""
    return Crop(((SIZE - 1) / 2, (SIZE - 1) / 2), float(SIZE), SIZE)


class TestLimbs:
    def test_a_limb_is_a_stick_with_a_soft_rim(self):
        sighting = upright(60)
        seen = np.zeros(17)
        seen[LEFT_ARM] = 1.0, 0.5
        sighting = sighting._replace(
            seen=seen, keypoints_px=np.where(np.arange(17)[:, None] == 5, [40.0, 60], [80.0, 60])
        )
        limbs = limb_map(sighting, whole())
        spread = 0.06 * 88
        assert limbs[60, 40] == limbs[60, 60] == limbs[60, 80] == 0.5  # the less seen end's
        for distance in (3, 7):
            expected = 0.5 * np.exp(-(distance**2) / (2 * spread**2))
            assert limbs[60 + distance, 60] == pytest.approx(expected, rel=1e-5)
            assert limbs[60, 80 + distance] == pytest.approx(expected, rel=1e-5)

    def test_who_is_not_seen_has_none(self):
        window = Crop((60.0, 60.0), float(SIZE), 48)
        assert not limb_map(upright(60, seen=0.04), window).any()
        assert limb_map(upright(60), window).max() > 0.8

    def test_they_follow_a_turned_and_larger_window(self):
        window = Crop((60.0, 60.0), 240.0, 80, np.pi / 2)
        limbs = limb_map(upright(60), window)
        assert abs(limbs.max(1).argmax() - 39.5) <= 1  # lies
        assert (limbs > 0.5).any(0).sum() > 2 * (limbs > 0.5).any(1).sum()

    def test_the_others_are_together(self):
        crop = Crop((60.0, 60.0), float(SIZE), 96)
        people = [upright(30), upright(60), upright(90)]
        own, others = limb_maps(people, 1, crop)
        window = of_marks(crop)
        np.testing.assert_array_equal(own, limb_map(people[1], window))
        both = [limb_map(people[k], window) for k in (0, 2)]
        np.testing.assert_array_equal(others, np.maximum(*both))
        assert not limb_maps(people[:1], 0, crop)[1].any()


class TestNetwork:
    @pytest.fixture
    def network(self):
        torch.manual_seed(0)
        return OutlineNet()

    def test_it_hears_all_four_marks(self, network):
        features = network.encoder.features(torch.rand(1, 3, 64, 64))
        marks = torch.rand(1, 4, 32, 32, requires_grad=True)
        outline = network.outline(features, marks)
        assert outline.shape == (1, 32, 32)
        (heard,) = torch.autograd.grad(outline.square().sum(), marks)
        assert (heard.abs().amax((0, 2, 3)) > 0).all()

    def test_all_that_it_has_takes_part(self, network):
        features = network.encoder.features(torch.rand(1, 3, 128, 128))
        network.attended.weight.data.normal_()  # is zero at first
        network.outline(features, torch.rand(1, 4, 64, 64)).square().mean().backward()
        assert [name for name, each in network.named_parameters() if each.grad is None] == []


class Sure(Limbs):
    """Knows well that people are their limbs."""

    def outline(self, features, marks):
        return 3 * super().outline(features, marks)


class TestOutlineOf:
    """The outline that somebody has stays but where the network is sure."""

    def test_what_the_network_does_not_see_is_left_out(self):
        person = outlined(20, 60)  # twice as wide as the limbs
        mask = outline_of(Sure(), PICTURE, person, [upright(40), upright(100)])
        limbs = limb_map(upright(40), whole())
        assert mask[limbs > 0.6].all() and not mask[limbs < 0.02].any()
        beside = limb_map(upright(100), whole()) > 0.02
        assert not mask[beside].any() and mask.sum() < 0.9 * person.mask.sum()

    def test_limbs_are_those_of_the_box_that_fits(self):
        network = Sure()
        outline_of(network, PICTURE, outlined(85, 105), [upright(40), upright(95)])
        own, others = network.asked[0][0, 2:]
        assert own.max() > 0.8 and own.sum() > others.sum()

    def test_who_was_not_sighted_has_no_limbs(self):
        network = Sure()
        mask = outline_of(network, PICTURE, outlined(85, 105), [upright(40)])
        assert not network.asked[0][0, 2:].any() and not mask.any()

    def test_where_the_network_is_not_sure_the_outline_stays(self):
        person = outlined(20, 60)
        mask = outline_of(Limbs(), PICTURE, person, [upright(40)])  # 5 % beside limbs
        assert mask[person.mask].all()


class TestTellApart:
    def test_one_outline_for_two_becomes_two(self):
        seen = [Sighted(upright(x), outlined(30, 80)) for x in (40, 70)]
        network = Limbs()
        first, second = (each.person for each in tell_apart(network, PICTURE, seen))
        assert first.score == second.score == 0.7
        assert not (first.mask & second.mask).any()
        window = whole()
        for person, x in ((first, 40), (second, 70)):
            limbs = limb_map(upright(x), window) > 0.3
            common = (person.mask & limbs).sum() / (person.mask | limbs).sum()
            assert common > 0.85, common

    def test_it_hears_outlines_and_limbs_of_both(self):
        seen = [
            Sighted(upright(x), outlined(left, right))
            for x, left, right in ((40, 30, 60), (70, 50, 80))
        ]
        network = Limbs()
        tell_apart(network, PICTURE, seen)
        window = of_marks(sighted_crop(seen[0].sighting))
        own, others, _, _ = network.asked[0][0].numpy()
        across = np.arange(len(own)) * window.side_px / window.size
        across += window.centre_px[0] - window.side_px / 2
        middle = len(own) // 2
        assert own[middle, (across > 32) & (across < 58)].min() > 0.99
        inside = (across > 62) & (across < 78)  # what both claim is not the others'
        assert others[middle, inside].min() > 0.99
        assert others[middle, across < 58].max() < 0.01

    def test_who_touches_nobody_stays_as_they_are(self):
        seen = [Sighted(upright(x), outlined(left, left + 20)) for x, left in ((20, 10), (90, 80))]
        network = Limbs()
        assert tell_apart(network, PICTURE, seen) == seen
        assert not network.asked

    def test_whose_limbs_nobody_sees_keeps_the_outline(self):
        seen = [
            Sighted(upright(x, shown), outlined(30, 80)) for x, shown in ((40, 0.9), (70, 0.02))
        ]
        assert tell_apart(Limbs(), PICTURE, seen) == seen
        beside = Sighted(upright(70), outlined(30, 80))
        first, nobody, other = tell_apart(Limbs(), PICTURE, [*seen, beside])
        assert nobody is seen[1] and first.person.mask.sum() < columns(30, 80).sum() / 2
        assert other is not beside

    def test_who_was_sighted_twice_is_not_divided(self):
        seen = [Sighted(upright(x), outlined(30, 50)) for x in (40, 40.5)]
        assert tell_apart(Limbs(), PICTURE, seen) == seen
        beside = Sighted(upright(65), outlined(48, 75))
        first, again, other = tell_apart(Limbs(), PICTURE, [*seen, beside])
        assert again is seen[1]
        assert first is not seen[0] and not (first.person.mask & other.person.mask).any()

    def test_a_box_without_an_inside_is_nobodys_crop(self):
        flat = upright(60)._replace(box_px=np.array([0.0, 16, 0, 104]))
        seen = [Sighted(each, outlined(30, 80)) for each in (flat, upright(40), upright(70))]
        first, *others = tell_apart(Limbs(), PICTURE, seen)
        assert first is seen[0]
        assert all(each.person.mask.sum() < columns(30, 80).sum() / 2 for each in others)

    def test_nobody_is_nobody(self):
        assert tell_apart(Limbs(), PICTURE, []) == []


class TestClaims:
    def test_who_touches_nobody_is_asked_for_too(self):
        seen = [Sighted(upright(x), outlined(left, left + 20)) for x, left in ((20, 10), (90, 80))]
        network = Limbs()
        claims = list(claims_of(network, PICTURE, seen))
        assert len(network.asked) == 2
        for claim, x in zip(claims, (20, 90), strict=True):
            limbs = limb_map(upright(x), whole()) > 0.3
            assert (claim & limbs).sum() / (claim | limbs).sum() > 0.85

    def test_whose_limbs_nobody_sees_claims_nothing(self):
        flat = upright(60)._replace(box_px=np.array([0.0, 16, 0, 104]))
        seen = [Sighted(each, outlined(30, 80)) for each in (upright(40, 0.02), flat)]
        assert list(claims_of(Limbs(), PICTURE, seen)) == [None, None]

import numpy as np
import pytest

from dimr.correspondence.divide import UNEXPLAINED, divide
from dimr.correspondence.people import largest_pieces, mask_to_detection

NOBODY = np.zeros((70, 100), bool)


def columns(left, right):
    mask = NOBODY.copy()
    mask[20:42, left:right] = True
    return mask


class SecondPass:
    """Answers as it is told; keeps what it is asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def __call__(self, mask, others):
        self.asked.append((mask, others.copy()))
        return self.answer(mask, others)


def two(first, second):
    return [mask_to_detection(0.9, columns(*first)), mask_to_detection(0.8, columns(*second))]


def test_nobody_is_divided_into_nobody():
    assert divide([], columns(0, 50), SecondPass(None)) == []


def test_people_who_touch_nobody_keep_their_outlines():
    outline = SecondPass(lambda mask, others: NOBODY)
    found = divide(two((0, 20), (30, 50)), NOBODY, outline)
    assert not outline.asked
    for person, place in zip(found, [(0, 20), (30, 50)], strict=True):
        np.testing.assert_array_equal(person.mask, columns(*place))
    np.testing.assert_array_equal(found[0].others, found[1].mask)


def test_each_of_those_who_touch_is_asked_about_with_what_is_left():
    outline = SecondPass(lambda mask, others: mask)
    found = divide(two((0, 30), (20, 50)), NOBODY, outline)
    (first, beside), (second, before) = outline.asked
    np.testing.assert_array_equal(first, columns(0, 30))
    np.testing.assert_array_equal(beside, columns(30, 50))
    np.testing.assert_array_equal(second, columns(30, 50))
    np.testing.assert_array_equal(before, columns(0, 30))
    assert [person.score for person in found] == [0.9, 0.8]
    assert not (found[0].mask & found[1].mask).any()


def test_whom_the_second_pass_leaves_nothing_keeps_what_the_others_left():
    outline = SecondPass(lambda mask, others: NOBODY)
    first, second = divide(two((0, 30), (20, 50)), NOBODY, outline)
    np.testing.assert_array_equal(first.mask, columns(0, 30))
    np.testing.assert_array_equal(second.mask, columns(30, 50))


def test_an_outline_in_shreds_is_somebody():
    """Through a fence, say: no piece is a twentieth of the whole."""
    outline = SecondPass(lambda mask, others: mask & (np.arange(100) % 2 == 0))
    first, second = divide(two((0, 30), (20, 50)), NOBODY, outline)
    assert first.mask.sum() == 22 * 15 and second.mask.any()
    specks = NOBODY.copy()
    specks[::3, ::3] = True
    specks[0, 1] = True  # the largest
    assert largest_pieces(specks).sum() == 2
    assert not largest_pieces(NOBODY).any()


def test_who_is_a_part_of_somebody_better_goes():
    outline = SecondPass(lambda mask, others: mask | others)
    assert len(divide(two((0, 20), (2, 20)), columns(0, 20), outline)) == 1


class TestBehindOthers:
    @staticmethod
    def divided(everyone):
        """One person is known; the second pass takes others for the person, too."""
        outline = SecondPass(lambda mask, others: mask | others)
        return divide([mask_to_detection(0.9, columns(0, 20))], everyone, outline), outline.asked

    def test_what_nobody_explains_beside_somebody_is_somebody(self):
        (front, behind), ((asked_for, known),) = self.divided(columns(0, 50))
        assert front.score == 0.9 and behind.score == UNEXPLAINED
        assert not (front.mask & behind.mask).any()
        assert behind.mask[30, 25:49].all()
        np.testing.assert_array_equal(behind.others, front.mask)
        np.testing.assert_array_equal(known, front.mask)
        assert not asked_for[30, 10]  # whom we know is marked as not meant

    @pytest.mark.parametrize("everyone", [columns(0, 20), columns(60, 90)])
    def test_one_person_who_explains_everything_near_is_left_as_found(self, everyone):
        (person,), asked = self.divided(everyone)
        assert not asked and person.mask.sum() == 20 * 22

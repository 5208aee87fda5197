import numpy as np

from dimr.surface.parts import LIMB_SIDE, MIRROR_DENSEPOSE, compare_sides


def test_sides_of_limbs_are_opposite_and_only_theirs():
    np.testing.assert_array_equal(LIMB_SIDE[MIRROR_DENSEPOSE], -LIMB_SIDE)
    np.testing.assert_array_equal(np.nonzero(LIMB_SIDE == 0)[0], [0, 1, 2, 23, 24])


def test_wrong_side_is_front_for_back_and_left_for_right():
    found = np.array([1, 2, 2, 9, 10, 3, 23, 9])
    truth = np.array([2, 2, 9, 10, 8, 4, 24, 2])
    np.testing.assert_array_equal(compare_sides(found, truth), [-1, 1, 0, -1, 1, -1, 0, 0])

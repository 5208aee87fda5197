import numpy as np
import pytest

from dimr.correspondence.figure import body_mask

SQUARE = np.array([[20.0, 20.0], [60.0, 20.0], [60.0, 60.0], [20.0, 60.0]])


class TestBodyMask:
    def test_a_trunk_is_filled(self):
        mask = body_mask(SQUARE, (), (0, 1, 2, 3), 0.01, (80, 100))
        assert mask.shape == (80, 100) and mask[20:61, 20:61].all()
        assert mask.sum() == pytest.approx(41**2, abs=8)

    def test_limbs_are_as_thick_as_a_share_of_the_box(self):
        mask = body_mask(SQUARE, [(0, 1)], (0, 1, 2, 3), 0.2, (80, 100))
        assert mask[20:64, 40].sum() == 41  # of the trunk
        assert mask[:20, 40].sum() == 4  # half of a limb of 8 px

    def test_what_is_unknown_is_left_out(self):
        points = SQUARE.copy()
        points[2] = np.nan
        mask = body_mask(points, [(0, 1), (1, 2)], (0, 1, 2, 3), 0.1, (80, 100))
        assert mask[20, 20:60].all() and not mask[30:50, 30:].any()
        assert mask[60, 20] and not mask[60, 30]

import numpy as np
import pytest
import torch
from skimage.data import astronaut

from dimr.correspondence.figure import THICKNESS, body_mask, find_figure, landmarks_mask
from dimr.correspondence.landmarks import USUAL_SPREAD, LandmarkNet
from dimr.types import Crop

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


class TestLandmarksMask:
    @staticmethod
    def standing():
        """A person of 60 px; hands and feet that no limb ends at are far away."""
        points = np.full((39, 2), 500.0)
        points[0] = 50, 18
        for left, right, y in ((11, 12, 25), (13, 14, 35), (15, 16, 45), (23, 24, 45)):
            points[left], points[right] = (56, y), (44, y)
        for left, right, y in ((25, 26, 58), (27, 28, 70)):
            points[left], points[right] = (55, y), (45, y)
        return points

    def test_it_is_where_the_person_is(self):
        mask = landmarks_mask(self.standing(), (100, 120))
        assert mask[25:71, 45].all() and mask[25:71, 55].all()  # legs and arms
        assert mask[18, 50] and mask[35, 50] and not mask[65, 50]  # head, trunk, between the legs
        rows, cols = np.nonzero(mask)
        reach = 0.5 * THICKNESS * 60 + 1
        assert rows.max() <= 70 + reach and cols.min() >= 44 - reach and cols.max() <= 56 + reach

    def test_what_is_outside_of_the_picture_is_cut_off(self):
        points = self.standing()
        points[[27, 28], 1] = 1e12
        mask = landmarks_mask(points, (50, 120))
        assert mask[40, 50] and mask.shape == (50, 120)
        assert not landmarks_mask(points + 1e6, (50, 120)).any()


@torch.no_grad()
def test_a_figure_is_where_somebody_sits():
    found = find_figure(
        LandmarkNet.pretrained().eval(), astronaut(), Crop((220.0, 300.0), 700.0, 256)
    )
    mask = found.mask
    assert mask.shape == (512, 512) and mask[300, 220] and mask[130, 220]
    assert not mask[:100, 400:].any()
    # before anything is learnt of it, all landmarks are as far off, in half windows
    assert found.spread == pytest.approx(USUAL_SPREAD)

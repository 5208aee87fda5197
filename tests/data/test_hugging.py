import numpy as np
import pytest

from dimr.body.model import BodyModel
from dimr.data.synthetic import hugging
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.surface.atlas import load_atlas

BODY = BodyModel.load()
JOINTS = BODY.joints_template.numpy().astype(np.float64)
AHEAD = np.array([0.0, 0.0, 1.0])


def overlap(joints, other):
    return hugging.overlap_m(joints, other, hugging.CAPSULES, hugging.RADII_M, hugging.FIRST_ARM)


class TestOverlap:
    def test_is_symmetric(self):
        other = JOINTS + np.array([0.05, 0.02, 0.3])
        np.testing.assert_allclose(overlap(JOINTS, other), overlap(other, JOINTS))

    def test_trunks_one_behind_the_other(self):
        """Two parallel trunks: the sum of the radii less the distance."""
        firm, _ = overlap(JOINTS, JOINTS + 0.2 * AHEAD)
        assert firm == pytest.approx(2 * hugging.RADII_M[0] - 0.2, abs=0.02)

    def test_far_people_do_not_touch(self):
        firm, arms = overlap(JOINTS, JOINTS + 3 * AHEAD)
        assert firm == arms == -1


class TestClosestDistance:
    def test_stops_where_flesh_gives_way_no_more(self):
        distance, excess = hugging.closest_distance_m(JOINTS, JOINTS, AHEAD)
        assert excess == 0
        for gap, allowed in ((distance, True), (distance - hugging.STEP_M, False)):
            firm, arms = overlap(JOINTS, JOINTS + gap * AHEAD)
            assert (firm <= hugging.DEPTHS_M[0] and arms <= hugging.DEPTHS_M[1]) == allowed

    def test_reports_what_cannot_be_avoided(self):
        stretched = JOINTS.copy()
        stretched[20:22, 2] += 5  # forearms that reach far beyond the other
        distance, excess = hugging.closest_distance_m(JOINTS, stretched - 2 * AHEAD, AHEAD)
        assert distance <= hugging.FARTHEST_M and excess >= 0


def test_kinds_occur_with_their_shares():
    rng = np.random.default_rng(0)
    kinds = [hugging.sample_embrace(rng) for _ in range(2000)]
    behind = np.mean([abs(abs(each.direction_deg) - 180) < 40 for each in kinds])
    beside = np.mean([each.attitude == "hug_side" for each in kinds])
    assert behind == pytest.approx(hugging.SHARES[1], abs=0.03)
    assert beside == pytest.approx(hugging.SHARES[2], abs=0.03)


class TestInPictures:
    config = SyntheticConfig(
        hug=1.0, others=(0.0, 1.0), objects=(1.0,), close_up=0.0, roll_deg=0.0
    )

    def crops(self):
        people = SyntheticPeople(BODY, load_atlas(), size=64, config=self.config)
        for index in range(24):
            rng = people._rng(0, index)
            yield people._stage.crop(rng, [people._stylist.sample(rng) for _ in range(2)])

    def test_people_are_close_on_one_floor_and_hardly_overlap(self):
        gaps, overlaps, floors = [], [], []
        for crop in self.crops():
            joints = [each.figure.joints_m + each.translation_m for each in crop.people]
            up = crop.world_to_camera[:, 1]
            gaps.append(np.linalg.norm(joints[0][9] - joints[1][9]))
            overlaps.append(overlap(*joints)[0])
            floors.append(abs((joints[0] @ up).min() - (joints[1] @ up).min()))
        assert np.median(gaps) < 0.5 and np.max(floors) < 1e-6
        assert np.quantile(overlaps, 0.8) < 0.06

    def test_hands_are_at_the_other_body(self):
        """Half of those who embrace have a hand within 15 cm of the target's trunk's middle."""
        near = []
        for crop in self.crops():
            target, other = (each.figure.joints_m + each.translation_m for each in crop.people)
            spine = target[[3, 6, 9, 12]]
            hands = np.linalg.norm(other[[20, 21, 22, 23], None] - spine, axis=2)
            near.append(hands.min())
        assert np.median(near) < 0.22

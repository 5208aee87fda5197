import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.confidence import (
    NUM_BINS,
    JointErrors,
    calibration,
    calibrations,
    joint_errors,
)
from dimr.evaluate.robust import joints_in_sight
from dimr.evaluate.synthetic import regress_view, sample_errors, view_of
from dimr.predict import load


def rng():
    return np.random.default_rng(3)


class TestCalibration:
    def test_by_hand(self):
        expected = np.array([40.0, 10, 20, 30])
        found = calibration(expected, np.array([20.0, 10, 60, 30]))
        assert (found.joints, found.expected_mm, found.actual_mm) == (4, 25, 30)
        assert found.ratio == pytest.approx(1.2)
        assert found.bins == [(1, 10, 10), (1, 20, 60), (1, 30, 30), (1, 40, 20)]
        assert found.ece_mm == (0 + 40 + 0 + 20) / 4
        # below mean * 0.69: only 20 of 40; below mean * 1.61: all but 60 of 20, also below 3.00
        assert found.coverage == {0.5: 0.25, 0.8: 0.75, 0.95: 0.75}
        assert found.spearman == pytest.approx(spearmanr(expected, [20, 10, 60, 30]).statistic)

    def test_quantiles_of_the_exponential(self):
        shares = np.array([0.49, 0.51, 0.79, 0.81, 0.94, 0.96])
        actual = -100 * np.log(1 - shares)
        found = calibration(np.full(6, 100.0), actual)
        assert found.coverage == {0.5: 1 / 6, 0.8: 3 / 6, 0.95: 5 / 6}

    def test_errors_drawn_as_expected_are_calibrated(self):
        expected = rng().uniform(20, 400, 20_000)
        found = calibration(expected, rng().permutation(rng().exponential(1, 20_000)) * expected)
        assert found.ratio == pytest.approx(1, abs=0.03)
        assert found.ece_mm < 10
        for level, share in found.coverage.items():
            assert share == pytest.approx(level, abs=0.02)

    def test_twice_as_wrong_as_expected(self):
        expected = rng().uniform(20, 400, 500)
        found = calibration(expected, 2 * expected)
        assert found.ratio == pytest.approx(2) and found.spearman == pytest.approx(1)
        assert found.ece_mm == pytest.approx(expected.mean())

    def test_bins_share_the_joints_in_order(self):
        found = calibration(rng().uniform(1, 9, 103), np.ones(103))
        assert [one.joints for one in found.bins] == [11] * 3 + [10] * (NUM_BINS - 3)
        means = [one.expected_mm for one in found.bins]
        assert means == sorted(means)

    def test_equal_expectations_have_no_rank(self):
        assert calibration(np.ones(5), np.arange(5.0)).spearman is None
        assert calibration(np.ones(1), np.ones(1)).spearman is None

    def test_ties_share_a_rank(self):
        expected, actual = rng().integers(0, 4, 60) + 1.0, rng().uniform(0, 9, 60)
        found = calibration(expected, actual)
        assert found.spearman == pytest.approx(spearmanr(expected, actual).statistic)


class TestGroups:
    def test_seen_and_hidden_part_all(self):
        people = [
            JointErrors(np.array([1.0, 2]), np.array([5.0, 6]), np.array([True, False])),
            JointErrors(np.array([3.0, 4]), np.array([7.0, 8]), np.array([True, True])),
        ]
        found = calibrations(people)
        assert {name: each.actual_mm for name, each in found.items()} == {
            "all": 6.5,
            "seen": pytest.approx(20 / 3),
            "hidden": 6,
        }
        assert found["seen"].expected_mm == pytest.approx(8 / 3)

    def test_groups_without_joints_are_left_out(self):
        everything = JointErrors(np.ones(3), np.ones(3), np.ones(3, bool))
        assert list(calibrations([everything])) == ["all", "seen"]
        assert calibrations([]) == {}


@pytest.fixture(scope="module")
def model():
    return load()


@pytest.fixture(scope="module")
def sample(open_body, open_atlas):
    return SynthOcc(open_body, open_atlas).crop("person", 0)


class TestThroughTheShippedModel:
    @pytest.mark.parametrize("kind", ["gt", "predicted"])
    def test_actual_errors_are_those_of_synthocc(self, model, sample, kind):
        stages = model.stage1, model.stage2
        view = view_of(sample, model.stage1, kind)
        regression, iuv = regress_view(view, model.stage2), view.iuv
        found = joint_errors(sample, regression, model.body)
        expected = sample_errors(sample, *stages, model.body, (kind,))[kind]
        # the pelvis counts in MPJPE, with no error
        assert found.actual_mm.sum() / 24 == pytest.approx(expected.mpjpe_mm, abs=0.01)
        assert iuv.mask.any() and len(found.actual_mm) == 23
        np.testing.assert_array_equal(found.seen, joints_in_sight(sample)[1:])

    def test_each_joint_keeps_its_expectation(self, model, sample):
        regression = regress_view(view_of(sample, model.stage1, "gt"), model.stage2)
        said = regression._replace(
            rotmats=torch.from_numpy(sample.rotmats)[None],
            betas=torch.from_numpy(sample.betas)[None],
            joint_error_m=torch.arange(24.0)[None] / 1000,
        )
        found = joint_errors(sample, said, model.body)
        assert found.actual_mm.max() < 0.01
        np.testing.assert_allclose(found.expected_mm, np.arange(1, 24), rtol=1e-5)

    def test_silent_weights_are_refused(self, model, sample):
        regression = regress_view(view_of(sample, model.stage1, "gt"), model.stage2)
        with pytest.raises(ValueError, match="joint_error_m: got None"):
            joint_errors(sample, regression._replace(joint_error_m=None), model.body)

import numpy as np
import pytest

from dimr.train.markers import rough_marker, rough_markers


def square(side=96, low=30, high=60):
    mask = np.zeros((side, side), bool)
    mask[low:high, low:high] = True
    return mask


@pytest.mark.parametrize("seed", range(20))
def test_marker_is_rough_but_points_at_the_target(seed):
    target, others = square(), square(low=65, high=90)
    marker = rough_marker(target, others, np.random.default_rng(seed))
    assert marker.shape == target.shape and marker.dtype == np.float32
    assert 0 <= marker.min() and marker.max() <= 1
    assert marker[target].sum() > 1.2 * marker[others].sum()


def test_markers_differ_from_the_truth_and_from_each_other():
    target = square()
    markers = [rough_marker(target, ~target, np.random.default_rng(s)) for s in range(8)]
    assert all((marker != target).any() for marker in markers)
    assert any((markers[0] != other).any() for other in markers[1:])


def test_nobody_gives_an_empty_marker():
    nobody = np.zeros((96, 96), bool)
    assert not rough_marker(nobody, square(), np.random.default_rng(0)).any()


def test_same_seed_same_marker():
    first, second = (rough_marker(square(), ~square(), np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_others_are_marked_apart_from_the_target_and_sometimes_missed():
    target, others = square(), square(low=55, high=90)
    missed = 0
    for seed in range(40):
        mark, not_meant = rough_markers(target, others & ~target, np.random.default_rng(seed))
        assert (mark * not_meant <= 1e-6).all() or mark.max() < 1
        assert (mark + not_meant).max() <= 1 + 1e-6
        missed += not not_meant.any()
    assert 4 <= missed <= 16


def test_without_others_nobody_else_is_marked():
    target = square()
    marks = rough_markers(target, np.zeros_like(target), np.random.default_rng(0))
    assert marks.shape == (2, 96, 96) and marks[0].any() and not marks[1].any()

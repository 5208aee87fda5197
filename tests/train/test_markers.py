import numpy as np
import pytest

from dimr.train.markers import rough_marker, rough_markers, roughen


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
    target = person(96, 70)
    markers = [rough_marker(target, ~target, np.random.default_rng(s)) for s in range(8)]
    assert all((marker != target).any() for marker in markers)
    assert any((markers[0] != other).any() for other in markers[1:])


def person(side, length):
    """Trunk, head and legs of somebody so many pixels tall."""
    y, x = np.mgrid[:side, :side] / length
    y, x = y - (side / length - 1) / 2, abs(x - side / length / 2)
    return ((y > 0) & (y < 0.15) & (x < 0.06)) | (
        (y > 0.15) & (y < 1) & (x < 0.13) & ((y < 0.5) | (x > 0.03))
    )


def fits(target, draw):
    marks = (draw(target, np.random.default_rng(seed)) > 0.5 for seed in range(200))
    return np.array([(target & mark).sum() / (target | mark).sum() for mark in marks])


def test_most_outlines_are_nearly_right_and_some_are_not():
    alone = np.zeros((128, 128), bool)
    iou = fits(person(128, 90), lambda target, rng: rough_marker(target, alone, rng))
    assert np.median(iou) > 0.75 and np.quantile(iou, 0.15) < 0.55


@pytest.mark.parametrize("mild", [True, False])
def test_small_people_are_marked_no_more_roughly_than_large_ones(mild):
    def draw(target, rng):
        return roughen(target.astype(np.float32), rng, mild)

    small, large = (fits(person(128, length), draw) for length in (45, 110))
    assert abs(np.median(small) - np.median(large)) < 0.12
    assert np.median(large) > (0.8 if mild else 0.5)


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

import numpy as np
import pytest

from dimr.train import damage
from dimr.train.damage import damage_iuv, mistake_person


def a_person():
    mask = np.zeros((96, 96), bool)
    mask[20:80, 30:60] = True
    v, u = np.mgrid[:96, :96].astype(np.float32) / 96
    return mask, np.where(mask[..., None], np.stack([u, v], axis=2), np.float32(0))


@pytest.mark.parametrize("seed", range(10))
def test_damage_keeps_an_iuv_an_iuv(seed):
    mask, uv = a_person()
    damaged_mask, damaged_uv = damage_iuv(mask, uv, np.random.default_rng(seed))
    assert damaged_mask.dtype == bool and damaged_uv.dtype == np.float32
    assert damaged_uv.min() >= 0 and damaged_uv.max() <= 1
    assert not damaged_uv[~damaged_mask].any()
    assert damaged_mask.sum() > 0.3 * mask.sum()
    assert np.abs(damaged_uv - uv).max() > 0.005


def test_damage_leaves_its_input_alone():
    mask, uv = a_person()
    before = mask.copy(), uv.copy()
    damage_iuv(mask, uv, np.random.default_rng(0))
    assert np.array_equal(mask, before[0]) and np.array_equal(uv, before[1])


def test_left_and_right_may_be_mistaken_everywhere(monkeypatch):
    mask, uv = a_person()
    found = []
    for share in (0, 1):
        monkeypatch.setattr(damage, "ALL_SWAPPED", share)
        found.append(damage_iuv(mask, uv, np.random.default_rng(2)))
    both = found[0][0] & found[1][0]
    np.testing.assert_allclose(found[0][1][both, 0], 1 - found[1][1][both, 0], atol=1e-6)
    np.testing.assert_allclose(found[0][1][both, 1], found[1][1][both, 1], atol=1e-6)


def other_person():
    mask = np.zeros((96, 96), bool)
    mask[10:90, 35:70] = True
    return mask, np.where(mask[..., None], np.float32([0.9, 0.1]), np.float32(0))


def test_a_neighbour_adds_pixels_and_keeps_those_that_it_does_not_cover(monkeypatch):
    monkeypatch.setattr(damage, "WRONG_PERSON", 0)
    (mask, uv), added = a_person(), 0
    for seed in range(20):
        both, found = mistake_person((mask, uv), other_person(), np.random.default_rng(seed))
        assert (both >= mask).all() and found.dtype == np.float32
        theirs = both & (found == np.float32([0.9, 0.1])).all(-1)
        np.testing.assert_array_equal(found[mask & ~theirs], uv[mask & ~theirs])
        assert (theirs | mask == both).all()
        added += theirs.any()
    assert added > 15


def test_the_neighbour_may_be_all_that_is_seen(monkeypatch):
    monkeypatch.setattr(damage, "WRONG_PERSON", 1)
    found = mistake_person(a_person(), other_person(), np.random.default_rng(0))
    for one, other in zip(found, other_person(), strict=True):
        np.testing.assert_array_equal(one, other)

import numpy as np
import pytest
import torch

from dimr.train.stage2 import batch_to_target, damage_iuv, rough_angle_rad


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


def test_targets_count_every_joint():
    batch = {
        "rotmats": torch.eye(3).expand(2, 24, 3, 3),
        "betas": torch.zeros(2, 10),
        "joints_m": torch.rand(2, 24, 3),
        "joints_norm": torch.rand(2, 24, 2),
    }
    target = batch_to_target(batch)
    assert target.weight_smpl.tolist() == [1, 1]
    assert target.weight_3d.shape == target.weight_2d.shape == (2, 24)


class TestRoughAngle:
    @staticmethod
    def angles(x, y):
        joints = np.zeros((24, 3), np.float32)
        joints[12] = x, y, 0
        return [rough_angle_rad(joints, np.random.default_rng(seed)) for seed in range(200)]

    def test_whoever_stands_is_upright_but_for_mistakes(self):
        found = self.angles(0.1, -0.5)
        wrong = [angle for angle in found if angle]
        assert 2 <= len(wrong) <= 25
        assert all(abs(abs(angle) - np.pi / 2) < 1e-6 or angle == np.pi for angle in wrong)

    def test_whoever_lies_is_mostly_turned(self):
        found = np.array(self.angles(0.5, 0.0))  # the top to the right: clockwise
        right = np.abs(found - np.pi / 2) < 0.6
        assert 90 < right.sum() < 150
        assert (found == 0).sum() > 30

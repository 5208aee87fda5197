import numpy as np
import pytest
import torch

from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm, pck, pve_mm


def test_mpjpe_of_one_moved_joint_is_its_share():
    target = torch.zeros(1, 4, 3)
    joints = target.clone()
    joints[0, 2, 0] = 0.2
    assert mpjpe_mm(joints, target).item() == 50.0


def test_mpjpe_ignores_translation_but_not_rotation():
    target = torch.randn(2, 24, 3)
    torch.testing.assert_close(mpjpe_mm(target + 3.0, target), torch.zeros(2), atol=2e-3, rtol=0)
    assert (mpjpe_mm(-target, target) > 100).all()


def test_pa_mpjpe_is_not_larger_than_mpjpe_of_optimally_shifted_joints():
    joints, target = torch.randn(5, 14, 3), torch.randn(5, 14, 3)
    centred = (joints - joints.mean(1, keepdim=True)) - (target - target.mean(1, keepdim=True))
    squared = centred.square().sum(2).mean(1).sqrt() * 1000
    assert (pa_mpjpe_mm(joints, target) <= squared + 1e-3).all()


def test_pve_moves_both_bodies_to_their_roots():
    vertices = torch.zeros(1, 3, 3)
    target = torch.ones(1, 3, 3)
    roots, target_roots = torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]])
    assert pve_mm(vertices, target, roots, target_roots).item() == 1000.0


@pytest.mark.parametrize(
    ("threshold_px", "known", "right"),
    [
        (4.99, (1, 1, 1, 1), 1),
        (5.0, (1, 1, 1, 1), 2),  # the threshold itself is within
        (5.99, (1, 1, 1, 1), 2),
        (6.01, (1, 1, 1, 1), 3),
        (5.01, (1, 0, 1, 0), 1),
        (5.01, (0, 1, 0, 1), 1),
        (5.01, (0, 0, 1, 1), 0),
        (5.01, (0, 0, 0, 0), 0),
    ],
)
def test_pck_counts_known_keypoints_within_the_threshold(threshold_px, known, right):
    target = np.array([[10, 20], [30, 40], [50, 60], [70, 80]], np.float32)
    away = np.array([[0, 0], [3, -4], [-6, 0], [0, 100]], np.float32)
    known = np.array(known, bool)
    assert pck(target + away, target, known, threshold_px) == (right, known.sum())

"""A stick of three joints along x at 0, 1, 2, whose answers are worked out by hand."""

import math

import numpy as np
import pytest
import torch

from dimr.body.rotation import axis_angle_to_rotmat
from dimr.body.skinning import forward_kinematics, linear_blend_skinning, skin_vertices_numba

PARENTS = (-1, 0, 1)
STICK = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]])
QUARTER_Z = [0.0, 0.0, math.pi / 2]


def rotmats(*axis_angle):
    return axis_angle_to_rotmat(torch.tensor([axis_angle]))


def test_forward_kinematics_at_rest_moves_nothing():
    joints, transforms = forward_kinematics(rotmats(*[[0.0] * 3] * 3), STICK, PARENTS)
    torch.testing.assert_close(joints, STICK)
    torch.testing.assert_close(transforms, torch.eye(4).expand(1, 3, 4, 4))


def test_forward_kinematics_bends_at_the_middle_joint():
    joints, _ = forward_kinematics(rotmats([0.0] * 3, QUARTER_Z, [0.0] * 3), STICK, PARENTS)
    expected = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [1, 1, 0]]])
    torch.testing.assert_close(joints, expected, atol=1e-6, rtol=0)


def test_forward_kinematics_composes_parent_first():
    # root a quarter about z, then the middle a quarter about its own x: the end stays on the bone
    turns = rotmats(QUARTER_Z, [math.pi / 2, 0.0, 0.0], [0.0] * 3)
    rest = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [1, 1, 0]]])
    joints, _ = forward_kinematics(turns, rest, PARENTS)
    # bone (0, 1, 0): about x to (0, 0, 1), about z unchanged
    expected = torch.tensor([[[0.0, 0, 0], [0, 1, 0], [0, 1, 1]]])
    torch.testing.assert_close(joints, expected, atol=1e-6, rtol=0)


def test_forward_kinematics_root_turns_about_its_own_place():
    rest = STICK + torch.tensor([5.0, 0.0, 0.0])
    joints, _ = forward_kinematics(rotmats(QUARTER_Z, [0.0] * 3, [0.0] * 3), rest, PARENTS)
    expected = torch.tensor([[[5.0, 0, 0], [5, 1, 0], [5, 2, 0]]])
    torch.testing.assert_close(joints, expected, atol=1e-6, rtol=0)


def test_transforms_take_rest_joints_to_posed_joints():
    draw = torch.Generator().manual_seed(1)
    turns = axis_angle_to_rotmat(torch.randn(4, 3, 3, generator=draw))
    rest = torch.randn(4, 3, 3, generator=draw)
    joints, transforms = forward_kinematics(turns, rest, PARENTS)
    homogeneous = torch.cat([rest, torch.ones(4, 3, 1)], dim=-1)
    moved = (transforms @ homogeneous[..., None])[..., :3, 0]
    torch.testing.assert_close(moved, joints, atol=1e-5, rtol=0)


def test_batch_result_equals_each_item_alone():
    draw = torch.Generator().manual_seed(2)
    turns = axis_angle_to_rotmat(torch.randn(3, 3, 3, generator=draw))
    rest = torch.randn(3, 3, 3, generator=draw)
    together, _ = forward_kinematics(turns, rest, PARENTS)
    for i in range(3):
        alone, _ = forward_kinematics(turns[i : i + 1], rest[i : i + 1], PARENTS)
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("parents", [(0, 0, 1), (-1, 2, 0), (-1, -1, 0)])
def test_forward_kinematics_refuses_parents_out_of_order(parents):
    with pytest.raises(ValueError, match="parents"):
        forward_kinematics(rotmats(*[[0.0] * 3] * 3), STICK, parents)


def test_linear_blend_skinning_by_hand():
    _, transforms = forward_kinematics(rotmats([0.0] * 3, QUARTER_Z, [0.0] * 3), STICK, PARENTS)
    vertices = torch.tensor([[[0.5, 0.1, 0.0], [1.5, 0.1, 0.0], [1.5, 0.1, 0.0]]])
    weights = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 0]])
    posed = linear_blend_skinning(vertices, transforms, weights)
    # about (1, 0): (0.5, 0.1) turns to (-0.1, 0.5); the third is the mean of rest and turned
    expected = torch.tensor([[[0.5, 0.1, 0.0], [0.9, 0.5, 0.0], [1.2, 0.3, 0.0]]])
    torch.testing.assert_close(posed, expected, atol=1e-6, rtol=0)


def test_linear_blend_skinning_gradient():
    draw = torch.Generator().manual_seed(3)
    vector = torch.randn(1, 3, 3, generator=draw, dtype=torch.float64, requires_grad=True)
    rest = torch.randn(1, 3, 3, generator=draw, dtype=torch.float64, requires_grad=True)
    vertices = torch.randn(1, 4, 3, generator=draw, dtype=torch.float64)
    weights = torch.rand(4, 3, generator=draw, dtype=torch.float64)

    def skin(vector, rest):
        _, transforms = forward_kinematics(axis_angle_to_rotmat(vector), rest, PARENTS)
        return linear_blend_skinning(vertices, transforms, weights)

    assert torch.autograd.gradcheck(skin, (vector, rest))


def test_skin_vertices_numba_agrees_with_torch():
    draw = torch.Generator().manual_seed(4)
    turns = axis_angle_to_rotmat(torch.randn(1, 3, 3, generator=draw))
    _, transforms = forward_kinematics(turns, STICK, PARENTS)
    vertices = torch.randn(1, 50, 3, generator=draw)
    weights = torch.rand(50, 3, generator=draw)
    weights[:, 1] = 0
    weights /= weights.sum(1, keepdim=True)
    expected = linear_blend_skinning(vertices, transforms, weights)[0]
    idx = np.tile(np.array([2, 0], dtype=np.int64), (50, 1))
    val = weights.numpy()[:, [2, 0]]
    posed = skin_vertices_numba(vertices[0].numpy(), transforms[0].numpy(), idx, val)
    assert posed.dtype == np.float32
    np.testing.assert_allclose(posed, expected.numpy(), atol=1e-5)

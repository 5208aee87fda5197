import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dimr.body.rotation import (
    axis_angle_to_rotmat,
    rot6d_to_rotmat,
    rotmat_to_axis_angle,
    rotmat_to_rot6d,
)

AXES = st.tuples(*[st.floats(-1, 1) for _ in range(3)]).filter(lambda a: np.linalg.norm(a) > 0.1)


def axis_angles(count=200, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=draw, dtype=dtype)


def test_axis_angle_to_rotmat_quarter_turn_about_z_takes_x_to_y():
    quarter = torch.tensor([0.0, 0.0, math.pi / 2], dtype=torch.float64)
    expected = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    turned = axis_angle_to_rotmat(quarter) @ torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(turned, expected, atol=1e-12, rtol=0)


def test_axis_angle_to_rotmat_agrees_with_scipy():
    vectors = axis_angles() * 2
    expected = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    np.testing.assert_allclose(axis_angle_to_rotmat(vectors).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-4, 0.99e-3, 1.01e-3])
def test_small_angles_are_exact_on_both_sides_of_the_series(angle):
    vector = angle * torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)
    expected = Rotation.from_rotvec(vector.numpy()).as_matrix()
    rotmat = axis_angle_to_rotmat(vector)
    np.testing.assert_allclose(rotmat.numpy(), expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        rotmat_to_axis_angle(rotmat).numpy(), vector.numpy(), rtol=1e-11, atol=1e-15
    )


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-7, 9e-4, 1.1e-3, 1e-2, 3.0, math.pi - 1e-6])
def test_round_trip_over_angles(angle):
    axis = torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)
    back = rotmat_to_axis_angle(axis_angle_to_rotmat(angle * axis))
    torch.testing.assert_close(back, angle * axis, atol=1e-9, rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(AXES, st.floats(0, math.pi - 1e-3))
def test_round_trip_over_axes(axis, angle):
    vector = torch.tensor(axis, dtype=torch.float64)
    vector = vector / vector.norm() * angle
    back = rotmat_to_axis_angle(axis_angle_to_rotmat(vector))
    torch.testing.assert_close(back, vector, atol=1e-9, rtol=0)


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, -0.8, 0]])
def test_rotmat_to_axis_angle_half_turn_is_either_axis(axis):
    half = math.pi * torch.tensor(axis, dtype=torch.float64)
    back = rotmat_to_axis_angle(axis_angle_to_rotmat(half))
    sign = torch.sign((back * half).sum())
    torch.testing.assert_close(sign * back, half, atol=1e-6, rtol=0)


def test_float32_round_trip_is_accurate():
    vectors = axis_angles(dtype=torch.float32).clamp(-1.5, 1.5)
    torch.testing.assert_close(
        rotmat_to_axis_angle(axis_angle_to_rotmat(vectors)), vectors, atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("scale", [0.0, 1e-5, 1e-3, 1.0])
def test_axis_angle_to_rotmat_gradient(scale):
    vector = (scale * torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(axis_angle_to_rotmat, vector)


def test_gradients_are_finite_at_identity_and_half_turn():
    for vector in ([0.0, 0.0, 0.0], [math.pi, 0.0, 0.0]):
        rotmat = axis_angle_to_rotmat(torch.tensor(vector, dtype=torch.float64))
        rotmat.requires_grad_()
        rotmat_to_axis_angle(rotmat).sum().backward()
        assert torch.isfinite(rotmat.grad).all()


def test_rotmat_to_axis_angle_gradient_at_identity_is_that_of_the_logarithm():
    identity = torch.eye(3, dtype=torch.float64, requires_grad=True)
    (x, _, _) = rotmat_to_axis_angle(identity)
    x.backward()
    expected = torch.tensor([[0, 0, 0], [0, 0, -0.5], [0, 0.5, 0]], dtype=torch.float64)
    torch.testing.assert_close(identity.grad, expected)


def test_rot6d_is_interleaved_as_in_spin():
    rotmat = torch.arange(9.0).reshape(3, 3)
    assert rotmat_to_rot6d(rotmat).tolist() == [0, 1, 3, 4, 6, 7]


def test_rot6d_to_rotmat_by_hand():
    # columns (0, 2, 0) and (-3, 1, 0): the first is y; the second, made perpendicular, is -x
    rot6d = torch.tensor([0.0, -3.0, 2.0, 1.0, 0.0, 0.0])
    expected = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(rot6d_to_rotmat(rot6d), expected)


def test_rot6d_round_trip_and_range():
    rotmat = axis_angle_to_rotmat(axis_angles().reshape(20, 10, 3))
    torch.testing.assert_close(rot6d_to_rotmat(rotmat_to_rot6d(rotmat)), rotmat)
    free = rot6d_to_rotmat(torch.randn(50, 6, dtype=torch.float64))
    torch.testing.assert_close(free @ free.mT, torch.eye(3, dtype=torch.float64).expand(50, 3, 3))
    torch.testing.assert_close(torch.linalg.det(free), torch.ones(50, dtype=torch.float64))


def test_rot6d_of_zeros_is_finite_with_finite_gradient():
    zeros = torch.zeros(2, 6, requires_grad=True)
    rotmat = rot6d_to_rotmat(zeros)
    rotmat.sum().backward()
    assert torch.isfinite(rotmat).all() and torch.isfinite(zeros.grad).all()

"""Conversions between axis-angle, rotation matrix and the 6D form of rotations.

All functions take any batch shape and have finite gradients everywhere, also at zero rotation.
The 6D form (Zhou et al. 2019) is stored as SPIN stores it: the first two columns of the matrix,
interleaved row by row, so that a file of mean parameters made for SPIN reads correctly.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

_SMALL_ANGLE2 = 1e-6
"""Below this squared angle, Taylor series: their next term is < 1e-14 of the value."""


def axis_angle_to_rotmat(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' formula; the vector's length is the angle in radians."""
    angle2 = (axis_angle**2).sum(-1)
    small = angle2 < _SMALL_ANGLE2
    # the unused branch of where() must stay differentiable, too
    safe_angle = torch.where(small, torch.ones_like(angle2), angle2).sqrt()
    first = torch.where(small, 1 - angle2 / 6 + angle2**2 / 120, safe_angle.sin() / safe_angle)
    second = torch.where(
        small, 0.5 - angle2 / 24 + angle2**2 / 720, (1 - safe_angle.cos()) / safe_angle**2
    )
    cross = _cross_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + first[..., None, None] * cross + second[..., None, None] * (cross @ cross)


def rotmat_to_axis_angle(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis-angle with angle in [0, pi]; at pi exactly, either of the two axes."""
    quaternion = _rotmat_to_quaternion(rotmat)
    real, imaginary = quaternion[..., 0], quaternion[..., 1:]
    sine2 = (imaginary**2).sum(-1)
    small = sine2 < _SMALL_ANGLE2
    safe_sine = torch.where(small, torch.ones_like(sine2), sine2).sqrt()
    safe_real = torch.where(small, real, torch.ones_like(real))
    factor = torch.where(
        small,
        2 / safe_real * (1 - sine2 / (3 * safe_real**2)),
        2 * torch.atan2(safe_sine, real) / safe_sine,
    )
    return factor[..., None] * imaginary


def rot6d_to_rotmat(rot6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt on the two stored columns; zeros give a degenerate matrix, not NaN."""
    columns = rot6d.unflatten(-1, (3, 2))
    first = normalize(columns[..., 0], dim=-1)
    second = columns[..., 1]
    second = normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-1)


def rotmat_to_rot6d(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns, interleaved."""
    return rotmat[..., :2].flatten(-2)


def _cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _rotmat_to_quaternion(rotmat: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z) with w >= 0, by the largest of its four components."""
    m = rotmat
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # row i: the quaternion times 4 * its i-th component
    candidates = torch.stack(
        [
            _stack(
                1 + xx + yy + zz,
                m[..., 2, 1] - m[..., 1, 2],
                m[..., 0, 2] - m[..., 2, 0],
                m[..., 1, 0] - m[..., 0, 1],
            ),
            _stack(
                m[..., 2, 1] - m[..., 1, 2],
                1 + xx - yy - zz,
                m[..., 0, 1] + m[..., 1, 0],
                m[..., 0, 2] + m[..., 2, 0],
            ),
            _stack(
                m[..., 0, 2] - m[..., 2, 0],
                m[..., 0, 1] + m[..., 1, 0],
                1 - xx + yy - zz,
                m[..., 1, 2] + m[..., 2, 1],
            ),
            _stack(
                m[..., 1, 0] - m[..., 0, 1],
                m[..., 0, 2] + m[..., 2, 0],
                m[..., 1, 2] + m[..., 2, 1],
                1 - xx - yy + zz,
            ),
        ],
        dim=-2,
    )
    best = torch.diagonal(candidates, dim1=-2, dim2=-1).argmax(-1)
    index = best[..., None, None].expand(*best.shape, 1, 4)
    quaternion = normalize(candidates.gather(-2, index).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def _stack(*components: Tensor) -> Tensor:
    return torch.stack(components, dim=-1)

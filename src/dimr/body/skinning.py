"""Forward kinematics and linear blend skinning (SMPL, Loper et al. 2015).

Rest joints and rest vertices are in the body frame; the result is in the frame that the root
rotation maps to. The root turns about its own rest place, and nothing is translated.
"""

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor


def forward_kinematics(
    rotmats: Float[Tensor, "B J 3 3"],
    joints_rest: Float[Tensor, "B J 3"],
    parents: Sequence[int],
) -> tuple[Float[Tensor, "B J 3"], Float[Tensor, "B J 4 4"]]:
    """Poses a skeleton.

    Args:
        rotmats: rotation of each joint relative to its parent; the root's is global.
        joints_rest: joints of the unposed, shaped body in metres.
        parents: parent of each joint, -1 for the root; parents come before children.

    Returns:
        Posed joints, and for each joint the transform from rest points to posed points.
    """
    if parents[0] != -1 or any(not 0 <= p < j for j, p in enumerate(parents) if j):
        raise ValueError(f"parents: got {list(parents)}, want -1 first, then earlier joints")
    bones = joints_rest - joints_rest[:, [max(parent, 0) for parent in parents]]
    turns, places = [rotmats[:, 0]], [joints_rest[:, 0]]
    for joint, parent in enumerate(parents[1:], start=1):
        turns.append(turns[parent] @ rotmats[:, joint])
        places.append(places[parent] + (turns[parent] @ bones[:, joint, :, None]).squeeze(-1))
    turn, joints = torch.stack(turns, dim=1), torch.stack(places, dim=1)
    shift = joints - (turn @ joints_rest[..., None]).squeeze(-1)
    transforms = torch.zeros_like(rotmats[..., :1, :1]).repeat(1, 1, 4, 4)
    transforms[..., :3, :3] = turn
    transforms[..., :3, 3] = shift
    transforms[..., 3, 3] = 1
    return joints, transforms


def linear_blend_skinning(
    vertices_rest: Float[Tensor, "B V 3"],
    transforms: Float[Tensor, "B J 4 4"],
    weights: Float[Tensor, "V J"],
) -> Float[Tensor, "B V 3"]:
    """Moves each rest vertex by the weighted mean of the joints' transforms."""
    rows = transforms[:, :, :3].flatten(2)  # [B, J, 12]
    blended = (weights @ rows).unflatten(-1, (3, 4))  # [B, V, 3, 4]
    turned = (blended[..., :3] @ vertices_rest[..., None]).squeeze(-1)
    return turned + blended[..., 3]


def skin_vertices_numba(
    v_shaped: Float[np.ndarray, "V 3"],
    transforms: Float[np.ndarray, "J 4 4"],
    weight_idx: Int[np.ndarray, "V K"],
    weight_val: Float[np.ndarray, "V K"],
) -> Float[np.ndarray, "V 3"]:
    """`linear_blend_skinning` of one body with K joints a vertex, for the data generator."""
    return _skin(
        np.ascontiguousarray(v_shaped, dtype=np.float32),
        np.ascontiguousarray(transforms, dtype=np.float32),
        np.ascontiguousarray(weight_idx, dtype=np.int32),
        np.ascontiguousarray(weight_val, dtype=np.float32),
    )


@njit(cache=True, nogil=True)
@no_type_check
def _skin(v_shaped, transforms, weight_idx, weight_val):
    posed = np.empty_like(v_shaped)
    blended = np.empty((3, 4), dtype=np.float32)
    for vertex in range(v_shaped.shape[0]):
        blended[:] = 0
        for slot in range(weight_idx.shape[1]):
            weight = weight_val[vertex, slot]
            if weight == 0:
                continue
            joint = weight_idx[vertex, slot]
            for row in range(3):
                for column in range(4):
                    blended[row, column] += weight * transforms[joint, row, column]
        x, y, z = v_shaped[vertex, 0], v_shaped[vertex, 1], v_shaped[vertex, 2]
        for row in range(3):
            posed[vertex, row] = (
                blended[row, 0] * x + blended[row, 1] * y + blended[row, 2] * z + blended[row, 3]
            )
    return posed

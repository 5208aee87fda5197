"""MPJPE, PA-MPJPE and PVE in millimetres, one value a person (FACTS of the field: docs).

The mean over a data set is the mean of these per-person values.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dimr.evaluate.align import procrustes_align

MM_PER_M = 1000.0


def mpjpe_mm(
    joints_m: Float[Tensor, "B J 3"],
    target_m: Float[Tensor, "B J 3"],
    root: int = 0,
) -> Float[Tensor, "B"]:
    """Mean distance of joints after moving both to their joint `root`."""
    offset = joints_m - joints_m[:, root : root + 1] - target_m + target_m[:, root : root + 1]
    return torch.linalg.norm(offset, dim=2).mean(1) * MM_PER_M


def pa_mpjpe_mm(
    joints_m: Float[Tensor, "B J 3"], target_m: Float[Tensor, "B J 3"]
) -> Float[Tensor, "B"]:
    """Mean distance of joints after similarity Procrustes alignment."""
    aligned = procrustes_align(joints_m, target_m)
    return torch.linalg.norm(aligned - target_m, dim=2).mean(1) * MM_PER_M


def pve_mm(
    vertices_m: Float[Tensor, "B V 3"],
    target_m: Float[Tensor, "B V 3"],
    roots_m: Float[Tensor, "B 3"],
    target_roots_m: Float[Tensor, "B 3"],
) -> Float[Tensor, "B"]:
    """Mean distance of vertices after moving both bodies to their root joints."""
    offset = vertices_m - roots_m[:, None] - target_m + target_roots_m[:, None]
    return torch.linalg.norm(offset, dim=2).mean(1) * MM_PER_M

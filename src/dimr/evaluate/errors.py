"""MPJPE, PA-MPJPE and PVE in millimetres, one value a person, and PCK in pixels.

The mean over a data set is the mean of these per-person values.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dimr.body.model import Body
from dimr.evaluate.align import procrustes_align

MM_PER_M = 1000.0


def mpjpe_mm(
    joints_m: Float[Tensor, "B J 3"],
    target_m: Float[Tensor, "B J 3"],
    root: int | None = 0,
) -> Float[Tensor, "B"]:
    """Mean distance of joints after moving both to their joint `root`; None: as they are."""
    offset = joints_m - target_m
    if root is not None:
        offset = offset - offset[:, root : root + 1]
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
    roots_m: Float[Tensor, "B 3"] | None = None,
    target_roots_m: Float[Tensor, "B 3"] | None = None,
) -> Float[Tensor, "B"]:
    """Mean distance of vertices after moving both bodies to their roots; None: as they are."""
    offset = vertices_m - target_m
    if roots_m is not None and target_roots_m is not None:
        offset = offset - (roots_m - target_roots_m)[:, None]
    return torch.linalg.norm(offset, dim=2).mean(1) * MM_PER_M


class PosedErrors(NamedTuple):
    """Of some people, one value each."""

    mpjpe_mm: Float[Tensor, "B"]
    pa_mpjpe_mm: Float[Tensor, "B"]
    pve_mm: Float[Tensor, "B"]
    """After moving both bodies to their root joints."""


def posed_errors(found: Body, truth: Body) -> PosedErrors:
    """All three of one body model's poses."""
    joints, target = found.joints_m, truth.joints_m
    return PosedErrors(
        mpjpe_mm(joints, target),
        pa_mpjpe_mm(joints, target),
        pve_mm(found.vertices_m, truth.vertices_m, joints[:, 0], target[:, 0]),
    )


def pck(
    points_px: Float[np.ndarray, "K 2"],
    target_px: Float[np.ndarray, "K 2"],
    known: Bool[np.ndarray, "K"],
    threshold_px: float,
) -> tuple[int, int]:
    """(right, known): how many of the known keypoints lie within the threshold."""
    distance = np.linalg.norm(points_px - target_px, axis=1)
    return int((known & (distance <= threshold_px)).sum()), int(known.sum())

"""How far, and in which directions, stage 2's answers tend to be from the truth.

A knee that is wrong bends; it does not twist. A pelvis that leans too far is made up for by the
spine, and a bent hip by its knee. So what refinement may change is measured: the covariance of the
24 turns, in each joint's own axes, that would put stage 2's answers right
(`scripts/measure_turns.py`), of all joints together. It is no prior of poses, as mixtures of
Gaussians are in SMPLify (`bogo2016`): what is likely depends on what stage 2 has said.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from dimr.assets import asset_path
from dimr.body.keypoints import JOINT_MIRROR
from dimr.body.rotation import rotmat_to_axis_angle

ASSET = "turn_covariance.npz"
FREEDOM = 4.0
"""Degrees of freedom of the t distribution whose scale is measured: of some people stage 2 has
understood nothing, and how wrong it is of those says little of the others."""
ROUNDS = 60
WIDER = 1.8
"""Factor of all deviations where what is seen can be trusted: people in photographs are farther
off than drawn ones, and the tails are heavy."""
LEAST_RAD = 0.18
"""Deviation that every axis has besides, there."""
ROOT = 0.3
"""Factor of the root's deviation: what is measured is mostly half turns, which no step mends."""
UNSEEN = 0.4
"""Factor of the deviation for a joint whose part is hidden; 1 where PIXELS_A_PART are seen, or
where a keypoint that is sure moves with the joint."""


def turn_precision(seen: Float32[np.ndarray, "24"], trusted: bool) -> Float[Tensor, "72 72"]:
    """Inverse covariance of turns from stage 2's answer, axis-angle in each joint's own axes.

    Args:
        seen: how well each joint's part is seen, from 0 to 1.
        trusted: whether what is seen may move the body farther than drawn people teach.
    """
    known = torch.full((72,), WIDER if trusted else 1.0).double()
    known[:3] *= ROOT
    covariance = known[:, None] * shipped_covariance() * known
    if trusted:
        covariance += LEAST_RAD**2 * torch.eye(72).double()
    factor = np.maximum(np.sqrt(np.minimum(seen, 1)), UNSEEN).astype(np.float64)
    factor[0] = 1  # what turns the whole body is seen wherever anything is
    each = torch.from_numpy(np.repeat(factor, 3))
    return torch.linalg.inv(each[:, None] * covariance * each)


@cache
def shipped_covariance() -> Float[Tensor, "72 72"]:
    """As measured with the weights that ship."""
    with np.load(asset_path(ASSET), allow_pickle=False) as file:
        return torch.from_numpy(file["covariance"]).double()


def turn_covariance(
    found: Float[Tensor, "N 24 3 3"], true: Float[Tensor, "N 24 3 3"]
) -> Float[Tensor, "72 72"]:
    """Scale matrix of the turns that lead from answers to the truth, the same for both sides.

    Args:
        found: rotations of stage 2.
        true: of the people it was asked about.
    """
    turns = rotmat_to_axis_angle(found.mT @ true).double()
    mirrored = turns[:, list(JOINT_MIRROR)] * turns.new_tensor([1, -1, -1])
    turns = torch.cat([turns, mirrored]).flatten(1)
    scale = turns.T @ turns / len(turns)
    for _ in range(ROUNDS):  # expectation and maximisation
        distance = (turns * torch.linalg.solve(scale, turns.T).T).sum(1)
        weight = (FREEDOM + turns.shape[1]) / (FREEDOM + distance)
        scale = (weight[:, None] * turns).T @ turns / len(turns)
    return scale

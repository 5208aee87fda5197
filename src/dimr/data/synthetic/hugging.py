"""Two people in an embrace: arms of one wrapped around the other, without bodies that overlap.

People are modelled by capsules along their bones, as in `anatomy.deepest_collision_m`.
"""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float

from dimr.data.synthetic.collision import segment_gap

CAPSULES = np.array(
    [(0, 9), (9, 12), (12, 15), (1, 4), (2, 5), (4, 7), (5, 8), (16, 18), (17, 19), (18, 20),
     (19, 21), (20, 22), (21, 23)]
)  # fmt: skip
RADII_M = np.array(
    [0.125, 0.115, 0.09, 0.075, 0.075, 0.05, 0.05, 0.045, 0.045, 0.038, 0.038, 0.03, 0.03]
)
FIRST_ARM = 7
"""Capsules from here on are arms."""
DEPTHS_M = (0.02, 0.05)
"""How deep trunks and legs, and arms, may be inside the other person: flesh and cloth give way."""
CLOSEST_M, FARTHEST_M, STEP_M = 0.14, 0.7, 0.02

KINDS = ("front", "back", "side")
SHARES = (0.55, 0.2, 0.25)


class Embrace(NamedTuple):
    """Where somebody stands to embrace the target; target's own axes, degrees."""

    attitude: str
    """Of the one who embraces."""
    target_attitude: str | None
    """Of the target; None leaves it open."""
    direction_deg: float
    """From the target to the other, 0 straight ahead, 90 to the target's left."""
    yaw_deg: float
    """The other's yaw relative to the target's."""


def sample_embrace(rng: np.random.Generator) -> Embrace:
    """Draws the kind and its deviations."""
    place, kind = rng.random(), "side"
    for name, share in zip(KINDS, SHARES, strict=True):
        place -= share
        if place < 0:
            kind = name
            break
    wobble = rng.normal(0, 9, 2)
    if kind == "front":
        mutual = "hug_front" if rng.random() < 0.7 else "standing"
        return Embrace("hug_front", mutual, wobble[0], 180 + wobble[1])
    if kind == "back":
        return Embrace("hug_front", "standing", 180 + wobble[0], wobble[1])
    left = 1 if rng.random() < 0.5 else -1
    return Embrace("hug_side", "standing", left * (88 + wobble[0]), -left * (12 + wobble[1]))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def overlap_m(joints, other, capsules, radii, first_arm):
    """(trunk and legs, arms): how deep two people's capsules are inside each other, metres."""
    firm = arms = -1.0
    for a in range(capsules.shape[0]):
        for b in range(capsules.shape[0]):
            gap = segment_gap(
                joints[capsules[a, 0]],
                joints[capsules[a, 1]],
                other[capsules[b, 0]],
                other[capsules[b, 1]],
            )
            depth = radii[a] + radii[b] - gap
            if a >= first_arm or b >= first_arm:
                arms = max(arms, depth)
            else:
                firm = max(firm, depth)
    return firm, arms


def closest_distance_m(
    joints_m: Float[np.ndarray, "24 3"],
    other_m: Float[np.ndarray, "24 3"],
    direction: Float[np.ndarray, "3"],
) -> tuple[float, float]:
    """How near the other can stand, and how deep the bodies then still overlap (metres).

    Args:
        joints_m: the target's, camera or world axes.
        other_m: the other's, standing in the same place.
        direction: unit vector from the target to where the other is moved.
    """
    best = (FARTHEST_M, np.inf)
    for distance in np.arange(CLOSEST_M, FARTHEST_M, STEP_M):
        firm, arms = overlap_m(
            joints_m, other_m + direction * distance, CAPSULES, RADII_M, FIRST_ARM
        )
        excess = max(firm - DEPTHS_M[0], arms - DEPTHS_M[1])
        if excess <= 0:
            return float(distance), 0.0
        if excess < best[1]:
            best = (float(distance), float(excess))
    return best

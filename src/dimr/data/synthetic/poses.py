"""Poses of synthetic people: attitudes varied within anatomical limits, and recorded ones.

An attitude's angles are drawn, mirrored at random, clamped to the limits and drawn again if limbs
are deep inside the body. A bank of recorded poses (`pose_bank`) may take turns with attitudes.
"""

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic import anatomy
from dimr.data.synthetic.anatomy import Pose
from dimr.data.synthetic.attitudes import (
    ARMS,
    ATTITUDES,
    DEFAULT_MEAN_DEG,
    DEFAULT_SPREAD_DEG,
    EXTREME_ATTITUDES,
    LEGS,
    Angles,
    Weights,
)
from dimr.data.synthetic.collision import MAX_COLLISION_M, deepest_collision_m
from dimr.data.synthetic.pose_bank import PoseBank

BANK_SHARE = 0.6
"""How often a pose is a recorded one, where there is a bank."""
MAX_TRIES = 8
SHARED_NOISE = 0.45
"""Correlation of the two sides' deviations."""


def _rows(angles: Angles, names: list[str]) -> np.ndarray:
    """(2, angles) mean and spread of consecutive angles."""
    rows = np.array(
        [[DEFAULT_MEAN_DEG.get(name, 0) for name in names],
         [DEFAULT_SPREAD_DEG[name] for name in names]], dtype=np.float64,
    )  # fmt: skip
    for name, value in angles.items():
        rows[:, names.index(name)] = value
    return rows


_TRUNK = list(anatomy.TRUNK_LIMITS_DEG)
_ARM = list(anatomy.SIDE_LIMITS_DEG)[:9]
_LEG = list(anatomy.SIDE_LIMITS_DEG)[9:]
_ARM_ROWS = {name: _rows(angles, _ARM) for name, angles in ARMS.items()}
_LEG_ROWS = {name: (_rows(left, _LEG), _rows(right, _LEG)) for name, (left, right) in LEGS.items()}
_TRUNK_ROWS = {name: _rows(attitude.trunk, _TRUNK) for name, attitude in ATTITUDES.items()}
_HIP_FLEX = [anatomy.ANGLES.index(f"{side}_hip_flex") for side in ("left", "right")]
_HIP_ABDUCT = [anatomy.ANGLES.index(f"{side}_hip_abduct") for side in ("left", "right")]


def _pick(weights: Weights, rng: np.random.Generator) -> str:
    """A key, with probability proportional to its value."""
    place = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        place -= weight
        if place < 0:
            return name
    return name


_WEIGHTS: Weights = {name: attitude.weight for name, attitude in ATTITUDES.items()}
_EXTREME_WEIGHTS: Weights = dict.fromkeys(EXTREME_ATTITUDES, 1)


def sample_pose(
    rng: np.random.Generator,
    joints_rest_m: Float[np.ndarray, "24 3"],
    parents: np.ndarray,
    bank: PoseBank | None = None,
    bank_share: float = BANK_SHARE,
    attitude_name: str | None = None,
    extreme: bool = False,
) -> Pose:
    """Draws a pose.

    Args:
        rng: source of all randomness.
        joints_rest_m: rest joints of the body, for the test for collisions.
        parents: parent of each joint.
        bank: recorded poses; None for attitudes alone.
        bank_share: how often a pose is a recorded one.
        attitude_name: one of `ATTITUDES`, and no recorded pose; None draws it by weight.
        extreme: draw among `EXTREME_ATTITUDES` and the bank's extreme clips only.
    """
    if bank is not None and attitude_name is None and rng.random() < bank_share:
        return bank.sample(rng, joints_rest_m, parents, extreme)
    weights = _EXTREME_WEIGHTS if extreme else _WEIGHTS
    return _sample_attitude(rng, joints_rest_m, parents, attitude_name or _pick(weights, rng))


def _sample_attitude(
    rng: np.random.Generator,
    joints_rest_m: Float[np.ndarray, "24 3"],
    parents: np.ndarray,
    name: str,
) -> Pose:
    attitude = ATTITUDES[name]
    left_leg, right_leg = _LEG_ROWS[_pick(attitude.legs, rng)]
    right_arm = _pick(attitude.arms, rng)
    left_arm = right_arm if rng.random() < attitude.pair else _pick(attitude.arms, rng)
    left_arm = attitude.left_arm or left_arm
    mean, spread = np.concatenate(
        [_TRUNK_ROWS[name], _ARM_ROWS[left_arm], left_leg, _ARM_ROWS[right_arm], right_leg], axis=1
    )
    mirror = rng.random() < 0.5
    hamstrings = anatomy.SUPPLE_HAMSTRINGS_DEG if attitude.supple else anatomy.HAMSTRINGS_DEG
    noise = rng.standard_normal((MAX_TRIES, anatomy.NUM_ANGLES))
    first, last = anatomy.NUM_TRUNK, anatomy.NUM_TRUNK + anatomy.NUM_SIDE
    shared = noise[:, first:last].copy()
    noise[:, last:] = SHARED_NOISE * shared + np.sqrt(1 - SHARED_NOISE**2) * noise[:, last:]
    best, best_depth = None, np.inf
    for attempt in range(MAX_TRIES):
        # Calmer with every try, so that the last ones are close to the attitude itself.
        angles = mean + spread * noise[attempt] * (1 - 0.6 * attempt / MAX_TRIES)
        if attitude.plumb:
            pitch, roll = angles[0], angles[1]
            angles[_HIP_FLEX] += pitch
            angles[_HIP_ABDUCT] += (-roll, roll)
        if mirror:
            angles = anatomy.mirror_angles(angles)
        anatomy.clamp_angles(angles, anatomy.LIMITS_DEG, hamstrings)
        rotmats = anatomy.angles_to_rotmats(angles)
        depth = deepest_collision_m(*anatomy.pose_skeleton(rotmats, joints_rest_m, parents))
        if depth < best_depth:
            best, best_depth = Pose(rotmats, name), depth
        if depth <= MAX_COLLISION_M:
            break
    assert best is not None
    return best

"""Procedural poses: attitudes people take on photos, varied within anatomical limits.

A pose is put together from legs, trunk and two arms, each a set of anatomical angles (mean and
spread, degrees; see `anatomy`), then mirrored at random, clamped to the limits and rejected if
limbs are deep inside the body.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic import anatomy

Angles = dict[str, tuple[int, int]]
Weights = dict[str, float | int]

DEFAULT_SPREAD_DEG = {
    "root_pitch": 3, "root_roll": 3, "spine_flex": 6, "spine_side": 5, "spine_twist": 6,
    "neck_flex": 10, "neck_side": 7, "neck_twist": 18, "collar_lift": 4, "arm_raise": 7,
    "arm_azimuth": 18, "arm_twist": 16, "elbow_flex": 12, "forearm_twist": 30, "wrist_flex": 14,
    "wrist_side": 7, "hand_curl": 14, "hip_flex": 6, "hip_abduct": 4, "hip_twist": 8,
    "knee_flex": 6, "ankle_flex": 7, "ankle_side": 5, "toe_flex": 4,
}  # fmt: skip
"""Spread of the angles that an attitude does not name."""
DEFAULT_MEAN_DEG = {"hand_curl": 18, "hip_abduct": 4, "hip_twist": 6, "knee_flex": 4}
"""Mean of the angles that an attitude does not name; zero for the others."""

ARMS: dict[str, Angles] = {
    "down": {"arm_raise": (14, 5), "arm_azimuth": (20, 35), "arm_twist": (5, 18),
             "elbow_flex": (22, 14)},
    "bent": {"arm_raise": (22, 9), "arm_azimuth": (25, 40), "arm_twist": (20, 22),
             "elbow_flex": (70, 25)},
    "hip": {"arm_raise": (47, 7), "arm_azimuth": (-12, 10), "arm_twist": (62, 8),
            "elbow_flex": (92, 9), "wrist_flex": (25, 12)},
    "crossed": {"arm_raise": (34, 6), "arm_azimuth": (52, 12), "arm_twist": (14, 9),
                "elbow_flex": (104, 10)},
    "hold": {"arm_raise": (24, 9), "arm_azimuth": (55, 25), "arm_twist": (0, 16),
             "elbow_flex": (88, 14)},
    "phone": {"arm_raise": (38, 10), "arm_azimuth": (50, 20), "arm_twist": (-28, 12),
              "elbow_flex": (128, 9)},
    "wave": {"arm_raise": (95, 14), "arm_azimuth": (20, 14), "arm_twist": (-82, 12),
             "elbow_flex": (78, 24)},
    "up": {"arm_raise": (158, 12), "arm_azimuth": (35, 25), "arm_twist": (-62, 20),
           "elbow_flex": (24, 20)},
    "forward": {"arm_raise": (82, 18), "arm_azimuth": (82, 14), "arm_twist": (-30, 22),
                "elbow_flex": (26, 20)},
    "side": {"arm_raise": (88, 14), "arm_azimuth": (12, 16), "arm_twist": (-15, 25),
             "elbow_flex": (16, 16)},
    "behind": {"arm_raise": (24, 6), "arm_azimuth": (-58, 10), "arm_twist": (55, 12),
               "elbow_flex": (55, 18)},
    "swing_fore": {"arm_raise": (32, 10), "arm_azimuth": (78, 10), "arm_twist": (0, 12),
                   "elbow_flex": (32, 14)},
    "swing_back": {"arm_raise": (28, 9), "arm_azimuth": (-58, 12), "arm_twist": (5, 12),
                   "elbow_flex": (22, 12)},
    "run_fore": {"arm_raise": (40, 10), "arm_azimuth": (80, 10), "arm_twist": (-8, 12),
                 "elbow_flex": (95, 14)},
    "run_back": {"arm_raise": (46, 8), "arm_azimuth": (-60, 8), "arm_twist": (8, 12),
                 "elbow_flex": (82, 16)},
    "lap": {"arm_raise": (26, 7), "arm_azimuth": (58, 16), "arm_twist": (2, 10),
            "elbow_flex": (52, 12)},
    "table": {"arm_raise": (40, 10), "arm_azimuth": (72, 14), "arm_twist": (10, 14),
              "elbow_flex": (70, 16)},
    "head": {"arm_raise": (110, 14), "arm_azimuth": (22, 12), "arm_twist": (-80, 8),
             "elbow_flex": (132, 8)},
    "anywhere": {"arm_raise": (75, 45), "arm_azimuth": (40, 45), "arm_twist": (-10, 45),
                 "elbow_flex": (55, 40)},
}  # fmt: skip

LEGS: dict[str, tuple[Angles, Angles]] = {
    "stand": ({}, {}),
    "ease": ({"hip_abduct": (8, 3)},
             {"hip_flex": (12, 6), "knee_flex": (24, 9), "hip_abduct": (9, 4),
              "hip_twist": (14, 8)}),
    "apart": ({"hip_abduct": (16, 5), "hip_twist": (12, 8)},
              {"hip_abduct": (16, 5), "hip_twist": (12, 8)}),
    "cross": ({"hip_abduct": (-7, 2), "hip_flex": (9, 3), "knee_flex": (8, 4)},
              {"hip_abduct": (-3, 2), "hip_flex": (-5, 3)}),
    "stride": ({"hip_flex": (26, 8), "knee_flex": (10, 7), "ankle_flex": (6, 7)},
               {"hip_flex": (-16, 6), "knee_flex": (22, 12), "ankle_flex": (-10, 8)}),
    "pass": ({"hip_flex": (2, 5), "knee_flex": (5, 4)},
             {"hip_flex": (18, 8), "knee_flex": (55, 10), "ankle_flex": (-8, 8)}),
    "run": ({"hip_flex": (62, 16), "knee_flex": (75, 22)},
            {"hip_flex": (-14, 8), "knee_flex": (48, 30), "ankle_flex": (-22, 12)}),
    "sit": ({"hip_flex": (86, 7), "knee_flex": (84, 14), "hip_abduct": (9, 6)},
            {"hip_flex": (86, 7), "knee_flex": (84, 14), "hip_abduct": (9, 6)}),
    "sit_crossed": ({"hip_flex": (88, 5), "knee_flex": (86, 8), "hip_abduct": (2, 3)},
                    {"hip_flex": (102, 4), "knee_flex": (88, 10), "hip_abduct": (-13, 3),
                     "hip_twist": (8, 5)}),
    "sit_floor": ({"hip_flex": (98, 8), "knee_flex": (30, 25), "hip_abduct": (12, 8)},
                  {"hip_flex": (100, 8), "knee_flex": (60, 35), "hip_abduct": (12, 8)}),
    "tailor": ({"hip_flex": (100, 5), "hip_abduct": (36, 5), "hip_twist": (42, 3),
                "knee_flex": (122, 8)},
               {"hip_flex": (94, 5), "hip_abduct": (38, 5), "hip_twist": (42, 3),
                "knee_flex": (116, 8)}),
    "squat": ({"hip_flex": (104, 12), "knee_flex": (122, 14), "hip_abduct": (15, 7),
               "ankle_flex": (20, 5), "hip_twist": (15, 8)},
              {"hip_flex": (104, 12), "knee_flex": (122, 14), "hip_abduct": (15, 7),
               "ankle_flex": (20, 5), "hip_twist": (15, 8)}),
    "crouch": ({"hip_flex": (62, 14), "knee_flex": (72, 16), "hip_abduct": (13, 6),
                "ankle_flex": (18, 6)},
               {"hip_flex": (62, 14), "knee_flex": (72, 16), "hip_abduct": (13, 6),
                "ankle_flex": (18, 6)}),
    "kneel": ({"hip_flex": (8, 10), "knee_flex": (98, 12), "ankle_flex": (-38, 6)},
              {"hip_flex": (8, 10), "knee_flex": (98, 12), "ankle_flex": (-38, 6)}),
    "one_knee": ({"hip_flex": (84, 8), "knee_flex": (88, 10), "hip_abduct": (8, 4)},
                 {"hip_flex": (-2, 7), "knee_flex": (92, 10), "ankle_flex": (-25, 14)}),
    "lunge": ({"hip_flex": (68, 12), "knee_flex": (72, 16), "hip_abduct": (8, 6)},
              {"hip_flex": (-16, 7), "knee_flex": (24, 14), "toe_flex": (28, 8)}),
    "kick": ({"hip_flex": (72, 20), "knee_flex": (22, 18), "hip_abduct": (12, 12)},
             {"hip_flex": (2, 8), "knee_flex": (14, 10)}),
    "jump": ({"hip_flex": (40, 25), "knee_flex": (66, 30), "ankle_flex": (-28, 10)},
             {"hip_flex": (30, 25), "knee_flex": (60, 34), "ankle_flex": (-28, 10)}),
    "one_leg": ({"hip_flex": (78, 18), "knee_flex": (100, 20), "hip_abduct": (12, 12)},
                {"hip_flex": (2, 5), "knee_flex": (8, 6)}),
    "lie": ({"hip_flex": (6, 10), "knee_flex": (10, 10), "hip_abduct": (9, 5),
             "ankle_flex": (-24, 9)},
            {"hip_flex": (14, 14), "knee_flex": (26, 24), "hip_abduct": (9, 5),
             "ankle_flex": (-24, 9)}),
    "curl": ({"hip_flex": (80, 16), "knee_flex": (92, 18)},
             {"hip_flex": (66, 18), "knee_flex": (82, 22)}),
    "anyhow": ({"hip_flex": (35, 34), "knee_flex": (45, 36), "hip_abduct": (16, 14)},
               {"hip_flex": (20, 30), "knee_flex": (40, 36), "hip_abduct": (16, 14)}),
}  # fmt: skip


class Attitude(NamedTuple):
    """One family of poses; weights are relative frequencies."""

    weight: float
    legs: Weights
    arms: Weights
    """Arms of this kind; with probability `pair` both are alike."""
    pair: float = 0.6
    trunk: Angles = {}  # noqa: RUF012 - never changed
    left_arm: str | None = None
    """Fixed kind of the left arm, for gaits (then `arms` is for the right one)."""
    plumb: bool = True
    """The legs' angles are meant from the vertical, whatever the trunk does."""


EASY_ARMS: Weights = {
    "down": 5.0, "bent": 1.5, "hip": 1.2, "hold": 1.2, "crossed": 0.8, "phone": 0.5,
    "behind": 0.5, "wave": 0.4, "side": 0.3, "forward": 0.4, "up": 0.3, "head": 0.2,
    "anywhere": 0.4,
}  # fmt: skip
ATTITUDES: dict[str, Attitude] = {
    "standing": Attitude(34, {"stand": 4, "ease": 3, "apart": 2, "cross": 0.6}, EASY_ARMS),
    "reaching": Attitude(
        8, {"stand": 2, "ease": 2, "apart": 1, "stride": 1},
        {"up": 3, "forward": 3, "side": 2, "wave": 2, "anywhere": 2}, 0.4),
    "walking": Attitude(
        11, {"stride": 3, "pass": 1.5}, {"swing_fore": 5, "hold": 1, "bent": 1, "phone": 0.4},
        0, {"root_pitch": (3, 3), "spine_twist": (-7, 4)}, "swing_back"),
    "running": Attitude(
        6, {"run": 1}, {"run_fore": 1}, 0,
        {"root_pitch": (10, 6), "spine_twist": (-12, 6), "neck_flex": (-8, 8)}, "run_back"),
    "sitting": Attitude(
        12, {"sit": 5, "sit_crossed": 1.5, "sit_floor": 1, "tailor": 1},
        {"lap": 5, "table": 2, "bent": 1, "hold": 1.5, "crossed": 0.5, "phone": 0.5, "head": 0.3,
         "anywhere": 0.5}, 0.7, {"root_pitch": (-6, 10), "spine_flex": (14, 11)}),
    "squatting": Attitude(
        4, {"squat": 2, "crouch": 2}, {"forward": 2, "table": 2, "hold": 2, "anywhere": 1}, 0.7,
        {"root_pitch": (24, 12), "spine_flex": (18, 10), "neck_flex": (-14, 12)}),
    "kneeling": Attitude(
        4, {"kneel": 1, "one_knee": 2},
        {"down": 2, "forward": 1, "lap": 1, "hold": 1, "anywhere": 1}, 0.5,
        {"root_pitch": (8, 10), "spine_flex": (10, 10)}),
    "kicking": Attitude(
        3, {"kick": 2, "one_leg": 1}, {"side": 2, "bent": 1, "anywhere": 2}, 0.3,
        {"root_pitch": (-6, 10)}),
    "lunging": Attitude(
        4, {"lunge": 1}, {"anywhere": 2, "forward": 1, "side": 1, "bent": 1, "hip": 0.5}, 0.4,
        {"root_pitch": (10, 10)}),
    "bending": Attitude(
        4, {"stand": 1, "apart": 1, "crouch": 1, "stride": 0.5},
        {"forward": 2, "down": 1, "table": 1, "anywhere": 1}, 0.6,
        {"root_pitch": (38, 14), "spine_flex": (38, 15), "neck_flex": (-10, 15)}),
    "jumping": Attitude(
        3, {"jump": 2, "apart": 0.5}, {"up": 2, "side": 2, "wave": 1, "anywhere": 2}, 0.6,
        {"root_pitch": (2, 10)}),
    "dancing": Attitude(
        5, {"anyhow": 2, "apart": 1, "cross": 0.5, "lunge": 0.5, "one_leg": 0.5},
        {"anywhere": 4, "up": 1, "side": 1, "hip": 0.5, "head": 0.5}, 0.25,
        {"root_roll": (0, 8), "spine_side": (0, 13), "spine_twist": (0, 16)}),
    "on_back": Attitude(
        1.5, {"lie": 2, "curl": 0.6}, {"down": 2, "side": 1, "head": 1, "anywhere": 1}, 0.5,
        {"root_pitch": (-84, 9), "spine_flex": (6, 8)}, plumb=False),
    "on_front": Attitude(
        1, {"lie": 2}, {"forward": 1, "up": 1, "side": 1, "anywhere": 1}, 0.6,
        {"root_pitch": (84, 9), "spine_flex": (-10, 9), "neck_flex": (-25, 12)}, plumb=False),
    "on_side": Attitude(
        1, {"lie": 1, "curl": 1.5}, {"hold": 1, "table": 1, "anywhere": 1}, 0.5,
        {"root_roll": (86, 9), "spine_flex": (10, 10)}, plumb=False),
}  # fmt: skip

MAX_COLLISION_M = 0.02
"""Poses whose limbs are deeper than this inside something else are drawn again."""
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


_ATTITUDE_WEIGHTS = {name: attitude.weight for name, attitude in ATTITUDES.items()}


class Pose(NamedTuple):
    """A pose in the world: y up, facing +z but for what the attitude itself turns."""

    rotmats: Float[np.ndarray, "24 3 3"]
    attitude: str
    angles_deg: Float[np.ndarray, "40"]


def sample_pose(
    rng: np.random.Generator,
    joints_rest_m: Float[np.ndarray, "24 3"],
    parents: np.ndarray,
    attitude_name: str | None = None,
) -> Pose:
    """Draws a pose.

    Args:
        rng: source of all randomness.
        joints_rest_m: rest joints of the body, for the test for collisions.
        parents: parent of each joint.
        attitude_name: one of `ATTITUDES`; None draws it by weight.
    """
    name = attitude_name or _pick(_ATTITUDE_WEIGHTS, rng)
    attitude = ATTITUDES[name]
    left_leg, right_leg = _LEG_ROWS[_pick(attitude.legs, rng)]
    right_arm = _pick(attitude.arms, rng)
    left_arm = right_arm if rng.random() < attitude.pair else _pick(attitude.arms, rng)
    left_arm = attitude.left_arm or left_arm
    mean, spread = np.concatenate(
        [_TRUNK_ROWS[name], _ARM_ROWS[left_arm], left_leg, _ARM_ROWS[right_arm], right_leg], axis=1
    )
    mirror = rng.random() < 0.5
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
        anatomy.clamp_angles(angles, anatomy.LIMITS_DEG)
        rotmats = anatomy.angles_to_rotmats(angles)
        depth = anatomy.deepest_collision_m(
            *anatomy.pose_skeleton(rotmats, joints_rest_m, parents)
        )
        if depth < best_depth:
            best, best_depth = Pose(rotmats, name, angles), depth
        if depth <= MAX_COLLISION_M:
            break
    assert best is not None
    return best

"""Anatomical joint angles <-> the rotations of the 24 SMPL joints, limits and collisions.

Frames: SMPL body axes (x to the body's left, y up, z forward), T-pose at rest. Angles are degrees,
with the same meaning on both sides: the right side is the mirror image of the left. Flexion, lift
and abduction are positive; `arm_raise` is measured from hanging down, `arm_azimuth` says in which
plane the arm is raised (0 sideways, 90 forwards, 180 across the chest).
"""

import math
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float

TRUNK_LIMITS_DEG = {
    "root_pitch": (-100, 100),
    "root_roll": (-100, 100),
    "spine_flex": (-30, 70),
    "spine_side": (-35, 35),
    "spine_twist": (-45, 45),
    "neck_flex": (-45, 50),
    "neck_side": (-35, 35),
    "neck_twist": (-70, 70),
}
"""The trunk's angles and their ranges. Root pitch + leans forwards, - onto the back."""

SIDE_LIMITS_DEG = {
    "collar_lift": (-8, 25),
    "arm_raise": (0, 172),
    "arm_azimuth": (-75, 125),
    "arm_twist": (-95, 80),
    "elbow_flex": (0, 148),
    "forearm_twist": (-80, 80),
    "wrist_flex": (-60, 70),
    "wrist_side": (-20, 30),
    "hand_curl": (0, 60),
    "hip_flex": (-25, 125),
    "hip_abduct": (-20, 50),
    "hip_twist": (-35, 45),
    "knee_flex": (0, 150),
    "ankle_flex": (-45, 25),
    "ankle_side": (-20, 20),
    "toe_flex": (-20, 40),
}
"""One side's angles and their ranges; the left side comes first in a vector of angles."""

ANGLES = (
    *TRUNK_LIMITS_DEG,
    *(f"left_{name}" for name in SIDE_LIMITS_DEG),
    *(f"right_{name}" for name in SIDE_LIMITS_DEG),
)
NUM_ANGLES = len(ANGLES)
NUM_TRUNK, NUM_SIDE = len(TRUNK_LIMITS_DEG), len(SIDE_LIMITS_DEG)
LIMITS_DEG = np.array(
    [*TRUNK_LIMITS_DEG.values(), *SIDE_LIMITS_DEG.values(), *SIDE_LIMITS_DEG.values()],
    dtype=np.float64,
)
MIRROR_SIGN = np.array(
    [-1.0 if name in ("root_roll", "spine_side", "spine_twist", "neck_side", "neck_twist") else 1
     for name in ANGLES]
)  # fmt: skip
MIRROR_ORDER = np.concatenate(
    [
        np.arange(NUM_TRUNK),
        np.arange(NUM_TRUNK + NUM_SIDE, NUM_ANGLES),
        np.arange(NUM_TRUNK, NUM_TRUNK + NUM_SIDE),
    ]
)
MIRRORED = np.isin(np.arange(24), (2, 5, 8, 11, 14, 17, 19, 21, 23))
"""Joints of the right side, whose rotations are the left ones mirrored."""
RAISE_BEHIND_DEG = 55.0
"""How far an arm can be raised straight backwards (azimuth -75)."""


def mirror_angles(angles_deg: Float[np.ndarray, "A"]) -> Float[np.ndarray, "A"]:
    """The same attitude with left and right exchanged."""
    return (angles_deg * MIRROR_SIGN)[MIRROR_ORDER]


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def clamp_angles(angles_deg, limits_deg):
    """Clamps in place to the ranges, and to those that depend on another angle."""
    for i in range(angles_deg.shape[0]):
        angles_deg[i] = min(max(angles_deg[i], limits_deg[i, 0]), limits_deg[i, 1])
    for side in range(2):
        first = 8 + 16 * side
        azimuth = angles_deg[first + 2]
        if azimuth < -15:  # behind the body the shoulder blade stops the arm
            share = (-15 - azimuth) / 60
            most = 172 + (RAISE_BEHIND_DEG - 172) * min(share, 1.0)
            angles_deg[first + 1] = min(angles_deg[first + 1], most)
        # hamstrings: the hip flexes less over a straight knee
        most = 85 + 0.5 * angles_deg[first + 12]
        angles_deg[first + 9] = min(angles_deg[first + 9], most)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def rotation(axis, angle_deg):
    """Rotation matrix about a coordinate axis."""
    sin, cos = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
    matrix = np.zeros((3, 3))
    j, k = (axis + 1) % 3, (axis + 2) % 3
    matrix[axis, axis] = 1
    matrix[j, j] = cos
    matrix[k, k] = cos
    matrix[j, k] = -sin
    matrix[k, j] = sin
    return matrix


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _multiply(a, b):
    product = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            product[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]
    return product


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _three_turns(axis_a, a_deg, axis_b, b_deg, axis_c, c_deg):
    """Rotation about c, then b, then a."""
    return _multiply(
        rotation(axis_a, a_deg), _multiply(rotation(axis_b, b_deg), rotation(axis_c, c_deg))
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _put(matrices, joint, matrix):
    """matrices[joint] = matrix; array assignment itself takes numba seconds to compile."""
    for i in range(3):
        for j in range(3):
            matrices[joint, i, j] = matrix[i, j]


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _left_arm_swing(raise_deg, azimuth_deg):
    """Least rotation that takes the left arm from the T-pose (+x) to its direction."""
    raised, azimuth = math.radians(raise_deg), math.radians(azimuth_deg)
    x = math.sin(raised) * math.cos(azimuth)
    y = -math.cos(raised)
    z = math.sin(raised) * math.sin(azimuth)
    # R = I + [w] + [w]^2 / (1 + x) with w = e_x cross d = (0, -z, y)
    scale = 1 / max(1 + x, 1e-6)
    swing = np.empty((3, 3))
    swing[0, 0] = 1 - (y * y + z * z) * scale
    swing[0, 1] = -y
    swing[0, 2] = -z
    swing[1, 0] = y
    swing[1, 1] = 1 - y * y * scale
    swing[1, 2] = -y * z * scale
    swing[2, 0] = z
    swing[2, 1] = -y * z * scale
    swing[2, 2] = 1 - z * z * scale
    return swing


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def angles_to_rotmats(angles_deg):
    """(40,) degrees -> (24, 3, 3) rotations to the parent's frame; the root's to the world."""
    a = angles_deg
    rotmats = np.zeros((24, 3, 3))
    _put(rotmats, 0, _multiply(rotation(0, a[0]), rotation(2, a[1])))
    third = _three_turns(1, a[4] / 3, 2, a[3] / 3, 0, a[2] / 3)
    half = _three_turns(1, a[7] / 2, 2, a[6] / 2, 0, a[5] / 2)
    for joint in range(3, 10, 3):
        _put(rotmats, joint, third)
    for joint in range(12, 16, 3):
        _put(rotmats, joint, half)
    for side in range(2):
        s = a[8 + 16 * side : 24 + 16 * side]
        # Raising the arm above the shoulder takes the collar bone along.
        lift = s[0] + 0.2 * max(s[1] - 80.0, 0.0)
        swing = _multiply(_left_arm_swing(s[1], s[2]), rotation(0, s[3]))
        _put(rotmats, 13 + side, rotation(2, lift))
        # The swing is meant in the trunk's axes: undo the collar's own rotation.
        _put(rotmats, 16 + side, _multiply(rotation(2, -lift), swing))
        _put(rotmats, 18 + side, _multiply(rotation(1, -s[4]), rotation(0, 0.5 * s[5])))
        _put(rotmats, 20 + side, _three_turns(0, 0.5 * s[5], 2, -s[6], 1, -s[7]))
        _put(rotmats, 22 + side, rotation(2, -s[8]))
        _put(rotmats, 1 + side, _three_turns(2, s[10], 0, -s[9], 1, s[11]))
        _put(rotmats, 4 + side, rotation(0, s[12]))
        _put(rotmats, 7 + side, _multiply(rotation(0, -s[13]), rotation(2, s[14])))
        _put(rotmats, 10 + side, rotation(0, -s[15]))
    for joint in range(1, 24):
        if MIRRORED[joint]:
            for i in range(3):
                for j in range(3):
                    if (i == 0) != (j == 0):
                        rotmats[joint, i, j] = -rotmats[joint, i, j]
    return rotmats


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def pose_skeleton(rotmats, joints_rest, parents):
    """Rotations relative to the parent -> (joints (24, 3), rotations to the root's frame)."""
    joints = np.empty((24, 3))
    turned = np.empty((24, 3, 3))
    _put(turned, 0, rotmats[0])
    for i in range(3):
        joints[0, i] = joints_rest[0, i]
    for joint in range(1, 24):
        parent = parents[joint]
        _put(turned, joint, _multiply(turned[parent], rotmats[joint]))
        for i in range(3):
            moved = joints[parent, i]
            for k in range(3):
                bone = joints_rest[joint, k] - joints_rest[parent, k]
                moved += turned[parent, i, k] * bone
            joints[joint, i] = moved
    return joints, turned


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _segment_gap(a0, a1, b0, b1):
    """Distance between two line segments."""
    uu = uv = vv = uw = vw = ww = 0.0
    for i in range(3):
        u, v, w = a1[i] - a0[i], b1[i] - b0[i], a0[i] - b0[i]
        uu += u * u
        uv += u * v
        vv += v * v
        uw += u * w
        vw += v * w
        ww += w * w
    det = uu * vv - uv * uv
    s = 0.0
    if det > 1e-9:
        s = min(max((uv * vw - vv * uw) / det, 0.0), 1.0)
    t = min(max((uv * s + vw) / max(vv, 1e-9), 0.0), 1.0)
    s = min(max((uv * t - uw) / max(uu, 1e-9), 0.0), 1.0)
    squared = ww + s * s * uu + t * t * vv + 2 * (s * uw - t * vw - s * t * uv)
    return math.sqrt(max(squared, 0.0))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _beyond(start, end, share):
    """The point at a share of the way; 1 is the end."""
    point = np.empty(3)
    for i in range(3):
        point[i] = start[i] + (end[i] - start[i]) * share
    return point


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _beside(place, matrix, axis, metres):
    """A point moved along a body part's own axis."""
    point = np.empty(3)
    for i in range(3):
        point[i] = place[i] + matrix[i, axis] * metres
    return point


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def deepest_collision_m(joints, turned):
    """How deep (metres) limbs, modelled as capsules, are inside the trunk or each other."""
    deepest = -1.0
    head = _beside(joints[15], turned[15], 1, 0.09)
    for side in range(2):
        elbow, wrist = joints[18 + side], joints[20 + side]
        tip = _beyond(wrist, joints[22 + side], 1.8)
        # trunk: two upright capsules at the pelvis' and chest's half widths
        for half in range(-1, 2, 2):
            low = _beside(joints[0], turned[0], 0, half * 0.06)
            high = _beside(joints[9], turned[9], 0, half * 0.07)
            deepest = max(deepest, 0.145 - _segment_gap(elbow, wrist, low, high))
            deepest = max(deepest, 0.125 - _segment_gap(wrist, tip, low, high))
        deepest = max(deepest, 0.125 - _segment_gap(elbow, wrist, joints[12], head))
        deepest = max(deepest, 0.115 - _segment_gap(wrist, tip, joints[12], head))
        for leg in range(2):
            hip, knee, ankle = joints[1 + leg], joints[4 + leg], joints[7 + leg]
            deepest = max(deepest, 0.11 - _segment_gap(wrist, tip, hip, knee))
            deepest = max(deepest, 0.10 - _segment_gap(elbow, wrist, hip, knee))
            deepest = max(deepest, 0.08 - _segment_gap(wrist, tip, knee, ankle))
        # heel and buttock, thigh and belly
        knee, ankle = joints[4 + side], joints[7 + side]
        upper_shin = _beyond(knee, ankle, 0.35)
        deepest = max(deepest, 0.13 - _segment_gap(upper_shin, ankle, joints[3], joints[9]))
        deepest = max(deepest, 0.17 - _segment_gap(knee, knee, joints[3], joints[9]))
        # shank and the other thigh
        other_knee = joints[5 - side]
        other_mid = _beyond(joints[2 - side], other_knee, 0.4)
        deepest = max(deepest, 0.10 - _segment_gap(knee, ankle, other_mid, other_knee))
    deepest = max(deepest, 0.07 - _segment_gap(joints[18], joints[20], joints[19], joints[21]))
    deepest = max(deepest, 0.085 - _segment_gap(joints[4], joints[7], joints[5], joints[8]))
    return max(deepest, 0.07 - _segment_gap(joints[7], joints[10], joints[8], joints[11]))

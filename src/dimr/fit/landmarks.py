"""What the original BlazePose network says of a crop, as something to lay the body on.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.fit.geometry import as_tensor, bone_points
from dimr.fit.terms import Term
from dimr.types import Iuv

_ON = {  # landmark: joint, bone, offset in cm
    0: ("head", "head", (0, 1, 8.5)),
    7: ("head", "head", (5, 3, 2.5)),
    8: ("head", "head", (-5, 3, 2.5)),
    11: ("L_shoulder", "L_collar", (-1.5, 0, 0)),
    12: ("R_shoulder", "R_collar", (1.5, 0, 0)),
    13: ("L_elbow", "L_elbow", (0.5, 0.5, 1)),
    14: ("R_elbow", "R_elbow", (-0.5, 0.5, 1)),
    15: ("L_wrist", "L_wrist", (1.5, -0.5, 0.5)),
    16: ("R_wrist", "R_wrist", (-1.5, -0.5, 0.5)),
    19: ("L_wrist", "L_wrist", (9, -1, 1.5)),
    20: ("R_wrist", "R_wrist", (-9, -1, 1.5)),
    23: ("L_hip", "pelvis", (-1.5, 0, 3)),
    24: ("R_hip", "pelvis", (1.5, 0, 3)),
    25: ("L_knee", "L_knee", (0, -1, 0)),
    26: ("R_knee", "R_knee", (0, -1, 0)),
    27: ("L_ankle", "L_ankle", (0, 2, 2)),
    28: ("R_ankle", "R_ankle", (0, 2, 2)),
    31: ("L_ankle", "L_ankle", (0, -7.5, 15)),
    32: ("R_ankle", "R_ankle", (0, -7.5, 15)),
}
HIPS = (11, 12)
NOISE = 0.05
SHARE = 1.0
VIS_POWER = 2.0
WORLD_NOISE = 0.15
WORLD_SHARE = 0.0


def landmark_terms(landmarks: Float[Tensor, "39 8"], iuv: Iuv, body: BodyModel) -> list[Term]:
    index = list(_ON)
    joints, bones = (
        np.array([JOINT_NAMES.index(each[side]) for each in _ON.values()]) for side in (0, 1)
    )
    offsets = np.array([each[2] for each in _ON.values()]) / 100
    points = bone_points(body, joints, bones, offsets)
    own = landmarks[index]
    trust = own[:, 3] ** VIS_POWER
    terms = [Term(points, own[:, :2], SHARE * trust, NOISE)]
    if WORLD_SHARE:
        hips = [list(_ON).index(23), list(_ON).index(24)]
        world = own[:, 5:]
        terms.append(Term(points, world - world[hips].mean(0), WORLD_SHARE * trust, WORLD_NOISE, tuple(hips)))
    return terms

"""What the original BlazePose network says of a crop, as something to lay the body on.
"""

import cv2
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
GATE_M = 0.15
GATE_POWER = 4.0
BESIDE = 0.1
PRES_POWER = 0.0
LIMB = 0.0


def landmark_terms(landmarks: Float[Tensor, "39 8"], iuv: Iuv, body: BodyModel, seen=None) -> list[Term]:
    index = list(_ON)
    joints, bones = (
        np.array([JOINT_NAMES.index(each[side]) for each in _ON.values()]) for side in (0, 1)
    )
    offsets = np.array([each[2] for each in _ON.values()]) / 100
    points = bone_points(body, joints, bones, offsets)
    own = landmarks[index]
    trust = own[:, 3] ** VIS_POWER * own[:, 4] ** PRES_POWER
    gap = torch.from_numpy(distance_to_mask(iuv.mask, own[:, :2].numpy()))
    trust = trust / (1 + (gap / BESIDE) ** 2)
    if LIMB:
        up = np.array([max(body.parents[b], 0) for b in bones])
        trust = trust * torch.from_numpy(np.minimum(1, np.maximum(seen[bones], LIMB * seen[up]) * 2).astype(np.float32))
    terms = [Term(points, own[:, :2], SHARE * trust, NOISE)]
    if WORLD_SHARE:
        world = own[:, 5:]
        origin = trust / trust.sum().clamp(min=1e-6)
        terms.append(Term(points, world - origin @ world, WORLD_SHARE * trust, WORLD_NOISE, origin))
    return terms


def distance_to_mask(mask, places_norm):
    """Crop-normalised."""
    size = len(mask)
    if not mask.any():
        return np.full(len(places_norm), 9.0, np.float32)
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) * (2 / size)
    px = (places_norm + 1) * (size / 2) - 0.5
    inside = np.clip(px, 0, size - 1)
    beyond = np.linalg.norm(px - inside, axis=1) * (2 / size)
    col, row = np.rint(inside).astype(int).T
    return (np.hypot(far[row, col], beyond)).astype(np.float32)

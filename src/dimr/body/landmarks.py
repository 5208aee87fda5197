"""Where BlazePose's landmarks lie on the body, and whether they are those of a certain person.

`scripts/landmark_offsets.py` measures the table on synthetic people; the network's hips and
shoulders lie elsewhere than SMPL's.
"""

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.skinning import forward_kinematics

ON_BODY = {
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
JOINTS, BONES = (
    np.array([JOINT_NAMES.index(each[side]) for each in ON_BODY.values()]) for side in (0, 1)
)
OFFSETS_M = np.array([offset for _, _, offset in ON_BODY.values()]) / 100

NEAR = 0.05
"""A landmark within this distance of the mask lies on it, crop-normalised."""
ON_MASK = 0.9
"""Share of what is seen that must lie on the mask for landmarks to be believed."""
SEEN = 0.5
"""Mean visibility from which they may be: of somebody of whom little is to be seen, even what is
seen is misplaced."""
VISIBILITY_POWER = 4.0
"""A landmark counts with its visibility to this power."""


def body_landmarks(
    body: BodyModel, rotmats: Float[Tensor, "B 24 3 3"], betas: Float[Tensor, "B 10"]
) -> Float[Tensor, "B K 3"]:
    """Places of the landmarks of `ON_BODY` on posed bodies, metres, in the joints' frame."""
    rest = body.joints_rest(betas)
    _, transforms = forward_kinematics(rotmats, rest, body.parents)
    points = rest[:, JOINTS] + rest.new_tensor(OFFSETS_M)
    moved = transforms[:, BONES]
    return (moved[..., :3, :3] @ points[..., None]).squeeze(-1) + moved[..., :3, 3]


def believed(pose: Float[Tensor, "B 39 8"], mask: Bool[Tensor, "B h w"]) -> Bool[Tensor, "B"]:
    """Whether landmarks are likely to be those of the people of some masks.

    The network speaks of the most prominent person and is bad at people of whom little is seen:
    nearly all that it sees must lie on the mask, and it must see enough.

    Args:
        pose: x, y (crop-normalised), z, visibility, presence, and x, y, z in metres, as
            `dimr.correspondence.hint.look_at_pose` gives them.
        mask: visible pixels in the same crops, at any resolution.
    """
    size = max(mask.shape[1:])
    reach = round(NEAR * size / 2)
    grown = functional.max_pool2d(mask[:, None].float(), 2 * reach + 1, 1, reach)
    pose = pose[:, list(ON_BODY)].float()
    place = pose[:, None, :, :2]
    on_mask = functional.grid_sample(grown, place, "nearest", align_corners=False)[:, 0, 0]
    visible = pose[..., 3].clamp(0, 1)
    trust = visible**VISIBILITY_POWER
    enough = visible.mean(1) >= SEEN
    return enough & ((trust * on_mask).sum(1) >= ON_MASK * trust.sum(1))

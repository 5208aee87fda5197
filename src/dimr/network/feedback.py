"""Landmarks against the pose so far: what the regressor hears before each of its steps.

Iterative regression as in the paper never looks whether its answer fits the picture. Carreira et
al. 2016 (Iterative Error Feedback) and PyMAF (Zhang et al. 2021) feed back how far it is off; here
the joints of the pose so far are posed, projected, and compared with the places of landmarks that
another network has seen. Not in the paper.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dimr.body.camera import project_weak

JointsOf = Callable[[Float[Tensor, "B 24 3 3"], Float[Tensor, "B 10"]], Float[Tensor, "B 24 3"]]
"""Rotations and betas -> joints, metres."""
LANDMARK_OF_JOINT = {
    15: 0,  # head: nose
    16: 11, 17: 12, 18: 13, 19: 14, 20: 15, 21: 16, 22: 19, 23: 20,  # arms, index fingers
    1: 23, 2: 24, 4: 25, 5: 26, 7: 27, 8: 28, 10: 31, 11: 32,  # legs, tips of the feet
}  # fmt: skip
"""SMPL joint: the landmark of BlazePose that lies near it. How near is learned."""
HIPS = (1, 2)
"""The point between them is the origin of the world landmarks."""
GAP_SCALE = 5.0
"""Gaps of a tenth (of half the crop, of a metre) become inputs of ordinary size."""
LARGEST_GAP = 2.0
"""After scaling: whatever is further off is somebody else's or a mistake."""


class LandmarkGap(nn.Module):
    """Gaps between landmarks and joints -> something to add to the regressor's hidden layer.

    Starts at zero, so that a head without it goes on as it was.

    Args:
        hidden: width of that layer.
        joints_of: the body's.
    """

    def __init__(self, hidden: int, joints_of: JointsOf) -> None:
        super().__init__()
        self.joints_of = joints_of
        self.enter = nn.Linear(6 * len(LANDMARK_OF_JOINT), hidden, bias=False)
        nn.init.zeros_(self.enter.weight)

    @torch.no_grad()
    def gaps(
        self,
        pose: Float[Tensor, "B 39 8"],
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        camera: Float[Tensor, "B 3"],
    ) -> Float[Tensor, "B K 6"]:
        """Landmark less joint in the crop (2) and in the world (3), and how visible it is."""
        joints = self.joints_of(rotmats, betas)
        projected = project_weak(joints, camera)
        relative = joints - joints[:, HIPS].mean(1, keepdim=True)
        own = list(LANDMARK_OF_JOINT)
        seen = pose[:, list(LANDMARK_OF_JOINT.values())]
        visible = seen[..., 3:4]
        gap = torch.cat([seen[..., :2] - projected[:, own], seen[..., 5:] - relative[:, own]], -1)
        gap = (GAP_SCALE * gap).clamp(-LARGEST_GAP, LARGEST_GAP)
        return torch.cat([visible * gap, visible], dim=-1)

    def forward(
        self,
        pose: Float[Tensor, "B 39 8"],
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        camera: Float[Tensor, "B 3"],
    ) -> Float[Tensor, "B H"]:
        """No gradient reaches the pose: each step learns from the loss of the last alone."""
        return self.enter(self.gaps(pose, rotmats, betas, camera).flatten(1))

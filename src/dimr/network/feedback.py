"""What was seen against the pose so far: what the regressor hears before each of its steps.

Iterative regression as in the paper never looks whether its answer fits the picture. Carreira et
al. 2016 (Iterative Error Feedback) and PyMAF (Zhang et al. 2021) feed back how far it is off; here
the pose so far is posed and projected: its joints are compared with the places of landmarks that
another network has seen, points of its surface with the pixels whose IUV names them. Not in the
paper.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree
from torch import Tensor, nn

from dimr.body.camera import project_weak
from dimr.body.model import BodyModel

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
SURE = 0.1, 0.2
"""A landmark counts half where it is probably so far off, in half crops and in metres."""
ANCHORS, GROUPS = 16, 4
"""Points of each part's surface, and groups of neighbours among them that are heard as one."""
SURE_PIXELS = 4.0
"""An anchor that so many pixels show counts in full."""
SHARPNESS = 50.0
"""Gaps of a fiftieth of half the crop (two pixels of 192) become inputs of ordinary size; larger
ones grow with their logarithm."""


class Gap(nn.Module):
    """Gaps between the pose so far and what was seen -> something to add to the hidden layer.

    Starts at zero, so that a head without it goes on as it was.

    Args:
        gaps: how many numbers they are.
        hidden: width of the regressor's hidden layer.
    """

    def __init__(self, gaps: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Linear(gaps, hidden, bias=False)
        nn.init.zeros_(self.enter.weight)

    def gaps(
        self,
        seen: Any,
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        camera: Float[Tensor, "B 3"],
    ) -> Tensor:
        """Of what was seen, to a pose."""
        raise NotImplementedError

    def forward(self, seen: Any, *pose: Tensor) -> Float[Tensor, "B H"]:
        """No gradient reaches the pose: each step learns from the loss of the last alone."""
        return self.enter(self.gaps(seen, *pose).flatten(1))


class LandmarkGap(Gap):
    """Gaps between landmarks and joints.

    Args:
        hidden: width of the regressor's hidden layer.
        joints_of: the body's.
    """

    def __init__(self, hidden: int, joints_of: JointsOf) -> None:
        super().__init__(13 * len(LANDMARK_OF_JOINT), hidden)
        self.joints_of = joints_of

    @torch.no_grad()
    def gaps(
        self,
        pose: Float[Tensor, "B 39 10"],
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        camera: Float[Tensor, "B 3"],
    ) -> Float[Tensor, "B K 13"]:
        """Landmark less joint in the crop (2) and in the world (3), twice.

        Times how visible it is, and that (1); times how sure each of the two is, and those (2).
        A spread of zero is certain: of somebody without landmarks the regressor hears no gaps.
        """
        joints = self.joints_of(rotmats, betas)
        projected = project_weak(joints, camera)
        relative = joints - joints[:, HIPS].mean(1, keepdim=True)
        own = list(LANDMARK_OF_JOINT)
        seen = pose[:, list(LANDMARK_OF_JOINT.values())]
        sure = 1 / (1 + (seen[..., 8:] / seen.new_tensor(SURE)).square())
        gaps = seen[..., :2] - projected[:, own], seen[..., 5:8] - relative[:, own]
        gap = (GAP_SCALE * torch.cat(gaps, dim=-1)).clamp(-LARGEST_GAP, LARGEST_GAP)
        visible, sure_of = seen[..., 3:4], sure[..., [0, 0, 1, 1, 1]]
        return torch.cat([visible * gap, visible, sure_of * gap, sure], dim=-1)


class Surface(NamedTuple):
    """Points of a body's surface that texels of its atlas stand for."""

    anchor_of_texel: Int[np.ndarray, "R R"]
    """The nearest anchor of the same part, -1 where the atlas is empty."""
    group_of_anchor: Int[np.ndarray, "K"]
    points_of: Callable[[Float[Tensor, "B 24 3 3"], Float[Tensor, "B 10"]], Float[Tensor, "B K 3"]]
    """Rotations and betas -> the anchors, metres, in the joints' frame."""


def surface_of(
    body: BodyModel, parts: Int[np.ndarray, "R R"], positions_m: Float[np.ndarray, "R R 3"]
) -> Surface:
    """Anchors spread evenly over each part of a body.

    Args:
        body: whose surface it is; its pose correctives are left out.
        parts: part of each texel, -1 where empty.
        positions_m: where each texel lies on the resting body.
    """
    template = body.v_template.cpu().numpy()
    anchor_of_texel, group_of_anchor, places = np.full(parts.shape, -1, np.int64), [], []
    for part in range(int(parts.max()) + 1):
        texels = np.argwhere(parts == part)
        if not len(texels):
            continue
        points = positions_m[tuple(texels.T)]
        chosen = points[_spread(points, ANCHORS)]
        anchor_of_texel[tuple(texels.T)] = sum(map(len, places)) + KDTree(chosen).query(points)[1]
        group_of_anchor.append(GROUPS * part + KDTree(chosen[:GROUPS]).query(chosen)[1])
        places.append(chosen)
    vertices = np.asarray(KDTree(template).query(np.concatenate(places))[1])

    def points_of(rotmats: Tensor, betas: Tensor) -> Tensor:
        return body.points(rotmats, betas, vertices)

    return Surface(anchor_of_texel, np.concatenate(group_of_anchor), points_of)


def _spread(points: Float[np.ndarray, "N 3"], count: int) -> Int[np.ndarray, "n"]:
    """Rows of points far apart: the middle one, then each the farthest from those before."""
    gap = np.linalg.norm(points - points.mean(0), axis=1)
    chosen = [int(gap.argmin())]
    gap = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


class SurfaceGap(Gap):
    """Gaps between pixels and points of the surface.

    Args:
        hidden: width of the regressor's hidden layer.
        surface: the body's.
    """

    anchor_of_texel: Tensor
    group_share: Tensor

    def __init__(self, hidden: int, surface: Surface) -> None:
        share = nn.functional.one_hot(torch.from_numpy(surface.group_of_anchor)).float()
        super().__init__(3 * share.shape[1], hidden)
        self.points_of = surface.points_of
        self.register_buffer(
            "anchor_of_texel", torch.from_numpy(surface.anchor_of_texel), persistent=False
        )
        self.register_buffer("group_share", share, persistent=False)

    @torch.no_grad()
    def observe(
        self, mask: Bool[Tensor, "B H W"], uv: Float[Tensor, "B H W 2"]
    ) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
        """Mean place of the pixels that show each anchor, crop-normalised, and how many do."""
        side, resolution = mask.shape[2], len(self.anchor_of_texel)
        crop, row, column = mask.nonzero(as_tuple=True)
        cell = (uv[crop, row, column] * resolution).long().clamp(0, resolution - 1)
        anchor = self.anchor_of_texel[cell[:, 1], cell[:, 0]]
        known = anchor >= 0
        count = len(self.group_share)
        index = (crop * count + anchor)[known]
        place = (torch.stack([column, row], dim=1)[known] + 0.5) * (2 / side) - 1
        found = uv.new_zeros(len(mask) * count, 3)
        found.index_add_(0, index, torch.cat([place, torch.ones_like(place[:, :1])], 1).to(uv))
        total, pixels = found.view(len(mask), count, 3).split([2, 1], dim=2)
        return total / pixels.clamp(min=1), pixels[..., 0]

    @torch.no_grad()
    def gaps(
        self,
        seen: tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]],
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        camera: Float[Tensor, "B 3"],
    ) -> Float[Tensor, "B G 3"]:
        """Of each group: pixel less point in the crop (2), and how much of it is seen."""
        places, pixels = seen
        weight = (pixels / SURE_PIXELS).clamp(max=1)
        gap = places - project_weak(self.points_of(rotmats, betas), camera)
        total = (weight[..., None] * gap).mT @ self.group_share  # [B, 2, G]
        weight = weight @ self.group_share
        gap = total / weight.clamp(min=1e-6)[:, None]  # zero where nothing is seen
        gap = torch.asinh(SHARPNESS * gap)
        share = weight / self.group_share.sum(0).clamp(min=1)  # a small atlas has fewer groups
        return torch.cat([gap.mT, share[..., None]], dim=2)

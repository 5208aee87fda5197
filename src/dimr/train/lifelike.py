"""Landmarks of synthetic people as good as those of photographs.

The original BlazePose network has learnt from photographs and is worse at drawn people. A head
that hears it on drawn people alone learns to doubt it, on photographs, too. So in some samples its
landmarks are moved to where they should be, but for a little noise.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.landmarks import ON_BODY, body_landmarks
from dimr.body.model import BodyModel

PLACE_NOISE = 0.02
"""Standard deviation of a landmark that is in sight, crop-normalised; of hidden ones more."""
WORLD_NOISE_M = 0.03
UNSEEN = 3.0
"""Noise grows by so many times for what is not visible at all."""
KNOWN = list(ON_BODY)
HIPS = [KNOWN.index(23), KNOWN.index(24)]
FOLLOWS = (
    *(0,) * 7, 7, 8, 0, 0, 11, 12, 13, 14, 15, 16, 19, 20, 19, 20, 19, 20,
    23, 24, 25, 26, 27, 28, 27, 28, 31, 32, *(23,) * 6,
)  # fmt: skip
"""With which landmark of `ON_BODY` each of the 39 moves."""


def lifelike_pose(
    pose: Float[Tensor, "B 39 8"],
    body: BodyModel,
    rotmats: Float[Tensor, "B 24 3 3"],
    betas: Float[Tensor, "B 10"],
    joints_norm: Float[Tensor, "B 24 2"],
) -> Float[Tensor, "B 39 8"]:
    """What the network might have said had it been right.

    Args:
        pose: what it said (`dimr.correspondence.hint.look_at_pose`).
        body: whose parameters these are.
        rotmats: the truth.
        betas: the truth.
        joints_norm: true joints in the crop.
    """
    points = body_landmarks(body, rotmats, betas)
    scale, shift = _weak_camera(body.joints(rotmats, betas)[..., :2], joints_norm)
    world = points - points[:, HIPS].mean(1, keepdim=True)
    visible = pose[..., 3:5]
    visible = 1 - (1 - visible) * torch.rand(len(pose), 1, 1)
    noise = 1 + UNSEEN * (1 - visible[:, KNOWN, :1])
    place = torch.cat([scale * points[..., :2] + shift, scale * world[..., 2:]], dim=-1)
    place = place + PLACE_NOISE * noise * torch.randn_like(place)
    world = world + WORLD_NOISE_M * noise * torch.randn_like(world)
    said = torch.cat([pose[:, KNOWN, :3], pose[:, KNOWN, 5:]], dim=-1)
    moved = torch.cat([place, world], dim=-1) - said
    moved = moved[:, [KNOWN.index(each) for each in FOLLOWS]]
    return torch.cat([pose[..., :3] + moved[..., :3], visible, pose[..., 5:] + moved[..., 3:]], -1)


def _weak_camera(
    points: Float[Tensor, "B J 2"], places: Float[Tensor, "B J 2"]
) -> tuple[Float[Tensor, "B 1 1"], Float[Tensor, "B 1 2"]]:
    """Least-squares scale and shift with places ~ scale * points + shift."""
    from_mean, to_mean = points.mean(1, keepdim=True), places.mean(1, keepdim=True)
    centred = points - from_mean
    scale = (centred * (places - to_mean)).sum((1, 2)) / centred.square().sum((1, 2))
    scale = scale[:, None, None]
    return scale, to_mean - scale * from_mean

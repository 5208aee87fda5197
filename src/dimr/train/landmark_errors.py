"""Where landmarks are, and landmarks for bodies without a picture: with errors of others.

A head that learns from IUVs alone hears landmarks, too: true places with the errors that the
landmark network made of drawn people.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.landmarks import ON_BODY, Offset, body_landmarks
from dimr.body.model import BodyModel

KNOWN = list(ON_BODY)
HIPS = 23, 24
FOLLOWS = (
    *(0,) * 7, 7, 8, 0, 0, 11, 12, 13, 14, 15, 16, 19, 20, 19, 20, 19, 20,
    23, 24, 25, 26, 27, 28, 27, 28, 31, 32, *(23,) * 6,
)  # fmt: skip
"""With which landmark of `ON_BODY` each of the 39 moves."""
LEADERS = [KNOWN.index(each) for each in FOLLOWS]


def landmark_places(
    body: BodyModel,
    rotmats: Float[Tensor, "B 24 3 3"],
    betas: Float[Tensor, "B 10"],
    joints_norm: Float[Tensor, "B 24 2"],
    table: Mapping[int, Offset] = ON_BODY,
) -> Float[Tensor, "B K 6"]:
    """Where a table's landmarks are: x, y, z in the crop, x, y, z in metres from the hips.

    Args:
        body: whose parameters these are.
        rotmats: the truth.
        betas: the truth.
        joints_norm: true joints in the crop.
        table: hips among them.
    """
    points = body_landmarks(body, rotmats, betas, table)
    hips = [list(table).index(each) for each in HIPS]
    scale, shift = _weak_camera(body.joints(rotmats, betas)[..., :2], joints_norm)
    world = points - points[:, hips].mean(1, keepdim=True)
    return torch.cat([scale * points[..., :2] + shift, scale * world[..., 2:], world], dim=-1)


class BorrowedErrors:
    """Landmarks for bodies that nobody has drawn: where they are, and what was wrong elsewhere.

    Each body gets what the network said of another, drawn one too much.

    Args:
        pose: what the network said of drawn people.
        places: where their landmarks are (`landmark_places`).
    """

    def __init__(
        self,
        pose: Float[Tensor, "N 39 10"],
        places: Float[Tensor, "N K 6"],
    ) -> None:
        self.errors = _places_of(pose) - places[:, LEADERS]
        self.visible, self.spread = pose[..., 3:5], pose[..., 8:]

    def pose_at(self, places: Float[Tensor, "B K 6"]) -> Float[Tensor, "B 39 10"]:
        """Landmarks in the form of `dimr.correspondence.landmarks.look_at_pose`."""
        rows = torch.randint(len(self.errors), (len(places),))
        own = places[:, LEADERS] + self.errors[rows]
        parts = own[..., :3], self.visible[rows], own[..., 3:], self.spread[rows]
        return torch.cat(parts, dim=-1)


def _places_of(pose: Float[Tensor, "B 39 10"]) -> Float[Tensor, "B 39 6"]:
    return torch.cat([pose[..., :3], pose[..., 5:8]], dim=-1)


def _weak_camera(
    points: Float[Tensor, "B J 2"], places: Float[Tensor, "B J 2"]
) -> tuple[Float[Tensor, "B 1 1"], Float[Tensor, "B 1 2"]]:
    """Least-squares scale and shift with places ~ scale * points + shift."""
    from_mean, to_mean = points.mean(1, keepdim=True), places.mean(1, keepdim=True)
    centred = points - from_mean
    scale = (centred * (places - to_mean)).sum((1, 2)) / centred.square().sum((1, 2))
    scale = scale[:, None, None]
    return scale, to_mean - scale * from_mean

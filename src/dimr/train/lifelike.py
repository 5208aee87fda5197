"""Landmarks of synthetic people: as good as those of photographs, or without a picture.

The original BlazePose network has learnt from photographs and is worse at drawn people. A head
that hears it on drawn people alone learns to doubt it, on photographs, too. So in some samples its
landmarks are moved to where they should be, but for a little noise.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dimr.body.landmarks import ON_BODY, believed, body_landmarks
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
LEADERS = [KNOWN.index(each) for each in FOLLOWS]


def landmark_places(
    body: BodyModel,
    rotmats: Float[Tensor, "B 24 3 3"],
    betas: Float[Tensor, "B 10"],
    joints_norm: Float[Tensor, "B 24 2"],
) -> Float[Tensor, "B K 6"]:
    """Where the landmarks of `ON_BODY` are: x, y, z in the crop, x, y, z in metres from the hips.

    Args:
        body: whose parameters these are.
        rotmats: the truth.
        betas: the truth.
        joints_norm: true joints in the crop.
    """
    points = body_landmarks(body, rotmats, betas)
    scale, shift = _weak_camera(body.joints(rotmats, betas)[..., :2], joints_norm)
    world = points - points[:, HIPS].mean(1, keepdim=True)
    return torch.cat([scale * points[..., :2] + shift, scale * world[..., 2:], world], dim=-1)


def lifelike_pose(
    pose: Float[Tensor, "B 39 8"], places: Float[Tensor, "B K 6"]
) -> Float[Tensor, "B 39 8"]:
    """What the network might have said had it been right.

    Args:
        pose: what it said (`dimr.correspondence.hint.look_at_pose`).
        places: `landmark_places`.
    """
    visible = pose[..., 3:5]
    visible = 1 - (1 - visible) * torch.rand(len(pose), 1, 1)
    noise = 1 + UNSEEN * (1 - visible[:, KNOWN, :1])
    deviation = pose.new_tensor([PLACE_NOISE] * 3 + [WORLD_NOISE_M] * 3)
    moved = places + deviation * noise * torch.randn_like(places) - _places_of(pose)[:, KNOWN]
    return _join(_places_of(pose) + moved[:, LEADERS], visible)


class BorrowedErrors:
    """Landmarks for bodies that nobody has drawn: where they are, and what was wrong elsewhere.

    Each body gets what the network said of another, drawn one too much.

    Args:
        pose: what the network said of drawn people.
        places: where their landmarks are (`landmark_places`).
        mask: where they are themselves; landmarks that are not `believed` lend nothing.
    """

    def __init__(
        self,
        pose: Float[Tensor, "N 39 8"],
        places: Float[Tensor, "N K 6"],
        mask: Bool[Tensor, "N h w"],
    ) -> None:
        likely = believed(pose, mask)
        self.errors = (_places_of(pose) - places[:, LEADERS])[likely]
        self.visible = pose[likely][..., 3:5]

    def pose_at(self, places: Float[Tensor, "B K 6"]) -> Float[Tensor, "B 39 8"]:
        """Landmarks in the form of `dimr.correspondence.hint.look_at_pose`."""
        rows = torch.randint(len(self.errors), (len(places),))
        return _join(places[:, LEADERS] + self.errors[rows], self.visible[rows])


def _places_of(pose: Float[Tensor, "B 39 8"]) -> Float[Tensor, "B 39 6"]:
    return torch.cat([pose[..., :3], pose[..., 5:]], dim=-1)


def _join(
    places: Float[Tensor, "B 39 6"], visible: Float[Tensor, "B 39 2"]
) -> Float[Tensor, "B 39 8"]:
    return torch.cat([places[..., :3], visible, places[..., 3:]], dim=-1)


def _weak_camera(
    points: Float[Tensor, "B J 2"], places: Float[Tensor, "B J 2"]
) -> tuple[Float[Tensor, "B 1 1"], Float[Tensor, "B 1 2"]]:
    """Least-squares scale and shift with places ~ scale * points + shift."""
    from_mean, to_mean = points.mean(1, keepdim=True), places.mean(1, keepdim=True)
    centred = points - from_mean
    scale = (centred * (places - to_mean)).sum((1, 2)) / centred.square().sum((1, 2))
    scale = scale[:, None, None]
    return scale, to_mean - scale * from_mean

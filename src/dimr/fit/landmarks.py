"""What the landmark network says of a crop, as something to lay the body on.

Its landmarks are joints seen by a network that began with photographs: less exact than a good
IUV, but of other errors. Each is taken for a point that moves with a bone, at an offset from a
SMPL joint that `scripts/landmark_offsets.py` measures on synthetic people (the network's hips and
shoulders lie elsewhere than SMPL's). Their places in the crop pull in two dimensions; the world
landmarks weakly in three, relative to their own mean.
"""

from jaxtyping import Float
from torch import Tensor

from dimr.body.landmarks import LIMB_LANDMARKS, ON_BODY, offsets_of
from dimr.body.model import BodyModel
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.fit.geometry import bone_points
from dimr.fit.terms import Term

PLACE_NOISE = 0.03
"""Standard deviation of places that the network is sure of, crop-normalised (2.9 px of 192)."""
WORLD_NOISE = 0.05
"""The same of world landmarks, metres."""
INSIDE_POWER = 3.0
"""A landmark counts with its visibility, with its being inside of the picture to this power,"""
SPREAD_SHARE = 0.1
"""and with this share of its expected error beside the noise: all of it would leave people in rare
poses where they are, whose landmarks are unsure but better than stage 2's joints."""


MOSTLY_SEEN = 0.6
"""Mean visibility of limbs from which landmarks know somebody: they may move the body far, and
stage 2 is asked once more."""


def limbs_seen(landmarks: Float[Tensor, "L 10"] | None) -> float:
    """Mean visibility of `LIMB_LANDMARKS`; 0 without landmarks."""
    return 0.0 if landmarks is None else float(landmarks[list(LIMB_LANDMARKS), 3].mean())


def landmark_terms(landmarks: Float[Tensor, "L 10"], body: BodyModel) -> list[Term]:
    """Places and world landmarks of a person; each counts as far as it is seen, inside and sure.

    Raises:
        ValueError: for another shape or numbers that are not finite.
    """
    if len(landmarks) != NUM_LANDMARKS:
        raise ValueError(f"landmarks: got {len(landmarks)}, want {NUM_LANDMARKS}")
    if not landmarks.isfinite().all():
        raise ValueError("landmarks: got numbers that are not finite")
    own = landmarks[list(ON_BODY)].cpu().float()
    points = bone_points(body, *offsets_of())
    places, world_m, spread = own[:, :2], own[:, 5:8], SPREAD_SHARE * own[:, 8:]
    noise = spread.new_tensor([PLACE_NOISE, WORLD_NOISE])
    visible, inside = own[:, 3:5].clamp(0, 1).split(1, dim=1)
    visible = visible * inside**INSIDE_POWER
    in_crop, in_metres = (visible * noise**2 / (noise**2 + spread**2)).unbind(-1)
    origin = in_metres / in_metres.sum().clamp(min=1e-6)
    return [
        Term(points, places, in_crop, PLACE_NOISE, "landmark"),
        Term(points, world_m - origin @ world_m, in_metres, WORLD_NOISE, "landmark", origin),
    ]

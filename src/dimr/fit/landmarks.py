"""What the landmark network says of a crop, as something to lay the body on.

Its landmarks are joints seen by a network that began with photographs: less exact than a good
IUV, but of other errors. Each is taken for a point that moves with a bone, at an offset from a
SMPL joint that `scripts/landmark_offsets.py` measures on synthetic people (the network's hips and
shoulders lie elsewhere than SMPL's). Their places in the crop pull in two dimensions; the world
landmarks weakly in three, relative to their own mean.
"""

from jaxtyping import Float
from torch import Tensor

from dimr.body.landmarks import ON_BODY, offsets_of
from dimr.body.model import BodyModel
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.fit.geometry import bone_points
from dimr.fit.terms import Term

VISIBILITY_POWER = 4.0
"""A landmark counts with its visibility to this power."""
PLACE_NOISE = 0.05
"""Standard deviation of places, crop-normalised (4.8 px of 192): the median error of what is seen
of synthetic people is 0.03 to 0.05 m, and as much crop-normalised."""
WORLD_NOISE = 0.2
"""Standard deviation of world landmarks, metres."""


def landmark_terms(landmarks: Float[Tensor, "L 8"], body: BodyModel) -> list[Term]:
    """Places and world landmarks of a person.

    Raises:
        ValueError: for another shape or numbers that are not finite.
    """
    if len(landmarks) != NUM_LANDMARKS:
        raise ValueError(f"landmarks: got {len(landmarks)}, want {NUM_LANDMARKS}")
    if not landmarks.isfinite().all():
        raise ValueError("landmarks: got numbers that are not finite")
    own = landmarks[list(ON_BODY)].cpu().float()
    points = bone_points(body, *offsets_of())
    places, world_m = own[:, :2], own[:, 5:]
    trust = own[:, 3].clamp(0, 1) ** VISIBILITY_POWER
    origin = trust / trust.sum().clamp(min=1e-6)
    return [
        Term(points, places, trust, PLACE_NOISE, "landmark"),
        Term(points, world_m - origin @ world_m, trust, WORLD_NOISE, "landmark", origin),
    ]

"""What the original BlazePose network says of a crop, as something to lay the body on.

Its landmarks are joints seen by a network that learned from photographs: less exact than a good
IUV, but of other errors. Each is taken for a point that moves with a bone, at an offset from a
SMPL joint that `scripts/landmark_offsets.py` measures on synthetic people (the network's hips and
shoulders lie elsewhere than SMPL's). Their places in the crop pull in two dimensions; the world
landmarks weakly in three, relative to their own mean. They may be somebody else's: unless nearly
all that the network sees lies on the person's mask they are not heard at all.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dimr.body.landmarks import (
    BONES,
    JOINTS,
    OFFSETS_M,
    ON_BODY,
    VISIBILITY_POWER,
    believed,
)
from dimr.body.model import BodyModel
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.fit.geometry import bone_points
from dimr.fit.terms import Term

PLACE_NOISE = 0.05
"""Standard deviation of places, crop-normalised (4.8 px of 192): the median error of what is seen
of synthetic people is 0.03 to 0.05 m, and as much crop-normalised."""
WORLD_NOISE = 0.2
"""Standard deviation of world landmarks, metres."""


def landmark_terms(
    landmarks: Float[Tensor, "L 8"], mask: Bool[np.ndarray, "H H"], body: BodyModel
) -> list[Term]:
    """Places and world landmarks of the person of the mask; trust 0 where somebody else's.

    Raises:
        ValueError: for another shape or numbers that are not finite.
    """
    if len(landmarks) != NUM_LANDMARKS:
        raise ValueError(f"landmarks: got {len(landmarks)}, want {NUM_LANDMARKS}")
    if not landmarks.isfinite().all():
        raise ValueError("landmarks: got numbers that are not finite")
    own = landmarks[list(ON_BODY)].cpu().float()
    points = bone_points(body, JOINTS, BONES, OFFSETS_M)
    places, world_m = own[:, :2], own[:, 5:]
    heard = believed(landmarks[None].cpu(), torch.from_numpy(mask)[None])
    trust = own[:, 3].clamp(0, 1) ** VISIBILITY_POWER * heard
    origin = trust / trust.sum().clamp(min=1e-6)
    return [
        Term(points, places, trust, PLACE_NOISE, "landmark"),
        Term(points, world_m - origin @ world_m, trust, WORLD_NOISE, "landmark", origin),
    ]

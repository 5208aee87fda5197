"""What the original BlazePose network says of a crop, as something to lay the body on.

Its landmarks are joints seen by a network that learned from photographs: less exact than a good
IUV, but of other errors. Each is taken for a point that moves with a bone, at an offset from a
SMPL joint that `scripts/landmark_offsets.py` measures on synthetic people (the network's hips and
shoulders lie elsewhere than SMPL's). Their places in the crop pull in two dimensions; the world
landmarks weakly in three, relative to their own mean. They may be somebody else's: unless nearly
all that the network sees lies on the person's mask they are not heard at all.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from dimr.body.landmarks import BONES, JOINTS, OFFSETS_M, ON_BODY
from dimr.body.model import BodyModel
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.fit.geometry import as_tensor, bone_points
from dimr.fit.terms import Term
from dimr.image.crop import norm_to_crop

VISIBILITY_POWER = 4.0
"""A landmark's weight is its visibility to this power."""
PLACE_NOISE = 0.05
"""Standard deviation of places, crop-normalised (4.8 px of 192): the median error of what is seen
of synthetic people is 0.03 to 0.05 m, and as much crop-normalised."""
WORLD_NOISE = 0.2
"""Standard deviation of world landmarks, metres."""
NEAR = 0.05
"""A landmark within this distance of the mask lies on it, crop-normalised."""
ON_MASK = 0.9
"""Share of what is seen that must lie on the mask."""
SEEN = 0.75
"""Mean visibility from which landmarks are heard: of somebody of whom little is to be seen, even
what is seen is misplaced."""


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
    trust = own[:, 3].clamp(0, 1) ** VISIBILITY_POWER
    on_mask = as_tensor(distance_to_mask(mask, places.numpy()) <= NEAR)
    if own[:, 3].mean() < SEEN or trust @ on_mask < ON_MASK * trust.sum():
        trust = torch.zeros_like(trust)
    origin = trust / trust.sum().clamp(min=1e-6)
    return [
        Term(points, places, trust, PLACE_NOISE, "landmark"),
        Term(points, world_m - origin @ world_m, trust, WORLD_NOISE, "landmark", origin),
    ]


def distance_to_mask(
    mask: Bool[np.ndarray, "H H"], places_norm: Float[np.ndarray, "N 2"]
) -> Float32[np.ndarray, "N"]:
    """Distance from the nearest pixel of a mask (infinite without one), crop-normalised.

    Within the crop it is exact to a pixel; for places outside it is an upper bound.
    """
    if not mask.any():
        return np.full(len(places_norm), np.inf, np.float32)
    size = len(mask)
    gap_px = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    place_px = norm_to_crop(places_norm, size)
    inside = np.clip(place_px, 0, size - 1)
    col, row = np.rint(inside).astype(np.intp).T
    beyond_px = np.linalg.norm(place_px - inside, axis=1)
    return ((gap_px[row, col] + beyond_px) * (2 / size)).astype(np.float32)

"""Candidate windows -> people: the original BlazePose network looks again and says yes or no.

The correspondence network finds people anywhere in a picture, but its first training makes it see
people in flags and helmets. The network that its encoder comes from was trained on real
photographs of single people: given a window it knows whether somebody is there, where the body
lies, and the body's outline; of the latter its larger sibling knows as much, and their mean is
nearer than either. In a crowd they see the most prominent person, so those who are known already
are greyed out while they look for others. Windows are moved the way MediaPipe tracks people: two
auxiliary landmarks, the middle of the hips and a point on the circle around the whole body, give
the next window's place, size and rotation. The first ones come from those who were sighted
(`sightings.py`), with a rotation of their own, and from candidates of the first pass.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from dimr.correspondence.looks import WINDOW_MARGIN
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.blazepose import CIRCLE, HIPS, LANDMARK_SIZE, BlazePose
from dimr.encoder.blazepose_heavy import BlazePoseHeavy
from dimr.image.crop import (
    crop_picture,
    crop_to_full,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.types import Crop, Detection

GREY = 0.5
MAYBE_PRESENT = 0.2
"""Presence below which a first look is not followed by a second."""
PRESENT = 0.5
"""Presence below which a second look is nobody."""
SAME_PERSON = 0.5
"""Mask IoU from which two people are one."""


def next_window(landmarks_px: Float[np.ndarray, "39 5"], window: Crop) -> Crop | None:
    """Where MediaPipe would look next; None if the landmarks make no window."""
    return upright_window(
        *crop_to_full(window, landmarks_px[[HIPS, CIRCLE], :2].astype(np.float64))
    )


def upright_window(hips: Float[np.ndarray, "2"], circle: Float[np.ndarray, "2"]) -> Crop | None:
    """The window around a body that stands upright in it; None if there is none."""
    upwards = circle - hips
    radius = float(np.hypot(*upwards))
    if not np.isfinite(radius) or radius < 2:
        return None
    angle = float(np.arctan2(upwards[0], -upwards[1]))  # zero when the body stands upright
    return Crop(tuple(hips.tolist()), 2 * radius * WINDOW_MARGIN, LANDMARK_SIZE, angle)


def window_tensor(
    network: nn.Module, picture: UInt8[np.ndarray, "H W 3"], window: Crop
) -> Float[Tensor, "1 3 S S"]:
    """What a network gets of a window, where its weights are."""
    place = next(network.parameters()).device
    return picture_to_tensor(crop_picture(picture, window)).to(place)


def glance(
    network: BlazePose, picture: UInt8[np.ndarray, "H W 3"], window: Crop
) -> tuple[Float[np.ndarray, "39 5"], Float[np.ndarray, "39 3"], float]:
    """Landmarks in pixels of a window, the same in metres along its axes, and presence."""
    landmarks_px, world_m, presence = network.find_landmarks(
        window_tensor(network, picture, window)
    )
    return landmarks_px[0].cpu().numpy(), world_m[0].cpu().numpy(), float(presence[0])


def track(network: BlazePose, picture: UInt8[np.ndarray, "H W 3"], window: Crop) -> Crop | None:
    """The window of the next look; None if this one sees nobody."""
    landmarks_px, _, presence = glance(network, picture, window)
    return next_window(landmarks_px, window) if presence >= MAYBE_PRESENT else None


def grey_others(
    picture: UInt8[np.ndarray, "H W 3"], others: Bool[np.ndarray, "H W"] | None
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture without people who are not looked for."""
    if others is None:
        return picture
    return np.where(others[..., None], np.uint8(GREY * 255), picture)


def confirm(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    known: Bool[np.ndarray, "H W"] | None = None,
    least: float = PRESENT,
    larger: BlazePoseHeavy | None = None,
) -> Detection | None:
    """The person in a window, or None.

    Args:
        network: the original one.
        picture: RGB.
        window: where to look first.
        known: pixels of people who are not looked for.
        least: presence at the second look below which there is nobody.
        larger: has as much say at the second look.
    """
    picture = grey_others(picture, known)
    moved = track(network, picture, window)
    if moved is None:
        return None
    image = window_tensor(network, picture, moved)
    last = network(image)
    presence, inside = float(last.presence[0]), last.mask_logits.sigmoid()
    if larger is not None and presence >= least**2:  # else no other presence makes it enough
        mask_logits, other = larger.outline(image)
        inside = (inside + mask_logits.sigmoid()) / 2
        presence = math.sqrt(presence * float(other[0]))
    if presence < least:
        return None
    probability = inside[0, 0].cpu().numpy()
    mask = uncrop_picture(probability, moved, (picture.shape[1], picture.shape[0])) > 0.5
    return mask_to_detection(presence, mask) if mask.any() else None


def distinct_people(found: list[Detection]) -> list[Detection]:
    """The surest of each group of detections whose masks are much the same."""
    kept: list[Detection] = []
    for person in sorted(found, key=lambda detection: -detection.score):
        if is_new(person, kept):
            kept.append(person)
    return kept


def overlap(mask: Bool[np.ndarray, "H W"], other: Bool[np.ndarray, "H W"]) -> float:
    """Intersection over the smaller of two masks: a part of somebody is not another person."""
    return float((mask & other).sum() / min(mask.sum(), other.sum()))


def is_new(person: Detection, known: list[Detection]) -> bool:
    """Whether somebody is none of those who are known."""
    return all(overlap(person.mask, other.mask) < SAME_PERSON for other in known)


def pixels_of(people: list[Detection]) -> Bool[np.ndarray, "H W"]:
    """Of one or more people."""
    return np.any([person.mask for person in people], axis=0)

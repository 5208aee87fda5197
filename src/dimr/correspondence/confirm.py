"""Candidate windows -> people: the original BlazePose network looks again and says yes or no.

The correspondence network finds people anywhere in a picture, but its first training makes it see
people in flags and helmets. The network that its encoder comes from was trained on real
photographs of single people: given a window it knows whether somebody is there, where the body
lies, and the body's outline. In a crowd it sees the most prominent person, so those who are known
already are greyed out while it looks for others. Windows are moved the way MediaPipe tracks
people: two auxiliary landmarks, the middle of the hips and a point on the circle around the whole
body, give the next window's place, size and rotation. People who lie or stand on their hands are
found by turning the first window.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from dimr.correspondence.landmarks import TURNS_RAD, WINDOW_MARGIN
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.blazepose import CIRCLE, HIPS, LANDMARK_SIZE, BlazePose, BlazePoseOutput
from dimr.image.crop import (
    crop_picture,
    crop_to_full,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.types import Crop, Detection

GREY = 0.5
CERTAIN = 0.97
"""Presence below which somebody who is seen in a window that was turned is nobody."""
MAYBE_PRESENT = 0.2
"""Presence below which a first look is not followed by a second."""
PRESENT = 0.5
"""Presence below which a second look is nobody."""
SAME_PERSON = 0.5
"""Mask IoU from which two people are one."""
TURNED_IOU = 0.3
"""Mask IoU with the candidate below which it shows somebody else: mostly nobody."""
PORTRAIT_IOU = 0.5
"""The same for portraits, which are large."""
EXPLAINED = 0.5
"""Share of the first pass's pixels up to which somebody is no reason for them."""
ROOM = 1.4
"""Side of the window around somebody who may fill the picture, in sides of the picture."""
TURNED_LOOKS = 3
"""At a window that was turned; others get two."""


def next_window(landmarks_px: Float[np.ndarray, "39 5"], window: Crop) -> Crop | None:
    """Where MediaPipe would look next; None if the landmarks make no window."""
    hips, circle = crop_to_full(window, landmarks_px[[HIPS, CIRCLE], :2].astype(np.float64))
    upwards = circle - hips
    radius = float(np.hypot(*upwards))
    if not np.isfinite(radius) or radius < 2:
        return None
    angle = float(np.arctan2(upwards[0], -upwards[1]))  # zero when the body stands upright
    return Crop(tuple(hips.tolist()), 2 * radius * WINDOW_MARGIN, LANDMARK_SIZE, angle)


def glance(
    network: BlazePose, picture: UInt8[np.ndarray, "H W 3"], window: Crop
) -> tuple[Float[np.ndarray, "39 5"], Float[np.ndarray, "39 3"], float]:
    """Landmarks in pixels of a window, the same in metres along its axes, and presence."""
    place = next(network.parameters()).device
    image = picture_to_tensor(crop_picture(picture, window)).to(place)
    landmarks_px, world_m, presence = network.find_landmarks(image)
    return landmarks_px[0].cpu().numpy(), world_m[0].cpu().numpy(), float(presence[0])


def track(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    least: float = MAYBE_PRESENT,
) -> Crop | None:
    """The window of the next look; None if this one's presence is below `least`."""
    landmarks_px, _, presence = glance(network, picture, window)
    return next_window(landmarks_px, window) if presence >= least else None


def grey_others(
    picture: UInt8[np.ndarray, "H W 3"], others: Bool[np.ndarray, "H W"] | None
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture without people who are not looked for."""
    if others is None:
        return picture
    return np.where(others[..., None], np.uint8(GREY * 255), picture)


def look(network: BlazePose, picture: UInt8[np.ndarray, "H W 3"], window: Crop) -> BlazePoseOutput:
    """The network's answer about one window."""
    place = next(network.parameters()).device
    return network(picture_to_tensor(crop_picture(picture, window)).to(place))


def confirm(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    known: Bool[np.ndarray, "H W"] | None = None,
) -> Detection | None:
    """The person in a window, or None.

    Args:
        network: the original one.
        picture: RGB.
        window: where to look first.
        known: pixels of people who are not looked for.
    """
    return _follow(network, grey_others(picture, known), window, 2, PRESENT)


def confirm_turned(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    candidate: Bool[np.ndarray, "H W"],
    known: Bool[np.ndarray, "H W"] | None = None,
) -> Detection | None:
    """The same for somebody who lies or stands on their hands.

    There must be a reason to look for them: the network sees them in things. So `candidate`, whom
    the first pass saw, has to be much the same pixels.
    """
    seen = _seen_turned(network, grey_others(picture, known), window, TURNS_RAD[1:], MAYBE_PRESENT)
    return next((person for person in seen if same_pixels(person.mask, candidate)), None)


def find_portrait(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    everyone: Bool[np.ndarray, "H W"],
) -> Detection | None:
    """Somebody who fills a picture in which nobody was found.

    The network wants room around a head: with some, it sees portraits, and people in things. So
    they have to be much the same pixels as `everyone`, whom the first pass saw.
    """
    person = confirm(network, picture, replace(window, side_px=ROOM * window.side_px))
    if person is None or not same_pixels(person.mask, everyone, PORTRAIT_IOU):
        return None
    return person


def find_anybody(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    everyone: Bool[np.ndarray, "H W"],
) -> Detection | None:
    """The surest person of a picture in which nobody was found, looked for in every rotation.

    There must be a reason to, here, too: they have to explain most of `everyone`, the pixels that
    the first pass takes for people.
    """
    least = EXPLAINED * everyone.sum()
    seen = _seen_turned(network, picture, window, TURNS_RAD, maybe=0.0)
    explaining = (person for person in seen if (person.mask & everyone).sum() > least)
    return max(explaining, key=lambda person: person.score, default=None)


def _seen_turned(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    turns_rad: Sequence[float],
    maybe: float,
) -> Iterator[Detection]:
    """Who is there for certain when a window is turned, one turn after the other."""
    for turn_rad in turns_rad:
        turned = replace(window, angle_rad=window.angle_rad + turn_rad)
        found = _follow(network, picture, turned, TURNED_LOOKS, CERTAIN, maybe)
        if found is not None:
            yield found


def _follow(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop | None,
    looks: int,
    least: float,
    maybe: float = MAYBE_PRESENT,
) -> Detection | None:
    """Whom some looks end at: each as sure of them as `maybe`, the last one as `least`."""
    for _ in range(looks - 1):
        window = None if window is None else track(network, picture, window, maybe)
    if window is None:
        return None
    last = look(network, picture, window)
    presence = float(last.presence[0])
    if presence < least:
        return None
    probability = torch.sigmoid(last.mask_logits[0, 0]).cpu().numpy()
    mask = uncrop_picture(probability, window, (picture.shape[1], picture.shape[0])) > 0.5
    return mask_to_detection(presence, mask) if mask.any() else None


def distinct_people(found: list[Detection]) -> list[Detection]:
    """The surest of each group of detections whose masks are much the same."""
    kept: list[Detection] = []
    for person in sorted(found, key=lambda detection: -detection.score):
        if all(overlap(person.mask, other.mask) < SAME_PERSON for other in kept):
            kept.append(person)
    return kept


def same_pixels(
    mask: Bool[np.ndarray, "H W"],
    candidate: Bool[np.ndarray, "H W"],
    least_iou: float = TURNED_IOU,
) -> bool:
    """Whether somebody seen in a window of another kind is the candidate it was made for."""
    return bool((mask & candidate).sum() >= least_iou * (mask | candidate).sum())


def overlap(mask: Bool[np.ndarray, "H W"], other: Bool[np.ndarray, "H W"]) -> float:
    """Intersection over the smaller of two masks: a part of somebody is not another person."""
    return float((mask & other).sum() / min(mask.sum(), other.sum()))

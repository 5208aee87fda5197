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

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from dimr.correspondence.hint import CIRCLE, GREY, HIPS, WINDOW_MARGIN
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.blazepose import LANDMARK_SIZE, BlazePose, BlazePoseOutput
from dimr.image.crop import (
    crop_picture,
    crop_to_full,
    crop_to_norm,
    full_to_crop,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.types import Crop, Detection

MAYBE_PRESENT = 0.2
"""Presence below which a first look is not followed by a second."""
PRESENT = 0.5
"""Presence below which a second look is nobody."""
SURE = 0.9
"""Presence from which, at both looks, the landmarks themselves are believed."""
SAME_PERSON = 0.5
"""Mask IoU from which two people are one."""
TURNS_RAD = (0.0, np.pi / 2, -np.pi / 2, np.pi)
"""Rotations of the first window, tried until somebody is there."""
CERTAIN = 0.97
"""Presence below which a window that was turned shows nobody."""
TURNED_IOU = 0.3
"""Mask IoU with the candidate below which it shows somebody else: mostly nobody."""
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
    """The window of the second look; None if the first one's presence is below `least`."""
    landmarks_px, _, presence = glance(network, picture, window)
    return next_window(landmarks_px, window) if presence >= least else None


def grey_others(
    picture: UInt8[np.ndarray, "H W 3"], others: Bool[np.ndarray, "H W"] | None
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture without people who are not looked for."""
    if others is None:
        return picture
    return np.where(others[..., None], np.uint8(GREY * 255), picture)


def find_pose(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    others: Bool[np.ndarray, "H W"] | None = None,
    angle_rad: float = 0.0,
) -> Float[Tensor, "39 8"] | None:
    """Landmarks of the person in a window, of two looks; None unless both are sure.

    What `dimr.correspondence.hint.look_at_pose` says at one look, in the same order and in the
    coordinates of `window`, but more exact: the second window is upright and fits the body.

    Args:
        network: the original one.
        picture: RGB.
        window: where to look first, and whose coordinates are used.
        others: pixels of people who are not looked for.
        angle_rad: how far the person is turned, clockwise from upright in the window.
    """
    picture = grey_others(picture, others)
    first = replace(window, size=LANDMARK_SIZE, angle_rad=window.angle_rad + angle_rad)
    moved = track(network, picture, first, SURE)
    if moved is None:
        return None
    landmarks_px, world_m, presence = glance(network, picture, moved)
    if not presence >= SURE:
        return None
    landmarks = torch.from_numpy(landmarks_px)
    place = full_to_crop(window, crop_to_full(moved, landmarks_px[:, :2].astype(np.float64)))
    depth = landmarks[:, 2:3] * (2 / LANDMARK_SIZE * moved.side_px / window.side_px)
    turned = replace(moved, angle_rad=moved.angle_rad - window.angle_rad)
    world_m = window_to_camera(world_m, turned)
    return torch.cat(
        [
            torch.from_numpy(crop_to_norm(place, window.size)).float(),
            depth,
            landmarks[:, 3:].sigmoid(),
            torch.from_numpy(world_m),
        ],
        dim=1,
    )


def window_to_camera(points_m: Float[np.ndarray, "N 3"], window: Crop) -> Float[np.ndarray, "N 3"]:
    """Points along the axes of a rotated window, along the camera's."""
    cos, sin = np.cos(window.angle_rad), np.sin(window.angle_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return (points_m @ turn.T).astype(np.float32)


def look(network: BlazePose, picture: UInt8[np.ndarray, "H W 3"], window: Crop) -> BlazePoseOutput:
    """The network's answer about one window."""
    place = next(network.parameters()).device
    return network(picture_to_tensor(crop_picture(picture, window)).to(place))


def confirm(
    network: BlazePose,
    picture: UInt8[np.ndarray, "H W 3"],
    window: Crop,
    known: Bool[np.ndarray, "H W"] | None = None,
    turn: bool = False,
) -> Detection | None:
    """The person in a window, or None.

    Args:
        network: the original one.
        picture: RGB.
        window: where to look first.
        known: pixels of people who are not looked for.
        turn: whether to look for people who lie or stand on their hands, too. There must be a
            reason to: the network sees them in things.
    """
    picture = grey_others(picture, known)
    for turn_rad in TURNS_RAD if turn else TURNS_RAD[:1]:
        looks, least = (TURNED_LOOKS, CERTAIN) if turn_rad else (2, PRESENT)
        moved = replace(window, angle_rad=window.angle_rad + turn_rad)
        for _ in range(looks - 1):
            moved = None if moved is None else track(network, picture, moved)
        if moved is None:
            continue
        last = look(network, picture, moved)
        presence = float(last.presence[0])
        if presence < least:
            continue
        probability = torch.sigmoid(last.mask_logits[0, 0]).cpu().numpy()
        size = picture.shape[1], picture.shape[0]
        mask = uncrop_picture(probability, moved, size) > 0.5
        if mask.any():
            found = mask_to_detection(presence, mask)
            return found._replace(angle_rad=moved.angle_rad) if turn_rad else found
    return None


def distinct_people(found: list[Detection]) -> list[Detection]:
    """The surest of each group of detections whose masks are much the same."""
    kept: list[Detection] = []
    for person in sorted(found, key=lambda detection: -detection.score):
        if all(overlap(person.mask, other.mask) < SAME_PERSON for other in kept):
            kept.append(person)
    return kept


def same_pixels(person: Detection, candidate: Detection) -> bool:
    """Whether somebody seen in a window that was turned is the candidate it was turned for."""
    both = (person.mask & candidate.mask).sum()
    return bool(both >= TURNED_IOU * (person.mask | candidate.mask).sum())


def overlap(mask: Bool[np.ndarray, "H W"], other: Bool[np.ndarray, "H W"]) -> float:
    """Intersection over the smaller of two masks: a part of somebody is not another person."""
    return float((mask & other).sum() / min(mask.sum(), other.sum()))

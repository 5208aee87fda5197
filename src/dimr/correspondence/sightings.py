"""A picture -> who is where in it, as MoveNet sees them: the windows where others then look.

People are maxima of its map of middles; each has a box and keypoints. A keypoint is the place
near what the middle says of it, and in the box, where the heat map sees one. Where it sees none
we keep what the middle says; the original takes the place where the map is least low, and counts
as seen what it sees of anybody there. Hips, shoulders and the farthest keypoint give the window in
which the whole body stands upright.

It sees people well who are 45 pixels long at least, of the 256 to which a picture is reduced.
Those who are smaller are looked for in larger reductions, as long as the picture has the pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional

from dimr.correspondence.confirm import window_tensor
from dimr.correspondence.figure import body_mask
from dimr.correspondence.people import mask_to_detection
from dimr.encoder.movenet import NUM_KEYPOINTS, SIZE, STRIDE, MoveNet, MoveNetMaps
from dimr.image.crop import (
    box_iou,
    box_pixels,
    box_share,
    crop_to_full,
    match_boxes,
    picture_centre_px,
)
from dimr.types import Crop, Detection

LEAST_CENTRE = 0.12
"""Probability of a middle below which nobody is there."""
SIDES_PX = (SIZE, 2 * SIZE, 4 * SIZE)
"""To which pictures are reduced."""
SMALL = 0.5
"""Longest box, in `SIZE`, of whom a larger reduction than the first is believed: it takes parts of
larger people for others."""
PART = 0.7
"""Share of a box from which it is a part of a larger one."""
MOST = 24
"""People at most."""
COUNTED = 0.127
"""From which a keypoint counts in the score, as in the original."""
APART = 5
"""Cells within which there is one middle."""
NEAR = 0.3
"""How far from where a middle says a keypoint may be, roughly: square root of so many sides of
the map of `SIZE`, cells."""
SEEN = 0.1
"""From which a keypoint is where the heat map sees it."""
SAME_BOX = 0.75
"""Box IoU from which two are one."""
SAME_BODY = 0.4
"""Box IoU from which somebody who was found, or sighted in another reduction, is who was
sighted."""
COARSEST = 32
"""Largest stride in MoveNet."""
SHOULDERS, HIPS = [5, 6], [11, 12]
EDGES = ((5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16))
TRUNK = (5, 6, 12, 11)
THICKNESS = 0.14
"""Of limbs, in the longer side of the box of the keypoints."""
ROOM = 1.05
"""Radius of the circle around the body, in that of the keypoints and half the box."""


class Sighting(NamedTuple):
    """Somebody in a picture, in its pixels."""

    score: float
    """Probability of the middle, times what is seen of the keypoints that are seen at all."""
    box_px: Float[np.ndarray, "4"]
    """x0, y0, x1, y1 of what is in the picture."""
    keypoints_px: Float[np.ndarray, "17 2"]
    seen: Float[np.ndarray, "17"]
    """How probably each keypoint is there."""

    @property
    def length_px(self) -> float:
        """Of the longer side of the box."""
        return float((self.box_px[2:] - self.box_px[:2]).max())

    @property
    def body_px(self) -> Float[np.ndarray, "2 2"]:
        """The middle of the hips and, on the way to the head, a point of the circle around the
        body: BlazePose's `HIPS` and `CIRCLE`.
        """
        hips, neck = (self.keypoints_px[each].mean(0) for each in (HIPS, SHOULDERS))
        reach = np.linalg.norm(self.keypoints_px - hips, axis=1).max()
        radius = ROOM * max(reach, self.length_px / 2)
        length = float(np.linalg.norm(neck - hips))
        upwards = (neck - hips) / length if length > 0 else np.array([0.0, -1.0])
        return np.stack([hips, hips + radius * upwards])


@torch.inference_mode()
def find_sightings(
    network: MoveNet,
    picture: UInt8[np.ndarray, "H W 3"],
    least: float = LEAST_CENTRE,
    sides_px: Sequence[int] | None = None,
) -> list[Sighting]:
    """Who is in a picture, the surest first.

    Args:
        network: looks.
        picture: RGB.
        least: probability of a middle below which nobody is there.
        sides_px: to which the picture is reduced, those that are larger than it left out; None:
            `SIDES_PX`.
    """
    found: list[Sighting] = []
    for side_px in SIDES_PX if sides_px is None else sides_px:
        if side_px > max(SIZE, *picture.shape[:2]):
            break
        seen = _look_at(network, picture, side_px, least)
        if side_px > SIZE:
            seen = _small_ones(seen, SMALL * SIZE * max(picture.shape[:2]) / side_px)
        found = _instead(found, seen)
    return found[:MOST]


def _look_at(
    network: MoveNet, picture: UInt8[np.ndarray, "H W 3"], side_px: int, least: float
) -> list[Sighting]:
    """Who is seen in a picture of which the longer side is reduced to so many pixels."""
    height, width = picture.shape[:2]
    window = Crop(picture_centre_px(width, height), float(max(width, height)), side_px)
    image = window_tensor(network, picture, window)
    corner = np.zeros(2)
    if side_px > SIZE:  # most of what is beside the picture costs time and says nothing
        corner = np.array([_beside(side_px, each / window.side_px) for each in (width, height)])
        x, y = corner
        image = image[..., y : side_px - y, x : side_px - x]
    found: list[Sighting] = []
    for seen in read_sightings(network(image), least):
        # middles and keypoints are in cells whose first pixel is their origin
        box = crop_to_full(window, seen.box_px.reshape(2, 2) + corner - 0.5).ravel()
        keypoints = crop_to_full(window, seen.keypoints_px + corner - 0.5)
        box = np.clip(box, 0, [width, height, width, height])
        if all(box_iou(box, other.box_px) < SAME_BOX for other in found):
            found.append(seen._replace(box_px=box, keypoints_px=keypoints))
    return found


def _small_ones(seen: list[Sighting], longest_px: float) -> list[Sighting]:
    """Those of a larger reduction than the first who are believed: no parts of larger people."""
    large = [each for each in seen if each.length_px > longest_px]
    return [
        each
        for each in seen
        if each.length_px <= longest_px
        and each.score >= LEAST_CENTRE
        and not any(
            other.score >= each.score and box_share(each.box_px, other.box_px) >= PART
            for other in large
        )
    ]


def _instead(found: list[Sighting], finer: list[Sighting]) -> list[Sighting]:
    """Those who were found, each finer sighting in the place of at most one of them, as sure."""
    left = dict(enumerate(found))
    merged = []
    for person in finer:
        fits = {number: box_iou(each.box_px, person.box_px) for number, each in left.items()}
        best = max(fits, key=fits.__getitem__, default=-1)
        if best >= 0 and fits[best] >= SAME_BODY:
            person = person._replace(score=max(person.score, left.pop(best).score))
        merged.append(person)
    return sorted([*left.values(), *merged], key=lambda person: -person.score)


def _beside(side_px: int, share: float) -> int:
    """Pixels on either side of a picture that fills such a share, whole cells of all maps."""
    return int(side_px * (1 - share) / 2) // COARSEST * COARSEST


def read_sightings(maps: MoveNetMaps, least: float) -> list[Sighting]:
    """The people of one picture's maps, the surest first, in pixels from its corner."""
    centre = maps.centre.sigmoid()
    peaks = centre * (centre == functional.max_pool2d(centre, APART, 1, APART // 2))
    height, width = peaks.shape[-2:]
    centres, places = (each.tolist() for each in peaks.flatten().topk(MOST))
    heat = maps.heatmap[0].sigmoid().cpu().numpy()
    sizes, within = (each[0].cpu().numpy() for each in (maps.box_size, maps.box_offset))
    shape = (NUM_KEYPOINTS, 2, height, width)
    keypoint, offset = (
        each[0].reshape(shape).cpu().numpy() for each in (maps.keypoint, maps.keypoint_offset)
    )
    grid = np.indices((height, width))  # y, x
    found = []
    for probability, place in zip(centres, places, strict=True):
        if probability < least:
            break
        row, column = divmod(place, width)
        cell = np.array([row, column])
        middle = cell + within[:, row, column]
        half = np.maximum(sizes[:, row, column], 0) / 2
        low, high = (np.clip(each, 0, [height, width]) for each in (middle - half, middle + half))
        told = cell + keypoint[:, :, row, column]
        (top, left), (bottom, right) = (np.ceil(each).astype(int) for each in (low, high))
        keypoints, certain = told, np.zeros(NUM_KEYPOINTS)
        if top < bottom and left < right:
            inside = np.s_[:, top:bottom, left:right]
            squared = ((grid[inside] - told[:, :, None, None]) ** 2).sum(1)
            seen = heat[inside] * np.exp(-squared / (NEAR * SIZE / STRIDE))
            best = seen.reshape(NUM_KEYPOINTS, -1).argmax(1)
            rows, columns = np.divmod(best, right - left)
            every = np.arange(NUM_KEYPOINTS)
            certain = seen[every, rows, columns]
            rows, columns = rows + top, columns + left
            exact = np.stack([rows, columns], 1) + offset[every, :, rows, columns]
            keypoints = np.where((certain >= SEEN)[:, None], exact, told)
        counted = certain[certain > COUNTED]
        found.append(
            Sighting(
                probability * float(counted.mean() if len(counted) else 0.0),
                STRIDE * np.concatenate([low[::-1], high[::-1]]).astype(np.float64),
                STRIDE * keypoints[:, ::-1].astype(np.float64),
                certain,
            )
        )
    return sorted(found, key=lambda person: -person.score)


def sighted_limbs(sighting: Sighting, size: tuple[int, int]) -> Detection:
    """Somebody of whom nobody knows an outline; of whom no limb is seen, the box is taken.

    Args:
        sighting: with their score.
        size: (height, width) of the picture.
    """
    seen = (sighting.seen >= SEEN)[:, None]
    mask = np.zeros(size, bool)
    if seen.any():
        points = np.where(seen, sighting.keypoints_px, np.nan)
        mask = body_mask(points, EDGES, TRUNK, THICKNESS, size)
    if not mask.any():
        mask[box_pixels(sighting.box_px, size)] = True
    return mask_to_detection(sighting.score, mask)


def with_bodies(people: list[Detection], sightings: list[Sighting]) -> list[Detection]:
    """The same people, each with the body that was sighted where they are, if one was."""
    whose = match_boxes(
        [person.box_px for person in people], [each.box_px for each in sightings], SAME_BODY
    )
    return [
        person._replace(body_px=sightings[whose[number]].body_px) if number in whose else person
        for number, person in enumerate(people)
    ]

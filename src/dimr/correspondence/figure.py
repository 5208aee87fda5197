"""Limbs between joints: roughly the pixels of a body of which only those are known."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from dimr.body.landmarks import LIMB_LANDMARKS
from dimr.correspondence.confirm import SAME_PERSON, window_tensor
from dimr.correspondence.landmarks import LandmarkNet, look_unmarked
from dimr.correspondence.people import mask_to_detection
from dimr.image.crop import crop_to_full, norm_to_crop
from dimr.types import Crop, Detection

EDGES = (
    *((11, 13), (13, 15), (12, 14), (14, 16)),
    *((23, 25), (25, 27), (24, 26), (26, 28)),
    (33, 34),
)
"""Pairs of BlazePose's landmarks; the last two are the neck and the top of the head."""
TRUNK = (11, 12, 24, 23)
"""Shoulders and hips, around."""
SHOULDERS, NOSE = (11, 12), 0
ABOVE_NOSE = 0.3
"""Of the way from the neck to the nose: so much further is the top of the head."""
THICKNESS = 0.14
"""Of limbs, in the longer side of the body's box."""
SURE_SPREAD = 0.7
"""Up to which a figure is believed; docs/finding_people.md says what it was chosen by."""
KNOWN_IOU = 0.4
"""Of a figure's limbs with the outline of somebody who is the same."""
LEAST_SIDE = 0.6
"""Of a figure's limbs, in the picture's longer side."""
SURE_SCORE, PART = 0.6, 0.8
"""Of somebody who is sure; from which share of their pixels among its limbs a figure is they."""
SCORE = 0.5
"""Of somebody whom only the landmark network sees."""


def body_mask(
    points_px: Float[np.ndarray, "N 2"],
    edges: Sequence[tuple[int, int]],
    trunk: tuple[int, int, int, int],
    thickness: float,
    size: tuple[int, int],
) -> Bool[np.ndarray, "H W"]:
    """Thick limbs and a trunk.

    Args:
        points_px: joints, NaN where unknown; one at least is known.
        edges: pairs of them with a limb between.
        trunk: four of them, around.
        thickness: of limbs, in the longer side of the box of all joints.
        size: (height, width) of the picture.
    """
    mask = np.zeros(size, np.uint8)
    known = ~np.isnan(points_px[:, 0])
    places = np.rint(np.nan_to_num(points_px)).astype(int)
    thick = max(1, round(thickness * float(np.ptp(points_px[known], axis=0).max())))
    for place in places[known]:
        cv2.circle(mask, place.tolist(), thick // 2, 1, -1)
    for start, end in edges:
        if known[start] and known[end]:
            cv2.line(mask, places[start].tolist(), places[end].tolist(), 1, thick)
    if known[list(trunk)].all():
        cv2.fillConvexPoly(mask, cv2.convexHull(places[list(trunk)].astype(np.int32)), 1)
    return mask > 0


def landmarks_mask(
    landmarks_px: Float[np.ndarray, "39 2"], size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """The same of a person's landmarks in a picture of `size` (height, width)."""
    neck = landmarks_px[list(SHOULDERS)].mean(0)
    top = landmarks_px[NOSE] + ABOVE_NOSE * (landmarks_px[NOSE] - neck)
    points = np.full((35, 2), np.nan)
    limbs = sorted({each for edge in EDGES[:-1] for each in edge})
    points[limbs] = landmarks_px[limbs]
    points[33], points[34] = neck, top
    far = 2.0 * max(size)  # limbs may end anywhere outside, but not where integers do
    return body_mask(points.clip(-far, far), EDGES, TRUNK, THICKNESS, size)


class Figure(NamedTuple):
    """The most prominent person of a window, as the landmark network sees people behind things."""

    mask: Bool[np.ndarray, "H W"]
    """Their limbs."""
    spread: float
    """How far off their limbs' landmarks may be, in half windows."""

    @property
    def is_sure(self) -> bool:
        """Whether somebody is there for certain: such a look sees those who fill the window."""
        rows, cols = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        if not len(rows):
            return False
        longer = 1 + int(max(np.ptp(rows), np.ptp(cols)))
        return self.spread < SURE_SPREAD and longer >= LEAST_SIDE * max(self.mask.shape)

    def is_other(self, found: list[Detection]) -> bool:
        """Whether it is none of these people."""
        return bool(self.mask.any()) and not any(self._is(each) for each in found)

    def _is(self, person: Detection) -> bool:
        """By their pixels; somebody sure may show but a part of themselves."""
        common = float((self.mask & person.mask).sum())
        if common >= KNOWN_IOU * (self.mask | person.mask).sum():
            return True
        return person.score > SURE_SCORE and self._share_of(person) > PART

    def _share_of(self, person: Detection) -> float:
        """Of somebody's pixels, those among its limbs."""
        return float((self.mask & person.mask).sum() / person.mask.sum())

    def among(self, found: list[Detection]) -> list[Detection]:
        """These people and it, without those who are but a part of it."""
        others = [each for each in found if self._share_of(each) < SAME_PERSON]
        return [*others, mask_to_detection(SCORE, self.mask)]


def find_figure(poser: LandmarkNet, picture: UInt8[np.ndarray, "H W 3"], window: Crop) -> Figure:
    """Who is seen in a window where nobody is marked."""
    image = window_tensor(poser, picture, window)
    norm, spread = (each[0].cpu().numpy() for each in look_unmarked(poser, image))
    landmarks_px = crop_to_full(window, norm_to_crop(norm.astype(np.float64), window.size))
    mask = landmarks_mask(landmarks_px, (picture.shape[0], picture.shape[1]))
    return Figure(mask, float(spread[list(LIMB_LANDMARKS)].mean()))

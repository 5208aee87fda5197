"""Limbs between joints: roughly the pixels of a body of which only those are known."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from dimr.correspondence.landmarks import MARK_SIZE, LandmarkNet, look_at_pose
from dimr.correspondence.network import MARKER_CHANNELS
from dimr.image.crop import crop_picture, crop_to_full, norm_to_crop, picture_to_tensor
from dimr.types import Crop

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


def find_figure(
    poser: LandmarkNet, picture: UInt8[np.ndarray, "H W 3"], window: Crop
) -> Bool[np.ndarray, "H W"]:
    """Limbs of the most prominent person of a window, where nobody is marked."""
    place = next(poser.parameters()).device
    nobody = torch.zeros(1, MARKER_CHANNELS, 2 * MARK_SIZE, 2 * MARK_SIZE, device=place)
    image = picture_to_tensor(crop_picture(picture, window)).to(place)
    norm = look_at_pose(poser, image, nobody)[0, :, :2].cpu().numpy().astype(np.float64)
    landmarks_px = crop_to_full(window, norm_to_crop(norm, window.size))
    return landmarks_mask(landmarks_px, (picture.shape[0], picture.shape[1]))

"""Limbs between joints: roughly the pixels of a body of which only those are known."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float


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

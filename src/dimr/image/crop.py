"""Square crops: full picture <-> crop pixels <-> crop-normalised coordinates.

Integer coordinates are pixel centres everywhere (docs/conventions.md, "Pixels").
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Shaped, UInt8
from torch import Tensor

from dimr.types import Crop

CORRESPONDENCE_STRIDE = 2
"""Crop pixels per pixel of the IUV that stage 1 predicts and stage 2 wraps."""
LEAST_BOX_IOU = 0.1
"""`box_iou` up to which two boxes are of different people."""


def picture_to_tensor(picture: UInt8[np.ndarray, "H W 3"]) -> Float[Tensor, "1 3 H W"]:
    """RGB bytes to the encoders' input in [0, 1]."""
    return pictures_to_tensor(torch.from_numpy(np.ascontiguousarray(picture))[None])


def pictures_to_tensor(pictures: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B 3 H W"]:
    """The same for pictures that are stacked already."""
    return pictures.permute(0, 3, 1, 2).float().div_(255)


def picture_centre_px(width: int, height: int) -> tuple[float, float]:
    """The middle of a picture (x, y), where its principal point is when nothing else is known."""
    return (width - 1) / 2, (height - 1) / 2


def crop_matrix(crop: Crop) -> Float[np.ndarray, "2 3"]:
    """Affine matrix that takes full-picture pixels to crop pixels."""
    scale = crop.size / crop.side_px
    cos, sin = np.cos(crop.angle_rad) * scale, np.sin(crop.angle_rad) * scale
    linear = np.array([[cos, sin], [-sin, cos]])
    middle = (crop.size - 1) / 2
    return np.column_stack([linear, middle - linear @ np.asarray(crop.centre_px)])


def full_to_crop(crop: Crop, points_px: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
    """Full-picture pixels to crop pixels."""
    matrix = crop_matrix(crop)
    return points_px @ matrix[:, :2].T + matrix[:, 2]


def crop_to_full(crop: Crop, points_px: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
    """Crop pixels to full-picture pixels; inverse of `full_to_crop`."""
    matrix = crop_matrix(crop)
    return (points_px - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def norm_to_crop(points_norm: np.ndarray, size: int) -> np.ndarray:
    """Crop-normalised coordinates ([-1, 1] from edge to edge) to crop pixels."""
    return (points_norm + 1) * (size / 2) - 0.5


def crop_to_norm(points_px: np.ndarray, size: int) -> np.ndarray:
    """Crop pixels to crop-normalised coordinates; inverse of `norm_to_crop`."""
    return (points_px + 0.5) * (2 / size) - 1


def crop_picture(
    picture: Shaped[np.ndarray, "H W *C"], crop: Crop, nearest: bool = False
) -> Shaped[np.ndarray, "h w *C"]:
    """Resample the window; outside of the picture is black (zero).

    Shrinking is done in two steps, blur first, because bilinear sampling alone would alias.
    Labels (masks, uv) must pass `nearest=True`.
    """
    shrink = crop.side_px / crop.size
    if shrink > 1.5 and not nearest:
        sigma = 0.4 * shrink
        picture, (x, y) = _cut(picture, crop, 4 * sigma + 4)  # all that the blur reaches
        crop = replace(crop, centre_px=(crop.centre_px[0] - x, crop.centre_px[1] - y))
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.warpAffine(picture, crop_matrix(crop), (crop.size, crop.size), flags=flags)


def _cut(
    picture: Shaped[np.ndarray, "H W *C"], crop: Crop, margin_px: float
) -> tuple[Shaped[np.ndarray, "h w *C"], tuple[int, int]]:
    """The part of a picture that holds a window and so much around it, and its first pixel."""
    turned = abs(math.cos(crop.angle_rad)) + abs(math.sin(crop.angle_rad))
    reach = crop.side_px / 2 * turned + margin_px
    size = np.array([picture.shape[1], picture.shape[0]])
    middle = np.asarray(crop.centre_px)
    low = np.floor(middle - reach).clip(0, size - 1).astype(int)
    high = np.ceil(middle + reach + 1).clip(low + 1, size).astype(int)
    return picture[low[1] : high[1], low[0] : high[0]], (int(low[0]), int(low[1]))


def uncrop_picture(
    picture: Shaped[np.ndarray, "h w *C"],
    crop: Crop,
    full_size: tuple[int, int],
    nearest: bool = False,
) -> Shaped[np.ndarray, "H W *C"]:
    """Lay crop pixels back onto a full picture of `full_size` = (width, height); zero elsewhere.

    `picture` may be smaller than the crop by a whole factor (the IUV's stride).
    """
    own = Crop(crop.centre_px, crop.side_px, picture.shape[0], crop.angle_rad)
    flags = (cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, crop_matrix(own), full_size, flags=flags)


def box_to_crop(box_px: Float[np.ndarray, "4"], size: int, margin: float = 1.2) -> Crop:
    """The square window around a box x0, y0, x1, y1, enlarged by `margin`."""
    x0, y0, x1, y1 = (float(value) for value in box_px)
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box_px: got {box_px.tolist()}, want x0 < x1 and y0 < y1")
    side = margin * max(x1 - x0, y1 - y0)
    return Crop(((x0 + x1) / 2, (y0 + y1) / 2), side, size)


def mask_box_px(mask: Bool[np.ndarray, "H W"]) -> Float32[np.ndarray, "4"]:
    """x0, y0, x1, y1 of the outer edges of a mask's pixels.

    Raises:
        ValueError: if there is none.
    """
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if len(rows) == 0:
        raise ValueError("mask: got no pixels, want at least one")
    return np.array([cols[0] - 0.5, rows[0] - 0.5, cols[-1] + 0.5, rows[-1] + 0.5], np.float32)


def box_pixels(box_px: Float[np.ndarray, "4"], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the pixels whose centres a box holds; inverse of `mask_box_px`.

    Of each at least one: a thinner box has the pixel beside it, one outside of the picture those
    at the rim.

    Args:
        box_px: x0, y0, x1, y1.
        size: (height, width) of the picture.
    """
    limit = np.array([size[1], size[0]])
    low = np.ceil(box_px[:2]).clip(0, limit - 1).astype(int)
    high = np.floor(box_px[2:] + 1).clip(low + 1, limit).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def box_iou(box: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> float:
    """Intersection over union of x0, y0, x1, y1."""
    both = _intersection(box, other)
    union = np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - both
    return float(both / union) if union > 0 else 0.0


def pick_by_box(
    boxes_px: Sequence[Float[np.ndarray, "4"]],
    box_px: Float[np.ndarray, "4"],
    least: float = LEAST_BOX_IOU,
) -> int | None:
    """Number of the box that overlaps a given one best (paper, Appendix C); None if none does.

    Args:
        boxes_px: x0, y0, x1, y1 of each candidate.
        box_px: of the person that is meant, e.g. an annotation's.
        least: a `box_iou` up to which nobody is meant.
    """
    overlaps = [box_iou(other, box_px) for other in boxes_px]
    best = int(np.argmax(overlaps)) if overlaps else None
    return None if best is None or overlaps[best] <= least else best


def match_boxes(
    boxes: Sequence[Float[np.ndarray, "4"]],
    others: Sequence[Float[np.ndarray, "4"]],
    least: float,
) -> dict[int, int]:
    """Numbers of boxes -> of others, where they fit, the best first and each once.

    `least` is the smallest `box_iou` of two that fit.
    """
    fits = sorted(
        (
            (box_iou(box, other), number, which)
            for number, box in enumerate(boxes)
            for which, other in enumerate(others)
        ),
        reverse=True,
    )
    matched: dict[int, int] = {}
    for fit, number, which in fits:
        if fit >= least and number not in matched and which not in matched.values():
            matched[number] = which
    return matched


def box_share(box: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> float:
    """How much of a box is in another one; 0 of a box without an inside."""
    area = float(np.prod(box[2:] - box[:2]))
    return _intersection(box, other) / area if area > 0 else 0.0


def _intersection(box: Float[np.ndarray, "4"], other: Float[np.ndarray, "4"]) -> float:
    """Area that two boxes share."""
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    return float(np.prod(np.maximum(high - low, 0)))

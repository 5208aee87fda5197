"""One person's IUV in a window of the picture, and the .npz file that keeps such windows.

The file holds, for N people, `mask` (N, h, w) bool and `uv` (N, h, w, 2) float in [0, 1] on the
atlas; one person may leave out the first axis. With `corner_px` (N, 2), the (x, y) of each
window's first pixel, and `picture_size_px` (width, height) they are windows of a picture; without,
they are the whole picture. `confidence` (N, h, w), `score` (N,), `atlas_hash` and `atlas_name`
are optional.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dimr.image.crop import crop_to_full, mask_box_px
from dimr.surface.atlas import Atlas
from dimr.surface.npz import MAX_BYTES, array_names, read_arrays
from dimr.types import Crop, Iuv

MAX_SIDE_PX = 1 << 16


@dataclass(frozen=True, slots=True)
class IuvWindow:
    """An IUV whose first pixel is pixel `corner_px` of the picture; it may reach beyond it."""

    iuv: Iuv
    corner_px: tuple[int, int] = (0, 0)
    """(x, y)."""
    score: float = 1.0

    def to_picture(self, picture_size: tuple[int, int]) -> Iuv:
        """The IUV on the whole picture of `picture_size` = (width, height), empty elsewhere."""
        width, height = picture_size
        x, y = self.corner_px
        rows, cols = self.iuv.mask.shape
        there = (
            slice(max(y, 0), max(min(y + rows, height), 0)),
            slice(max(x, 0), max(min(x + cols, width), 0)),
        )
        here = (
            slice(there[0].start - y, there[0].stop - y),
            slice(there[1].start - x, there[1].stop - x),
        )
        mask = np.zeros((height, width), bool)
        uv = np.zeros((height, width, 2), np.float32)
        confidence = None
        if there[0].start < there[0].stop and there[1].start < there[1].stop:
            mask[there], uv[there] = self.iuv.mask[here], self.iuv.uv[here]
        if self.iuv.confidence is not None:
            confidence = np.zeros((height, width), np.float32)
            if mask.any():
                confidence[there] = self.iuv.confidence[here]
        return Iuv(mask, uv, confidence)

    def box_px(self) -> Float[np.ndarray, "4"]:
        """x0, y0, x1, y1 around the visible pixels, in picture pixels, to their outer edges."""
        return mask_box_px(self.iuv.mask) + np.tile(np.array(self.corner_px), 2)


def iuv_to_window(iuv: Iuv, score: float = 1.0, corner_px: tuple[int, int] = (0, 0)) -> IuvWindow:
    """Cuts an IUV, whose first pixel is `corner_px` of the picture, to the visible pixels."""
    rows, cols = np.nonzero(iuv.mask.any(1))[0], np.nonzero(iuv.mask.any(0))[0]
    if len(rows) == 0:
        raise ValueError("iuv: no visible pixel")
    cut = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
    confidence = None if iuv.confidence is None else iuv.confidence[cut]
    corner = int(cols[0]) + corner_px[0], int(rows[0]) + corner_px[1]
    return IuvWindow(Iuv(iuv.mask[cut], iuv.uv[cut], confidence), corner, score)


def crop_region(
    crop: Crop, picture_size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels (x, y) of a picture (width, height) that a crop may show: from the first, below the
    second. There is at least one, if only the nearest.
    """
    edges = np.array([(-1, -1), (crop.size, -1), (-1, crop.size), (crop.size, crop.size)], float)
    corners = crop_to_full(crop, edges)
    limit = np.array(picture_size)
    low = np.clip(np.floor(corners.min(0)), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 1, low + 1, limit).astype(int)
    return tuple(low.tolist()), tuple(high.tolist())


def windows_bytes(
    windows: Sequence[IuvWindow], picture_size: tuple[int, int], atlas: Atlas
) -> bytes:
    """The content of a file that `read_windows` reads.

    Raises:
        ValueError: if there is nobody, or all of them are too large for one file.
    """
    if not windows:
        raise ValueError("nobody to write")
    rows = max(window.iuv.mask.shape[0] for window in windows)
    cols = max(window.iuv.mask.shape[1] for window in windows)
    shape = len(windows), rows, cols
    if np.prod(shape, dtype=np.int64) * 8 > MAX_BYTES:
        raise ValueError(
            f"{len(windows)} people of up to {cols} x {rows} pixels are too much for one file"
        )
    arrays: dict[str, Any] = {
        "mask": np.zeros(shape, bool),
        "uv": np.zeros((*shape, 2), np.float32),
        "corner_px": np.array([window.corner_px for window in windows], np.int64),
        "score": np.array([window.score for window in windows], np.float32),
        "picture_size_px": np.array(picture_size, np.int64),
        "atlas_hash": np.array(atlas.content_hash),
        "atlas_name": np.array(atlas.name),
    }
    if all(window.iuv.confidence is not None for window in windows):
        arrays["confidence"] = np.zeros(shape, np.float32)
    for number, window in enumerate(windows):
        own_rows, own_cols = window.iuv.mask.shape
        own = number, slice(own_rows), slice(own_cols)
        arrays["mask"][own], arrays["uv"][own] = window.iuv.mask, window.iuv.uv
        if "confidence" in arrays:
            arrays["confidence"][own] = window.iuv.confidence
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def read_windows(path: Path) -> tuple[list[IuvWindow], tuple[int, int], str | None]:
    """People of a file, the size (width, height) of their picture, and the atlas's hash if given.

    Raises:
        ValueError: if the file is malformed, or somebody has no visible pixel.
    """
    names = set(array_names(path))
    try:
        arrays = read_arrays(path, {"mask": (np.bool_, 2), "uv": (np.floating, 3)})
        mask, uv = arrays["mask"][None], arrays["uv"][None]
    except ValueError:
        try:
            arrays = read_arrays(path, {"mask": (np.bool_, 3), "uv": (np.floating, 4)})
            mask, uv = arrays["mask"], arrays["uv"]
        except ValueError as error:
            raise ValueError(
                f"{error}; want mask (H, W) bool and uv (H, W, 2) float, both with one more axis "
                "in front for several people"
            ) from error
    if uv.shape != (*mask.shape, 2):
        raise ValueError(f"{path} has mask {mask.shape} but uv {uv.shape}")
    inside = uv[mask]
    outside = len(inside) - int(((inside >= 0) & (inside <= 1)).all(-1).sum())  # NaN as well
    if outside:
        raise ValueError(
            f"uv in {path} leaves [0, 1] at {outside} of {len(inside)} pixels of the mask"
        )
    people = len(mask)
    corner = np.zeros((people, 2), np.int64)
    size = mask.shape[2], mask.shape[1]
    if {"corner_px", "picture_size_px"} <= names:
        wanted = {"corner_px": (np.integer, 2), "picture_size_px": (np.integer, 1)}
        places = read_arrays(path, wanted)
        corner = places["corner_px"]
        if corner.shape != (people, 2) or np.abs(corner).max(initial=0) > MAX_SIDE_PX:
            raise ValueError(f"{path}: corner_px is {corner.shape}, want ({people}, 2) pixels")
        if places["picture_size_px"].shape != (2,):
            raise ValueError(f"{path}: picture_size_px wants (width, height)")
        width, height = places["picture_size_px"].tolist()
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX):
            raise ValueError(f"{path}: picture_size_px is {width} x {height} pixels")
        size = width, height
    confidence = _optional(path, names, "confidence", mask.shape)
    score = _optional(path, names, "score", (people,))
    windows = []
    for number in range(people):
        own = mask[number]
        if not own.any():
            raise ValueError(f"person {number + 1} in {path} has no visible pixel")
        sure = None if confidence is None else np.where(own, confidence[number], np.float32(0))
        iuv = Iuv(own, np.where(own[..., None], uv[number], 0).astype(np.float32), sure)
        windows.append(
            IuvWindow(
                iuv,
                (int(corner[number, 0]), int(corner[number, 1])),
                1.0 if score is None else float(score[number]),
            )
        )
    made_for = None
    if "atlas_hash" in names:
        made_for = str(read_arrays(path, {"atlas_hash": (np.str_, 0)})["atlas_hash"])
    return windows, size, made_for


def _optional(path: Path, names: set[str], name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """An array that a file may hold, for one person without the first axis."""
    if name not in names:
        return None
    for axes in (len(shape), len(shape) - 1):
        try:
            values = read_arrays(path, {name: (np.floating, axes)})[name]
            break
        except ValueError as error:
            problem = error
    else:
        raise problem
    if values.size != np.prod(shape, dtype=np.int64) or not np.isfinite(values).all():
        raise ValueError(f"{path}: {name} is {values.shape}, want {shape} finite numbers")
    return values.reshape(shape).astype(np.float32)

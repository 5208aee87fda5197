"""Instance masks of data sets -> visible pixels, and ground-truth IUVs that they cut.

COCO gives polygons or run lengths (also compressed to text), OCHuman outer less inner polygons,
3DOH and others pictures. A mask is True where the person is visible. The ground truth of the
paper's Sec. 3.1 is the IUV rendered from SMPL parameters, times the mask.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from dimr.image.load import MAX_PIXELS, load_picture

Polygon = Sequence[int | float]
"""x0, y0, x1, y1, .. in COCO's pixels: pixel k reaches from k to k + 1."""


def segmentation_to_mask(
    segmentation: Sequence[Polygon] | Mapping[str, Any], size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """COCO's `segmentation` of an annotation: polygons, run lengths or their compressed text.

    Args:
        segmentation: a list of polygons, or {"counts": list | str | bytes, "size": [H, W]}.
        size: (height, width) of the picture.

    Raises:
        ValueError: if it is malformed or of another size.
    """
    if not isinstance(segmentation, Mapping):
        return polygons_to_mask(segmentation, size)
    if "counts" not in segmentation or tuple(segmentation.get("size", ())) != tuple(size):
        raise ValueError(
            f"segmentation: got run lengths for size {segmentation.get('size')}, want {list(size)}"
        )
    counts = segmentation["counts"]
    if isinstance(counts, (str, bytes)):
        counts = decompress_counts(counts)
    return counts_to_mask(counts, size)


def counts_to_mask(
    counts: Sequence[int | float], size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """COCO's run lengths: pixels column by column, background first, in turns."""
    height, width = _checked_size(size)
    runs = np.asarray(counts)
    if runs.ndim != 1 or (len(runs) and runs.dtype.kind not in "iu"):
        raise ValueError(f"counts: got {runs.dtype} of shape {runs.shape}, want whole numbers")
    pixels = height * width
    if runs.min(initial=0) < 0 or runs.max(initial=0) > pixels or runs.sum() != pixels:
        raise ValueError(f"counts: add up to {runs.sum()}, want {width} x {height} = {pixels}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def decompress_counts(text: str | bytes) -> list[int]:
    """COCO's text of run lengths to numbers.

    Each character from "0" on holds five bits, lowest first, and a bit that says that more
    follow; the last one's fifth bit is the sign. From the fourth number on, the difference to the
    one before the last is stored.
    """
    symbols = text.encode("ascii", "replace") if isinstance(text, str) else text
    counts: list[int] = []
    value = shift = 0
    for symbol in symbols:
        bits = symbol - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError(f"counts: {chr(symbol)!r} does not belong in compressed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("counts: the compressed run lengths end within a number")
    return counts


def polygons_to_mask(
    polygons: Sequence[Polygon], size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """Pixels whose centre lies in any of the polygons (even-odd rule within one)."""
    height, width = _checked_size(size)
    mask = np.zeros((height, width), bool)
    for polygon in polygons:
        points = np.asarray(polygon, np.float64)
        if points.size < 6 or points.size % 2 or not np.isfinite(points).all():
            raise ValueError(
                f"polygon: got {points.size} numbers, want x, y of at least three finite points"
            )
        mask |= _fill(points.reshape(-1, 2) - 0.5, height, width)
    return mask


def _fill(points_px: Float[np.ndarray, "K 2"], height: int, width: int) -> np.ndarray:
    """Even-odd filling: in each row, what lies right of an odd number of edges is inside."""
    crossings = np.zeros((height, width + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(points_px, np.roll(points_px, -1, 0), strict=True):
        low, high = min(y0, y1), max(y0, y1)
        # rows with low <= row < high: an end that two edges share counts once
        rows = np.arange(max(int(np.ceil(low)), 0), min(int(np.ceil(high)), height))
        if len(rows):
            x = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(crossings, (rows, np.clip(np.ceil(x), 0, width).astype(np.intp)), 1)
    return crossings[:, :width].cumsum(1) % 2 == 1


def ochuman_mask(segms: Mapping[str, Any], size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """OCHuman's `segms`: the outer polygons less the inner ones.

    Raises:
        ValueError: if it is malformed or of another size.
    """
    missing = {"outer", "inner", "height", "width"} - set(segms)
    if missing:
        raise ValueError(f"segms: lacks {', '.join(sorted(missing))}")
    if (segms["height"], segms["width"]) != tuple(size):
        raise ValueError(
            f"segms: is for {segms['width']} x {segms['height']} pixels, "
            f"want {size[1]} x {size[0]}"
        )
    return polygons_to_mask(segms["outer"], size) & ~polygons_to_mask(segms["inner"], size)


def load_mask(path: str | Path, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """The pixels of a mask picture that are above 127 or, where none is above 1, not 0.

    Args:
        path: the picture.
        size: (height, width) that it must have.

    Raises:
        ValueError: if it cannot be read, has another size, or labels several people.
    """
    grey = load_picture(path).max(-1)
    if grey.shape != tuple(size):
        raise ValueError(
            f"{path}: is {grey.shape[1]} x {grey.shape[0]} pixels, want {size[1]} x {size[0]}"
        )
    highest = int(grey.max())
    if 1 < highest < 128:
        raise ValueError(f"{path}: grey values reach {highest}, want 0 and 1, or 0 and 255")
    return grey > (0 if highest <= 1 else 127)


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"size: got {height} x {width}, want 1 to {MAX_PIXELS} pixels")
    return height, width

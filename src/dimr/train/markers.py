"""Imitations of the first pass: rough, wrong-edged, leaking marks of the target person.

The second pass of stage 1 must trust its marker enough to know who is meant and doubt it enough to
find the true outline.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float


def rough_markers(
    target: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 h w"]:
    """What the first pass might say of the target and of the others; it may miss all of those."""
    mark = rough_marker(target, others, rng)
    if not others.any() or rng.random() < 0.25:
        return np.stack([mark, np.zeros_like(mark)])
    return np.stack([mark, rough_marker(others, target, rng, blobs=0.0) * (1 - mark)])


def rough_marker(
    target: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
    blobs: float = 0.1,
) -> Float[np.ndarray, "h w"]:
    """A degraded mask of the target in [0, 1].

    Args:
        target: visible pixels of the marked person.
        others: visible pixels of other people; some of them leak into the mark.
        rng: source of all randomness.
        blobs: share of marks that are no outline at all.
    """
    side = target.shape[0]
    if not target.any():
        return np.zeros(target.shape, np.float32)
    if rng.random() < blobs:
        return _blob(target)
    mark = target.astype(np.float32)
    if others.any() and rng.random() < 0.4:
        rows, cols = np.nonzero(others)
        pick = rng.integers(len(rows))
        radius = int(rng.uniform(0.03, 0.15) * side)
        leak = np.zeros(target.shape, np.uint8)
        cv2.circle(leak, (int(cols[pick]), int(rows[pick])), max(1, radius), 1, -1)
        mark = np.maximum(mark, (leak > 0) & others)
    for _ in range(rng.integers(0, 4)):
        rows, cols = np.nonzero(target)
        pick = rng.integers(len(rows))
        radius = int(rng.uniform(0.02, 0.12) * side)
        cv2.circle(mark, (int(cols[pick]), int(rows[pick])), max(1, radius), 0.0, -1)
    coarse = int(side / rng.uniform(2, 8))
    mark = cv2.resize(mark, (coarse, coarse), interpolation=cv2.INTER_AREA)
    mark = cv2.resize(mark, (side, side), interpolation=cv2.INTER_LINEAR)
    shift = rng.normal(0, 0.012 * side, 2)
    scale = rng.normal(1, 0.03)
    middle = (side - 1) / 2
    matrix = np.array(
        [
            [scale, 0, (1 - scale) * middle + shift[0]],
            [0, scale, (1 - scale) * middle + shift[1]],
        ]
    )
    mark = cv2.warpAffine(mark, matrix, (side, side))
    return (mark > rng.uniform(0.25, 0.75)).astype(np.float32)


def _blob(target: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """A smooth bump at the middle of the visible pixels: all that a bare box would tell."""
    rows, cols = np.nonzero(target)
    y, x = np.mgrid[: target.shape[0], : target.shape[1]]
    spread = max(3.0, 0.5 * np.sqrt(target.sum()))
    squared = (y - rows.mean()) ** 2 + (x - cols.mean()) ** 2
    return np.exp(-squared / (2 * spread**2)).astype(np.float32)

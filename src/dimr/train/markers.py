"""Imitations of the first pass: rough, wrong-edged, leaking marks of the target person.

The second pass of stage 1 must trust its marker enough to know who is meant and doubt it enough to
find the true outline.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

BOXES = 0.25
"""Share of marks that are the target's box."""
CONFUSED = 1 / 3
"""Share of the other marks of people who touch others that divide them wrongly."""


def rough_markers(
    target: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 h w"]:
    """What the first pass might say of the target and of the others; it may miss all of those.

    One mark in four is no outline but a box; one in three of the others divides people as the
    first pass does when its votes for a centre are off.
    """
    touching = bool(target.any() and others.any())
    if rng.random() < BOXES:
        mark = _box(target, rng)
    elif touching and rng.random() < CONFUSED:
        mine, theirs = _divide(target, others, rng)
        mark, others = roughen(mine.astype(np.float32), rng), theirs
    else:
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
    return roughen(mark, rng)


def roughen(mark: Float[np.ndarray, "h w"], rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """The same mask with coarse edges, moved and scaled a little."""
    side = mark.shape[0]
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


def _divide(
    target: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Everybody's pixels divided by votes for the nearer centre, the votes being off smoothly."""
    side = target.shape[0]
    spread = rng.uniform(0.02, 0.12) * side
    bumps = int(rng.integers(2, 8))
    noise = np.stack(
        [cv2.resize(rng.normal(0, spread, (bumps, bumps)), target.shape[::-1]) for _ in range(2)]
    )
    pixels = np.stack(np.nonzero(target | others))
    centres = np.stack([np.argwhere(who).mean(0) for who in (target, others)])
    is_target = target[pixels[0], pixels[1]]
    votes = np.where(is_target[:, None], centres[0], centres[1])
    votes = votes + noise[:, pixels[0], pixels[1]].T
    gap = np.linalg.norm(votes[:, None] - centres[None], axis=2)
    mine = np.zeros_like(target)
    mine[pixels[0], pixels[1]] = gap[:, 0] < gap[:, 1]
    # Whoever got nobody's votes would not have been found.
    if mine[target].mean() < 0.3:
        return target, others
    return mine, (target | others) & ~mine


def _box(target: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """The target's box, a little off, as a rectangle or an ellipse."""
    mark = np.zeros(target.shape, np.float32)
    if not target.any():
        return mark
    rows, cols = np.nonzero(target.any(1))[0], np.nonzero(target.any(0))[0]
    box = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], float)
    box += rng.normal(0, 0.06, 4) * np.tile(box[2:] - box[:2], 2)
    x0, y0, x1, y1 = box
    if rng.random() < 0.5:
        y, x = np.mgrid[: target.shape[0], : target.shape[1]]
        half = max(1.0, (x1 - x0) / 2), max(1.0, (y1 - y0) / 2)
        inside = ((x - (x0 + x1) / 2) / half[0]) ** 2 + ((y - (y0 + y1) / 2) / half[1]) ** 2
        return (inside <= 1).astype(np.float32)
    x0, y0, x1, y1 = np.rint([x0, y0, x1, y1]).astype(int).clip(0)
    mark[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = 1
    return mark


def _blob(target: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """A smooth bump at the middle of the visible pixels: all that a bare box would tell."""
    rows, cols = np.nonzero(target)
    y, x = np.mgrid[: target.shape[0], : target.shape[1]]
    spread = max(3.0, 0.5 * np.sqrt(target.sum()))
    squared = (y - rows.mean()) ** 2 + (x - cols.mean()) ** 2
    return np.exp(-squared / (2 * spread**2)).astype(np.float32)

"""Imitations of what is known of somebody before the second pass: rough, leaking marks.

The second pass of stage 1 must trust its mark enough to know who is meant and doubt it enough to
find the true outline. Roughness is measured in the length of the person, as that of the networks
is who draw the marks at inference.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from dimr.image.crop import mask_box_px

BOXES = 0.05
"""Share of marks that are the target's box."""
CONFUSED = 1 / 3
"""Share of the other marks of people who touch others that divide them wrongly."""
MILD = 0.65
"""Share of outlines that are nearly right, as those of people who stand alone mostly are."""
HULLS = 0.15
"""Share of the other outlines that are drawn over what hides somebody, too."""


def rough_markers(
    target: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 h w"]:
    """What may be known of the target and of the others; these may all be missed.

    One mark in twenty is no outline but a box; one in three of the others divides people who
    touch wrongly.
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
    blobs: float = 0.03,
) -> Float[np.ndarray, "h w"]:
    """A degraded mask of the target in [0, 1].

    Args:
        target: visible pixels of the marked person.
        others: visible pixels of other people; some of them leak into the mark.
        rng: source of all randomness.
        blobs: share of marks that are no outline at all.
    """
    if not target.any():
        return np.zeros(target.shape, np.float32)
    if rng.random() < blobs:
        return _blob(target)
    mild = rng.random() < MILD
    length = _length(target)
    mark = target.astype(np.float32)
    if not mild and rng.random() < HULLS:
        points = np.argwhere(target)[:, ::-1].astype(np.int32)
        cv2.fillConvexPoly(mark, cv2.convexHull(points), 1.0)
    if others.any() and rng.random() < (0.2 if mild else 0.4):
        leak = np.zeros(target.shape, np.uint8)
        _spot(leak, others, length * rng.uniform(0.03, 0.1 if mild else 0.25), 1.0, rng)
        mark = np.maximum(mark, (leak > 0) & others)
    for _ in range(rng.integers(0, 2 if mild else 4)):
        _spot(mark, target, length * rng.uniform(0.02, 0.06 if mild else 0.2), 0.0, rng)
    return roughen(mark, rng, mild)


def roughen(
    mark: Float[np.ndarray, "h w"], rng: np.random.Generator, mild: bool = False
) -> Float[np.ndarray, "h w"]:
    """The same mask with coarse edges, moved and scaled a little."""
    side = mark.shape[0]
    if not mark.any():
        return mark
    length = _length(mark > 0)
    cell = max(1.0, length * (rng.uniform(0.01, 0.04) if mild else rng.uniform(0.03, 0.12)))
    coarse = max(2, round(side / cell))
    rough = cv2.resize(mark, (coarse, coarse), interpolation=cv2.INTER_AREA)
    rough = cv2.resize(rough, (side, side), interpolation=cv2.INTER_LINEAR)
    shift = rng.normal(0, (0.006 if mild else 0.02) * length, 2)
    scale = rng.normal(1, 0.015 if mild else 0.04)
    middle = np.argwhere(mark > 0).mean(0)[::-1]
    offset = (1 - scale) * middle + shift
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    rough = cv2.warpAffine(rough, matrix, (side, side))
    low, high = (0.4, 0.6) if mild else (0.25, 0.75)
    return (rough > rng.uniform(low, high)).astype(np.float32)


def _length(who: Bool[np.ndarray, "h w"]) -> float:
    """Longer side of somebody's box; of all their pieces."""
    box = mask_box_px(who)
    return float((box[2:] - box[:2]).max())


def _spot(
    canvas: np.ndarray,
    within: Bool[np.ndarray, "h w"],
    radius_px: float,
    value: float,
    rng: np.random.Generator,
) -> None:
    """Draws a disc around one of some pixels."""
    rows, cols = np.nonzero(within)
    pick = rng.integers(len(rows))
    cv2.circle(canvas, (int(cols[pick]), int(rows[pick])), max(1, int(radius_px)), value, -1)


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
    box = mask_box_px(target).astype(float) + 0.5
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

"""Pixels -> people: every person pixel votes for a centre, peaks of the centre map are people."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from dimr.image.crop import CORRESPONDENCE_STRIDE, crop_picture, mask_box_px
from dimr.types import Crop, Detection

CROP_SIZE, CROP_MARGIN = 192, 1.25
"""Side of somebody's crop: pixels; in longer sides of what is seen of them."""
MIN_CENTRE = 0.15
"""Centre probability below which a peak is no person."""
MOST_CENTRES = 32
"""So many people at most are told apart, the surest."""
MIN_PIXELS = 12
"""Fewer visible pixels than this (at the maps' resolution) are no person."""
SPECK_SHARE = 0.05
"""Of somebody's pixels: a smaller connected piece is a speck, unless it is the largest."""
LEAST_SHARE = 0.15
"""Of the largest person's pixels: fewer that nobody explains are nobody."""
NEAR_SHARE = 0.01
"""Of the picture's longer side: a rim of this width around a person needs no explanation."""


def centre_peaks(centre: Float[np.ndarray, "h w"]) -> np.ndarray:
    """Local maxima of the centre map, (row, column), best first."""
    blurred = cv2.GaussianBlur(centre, (3, 3), 0)
    peaks = (blurred == cv2.dilate(blurred, np.ones((5, 5), np.uint8))) & (centre > MIN_CENTRE)
    rows, cols = np.nonzero(peaks)
    best = np.argsort(-centre[rows, cols], kind="stable")[:MOST_CENTRES]
    return np.stack([rows[best], cols[best]], axis=1)


def group_pixels(
    person: Float[np.ndarray, "h w"],
    centre: Float[np.ndarray, "c d"],
    offset: Float[np.ndarray, "2 c d"],
) -> list[tuple[float, Bool[np.ndarray, "h w"]]]:
    """(score, visible mask) of each person at the maps' resolution, best first.

    Args:
        person: probability of a person at stride 2.
        centre: probability of a centre at stride 4.
        offset: votes (x, y) at stride 4, as shares of the picture's side, see
            `CorrespondenceMaps`.
    """
    height, width = person.shape
    # nearest: between two people a mean of their votes would be nobody's
    offset = np.stack(
        [cv2.resize(each, (width, height), interpolation=cv2.INTER_NEAREST) for each in offset]
    )
    visible = person > 0.5
    peaks = centre_peaks(centre)
    if not visible.any() or len(peaks) == 0:
        return []
    side = max(person.shape)
    rows, cols = np.nonzero(visible)
    votes = np.stack([cols, rows], axis=1) + offset[:, rows, cols].T * side
    centres = peaks[:, ::-1] * 2 + 0.5  # stride 4 -> stride 2 pixels
    distance = np.linalg.norm(votes[:, None] - centres[None], axis=2)
    owner = distance.argmin(1)
    people = []
    for index, (row, col) in enumerate(peaks):
        mask = np.zeros_like(visible)
        mask[rows[owner == index], cols[owner == index]] = True
        if mask.sum() < MIN_PIXELS:
            continue
        mask = largest_pieces(mask)
        people.append((float(np.sqrt(centre[row, col] * person[mask].mean())), mask))
    return sorted(people, key=lambda found: -found[0])


def hidden_piece(
    known: list[Detection], everyone: Bool[np.ndarray, "H W"], claimed: Bool[np.ndarray, "H W"]
) -> Bool[np.ndarray, "H W"] | None:
    """`unexplained_piece` next to known people, large enough to be somebody."""
    largest = max((float(person.mask.sum()) for person in known), default=0.0)
    reach = _rim_px(everyone.shape)
    return unexplained_piece(everyone, claimed, max(1.0, LEAST_SHARE * largest), reach)


def unexplained_piece(
    everyone: Bool[np.ndarray, "H W"],
    claimed: Bool[np.ndarray, "H W"],
    least: float,
    reach: int,
) -> Bool[np.ndarray, "H W"] | None:
    """The largest connected piece of people's pixels that nobody claims, next to who does.

    Args:
        everyone: pixels of people.
        claimed: pixels of those who are known.
        least: pixels; a smaller piece is none.
        reach: pixels; how far from known people it may begin, and how thin a rim is none.
    """
    rest = _beyond(everyone, claimed, reach).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest)
    near = np.unique(labels[_grow(claimed, 3 * reach)])
    sizes = {int(label): stats[label, cv2.CC_STAT_AREA] for label in near if label > 0}
    best = max(sizes, key=lambda label: sizes[label], default=0)
    return labels == best if best and sizes[best] >= least else None


def unexplained_pixels(everyone: Bool[np.ndarray, "H W"], claimed: Bool[np.ndarray, "H W"]) -> int:
    """How many of people's pixels nobody claims, but for the rims of those who claim theirs."""
    return int(_beyond(everyone, claimed, _rim_px(everyone.shape)).sum())


def _beyond(
    everyone: Bool[np.ndarray, "H W"], claimed: Bool[np.ndarray, "H W"], reach: int
) -> Bool[np.ndarray, "H W"]:
    """People's pixels farther than that from those that are claimed, without specks."""
    rest = (everyone & ~_grow(claimed, reach)).astype(np.uint8)
    return cv2.morphologyEx(rest, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def is_apart(person: Detection, people: list[Detection]) -> bool:
    """Whether nobody else's pixels begin within the rim around somebody."""
    others = [each.mask for each in people if each is not person]
    if not others:
        return True
    near = _grow(person.mask, _rim_px(person.mask.shape))
    return not any((near & mask).any() for mask in others)


def _rim_px(size: tuple[int, ...]) -> int:
    return max(1, round(NEAR_SHARE * max(size)))


def _grow(mask: Bool[np.ndarray, "H W"], pixels: int) -> Bool[np.ndarray, "H W"]:
    side = 2 * pixels + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def largest_pieces(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Drops specks: pieces smaller than `SPECK_SHARE` of the mask and than the largest piece."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    area = stats[:, cv2.CC_STAT_AREA]
    keep = area >= min(SPECK_SHARE * mask.sum(), area[1:].max(initial=0))
    keep[0] = False
    return keep[labels]


def mark_others(people: list[Detection]) -> list[Detection]:
    """The same people, each knowing which pixels are the others'."""
    if len(people) < 2:
        return people
    masks = np.stack([person.mask for person in people])
    claims = masks.sum(0)
    return [person._replace(others=(claims > 0) & ~person.mask) for person in people]


def of_marks(crop: Crop) -> Crop:
    """The same window at the resolution of marks."""
    return replace(crop, size=crop.size // CORRESPONDENCE_STRIDE)


def marks_of(person: Detection, crop: Crop) -> Float32[np.ndarray, "2 h h"]:
    """Masks of somebody and of the others, in a window."""
    window = of_marks(crop)
    marks = np.zeros((2, window.size, window.size), np.float32)
    marks[0] = crop_picture(person.mask.astype(np.float32), window)
    if person.others is not None:
        marks[1] = crop_picture(person.others.astype(np.float32), window)
    return marks


def mask_to_detection(score: float, mask: Bool[np.ndarray, "H W"]) -> Detection:
    """Detection of a full-picture mask; the box reaches the outer edges of its pixels."""
    return Detection(mask_box_px(mask), score, mask)

"""Faults of a predicted IUV, for IUVs that nobody predicted."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from dimr.surface.iuv import warp_iuv
from dimr.types import Iuv

MaskUv = tuple[Bool[np.ndarray, "h w"], Float[np.ndarray, "h w 2"]]
"""Of an IUV."""
ALL_SWAPPED = 0.07
"""Share of people whose left and right are mistaken everywhere."""
WRONG_PERSON = 0.2
"""Share of mistaken people who are somebody else altogether."""


def damage_iuv(
    mask: Bool[np.ndarray, "h w"], uv: Float[np.ndarray, "h w 2"], rng: np.random.Generator
) -> MaskUv:
    """An IUV with the faults of a predicted one: edges, holes, noise, drift, swapped sides."""
    mask, uv = mask.copy(), uv.copy()
    side = mask.shape[0]
    noise = cv2.resize(rng.normal(0, 1, (12, 12, 2)), (side, side), interpolation=cv2.INTER_CUBIC)
    uv += (
        noise * rng.uniform(0, 0.02) + rng.normal(0, 1, uv.shape) * rng.uniform(0, 0.012)
    ).astype(np.float32)
    for _ in range(rng.integers(0, 4)):  # holes
        centre = rng.integers(0, side, 2)
        radius = int(rng.uniform(0.02, 0.1) * side)
        hole = cv2.circle(np.zeros(mask.shape, np.uint8), tuple(map(int, centre)), radius, 1, -1)
        mask &= hole == 0
    for _ in range(rng.integers(0, 3)):  # left and right mistaken
        centre = rng.integers(0, side, 2)
        radius = int(rng.uniform(0.03, 0.15) * side)
        swap = (
            cv2.circle(np.zeros(mask.shape, np.uint8), tuple(map(int, centre)), radius, 1, -1) > 0
        )
        uv[swap, 0] = 1 - uv[swap, 0]
    if rng.random() < ALL_SWAPPED:
        uv[..., 0] = 1 - uv[..., 0]
    if rng.random() < 0.5:  # edges eaten
        kernel = np.ones((3, 3), np.uint8)
        mask = cv2.erode(mask.astype(np.uint8), kernel) > 0
    return mask, np.where(mask[..., None], uv.clip(0, 1), np.float32(0)).astype(np.float32)


def mistake_person(iuv: MaskUv, other: MaskUv, rng: np.random.Generator) -> MaskUv:
    """An IUV with pixels of somebody else: a piece of a neighbour, or the neighbour alone.

    Args:
        iuv: mask and uv.
        other: those of the other person in a crop of the same size.
        rng: of the sample.
    """
    (mask, uv), side = iuv, iuv[0].shape[0]
    if rng.random() < WRONG_PERSON:
        return other
    shift = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.3, 0.3)]) * side
    moved = warp_iuv(Iuv(*other), np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), mask.shape)
    if not moved.mask.any():
        return iuv
    centre = rng.choice(np.argwhere(moved.mask))
    near = np.hypot(*(np.indices(mask.shape) - centre[:, None, None]))
    taken = moved.mask & (near < rng.uniform(0.1, 0.5) * side)
    return mask | taken, np.where(taken[..., None], moved.uv, uv)

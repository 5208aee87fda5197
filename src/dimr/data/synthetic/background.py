"""What stands behind the people: procedural rooms and outdoors, or photos from a folder."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic.looks import skin_colour
from dimr.data.synthetic.textures import TextureBank, random_colour


def procedural_background(
    rng: np.random.Generator, size: int, bank: TextureBank, horizon: float
) -> UInt8[np.ndarray, "S S 3"]:
    """A wall or sky, a floor, and clutter.

    Args:
        rng: source of all randomness.
        size: height and width in pixels.
        bank: textures.
        horizon: row where wall and floor meet, as a share of the height; may lie outside.
    """
    if rng.random() < 0.12:  # abstract: nothing but patches
        image = bank.patch(rng, size, size)
    else:
        image = _wall_and_floor(rng, size, bank, horizon)
    for _ in range(int(rng.random() ** 2 * 12)):
        _clutter(rng, image, bank)
    if rng.random() < 0.35:
        for _ in range(1 + int(rng.random() * 4)):
            _limb_like(rng, image)
    return image


def photo_background(
    rng: np.random.Generator, size: int, photos: list[np.ndarray], bank: TextureBank
) -> UInt8[np.ndarray, "S S 3"]:
    """A random square of a random photo, flipped and tinted, sometimes with distractors on it."""
    photo = photos[int(rng.random() * len(photos))]
    shorter = min(photo.shape[:2])
    side = max(8, int(shorter * (0.35 + 0.65 * rng.random())))
    row = int(rng.random() * (photo.shape[0] - side + 1))
    col = int(rng.random() * (photo.shape[1] - side + 1))
    piece = photo[row : row + side, col : col + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    method = cv2.INTER_AREA if side > 1.6 * size else cv2.INTER_LINEAR
    image = np.ascontiguousarray(cv2.resize(piece, (size, size), interpolation=method))
    if rng.random() < 0.15:
        _limb_like(rng, image)
    if rng.random() < 0.15:
        _clutter(rng, image, bank)
    return image


def _wall_and_floor(
    rng: np.random.Generator, size: int, bank: TextureBank, horizon: float
) -> np.ndarray:
    row = int(np.clip(horizon * size, 0, size))
    image = np.empty((size, size, 3), np.uint8)
    if row > 0:
        base = random_colour(rng, 0.7)
        contrast = rng.random() ** 2
        other = base + (random_colour(rng, 0.7) - base) * contrast
        if rng.random() < 0.3:  # sky or a plain lit wall
            ramp = np.linspace(0, 1, row, dtype=np.float32)[:, None, None]
            image[:row] = (base + (other - base) * ramp).clip(0, 255)
        else:
            image[:row] = bank.patch(rng, row, size, (base, other), (0.3, 1.0))
    if row < size:
        base = random_colour(rng, 0.8)
        other = base + (random_colour(rng, 0.8) - base) * 0.6 * rng.random()
        # Squeezed rows towards the horizon look like a floor that recedes.
        tall = bank.patch(rng, size, size, (base, other), (0.4, 1.0))
        depth = np.linspace(0.08, 1, size - row) ** 2
        image[row:] = tall[((1 - depth[0] / depth) * (size - 1)).astype(np.int64)]
    if rng.random() < 0.5:  # uneven light
        slope = rng.uniform(-0.35, 0.35, 2)
        line = np.linspace(-1, 1, size, dtype=np.float32)
        light = 1 + slope[0] * line[:, None] + slope[1] * line[None]
        image = (image * light[..., None]).clip(0, 255).astype(np.uint8)
    return image


def _clutter(rng: np.random.Generator, image: np.ndarray, bank: TextureBank) -> None:
    """One thing in the background: a textured box, a disc, a rod."""
    size = image.shape[0]
    kind = rng.random()
    centre = rng.random(2) * size
    if kind < 0.55:
        extent = size * (0.04 + 0.4 * rng.random(2) ** 2)
        x0, y0 = np.maximum(centre - extent, 0).astype(int).tolist()
        x1, y1 = np.minimum(centre + extent, size).astype(int).tolist()
        if x1 - x0 > 1 and y1 - y0 > 1:
            image[y0:y1, x0:x1] = bank.patch(rng, y1 - y0, x1 - x0)
    elif kind < 0.8:
        axes = (size * (0.02 + 0.2 * rng.random(2) ** 2)).astype(int).tolist()
        colour = random_colour(rng).tolist()
        place = centre.astype(int).tolist()
        cv2.ellipse(image, place, axes, rng.random() * 180, 0, 360, colour, -1, cv2.LINE_AA)
    else:
        end = centre + (rng.random(2) - 0.5) * size
        width = 1 + int(rng.random() ** 2 * 0.07 * size)
        colour = random_colour(rng).tolist()
        cv2.line(image, centre.astype(int).tolist(), end.astype(int).tolist(), colour, width)


def _limb_like(rng: np.random.Generator, image: np.ndarray) -> None:
    """A rounded, shaded rod with the colour of skin or cloth: no person, and labelled so."""
    size = image.shape[0]
    colour = skin_colour(rng) if rng.random() < 0.6 else random_colour(rng)
    points = [rng.random(2) * size]
    for _ in range(1 + (rng.random() < 0.5)):
        points.append(points[-1] + (rng.random(2) - 0.5) * 0.7 * size)
    width = size * (0.02 + 0.09 * rng.random())
    for layer in range(3):
        tone = (colour * (0.65 + 0.22 * layer)).clip(0, 255).tolist()
        thick = max(1, int(width * (1 - 0.3 * layer)))
        for start, end in pairwise(points):
            cv2.line(image, start.astype(int).tolist(), end.astype(int).tolist(), tone, thick)

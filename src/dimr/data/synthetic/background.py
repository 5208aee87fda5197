"""What stands behind the people: pieces of drawn scenes, walls and floors, or photos."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic import solids
from dimr.data.synthetic.looks import skin_colour
from dimr.data.synthetic.scenes import Scenery
from dimr.data.synthetic.textures import TextureBank, random_colour

_PLAIN = 0.15
"""Probability of nothing but a wall and a floor, or patches, where there is scenery."""


def procedural_background(
    rng: np.random.Generator,
    size: int,
    bank: TextureBank,
    horizon: float,
    scenery: Scenery | None = None,
) -> UInt8[np.ndarray, "S S 3"]:
    """A piece of a scene, or a wall or sky and a floor; clutter; out of focus at times.

    Args:
        rng: source of all randomness.
        size: height and width in pixels.
        bank: textures.
        horizon: row where wall and floor meet, as a share of the height; may lie outside.
        scenery: scenes to cut pieces from; None: walls and floors only.
    """
    kind = rng.random()
    if scenery is not None and kind > _PLAIN:
        image = _piece_of_scene(rng, size, horizon, scenery)
        clutter = 3
    else:
        abstract = kind < 0.12 * (_PLAIN if scenery is not None else 1)
        image = (
            bank.patch(rng, size, size) if abstract else _wall_and_floor(rng, size, bank, horizon)
        )
        clutter = 12
    for _ in range(int(rng.random() ** 2 * clutter)):
        _clutter(rng, image, bank, horizon)
    out_of_focus = rng.random() < 0.3
    if out_of_focus:
        image = _blurred(image, size / 192 * (0.7 + 4 * rng.random() ** 2))
    if rng.random() < 0.25:
        for _ in range(1 + int(rng.random() * 3)):
            _limb_like(rng, image)
    return image


def _piece_of_scene(
    rng: np.random.Generator, size: int, horizon: float, scenery: Scenery
) -> np.ndarray:
    """A square of a scene with the horizon where it is wanted as far as the scene reaches."""
    image = _cut(rng, size, horizon, scenery)
    if rng.random() < 0.25:  # another place begins at an upright edge
        edge = int(size * (0.15 + 0.7 * rng.random()))
        side = slice(0, edge) if rng.random() < 0.5 else slice(edge, size)
        image[:, side] = _cut(rng, size, horizon, scenery)[:, side]
    return image


def _cut(rng: np.random.Generator, size: int, horizon: float, scenery: Scenery) -> np.ndarray:
    scene = scenery.pick(rng)
    height, width = scene.image.shape[:2]
    side = int(width * (0.3 + 0.7 * rng.random()))
    row = int(np.clip(scene.horizon_px - horizon * side, 0, height - side))
    col = int(rng.random() * (width - side + 1))
    piece = scene.image[row : row + side, col : col + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    method = cv2.INTER_AREA if side > 1.6 * size else cv2.INTER_LINEAR
    image = cv2.resize(np.ascontiguousarray(piece), (size, size), interpolation=method)
    return cv2.LUT(image, _tint(rng))


def _tint(rng: np.random.Generator) -> UInt8[np.ndarray, "1 256 3"]:
    """Another time of day, other paint: gain and gamma of each channel."""
    gamma = np.exp(0.3 * rng.normal() + 0.04 * rng.standard_normal(3))
    gain = 1 + 0.05 * rng.standard_normal(3)
    ramp = (np.arange(256) / 255)[:, None] ** gamma * gain * 255
    return ramp.clip(0, 255).astype(np.uint8)[None]


def _blurred(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Gaussian blur, on a smaller picture where that is as good."""
    size = image.shape[0]
    if sigma_px > 2:
        small = cv2.resize(image, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma_px / 2)
        return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(image, (0, 0), sigma_px)


def photo_background(
    rng: np.random.Generator, size: int, photos: list[np.ndarray], bank: TextureBank
) -> UInt8[np.ndarray, "S S 3"]:
    """A square of a photo, at times flipped, tinted, out of focus, with distractors on it."""
    photo = photos[int(rng.random() * len(photos))]
    shorter = min(photo.shape[:2])
    side = max(8, int(shorter * (0.35 + 0.65 * rng.random())))
    row = int(rng.random() * (photo.shape[0] - side + 1))
    col = int(rng.random() * (photo.shape[1] - side + 1))
    piece = photo[row : row + side, col : col + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    method = cv2.INTER_AREA if side > 1.6 * size else cv2.INTER_LINEAR
    image = cv2.resize(np.ascontiguousarray(piece), (size, size), interpolation=method)
    if rng.random() < 0.5:
        image = cv2.LUT(image, _tint(rng))
    if rng.random() < 0.15:
        image = _blurred(image, size / 192 * (0.7 + 4 * rng.random() ** 2))
    if rng.random() < 0.15:
        _limb_like(rng, image)
    if rng.random() < 0.15:
        _clutter(rng, image, bank, 0.5)
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


def _clutter(
    rng: np.random.Generator, image: np.ndarray, bank: TextureBank, horizon: float
) -> None:
    """One thing in the background that stands on the floor or hangs on the wall."""
    size = image.shape[0]
    kind = rng.random()
    half = size * (0.02 + 0.17 * rng.random(2) ** 2)
    middle = rng.random(2) * size
    on_floor = middle[1] > horizon * size
    if on_floor:
        foot = middle + np.array([0, half[1]])
        solids.contact_shadow(image, foot, half * (1.3, 0.25))
    if kind < (0.45 if on_floor else 0.7):
        slant = 0.25 * rng.normal(size=2)
        x, y = half
        corners = np.array([[-x, -y], [x, -y], [x, y], [-x, y]])
        corners[1:3, 1] *= 1 + slant[0]
        texture = bank.patch(rng, 48, 48)
        if on_floor:
            deep = x * (0.3 + 0.6 * rng.random()) * (1 if slant[1] > 0 else -1)
            edge = x if deep > 0 else -x
            side = [[edge, -y], [edge + deep, -0.9 * y], [edge + deep, 0.85 * y], [edge, y]]
            tone = np.array(cv2.mean(texture)[:3]) * 0.6
            solids.fill(image, middle + np.array(side), tone)
        solids.texture_quad(image, middle + corners, texture, 0.7 + 0.5 * rng.random())
    elif kind < 0.7:
        solids.ball(image, middle, half.clip(2), random_colour(rng), rng.random())
    else:
        end = middle - (half[0] * rng.normal(), size * (0.1 + 0.5 * rng.random()))
        width = size * (0.01 + 0.06 * rng.random(2) ** 2)
        solids.column(image, end, middle, width, random_colour(rng, 0.7), rng.random() ** 2)


def _limb_like(rng: np.random.Generator, image: np.ndarray) -> None:
    """A rounded, shaded rod with the colour of skin or cloth: no person, and labelled so."""
    size = image.shape[0]
    colour = skin_colour(rng) if rng.random() < 0.6 else random_colour(rng)
    points = [rng.random(2) * size]
    for _ in range(1 + (rng.random() < 0.5)):
        points.append(points[-1] + (rng.random(2) - 0.5) * 0.7 * size)
    width = size * (0.02 + 0.09 * rng.random())
    for end in (points[0], points[-1]):
        solids.ball(image, end, np.full(2, 0.5 * width), colour, 0.0)
    for start, end in pairwise(points):
        solids.column(image, start, end, width * np.array([1.0, 0.9]), colour)

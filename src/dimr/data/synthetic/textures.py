"""Grey procedural textures, drawn once per seed, and the colours that they are dyed with."""

import colorsys

import cv2
import numpy as np
from jaxtyping import UInt8

SIDE = 256
NUM_TEXTURES = 96
_KINDS = 8


def smooth_noise(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise in about [0, 1], (side, side) float32, with `cells` bumps per side."""
    coarse = rng.random((cells + 1, cells + 1), dtype=np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def cloudy_noise(rng: np.random.Generator, side: int, cells: int, octaves: int) -> np.ndarray:
    """Sum of octaves of smooth noise, (side, side) float32, spread over [0, 1]."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        total += smooth_noise(rng, side, min(cells * 2**octave, side)) * 0.55**octave
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, 1e-6)


def _grey_texture(rng: np.random.Generator, kind: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    bend = (smooth_noise(rng, SIDE, 4) - 0.5) * rng.uniform(0, 24)
    period = rng.uniform(9, 48)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle) + bend
    across = y * np.cos(angle) - x * np.sin(angle) + bend
    if kind == 0:
        grey = cloudy_noise(rng, SIDE, int(rng.integers(2, 8)), 6)
    elif kind == 1:  # stripes
        grey = (
            np.clip(4 * np.sin(2 * np.pi * along / period) + rng.uniform(-2, 2), -1, 1) / 2 + 0.5
        )
    elif kind == 2:  # checks
        check = np.floor(along / period) + np.floor(across / period)
        grey = (check % 2).astype(np.float32)
    elif kind == 3:  # dots
        u, v = along / period % 1 - 0.5, across / period % 1 - 0.5
        grey = (u * u + v * v < rng.uniform(0.04, 0.16)).astype(np.float32)
    elif kind == 4:  # bricks and planks
        tall = period * rng.uniform(0.3, 0.7)
        row = np.floor(across / tall)
        joint = (across / tall % 1 < 0.1) | ((along / period + 0.5 * (row % 2)) % 1 < 0.06)
        tone = np.sin(row * 12.9 + np.floor(along / period + 0.5 * (row % 2)) * 78.2) * 43758.5
        grey = np.where(joint, 0, 0.55 + 0.45 * (tone % 1))
    elif kind == 5:  # blotches: leaves, gravel, camouflage
        grey = np.clip(
            (cloudy_noise(rng, SIDE, int(rng.integers(8, 40)), 3) - 0.5) * 6 + 0.5, 0, 1
        )
    elif kind == 6:  # streaks: wood, grass, hair
        fine = rng.random((SIDE, 12), dtype=np.float32)
        grey = cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    else:  # scribbles and boxes: shelves, signs, foliage
        grey = np.full((SIDE, SIDE), 0.5, np.float32)
        for _ in range(60):
            a, b = rng.integers(-20, SIDE, 2), rng.integers(4, 70, 2)
            cv2.rectangle(grey, a.tolist(), (a + b).tolist(), float(rng.random()), -1)
    grain = 0.25 * rng.random() * (cloudy_noise(rng, SIDE, 16, 4) - 0.5)
    return np.clip(np.asarray(grey, np.float32) * 0.9 + 0.05 + grain, 0, 1)


def random_colour(rng: np.random.Generator, dull: float = 0.5) -> np.ndarray:
    """RGB in [0, 255] float32; with probability `dull` of low saturation.

    Warm hues are the most frequent in photographs, then blue and green; purple is rare.
    """
    kind, place, saturation, value = rng.random(4)
    if kind < 0.5:
        hue = 0.02 + 0.13 * place
    elif kind < 0.7:
        hue = 0.54 + 0.12 * place
    elif kind < 0.82:
        hue = 0.2 + 0.2 * place
    else:
        hue = place
    saturation = saturation * 0.25 if rng.random() < dull else 0.25 + 0.7 * saturation
    return np.array(colorsys.hsv_to_rgb(hue, saturation, 0.06 + 0.92 * value), np.float32) * 255


class TextureBank:
    """Textures that patches are cut from and dyed.

    Args:
        rng: source of the bank's own randomness; banks of different seeds share nothing.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.grey: UInt8[np.ndarray, "N S S"] = np.stack(
            [
                (_grey_texture(rng, number % _KINDS) * 255).astype(np.uint8)
                for number in range(NUM_TEXTURES)
            ]
        )
        self.noise: np.ndarray = (
            (rng.standard_normal(1 << 20) * 32).clip(-127, 127).astype(np.int8)
        )
        """Camera noise with a standard deviation of 32."""

    def patch(
        self,
        rng: np.random.Generator,
        height: int,
        width: int,
        colours: tuple[np.ndarray, np.ndarray] | None = None,
        zoom: tuple[float, float] = (0.15, 1.0),
    ) -> UInt8[np.ndarray, "h w 3"]:
        """A dyed piece of a random texture.

        Args:
            rng: source of all randomness.
            height: in pixels.
            width: in pixels.
            colours: RGB of the texture's dark and light ends; drawn if None.
            zoom: range of the share of the texture's side that the longer side of the patch shows.
        """
        grey = self.grey[int(rng.random() * NUM_TEXTURES)]
        share = zoom[0] + (zoom[1] - zoom[0]) * rng.random()
        side = share * SIDE / max(height, width)
        rows, cols = max(2, int(side * height)), max(2, int(side * width))
        row = int(rng.random() * (SIDE - rows + 1))
        col = int(rng.random() * (SIDE - cols + 1))
        piece = grey[row : row + rows, col : col + cols]
        piece = cv2.resize(piece, (width, height), interpolation=cv2.INTER_LINEAR)
        if colours is None:
            first = random_colour(rng)
            second = random_colour(rng)
            colours = (first, first + (second - first) * (0.15 + 0.85 * rng.random()))
        ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
        table = (colours[0] + (colours[1] - colours[0]) * ramp).clip(0, 255).astype(np.uint8)
        return cv2.LUT(cv2.merge([piece, piece, piece]), table[None])

"""Things that hide people: blobs, boxes, rods, table tops, cut-outs from a folder.

Outlines are in crop-normalised coordinates ([-1, 1] from edge to edge), so that the same object
can be drawn at any resolution.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic.textures import TextureBank, random_colour

_SHIFT_BITS = 5


@dataclass(frozen=True, slots=True)
class Occluder:
    """One object, not yet drawn."""

    contour_norm: np.ndarray | None
    """(N, 2) outline, or None for a cut-out."""
    picture: np.ndarray | None
    """RGBA cut-out, or None for a contour."""
    placement: np.ndarray | None
    """(2, 3) affine from cut-out pixels to crop-normalised coordinates."""
    depth_m: float
    """Hides what is farther from the camera than this."""

    def coverage(self, size: int) -> UInt8[np.ndarray, "S S"]:
        """Alpha 0..255 on a picture of `size` pixels."""
        alpha = np.zeros((size, size), np.uint8)
        if self.contour_norm is not None:
            points_px = (self.contour_norm + 1) * (size / 2) - 0.5
            fixed = np.round(points_px.clip(-4 * size, 5 * size) * (1 << _SHIFT_BITS))
            cv2.fillPoly(alpha, [fixed.astype(np.int32)], 255, cv2.LINE_8, _SHIFT_BITS)
            return alpha
        assert self.picture is not None
        return cv2.warpAffine(
            np.ascontiguousarray(self.picture[..., 3]), self._matrix(size), (size, size)
        )

    def _matrix(self, size: int) -> np.ndarray:
        assert self.placement is not None
        matrix = self.placement * (size / 2)
        matrix[:, 2] += size / 2 - 0.5
        return matrix

    def colours(
        self, rng: np.random.Generator, size: int, bank: TextureBank, photos: list[np.ndarray]
    ) -> UInt8[np.ndarray, "S S 3"]:
        """What the object looks like, on the whole picture; only covered pixels matter."""
        if self.picture is not None:
            rgb = np.ascontiguousarray(self.picture[..., :3])
            gain = 0.6 + 0.7 * rng.random()
            drawn = cv2.warpAffine(
                rgb, self._matrix(size), (size, size), borderMode=cv2.BORDER_REPLICATE
            )
            return cv2.convertScaleAbs(drawn, alpha=gain)
        kind = rng.random()
        if kind < 0.15 and photos:
            photo = photos[int(rng.random() * len(photos))]
            drawn = cv2.resize(photo, (size, size), interpolation=cv2.INTER_LINEAR)
        elif kind < 0.45:
            drawn = np.empty((size, size, 3), np.uint8)
            drawn[:] = random_colour(rng)
        else:
            drawn = bank.patch(rng, size, size)
        # Light that falls off across the object gives it some body.
        assert self.contour_norm is not None
        low, high = self.contour_norm.min(0), self.contour_norm.max(0)
        slope = rng.uniform(-0.5, 0.5, 2) / np.maximum(high - low, 0.05)
        line = np.linspace(-1, 1, size, dtype=np.float32)
        middle = (low + high) / 2
        light = 0.9 + slope[0] * (line[None] - middle[0]) + slope[1] * (line[:, None] - middle[1])
        light = light.clip(0.25, 1.3).astype(np.float32)
        return cv2.multiply(drawn, cv2.merge([light, light, light]), dtype=cv2.CV_8U)


def sample_occluder(
    rng: np.random.Generator,
    centre_norm: np.ndarray,
    extent_norm: float,
    depth_m: float,
    cutouts: list[np.ndarray],
) -> Occluder:
    """An object of random kind.

    Args:
        rng: source of all randomness.
        centre_norm: (2,) place of its middle.
        extent_norm: half of its size, in crop-normalised units.
        depth_m: see `Occluder`.
        cutouts: RGBA pictures; one is taken with probability 0.5 if there are any.
    """
    if cutouts and rng.random() < 0.5:
        picture = cutouts[int(rng.random() * len(cutouts))]
        height, width = picture.shape[:2]
        scale = 2 * extent_norm / max(height, width)
        flip = -1 if rng.random() < 0.5 else 1
        angle = rng.normal() * 0.25
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = linear @ np.diag([flip * scale, scale])
        middle = np.array([width - 1, height - 1]) / 2
        placement = np.column_stack([linear, centre_norm - linear @ middle])
        return Occluder(None, picture, placement, depth_m)
    kind = rng.random()
    if kind < 0.4:
        contour = _blob(rng)
    elif kind < 0.75:
        contour = _box(rng)
    else:
        corners = 3 + int(rng.random() * 5)
        angles = np.sort(rng.random(corners)) * 2 * np.pi
        radius = 0.6 + 0.5 * rng.random(corners)
        contour = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    return Occluder(centre_norm + contour * extent_norm, None, None, depth_m)


def table_top(rng: np.random.Generator, top_norm: float, depth_m: float) -> Occluder:
    """Something broad that hides all below `top_norm`: a table, a counter, a hedge."""
    tilt = rng.normal() * 0.06
    left = -1.2 if rng.random() < 0.7 else rng.uniform(-1, 0)
    right = 1.2 if rng.random() < 0.7 else rng.uniform(0, 1)
    contour = np.array([[left, top_norm - tilt], [right, top_norm + tilt], [right, 3], [left, 3]])
    return Occluder(contour, None, None, depth_m)


def rod(rng: np.random.Generator, centre_norm: np.ndarray, depth_m: float) -> Occluder:
    """A pole, a branch, a railing: long and thin through a point."""
    angle = rng.normal() * 0.25 + (np.pi / 2 if rng.random() < 0.65 else 0)
    along = np.array([np.cos(angle), np.sin(angle)]) * 3
    across = np.array([-np.sin(angle), np.cos(angle)]) * (0.015 + 0.09 * rng.random() ** 2)
    corners = [along + across, along - across, -along - across, -along + across]
    return Occluder(centre_norm + np.array(corners), None, None, depth_m)


def _blob(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    radius = np.ones_like(angles)
    for frequency in range(1, 5):
        amplitude, phase = 0.3 * rng.random() / frequency, rng.random() * 2 * np.pi
        radius += amplitude * np.cos(frequency * angles + phase)
    squeeze = 0.4 + 0.6 * rng.random()
    contour = np.stack([np.cos(angles), squeeze * np.sin(angles)], axis=1) * radius[:, None]
    turn = rng.random() * np.pi
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return contour @ spin.T * 0.8


def _box(rng: np.random.Generator) -> np.ndarray:
    """Outline of a box seen from a corner: a rectangle, or a hexagon."""
    wide, tall = 0.35 + 0.65 * rng.random(2)
    turn = rng.normal() * 0.2
    if rng.random() < 0.5:
        corners = np.array([[-wide, -tall], [wide, -tall], [wide, tall], [-wide, tall]])
    else:
        lift, fold = 0.3 * rng.random() * tall, wide * rng.uniform(-0.6, 0.6)
        corners = np.array(
            [[-wide, -tall], [fold, -tall - lift], [wide, -tall],
             [wide, tall], [fold, tall + lift], [-wide, tall]]
        )  # fmt: skip
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return corners @ spin.T

"""Shaded solids drawn with a few filled polygons: boxes, balls, columns, cones, leaves.

Coordinates are pixels of the picture that is drawn on; light falls from above left. Colours are
RGB 0..255 float32.
"""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

Number = int | float
SHIFT = 4
"""Fractional bits of polygon corners."""


def fill(image: np.ndarray, corners_px: np.ndarray, colour: np.ndarray) -> None:
    """Fills a polygon with one colour."""
    fixed = np.round(np.clip(corners_px, -4000, 4000) * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour.clip(0, 255).tolist(), cv2.LINE_AA, SHIFT)


def texture_quad(
    image: np.ndarray, corners_px: np.ndarray, texture: np.ndarray, light: Number = 1.0
) -> None:
    """Maps a texture onto a convex quadrilateral (top left, top right, bottom right, bottom left).

    Nothing is drawn where the quadrilateral lies outside of the picture.
    """
    height, width = image.shape[:2]
    low = np.maximum(np.floor(corners_px.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(corners_px.max(0)) + 1, (width, height)).astype(int)
    if (high - low < 1).any():
        return
    tall, wide = texture.shape[:2]
    source = np.array([[0, 0], [wide - 1, 0], [wide - 1, tall - 1], [0, tall - 1]], np.float32)
    local = (corners_px - low).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, local)
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    drawn = cv2.warpPerspective(
        texture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if light != 1:
        drawn = cv2.convertScaleAbs(drawn, alpha=light)
    mask = np.zeros((size[1], size[0]), np.uint8)
    fixed = np.round(local.clip(-4000, 4000) * (1 << SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(mask, fixed, 255, cv2.LINE_8, SHIFT)
    cv2.copyTo(drawn, mask, image[low[1] : high[1], low[0] : high[0]])


def _paint_region(
    image: np.ndarray,
    middle_px: np.ndarray,
    half_px: np.ndarray,
    shade: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> None:
    """Blends shade(u, v) -> (colour, alpha) over the box |u|, |v| <= 1 around a place."""
    height, width = image.shape[:2]
    low = np.maximum(np.floor(middle_px - half_px), 0).astype(int)
    high = np.minimum(np.ceil(middle_px + half_px) + 1, (width, height)).astype(int)
    if (high - low < 1).any():
        return
    u = ((np.arange(low[0], high[0]) - middle_px[0]) / half_px[0]).astype(np.float32)[None]
    v = ((np.arange(low[1], high[1]) - middle_px[1]) / half_px[1]).astype(np.float32)[:, None]
    colour, alpha = shade(u, v)
    region = image[low[1] : high[1], low[0] : high[0]]
    blended = region + (colour - region) * alpha[..., None]
    np.clip(blended, 0, 255, out=blended)
    region[:] = blended


def ball(
    image: np.ndarray,
    middle_px: np.ndarray,
    half_px: np.ndarray,
    colour: np.ndarray,
    gloss: Number,
) -> None:
    """A shaded ellipsoid."""
    edge = 2 / max(float(half_px.min()), 1.0)

    def shade(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        squared = u * u + v * v
        depth = np.sqrt(np.maximum(1 - squared, 0))
        lit = 0.35 + 0.75 * np.maximum(-0.4 * u - 0.65 * v + 0.65 * depth, 0)
        spot = gloss * 200 * np.exp(-14 * ((u + 0.35) ** 2 + (v + 0.45) ** 2))
        return colour * lit[..., None] + spot[..., None], np.clip((1 - squared) / edge, 0, 1)

    _paint_region(image, middle_px, half_px, shade)


def column(
    image: np.ndarray, top_px: np.ndarray, bottom_px: np.ndarray, widths_px: np.ndarray,
    colour: np.ndarray, gloss: Number = 0.0,
) -> None:  # fmt: skip
    """A round rod, bottle or cone between two points: strips from one side to the other."""
    along = bottom_px - top_px
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    strips = int(np.clip(max(widths_px) / 2, 3, 9))
    edges = np.linspace(-1, 1, strips + 1)
    for left, right in pairwise(edges):
        middle = (left + right) / 2
        # The strip's normal turns with the rod; light comes from the left of the picture.
        lit = 0.4 + 0.65 * max(0.75 * np.sqrt(1 - middle**2) + 0.5 * middle * across[0] * -1, 0)
        tone = colour * lit + 160 * gloss * float(np.exp(-18 * (middle + 0.35) ** 2))
        corners = np.array(
            [top_px + across * widths_px[0] * left / 2, top_px + across * widths_px[0] * right / 2,
             bottom_px + across * widths_px[1] * right / 2,
             bottom_px + across * widths_px[1] * left / 2]
        )  # fmt: skip
        fill(image, corners, tone)


def contact_shadow(
    image: np.ndarray, middle_px: np.ndarray, half_px: np.ndarray, strength: Number = 0.5
) -> None:
    """Darkens the floor below a thing."""

    def shade(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        alpha = strength * np.clip(1 - u * u - v * v, 0, 1)
        return np.zeros((*alpha.shape, 3), np.float32), alpha

    _paint_region(image, middle_px, np.maximum(half_px, 1.0), shade)


def foliage(
    rng: np.random.Generator, image: np.ndarray, middle_px: np.ndarray, half_px: np.ndarray,
    colour: np.ndarray, clumps: int,
) -> None:  # fmt: skip
    """A crown of clumps of leaves, darker below and inside, ragged at its edge."""
    places = (rng.standard_normal((clumps, 2)) * 0.42).clip(-1, 1)
    # From the dark inside to the lit outside.
    for rank, place in enumerate(places[np.argsort(places[:, 1])[::-1]]):
        lit = max(0.6 - 0.3 * place[1] - 0.12 * place[0] + 0.35 * rank / clumps, 0.35)
        tone = colour * (lit + 0.3 * rng.random()) * (1 + 0.08 * rng.standard_normal(3))
        centre = middle_px + place * half_px
        radius = float(min(half_px)) * (0.05 + 0.55 / clumps**0.5 * rng.random())
        angles = np.linspace(0, 2 * np.pi, 7, endpoint=False) + rng.random()
        reach = radius * (0.5 + rng.random(7))
        fill(image, centre + np.stack([np.cos(angles), np.sin(angles)], 1) * reach[:, None], tone)

"""Colour, contrast and sharpness of a set of pictures, and how far two sets are apart.

What a generator gets wrong shows in such low-level statistics first, and a network learns to rely
on it: drawn pictures tend to be too colourful, too sharp, and empty between their edges.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

SIDE_PX = 192
"""Pictures are brought to this longer side: gradients and spectra depend on the resolution."""
_GRADIENT_EDGES = np.concatenate([[0.0], np.geomspace(1, 800, 40)])
_LEVEL_EDGES = np.linspace(0, 256, 65)
_SMALLEST_PX = 16


class PictureStatistics(NamedTuple):
    """Sums over the pixels of all pictures; exactly black pixels (beyond an edge) are left out."""

    mean_rgb: Float[np.ndarray, "3"]
    std_rgb: Float[np.ndarray, "3"]
    contrast: float
    """Mean over pictures of the standard deviation of the lightness, 0..255."""
    saturation: float
    """Mean saturation (HSV), 0..1."""
    dark_share: float
    """Share of pixels with a value (HSV) below a quarter."""
    gradient: float
    """Mean magnitude of the lightness' Sobel gradient, in levels per pixel."""
    flat_share: float
    """Share of pixels with a gradient below two levels per pixel."""
    sharpness: float
    """Mean over pictures of the standard deviation of the Laplacian over that of the lightness."""
    spectrum_slope: float
    """Mean slope of log power over log frequency; about -2 for photographs."""
    lightness: Float[np.ndarray, "64"]
    """Histogram of CIE Lab lightness, sums to one; likewise the others."""
    lab_a: Float[np.ndarray, "64"]
    lab_b: Float[np.ndarray, "64"]
    saturations: Float[np.ndarray, "64"]
    values: Float[np.ndarray, "64"]
    gradients: Float[np.ndarray, "40"]
    """Histogram of gradient magnitudes in logarithmic bins."""


def picture_statistics(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> PictureStatistics:
    """Statistics of RGB pictures of any sizes.

    Raises:
        ValueError: there is no picture, or none with anything but black in it.
    """
    histograms = np.zeros((5, 64))
    gradients = np.zeros(len(_GRADIENT_EDGES) - 1)
    sums, squares, pixels = np.zeros(3), np.zeros(3), 0
    saturation = dark = gradient = flat = 0.0
    each: list[tuple[float, float, float]] = []
    for picture in pictures:
        image = _to_common_size(picture)
        seen = image.any(2)
        if not seen.any():
            continue
        rgb = image[seen].astype(np.float64)
        sums, squares, pixels = sums + rgb.sum(0), squares + (rgb**2).sum(0), pixels + len(rgb)
        lab, hsv = cv2.cvtColor(image, cv2.COLOR_RGB2LAB), cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        planes = (*cv2.split(lab), hsv[..., 1], hsv[..., 2])
        for histogram, plane in zip(histograms, planes, strict=True):
            histogram += np.histogram(plane[seen], _LEVEL_EDGES)[0]
        saturation += float(hsv[..., 1][seen].sum()) / 255
        dark += float((hsv[..., 2][seen] < 64).sum())
        light = lab[..., 0].astype(np.float32)
        steps = [cv2.Sobel(light, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1))]
        # A border of black is no edge of the picture's content.
        inner = cv2.erode(np.asarray(seen, np.uint8), np.ones((5, 5), np.uint8)) > 0
        magnitude = cv2.magnitude(*steps)[inner]
        gradients += np.histogram(magnitude, _GRADIENT_EDGES)[0]
        gradient += float(magnitude.sum()) * len(rgb) / max(len(magnitude), 1)
        flat += float((magnitude < 2).sum()) * len(rgb) / max(len(magnitude), 1)
        spread = float(light[seen].std())
        laplacian = cv2.Laplacian(light, cv2.CV_32F)[inner]
        sharp = float(laplacian.std()) / max(spread, 1.0) if len(laplacian) else 0.0
        each.append((spread, sharp, spectrum_slope(light)))
    if not pixels:
        raise ValueError("pictures: got none that shows anything, want at least one")
    mean = sums / pixels
    contrast, sharpness, slope = np.asarray(each).mean(0).tolist()
    shares = histograms / histograms.sum(1, keepdims=True)
    return PictureStatistics(
        mean_rgb=mean,
        std_rgb=np.sqrt(np.maximum(squares / pixels - mean**2, 0)),
        contrast=contrast,
        saturation=saturation / pixels,
        dark_share=dark / pixels,
        gradient=gradient / pixels,
        flat_share=flat / pixels,
        sharpness=sharpness,
        spectrum_slope=slope,
        lightness=shares[0],
        lab_a=shares[1],
        lab_b=shares[2],
        saturations=shares[3],
        values=shares[4],
        gradients=gradients / max(gradients.sum(), 1),
    )


def spectrum_slope(light: Float[np.ndarray, "h w"]) -> float:
    """Slope of the radial mean of log power over log frequency, between 4 and 1/3 cycles."""
    side = min(light.shape)
    row, col = (light.shape[0] - side) // 2, (light.shape[1] - side) // 2
    square = light[row : row + side, col : col + side].astype(np.float64)
    window = np.hanning(side)
    square = (square - square.mean()) * window[:, None] * window
    power = np.abs(np.fft.fft2(square)) ** 2
    cycles = np.fft.fftfreq(side) * side
    radius = np.hypot(cycles[:, None], cycles[None])
    band = (radius >= 4) & (radius <= side / 3)
    rings = np.round(radius[band]).astype(np.int64)
    mean = np.bincount(rings, power[band]) / np.maximum(np.bincount(rings), 1)
    used = np.nonzero(mean > 0)[0]
    if len(used) < 2:
        return 0.0
    return float(np.polyfit(np.log(used), np.log(mean[used]), 1)[0])


def histogram_distances(first: PictureStatistics, second: PictureStatistics) -> dict[str, float]:
    """Earth mover's distance of each pair of histograms, as a share of the histogram's range."""
    distances = {}
    for name in ("lightness", "lab_a", "lab_b", "saturations", "values", "gradients"):
        a, b = getattr(first, name), getattr(second, name)
        distances[name] = float(np.abs(np.cumsum(a - b)).sum() / (len(a) - 1))
    return distances


def _to_common_size(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (
        max(_SMALLEST_PX, round(width * scale)),
        max(_SMALLEST_PX, round(height * scale)),
    )
    if size == (width, height):
        return np.ascontiguousarray(picture)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=method)

"""What a camera and a file do to a picture: lens, light, tone, noise, sharpening, compression."""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from dimr.data.synthetic.textures import TextureBank

DARK = 60
"""Pictures with a smaller mean are not darkened further: nobody could be seen."""
_NIGHT = (20.0, 40.0)
"""Mean level of a picture that is asked to be dark."""
_CHROMA = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


def degrade(
    rng: np.random.Generator,
    image: UInt8[np.ndarray, "S S 3"],
    bank: TextureBank,
    dark: bool = False,
) -> UInt8[np.ndarray, "S S 3"]:
    """A photograph of the drawn picture.

    Args:
        rng: source of all randomness.
        image: what is in front of the camera.
        bank: whose noise is used.
        dark: take it with far too little light, so that people can just be made out.
    """
    draws = rng.random(16).tolist()
    image = _through_lens(image, draws[0], draws[1], draws[2])
    if draws[3] < 0.06:  # haze, or a veil of stray light
        veil = 120 + 120 * draws[4]
        share = 0.1 + 0.35 * draws[5]
        image = cv2.convertScaleAbs(image, alpha=1 - share, beta=veil * share)
    if draws[6] < 0.2:
        falloff = _vignette(image.shape[0], 1 + int(draws[7] * 4))
        image = cv2.multiply(image, falloff, dtype=cv2.CV_8U)
    mean = sum(cv2.mean(image)[:3]) / 3
    low_light = not dark and draws[8] < 0.1 and mean > DARK
    exposure = 1.0
    if low_light:
        exposure = 0.3 + 0.4 * rng.random()
    elif dark:
        exposure = (_NIGHT[0] + (_NIGHT[1] - _NIGHT[0]) * rng.random()) / max(mean, 1.0)
    image = cv2.LUT(image, _tone_table(rng, min(exposure, 1.0), plain=low_light or dark))
    if draws[12] > 0.55:  # duller than the world, as many cameras and lamps make it
        image = cv2.transform(image, _saturation(0.35 + 0.6 * draws[2]))
    if draws[9] < 0.7 or dark:
        strength = 0.3 * draws[10] ** 2 * (2 if low_light else 1) + (0.1 if dark else 0)
        image = _with_noise(image, bank, strength, draws[11], coarse=draws[12] < 0.3)
    if draws[13] < 0.4 and not dark:  # sharpened by the camera: halos
        soft = cv2.GaussianBlur(image, (0, 0), 0.8 + 0.7 * draws[1])
        amount = 0.3 + 1.0 * draws[4]
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    if draws[14] < 0.4:
        image = _compressed(image, int(20 + 75 * draws[5]), _CHROMA[int(draws[7] * 4)])
    if draws[15] < 0.04:  # a grey picture, sometimes brownish
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if draws[15] < 0.008:
            image = cv2.LUT(image, _ramp(np.array([1.07, 0.98, 0.8])))
    return image


def _through_lens(image: np.ndarray, kind: float, amount: float, direction: float) -> np.ndarray:
    """Too few pixels, motion, or at least the softness of any lens: drawn edges are hard."""
    size = image.shape[0]
    if kind < 0.2:  # a small person, enlarged by the crop
        small = int(size * (0.25 + 0.6 * amount))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_LINEAR if direction < 0.5 else cv2.INTER_CUBIC
        return cv2.resize(image, (size, size), interpolation=method)
    if kind < 0.26:
        length = 2 + int(amount * 0.03 * size)
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        turn = direction * np.pi
        end = np.round(length + length * np.array([np.cos(turn), np.sin(turn)])).astype(int)
        start = 2 * length - end
        cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1)
        return cv2.filter2D(image, -1, kernel / kernel.sum())
    sigma = (0.35 + 0.25 * amount) if direction < 0.8 else 0.6 + 1.1 * amount
    sigma *= size / 192
    width = 2 * int(np.ceil(2 * sigma - 0.5)) + 1
    return cv2.GaussianBlur(image, (width, width), sigma)


@lru_cache(maxsize=16)
def _vignette(size: int, steps: int) -> Float32[np.ndarray, "S S 3"]:
    """Light falls off towards the corners, by a tenth for each step."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    falloff = 1 - 0.1 * steps * (line[:, None] ** 2 + line[None] ** 2)
    return cv2.merge([falloff, falloff, falloff])


def _saturation(share: float) -> Float32[np.ndarray, "3 3"]:
    """Colours mixed with their grey."""
    grey = np.repeat(np.array([[0.3, 0.59, 0.11]], np.float32), 3, axis=0)
    return share * np.eye(3, dtype=np.float32) + np.float32(1 - share) * grey


def _ramp(gain: np.ndarray) -> UInt8[np.ndarray, "1 256 3"]:
    return (np.arange(256)[:, None] * gain).clip(0, 255).astype(np.uint8)[None]


def _tone_table(
    rng: np.random.Generator, exposure: float, plain: bool
) -> UInt8[np.ndarray, "1 256 3"]:
    """White balance, exposure, contrast curve and black level of each channel."""
    gain = (0.95 + 0.38 * rng.random()) * exposure
    warmth = 0.06 * rng.normal()
    cast = 1 + warmth * np.array([1.0, 0.1, -1.0]) + 0.03 * rng.standard_normal(3)
    gamma = np.exp(rng.normal() * 0.13 - (0.0 if plain else 0.12))
    contrast = 1.0 if plain else 1.1 + 0.9 * rng.random()
    black = 16 * rng.random() ** 4
    level = (np.linspace(0, 1, 256)[:, None] ** gamma) * gain * cast
    # A film-like curve: steep in the middle, soft towards black and white.
    if contrast > 1:
        level = level.clip(0, 1.6)
        raised, turned = level**contrast, np.maximum(1 - level, 0) ** contrast
        curved = raised / (raised + turned)
        level = 0.35 * level + 0.65 * curved
    return (black + level * (255 - black)).clip(0, 255).astype(np.uint8)[None]


def _with_noise(
    image: np.ndarray, bank: TextureBank, strength: float, place: float, coarse: bool
) -> np.ndarray:
    """Sensor noise, which a tone curve makes stronger in the shadows than in the lights."""
    count = image.size
    start = int(place * (len(bank.noise) - count)) if count < len(bank.noise) else 0
    grain = np.resize(bank.noise[start : start + count], image.shape)
    if coarse:  # of a picture that was made smaller, or smoothed by the camera
        grain = cv2.GaussianBlur(grain.astype(np.int16), (3, 3), 0.8) * 2
    level = np.arange(256) / 255
    table = (255 * (0.45 + 0.55 * np.exp(-3 * level))).astype(np.uint8)
    shade = cv2.LUT(image, table)
    scaled = cv2.multiply(grain, shade, scale=1.4 * strength / 255, dtype=cv2.CV_16S)
    return cv2.add(image, scaled, dtype=cv2.CV_8U)


def _compressed(image: np.ndarray, quality: int, chroma: int) -> np.ndarray:
    settings = [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, chroma
    ]  # fmt: skip
    # The codec takes blue first; colour sub-sampling depends on which channel is which.
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)
    return cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)

"""What a camera and a file do to a picture: light, colour cast, blur, noise, compression."""

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic.textures import TextureBank

DARK = 60
"""Pictures with a smaller mean are not darkened further: nobody could be seen."""


def degrade(
    rng: np.random.Generator, image: UInt8[np.ndarray, "S S 3"], bank: TextureBank
) -> UInt8[np.ndarray, "S S 3"]:
    """A photograph of the drawn picture."""
    size = image.shape[0]
    draws = rng.random(12).tolist()
    if draws[0] < 0.25:  # a small person, enlarged by the crop
        small = int(size * (0.25 + 0.6 * draws[1]))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_LINEAR if draws[2] < 0.5 else cv2.INTER_CUBIC
        image = cv2.resize(image, (size, size), interpolation=method)
    elif draws[0] < 0.32:  # motion
        length = 2 + int(draws[1] * 0.03 * size)
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        turn = draws[2] * np.pi
        end = np.round(length + length * np.array([np.cos(turn), np.sin(turn)])).astype(int)
        start = 2 * length - end
        cv2.line(kernel, start.tolist(), end.tolist(), 1.0, 1)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    else:  # at least as soft as any lens: drawn edges are hard
        sigma = (0.4 + 0.25 * draws[1]) if draws[2] < 0.75 else 0.6 + 1.2 * draws[1]
        sigma *= size / 192
        width = 2 * int(np.ceil(2 * sigma - 0.5)) + 1
        image = cv2.GaussianBlur(image, (width, width), sigma)
    low_light = draws[3] < 0.12 and sum(cv2.mean(image)) > 3 * DARK
    image = cv2.LUT(image, _tone_table(rng, low_light))
    if draws[4] < 0.7:
        strength = 0.35 * draws[5] ** 2 * (2 if low_light else 1)
        count = image.size
        start = int(draws[6] * (len(bank.noise) - count)) if count < len(bank.noise) else 0
        grain = np.resize(bank.noise[start : start + count], image.shape)
        scaled = cv2.multiply(grain, strength, dtype=cv2.CV_16S)
        image = cv2.add(image, scaled, dtype=cv2.CV_8U)
    if draws[7] < 0.3:
        quality = int(25 + 65 * draws[8])
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
    if draws[9] < 0.03:  # a grey picture
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return image


def _tone_table(rng: np.random.Generator, low_light: bool) -> UInt8[np.ndarray, "1 256 3"]:
    """Per-channel gain, gamma and black level."""
    gamma = np.exp(rng.normal() * 0.15)
    gain = (0.85 + 0.35 * rng.random()) * (1 + 0.06 * rng.standard_normal(3))
    black = 25 * rng.random() ** 3
    if low_light:
        gain *= 0.3 + 0.4 * rng.random()
    ramp = np.linspace(0, 1, 256)[:, None] ** gamma * gain
    return (black + ramp * (255 - black)).clip(0, 255).astype(np.uint8)[None]

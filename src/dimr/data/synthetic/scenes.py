"""Empty scenes in perspective: rooms, streets, nature, halls; pieces of them stand behind people.

A scene is drawn once, large, with a camera that looks level; so the horizon is a row, floors and
walls are planes through the vanishing point, and things on the floor shrink with the distance.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic.indoors import draw_hall, draw_room
from dimr.data.synthetic.outdoors import draw_nature, draw_street
from dimr.data.synthetic.props import HEIGHT_PX, WIDTH_PX, Camera
from dimr.data.synthetic.textures import TextureBank, cloudy_noise

NUM_SCENES = 64


class Scene(NamedTuple):
    """A picture without anybody in it."""

    image: UInt8[np.ndarray, "H W 3"]
    horizon_px: float
    """Row of the horizon."""


class Scenery:
    """A bounded number of scenes, each drawn when it is first asked for.

    Args:
        rng: source of the scenes' own randomness; scenery of different seeds shares nothing.
        bank: textures.
    """

    def __init__(self, rng: np.random.Generator, bank: TextureBank) -> None:
        self._seeds = rng.integers(0, 1 << 62, NUM_SCENES)
        self._bank = bank
        self._scenes: list[Scene | None] = [None] * NUM_SCENES

    def pick(self, rng: np.random.Generator) -> Scene:
        """A random scene; the same one whatever was asked for before."""
        number = int(rng.random() * NUM_SCENES)
        scene = self._scenes[number]
        if scene is None:
            scene = make_scene(np.random.default_rng(int(self._seeds[number])), self._bank)
            self._scenes[number] = scene
        return scene


def make_scene(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """Draws a scene."""
    horizon = HEIGHT_PX * (0.36 + 0.28 * rng.random())
    camera = Camera(WIDTH_PX * (0.7 + 0.9 * rng.random()), horizon, 1.0 + 0.9 * rng.random())
    image = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    kind = rng.random()
    if kind < 0.32:
        draw_room(rng, image, camera, bank)
    elif kind < 0.6:
        draw_street(rng, image, camera, bank)
    elif kind < 0.84:
        draw_nature(rng, image, camera, bank)
    else:
        draw_hall(rng, image, camera, bank)
    return Scene(_soften(rng, image), horizon)


def _soften(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Uneven light and a film of fine structure, which drawn surfaces lack."""
    light = 0.75 + 0.4 * cloudy_noise(rng, 512, 3, 2)[:HEIGHT_PX, :WIDTH_PX]
    grain = cloudy_noise(rng, 512, 150, 2)[:HEIGHT_PX, :WIDTH_PX] - 0.5
    light = light * (1 + (0.1 + 0.35 * rng.random() ** 2) * grain)
    return cv2.multiply(image, cv2.merge([light, light, light]), dtype=cv2.CV_8U)

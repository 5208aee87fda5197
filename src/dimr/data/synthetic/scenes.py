"""Empty scenes in perspective: rooms, streets, nature, halls; pieces of them stand behind people.

A scene is drawn once, large, with a camera that looks level; so the horizon is a row, floors and
walls are planes through the vanishing point, and things on the floor shrink with the distance.
"""

import colorsys
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic import solids
from dimr.data.synthetic.textures import TextureBank, cloudy_noise, random_colour, smooth_noise

WIDTH_PX, HEIGHT_PX = 384, 448
NUM_SCENES = 48


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


class _Camera(NamedTuple):
    """A level camera at a height above the floor."""

    focal_px: float
    horizon_px: float
    height_m: float

    def at(self, x_m: float, y_m: float, z_m: float) -> np.ndarray:
        """Pixel of a point: right, above the floor, ahead."""
        scale = self.focal_px / z_m
        return np.array(
            [WIDTH_PX / 2 + x_m * scale, self.horizon_px + (self.height_m - y_m) * scale]
        )


def make_scene(rng: np.random.Generator, bank: TextureBank) -> Scene:
    """Draws a scene."""
    horizon = HEIGHT_PX * (0.36 + 0.28 * rng.random())
    camera = _Camera(
        WIDTH_PX * (0.7 + 0.9 * rng.random()), horizon, 1.0 + 0.9 * rng.random()
    )
    image = np.empty((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    kind = rng.random()
    if kind < 0.32:
        _room(rng, image, camera, bank)
    elif kind < 0.6:
        _street(rng, image, camera, bank)
    elif kind < 0.84:
        _nature(rng, image, camera, bank)
    else:
        _hall(rng, image, camera, bank)
    return Scene(_soften(rng, image), horizon)


def _soften(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Uneven light and a film of fine structure, which drawn surfaces lack."""
    light = 0.75 + 0.4 * cloudy_noise(rng, 512, 3, 2)[:HEIGHT_PX, :WIDTH_PX]
    grain = cloudy_noise(rng, 512, 150, 2)[:HEIGHT_PX, :WIDTH_PX] - 0.5
    light = light * (1 + (0.05 + 0.3 * rng.random() ** 2) * grain)
    return cv2.multiply(image, cv2.merge([light, light, light]), dtype=cv2.CV_8U)


def _muted(rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """A wall or floor colour of a brightness between `low` and `high`: warm, grey, rarely cold."""
    kind = rng.random()
    if kind < 0.72:
        hue = 0.09 + 0.03 * rng.normal()
    else:
        hue = 0.57 + 0.05 * rng.normal() if kind < 0.87 else rng.random()
    saturation = 0.4 * rng.random() ** 1.5
    colour = np.array(colorsys.hsv_to_rgb(hue % 1, saturation, 1.0))
    return colour * ((low + (high - low) * rng.random()) / colour.mean())


def _surface(
    rng: np.random.Generator, bank: TextureBank, base: np.ndarray, contrast: float, side: int = 192
) -> np.ndarray:
    return bank.patch(rng, side, side, (base * (1 - contrast), base * (1 + contrast)), (0.5, 1.0))


def _quad(camera: _Camera, points_m: list[tuple[float, float, float]]) -> np.ndarray:
    return np.array([camera.at(*point) for point in points_m])


def _floor(
    image: np.ndarray, camera: _Camera, texture: np.ndarray, far_m: float, repeats: int
) -> None:
    """A textured plane from below the camera to a distance."""
    tiled = np.tile(texture, (repeats, repeats, 1)) if repeats > 1 else texture
    near = 0.25
    wide = 0.5 * WIDTH_PX * far_m / camera.focal_px * 1.6 + 1
    corners = _quad(
        camera, [(-wide, 0, far_m), (wide, 0, far_m), (wide, 0, near), (-wide, 0, near)]
    )
    solids.texture_quad(image, corners, tiled)


def _box(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank,
    place_m: tuple[float, float, float], size_m: tuple[float, float, float],
    front: np.ndarray | None = None, base: np.ndarray | None = None,
) -> None:  # fmt: skip
    """A box with three visible faces; `place_m` is the lower middle of its front."""
    x, y, z = place_m
    wide, tall, deep = size_m[0] / 2, size_m[1], size_m[2]
    base = _muted(rng, 40, 200) if base is None else base
    foot, head = camera.at(x - wide, y, z), camera.at(x + wide, y, z)
    if y < 0.05:
        half = np.array([0.62 * (head[0] - foot[0]), 0.12 * (head[0] - foot[0])])
        solids.contact_shadow(image, (foot + head) / 2, half)
    if x > wide or x < -wide:
        edge = x - wide if x > 0 else x + wide
        solids.fill(
            image,
            _quad(camera, [(edge, y, z), (edge, y + tall, z),
                           (edge, y + tall, z + deep), (edge, y, z + deep)]),
            base * (0.55 if x > 0 else 0.8),
        )  # fmt: skip
    if y + tall < camera.height_m:
        top = [(x - wide, y + tall, z + deep), (x + wide, y + tall, z + deep),
               (x + wide, y + tall, z), (x - wide, y + tall, z)]  # fmt: skip
        solids.fill(image, _quad(camera, top), base * 1.25)
    face = [(x - wide, y + tall, z), (x + wide, y + tall, z), (x + wide, y, z), (x - wide, y, z)]
    if front is None:
        front = _surface(rng, bank, base, 0.25 * rng.random() ** 2, 64)
    solids.texture_quad(image, _quad(camera, face), front)


def _shelf(rng: np.random.Generator) -> np.ndarray:
    """A front of shelves with books and boxes."""
    wood = np.array([120, 84, 56]) * (0.5 + rng.random())
    shelf = np.empty((96, 96, 3), np.uint8)
    shelf[:] = (wood * 0.35).clip(0, 255)
    rows = 2 + int(rng.random() * 4)
    for row in range(rows):
        bottom = int((row + 1) * 96 / rows)
        column = 3
        while column < 92:
            wide = 2 + int(rng.random() * 6)
            tall = int(96 / rows * (0.55 + 0.35 * rng.random()))
            if rng.random() < 0.85:
                shelf[bottom - tall : bottom, column : column + wide] = random_colour(rng, 0.6)
            column += wide
        shelf[bottom - 2 : bottom] = wood.clip(0, 255)
    shelf[:, :3] = shelf[:, -3:] = wood.clip(0, 255)
    return shelf


def _window_grid(rng: np.random.Generator, wall: np.ndarray) -> np.ndarray:
    """A front of a house: rows of windows."""
    rows, cols = 3 + int(rng.random() * 5), 3 + int(rng.random() * 6)
    cell = 26
    front = np.repeat(np.repeat(wall[None, None], rows * cell, 0), cols * cell, 1)
    front = front * (0.94 + 0.12 * rng.random((rows * cell, cols * cell, 1)))
    glass, frame = _muted(rng, 20, 110), _muted(rng, 60, 240)
    tall, wide = 12 + int(rng.random() * 9), 9 + int(rng.random() * 12)
    for row in range(rows):
        for col in range(cols):
            y, x = row * cell + 4, col * cell + 3
            front[y - 2 : y + tall + 2, x - 1 : x + wide + 2] = frame
            bright = 0.6 + 0.8 * rng.random()
            ramp = np.linspace(1.3, 0.7, tall)[:, None, None]
            front[y : y + tall, x : x + wide] = glass * bright * ramp
            front[y : y + tall, x + wide // 2] = frame * 0.8
    if rng.random() < 0.6:
        front[-cell:, :] *= 0.6
        front[-cell + 4 :: 1, 4:-4:9] = _muted(rng, 100, 220)
    return front.clip(0, 255).astype(np.uint8)


def _room(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank
) -> None:
    half, depth = 1.6 + 2 * rng.random(), 3.5 + 4 * rng.random()
    tall = max(2.3 + 0.9 * rng.random(), camera.height_m + 0.6)
    shift = rng.normal() * 0.6
    left, right = -half + shift, half + shift
    wall = _muted(rng, 90, 225)
    image[:] = wall.clip(0, 255)
    near = 0.3
    contrast = 0.02 + 0.22 * rng.random() ** 3
    floor = _surface(rng, bank, _muted(rng, 40, 160), 0.25 * rng.random(), 160)
    _floor(image, camera, floor, depth, 1 + int(rng.random() * 3))
    ceiling = np.full(3, 150 + 80 * rng.random())
    solids.fill(
        image,
        _quad(camera, [(left, tall, depth), (right, tall, depth),
                       (right, tall, near), (left, tall, near)]),
        ceiling,
    )  # fmt: skip
    for k in range(int(rng.random() * 3)):  # lamps
        z = depth * (0.4 + 0.25 * k)
        lamp = [(-0.5, tall, z + 0.3), (0.5, tall, z + 0.3), (0.5, tall, z), (-0.5, tall, z)]
        solids.fill(image, _quad(camera, lamp), np.full(3, 252.0))
    back = [(left, tall, depth), (right, tall, depth), (right, 0, depth), (left, 0, depth)]
    solids.texture_quad(image, _quad(camera, back), _surface(rng, bank, wall, contrast))
    for x, light in ((left, 0.85), (right, 0.68)):
        side = [(x, tall, near), (x, tall, depth), (x, 0, depth), (x, 0, near)]
        texture = _surface(rng, bank, wall, contrast)
        solids.texture_quad(image, _quad(camera, side), texture, light)
        if rng.random() < 0.6:  # a window or a door in the side wall
            z, low = 1.2 + (depth - 2) * rng.random(), 0.9 * (rng.random() < 0.6)
            hole = [(x, 2.1, z), (x, 2.1, z + 0.9), (x, low, z + 0.9), (x, low, z)]
            tone = np.full(3, 235.0) if low > 0 else _muted(rng, 60, 200)
            solids.fill(image, _quad(camera, hole), tone)
    for _ in range(1 + int(rng.random() * 5)):  # on the back wall
        x, z = left + 0.4 + (2 * half - 0.8) * rng.random(), depth - 0.01
        kind, wide = rng.random(), 0.3 + 0.5 * rng.random()
        if kind < 0.35:  # a window
            front = np.full((48, 48, 3), 228, np.uint8)
            view = cv2.resize(_sky(rng, 40, 40), (40, 40))
            view[24:] = _muted(rng, 60, 140).clip(0, 255)
            front[4:44, 4:44] = view
            front[:, 23:25] = 230
            box = (x, 0.9, z), (wide * 2, 1.1, 0.01)
        elif kind < 0.55:  # a door
            front = np.full((64, 32, 3), 60, np.uint8)
            front[3:, 3:-3] = _muted(rng, 60, 220).clip(0, 255)
            front[34:37, 24:27] = 190
            box = (x, 0.06, z), (0.9, 2.0, 0.01)
        else:  # a picture
            front = bank.patch(rng, 40, 40)
            front[:2] = front[-2:] = front[:, :2] = front[:, -2:] = int(rng.random() * 90)
            box = (x, 1.2 + 0.3 * rng.random(), z), (wide, 0.3 + 0.5 * rng.random(), 0.01)
        _box(rng, image, camera, bank, *box, front=front)
    things = sorted(1.3 + (depth - 1.4) * rng.random(2 + int(rng.random() * 5)))[::-1]
    for z in things:
        x = left + 0.3 + (2 * half - 0.6) * rng.random()
        kind = rng.random()
        if kind < 0.18:
            size = (0.6 + rng.random(), 1.2 + 0.9 * rng.random(), 0.35)
            _box(rng, image, camera, bank, (x, 0, z), size, front=_shelf(rng))
        elif kind < 0.65:
            size = (0.5 + 1.2 * rng.random(), 0.35 + 0.6 * rng.random(), 0.4 + 0.4 * rng.random())
            _box(rng, image, camera, bank, (x, 0, z), size)
        elif kind < 0.8:
            _table(rng, image, camera, bank, x, float(z))
        else:
            _plant_or_ball(rng, image, camera, x, float(z))


def _table(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank,
    x: float, z: float,
) -> None:  # fmt: skip
    wide, tall = 0.5 + 0.4 * rng.random(), 0.45 + 0.35 * rng.random()
    base = _muted(rng, 50, 190)
    for leg_z, leg_x in ((z + 0.5, x - wide), (z + 0.5, x + wide), (z, x - wide), (z, x + wide)):
        width = np.full(2, 0.05 * camera.focal_px / leg_z)
        solids.column(
            image, camera.at(leg_x, tall, leg_z), camera.at(leg_x, 0, leg_z), width, base * 0.7
        )
    _box(rng, image, camera, bank, (x, tall, z), (2 * wide + 0.1, 0.05, 0.55), base=base)
    if rng.random() < 0.6:
        size = (0.2, 0.15 + 0.2 * rng.random(), 0.1)
        _box(rng, image, camera, bank, (x, tall + 0.05, z + 0.2), size)


def _plant_or_ball(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, x: float, z: float
) -> None:
    scale = camera.focal_px / z
    foot = camera.at(x, 0, z)
    solids.contact_shadow(image, foot, np.array([0.3, 0.06]) * scale)
    if rng.random() < 0.4:
        radius = 0.12 + 0.2 * rng.random()
        middle = camera.at(x, radius, z)
        half = np.full(2, radius * scale)
        solids.ball(image, middle, half, random_colour(rng, 0.3), 0.6 * rng.random())
        return
    pot = np.array([0.26, 0.2]) * scale
    solids.column(image, camera.at(x, 0.3, z), foot, pot, _muted(rng, 60, 200))
    green = np.array([62, 112, 48]) * (0.6 + 0.8 * rng.random())
    tall = 0.5 + 0.7 * rng.random()
    half = np.array([0.35, 0.45]) * tall * scale
    solids.foliage(rng, image, camera.at(x, 0.3 + 0.4 * tall, z), half, green, 40)


def _sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Clear, cloudy or overcast."""
    top, low = np.array([92, 142, 205.0]), np.array([190, 212, 232.0])
    if rng.random() < 0.35:
        top, low = np.full(3, 175 + 60 * rng.random()), np.full(3, 225 + 25 * rng.random())
    elif rng.random() < 0.2:
        top, low = np.array([80, 84, 120.0]), np.array([240, 190, 150.0])
    top = top * (0.75 + 0.35 * rng.random())
    ramp = np.linspace(0, 1, height)[:, None, None] ** 0.8
    sky = np.broadcast_to(top + (low - top) * ramp, (height, width, 3)).astype(np.float32)
    side = max(height, width)
    clouds = cv2.resize(cloudy_noise(rng, 128, 3, 5), (side, side))[:height, :width]
    cover = np.clip((clouds - 0.75 + 0.4 * rng.random()) * 4, 0, 1)[..., None] * rng.random()
    shade = 250 - 60 * np.clip(clouds - 0.55, 0, 1)[..., None] * 2
    return (sky + (shade - sky) * cover).clip(0, 255).astype(np.uint8)


def _tree(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, x: float, z: float
) -> None:
    scale = camera.focal_px / z
    tall = 3.5 + 5 * rng.random()
    trunk = 0.35 * tall
    bark = np.array([88, 70, 54]) * (0.5 + 0.7 * rng.random())
    solids.contact_shadow(image, camera.at(x, 0, z), np.array([1.4, 0.2]) * scale, 0.4)
    width = np.array([0.16, 0.3]) * scale
    solids.column(image, camera.at(x, trunk * 1.5, z), camera.at(x, 0, z), width, bark)
    green = np.array([70, 104, 46]) * (0.45 + 0.9 * rng.random())
    if rng.random() < 0.15:
        green = np.array([150, 96, 44]) * (0.7 + 0.4 * rng.random())
    half = np.array([0.32, 0.36]) * tall * scale
    solids.foliage(rng, image, camera.at(x, trunk + 0.33 * tall, z), half, green, 260)


def _car(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank, x: float,
    z: float,
) -> None:  # fmt: skip
    paint = random_colour(rng, 0.7)
    front = np.empty((40, 96, 3), np.uint8)
    front[:] = paint.clip(0, 255)
    front[:12] = (paint * 1.15).clip(0, 255)
    front[26:] = (paint * 0.6).clip(0, 255)
    for wheel in (18, 78):
        cv2.circle(front, (wheel, 32), 9, (22, 22, 24), -1)
        cv2.circle(front, (wheel, 32), 4, (150, 150, 150), -1)
    for lamp in (0, 90):
        front[12:17, lamp : lamp + 6] = (230, 220, 190) if lamp else (170, 40, 34)
    solids.contact_shadow(image, camera.at(x, 0, z), np.array([2.4, 0.4]) * camera.focal_px / z)
    _box(rng, image, camera, bank, (x, 0.1, z), (4.2, 0.75, 1.6), front=front, base=paint)
    roof = [(x - 1.1, 1.4, z + 0.2), (x + 0.9, 1.4, z + 0.2), (x + 1.5, 0.85, z),
            (x - 1.6, 0.85, z)]  # fmt: skip
    solids.fill(image, _quad(camera, roof), paint * 0.95)
    for start, end in ((-1.0, -0.15), (-0.05, 0.85)):
        pane = [(x + start, 1.32, z + 0.15), (x + end, 1.32, z + 0.15),
                (x + end * 1.35, 0.9, z), (x + start * 1.3, 0.9, z)]  # fmt: skip
        solids.fill(image, _quad(camera, pane), np.array([52, 62, 72.0]))


def _street(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank
) -> None:
    image[:] = _sky(rng, HEIGHT_PX, WIDTH_PX)
    asphalt = _surface(rng, bank, _muted(rng, 70, 170), 0.12 + 0.2 * rng.random(), 128)
    far = 40.0
    _floor(image, camera, asphalt, far, 2 + int(rng.random() * 6))
    facing = rng.random() < 0.5
    if facing:  # fronts across the street
        z, x = 6 + 12 * rng.random(), -WIDTH_PX * 0.5 * 18 / camera.focal_px - 2
        while x < -WIDTH_PX * -0.5 * 18 / camera.focal_px + 2:
            wide = 4 + 8 * rng.random()
            wall = _muted(rng, 60, 215)
            size = (wide, 4 + 10 * rng.random(), 1)
            front = _window_grid(rng, wall)
            if rng.random() < 0.3:
                front = _surface(rng, bank, wall, 0.4 * rng.random())
            _box(rng, image, camera, bank, (x + wide / 2, 0, z), size, front=front, base=wall)
            x += wide
    else:
        for side in (-1, 1):
            edge = side * (3 + 4 * rng.random())
            z = far
            while z > 2.5:
                deep = 4 + 8 * rng.random()
                near = max(z - deep, 0.6)
                tall = 4 + 12 * rng.random()
                wall = _muted(rng, 60, 215)
                corners = [(edge, tall, near), (edge, tall, z), (edge, 0, z), (edge, 0, near)]
                light = 0.65 if side > 0 else 0.95
                solids.texture_quad(image, _quad(camera, corners), _window_grid(rng, wall), light)
                z = near
    if rng.random() < 0.6:  # a kerb and the pavement
        y = camera.at(0, 0, 3 + 4 * rng.random())[1]
        row = int(min(y, HEIGHT_PX - 8))
        image[row : row + 4] = (image[row : row + 4] * 0.6).astype(np.uint8)
        image[row + 4 :] = cv2.convertScaleAbs(image[row + 4 :], alpha=0.8 + 0.5 * rng.random())
    for z in sorted(3.5 + 14 * rng.random(2 + int(rng.random() * 7)))[::-1]:
        x = (rng.random() - 0.5) * WIDTH_PX * 1.1 * z / camera.focal_px
        kind = rng.random()
        if kind < 0.35:
            _tree(rng, image, camera, x, float(z))
        elif kind < 0.6:
            _car(rng, image, camera, bank, x, float(z))
        elif kind < 0.8:  # posts and signs
            width = np.full(2, 0.1 * camera.focal_px / z)
            top = camera.at(x, 2.2 + 2 * rng.random(), float(z))
            solids.column(image, top, camera.at(x, 0, float(z)), width, _muted(rng, 40, 170))
            half = np.full(2, 0.3 * camera.focal_px / z)
            if rng.random() < 0.6:
                solids.ball(image, top, half, random_colour(rng, 0.2), 0.1)
        else:
            size = (0.4 + 1.5 * rng.random(), 0.5 + rng.random(), 0.4)
            _box(rng, image, camera, bank, (x, 0, float(z)), size)
    if rng.random() < 0.3:
        _fence(rng, image, camera, 2.5 + 5 * rng.random())


def _fence(rng: np.random.Generator, image: np.ndarray, camera: _Camera, z: float) -> None:
    colour = _muted(rng, 25, 200)
    scale = camera.focal_px / z
    tall, gap = 0.8 + rng.random(), 0.12 + 0.3 * rng.random()
    width = max(1, round(0.03 * scale))
    edge = 0.5 * WIDTH_PX / scale
    for x in np.arange(-edge, edge, gap):
        top, foot = camera.at(float(x), tall, z), camera.at(float(x), 0, z)
        cv2.line(image, top.astype(int).tolist(), foot.astype(int).tolist(), colour.tolist(), width)
    for y in (tall, 0.15):
        row = round(camera.at(0, y, z)[1])
        cv2.line(image, (0, row), (WIDTH_PX, row), (colour * 0.8).tolist(), width + 1)


def _nature(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank
) -> None:
    image[:] = _sky(rng, HEIGHT_PX, WIDTH_PX)
    columns = np.arange(WIDTH_PX)
    haze = np.array([178, 194, 208.0])
    horizon = camera.horizon_px
    green = np.array([84, 112, 58.0]) * (0.6 + 0.6 * rng.random())
    for layer in range(1 + int(rng.random() * 3)):  # hills and woods
        near = (layer + 1) / 3
        lift = (0.30 - 0.09 * layer) * HEIGHT_PX * rng.random()
        wave = smooth_noise(rng, 512, 3 + 3 * layer)[0, :WIDTH_PX] + 0.1 * rng.random(WIDTH_PX)
        tops = horizon - lift * wave
        outline = np.column_stack([columns, tops])
        outline = np.vstack([outline, [[WIDTH_PX, horizon + 2], [0, horizon + 2]]])
        solids.fill(image, outline, haze + (green - haze) * near)
    kind = rng.random()
    if kind < 0.25:  # water
        water = np.array([70, 104, 128.0]) * (0.6 + 0.7 * rng.random())
        texture = bank.patch(rng, 128, 128, (water * 0.75, water * 1.3), (0.7, 1.0))
        texture = cv2.GaussianBlur(texture, (31, 3), 8)
        repeats = 5
    else:
        ground = green * (1.0 + 0.5 * rng.random())
        if kind > 0.7:
            ground = np.array([176, 154, 116.0]) * (0.6 + 0.6 * rng.random())
        clumps = cloudy_noise(rng, 256, 24, 4)
        blades = cv2.resize(rng.random((64, 256), dtype=np.float32), (256, 256))
        tone = (0.55 + 0.6 * clumps + 0.35 * (blades - 0.5))[..., None]
        texture = (ground * tone).clip(0, 255).astype(np.uint8)
        repeats = 2 + int(rng.random() * 3)
    _floor(image, camera, texture, 60.0, repeats)
    woods = rng.random() < 0.5
    count = 3 + int(rng.random() * (14 if woods else 6))
    for z in sorted(4 + 22 * rng.random(count) ** (0.6 if woods else 1))[::-1]:
        x = float((rng.random() - 0.5) * WIDTH_PX * 1.2 * z / camera.focal_px)
        kind = rng.random()
        if kind < 0.6:
            _tree(rng, image, camera, x, float(z))
        elif kind < 0.85:  # bushes
            scale = camera.focal_px / float(z)
            half = np.array([0.5 + rng.random(), 0.4 + 0.5 * rng.random()]) * scale
            solids.contact_shadow(image, camera.at(x, 0, float(z)), half * (1, 0.25), 0.4)
            solids.foliage(rng, image, camera.at(x, 0.35, float(z)), half, green, 60)
        else:  # stones
            scale = camera.focal_px / float(z)
            half = np.array([0.2 + 0.5 * rng.random(), 0.15 + 0.25 * rng.random()]) * scale
            stone = np.full(3, 70 + 90 * rng.random())
            solids.contact_shadow(image, camera.at(x, 0, float(z)), half * (1.2, 0.4))
            solids.ball(image, camera.at(x, 0.1, float(z)), half, stone, 0)
    if rng.random() < 0.25:
        _fence(rng, image, camera, 3 + 8 * rng.random())


def _hall(
    rng: np.random.Generator, image: np.ndarray, camera: _Camera, bank: TextureBank
) -> None:
    """A gymnasium, a stadium, a court."""
    outdoors = rng.random() < 0.35
    depth = 8 + 14 * rng.random()
    wall = _muted(rng, 30, 200)
    image[:] = _sky(rng, HEIGHT_PX, WIDTH_PX) if outdoors else wall.clip(0, 255)
    top = camera.at(0, 5, depth)[1]
    if not outdoors:
        beams = max(int(top), 1)
        image[:beams] = cv2.resize(
            bank.patch(rng, 32, 64, (wall * 0.3, wall * 0.9)), (WIDTH_PX, beams)
        )
        for x in np.arange(-6, 7, 3.0):
            solids.ball(image, camera.at(float(x), 6, depth * 0.8), np.array([9.0, 4]),
                        np.full(3, 420.0), 0)  # fmt: skip
    # Stands: rows of seats, seen from far.
    low, high = camera.at(0, 1, depth)[1], camera.at(0, 3.5, depth)[1]
    rows = int(np.clip(low - high, 2, HEIGHT_PX))
    seats = rng.random((max(rows // 4, 2), WIDTH_PX // 3, 1), dtype=np.float32)
    seat = random_colour(rng, 0.3)
    stands = (seat * (0.35 + 0.9 * seats)).clip(0, 255).astype(np.uint8)
    stands = cv2.resize(stands, (WIDTH_PX, rows), interpolation=cv2.INTER_LINEAR)
    start = int(np.clip(high, 0, HEIGHT_PX - 1))
    image[start : start + rows] = stands[: HEIGHT_PX - start]
    floor = (np.array([186, 140, 92.0]) if rng.random() < 0.4 else random_colour(rng, 0.2))
    floor = floor * (0.5 + 0.5 * rng.random())
    _floor(image, camera, _surface(rng, bank, floor, 0.1 * rng.random(), 128), depth, 2)
    banner_x = -WIDTH_PX * 0.6 * depth / camera.focal_px
    while banner_x < WIDTH_PX * 0.6 * depth / camera.focal_px:
        wide = 1.5 + 3 * rng.random()
        front = np.empty((24, 72, 3), np.uint8)
        front[:] = random_colour(rng, 0.4)
        ink = random_colour(rng, 0.6)
        for letter in range(int(rng.random() * 8)):
            front[6:18, 6 + 8 * letter : 11 + 8 * letter] = ink
        _box(rng, image, camera, bank, (banner_x + wide / 2, 0, depth - 0.1), (wide, 1.0, 0.05),
             front=front)  # fmt: skip
        banner_x += wide
    line = np.full(3, 200 + 50 * rng.random())
    for x in rng.uniform(-4, 4, 3):
        stripe = [(x, 0, depth), (x + 0.08, 0, depth), (x * 1.3 + 0.08, 0, 0.8), (x * 1.3, 0, 0.8)]
        solids.fill(image, _quad(camera, stripe), line)
    for z in 2 + (depth - 3) * rng.random(2):
        stripe = [(-20, 0, z + 0.1), (20, 0, z + 0.1), (20, 0, z), (-20, 0, z)]
        solids.fill(image, _quad(camera, stripe), line)
    for z in sorted(3 + (depth - 4) * rng.random(int(rng.random() * 5)))[::-1]:
        x = float((rng.random() - 0.5) * WIDTH_PX * z / camera.focal_px)
        kind = rng.random()
        if kind < 0.4:  # mats
            size = (1 + 2 * rng.random(), 0.2 + 0.3 * rng.random(), 1.0)
            _box(rng, image, camera, bank, (x, 0, float(z)), size, base=random_colour(rng, 0.2))
        elif kind < 0.7:
            width = np.full(2, 0.08 * camera.focal_px / z)
            solids.column(image, camera.at(x, 2.5, float(z)), camera.at(x, 0, float(z)), width,
                          _muted(rng, 60, 230))  # fmt: skip
            solids.column(image, camera.at(x, 2.5, float(z)), camera.at(x + 2.4, 2.5, float(z)),
                          width, _muted(rng, 60, 230))  # fmt: skip
        else:
            _plant_or_ball(rng, image, camera, x, float(z))

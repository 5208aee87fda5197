"""What scenes are made of, in metres before a level camera: floors, boxes, trees, cars, tables."""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from dimr.data.synthetic import solids
from dimr.data.synthetic.solids import Number
from dimr.data.synthetic.textures import TextureBank, cloudy_noise, random_colour

WIDTH_PX, HEIGHT_PX = 384, 448
"""Size of a scene."""
Point = tuple[Number, Number, Number]
"""Metres to the right, above the floor, ahead."""


class Camera(NamedTuple):
    """A level camera at a height above the floor."""

    focal_px: float
    horizon_px: float
    height_m: float

    def at(self, x_m: Number, y_m: Number, z_m: Number) -> np.ndarray:
        """Pixel of a point: right, above the floor, ahead."""
        scale = self.focal_px / z_m
        return np.array(
            [WIDTH_PX / 2 + x_m * scale, self.horizon_px + (self.height_m - y_m) * scale]
        )


def muted_colour(rng: np.random.Generator, low: Number, high: Number) -> np.ndarray:
    """A wall or floor colour of a brightness between `low` and `high`: warm, grey, rarely cold."""
    kind = rng.random()
    if kind < 0.72:
        hue = 0.09 + 0.03 * rng.normal()
    else:
        hue = 0.57 + 0.05 * rng.normal() if kind < 0.87 else rng.random()
    saturation = 0.4 * rng.random() ** 1.5
    colour = np.array(colorsys.hsv_to_rgb(hue % 1, saturation, 1.0))
    return colour * ((low + (high - low) * rng.random()) / colour.mean())


def surface(
    rng: np.random.Generator,
    bank: TextureBank,
    base: np.ndarray,
    contrast: Number,
    side: int = 192,
) -> np.ndarray:
    """A square texture of a colour, lighter and darker by a share."""
    return bank.patch(rng, side, side, (base * (1 - contrast), base * (1 + contrast)), (0.5, 1.0))


def quad_px(camera: Camera, points_m: Sequence[Point]) -> np.ndarray:
    """Pixels of points."""
    return np.array([camera.at(*point) for point in points_m])


def draw_floor(
    image: np.ndarray, camera: Camera, texture: np.ndarray, far_m: Number, repeats: int
) -> None:
    """A textured plane from below the camera to a distance."""
    tiled = np.tile(texture, (repeats, repeats, 1)) if repeats > 1 else texture
    near = 0.25
    wide = 0.5 * WIDTH_PX * far_m / camera.focal_px * 1.6 + 1
    corners = quad_px(
        camera, [(-wide, 0, far_m), (wide, 0, far_m), (wide, 0, near), (-wide, 0, near)]
    )
    solids.texture_quad(image, corners, tiled)


def draw_box(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank,
    place_m: Point, size_m: Point,
    front: np.ndarray | None = None, base: np.ndarray | None = None,
) -> None:  # fmt: skip
    """A box with three visible faces; `place_m` is the lower middle of its front."""
    x, y, z = place_m
    wide, tall, deep = size_m[0] / 2, size_m[1], size_m[2]
    base = muted_colour(rng, 40, 200) if base is None else base
    foot, head = camera.at(x - wide, y, z), camera.at(x + wide, y, z)
    if y < 0.05:
        half = np.array([0.62 * (head[0] - foot[0]), 0.12 * (head[0] - foot[0])])
        solids.contact_shadow(image, (foot + head) / 2, half)
    if x > wide or x < -wide:
        edge = x - wide if x > 0 else x + wide
        solids.fill(
            image,
            quad_px(camera, [(edge, y, z), (edge, y + tall, z),
                           (edge, y + tall, z + deep), (edge, y, z + deep)]),
            base * (0.55 if x > 0 else 0.8),
        )  # fmt: skip
    if y + tall < camera.height_m:
        top = [(x - wide, y + tall, z + deep), (x + wide, y + tall, z + deep),
               (x + wide, y + tall, z), (x - wide, y + tall, z)]  # fmt: skip
        solids.fill(image, quad_px(camera, top), base * 1.25)
    face = [(x - wide, y + tall, z), (x + wide, y + tall, z), (x + wide, y, z), (x - wide, y, z)]
    if front is None:
        front = surface(rng, bank, base, 0.25 * rng.random() ** 2, 64)
    solids.texture_quad(image, quad_px(camera, face), front)


def shelf_front(rng: np.random.Generator) -> np.ndarray:
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


def house_front(rng: np.random.Generator, wall: np.ndarray) -> np.ndarray:
    """A front of a house: rows of windows."""
    rows, cols = 3 + int(rng.random() * 5), 3 + int(rng.random() * 6)
    cell = 26
    front = np.repeat(np.repeat(wall[None, None], rows * cell, 0), cols * cell, 1)
    front = front * (0.94 + 0.12 * rng.random((rows * cell, cols * cell, 1)))
    glass, frame = muted_colour(rng, 20, 110), muted_colour(rng, 60, 240)
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
        front[-cell + 4 :: 1, 4:-4:9] = muted_colour(rng, 100, 220)
    return front.clip(0, 255).astype(np.uint8)


def draw_table(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank,
    x: Number, z: Number,
) -> None:  # fmt: skip
    """A table with four legs, at times with something on it."""
    wide, tall = 0.5 + 0.4 * rng.random(), 0.45 + 0.35 * rng.random()
    base = muted_colour(rng, 50, 190)
    for leg_z, leg_x in ((z + 0.5, x - wide), (z + 0.5, x + wide), (z, x - wide), (z, x + wide)):
        width = np.full(2, 0.05 * camera.focal_px / leg_z)
        solids.column(
            image, camera.at(leg_x, tall, leg_z), camera.at(leg_x, 0, leg_z), width, base * 0.7
        )
    draw_box(rng, image, camera, bank, (x, tall, z), (2 * wide + 0.1, 0.05, 0.55), base=base)
    if rng.random() < 0.6:
        size = (0.2, 0.15 + 0.2 * rng.random(), 0.1)
        draw_box(rng, image, camera, bank, (x, tall + 0.05, z + 0.2), size)


def draw_plant_or_ball(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, x: Number, z: Number
) -> None:
    """A plant in a pot, or a ball."""
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
    solids.column(image, camera.at(x, 0.3, z), foot, pot, muted_colour(rng, 60, 200))
    green = np.array([62, 112, 48]) * (0.6 + 0.8 * rng.random())
    tall = 0.5 + 0.7 * rng.random()
    half = np.array([0.35, 0.45]) * tall * scale
    solids.foliage(rng, image, camera.at(x, 0.3 + 0.4 * tall, z), half, green, 40)


def sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
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


def draw_tree(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, x: Number, z: Number
) -> None:
    """A tree with leaves."""
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


def draw_car(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank, x: Number,
    z: Number,
) -> None:  # fmt: skip
    """A car from the side."""
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
    draw_box(rng, image, camera, bank, (x, 0.1, z), (4.2, 0.75, 1.6), front=front, base=paint)
    roof = [(x - 1.1, 1.4, z + 0.2), (x + 0.9, 1.4, z + 0.2), (x + 1.5, 0.85, z),
            (x - 1.6, 0.85, z)]  # fmt: skip
    solids.fill(image, quad_px(camera, roof), paint * 0.95)
    for start, end in ((-1.0, -0.15), (-0.05, 0.85)):
        pane = [(x + start, 1.32, z + 0.15), (x + end, 1.32, z + 0.15),
                (x + end * 1.35, 0.9, z), (x + start * 1.3, 0.9, z)]  # fmt: skip
        solids.fill(image, quad_px(camera, pane), np.array([52, 62, 72.0]))


def draw_fence(rng: np.random.Generator, image: np.ndarray, camera: Camera, z: Number) -> None:
    """A fence across the scene."""
    colour = muted_colour(rng, 25, 200)
    scale = camera.focal_px / z
    tall, gap = 0.8 + rng.random(), 0.12 + 0.3 * rng.random()
    width = max(1, round(0.03 * scale))
    edge = 0.5 * WIDTH_PX / scale
    for x in np.arange(-edge, edge, gap):
        top, foot = camera.at(float(x), tall, z), camera.at(float(x), 0, z)
        cv2.line(
            image, top.astype(int).tolist(), foot.astype(int).tolist(), colour.tolist(), width
        )
    for y in (tall, 0.15):
        row = round(camera.at(0, y, z)[1])
        cv2.line(image, (0, row), (WIDTH_PX, row), (colour * 0.8).tolist(), width + 1)

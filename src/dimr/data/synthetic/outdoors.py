"""Draws streets and nature."""

import cv2
import numpy as np

from dimr.data.synthetic import solids
from dimr.data.synthetic.props import (
    HEIGHT_PX,
    WIDTH_PX,
    Camera,
    draw_box,
    draw_car,
    draw_fence,
    draw_floor,
    draw_tree,
    house_front,
    muted_colour,
    quad_px,
    sky,
    surface,
)
from dimr.data.synthetic.textures import TextureBank, cloudy_noise, random_colour, smooth_noise


def draw_street(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank
) -> None:
    """Houses, trees and cars along or across a street."""
    image[:] = sky(rng, HEIGHT_PX, WIDTH_PX)
    asphalt = surface(rng, bank, muted_colour(rng, 60, 170), 0.12 + 0.25 * rng.random(), 128)
    far = 40.0
    _ground_from(image, camera.horizon_px, asphalt)
    draw_floor(image, camera, asphalt, far, 2 + int(rng.random() * 6))
    facing = rng.random() < 0.5
    if facing:  # fronts across the street
        z, x = 6 + 12 * rng.random(), -WIDTH_PX * 0.5 * 18 / camera.focal_px - 2
        while x < -WIDTH_PX * -0.5 * 18 / camera.focal_px + 2:
            wide = 4 + 8 * rng.random()
            wall = muted_colour(rng, 60, 215)
            size = (wide, 4 + 10 * rng.random(), 1)
            front = house_front(rng, wall)
            if rng.random() < 0.3:
                front = surface(rng, bank, wall, 0.4 * rng.random())
            draw_box(rng, image, camera, bank, (x + wide / 2, 0, z), size, front=front, base=wall)
            x += wide
    else:
        for side in (-1, 1):
            edge = side * (3 + 4 * rng.random())
            z = far
            while z > 2.5:
                deep = 4 + 8 * rng.random()
                near = max(z - deep, 0.6)
                tall = 4 + 12 * rng.random()
                wall = muted_colour(rng, 60, 215)
                corners = [(edge, tall, near), (edge, tall, z), (edge, 0, z), (edge, 0, near)]
                light = 0.65 if side > 0 else 0.95
                solids.texture_quad(image, quad_px(camera, corners), house_front(rng, wall), light)
                z = near
    if rng.random() < 0.6:  # a kerb and the pavement
        y = camera.at(0, 0, 3 + 4 * rng.random())[1]
        row = int(min(y, HEIGHT_PX - 8))
        image[row : row + 4] = (image[row : row + 4] * 0.6).astype(np.uint8)
        image[row + 4 :] = cv2.convertScaleAbs(image[row + 4 :], alpha=0.8 + 0.5 * rng.random())
    for z in sorted(3.5 + 14 * rng.random(4 + int(rng.random() * 10)))[::-1]:
        x = (rng.random() - 0.5) * WIDTH_PX * 1.1 * z / camera.focal_px
        kind = rng.random()
        if kind < 0.35:
            draw_tree(rng, image, camera, x, float(z))
        elif kind < 0.6:
            draw_car(rng, image, camera, bank, x, float(z))
        elif kind < 0.8:  # posts and signs
            width = np.full(2, 0.1 * camera.focal_px / z)
            top = camera.at(x, 2.2 + 2 * rng.random(), float(z))
            solids.column(image, top, camera.at(x, 0, float(z)), width, muted_colour(rng, 40, 170))
            half = np.full(2, 0.3 * camera.focal_px / z)
            if rng.random() < 0.6:
                solids.ball(image, top, half, random_colour(rng, 0.2), 0.1)
        else:
            size = (0.4 + 1.5 * rng.random(), 0.5 + rng.random(), 0.4)
            draw_box(rng, image, camera, bank, (x, 0, float(z)), size)
    if rng.random() < 0.3:
        draw_fence(rng, image, camera, 2.5 + 5 * rng.random())


def draw_nature(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank
) -> None:
    """Hills, meadows, woods, sand or water."""
    image[:] = sky(rng, HEIGHT_PX, WIDTH_PX)
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
    _ground_from(image, horizon, texture)
    draw_floor(image, camera, texture, 60.0, repeats)
    woods = rng.random() < 0.5
    count = 5 + int(rng.random() * (22 if woods else 9))
    for z in sorted(4 + 22 * rng.random(count) ** (0.6 if woods else 1))[::-1]:
        x = float((rng.random() - 0.5) * WIDTH_PX * 1.2 * z / camera.focal_px)
        kind = rng.random()
        if kind < 0.6:
            draw_tree(rng, image, camera, x, float(z))
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
        draw_fence(rng, image, camera, 3 + 8 * rng.random())


def _ground_from(image: np.ndarray, horizon_px: float, texture: np.ndarray) -> None:
    """The ground's mean colour from the horizon down: what is too far for its texture."""
    image[int(np.clip(horizon_px, 0, HEIGHT_PX)) :] = np.array(cv2.mean(texture)[:3])

"""Draws rooms and sports halls."""

import cv2
import numpy as np

from dimr.data.synthetic import solids
from dimr.data.synthetic.props import (
    HEIGHT_PX,
    WIDTH_PX,
    Camera,
    draw_box,
    draw_floor,
    draw_plant_or_ball,
    draw_table,
    muted_colour,
    quad_px,
    shelf_front,
    sky,
    surface,
)
from dimr.data.synthetic.textures import TextureBank, random_colour


def draw_room(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank
) -> None:
    """A room with doors, windows and furniture."""
    half, depth = 1.6 + 2 * rng.random(), 3.5 + 4 * rng.random()
    tall = max(2.3 + 0.9 * rng.random(), camera.height_m + 0.6)
    shift = rng.normal() * 0.6
    left, right = -half + shift, half + shift
    wall = muted_colour(rng, 90, 225)
    image[:] = wall.clip(0, 255)
    near = 0.3
    contrast = 0.03 + 0.3 * rng.random() ** 2.5
    floor = surface(rng, bank, muted_colour(rng, 40, 160), 0.25 * rng.random(), 160)
    draw_floor(image, camera, floor, depth, 1 + int(rng.random() * 3))
    ceiling = np.full(3, 150 + 80 * rng.random())
    solids.fill(
        image,
        quad_px(camera, [(left, tall, depth), (right, tall, depth),
                       (right, tall, near), (left, tall, near)]),
        ceiling,
    )  # fmt: skip
    for k in range(int(rng.random() * 3)):  # lamps
        z = depth * (0.4 + 0.25 * k)
        lamp = [(-0.5, tall, z + 0.3), (0.5, tall, z + 0.3), (0.5, tall, z), (-0.5, tall, z)]
        solids.fill(image, quad_px(camera, lamp), np.full(3, 252.0))
    back = [(left, tall, depth), (right, tall, depth), (right, 0, depth), (left, 0, depth)]
    solids.texture_quad(image, quad_px(camera, back), surface(rng, bank, wall, contrast))
    for x, light in ((left, 0.85), (right, 0.68)):
        side = [(x, tall, near), (x, tall, depth), (x, 0, depth), (x, 0, near)]
        texture = surface(rng, bank, wall, contrast)
        solids.texture_quad(image, quad_px(camera, side), texture, light)
        if rng.random() < 0.6:  # a window or a door in the side wall
            z, low = 1.2 + (depth - 2) * rng.random(), 0.9 * (rng.random() < 0.6)
            hole = [(x, 2.1, z), (x, 2.1, z + 0.9), (x, low, z + 0.9), (x, low, z)]
            tone = np.full(3, 235.0) if low > 0 else muted_colour(rng, 60, 200)
            solids.fill(image, quad_px(camera, hole), tone)
    for _ in range(2 + int(rng.random() * 7)):  # on the back wall
        x, z = left + 0.4 + (2 * half - 0.8) * rng.random(), depth - 0.01
        kind, wide = rng.random(), 0.3 + 0.5 * rng.random()
        if kind < 0.35:  # a window
            front = np.full((48, 48, 3), 228, np.uint8)
            view = cv2.resize(sky(rng, 40, 40), (40, 40))
            view[24:] = muted_colour(rng, 60, 140).clip(0, 255)
            front[4:44, 4:44] = view
            front[:, 23:25] = 230
            box = (x, 0.9, z), (wide * 2, 1.1, 0.01)
        elif kind < 0.55:  # a door
            front = np.full((64, 32, 3), 60, np.uint8)
            front[3:, 3:-3] = muted_colour(rng, 60, 220).clip(0, 255)
            front[34:37, 24:27] = 190
            box = (x, 0.06, z), (0.9, 2.0, 0.01)
        else:  # a picture
            front = bank.patch(rng, 40, 40)
            front[:2] = front[-2:] = front[:, :2] = front[:, -2:] = int(rng.random() * 90)
            box = (x, 1.2 + 0.3 * rng.random(), z), (wide, 0.3 + 0.5 * rng.random(), 0.01)
        draw_box(rng, image, camera, bank, *box, front=front)
    things = sorted(1.3 + (depth - 1.4) * rng.random(3 + int(rng.random() * 8)))[::-1]
    for z in things:
        x = left + 0.3 + (2 * half - 0.6) * rng.random()
        kind = rng.random()
        if kind < 0.18:
            size = (0.6 + rng.random(), 1.2 + 0.9 * rng.random(), 0.35)
            draw_box(rng, image, camera, bank, (x, 0, z), size, front=shelf_front(rng))
        elif kind < 0.65:
            size = (0.5 + 1.2 * rng.random(), 0.35 + 0.6 * rng.random(), 0.4 + 0.4 * rng.random())
            draw_box(rng, image, camera, bank, (x, 0, z), size)
        elif kind < 0.8:
            draw_table(rng, image, camera, bank, x, float(z))
        else:
            draw_plant_or_ball(rng, image, camera, x, float(z))


def draw_hall(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, bank: TextureBank
) -> None:
    """A gymnasium, a stadium, a court."""
    outdoors = rng.random() < 0.35
    depth = 8 + 14 * rng.random()
    wall = muted_colour(rng, 30, 200)
    image[:] = sky(rng, HEIGHT_PX, WIDTH_PX) if outdoors else wall.clip(0, 255)
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
    floor = np.array([186, 140, 92.0]) if rng.random() < 0.4 else random_colour(rng, 0.2)
    floor = floor * (0.5 + 0.5 * rng.random())
    draw_floor(image, camera, surface(rng, bank, floor, 0.1 * rng.random(), 128), depth, 2)
    banner_x = -WIDTH_PX * 0.6 * depth / camera.focal_px
    while banner_x < WIDTH_PX * 0.6 * depth / camera.focal_px:
        wide = 1.5 + 3 * rng.random()
        front = np.empty((24, 72, 3), np.uint8)
        front[:] = random_colour(rng, 0.4)
        ink = random_colour(rng, 0.6)
        for letter in range(int(rng.random() * 8)):
            front[6:18, 6 + 8 * letter : 11 + 8 * letter] = ink
        place = (banner_x + wide / 2, 0, depth - 0.1)
        draw_box(rng, image, camera, bank, place, (wide, 1.0, 0.05), front=front)
        banner_x += wide
    line = np.full(3, 200 + 50 * rng.random())
    for x in rng.uniform(-4, 4, 3):
        stripe = [(x, 0, depth), (x + 0.08, 0, depth), (x * 1.3 + 0.08, 0, 0.8), (x * 1.3, 0, 0.8)]
        solids.fill(image, quad_px(camera, stripe), line)
    for z in 2 + (depth - 3) * rng.random(2):
        stripe = [(-20, 0, z + 0.1), (20, 0, z + 0.1), (20, 0, z), (-20, 0, z)]
        solids.fill(image, quad_px(camera, stripe), line)
    for z in sorted(3 + (depth - 4) * rng.random(int(rng.random() * 5)))[::-1]:
        x = float((rng.random() - 0.5) * WIDTH_PX * z / camera.focal_px)
        kind = rng.random()
        if kind < 0.4:  # mats
            size = (1 + 2 * rng.random(), 0.2 + 0.3 * rng.random(), 1.0)
            draw_box(
                rng, image, camera, bank, (x, 0, float(z)), size, base=random_colour(rng, 0.2)
            )
        elif kind < 0.7:
            width = np.full(2, 0.08 * camera.focal_px / z)
            solids.column(image, camera.at(x, 2.5, float(z)), camera.at(x, 0, float(z)), width,
                          muted_colour(rng, 60, 230))  # fmt: skip
            solids.column(image, camera.at(x, 2.5, float(z)), camera.at(x + 2.4, 2.5, float(z)),
                          width, muted_colour(rng, 60, 230))  # fmt: skip
        else:
            draw_plant_or_ball(rng, image, camera, x, float(z))

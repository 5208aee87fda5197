"""Light on people: lamps and sky, soft shadow where things touch, and the colour of each pixel."""

import math
from typing import no_type_check

import cv2
import numba
import numpy as np
from jaxtyping import Float, Float32

from dimr.data.synthetic.paint import colour
from dimr.data.synthetic.product import product

SKY = 0
"""Row of the lights that is the sky: its direction is up, its light comes from all around."""
INSIDE_OUT = 0.65
"""Brightness of the wrong side of cloth."""
TOUCH_M = (0.02, 0.45)
"""Depth gaps between which a nearer surface casts a soft shadow on what is behind it."""


def sample_lights(
    rng: np.random.Generator, world_to_camera: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "3 6"]:
    """The sky (first-order spherical harmonics) and two lamps.

    Returns:
        A row a light: direction towards it in camera axes, then RGB strength.
    """
    lights = np.zeros((3, 6))
    warmth = 0.1 * rng.normal() * np.array([1.0, 0.1, -1.0])
    lights[SKY, :3] = world_to_camera[:, 1]
    lights[SKY, 3:] = (0.3 + 0.35 * rng.random()) * (1 - 0.6 * warmth)
    for k, strength in ((1, 0.35 + 0.5 * rng.random()), (2, 0.25 * rng.random())):
        above_in_front = np.array([0, 1.0, 0.6])
        direction = product(world_to_camera, rng.standard_normal(3) + above_in_front)
        lights[k, :3] = direction / max(np.sqrt((direction**2).sum()), 1e-6)
        lights[k, 3:] = strength * (1 + warmth)
    return lights


def contact_shade(depth_m: Float32[np.ndarray, "H W"]) -> Float32[np.ndarray, "H W"]:
    """Brightness 0..1 of each pixel: darker just beside something a little nearer.

    Depth is inf where nobody is; those pixels stay bright.
    """
    size = depth_m.shape[0]
    reach = max(3, round(size / 32) | 1)
    near = cv2.erode(depth_m, np.ones((reach, reach), np.uint8))
    with np.errstate(invalid="ignore"):
        gap = depth_m - near
    touching = ((gap > TOUCH_M[0]) & (gap < TOUCH_M[1])).astype(np.float32)
    return 1 - 0.4 * cv2.blur(touching, (reach, reach))


def floor_shadow(
    image: np.ndarray,
    spots_px: list[tuple[float, float, float]],
    strength: float,
) -> None:
    """Darkens the floor in place below points that are near it; (x, y, radius) in pixels."""
    size = image.shape[0]
    small = max(8, size // 4)
    shade = np.zeros((small, small), np.float32)
    scale = small / size
    for x, y, radius in spots_px:
        axes = max(1, round(radius * scale)), max(1, round(0.35 * radius * scale))
        centre = round((x + 0.5) * scale - 0.5), round((y + 0.5) * scale - 0.5)
        if max(map(abs, centre)) < 4 * small and max(axes) < 4 * small:
            cv2.ellipse(shade, centre, axes, 0, 0, 360, strength, -1)
    light = 1 - cv2.resize(cv2.blur(shade, (5, 5)), (size, size))
    image[:] = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def vertex_normals(vertices, faces):
    """(V, 3) unit normals, mean of the faces' weighted by area."""
    normals = np.zeros_like(vertices)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for vertex in (a, b, c):
            normals[vertex, 0] += nx
            normals[vertex, 1] += ny
            normals[vertex, 2] += nz
    for v in range(vertices.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        scale = 1 / np.sqrt(x * x + y * y + z * z + np.float32(1e-30))
        normals[v, 0], normals[v, 1], normals[v, 2] = x * scale, y * scale, z * scale
    return normals


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def paint_person(
    image,
    face,
    bary,
    person,
    who,
    faces,
    num_body_faces,
    part_of_face,
    template,
    normals,
    look,
    marks,
    noise,
    texture_uv,
    texture_of_face,
    textures,
    dyes,
    lights,
    shade,
):
    """Colours the pixels of one person of `image` (H, W, 3) uint8 in place.

    Args:
        image: what stands behind, overwritten where `person` is `who`.
        face: (H, W) visible face.
        bary: (H, W, 3) its barycentrics.
        person: (H, W) whose it is.
        who: the person to paint.
        faces: (F, 3) vertex ids; the body's faces come first.
        num_body_faces: faces from here on are garments, which have textures.
        part_of_face: (F,) SMPL joint of each face.
        template: (V, 3) rest-pose positions.
        normals: (V, 3) posed vertex normals in camera axes, unit length.
        look: record of `looks.LOOK`.
        marks: record of `looks.LANDMARKS`.
        noise: (N, N) uint8 noise texture, N a power of two.
        texture_uv: (F, 3, 2) place on the texture; v grows downwards.
        texture_of_face: (F,) row of `textures` and `dyes`.
        textures: (T, n, n, 4) uint8.
        dyes: (T, 2, 3) factor and offset of each texture's colours.
        lights: (L, 6) as from `sample_lights`.
        shade: (H, W) brightness as from `contact_shade`.
    """
    height, width = person.shape
    side = textures.shape[1]
    for row in range(height):
        for col in range(width):
            if person[row, col] != who:
                continue
            f = face[row, col]
            x = y = z = nx = ny = nz = u = v = 0.0
            for corner in range(3):
                weight = bary[row, col, corner]
                vertex = faces[f, corner]
                x += weight * template[vertex, 0]
                y += weight * template[vertex, 1]
                z += weight * template[vertex, 2]
                nx += weight * normals[vertex, 0]
                ny += weight * normals[vertex, 1]
                nz += weight * normals[vertex, 2]
                u += weight * texture_uv[f, corner, 0]
                v += weight * texture_uv[f, corner, 1]
            scale = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            bright = np.float64(shade[row, col])
            if f < num_body_faces:
                red, green, blue = colour(x, y, z, part_of_face[f], look, marks, noise)
            else:
                texture = texture_of_face[f]
                i = min(max(int(v * side), 0), side - 1)
                j = min(max(int(u * side), 0), side - 1)
                red = textures[texture, i, j, 0] * dyes[texture, 0, 0] + dyes[texture, 1, 0]
                green = textures[texture, i, j, 1] * dyes[texture, 0, 1] + dyes[texture, 1, 1]
                blue = textures[texture, i, j, 2] * dyes[texture, 0, 2] + dyes[texture, 1, 2]
                if nz > 0:  # seen from inside
                    nx, ny, nz = -nx, -ny, -nz
                    bright *= INSIDE_OUT
            up = 0.75 + 0.25 * scale * (nx * lights[0, 0] + ny * lights[0, 1] + nz * lights[0, 2])
            light_r, light_g, light_b = up * lights[0, 3], up * lights[0, 4], up * lights[0, 5]
            for k in range(1, lights.shape[0]):
                lambert = (nx * lights[k, 0] + ny * lights[k, 1] + nz * lights[k, 2]) * scale
                if lambert > 0:
                    light_r += lambert * lights[k, 3]
                    light_g += lambert * lights[k, 4]
                    light_b += lambert * lights[k, 5]
            image[row, col, 0] = np.uint8(min(max(red * light_r * bright, 0.0), 255.0))
            image[row, col, 1] = np.uint8(min(max(green * light_g * bright, 0.0), 255.0))
            image[row, col, 2] = np.uint8(min(max(blue * light_b * bright, 0.0), 255.0))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def keep_opaque(
    depth,
    face,
    bary,
    person,
    new_depth,
    new_face,
    new_bary,
    who,
    texture_uv,
    texture_of_face,
    textures,
):
    """Copies freshly drawn pixels whose texture is opaque there; the rest shows what is below.

    Args:
        depth: (H, W) of the picture so far, updated in place like the next three.
        face: (H, W).
        bary: (H, W, 3).
        person: (H, W).
        new_depth: (H, W) the same after drawing over a copy of `depth`.
        new_face: (H, W), only meant where the new depth is smaller.
        new_bary: (H, W, 3), likewise.
        who: what to write into `person`.
        texture_uv: (F, 3, 2).
        texture_of_face: (F,).
        textures: (T, n, n, 4) uint8; alpha is the last channel.
    """
    height, width = depth.shape
    side = textures.shape[1]
    for row in range(height):
        for col in range(width):
            if not new_depth[row, col] < depth[row, col]:
                continue
            f = new_face[row, col]
            u = v = 0.0
            for corner in range(3):
                u += new_bary[row, col, corner] * texture_uv[f, corner, 0]
                v += new_bary[row, col, corner] * texture_uv[f, corner, 1]
            i = min(max(int(v * side), 0), side - 1)
            j = min(max(int(u * side), 0), side - 1)
            if textures[texture_of_face[f], i, j, 3] < 128:
                continue
            depth[row, col] = new_depth[row, col]
            face[row, col] = f
            person[row, col] = who
            for corner in range(3):
                bary[row, col, corner] = new_bary[row, col, corner]

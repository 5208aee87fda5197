"""Rest-pose position of a surface point -> what it is made of, how thick, and its colour.

Compiled per pixel and per vertex; `looks` draws the numbers. `marks` are the body's landmarks.
"""

import math
from typing import no_type_check

import numba
import numpy as np

SKIN, HAIR, SHIRT, LEGS, SHOES, SOCKS, GLOVES, CAP = range(8)
"""Materials."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _mix(low, high, share):
    return low + (high - low) * min(max(share, 0.0), 1.0)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def material(x, y, z, part, look, marks):
    """Material of a point of the rest-pose surface; `part` is the SMPL joint of its face."""
    side = abs(x)
    if part == 15 or part == 12:
        h = (y - marks.chin_y) / marks.head_height
        depth = (z - marks.head_z) / marks.head_half_depth
        if h > look.cap_line:
            return CAP
        if part == 15 or depth < 0.1:
            if depth > 0.35:
                line = _mix(0.62, look.hairline, (depth - 0.35) / 0.45)
                line = max(line, look.hairline - 0.12 * (side / marks.head_half_width) ** 2)
            elif depth > -0.1:
                line = _mix(look.hair_side, max(0.6, look.hair_side), (depth + 0.1) / 0.45)
            else:
                line = _mix(look.hair_back, look.hair_side, (depth + 0.45) / 0.35)
            if look.hairline > 1 and h > 0.62:
                line = 9.0
            if h > line:
                return HAIR
        if part == 12 and look.turtleneck and y < marks.chin_y + 0.01:
            return SHIRT
        if part == 12 and look.sleeve_x_m > 0 and y < marks.neck_y - look.neckline_m * 0.3:
            return SHIRT if z < marks.neck_z else SKIN
        return SKIN
    if 20 <= part <= 23:
        if look.has_gloves:
            return GLOVES
        return SHIRT if side < look.sleeve_x_m else SKIN
    if part == 7 or part == 8 or part == 10 or part == 11 or part == 4 or part == 5:
        if y < look.shoe_y_m:
            return SHOES
        if y > look.leg_y_m:
            return LEGS
        return SOCKS if y < look.sock_y_m else SKIN
    if part == 1 or part == 2:
        if y > look.hem_y_m:
            return SHIRT
        return LEGS if y > look.leg_y_m else SKIN
    # trunk and arms
    if look.hair_length_m > 0 and z < marks.neck_z and side < 0.15:
        if y > marks.neck_y - look.hair_length_m + 2.5 * side * side:
            return HAIR
    if y < look.hem_y_m:
        if 16 <= part <= 19 or part == 9 or part == 13 or part == 14:
            return SKIN
        return LEGS if y < marks.waist_y + 0.01 else SKIN
    if side > look.sleeve_x_m:
        return SKIN
    if z > marks.neck_z - 0.02:
        wide = 0.06 + 0.5 * look.neckline_m
        share = side / wide
        drop = look.neckline_m
        bottom = marks.neck_y - drop * (1 - (share * share if look.neck_round > 0.5 else share))
        if share < 1 and y > bottom - 0.03:
            return SKIN
    return SHIRT


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def thickness(vertices, part_of_vertex, look, marks, normals, pushed):
    """Writes rest vertices plus hair and clothes to `pushed` (V, 3)."""
    for v in range(vertices.shape[0]):
        # float64 like the pixels' positions: one compiled variant of `material` serves both
        x, y, z = (
            np.float64(vertices[v, 0]),
            np.float64(vertices[v, 1]),
            np.float64(vertices[v, 2]),
        )
        kind = material(x, y, z, part_of_vertex[v], look, marks)
        push = 0.0
        if kind == HAIR:
            push = look.hair_m
            h = (y - marks.chin_y) / marks.head_height
            if h < 0.2:
                push *= 1.4
        elif kind == SHIRT:
            push = look.shirt_m
            if abs(x) > marks.shoulder_x:
                push *= 0.75
        elif kind == LEGS:
            length = max(marks.hip_y - look.leg_y_m, 0.05)
            down = min(max((marks.hip_y - y) / length, 0.0), 1.0)
            push = look.legs_m + look.flare_m * down
        elif kind == SHOES:
            push = look.shoes_m
        elif kind == CAP:
            push = max(look.hair_m, 0.012)
        elif kind == GLOVES:
            push = 0.003
        for axis in range(3):
            pushed[v, axis] = push * normals[v, axis]


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _noise(noise, u, v):
    """Value of a noise texture (uint8, side a power of two) in [0, 1]."""
    mask = noise.shape[0] - 1
    return noise[math.floor(v) & mask, math.floor(u) & mask] / 255.0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _cloth(first, second, pattern, x, y, z, period, noise, look):
    """Blend of two cloth colours by a pattern."""
    along = abs(x) if abs(x) > 0.2 else -y
    share = 0.0
    if pattern == 1:
        share = 1.0 if (along / period) % 1.0 < 0.5 else 0.0
    elif pattern == 2:
        share = 1.0 if ((x if abs(x) <= 0.2 else y) / period) % 1.0 < 0.5 else 0.0
    elif pattern == 3:
        across = x if abs(x) <= 0.2 else y
        share = 0.5 * ((along / period) % 1.0 < 0.5) + 0.5 * ((across / period) % 1.0 < 0.5)
    elif pattern == 4:
        offset = 91.0 if z < 0 else 0.0
        scale = 10.0 / period
        u, v = look.seed_u + offset + x * scale, look.seed_v + y * scale
        share = 1.0 if _noise(noise, u, v) > 0.52 else 0.0
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
        first[2] + (second[2] - first[2]) * share,
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _shirt(x, y, z, noise, look, marks):
    front = z > marks.torso_z and abs(x) < marks.shoulder_x
    if front and look.front_kind == 1:
        u, v = x / look.print_half_m[0], (y - marks.chest_y) / look.print_half_m[1]
        inside = u * u + v * v < 1 if look.neck_round > 0.7 else max(abs(u), abs(v)) < 1
        if inside:
            if _noise(noise, look.seed_u + x * 150, look.seed_v + y * 150) > 0.45:
                return look.front[0], look.front[1], look.front[2]
            return look.legs_second[0], look.legs_second[1], look.legs_second[2]
    elif front and look.front_kind == 2:
        if abs(x) < 0.004 or (abs(x - 0.012) < 0.006 and (y / 0.085) % 1.0 < 0.15):
            return look.shirt[0] * 0.45, look.shirt[1] * 0.45, look.shirt[2] * 0.45
    elif front and look.front_kind == 3:
        gap = 0.035 + 0.12 * max(marks.chest_y + 0.1 - y, 0.0) + 0.15 * max(y - marks.chest_y, 0.0)
        if abs(x) < gap:
            return look.front[0], look.front[1], look.front[2]
        if abs(x) < gap + 0.012:
            return look.shirt[0] * 0.6, look.shirt[1] * 0.6, look.shirt[2] * 0.6
    return _cloth(
        look.shirt, look.shirt_second, look.shirt_pattern, x, y, z, look.period_m, noise, look
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _face(x, y, z, look, marks):
    """Skin of the head with eyes, brows, mouth, beard, glasses."""
    h = (y - marks.chin_y) / marks.head_height
    across = abs(x) / marks.head_half_width
    depth = (z - marks.head_z) / marks.head_half_depth
    red, green, blue = look.skin[0], look.skin[1], look.skin[2]
    if depth < 0.2:
        return red, green * 0.99, blue * 0.99
    eye_u, eye_v = (across - 0.42) / 0.2, (h - 0.5) / 0.032
    eye = eye_u * eye_u + eye_v * eye_v
    if look.glasses > 0:
        lens_u, lens_v = (across - 0.43) / 0.33, (h - 0.495) / 0.085
        lens = lens_u * lens_u + lens_v * lens_v
        if look.glasses == 2 and lens < 1:
            return 18.0, 18.0, 22.0
        if 0.75 < lens < 1.1 or (abs(h - 0.52) < 0.012 and across < 0.16):
            return 25.0, 22.0, 22.0
    if eye < 1:
        if abs(eye_u) < 0.42:
            if abs(eye_u) < 0.18:
                return 12.0, 10.0, 10.0
            return look.iris[0], look.iris[1], look.iris[2]
        return 228.0, 222.0, 215.0
    if eye < 1.7:
        return red * 0.62, green * 0.55, blue * 0.52
    if abs(h - 0.578 - 0.03 * min(across, 0.45)) < 0.014 and 0.17 < across < 0.72:
        b = look.brow
        return (
            red + (look.hair[0] * 0.8 - red) * b,
            green + (look.hair[1] * 0.8 - green) * b,
            blue + (look.hair[2] * 0.8 - blue) * b,
        )
    if across < 0.33 and abs(h - 0.205) < 0.03 * (1 - across / 0.4):
        dark = 0.45 if abs(h - 0.205) < 0.006 else 1.0
        return look.lips[0] * dark, look.lips[1] * dark, look.lips[2] * dark
    lower = 0.16 + 0.34 * min(max((across - 0.62) / 0.25, 0.0), 1.0)
    if look.beard > 0 and (h < lower or (h < 0.275 and across < 0.42)):
        b = look.beard
        return (
            red + (look.hair[0] - red) * b,
            green + (look.hair[1] - green) * b,
            blue + (look.hair[2] - blue) * b,
        )
    if across < 0.26 and abs(h - 0.3) < 0.012:
        return red * 0.6, green * 0.52, blue * 0.5
    if abs(across - 0.55) < 0.25 and abs(h - 0.33) < 0.1:
        return min(red * 1.03, 255.0), green * 0.93, blue * 0.92
    return red, green, blue


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def colour(x, y, z, part, look, marks, noise):
    """Unlit RGB 0..255 of a point of the rest-pose surface."""
    kind = material(x, y, z, part, look, marks)
    offset = 77.0 if z < marks.torso_z else 0.0
    u, v = look.seed_u + offset + x * 110, look.seed_v + y * 110
    fold = 1.0
    if kind == SKIN:
        if part == 15:
            red, green, blue = _face(x, y, z, look, marks)
        else:
            red, green, blue = look.skin[0], look.skin[1], look.skin[2]
        fold = 1 + 0.08 * (_noise(noise, u, v) - 0.5)
    elif kind == HAIR:
        red, green, blue = look.hair[0], look.hair[1], look.hair[2]
        fold = 1 + 0.7 * (_noise(noise, u * 9, v * 0.6) - 0.5)
    elif kind == SHIRT:
        red, green, blue = _shirt(x, y, z, noise, look, marks)
        if part == 20 or part == 21 or (y < look.hem_y_m + 0.012 and abs(x) < marks.shoulder_x):
            fold = 0.8
        fold *= 1 + look.folds * (_noise(noise, u * 1.3, v * 0.9) - 0.5)
    elif kind == LEGS:
        red, green, blue = _cloth(
            look.legs, look.legs_second, look.legs_pattern, x, y, z, look.period_m, noise, look
        )
        if y > marks.waist_y - 0.025 and look.belt:
            red, green, blue = look.shoes[0], look.shoes[1], look.shoes[2]
        elif abs(x) < 0.006 and z > marks.torso_z and not look.skirt:
            fold = 0.7
        elif z < marks.torso_z and abs(abs(x) - 0.075) < 0.05 and abs(y - marks.hip_y) < 0.055:
            edge = max(abs(abs(x) - 0.075) / 0.05, abs(y - marks.hip_y) / 0.055)
            fold = 0.7 if edge > 0.88 and not look.skirt else 1.0  # back pockets
        fold *= 1 + look.folds * (_noise(noise, u * 0.8, v * 1.2) - 0.5)
    elif kind == SHOES:
        if y < look.sole_y_m:
            red, green, blue = look.sole[0], look.sole[1], look.sole[2]
        elif z > marks.toe_z - 0.065:
            red, green, blue = look.toe_cap[0], look.toe_cap[1], look.toe_cap[2]
        else:
            red, green, blue = look.shoes[0], look.shoes[1], look.shoes[2]
            if z > marks.toe_z - 0.15 and (z / 0.018) % 1.0 < 0.3 and y > look.sole_y_m + 0.02:
                red, green, blue = look.sole[0], look.sole[1], look.sole[2]  # laces
    elif kind == SOCKS:
        red, green, blue = look.socks[0], look.socks[1], look.socks[2]
    elif kind == GLOVES:
        red, green, blue = look.gloves[0], look.gloves[1], look.gloves[2]
    else:
        red, green, blue = look.cap[0], look.cap[1], look.cap[2]
        h = (y - marks.chin_y) / marks.head_height
        if h < look.cap_line + 0.05 and z > marks.head_z + 0.5 * marks.head_half_depth:
            fold = 0.5
    return red * fold, green * fold, blue * fold


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def paint_people(
    image, face, bary, person, faces, part_of_face, template, normals, looks, marks, noise, lights
):
    """Colours every person pixel of `image` (H, W, 3) uint8 in place.

    Args:
        image: background, overwritten where `person` >= 0.
        face: (H, W) visible face.
        bary: (H, W, 3) its barycentrics.
        person: (H, W) whose it is, -1 nobody's.
        faces: (F, 3) vertex ids.
        part_of_face: (F,) SMPL joint of each face.
        template: (V, 3) rest-pose positions.
        normals: (P, V, 3) posed vertex normals in camera axes, unit length.
        looks: (P,) records of `looks.LOOK`.
        marks: record of `looks.LANDMARKS`.
        noise: (N, N) uint8 noise texture, N a power of two.
        lights: (L, 6) direction towards the light in camera axes and RGB; the first row's
            direction is ignored: it is the ambient light.
    """
    height, width = person.shape
    for row in range(height):
        for col in range(width):
            who = person[row, col]
            if who < 0:
                continue
            f = face[row, col]
            x = y = z = nx = ny = nz = 0.0
            for corner in range(3):
                weight = bary[row, col, corner]
                vertex = faces[f, corner]
                x += weight * template[vertex, 0]
                y += weight * template[vertex, 1]
                z += weight * template[vertex, 2]
                nx += weight * normals[who, vertex, 0]
                ny += weight * normals[who, vertex, 1]
                nz += weight * normals[who, vertex, 2]
            scale = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
            red, green, blue = colour(x, y, z, part_of_face[f], looks[who], marks, noise)
            light_r, light_g, light_b = lights[0, 3], lights[0, 4], lights[0, 5]
            for k in range(1, lights.shape[0]):
                lambert = (nx * lights[k, 0] + ny * lights[k, 1] + nz * lights[k, 2]) * scale
                if lambert > 0:
                    light_r += lambert * lights[k, 3]
                    light_g += lambert * lights[k, 4]
                    light_b += lambert * lights[k, 5]
            image[row, col, 0] = np.uint8(min(max(red * light_r, 0.0), 255.0))
            image[row, col, 1] = np.uint8(min(max(green * light_g, 0.0), 255.0))
            image[row, col, 2] = np.uint8(min(max(blue * light_b, 0.0), 255.0))

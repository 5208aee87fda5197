"""Rest-pose position of a surface point -> what it is made of, how thick, and its colour.

Compiled per pixel and per vertex; `looks` draws the numbers. `marks` are the body's landmarks.
Details of heads are in `heads`, those of clothes in `clothes`.
"""

import math
from typing import no_type_check

import numba
import numpy as np

from dimr.data.synthetic.clothes import SKIRT, leg_middle, legs_colour, shirt_colour, shoe_colour
from dimr.data.synthetic.folds import folds
from dimr.data.synthetic.heads import (
    CAP_VISOR,
    HEADSCARF,
    HOOD,
    cap_tone,
    face_colour,
    hair_push,
    hair_tone,
    head_coordinates,
    is_cap,
    is_hair,
    noise_at,
)

SKIN, HAIR, SHIRT, LEGS, SHOES, SOCKS, GLOVES, CAP = range(8)
"""Materials."""

SLEEVED, TANK, BRA, TUBE = range(4)
"""Cuts of what covers the trunk."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _long_hair(x, y, z, look, marks):
    """Hair that lies on the trunk."""
    if z < marks.neck_z + 0.02 and abs(x) < look.hair_width_m:
        width = x / look.hair_width_m
        return y > marks.neck_y - look.hair_length_m * (1 - 0.35 * width * width)
    if look.hair_front_m > 0 and z >= marks.neck_z and 0.05 < abs(x) < 0.115:
        return y > marks.neck_y - look.hair_front_m
    return False


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _above_neckline(x, y, z, look, marks):
    """Skin of neck and chest that a shirt leaves free."""
    side = abs(x)
    if side > 0.2 or y < marks.chest_y - 0.1:
        return False
    back = z < marks.mid_z - 0.01
    wide = 0.078 + (0.1 if back else 0.45) * look.neckline_m
    share = side / wide
    if share >= 1:
        return False
    curve = share * share if look.neck_round > 0.5 else share
    if back:
        bottom = marks.neck_y - 0.012 - look.neck_back_m
    else:
        bottom = marks.neck_y - 0.045 - look.neckline_m
    return y > bottom + (marks.neck_y - 0.03 - bottom) * curve + 0.03 * look.turtleneck


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _covered(x, y, z, look, marks):
    """Whether a shirt, bra or swimsuit covers a point of the trunk."""
    side = abs(x)
    front = z > marks.mid_z
    if look.cut == SLEEVED:
        return not _above_neckline(x, y, z, look, marks)
    bust = marks.chest_y - 0.035
    if look.cut == BRA:
        if not front:
            return abs(y - bust + 0.02) < 0.016 or (abs(side - 0.085) < 0.008 and y > bust)
        cup_u, cup_v = (side - 0.075) / 0.07, (y - bust) / 0.062
        if cup_u * cup_u + cup_v * cup_v < 1 or abs(y - bust + 0.035) < 0.012:
            return True
        return abs(side - 0.085) < 0.008 and y > bust
    top = bust + 0.07 - (0.0 if front else 0.06)
    if look.cut == TUBE:
        return y < top
    if y < top + look.neck_round * 0.04 * (side / 0.1) ** 2:
        return side < 0.17 or y < top - 0.05
    return abs(side - 0.09) < 0.012 + 0.025 * look.strap


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def material(x, y, z, part, look, marks):
    """Material of a point of the rest-pose surface; `part` is the SMPL joint of its face."""
    side = abs(x)
    if part == 15 or part == 12:
        if is_cap(x, y, z, look, marks):
            return CAP
        if is_hair(x, y, z, part, look, marks):
            return HAIR
        if part == 15:
            return SKIN
        if look.hair_length_m > 0 and _long_hair(x, y, z, look, marks):
            return HAIR
        if look.turtleneck and y < marks.chin_y + 0.01:
            return SHIRT
        if look.cut == SLEEVED and look.sleeve_x_m > 0 and y < marks.neck_y + 0.005:
            return SKIN if _above_neckline(x, y, z, look, marks) else SHIRT
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
        if y > look.hem_y_m + look.leg_slope * side:
            return SHIRT
        if y > look.leg_y_m + look.leg_slope * side:
            return LEGS
        return SOCKS if y < look.sock_y_m else SKIN
    # trunk and arms
    if look.hair_length_m > 0 and _long_hair(x, y, z, look, marks):
        return HAIR
    if y < look.hem_y_m + look.leg_slope * side * (y < marks.hip_y + 0.05):
        if 16 <= part <= 19 or part == 9 or part == 13 or part == 14:
            return SKIN
        bottom = look.leg_y_m + look.leg_slope * side
        return LEGS if bottom < y < look.rise_y_m else SKIN
    if side > look.sleeve_x_m or not _covered(x, y, z, look, marks):
        return LEGS if look.leg_y_m + look.leg_slope * side < y < look.rise_y_m else SKIN
    return SHIRT


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _push(kind, x, y, z, part, look, marks):
    """Thickness of a material in metres."""
    if kind == HAIR:
        return hair_push(x, y, z, part, look, marks)
    if kind == SHIRT:
        push = look.shirt_m
        if abs(x) > marks.shoulder_x:
            length = max(look.sleeve_x_m - marks.shoulder_x, 0.05)
            return 0.75 * push + look.sleeve_flare_m * min((abs(x) - marks.shoulder_x) / length, 1)
        if y < marks.chest_y:  # hangs away from the waist
            length = max(marks.chest_y - look.hem_y_m, 0.1)
            push += look.hem_flare_m * min((marks.chest_y - y) / length, 1.0)
        return push
    if kind == LEGS:
        length = max(marks.hip_y - look.leg_y_m, 0.05)
        down = min(max((marks.hip_y - y) / length, 0.0), 1.0)
        return look.legs_m + look.flare_m * down
    if kind == SHOES:
        return look.shoes_m
    if kind == CAP:
        h = head_coordinates(x, y, z, marks)[0]
        push = max(look.hair_m * 0.5, look.cap_m)
        if look.cap_kind == HOOD and h < 0.25:
            push += 0.015
        return push
    return 0.003 if kind == GLOVES else 0.0


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
        push = _push(kind, x, y, z, part_of_vertex[v], look, marks)
        for axis in range(3):
            pushed[v, axis] = push * normals[v, axis]
        if kind == LEGS and look.legs_kind == SKIRT and y < marks.hip_y:
            # The inner sides of the legs meet: a skirt has no gap between them.
            if x * normals[v, 0] < 0 and abs(x) < 0.115:
                for axis in range(3):
                    pushed[v, axis] = look.legs_m * normals[v, axis]
                pushed[v, 0] -= 0.8 * x
        elif kind == CAP and look.cap_kind == CAP_VISOR:
            h, across, depth = head_coordinates(x, y, z, marks)
            if depth > 0.6 and h < look.cap_line + 0.08:
                pushed[v, 2] += 0.065 * max(1 - across * across, 0.0)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _body_tone(x, y, z, part, look, marks):
    """Brightness and redness of bare skin: what shows front and back of an undressed body."""
    side = abs(x)
    tone, red = 1.0, 0.0
    if 20 <= part <= 23:
        red = 0.5
        if y < marks.arm_y - 0.012:  # palms
            tone = 1.0 + 0.18 * look.pale_palms
            if 20 <= part <= 21 and math.sin(170 * side + 60 * z) > 0.93:
                tone *= 0.85
        elif side > marks.wrist_x + 0.16 and part >= 22 and y > marks.arm_y + 0.004:
            tone = 1.08  # nails
    elif part == 12:
        # in the jaw's shadow
        tone = 1 - 0.2 * min(max((z - marks.neck_z) / 0.04, 0.0), 1.0)
    elif part == 18 or part == 19 or part == 16 or part == 17:
        if abs(side - marks.elbow_x) < 0.035 and z < marks.arm_z - 0.01:
            red, tone = 0.8, 0.9
    elif part == 4 or part == 5 or part == 1 or part == 2:
        u, v = (side - 0.14) / 0.035, (y - marks.knee_y) / 0.05
        cap = u * u + v * v
        if z > leg_middle(y, marks) and cap < 2:
            ring = cap - 1
            red, tone = 0.6, 1.03 - 0.1 * math.exp(-4 * ring * ring)
        elif z < leg_middle(y, marks):
            hollow = (y - marks.knee_y) / 0.02
            tone = 1 - 0.13 * math.exp(-hollow * hollow)
    elif part == 10 or part == 11:
        red = 0.4
        if z > marks.toe_z - 0.03 and math.sin(380 * side) > 0.8:
            tone = 0.7
    elif z > marks.mid_z:
        u, v = x / 0.008, (y - marks.waist_y + 0.03) / 0.011
        if u * u + v * v < 1:
            return 0.5, 0.0  # navel
        u, v = (side - 0.092) / 0.014, (y - marks.chest_y + 0.035) / 0.013
        if u * u + v * v < 1:
            return 0.75, 1.5
        muscle = look.muscle
        line = (y - marks.chest_y + 0.085 - 0.9 * (side - 0.09) ** 2 * 4) / 0.012
        tone -= 0.3 * muscle * math.exp(-line * line) * (0.02 < side < 0.15)
        tone -= 0.25 * muscle * math.exp(-((x / 0.009) ** 2)) * (y > marks.waist_y - 0.06)
        if marks.waist_y - 0.05 < y < marks.chest_y - 0.1 and side < 0.075:
            tone -= 0.12 * muscle * (math.sin(y * 105) > 0.7)
        bone = (y - marks.neck_y + 0.075 - 0.15 * side) / 0.01
        tone -= 0.2 * math.exp(-bone * bone) * (0.02 < side < 0.13)
    else:
        tone -= 0.3 * math.exp(-((x / 0.012) ** 2)) * (y > marks.hip_y)
        blade = (side - 0.085 + 0.25 * (y - marks.chest_y)) / 0.012
        if abs(y - marks.chest_y - 0.02) < 0.075:
            tone -= (0.1 + 0.15 * look.muscle) * math.exp(-blade * blade)
    return tone, red


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def colour(x, y, z, part, look, marks, noise):
    """Unlit RGB 0..255 of a point of the rest-pose surface."""
    kind = material(x, y, z, part, look, marks)
    fold = 1.0
    if kind == SKIN:
        shift = 77.0 if z < marks.mid_z else 0.0
        fold = 1 + 0.1 * (
            noise_at(noise, look.seed_u + shift + x * 110, look.seed_v + y * 110) - 0.5
        )
        if part == 15:
            red, green, blue = face_colour(x, y, z, look, marks, noise)
        else:
            red, green, blue = look.skin[0], look.skin[1], look.skin[2]
            watch = abs(abs(x) - marks.wrist_x + 0.015)
            if look.watch != 0 and x * look.watch > 0 and watch < 0.013 and part >= 18:
                if y > marks.arm_y + 0.012 and watch < 0.011:
                    return look.buckle[0] * 0.6, look.buckle[1] * 0.6, look.buckle[2] * 0.6
                return look.frame[0], look.frame[1], look.frame[2]
            tone, flush = _body_tone(x, y, z, part, look, marks)
            fold *= tone
            green *= 1 - 0.07 * flush
            blue *= 1 - 0.08 * flush
    elif kind == HAIR:
        red, green, blue = look.hair[0], look.hair[1], look.hair[2]
        fold = hair_tone(x, y, z, look, marks, noise)
    elif kind == SHIRT:
        red, green, blue = shirt_colour(x, y, z, part, noise, look, marks)
        fold = folds(x, y, z, False, noise, look, marks)
        if abs(x) < marks.shoulder_x and y < look.hem_y_m + 0.01:
            fold *= 0.75
    elif kind == LEGS:
        red, green, blue = legs_colour(x, y, z, part, noise, look, marks)
        fold = folds(x, y, z, True, noise, look, marks)
        if look.shirt_m > 0.002 and 0 < look.hem_y_m - y < 0.02:
            fold *= 0.7  # in the shirt's shadow
    elif kind == SHOES:
        red, green, blue = shoe_colour(x, y, z, look, marks)
    elif kind == SOCKS:
        red, green, blue = look.socks[0], look.socks[1], look.socks[2]
        if look.sock_rings and look.sock_y_m - 0.05 < y < look.sock_y_m - 0.01:
            ring = (y / 0.02) % 1.0 < 0.5
            red, green, blue = (
                (look.trim[0], look.trim[1], look.trim[2]) if ring else (red, green, blue)
            )
    elif kind == GLOVES:
        red, green, blue = look.gloves[0], look.gloves[1], look.gloves[2]
        fold = 0.85 if y < marks.arm_y - 0.01 else 1.0
    else:
        red, green, blue = look.cap[0], look.cap[1], look.cap[2]
        fold = cap_tone(x, y, z, look, marks)
        if look.cap_kind < HEADSCARF and z > marks.head_z + 0.06 and abs(x) < 0.025:
            h = (y - marks.chin_y) / marks.head_height
            if look.logo and abs(h - look.cap_line - 0.12) < 0.05:
                red, green, blue = look.trim[0], look.trim[1], look.trim[2]
    return red * fold, green * fold, blue * fold

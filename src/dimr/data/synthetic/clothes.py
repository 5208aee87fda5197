"""Colours of clothes and shoes by rest-pose position: cuts, patterns, seams.

Fronts differ from backs as they do on people: plackets, zips, lapels, ties, kangaroo pockets and
flies in front; yokes, hoods, numbers and trouser pockets behind. Compiled per pixel.
"""

import math
from typing import no_type_check

import numba

from dimr.data.synthetic.heads import mix, noise_at

PLAIN, STRIPES, UPRIGHT_STRIPES, PLAID, BLOTCHES, DOTS, FLOWERS, CAMOUFLAGE = range(8)
DENIM, KNIT, BLOCKS, FADE, TWEED, LEOPARD = range(8, 14)
"""Patterns of cloth."""

NO_FRONT, PRINT, BUTTONS, OPEN_JACKET, ZIP, POLO, NUMBER, TIE = range(8)
"""What is on the front of a shirt."""

NO_BACK, YOKE, BACK_PRINT, BACK_NUMBER, HOOD_DOWN, BACK_SEAM, BAND = range(7)
"""What is on the back of a shirt."""

NO_POCKETS, CHEST_POCKET, CHEST_FLAPS, KANGAROO, LOW_POCKETS = range(5)
"""Pockets on the front of a shirt."""

JEANS, TROUSERS, LEGGINGS, TRACKSUIT, CARGO, SKIRT = range(6)
"""What is worn on the legs."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _scatter(i, j):
    """A number in [0, 1) for each cell of a grid."""
    value = math.sin(i * 12.9898 + j * 78.233) * 43758.5453
    return value - math.floor(value)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def surface_coordinates(x, y, z, part, marks):
    """Metres (around, along) a limb or the trunk."""
    side = abs(x)
    if 16 <= part <= 23 and side > marks.shoulder_x:
        return 0.055 * math.atan2(z - marks.arm_z, y - marks.arm_y), side
    if y < marks.hip_y - 0.02:
        return 0.08 * math.atan2(side - 0.125, z - leg_middle(y, marks)), -y
    return 0.15 * math.atan2(x, z - marks.mid_z), -y


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def leg_middle(y, marks):
    """Depth of a leg's axis at a height: the shank goes backwards."""
    down = (marks.knee_y - y) / (marks.knee_y - marks.ankle_y)
    return mix(marks.leg_z, marks.ankle_z, down)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _blend(first, second, share):
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
        first[2] + (second[2] - first[2]) * share,
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def cloth(first, second, third, pattern, s, t, y, period, noise, look):
    """Colour of a pattern at (around, along), both in metres."""
    if pattern == PLAIN:
        return first[0], first[1], first[2]
    u, v = look.seed_u + 37 * s, look.seed_v + 37 * t
    share = 0.0
    if pattern == STRIPES:
        place = (t / period) % 1.0
        if look.stripes > 0.6 and place > 0.75:
            return third[0], third[1], third[2]
        share = 1.0 if place < 0.2 + 0.4 * look.stripes else 0.0
    elif pattern == UPRIGHT_STRIPES:
        share = 1.0 if (s / period) % 1.0 < 0.1 + 0.4 * look.stripes else 0.0
    elif pattern == PLAID:
        a, b = (s / period) % 1.0, (t / period) % 1.0
        if abs(a - 0.72) < 0.035 or abs(b - 0.72) < 0.035:
            return third[0], third[1], third[2]
        share = 0.5 * (a < 0.45) + 0.5 * (b < 0.45)
    elif pattern == BLOTCHES:
        share = min(max((noise_at(noise, u * 0.3 / period, v * 0.3 / period) - 0.5) * 9, 0), 1)
    elif pattern == DOTS or pattern == FLOWERS or pattern == LEOPARD:
        a, b = s / period, t / period
        i, j = math.floor(a), math.floor(b)
        jitter = 0.0 if pattern == DOTS else 0.35
        du = a - i - 0.5 - jitter * (_scatter(i, j) - 0.5)
        dv = b - j - 0.5 - jitter * (_scatter(i + 7, j) - 0.5)
        distance = math.sqrt(du * du + dv * dv)
        if pattern == DOTS:
            share = 1.0 if distance < 0.24 else 0.0
        elif pattern == FLOWERS:
            petals = 0.30 + 0.10 * math.sin(5 * math.atan2(dv, du) + i)
            if distance < 0.1:
                return first[0] * 0.6, first[1] * 0.6, first[2] * 0.6
            if distance < petals and _scatter(i, j + 3) > 0.5:
                return third[0], third[1], third[2]
            share = 1.0 if distance < petals else 0.0
        else:
            if distance < 0.22:
                return third[0], third[1], third[2]
            share = 1.0 if distance < 0.38 and _scatter(i + j, i) > 0.25 else 0.0
    elif pattern == CAMOUFLAGE:
        a = noise_at(noise, u * 4, v * 4)
        b = noise_at(noise, u * 4 + 120, v * 4 + 60)
        if b > 0.56:
            return third[0], third[1], third[2]
        share = 1.0 if a > 0.5 else 0.0
    elif pattern == DENIM:
        share = 0.55 * (noise_at(noise, u * 25, v * 25) - 0.5) + 0.25
    elif pattern == KNIT:
        share = 0.25 + 0.25 * math.sin(6.28 * s / 0.012) * (0.6 + 0.4 * math.sin(6.28 * t / 0.01))
    elif pattern == BLOCKS:
        if y < look.block_y_m - 0.16:
            return third[0], third[1], third[2]
        share = 1.0 if y < look.block_y_m else 0.0
    elif pattern == FADE:
        share = (look.block_y_m + 0.2 - y) / 0.5
    elif pattern == TWEED:
        share = 1.0 if noise_at(noise, u * 40, v * 40 + 9 * math.floor(u)) > 0.55 else 0.25
    return _blend(first, second, min(max(share, 0.0), 1.0))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _in_print(u, v, look, shift, noise):
    """-1 outside of a print (|u|, |v| <= 1 is its box), else which of two colours."""
    if max(abs(u), abs(v)) > 1:
        return -1
    kind = look.print_kind
    if kind == 0:  # a picture
        grain = noise_at(noise, look.seed_u + shift + u * 22, look.seed_v + v * 22)
        return 0 if grain > 0.5 else 1
    if kind == 1:  # lines of writing
        line = (v * 1.5 + 1.5) % 1.0
        if line < 0.25 or abs(u) > 0.6 + 0.4 * _scatter(math.floor(v * 1.5 + 1.5), shift):
            return -1
        letter = _scatter(math.floor(u * 9), math.floor(v * 4.5))
        return 0 if letter > 0.35 else -1
    distance = u * u + v * v
    if kind == 2:  # a badge
        if distance > 1:
            return -1
        return 0 if distance > 0.6 or abs(v) < 0.2 else 1
    if kind == 3:  # a broad bar across
        return 0 if abs(v) < 0.35 else -1
    # a number of two figures
    a = abs(u) - 0.48
    inside = abs(a) < 0.36
    hole = abs(a) < 0.14 and (0.12 < abs(v) < 0.75) and _scatter(u > 0, look.print_kind) > 0.3
    return 0 if inside and not hole else -1


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _shirt_front(x, y, noise, look, marks):
    """(done, red, green, blue) of details on the front of a shirt."""
    kind = look.front_kind
    shirt, inner, trim = look.shirt, look.front, look.trim
    if kind == OPEN_JACKET:
        gap = 0.02 + look.jacket_gap * (
            0.5 * max(marks.chest_y + 0.12 - y, 0.0) * (y > marks.waist_y)
            + 0.35 * max(marks.waist_y + 0.05 - y, 0.0)
            + 0.13 * max(y - marks.chest_y, 0.0) / 0.15
        )
        if abs(x) < gap:
            if look.tie and abs(x) < 0.014 + 0.03 * max(marks.neck_y - 0.06 - y, 0) and y > 0.05:
                return True, trim[0], trim[1], trim[2]
            if look.inner_buttons and abs(x) < 0.004:
                return True, inner[0] * 0.6, inner[1] * 0.6, inner[2] * 0.6
            if y < marks.waist_y - 0.06 and look.hem_y_m < marks.waist_y - 0.1:
                return True, look.legs[0], look.legs[1], look.legs[2]
            return True, inner[0], inner[1], inner[2]
        lapel = gap + 0.012 + 0.055 * look.lapel * min(max((y - 0.18) / 0.2, 0.0), 1.0)
        if abs(x) < lapel:
            tone = 0.55 if lapel - abs(x) < 0.008 or abs(x) - gap < 0.006 else 1.15
            return True, shirt[0] * tone, shirt[1] * tone, shirt[2] * tone
    elif kind == ZIP:
        if abs(x) < 0.008:
            tone = 0.7 if (y / 0.012) % 1.0 < 0.5 else 1.2
            return True, trim[0] * tone, trim[1] * tone, trim[2] * tone
        if abs(x) < 0.02:
            return True, shirt[0] * 0.75, shirt[1] * 0.75, shirt[2] * 0.75
    elif kind == BUTTONS or kind == TIE or (kind == POLO and y > marks.chest_y - 0.02):
        if kind == TIE and y > marks.waist_y - 0.03:
            half = 0.016 + 0.06 * max(marks.neck_y - 0.07 - y, 0.0) * (y > 0.12)
            half = max(half, 0.034 * (0.13 > y > 0.07))
            if abs(x) < half:
                tone = 0.8 if ((x + y) / 0.03) % 1.0 < 0.3 else 1.0
                return True, trim[0] * tone, trim[1] * tone, trim[2] * tone
        if abs(x) < 0.0045 and (y / 0.075) % 1.0 < 0.13:
            return True, trim[0], trim[1], trim[2]
        if abs(abs(x) - 0.017) < 0.003:
            return True, shirt[0] * 0.62, shirt[1] * 0.62, shirt[2] * 0.62
    elif kind == PRINT or kind == NUMBER:
        v = (y - marks.chest_y + 0.03) / look.print_half_m[1]
        which = _in_print(x / look.print_half_m[0], v, look, 0.0, noise)
        if which >= 0:
            ink = inner if which == 0 else trim
            return True, ink[0], ink[1], ink[2]
    pockets = look.pockets
    edge, inside = 0.0, False
    if pockets == CHEST_POCKET or pockets == CHEST_FLAPS:
        u, v = (x - 0.075) / 0.042, (y - marks.chest_y + 0.02) / 0.05
        if pockets == CHEST_FLAPS:
            u = (abs(x) - 0.075) / 0.042
        edge = max(abs(u), abs(v))
        inside = edge < 1
        if inside and v > 0.45 and pockets == CHEST_FLAPS:
            edge = 0.95 if v < 0.6 else 0.5
    elif pockets == KANGAROO:
        u, v = abs(x) / (0.11 - 0.25 * (y - 0.02)), (y - 0.02) / 0.075
        edge = max(u, abs(v))
        inside = edge < 1
    elif pockets == LOW_POCKETS:
        u, v = (abs(x) - 0.1) / 0.045, (y + 0.01 - 0.3 * (abs(x) - 0.1)) / 0.01
        edge = max(abs(u), abs(v))
        inside = edge < 1
    if inside and edge > 0.86:
        return True, shirt[0] * 0.55, shirt[1] * 0.55, shirt[2] * 0.55
    if look.logo and abs(x - 0.08) < 0.018 and abs(y - marks.chest_y - 0.01) < 0.014:
        return True, trim[0], trim[1], trim[2]
    return False, 0.0, 0.0, 0.0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _shirt_back(x, y, noise, look, marks):
    """(done, red, green, blue) of details on the back of a shirt."""
    kind = look.back_kind
    shirt = look.shirt
    if kind == YOKE:
        if abs(y - marks.chest_y - 0.06 + 0.1 * abs(x)) < 0.005:
            return True, shirt[0] * 0.6, shirt[1] * 0.6, shirt[2] * 0.6
        if abs(x) < 0.012 and y < marks.chest_y + 0.05:
            return True, shirt[0] * 0.85, shirt[1] * 0.85, shirt[2] * 0.85
    elif kind == BACK_SEAM:
        if abs(x) < 0.004:
            return True, shirt[0] * 0.6, shirt[1] * 0.6, shirt[2] * 0.6
    elif kind == HOOD_DOWN:
        low = marks.neck_y - 0.16 + 1.6 * x * x * 10
        if y > low:
            tone = 0.5 if y < low + 0.02 else 0.85 + 1.2 * (marks.neck_y - 0.08 - y)
            return True, shirt[0] * tone, shirt[1] * tone, shirt[2] * tone
    elif kind == BACK_PRINT or kind == BACK_NUMBER:
        if kind == BACK_NUMBER and abs(y - marks.chest_y - 0.1) < 0.016 and abs(x) < 0.1:
            if _scatter(math.floor(x * 70), 3) > 0.25:  # the name
                return True, look.trim[0], look.trim[1], look.trim[2]
        v = (y - marks.chest_y + 0.06) / (1.2 * look.print_half_m[1])
        which = _in_print(x / (1.1 * look.print_half_m[0]), v, look, 50.0, noise)
        if which >= 0:
            ink = look.front if which == 0 else look.trim
            return True, ink[0], ink[1], ink[2]
    elif kind == BAND:
        if abs(y - marks.chest_y + 0.02) < 0.02:
            return True, look.trim[0], look.trim[1], look.trim[2]
    return False, 0.0, 0.0, 0.0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def shirt_colour(x, y, z, part, noise, look, marks):
    """Unlit RGB of a shirt, jacket, dress or whatever covers the trunk and the arms."""
    s, t = surface_coordinates(x, y, z, part, marks)
    side = abs(x)
    shirt, trim = look.shirt, look.trim
    trunk = side < marks.shoulder_x + 0.015
    if trunk and y < marks.neck_y:
        if z > marks.mid_z:
            done, red, green, blue = _shirt_front(x, y, noise, look, marks)
        else:
            done, red, green, blue = _shirt_back(x, y, noise, look, marks)
        if done:
            return red, green, blue
    if side < 0.11 and y > marks.neck_y - look.collar_m * (2.0 if z > marks.mid_z else 1.0):
        tone = 0.8 if z < marks.mid_z else 1.0
        return look.collar[0] * tone, look.collar[1] * tone, look.collar[2] * tone
    if side > look.sleeve_x_m - look.cuff_m and side > marks.shoulder_x:
        return trim[0], trim[1], trim[2]
    if trunk and y < look.hem_y_m + look.hem_rib_m:
        rib = 0.75 + 0.12 * math.sin(6.28 * s / 0.01)
        return shirt[0] * rib, shirt[1] * rib, shirt[2] * rib
    if look.side_panel > 0 and trunk and abs(z - marks.mid_z) < 0.035 and y < marks.chest_y + 0.08:
        return trim[0], trim[1], trim[2]
    if not trunk or (look.raglan and side > 0.1 + 0.5 * (marks.neck_y - 0.02 - y)):
        if look.arm_stripe and y > marks.arm_y and abs(z - marks.arm_z) < 0.016:
            return trim[0], trim[1], trim[2]
        return cloth(
            look.sleeves, look.shirt_second, look.shirt_third, look.shirt_pattern, s, t,
            y if trunk else marks.chest_y, look.period_m, noise, look,
        )  # fmt: skip
    return cloth(
        shirt, look.shirt_second, look.shirt_third, look.shirt_pattern, s, t, y, look.period_m,
        noise, look,
    )  # fmt: skip


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def legs_colour(x, y, z, part, noise, look, marks):
    """Unlit RGB of trousers, skirts and briefs."""
    s, t = surface_coordinates(x, y, z, part, marks)
    side = abs(x)
    middle = leg_middle(y, marks)
    front = z > (middle if y < marks.hip_y else marks.mid_z)
    legs, seam = look.legs, look.legs_seam
    if look.belt and y > marks.waist_y - 0.06 - 0.02 * look.belt and y < marks.waist_y - 0.02:
        if front and side < 0.022:
            return look.buckle[0], look.buckle[1], look.buckle[2]
        return look.shoes[0] * 0.8, look.shoes[1] * 0.8, look.shoes[2] * 0.8
    kind = look.legs_kind
    if kind == TRACKSUIT and abs(z - middle) < 0.017 and side > 0.135:
        return seam[0], seam[1], seam[2]
    tone = 1.0
    if kind == JEANS or kind == TROUSERS or kind == CARGO:
        if front:
            if side < 0.007 and y > marks.hip_y - 0.03:
                tone = 0.55  # the fly
            slant = side - 0.09 - 0.45 * (marks.waist_y - 0.05 - y)
            if abs(slant) < 0.006 and 0.1 > marks.waist_y - 0.03 - y > 0:
                tone = 0.6
            if kind == TROUSERS and abs(side - 0.125) < 0.003 and y < marks.hip_y - 0.05:
                tone = 1.18  # the crease
        else:
            u, v = (side - 0.078) / 0.048, (y - marks.hip_y - 0.0) / 0.055
            edge = max(abs(u), abs(v) + 0.15 * (abs(u) - 0.5) * (v < 0))
            if kind == TROUSERS:
                if abs(v - 0.5) < 0.08 and abs(u) < 0.9:
                    tone = 0.55
            elif 0.86 < edge < 1:
                return seam[0], seam[1], seam[2]
            elif edge < 0.86:
                tone = 1.1
            if side < 0.004 and y < marks.waist_y - 0.04:
                tone = 0.6
            if kind == JEANS and y > marks.hip_y + 0.06 and abs(y - 0.03 + 0.3 * side) < 0.004:
                return seam[0], seam[1], seam[2]
        if abs(z - middle) < 0.004 and side > 0.13:
            tone *= 0.7
        if kind == CARGO and abs(z - marks.leg_z - 0.01) < 0.05:
            u, v = (z - marks.leg_z - 0.01) / 0.05, (y - marks.knee_y - 0.14) / 0.075
            if side > 0.12 and abs(v) < 1 and (max(abs(u), abs(v)) > 0.85 or abs(v - 0.5) < 0.08):
                tone *= 0.55
        if kind == JEANS:
            worn = look.wear * math.exp(
                -(((y - marks.knee_y - 0.12) / 0.16) ** 2) - ((side - 0.125) / 0.05) ** 2
            )
            tone *= 1 + (0.5 * worn if front else 0.25 * worn)
            if front and look.ripped and abs(y - marks.knee_y) < 0.03 and abs(side - 0.13) < 0.035:
                if noise_at(noise, look.seed_u + 30 * x, look.seed_v + 400 * y) > 0.45:
                    return look.skin[0] * 0.85, look.skin[1] * 0.85, look.skin[2] * 0.85
    if y < look.leg_y_m + look.turn_up_m:
        tone = 1.3
    red, green, blue = cloth(
        legs, look.legs_second, look.legs_third, look.legs_pattern, s, t, y, look.period_m,
        noise, look,
    )  # fmt: skip
    return red * tone, green * tone, blue * tone


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def shoe_colour(x, y, z, look, marks):
    """Unlit RGB of shoes: soles, toe caps, laces, stripes, heels."""
    sole, shoes = look.sole, look.shoes
    if y < look.sole_y_m + 0.012 * (z < marks.ankle_z - 0.02):
        tone = 0.5 if y < marks.ground_y + 0.004 else 1.0
        return sole[0] * tone, sole[1] * tone, sole[2] * tone
    toe = marks.toe_z
    if z > toe - 0.06:
        return look.toe_cap[0], look.toe_cap[1], look.toe_cap[2]
    if z > toe - 0.165 and abs(abs(x) - 0.13) < 0.022 and y > look.sole_y_m + 0.018:
        if look.laces == 0:
            return shoes[0] * 0.8, shoes[1] * 0.8, shoes[2] * 0.8
        if (z / 0.018) % 1.0 < 0.38:
            return look.lace[0], look.lace[1], look.lace[2]
        return shoes[0] * 0.7, shoes[1] * 0.7, shoes[2] * 0.7
    if z < marks.ankle_z - 0.035 and look.heel_tab:
        return look.lace[0], look.lace[1], look.lace[2]
    if look.shoe_stripe and (z + 0.7 * y) / 0.03 % 1.0 < 0.35 and -0.01 < z < 0.08:
        return look.lace[0], look.lace[1], look.lace[2]
    if y > marks.ankle_y - 0.01 and look.shoe_y_m < marks.ankle_y + 0.02:
        return shoes[0] * 0.6, shoes[1] * 0.6, shoes[2] * 0.6
    return shoes[0], shoes[1], shoes[2]

"""Hair, hats and faces by rest-pose position; compiled per pixel and per vertex.

Head coordinates: h is the height above the chin in heads, `across` the distance from the middle
plane in half widths, `depth` the place between the back (-1) and the front (+1) of the skull.
"""

import math
from typing import no_type_check

import numba

CAP_VISOR, BEANIE, HELMET, HEADSCARF, HOOD = range(5)
"""What `cap` is."""

NO_BUN, TOP_BUN, BACK_BUN = range(3)
"""A knot of hair."""

FULL_BEARD, MOUSTACHE, GOATEE, STUBBLE = range(4)
"""Where `beard` grows."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def mix(low, high, share):
    """From `low` to `high` with a share that is clamped to 0..1."""
    return low + (high - low) * min(max(share, 0.0), 1.0)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def noise_at(noise, u, v):
    """Value of a noise texture (uint8, side a power of two) in [0, 1]."""
    mask = noise.shape[0] - 1
    return noise[math.floor(v) & mask, math.floor(u) & mask] / 255.0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def head_coordinates(x, y, z, marks):
    """(h, across, depth)."""
    return (
        (y - marks.chin_y) / marks.head_height,
        abs(x) / marks.head_half_width,
        (z - marks.head_z) / marks.head_half_depth,
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def is_cap(x, y, z, look, marks):
    """Covered by a hat, a hood or a scarf."""
    if look.cap_line > 1:
        return False
    h, across, depth = head_coordinates(x, y, z, marks)
    if look.cap_kind >= HEADSCARF:
        v = (h - 0.44) / 0.42
        if y < marks.neck_y - 0.015:
            return False
        return depth < 0.3 or across * across * 1.7 + v * v > 1
    tilt = 0.10 if look.cap_kind == BEANIE else 0.04
    line = look.cap_line - tilt * (0.5 - 0.5 * depth) * 2
    return h > max(line, 0.42)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _ear(h, across, depth):
    """Below 1 on and near an ear."""
    u, v = (depth - 0.0) / 0.3, (h - 0.44) / 0.14
    return u * u + v * v + 9 * max(0.85 - across, 0.0)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _hair_above(x, y, z, part, look, marks):
    """How far a point is above the hairline, in heads; negative without hair."""
    h, across, depth = head_coordinates(x, y, z, marks)
    if part == 12 and depth > 0.1:
        return 0.1 if look.hair_front_m > 0 and across > 0.75 and depth < 0.45 else -1.0
    if look.hair_side > 0.2 and _ear(h, across, depth) < 1:
        return -1.0
    place = x / marks.head_half_width
    wave = 0.5 * math.sin(7.3 * place + look.seed_u) + 0.35 * math.sin(17.9 * place + look.seed_v)
    wave += 0.3 * math.sin(43.0 * place + 3 * look.seed_u)
    wave *= 0.03 * look.jag
    if depth > 0.3:
        line = look.hairline + wave
        temple = (across - 0.5) / 0.25
        line += look.recede * math.exp(-temple * temple)
        if look.part_x < 5:
            line = min(line + 0.16 * (abs(place - look.part_x) - 0.5), 0.93)
        if across > 0.6:  # towards the temples and the sides
            line = mix(line, min(line, max(look.hair_side, 0.52)), (across - 0.6) / 0.3)
        if depth < 0.6:
            line = mix(max(look.hair_side, 0.5), line, (depth - 0.3) / 0.3)
    elif depth > -0.1:
        sideburn = look.hair_side if depth > 0.12 else max(look.hair_side, 0.56)
        if look.hair_side < 0.2:
            sideburn = look.hair_side
        line = mix(sideburn, max(look.hair_side, 0.5), (depth - 0.12) / 0.18) + wave
    else:
        line = mix(look.hair_back, look.hair_side, (depth + 0.55) / 0.45) + wave
    if look.hairline > 1 and h > 0.6 + wave:
        return -1.0
    if look.bald_spot > 0:
        top = (h - 0.95) / 0.2
        back = (depth + 0.35) / 0.5
        if across * across + top * top + back * back < look.bald_spot * look.bald_spot:
            return -1.0
    return h - line


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def is_hair(x, y, z, part, look, marks):
    """Grows hair, of the head or the neck."""
    return _hair_above(x, y, z, part, look, marks) > 0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def hair_push(x, y, z, part, look, marks):
    """Thickness of the hair in metres; thin at the hairline and around the ears."""
    if part != 15 and part != 12:
        return 1.35 * look.hair_m  # on the trunk
    h, across, depth = head_coordinates(x, y, z, marks)
    push = look.hair_m * (1.35 if h < 0.2 else 1.0)
    push *= min(max(_hair_above(x, y, z, part, look, marks) / 0.14, 0.2), 1.0)
    if look.hair_side > 0.2:
        push *= min(max(0.6 * (_ear(h, across, depth) - 1), 0.1), 1.0)
    if look.bun > 0:
        up = h - (0.93 if look.bun == TOP_BUN else 0.55)
        back = depth + (0.35 if look.bun == TOP_BUN else 1.0)
        push += 0.065 * math.exp(-14 * (up * up + 0.2 * back * back + 0.25 * across * across))
    return push


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def hair_tone(x, y, z, look, marks, noise):
    """Brightness of the hair against its colour."""
    h, across, depth = head_coordinates(x, y, z, marks)
    u, v = look.seed_u + 900 * look.curl * x, look.seed_v + 60 * y
    if depth > -0.2 and h > 0.8:  # combed backwards
        v = look.seed_v + 60 * z
    if look.curl > 1.5:
        u, v = look.seed_u + 420 * x + 200 * z, look.seed_v + 420 * y
    tone = 1 + 0.75 * (noise_at(noise, u, v) - 0.5)
    ring = (h - 0.82) / 0.09
    tone *= 1 + 0.3 * look.shine * math.exp(-ring * ring)
    if h < 0.25:
        tone *= 0.85
    if look.part_x < 5 and depth > -0.3 and h > 0.7:
        if abs(x / marks.head_half_width - look.part_x) < 0.06:
            tone *= 0.55
    if look.bun == BACK_BUN:  # pulled towards the knot
        up = h - 0.55
        edge = up * up + 0.25 * across * across
        if depth < 0 and 0.035 < edge < 0.06:
            tone *= 0.6
    if look.hair_width_m < 0.1 and depth < -0.6 and abs(h - 0.5) < 0.05 and across < 0.4:
        tone *= 0.4  # the band of a tail
    return tone


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _beard(h, across, look):
    """Share of beard, 0..1."""
    jaw = 0.17 + 0.36 * min(max((across - 0.55) / 0.35, 0.0), 1.0)
    lip = abs(h - 0.262) < 0.028 and across < 0.42
    chin = h < 0.15 and across < 0.36
    if look.beard_kind == MOUSTACHE:
        return 1.0 if lip else 0.0
    if look.beard_kind == GOATEE:
        ring = 0.28 < across < 0.42 and h < 0.27
        return 1.0 if lip or chin or ring else 0.0
    return min(max((jaw - h) / 0.05, 0.0), 1.0) if not lip else 1.0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _glasses(h, across, look):
    """1 on the frame, 2 on a dark lens, 0 elsewhere."""
    u, v = (across - 0.43) / 0.31, (h - 0.495) / (0.075 if look.glasses == 1 else 0.085)
    lens = u * u * u * u + v * v
    if lens < 0.75:
        return 2 if look.glasses == 2 else 0
    bridge = abs(h - 0.515) < 0.011 and across < 0.16
    arm = abs(h - 0.52) < 0.012 and across > 0.7
    return 1 if lens < 1.1 or bridge or arm else 0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _eye(x, h, across, look):
    """(kind, tone): kind 0 skin, 1 white, 2 iris, 3 pupil; tone shades skin and white."""
    u = (across - 0.42) / 0.2
    half = look.eye_open * (1 - u * u)
    v = h - 0.5 - 0.004 * u
    if abs(u) < 1 and abs(v) < half:
        iris = (across - 0.42 - 0.05 * look.gaze * (1 if x > 0 else -1)) / 0.082
        round_v = (v - 0.002) / 0.025
        distance = iris * iris + round_v * round_v
        if distance < 0.2:
            return 3, 1.0
        if distance < 1:
            return 2, 1.0
        return 1, 1.0 if v < half * 0.5 else 0.75
    tone = 1.0
    if abs(u) < 1.15:
        gap = v - max(half, 0.0)
        if 0 <= gap < 0.011:
            tone = look.lash  # lashes of the upper lid
        elif v < 0 and -max(half, 0.0) - v < 0.008:
            tone = 0.72
        elif abs(gap - 0.022) < 0.005:
            tone = 0.75  # crease of the lid
    socket = (u / 1.5) ** 2 + ((h - 0.515) / 0.055) ** 2
    return 0, tone * (1 - 0.24 * math.exp(-socket))


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _mouth(h, across, look):
    """0 skin, 1 lip, 2 line between the lips, 3 teeth; with a tone."""
    wide = 0.34 + 0.06 * look.smile
    middle = 0.205 + 0.03 * look.smile * (across / wide) ** 2
    share = 1 - (across / wide) ** 2
    if share <= 0:
        return 0
    if abs(h - middle) < 0.004 + 0.022 * look.mouth_open * share:
        return 3 if look.mouth_open > 0.3 and look.smile > 0 else 2
    top = 0.021 * share * (1 - 0.25 * math.exp(-((across / 0.06) ** 2)))
    low = 0.029 * share
    gap = 0.022 * look.mouth_open * share
    return 1 if -low - gap < h - middle < top + gap else 0


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _paint_shadows(h, across, depth, look):
    """Shading of a face that lamps far away do not give: hollows and edges."""
    tone = 1.0
    nostril_u, nostril_v = (across - 0.13) / 0.075, (h - 0.295) / 0.014
    nostril = nostril_u * nostril_u + nostril_v * nostril_v
    if nostril < 1 and depth > 0.85:
        return 0.42
    under_nose = (across / 0.26) ** 2 + ((h - 0.285) / 0.02) ** 2
    tone *= 1 - 0.28 * math.exp(-under_nose)
    side = (abs(across - 0.2) / 0.06) ** 2 + ((h - 0.40) / 0.09) ** 2
    tone *= 1 - 0.14 * math.exp(-side)
    ridge = (across / 0.07) ** 2 + ((h - 0.40) / 0.08) ** 2
    tone *= 1 + 0.08 * math.exp(-ridge)
    under_lip = (across / 0.24) ** 2 + ((h - 0.15) / 0.018) ** 2
    tone *= 1 - 0.2 * math.exp(-under_lip)
    fold = (across - 0.36 - 0.5 * (0.28 - h)) / 0.03
    if 0.17 < h < 0.31:
        tone *= 1 - (0.06 + 0.12 * look.age) * math.exp(-fold * fold)
    if look.age > 0.4 and h > 0.64 and math.sin(h * 150) > 0.6 and across < 0.6:
        tone *= 1 - 0.12 * look.age
    return tone * mix(1.0, 0.8, (0.08 - h) / 0.08)


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def face_colour(x, y, z, look, marks, noise):
    """Unlit RGB of the head's skin with eyes, brows, nose, mouth, ears, beard and glasses."""
    h, across, depth = head_coordinates(x, y, z, marks)
    red, green, blue = look.skin[0], look.skin[1], look.skin[2]
    if depth < 0.2:
        if across > 0.95:  # ears: redder, with a dark hollow
            u, v = (depth - 0.02) / 0.1, (h - 0.45) / 0.07
            dark = 0.6 if u * u + v * v < 1 else 0.95
            return red * dark, green * 0.9 * dark, blue * 0.9 * dark
        if look.glasses > 0 and abs(h - 0.52) < 0.012 and depth > -0.1:
            return look.frame[0], look.frame[1], look.frame[2]
        shaved = 0.75 if h > max(look.hair_back, 0.3) and look.hairline > 1 else 1.0
        shaved = mix(1.0, shaved, look.beard)
        jaw = min(max((0.15 - h) / 0.1, 0.0), 1.0)  # goes over into the neck's shadow
        shaved *= 1 - 0.2 * jaw * min(max((z - marks.neck_z) / 0.04, 0.0), 1.0)
        return red * shaved, green * 0.99 * shaved, blue * 0.99 * shaved
    if look.glasses > 0:
        glass = _glasses(h, across, look)
        if glass == 2:
            shine = 1.0 + 2.2 * max(0.0, h - 0.5) / 0.08
            return 16.0 * shine, 17.0 * shine, 21.0 * shine
        if glass == 1:
            return look.frame[0], look.frame[1], look.frame[2]
    eye, tone = _eye(x, h, across, look)
    if eye == 1:
        return 218.0 * tone, 208.0 * tone, 200.0 * tone
    if eye == 2:
        return look.iris[0], look.iris[1], look.iris[2]
    if eye == 3:
        return 12.0, 10.0, 10.0
    mouth = _mouth(h, across, look)
    if mouth == 3:
        return 225.0, 218.0, 205.0
    if mouth == 2:
        return look.lips[0] * 0.35, look.lips[1] * 0.3, look.lips[2] * 0.3
    if mouth == 1:
        return look.lips[0], look.lips[1], look.lips[2]
    tone *= _paint_shadows(h, across, depth, look)
    blush = math.exp(-(((across - 0.55) / 0.22) ** 2) - ((h - 0.35) / 0.08) ** 2)
    blush += 0.8 * math.exp(-((across / 0.14) ** 2) - ((h - 0.33) / 0.04) ** 2)
    red *= 1 + 0.03 * blush * look.blush
    green *= 1 - 0.10 * blush * look.blush
    blue *= 1 - 0.09 * blush * look.blush
    share = 0.0
    arch = 0.575 + 0.035 * math.sin(3.1 * min(max((across - 0.15) / 0.6, 0.0), 1.0))
    thick = look.brow_thick * (1.2 - 0.9 * min(max((across - 0.2) / 0.55, 0.0), 1.0))
    if abs(h - arch) < thick and 0.16 < across < 0.76:
        share = look.brow
    elif look.beard > 0:
        share = look.beard * _beard(h, across, look)
        share *= 0.8 + 0.4 * noise_at(noise, look.seed_u + 900 * x, look.seed_v + 700 * y)
        share = min(share, 1.0)
    return (
        (red + (look.hair[0] * 0.85 - red) * share) * tone,
        (green + (look.hair[1] * 0.85 - green) * share) * tone,
        (blue + (look.hair[2] * 0.85 - blue) * share) * tone,
    )


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def cap_tone(x, y, z, look, marks):
    """Brightness of what `is_cap` covers."""
    h, across, depth = head_coordinates(x, y, z, marks)
    if look.cap_kind == CAP_VISOR:
        if h < look.cap_line + 0.06 and depth > 0.45:
            return 0.5  # the visor and its shadow
        if depth < -0.7 and abs(h - look.cap_line) < 0.05 and across < 0.35:
            return 0.45  # the gap over the strap at the back
        return 0.8 if abs(math.sin(4.0 * math.atan2(x, z - marks.head_z))) < 0.07 else 1.0
    if look.cap_kind == BEANIE:
        rib = 1 + 0.14 * math.sin(40.0 * math.atan2(x, z - marks.head_z))
        return rib * (0.8 if abs(h - look.cap_line - 0.12) < 0.012 else 1.0)
    if look.cap_kind == HELMET:
        vents = abs(math.sin(16.0 * x / marks.head_half_width)) < 0.3 and h > look.cap_line + 0.1
        return 0.25 if vents and abs(depth) < 0.7 else 1.1
    return 1 + 0.18 * math.sin(22.0 * h + 5.0 * across)

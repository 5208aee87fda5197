"""Brightness from folds of cloth by rest-pose position: at joints, hems, where it hangs."""

import math
from typing import no_type_check

import numba

from dimr.data.synthetic.clothes import SKIRT, leg_middle
from dimr.data.synthetic.heads import mix, noise_at


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _crease(phase):
    """A fold: a broad lit side and a narrow shadow."""
    wave = math.sin(6.2832 * phase)
    return 0.45 * wave if wave > 0 else -wave * wave


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def folds(x, y, z, below, noise, look, marks):
    """Brightness from folds where cloth bends and hangs; `below` for what is on the legs."""
    side = abs(x)
    bend = 0.0
    middle = leg_middle(y, marks)
    shift = 40.0 if z < marks.mid_z else 0.0
    wobble = 3.2 * noise_at(noise, look.seed_u + shift + 70 * x, look.seed_v + 70 * y)
    lean = (look.seed_v % 1.0) - 0.5 + (0.2 if z < marks.mid_z else 0.0)
    if below and look.legs_kind == SKIRT:
        around = math.atan2(x, z - middle)
        down = min(max((marks.waist_y - y) / 0.35, 0.0), 1.0)
        bend += 0.9 * down * _crease(around * look.pleats + 0.5 * wobble)
    elif below:
        knee = math.exp(-(((y - marks.knee_y) / 0.085) ** 2))
        if knee > 0.05:
            behind = 1.3 if z < middle else 0.7
            bend += knee * behind * _crease(y / 0.04 + wobble + 3 * (z - middle))
        crotch = math.exp(-(((y - marks.hip_y + 0.03) / 0.09) ** 2) - (side / 0.1) ** 2)
        if crotch > 0.05:
            bend += crotch * _crease((y - 0.9 * side) / 0.05 + wobble)
        hem = math.exp(-(((y - look.leg_y_m - 0.04) / 0.07) ** 2))
        if hem > 0.05:
            bend += hem * _crease(y / 0.035 + 1.5 * wobble)
    elif side > marks.shoulder_x - 0.02:
        elbow = math.exp(-(((side - marks.elbow_x) / 0.075) ** 2))
        if elbow > 0.05:
            bend += elbow * _crease(side / 0.035 + wobble + 4 * (z - marks.arm_z))
        pit = math.exp(-(((side - marks.shoulder_x - 0.02) / 0.07) ** 2))
        if pit > 0.05:
            bend += 0.8 * pit * _crease((side + 0.5 * (y - marks.arm_y)) / 0.045 + wobble)
        cuff = math.exp(-(((side - look.sleeve_x_m + 0.05) / 0.07) ** 2))
        if cuff > 0.05:
            bend += 0.7 * cuff * _crease(side / 0.03 + 1.5 * wobble)
    else:
        waist = math.exp(-(((y - marks.waist_y) / 0.1) ** 2))
        if waist > 0.05:
            bend += waist * _crease((y + lean * x - 0.2 * side) / 0.055 + wobble)
        pit = math.exp(-(((side - 0.16) / 0.05) ** 2) - ((y - marks.chest_y - 0.05) / 0.08) ** 2)
        if pit > 0.05:
            bend += 0.9 * pit * _crease((y + 1.2 * side) / 0.04 + wobble)
        if z < marks.mid_z:  # between the shoulder blades cloth hangs straight down
            bend += 0.35 * _crease(x / 0.06 + wobble) * mix(0.0, 1.0, (0.35 - y) / 0.15)
    u, v = look.seed_u + shift + 110 * x, look.seed_v + 100 * y
    broad = noise_at(noise, u * 0.35, v * 0.35) - 0.5
    bend *= 0.5 + 1.2 * noise_at(noise, u * 0.5 + 90, v * 0.5)  # not everywhere as strong
    fine = noise_at(noise, u * 1.6, v) - 0.5
    return max(1 + look.folds * (0.75 * bend + 0.9 * broad + 0.35 * fine), 0.25)

"""What a person looks like: skin, hair, face, clothes and shoes, as one record of numbers.

Everything is placed by the rest-pose position on the body, in units of the body's own landmarks,
so that facing shows: faces, hair, different fronts and backs of shirts, shoes that point.
"""

from typing import cast

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic.clothes import LEGGINGS, NO_BACK, NO_FRONT, NO_POCKETS, PLAIN
from dimr.data.synthetic.heads import (
    BACK_BUN,
    BEANIE,
    CAP_VISOR,
    HEADSCARF,
    HELMET,
    HOOD,
    STUBBLE,
    TOP_BUN,
)
from dimr.data.synthetic.paint import BRA, SLEEVED, TANK, TUBE
from dimr.data.synthetic.painted_clothes import cloth_colour, sample_below, sample_shirt

STYLES = ("dark", "loose", "bare")
"""Very dark clothes from top to toe; wide ones, skirts and coats; underwear or swimwear only."""

LOOK = np.dtype(
    [
        # colours, RGB 0..255
        ("skin", "f4", 3), ("hair", "f4", 3), ("iris", "f4", 3), ("lips", "f4", 3),
        ("frame", "f4", 3), ("cap", "f4", 3), ("shirt", "f4", 3), ("shirt_second", "f4", 3),
        ("shirt_third", "f4", 3), ("sleeves", "f4", 3), ("collar", "f4", 3), ("trim", "f4", 3),
        ("front", "f4", 3), ("legs", "f4", 3), ("legs_second", "f4", 3), ("legs_third", "f4", 3),
        ("legs_seam", "f4", 3), ("buckle", "f4", 3), ("shoes", "f4", 3), ("sole", "f4", 3),
        ("toe_cap", "f4", 3), ("lace", "f4", 3), ("socks", "f4", 3), ("gloves", "f4", 3),
        # head, in units of the head's height above the chin and of its half width
        ("hairline", "f4"), ("hair_back", "f4"), ("hair_side", "f4"), ("recede", "f4"),
        ("jag", "f4"), ("part_x", "f4"), ("bald_spot", "f4"), ("cap_line", "f4"),
        ("eye_open", "f4"), ("gaze", "f4"), ("brow_thick", "f4"),
        ("cap_kind", "i4"), ("bun", "i4"), ("beard_kind", "i4"), ("glasses", "i4"),
        # strengths 0..1
        ("beard", "f4"), ("brow", "f4"), ("lash", "f4"), ("blush", "f4"), ("age", "f4"),
        ("smile", "f4"), ("mouth_open", "f4"), ("curl", "f4"), ("shine", "f4"),
        ("pale_palms", "f4"), ("muscle", "f4"), ("wear", "f4"), ("folds", "f4"),
        # cuts: heights and lengths in metres of the rest pose
        ("hair_length_m", "f4"), ("hair_width_m", "f4"), ("hair_front_m", "f4"),
        ("neckline_m", "f4"), ("neck_back_m", "f4"), ("neck_round", "f4"), ("collar_m", "f4"),
        ("hem_y_m", "f4"), ("hem_rib_m", "f4"), ("sleeve_x_m", "f4"), ("cuff_m", "f4"),
        ("leg_y_m", "f4"), ("leg_slope", "f4"), ("rise_y_m", "f4"), ("turn_up_m", "f4"),
        ("sock_y_m", "f4"), ("shoe_y_m", "f4"), ("sole_y_m", "f4"),
        ("cut", "i4"), ("strap", "f4"), ("turtleneck", "i4"),
        # patterns and details
        ("shirt_pattern", "i4"), ("legs_pattern", "i4"), ("period_m", "f4"), ("stripes", "f4"),
        ("block_y_m", "f4"), ("front_kind", "i4"), ("back_kind", "i4"), ("pockets", "i4"),
        ("print_kind", "i4"), ("print_half_m", "f4", 2), ("logo", "i4"), ("raglan", "i4"),
        ("arm_stripe", "i4"), ("side_panel", "i4"), ("jacket_gap", "f4"), ("lapel", "f4"),
        ("tie", "i4"), ("inner_buttons", "i4"), ("legs_kind", "i4"), ("pleats", "f4"),
        ("belt", "i4"), ("ripped", "i4"), ("has_gloves", "i4"), ("watch", "i4"),
        ("sock_rings", "i4"), ("laces", "i4"), ("heel_tab", "i4"), ("shoe_stripe", "i4"),
        # thickness above the skin in metres
        ("hair_m", "f4"), ("cap_m", "f4"), ("shirt_m", "f4"), ("sleeve_flare_m", "f4"),
        ("hem_flare_m", "f4"), ("legs_m", "f4"), ("flare_m", "f4"), ("shoes_m", "f4"),
        # place in the noise texture
        ("seed_u", "f4"), ("seed_v", "f4"),
    ]
)  # fmt: skip

_CLOTH_COLOURS = (
    "cap", "shirt", "shirt_second", "shirt_third", "sleeves", "collar", "trim", "front", "legs",
    "legs_second", "legs_third", "legs_seam", "shoes", "sole", "toe_cap", "lace", "socks",
    "gloves",
)  # fmt: skip

LANDMARKS = np.dtype(
    [
        ("chin_y", "f4"), ("head_height", "f4"), ("head_half_width", "f4"), ("head_z", "f4"),
        ("head_half_depth", "f4"), ("neck_y", "f4"), ("neck_z", "f4"), ("shoulder_x", "f4"),
        ("elbow_x", "f4"), ("wrist_x", "f4"), ("waist_y", "f4"), ("hip_y", "f4"),
        ("knee_y", "f4"), ("ankle_y", "f4"), ("ground_y", "f4"), ("toe_z", "f4"),
        ("chest_y", "f4"), ("arm_y", "f4"), ("arm_z", "f4"), ("mid_z", "f4"), ("leg_z", "f4"),
        ("ankle_z", "f4"),
    ]
)  # fmt: skip

_SKIN_TONES = np.array(
    [[248, 214, 192], [238, 196, 168], [226, 178, 142], [206, 152, 114], [172, 118, 82],
     [128, 82, 56], [94, 60, 42], [66, 44, 34]], dtype=np.float32,
)  # fmt: skip
_HAIR_TONES = np.array(
    [[20, 17, 16], [40, 29, 23], [70, 49, 34], [106, 76, 49], [176, 143, 96], [206, 180, 134],
     [128, 124, 120], [206, 204, 200], [118, 56, 30]], dtype=np.float32,
)  # fmt: skip
_HAIR_SHARES = np.cumsum([0.32, 0.24, 0.16, 0.08, 0.06, 0.03, 0.05, 0.03, 0.03])


def find_landmarks(
    vertices_m: Float[np.ndarray, "V 3"], joints_m: Float[np.ndarray, "24 3"]
) -> np.void:
    """Landmarks of a body in its T-pose."""
    marks = np.zeros((), LANDMARKS)
    low, high = vertices_m[:, 1].min(), vertices_m[:, 1].max()
    head_height = 0.141 * (high - low)
    chin = high - head_height
    head = vertices_m[(vertices_m[:, 1] > chin + 0.4 * head_height)]
    marks["chin_y"], marks["head_height"] = chin, head_height
    brow = head[head[:, 1] > chin + 0.58 * head_height]
    marks["head_half_width"] = brow[:, 0].max()
    marks["head_z"] = (brow[:, 2].max() + brow[:, 2].min()) / 2
    marks["head_half_depth"] = (brow[:, 2].max() - brow[:, 2].min()) / 2
    marks["neck_y"], marks["neck_z"] = joints_m[12, 1:]
    marks["shoulder_x"], marks["elbow_x"], marks["wrist_x"] = joints_m[[16, 18, 20], 0]
    marks["waist_y"] = joints_m[3, 1]
    marks["hip_y"], marks["knee_y"], marks["ankle_y"] = joints_m[[1, 4, 7], 1]
    marks["chest_y"] = joints_m[9, 1]
    marks["arm_y"], marks["arm_z"] = joints_m[18, 1:]
    chest = vertices_m[np.abs(vertices_m[:, 1] - marks["chest_y"]) < 0.05]
    chest = chest[np.abs(chest[:, 0]) < marks["shoulder_x"]]
    marks["mid_z"] = (chest[:, 2].min() + chest[:, 2].max()) / 2
    marks["leg_z"], marks["ankle_z"] = joints_m[4, 2], joints_m[7, 2]
    marks["ground_y"] = low
    marks["toe_z"] = vertices_m[vertices_m[:, 1] < joints_m[7, 1], 2].max()
    return cast(np.void, marks[()])


def skin_colour(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """RGB of a random skin, from very light to very dark."""
    place = rng.random() ** 1.5 * (len(_SKIN_TONES) - 1.001)
    tone = int(place)
    blend = _SKIN_TONES[tone] + (_SKIN_TONES[tone + 1] - _SKIN_TONES[tone]) * (place - tone)
    warmth = 0.025 * rng.normal() * np.array([0.5, -0.2, -1.0])
    tint = 1 + warmth + 0.012 * rng.standard_normal(3)
    return (blend * tint * (1 + 0.05 * rng.normal())).clip(20, 250).astype(np.float32)


def sample_look(rng: np.random.Generator, marks: np.void, style: str | None = None) -> np.void:
    """Draws what one person looks like.

    Args:
        rng: source of all randomness.
        marks: record of `LANDMARKS`.
        style: one of `STYLES`, or None for the whole range of ordinary clothes.

    Raises:
        ValueError: unknown style.
    """
    if style is not None and style not in STYLES:
        raise ValueError(f"style: got {style!r}, want None or one of {STYLES}")
    look = np.zeros((), LOOK)
    look["seed_u"], look["seed_v"] = rng.random(2) * 256
    feminine = rng.random() < 0.5
    _sample_face(look, rng, feminine)
    _sample_hair(look, rng, feminine)
    _sample_hat(look, rng, feminine)
    sample_shirt(look, rng, marks, feminine, style)
    sample_below(look, rng, marks, feminine, style)
    if style == "bare":
        _undress(look, rng, marks, feminine)
    elif style == "dark":
        for name in _CLOTH_COLOURS:
            look[name] = 5 + 0.13 * look[name]
    return cast(np.void, look[()])


def _sample_face(look: np.ndarray, rng: np.random.Generator, feminine: bool) -> None:
    draws = rng.random(20)
    skin = skin_colour(rng)
    look["skin"] = skin
    dark = skin.mean() < 130
    look["age"] = draws[0]
    shares = _HAIR_SHARES
    tone = int(np.searchsorted(shares, draws[1]))
    if dark and draws[2] < 0.9:
        tone = min(tone, 1)
    if draws[0] > 0.75 and draws[3] < 0.6:
        tone = 6 if draws[4] < 0.6 else 7
    look["hair"] = _HAIR_TONES[min(tone, 8)] * (0.8 + 0.4 * draws[5])
    if draws[6] < 0.015:  # dyed
        look["hair"] = rng.random(3) * 200
    look["iris"] = (62, 40, 24) if dark or draws[7] < 0.7 else (84, 104, 116)
    redder = skin * np.array([0.9, 0.64, 0.62])
    look["lips"] = redder
    if feminine and draws[8] < 0.35:
        look["lips"] = np.array([150, 32, 48]) * (0.7 + 0.5 * draws[9])
    look["lash"] = 0.25 + 0.2 * draws[10] if feminine else 0.45 + 0.2 * draws[10]
    look["eye_open"] = 0.014 + 0.012 * draws[11] if draws[12] > 0.06 else -0.002
    look["gaze"] = 2 * draws[13] - 1
    look["brow"] = 0.55 + 0.4 * draws[14]
    look["brow_thick"] = 0.008 + 0.004 * draws[15] + (0.0 if feminine else 0.004)
    look["blush"] = 0.3 + draws[16]
    look["smile"] = max(0.0, 1.6 * draws[17] - 0.6)
    look["mouth_open"] = 0.3 + 0.7 * rng.random() if draws[18] < 0.22 else 0.0
    if not feminine and draws[19] < 0.55:
        look["beard_kind"] = int(rng.random() * 4)
        look["beard"] = 0.6 + 0.35 * rng.random()
        if look["beard_kind"] == STUBBLE:
            look["beard"] = 0.15 + 0.35 * rng.random()
    kind = rng.random()
    look["glasses"] = 0 if kind > 0.22 else (1 if kind > 0.1 else 2)
    look["frame"] = (22, 20, 20) if rng.random() < 0.6 else cloth_colour(rng) * 0.8
    look["pale_palms"] = 1.0 if dark else 0.1
    look["muscle"] = rng.random() * (0.5 if feminine else 1.0)


def _sample_hair(look: np.ndarray, rng: np.random.Generator, feminine: bool) -> None:
    draws = rng.random(12)
    look["part_x"], look["hair_width_m"] = 9, 0.15
    look["curl"], look["shine"] = 0.6 + 0.6 * draws[0], draws[1]
    look["hairline"], look["hair_side"] = 0.8 + 0.07 * draws[2], 0.4 + 0.05 * draws[3]
    look["jag"] = 0.15 + 0.4 * draws[4]
    style = 0.5 * draws[5] + (0.5 if feminine else 0.0)
    if draws[6] < 0.1:  # anybody may wear anything
        style = draws[5]
    curly = look["skin"].mean() < 130 and rng.random() < 0.7
    if curly:
        look["curl"], look["shine"] = 2.0, 0.2
    if style < 0.08:  # bald, or a ring of hair
        look["hairline"] = 9
        ring = draws[7] < 0.6
        look["hair_back"], look["hair_side"] = (0.2, 0.42) if ring else (9, 9)
        look["hair_m"] = 0.004
        return
    if style < 0.16:  # shorn
        look["hair_back"], look["hair_m"] = 0.22 + 0.1 * draws[7], 0.002 + 0.003 * draws[8]
        look["hair_side"] = 0.46
        look["recede"] = 0.12 * draws[9]
    elif style < 0.52:  # short
        look["hair_back"], look["hair_m"] = 0.08 + 0.18 * draws[7], 0.006 + 0.018 * draws[8]
        look["recede"] = 0.14 * max(0.0, draws[9] + look["age"] - 0.9)
        if draws[10] < 0.25:
            look["part_x"] = 0.45 if draws[11] < 0.5 else -0.45
        if draws[10] > 0.75:  # a fringe
            look["hairline"], look["jag"], look["recede"] = 0.68 + 0.06 * draws[11], 0.9, 0
    elif style < 0.64:  # to the chin
        look["hair_back"], look["hair_side"] = -0.15, 0.05 + 0.2 * draws[7]
        look["hair_m"] = 0.012 + 0.016 * draws[8]
        look["part_x"] = draws[9] - 0.5 if draws[10] < 0.6 else 9
        if draws[10] > 0.6:
            look["hairline"] = 0.64 + 0.05 * draws[9]
    elif style < 0.8:  # tied
        look["hair_back"], look["hair_m"] = 0.14 + 0.1 * draws[7], 0.006 + 0.006 * draws[8]
        if draws[9] < 0.45:
            look["bun"] = TOP_BUN if draws[10] < 0.35 else BACK_BUN
        else:  # a tail
            look["hair_back"] = -3
            look["hair_length_m"], look["hair_width_m"] = 0.08 + 0.25 * draws[10], 0.036
            look["bun"] = BACK_BUN if draws[11] < 0.5 else 0
    else:  # over the shoulders
        look["hair_back"], look["hair_side"] = -3, -0.1 + 0.2 * draws[7]
        look["hair_m"] = 0.01 + 0.02 * draws[8]
        look["hair_length_m"] = 0.06 + 0.3 * draws[9]
        look["part_x"] = 0.8 * draws[10] - 0.4 if draws[10] < 0.7 else 9
        if draws[10] > 0.7:
            look["hairline"] = 0.65 + 0.05 * draws[11]
        if draws[11] < 0.5:
            look["hair_front_m"] = 0.05 + 0.2 * draws[11]
    if style < 0.52 and look["age"] > 0.55 and draws[10] < 0.25:
        look["bald_spot"] = 0.5 + 0.6 * draws[11]
    if curly and 0.3 < style < 0.64 and draws[6] < 0.5:  # a round head of curls
        look["hair_m"] = 0.03 + 0.05 * draws[8]
        look["hair_back"], look["hair_side"], look["bun"] = 0.0, 0.3, 0


def _sample_hat(look: np.ndarray, rng: np.random.Generator, feminine: bool) -> None:
    look["cap_line"] = 9
    look["cap"] = cloth_colour(rng)
    draws = rng.random(4)
    if draws[0] > 0.15:
        return
    look["cap_m"] = 0.006 + 0.008 * draws[1]
    look["cap_line"] = 0.66 + 0.08 * draws[2]
    kinds = np.cumsum([0.42, 0.2, 0.14, 0.1])
    kind = int(np.searchsorted(kinds, draws[3]))
    look["cap_kind"] = (CAP_VISOR, BEANIE, HELMET, HEADSCARF, HOOD)[kind]
    if kind == 2:
        look["cap_m"] = 0.022
    elif kind == 3 and not feminine:
        look["cap_kind"] = HOOD
    if look["cap_kind"] >= HEADSCARF:
        look["hair_length_m"] = look["hair_front_m"] = 0
    look["bun"] = 0


def _undress(look: np.ndarray, rng: np.random.Generator, marks: np.void, feminine: bool) -> None:
    """Underwear or swimwear only, thin enough for garments over it."""
    draws = rng.random(8)
    look["front_kind"], look["back_kind"], look["pockets"] = NO_FRONT, NO_BACK, NO_POCKETS
    look["collar_m"] = look["cuff_m"] = look["hem_rib_m"] = look["turn_up_m"] = 0
    look["turtleneck"] = look["belt"] = look["raglan"] = look["side_panel"] = 0
    look["shirt_m"] = look["legs_m"] = 0.001
    look["sleeve_flare_m"] = look["hem_flare_m"] = look["flare_m"] = 0
    look["legs_kind"], look["sock_y_m"], look["shoes_m"] = LEGGINGS, -9, 0
    look["has_gloves"] = 0
    look["shoe_y_m"] = marks["ground_y"] - 1
    look["sleeve_x_m"] = marks["shoulder_x"] - 0.02
    hip = marks["hip_y"]
    look["rise_y_m"] = hip + 0.06 + 0.09 * draws[0]
    look["legs_pattern"] = look["legs_pattern"] if draws[1] < 0.4 else PLAIN
    if feminine:
        look["leg_y_m"], look["leg_slope"] = hip - 0.08, 0.55 + 0.5 * draws[2]
        if draws[3] < 0.65:
            look["cut"], look["hem_y_m"] = BRA, marks["waist_y"]
            look["shirt"] = look["legs"] if draws[4] < 0.7 else look["shirt"]
        else:  # all in one
            look["cut"] = TANK if draws[4] < 0.8 else TUBE
            look["hem_y_m"] = hip - 0.08
    else:
        look["cut"], look["sleeve_x_m"], look["hem_y_m"] = SLEEVED, -1, 9
        if draws[3] < 0.45:
            look["leg_y_m"], look["leg_slope"] = hip - 0.08, 0.45
        else:
            look["leg_y_m"] = hip - 0.1 - 0.12 * draws[5]

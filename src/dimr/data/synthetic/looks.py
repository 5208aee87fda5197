"""What a person looks like: skin, hair, face, clothes and shoes, as one record of numbers.

Everything is placed by the rest-pose position on the body, in units of the body's own landmarks,
so that facing shows: faces, hair, different fronts and backs of shirts, shoes that point.
"""

from typing import cast

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic.textures import random_colour

PLAIN, STRIPES, UPRIGHT_STRIPES, PLAID, BLOTCHES = range(5)
"""Patterns of cloth."""

NO_PRINT, PRINT, BUTTONS, OPEN_JACKET = range(4)
"""What is on the front of a shirt only."""

LOOK = np.dtype(
    [
        # colours, RGB 0..255
        ("skin", "f4", 3), ("hair", "f4", 3), ("iris", "f4", 3), ("lips", "f4", 3),
        ("shirt", "f4", 3), ("shirt_second", "f4", 3), ("front", "f4", 3), ("legs", "f4", 3),
        ("legs_second", "f4", 3), ("shoes", "f4", 3), ("sole", "f4", 3), ("toe_cap", "f4", 3),
        ("socks", "f4", 3), ("cap", "f4", 3), ("gloves", "f4", 3),
        # head, in units of the head's height above the chin
        ("hairline", "f4"), ("hair_back", "f4"), ("hair_side", "f4"), ("beard", "f4"),
        ("glasses", "i4"), ("cap_line", "f4"), ("brow", "f4"), ("hair_length_m", "f4"),
        # clothes: heights and lengths in metres of the rest pose
        ("neckline_m", "f4"), ("neck_round", "f4"), ("hem_y_m", "f4"), ("sleeve_x_m", "f4"),
        ("leg_y_m", "f4"), ("sock_y_m", "f4"), ("shoe_y_m", "f4"), ("sole_y_m", "f4"),
        ("turtleneck", "i4"), ("shirt_pattern", "i4"), ("front_kind", "i4"),
        ("legs_pattern", "i4"), ("period_m", "f4"), ("print_half_m", "f4", 2), ("belt", "i4"),
        ("has_gloves", "i4"), ("skirt", "i4"),
        # thickness above the skin in metres
        ("hair_m", "f4"), ("shirt_m", "f4"), ("legs_m", "f4"), ("flare_m", "f4"),
        ("shoes_m", "f4"),
        # strength of folds, place in the noise texture
        ("folds", "f4"), ("seed_u", "f4"), ("seed_v", "f4"),
    ]
)  # fmt: skip

LANDMARKS = np.dtype(
    [
        ("chin_y", "f4"), ("head_height", "f4"), ("head_half_width", "f4"), ("head_z", "f4"),
        ("head_half_depth", "f4"), ("neck_y", "f4"), ("neck_z", "f4"), ("shoulder_x", "f4"),
        ("elbow_x", "f4"), ("wrist_x", "f4"), ("waist_y", "f4"), ("hip_y", "f4"),
        ("knee_y", "f4"), ("ankle_y", "f4"), ("ground_y", "f4"), ("toe_z", "f4"),
        ("chest_y", "f4"), ("torso_z", "f4"),
    ]
)  # fmt: skip

_SKIN_TONES = np.array(
    [[255, 226, 205], [246, 205, 175], [234, 184, 144], [212, 155, 112], [176, 118, 78],
     [128, 80, 52], [92, 58, 40], [64, 42, 32]], dtype=np.float32,
)  # fmt: skip
_HAIR_TONES = np.array(
    [[22, 18, 16], [44, 30, 22], [78, 52, 34], [120, 84, 50], [196, 160, 104], [226, 200, 150],
     [140, 136, 132], [216, 214, 210], [132, 58, 28]], dtype=np.float32,
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
    marks["torso_z"] = joints_m[6, 2]
    marks["ground_y"] = low
    marks["toe_z"] = vertices_m[vertices_m[:, 1] < joints_m[7, 1], 2].max()
    return cast(np.void, marks[()])


def skin_colour(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """RGB of a random skin, from very light to very dark."""
    place = rng.random() ** 1.5 * (len(_SKIN_TONES) - 1.001)
    tone = int(place)
    blend = _SKIN_TONES[tone] + (_SKIN_TONES[tone + 1] - _SKIN_TONES[tone]) * (place - tone)
    return (blend * (1 + 0.04 * rng.standard_normal(3))).clip(20, 255).astype(np.float32)


def _cloth_colour(rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.25:
        return np.full(3, 12 + 45 * rng.random(), np.float32) * (1 + 0.1 * rng.random(3))
    if kind < 0.38:
        return np.full(3, 200 + 55 * rng.random(), np.float32) * (1 - 0.06 * rng.random(3))
    if kind < 0.52:  # denim and navy
        return np.array([45, 62, 98], np.float32) * (0.5 + 1.2 * rng.random())
    return random_colour(rng, 0.45)


def sample_look(rng: np.random.Generator, marks: np.void) -> np.void:
    """Draws what one person looks like."""
    look = np.zeros((), LOOK)
    draws = rng.random(48)
    skin = skin_colour(rng)
    look["skin"] = skin
    tone = int(np.searchsorted(_HAIR_SHARES, draws[0]))
    if skin.mean() < 130:
        tone = min(tone, 1) if draws[1] < 0.9 else tone
    look["hair"] = _HAIR_TONES[min(tone, 8)] * (0.8 + 0.4 * draws[2])
    look["iris"] = (70, 45, 25) if draws[3] < 0.7 else (70, 100, 120)
    look["lips"] = skin * (0.82, 0.6, 0.6) if draws[4] < 0.8 else (170, 30, 45)
    _sample_head(look, draws[5:16])
    _sample_shirt(look, draws[16:32], rng, marks)
    _sample_below(look, draws[32:48], rng, marks)
    look["folds"] = 0.1 + 0.35 * rng.random()
    look["seed_u"], look["seed_v"] = rng.random(2) * 256
    return cast(np.void, look[()])


def _sample_head(look: np.ndarray, draws: np.ndarray) -> None:
    look["hairline"], look["hair_side"] = 0.8 + 0.1 * draws[0], 0.42
    look["brow"] = 0.5 + 0.4 * draws[1]
    look["cap_line"] = 9
    style = draws[2]
    if style < 0.07:  # bald, or a ring of hair
        look["hairline"] = 9
        look["hair_back"] = 9 if draws[3] < 0.5 else 0.25
        look["hair_side"] = 9 if draws[3] < 0.5 else 0.5
        look["hair_m"] = 0.004
    elif style < 0.55:  # short
        look["hair_back"], look["hair_m"] = 0.05 + 0.2 * draws[3], 0.006 + 0.025 * draws[4]
    elif style < 0.75:  # to the chin
        look["hair_back"], look["hair_side"] = -0.15, 0.05 + 0.2 * draws[3]
        look["hair_m"] = 0.014 + 0.022 * draws[4]
    else:  # over the shoulders
        look["hair_back"], look["hair_side"] = -3, -0.1 + 0.2 * draws[3]
        look["hair_m"] = 0.012 + 0.025 * draws[4]
        look["hair_length_m"] = 0.06 + 0.28 * draws[5]
    if style < 0.55 and draws[6] < 0.4:
        look["beard"] = 0.3 + 0.7 * draws[7]
    look["glasses"] = 0 if draws[8] > 0.18 else (1 if draws[8] > 0.1 else 2)
    if draws[9] < 0.13:
        look["cap_line"] = 0.62 + 0.1 * draws[10]


def _sample_shirt(
    look: np.ndarray, draws: np.ndarray, rng: np.random.Generator, marks: np.void
) -> None:
    look["shirt"], look["shirt_second"] = _cloth_colour(rng), _cloth_colour(rng)
    look["front"] = _cloth_colour(rng)
    look["cap"], look["gloves"] = random_colour(rng), random_colour(rng)
    look["has_gloves"] = draws[0] < 0.04
    shoulder, elbow, wrist = marks["shoulder_x"], marks["elbow_x"], marks["wrist_x"]
    if draws[1] < 0.1:
        sleeve = shoulder - 0.02
    elif draws[1] < 0.5:
        sleeve = shoulder + (0.35 + 0.5 * draws[2]) * (elbow - shoulder)
    elif draws[1] < 0.62:
        sleeve = elbow + (0.1 + 0.5 * draws[2]) * (wrist - elbow)
    else:
        sleeve = wrist - 0.03 + 0.04 * draws[2]
    if draws[1] > 0.985:  # no shirt at all
        sleeve, look["neckline_m"], look["hem_y_m"] = -1, 0, 9
    else:
        look["neckline_m"] = 0.02 + 0.12 * draws[3] ** 2
        look["hem_y_m"] = marks["hip_y"] + 0.1 - 0.16 * draws[4]
        if draws[4] < 0.05:
            look["hem_y_m"] = marks["waist_y"] + 0.02
    look["sleeve_x_m"] = sleeve
    look["neck_round"] = draws[5]
    look["turtleneck"] = draws[6] < 0.08
    shares = np.cumsum([0.56, 0.14, 0.05, 0.1, 0.15])
    look["shirt_pattern"] = int(np.searchsorted(shares[:-1], draws[7]))
    look["period_m"] = 0.02 + 0.09 * draws[8] ** 2
    if draws[9] < 0.28:
        look["front_kind"] = PRINT
    elif draws[9] < 0.48:
        look["front_kind"] = BUTTONS
    elif draws[9] < 0.6:
        look["front_kind"] = OPEN_JACKET
    look["print_half_m"] = 0.04 + 0.09 * draws[10:12]
    loose = draws[12] ** 1.5
    look["shirt_m"] = 0.003 + 0.024 * loose
    if look["front_kind"] == OPEN_JACKET:
        look["shirt_m"] = 0.012 + 0.016 * loose


def _sample_below(
    look: np.ndarray, draws: np.ndarray, rng: np.random.Generator, marks: np.void
) -> None:
    look["legs"], look["legs_second"] = _cloth_colour(rng), _cloth_colour(rng)
    if draws[0] < 0.08:
        look["legs"] = look["shirt"]
    look["shoes"], look["sole"] = _cloth_colour(rng), _cloth_colour(rng)
    look["toe_cap"] = look["shoes"] if draws[1] < 0.6 else _cloth_colour(rng)
    look["socks"] = _cloth_colour(rng)
    hip, knee, ankle = marks["hip_y"], marks["knee_y"], marks["ankle_y"]
    if draws[2] < 0.62:
        bottom = ankle + 0.03 * draws[3] - 0.01
    elif draws[2] < 0.7:
        bottom = knee + (ankle - knee) * (0.3 + 0.5 * draws[3])
    elif draws[2] < 0.9:
        bottom = knee + (hip - knee) * (0.05 + 0.5 * draws[3])
    else:
        bottom = knee + (hip - knee) * (0.7 + 0.25 * draws[3])
    look["leg_y_m"] = bottom
    look["legs_m"] = 0.003 + 0.014 * draws[4] ** 1.5
    if 0.6 < draws[2] < 0.9 and draws[5] < 0.45:
        look["skirt"] = 1
        look["flare_m"] = 0.03 + 0.06 * draws[6]
        if draws[7] < 0.5:  # a dress
            look["legs"], look["legs_pattern"] = look["shirt"], look["shirt_pattern"]
            look["legs_second"] = look["shirt_second"]
    elif draws[6] < 0.25:
        look["flare_m"] = 0.03 * draws[7]
    if not look["skirt"]:
        look["legs_pattern"] = PLAIN if draws[8] < 0.85 else BLOTCHES
    look["belt"] = draws[9] < 0.3
    ground = marks["ground_y"]
    bare = draws[10] < 0.08
    boots = draws[10] > 0.85
    look["shoe_y_m"] = (
        ground - 1 if bare else (ankle + 0.2 * draws[11] if boots else ankle - 0.005)
    )
    look["sole_y_m"] = ground + 0.012 + 0.02 * draws[12]
    look["sock_y_m"] = ankle + 0.25 * draws[13] ** 2 if draws[14] < 0.6 and not bare else -9
    look["shoes_m"] = 0.0 if bare else 0.004 + 0.007 * draws[15]

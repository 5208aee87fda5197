"""Draws clothes: which garments, how they are cut, patterned and coloured."""

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic.clothes import (
    BACK_NUMBER,
    BACK_PRINT,
    BACK_SEAM,
    BAND,
    BLOCKS,
    BLOTCHES,
    BUTTONS,
    CAMOUFLAGE,
    CARGO,
    CHEST_FLAPS,
    CHEST_POCKET,
    DENIM,
    DOTS,
    FADE,
    FLOWERS,
    HOOD_DOWN,
    JEANS,
    KANGAROO,
    KNIT,
    LEGGINGS,
    LEOPARD,
    LOW_POCKETS,
    NO_BACK,
    NO_FRONT,
    NUMBER,
    OPEN_JACKET,
    PLAID,
    PLAIN,
    POLO,
    PRINT,
    SKIRT,
    STRIPES,
    TIE,
    TRACKSUIT,
    TROUSERS,
    TWEED,
    UPRIGHT_STRIPES,
    YOKE,
    ZIP,
)
from dimr.data.synthetic.paint import SLEEVED, TANK

_PATTERNS = (PLAIN, STRIPES, UPRIGHT_STRIPES, PLAID, BLOTCHES, DOTS, FLOWERS, CAMOUFLAGE, DENIM,
             KNIT, BLOCKS, FADE, TWEED, LEOPARD)  # fmt: skip
_PATTERN_SHARES = np.cumsum(
    [0.52, 0.1, 0.03, 0.06, 0.02, 0.02, 0.04, 0.02, 0.03, 0.05, 0.05, 0.03, 0.02, 0.01]
)
_DULL_HUES = np.array(
    [[116, 92, 66], [168, 142, 108], [92, 92, 62], [78, 84, 58], [112, 58, 52], [82, 102, 92],
     [70, 54, 44], [196, 180, 152], [96, 110, 126], [128, 70, 84]], dtype=np.float32,
)  # fmt: skip
_STRONG_HUES = np.array(
    [[186, 28, 38], [206, 52, 40], [34, 74, 168], [28, 116, 190], [26, 128, 72], [226, 186, 46],
     [222, 110, 36], [196, 70, 128], [104, 54, 132], [92, 176, 196]], dtype=np.float32,
)  # fmt: skip


def cloth_colour(rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """RGB of cloth as streets and sports grounds show it: much black, navy, grey and white."""
    kind, strength = rng.random(2)
    tint = 1 + 0.05 * rng.standard_normal(3)
    if kind < 0.24:
        colour = np.full(3, 12 + 40 * strength)
    elif kind < 0.33:
        colour = np.full(3, 60 + 110 * strength)
    elif kind < 0.47:
        colour = np.full(3, 200 + 45 * strength)
    elif kind < 0.62:  # navy and denim
        colour = np.array([44, 60, 94]) * (0.45 + 1.3 * strength)
    elif kind < 0.78:
        colour = _DULL_HUES[int(rng.random() * len(_DULL_HUES))] * (0.55 + 0.65 * strength)
    else:
        colour = _STRONG_HUES[int(rng.random() * len(_STRONG_HUES))]
        grey = colour.mean()
        colour = (grey + (colour - grey) * (0.35 + 0.65 * rng.random())) * (0.6 + 0.5 * strength)
    return (colour * tint).clip(3, 250).astype(np.float32)


def sample_shirt(
    look: np.ndarray,
    rng: np.random.Generator,
    marks: np.void,
    feminine: bool,
    style: str | None,
) -> None:
    """What covers the trunk and the arms."""
    draws = rng.random(34)
    dark, loose = style == "dark", style == "loose"
    for name in ("shirt", "shirt_second", "shirt_third", "front", "trim"):
        look[name] = cloth_colour(rng)
    look["gloves"] = cloth_colour(rng)
    look["has_gloves"] = draws[0] < 0.04
    shoulder, elbow, wrist = marks["shoulder_x"], marks["elbow_x"], marks["wrist_x"]
    look["cut"] = SLEEVED
    short = False
    if draws[1] < (0.16 if feminine else 0.1) and not dark:
        sleeve, look["cut"] = shoulder - 0.02, TANK if draws[2] < 0.7 else SLEEVED
        look["strap"] = draws[3]
    elif draws[1] < 0.5 and not loose:
        sleeve, short = shoulder + (0.35 + 0.5 * draws[2]) * (elbow - shoulder), True
    elif draws[1] < 0.6:
        sleeve = elbow + (0.1 + 0.5 * draws[2]) * (wrist - elbow)
    else:
        sleeve = wrist - 0.03 + 0.04 * draws[2]
    look["sleeve_x_m"] = sleeve
    look["neckline_m"] = 0.01 + (0.14 if feminine else 0.06) * draws[4] ** 2
    look["neck_back_m"] = 0.02 * draws[5] ** 2
    look["neck_round"] = draws[6]
    look["turtleneck"] = draws[7] < 0.08
    look["hem_y_m"] = marks["hip_y"] + 0.1 - 0.17 * draws[8]
    if feminine and draws[8] < 0.08:
        look["hem_y_m"] = marks["waist_y"] + 0.03
    if not feminine and draws[1] > 0.965 and style is None:  # no shirt at all
        look["sleeve_x_m"], look["hem_y_m"] = -1, 9
    pattern = int(np.searchsorted(_PATTERN_SHARES[:-1], draws[9]))
    look["shirt_pattern"] = _PATTERNS[pattern]
    if look["shirt_pattern"] in (DENIM, KNIT, TWEED):
        look["shirt_second"] = np.minimum(look["shirt"] * 1.5 + 12, 250)
        if look["shirt_pattern"] == DENIM:
            look["shirt"] = np.array([40, 58, 92]) * (0.5 + 1.2 * draws[10])
            look["shirt_second"] = look["shirt"] * 1.5
    look["period_m"] = 0.018 + 0.08 * draws[11] ** 2
    look["stripes"] = draws[12]
    look["block_y_m"] = marks["waist_y"] + 0.3 * draws[13]
    _sample_details(look, draws[14:27], rng, short)
    wide = draws[27] ** 1.7
    look["shirt_m"] = 0.003 + 0.02 * wide
    look["sleeve_flare_m"] = 0.012 * draws[28] ** 2
    look["hem_flare_m"] = 0.02 * draws[29] ** 2
    if look["front_kind"] in (OPEN_JACKET, ZIP):
        look["shirt_m"] += 0.006
    if loose:
        look["shirt_m"] = 0.016 + 0.018 * draws[27]
        look["sleeve_flare_m"] = 0.012 + 0.045 * draws[28]
        look["hem_flare_m"] = 0.02 + 0.03 * draws[29]
        if draws[30] < 0.45:  # a coat
            look["hem_y_m"] = marks["hip_y"] - (0.05 + 0.3 * draws[31])
            look["front_kind"] = OPEN_JACKET if draws[32] < 0.6 else BUTTONS
    look["folds"] = 0.18 + 0.4 * draws[33] + (0.15 if loose else 0.0)
    same = draws[20] < 0.72
    look["sleeves"] = look["shirt"] if same else look["shirt_second"]
    look["collar"] = look["shirt"] * 0.8 if draws[21] < 0.6 else look["trim"]


def _sample_details(
    look: np.ndarray, draws: np.ndarray, rng: np.random.Generator, short: bool
) -> None:
    """Fronts, backs, pockets, collars: together as on real garments."""
    look["raglan"] = draws[0] < 0.3
    look["arm_stripe"] = draws[1] < 0.1
    look["side_panel"] = draws[2] < 0.08
    look["print_kind"] = int(draws[3] * 5)
    look["print_half_m"] = (0.05 + 0.07 * draws[4], 0.04 + 0.07 * draws[5])
    look["logo"] = draws[6] < 0.25
    look["jacket_gap"] = 0.4 + 1.2 * rng.random()
    kind = draws[8]
    if kind < 0.26:
        look["front_kind"] = PRINT
        look["back_kind"] = BACK_PRINT if draws[9] < 0.3 else NO_BACK
    elif kind < 0.34:
        look["front_kind"] = NUMBER
        look["print_kind"] = 4
        look["print_half_m"] = (0.06, 0.055)
        look["back_kind"] = BACK_NUMBER
        look["trim"] = 235 if look["shirt"].mean() < 130 else 25
        look["front"] = look["trim"]
    elif kind < 0.47:
        look["front_kind"] = BUTTONS if draws[9] < 0.8 else TIE
        look["back_kind"] = YOKE
        look["collar_m"] = 0.035
        look["pockets"] = (CHEST_POCKET, CHEST_FLAPS, 0)[int(draws[10] * 3)]
        look["trim"] = look["trim"] if draws[9] > 0.8 else look["shirt"] * 0.4
    elif kind < 0.53:
        look["front_kind"], look["collar_m"], look["logo"] = POLO, 0.03, 1
        look["back_kind"] = BAND if draws[9] < 0.25 else NO_BACK
    elif kind < 0.65 and not short:
        look["front_kind"] = OPEN_JACKET
        look["lapel"] = draws[9] > 0.4
        look["tie"] = draws[9] > 0.8
        look["inner_buttons"] = draws[9] > 0.6
        look["back_kind"] = BACK_SEAM if look["lapel"] else NO_BACK
        look["pockets"] = LOW_POCKETS
        look["shirt_pattern"] = look["shirt_pattern"] if draws[11] < 0.3 else PLAIN
        if look["inner_buttons"]:
            look["front"] = np.array([232, 232, 236]) * (0.8 + 0.2 * draws[12])
    elif kind < 0.78 and not short:
        look["front_kind"] = ZIP
        look["back_kind"] = HOOD_DOWN if draws[9] < 0.55 else NO_BACK
        look["pockets"] = LOW_POCKETS
        look["hem_rib_m"], look["cuff_m"] = 0.04, 0.03
    elif kind < 0.86 and not short:
        look["front_kind"] = PRINT if draws[9] < 0.4 else NO_FRONT
        look["back_kind"], look["pockets"] = HOOD_DOWN, KANGAROO
        look["hem_rib_m"] = 0.05
    else:
        look["front_kind"] = NO_FRONT
        look["collar_m"] = 0.018 if draws[10] < 0.5 else 0
        look["hem_rib_m"] = 0.04 if draws[11] < 0.3 and not short else 0


def sample_below(
    look: np.ndarray,
    rng: np.random.Generator,
    marks: np.void,
    feminine: bool,
    style: str | None,
) -> None:
    """Trousers or skirt, belt, socks, shoes, watch."""
    draws = rng.random(32)
    dark, loose = style == "dark", style == "loose"
    for name in ("legs", "legs_second", "legs_third", "shoes", "sole", "socks"):
        look[name] = cloth_colour(rng)
    look["buckle"] = (170, 160, 140) if draws[0] < 0.6 else (120, 112, 96)
    look["lace"] = cloth_colour(rng)
    hip, knee, ankle = marks["hip_y"], marks["knee_y"], marks["ankle_y"]
    look["rise_y_m"] = marks["waist_y"] + 0.02
    look["wear"] = draws[1]
    skirt = bool(feminine and draws[2] < (0.6 if loose else 0.28))
    if draws[3] < (0.66 if not dark else 0.9):
        bottom = ankle + 0.03 * draws[4] - 0.01
    elif draws[3] < 0.73:
        bottom = knee + (ankle - knee) * (0.3 + 0.5 * draws[4])
    elif draws[3] < 0.92:
        bottom = knee + (hip - knee) * (0.05 + 0.5 * draws[4])
    else:
        bottom = knee + (hip - knee) * (0.6 + 0.25 * draws[4])
    if skirt:
        bottom = hip - (0.22 + (0.55 if loose else 0.35) * draws[4])
    look["leg_y_m"] = bottom
    kind = (JEANS, TROUSERS, LEGGINGS, TRACKSUIT, CARGO)[
        int(np.searchsorted([0.42, 0.62, 0.78, 0.92], draws[5]))
    ]
    look["legs_kind"] = SKIRT if skirt else kind
    look["legs_m"] = 0.003 + 0.012 * draws[6] ** 1.5
    look["legs_seam"] = look["legs"] * 0.55
    if skirt:
        look["flare_m"] = 0.015 + (0.07 if loose else 0.04) * draws[7]
        look["pleats"] = 2.0 + 5 * draws[8]
        if draws[9] < 0.5:  # a dress
            look["legs"], look["legs_pattern"] = look["shirt"], look["shirt_pattern"]
            look["legs_second"], look["legs_third"] = look["shirt_second"], look["shirt_third"]
        elif draws[9] < 0.75:
            look["legs_pattern"] = _PATTERNS[int(draws[10] * len(_PATTERNS))]
    elif kind == JEANS:
        look["legs_pattern"] = DENIM
        shade = 0.25 + 1.35 * draws[10]
        look["legs"] = np.array([44, 62, 96]) * shade
        if draws[11] < 0.2:
            look["legs"] = look["legs"].mean() * np.ones(3)
        look["legs_second"] = look["legs"] * 1.6 + 8
        look["legs_seam"] = (150, 104, 58) if draws[12] < 0.5 else look["legs"] * 0.5
        look["ripped"] = draws[13] < 0.1 and not dark
        look["turn_up_m"] = 0.035 if draws[14] < 0.12 else 0
    elif kind == LEGGINGS:
        look["legs_m"] = 0.001
        look["legs"] = cloth_colour(rng) * (0.15 if draws[11] < 0.6 else 1.0)
        if draws[12] < 0.12:
            look["legs_pattern"] = _PATTERNS[int(draws[13] * len(_PATTERNS))]
    elif kind == TRACKSUIT:
        look["legs_seam"] = (228, 228, 228) if draws[11] < 0.6 else cloth_colour(rng)
    elif kind == CARGO and draws[11] < 0.35:
        look["legs_pattern"] = CAMOUFLAGE
        look["legs"], look["legs_second"], look["legs_third"] = (
            (92, 96, 66), (58, 62, 42), (140, 126, 92)
        )  # fmt: skip
    if kind in (TROUSERS, LEGGINGS) and draws[15] < 0.14:  # a suit
        look["legs"] = look["shirt"]
    if not skirt:
        look["flare_m"] = 0.022 * draws[7] ** 3
        if loose:
            look["legs_m"], look["flare_m"] = 0.012 + 0.012 * draws[6], 0.015 + 0.04 * draws[7]
    look["belt"] = 0 if kind in (LEGGINGS, TRACKSUIT) or skirt else draws[16] < 0.4
    if draws[16] < 0.2 and look["belt"]:  # the shirt tucked in
        look["hem_y_m"] = max(look["hem_y_m"], marks["waist_y"] - 0.025)
    _sample_feet(look, draws[17:], rng, marks, dark)


def _sample_feet(
    look: np.ndarray, draws: np.ndarray, rng: np.random.Generator, marks: np.void, dark: bool
) -> None:
    ankle, ground = marks["ankle_y"], marks["ground_y"]
    bare = draws[0] < 0.07 and not dark
    boots = draws[0] > 0.85
    trainers = 0.3 < draws[0] < 0.85
    look["shoe_y_m"] = (
        ground - 1 if bare else (ankle + 0.22 * draws[1] if boots else ankle - 0.012)
    )
    if trainers and draws[2] < 0.6:
        look["sole"] = 205 + 40 * draws[3]
    elif not trainers:
        look["sole"] = look["shoes"] * 0.4
    look["toe_cap"] = look["shoes"] if draws[4] < 0.7 else look["sole"]
    look["laces"] = draws[5] < 0.75
    if draws[5] < 0.4:
        look["lace"] = 225
    look["heel_tab"], look["shoe_stripe"] = draws[6] < 0.35, trainers and draws[7] < 0.5
    look["sole_y_m"] = ground + 0.012 + 0.018 * draws[8]
    look["shoes_m"] = 0.0 if bare else 0.004 + 0.007 * draws[9]
    look["sock_y_m"] = ankle + 0.3 * draws[10] ** 2 if draws[11] < 0.65 and not bare else -9
    if draws[11] < 0.25:
        look["socks"] = 225
    if draws[11] > 0.93 or (look["legs_kind"] == SKIRT and draws[11] > 0.7):  # tights
        look["sock_y_m"] = 9
        look["socks"] = look["skin"] * 0.45 if draws[12] < 0.5 else np.full(3, 24)
    look["sock_rings"] = draws[12] < 0.2
    look["watch"] = int(np.sign(draws[13] - 0.3)) if draws[14] < 0.3 else 0
    if rng.random() < 0.1:
        look["watch"] = -look["watch"]

"""What the wardrobe holds: which of MakeHuman's meshes, which part of it, for which split."""

from typing import NamedTuple

BOTTOM, TOP, OVERALLS, SHOES, HAIR, HAT = 1, 2, 3, 0, 4, 5
"""Layers, inner to outer. MakeHuman's own z_depth is 50 for all but the shoes (5)."""


class Piece(NamedTuple):
    """One garment to be made."""

    name: str
    mesh: str
    """Folder and .mhclo under MakeHuman's base folder, or a helper of hm08 (`helper-...`)."""
    kind: str
    covers: str
    layer: int
    split: str
    texture: str | None = None
    """JPEG beside the mesh; None for plain white."""
    half: str = ""
    """`top` or `bottom` of a suit: its connected parts above or below the hips."""
    low: float = -9.0
    high: float = 9.0
    """Cut: heights in metres of the T-pose (the pelvis is 0) between which triangles are kept."""
    sleeve: float = 9.0
    """Cut: largest distance from the midline in metres."""
    loose: bool = False
    max_faces: int = 2000
    logos: tuple[tuple[float, float, float, float], ...] = ()
    """Boxes u0, v0, u1, v1 (v down) of the texture to be painted over."""


def _suit(folder: str) -> str:
    return f"clothes/{folder}/{folder}"


def _hair(name: str, split: str, texture: bool = True) -> Piece:
    mesh = f"hair/{name}/{name}"
    return Piece(name, mesh, "hair", "head", HAIR, split, f"{name}_diffuse" if texture else None)


def _shoes(name: str, split: str) -> Piece:
    texture = f"{name}_diffuse"
    return Piece(name, f"clothes/{name}/{name}", "shoes", "feet", SHOES, split, texture)


def _piece(name, folder, covers, layer, split, **more) -> Piece:
    texture = more.pop("texture", f"{folder}_diffuse")
    half = more.pop("half", "top" if covers == "top" else "bottom")
    return Piece(name, _suit(folder), "suit", covers, layer, split, texture, half, **more)


_CHEST, _CHEST_RIGHT = ((0.4, 0.06, 0.7, 0.3),), ((0.68, 0.12, 0.9, 0.33),)
_BOTH_SIDES = ((0.15, 0.08, 0.8, 0.22),)

PIECES = (
    _piece("trimmed_tee", "female_casualsuit01", "top", TOP, "train", logos=_CHEST_RIGHT),
    _piece("jeans", "female_casualsuit01", "bottom", BOTTOM, "train"),
    _piece("denim_shorts", "male_casualsuit02", "bottom", BOTTOM, "train", low=-0.40),
    _piece("crop_top", "female_sportsuit01", "top", TOP, "train"),
    _piece("track_trousers", "female_sportsuit01", "bottom", BOTTOM, "train"),
    _piece("hot_pants", "female_casualsuit02", "bottom", BOTTOM, "train", texture=None),
    _piece("long_sleeve", "male_casualsuit02", "top", TOP, "train", logos=_CHEST),
    _piece("striped_shirt", "male_casualsuit03", "top", TOP, "train"),
    _piece("field_jacket", "male_casualsuit05", "top", TOP, "train"),
    _piece("white_tee", "male_casualsuit06", "top", TOP, "train", logos=_BOTH_SIDES),
    _piece("work_suit", "male_worksuit01", "full", OVERALLS, "train", half="", max_faces=3000),
    Piece("long_skirt", "helper-skirt", "suit", "bottom", BOTTOM, "train", loose=True, low=-0.8),
    Piece("knee_skirt", "helper-skirt", "suit", "bottom", BOTTOM, "train", loose=True, low=-0.5),
    Piece("short_skirt", "helper-skirt", "suit", "bottom", BOTTOM, "train", loose=True, low=-0.32),
    Piece("leggings", "helper-tights", "suit", "bottom", BOTTOM, "train", low=-0.8, high=0.12,
          sleeve=0.33),
    Piece("bodysuit", "helper-tights", "suit", "full", BOTTOM, "train", low=-0.8, high=0.53),
    _shoes("shoes01", "train"),
    _shoes("shoes04", "train"),
    _hair("bob02", "test"),
    _hair("ponytail01", "train"),
    _hair("short01", "train"),
    _hair("short02", "train"),
    _hair("afro01", "train", texture=False),
    _hair("bob01", "train", texture=False),
    Piece("fedora", "clothes/fedora01/fedora", "hat", "head", HAT, "train"),
    _piece("plain_tee", "male_casualsuit04", "top", TOP, "val", logos=((0.5, 0.1, 0.7, 0.3),)),
    _piece("worn_jeans", "male_casualsuit04", "bottom", BOTTOM, "val"),
    _shoes("shoes03", "val"),
    _hair("short03", "val"),
    _piece("blouse", "female_elegantsuit01", "top", TOP, "test"),
    _piece("skirt", "female_elegantsuit01", "bottom", BOTTOM, "test", loose=True),
    _piece("blazer", "male_elegantsuit01", "top", TOP, "test"),
    _piece("suit_trousers", "male_elegantsuit01", "bottom", BOTTOM, "test"),
    _piece("tracksuit", "male_casualsuit01", "full", TOP, "test", texture=None, half=""),
    _shoes("shoes02", "test"),
    _hair("long01", "train"),
    _hair("short04", "test"),
    _hair("braid01", "test"),
)  # fmt: skip

"""Real garments (MakeHuman's, CC0) for the open body: clothes, shoes, hats, hair.

`Wardrobe` reads the file and picks what to wear; `outfit.Dresser` joins a body and what it wears
into one mesh. A cloth pixel is labelled as the body surface below it, as in DensePose, so every
garment vertex has an anchor on the body. docs/wardrobe.md says how the file is made.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from dimr.assets import asset_path
from dimr.data.synthetic.textures import random_colour
from dimr.surface.npz import read_arrays

OPEN_WARDROBE = "open_wardrobe.npz"
KINDS = ("suit", "shoes", "hat", "hair")
COVERS = ("top", "bottom", "full", "feet", "head")
SPLITS = ("train", "val", "test")
TEXTURE_SIZE = 256
UNIT = 65535
"""What stands for 1 in texture places."""
MAX_GARMENTS, MAX_VERTICES, MAX_FACES = 500, 500_000, 1_000_000

_HAIR_COLOURS = np.array(
    [[24, 19, 17], [48, 33, 25], [84, 57, 38], [128, 92, 56], [186, 148, 92], [214, 186, 138],
     [140, 136, 132], [212, 210, 206], [132, 60, 30]], dtype=np.float32,
)  # fmt: skip
_HAIR_SHARES = np.cumsum([0.32, 0.24, 0.16, 0.08, 0.06, 0.03, 0.05, 0.03, 0.03])


@dataclass(frozen=True, kw_only=True, eq=False)
class Garment:
    """One item on the mean open body in its rest pose; v vertices, f triangles."""

    name: str
    kind: str
    """One of KINDS; a suit is any of shirts, trousers, skirts, coats."""
    covers: str
    """One of COVERS."""
    layer: int
    """Larger is farther out."""
    loose: bool
    """Hangs free of the body: skirts."""
    texture: int
    """Index into `Wardrobe.textures`."""
    colour: Float32[np.ndarray, "3"]
    """Mean RGB of what its texture shows on it."""
    template_m: Float32[np.ndarray, "v 3"]
    shapedirs: Float32[np.ndarray, "v 3 10"]
    weight_idx: Int32[np.ndarray, "v 4"]
    weight_val: Float32[np.ndarray, "v 4"]
    faces: Int32[np.ndarray, "f 3"]
    texture_uv: Float32[np.ndarray, "f 3 2"]
    """Places on the texture, v down."""
    anchor_face: Int32[np.ndarray, "v"]
    """Body triangle that a vertex lies on."""
    anchor_bary: Float32[np.ndarray, "v 3"]
    covered: Bool[np.ndarray, "V"]
    """Body vertices under it."""
    hides: Bool[np.ndarray, "V"]
    """Those of them that need not be drawn."""


class Wardrobe:
    """The garments of one split and the textures of all.

    Attributes:
        garments: what can be worn.
        textures: (N, 256, 256, 4) uint8 RGBA; rows run down.
        body_hash: `BodyModel.content_hash` of the body that they fit.
    """

    def __init__(
        self,
        garments: list[Garment],
        textures: UInt8[np.ndarray, "N 256 256 4"],
        body_hash: str,
    ) -> None:
        self.garments, self.textures, self.body_hash = garments, textures, body_hash

    @classmethod
    def load(cls, split: str, path: str | Path | None = None) -> "Wardrobe":
        """Reads the garments of one split.

        Args:
            split: one of SPLITS; no garment is in two.
            path: a file of scripts/build_open_wardrobe.py; None for the one that ships.

        Raises:
            ValueError: if the split is unknown or the file is not a wardrobe.
        """
        if split not in SPLITS:
            raise ValueError(f"split: got {split!r}, want one of {SPLITS}")
        path = asset_path(OPEN_WARDROBE) if path is None else Path(path)
        arrays = _checked(path)
        garments = [
            _garment(arrays, index)
            for index in range(len(arrays["name"]))
            if arrays["split"][index] == split
        ]
        return cls(garments, arrays["textures"], str(arrays["body_hash"][0]))

    def sample_garments(self, rng: np.random.Generator, loose: bool = False) -> list[Garment]:
        """Something plausible to wear, inner layers first.

        Any slot may stay empty, so that what is painted on the skin shows there.

        Args:
            rng: source of chance.
            loose: wear a skirt for certain, if the wardrobe has one.
        """
        draws = rng.random(8)
        picked: list[Garment | None] = []
        skirts = [garment for garment in self.garments if garment.loose]
        if loose and skirts:
            picked += [_pick(skirts, draws[0]), self._any("top", draws[1], 0.85)]
        elif draws[2] < 0.12 and self._covering("full"):
            picked += [self._any("full", draws[0], 1.0)]
        else:
            picked += [self._any("bottom", draws[0], 0.85), self._any("top", draws[1], 0.85)]
        picked.append(self._any("feet", draws[3], 0.75))
        hair, hats = ([g for g in self.garments if g.kind == kind] for kind in ("hair", "hat"))
        picked.append(_pick(hair, draws[4] / 0.7) if draws[4] < 0.7 else None)
        picked.append(_pick(hats, draws[5] / 0.08) if draws[5] < 0.08 else None)
        return sorted((g for g in picked if g is not None), key=lambda garment: garment.layer)

    def _covering(self, covers: str) -> list[Garment]:
        return [garment for garment in self.garments if garment.covers == covers]

    def _any(self, covers: str, draw: float, share: float) -> Garment | None:
        return _pick(self._covering(covers), draw / share) if draw < share else None


def dye(
    rng: np.random.Generator, garment: Garment, dark: bool = False
) -> Float32[np.ndarray, "2 3"]:
    """A colour for a garment: gain and offset, RGB 0..255, so that texel * gain + offset is it.

    Hair gets a hair colour. Cloth keeps its own colour now and then; otherwise its mean becomes
    another one (quite often black or white) and its pattern gets as much weaker as it is darker.
    """
    draws = rng.random(4)
    old = garment.colour.astype(np.float64)
    if garment.kind == "hair":
        row = min(int(np.searchsorted(_HAIR_SHARES, draws[0])), len(_HAIR_COLOURS) - 1)
        new = _HAIR_COLOURS[row] * (0.8 + 0.4 * draws[1])
        strength = 0.9
    elif dark:
        new, strength = np.full(3, 10 + 30 * draws[2]) * (1 + 0.1 * rng.random(3)), 0.6
    elif draws[0] < 0.2 and np.ptp(old) > 12:
        new, strength = old, 1.0
    else:
        new, strength = _cloth_colour(rng, draws), 0.6 + 0.4 * draws[3]
    gain = strength * (0.15 + 0.85 * new.mean() / max(old.mean(), 8.0))
    gain = np.full(3, min(gain, 2.0)) * (new / max(new.mean(), 1.0)) ** 0.5
    return np.stack([gain, new - gain * old]).astype(np.float32)


def _cloth_colour(rng: np.random.Generator, draws: np.ndarray) -> np.ndarray:
    if draws[1] < 0.25:
        return np.full(3, 10 + 45 * draws[2]) * (1 + 0.1 * rng.random(3))
    if draws[1] < 0.38:
        return np.full(3, 195 + 50 * draws[2]) * (1 - 0.06 * rng.random(3))
    if draws[1] < 0.48:  # denim and navy
        return np.array([48.0, 65.0, 100.0]) * (0.5 + 1.2 * draws[2])
    return random_colour(rng, 0.45).astype(np.float64)


def _pick(garments: list[Garment], draw: float) -> Garment | None:
    return garments[int(draw * len(garments))] if garments else None


_ARRAYS = {
    "name": (np.str_, 1), "kind": (np.str_, 1), "covers": (np.str_, 1), "split": (np.str_, 1),
    "body_hash": (np.str_, 1), "layer": (np.integer, 1), "loose": (np.bool_, 1),
    "texture": (np.integer, 1), "colour": (np.floating, 2), "vertex_start": (np.integer, 1),
    "face_start": (np.integer, 1), "template_m": (np.floating, 2), "shapedirs": (np.floating, 3),
    "weight_idx": (np.integer, 2), "weight_val": (np.integer, 2), "faces": (np.integer, 2),
    "texture_uv": (np.integer, 3), "anchor_face": (np.integer, 1), "anchor_bary": (np.integer, 2),
    "covered": (np.bool_, 2), "hides": (np.bool_, 2), "textures": (np.integer, 4),
}  # fmt: skip


def _checked(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a wardrobe file, as checked as an unknown file must be."""
    arrays = read_arrays(path, _ARRAYS)
    count = len(arrays["name"])
    if not 1 <= count <= MAX_GARMENTS:
        raise ValueError(f"{path}: got {count} garments, want 1 to {MAX_GARMENTS}")
    starts = [("vertex_start", "template_m", MAX_VERTICES), ("face_start", "faces", MAX_FACES)]
    totals = {}
    for name, of, limit in starts:
        start, total = arrays[name], len(arrays[of])
        rising = len(start) == count + 1 and start[0] == 0 and (np.diff(start) > 0).all()
        if not rising or start[-1] != total or total > limit:
            raise ValueError(
                f"{path}: {name} does not divide the {total} rows of {of} among {count} garments"
            )
        totals[of] = total
    vertices, faces = totals["template_m"], totals["faces"]
    shapes = {
        **dict.fromkeys(("kind", "covers", "split", "layer", "loose", "texture"), (count,)),
        "colour": (count, 3), "body_hash": (1,), "template_m": (vertices, 3),
        "shapedirs": (vertices, 3, 10), "weight_idx": (vertices, 4), "weight_val": (vertices, 4),
        "anchor_face": (vertices,), "anchor_bary": (vertices, 3), "faces": (faces, 3),
        "texture_uv": (faces, 3, 2), "covered": (count, arrays["hides"].shape[1]),
        "hides": (count, arrays["hides"].shape[1]),
        "textures": (len(arrays["textures"]), TEXTURE_SIZE, TEXTURE_SIZE, 4),
    }  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{path}: {name} has shape {arrays[name].shape}, want {shape}")
    for name, allowed in (("kind", KINDS), ("covers", COVERS), ("split", SPLITS)):
        for value in sorted(set(arrays[name].tolist()) - set(allowed)):
            raise ValueError(f"{path}: {name} holds {value!r}, want one of {allowed}")
    if len(set(arrays["name"].tolist())) != count:
        raise ValueError(f"{path}: name holds a garment twice, want each once")
    sizes = np.diff(arrays["vertex_start"])
    of_face = np.repeat(sizes, np.diff(arrays["face_start"]))[:, None]
    for name, low, high in (
        ("faces", 0, of_face - 1),
        ("weight_idx", 0, 23),
        ("anchor_face", 0, MAX_FACES),
        ("texture", 0, len(arrays["textures"]) - 1),
        ("texture_uv", 0, UNIT),
        ("textures", 0, 255),
    ):
        if (arrays[name] < low).any() or (arrays[name] > high).any():
            raise ValueError(f"{path}: {name} holds numbers that are out of range")
    for name in ("weight_val", "anchor_bary"):
        if (arrays[name] < 0).any() or (arrays[name].sum(1, dtype=np.int64) <= 0).any():
            raise ValueError(f"{path}: {name} holds a row without positive numbers")
    for name in ("template_m", "shapedirs", "colour"):
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{path}: {name} holds NaN or infinity, want finite numbers")
    return arrays


def _garment(arrays: dict[str, np.ndarray], index: int) -> Garment:
    """One garment of checked arrays. Shares (weights, barycentrics) are whole numbers there."""
    vertices = slice(*arrays["vertex_start"][index : index + 2])
    faces = slice(*arrays["face_start"][index : index + 2])

    def shares(name: str) -> np.ndarray:
        values = arrays[name][vertices].astype(np.float32)
        return values / values.sum(1, keepdims=True)

    return Garment(
        name=str(arrays["name"][index]),
        kind=str(arrays["kind"][index]),
        covers=str(arrays["covers"][index]),
        layer=int(arrays["layer"][index]),
        loose=bool(arrays["loose"][index]),
        texture=int(arrays["texture"][index]),
        colour=arrays["colour"][index].astype(np.float32),
        template_m=arrays["template_m"][vertices].astype(np.float32),
        shapedirs=arrays["shapedirs"][vertices].astype(np.float32),
        weight_idx=arrays["weight_idx"][vertices].astype(np.int32),
        weight_val=shares("weight_val"),
        faces=arrays["faces"][faces].astype(np.int32),
        texture_uv=(arrays["texture_uv"][faces] / UNIT).astype(np.float32),
        anchor_face=arrays["anchor_face"][vertices].astype(np.int32),
        anchor_bary=shares("anchor_bary"),
        covered=arrays["covered"][index],
        hides=arrays["hides"][index],
    )

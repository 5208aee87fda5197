"""Reads MakeHuman's garments: .obj for triangles and texture places, .mhclo for the fit.

MakeHuman's axes are the open body's (y up, facing +z), its unit is the decimetre.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

HM08_VERTICES = 19158


class Item(NamedTuple):
    """One garment as MakeHuman has it; v vertices, f triangles, t texture vertices."""

    base: np.ndarray
    """(v, 3) vertices of hm08 that a vertex hangs on."""
    base_weights: np.ndarray
    """(v, 3) their weights; may be negative, rows sum to 1."""
    offsets: np.ndarray
    """(v, 3) shift in units of the three scales."""
    scale_vertices: np.ndarray
    """(3, 2) vertices of hm08 whose distance along x, y, z scales the offsets."""
    scale_lengths: np.ndarray
    """(3,) that distance where the offsets hold as they are; same unit as the offsets."""
    hidden: np.ndarray
    """(19158,) bool: vertices of hm08 that the garment's author hides."""
    quads: np.ndarray
    """(q, 4) vertices, counter-clockwise seen from outside."""
    texture_vertices: np.ndarray
    """(t, 2) v up."""
    texture_quads: np.ndarray
    """(q, 4) index into `texture_vertices`."""

    def fit(self, base_m: np.ndarray) -> np.ndarray:
        """Places the garment on resting bodies (..., 19158, 3), metres: (..., v, 3)."""
        corners = base_m[..., self.base, :]
        ends = base_m[..., self.scale_vertices, :]
        sizes = np.stack([abs(ends[..., i, 0, i] - ends[..., i, 1, i]) for i in range(3)], axis=-1)
        scales = sizes / self.scale_lengths
        points = np.einsum("...vki,vk->...vi", corners, self.base_weights)
        return points + self.offsets * scales[..., None, :]

    def needed(self) -> np.ndarray:
        """Vertices of hm08 that `fit` reads, ascending."""
        return np.unique(np.concatenate([self.base.ravel(), self.scale_vertices.ravel()]))


def read_item(folder: Path, name: str) -> Item:
    """Reads `folder`/`name`.mhclo and the .obj that it names.

    Raises:
        ValueError: if a garment is not made for hm08 or its two files do not agree.
    """
    header, rows, hidden = _read_fit(folder / f"{name}.mhclo")
    if header.get("basemesh") != "hm08":
        raise ValueError(f"{name}: made for {header.get('basemesh')!r}, want hm08")
    count, texture, quads, texture_quads = _read_mesh(folder / header["obj_file"])
    if count != len(rows):
        raise ValueError(f"{name}: {len(rows)} lines of the fit, {count} vertices of the mesh")
    scales = np.array([header[f"{axis}_scale"].split() for axis in "xyz"], float)
    return Item(
        base=rows[:, :3].astype(int),
        base_weights=rows[:, 3:6] / rows[:, 3:6].sum(1, keepdims=True),
        offsets=rows[:, 6:],
        scale_vertices=scales[:, :2].astype(int),
        scale_lengths=scales[:, 2],
        hidden=hidden,
        quads=quads,
        texture_vertices=texture,
        texture_quads=texture_quads,
    )


def _read_fit(path: Path) -> tuple[dict[str, str], np.ndarray, np.ndarray]:
    """Header, rows (v, 9) and hidden base vertices of an .mhclo file."""
    header: dict[str, str] = {}
    rows: list[list[float]] = []
    hidden = np.zeros(HM08_VERTICES, bool)
    deleting = False
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "delete_verts":
            deleting = True
        elif deleting:
            _mark_ranges(hidden, words)
        elif words[0].isdigit():
            if len(words) != 9:
                raise ValueError(f"{path}: {line!r} is not three vertices, weights and offsets")
            rows.append([float(word) for word in words])
        else:
            header[words[0]] = " ".join(words[1:])
    return header, np.array(rows), hidden


def _mark_ranges(hidden: np.ndarray, words: list[str]) -> None:
    """Marks `n` and `n - m`, words of one line."""
    position = 0
    while position < len(words):
        first = last = int(words[position])
        if words[position + 1 : position + 2] == ["-"]:
            last = int(words[position + 2])
            position += 2
        hidden[first : last + 1] = True
        position += 1


def _read_mesh(path: Path) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Number of vertices, texture vertices, quads, texture quads of an .obj of quads."""
    count, texture, faces = 0, [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            count += 1
        elif kind == "vt":
            texture.append([float(word) for word in words[:2]])
        elif kind == "f":
            faces.append([[int(index) - 1 for index in word.split("/")[:2]] for word in words])
    corners = np.array(faces)  # [q, 4, 2]
    return count, np.array(texture), corners[..., 0], corners[..., 1]


def read_base(path: Path) -> tuple[np.ndarray, dict[str, Item]]:
    """hm08 itself: all triangles (F, 3), and its clothes-like helpers as items by group name.

    The helpers `helper-skirt` and `helper-tights` are plain garments that hang on their own
    vertices.
    """
    texture, groups = [], {}
    group: list = []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, *words = line.split() or [""]
        if kind == "g":
            group = groups.setdefault(words[0], [])
        elif kind == "vt":
            texture.append([float(word) for word in words[:2]])
        elif kind == "f":
            group.append([[int(index) - 1 for index in word.split("/")[:2]] for word in words])
    everything = np.array([face for faces in groups.values() for face in faces])[..., 0]
    triangles = np.concatenate([everything[:, [0, 1, 2]], everything[:, [0, 2, 3]]])
    items = {}
    for name in ("helper-skirt", "helper-tights"):
        corners = np.array(groups[name])
        used, flat = np.unique(corners[..., 0], return_inverse=True)
        items[name] = Item(
            base=np.repeat(used[:, None], 3, axis=1),
            base_weights=np.tile([1.0, 0.0, 0.0], (len(used), 1)),
            offsets=np.zeros((len(used), 3)),
            scale_vertices=np.tile([0, 1], (3, 1)),
            scale_lengths=np.ones(3),
            hidden=np.zeros(HM08_VERTICES, bool),
            quads=flat.reshape(-1, 4),
            texture_vertices=np.array(texture),
            texture_quads=corners[..., 1],
        )
    return triangles, items

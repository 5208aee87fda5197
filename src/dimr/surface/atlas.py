"""The UV map: one flat place for each point of the body's surface, and back (paper Sec. 3.2).

Maps mesh faces to [0, 1]^2 (u to the right, v DOWN, head at the top; docs/conventions.md) and
texels, or any uv, to faces with barycentric weights. docs/atlas.md shows and measures the map of
the open body; `dimr.surface.layouts` rearranges it; `dimr.surface.uv_files` reads other maps.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, Int8, Int32
from scipy.ndimage import distance_transform_edt

from dimr.assets import asset_path
from dimr.surface.npz import read_arrays
from dimr.surface.parts import MIRROR_PARTS, NUM_CHARTS, NUM_PARTS
from dimr.surface.texels import locate_uv, rasterize_uv

LOOKUP_RESOLUTION = 512
SYMMETRY_RESOLUTION = 128
SYMMETRY_SHARE = 0.99
MAX_FACES = 1_000_000


class AtlasTexels(NamedTuple):
    """What the centre ((col + .5) / R, (row + .5) / R) of each texel of an R x R table shows."""

    face: Int32[np.ndarray, "R R"]
    """Index into `Atlas.faces`, -1 where the map is empty."""
    bary: Float32[np.ndarray, "R R 3"]
    """Weights of the face's three vertices; zero where empty."""
    part: Int8[np.ndarray, "R R"]
    """SMPL joint 0..23 of the face, -1 where empty."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Atlas:
    """A global UV map of one mesh. A mesh vertex on a seam has several uv vertices."""

    faces: Int32[np.ndarray, "F 3"]
    """Mesh vertices of each face, in the body's order."""
    uv_vertices: Float32[np.ndarray, "T 2"]
    """(u, v) in [0, 1]."""
    uv_faces: Int32[np.ndarray, "F 3"]
    """Uv vertices of each face, corner by corner like `faces`."""
    part_of_face: Int8[np.ndarray, "F"]
    """SMPL joint 0..23."""
    densepose_of_face: Int8[np.ndarray, "F"]
    """DensePose part 1..24."""
    name: str
    _tables: dict[int, AtlasTexels] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        num_faces = len(self.faces)
        if not 1 <= num_faces <= MAX_FACES:
            raise ValueError(f"faces: got {num_faces}, want 1 to {MAX_FACES}")
        if not np.isfinite(self.uv_vertices).all():
            raise ValueError("uv_vertices: got NaN or infinity, want finite numbers")
        for name, low, high in (
            ("faces", 0, np.iinfo(np.int32).max),
            ("uv_faces", 0, len(self.uv_vertices) - 1),
            ("uv_vertices", 0, 1),
            ("part_of_face", 0, NUM_PARTS - 1),
            ("densepose_of_face", 1, NUM_CHARTS),
        ):
            values = getattr(self, name)
            if values.min() < low or values.max() > high:
                raise ValueError(
                    f"{name}: got {values.min()} to {values.max()}, want {low} to {high}"
                )

    @cached_property
    def face_uv(self) -> Float32[np.ndarray, "F 3 2"]:
        """The corners of each face on the map."""
        return self.uv_vertices[self.uv_faces]

    @cached_property
    def content_hash(self) -> str:
        """sha256 over the arrays (not the name): weights remember which map they belong to."""
        digest = hashlib.sha256()
        for name in ("faces", "uv_vertices", "uv_faces", "part_of_face", "densepose_of_face"):
            values = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name} {values.dtype.str} {values.shape};".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    @cached_property
    def symmetric(self) -> bool:
        """Whether u -> 1 - u carries each part to its mirror part, so that flips are that simple.

        Measured, not declared: texels at 128 that disagree must be fewer than 1 in 100.
        """
        part = self.texels(SYMMETRY_RESOLUTION).part
        filled = part >= 0
        mirrored = np.where(filled, MIRROR_PARTS[part], -1)[:, ::-1]
        agree = (part == mirrored)[filled | filled[:, ::-1]]
        return bool(len(agree)) and float(agree.mean()) >= SYMMETRY_SHARE

    def texels(self, resolution: int) -> AtlasTexels:
        """The table of an R x R map; made once, so do not write into it."""
        if not 1 <= resolution <= 8192:
            raise ValueError(f"resolution: got {resolution}, want 1 to 8192")
        if resolution not in self._tables:
            face, bary, _ = rasterize_uv(self.face_uv, resolution)
            part = np.where(face >= 0, self.part_of_face[face], np.int8(-1))
            for table in (face, bary, part):
                table.flags.writeable = False
            self._tables[resolution] = AtlasTexels(face, bary, part)
        return self._tables[resolution]

    def uv_to_texel(
        self, uv: Float[np.ndarray, "*N 2"], resolution: int
    ) -> tuple[Int[np.ndarray, "*N"], Int[np.ndarray, "*N"]]:
        """(col, row) of the texel that holds each uv; places outside [0, 1] go to the border."""
        texel = np.clip(np.floor(uv * resolution), 0, resolution - 1).astype(np.int64)
        return texel[..., 0], texel[..., 1]

    def uv_to_surface(
        self, uv: Float[np.ndarray, "N 2"]
    ) -> tuple[Int32[np.ndarray, "N"], Float32[np.ndarray, "N 3"]]:
        """Face and barycentric weights at each uv; beside the map, those of the nearest texel."""
        face_uv = self.face_uv
        table = self.texels(LOOKUP_RESOLUTION).face
        return locate_uv(face_uv, uv.astype(np.float32), table, self._nearest_filled)

    def surface_to_uv(
        self, face: Int[np.ndarray, "N"], bary: Float[np.ndarray, "N 3"]
    ) -> Float32[np.ndarray, "N 2"]:
        """The place on the map of points given by face and barycentric weights."""
        return np.einsum("nkc,nk->nc", self.face_uv[face], bary).astype(np.float32)

    def positions(
        self, vertices: Float[np.ndarray, "V 3"], resolution: int
    ) -> Float32[np.ndarray, "R R 3"]:
        """Where each texel lies on a posed mesh, in the vertices' frame; zero where empty."""
        if len(vertices) <= self.faces.max():
            raise ValueError(
                f"vertices: got {len(vertices)}, want at least {self.faces.max() + 1} for the "
                f"faces of atlas {self.name!r}"
            )
        face, bary, _ = self.texels(resolution)
        corners = vertices[self.faces[face]]  # [R, R, 3, 3]
        return np.einsum("rckx,rck->rcx", corners, bary).astype(np.float32)

    @cached_property
    def _nearest_filled(self) -> Int32[np.ndarray, "2 R R"]:
        empty = self.texels(LOOKUP_RESOLUTION).face < 0
        if empty.all():
            raise ValueError(f"atlas {self.name!r} covers no texel of {LOOKUP_RESOLUTION}^2")
        nearest = distance_transform_edt(empty, return_distances=False, return_indices=True)
        return np.asarray(nearest, dtype=np.int32)


def load_atlas(path: str | Path | None = None) -> Atlas:
    """Read an atlas file of ours; None is the map of the open body.

    Raises:
        ValueError: if the file is not an atlas; says what is wrong with it.
    """
    path = asset_path("open_atlas.npz") if path is None else Path(path)
    arrays = read_arrays(
        path,
        {
            "faces": (np.integer, 2),
            "uv_vertices": (np.floating, 2),
            "uv_faces": (np.integer, 2),
            "part_of_face": (np.integer, 1),
            "densepose_of_face": (np.integer, 1),
        },
    )
    for name, columns in (("faces", 3), ("uv_vertices", 2), ("uv_faces", 3)):
        if arrays[name].shape[1] != columns:
            raise ValueError(
                f"{path}: {name} has shape {arrays[name].shape}, want (.., {columns})"
            )
    for name in ("uv_faces", "part_of_face", "densepose_of_face"):
        if len(arrays[name]) != len(arrays["faces"]):
            raise ValueError(
                f"{path}: {name} has {len(arrays[name])} rows, want {len(arrays['faces'])} like "
                "faces"
            )
    try:
        return Atlas(
            faces=arrays["faces"].astype(np.int32),
            uv_vertices=arrays["uv_vertices"].astype(np.float32),
            uv_faces=arrays["uv_faces"].astype(np.int32),
            part_of_face=arrays["part_of_face"].astype(np.int8),
            densepose_of_face=arrays["densepose_of_face"].astype(np.int8),
            name=path.stem,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def save_atlas(atlas: Atlas, path: str | Path) -> None:
    """Write an atlas file that `load_atlas` reads."""
    np.savez_compressed(
        path,
        faces=atlas.faces,
        uv_vertices=atlas.uv_vertices,
        uv_faces=atlas.uv_faces,
        part_of_face=atlas.part_of_face,
        densepose_of_face=atlas.densepose_of_face,
    )

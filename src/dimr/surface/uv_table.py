"""Table from another map's coordinates to the places of an atlas: DensePose (I, U, V) -> (u, v).

A table has one sheet a chart (24 for DensePose, 1 for a global map like DecoMR's) of R x R nodes;
the node in row r, column c stands for (U, V) = (c, r) / (R - 1). Every node holds a place on the
atlas. Nodes are never blended: across a cut of the atlas, the mean of two places is a third one.

The atlas is either a map of the same mesh (`same_mesh_uv`) or the open body's, through
`dimr.surface.bridge`.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Num
from scipy.ndimage import distance_transform_edt

from dimr.surface.atlas import Atlas
from dimr.surface.densepose_file import DensePoseSurface
from dimr.surface.npz import read_arrays
from dimr.surface.parts import NUM_CHARTS
from dimr.surface.texels import rasterize_uv

DENSEPOSE_RESOLUTION = 256
"""DensePose stores U and V in 8 bits."""
MAP_RESOLUTION = 512
MAX_LOST_SHARE = 0.01
"""Faces of DensePose's file that an atlas of SMPL may lack; the real ones differ in two."""


@dataclass(frozen=True, slots=True)
class UvTable:
    """Places on an atlas for every chart coordinate."""

    uv: Float32[np.ndarray, "P R R 2"]
    """P = 24 sheets for DensePose's charts 1..24, or one for a global map."""
    atlas_hash: str
    """`Atlas.content_hash` of the map that the places are on."""
    atlas_name: str

    def lookup(
        self, chart: Int[np.ndarray, "N"], chart_uv: Num[np.ndarray, "N 2"]
    ) -> Float32[np.ndarray, "N 2"]:
        """Places of points (chart 1..P; U, V, clamped to [0, 1]), those of the nearest node."""
        if len(chart) and not 1 <= chart.min() <= chart.max() <= len(self.uv):
            raise ValueError(
                f"chart: got {chart.min()} to {chart.max()}, want 1 to {len(self.uv)}"
            )
        last = self.uv.shape[1] - 1
        node = np.rint(np.clip(np.nan_to_num(chart_uv), 0, 1) * last).astype(np.intp)
        return self.uv[chart.astype(np.intp) - 1, node[:, 1], node[:, 0]]


SurfaceToUv = Callable[[Int[np.ndarray, "N"], Float[np.ndarray, "N 3"]], np.ndarray]
"""Faces of the source mesh and weights in them -> places on the target atlas (N, 2)."""


def densepose_table(surface: DensePoseSurface, to_uv: SurfaceToUv, atlas: Atlas) -> UvTable:
    """The table of DensePose's 24 charts.

    Args:
        surface: the charts.
        to_uv: takes `surface.faces` to `atlas`.
        atlas: the target.
    """
    charts = []
    for chart in range(1, NUM_CHARTS + 1):
        own = np.flatnonzero(surface.chart == chart)
        corners = surface.chart_uv[surface.split_faces[own]].astype(np.float32)
        charts.append((own, corners))
    return _table(charts, DENSEPOSE_RESOLUTION, to_uv, atlas)


def map_table(source: Atlas, to_uv: SurfaceToUv, atlas: Atlas) -> UvTable:
    """The table of a global map (one sheet); `to_uv` takes `source.faces` to `atlas`."""
    charts = [(np.arange(len(source.faces)), source.face_uv)]
    return _table(charts, MAP_RESOLUTION, to_uv, atlas)


def same_mesh_uv(faces: Int[np.ndarray, "F 3"], atlas: Atlas) -> SurfaceToUv:
    """Faces -> atlas where both are of one mesh, in any order and starting at any corner.

    A vertex on a seam has several places; the face says which. Faces that the atlas does not have
    take the nearest other's places.

    Raises:
        ValueError: if more than 1 face in 100 is not on the atlas: it is of another mesh.
    """
    ranks = np.argsort(faces, axis=1)
    atlas_ranks = np.argsort(atlas.faces, axis=1)
    sorted_atlas = np.take_along_axis(atlas.faces.astype(np.int64), atlas_ranks, 1)
    number_of = {tuple(face): number for number, face in enumerate(sorted_atlas.tolist())}
    sorted_faces = np.take_along_axis(faces, ranks, 1).tolist()
    found = np.array([number_of.get(tuple(face), -1) for face in sorted_faces])
    if (found < 0).mean() > MAX_LOST_SHARE:
        raise ValueError(
            f"atlas {atlas.name!r} is of another mesh: {(found < 0).sum()} of {len(faces)} faces "
            "are not on it"
        )
    place = np.empty((len(faces), 3, 2), np.float32)
    np.put_along_axis(
        place,
        ranks[:, :, None],
        np.take_along_axis(atlas.face_uv[found], atlas_ranks[found][:, :, None], 1),
        1,
    )
    place[found < 0] = np.nan

    def to_uv(face: np.ndarray, bary: np.ndarray) -> np.ndarray:
        return np.einsum("nkc,nk->nc", place[face], bary)

    return to_uv


def table_bytes(table: UvTable) -> bytes:
    """What a table file contains; `load_table` reads it."""
    packed = io.BytesIO()
    arrays: dict[str, Any] = {
        "table_uv": table.uv,
        "atlas_hash": np.array(table.atlas_hash),
        "atlas_name": np.array(table.atlas_name),
    }
    np.savez_compressed(packed, **arrays)
    return packed.getvalue()


def load_table(path: str | Path, atlas: Atlas) -> UvTable:
    """Reads a table made for `atlas`.

    Raises:
        ValueError: if the file is no table, or is for another atlas.
    """
    wanted = {"table_uv": (np.floating, 4), "atlas_hash": (np.str_, 0), "atlas_name": (np.str_, 0)}
    arrays = read_arrays(path, wanted)
    uv = arrays["table_uv"].astype(np.float32)
    sheets, rows, cols, pair = uv.shape
    if sheets not in (1, NUM_CHARTS) or rows != cols or rows < 2 or pair != 2:
        raise ValueError(f"{path}: table_uv has shape {uv.shape}, want (1 or 24, R, R, 2)")
    if not ((uv >= 0) & (uv <= 1)).all():
        raise ValueError(f"{path}: table_uv leaves [0, 1]")
    if str(arrays["atlas_hash"]) != atlas.content_hash:
        raise ValueError(
            f"{path}: is for atlas {str(arrays['atlas_name'])!r}, want atlas {atlas.name!r}: make "
            "it again with `dimr iuv table`, for a map of SMPL's own with --data ROOT"
        )
    return UvTable(uv, atlas.content_hash, atlas.name)


def _table(
    charts: list[tuple[np.ndarray, np.ndarray]],
    resolution: int,
    to_uv: SurfaceToUv,
    atlas: Atlas,
) -> UvTable:
    """Sheets from (numbers (F,) of the source faces, their corners (F, 3, 2) on the chart)."""
    uv = np.zeros((len(charts), resolution, resolution, 2), np.float32)
    for sheet, (numbers, corners) in zip(uv, charts, strict=True):
        if len(numbers) == 0:
            continue  # the file lacks the chart
        # texel centres (c + .5) / R of the rasteriser onto the nodes c / (R - 1)
        at_nodes = (corners * (resolution - 1) + np.float32(0.5)) / np.float32(resolution)
        local, bary, _ = rasterize_uv(at_nodes, resolution)
        filled = local >= 0
        sheet[filled] = to_uv(numbers[local[filled]], bary[filled])
        known = filled & np.isfinite(sheet).all(-1)
        if not known.any():  # a chart smaller than the nodes' distance: its first face's middle
            third = np.full((1, 3), 1 / 3, np.float32)
            sheet[:] = to_uv(numbers[:1], third)[0]
            continue
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        rows, cols = np.asarray(nearest)
        sheet[:] = sheet[rows, cols]
    return UvTable(np.clip(uv, 0, 1), atlas.content_hash, atlas.name)

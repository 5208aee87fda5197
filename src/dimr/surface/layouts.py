"""Other flat arrangements of an atlas's surface: shuffled charts, and DensePose's 24 tiles.

Both keep every face (same order, same parts) and give it a place of its own in [0, 1]^2; only the
neighbourhoods change. The shuffled map is the "randomly organized UV map" of the paper's Table 3c.
"""

import numpy as np
from jaxtyping import Float32, Int

from dimr.surface.atlas import Atlas

TILE_ROWS, TILE_COLS = 6, 4
TILE_FILL = 0.98
"""Share of a cell's side that its chart may take; the rest keeps neighbours apart."""


def shuffled_atlas(atlas: Atlas, seed: int, cells: int = 8) -> Atlas:
    """Cuts the map into cells x cells charts and puts them elsewhere, turned by quarter turns.

    A face goes with the cell its centre lies in; charts shrink a little so that the faces on a
    cut still fit into the cell.

    Args:
        atlas: the map to cut.
        seed: the same seed gives the same map.
        cells: cells along each side.
    """
    if not 1 <= cells <= 64:
        raise ValueError(f"cells: got {cells}, want 1 to 64")
    random = np.random.default_rng(seed)
    place = random.permutation(cells**2)
    turns = random.integers(0, 4, cells**2)
    col, row = atlas.uv_to_texel(atlas.face_uv.mean(1), cells)
    chart = row * cells + col
    face_uv = np.empty_like(atlas.face_uv)
    for number in np.unique(chart):
        own = chart == number
        corners = (
            atlas.face_uv[own] * cells
            - np.array([number % cells, number // cells], np.float32)
            - 0.5
        )
        corners *= TILE_FILL / max(2 * np.abs(corners).max(), 1.0)
        for _ in range(turns[number]):
            corners = np.stack([-corners[..., 1], corners[..., 0]], -1)
        centre = np.array([place[number] % cells, place[number] // cells], np.float32) + 0.5
        face_uv[own] = (corners + centre) / cells
    return _rearranged(atlas, chart, face_uv, f"{atlas.name}-shuffled-{seed}-{cells}")


def densepose_tile_atlas(atlas: Atlas) -> Atlas:
    """24 tiles in 6 rows and 4 columns, like DensePose's texture atlas: part k (from 0) lies in
    column k // 6, row k % 6.

    Inside of its tile a part keeps the arrangement it has on `atlas`, stretched to the tile. These
    are our coordinates, not DensePose's own U and V; for those read its surface file
    (`dimr.surface.uv_files.load_densepose_mat`).
    """
    part = atlas.densepose_of_face.astype(np.int64) - 1
    face_uv = np.empty_like(atlas.face_uv)
    for number in np.unique(part):
        own = part == number
        corners = atlas.face_uv[own]
        low, high = corners.min((0, 1)), corners.max((0, 1))
        inside = (corners - low) / np.maximum(high - low, np.float32(1e-9))
        face_uv[own] = tile_to_atlas(part[own], inside)
    return _rearranged(atlas, part, face_uv, f"{atlas.name}-densepose-tiles")


def tile_to_atlas(
    part: Int[np.ndarray, "N"], inside: Float32[np.ndarray, "N K 2"]
) -> Float32[np.ndarray, "N K 2"]:
    """Places on the tile map of points inside of tiles.

    Args:
        part: DensePose's part less one, 0..23.
        inside: K points (x to the right, y down) in [0, 1] of the tile's cell.
    """
    corner = np.stack([part // TILE_ROWS, part % TILE_ROWS], 1)[:, None]  # [N, 1, 2]
    centred = (inside - 0.5) * TILE_FILL + 0.5
    return ((corner + centred) / [TILE_COLS, TILE_ROWS]).astype(np.float32)


def _rearranged(
    atlas: Atlas,
    chart: Int[np.ndarray, "F"],
    face_uv: Float32[np.ndarray, "F 3 2"],
    name: str,
) -> Atlas:
    """The atlas with faces of one chart still joined and the charts apart."""
    keys = np.stack([np.repeat(chart, 3), atlas.uv_faces.ravel()], 1)
    _, first, corner = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return Atlas(
        faces=atlas.faces,
        uv_vertices=np.clip(face_uv.reshape(-1, 2)[first], 0, 1),
        uv_faces=corner.reshape(-1, 3).astype(np.int32),
        part_of_face=atlas.part_of_face,
        densepose_of_face=atlas.densepose_of_face,
        name=name,
    )

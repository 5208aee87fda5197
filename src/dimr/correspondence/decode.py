"""Surface embedding -> place on the UV map.

A pixel's most probable part chooses which texels of the atlas are candidates; among them the one
whose rest-pose position is nearest to the predicted position gives (u, v).
"""

from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, Float32, Int

from dimr.surface.atlas import Atlas
from dimr.surface.uv_table import SurfaceToUv
from dimr.types import Iuv

TABLE_RESOLUTION = 128


@dataclass(frozen=True, slots=True)
class SurfaceTable:
    """Texels of an atlas, sorted by DensePose part."""

    start: Int[np.ndarray, "26"]
    """Texels of part p are rows start[p] .. start[p + 1]."""
    position_m: Float[np.ndarray, "T 3"]
    uv: Float[np.ndarray, "T 2"]

    @property
    def part_centres_m(self) -> Float32[np.ndarray, "24 3"]:
        """Mean position of the texels of each part."""
        ranges = zip(self.start[1:-1], self.start[2:], strict=True)
        return np.stack([self.position_m[slice(*each)].mean(0) for each in ranges])


def surface_table(
    atlas: Atlas, vertices_rest_m: Float[np.ndarray, "V 3"], to_uv: SurfaceToUv | None = None
) -> SurfaceTable:
    """Tabulates rest-pose position and uv of every filled texel.

    Args:
        atlas: whose texels.
        vertices_rest_m: of its body.
        to_uv: takes the atlas's faces to places on another body's map; None: those on the atlas.
    """
    texels = atlas.texels(TABLE_RESOLUTION)
    rows, cols = np.nonzero(texels.face >= 0)
    part = atlas.densepose_of_face[texels.face[rows, cols]].astype(np.int64)
    order = np.argsort(part, kind="stable")
    rows, cols = rows[order], cols[order]
    position = atlas.positions(vertices_rest_m, TABLE_RESOLUTION)[rows, cols]
    if to_uv is None:
        uv = (np.stack([cols, rows], axis=1) + 0.5) / TABLE_RESOLUTION
    else:
        uv = to_uv(texels.face[rows, cols], texels.bary[rows, cols])
    start = np.searchsorted(part[order], np.arange(26))
    return SurfaceTable(start, position.astype(np.float32), uv.astype(np.float32))


@numba.njit(cache=True)
@no_type_check
def nearest_texels(part, position_m, start, table_m):
    """Rows of a `SurfaceTable` that are nearest to positions, each among those of its part."""
    nearest = np.empty(len(part), np.int64)
    for pixel in range(len(part)):
        best, best_distance = start[part[pixel]], np.float32(np.inf)
        for row in range(start[part[pixel]], start[part[pixel] + 1]):
            distance = np.float32(0)
            for axis in range(3):
                gap = table_m[row, axis] - position_m[pixel, axis]
                distance += gap * gap
            if distance < best_distance:
                best, best_distance = row, distance
        nearest[pixel] = best
    return nearest


def embedding_to_iuv(
    person: Float[np.ndarray, "h w"],
    part: Float[np.ndarray, "24 h w"],
    position_m: Float[np.ndarray, "24 3 h w"],
    table: SurfaceTable,
    threshold: float = 0.5,
) -> Iuv:
    """Iuv of one crop from probabilities `person`, `part` (softmax) and positions given the part.

    The confidence of a pixel is the probability that it shows the person times that of its part.
    """
    mask = person > threshold
    best_part = part.argmax(0)
    uv = np.zeros((*mask.shape, 2), np.float32)
    if mask.any():
        rows, cols = np.nonzero(mask)
        chosen = best_part[rows, cols]
        positions = position_m[chosen, :, rows, cols].astype(np.float32)  # [N, 3]
        nearest = nearest_texels(chosen + 1, positions, table.start, table.position_m)
        uv[mask] = table.uv[nearest]
    confidence = np.where(mask, person * part.max(0), 0).astype(np.float32)
    return Iuv(mask, uv, confidence)

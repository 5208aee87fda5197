"""Dense correspondence of one person as a picture: make, flip, warp, mask, measure, show.

An `Iuv` (paper Sec. 3.1) says for each visible pixel which point of the global UV map it shows.
Every function keeps the invariant that `uv` (and `confidence`, where there is one) is zero outside
of the mask. Labels are never blended: all resampling is nearest.
"""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dimr.image.crop import CORRESPONDENCE_STRIDE, crop_matrix
from dimr.surface.atlas import Atlas
from dimr.surface.parts import NUM_PARTS
from dimr.surface.raster import RasterResult
from dimr.types import Crop, Iuv

SEEN_RESOLUTION = 64
"""Side, in texels, of the map on which seen surface is counted."""


def encode_iuv(raster: RasterResult, atlas: Atlas) -> Iuv:
    """The visible surface's UV coordinates: face and barycentrics of each pixel to the global map.

    `raster.face` must index `atlas.faces`.
    """
    mask = raster.face >= 0
    uv = np.zeros((*mask.shape, 2), np.float32)
    uv[mask] = np.clip(atlas.surface_to_uv(raster.face[mask], raster.bary[mask]), 0, 1)
    return Iuv(mask, uv)


def mask_iuv(iuv: Iuv, keep: Bool[np.ndarray, "H W"]) -> Iuv:
    """Forget the pixels where `keep` is False (hidden by something)."""
    if keep.shape != iuv.mask.shape:
        raise ValueError(f"keep: got shape {keep.shape}, want {iuv.mask.shape} like the mask")
    mask = iuv.mask & keep
    confidence = None if iuv.confidence is None else np.where(mask, iuv.confidence, 0)
    return Iuv(mask, np.where(mask[..., None], iuv.uv, 0), confidence)


def flip_iuv(iuv: Iuv) -> Iuv:
    """The IUV of the mirrored picture: pixels left-right, and u -> 1 - u on the person.

    Right only for atlases that are left-right symmetric (`Atlas.symmetric`); the IUV does not know
    its atlas, so the caller must check. For others, flip the mesh and render again.
    """
    mask = np.ascontiguousarray(iuv.mask[:, ::-1])
    uv = iuv.uv[:, ::-1].copy()
    uv[..., 0] = np.where(mask, 1 - uv[..., 0], 0)
    confidence = iuv.confidence
    return Iuv(mask, uv, None if confidence is None else np.ascontiguousarray(confidence[:, ::-1]))


def warp_iuv(iuv: Iuv, matrix: Float[np.ndarray, "2 3"], size: tuple[int, int]) -> Iuv:
    """Resample along an affine map, nearest; what comes from outside is empty.

    Args:
        iuv: In source pixels.
        matrix: Takes source pixels to target pixels (`dimr.image.crop.crop_matrix`).
        size: (height, width) of the target.
    """
    height, width = size
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    y, x = np.mgrid[:height, :width]
    source = np.stack([x, y], -1) @ inverse[:, :2].T + inverse[:, 2]
    # Not rint: it rounds half to even, which would read every other pixel twice at exact halves.
    source_x, source_y = np.moveaxis(np.floor(source + 0.5), -1, 0)
    source_height, source_width = iuv.mask.shape
    inside = (source_x >= 0) & (source_x < source_width)
    inside &= (source_y >= 0) & (source_y < source_height)
    rows = np.where(inside, source_y, 0).astype(np.intp)
    cols = np.where(inside, source_x, 0).astype(np.intp)
    return mask_iuv(_take(iuv, rows, cols), inside)


def crop_iuv(iuv: Iuv, crop: Crop) -> Iuv:
    """A full-picture IUV at the crop's correspondence resolution."""
    size = crop.size // CORRESPONDENCE_STRIDE
    window = Crop(crop.centre_px, crop.side_px, size, crop.angle_rad)
    return warp_iuv(iuv, crop_matrix(window), (size, size))


def resize_iuv(iuv: Iuv, size: tuple[int, int]) -> Iuv:
    """Resample to `size` = (height, width), nearest: x_new = (x + 0.5) * scale - 0.5."""
    if min(size) < 1:
        raise ValueError(f"size: got {size}, want at least one pixel each way")
    # Exact integers: floor((new + 0.5) * old_size / new_size).
    rows, cols = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for old, new in zip(iuv.mask.shape, size, strict=True)
    )
    return _take(iuv, rows[:, None], cols[None])


def seen_texels(
    iuv: Iuv, atlas: Atlas, resolution: int = SEEN_RESOLUTION
) -> Bool[np.ndarray, "R R"]:
    """Texels of the map that at least one visible pixel falls on.

    Pixels that fall beside the charts (a network may say so) count for nothing.
    """
    hit = np.zeros((resolution, resolution), bool)
    cols, rows = atlas.uv_to_texel(iuv.uv[iuv.mask], resolution)
    hit[rows, cols] = True
    return hit & (atlas.texels(resolution).part >= 0)


def part_seen(
    iuv: Iuv, atlas: Atlas, resolution: int = SEEN_RESOLUTION
) -> Float[np.ndarray, "24"]:
    """Share of each part's texels that are seen, in [0, 1].

    Relative to the whole part, front and back: one view shows about half of a part at most, so
    0.5 means "all that a camera on that side can see". A person of few pixels hits few texels and
    scores lower; that too is surface of which the picture says little.
    """
    part = atlas.texels(resolution).part
    texels = np.bincount(part[part >= 0], minlength=NUM_PARTS)
    hits = np.bincount(part[seen_texels(iuv, atlas, resolution)], minlength=NUM_PARTS)
    return (hits / np.maximum(texels, 1)).astype(np.float32)


def vertex_seen(
    iuv: Iuv, atlas: Atlas, num_vertices: int, resolution: int = SEEN_RESOLUTION
) -> Bool[np.ndarray, "V"]:
    """True for mesh vertices whose surface the IUV shows.

    A vertex is seen when, for a face around it, the texel of its uv or one of the 8 next to it is
    hit and belongs to the same part as the face. The one-texel margin bridges gaps between the
    pixels; the part keeps it from crossing to a chart that merely lies beside.
    """
    part = np.pad(atlas.texels(resolution).part, 1, constant_values=-1)
    hit = np.pad(seen_texels(iuv, atlas, resolution), 1)
    cols, rows = atlas.uv_to_texel(atlas.face_uv, resolution)  # [F, 3] each
    corner_part = atlas.part_of_face[:, None]
    corner_seen = np.zeros(cols.shape, bool)
    for down in range(3):
        for right in range(3):
            place = rows + down, cols + right
            corner_seen |= hit[place] & (part[place] == corner_part)
    seen = np.zeros(num_vertices, bool)
    seen[atlas.faces[corner_seen]] = True
    return seen


def iuv_to_picture(iuv: Iuv) -> UInt8[np.ndarray, "H W 3"]:
    """Colours for people to look at: hue runs down the map, and differs left from right.

    Black outside of the mask.
    """
    palette = _palette()
    texel = np.clip(iuv.uv * len(palette), 0, len(palette) - 1).astype(np.intp)
    colours = palette[texel[..., 1], texel[..., 0]]
    return np.where(iuv.mask[..., None], colours, np.uint8(0))


@cache
def _palette() -> UInt8[np.ndarray, "R R 3"]:
    """A smooth 256 x 256 colour for every uv, RGB."""
    knots = np.array(
        [
            [[255, 214, 64], [250, 236, 150], [170, 224, 84]],
            [[244, 118, 52], [246, 166, 108], [36, 184, 132]],
            [[214, 48, 96], [196, 104, 160], [24, 130, 204]],
            [[132, 36, 146], [98, 74, 182], [44, 58, 180]],
        ],
        np.float32,
    )
    # The outer knots must lie on the map's edges, not half a knot inside as cv2.resize puts them.
    v, u = np.meshgrid(np.linspace(0, 3, 256), np.linspace(0, 2, 256), indexing="ij")
    smooth = cv2.remap(knots, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, None)
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


def _take(iuv: Iuv, rows: Int[np.ndarray, "..."], cols: Int[np.ndarray, "..."]) -> Iuv:
    """The pixels at broadcast row and column indices."""
    confidence = None if iuv.confidence is None else iuv.confidence[rows, cols]
    return Iuv(iuv.mask[rows, cols], iuv.uv[rows, cols], confidence)

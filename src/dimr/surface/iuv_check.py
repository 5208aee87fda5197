"""Is this IUV possible? Measures of one person's IUV against the atlas, the body and a mesh.

The test for left and right: three neighbouring pixels show three points of the skin, and these
must turn the way they do on a body that is seen from outside. Labels of the other side are mirror
images, which turn the other way, whatever the pose.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from dimr.body.camera import PerspectiveCamera
from dimr.surface.atlas import LOOKUP_RESOLUTION, Atlas
from dimr.surface.iuv import part_seen
from dimr.surface.parts import NUM_PARTS, PART_NAMES
from dimr.surface.render import render_iuv
from dimr.types import Iuv

JUMP_M = 0.15
"""Neighbouring pixels that show skin farther apart than this are an edge, or noise."""
STEPS_ACROSS = 20
"""Pixels are compared over this fraction of the person's size: single ones are too noisy."""
LIMITS = {
    "beside_charts": (0.05, "of the pixels are at places where the map is empty"),
    "wrong_way": (0.5, "of the surface runs the wrong way round: left and right swapped"),
    "loose": (0.25, "of the pixels are apart from the largest piece: fragments"),
    "jumps": (0.2, "of neighbouring pixels show skin that is far apart: noise"),
}
"""Share above which a measure is a problem, and what the problem is."""
MIN_MESH_COVERS = 0.5
MAX_MESH_MM = 100


@dataclass(frozen=True, kw_only=True)
class IuvReport:
    """What `check_iuv` found; shares are in [0, 1]."""

    pixels: int
    parts_seen: int
    """Of SMPL's 24."""
    beside_charts: float
    """Share of pixels whose place on the map is empty."""
    wrong_way: float
    """Share of the surface that is a mirror image of what it says it is."""
    wrong_way_parts: list[str]
    """Parts of which more than half is."""
    pieces: int
    """Connected pieces of the mask."""
    loose: float
    """Share of the pixels outside of the largest piece."""
    jumps: float
    """Share of neighbouring pixels that show skin more than `JUMP_M` apart."""
    mesh_covers: float | None = None
    """Share of the pixels that a given mesh covers, where there is one."""
    mesh_median_mm: float | None = None
    """Distance on the mesh between what the IUV says and what the mesh shows there."""
    problems: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class KnownMesh:
    """A mesh in the picture's camera to compare with."""

    vertices_cam_m: Float[np.ndarray, "V 3"]
    camera: PerspectiveCamera


def check_iuv(
    iuv: Iuv,
    atlas: Atlas,
    vertices_rest_m: Float[np.ndarray, "V 3"],
    mesh: KnownMesh | None = None,
) -> IuvReport:
    """Measures one person's IUV.

    Args:
        iuv: of the whole picture if a mesh is given, else of any window.
        atlas: the map it is on.
        vertices_rest_m: of the body at rest.
        mesh: the person's body, e.g. from an earlier prediction.

    Raises:
        ValueError: if nothing is visible.
    """
    if not iuv.mask.any():
        raise ValueError("iuv: no visible pixel")
    texels = atlas.texels(LOOKUP_RESOLUTION)
    cols, rows = atlas.uv_to_texel(iuv.uv[iuv.mask], LOOKUP_RESOLUTION)
    part = np.full(iuv.mask.shape, -1)
    part[iuv.mask] = texels.part[rows, cols]
    skin = _skin(iuv, atlas, vertices_rest_m)
    wrong, total = _wrong_way(skin, part)
    _, _, stats, _ = cv2.connectedComponentsWithStats(iuv.mask.astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    measures: dict[str, Any] = {
        "beside_charts": float((part[iuv.mask] < 0).mean()),
        "wrong_way": float(wrong.sum() / max(total.sum(), 1e-12)),
        "loose": float(1 - areas.max() / areas.sum()),
        "jumps": _jumps(iuv.mask, skin.points_m),
    }
    problems = [
        f"{measures[name]:.0%} {what}"
        for name, (limit, what) in LIMITS.items()
        if measures[name] > limit
    ]
    common = total > 0.01 * total.sum()
    turned = [PART_NAMES[k] for k in np.flatnonzero(common & (wrong > 0.5 * total))]
    if turned and measures["wrong_way"] <= LIMITS["wrong_way"][0]:
        problems.append(f"wrong way round, perhaps left for right: {', '.join(turned)}")
    if mesh is not None:
        measures |= _against_mesh(iuv, atlas, mesh)
        if measures["mesh_covers"] < MIN_MESH_COVERS:
            problems.append(f"the mesh covers {measures['mesh_covers']:.0%} of it only")
        elif measures["mesh_median_mm"] > MAX_MESH_MM:
            problems.append(f"half of it is {measures['mesh_median_mm']:.0f} mm off on the mesh")
    return IuvReport(
        pixels=int(iuv.mask.sum()),
        parts_seen=int((part_seen(iuv, atlas) > 0).sum()),
        wrong_way_parts=turned,
        pieces=len(areas),
        problems=problems,
        **measures,
    )


class _Skin(NamedTuple):
    """What the pixels show, on the body at rest; zero outside of the mask."""

    points_m: Float[np.ndarray, "H W 3"]
    normals: Float[np.ndarray, "H W 3"]
    """Of the faces, outwards; not of unit length."""


def _skin(iuv: Iuv, atlas: Atlas, vertices_rest_m: Float[np.ndarray, "V 3"]) -> _Skin:
    face, bary = atlas.uv_to_surface(iuv.uv[iuv.mask])
    corners = vertices_rest_m[atlas.faces[face]]
    skin = _Skin(*np.zeros((2, *iuv.mask.shape, 3), np.float32))
    skin.points_m[iuv.mask] = np.einsum("nkx,nk->nx", corners, bary)
    first, second, third = np.moveaxis(corners, 1, 0)
    skin.normals[iuv.mask] = np.cross(second - first, third - first)
    return skin


def _wrong_way(
    skin: _Skin, part: Int[np.ndarray, "H W"]
) -> tuple[Float[np.ndarray, "24"], Float[np.ndarray, "24"]]:
    """Area of skin, by part, that runs the wrong way round; and all of it."""
    step = max(1, int(np.sqrt((part >= 0).sum()) / STEPS_ACROSS))
    here, right, down = (
        (slice(None, -step), slice(None, -step)),
        (slice(None, -step), slice(step, None)),
        (slice(step, None), slice(None, -step)),
    )
    own = part[here]
    same = (own >= 0) & (own == part[right]) & (own == part[down])
    along_x = (skin.points_m[right] - skin.points_m[here])[same]
    along_y = (skin.points_m[down] - skin.points_m[here])[same]
    # right, then down, turns away from the viewer; the skin's normal points towards them
    turn = np.einsum("nx,nx->n", np.cross(along_x, along_y), skin.normals[here][same])
    area = np.linalg.norm(np.cross(along_x, along_y), axis=1).astype(np.float64)
    near = np.maximum(np.abs(along_x).max(1), np.abs(along_y).max(1)) < JUMP_M
    wrong, total = (
        np.bincount(own[same][near], weights[near], NUM_PARTS).astype(np.float64)
        for weights in (area * (turn > 0), area)
    )
    return wrong, total


def _jumps(mask: Bool[np.ndarray, "H W"], points_m: Float[np.ndarray, "H W 3"]) -> float:
    jumps = pairs = 0
    for axis in (0, 1):
        both = _neighbours(mask, axis)
        gap = np.linalg.norm(np.diff(points_m, axis=axis), axis=-1)
        jumps += int((gap[both] > JUMP_M).sum())
        pairs += int(both.sum())
    return jumps / max(pairs, 1)


def _neighbours(mask: Bool[np.ndarray, "H W"], axis: int) -> np.ndarray:
    """Where a pixel and the next one are both visible."""
    return mask[:-1] & mask[1:] if axis == 0 else mask[:, :-1] & mask[:, 1:]


def _against_mesh(iuv: Iuv, atlas: Atlas, mesh: KnownMesh) -> dict[str, float]:
    size = iuv.mask.shape[0], iuv.mask.shape[1]
    drawn, _ = render_iuv(mesh.vertices_cam_m, atlas, mesh.camera, size)
    both = iuv.mask & drawn.mask
    median_mm = float("inf")
    if both.any():
        said, shown = (_skin(one, atlas, mesh.vertices_cam_m).points_m for one in (iuv, drawn))
        median_mm = float(1000 * np.median(np.linalg.norm((said - shown)[both], axis=1)))
    # not the union: what hides the person is missing in the IUV and no disagreement
    return {"mesh_covers": float(both.sum() / iuv.mask.sum()), "mesh_median_mm": median_mm}

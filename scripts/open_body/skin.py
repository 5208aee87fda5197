"""The outer skin of MakeHuman's body, thinned and exactly left-right symmetric.

Works on the left half (x >= 0) with the midline as its open border, then mirrors it, so the two
sides have the same triangles by construction.
"""

from typing import NamedTuple

import numpy as np

from open_body.decimate import decimate
from open_body.source import Source

BODY_VERTICES = 13380
"""Vertices 0 .. 13379 of hm08 are the body; the rest are eyes, teeth and helpers."""
REGIONS = ("torso_and_limbs", "head", "hands", "feet")
TARGETS_HALF = {0: 1790, 1: 690, 2: 650, 3: 390}
"""Vertices to keep in the left half, by region; the midline counts once."""


class Skin(NamedTuple):
    """A thinned mesh whose vertices are vertices of hm08."""

    source_vertices: np.ndarray
    """(V,) number in hm08, ascending."""
    faces: np.ndarray
    """(F, 3) counter-clockwise seen from outside."""
    mirror_vertices: np.ndarray
    """(V,) the vertex on the other side; itself on the midline."""
    texture_vertices: np.ndarray
    """(T, 2) MakeHuman texture coordinates in use."""
    texture_faces: np.ndarray
    """(F, 3) index into `texture_vertices`."""


def build_skin(source: Source) -> Skin:
    """The skin of the open body."""
    return outer_skin(
        source.template,
        source.faces,
        source.texture_vertices,
        source.texture_faces,
        source.mirror,
        source.cavity,
        _regions(source),
    )


def _regions(source: Source) -> np.ndarray:
    """Index into REGIONS of each vertex of hm08, by the bone that moves it most."""
    starts = {"wrist": 2, "metacarpal": 2, "finger": 2, "foot": 3, "toe": 3}
    starts |= {"head": 1, "eye": 1, "neck03": 1}
    of_bone = [
        next((region for start, region in starts.items() if name.startswith(start)), 0)
        for name in source.bone_names
    ]
    return np.array(of_bone)[source.bone_weights.argmax(1)]


def outer_skin(
    points: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    corner_uv: np.ndarray,
    mirror: np.ndarray,
    cavity: np.ndarray,
    region: np.ndarray,
) -> Skin:
    """Cuts the cavities of mouth and eyes, closes the holes, thins, mirrors.

    Args:
        points: (N, 3) hm08 in SMPL axes, metres.
        faces: (F, 3) all triangles of hm08.
        uv: (T, 2) MakeHuman texture coordinates.
        corner_uv: (F, 3) index into `uv`.
        mirror: (N,) vertex on the other side.
        cavity: (N,) bool, lining of mouth and eye sockets.
        region: (N,) index into REGIONS.
    """
    keep = (faces < BODY_VERTICES).all(1) & ~cavity[faces].all(1)
    uv_mirror = _mirror_corners(faces[keep], corner_uv[keep], mirror)
    left = keep & (points[faces, 0] >= 0).all(1)
    half, half_uv = faces[left], corner_uv[left]
    half, half_uv = _close_holes(points, half, half_uv)
    half, half_uv = decimate(points, half, uv, half_uv, region, TARGETS_HALF)
    other = mirror[half][:, ::-1]
    other_uv = np.array(
        [
            [uv_mirror[vertex, corner] for vertex, corner in zip(face, row, strict=True)]
            for face, row in zip(half.tolist(), half_uv.tolist(), strict=True)
        ]
    )[:, ::-1]
    all_faces = np.concatenate([half, other])
    all_uv = np.concatenate([half_uv, other_uv])
    source, flat = np.unique(all_faces, return_inverse=True)
    corners, flat_uv = np.unique(all_uv, return_inverse=True)
    number = np.full(len(points), -1)
    number[source] = np.arange(len(source))
    return Skin(
        source_vertices=source,
        faces=flat.reshape(-1, 3),
        mirror_vertices=number[mirror[source]],
        texture_vertices=uv[corners],
        texture_faces=flat_uv.reshape(-1, 3),
    )


def _mirror_corners(
    faces: np.ndarray, corner_uv: np.ndarray, mirror: np.ndarray
) -> dict[tuple[int, int], int]:
    """(vertex, texture corner) of a triangle to the texture corner of its mirror image."""
    by_vertices = {
        tuple(sorted(face)): dict(zip(face, row, strict=True))
        for face, row in zip(faces.tolist(), corner_uv.tolist(), strict=True)
    }
    mapping: dict[tuple[int, int], int] = {}
    for face, row in zip(faces.tolist(), corner_uv.tolist(), strict=True):
        twin = by_vertices[tuple(sorted(mirror[face].tolist()))]
        for vertex, corner in zip(face, row, strict=True):
            found = twin[int(mirror[vertex])]
            if mapping.setdefault((vertex, corner), found) != found:
                raise RuntimeError(f"texture corner {corner} has two mirror images")
    return mapping


def _close_holes(
    points: np.ndarray, faces: np.ndarray, corner_uv: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Closes every hole of a half mesh but the midline, without new vertices."""
    border = {}
    corner_of: dict[int, set[int]] = {}
    directed = {
        (a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True)
    }
    for a, b in directed:
        midline = points[a, 0] == 0 and points[b, 0] == 0
        if (b, a) not in directed and not midline:
            border[b] = a  # the filling runs against the border of the mesh
    for face, row in zip(faces.tolist(), corner_uv.tolist(), strict=True):
        for vertex, corner in zip(face, row, strict=True):
            corner_of.setdefault(vertex, set()).add(corner)
    # a hole cut by the midline is an open chain; its two ends are joined along the midline
    ends = set(border) - set(border.values())
    new_faces: list[list[int]] = []
    starts = sorted(ends) + sorted(border)
    done: set[int] = set()
    for start in starts:
        if start in done:
            continue
        chain = [start]
        while chain[-1] in border and border[chain[-1]] != start:
            chain.append(border[chain[-1]])
        done.update(chain)
        new_faces += _least_area_triangulation(points, chain)
    new_uv = []
    for face in new_faces:
        if any(len(corner_of[vertex]) != 1 for vertex in face):
            raise RuntimeError("a texture seam runs into a hole that is to be closed")
        new_uv.append([next(iter(corner_of[vertex])) for vertex in face])
    return np.concatenate([faces, new_faces]), np.concatenate([corner_uv, new_uv])


def _least_area_triangulation(points: np.ndarray, polygon: list[int]) -> list[list[int]]:
    """Triangles of a closed polygon in space, in its own sense of rotation.

    Dynamic programming over the chords; the cost is the sum of squared sides, which for a thin
    slit (lips, lids) joins opposite vertices.
    """
    count = len(polygon)
    place = points[polygon]
    sides = ((place[:, None] - place[None]) ** 2).sum(-1)
    best = np.zeros((count, count))
    split = np.zeros((count, count), dtype=int)
    for span in range(2, count):
        for i in range(count - span):
            j = i + span
            choices = [
                best[i, k] + best[k, j] + sides[i, k] + sides[k, j] + sides[i, j]
                for k in range(i + 1, j)
            ]
            split[i, j] = i + 1 + int(np.argmin(choices))
            best[i, j] = min(choices)
    triangles = []
    stack = [(0, count - 1)]
    while stack:
        i, j = stack.pop()
        if j - i < 2:
            continue
        k = int(split[i, j])
        triangles.append([polygon[i], polygon[k], polygon[j]])
        stack += [(i, k), (k, j)]
    return triangles

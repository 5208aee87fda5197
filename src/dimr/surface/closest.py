"""Points -> closest points on a triangle mesh (numba), skin that faces elsewhere left out.

Two surfaces of a body are matched by closeness alone only where nothing else is near: between the
thighs, or from an arm to the flank, the closest skin may be another limb's. Skin whose normal
points away from the asked one is therefore only taken where there is no other in reach.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int, Int32
from numba import njit
from scipy.spatial import KDTree

NEIGHBOURS = 8
"""Mesh vertices around a point whose faces are candidates."""


@njit(cache=True, error_model="numpy")
@no_type_check
def _minus(a, b):
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@njit(cache=True, error_model="numpy")
@no_type_check
def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, error_model="numpy")
@no_type_check
def _closest_in_triangle(p, a, b, c):
    """Barycentric weights of the point of the triangle abc that is closest to p."""
    ab, ac, ap = _minus(b, a), _minus(c, a), _minus(p, a)
    d1, d2 = _dot(ab, ap), _dot(ac, ap)
    if d1 <= 0.0 and d2 <= 0.0:
        return 1.0, 0.0, 0.0
    bp = _minus(p, b)
    d3, d4 = _dot(ab, bp), _dot(ac, bp)
    if d3 >= 0.0 and d4 <= d3:
        return 0.0, 1.0, 0.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0 and d1 > d3:
        t = d1 / (d1 - d3)
        return 1.0 - t, t, 0.0
    cp = _minus(p, c)
    d5, d6 = _dot(ab, cp), _dot(ac, cp)
    if d6 >= 0.0 and d5 <= d6:
        return 0.0, 0.0, 1.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0 and d2 > d6:
        t = d2 / (d2 - d6)
        return 1.0 - t, 0.0, t
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 >= d3 and d5 >= d6 and (d4 - d3) + (d5 - d6) > 0.0:
        t = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return 0.0, 1.0 - t, t
    total = va + vb + vc
    if total <= 0.0:  # a face without area: any of its corners
        return 1.0, 0.0, 0.0
    return va / total, vb / total, vc / total


@njit(cache=True, error_model="numpy")
@no_type_check
def _closest(points, normals, near, start, around, vertices, faces, face_normals, face, bary, gap):
    for i in range(points.shape[0]):
        best, best_facing = np.inf, False
        for k in range(near.shape[1]):
            for slot in range(start[near[i, k]], start[near[i, k] + 1]):
                f = around[slot]
                facing = _dot(face_normals[f], normals[i]) > 0.0
                if best_facing and not facing:
                    continue
                a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
                w = _closest_in_triangle(points[i], a, b, c)
                there = (
                    w[0] * a[0] + w[1] * b[0] + w[2] * c[0],
                    w[0] * a[1] + w[1] * b[1] + w[2] * c[1],
                    w[0] * a[2] + w[1] * b[2] + w[2] * c[2],
                )
                away = _minus(points[i], there)
                distance = np.sqrt(_dot(away, away))
                if distance < best or (facing and not best_facing):
                    best, best_facing = distance, facing
                    face[i] = f
                    bary[i, 0], bary[i, 1], bary[i, 2] = w
        gap[i] = best


def closest_on_mesh(
    points_m: Float[np.ndarray, "N 3"],
    normals: Float[np.ndarray, "N 3"],
    vertices_m: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> tuple[Int32[np.ndarray, "N"], Float32[np.ndarray, "N 3"], Float[np.ndarray, "N"]]:
    """Face, barycentric weights and distance (metres) of the closest skin that faces alike.

    Args:
        points_m: the points.
        normals: which way the skin at the points faces; any length.
        vertices_m: of the mesh, in the points' frame.
        faces: counter-clockwise seen from outside.
    """
    used = np.unique(faces)
    tree = KDTree(vertices_m[used])
    _, near = tree.query(points_m, k=min(NEIGHBOURS, len(used)))
    order = np.argsort(faces.ravel(), kind="stable")
    start = np.searchsorted(faces.ravel()[order], np.arange(len(vertices_m) + 1))
    corners = vertices_m[faces].astype(np.float64)
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face = np.full(len(points_m), -1, np.int32)
    bary = np.zeros((len(points_m), 3), np.float32)
    gap = np.empty(len(points_m))
    _closest(
        np.ascontiguousarray(points_m, np.float64),
        np.ascontiguousarray(normals, np.float64),
        used[near.reshape(len(points_m), -1)].astype(np.int64),
        start.astype(np.int64),
        (order // 3).astype(np.int64),
        np.ascontiguousarray(vertices_m, np.float64),
        np.ascontiguousarray(faces, np.int64),
        face_normals,
        face,
        bary,
        gap,
    )
    return face, bary, gap

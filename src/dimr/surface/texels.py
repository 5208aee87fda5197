"""Faces on a UV map -> the table of texels they cover (numba; deterministic).

A texel (row, col) of an R x R table stands for its centre ((col + .5) / R, (row + .5) / R).
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32
from numba import njit

# no_type_check: the shape-checking import hook of the tests must not wrap what numba compiles.


@njit(cache=True)
@no_type_check
def face_weights(a, b, c, u, v):
    """Barycentric weights of (u, v) in the triangle abc; (-1, -1, -1) where abc has no area."""
    area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    if area == 0.0:
        return -1.0, -1.0, -1.0
    w1 = ((u - a[0]) * (c[1] - a[1]) - (v - a[1]) * (c[0] - a[0])) / area
    w2 = ((b[0] - a[0]) * (v - a[1]) - (b[1] - a[1]) * (u - a[0])) / area
    return 1.0 - w1 - w2, w1, w2


@njit(cache=True)
@no_type_check
def _fill(face_uv, resolution, face, bary, layers):
    for f in range(face_uv.shape[0]):
        a, b, c = face_uv[f, 0], face_uv[f, 1], face_uv[f, 2]
        first_col = max(int(np.ceil(min(a[0], b[0], c[0]) * resolution - 0.5)), 0)
        last_col = min(int(np.floor(max(a[0], b[0], c[0]) * resolution - 0.5)), resolution - 1)
        first_row = max(int(np.ceil(min(a[1], b[1], c[1]) * resolution - 0.5)), 0)
        last_row = min(int(np.floor(max(a[1], b[1], c[1]) * resolution - 0.5)), resolution - 1)
        for row in range(first_row, last_row + 1):
            for col in range(first_col, last_col + 1):
                w = face_weights(a, b, c, (col + 0.5) / resolution, (row + 0.5) / resolution)
                lowest = min(w)
                if lowest < 0.0:
                    continue
                if lowest > 1e-9:  # a centre on an edge belongs to both faces, not twice covered
                    layers[row, col] += 1
                if face[row, col] < 0:
                    face[row, col] = f
                    bary[row, col, 0], bary[row, col, 1], bary[row, col, 2] = w


def rasterize_uv(
    face_uv: Float32[np.ndarray, "F 3 2"], resolution: int
) -> tuple[Int32[np.ndarray, "R R"], Float32[np.ndarray, "R R 3"], Int32[np.ndarray, "R R"]]:
    """Face (-1: none), barycentric weights and number of faces at each texel's centre.

    Of several faces at one centre the one with the smallest index is kept.
    """
    face = np.full((resolution, resolution), -1, np.int32)
    bary = np.zeros((resolution, resolution, 3), np.float32)
    layers = np.zeros((resolution, resolution), np.int32)
    _fill(face_uv.astype(np.float64), resolution, face, bary, layers)
    return face, bary, layers


@njit(cache=True)
@no_type_check
def _locate(face_uv, uv, table, nearest, face, bary):
    resolution = table.shape[0]
    for i in range(uv.shape[0]):
        u, v = min(max(uv[i, 0], 0.0), 1.0), min(max(uv[i, 1], 0.0), 1.0)
        col = min(int(u * resolution), resolution - 1)
        row = min(int(v * resolution), resolution - 1)
        best = -np.inf
        if table[row, col] < 0:
            row, col = nearest[0, row, col], nearest[1, row, col]
        for y in range(max(row - 1, 0), min(row + 2, resolution)):
            for x in range(max(col - 1, 0), min(col + 2, resolution)):
                f = table[y, x]
                if f < 0:
                    continue
                w = face_weights(face_uv[f, 0], face_uv[f, 1], face_uv[f, 2], u, v)
                if min(w) > best or (min(w) == best and f < face[i]):
                    best = min(w)
                    face[i] = f
                    bary[i, 0], bary[i, 1], bary[i, 2] = w
        total = 0.0
        for k in range(3):
            bary[i, k] = max(bary[i, k], 0.0)
            total += bary[i, k]
        for k in range(3):
            bary[i, k] /= total


def locate_uv(
    face_uv: Float32[np.ndarray, "F 3 2"],
    uv: Float32[np.ndarray, "N 2"],
    table: Int32[np.ndarray, "R R"],
    nearest: Int32[np.ndarray, "2 R R"],
) -> tuple[Int32[np.ndarray, "N"], Float32[np.ndarray, "N 3"]]:
    """The face under each uv and the weights in it, looked up in a table of faces.

    Among the faces in the 3 x 3 texels around, the one that holds the point (or comes closest, in
    barycentric terms) is taken; a point beside all faces goes to the nearest filled texel, and
    its weights are clamped to the face.

    Args:
        face_uv: corners of each face on the map.
        uv: places in [0, 1]; clamped to it.
        table: face at each texel's centre, -1 where empty; at least one texel is filled.
        nearest: (row, col) of the nearest filled texel of each texel.
    """
    face = np.full(len(uv), -1, np.int32)
    bary = np.zeros((len(uv), 3), np.float32)
    _locate(face_uv.astype(np.float64), uv.astype(np.float64), table, nearest, face, bary)
    return face, bary

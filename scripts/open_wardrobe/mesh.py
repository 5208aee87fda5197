"""Meshes of garments: parts of them, triangles, fewer triangles."""

import numpy as np
from open_body.decimate import decimate
from open_body.source import Source
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from open_wardrobe.catalogue import Piece
from open_wardrobe.fit import t_pose
from open_wardrobe.source import Item

HIP_HEIGHT_M = 0.2
"""Parts of a suit whose middle is above belong to its top; of the resting default body."""


def take(item: Item, quads: np.ndarray) -> Item:
    """The item with the quads (bool or indices) alone, and the vertices that they use."""
    used, flat = np.unique(item.quads[quads], return_inverse=True)
    return item._replace(
        base=item.base[used],
        base_weights=item.base_weights[used],
        offsets=item.offsets[used],
        quads=flat.reshape(-1, 4),
        texture_quads=item.texture_quads[quads],
    )


def half(item: Item, points_m: np.ndarray, which: str) -> np.ndarray:
    """Quads (q,) bool of the connected parts above (`top`) or below (`bottom`) the hips."""
    edges = np.concatenate([item.quads[:, [i, (i + 1) % 4]] for i in range(4)])
    matrix = coo_matrix((np.ones(len(edges)), edges.T), (len(points_m), len(points_m)))
    count, part = connected_components(matrix)
    high = np.array(
        [np.ptp(points_m[part == k, 1]) / 2 + points_m[part == k, 1].min() for k in range(count)]
    )
    above = high > HIP_HEIGHT_M
    return (above == (which == "top"))[part[item.quads[:, 0]]]


def triangulate(item: Item, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (2q, 3) along the shorter diagonals, and their texture triangles."""
    corner = points_m[item.quads]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=1)
    second = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=1)
    turned = np.where((second < first)[:, None], [1, 2, 3, 0], [0, 1, 2, 3])
    order = np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])
    rows = np.tile(np.arange(len(corner)), 2)[:, None]
    return item.quads[rows, order], item.texture_quads[rows, order]


def thin(
    points_m: np.ndarray,
    faces: np.ndarray,
    texture_vertices: np.ndarray,
    texture_faces: np.ndarray,
    max_faces: int,
) -> tuple[np.ndarray, np.ndarray]:
    """At most about `max_faces` triangles, on vertices and texture corners that were there."""
    region = np.zeros(len(points_m), int)
    used = len(np.unique(faces))
    wanted = used * max_faces / len(faces)
    while wanted < used:
        try:
            return decimate(
                points_m, faces, texture_vertices, texture_faces, region, {0: int(wanted)}
            )
        except RuntimeError:  # nothing is left to contract: ask for less
            wanted *= 1.1
    return faces, texture_faces


def compact(item: Item, faces: np.ndarray) -> tuple[Item, np.ndarray]:
    """The item without the vertices that no triangle uses, and the triangles renumbered."""
    used, flat = np.unique(faces, return_inverse=True)
    rows = {name: getattr(item, name)[used] for name in ("base", "base_weights", "offsets")}
    return item._replace(**rows), flat.reshape(-1, 3)


def prepare(
    piece: Piece, item: Item, rig: Source, base_weights: np.ndarray
) -> tuple[Item, np.ndarray, np.ndarray]:
    """The part of an item that a piece wants, cut and thinned.

    Returns:
        Item whose every vertex is in use; triangles (f, 3); texture triangles (f, 3).
    """
    if piece.half:
        item = take(item, half(item, item.fit(rig.template), piece.half))
    posed = t_pose(item, rig, base_weights)
    quads = posed[item.quads]
    inside = (quads[..., 1] > piece.low) & (quads[..., 1] < piece.high)
    inside &= np.abs(quads[..., 0]) < piece.sleeve
    item = take(item, inside.all(1))
    points = item.fit(rig.template)
    faces, texture_faces = triangulate(item, points)
    faces, texture_faces = thin(
        points, faces, item.texture_vertices, texture_faces, piece.max_faces
    )
    item, faces = compact(item, faces)
    return item, faces, texture_faces

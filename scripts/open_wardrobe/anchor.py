"""Which skin a garment lies on, and which skin it hides."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from trimesh.triangles import closest_point, points_to_barycentric

NEIGHBOURS = 160
"""Triangles, by their middles, among which the nearest point is sought."""
OTHER_JOINT_M = 0.2
"""Distance that a triangle counts as farther away if it follows wholly other joints."""
WRONG_SIDE_M = 0.03
"""Distance that skin counts as farther away if the cloth lies behind it."""
REACH_M = {"suit": 0.07, "shoes": 0.06, "hat": 0.08, "hair": 0.04}
"""Cloth at most this far above skin covers it."""
LOOSE_REACH_M = 0.12
HEM_M = 0.003
"""Skin whose nearest cloth is this close to the garment's border lies beside it."""
MARGIN_M = {"suit": 0.022, "shoes": 0.02, "hat": 0.015}
"""Skin closer than this to the garment's border stays, lest poses open a gap."""


class Surface(NamedTuple):
    """A triangle mesh in the rest pose with skin weights."""

    points_m: np.ndarray
    faces: np.ndarray
    weights: np.ndarray

    @property
    def triangles(self) -> np.ndarray:
        """(f, 3, 3) corners."""
        return self.points_m[self.faces]


def find_anchors(garment: Surface, skin: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Nearest compatible skin of each garment vertex: faces (v,) and barycentrics (v, 3).

    Skin that other joints move counts as farther away, so that a trouser leg never belongs to
    the other leg.
    """
    normals = _face_normals(skin)
    return _nearest(garment.points_m, garment.weights, skin, normals)[:2]


def find_covered(
    garment: Surface, skin: Surface, kind: str, loose: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Skin vertices (V,) bool under the garment, and of these the ones that may be left out.

    A vertex is covered if the nearest cloth is near and not the garment's border; it may be left
    out if it is also well within the border. Hair has gaps, so it covers but hides nothing.
    """
    face, bary, point, distance = _nearest(skin.points_m, skin.weights, garment, None)
    border = _border_points(garment)
    tree = cKDTree(border)
    reach = LOOSE_REACH_M if loose else REACH_M[kind]
    covered = (distance < reach) & (tree.query(point)[0] > HEM_M)
    if kind == "hair":
        return covered, np.zeros_like(covered)
    return covered, covered & (tree.query(skin.points_m)[0] > MARGIN_M[kind])


def _nearest(points, weights, surface: Surface, normals):
    """Face, barycentrics, place and distance of the nearest point that follows the same joints."""
    triangles = surface.triangles
    count = min(NEIGHBOURS, len(triangles))
    face_weights = surface.weights[surface.faces].mean(1)
    _, candidates = cKDTree(triangles.mean(1)).query(points, count)
    flat = candidates.ravel()
    places = closest_point(triangles[flat], np.repeat(points, count, axis=0))
    places = places.reshape(-1, count, 3)
    distances = np.linalg.norm(places - points[:, None], axis=2)
    same = np.stack(
        [
            np.minimum(face_weights[row], weight).sum(1)
            for row, weight in zip(candidates, weights, strict=True)
        ]
    )
    cost = distances + OTHER_JOINT_M * (1 - same)
    if normals is not None:
        behind = ((points[:, None] - places) * normals[candidates]).sum(2) < -0.5 * distances
        cost += WRONG_SIDE_M * behind
    rows, best = np.arange(len(points)), cost.argmin(1)
    face = candidates[rows, best]
    place = places[rows, best]
    bary = points_to_barycentric(triangles[face], place).clip(0, 1)
    return face, bary / bary.sum(1, keepdims=True), place, distances[rows, best]


def _face_normals(surface: Surface) -> np.ndarray:
    a, b, c = np.moveaxis(surface.triangles, 1, 0)
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)


def _border_points(surface: Surface) -> np.ndarray:
    """Points every few millimetres along the edges that only one triangle has."""
    faces = surface.faces
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, times = np.unique(edges, axis=0, return_counts=True)
    ends = surface.points_m[edges[times == 1]]
    share = np.linspace(0, 1, 9)[:, None, None]
    return (ends[:, 0] * (1 - share) + ends[:, 1] * share).reshape(-1, 3)

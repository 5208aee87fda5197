"""Which skin a garment lies on, and which skin it hides."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from trimesh.triangles import closest_point, points_to_barycentric

from dimr.data.synthetic.outfit import TUCK_M
from dimr.surface.raster import rasterize
from dimr.surface.render import vertex_normals
from open_wardrobe.catalogue import BOTTOM, HAIR, HAT, OVERALLS, SHOES, TOP, Piece
from open_wardrobe.fit import Fitted, averaging_matrix, keep_largest

NEIGHBOURS = 160
"""Triangles, by their middles, among which the nearest point is sought."""
OTHER_JOINT_M = 0.2
"""Distance that a triangle counts as farther away if it follows wholly other joints."""
WRONG_SIDE_M = 0.03
"""Distance that skin counts as farther away if the cloth lies behind it."""
REACH_M = {"suit": 0.07, "shoes": 0.06, "hat": 0.08, "hair": 0.04}
"""Cloth at most this far above skin covers it."""
LOOSE_REACH_M = 0.12
MARGIN_M = 0.025
"""Skin closer than this to skin that is seen stays, lest poses open a gap."""
COVERED_SHARE = 0.35
"""Skin is covered if it is seen in a smaller share of the views than without the garment."""
NUM_VIEWS, VIEW_PX, VIEW_M = 80, 448, 2.1


LIFT_M = {SHOES: 0.002, BOTTOM: 0.004, TOP: 0.006, OVERALLS: 0.008, HAIR: 0.003, HAT: 0.006}
"""Least height above the skin, by layer."""
LIFT_STEPS = 4
SMOOTHING_STEPS, LOOSE_SMOOTHING_STEPS = 4, 6
"""Averagings of what a garment takes from the skin."""
CLOSE_M = (0.015, 0.04)
"""Cloth below the first height changes with beta as the skin does; above the second, as fitted."""


class Surface(NamedTuple):
    """A triangle mesh in the rest pose with skin weights."""

    points_m: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    shapedirs: np.ndarray = np.zeros((0, 3, 10))
    """(v, 3, 10); only the body's are read."""

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


def settle(fitted: Fitted, faces: np.ndarray, skin: Surface, piece: Piece) -> Fitted:
    """Lays a fitted garment on the open body, whose skin is not quite MakeHuman's.

    Vertices in or close to the skin are lifted off it, smoothly. Clothes follow the joints of the
    skin below, and close ones its shape, too, so that no pose or shape drives it through them.
    """
    garment = Surface(fitted.template_m, faces, fitted.weights)
    face, bary = find_anchors(garment, skin)
    corners = skin.faces[face]
    normals = vertex_normals(skin.points_m, skin.faces)
    normal = np.einsum("vki,vk->vi", normals[corners], bary)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    place = np.einsum("vki,vk->vi", skin.points_m[corners], bary)
    height = ((fitted.template_m - place) * normal).sum(1)
    averaging = averaging_matrix(faces, len(height))
    needed = np.maximum(LIFT_M[piece.layer] - height, 0)
    lift = needed
    for _ in range(LIFT_STEPS):
        lift = np.maximum(averaging @ lift, needed)
    points = fitted.template_m + lift[:, None] * normal
    if piece.kind != "suit":
        return fitted._replace(template_m=points)
    weights = np.einsum("vkj,vk->vj", skin.weights[corners], bary)
    for _ in range(LOOSE_SMOOTHING_STEPS if piece.loose else SMOOTHING_STEPS):
        weights = averaging @ weights
    shapes = np.einsum("vkib,vk->vib", skin.shapedirs[corners], bary)
    close = 1 - np.clip((height + lift - CLOSE_M[0]) / (CLOSE_M[1] - CLOSE_M[0]), 0, 1)
    for _ in range(SMOOTHING_STEPS):
        close = averaging @ close
        shapes = (averaging @ shapes.reshape(len(shapes), -1)).reshape(shapes.shape)
    mixed = fitted.shapedirs + close[:, None, None] * (shapes - fitted.shapedirs)
    return fitted._replace(template_m=points, shapedirs=mixed, weights=keep_largest(weights))


def find_covered(
    garment: Surface, skin: Surface, kind: str, loose: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Skin vertices (V,) bool under the garment, and of these the ones that may be left out.

    A vertex is covered if cloth is near and lies before it in most views of the rest pose; it may
    be left out if it is seen in none and far from all that are seen. Skin near cloth is drawn in
    as it is in an outfit. Hair has gaps, so it covers but hides nothing.
    """
    *_, distance = _nearest(skin.points_m, skin.weights, garment, None)
    near = distance < (LOOSE_REACH_M if loose else REACH_M[kind])
    bare = _seen_share(Surface(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0)), skin)
    inwards = TUCK_M * near[:, None] * vertex_normals(skin.points_m, skin.faces)
    seen = _seen_share(garment, skin._replace(points_m=skin.points_m - inwards))
    covered = near & (seen < COVERED_SHARE * bare)
    if kind == "hair":
        return covered, np.zeros_like(covered)
    exposed = skin.points_m[(seen > 0) & (bare > 0)]
    return covered, covered & (seen == 0) & (cKDTree(exposed).query(skin.points_m)[0] > MARGIN_M)


def _seen_share(garment: Surface, skin: Surface) -> np.ndarray:
    """(V,) share of the views from all around in which a triangle of a skin vertex is seen."""
    points = np.concatenate([skin.points_m, garment.points_m])
    faces = np.concatenate([skin.faces, garment.faces + len(skin.points_m)])
    seen = np.zeros(len(skin.points_m))
    for turn in _views():
        turned = points @ turn.T
        picture = np.column_stack(
            [(turned[:, :2] / VIEW_M + 0.5) * VIEW_PX, turned[:, 2] + VIEW_M]
        ).astype(np.float32)
        # what is seen from behind is seen, too: a hem shows the cloth's inner side
        found = rasterize(picture, faces, (VIEW_PX, VIEW_PX), cull=False).face
        found = np.unique(found[(found >= 0) & (found < len(skin.faces))])
        seen[np.unique(skin.faces[found])] += 1
    return seen / NUM_VIEWS


def _views() -> np.ndarray:
    """(NUM_VIEWS, 3, 3) rotations to cameras spread evenly over the sphere."""
    number = np.arange(NUM_VIEWS) + 0.5
    height, angle = 1 - 2 * number / NUM_VIEWS, np.pi * (1 + 5**0.5) * number
    flat = np.sqrt(1 - height**2)
    forward = np.stack([flat * np.cos(angle), height, flat * np.sin(angle)], axis=1)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


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

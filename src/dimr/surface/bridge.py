"""SMPL's surface <-> the open body's: DensePose drives the open weights, our stage 1 SMPL's.

The open body is fitted to the user's SMPL template: shape and pose by joints and closest points,
then small smooth offsets of the vertices. A point of SMPL's skin then belongs to the closest point
of the fitted skin that faces alike. What the fit leaves is reported in millimetres.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import splu
from torch import Tensor

from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.surface.atlas import Atlas
from dimr.surface.closest import closest_on_mesh
from dimr.surface.render import vertex_normals
from dimr.surface.uv_table import SurfaceToUv

FIT_ROUNDS = 8
OFFSET_STIFFNESS = (30.0, 10.0, 3.0, 1.0)
"""Weight of neighbouring offsets' difference against the distance, one round each."""
HEIGHTS_M = (1.2, 2.4)
"""What a template in metres can be, upright."""
FAR_M = 0.05
"""Closest points farther than this pull no more than this far ones."""


@dataclass(frozen=True, slots=True)
class BridgeResidual:
    """Distances from SMPL's vertices to the fitted open skin, in millimetres."""

    body_rms_mm: float
    """After shape and pose, before offsets: how much the bodies differ."""
    rms_mm: float
    p95_mm: float
    max_mm: float


@dataclass(frozen=True, slots=True)
class Bridge:
    """The open body's skin laid over SMPL's template."""

    vertices_m: Float[np.ndarray, "V 3"]
    """The open body's vertices, in SMPL's rest frame."""
    source_vertices_m: Float[np.ndarray, "S 3"]
    residual: BridgeResidual

    @property
    def reversed(self) -> "Bridge":
        """From the open body to SMPL; the residual stays that of the fit."""
        return Bridge(self.source_vertices_m, self.vertices_m, self.residual)

    def to_uv(self, faces: Int[np.ndarray, "F 3"], atlas: Atlas) -> SurfaceToUv:
        """From faces of SMPL (any list of them) to the open body's atlas, as tables need it.

        Reversed: from faces of the open body to an atlas of SMPL.
        """
        normals = vertex_normals(self.source_vertices_m, faces)

        def to_uv(face: np.ndarray, bary: np.ndarray) -> np.ndarray:
            corners, weights = faces[face], bary[:, :, None]
            points = (self.source_vertices_m[corners] * weights).sum(1)
            facing = (normals[corners] * weights).sum(1)
            there, there_bary, _ = closest_on_mesh(points, facing, self.vertices_m, atlas.faces)
            return atlas.surface_to_uv(there, there_bary)

        return to_uv


def fit_bridge(source: BodyModel, target: BodyModel) -> Bridge:
    """Lays `target` (the open body) over the rest template of `source` (SMPL).

    Raises:
        ValueError: if the template is not of human size, or the fit leaves more than 5 cm.
    """
    goal_m = source.v_template.cpu().numpy().astype(np.float64)
    height_m = float(np.ptp(goal_m[:, 1]))
    if not HEIGHTS_M[0] < height_m < HEIGHTS_M[1]:
        raise ValueError(
            f"body {source.name!r}: is {height_m:.3g} m high; want SMPL's, in metres, y up"
        )
    goal_faces = source.faces.cpu().numpy()
    faces = target.faces.cpu().numpy()
    fitted_m = _fit_pose_and_shape(source, target, goal_m, goal_faces)
    body_gap_m = _gaps_m(goal_m, goal_faces, fitted_m, faces)
    stiff = _laplacian(faces, len(fitted_m))
    for stiffness in OFFSET_STIFFNESS:
        pull, weight = _pull(fitted_m, faces, goal_m, goal_faces)
        solve = splu((diags_array(weight) + stiffness * stiff).tocsc())
        fitted_m = fitted_m + solve.solve(weight[:, None] * pull)
    gap_mm = 1000 * _gaps_m(goal_m, goal_faces, fitted_m, faces)
    residual = BridgeResidual(
        body_rms_mm=float(1000 * np.sqrt((body_gap_m**2).mean())),
        rms_mm=float(np.sqrt((gap_mm**2).mean())),
        p95_mm=float(np.quantile(gap_mm, 0.95)),
        max_mm=float(gap_mm.max()),
    )
    if not residual.rms_mm < 1000 * FAR_M:
        raise ValueError(
            f"body {source.name!r}: {target.name!r} cannot be laid over it, "
            f"{residual.rms_mm:.0f} mm remain; is it SMPL's?"
        )
    return Bridge(fitted_m.astype(np.float32), goal_m.astype(np.float32), residual)


def _fit_pose_and_shape(
    source: BodyModel, target: BodyModel, goal_m: np.ndarray, goal_faces: np.ndarray
) -> Float[np.ndarray, "V 3"]:
    """The target's vertices, posed and shaped to the goal; joints first, then closest points."""
    theta = torch.zeros(24, 3, requires_grad=True)
    betas = torch.zeros(1, 10, requires_grad=True)
    shift = torch.zeros(3, requires_grad=True)
    goal_joints = source.joints_template.cpu()
    faces = target.faces.cpu().numpy()
    target_cpu = target.cpu()

    def posed() -> tuple[Tensor, Tensor]:
        body = target_cpu(axis_angle_to_rotmat(theta)[None], betas)
        return body.vertices_m[0] + shift, body.joints_m[0] + shift

    def prior() -> Tensor:
        return 1e-6 * betas.square().sum() + 1e-5 * theta[1:].square().sum()

    def settle(steps: int, distance) -> None:
        optimiser = torch.optim.LBFGS(
            [theta, betas, shift], max_iter=steps, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = distance() + prior()
            loss.backward()
            return loss

        optimiser.step(closure)

    settle(30, lambda: (posed()[1] - goal_joints).square().sum(1).mean())
    for _ in range(FIT_ROUNDS):
        with torch.no_grad():
            vertices = posed()[0].double().numpy()
        pull, weight = _pull(vertices, faces, goal_m, goal_faces)
        there = torch.from_numpy((vertices + pull).astype(np.float32))
        trust = torch.from_numpy(weight.astype(np.float32))
        settle(
            10,
            lambda there=there, trust=trust: (
                (trust * (posed()[0] - there).square().sum(1)).mean()
                + 0.1 * (posed()[1] - goal_joints).square().sum(1).mean()
            ),
        )
    with torch.no_grad():
        return posed()[0].double().numpy()


def _pull(
    vertices_m: np.ndarray, faces: np.ndarray, goal_m: np.ndarray, goal_faces: np.ndarray
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V"]]:
    """Vectors from vertices to the goal's closest skin, and how much each counts."""
    normals = vertex_normals(vertices_m.astype(np.float32), faces)
    face, bary, gap = closest_on_mesh(vertices_m, normals, goal_m, goal_faces)
    pull = (goal_m[goal_faces[face]] * bary[:, :, None]).sum(1) - vertices_m
    return pull, np.minimum(1.0, FAR_M / np.maximum(gap, 1e-9)) ** 2


def _gaps_m(
    goal_m: np.ndarray, goal_faces: np.ndarray, vertices_m: np.ndarray, faces: np.ndarray
) -> Float[np.ndarray, "S"]:
    normals = vertex_normals(goal_m.astype(np.float32), goal_faces)
    return closest_on_mesh(goal_m, normals, vertices_m, faces)[2]


def _laplacian(faces: np.ndarray, count: int) -> csr_array:
    """L with d' L d = the sum over edges of the squared difference of d."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.sort(sides, axis=1), axis=0)
    first, second = edges.T
    ones = np.ones(len(edges))
    joined = coo_array((ones, (first, second)), shape=(count, count))
    joined = joined + joined.T
    return (diags_array(np.asarray(joined.sum(1)).ravel()) - joined).tocsr()

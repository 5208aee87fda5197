"""Pose, shape and clothes -> vertices of one person in camera axes, and their normals."""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Float32

from dimr.body.model import BodyModel
from dimr.body.skinning import skin_vertices_numba
from dimr.data.synthetic import anatomy, looks, paint
from dimr.surface.atlas import Atlas

MAX_WEIGHTS = 8
"""Joints that a vertex follows; the smallest weights beyond are dropped."""


class Figure(NamedTuple):
    """One person, translation zero."""

    rotmats: Float[np.ndarray, "24 3 3"]
    betas: Float[np.ndarray, "10"]
    joints_m: Float[np.ndarray, "24 3"]
    vertices_m: Float32[np.ndarray, "V 3"]
    """Of the dressed body, camera axes."""


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _shape(template, shapedirs, betas, pushed):
    """Rest vertices (V, 3) of a shape in its clothes."""
    shaped = np.empty_like(template)
    for v in range(template.shape[0]):
        for i in range(3):
            value = template[v, i] + pushed[v, i]
            for b in range(betas.shape[0]):
                value += shapedirs[v, i, b] * betas[b]
            shaped[v, i] = value
    return shaped


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def _transforms(joints_rest, joints, turned):
    """(24, 4, 4) from rest points to posed points."""
    transforms = np.zeros((24, 4, 4), np.float32)
    for j in range(24):
        for i in range(3):
            shift = joints[j, i]
            for k in range(3):
                shift -= turned[j, i, k] * joints_rest[j, k]
                transforms[j, i, k] = turned[j, i, k]
            transforms[j, i, 3] = shift
        transforms[j, 3, 3] = 1
    return transforms


@numba.njit(cache=True, error_model="numpy")
@no_type_check
def vertex_normals(vertices, faces):
    """(V, 3) unit normals, mean of the faces' weighted by area."""
    normals = np.zeros_like(vertices)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for vertex in (a, b, c):
            normals[vertex, 0] += nx
            normals[vertex, 1] += ny
            normals[vertex, 2] += nz
    for v in range(vertices.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        scale = 1 / np.sqrt(x * x + y * y + z * z + np.float32(1e-30))
        normals[v, 0], normals[v, 1], normals[v, 2] = x * scale, y * scale, z * scale
    return normals


class Tailor:
    """A body model's arrays, ready for drawing many people."""

    def __init__(self, body: BodyModel, atlas: Atlas) -> None:
        def array(tensor, dtype):
            return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype)

        self.template = array(body.v_template, np.float32)
        self.shapedirs = array(body.shapedirs, np.float32)
        self.posedirs = None if body.posedirs is None else array(body.posedirs, np.float32)
        self.joints_template = array(body.joints_template, np.float64)
        self.joints_shapedirs = array(body.joints_shapedirs, np.float64)
        self.parents = np.array(body.parents, np.int64)
        self.faces = np.ascontiguousarray(atlas.faces, np.int32)
        if not np.array_equal(self.faces, array(body.faces, np.int32)):
            raise ValueError(
                "atlas: got faces that are not the body's, want an atlas of this body"
            )
        weights = array(body.weights, np.float32)
        count = min(MAX_WEIGHTS, int((weights > 0).sum(1).max()))
        self.weight_idx, self.weight_val = body.sparse_weights(count)
        self.part_of_vertex = weights.argmax(1)
        self.part_of_face = np.ascontiguousarray(atlas.part_of_face, np.int64)
        self.densepose_of_face = np.ascontiguousarray(atlas.densepose_of_face, np.uint8)
        self.face_uv = np.ascontiguousarray(atlas.face_uv, np.float32)
        self.normals_rest = vertex_normals(self.template, self.faces)
        self.landmarks = looks.find_landmarks(self.template, self.joints_template)
        self._bare = np.zeros_like(self.template)

    def dress(self, look: np.void) -> Float32[np.ndarray, "V 3"]:
        """Rest-pose offsets of hair and clothes."""
        pushed = np.empty_like(self.template)
        paint.thickness(
            self.template, self.part_of_vertex, look, self.landmarks, self.normals_rest, pushed
        )
        return pushed

    def rest_joints(self, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "24 3"]:
        """Joints of a shape in the T-pose."""
        return self.joints_template + self.joints_shapedirs @ betas

    def figure(
        self,
        rotmats: Float[np.ndarray, "24 3 3"],
        betas: Float[np.ndarray, "10"],
        pushed: Float32[np.ndarray, "V 3"] | None = None,
    ) -> Figure:
        """Poses a body; `pushed` as from `dress`, None for a bare one."""
        joints_rest = self.rest_joints(betas)
        joints, turned = anatomy.pose_skeleton(rotmats, joints_rest, self.parents)
        pushed = self._bare if pushed is None else pushed
        if self.posedirs is not None:
            feature = (rotmats[1:] - np.eye(3)).reshape(-1).astype(np.float32)
            pushed = pushed + (feature @ self.posedirs).reshape(-1, 3)
        shaped = _shape(self.template, self.shapedirs, betas.astype(np.float32), pushed)
        transforms = _transforms(joints_rest, joints, turned)
        vertices = skin_vertices_numba(shaped, transforms, self.weight_idx, self.weight_val)
        return Figure(rotmats, betas, joints, vertices)

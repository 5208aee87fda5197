"""Pose, shape and clothes -> vertices of one person in camera axes, and their normals."""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Float32

from dimr.body.model import BodyModel
from dimr.body.skinning import skin_vertices_numba
from dimr.data.synthetic import anatomy, looks, paint
from dimr.data.synthetic.outfit import Outfit
from dimr.data.synthetic.product import product
from dimr.data.synthetic.shading import vertex_normals
from dimr.surface.atlas import Atlas


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


class Tailor:
    """A body model's arrays, ready for drawing many people."""

    def __init__(self, body: BodyModel, atlas: Atlas) -> None:
        def array(tensor, dtype):
            return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype)

        self.template = array(body.v_template, np.float32)
        self.posedirs = None if body.posedirs is None else array(body.posedirs, np.float32)
        self.joints_template = array(body.joints_template, np.float64)
        self.joints_shapedirs = array(body.joints_shapedirs, np.float64)
        self.parents = np.array(body.parents, np.int64)
        self.faces = np.ascontiguousarray(atlas.faces, np.int32)
        if not np.array_equal(self.faces, array(body.faces, np.int32)):
            raise ValueError(
                "atlas: got faces that are not the body's, want an atlas of this body"
            )
        self.part_of_vertex = array(body.weights, np.float32).argmax(1)
        self.normals_rest = vertex_normals(self.template, self.faces)
        self.landmarks = looks.find_landmarks(self.template, self.joints_template)

    def thicken(self, look: np.void) -> Float32[np.ndarray, "V 3"]:
        """Rest-pose offsets of painted hair and clothes."""
        pushed = np.empty_like(self.template)
        paint.thickness(
            self.template, self.part_of_vertex, look, self.landmarks, self.normals_rest, pushed
        )
        return pushed

    def rest_joints(self, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "24 3"]:
        """Joints of a shape in the T-pose."""
        return self.joints_template + product(self.joints_shapedirs, betas)

    def figure(
        self,
        rotmats: Float[np.ndarray, "24 3 3"],
        betas: Float[np.ndarray, "10"],
        outfit: Outfit,
        pushed: Float32[np.ndarray, "V 3"] | None = None,
    ) -> Figure:
        """Poses a dressed body; `pushed` as from `thicken`, None for skin without thickness."""
        joints_rest = self.rest_joints(betas)
        joints, turned = anatomy.pose_skeleton(rotmats, joints_rest, self.parents)
        moved = np.zeros_like(outfit.template_m)
        if pushed is not None:
            moved[: len(pushed)] = pushed
        if self.posedirs is not None:
            feature = (rotmats[1:] - np.eye(3)).reshape(-1).astype(np.float32)
            moved[: len(self.template)] += product(feature, self.posedirs).reshape(-1, 3)
        shaped = _shape(outfit.template_m, outfit.shapedirs, betas.astype(np.float32), moved)
        transforms = _transforms(joints_rest, joints, turned)
        vertices = skin_vertices_numba(shaped, transforms, outfit.weight_idx, outfit.weight_val)
        return Figure(rotmats, betas, joints, vertices)

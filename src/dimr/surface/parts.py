"""Which part of the body a triangle belongs to: 24 SMPL joints, and the 24 DensePose parts.

Maps a mesh in the body frame (T-pose, metres, x to the body's left, y up, z forward) and its
skinning weights to one label a face. DensePose numbers its parts 1..24; 0 is its background.
"""

import numpy as np
from jaxtyping import Float, Int, Int8, Integer

from dimr.body.keypoints import JOINT_MIRROR, JOINT_NAMES

NUM_PARTS = 24
"""SMPL's joints, 0..23."""
NUM_CHARTS = 24
"""DensePose's parts, 1..24."""

PART_NAMES = JOINT_NAMES
"""Of the joint that carries most of a part's skin."""
MIRROR_PARTS = np.array(JOINT_MIRROR)
"""Part k is carried to part MIRROR_PARTS[k] by a left-right flip; likewise DensePose's 1..24."""
MIRROR_DENSEPOSE = np.array(
    [0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23]
)

TORSO = (1, 2)
LIMB_SIDE = np.sign(MIRROR_DENSEPOSE - np.arange(25))
LIMB_SIDE[[23, 24]] = 0
"""By DensePose part: 1 and -1 for the two sides of arms, hands, legs and feet; 0 for the others,
the head's halves too."""

SMOOTHING_ROUNDS = 8
"""How often normals are averaged over the neighbours where DensePose's parts are split."""

DENSEPOSE_BACK_FRONT = {
    **dict.fromkeys((0, 3, 6, 9, 13, 14), (1, 2)),
    **dict.fromkeys((21, 23), (3, 3)),
    **dict.fromkeys((20, 22), (4, 4)),
    **dict.fromkeys((7, 10), (5, 5)),
    **dict.fromkeys((8, 11), (6, 6)),
    2: (7, 9),
    1: (8, 10),
    5: (11, 13),
    4: (12, 14),
    16: (15, 17),
    17: (16, 18),
    18: (19, 21),
    19: (20, 22),
    **dict.fromkeys((12, 15), (23, 24)),
}
"""SMPL joint -> DensePose parts on the (back, front) of the skin that it carries; the head's are
its (right, left)."""


def dominating_parts(
    faces: Int[np.ndarray, "F 3"], weights: Float[np.ndarray, "V 24"]
) -> Int8[np.ndarray, "F"]:
    """The joint that carries most of a face's skin; the lower index wins a tie."""
    return weights[faces].sum(1).argmax(1).astype(np.int8)


def densepose_parts(
    faces: Int[np.ndarray, "F 3"],
    part_of_face: Int8[np.ndarray, "F"],
    vertices_body_m: Float[np.ndarray, "V 3"],
) -> Int8[np.ndarray, "F"]:
    """DensePose's part 1..24 of each face, from the joint and the side that the skin faces.

    Torso, arms and legs split where the smoothed outward normal turns from back (-z) to front
    (+z); the head (with the neck) where x changes its sign. DensePose's own borders, drawn by
    hand, differ by a few centimetres; numbers and meaning are the same.
    """
    normal = _smooth_normals(faces, vertices_body_m.astype(np.float64))
    front = normal[faces].sum(1)[:, 2] > 0
    left = vertices_body_m[faces].mean(1)[:, 0] > 0
    table = np.array([DENSEPOSE_BACK_FRONT[part] for part in range(NUM_PARTS)])
    is_head = np.isin(part_of_face, (12, 15))
    return table[part_of_face, np.where(is_head, left, front).astype(int)].astype(np.int8)


def _smooth_normals(
    faces: Int[np.ndarray, "F 3"], vertices: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "V 3"]:
    """Vertex normals, averaged over the neighbours so that folds do not speckle the parts."""
    corners = vertices[faces]
    face_normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normal, faces[:, corner], face_normal)
    for _ in range(SMOOTHING_ROUNDS):
        spread = np.zeros_like(normal)
        mean = normal[faces].mean(1)
        for corner in range(3):
            np.add.at(spread, faces[:, corner], mean)
        normal = spread / np.maximum(np.linalg.norm(spread, axis=1, keepdims=True), 1e-30)
    return normal


def compare_sides(
    found: Integer[np.ndarray, "*N"], part: Integer[np.ndarray, "*N"]
) -> Integer[np.ndarray, "*N"]:
    """-1 where a DensePose part is on the opposite side of the true one, 1 on the same, 0 neither.

    Sides: front and back of the torso; left and right of arms, hands, legs and feet.
    """
    both_torso = np.isin(found, TORSO) & np.isin(part, TORSO)
    return np.where(both_torso, np.where(found == part, 1, -1), LIMB_SIDE[found] * LIMB_SIDE[part])

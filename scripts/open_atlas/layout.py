"""MakeHuman's texture islands -> a first, symmetric arrangement in the unit square.

MakeHuman unrolls the body in one piece (torso, arms, legs; the front in the middle), and the head,
the hands and the feet in pieces of their own. Here the head comes above the neck, each hand beside
the forearm's end and each foot below its shin; nothing is deformed yet but the lifted arms.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# places in MakeHuman's texture units, v downwards; found by eye, the relaxation does the rest
BODY_AXIS_U = 0.381
HEAD_AXIS_V = 0.4835
BODY_SHIFT_V = 1.25
HEAD_SHIFT_V = -0.80
HAND_CENTRE = (0.31, 0.22)
FOOT_CENTRE = (0.20, 1.205)
ARM_LIFT = 0.4
MARGIN = 0.02


def islands(uv_faces: np.ndarray, num_uv: int) -> np.ndarray:
    """(num_uv,) number of the connected piece that each texture vertex belongs to."""
    edges = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]])
    links = coo_matrix((np.ones(len(edges)), edges.T), shape=(num_uv, num_uv))
    return connected_components(links, directed=False)[1]


def island_kinds(
    vertices: np.ndarray, faces: np.ndarray, uv_faces: np.ndarray, num_uv: int
) -> np.ndarray:
    """(num_uv,) "body", "head", "hand" or "foot", by where the piece lies on the T- or A-pose."""
    piece = islands(uv_faces, num_uv)
    kinds = np.empty(num_uv, "<U4")
    middle = np.median(vertices[:, 1]) - 0.3
    for number in np.unique(piece):
        points = vertices[faces[piece[uv_faces[:, 0]] == number]].reshape(-1, 3)
        centre = points.mean(0)
        if np.ptp(points[:, 1]) > 0.6:
            kind = "body"
        elif abs(centre[0]) < 0.02:
            kind = "head"
        else:
            kind = "hand" if centre[1] > middle else "foot"
        kinds[piece == number] = kind
    return kinds


def mirror_uv(
    faces: np.ndarray, uv_faces: np.ndarray, mirror_vertices: np.ndarray, num_uv: int
) -> np.ndarray:
    """(num_uv,) the texture vertex on the other side; itself on the middle line of the map.

    Raises:
        ValueError: if the mesh or its seams are not left-right symmetric.
    """
    face_of = {tuple(sorted(face)): number for number, face in enumerate(faces.tolist())}
    mirror = np.full(num_uv, -1)
    for face, row in zip(faces.tolist(), uv_faces.tolist(), strict=True):
        twin = face_of.get(tuple(sorted(mirror_vertices[face].tolist())))
        if twin is None:
            raise ValueError(f"faces: {face} has no mirror image")
        corner_of = dict(zip(faces[twin].tolist(), uv_faces[twin].tolist(), strict=True))
        for vertex, corner in zip(face, row, strict=True):
            other = corner_of[int(mirror_vertices[vertex])]
            if mirror[corner] not in (-1, other):
                raise ValueError(f"uv_faces: texture vertex {corner} has two mirror images")
            mirror[corner] = other
    if not np.array_equal(mirror[mirror], np.arange(num_uv)):
        raise ValueError("uv_faces: mirroring twice does not lead back")
    return mirror


def symmetrize(uv: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The mean of a map and its mirror image, so that u[mirror] = 1 - u holds exactly."""
    return (uv + np.array([1.0, 0.0]) + uv[mirror] * [-1.0, 1.0]) / 2


def arrange(
    vertices: np.ndarray,
    faces: np.ndarray,
    texture: np.ndarray,
    uv_faces: np.ndarray,
    mirror: np.ndarray,
) -> np.ndarray:
    """(num_uv, 2) texture vertices in [0, 1]^2, v downwards, exactly symmetric about u = .5.

    Args:
        vertices: (V, 3) body frame, metres.
        faces: (F, 3) mesh triangles.
        texture: (num_uv, 2) MakeHuman's texture coordinates (v upwards).
        uv_faces: (F, 3) texture triangles.
        mirror: (num_uv,) of `mirror_uv`.
    """
    kinds = island_kinds(vertices, faces, uv_faces, len(texture))
    side = np.zeros(len(texture))
    side[uv_faces] = np.sign(vertices[faces][:, :, 0])
    u, v = texture.T
    uv = np.empty_like(texture)
    uv[kinds == "body"] = _lift_arms(
        np.stack([u - BODY_AXIS_U, BODY_SHIFT_V - v], 1)[kinds == "body"]
    )
    uv[kinds == "head"] = np.stack([v - HEAD_AXIS_V, u + HEAD_SHIFT_V], 1)[kinds == "head"]
    for kind, turn, (x, y) in (("hand", -1.0, HAND_CENTRE), ("foot", 1.0, FOOT_CENTRE)):
        for sign in (-1, 1):
            own = (kinds == kind) & (side == sign)
            piece = turn * np.stack([u, -v], 1)[own]
            uv[own] = piece - (piece.min(0) + piece.max(0)) / 2 + [sign * x, y]
    uv[:, 0] += 0.5
    uv = symmetrize(uv, mirror)
    low, high = uv.min(0), uv.max(0)
    return (uv - (low + high) / 2) / ((high - low) * (1 + MARGIN)) + 0.5


def _lift_arms(uv: np.ndarray) -> np.ndarray:
    """Shears the arms upwards, away from the corners of the lower back."""
    ramp = np.clip((0.56 - uv[:, 1]) / 0.1, 0, 1)
    lift = ARM_LIFT * np.maximum(np.abs(uv[:, 0]) - 0.15, 0) * ramp**2 * (3 - 2 * ramp)
    return uv - np.stack([np.zeros_like(lift), lift], 1)

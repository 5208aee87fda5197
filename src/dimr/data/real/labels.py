"""A record and a body -> what networks learn and are measured on: camera, joints, rendered IUV.

The ground-truth IUV is the paper's (Sec. 3.1, App. C): the body rendered from the SMPL parameters,
multiplied by the instance mask where the data set has one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float

from dimr.body.camera import fit_weak, full_to_norm
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.correspondence.iuv_window import read_windows
from dimr.data.real.joints import JOINT_SETS, LIMBS, select_joints
from dimr.data.real.record import Record
from dimr.image.crop import crop_matrix, crop_to_full, full_to_crop, norm_to_crop
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import encode_iuv, mask_iuv, warp_iuv
from dimr.surface.raster import rasterize
from dimr.types import Body, Crop, Iuv

IuvOf = Callable[[Record, Crop, int], Iuv | None]
"""(record, crop, pixels a side) -> the person's IUV; None if there is none."""
LABEL_JOINTS = (*JOINT_SETS["smpl24"], *JOINT_SETS["lsp14"])
"""Supervised joints: SMPL's 24, then the 14 of the evaluation (regressed from the mesh)."""
MIN_FITTED = 4
"""Known joints that a weak camera is fitted to, at least."""


@dataclass(frozen=True, slots=True)
class Projector:
    """Camera-axes metres (body translation zero) -> pixels of the full picture."""

    translation_m: Float[np.ndarray, "3"] | None
    """With `intrinsics`: perspective."""
    intrinsics: Float[np.ndarray, "3 3"] | None
    weak: Float[np.ndarray, "3"] | None
    """(s, tx, ty) in `window`, where there is no perspective."""
    window: Crop

    @property
    def perspective(self) -> bool:
        """Whether depth matters."""
        return self.intrinsics is not None

    def to_pixels(self, points_m: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """(x_px, y_px, depth), as `rasterize` wants them."""
        if self.intrinsics is not None and self.translation_m is not None:
            placed = points_m + self.translation_m
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                homogeneous = placed @ self.intrinsics.T
                xy_px = homogeneous[:, :2] / homogeneous[:, 2:]
            depth = placed[:, 2:]
        else:
            assert self.weak is not None
            norm = self.weak[0] * points_m[:, :2] + self.weak[1:]
            xy_px = crop_to_full(self.window, norm_to_crop(norm, self.window.size))
            depth = points_m[:, 2:]
        return np.concatenate([xy_px, depth], axis=1).astype(np.float32)


def record_pose(record: Record) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotation matrices (1, 24, 3, 3) and betas (1, 10).

    Raises:
        ValueError: if the record has no SMPL parameters.
    """
    if record.theta_rad is None or record.betas is None:
        raise ValueError(f"{record.dataset} {record.key}: has no SMPL parameters")
    rotmats = axis_angle_to_rotmat(torch.from_numpy(record.theta_rad))
    return rotmats[None], torch.from_numpy(record.betas)[None]


@torch.no_grad()
def posed_body(record: Record, body: BodyModel) -> Body:
    """The record's body in camera axes, translation zero."""
    return body(*record_pose(record))


@torch.no_grad()
def label_joints_m(posed: Body, body: BodyModel) -> Float[np.ndarray, "38 3"]:
    """`LABEL_JOINTS` of a posed body."""
    regressed = body.keypoints(posed.vertices_m, "lsp14")
    return torch.cat([posed.joints_m, regressed], dim=1)[0].numpy()


def projector_of(record: Record, posed: Body, body: BodyModel) -> Projector | None:
    """The camera that the record's body is seen through, the best that the file gives.

    Perspective where intrinsics and translation are known; else the file's weak perspective; else
    one fitted to the 2D keypoints; None where nothing of this is known.
    """
    window = record.window(256)
    if record.intrinsics is not None and record.placement is not None:
        assert record.betas is not None
        pelvis = body.joints_rest(torch.from_numpy(record.betas)[None])[0, 0].numpy()
        translation = record.placement.translation_cam_m(pelvis)
        return Projector(translation, record.intrinsics, None, window)
    if record.camera_window is not None:
        return Projector(None, None, record.camera_window, window)
    if record.keypoints_px is None:
        return None
    joints_m = label_joints_m(posed, body)
    if record.keypoints_px.set_name == "smpl24":
        wanted, rows = JOINT_SETS["smpl24"], np.arange(24)
    else:
        wanted, rows = LIMBS, np.array([LABEL_JOINTS.index(name, 24) for name in LIMBS])
    points_px, known = select_joints(*record.keypoints_px, wanted)
    if (known > 0).sum() < MIN_FITTED:
        return None
    norm = full_to_norm(window, points_px[known > 0])
    return Projector(None, None, fit_weak(joints_m[rows][known > 0], norm), window)


def record_iuv(record: Record, body: BodyModel, atlas: Atlas, crop: Crop, size: int) -> Iuv | None:
    """Ground-truth IUV of a crop: the rendered body where the instance mask shows it.

    Args:
        record: with SMPL parameters and something that tells its camera; None comes back else.
        body: whose triangles `atlas` maps.
        atlas: the global map.
        crop: window of the full picture; may be turned.
        size: pixels a side of the IUV.
    """
    if record.theta_rad is None:
        return None
    posed = posed_body(record, body)
    projector = projector_of(record, posed, body)
    if projector is None:
        return None
    window = Crop(crop.centre_px, crop.side_px, size, crop.angle_rad)
    points = projector.to_pixels(posed.vertices_m[0].numpy())
    points[:, :2] = full_to_crop(window, points[:, :2])
    raster = rasterize(points, atlas.faces, (size, size), perspective=projector.perspective)
    iuv = encode_iuv(raster, atlas)
    if record.mask is None:
        return iuv
    return mask_iuv(iuv, crop_mask(record, window))


def crop_mask(record: Record, window: Crop) -> np.ndarray:
    """The record's instance mask, resampled (nearest) to a window."""
    assert record.mask is not None
    height, width = record.load_picture().shape[:2]
    mask = record.mask.load((height, width)).astype(np.uint8)
    size = (window.size, window.size)
    return cv2.warpAffine(mask, crop_matrix(window), size, flags=cv2.INTER_NEAREST) > 0


def file_iuv(record: Record, crop: Crop, size: int, atlas: Atlas | None = None) -> Iuv | None:
    """The IUV that the user made for the record (`Record.iuv`), resampled to a crop.

    Args:
        record: whose file holds one person, as `read_windows` reads them.
        crop: window of the full picture; may be turned.
        size: pixels a side of the IUV.
        atlas: that a file which names its atlas must be on; None: any.

    Raises:
        ValueError: if the file is malformed, of several people, of a picture of another size, or
            on another atlas.
    """
    path = record.iuv
    if path is None or not path.is_file():
        return None
    people, picture_size, made_for = read_windows(path)
    height, width = record.load_picture().shape[:2]
    if len(people) != 1:
        raise ValueError(f"{path}: shows {len(people)} people, want the record's alone")
    if picture_size != (width, height):
        raise ValueError(
            f"{path}: is {picture_size[0]} x {picture_size[1]} pixels, want {width} x {height} "
            "like the picture"
        )
    if atlas is not None and made_for not in (None, atlas.content_hash):
        raise ValueError(f"{path}: is on another atlas than {atlas.name!r}")
    window = Crop(crop.centre_px, crop.side_px, size, crop.angle_rad)
    return warp_iuv(people[0].to_picture(picture_size), crop_matrix(window), (size, size))

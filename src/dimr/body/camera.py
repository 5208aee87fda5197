"""Cameras: perspective of the full picture, weak perspective of a crop, and what joins them.

Camera axes are OpenCV's: x right, y down, z forward; metres. Weak perspective is printed as in the
paper (Sec. 3.1): x_norm = s * X_xy + t, t outside of the scale. SPIN and its heirs write
s * (X_xy + t'); `weak_to_spin` and `spin_to_weak` convert.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dimr.image.crop import crop_to_full, crop_to_norm, full_to_crop, norm_to_crop
from dimr.types import Crop

NEAR_M = 0.05
"""Points closer to the camera than this are not drawn."""


@dataclass(frozen=True, slots=True)
class PerspectiveCamera:
    """A pinhole at the origin of the camera frame."""

    focal_px: float
    principal_px: tuple[float, float]

    def project(self, points_cam_m: Float[np.ndarray, "*N 3"]) -> Float[np.ndarray, "*N 2"]:
        """Camera metres to picture pixels."""
        return points_cam_m[..., :2] / points_cam_m[..., 2:] * self.focal_px + np.asarray(
            self.principal_px, dtype=points_cam_m.dtype
        )


def default_focal_px(width: int, height: int) -> float:
    """Focal length for a picture of unknown camera: the diagonal, a 53 degree diagonal view."""
    return float(np.hypot(width, height))


def project_weak(
    points_m: Float[Tensor, "B N 3"], camera: Float[Tensor, "B 3"]
) -> Float[Tensor, "B N 2"]:
    """Orthographic projection to crop-normalised coordinates: s * Pi(X) + t."""
    return camera[:, None, :1] * points_m[..., :2] + camera[:, None, 1:]


def weak_to_spin(camera: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3"]:
    """(s, t) of s * X + t to (s, t') of s * (X + t')."""
    return torch.cat([camera[:, :1], camera[:, 1:] / camera[:, :1]], dim=1)


def spin_to_weak(camera: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3"]:
    """(s, t') of s * (X + t') to (s, t) of s * X + t."""
    return torch.cat([camera[:, :1], camera[:, 1:] * camera[:, :1]], dim=1)


def fit_weak(
    points_cam_m: Float[np.ndarray, "N 3"], points_norm: Float[np.ndarray, "N 2"]
) -> Float[np.ndarray, "3"]:
    """Least-squares (s, tx, ty) with points_norm ~ s * points_xy + t."""
    centre_m, centre_norm = points_cam_m[:, :2].mean(0), points_norm.mean(0)
    offset_m, offset_norm = points_cam_m[:, :2] - centre_m, points_norm - centre_norm
    scale = (offset_m * offset_norm).sum() / max((offset_m**2).sum(), 1e-12)
    return np.array([scale, *(centre_norm - scale * centre_m)], dtype=np.float32)


def weak_to_translation(
    camera: Float[np.ndarray, "3"],
    crop: Crop,
    perspective: PerspectiveCamera,
    root_m: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "3"]:
    """Translation (metres) that places the body in the full picture's camera.

    The depth of the root makes a metre at the root as long as weak perspective says; the root is
    then laid on the ray through its weak-perspective position. `root_m` is the root joint before
    translation, in camera axes. For an unrotated crop this is the field's usual conversion
    (tz = 2 f / (side * s)), made exact at the root.
    """
    pixels_per_metre = float(camera[0]) * crop.side_px / 2
    if not pixels_per_metre > 0:
        raise ValueError(f"camera: got scale {float(camera[0])}, want a positive scale")
    depth_m = perspective.focal_px / pixels_per_metre
    root_norm = camera[0] * root_m[:2] + camera[1:]
    root_px = crop_to_full(crop, norm_to_crop(root_norm, crop.size))
    ray = (root_px - np.asarray(perspective.principal_px)) / perspective.focal_px
    return np.array([*(ray * depth_m), depth_m], dtype=np.float32) - root_m


def fit_translation(
    points_m: Float[np.ndarray, "N 3"],
    points_px: Float[np.ndarray, "N 2"],
    perspective: PerspectiveCamera,
) -> Float[np.ndarray, "3"]:
    """Translation (metres) that lays points on their pixels as well as one can.

    Least squares of x f - u z and y f - v z, with (u, v) from the principal point: linear, and for
    a body alone as good as distances in pixels. At least two points; the caller sees to it that
    what comes out lies before the camera.
    """
    ray = points_px - np.asarray(perspective.principal_px)
    matrix = np.zeros((len(points_m), 2, 3))
    matrix[:, [0, 1], [0, 1]] = perspective.focal_px
    matrix[:, :, 2] = -ray
    wanted = ray * points_m[:, 2:] - perspective.focal_px * points_m[:, :2]
    found = np.linalg.lstsq(matrix.reshape(-1, 3), wanted.reshape(-1), rcond=None)[0]
    return found.astype(np.float32)


def full_to_norm(crop: Crop, points_px: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
    """Full-picture pixels to crop-normalised coordinates."""
    return crop_to_norm(full_to_crop(crop, points_px), crop.size)

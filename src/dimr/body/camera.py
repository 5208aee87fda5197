"""Cameras: perspective of the full picture, weak perspective of a crop, and what joins them.

Camera axes are OpenCV's: x right, y down, z forward; metres. Weak perspective is printed as in the
paper (Sec. 3.1): x_norm = s * X_xy + t, t outside of the scale. SPIN and its heirs write
s * (X_xy + t'); `weak_to_spin` and `spin_to_weak` convert.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dimr.image.crop import (
    crop_to_full,
    crop_to_norm,
    full_to_crop,
    norm_to_crop,
    picture_centre_px,
)
from dimr.types import Crop

NEAR_M = 0.05
"""Points closer to the camera than this are not drawn."""
FOCAL_DIAGONALS = 1.5
"""Focal length of an unknown camera in diagonals of the picture, 65 mm on 35 mm film: most people
are photographed from some metres, or cut out of larger pictures (docs/refine.md)."""
NEAREST = 0.2
"""A point through a lens is at least so far away, as a share of the origin's distance."""
PLACE_STD, SCALE_STD = 0.03, 0.3
"""How far from the truth weak perspective is: places (crop-normalised), scale (share)."""


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


def default_camera(width: int, height: int) -> PerspectiveCamera:
    """Of a picture whose camera is unknown: looks at its middle, a 37 degree diagonal view."""
    focal_px = FOCAL_DIAGONALS * float(np.hypot(width, height))
    return PerspectiveCamera(focal_px, picture_centre_px(width, height))


class Lens(NamedTuple):
    """A picture's pinhole as one of its crops sees it; of endless focal length: weak perspective.

    A body's camera (s, t) is exact at its origin: x_norm = s * X_xy + t where X_z = 0, and what is
    nearer is larger.
    """

    focal_norm: float
    """Crop-normalised length."""
    middle_norm: tuple[float, float]
    """The principal point, crop-normalised."""
    half_norm: tuple[float, float] = (float("inf"), float("inf"))
    """Half the picture's sides, crop-normalised, if the principal point is its middle."""


WEAK = Lens(float("inf"), (0.0, 0.0))


def crop_lens(perspective: PerspectiveCamera, crop: Crop) -> Lens:
    """The lens of a crop.

    Raises:
        ValueError: for a rotated crop, whose axes are not the camera's.
    """
    if crop.angle_rad:
        raise ValueError(f"crop: got an angle of {crop.angle_rad} rad, want an upright crop")
    x, y = full_to_norm(crop, np.asarray(perspective.principal_px))
    scale = 2 / crop.side_px
    right, down = (scale * (float(each) + 0.5) for each in perspective.principal_px)
    return Lens(scale * perspective.focal_px, (float(x), float(y)), (right, down))


def project_lens(
    points_m: Float[Tensor, "N 3"], camera: Float[Tensor, "3"], lens: Lens
) -> Float[Tensor, "N 2"]:
    """Perspective projection to crop-normalised coordinates."""
    middle = points_m.new_tensor(lens.middle_norm)
    depth = 1 + camera[0] / lens.focal_norm * points_m[:, 2:]
    ray = camera[0] * points_m[:, :2] + camera[1:] - middle
    return ray / depth.clamp(min=NEAREST) + middle


def weak_to_lens(
    points_m: Float[Tensor, "N 3"], camera: Float[Tensor, "3"], lens: Lens
) -> Float[Tensor, "3"]:
    """The camera with which a lens shows points where weak perspective does.

    Least squares of the places times their depth, held near the scale of weak perspective, which
    a few points in one place do not tell: linear. What is not finite stays as it is.
    """
    points, weak = points_m.double(), camera.double()
    middle = points.new_tensor(lens.middle_norm)
    wanted = weak[0] * points[:, :2] + weak[1:] - middle
    matrix = torch.eye(3).to(points)[None, 1:].repeat(len(points), 1, 1)
    matrix[..., 0] = points[:, :2] - wanted * points[:, 2:] / lens.focal_norm
    left = torch.einsum("nik,nil->kl", matrix, matrix)
    right = torch.einsum("nik,ni->k", matrix, wanted)
    held = len(points) * (PLACE_STD / SCALE_STD) ** 2
    left[0, 0] += held / weak[0] ** 2
    right[0] += held / weak[0]
    found, singular = torch.linalg.solve_ex(left, right)
    found[1:] += middle
    sound = not singular and found.isfinite().all() and found[0] > 0
    return found.to(camera) if sound else camera


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


def full_to_norm(crop: Crop, points_px: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
    """Full-picture pixels to crop-normalised coordinates."""
    return crop_to_norm(full_to_crop(crop, points_px), crop.size)

"""The tuples that cross stages: crop, dense correspondence, body parameters, people.

Frames and units are those of docs/conventions.md. Everything here is plain data: numpy where it
belongs to one picture, torch where it is batched.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Crop:
    """A square, possibly rotated window of the full picture, resampled to `size` pixels."""

    centre_px: tuple[float, float]
    """Centre (x, y) in the full picture; integer = pixel centre."""
    side_px: float
    """Length of the window's side in pixels of the full picture."""
    size: int
    """Height and width of the crop in its own pixels."""
    angle_rad: float = 0.0
    """The window's x axis, measured from the picture's x axis towards its y axis."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.side_px) and self.side_px > 0):
            raise ValueError(f"side_px: got {self.side_px}, want a positive number of pixels")
        if self.size < 1:
            raise ValueError(f"size: got {self.size}, want at least 1 pixel")


@dataclass(frozen=True, slots=True)
class Iuv:
    """Dense correspondence of one person (paper Sec. 3.1): which surface point a pixel shows."""

    mask: Bool[np.ndarray, "H W"]
    """True where the person's surface is visible."""
    uv: Float[np.ndarray, "H W 2"]
    """Place on the global UV map in [0, 1]; zero outside the mask. v grows downwards."""
    confidence: Float[np.ndarray, "H W"] | None = None
    """Probability in [0, 1] that the label of the pixel is right, if known."""

    def __post_init__(self) -> None:
        if self.uv.shape != (*self.mask.shape, 2):
            raise ValueError(
                f"uv: got shape {self.uv.shape}, want {(*self.mask.shape, 2)} like the mask"
            )
        if self.confidence is not None and self.confidence.shape != self.mask.shape:
            raise ValueError(
                f"confidence: got shape {self.confidence.shape}, want {self.mask.shape} like the "
                "mask"
            )


class Body(NamedTuple):
    """A posed body in the frame that its root rotation maps to (metres)."""

    vertices_m: Float[Tensor, "B V 3"]
    joints_m: Float[Tensor, "B 24 3"]


class Regression(NamedTuple):
    """What stage 2 says of a batch of crops."""

    rotmats: Float[Tensor, "B 24 3 3"]
    """Rotations theta as matrices; the root maps the body frame to camera axes."""
    betas: Float[Tensor, "B 10"]
    camera: Float[Tensor, "B 3"]
    """Weak perspective (s, tx, ty): x_norm = s * X_xy + t in crop coordinates [-1, 1].

    After refinement through a lens (`dimr.body.camera.Lens`) that is so at the body's origin."""
    part_features: Float[Tensor, "B P C"] | None = None
    """phi_i of Eq. 2, one vector a part; None for variants without parts."""
    attention: Float[Tensor, "B P h w"] | None = None
    """Softmax-normalised attention of each part; None for variants without attention."""
    joint_error_m: Float[Tensor, "B 24"] | None = None
    """Expected distance of each joint from the true one, roots aligned; None if not estimated."""


class Detection(NamedTuple):
    """A person found by stage 1 on the whole picture."""

    box_px: Float[np.ndarray, "4"]
    """x0, y0, x1, y1 around the visible pixels, in pixels of the full picture."""
    score: float
    mask: Bool[np.ndarray, "H W"]
    """Visible pixels in the full picture."""
    others: Bool[np.ndarray, "H W"] | None = None
    """Visible pixels of the other people who were found; None: of nobody."""
    body_px: Float[np.ndarray, "2 2"] | None = None
    """Where somebody saw the whole body: the middle of the hips, and a point on the circle around
    it towards the head; None: nobody did."""


@dataclass(frozen=True, slots=True)
class Person:
    """One recovered person of a picture, in the picture's camera."""

    box_px: Float[np.ndarray, "4"]
    score: float
    crop: Crop
    iuv: Iuv
    """In crop pixels at the correspondence resolution (a whole fraction of `crop.size`)."""
    theta_rad: Float[np.ndarray, "24 3"]
    """Axis-angles; the root maps the body frame to camera axes."""
    betas: Float[np.ndarray, "10"]
    camera_crop: Float[np.ndarray, "3"]
    """Weak perspective (s, tx, ty) in crop coordinates."""
    translation_m: Float[np.ndarray, "3"]
    """What moves the body model's output to the person's place in the camera."""
    vertices_cam_m: Float[np.ndarray, "V 3"]
    joints_cam_m: Float[np.ndarray, "24 3"]
    keypoints_px: Float[np.ndarray, "24 2"]
    """Joints projected to the full picture."""
    focal_px: float
    part_seen: Float[np.ndarray, "24"]
    """Share of each part's surface that the IUV shows, in [0, 1]."""
    vertex_seen: Bool[np.ndarray, "V"]
    """True for vertices whose surface the IUV shows; the others were completed."""
    part_confidence: Float[np.ndarray, "24"]
    """Mean confidence of the pixels of each part; zero where none is seen."""
    joint_error_m: Float[np.ndarray, "24"] | None = None
    """Expected distance of each joint from the true one, roots aligned; None if not estimated.

    Of stage 2's own answer: refinement leaves it as it is."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Everything recovered from one picture."""

    picture_size: tuple[int, int]
    """Width, height in pixels."""
    people: list[Person] = field(default_factory=list)

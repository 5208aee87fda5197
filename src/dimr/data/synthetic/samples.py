"""What the generator returns. Plain numpy; S is the crop's size, h = S / 2 the labels' grid.

A label pixel x_half is centred at x_full = 2 * x_half + 0.5, the corner shared by four pixels.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int8, UInt8

from dimr.types import Iuv


class DenseLabels(NamedTuple):
    """Which surface point of whom each label pixel shows; of everybody in the picture."""

    person_id: Int8[np.ndarray, "h h"]
    """-1 where nobody is visible."""
    part: UInt8[np.ndarray, "h h"]
    """DensePose part 1..24; 0 where nobody is visible."""
    uv: Float32[np.ndarray, "h h 2"]
    """Place on the atlas; zero where nobody is visible."""
    position_m: Float32[np.ndarray, "h h 3"]
    """Rest-pose position (of the mean body) of the surface point; zero where nobody is visible."""


class PeopleLabels(NamedTuple):
    """Everybody whose `person_id` occurs, and in a crop the target even if it does not."""

    box_px: Float32[np.ndarray, "P 4"]
    """x0, y0, x1, y1 around the outer edges of the visible pixels of the image; zero if none."""
    centre_px: Float32[np.ndarray, "P 2"]
    """Mean of the visible pixels (x, y)."""
    visible_share: Float32[np.ndarray, "P"]
    """Visible pixels over those that would be if nobody and nothing else were there."""


OBJECT = 64
"""`Occlusion.hidden_by` from here on is an object, counted from far to near."""


class Occlusion(NamedTuple):
    """How much of the target can be seen, and what hides the rest."""

    hidden_by: Int8[np.ndarray, "h h"]
    """Of each label pixel that would show the target if nothing else were there: 0 where it does,
    the number in `PeopleLabels` of the person or OBJECT + n of the object before it; -1 in all
    other places."""
    part_visible_share: Float32[np.ndarray, "25"]
    """Visible share of each DensePose part's pixels; NaN for parts that face away or lie outside
    of the crop."""
    in_picture_share: float
    """Share of the body's vertices that project into the crop and the picture."""


class CropSample(NamedTuple):
    """A crop around one target, who is person 0."""

    image: UInt8[np.ndarray, "S S 3"]
    person_id: Int8[np.ndarray, "S S"]
    labels: DenseLabels
    people: PeopleLabels
    rotmats: Float32[np.ndarray, "24 3 3"]
    """The target's rotations; the root maps the body frame to camera axes."""
    betas: Float32[np.ndarray, "10"]
    joints_m: Float32[np.ndarray, "24 3"]
    """The body model's joints in camera axes, translation zero."""
    camera: Float32[np.ndarray, "3"]
    """Weak perspective (s, tx, ty) fitted to the joints."""
    keypoints_norm: Float32[np.ndarray, "24 2"]
    """Joints projected by the true, perspective camera, crop-normalised."""
    occlusion: Occlusion

    @property
    def iuv(self) -> Iuv:
        """The target's dense correspondence."""
        mask = self.labels.person_id == 0
        return Iuv(mask, np.where(mask[..., None], self.labels.uv, np.float32(0)))

    @property
    def visible_share(self) -> float:
        """The target's."""
        return float(self.people.visible_share[0])

    @property
    def yaw_deg(self) -> float:
        """Where the target's pelvis faces: 0 towards the camera, 90 to the picture's right."""
        forward = self.rotmats[0, :, 2]
        return float(np.degrees(np.arctan2(forward[0], -forward[2])))


class SceneSample(NamedTuple):
    """A picture with 0 to 8 people of any size."""

    image: UInt8[np.ndarray, "S S 3"]
    person_id: Int8[np.ndarray, "S S"]
    labels: DenseLabels
    people: PeopleLabels


class IuvSample(NamedTuple):
    """A crop without colours: what stage 2 needs when it learns from the IUV alone."""

    mask: Bool[np.ndarray, "h h"]
    uv: Float32[np.ndarray, "h h 2"]
    visible_share: float
    rotmats: Float32[np.ndarray, "24 3 3"]
    betas: Float32[np.ndarray, "10"]
    joints_m: Float32[np.ndarray, "24 3"]
    camera: Float32[np.ndarray, "3"]
    keypoints_norm: Float32[np.ndarray, "24 2"]

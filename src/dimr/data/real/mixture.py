"""Training samples from several data sets: crop, augmentation, targets, IUV, occluded twin.

The sample of an index depends on (seed, index) alone, whichever process draws it. Augmentation is
SPIN's and MMHuman3D's: flip, scale, rotation, channel noise. The IUV gets the same crop, turn and
flip as the picture, by nearest sampling (it is rendered into, or looked up in, the very window);
channel noise never touches it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import Dataset

from dimr.body.camera import full_to_norm
from dimr.body.keypoints import JOINT_MIRROR, KEYPOINT_MIRROR
from dimr.body.model import BodyModel
from dimr.data.augment import flip_points, flip_pose
from dimr.data.occlusion import Cutout, OcclusionSettings, occlude
from dimr.data.real.joints import select_joints
from dimr.data.real.labels import (
    LABEL_JOINTS,
    IuvOf,
    label_joints_m,
    posed_body,
    projector_of,
    record_pose,
)
from dimr.data.real.record import Record, Records
from dimr.image.crop import CORRESPONDENCE_STRIDE, crop_picture
from dimr.surface.iuv import flip_iuv
from dimr.types import Crop, Iuv

LABEL_MIRROR = (*JOINT_MIRROR, *(24 + index for index in KEYPOINT_MIRROR["lsp14"]))
"""`LABEL_JOINTS` of the mirror image."""
MAX_TRIES = 20
"""Draws before a mixture in which nothing can be read is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """SPIN's ranges; `still` is none of it."""

    flip: float = 0.5
    """Probability."""
    noise: float = 0.4
    """Each colour channel is multiplied by U(1 - noise, 1 + noise)."""
    scale: float = 0.25
    """Standard deviation of the window's side, clipped to one."""
    rotation_deg: float = 30.0
    """Standard deviation, clipped to two."""
    rotated: float = 0.6
    """Probability of a rotation: MMHuman3D's 0.6. In SPIN and PARE 0.6 is that of none."""

    @classmethod
    def still(cls) -> "Augmentation":
        """For validation."""
        return cls(flip=0.0, noise=0.0, scale=0.0, rotation_deg=0.0, rotated=0.0)


class RealSamples(Dataset):
    """Samples of a mixture of data sets.

    Args:
        sources: (records, share of the samples); shares are scaled to sum to 1.
        body: neutral, with keypoint regressors.
        iuv_of: where the correspondence comes from.
        crop_size: pixels a side of the picture.
        augmentation: its ranges.
        objects: cut-outs for synthetic occlusion; with some, each sample has an occluded twin.
        occlusion: how they are pasted.
        seed: of everything random.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Records, float]],
        body: BodyModel,
        iuv_of: IuvOf,
        crop_size: int,
        augmentation: Augmentation,
        objects: list[Cutout] | None = None,
        occlusion: OcclusionSettings | None = None,
        seed: int = 0,
    ) -> None:
        empty = [records.dataset for records, _ in sources if not len(records)]
        shares = np.array([share for _, share in sources], np.float64)
        if not len(shares) or empty or shares.min() < 0 or not shares.sum() > 0:
            raise ValueError(
                f"sources: got shares {shares.tolist()}, empty: {empty}; want data sets with "
                "records and shares that are not all zero"
            )
        self.sources = [records for records, _ in sources]
        self.shares = shares / shares.sum()
        self.body = body
        self.iuv_of = iuv_of
        self.crop_size = crop_size
        self.augmentation = augmentation
        self.objects = objects
        self.occlusion = occlusion
        self.seed = seed

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`image`, `mask`, `uv`, targets and weights; with objects `occluded_image`, `.._mask`.

        A record whose picture cannot be read is replaced by another draw.

        Raises:
            ValueError: if no draw of many can be read.
        """
        rng = np.random.default_rng([self.seed, index])
        problem: Exception | None = None
        for _ in range(MAX_TRIES):
            records = self.sources[int(rng.choice(len(self.sources), p=self.shares))]
            record = records[int(rng.integers(len(records)))]
            try:
                return self._sample(record, rng)
            except (ValueError, OSError) as error:
                problem = error
        raise ValueError(f"none of {MAX_TRIES} records can be read; the last: {problem}")

    def _sample(self, record: Record, rng: np.random.Generator) -> dict[str, Any]:
        crop = self._crop(record, rng)
        image = crop_picture(record.load_picture(), crop)
        size = self.crop_size // CORRESPONDENCE_STRIDE
        iuv = self.iuv_of(record, crop, size)
        if iuv is None:
            raise ValueError(f"{record.dataset} {record.key}: no IUV")
        sample = record_targets(record, self.body, crop)
        if rng.random() < self.augmentation.flip:
            image, iuv, sample = flip_sample(image, iuv, sample)
        sample |= {"mask": iuv.mask, "uv": iuv.uv.astype(np.float32)}
        noise = rng.uniform(1 - self.augmentation.noise, 1 + self.augmentation.noise, 3)
        if self.objects:
            pasted, hidden = occlude(image, self.objects, rng, self.occlusion)
            # a label pixel is hidden if any of its picture's pixels is
            folded = hidden.reshape(size, CORRESPONDENCE_STRIDE, size, CORRESPONDENCE_STRIDE)
            sample["occluded_mask"] = iuv.mask & ~folded.any((1, 3))
            sample["occluded_image"] = multiply_channels(pasted, noise)
        return sample | {"image": multiply_channels(image, noise)}

    def _crop(self, record: Record, rng: np.random.Generator) -> Crop:
        ranges = self.augmentation
        factor = 1 + ranges.scale * np.clip(rng.standard_normal(), -1, 1)
        angle = ranges.rotation_deg * np.clip(rng.standard_normal(), -2, 2)
        if rng.random() >= ranges.rotated:
            angle = 0.0
        side = record.side_px * float(factor)
        return Crop(record.centre_px, side, self.crop_size, float(np.deg2rad(angle)))


def multiply_channels(
    picture: UInt8[np.ndarray, "S S 3"], factors: np.ndarray
) -> UInt8[np.ndarray, "S S 3"]:
    """Channel noise: each colour times its factor, clipped."""
    return np.clip(np.rint(picture * factors), 0, 255).astype(np.uint8)


def record_targets(record: Record, body: BodyModel, crop: Crop) -> dict[str, np.ndarray]:
    """What a network is to say of a record in a crop, with weights that are 0 where unknown.

    `joints_m` and `joints_norm` are `LABEL_JOINTS`. A turned crop turns root and joints with it.
    """
    cos, sin = np.cos(crop.angle_rad), np.sin(crop.angle_rad)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], np.float32)
    count = len(LABEL_JOINTS)
    joints_px, weight_2d = np.zeros((count, 2), np.float32), np.zeros(count, np.float32)
    if record.keypoints_px is not None:
        joints_px[24:], weight_2d[24:] = select_joints(*record.keypoints_px, LABEL_JOINTS[24:])
        if record.keypoints_px.set_name == "smpl24":
            joints_px[:24], weight_2d[:24] = record.keypoints_px[1:]
    if record.theta_rad is None:
        rotmats, betas = np.tile(np.eye(3, dtype=np.float32), (24, 1, 1)), np.zeros(10, np.float32)
        joints_m, weight_3d = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    else:
        rotmats, betas = (each[0].numpy().copy() for each in record_pose(record))
        rotmats[0] = turn @ rotmats[0]
        posed = posed_body(record, body)
        joints = label_joints_m(posed, body)
        projector = projector_of(record, posed, body)
        if projector is not None and projector.perspective and not weight_2d[:24].any():
            joints_px[:24], weight_2d[:24] = projector.to_pixels(joints[:24])[:, :2], 1
        joints_m, weight_3d = joints @ turn.T, np.ones(count, np.float32)
    norm = full_to_norm(crop, joints_px).astype(np.float32)
    weight_2d = np.where((np.abs(norm) < 4).all(1), weight_2d, np.float32(0))
    return {
        "rotmats": rotmats.astype(np.float32),
        "betas": betas.astype(np.float32),
        "joints_m": joints_m.astype(np.float32),
        "joints_norm": np.where(weight_2d[:, None] > 0, norm, np.float32(0)),
        "weight_smpl": np.array(record.theta_rad is not None, np.float32),
        "weight_3d": weight_3d,
        "weight_2d": weight_2d,
    }


def flip_sample(
    image: UInt8[np.ndarray, "S S 3"], iuv: Iuv, targets: dict[str, np.ndarray]
) -> tuple[UInt8[np.ndarray, "S S 3"], Iuv, dict[str, np.ndarray]]:
    """The mirror image of a crop with all that belongs to it, on a symmetric atlas."""
    batch = {name: torch.from_numpy(np.asarray(value))[None] for name, value in targets.items()}
    mirror = torch.tensor(LABEL_MIRROR)
    flipped = {
        **targets,
        "rotmats": flip_pose(batch["rotmats"], torch.tensor(JOINT_MIRROR))[0].numpy(),
        "joints_m": flip_points(batch["joints_m"], mirror)[0].numpy(),
        "joints_norm": flip_points(batch["joints_norm"], mirror)[0].numpy(),
        "weight_3d": targets["weight_3d"][list(LABEL_MIRROR)],
        "weight_2d": targets["weight_2d"][list(LABEL_MIRROR)],
    }
    return cv2.flip(image, 1), flip_iuv(iuv), flipped

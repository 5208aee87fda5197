"""What a set of synthetic crops holds: directions, sizes, visibility, poses; real crops beside it.

The numbers that can also be read off photographs with labelled joints (visibility, 2D poses,
looks) are compared, so that a gap to them is seen and can be narrowed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.spatial import KDTree

from dimr.body.keypoints import JOINT_NAMES, LSP14_NAMES
from dimr.data.synthetic.people import CropSample
from dimr.image.load import load_picture
from dimr.surface.npz import read_arrays

LIMBS = LSP14_NAMES[:12]
"""Keypoints that mean the same on LSP and on the body's joints: no neck, no head top."""
LIMBS_OF_JOINTS = np.array([JOINT_NAMES.index(name) for name in LIMBS])


class RealCrops(NamedTuple):
    """Photographs with labelled joints, cut around the labelled person."""

    pictures: list[UInt8[np.ndarray, "_ _ 3"]]
    limbs_px: Float[np.ndarray, "N 12 2"]
    limbs_seen: Bool[np.ndarray, "N 12"]


class Survey(NamedTuple):
    """One entry a sample, or a rate a joint."""

    yaw_deg: Float[np.ndarray, "N"]
    """`CropSample.yaw_deg`."""
    tilt_deg: Float[np.ndarray, "N"]
    """Angle between the spine and the picture's upright."""
    height_share: Float[np.ndarray, "N"]
    """Longer side of the visible box over the crop's side."""
    hidden_share: Float[np.ndarray, "N"]
    in_picture_share: Float[np.ndarray, "N"]
    joint_seen: Float[np.ndarray, "24"]
    """Share of the samples in which the joint lies in the picture and is not hidden."""
    limbs_norm: Float[np.ndarray, "N 12 2"]


def survey(samples: Sequence[CropSample]) -> Survey:
    """Reads everything off the labels."""
    return Survey(
        np.array([sample.yaw_deg for sample in samples]),
        np.array([_tilt_deg(sample.joints_m) for sample in samples]),
        np.array([_height_share(sample) for sample in samples]),
        np.array([1 - sample.visible_share for sample in samples]),
        np.array([sample.occlusion.in_picture_share for sample in samples]),
        np.mean([joints_seen(sample) for sample in samples], axis=0),
        np.stack([sample.keypoints_norm[LIMBS_OF_JOINTS] for sample in samples]),
    )


def joints_seen(sample: CropSample) -> Bool[np.ndarray, "24"]:
    """Whether each joint lies in the picture with nothing before the target there."""
    code = sample.occlusion.hidden_by
    side = code.shape[0]
    places = np.floor((sample.keypoints_norm + 1) * (side / 2)).astype(np.int64)
    inside = ((places >= 0) & (places < side)).all(1)
    cols, rows = places.clip(0, side - 1).T
    return inside & (code[rows, cols] <= 0)


def pose_gaps(
    limbs: Float[np.ndarray, "N 12 2"], others: Float[np.ndarray, "M 12 2"]
) -> Float[np.ndarray, "N"]:
    """Distance from each 2D pose to the most similar one of another set.

    Poses are compared after moving their centre to the origin and scaling their spread (RMS
    distance from the centre) to one; the distance is the mean over the limbs.
    """
    tree = KDTree(_centred(others).reshape(len(others), -1))
    # The nearest in the sum of squares is not always the nearest in the mean: look at a few.
    _, near = tree.query(_centred(limbs).reshape(len(limbs), -1), k=min(8, len(others)))
    candidates = _centred(others)[near.reshape(len(limbs), -1)]
    gaps = np.linalg.norm(candidates - _centred(limbs)[:, None], axis=3).mean(2)
    return gaps.min(1)


def read_lsp_crops(folder: Path, count: int) -> RealCrops:
    """The first pictures of Leeds Sports Pose Extended, cropped, with joints.npz beside images/.

    Raises:
        ValueError: files are missing or have another form.
    """
    arrays = read_arrays(
        folder / "joints.npz",
        {"ids": (np.integer, 1), "joints": (np.floating, 3), "visible": (np.bool_, 2)},
    )
    pictures, limbs, seen = [], [], []
    for number, joints, visible in zip(
        arrays["ids"][:count], arrays["joints"], arrays["visible"], strict=False
    ):
        pictures.append(load_picture(folder / "images" / f"im{number:05d}.jpg"))
        limbs.append(joints[:12])
        seen.append(visible[:12])
    return RealCrops(pictures, np.array(limbs, np.float64), np.array(seen))


def _centred(limbs: np.ndarray) -> np.ndarray:
    centred = limbs - limbs.mean(1, keepdims=True)
    spread = np.sqrt((centred**2).sum(2).mean(1))
    return centred / np.maximum(spread, 1e-6)[:, None, None]


def _tilt_deg(joints_m: Float[np.ndarray, "24 3"]) -> float:
    spine = joints_m[JOINT_NAMES.index("neck")] - joints_m[JOINT_NAMES.index("pelvis")]
    return float(np.degrees(np.arccos(np.clip(-spine[1] / np.linalg.norm(spine), -1, 1))))


def _height_share(sample: CropSample) -> float:
    box = sample.people.box_px[0]
    return float(max(box[2] - box[0], box[3] - box[1])) / sample.image.shape[0]

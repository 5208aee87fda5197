"""Photographs with labelled joints for stage 2: recipe `stage2_photos`, weights `research`.

Photographs have no three-dimensional truth: only the projected joints of arms and legs learn from
them, with an L1 loss that forgives labels which are off, while synthetic samples of the same batch
keep the bodies bodies. Each photograph is seen twice, as it is and behind pasted things. Who is
meant is marked as stage 1 marks them (`find_people`); where it sees nobody or somebody else, by
thick limbs along the labels, or their box. Labels with left and right swapped are recognised by
stage 1's landmarks, which hardly ever mistake sides (docs/stage1_choices.md).

The photographs that `dimr eval REALVAL` measures on never take part.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch.utils.data import Dataset

from dimr.body.keypoints import KEYPOINT_MIRROR, LSP14_EDGES
from dimr.body.landmarks import LIMB_LANDMARKS
from dimr.correspondence.figure import body_mask
from dimr.correspondence.landmarks import surroundings
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.data.occlusion import Cutout, occlude
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.people import LONGEST_CUTOUT_PX
from dimr.data.synthetic.survey import LIMBS_OF_JOINTS
from dimr.evaluate.correspondence import best_fit
from dimr.evaluate.landmarks import LIMB_JOINTS
from dimr.evaluate.photos import PASTING, JointPhoto, joint_photos
from dimr.image.crop import crop_picture, crop_to_norm, full_to_crop
from dimr.image.load import load_picture
from dimr.train.seen import CHUNK, Rows, SeenSamples, kept_of, stage1_hash, write_seen

VIEWS = 2
"""Rows of each photograph: as it is, behind things."""
MIRROR = np.array(KEYPOINT_MIRROR["lsp14"][:12])
"""Of LSP's twelve limb joints."""
SWAPPED = 0.6
"""Labels whose distance to the landmarks shrinks to less than this by a swap are swapped."""
SURE = 0.5
"""Mean visibility from which landmarks judge that."""
LANDMARKS = np.array([LIMB_LANDMARKS[LIMB_JOINTS.index(joint)] for joint in LIMBS_OF_JOINTS])
"""Of BlazePose, in the order of LSP's limb joints."""
WEIGHT_2D = 2.0
"""Of a labelled joint, against 1 of a synthetic one; those are twice as many."""
LEAST_LEFT = 0.2
"""Of somebody's mask; things that hide more hide them from the mark alone."""
TRUNK = (2, 3, 9, 8)
"""Hips and shoulders, around."""


def labels_mask(
    joints_px: Float[np.ndarray, "14 2"], side: int, rng: np.random.Generator
) -> Bool[np.ndarray, "S S"]:
    """Roughly where a person with these joints is: thick limbs and a trunk, or the box of those.

    Args:
        joints_px: LSP's joints, NaN where unknown.
        side: of the picture.
        rng: thickness, and which of the two it is.
    """
    mask = body_mask(joints_px, LSP14_EDGES, TRUNK, rng.uniform(0.08, 0.16), (side, side))
    if rng.random() < 0.3:
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        mask[y : y + height, x : x + width] = True
    return mask


def behind_things(
    picture: UInt8[np.ndarray, "S S 3"],
    mask: Bool[np.ndarray, "S S"],
    cutouts: list[Cutout],
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "S S"]]:
    """Somebody with things pasted, and what is left of their mask unless it is too little."""
    picture, pasted = occlude(picture, cutouts, rng, PASTING)
    left = mask & ~pasted
    return picture, left if left.sum() > LEAST_LEFT * mask.sum() else mask


def mend_sides(
    joints_norm: Float[np.ndarray, "12 2"], pose: Float[np.ndarray, "39 10"]
) -> Float[np.ndarray, "12 2"]:
    """The labels, left and right exchanged if landmarks that are sure say so."""
    landmarks = pose[LANDMARKS]
    if landmarks[:, 3].mean() < SURE:
        return joints_norm
    swapped = joints_norm[MIRROR]
    gaps = [
        np.nanmean(np.linalg.norm(each - landmarks[:, :2], axis=1))
        for each in (joints_norm, swapped)
    ]
    return swapped if gaps[1] < SWAPPED * gaps[0] else joints_norm


def see_photos(folder: Path, stage1: Stage1, lspet: Path, occluders: Path | None) -> SeenSamples:
    """All photographs that are not for validation, seen once and kept in a folder.

    Args:
        folder: for `write_seen`.
        stage1: who sees.
        lspet: Leeds Sports Pose Extended (images/, joints.npz).
        occluders: RGBA cut-outs in train/; None pastes nothing.
    """
    photos = joint_photos(lspet, validation=False)
    cutouts = load_folder(occluders and occluders / "train", "RGBA", LONGEST_CUTOUT_PX)
    about = {"stage1": stage1_hash(stage1), "cutouts": len(cutouts)}
    count = VIEWS * len(photos)
    write_seen(folder, about, count, lambda first: photo_rows(stage1, photos, cutouts, first))
    return SeenSamples(folder, endless=True)


def photo_rows(
    stage1: Stage1, photos: Sequence[JointPhoto], cutouts: list[Cutout], first: int
) -> Iterator[Rows]:
    """What stage 1 makes of labelled photographs, from row `first` on; see `write_seen`."""
    for start in range(first, VIEWS * len(photos), CHUNK):
        numbers = range(start, min(start + CHUNK, VIEWS * len(photos)))
        views = [_view(stage1, photos[each // VIEWS], cutouts, each) for each in numbers]
        batch = {
            name: torch.from_numpy(np.stack([view[name] for view in views])) for name in views[0]
        }
        rows = {name: value.numpy() for name, value in kept_of(stage1, batch).items()}
        joints = [
            mend_sides(*each) for each in zip(rows.pop("limbs_norm"), rows["pose"], strict=True)
        ]
        yield rows | _labels(np.stack(joints)) | {"mask": rows["said_mask"], "uv": rows["said_uv"]}


@torch.inference_mode()
def _view(stage1: Stage1, photo: JointPhoto, cutouts: list[Cutout], number: int) -> Rows:
    """A crop, its marks and its labels."""
    picture = load_picture(photo.path)
    rng = np.random.default_rng([number])
    joints_px = np.concatenate([photo.joints_px, photo.head_px])
    mask = labels_mask(joints_px, len(picture), rng)
    if number % VIEWS and cutouts:
        picture, mask = behind_things(picture, mask, cutouts, rng)
    detection = best_fit(stage1.find_people(picture), mask) or mask_to_detection(1.0, mask)
    crop = stage1.refine_crop(detection)
    limbs_norm = crop_to_norm(full_to_crop(crop, photo.joints_px), crop.size)
    around = surroundings(crop)
    return {
        "image": crop_picture(picture, crop),
        "marker": stage1.marker(detection, crop)[0].numpy(),
        "around": crop_picture(picture, around),
        "around_marker": stage1.marker(detection, around)[0].numpy(),
        "limbs_norm": limbs_norm.astype(np.float32),
    }


def _labels(limbs_norm: Float[np.ndarray, "B 12 2"]) -> Rows:
    """All that a synthetic sample has, with weights that say what is known."""
    size = len(limbs_norm)
    joints_norm = np.zeros((size, 24, 2), np.float32)
    weight_2d = np.zeros((size, 24), np.float32)
    known = ~np.isnan(limbs_norm[..., 0])
    joints_norm[:, LIMBS_OF_JOINTS] = np.where(known[..., None], limbs_norm, 0)
    weight_2d[:, LIMBS_OF_JOINTS] = WEIGHT_2D * known
    return {
        "rotmats": np.tile(np.eye(3, dtype=np.float32), (size, 24, 1, 1)),
        "betas": np.zeros((size, 10), np.float32),
        "joints_m": np.zeros((size, 24, 3), np.float32),
        "joints_norm": joints_norm,
        "weight_smpl": np.zeros(size, np.float32),
        "weight_3d": np.zeros((size, 24), np.float32),
        "weight_2d": weight_2d,
    }


class Alternating(Dataset):
    """Samples of one data set, every second one of another."""

    def __init__(self, samples: Dataset, others: Dataset) -> None:
        self.samples, self.others = samples, others

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample."""
        return (self.others if index % 2 else self.samples)[index // 2]


class AllKnown(Dataset):
    """Synthetic samples with weights that say that every label counts."""

    def __init__(self, samples: Dataset) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample."""
        ones = np.ones(24, np.float32)
        weights = {"weight_smpl": np.float32(1), "weight_3d": ones, "weight_2d": ones}
        return weights | self.samples[index]

"""Errors on real photographs, where 2D joints and masks are all that is known (`REALVAL`).

Crops of Leeds Sports Pose Extended (192 px, one person in the middle, 14 labelled joints) and
street photographs with masks (Clothing Co-Parsing). Nothing but the picture is given: the person
is found in it; of several, the one nearest to the middle is taken; nobody found is a miss of every
joint. Labels are crowd-made: some joints are off, some people have left and right swapped.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from dimr.body.camera import PerspectiveCamera
from dimr.body.keypoints import KEYPOINT_NAMES
from dimr.body.model import BodyModel
from dimr.correspondence.stage1 import Stage1
from dimr.data.occlusion import Cutout, OcclusionSettings, occlude
from dimr.data.synthetic.survey import LIMBS
from dimr.evaluate.correspondence import look_at
from dimr.evaluate.synthetic import mask_iou
from dimr.image.crop import picture_centre_px
from dimr.image.load import load_picture
from dimr.surface.npz import read_arrays
from dimr.types import Person, Prediction

VALIDATION = 1
"""Photographs whose number has this remainder by `EVERY` are never trained on."""
EVERY = 20
BOX_SHARE = 1 / 1.3
"""Side of the labelled person's box in a crop of the data set."""
PCK_SHARE = 0.1
"""A joint is right within this share of the box's side."""
HIDE_SHARE = 0.2
"""Cut-outs are pasted until they hide this share of the labelled joints."""
MOST_PASTED = 40
PASTING = OcclusionSettings(count=(1, 1), scale=(0.2, 0.7), spread=0.8)

Predict = Callable[[UInt8[np.ndarray, "H W 3"]], Prediction]
LIMB_ROWS = [KEYPOINT_NAMES["lsp14"].index(name) for name in LIMBS]


class JointPhoto(NamedTuple):
    """A crop of the data set."""

    path: Path
    joints_px: Float[np.ndarray, "12 2"]
    """Of `LIMB_ROWS`; NaN where nobody labelled one."""
    head_px: Float[np.ndarray, "2 2"]
    """Neck and top of the head, which no measure counts."""

    @property
    def number(self) -> int:
        """Of the photograph in its data set."""
        return int(self.path.stem.removeprefix("im"))


class JointScore(NamedTuple):
    """Of one crop."""

    found: bool
    right: Bool[np.ndarray, "12"]
    hidden: Bool[np.ndarray, "12"]
    """By what was pasted."""
    labelled: Bool[np.ndarray, "12"]


def joint_photos(
    folder: Path, limit: int | None = None, validation: bool = True
) -> list[JointPhoto]:
    """Crops of Leeds Sports Pose Extended: those for validation, or all others.

    Args:
        folder: with joints.npz (`ids`, `joints` (N, 14, 2) in crop pixels, NaN where unknown) and
            images/imNNNNN.jpg.
        limit: first crops only.
        validation: whether it is the validation crops.

    Raises:
        ValueError: if that is not what lies there.
    """
    path = folder / "joints.npz"
    if not path.is_file():
        raise ValueError(f"lspet: {folder} has no joints.npz")
    try:
        arrays = read_arrays(path, {"ids": (np.integer, 1), "joints": (np.floating, 3)})
    except ValueError as error:
        raise ValueError(f"lspet: {error}") from error
    ids, joints = arrays["ids"], arrays["joints"]
    if joints.shape != (len(ids), 14, 2):
        raise ValueError(f"lspet: {path}: joints are {joints.shape}, want {(len(ids), 14, 2)}")
    chosen = np.nonzero((ids % EVERY == VALIDATION) == validation)[0][:limit]
    return [
        JointPhoto(
            folder / "images" / f"im{ids[row]:05d}.jpg", joints[row, LIMB_ROWS], joints[row, 12:]
        )
        for row in chosen
    ]


def limb_joints_px(person: Person, body: BodyModel, size: tuple[int, int]) -> np.ndarray:
    """(12, 2): the joints that the data set labels, of a recovered person in its picture."""
    vertices = torch.from_numpy(person.vertices_cam_m)[None]
    joints = body.keypoints(vertices, "lsp14")[0, LIMB_ROWS].numpy()
    return PerspectiveCamera(person.focal_px, picture_centre_px(*size)).project(joints)


def hide_joints(
    picture: UInt8[np.ndarray, "S S 3"],
    joints_px: Float[np.ndarray, "12 2"],
    cutouts: list[Cutout],
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "12"]]:
    """The crop with things pasted until enough labelled joints are hidden, and which those are."""
    labelled = _labelled(joints_px)
    place = np.rint(np.nan_to_num(joints_px)).astype(int).clip(0, len(picture) - 1)
    covered = np.zeros(picture.shape[:2], bool)
    hidden = np.zeros(len(joints_px), bool)
    for _ in range(MOST_PASTED):
        if hidden.sum() >= HIDE_SHARE * labelled.sum():
            break
        picture, pasted = occlude(picture, cutouts, rng, PASTING)
        covered |= pasted
        hidden = labelled & covered[place[:, 1], place[:, 0]]
    return picture, hidden


def score_joints(
    photo: JointPhoto, predict: Predict, body: BodyModel, cutouts: list[Cutout] | None = None
) -> JointScore:
    """The person nearest to the middle of a crop; with `cutouts`, behind pasted things."""
    picture = load_picture(photo.path)
    labelled = _labelled(photo.joints_px)
    hidden = np.zeros(len(labelled), bool)
    if cutouts is not None:
        rng = np.random.default_rng(photo.number)
        picture, hidden = hide_joints(picture, photo.joints_px, cutouts, rng)
    people = predict(picture).people
    if not people:
        return JointScore(False, np.zeros(len(labelled), bool), hidden, labelled)
    size = picture.shape[1], picture.shape[0]
    person = min(people, key=lambda each: _from_middle(each, size))
    gap = np.linalg.norm(limb_joints_px(person, body, size) - photo.joints_px, axis=1)
    return JointScore(True, gap <= PCK_SHARE * BOX_SHARE * size[0], hidden, labelled)


def _labelled(joints_px: Float[np.ndarray, "12 2"]) -> Bool[np.ndarray, "12"]:
    return ~np.isnan(joints_px[:, 0])


def _from_middle(person: Person, size: tuple[int, int]) -> float:
    middle = (person.box_px[:2] + person.box_px[2:]) / 2
    return float(np.linalg.norm(middle - np.array(picture_centre_px(*size))))


def joint_means(scores: Sequence[JointScore]) -> dict[str, float | int]:
    """PCK over all labelled joints, over visible and hidden ones, and the share of people found.

    Shares of nothing are NaN.
    """
    right, hidden, labelled = (
        np.array([getattr(score, name) for score in scores], bool).reshape(-1, len(LIMB_ROWS))
        for name in ("right", "hidden", "labelled")
    )
    groups = {"pck": labelled, "pck_seen": labelled & ~hidden, "pck_hidden": labelled & hidden}
    return {
        "n": len(scores),
        "found": _share(np.array([score.found for score in scores], bool)),
        **{name: _share(right[group]) for name, group in groups.items()},
    }


def _share(values: Bool[np.ndarray, "N"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def street_numbers(folder: Path, validation: bool = True) -> list[str]:
    """Numbers of the street photographs for validation, or of all others.

    Raises:
        ValueError: no such photo is there.
    """
    numbers = sorted(
        path.stem
        for path in (folder / "mask").glob("*.png")
        if path.stem.isdigit() and (int(path.stem) % EVERY == VALIDATION) == validation
    )
    if not numbers:
        raise ValueError(f"street: {folder} has no photos of that kind with masks mask/ID.png")
    return numbers


def score_street(folder: Path, stage1: Stage1, limit: int | None = None) -> dict[str, float | int]:
    """Mask IoU of the surest person on photos of one person (Clothing Co-Parsing's crops).

    Args:
        folder: with images/ID.jpg and mask/ID.png; validation numbers are taken.
        stage1: as shipped or trained.
        limit: first photos only.

    Raises:
        ValueError: no such photo is there.
    """
    numbers = street_numbers(folder)[:limit]
    ious = []
    for number in numbers:
        picture = load_picture(folder / "images" / f"{number}.jpg")
        truth = load_picture(folder / "mask" / f"{number}.png")[..., 0] > 0
        found = stage1.find_people(picture)
        size = picture.shape[0], picture.shape[1]
        mask = look_at(stage1, picture, found[0], size).mask if found else np.zeros(size, bool)
        ious.append(mask_iou(mask, truth))
    return {
        "n": len(ious),
        "mask_iou": float(np.mean(ious)),
        "found": float(np.mean(np.array(ious) > 0)),
    }

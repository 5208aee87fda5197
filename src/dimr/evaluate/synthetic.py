"""Errors of recovered bodies on SynthOcc, by subset and by how much of the person can be seen.

`dimr eval SYNTHOCC` prints the table.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from dimr.body.camera import Lens, crop_lens, default_camera
from dimr.body.model import BodyModel
from dimr.correspondence.network import CropFeatures
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import CropSample
from dimr.evaluate.errors import mpjpe_mm, posed_errors
from dimr.image.crop import box_pixels, crop_picture, pick_by_box, picture_to_tensor
from dimr.network.dimr import Dimr
from dimr.surface.iuv import crop_iuv, resize_iuv
from dimr.types import Crop, Detection, Iuv, Person, Regression

Refine = Callable[[Callable[[Iuv], Regression], Iuv, Tensor | None, Lens], Regression]
"""Stage 2 on an IUV of a crop, the crop's IUV, its landmarks, its lens -> what is measured."""

GROUPS = {
    "all": ("visible_share", 0.0, 1.01),
    "visible >= 90 %": ("visible_share", 0.9, 1.01),
    "visible 50-90 %": ("visible_share", 0.5, 0.9),
    "visible < 50 %": ("visible_share", 0.0, 0.5),
    "facing the camera": ("facing", 0.5, 1.01),
    "facing elsewhere": ("facing", -1.01, 0.5),
}
"""Name -> (field of `PersonErrors`, from, below)."""


class PersonErrors(NamedTuple):
    """Errors of one sample with one kind of IUV."""

    visible_share: float
    facing: float
    """Cosine between where the body faces and the camera: 1 towards it, -1 away."""
    mpjpe_mm: float
    pa_mpjpe_mm: float
    pve_mm: float
    """After moving both bodies to their root joints."""
    mask_iou: float
    """Of the IUV that was used, against the true visible mask."""


def mask_iou(mask: Bool[np.ndarray, "h w"], target: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union; 1 if both are empty."""
    union = (mask | target).sum()
    return float((mask & target).sum() / union) if union else 1.0


Found = TypeVar("Found", Detection, Person)


def best_box(found: Sequence[Found], box: Float[np.ndarray, "4"]) -> Found | None:
    """The one whose box fits best; None if everybody is somebody else."""
    best = pick_by_box([person.box_px for person in found], box)
    return None if best is None else found[best]


def choose_detection(found: list[Detection], sample: CropSample) -> Detection:
    """Whom stage 1 is asked about in a synthetic crop."""
    height, width = sample.image.shape[:2]
    return detection_at(found, sample.people.box_px[0], (height, width))


def detection_at(
    found: list[Detection], box: Float[np.ndarray, "4"], size: tuple[int, int]
) -> Detection:
    """The found person whose box fits the target's best.

    The paper picks DensePose's instance in the same way (Appendix C). Where nobody fits, the
    target's box itself is the mark: a top-down method is given that.

    Args:
        found: people of a picture.
        box: the target's, x0, y0, x1, y1.
        size: (height, width) of the picture.
    """
    best = best_box(found, box)
    if best is not None:
        return best
    mark = np.zeros(size, bool)
    mark[box_pixels(box, size)] = True
    return mask_to_detection(0.0, mark)


class View(NamedTuple):
    """A person's crop as stage 2 gets it."""

    person: Detection
    crop: Crop
    picture: UInt8[np.ndarray, "S S 3"]
    lens: Lens
    features: CropFeatures
    iuv: Iuv
    """The one that is used."""
    true_iuv: Iuv


@torch.inference_mode()
def view_of(sample: CropSample, stage1: Stage1, kind: str) -> View:
    """What stage 2 gets to see of a test person, with the true IUV ("gt") or stage 1's.

    The sample is a picture like any other: people are found on it and cropped as in `predict`.
    With the true IUV the crop is that of the true visible pixels.
    """
    side = sample.image.shape[0]
    truth = resize_iuv(sample.iuv, (side, side))
    person = (
        mask_to_detection(1.0, truth.mask)
        if kind == "gt"
        else choose_detection(stage1.find_people(sample.image), sample)
    )
    crop = stage1.refine_crop(person)
    picture = crop_picture(sample.image, crop)
    features = stage1.see(sample.image, person, crop)
    true_iuv = crop_iuv(truth, crop)
    iuv = true_iuv if kind == "gt" else stage1.refine(features)
    lens = crop_lens(default_camera(side, side), crop)
    return View(person, crop, picture, lens, features, iuv, true_iuv)


def regress_view(view: View, stage2: Dimr) -> Regression:
    """Stage 2's answer."""
    return regress_crop(stage2, view.features, view.picture, view.iuv)


@torch.inference_mode()
def regress_crop(
    stage2: Dimr, features: CropFeatures, picture: UInt8[np.ndarray, "S S 3"], iuv: Iuv
) -> Regression:
    """Stage 2's answer about a crop that stage 1 has seen."""
    device = features.marker.device
    return stage2.regress_from(
        features.maps,
        torch.from_numpy(iuv.mask)[None].to(device),
        torch.from_numpy(iuv.uv)[None].to(device),
        picture_to_tensor(picture).to(device),
        features.pose,
    )


def _regress_other(view: View, stage2: Dimr, iuv: Iuv) -> Regression:
    """Stage 2's answer with another IUV of the same crop."""
    return regress_view(view._replace(iuv=iuv), stage2)


@torch.inference_mode()
def sample_errors(
    sample: CropSample,
    stage1: Stage1,
    stage2: Dimr,
    body: BodyModel,
    kinds: Sequence[str] = ("gt", "predicted"),
    refine: Refine | None = None,
) -> dict[str, PersonErrors]:
    """Errors of one test person, by kind of IUV (see `view_of`).

    `refine` takes the place of stage 2's plain answer (`dimr.predict.Model.refine`); with stage
    1's IUV it gets the landmark network's landmarks, too.
    """
    errors = {}
    for kind in kinds:
        view = view_of(sample, stage1, kind)
        regress = partial(_regress_other, view, stage2)
        if refine is None:
            regression = regress(view.iuv)
        else:
            pose = None if kind == "gt" else view.features.pose
            landmarks = None if pose is None else pose[0]
            regression = refine(regress, view.iuv, landmarks, view.lens)
        errors[kind] = _errors(
            sample, mask_iou(view.iuv.mask, view.true_iuv.mask), regression, body
        )
    return errors


def _errors(
    sample: CropSample, iou: float, regression: Regression, body: BodyModel
) -> PersonErrors:
    found = body(regression.rotmats, regression.betas)
    truth = body(torch.from_numpy(sample.rotmats)[None], torch.from_numpy(sample.betas)[None])
    errors = posed_errors(found, truth)
    return PersonErrors(
        sample.visible_share,
        -float(sample.rotmats[0, 2, 2]),
        float(errors.mpjpe_mm),
        float(errors.pa_mpjpe_mm),
        float(errors.pve_mm),
        iou,
    )


def group_means(errors: list[PersonErrors]) -> dict[str, tuple[int, PersonErrors]]:
    """Group -> (number of people, means of their errors); groups without people are left out."""
    rows = np.array(errors, dtype=np.float64).reshape(-1, len(PersonErrors._fields))
    means = {}
    for name, (field, low, high) in GROUPS.items():
        values = rows[:, PersonErrors._fields.index(field)]
        chosen = rows[(values >= low) & (values < high)]
        if len(chosen):
            means[name] = (len(chosen), PersonErrors(*chosen.mean(0).tolist()))
    return means


def blind_mpjpe_mm(joints_m: Float[Tensor, "N 24 3"]) -> float:
    """MPJPE of the best single answer to everybody: what a method without eyes gets."""
    relative = joints_m - joints_m[:, :1]
    return float(mpjpe_mm(relative.mean(0, keepdim=True).expand_as(relative), relative).mean())

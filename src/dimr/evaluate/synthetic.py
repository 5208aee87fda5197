"""Errors on held-out synthetic people, with the true IUV and with stage 1's own.

First version of SynthOcc: the generator's test samples, grouped by how much of the person can be
seen. `dimr eval SYNTH` prints the table.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.model import BodyModel
from dimr.data.synthetic.people import CropSample
from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm
from dimr.types import Iuv, Regression

GROUPS = {
    "all": (0.0, 1.01),
    "visible >= 90 %": (0.9, 1.01),
    "visible 50-90 %": (0.5, 0.9),
    "visible < 50 %": (0.0, 0.5),
}


class PersonErrors(NamedTuple):
    """Errors of one sample."""

    visible_share: float
    mpjpe_mm: float
    pa_mpjpe_mm: float
    mask_iou: float
    """Of the IUV that was used, against the true visible mask."""


def mask_iou(mask: np.ndarray, target: np.ndarray) -> float:
    """Intersection over union; 1 if both are empty."""
    union = (mask | target).sum()
    return float((mask & target).sum() / union) if union else 1.0


def sample_errors(
    sample: CropSample,
    iuv: Iuv,
    regress: Callable[[CropSample, Iuv], Regression],
    body: BodyModel,
) -> PersonErrors:
    """Errors of stage 2 on one crop, given an IUV."""
    regression = regress(sample, iuv)
    joints = body.joints(regression.rotmats, regression.betas).cpu()
    target = torch.from_numpy(sample.joints_m)[None].float()
    return PersonErrors(
        sample.visible_share,
        float(mpjpe_mm(joints, target)),
        float(pa_mpjpe_mm(joints, target)),
        mask_iou(iuv.mask, sample.iuv.mask),
    )


def group_means(errors: list[PersonErrors]) -> dict[str, tuple[int, Float[np.ndarray, "3"]]]:
    """Group -> (number of people, mean MPJPE, PA-MPJPE in mm and mask IoU)."""
    rows = np.array(errors, dtype=np.float64).reshape(-1, 4)
    means = {}
    for name, (low, high) in GROUPS.items():
        chosen = rows[(rows[:, 0] >= low) & (rows[:, 0] < high), 1:]
        if len(chosen):
            means[name] = (len(chosen), chosen.mean(0))
    return means


def mean_pose_errors(samples: list[CropSample], mean_joints_m: Float[Tensor, "24 3"]) -> float:
    """MPJPE (mm) of answering with one fixed pose: what a blind method would get."""
    targets = torch.from_numpy(np.stack([sample.joints_m for sample in samples])).float()
    return float(mpjpe_mm(mean_joints_m.expand_as(targets), targets).mean())

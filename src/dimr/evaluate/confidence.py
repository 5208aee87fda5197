"""Does stage 2 know how wrong it is? Expected against actual errors of joints (`CONFIDENCE`).

Stage 2 says of each joint how far from the truth it expects it to be: the mean of an exponential
distribution (`dimr.train.losses.uncertainty_loss`). The actual error is the distance after moving
both bodies to their pelvis, as in MPJPE; the pelvis itself has none and is left out.
docs/confidence.md explains the numbers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from dimr.body.model import BodyModel
from dimr.data.synthetic.people import CropSample
from dimr.evaluate.errors import MM_PER_M
from dimr.evaluate.robust import joints_in_sight
from dimr.types import Regression

LEVELS = (0.5, 0.8, 0.95)
"""Shares of the errors that should lie below these quantiles of their distributions."""
NUM_BINS = 10
"""Of the reliability table."""


class JointErrors(NamedTuple):
    """Of the joints but the pelvis, of one or more people."""

    expected_mm: Float[np.ndarray, "J"]
    actual_mm: Float[np.ndarray, "J"]
    seen: Bool[np.ndarray, "J"]
    """As in `dimr.evaluate.robust.joints_in_sight`."""


class ReliabilityBin(NamedTuple):
    """Joints of similar expected error."""

    joints: int
    expected_mm: float
    actual_mm: float


class Calibration(NamedTuple):
    """How well expected errors fit actual ones."""

    joints: int
    expected_mm: float
    actual_mm: float
    ratio: float
    """Mean actual over mean expected: above 1 stage 2 is too sure of itself."""
    spearman: float | None
    """Rank correlation of the two over joints; None if all of one are equal."""
    ece_mm: float
    """Expected calibration error: mean over bins, weighted by joints, of |expected - actual|."""
    coverage: dict[float, float]
    """Level -> share of the actual errors below that quantile of their own distribution."""
    bins: list[ReliabilityBin]
    """From the smallest expected error to the largest, as many joints in each."""


def joint_errors(sample: CropSample, regression: Regression, body: BodyModel) -> JointErrors:
    """Expected and actual errors of one person.

    Raises:
        ValueError: if the weights say nothing of errors.
    """
    if regression.joint_error_m is None:
        raise ValueError("joint_error_m: got None, want weights that say how wrong they may be")
    joints_m = body(regression.rotmats, regression.betas).joints_m[0].numpy()
    gap_m = (joints_m - joints_m[0]) - (sample.joints_m - sample.joints_m[0])
    return JointErrors(
        regression.joint_error_m[0, 1:].numpy() * MM_PER_M,
        np.linalg.norm(gap_m[1:], axis=1) * MM_PER_M,
        joints_in_sight(sample)[1:],
    )


def calibration(
    expected_mm: Float[np.ndarray, "J"], actual_mm: Float[np.ndarray, "J"]
) -> Calibration:
    """Compares the expected errors of at least one joint with the actual ones."""
    order = np.argsort(expected_mm, kind="stable")
    bins = [
        ReliabilityBin(len(part), float(expected_mm[part].mean()), float(actual_mm[part].mean()))
        for part in np.array_split(order, min(NUM_BINS, len(order)))
    ]
    expected, actual = float(expected_mm.mean()), float(actual_mm.mean())
    gaps = [one.joints * abs(one.expected_mm - one.actual_mm) for one in bins]
    return Calibration(
        len(order),
        expected,
        actual,
        actual / expected,
        _spearman(expected_mm, actual_mm),
        sum(gaps) / len(order),
        # the quantile q of an exponential distribution is -mean log(1 - q)
        {q: float((actual_mm < -expected_mm * math.log(1 - q)).mean()) for q in LEVELS},
        bins,
    )


def calibrations(people: Sequence[JointErrors]) -> dict[str, Calibration]:
    """Over all joints ("all"), those in sight ("seen") and the others ("hidden").

    Groups without joints are left out.
    """
    if not people:
        return {}
    expected, actual, seen = (np.concatenate(each) for each in zip(*people, strict=True))
    groups = {"all": np.ones_like(seen), "seen": seen, "hidden": ~seen}
    return {
        name: calibration(expected[chosen], actual[chosen])
        for name, chosen in groups.items()
        if chosen.any()
    }


def _spearman(one: Float[np.ndarray, "J"], other: Float[np.ndarray, "J"]) -> float | None:
    ranks = np.stack([rankdata(one), rankdata(other)])
    if (ranks == ranks[:, :1]).all(1).any():
        return None
    return float(np.corrcoef(ranks)[0, 1])

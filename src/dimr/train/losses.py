"""Losses of stage 2 (paper Sec. 3.4 and 3.5, Eq. 3-5).

    L = 1 L_SMPL + 5 L_3D + 5 L_2D + 1 L_sim                      (Eq. 4)

The paper leaves open which norms Eq. 5 means and how theta and beta are weighed within L_SMPL; we
take what SPIN and PARE do, whose ratio of weights it shares: mean squares, theta as rotation
matrices, beta at 0.001. Every label may be missing: each term is a mean over the crops (or joints)
weighed by how far they are labelled, and zero where nothing is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from dimr.body.camera import project_weak
from dimr.types import Regression

JointsOf = Callable[[Float[Tensor, "B 24 3 3"], Float[Tensor, "B 10"]], Float[Tensor, "B J 3"]]
"""Rotation matrices and betas -> joints in camera axes (metres), root joint first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossWeights:
    """The lambdas of Eq. 4 and what the paper leaves open."""

    smpl: float = 1.0
    """lambda_SMPL, on rotation matrices."""
    joints_3d: float = 5.0
    """lambda_3D."""
    joints_2d: float = 5.0
    """lambda_2D."""
    similarity: float = 1.0
    """lambda_sim."""
    betas: float = 0.001
    """beta against theta within L_SMPL (SPIN)."""
    camera: float = 1.0
    """Guard against a camera that turns the person over (SPIN); not in the paper."""
    uncertainty: float = 0.1
    """Of a head that says how far off it may be; not in the paper."""
    norm: str = "mse"
    """Of all terms of Eq. 5: "mse" or "l1"."""

    def __post_init__(self) -> None:
        if self.norm not in ("mse", "l1"):
            raise ValueError(f"norm: got {self.norm!r}, want 'mse' or 'l1'")


class Target(NamedTuple):
    """What is known about a batch of crops.

    Weights are 0 where a label is missing; any finite number may stand in its place.
    """

    rotmats: Float[Tensor, "B 24 3 3"]
    """theta; the root maps the body frame to camera axes."""
    betas: Float[Tensor, "B 10"]
    joints_m: Float[Tensor, "B J 3"]
    """In camera axes; the origin does not matter, the root joint comes first."""
    joints_norm: Float[Tensor, "B J 2"]
    """The same joints in crop-normalised coordinates."""
    weight_smpl: Float[Tensor, "B"]
    weight_3d: Float[Tensor, "B J"]
    weight_2d: Float[Tensor, "B J"]


class Losses(NamedTuple):
    """The total, and its terms before their lambdas."""

    total: Float[Tensor, ""]
    smpl: Float[Tensor, ""]
    joints_3d: Float[Tensor, ""]
    joints_2d: Float[Tensor, ""]
    camera: Float[Tensor, ""]
    uncertainty: Float[Tensor, ""]
    similarity: Float[Tensor, ""]


def weighted_mean(errors: Tensor, weight: Tensor) -> Float[Tensor, ""]:
    """Mean of `errors`, where `weight` spans its first dimensions; 0 if all weights are."""
    errors = errors.flatten(weight.ndim).mean(-1) if errors.ndim > weight.ndim else errors
    return (errors * weight).sum() / weight.sum().clamp(min=1e-6)


def similarity_loss(
    clean_parts: Float[Tensor, "B P C"], occluded_parts: Float[Tensor, "B P C"]
) -> Float[Tensor, ""]:
    """L_sim (Eq. 3): one minus the mean cosine between the part features of clean and occluded.

    Differs from the paper: Eq. 3 prints the mean cosine itself, whose descent would drive the two
    apart. The clean features supervise the occluded ones, so no gradient reaches the clean branch.
    """
    return 1 - F.cosine_similarity(occluded_parts, clean_parts.detach(), dim=-1).mean()


def uncertainty_loss(
    expected_m: Float[Tensor, "B J"],
    joints_m: Float[Tensor, "B K 3"],
    target_m: Float[Tensor, "B K 3"],
    weight: Float[Tensor, "B K"],
) -> Float[Tensor, ""]:
    """Mean of log b + e / b, for the expected error b and the actual one e of the first J joints.

    This is how unlikely e is under an exponential distribution of mean b: least where b is the
    mean of e. Roots are aligned; the joints themselves learn nothing from it.
    """
    relative, wanted = joints_m - joints_m[:, :1], target_m - target_m[:, :1]
    count = expected_m.shape[1]
    actual = (relative - wanted).detach().norm(dim=-1)[:, :count]
    return weighted_mean(expected_m.log() + actual / expected_m, weight[:, :count])


def stage2_losses(
    regression: Regression,
    target: Target,
    joints_of: JointsOf,
    weights: LossWeights | None = None,
) -> Losses:
    """L without its last term (Eq. 4, 5), with the camera guard.

    L_3D compares joints relative to the root (joint 0), L_2D their weak-perspective projections in
    crop-normalised coordinates: J_2D = s Pi(J) + t.
    """
    weights = weights or LossWeights()
    difference = F.mse_loss if weights.norm == "mse" else F.l1_loss
    joints = joints_of(regression.rotmats, regression.betas)

    theta = difference(regression.rotmats, target.rotmats, reduction="none")
    betas = difference(regression.betas, target.betas, reduction="none")
    smpl = weighted_mean(theta, target.weight_smpl)
    smpl = smpl + weights.betas * weighted_mean(betas, target.weight_smpl)

    relative = joints - joints[:, :1]
    wanted = target.joints_m - target.joints_m[:, :1]
    joints_3d = weighted_mean(difference(relative, wanted, reduction="none"), target.weight_3d)

    projected = project_weak(joints, regression.camera)
    joints_2d = weighted_mean(
        difference(projected, target.joints_norm, reduction="none"), target.weight_2d
    )

    # nothing for any person in view, huge for a scale below zero
    camera = torch.exp(-10 * regression.camera[:, 0]).square().mean()

    uncertainty = joints_3d.new_zeros(())
    if regression.joint_error_m is not None:
        uncertainty = uncertainty_loss(
            regression.joint_error_m, joints, target.joints_m, target.weight_3d
        )

    total = (
        weights.smpl * smpl
        + weights.joints_3d * joints_3d
        + weights.joints_2d * joints_2d
        + weights.camera * camera
        + weights.uncertainty * uncertainty
    )
    none = torch.zeros_like(total)
    return Losses(total, smpl, joints_3d, joints_2d, camera, uncertainty, none)


def parallel_inpainting_loss(
    clean: Regression,
    occluded: Regression,
    target: Target,
    joints_of: JointsOf,
    weights: LossWeights | None = None,
) -> Losses:
    """L (Eq. 4) of parallel training: the same crops, clean and occluded, through one network.

    The supervised terms are means over both; L_sim ties the occluded branch to the clean one.
    """
    if clean.part_features is None or occluded.part_features is None:
        raise ValueError("part_features: got None, want a variant with part features")
    weights = weights or LossWeights()
    both = [stage2_losses(each, target, joints_of, weights) for each in (clean, occluded)]
    mean = Losses(*((first + second) / 2 for first, second in zip(*both, strict=True)))
    similarity = similarity_loss(clean.part_features, occluded.part_features)
    total = mean.total + weights.similarity * similarity
    return mean._replace(total=total, similarity=similarity)

"""What points of the body should lie on in the crop: pixels of an IUV, keypoints."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int
from torch import Tensor

from dimr.body.keypoints import KEYPOINT_NAMES
from dimr.body.model import BodyModel
from dimr.fit.geometry import Points, as_tensor, bone_points, vertex_points
from dimr.image.crop import crop_to_norm
from dimr.surface.atlas import Atlas
from dimr.types import Iuv, Regression

PIXELS_A_PART = 20
"""At most this many pixels of each of the 24 parts are used."""
PIXEL_SHARE = 0.2
"""Pixels of a part err together: five count as one."""
CONFIDENCE_POWER = 4
"""A pixel's weight is its confidence to this power."""
LEAST_NOISE = 0.015
"""Standard deviation of labels, and of pixels at least, crop-normalised (1.4 px of 192)."""
OUTLIER = 4.0
"""Geman-McClure scale in units of the noise."""


class Keypoints(NamedTuple):
    """Known places of joints in a crop, e.g. labels or another network's landmarks."""

    places_norm: Float[np.ndarray, "K 2"]
    """Crop-normalised."""
    weights: Float[np.ndarray, "K"]
    """0: not known, whatever its place; 1: a label; between: a network that may be wrong."""
    set_name: str = "smpl24"
    """`smpl24`, or one of `dimr.body.keypoints.KEYPOINT_NAMES` that the body has."""


class Term(NamedTuple):
    """Points, where they should be, and how much each one counts."""

    points: Points
    places: Float[Tensor, "N D"]
    """D = 2: crop-normalised. D = 3: metres, camera axes, from the mean that `origin` weights."""
    trust: Float[Tensor, "N"]
    noise: float
    """Standard deviation, in units of `places`."""
    kind: Literal["label", "pixel", "landmark"]
    """How errors are told: see `weights_of`."""
    origin: Float[Tensor, "N"] | None = None
    normals: Float[Tensor, "N 2"] | None = None
    """Places are lines: only the distance along these counts."""


def pixel_term(
    regression: Regression, iuv: Iuv, body: BodyModel, atlas: Atlas
) -> tuple[Term, Float32[np.ndarray, "24"]]:
    """Pixels of the IUV, and how well each part is seen, from 0 to 1."""
    rows, cols = np.nonzero(iuv.mask)
    face, bary = atlas.uv_to_surface(iuv.uv[rows, cols])
    chosen = choose_pixels(atlas.part_of_face[face])
    rows, cols, face, bary = rows[chosen], cols[chosen], face[chosen], bary[chosen]
    sure = np.ones(len(rows)) if iuv.confidence is None else iuv.confidence[rows, cols]
    trust = np.clip(sure, 0, 1) ** CONFIDENCE_POWER
    seen = np.bincount(atlas.part_of_face[face], weights=trust, minlength=24) / PIXELS_A_PART
    places = crop_to_norm(np.stack([cols, rows], axis=1), iuv.mask.shape[0])
    points = vertex_points(regression, body, atlas.faces[face], bary)
    trust = PIXEL_SHARE * trust
    return Term(points, as_tensor(places), as_tensor(trust), LEAST_NOISE, "pixel"), seen.astype(
        np.float32
    )


def choose_pixels(part: Int[np.ndarray, "N"]) -> Int[np.ndarray, "M"]:
    """At most PIXELS_A_PART of each part, spread evenly over those it has."""
    count, chosen = PIXELS_A_PART, []
    for own in (np.flatnonzero(part == each) for each in range(24)):
        chosen.append(own if len(own) <= count else own[evenly(len(own), count)])
    return np.concatenate(chosen)


def evenly(total: int, count: int) -> Int[np.ndarray, "M"]:
    """So many of the numbers below a total."""
    return ((np.arange(count) + 0.5) * (total / count)).astype(np.intp)


def keypoint_term(regression: Regression, keypoints: Keypoints, body: BodyModel) -> Term:
    """Labelled joints.

    Raises:
        ValueError: for wrong shapes, or places that are not finite though they count.
    """
    name = keypoints.set_name
    count = 24 if name == "smpl24" else len(KEYPOINT_NAMES.get(name, ()))
    shapes = keypoints.places_norm.shape, keypoints.weights.shape
    if shapes != ((count, 2), (count,)):
        raise ValueError(
            f"keypoints: got shapes {shapes}, want (K, 2) and (K,) with K = {count} of {name!r}"
        )
    if name == "smpl24":
        points = bone_points(body, np.arange(24), np.arange(24), np.zeros((24, 3)))
    else:
        regressor = body.keypoint_regressor(name)
        vertices = regressor.abs().topk(int((regressor != 0).sum(1).max()), dim=1).indices
        weights = regressor.gather(1, vertices)
        points = vertex_points(regression, body, vertices.cpu().numpy(), weights.cpu().numpy())
    known = keypoints.weights > 0
    if not np.isfinite(keypoints.places_norm[known]).all():
        raise ValueError("keypoints: got places that are not finite, want weight 0 for those")
    places = np.where(known[:, None], keypoints.places_norm, 0)
    trust = np.where(known, keypoints.weights, 0)
    return Term(points, as_tensor(places), as_tensor(trust), LEAST_NOISE, "label")


def weights_of(
    residual: Float[Tensor, "N D"], term: Term, outlier: float = OUTLIER
) -> Float[Tensor, "N"]:
    """Of least squares: trust / noise^2, less for outliers (Geman and McClure 1985).

    A landmark is an outlier by its own noise, the term's over the root of its trust. Labels may be
    far from the body though all of them are right, so theirs and those of pixels are told by the
    median distance of what is trusted. Of pixels that median is the noise, too; and where it is
    large, errors are common to a limb or to the person (somebody else's pixels, front for back),
    so that many pixels say little more than one: hence the third power.
    """
    spread = residual.new_tensor(term.noise)
    if term.kind != "landmark":
        distance, order = residual.norm(dim=1).sort()
        below = term.trust[order].cumsum(0)
        median = distance[int((below < below[-1] / 2).sum().clamp(max=len(below) - 1))]
        spread = median.clamp(min=term.noise)
    scale = outlier if term.kind == "landmark" else OUTLIER
    outlying = (residual**2).sum(1) / (scale * spread) ** 2
    if term.kind == "landmark":
        outlying = term.trust * outlying
    weight = term.trust / (term.noise * (1 + outlying)) ** 2
    return weight * (term.noise / spread) ** 3 if term.kind == "pixel" else weight

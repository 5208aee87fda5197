"""A few Gauss-Newton steps that lay stage 2's body on what was seen.

Each visible pixel of an IUV names a point of the surface, whose projection through the picture's
lens should fall on the pixel's centre; landmarks say where joints are. What is sought is the
most probable body near stage 2's answer: turns are as likely as such answers tend to be wrong by
them (`dimr.fit.prior`), less so where a part is hidden, and the noise of the pixels is measured
on the residuals themselves, so that an IUV that contradicts itself or the body moves it little.
docs/refine.md has the measurements behind the constants.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dimr.body.camera import WEAK, Lens
from dimr.body.model import BodyModel
from dimr.body.rotation import rotmat_to_axis_angle
from dimr.fit.geometry import (
    Skeleton,
    State,
    advance,
    descendants,
    pose_points,
    pose_skeleton,
    project_points,
)
from dimr.fit.landmarks import MOSTLY_SEEN, landmark_terms, limbs_seen
from dimr.fit.prior import turn_precision
from dimr.fit.rim import rim_of, rim_term
from dimr.fit.terms import OUTLIER, Keypoints, Term, keypoint_term, pixel_term, weights_of
from dimr.surface.atlas import Atlas
from dimr.types import Iuv, Regression

STEPS = 12
RIM_STEPS = (4, 6, 8, 10)
"""Before these steps, counted from 0, rims are compared; what pulls then, pulls until the next."""
BETAS_STD, LOG_SCALE_STD, SHIFT_STD = 2.0, 0.1, 0.1
"""Prior deviations of the betas, of the camera's scale (relative) and shift (crop-normalised)."""
FIRST_OUTLIER = 16.0
"""Of landmarks in the first step, if they see most of somebody; it falls to OUTLIER in the last.
Of people in rare poses stage 2 is so far off that right landmarks look like wrong ones until the
body has come nearer."""


@torch.no_grad()
def fit_to_iuv(
    regression: Regression,
    iuv: Iuv,
    body: BodyModel,
    atlas: Atlas,
    keypoints: Keypoints | None = None,
    landmarks: Float[Tensor, "L 10"] | None = None,
    lens: Lens = WEAK,
    rims: bool = False,
) -> Regression:
    """Stage 2's answer about one person, laid on the IUV, on keypoints and on landmarks.

    Runs on the CPU, deterministic; the result is on the regression's device. Pose correctives
    stay those of stage 2's pose. Without a pixel, a keypoint or a landmark that counts, or where
    steps lead nowhere, the answer comes back as it is.

    Args:
        regression: of one crop (B = 1); theta, beta and the camera of the crop.
        iuv: of the same crop, square, at any resolution; confidences count where there are any.
        body: whose parameters these are.
        atlas: the map of that body.
        keypoints: further places, in the same crop's normalised coordinates.
        landmarks: what the landmark network says of the crop, as `look_at_pose` of
            `dimr.correspondence.landmarks` gives it.
        lens: of the crop, through which the regression's camera is, before and after.
        rims: whether the body's rim should lie on that of the mask, too (`dimr.fit.rim`).

    Raises:
        ValueError: for a batch, a crop that is not square, or keypoints or landmarks of wrong
            shapes or without a place.
    """
    if len(regression.rotmats) != 1:
        raise ValueError(f"regression: got {len(regression.rotmats)} people, want 1")
    height, width = iuv.mask.shape
    if height != width:
        raise ValueError(f"iuv: got {height} x {width} pixels, want a square crop")
    rotmats, betas, camera = (each[0].cpu().float() for each in regression[:3])
    start = State(rotmats, betas, torch.zeros(1), camera[1:])
    pixels, seen = pixel_term(regression, iuv, body, atlas)
    joints, descends = [], descendants(body.parents)
    if keypoints is not None:
        joints.append(keypoint_term(regression, keypoints, body))
    if landmarks is not None:
        joints += landmark_terms(landmarks, body)
    for term in joints:
        moves = descends @ term.points.share.T  # [24, K]: of a keypoint by a joint's turn
        seen = np.maximum(seen, (moves * term.trust).amax(1).numpy())
    terms = [term for term in (pixels, *joints) if term.trust.any()]
    if not terms or not all(each.isfinite().all() for each in (rotmats, betas, camera)):
        return regression  # numbers that are not finite are reported where people are placed
    skeleton = body.joints_template.cpu(), body.joints_shapedirs.cpu(), body.parents
    known = limbs_seen(landmarks) >= MOSTLY_SEEN
    turn_prior = turn_precision(seen, known or landmarks is None)
    other_prior = 1 / _other_std() ** 2
    state, rim = start, None
    first_outlier = FIRST_OUTLIER if known else OUTLIER
    wanted = rim_of(iuv.mask, lens) if rims else None
    for number in range(STEPS):
        if wanted is not None and number in RIM_STEPS:
            now = _as_it_is(regression, state)
            rim = rim_term(now, wanted, iuv.mask.shape, body, atlas, lens, seen)
        posed = pose_skeleton(state, *skeleton)
        turned = rotmat_to_axis_angle(start.rotmats.mT @ state.rotmats)
        moved = torch.cat(
            [state.betas - start.betas, state.zoom, state.shift_norm - start.shift_norm]
        )
        to_camera = torch.block_diag(*posed.turns).double()
        curvature = torch.block_diag(to_camera @ turn_prior @ to_camera.T, torch.diag(other_prior))
        gradient = torch.cat(
            [to_camera @ turn_prior @ turned.flatten().double(), other_prior * moved.double()]
        )
        outlier = first_outlier * (OUTLIER / first_outlier) ** (number / (STEPS - 1))
        for term in terms if rim is None else [*terms, rim]:
            residual, jacobian = linearise(term, state, posed, camera[0], descends, lens)
            weight = weights_of(residual, term, outlier)
            weighted = (jacobian * weight[:, None, None]).flatten(0, 1).double()
            curvature += jacobian.flatten(0, 1).double().T @ weighted
            gradient += weighted.T @ residual.flatten().double()
        step = -torch.linalg.solve(curvature, gradient).float()
        state = advance(state, posed.turns, step)
    fitted = _as_it_is(regression, state)
    return fitted if all(each.isfinite().all() for each in fitted[:3]) else regression


def _as_it_is(regression: Regression, state: State) -> Regression:
    """The answer with what is sought in its place."""
    scale = regression.camera[0, :1].cpu().float() * state.zoom.exp()
    camera = torch.cat([scale, state.shift_norm])
    rotmats, betas, camera = (
        each[None].to(regression.rotmats.device) for each in (state.rotmats, state.betas, camera)
    )
    return regression._replace(rotmats=rotmats, betas=betas, camera=camera)


def _other_std() -> Float[Tensor, "13"]:
    """Of betas, zoom and shift."""
    return torch.tensor([BETAS_STD] * 10 + [LOG_SCALE_STD] + [SHIFT_STD] * 2).double()


def linearise(
    term: Term,
    state: State,
    posed: Skeleton,
    scale: Float[Tensor, ""],
    descends: Float[Tensor, "24 24"],
    lens: Lens,
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "N D 85"]]:
    """Where points are less where they should be, and its derivative by a step."""
    place, jacobian = pose_points(term.points, state, posed, descends)
    if term.origin is not None:
        place = place - term.origin @ place
        jacobian = jacobian - (term.origin @ jacobian.flatten(1)).view(3, -1)
    else:
        place, jacobian = project_points(place, jacobian, state, scale, lens)
    residual = place - term.places
    if term.normals is None:
        return residual, jacobian
    across = (residual * term.normals).sum(1, keepdim=True)
    return across, torch.einsum("nd,ndk->nk", term.normals, jacobian)[:, None]

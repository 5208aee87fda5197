"""Refinement at test time: a few Gauss-Newton steps that lay stage 2's body on what was seen.

Each visible pixel of an IUV names a point of the surface, whose projection through the crop's
camera should fall on the pixel's centre. What is sought is the most probable body near stage 2's
answer: two-dimensional places speak for a turn in the picture plane more than for one in depth,
joints whose parts are hidden stay where stage 2 put them relative to their parents, and the noise
of the places is measured on the residuals themselves, so that an IUV that contradicts itself or
the body moves it little. docs/refine.md has the measurements behind the constants.

Turns are parametrised in camera axes about the posed joints; under linear blend skinning the
derivative of a point by the turn of a joint is then a cross product, and no autograd is needed.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from dimr.body.keypoints import KEYPOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat, rotmat_to_axis_angle
from dimr.body.skinning import forward_kinematics
from dimr.image.crop import crop_to_norm
from dimr.surface.atlas import Atlas
from dimr.types import Iuv, Regression

STEPS = 6
PIXELS_A_PART = 20
"""At most this many pixels of each of the 24 parts are used."""
PIXEL_SHARE = 0.2
"""Pixels of a part err together: five count as one."""
CONFIDENCE_POWER = 4
"""A pixel's weight is its confidence to this power."""
LEAST_NOISE = 0.02
"""Standard deviation of the places that is assumed at least, crop-normalised (1.9 px of 192)."""
OUTLIER = 4.0
"""Geman-McClure scale in units of the noise."""

JOINT_RAD, TRUNK_RAD = 0.4, 0.1
"""Prior standard deviation of a joint's turn in depth, of limbs and of the trunk and root."""
TRUNK = (0, 3, 6, 9, 12, 13, 14)
IN_PLANE = 2.0
"""A turn in the picture plane may be this many times larger."""
UNSEEN = 0.1
"""Factor of the deviation for a joint whose part is hidden; 1 where PIXELS_A_PART are seen, or
where a keypoint that is sure moves with the joint."""
BETAS_STD, LOG_SCALE_STD, SHIFT_STD = 1.0, 0.1, 0.1
"""Prior deviations of the betas, of the camera's scale (relative) and shift (crop-normalised)."""


class Keypoints(NamedTuple):
    """Known places of joints in a crop, e.g. labels or another network's landmarks."""

    places_norm: Float[np.ndarray, "K 2"]
    """Crop-normalised."""
    weights: Float[np.ndarray, "K"]
    """0: not known, whatever its place; 1: a label; between: a network that may be wrong."""
    set_name: str = "smpl24"
    """`smpl24`, or one of `dimr.body.keypoints.KEYPOINT_NAMES` that the body has."""


class _Points(NamedTuple):
    """Points that follow the bones: sum_k turn_k (rest_k + shape_k beta) + share_k shift_k."""

    rest: Float[Tensor, "N 24 3"]
    shape: Float[Tensor, "N 24 3 10"]
    share: Float[Tensor, "N 24"]


class _Term(NamedTuple):
    """Points, where they should be seen (crop-normalised), and how much each one counts."""

    points: _Points
    places_norm: Float[Tensor, "N 2"]
    trust: Float[Tensor, "N"]
    labelled: bool
    """The places are right but for the least noise; else how right is seen on the residuals."""


class _State(NamedTuple):
    """What is sought; zoom is the logarithm of the scale relative to stage 2's."""

    rotmats: Float[Tensor, "24 3 3"]
    betas: Float[Tensor, "10"]
    zoom: Float[Tensor, "1"]
    shift_norm: Float[Tensor, "2"]


class _Skeleton(NamedTuple):
    """A posed skeleton and its derivatives by beta."""

    joints_m: Float[Tensor, "24 3"]
    turns: Float[Tensor, "24 3 3"]
    shifts_m: Float[Tensor, "24 3"]
    shifts_by_beta: Float[Tensor, "10 24 3"]


@torch.no_grad()
def fit_to_iuv(
    regression: Regression,
    iuv: Iuv,
    body: BodyModel,
    atlas: Atlas,
    keypoints: Keypoints | None = None,
) -> Regression:
    """Stage 2's answer about one person, laid on the IUV and on keypoints.

    Runs on the CPU, deterministic; the result is on the regression's device. Pose correctives
    stay those of stage 2's pose. Without a pixel and without a keypoint that counts, the answer
    comes back as it is.

    Args:
        regression: of one crop (B = 1); theta, beta and the weak-perspective camera of the crop.
        iuv: of the same crop, square, at any resolution; confidences count where there are any.
        body: whose parameters these are.
        atlas: the map of that body.
        keypoints: further places, in the same crop's normalised coordinates.

    Raises:
        ValueError: for a batch, a crop that is not square, or keypoints of wrong shapes or without
            a place.
    """
    if len(regression.rotmats) != 1:
        raise ValueError(f"regression: got {len(regression.rotmats)} people, want 1")
    height, width = iuv.mask.shape
    if height != width:
        raise ValueError(f"iuv: got {height} x {width} pixels, want a square crop")
    rotmats, betas, camera = (each[0].cpu().float() for each in regression[:3])
    start = _State(rotmats, betas, torch.zeros(1), camera[1:])
    pixels, seen = _pixel_term(regression, iuv, body, atlas)
    terms, descends = [pixels], _descendants(body.parents)
    if keypoints is not None:
        terms.append(_keypoint_term(regression, keypoints, body))
        moves = descends @ terms[1].points.share.T  # [24, K]: of a keypoint by a joint's turn
        seen = np.maximum(seen, (moves * terms[1].trust).amax(1).numpy())
    terms = [term for term in terms if term.trust.any()]
    if not terms or not all(each.isfinite().all() for each in (rotmats, betas, camera)):
        return regression  # numbers that are not finite are reported where people are placed
    skeleton = body.joints_template.cpu(), body.joints_shapedirs.cpu(), body.parents
    state, precision = start, 1 / _prior_std(seen) ** 2
    for _ in range(STEPS):
        posed = _pose(state, *skeleton)
        turned = rotmat_to_axis_angle(start.rotmats.mT @ state.rotmats)
        moved = torch.cat(
            [
                (posed.turns @ turned[..., None]).flatten(),
                state.betas - start.betas,
                state.zoom,
                state.shift_norm - start.shift_norm,
            ]
        ).double()
        curvature, gradient = torch.diag(precision), precision * moved
        for term in terms:
            residual, jacobian = _linearise(term, state, posed, camera[0], descends)
            weight = _weights(residual, term)
            weighted = (jacobian * weight[:, None, None]).flatten(0, 1).double()
            curvature += jacobian.flatten(0, 1).double().T @ weighted
            gradient += weighted.T @ residual.flatten().double()
        step = -torch.linalg.solve(curvature, gradient).float()
        state = _advance(state, posed.turns, step)
    fitted = (
        state.rotmats,
        state.betas,
        torch.cat([camera[:1] * state.zoom.exp(), state.shift_norm]),
    )
    rotmats, betas, camera = (each[None].to(regression.rotmats.device) for each in fitted)
    return regression._replace(rotmats=rotmats, betas=betas, camera=camera)


def _choose_pixels(part: Int[np.ndarray, "N"], count: int = PIXELS_A_PART) -> Int[np.ndarray, "M"]:
    """At most `count` pixels of each part, spread evenly over those it has."""
    chosen = []
    for own in (np.flatnonzero(part == each) for each in range(24)):
        picks = (np.arange(count) + 0.5) * (len(own) / count)
        chosen.append(own if len(own) <= count else own[picks.astype(np.intp)])
    return np.concatenate(chosen)


def _pixel_term(
    regression: Regression, iuv: Iuv, body: BodyModel, atlas: Atlas
) -> tuple[_Term, Float32[np.ndarray, "24"]]:
    """Pixels of the IUV, and how well each part is seen, from 0 to 1."""
    rows, cols = np.nonzero(iuv.mask)
    face, bary = atlas.uv_to_surface(iuv.uv[rows, cols])
    chosen = _choose_pixels(atlas.part_of_face[face])
    rows, cols, face, bary = rows[chosen], cols[chosen], face[chosen], bary[chosen]
    sure = np.ones(len(rows)) if iuv.confidence is None else iuv.confidence[rows, cols]
    trust = np.clip(sure, 0, 1) ** CONFIDENCE_POWER
    seen = np.bincount(atlas.part_of_face[face], weights=trust, minlength=24) / PIXELS_A_PART
    places = crop_to_norm(np.stack([cols, rows], axis=1), iuv.mask.shape[0])
    points = _vertex_points(regression, body, atlas.faces[face], bary)
    trust = PIXEL_SHARE * trust
    return _Term(points, _tensor(places), _tensor(trust), False), seen.astype(np.float32)


def _keypoint_term(regression: Regression, keypoints: Keypoints, body: BodyModel) -> _Term:
    name = keypoints.set_name
    count = 24 if name == "smpl24" else len(KEYPOINT_NAMES.get(name, ()))
    shapes = keypoints.places_norm.shape, keypoints.weights.shape
    if shapes != ((count, 2), (count,)):
        raise ValueError(
            f"keypoints: got shapes {shapes}, want (K, 2) and (K,) with K = {count} of {name!r}"
        )
    if name == "smpl24":
        own = torch.eye(24)[..., None]
        rest, shape = body.joints_template.cpu(), body.joints_shapedirs.cpu()
        points = _Points(own * rest, own[..., None] * shape[:, None], own[..., 0])
    else:
        regressor = body.keypoint_regressor(name)
        vertices = regressor.abs().topk(int((regressor != 0).sum(1).max()), dim=1).indices
        weights = regressor.gather(1, vertices)
        points = _vertex_points(regression, body, vertices.cpu().numpy(), weights.cpu().numpy())
    known = keypoints.weights > 0
    if not np.isfinite(keypoints.places_norm[known]).all():
        raise ValueError("keypoints: got places that are not finite, want weight 0 for those")
    places = np.where(known[:, None], keypoints.places_norm, 0)
    trust = np.where(known, keypoints.weights, 0)
    return _Term(points, _tensor(places), _tensor(trust), True)


def _vertex_points(
    regression: Regression,
    body: BodyModel,
    vertices: Int[np.ndarray, "N C"],
    weights: Float[np.ndarray, "N C"],
) -> _Points:
    """Weighted sums of vertices, with the pose correctives of the regression."""
    rest = body.vertices_rest(regression.rotmats, torch.zeros_like(regression.betas))[0]
    index = torch.from_numpy(vertices.astype(np.int64)).to(rest.device)
    skinning = (body.weights[index] * _tensor(weights).to(rest.device)[..., None]).cpu()
    return _Points(
        torch.einsum("nck,nci->nki", skinning, rest[index].cpu()),
        torch.einsum("nck,ncib->nkib", skinning, body.shapedirs[index].cpu()),
        skinning.sum(1),
    )


def _prior_std(seen: Float32[np.ndarray, "24"]) -> Float[Tensor, "85"]:
    """Deviation of turns (camera axes, joint by joint), betas, zoom and shift from stage 2's."""
    joint = np.full(24, JOINT_RAD)
    joint[list(TRUNK)] = TRUNK_RAD
    factor = np.maximum(np.sqrt(np.minimum(seen, 1)), UNSEEN)
    factor[0] = 1  # what turns the whole body is seen wherever anything is
    turns = (joint * factor)[:, None] * np.array([1, 1, IN_PLANE])
    others = [BETAS_STD] * 10 + [LOG_SCALE_STD] + [SHIFT_STD] * 2
    return torch.from_numpy(np.concatenate([turns.ravel(), others]))


def _descendants(parents: tuple[int, ...]) -> Float[Tensor, "24 24"]:
    """1 where the column's joint moves with the row's."""
    moves = torch.eye(len(parents))
    for joint in range(len(parents) - 1, 0, -1):
        moves[parents[joint]] += moves[joint]
    return moves


def _pose(
    state: _State,
    joints_template: Float[Tensor, "24 3"],
    joints_shapedirs: Float[Tensor, "24 3 10"],
    parents: tuple[int, ...],
) -> _Skeleton:
    """Joints and bones are linear in the rest joints, hence in beta: a batch of 1 + 10 bodies."""
    rest = (joints_template + joints_shapedirs @ state.betas)[None]
    bodies = torch.cat([rest, joints_shapedirs.permute(2, 0, 1)])
    joints, transforms = forward_kinematics(
        state.rotmats.expand(len(bodies), -1, -1, -1), bodies, parents
    )
    shifts = transforms[..., :3, 3]
    return _Skeleton(joints[0], transforms[0, :, :3, :3], shifts[0], shifts[1:])


def _linearise(
    term: _Term,
    state: _State,
    posed: _Skeleton,
    scale: Float[Tensor, ""],
    descends: Float[Tensor, "24 24"],
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N 2 85"]]:
    """Where points are seen less where they should be, and its derivative by a step.

    A step holds, for each joint, a turn in camera axes about the posed joint; then changes of
    beta, zoom and shift.
    """
    rest, shape, share = term.points
    scale = scale * state.zoom.exp()
    turned = torch.einsum("kij,nkj->nki", posed.turns, rest + shape @ state.betas)
    on_bone = turned + share[..., None] * posed.shifts_m  # [N, 24, 3]: bones' contributions
    moving = torch.einsum("jk,nki->nji", descends, on_bone)
    place_m = moving[:, 0]
    arm = moving - (share @ descends.T)[..., None] * posed.joints_m  # turns about each joint
    by_beta = torch.einsum("kij,nkjb->nib", posed.turns, shape) + torch.einsum(
        "nk,bki->nib", share, posed.shifts_by_beta
    )
    nothing = torch.zeros_like(arm[..., 0])
    x, y, z = arm.unbind(-1)
    by_turn = torch.stack(  # turn x arm
        [torch.stack([nothing, z, -y], dim=-1), torch.stack([-z, nothing, x], dim=-1)], dim=1
    )
    projected = scale * place_m[:, :2]
    by_shift = torch.eye(2).expand(len(projected), -1, -1)
    jacobian = torch.cat(
        [scale * by_turn.flatten(2), scale * by_beta[:, :2], projected[..., None], by_shift],
        dim=2,
    )
    return projected + state.shift_norm - term.places_norm, jacobian


def _weights(residual: Float[Tensor, "N 2"], term: _Term) -> Float[Tensor, "N"]:
    """Of least squares: trust / noise^2, less for outliers (Geman and McClure 1985).

    Outliers are told by the median distance of what is trusted. Where places are no labels that
    median is their noise, too; and where it is large, errors are common to a limb or to the person
    (somebody else's pixels, front for back), so that many pixels say little more than one: hence
    the third power.
    """
    distance, order = residual.norm(dim=1).sort()
    below = term.trust[order].cumsum(0)
    median = distance[int((below < below[-1] / 2).sum().clamp(max=len(below) - 1))]
    noise = median.clamp(min=LEAST_NOISE)
    outlying = (residual**2).sum(1) / (OUTLIER * noise) ** 2
    weight = term.trust / (LEAST_NOISE * (1 + outlying)) ** 2
    return weight if term.labelled else weight * (LEAST_NOISE / noise) ** 3


def _advance(state: _State, turns: Float[Tensor, "24 3 3"], step: Float[Tensor, "85"]) -> _State:
    """Turns in camera axes become turns in each joint's own axes."""
    own = (turns.mT @ step[:72].view(24, 3, 1))[..., 0]
    return _State(
        state.rotmats @ axis_angle_to_rotmat(own),
        state.betas + step[72:82],
        state.zoom + step[82:83],
        state.shift_norm + step[83:],
    )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))

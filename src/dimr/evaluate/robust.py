"""Errors of stage 2 under damage to a true IUV, seen and completed joints apart (`ROBUST`).

The samples are SynthOcc's, the IUV is the true one: so all error is stage 2's, and damage comes in
known doses. A joint counts as *seen* if at least half of the pixels of one of the DensePose parts
that it carries (`dimr.surface.parts.DENSEPOSE_BACK_FRONT`) are in sight; parts that face away, lie
outside of the picture or are covered are not. All other joints are *completed*. The pelvis, to
which both bodies are moved, has no error and belongs to neither group. What is seen and what is
hidden follows the sample, not the damage, so that the same joints are compared along a curve.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from dimr.body.model import BodyModel
from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import CropSample
from dimr.evaluate.errors import MM_PER_M
from dimr.evaluate.synthetic import View, view_of
from dimr.image.crop import picture_to_tensor
from dimr.network.dimr import Dimr
from dimr.surface.iuv import crop_iuv, mask_iuv, resize_iuv
from dimr.surface.parts import DENSEPOSE_BACK_FRONT, NUM_PARTS
from dimr.types import Crop, Iuv, Regression

SEEN_SHARE = 0.5
"""Share of a part's pixels in sight from which the joint that carries it is seen."""
BLOCK_PX = 8
"""Side of the blocks, in pixels of the IUV, in which dropout and swaps come."""
HIDDEN_EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
"""Of the bins of the hidden share of the body."""


class Damage(NamedTuple):
    """What strengths of a damage are, and which are measured."""

    unit: str
    strengths: tuple[float, ...]
    none: float = 0.0
    """The strength that changes nothing."""


DAMAGES = {
    "dropout": Damage("share of the visible pixels, in blocks", (0.1, 0.25, 0.5, 0.75, 0.9)),
    "noise": Damage("standard deviation of u and v", (0.01, 0.02, 0.05, 0.1, 0.2)),
    "swaps": Damage("share of the visible pixels, in blocks", (0.05, 0.1, 0.25, 0.5, 1.0)),
    "leakage": Damage("share of the others' pixels, nearest first", (0.1, 0.25, 0.5, 1.0)),
    "erosion": Damage("pixels of the IUV", (1.0, 2.0, 4.0, 6.0)),
    "resolution": Damage("times coarser", (2.0, 4.0, 8.0, 16.0), none=1.0),
}


class Setting(NamedTuple):
    """A damage and its strength; `UNDAMAGED` is neither."""

    damage: str
    strength: float


UNDAMAGED = Setting("none", 0.0)


class SampleDistances(NamedTuple):
    """Of one person and one model."""

    hidden_share: float
    """Of the body: covered by something or outside of the picture."""
    seen: Bool[np.ndarray, "24"]
    distance_mm: dict[Setting, Float[np.ndarray, "24"]]
    """Of each joint, after moving both bodies to their pelvis."""


class JointMeans(NamedTuple):
    """Over some people; None where there is no joint of the kind."""

    people: int
    mpjpe_mm: float | None
    """Mean over people of the mean over 24 joints, as everywhere."""
    seen_mm: float | None
    """Mean over all seen joints of all people."""
    completed_mm: float | None
    """Mean over all completed joints of all people."""
    seen_joints: int
    completed_joints: int


def drop(iuv: Iuv, share: float, rng: np.random.Generator) -> Iuv:
    """Forgets a share of the visible pixels, block by block."""
    return mask_iuv(iuv, ~_blocks(iuv.mask, share, rng))


def add_noise(iuv: Iuv, std: float, rng: np.random.Generator) -> Iuv:
    """Moves every pixel on the map, each by itself, in units of the map's side."""
    moved = np.clip(iuv.uv + std * rng.standard_normal(iuv.uv.shape, np.float32), 0, 1)
    return Iuv(iuv.mask, np.where(iuv.mask[..., None], moved, np.float32(0)))


def swap_sides(iuv: Iuv, share: float, rng: np.random.Generator) -> Iuv:
    """Takes left for right (u -> 1 - u, the atlas is symmetric), block by block."""
    swapped = _blocks(iuv.mask, share, rng)
    uv = iuv.uv.copy()
    uv[swapped, 0] = 1 - uv[swapped, 0]
    return Iuv(iuv.mask, uv)


def leak(iuv: Iuv, others: Iuv, share: float) -> Iuv:
    """Adds a share of other people's pixels with their own uv, the nearest to the person first."""
    added = others.mask & ~iuv.mask
    gap = cv2.distanceTransform((~iuv.mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    added = _first(added, gap, share)
    uv = np.where(added[..., None], others.uv, iuv.uv)
    return Iuv(iuv.mask | added, uv)


def erode(iuv: Iuv, pixels: int) -> Iuv:
    """Takes pixels off the mask's border; the picture's border is none."""
    kept = cv2.erode(iuv.mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=pixels)
    return mask_iuv(iuv, kept > 0)


def coarsen(iuv: Iuv, factor: float) -> Iuv:
    """As if read off a picture `factor` times smaller: down and up again, nearest."""
    height, width = iuv.mask.shape
    small = max(1, round(height / factor)), max(1, round(width / factor))
    return resize_iuv(resize_iuv(iuv, small), (height, width))


def _blocks(
    mask: Bool[np.ndarray, "h w"], share: float, rng: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """A share of the mask's pixels, in whole blocks but for the last; more share adds to less."""
    rows, cols = (-(-side // BLOCK_PX) for side in mask.shape)
    rank = rng.permutation(rows * cols).reshape(rows, cols)
    order = rank.repeat(BLOCK_PX, 0).repeat(BLOCK_PX, 1)[: mask.shape[0], : mask.shape[1]]
    return _first(mask, order, share)


def _first(
    mask: Bool[np.ndarray, "h w"], order: np.ndarray, share: float
) -> Bool[np.ndarray, "h w"]:
    """That share of the mask's pixels which comes first in an order."""
    rows, cols = np.nonzero(mask)
    chosen = np.argsort(order[rows, cols], kind="stable")[: round(share * len(rows))]
    first = np.zeros_like(mask)
    first[rows[chosen], cols[chosen]] = True
    return first


def damaged(iuv: Iuv, others: Iuv, setting: Setting, seed: Sequence[int]) -> Iuv:
    """An IUV under one damage, the same for the same seed; more adds to less, but at resolution.

    Args:
        iuv: the true one.
        others: of everybody else in the same window.
        setting: which damage and how much.
        seed: of the sample.

    Raises:
        ValueError: an unknown damage.
    """
    kind, strength = setting
    rng = np.random.default_rng(seed)
    match kind:
        case "none":
            return iuv
        case "dropout":
            return drop(iuv, strength, rng)
        case "noise":
            return add_noise(iuv, strength, rng)
        case "swaps":
            return swap_sides(iuv, strength, rng)
        case "leakage":
            return leak(iuv, others, strength)
        case "erosion":
            return erode(iuv, round(strength))
        case "resolution":
            return coarsen(iuv, strength)
    raise ValueError(f"damage: got {kind!r}, want one of {', '.join(DAMAGES)}")


def joints_in_sight(sample: CropSample) -> Bool[np.ndarray, "24"]:
    """Which joints are seen: see the module's first lines."""
    share = np.nan_to_num(sample.occlusion.part_visible_share)
    parts = np.array([DENSEPOSE_BACK_FRONT[joint] for joint in range(NUM_PARTS)])
    return share[parts].max(1) >= SEEN_SHARE


def hidden_share(sample: CropSample) -> float:
    """Share of the body that something covers or that lies outside of the picture."""
    return 1 - sample.visible_share * sample.occlusion.in_picture_share


@torch.inference_mode()
def sample_distances(
    sample: CropSample,
    models: Mapping[str, tuple[Stage1, Dimr]],
    body: BodyModel,
    seed: Sequence[int],
    damages: Mapping[str, Damage] = DAMAGES,
) -> dict[str, SampleDistances]:
    """Errors of each joint of one test person under every damage, by model.

    The crop is that of the true visible pixels, as in `dimr.evaluate.synthetic.view_of`.
    Leakage is left out where nobody else is in the crop.

    Args:
        sample: from SynthOcc.
        models: stage 1, of which only the encoder and the crop are used, and stage 2.
        body: of the models.
        seed: of the random damages.
        damages: which to try.
    """
    truth = body(torch.from_numpy(sample.rotmats)[None], torch.from_numpy(sample.betas)[None])
    target = truth.joints_m - truth.joints_m[:, :1]
    found = {}
    for name, (stage1, stage2) in models.items():
        view = view_of(sample, stage1, "gt")
        others = _others(sample, view.crop)
        settings = _settings(damages, others)
        iuvs = [damaged(view.iuv, others, setting, seed) for setting in settings]
        regression = _regress(view, iuvs, stage2)
        joints = body(regression.rotmats, regression.betas).joints_m
        gap = joints - joints[:, :1] - target
        distance_mm = (torch.linalg.norm(gap, dim=2) * MM_PER_M).numpy()
        found[name] = SampleDistances(
            hidden_share(sample),
            joints_in_sight(sample),
            dict(zip(settings, distance_mm, strict=True)),
        )
    return found


def _others(sample: CropSample, crop: Crop) -> Iuv:
    """Everybody else in a crop."""
    is_other = sample.labels.person_id > 0
    others = Iuv(is_other, np.where(is_other[..., None], sample.labels.uv, np.float32(0)))
    return crop_iuv(resize_iuv(others, (sample.image.shape[0], sample.image.shape[1])), crop)


def _settings(damages: Mapping[str, Damage], others: Iuv) -> list[Setting]:
    """All that can be done to a sample, nothing first."""
    possible = [name for name in damages if name != "leakage" or others.mask.any()]
    return [
        UNDAMAGED,
        *(Setting(name, strength) for name in possible for strength in damages[name].strengths),
    ]


def _regress(view: View, iuvs: Sequence[Iuv], stage2: Dimr) -> Regression:
    """Stage 2 on one crop with many IUVs: what is seen of the picture stays the same."""
    features, many = view.features, len(iuvs)
    pose = features.pose
    return stage2.regress_from(
        [each.expand(many, -1, -1, -1) for each in features.maps],
        torch.from_numpy(np.stack([iuv.mask for iuv in iuvs])),
        torch.from_numpy(np.stack([iuv.uv for iuv in iuvs])),
        picture_to_tensor(view.picture).expand(many, -1, -1, -1),
        None if pose is None else pose.expand(many, -1, -1),
    )


def joint_means(people: Sequence[SampleDistances], setting: Setting = UNDAMAGED) -> JointMeans:
    """Means over those people who were measured under a setting."""
    people = [each for each in people if setting in each.distance_mm]
    distance = np.array([each.distance_mm[setting] for each in people]).reshape(-1, NUM_PARTS)
    seen = np.array([each.seen for each in people], bool).reshape(-1, NUM_PARTS)
    pelvis = np.arange(NUM_PARTS) == 0
    groups = np.ones_like(seen), seen & ~pelvis, ~seen & ~pelvis
    everything, in_sight, completed = (
        float(distance[each].mean()) if each.any() else None for each in groups
    )
    numbers = int(groups[1].sum()), int(groups[2].sum())
    return JointMeans(len(people), everything, in_sight, completed, *numbers)


def damage_curve(
    people: Sequence[SampleDistances], name: str, damage: Damage
) -> dict[float, JointMeans]:
    """Strength -> means, beginning with the same people undamaged."""
    settings = [Setting(name, strength) for strength in damage.strengths]
    hit = [each for each in people if settings[0] in each.distance_mm]
    return {damage.none: joint_means(hit)} | {
        setting.strength: joint_means(hit, setting) for setting in settings
    }


def hidden_curve(people: Sequence[SampleDistances]) -> dict[tuple[float, float], JointMeans]:
    """(from, to) of the hidden share of the body -> means with the undamaged IUV."""
    share = np.array([each.hidden_share for each in people])
    place = np.searchsorted(HIDDEN_EDGES[1:-1], share, side="right")
    return {
        bounds: joint_means([each for each, own in zip(people, place, strict=True) if own == row])
        for row, bounds in enumerate(pairwise(HIDDEN_EDGES))
    }

"""How good stage 1 is: whom it finds, which pixels it takes for them, which surface it sees there.

Everything is measured through the whole of stage 1, as a user gets it: people are found on the
picture, the one whose mask fits the target best is looked at again, and its IUV is carried back to
the picture. Somebody who is not found has no pixels: mask IoU 0, no surface point right.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.samples import CropSample, SceneSample
from dimr.evaluate.geodesic import Geodesics, geodesic_point_similarity
from dimr.evaluate.synthetic import mask_iou
from dimr.surface.atlas import Atlas
from dimr.surface.parts import TORSO, compare_sides
from dimr.types import Detection, Iuv

RIGHT_M = 0.05
"""A pixel is right when its surface point is at most this far from the true one, on the skin."""
MIN_IOU = 0.1
"""A found person whose mask fits the target's less is somebody else."""
AP_IOU = 0.5
SMALLEST_PX = 48
"""Visible people whose box is smaller than this are neither asked for nor held against anybody."""


class CorrespondenceScore(NamedTuple):
    """Of one target."""

    found: bool
    yaw_deg: float
    """0: faces the camera."""
    face_visible: bool
    mask_iou: float
    right_share: float
    """Of the visible pixels: surface point within `RIGHT_M`."""
    gps: float
    """Mean geodesic point similarity of the visible pixels."""
    wrong_side: float
    """Of the visible pixels: torso or limb labelled with the opposite side. NaN if not found."""
    wrong_torso: float
    """Of the visible torso pixels that are called torso: front for back or back for front. NaN
    without any."""
    wrong_limb: float
    """Of the visible limb pixels that are called limb: left for right or right for left."""


class SceneResult(NamedTuple):
    """Found people of one scene, best first, against those who are there."""

    scores: Float[np.ndarray, "D"]
    matched: list[int]
    """Number of the person each found one is; -1 nobody."""
    visible_share: Float[np.ndarray, "P"]
    asked_for: Bool[np.ndarray, "P"]


def look_at(
    stage1: Stage1,
    picture: UInt8[np.ndarray, "H W 3"],
    detection: Detection,
    size: tuple[int, int],
) -> Iuv:
    """Stage 1's second look at somebody, in pixels of the picture or of a reduction of it.

    Args:
        stage1: as shipped or trained.
        picture: the whole picture.
        detection: who is meant.
        size: (height, width) of the result, a whole fraction of the picture's.
    """
    shrink = size[0] / picture.shape[0]
    matrix = np.array([[shrink, 0, (shrink - 1) / 2], [0, shrink, (shrink - 1) / 2]])
    return stage1.look_again(picture, detection, matrix, size)


def target_iuv(sample: CropSample, stage1: Stage1) -> Iuv | None:
    """What stage 1 sees of a crop's target, in pixels of the labels; None if it is not found."""
    chosen = best_fit(stage1.find_people(sample.image), sample.person_id == 0)
    if chosen is None:
        return None
    return look_at(stage1, sample.image, chosen, sample.iuv.mask.shape)


def score_crop(
    sample: CropSample, stage1: Stage1, atlas: Atlas, geodesics: Geodesics
) -> CorrespondenceScore:
    """Scores of a crop's target, found on the crop as if it were a whole picture."""
    target = sample.iuv
    yaw_deg = sample.yaw_deg
    part, position = sample.labels.part[target.mask], sample.labels.position_m[target.mask]
    face_visible = bool((sample.labels.part[target.mask] >= 23).sum() >= 12 and abs(yaw_deg) < 75)
    iuv = target_iuv(sample, stage1)
    if iuv is None:
        return CorrespondenceScore(
            False, yaw_deg, face_visible, 0.0, 0.0, 0.0, np.nan, np.nan, np.nan
        )
    labelled = iuv.mask[target.mask]
    uv = iuv.uv[target.mask][labelled]
    face, bary = atlas.uv_to_surface(uv)
    corners = geodesics.vertices_m[atlas.faces[face]]
    distance = np.full(len(labelled), np.inf)
    distance[labelled] = geodesics.distance_m(
        np.einsum("nk,nkc->nc", bary, corners), position[labelled].astype(np.float64)
    )
    sides = compare_sides(atlas.densepose_of_face[face].astype(np.int64), part[labelled])
    is_torso = np.isin(part[labelled], TORSO)
    torso, limb = sides[is_torso], sides[~is_torso]
    return CorrespondenceScore(
        True,
        yaw_deg,
        face_visible,
        mask_iou(iuv.mask, target.mask),
        float((distance <= RIGHT_M).mean()),
        float(geodesic_point_similarity(distance).mean()),
        float((sides < 0).sum() / len(labelled)),
        _share_wrong(torso),
        _share_wrong(limb),
    )


def best_fit(found: Sequence[Detection], mask: Bool[np.ndarray, "H W"]) -> Detection | None:
    """The found person whose mask fits best; None if none does."""
    fits = [mask_iou(person.mask, mask) for person in found]
    if not fits or max(fits) < MIN_IOU:
        return None
    return found[int(np.argmax(fits))]


def score_scene(sample: SceneSample, stage1: Stage1) -> SceneResult:
    """Matches the people that stage 1 finds in a scene with those who are there.

    Masks are those of the second look. Greedy, best score first, at mask IoU `AP_IOU`.
    """
    size = sample.labels.person_id.shape
    masks, scores = [], []
    for detection in stage1.find_people(sample.image):
        masks.append(look_at(stage1, sample.image, detection, size).mask)
        scores.append(detection.score)
    count = len(sample.people.visible_share)
    truth = [sample.labels.person_id == who for who in range(count)]
    matched, free = [-1] * len(masks), set(range(count))
    order = np.argsort(np.negative(scores), kind="stable")
    for number in order:
        fits = {who: mask_iou(masks[number], truth[who]) for who in free}
        who = max(fits, key=lambda each: fits[each], default=None)
        if who is not None and fits[who] >= AP_IOU:
            matched[number] = who
            free.discard(who)
    box = sample.people.box_px
    asked_for = (box[:, 2:] - box[:, :2]).max(1, initial=0) >= SMALLEST_PX
    return SceneResult(
        np.array(scores)[order],
        [matched[number] for number in order],
        sample.people.visible_share,
        asked_for,
    )


def average_precision(results: Sequence[SceneResult], hidden_only: bool = False) -> float:
    """Area under the interpolated precision-recall curve over all scenes.

    Args:
        results: of many scenes.
        hidden_only: ask only for people who are more than half hidden.

    Found people that match somebody who is not asked for do not count at all.
    """
    scores, hits, wanted = [], [], 0
    for result in results:
        asked_for = result.asked_for & ((result.visible_share < 0.5) if hidden_only else np.True_)
        wanted += int(asked_for.sum())
        for score, who in zip(result.scores, result.matched, strict=True):
            if who < 0 or asked_for[who]:
                scores.append(score)
                hits.append(who >= 0)
    if wanted == 0:
        return float("nan")
    order = np.argsort(np.negative(scores), kind="stable")
    true = np.cumsum(np.array(hits, bool)[order])
    precision = true / np.arange(1, len(true) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0], true / wanted])
    return float((np.diff(recall) * precision).sum())


MEANT = ("found", "mask_iou", "right_share", "gps", "wrong_side", "wrong_torso", "wrong_limb")
YAWS = {
    "faces the camera (yaw < 45)": (0.0, 45.0),
    "sideways (45-135)": (45.0, 135.0),
    "faces away (> 135)": (135.0, 181.0),
}


def mean_scores(
    scores: Mapping[str, Sequence[CorrespondenceScore]],
) -> dict[str, dict[str, float | int]]:
    """Means of each subset, then of everybody by yaw and by whether the face is in sight."""
    everybody = [one for each in scores.values() for one in each]
    groups = dict(scores)
    for name, (low, high) in YAWS.items():
        groups[name] = [one for one in everybody if low <= abs(one.yaw_deg) < high]
    groups["face in sight"] = [one for one in everybody if one.face_visible]
    groups["face not in sight"] = [one for one in everybody if not one.face_visible]
    means = {}
    for name, group in groups.items():
        if group:
            values = {key: [float(getattr(one, key)) for one in group] for key in MEANT}
            means[name] = {"n": len(group)} | {key: _mean(each) for key, each in values.items()}
    return means


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")


def _share_wrong(sides: np.ndarray) -> float:
    decided = sides != 0
    return float((sides[decided] < 0).mean()) if decided.any() else float("nan")

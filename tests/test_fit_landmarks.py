"""Refinement on landmarks of the original BlazePose network."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from dimr.body.camera import WEAK, project_weak
from dimr.body.keypoints import JOINT_NAMES
from dimr.body.landmarks import ON_BODY
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.correspondence.landmarks import POSE_VALUES
from dimr.evaluate.errors import mpjpe_mm
from dimr.fit import fit_to_iuv, geometry, solve
from dimr.fit.landmarks import PLACE_NOISE, SPREAD_SHARE, WORLD_NOISE, landmark_terms
from dimr.fit.terms import OUTLIER, weights_of
from dimr.types import Iuv, Regression

SIZE = 96
L_WRIST, L_ANKLE = 15, 27
SURE, UNSURE = 0.01, 1e6
"""Spreads, in half crops and metres."""

TRUNK = (3, 6, 9, 12, 13, 14)


class Known(NamedTuple):
    """A person, what a perfect network says, and a wrong answer of stage 2."""

    truth: Regression
    landmarks: torch.Tensor
    wrong: Regression


@pytest.fixture(scope="module")
def known(open_body) -> Known:
    rng = np.random.default_rng(1)
    theta = torch.from_numpy(rng.normal(0, 0.2, (24, 3)).astype(np.float32))
    theta[0] = torch.tensor([np.pi, 0.1, 0.1])
    truth = Regression(
        axis_angle_to_rotmat(theta)[None],
        torch.from_numpy(rng.normal(0, 0.5, (1, 10)).astype(np.float32)),
        torch.tensor([[0.9, 0.02, 0.05]]),
    )
    turn = torch.from_numpy(rng.normal(0, 0.15, (24, 3)).astype(np.float32))
    turn[list(TRUNK)] *= 0.3
    wrong = truth._replace(
        rotmats=truth.rotmats @ axis_angle_to_rotmat(turn),
        camera=truth.camera + torch.tensor([[0.03, 0.03, -0.04]]),
    )
    return Known(truth, landmarks_of(open_body, truth), wrong)


def landmarks_of(body: BodyModel, person: Regression) -> torch.Tensor:
    """Bone by bone, without the code that is tested."""
    joints_m = body.joints(person.rotmats, person.betas)[0]
    rest_m = body.joints_rest(person.betas)[0]
    turns: list[torch.Tensor] = []
    for own, parent in zip(person.rotmats[0], body.parents, strict=True):
        turns.append(turns[parent] @ own if turns else own)
    places_m = []
    for joint, bone, offset_cm in ON_BODY.values():
        j, k = JOINT_NAMES.index(joint), JOINT_NAMES.index(bone)
        places_m.append(
            joints_m[k] + turns[k] @ (rest_m[j] - rest_m[k] + torch.tensor(offset_cm) / 100)
        )
    place_m = torch.stack(places_m)
    landmarks, rows = torch.zeros(39, POSE_VALUES), list(ON_BODY)
    landmarks[rows, :2] = project_weak(place_m[None], person.camera)[0]
    landmarks[:, 3:5], landmarks[:, 8:] = 1, SURE
    landmarks[rows, 5:8] = place_m + torch.tensor([0.3, -0.2, 5.0])  # their origin is unknown
    return landmarks


def mask_around(landmarks: torch.Tensor) -> np.ndarray:
    centre = (np.arange(SIZE) + 0.5) * (2 / SIZE) - 1
    x, y = np.meshgrid(centre, centre)
    places = landmarks[list(ON_BODY), :2].numpy()
    return (np.hypot(x[..., None] - places[:, 0], y[..., None] - places[:, 1]) < 0.06).any(2)


def unlabelled(mask: np.ndarray) -> Iuv:
    """An IUV whose pixels count for nothing."""
    return Iuv(mask, np.zeros((*mask.shape, 2), np.float32), np.zeros(mask.shape, np.float32))


def error_mm(body: BodyModel, found: Regression, truth: Regression) -> float:
    joints = body.joints(found.rotmats, found.betas)
    return float(mpjpe_mm(joints, body.joints(truth.rotmats, truth.betas)))


def test_terms_vanish_at_the_truth_and_have_the_derivative_of_the_body(known, open_body):
    state = geometry.State(
        known.truth.rotmats[0], known.truth.betas[0], torch.zeros(1), known.truth.camera[0, 1:]
    )
    descends = geometry.descendants(open_body.parents)
    skeleton = open_body.joints_template, open_body.joints_shapedirs, open_body.parents
    scale = known.truth.camera[0, 0]
    posed = geometry.pose_skeleton(state, *skeleton)
    step = torch.from_numpy(np.random.default_rng(0).normal(0, 1, 85).astype(np.float32))
    for term, columns in zip(landmark_terms(known.landmarks, open_body), (2, 3), strict=True):
        residual, jacobian = solve.linearise(term, state, posed, scale, descends, WEAK)
        assert residual.shape == (len(ON_BODY), columns) and residual.abs().max() < 1e-5
        ahead, back = (
            solve.linearise(
                term, moved, geometry.pose_skeleton(moved, *skeleton), scale, descends, WEAK
            )[0]
            for moved in (
                geometry.advance(state, posed.turns, sign * 1e-3 * step) for sign in (1, -1)
            )
        )
        assert ((ahead - back) / 2e-3 - jacobian @ step).abs().max() < 0.02
        assert (jacobian @ step).abs().max() > 0.5


def test_a_wrong_body_returns_towards_the_truth(known, open_body, open_atlas):
    iuv = unlabelled(mask_around(known.landmarks))
    found = fit_to_iuv(known.wrong, iuv, open_body, open_atlas, landmarks=known.landmarks)
    before, after = (error_mm(open_body, each, known.truth) for each in (known.wrong, found))
    assert after < 0.7 * before
    still = fit_to_iuv(known.truth, iuv, open_body, open_atlas, landmarks=known.landmarks)
    assert error_mm(open_body, still, known.truth) < 1


def test_a_landmark_counts_as_far_as_it_is_seen_inside_and_sure(known, open_body):
    landmarks = known.landmarks.clone()
    landmarks[L_ANKLE, 4] = 0.1
    for term in landmark_terms(landmarks, open_body):
        assert float(term.trust[list(ON_BODY).index(L_ANKLE)]) == pytest.approx(1e-3, rel=0.01)
    landmarks[L_WRIST, 8:] = torch.tensor([PLACE_NOISE, 2 * WORLD_NOISE]) / SPREAD_SHARE
    landmarks[L_WRIST, 3] = 0.25
    row = list(ON_BODY).index(L_WRIST)
    in_crop, in_metres = landmark_terms(landmarks, open_body)
    assert float(in_crop.trust[row]) == pytest.approx(1 / 8)
    assert float(in_metres.trust[row]) == pytest.approx(1 / 20)
    # whoever is unsure is an outlier later
    residual = torch.full((len(ON_BODY), 2), 0.3)
    weight = weights_of(residual, in_crop)
    outlying = 2 * (0.3 / (OUTLIER * PLACE_NOISE)) ** 2
    wanted = (1 / 8) / (PLACE_NOISE * (1 + (1 / 8) * outlying)) ** 2
    assert float(weight[row]) == pytest.approx(wanted, rel=1e-4)


def test_what_nobody_can_be_sure_of_has_no_say(known, open_body, open_atlas):
    iuv = unlabelled(mask_around(known.landmarks))
    answers = []
    for place in (0.3, 40.0):
        landmarks = known.landmarks.clone()
        landmarks[L_WRIST, :2], landmarks[L_WRIST, 8:] = place, UNSURE
        answers.append(fit_to_iuv(known.wrong, iuv, open_body, open_atlas, landmarks=landmarks))
    assert torch.allclose(answers[0].rotmats, answers[1].rotmats, atol=1e-5)
    landmarks = known.landmarks.clone()
    landmarks[:, 8:] = 1e30
    none = fit_to_iuv(known.wrong, iuv, open_body, open_atlas, landmarks=landmarks)
    assert none is known.wrong


def test_the_table_is_symmetric():
    for landmark, (joint, bone, offset) in ON_BODY.items():
        if not joint.startswith("L_"):
            continue
        other = ON_BODY[landmark + 1]
        assert other[0] == joint.replace("L_", "R_") and other[1] == bone.replace("L_", "R_")
        assert other[2] == (-offset[0], *offset[1:])


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (torch.zeros(33, 10), "landmarks: got 33, want 39"),
        (torch.full((39, 10), torch.nan), "landmarks: got numbers that are not finite"),
    ],
)
def test_refusals(known, open_body, open_atlas, landmarks, message):
    iuv = unlabelled(np.ones((SIZE, SIZE), bool))
    with pytest.raises(ValueError, match=message):
        fit_to_iuv(known.wrong, iuv, open_body, open_atlas, landmarks=landmarks)

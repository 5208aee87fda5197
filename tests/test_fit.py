"""Refinement against rendered people whose pose, shape and camera are known."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from dimr.body.camera import NEAREST, WEAK, Lens, project_lens, project_weak
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.evaluate.errors import mpjpe_mm
from dimr.fit import Keypoints, fit_to_iuv, geometry, solve, terms
from dimr.image.crop import norm_to_crop
from dimr.surface.iuv import mask_iuv
from dimr.surface.render import render_iuv
from dimr.types import Iuv, Regression

SIZE = 96
L_KNEE, L_ELBOW, L_WRIST, R_ELBOW, R_WRIST = 4, 18, 20, 19, 21
TRUNK = (0, 3, 6, 9, 12, 13, 14)


class Known(NamedTuple):
    """A person, the IUV that a weak-perspective camera sees, and a wrong answer of stage 2."""

    truth: Regression
    iuv: Iuv
    wrong: Regression


@pytest.fixture(scope="module")
def known(open_body, open_atlas) -> Known:
    rng = np.random.default_rng(3)
    theta = rng.normal(0, 0.15, (24, 3)).astype(np.float32)
    theta[0] = [np.pi, 0.1, 0.1]
    theta[[16, 17]] += np.float32([0, 0, 0.5]), np.float32([0, 0, -0.5])
    betas = torch.from_numpy(rng.normal(0, 0.5, (1, 10)).astype(np.float32))
    rotmats = axis_angle_to_rotmat(torch.from_numpy(theta))[None]
    truth = Regression(rotmats, betas, torch.tensor([[0.95, 0.02, 0.05]]))
    posed = open_body(rotmats, betas)
    iuv, _ = render_iuv(
        posed.vertices_m[0].numpy(), open_atlas, truth.camera[0].numpy(), (SIZE,) * 2
    )
    turn = rng.normal(0, 0.15, (24, 3)).astype(np.float32)
    turn[list(TRUNK)] *= 0.3
    wrong = Regression(
        rotmats @ axis_angle_to_rotmat(torch.from_numpy(turn)),
        betas + 0.3,
        truth.camera + torch.tensor([[0.05, 0.03, -0.04]]),
    )
    return Known(truth, iuv, wrong)


def joints_norm(body, regression: Regression) -> np.ndarray:
    joints = body.joints(regression.rotmats, regression.betas)
    return project_weak(joints, regression.camera)[0].numpy()


def error_mm(body, found: Regression, truth: Regression) -> float:
    joints = body.joints(found.rotmats, found.betas)
    return float(mpjpe_mm(joints, body.joints(truth.rotmats, truth.betas)))


def turned_rad(found: Regression, before: Regression) -> np.ndarray:
    """Angle of each joint's local rotation between two answers."""
    trace = torch.einsum("jik,jik->j", found.rotmats[0], before.rotmats[0])
    return torch.arccos(((trace - 1) / 2).clamp(-1, 1)).numpy()


def empty_iuv() -> Iuv:
    return Iuv(np.zeros((SIZE, SIZE), bool), np.zeros((SIZE, SIZE, 2), np.float32))


class TestIuv:
    def test_a_wrong_body_returns_towards_the_truth(self, known, open_body, open_atlas):
        found = fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas)
        before, after = (error_mm(open_body, each, known.truth) for each in (known.wrong, found))
        assert after < 0.5 * before
        gap_before, gap_after = (
            np.abs(joints_norm(open_body, each) - joints_norm(open_body, known.truth)).mean()
            for each in (known.wrong, found)
        )
        assert gap_after < 0.15 * gap_before
        identity = found.rotmats @ found.rotmats.mT
        assert (identity - torch.eye(3)).abs().max() < 1e-4

    def test_the_truth_stays(self, known, open_body, open_atlas):
        found = fit_to_iuv(known.truth, known.iuv, open_body, open_atlas)
        assert error_mm(open_body, found, known.truth) < 2
        assert (found.camera - known.truth.camera).abs().max() < 2e-3

    def test_somebody_close_is_laid_through_the_lens(self, known, open_body, open_atlas):
        """In weak perspective no body looks like that; through the lens the true one does."""
        posed = open_body(known.truth.rotmats, known.truth.betas)
        vertices, joints = posed.vertices_m[0], posed.joints_m[0]
        seen = project_lens(vertices, known.truth.camera[0], LENS)
        in_crop = torch.cat([seen, vertices[:, 2:]], dim=1).numpy()
        iuv, _ = render_iuv(in_crop, open_atlas, np.float32([1, 0, 0]), (SIZE,) * 2)
        flat = fit_to_iuv(known.wrong, iuv, open_body, open_atlas)
        found = fit_to_iuv(known.wrong, iuv, open_body, open_atlas, lens=LENS)
        errors = [error_mm(open_body, each, known.truth) for each in (known.wrong, flat, found)]
        assert errors[2] < 0.5 * min(errors[:2])
        again = open_body.joints(found.rotmats, found.betas)[0]
        gap = project_lens(again, found.camera[0], LENS) - project_lens(
            joints, known.truth.camera[0], LENS
        )
        assert gap.abs().mean() < 0.01

    def test_without_pixels_nothing_moves(self, known, open_body, open_atlas):
        found = fit_to_iuv(known.wrong, empty_iuv(), open_body, open_atlas)
        assert found is known.wrong

    def test_pixels_that_are_surely_wrong_count_for_nothing(self, known, open_body, open_atlas):
        unsure = Iuv(known.iuv.mask, known.iuv.uv, np.zeros((SIZE, SIZE), np.float32))
        assert fit_to_iuv(known.wrong, unsure, open_body, open_atlas) is known.wrong

    def test_hidden_limb_moves_with_what_is_seen_alone(self, known, open_body, open_atlas):
        """An elbow makes up for its shoulder, as far as the two tend to err together."""
        places = norm_to_crop(joints_norm(open_body, known.truth), SIZE)
        shoulder, elbow = places[17], places[R_ELBOW]
        cut = (shoulder + elbow) / 2
        y, x = np.mgrid[:SIZE, :SIZE]
        beyond = (x - cut[0]) * (elbow - shoulder)[0] + (y - cut[1]) * (elbow - shoulder)[1] > 0
        near = np.hypot(x - elbow[0], y - elbow[1]) < 3 * np.hypot(*(elbow - shoulder))
        iuv = mask_iuv(known.iuv, ~(beyond & near))
        found = fit_to_iuv(known.wrong, iuv, open_body, open_atlas)
        turned = turned_rad(found, known.wrong)
        whole = turned_rad(fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas), known.wrong)
        hidden = [R_ELBOW, R_WRIST]
        assert (turned[hidden] < 0.06).all() and (turned[hidden] < 0.5 * whole[hidden]).all()
        assert turned[L_ELBOW] > 0.05

    def test_one_pixel_is_enough_and_moves_little(self, known, open_body, open_atlas):
        keep = np.zeros((SIZE, SIZE), bool)
        keep[tuple(np.argwhere(known.iuv.mask)[40])] = True
        found = fit_to_iuv(known.wrong, mask_iuv(known.iuv, keep), open_body, open_atlas)
        assert all(torch.isfinite(each).all() for each in found[:3])
        assert (turned_rad(found, known.wrong) < 0.05).all()
        assert (found.camera - known.wrong.camera).abs().max() < 0.05
        assert found is not known.wrong

    def test_noise_and_confidence_lower_the_trust(self, known, open_body, open_atlas):
        """An IUV that contradicts itself moves the body less than one that agrees."""
        rng = np.random.default_rng(0)
        uv = known.iuv.uv.copy()
        uv[known.iuv.mask] = rng.permutation(uv[known.iuv.mask])
        half = np.where(known.iuv.mask, np.float32(0.5), 0)
        moved = [
            turned_rad(fit_to_iuv(known.wrong, iuv, open_body, open_atlas), known.wrong).mean()
            for iuv in (
                Iuv(known.iuv.mask, uv),
                Iuv(known.iuv.mask, known.iuv.uv, half),
                known.iuv,
            )
        ]
        assert moved[0] < moved[1] < moved[2] and moved[0] < 0.2 * moved[2]

    def test_again_gives_the_same_and_other_fields_stay(self, known, open_body, open_atlas):
        wrong = known.wrong._replace(part_features=torch.ones(1, 24, 2))
        copies = [each.clone() for each in wrong[:3]]
        one, two = (fit_to_iuv(wrong, known.iuv, open_body, open_atlas) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(one[:3], two[:3], strict=True))
        assert one.part_features is wrong.part_features
        assert all(torch.equal(a, b) for a, b in zip(wrong[:3], copies, strict=True))

    def test_numbers_that_are_not_finite_come_back(self, known, open_body, open_atlas):
        broken = known.wrong._replace(camera=torch.full((1, 3), torch.nan))
        assert fit_to_iuv(broken, known.iuv, open_body, open_atlas) is broken

    def test_steps_that_lead_nowhere_are_not_taken(
        self, known, open_body, open_atlas, monkeypatch
    ):
        def far(state: geometry.State, *_) -> geometry.State:
            return state._replace(shift_norm=state.shift_norm + torch.inf)

        monkeypatch.setattr(solve, "advance", far)
        assert fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas) is known.wrong


class TestKeypoints:
    @pytest.mark.parametrize("name", ["smpl24", "lsp14"])
    def test_bodies_are_laid_on_labelled_joints(self, known, open_body, open_atlas, name):
        def places(each: Regression) -> np.ndarray:
            if name == "smpl24":
                return joints_norm(open_body, each)
            vertices = open_body(each.rotmats, each.betas).vertices_m
            return project_weak(open_body.keypoints(vertices, name), each.camera)[0].numpy()

        target = places(known.truth)
        keypoints = Keypoints(target, np.ones(len(target), np.float32), name)
        found = fit_to_iuv(known.wrong, empty_iuv(), open_body, open_atlas, keypoints)
        before, after = (
            np.linalg.norm(places(each) - target, axis=1).mean() for each in (known.wrong, found)
        )
        assert after < 0.1 * before  # joints that keypoints move are not held as hidden ones
        assert error_mm(open_body, found, known.truth) < error_mm(
            open_body, known.wrong, known.truth
        )

    def test_keypoints_of_weight_zero_are_not_heard(self, known, open_body, open_atlas):
        target = joints_norm(open_body, known.wrong)
        weights = np.ones(24, np.float32)
        weights[[L_WRIST, 22]] = 0
        answers = []
        for nonsense in (7.0, np.nan):
            target[[L_WRIST, 22]] = nonsense
            keypoints = Keypoints(target.copy(), weights)
            answers.append(fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas, keypoints))
        assert torch.equal(answers[0].rotmats, answers[1].rotmats)
        none = Keypoints(target, np.zeros(24, np.float32))
        assert fit_to_iuv(known.wrong, empty_iuv(), open_body, open_atlas, none) is known.wrong


LENS = Lens(2.0, (0.3, -0.6))
"""Of somebody who is two metres away and not in the middle of the picture."""


@pytest.mark.parametrize("lens", [WEAK, LENS])
def test_the_derivative_is_that_of_the_projected_surface(known, open_body, open_atlas, lens):
    """Every column against finite differences of the body model itself (not of this module)."""
    rows, cols = np.nonzero(known.iuv.mask)
    chosen = np.linspace(0, len(rows) - 1, 40).astype(int)
    face, bary = open_atlas.uv_to_surface(known.iuv.uv[rows[chosen], cols[chosen]])
    points = geometry.vertex_points(known.wrong, open_body, open_atlas.faces[face], bary)
    term = terms.Term(points, torch.zeros(40, 2), torch.ones(40), 0.02, "label")
    state = geometry.State(
        known.wrong.rotmats[0], known.wrong.betas[0], torch.zeros(1), known.wrong.camera[0, 1:]
    )
    scale = known.wrong.camera[0, 0]
    skeleton = open_body.joints_template, open_body.joints_shapedirs, open_body.parents
    posed = geometry.pose_skeleton(state, *skeleton)
    place, jacobian = solve.linearise(
        term, state, posed, scale, geometry.descendants(open_body.parents), lens
    )
    double = BodyModel.load(None).double()

    def project(state: geometry.State) -> torch.Tensor:
        body = double(state.rotmats[None].double(), state.betas[None].double())
        camera = torch.cat([scale * state.zoom.exp(), state.shift_norm]).double()
        corners = body.vertices_m[0, torch.from_numpy(open_atlas.faces[face]).long()]
        surface = torch.einsum("nci,nc->ni", corners, torch.from_numpy(bary).double())
        return project_lens(surface, camera, lens)

    assert (place - project(state)).abs().max() < 1e-5
    size = 1e-2
    for column in range(85):
        step = torch.zeros(85)
        step[column] = size
        ahead, back = (
            project(geometry.advance(state, posed.turns, sign * step)) for sign in (1, -1)
        )
        wanted = (ahead - back) / (2 * size)
        assert (jacobian[..., column] - wanted).abs().max() < 1e-3, column


def test_what_is_too_near_for_the_lens_tells_nothing_of_its_depth():
    jacobian = torch.zeros(1, 3, 85)
    jacobian[0, :, :3] = torch.eye(3)
    state = geometry.State(
        torch.eye(3).repeat(24, 1, 1), torch.zeros(10), torch.zeros(1), torch.zeros(2)
    )
    place, by_step = geometry.project_points(
        torch.tensor([[0.1, 0.2, -9.0]]), jacobian, state, torch.tensor(0.9), LENS
    )
    middle = torch.tensor(LENS.middle_norm)
    wanted = (torch.tensor([[0.09, 0.18]]) - middle) / NEAREST + middle
    torch.testing.assert_close(place, wanted)
    torch.testing.assert_close(by_step[0, :, :2], 0.9 / NEAREST * torch.eye(2))
    assert not by_step[0, :, 2].any()


def test_pose_correctives_of_the_answer_are_kept(known, open_body, open_atlas, monkeypatch):
    correctives = torch.randn(
        207, 3 * open_body.num_vertices, generator=torch.Generator().manual_seed(0)
    )
    monkeypatch.setitem(open_body._buffers, "posedirs", 0.002 * correctives)
    index = np.arange(30).reshape(10, 3)
    points = geometry.vertex_points(
        known.wrong, open_body, index, np.full((10, 3), 1 / 3, np.float32)
    )
    state = geometry.State(
        known.wrong.rotmats[0], known.wrong.betas[0], torch.zeros(1), known.wrong.camera[0, 1:]
    )
    posed = geometry.pose_skeleton(
        state, open_body.joints_template, open_body.joints_shapedirs, open_body.parents
    )
    place, _ = solve.linearise(
        terms.Term(points, torch.zeros(10, 2), torch.ones(10), 0.02, "label"),
        state,
        posed,
        known.wrong.camera[0, 0],
        geometry.descendants(open_body.parents),
        WEAK,
    )
    vertices = open_body(known.wrong.rotmats, known.wrong.betas).vertices_m
    wanted = project_weak(vertices[:, index].mean(2), known.wrong.camera)[0]
    assert (place - wanted).abs().max() < 1e-5


def test_pixels_are_chosen_evenly_over_the_parts():
    part = np.repeat([3, 5, 7], [100, 2, 1000])
    chosen = terms.choose_pixels(part)
    assert np.bincount(part[chosen]).tolist() == [0, 0, 0, 20, 0, 2, 0, 20]
    assert chosen[:3].tolist() == [2, 7, 12]
    assert len(terms.choose_pixels(np.zeros(0, int))) == 0


def test_outliers_and_noise_by_hand():
    residual = torch.tensor([[0.03, 0.0], [0.0, 0.03], [-0.03, 0.0], [0.0, 0.48]])
    trust = torch.tensor([1.0, 2.0, 1.0, 1.0])
    points = geometry.Points(torch.zeros(4, 24, 3), torch.zeros(4, 24, 3, 10), torch.zeros(4, 24))
    labels = terms.weights_of(residual, terms.Term(points, residual, trust, 0.02, "label"))
    inlying = trust / (0.02 * torch.tensor([1 + 1 / 16] * 3 + [17.0])) ** 2
    assert torch.allclose(labels, inlying)
    measured = terms.weights_of(residual, terms.Term(points, residual, trust, 0.02, "pixel"))
    assert torch.allclose(measured, inlying * (0.02 / 0.03) ** 3)
    landmarks = terms.weights_of(residual, terms.Term(points, residual, trust, 0.06, "landmark"))
    square = torch.tensor([0.03, 0.03, 0.03, 0.48]) ** 2 / 0.24**2  # no median: 4 x 0.06
    assert torch.allclose(landmarks, trust / (0.06 * (1 + trust * square)) ** 2)
    exact = terms.weights_of(residual * 0, terms.Term(points, residual, trust, 0.02, "pixel"))
    assert torch.allclose(exact, trust / 0.02**2)


class TestRefusals:
    def test_batches(self, known, open_body, open_atlas):
        two = Regression(*(torch.cat([each, each]) for each in known.wrong[:3]))
        with pytest.raises(ValueError, match="regression: got 2 people, want 1"):
            fit_to_iuv(two, known.iuv, open_body, open_atlas)

    def test_crops_that_are_not_square(self, known, open_body, open_atlas):
        wide = Iuv(known.iuv.mask[:50], known.iuv.uv[:50])
        with pytest.raises(ValueError, match="iuv: got 50 x 96 pixels, want a square"):
            fit_to_iuv(known.wrong, wide, open_body, open_atlas)

    @pytest.mark.parametrize(
        ("count", "weights", "name"),
        [(23, 24, "smpl24"), (24, 14, "smpl24"), (24, 24, "lsp14"), (24, 24, "mpii")],
    )
    def test_keypoints_of_wrong_shape(self, known, open_body, open_atlas, count, weights, name):
        keypoints = Keypoints(np.zeros((count, 2)), np.ones(weights), name)
        with pytest.raises(ValueError, match="keypoints: got shapes"):
            fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas, keypoints)

    def test_keypoints_without_a_place(self, known, open_body, open_atlas):
        keypoints = Keypoints(np.full((24, 2), np.nan), np.ones(24))
        with pytest.raises(ValueError, match="keypoints: got places that are not finite"):
            fit_to_iuv(known.wrong, known.iuv, open_body, open_atlas, keypoints)

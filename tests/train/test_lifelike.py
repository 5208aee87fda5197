import pytest
import torch

from dimr.body.camera import project_weak
from dimr.body.landmarks import ON_BODY, body_landmarks
from dimr.body.model import BodyModel
from dimr.train import lifelike
from dimr.train.lifelike import FOLLOWS, BorrowedErrors, landmark_places, lifelike_pose

BODY = BodyModel.load()
KNOWN = list(ON_BODY)


@pytest.fixture
def truth():
    generator = torch.Generator().manual_seed(0)
    rotmats = torch.linalg.qr(torch.randn(3, 24, 3, 3, generator=generator)).Q
    rotmats = rotmats * torch.linalg.det(rotmats)[..., None, None]
    betas = torch.randn(3, 10, generator=generator)
    camera = torch.tensor([[0.5, 0.1, -0.3]]).repeat(3, 1)
    joints = BODY.joints(rotmats, betas)
    return rotmats, betas, camera, project_weak(joints, camera)


@pytest.fixture
def said():
    pose = torch.rand(3, 39, 8, generator=torch.Generator().manual_seed(1))
    return pose


def test_without_noise_they_are_where_they_should_be(truth, said, monkeypatch):
    monkeypatch.setattr(lifelike, "PLACE_NOISE", 0)
    monkeypatch.setattr(lifelike, "WORLD_NOISE_M", 0)
    rotmats, betas, camera, joints_norm = truth
    found = lifelike_pose(said, landmark_places(BODY, rotmats, betas, joints_norm))
    points = body_landmarks(BODY, rotmats, betas)
    places = project_weak(points, camera)
    torch.testing.assert_close(found[:, KNOWN, :2], places, atol=1e-5, rtol=0)
    hips = points[:, [KNOWN.index(23), KNOWN.index(24)]].mean(1, keepdim=True)
    torch.testing.assert_close(found[:, KNOWN, 5:], points - hips, atol=1e-5, rtol=0)
    depth = 0.5 * (points - hips)[..., 2]
    torch.testing.assert_close(found[:, KNOWN, 2], depth, atol=1e-5, rtol=0)


def test_the_others_move_with_those_beside_them(truth, said):
    rotmats, betas, _, joints_norm = truth
    moved = lifelike_pose(said, landmark_places(BODY, rotmats, betas, joints_norm)) - said
    for landmark, leader in enumerate(FOLLOWS):
        for columns in (slice(0, 3), slice(5, 8)):
            torch.testing.assert_close(moved[:, landmark, columns], moved[:, leader, columns])
    assert FOLLOWS[2] == 0 and FOLLOWS[21] == 19 and FOLLOWS[30] == 28
    assert all(FOLLOWS[landmark] == landmark for landmark in KNOWN)


def test_more_is_visible_and_nothing_less(truth, said):
    torch.manual_seed(0)
    rotmats, betas, _, joints_norm = truth
    found = lifelike_pose(said, landmark_places(BODY, rotmats, betas, joints_norm))[..., 3:5]
    assert (found >= said[..., 3:5] - 1e-6).all() and (found <= 1).all()
    assert found.mean() > said[..., 3:5].mean() + 0.1


def test_what_is_hidden_is_less_exact(truth, said, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *size: torch.ones(*size))  # visible as it was
    rotmats, betas, camera, joints_norm = truth
    places = project_weak(body_landmarks(BODY, rotmats, betas), camera)
    gaps = []
    for visible in (1.0, 0.0):
        said[..., 3:5] = visible
        found = [
            lifelike_pose(said, landmark_places(BODY, rotmats, betas, joints_norm))
            for _ in range(30)
        ]
        gaps.append((torch.stack(found)[:, :, KNOWN, :2] - places).std())
    assert gaps[0] == pytest.approx(lifelike.PLACE_NOISE, rel=0.1)
    assert gaps[1] == pytest.approx((1 + lifelike.UNSEEN) * lifelike.PLACE_NOISE, rel=0.1)


class TestBorrowedErrors:
    EVERYWHERE = torch.ones(3, 8, 8, dtype=torch.bool)

    @pytest.fixture
    def places(self, truth):
        rotmats, betas, _, joints_norm = truth
        return landmark_places(BODY, rotmats, betas, joints_norm)

    def test_in_order_they_give_back_what_was_said(self, places, said, monkeypatch):
        said[..., :2] *= 0.5  # within the crop
        said[..., 3] = 0.9
        errors = BorrowedErrors(said, places, self.EVERYWHERE)
        monkeypatch.setattr(torch, "randint", lambda high, size: torch.arange(*size) % high)
        torch.testing.assert_close(errors.pose_at(places), said, atol=1e-5, rtol=0)

    def test_errors_move_with_whom_they_are_given_to(self, places, said):
        said[..., 3] = 0.9
        found = []
        for shift in (0.0, 0.25):
            torch.manual_seed(3)
            errors = BorrowedErrors(said, places, self.EVERYWHERE)
            found.append(errors.pose_at(places + shift))
        moved = found[1] - found[0]
        torch.testing.assert_close(moved[..., :3], torch.full_like(moved[..., :3], 0.25))
        torch.testing.assert_close(moved[..., 3:5], torch.zeros_like(moved[..., 3:5]))

    def test_nothing_is_borrowed_of_landmarks_that_are_not_believed(self, places, said):
        said[..., 3] = torch.tensor([0.9, 0.2, 0.1])[:, None]
        errors = BorrowedErrors(said, places, self.EVERYWHERE)
        assert (errors.pose_at(places)[..., 3] == 0.9).all()

import pytest
import torch

from dimr.body.camera import project_weak
from dimr.body.landmarks import ALL_ON_BODY, ON_BODY, body_landmarks
from dimr.body.model import BodyModel
from dimr.train.landmark_errors import FOLLOWS, BorrowedErrors, landmark_places

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
    pose = torch.rand(3, 39, 10, generator=torch.Generator().manual_seed(1))
    return pose


def test_places_are_those_of_the_body(truth):
    rotmats, betas, camera, joints_norm = truth
    found = landmark_places(BODY, rotmats, betas, joints_norm)
    points = body_landmarks(BODY, rotmats, betas)
    torch.testing.assert_close(found[..., :2], project_weak(points, camera), atol=1e-5, rtol=0)
    hips = points[:, [KNOWN.index(23), KNOWN.index(24)]].mean(1, keepdim=True)
    torch.testing.assert_close(found[..., 3:], points - hips, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[..., 2], 0.5 * (points - hips)[..., 2], atol=1e-5, rtol=0)


def test_of_all_landmarks_those_of_the_shorter_table_are_the_same(truth):
    rotmats, betas, _, joints_norm = truth
    few, all_of_them = (
        landmark_places(BODY, rotmats, betas, joints_norm, table)
        for table in (ON_BODY, ALL_ON_BODY)
    )
    torch.testing.assert_close(all_of_them[:, : len(KNOWN)], few)


def test_each_landmark_follows_one_beside_it():
    assert FOLLOWS[2] == 0 and FOLLOWS[21] == 19 and FOLLOWS[30] == 28
    assert all(FOLLOWS[landmark] == landmark for landmark in KNOWN)


class TestBorrowedErrors:
    @pytest.fixture
    def places(self, truth):
        rotmats, betas, _, joints_norm = truth
        return landmark_places(BODY, rotmats, betas, joints_norm)

    def test_in_order_they_give_back_what_was_said(self, places, said, monkeypatch):
        errors = BorrowedErrors(said, places)
        monkeypatch.setattr(torch, "randint", lambda high, size: torch.arange(*size) % high)
        torch.testing.assert_close(errors.pose_at(places), said, atol=1e-5, rtol=0)

    def test_errors_move_with_whom_they_are_given_to(self, places, said):
        found = []
        for shift in (0.0, 0.25):
            torch.manual_seed(3)
            errors = BorrowedErrors(said, places)
            found.append(errors.pose_at(places + shift))
        moved = found[1] - found[0]
        torch.testing.assert_close(moved[..., :3], torch.full_like(moved[..., :3], 0.25))
        for kept in (moved[..., 3:5], moved[..., 8:]):
            torch.testing.assert_close(kept, torch.zeros_like(kept))

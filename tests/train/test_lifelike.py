import pytest
import torch

from dimr.body.camera import project_weak
from dimr.body.landmarks import ON_BODY, body_landmarks
from dimr.body.model import BodyModel
from dimr.train import lifelike
from dimr.train.lifelike import FOLLOWS, lifelike_pose

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
    found = lifelike_pose(said, BODY, rotmats, betas, joints_norm)
    points = body_landmarks(BODY, rotmats, betas)
    places = project_weak(points, camera)
    torch.testing.assert_close(found[:, KNOWN, :2], places, atol=1e-5, rtol=0)
    hips = points[:, [KNOWN.index(23), KNOWN.index(24)]].mean(1, keepdim=True)
    torch.testing.assert_close(found[:, KNOWN, 5:], points - hips, atol=1e-5, rtol=0)
    depth = 0.5 * (points - hips)[..., 2]
    torch.testing.assert_close(found[:, KNOWN, 2], depth, atol=1e-5, rtol=0)


def test_the_others_move_with_those_beside_them(truth, said):
    rotmats, betas, _, joints_norm = truth
    moved = lifelike_pose(said, BODY, rotmats, betas, joints_norm) - said
    for landmark, leader in enumerate(FOLLOWS):
        for columns in (slice(0, 3), slice(5, 8)):
            torch.testing.assert_close(moved[:, landmark, columns], moved[:, leader, columns])
    assert FOLLOWS[2] == 0 and FOLLOWS[21] == 19 and FOLLOWS[30] == 28
    assert all(FOLLOWS[landmark] == landmark for landmark in KNOWN)


def test_more_is_visible_and_nothing_less(truth, said):
    torch.manual_seed(0)
    rotmats, betas, _, joints_norm = truth
    found = lifelike_pose(said, BODY, rotmats, betas, joints_norm)[..., 3:5]
    assert (found >= said[..., 3:5] - 1e-6).all() and (found <= 1).all()
    assert found.mean() > said[..., 3:5].mean() + 0.1


def test_what_is_hidden_is_less_exact(truth, said, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *size: torch.ones(*size))  # visible as it was
    rotmats, betas, camera, joints_norm = truth
    places = project_weak(body_landmarks(BODY, rotmats, betas), camera)
    gaps = []
    for visible in (1.0, 0.0):
        said[..., 3:5] = visible
        found = [lifelike_pose(said, BODY, rotmats, betas, joints_norm) for _ in range(30)]
        gaps.append((torch.stack(found)[:, :, KNOWN, :2] - places).std())
    assert gaps[0] == pytest.approx(lifelike.PLACE_NOISE, rel=0.1)
    assert gaps[1] == pytest.approx((1 + lifelike.UNSEEN) * lifelike.PLACE_NOISE, rel=0.1)

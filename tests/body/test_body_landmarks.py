import torch

from dimr.body.landmarks import BONES, JOINTS, OFFSETS_M, ON_BODY, body_landmarks
from dimr.body.model import BodyModel

BODY = BodyModel.load()
REST = torch.eye(3).expand(1, 24, 3, 3)


def test_on_the_resting_body_they_lie_beside_their_joints():
    found = body_landmarks(BODY, REST, torch.zeros(1, 10))[0]
    wanted = BODY.joints_template[JOINTS] + torch.tensor(OFFSETS_M, dtype=torch.float32)
    torch.testing.assert_close(found, wanted)


def test_they_move_with_their_bones():
    """Left elbow bent: its own landmarks and those of the hand turn about the elbow."""
    elbow = 18
    rotmats = REST.clone()
    rotmats[0, elbow] = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    found, resting = (
        body_landmarks(BODY, each, torch.zeros(1, 10))[0] for each in (rotmats, REST)
    )
    pivot = BODY.joints_template[elbow]
    rows = {landmark: row for row, landmark in enumerate(ON_BODY)}
    for landmark in (13, 15, 19):
        row = rows[landmark]
        turned = pivot + rotmats[0, elbow] @ (resting[row] - pivot)
        torch.testing.assert_close(found[row], turned, atol=1e-5, rtol=0)
    still = [row for landmark, row in rows.items() if landmark not in (13, 15, 19)]
    torch.testing.assert_close(found[still], resting[still])


def test_shape_moves_them_as_it_moves_joints():
    betas = torch.randn(1, 10, generator=torch.Generator().manual_seed(0))
    moved = body_landmarks(BODY, REST, betas) - body_landmarks(BODY, REST, torch.zeros(1, 10))
    joints = BODY.joints_rest(betas) - BODY.joints_rest(torch.zeros(1, 10))
    same = JOINTS == BONES
    torch.testing.assert_close(moved[:, same], joints[:, JOINTS[same]], atol=1e-5, rtol=0)

import pytest
import torch

from dimr.body.landmarks import ALL_ON_BODY, ON_BODY, body_landmarks, offsets_of
from dimr.body.model import BodyModel

BODY = BodyModel.load()
REST = torch.eye(3).expand(1, 24, 3, 3)


@pytest.mark.parametrize("table", [ON_BODY, ALL_ON_BODY])
def test_on_the_resting_body_they_lie_beside_their_joints(table):
    joints, _, offsets_m = offsets_of(table)
    found = body_landmarks(BODY, REST, torch.zeros(1, 10), table)[0]
    wanted = BODY.joints_template[joints] + torch.tensor(offsets_m, dtype=torch.float32)
    torch.testing.assert_close(found, wanted)


def test_left_and_right_mirror_each_other():
    found = body_landmarks(BODY, REST, torch.zeros(1, 10), ALL_ON_BODY)[0]
    places = dict(zip(ALL_ON_BODY, found, strict=True))
    pairs = [(1, 4), (2, 5), (3, 6), (7, 8), (9, 10), *((k, k + 1) for k in range(11, 33, 2))]
    assert {each for pair in pairs for each in pair} | {0} == set(places)
    for left, right in pairs:
        mirrored = places[right] * torch.tensor([-1.0, 1, 1])
        assert (places[left] - mirrored).norm() < 0.01 and places[left][0] > places[right][0]


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
    own, bones, _ = offsets_of()
    same = own == bones
    torch.testing.assert_close(moved[:, same], joints[:, own[same]], atol=1e-5, rtol=0)

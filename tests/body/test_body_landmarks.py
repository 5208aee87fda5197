import pytest
import torch

from dimr.body.landmarks import (
    BONES,
    JOINTS,
    NEAR,
    OFFSETS_M,
    ON_BODY,
    ON_MASK,
    SEEN,
    believed,
    body_landmarks,
)
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


class TestBelieved:
    MASK = torch.zeros(1, 40, 40, dtype=torch.bool)
    MASK[:, 10:30, 10:20] = True
    """From -0.5 to 0 in x and to 0.5 in y."""

    @staticmethod
    def pose(x=-0.25, visible=1.0):
        pose = torch.zeros(1, 39, 8)
        pose[..., 0], pose[..., 3] = x, visible
        return pose

    @pytest.mark.parametrize(
        ("x", "near"), [(-0.25, True), (0.04, True), (0.12, False), (-0.6, False), (30.0, False)]
    )
    def test_landmarks_on_the_mask_or_beside_it(self, x, near):
        assert NEAR == 0.05
        assert believed(self.pose(x), self.MASK).tolist() == [near]

    def test_some_may_lie_elsewhere(self):
        few = round((1 - ON_MASK) * len(ON_BODY)) - 1
        for count, right in ((few, True), (few + 2, False)):
            pose = self.pose()
            pose[:, list(ON_BODY)[:count], 0] = 0.8
            assert believed(pose, self.MASK).item() is right

    def test_those_that_are_hardly_seen_may_lie_anywhere(self):
        pose = self.pose()
        pose[:, list(ON_BODY)[:6], 0], pose[:, list(ON_BODY)[:6], 3] = 0.8, 0.3
        assert believed(pose, self.MASK).item()

    @pytest.mark.parametrize(("visible", "enough"), [(SEEN + 0.01, True), (SEEN - 0.01, False)])
    def test_enough_must_be_seen(self, visible, enough):
        assert believed(self.pose(visible=visible), self.MASK).item() is enough

    def test_nobody(self):
        assert not believed(self.pose(), self.MASK & False).item()
        assert not believed(torch.zeros(1, 39, 8), self.MASK).item()

    def test_everybody_is_judged_alone(self):
        pose = torch.cat([self.pose(0.8), self.pose(), self.pose(visible=0.2)])
        assert believed(pose, self.MASK.expand(3, -1, -1)).tolist() == [False, True, False]

import torch

from dimr.correspondence.hint import LIMBS, THICKNESS, PoseHint, stick_figure


class TestStickFigure:
    @staticmethod
    def pose_with(limb, start, end, seen=(1.0, 1.0)):
        """(1, 39, 10): one limb seen; a trunk of length 0.5 gives the scale."""
        pose = torch.zeros(1, 39, 10)
        pose[0, [11, 12], 1] = -0.25
        pose[0, [23, 24], 1] = 0.25
        for landmark, place, visible in zip(LIMBS[limb], (start, end), seen, strict=True):
            pose[0, landmark, :3] = torch.tensor(place)
            pose[0, landmark, 3] = visible
        return pose

    def test_near_along_and_depth_on_a_limb_by_hand(self):
        # left shin: x from -0.75 to 0.75 at y = 0.25, z from 0 to 1; pixels at -0.75 ... 0.75
        limb = LIMBS.index((25, 27))
        pose = self.pose_with(limb, (-0.75, 0.25, 0.0), (0.75, 0.25, 1.0), (1.0, 0.5))
        near, along, depth = stick_figure(pose, (4, 4))[0].unflatten(0, (3, -1))[:, limb]
        torch.testing.assert_close(near[2], torch.full((4,), 0.5))
        torch.testing.assert_close(along[2], 0.5 * torch.tensor([-1.0, -1 / 3, 1 / 3, 1.0]))
        torch.testing.assert_close(depth[2], 0.5 * torch.tensor([0.0, 1 / 3, 2 / 3, 1.0]))
        fall = torch.exp(torch.tensor(-(0.5**2) / (2 * (THICKNESS * 0.5) ** 2)))
        torch.testing.assert_close(near[1], (0.5 * fall).repeat(4))

    def test_beyond_its_ends_a_limb_fades_and_goes_on_as_its_end(self):
        limb = LIMBS.index((25, 27))
        pose = self.pose_with(limb, (-0.25, 0.25, 0.0), (0.25, 0.25, 0.0))
        near, along, _ = stick_figure(pose, (4, 4))[0].unflatten(0, (3, -1))[:, limb]
        assert near[2, 3] < near[2, 2]
        torch.testing.assert_close(along[2, 3] / near[2, 3], torch.tensor(1.0))

    def test_unseen_limbs_and_points_on_one_spot_leave_zeros(self):
        assert not stick_figure(torch.zeros(1, 39, 10), (8, 8)).any()


class TestHint:
    def test_starts_silent_and_learns(self):
        hint = PoseHint(16, 8)
        tokens, maps = hint(torch.rand(2, 39, 10), (6, 6))
        assert tokens.shape == (2, 16, 1, 1) and maps.shape == (2, 8, 6, 6)
        assert not tokens.any() and not maps.any()
        (tokens.sum() + maps.sum()).backward()
        assert hint.to_tokens.weight.grad.any() and hint.limbs.weight.grad.any()

    def test_nobody_looked_adds_nothing(self):
        hint = PoseHint(16, 8)
        for layer in (hint.to_tokens, hint.limbs):
            torch.nn.init.ones_(layer.weight)
            torch.nn.init.ones_(layer.bias)
        pose = torch.rand(2, 39, 10)
        pose[1] = 0
        tokens, maps = hint(pose, (6, 6))
        assert tokens[0].any() and maps[0].any()
        assert not tokens[1].any() and not maps[1].any()

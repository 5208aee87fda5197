import torch

from dimr.body.camera import project_weak
from dimr.network.complete import Completed
from dimr.network.feedback import GAP_SCALE, HIPS, LANDMARK_OF_JOINT, LARGEST_GAP, LandmarkGap
from dimr.network.regress import IterativeRegressor

OWN, SEEN = list(LANDMARK_OF_JOINT), list(LANDMARK_OF_JOINT.values())


def joints_of(rotmats, betas):
    """Somewhere that depends on both."""
    count = torch.arange(24.0)[None, :, None] / 24
    return count * rotmats[:, :, 0] + betas[:, None, :1]


def state(batch=2):
    generator = torch.Generator().manual_seed(0)
    rotmats = torch.linalg.qr(torch.randn(batch, 24, 3, 3, generator=generator)).Q
    betas = torch.randn(batch, 10, generator=generator)
    camera = torch.tensor([[0.5, 0.1, -0.2]]).repeat(batch, 1)
    return rotmats, betas, camera


def agreeing_pose(rotmats, betas, camera):
    """Landmarks that lie exactly where the joints are."""
    joints = joints_of(rotmats, betas)
    pose = torch.zeros(len(rotmats), 39, 8)
    pose[:, SEEN, :2] = project_weak(joints, camera)[:, OWN]
    pose[:, SEEN, 3] = 1
    pose[:, SEEN, 5:] = (joints - joints[:, HIPS].mean(1, keepdim=True))[:, OWN]
    return pose


class TestGaps:
    def test_none_where_landmarks_agree(self):
        gaps = LandmarkGap(4, joints_of).gaps(agreeing_pose(*state()), *state())
        torch.testing.assert_close(gaps[..., :5], torch.zeros(2, len(OWN), 5), atol=1e-5, rtol=0)
        assert (gaps[..., 5] == 1).all()

    def test_one_by_hand(self):
        pose = agreeing_pose(*state())
        pose[1, LANDMARK_OF_JOINT[18], :2] += torch.tensor([0.1, -0.2])
        pose[1, LANDMARK_OF_JOINT[18], 3] = 0.5
        gaps = LandmarkGap(4, joints_of).gaps(pose, *state())
        wanted = 0.5 * torch.tensor([GAP_SCALE * 0.1, -GAP_SCALE * 0.2, 0, 0, 0, 1])
        row = OWN.index(18)
        torch.testing.assert_close(gaps[1, row], wanted, atol=1e-5, rtol=0)
        gaps[1, row, :5] = 0
        torch.testing.assert_close(gaps[..., :5], torch.zeros(2, len(OWN), 5), atol=1e-5, rtol=0)

    def test_unseen_landmarks_say_nothing_and_wild_ones_little(self):
        pose = agreeing_pose(*state())
        pose[0, :, :3] = 1000
        pose[1, :, 3] = 0
        pose[1, :, :3] = 1000
        gaps = LandmarkGap(4, joints_of).gaps(pose, *state())
        assert gaps[0].abs().max() == LARGEST_GAP
        assert not gaps[1].any()


class TestInTheRegressor:
    @staticmethod
    def regressor():
        torch.manual_seed(0)
        return IterativeRegressor(10, hidden=16, landmarks=True, joints_of=joints_of)

    @staticmethod
    def regress(regressor, pose):
        torch.manual_seed(1)
        return regressor(Completed(torch.rand(2, 6)), torch.rand(2, 4), pose)

    def test_starts_silent_and_learns(self):
        regressor = self.regressor()
        pose = torch.rand(2, 39, 8)
        first = self.regress(regressor, pose)
        torch.testing.assert_close(first.rotmats, self.regress(regressor, None).rotmats)
        first.camera.sum().backward()
        assert regressor.landmark_gap.enter.weight.grad.any()

    def test_it_hears_how_far_the_pose_of_each_step_is_off(self):
        """The twin: enters before every step, with the state so far."""
        regressor = self.regressor()
        torch.nn.init.normal_(regressor.landmark_gap.enter.weight)
        torch.nn.init.normal_(regressor.decode_camera.weight)
        asked = []
        gaps = regressor.landmark_gap.gaps

        def record(pose, rotmats, betas, camera):
            asked.append(camera)
            return gaps(pose, rotmats, betas, camera)

        regressor.landmark_gap.gaps = record
        found = self.regress(regressor, torch.rand(2, 39, 8))
        assert len(asked) == regressor.iterations
        torch.testing.assert_close(asked[0], regressor.initial_state[-3:].expand(2, 3))
        assert not torch.equal(asked[1], asked[0]) and not torch.equal(asked[2], found.camera)
        assert not torch.equal(found.camera, self.regress(self.regressor(), None).camera)

    def test_without_a_body_there_is_no_feedback(self):
        assert IterativeRegressor(10, hidden=16, landmarks=True).landmark_gap is None

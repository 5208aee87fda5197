import numpy as np
import pytest
from PIL import Image

from dimr.body.model import BodyModel
from dimr.data.synthetic import survey
from dimr.data.synthetic.anatomy import rotation
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.surface.atlas import load_atlas

FACING = rotation(0, 180.0)


@pytest.fixture(scope="module")
def samples():
    people = SyntheticPeople(BodyModel.load(), load_atlas(), size=64)
    return [people.crop_sample(index) for index in range(20)]


class TestYaw:
    @pytest.mark.parametrize(
        ("turn", "wanted"), [(0.0, 0.0), (90.0, 90.0), (-30.0, -30.0), (135.0, 135.0)]
    )
    def test_about_the_vertical(self, samples, turn, wanted):
        """Turning left by 90 degrees, a person who faced the camera looks to the right of it."""
        rotmats = np.tile(FACING @ rotation(1, turn), (24, 1, 1)).astype(np.float32)
        assert samples[0]._replace(rotmats=rotmats).yaw_deg == pytest.approx(wanted, abs=1e-4)


def test_tilt_of_lying_people():
    joints = np.zeros((24, 3))
    joints[12] = [0, -0.5, 0]
    assert survey._tilt_deg(joints) == pytest.approx(0)
    joints[12] = [0.5, 0, 0]
    assert survey._tilt_deg(joints) == pytest.approx(90)


class TestPoseGaps:
    poses = np.random.default_rng(0).normal(size=(30, 12, 2))

    def test_same_pose_moved_and_scaled_has_no_gap(self):
        np.testing.assert_allclose(
            survey.pose_gaps(self.poses[:5] * 3 + [100, -7], self.poses), 0, atol=1e-9
        )

    def test_agrees_with_the_slow_way(self):
        others = np.random.default_rng(1).normal(size=(200, 12, 2))

        def centred(pose):
            moved = pose - pose.mean(0)
            return moved / np.sqrt((moved**2).sum(1).mean())

        slow = [
            min(np.linalg.norm(centred(a) - centred(b), axis=1).mean() for b in others)
            for a in self.poses
        ]
        fast = survey.pose_gaps(self.poses, others)
        assert (fast >= np.array(slow) - 1e-12).all()
        np.testing.assert_allclose(fast, slow, rtol=0.05)


class TestSurvey:
    def test_shapes_and_ranges(self, samples):
        found = survey.survey(samples)
        assert found.yaw_deg.shape == (20,) and found.joint_seen.shape == (24,)
        for shares in (found.hidden_share, found.in_picture_share, found.height_share):
            assert ((shares >= 0) & (shares <= 1)).all()

    def test_joint_before_which_an_object_stands_is_not_seen(self, samples):
        sample = samples[0]
        code = np.zeros_like(sample.occlusion.hidden_by)
        keypoints = np.zeros((24, 2), np.float32)
        keypoints[3] = (1.5, 0)
        code[:, 20:] = 64
        keypoints[4] = (0.9, 0.9)
        sample = sample._replace(
            keypoints_norm=keypoints - [0.5, 0] * np.ones((24, 1)),
            occlusion=sample.occlusion._replace(hidden_by=code),
        )
        seen = survey.joints_seen(sample)
        assert seen[0] and not seen[4]
        assert seen.sum() == 22  # joint 3 lies outside of the picture

    def test_nobody_in_the_way_all_joints_inside(self):
        alone = SyntheticConfig(others=(1.0,), objects=(1.0,), close_up=0.0, box_shift=0.0)
        people = SyntheticPeople(BodyModel.load(), load_atlas(), size=64, config=alone)
        found = survey.survey([people.crop_sample(index) for index in range(8)])
        assert found.joint_seen.min() > 0.8 and found.hidden_share.max() == 0


def test_lsp_crops_are_read(tmp_path):
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    joints = rng.uniform(0, 48, (3, 14, 2)).astype(np.float32)
    visible = rng.random((3, 14)) < 0.7
    np.savez(tmp_path / "joints.npz", ids=np.array([1, 2, 30]), joints=joints, visible=visible)
    for number in (1, 2, 30):
        Image.new("RGB", (48, 48), (number, 0, 0)).save(
            tmp_path / "images" / f"im{number:05d}.jpg"
        )
    crops = survey.read_lsp_crops(tmp_path, 2)
    assert len(crops.pictures) == 2 and crops.pictures[0].shape == (48, 48, 3)
    np.testing.assert_allclose(crops.limbs_px, joints[:2, :12])
    np.testing.assert_array_equal(crops.limbs_seen, visible[:2, :12])

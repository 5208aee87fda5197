import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.body.keypoints import JOINT_MIRROR
from dimr.body.model import BodyModel
from dimr.data.synthetic import anatomy, poses

BODY = BodyModel.load()
JOINTS = BODY.joints_template.numpy().astype(np.float64)
# exactly symmetric, so that mirrored poses must give mirrored joints
SYMMETRIC = (JOINTS + JOINTS[list(JOINT_MIRROR)] * (-1, 1, 1)) / 2
PARENTS = np.array(BODY.parents)
HEAD, LEFT_FOOT, RIGHT_FOOT = 15, 10, 11
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST, LEFT_KNEE, LEFT_ANKLE = 16, 18, 20, 4, 7


def angles(**degrees: float) -> np.ndarray:
    vector = np.zeros(anatomy.NUM_ANGLES)
    for name, value in degrees.items():
        vector[anatomy.ANGLES.index(name)] = value
    return vector


def joints_of(vector: np.ndarray, rest: np.ndarray = SYMMETRIC) -> np.ndarray:
    return anatomy.pose_skeleton(anatomy.angles_to_rotmats(vector), rest, PARENTS)[0]


def draw(seed: int, name: str | None = None) -> poses.Pose:
    return poses.sample_pose(np.random.default_rng(seed), SYMMETRIC, PARENTS, name)


class TestAngles:
    def test_zero_angles_hang_the_arms_and_stand_upright(self):
        joints = joints_of(angles())
        for shoulder, elbow, wrist in ((16, 18, 20), (17, 19, 21)):
            assert joints[shoulder, 1] > joints[elbow, 1] > joints[wrist, 1]
            np.testing.assert_allclose(joints[elbow, 0], joints[shoulder, 0], atol=0.03)
        np.testing.assert_allclose(joints[[HEAD, LEFT_FOOT]], SYMMETRIC[[HEAD, LEFT_FOOT]])

    @pytest.mark.parametrize(
        ("azimuth", "direction"), [(0, (1, 0, 0)), (90, (0, 0, 1)), (-90, (0, 0, -1))]
    )
    def test_raised_arm_points_where_azimuth_says(self, azimuth, direction):
        joints = joints_of(angles(left_arm_raise=90, left_arm_azimuth=azimuth))
        upper_arm = joints[LEFT_ELBOW] - joints[LEFT_SHOULDER]
        cosine = upper_arm @ direction / np.linalg.norm(upper_arm)
        assert cosine > 0.98

    @pytest.mark.parametrize(
        ("name", "joint", "parent", "axis", "sign"),
        [
            ("left_elbow_flex", LEFT_WRIST, LEFT_ELBOW, 2, 1),
            ("left_knee_flex", LEFT_ANKLE, LEFT_KNEE, 2, -1),
            ("left_hip_flex", LEFT_KNEE, 1, 2, 1),
            ("left_hip_abduct", LEFT_KNEE, 1, 0, 1),
            ("left_hip_twist", LEFT_FOOT, LEFT_ANKLE, 0, 1),
            ("left_ankle_flex", LEFT_FOOT, LEFT_ANKLE, 1, 1),
            ("spine_flex", HEAD, 0, 2, 1),
            ("neck_flex", HEAD, 12, 2, 1),
            ("root_pitch", HEAD, 0, 2, 1),
            ("left_collar_lift", LEFT_SHOULDER, 13, 1, 1),
        ],
    )
    def test_positive_angle_moves_the_joint(self, name, joint, parent, axis, sign):
        before, after = joints_of(angles()), joints_of(angles(**{name: 40}))
        moved = (after[joint] - after[parent]) - (before[joint] - before[parent])
        assert moved[axis] * sign > 0.01

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=30, deadline=None)
    def test_mirror_angles_mirrors_the_joints(self, seed):
        vector = np.random.default_rng(seed).uniform(*anatomy.LIMITS_DEG.T)
        mirrored = joints_of(anatomy.mirror_angles(vector))
        expected = joints_of(vector)[list(JOINT_MIRROR)] * (-1, 1, 1)
        np.testing.assert_allclose(mirrored, expected, atol=1e-9)

    def test_mirror_angles_twice_is_identity(self):
        vector = np.random.default_rng(0).normal(size=anatomy.NUM_ANGLES)
        twice = anatomy.mirror_angles(anatomy.mirror_angles(vector))
        np.testing.assert_array_equal(twice, vector)

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=20, deadline=None)
    def test_rotations_are_proper(self, seed):
        vector = np.random.default_rng(seed).uniform(*anatomy.LIMITS_DEG.T)
        rotmats = anatomy.angles_to_rotmats(vector)
        gram = rotmats @ rotmats.transpose(0, 2, 1)
        np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), gram.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(rotmats), 1, atol=1e-9)

    def test_skeleton_agrees_with_the_body_model(self):
        import torch

        rotmats, betas = draw(3).rotmats, np.linspace(-2, 2, 10)
        rest = BODY.joints_template.numpy() + BODY.joints_shapedirs.numpy() @ betas
        joints, _ = anatomy.pose_skeleton(rotmats, rest.astype(np.float64), PARENTS)
        expected = BODY.joints(
            torch.tensor(rotmats[None], dtype=torch.float32),
            torch.tensor(betas[None], dtype=torch.float32),
        )
        np.testing.assert_allclose(joints, expected[0].numpy(), atol=1e-5)


class TestCollisions:
    def test_hand_inside_the_trunk_is_found(self):
        inside = angles(left_arm_raise=20, left_arm_azimuth=70, left_elbow_flex=120)
        assert (
            anatomy.deepest_collision_m(
                *anatomy.pose_skeleton(anatomy.angles_to_rotmats(inside), SYMMETRIC, PARENTS)
            )
            > poses.MAX_COLLISION_M
        )

    def test_crossed_legs_in_one_place_are_found(self):
        inside = angles(left_hip_abduct=-12, right_hip_abduct=-12)
        assert (
            anatomy.deepest_collision_m(
                *anatomy.pose_skeleton(anatomy.angles_to_rotmats(inside), SYMMETRIC, PARENTS)
            )
            > poses.MAX_COLLISION_M
        )

    def test_t_pose_is_free(self):
        rest = np.tile(np.eye(3), (24, 1, 1))
        skeleton = anatomy.pose_skeleton(rest, SYMMETRIC, PARENTS)
        assert anatomy.deepest_collision_m(*skeleton) < 0

    def test_sampled_poses_are_almost_all_free(self):
        depths = [
            anatomy.deepest_collision_m(
                *anatomy.pose_skeleton(draw(seed).rotmats, SYMMETRIC, PARENTS)
            )
            for seed in range(300)
        ]
        assert np.mean(np.array(depths) > poses.MAX_COLLISION_M) < 0.03
        assert max(depths) < 0.08


class TestSamplePose:
    @pytest.mark.parametrize("name", poses.ATTITUDES)
    def test_limits_hold(self, name):
        for seed in range(30):
            vector = draw(seed, name).angles_deg
            assert (vector >= anatomy.LIMITS_DEG[:, 0]).all()
            assert (vector <= anatomy.LIMITS_DEG[:, 1]).all()

    @pytest.mark.parametrize("name", poses.ATTITUDES)
    def test_hinges_bend_one_way_only(self, name):
        """Measured on the rotations: knees turn about +x alone, elbows never backwards."""
        for seed in range(30):
            rotmats = draw(seed, name).rotmats
            for knee in (4, 5):
                np.testing.assert_allclose(rotmats[knee, 0], (1, 0, 0), atol=1e-9)
                assert rotmats[knee, 2, 1] >= -1e-9
            for elbow, sign in ((18, 1), (19, -1)):
                forearm = rotmats[elbow, :, 0] * sign
                assert forearm[2] >= -1e-9

    def test_arms_raised_behind_are_limited(self):
        vector = angles(left_arm_raise=150, left_arm_azimuth=-75)
        anatomy.clamp_angles(vector, anatomy.LIMITS_DEG)
        raised = vector[anatomy.ANGLES.index("left_arm_raise")]
        assert raised == pytest.approx(anatomy.RAISE_BEHIND_DEG)

    @pytest.mark.parametrize("name", ["standing", "walking", "reaching", "running"])
    def test_upright_attitudes_have_feet_below_the_head(self, name):
        for seed in range(40):
            joints = joints_of(draw(seed, name).angles_deg)
            assert joints[HEAD, 1] - joints[[LEFT_FOOT, RIGHT_FOOT], 1].min() > 1.1

    def test_standing_feet_are_near_the_floor_and_knees_above_them(self):
        for seed in range(40):
            joints = joints_of(draw(seed, "standing").angles_deg)
            assert abs(joints[7, 1] - joints[8, 1]) < 0.25
            assert (joints[[4, 5], 1] > joints[[7, 8], 1]).all()

    def test_lying_attitudes_are_flat(self):
        for name in ("on_back", "on_front", "on_side"):
            for seed in range(10):
                joints = joints_of(draw(seed, name).angles_deg)
                assert abs(joints[HEAD, 1] - joints[0, 1]) < 0.5

    @pytest.mark.parametrize(("name", "low", "high"), [("bending", 25, 85), ("on_back", 0, 60)])
    def test_hips_make_up_for_the_trunk_of_those_who_stand(self, name, low, high):
        """Who bends over keeps the legs plumb; who lies on the back does not hollow it."""
        hip = anatomy.ANGLES.index("left_hip_flex")
        mean = np.mean([draw(seed, name).angles_deg[hip] for seed in range(40)])
        assert low < mean < high

    def test_same_numbers_give_the_same_pose(self):
        np.testing.assert_array_equal(draw(5).rotmats, draw(5).rotmats)

    def test_arms_hang_most_often(self):
        hanging = 0
        for seed in range(200):
            joints = joints_of(draw(seed).angles_deg)
            hanging += (joints[[20, 21], 1] < joints[[16, 17], 1]).all()
        assert hanging > 110

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.body.keypoints import JOINT_MIRROR
from dimr.body.model import BodyModel
from dimr.data.synthetic import anatomy, collision, poses

BODY = BodyModel.load()
JOINTS = BODY.joints_template.numpy().astype(np.float64)
# exactly symmetric, so that mirrored poses must give mirrored joints
SYMMETRIC = (JOINTS + JOINTS[list(JOINT_MIRROR)] * (-1, 1, 1)) / 2
PARENTS = np.array(BODY.parents)
HEAD, LEFT_FOOT, RIGHT_FOOT = 15, 10, 11
LEFT_HIP, HINGES = 1, [4, 5, 18, 19]
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST, LEFT_KNEE, LEFT_ANKLE = 16, 18, 20, 4, 7


def angles(**degrees: float) -> np.ndarray:
    vector = np.zeros(anatomy.NUM_ANGLES)
    for name, value in degrees.items():
        vector[anatomy.ANGLES.index(name)] = value
    return vector


def joints_of(vector: np.ndarray, rest: np.ndarray = SYMMETRIC) -> np.ndarray:
    return anatomy.pose_skeleton(anatomy.angles_to_rotmats(vector), rest, PARENTS)[0]


def draw(seed: int, name: str | None = None, extreme: bool = False) -> anatomy.Pose:
    rng = np.random.default_rng(seed)
    return poses.sample_pose(rng, SYMMETRIC, PARENTS, attitude_name=name, extreme=extreme)


def posed(pose: anatomy.Pose) -> np.ndarray:
    return anatomy.pose_skeleton(pose.rotmats, SYMMETRIC, PARENTS)[0]


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
            collision.deepest_collision_m(
                *anatomy.pose_skeleton(anatomy.angles_to_rotmats(inside), SYMMETRIC, PARENTS)
            )
            > collision.MAX_COLLISION_M
        )

    def test_crossed_legs_in_one_place_are_found(self):
        inside = angles(left_hip_abduct=-12, right_hip_abduct=-12)
        assert (
            collision.deepest_collision_m(
                *anatomy.pose_skeleton(anatomy.angles_to_rotmats(inside), SYMMETRIC, PARENTS)
            )
            > collision.MAX_COLLISION_M
        )

    def test_t_pose_is_free(self):
        rest = np.tile(np.eye(3), (24, 1, 1))
        skeleton = anatomy.pose_skeleton(rest, SYMMETRIC, PARENTS)
        assert collision.deepest_collision_m(*skeleton) < 0

    def test_sampled_poses_are_almost_all_free(self):
        depths = [
            collision.deepest_collision_m(
                *anatomy.pose_skeleton(draw(seed).rotmats, SYMMETRIC, PARENTS)
            )
            for seed in range(300)
        ]
        assert np.mean(np.array(depths) > collision.MAX_COLLISION_M) < 0.03
        assert max(depths) < 0.08


class TestSamplePose:
    @pytest.mark.parametrize("name", poses.ATTITUDES)
    def test_limits_hold(self, name):
        """Also those that bind recorded poses, though they know nothing of angles."""
        for seed in range(30):
            rotmats = draw(seed, name).rotmats
            limited = rotmats.copy()
            anatomy.limit_rotmats(limited, anatomy.TURN_LIMITS_DEG)
            np.testing.assert_allclose(limited[HINGES], rotmats[HINGES], atol=1e-9)

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
        anatomy.clamp_angles(vector, anatomy.LIMITS_DEG, anatomy.HAMSTRINGS_DEG)
        raised = vector[anatomy.ANGLES.index("left_arm_raise")]
        assert raised == pytest.approx(anatomy.RAISE_BEHIND_DEG)

    @pytest.mark.parametrize("name", ["standing", "walking", "reaching", "running"])
    def test_upright_attitudes_have_feet_below_the_head(self, name):
        for seed in range(40):
            joints = posed(draw(seed, name))
            assert joints[HEAD, 1] - joints[[LEFT_FOOT, RIGHT_FOOT], 1].min() > 1.1

    def test_standing_feet_are_near_the_floor_and_knees_above_them(self):
        for seed in range(40):
            joints = posed(draw(seed, "standing"))
            assert abs(joints[7, 1] - joints[8, 1]) < 0.25
            assert (joints[[4, 5], 1] > joints[[7, 8], 1]).all()

    def test_lying_attitudes_are_flat(self):
        for name in ("on_back", "on_front", "on_side"):
            for seed in range(10):
                joints = posed(draw(seed, name))
                assert abs(joints[HEAD, 1] - joints[0, 1]) < 0.5

    @pytest.mark.parametrize(("name", "low", "high"), [("bending", 25, 85), ("on_back", 0, 60)])
    def test_hips_make_up_for_the_trunk_of_those_who_stand(self, name, low, high):
        """Who bends over keeps the legs plumb; who lies on the back does not hollow it."""
        thighs = np.array([-draw(seed, name).rotmats[LEFT_HIP, :, 1] for seed in range(40)])
        flexion = np.rad2deg(np.arctan2(thighs[:, 2], -thighs[:, 1]))
        assert low < flexion.mean() < high

    def test_hugging_arms_reach_around_somebody_in_front(self):
        for seed in range(30):
            wrists = posed(draw(seed, "hug_front"))[[LEFT_WRIST, LEFT_WRIST + 1]]
            assert (wrists[:, 2] > 0.2).all() and np.ptp(wrists[:, 0]) < 0.55

    def test_one_arm_of_a_side_hug_is_at_a_neighbours_shoulders(self):
        for seed in range(30):
            joints = posed(draw(seed, "hug_side"))
            elbows, shoulders = joints[[18, 19]], joints[[16, 17]]
            level = np.abs(elbows[:, 1] - shoulders[:, 1]) < 0.12
            assert (level & (np.abs(elbows[:, 0]) > 0.3)).any()

    def test_touching_and_extreme_attitudes_are_drawn_only_if_asked_for(self):
        asked = {"hug_front", "hug_side", "carry", *poses.EXTREME_ATTITUDES}
        assert not asked & {draw(seed).kind for seed in range(400)}
        assert {draw(seed, extreme=True).kind for seed in range(200)} == set(
            poses.EXTREME_ATTITUDES
        )

    def test_handstands_are_upside_down(self):
        for seed in range(30):
            joints = posed(draw(seed, "handstand"))
            assert joints[HEAD, 1] < joints[0, 1] - 0.3
            assert joints[[20, 21], 1].max() < joints[HEAD, 1]

    def test_same_numbers_give_the_same_pose(self):
        np.testing.assert_array_equal(draw(5).rotmats, draw(5).rotmats)

    def test_arms_hang_most_often(self):
        hanging = 0
        for seed in range(200):
            joints = posed(draw(seed))
            hanging += (joints[[20, 21], 1] < joints[[16, 17], 1]).all()
        assert hanging > 110

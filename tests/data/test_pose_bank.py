"""The bank of recorded poses: how it is made, its file, what is drawn from it, the shipped one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dimr.assets import asset_path
from dimr.body.model import BodyModel
from dimr.data.motion.arrays import MIRROR_SUFFIX
from dimr.data.motion.bank import (
    SPLITS,
    PoseRows,
    build_pose_bank,
    read_pose_bank,
    without_yaw,
    write_pose_bank,
)
from dimr.data.motion.clip import Clip
from dimr.data.synthetic import anatomy, collision, poses
from dimr.data.synthetic.pose_bank import OPEN_POSES, PoseBank

BODY = BodyModel.load()
REST = BODY.joints_template.numpy().astype(np.float64)
PARENTS = np.array(BODY.parents)
SHIPPED = read_pose_bank(asset_path(OPEN_POSES))
L_KNEE, L_ELBOW, R_ELBOW = 4, 18, 19


def rotate(*degrees: float) -> np.ndarray:
    return Rotation.from_rotvec(degrees, degrees=True).as_matrix()


def clip(name: str, kind: str = "walking", frames: int = 20, group: str | None = None) -> Clip:
    """A person who bends one elbow by 4 degrees a frame; names decide how the body is turned."""
    rotmats = np.tile(np.eye(3), (frames, 24, 1, 1))
    rotmats[:, 0] = rotate(0, 10 * len(name), 0)
    for frame in range(frames):
        rotmats[frame, L_ELBOW] = rotate(0, -4 * frame, 0)
    return Clip(name, kind, 30, rotmats, None, group or name)


def build(*clips: Clip, **settings) -> PoseRows:
    return build_pose_bank(clips, REST, **settings)


class TestBuild:
    def test_repeated_poses_are_kept_once(self):
        still = clip("a", frames=1)
        still = still._replace(rotmats=still.rotmats.repeat(50, 0))
        assert len(build(still).theta) == 1

    def test_turned_about_the_vertical_is_the_same_pose(self):
        bank = build(clip("a", group="g"), clip("aaaa", group="g"))
        assert len(bank.theta) == len(build(clip("a")).theta)
        np.testing.assert_allclose(bank.theta[:, 0], 0, atol=1e-3)

    def test_kept_poses_differ_and_left_out_ones_are_near(self):
        bank = build(clip("a", frames=30), min_distance_m=0.02)
        turns = Rotation.from_rotvec(bank.theta.reshape(-1, 3).astype(np.float64))
        rotmats = turns.as_matrix().reshape(-1, 24, 3, 3)
        wrists = np.array([anatomy.pose_skeleton(r, REST, PARENTS)[0] for r in rotmats])
        apart = np.sqrt(((wrists[:, None] - wrists[None]) ** 2).sum(-1).mean(-1))
        assert apart[~np.eye(len(apart), dtype=bool)].min() > 0.0199
        assert 3 < len(bank.theta) < 30

    def test_at_most_so_many_of_a_kind_and_split(self):
        bank = build(clip("a", frames=40), min_distance_m=1e-4, most_per_kind=7)
        assert len(bank.theta) == 7

    def test_fast_clips_are_thinned(self):
        slow = clip("a", frames=40)
        assert len(build(slow._replace(fps=240), min_distance_m=1e-4).theta) == 10

    def test_groups_stay_together_and_no_split_is_empty(self):
        clips = [clip(f"c{k}{twin}", group=f"g{k}") for k in range(10) for twin in "ab"]
        bank = build(*clips)
        split = dict(zip(bank.clip_names, bank.clip_split.tolist(), strict=True))
        assert all(split[f"c{k}a"] == split[f"c{k}b"] for k in range(10))
        counts = np.bincount(bank.clip_split, minlength=3)
        assert counts.tolist() == [14, 2, 4]

    def test_stills_are_for_training(self):
        bank = build(*(clip(f"s{k}", frames=3) for k in range(12)))
        assert set(bank.clip_split) == {0}

    def test_the_order_of_clips_does_not_matter(self):
        clips = [clip(f"c{k}", frames=10 + k) for k in range(5)]
        for first, second in zip(build(*clips), build(*clips[::-1]), strict=True):
            np.testing.assert_array_equal(first, second)

    def test_refusals(self):
        with pytest.raises(ValueError, match="got 0"):
            build()
        with pytest.raises(ValueError, match="twice: a"):
            build(clip("a"), clip("a"))
        with pytest.raises(ValueError, match="no frame"):
            build(clip("a", frames=0))


class TestWithoutYaw:
    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=25, deadline=None)
    def test_keeps_the_tilt_and_nothing_else(self, seed):
        root = Rotation.random(4, random_state=seed)
        yaws = Rotation.from_euler("y", [[10.0], [80.0], [200.0], [300.0]], degrees=True)
        plain, turned = (without_yaw(turn.as_matrix()) for turn in (root, yaws * root))
        np.testing.assert_allclose(turned, plain, atol=1e-7)
        np.testing.assert_allclose(plain[:, 1], root.as_matrix()[:, 1], atol=1e-9)

    def test_forward_bend_still_faces_forwards(self):
        bent = rotate(0, 130, 0) @ rotate(70, 0, 0)
        np.testing.assert_allclose(without_yaw(bent[None])[0], rotate(70, 0, 0), atol=1e-9)


class TestFile:
    def test_round_trip(self, tmp_path):
        bank = build(clip("a", "running"), clip("bb", "kicking"))
        write_pose_bank(tmp_path / "bank.npz", bank)
        for before, after in zip(bank, read_pose_bank(tmp_path / "bank.npz"), strict=True):
            np.testing.assert_array_equal(before, after)
        assert [path.name for path in tmp_path.iterdir()] == ["bank.npz"]

    @pytest.mark.parametrize(
        ("name", "values", "message"),
        [
            ("theta", np.zeros((3, 24, 3), np.float16), "theta is"),
            ("clip", np.full(1, 9), "clip is not within 0 .. 0"),
            ("clip_kind", np.full(1, -1), "clip_kind is not within"),
            ("clip_split", np.full(1, 3), "clip_split is not within 0 .. 2"),
            ("clip_extreme", np.zeros(2, bool), "one kind, split and extreme"),
            ("clip_name", None, "lacks the arrays clip_name"),
        ],
    )
    def test_broken_files_are_refused(self, tmp_path, name, values, message):
        path = tmp_path / "bank.npz"
        write_pose_bank(path, build(clip("a", frames=1)))
        arrays = dict(np.load(path))
        arrays[name] = values
        np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
        with pytest.raises(ValueError, match=message):
            read_pose_bank(path)


class TestLimits:
    def limited(self, joint: int, turn: np.ndarray) -> np.ndarray:
        rotmats = np.tile(np.eye(3), (24, 1, 1))
        rotmats[joint] = turn
        anatomy.limit_rotmats(rotmats, anatomy.TURN_LIMITS_DEG)
        others = np.arange(24) != joint
        np.testing.assert_allclose(rotmats[others], np.eye(3)[None].repeat(23, 0), atol=1e-12)
        return rotmats[joint]

    @pytest.mark.parametrize(
        ("joint", "turn", "wanted"),
        [
            (L_KNEE, (-30, 0, 0), (0, 0, 0)),
            (L_KNEE, (100, 0, 0), (100, 0, 0)),
            (L_KNEE, (0, 40, 0), (0, anatomy.KNEE_SIDE_DEG, 0)),
            (7, (-60, 0, 0), (anatomy.ANKLE_LEAST_DEG, 0, 0)),
            (7, (0, 60, 0), (0, anatomy.ANKLE_SIDE_DEG, 0)),
            (L_ELBOW, (0, 20, 0), (0, 0, 0)),
            (R_ELBOW, (0, -20, 0), (0, 0, 0)),
            (R_ELBOW, (0, 120, 0), (0, 120, 0)),
            (L_ELBOW, (90, 0, 0), (anatomy.ELBOW_TWIST_DEG, 0, 0)),
            (3, (0, 0, 90), (0, 0, anatomy.TURN_LIMITS_DEG[3])),
            (16, (0, 0, 170), (0, 0, 170)),
        ],
    )
    def test_limits_by_hand(self, joint, turn, wanted):
        np.testing.assert_allclose(self.limited(joint, rotate(*turn)), rotate(*wanted), atol=1e-9)

    def test_limits_twice_are_limits_once(self):
        turns = Rotation.random(24, random_state=0).as_matrix()
        turns[[0, 1, 2, 16, 17]] = np.eye(3)
        once = turns.copy()
        anatomy.limit_rotmats(once, anatomy.TURN_LIMITS_DEG)
        assert np.abs(once - turns).max() > 0.1
        twice = once.copy()
        anatomy.limit_rotmats(twice, anatomy.TURN_LIMITS_DEG)
        np.testing.assert_allclose(twice, once, atol=1e-9)


@pytest.fixture(scope="module")
def bank() -> PoseBank:
    return PoseBank.load("train")


class TestSample:
    def test_same_numbers_give_the_same_bytes(self, bank):
        first, second = (
            b"".join(
                source.sample(np.random.default_rng(seed), REST, PARENTS).rotmats.tobytes()
                for seed in range(20)
            )
            for source in (bank, PoseBank.load("train"))
        )
        assert first == second

    def test_poses_are_rotations_within_limits_and_almost_free_of_collisions(self, bank):
        rng = np.random.default_rng(0)
        depths = []
        for _ in range(300):
            rotmats = bank.sample(rng, REST, PARENTS).rotmats
            gram = rotmats @ rotmats.transpose(0, 2, 1)
            np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), gram.shape), atol=1e-9)
            limited = rotmats.copy()
            anatomy.limit_rotmats(limited, anatomy.TURN_LIMITS_DEG)
            np.testing.assert_allclose(limited, rotmats, atol=1e-9)
            skeleton = anatomy.pose_skeleton(rotmats, REST, PARENTS)
            depths.append(collision.deepest_collision_m(*skeleton))
        assert np.mean(np.array(depths) > collision.MAX_COLLISION_M) < 0.06
        assert max(depths) < 0.1

    def test_one_clip_gives_its_poses_both_ways_round(self):
        """Without noise to speak of: the left elbow's bend, or its mirror image on the right."""
        still = clip("a", frames=1)
        still.rotmats[0, L_ELBOW] = rotate(0, -70, 0)
        mine = PoseBank(build(still), "train")
        bends = []
        for seed in range(40):
            rotmats = mine.sample(np.random.default_rng(seed), REST, PARENTS).rotmats
            bends.append([rotmats[L_ELBOW, 2, 0], -rotmats[R_ELBOW, 2, 0]])
        left, right = np.array(bends).T > 0.7
        assert 8 < left.sum() < 32
        assert (left ^ right).all()

    def test_legs_of_one_under_the_trunk_of_another(self):
        legs, arms = clip("a", frames=1), clip("bb", frames=1)
        legs.rotmats[0, L_KNEE] = rotate(90, 0, 0)
        arms.rotmats[0, [L_ELBOW, R_ELBOW]] = rotate(0, -90, 0), rotate(0, 90, 0)
        mine = PoseBank(build(legs, arms), "train")
        both = 0
        for seed in range(100):
            rotmats = mine.sample(np.random.default_rng(seed), REST, PARENTS).rotmats
            bent_knee = min(rotmats[L_KNEE, 1, 1], rotmats[L_KNEE + 1, 1, 1]) < 0.5
            both += bent_knee and rotmats[L_ELBOW, 0, 0] < 0.5
        assert 3 < both < 40

    def test_pelves_tilted_otherwise_are_not_put_together(self):
        legs, arms = clip("a", frames=1), clip("bb", frames=1)
        legs.rotmats[0, 0] = rotate(60, 0, 0)
        arms.rotmats[0, L_ELBOW] = rotate(0, -90, 0)
        mine = PoseBank(build(legs, arms), "train")
        for seed in range(60):
            rotmats = mine.sample(np.random.default_rng(seed), REST, PARENTS).rotmats
            bent = min(rotmats[L_ELBOW, 0, 0], rotmats[R_ELBOW, 0, 0]) < 0.5
            assert bent == (rotmats[0, 1, 1] > 0.9)

    def test_extreme_poses_are_of_extreme_clips(self, bank):
        kinds = {"acrobatics", "floor", "jumping", "kicking"}
        rng = np.random.default_rng(0)
        assert {bank.sample(rng, REST, PARENTS, extreme=True).kind for _ in range(200)} == kinds
        calm = PoseBank(build(clip("a")), "train")
        with pytest.raises(ValueError, match="no extreme clip"):
            calm.sample(rng, REST, PARENTS, extreme=True)

    def test_rare_kinds_come_more_often_than_they_are(self, bank):
        rng = np.random.default_rng(0)
        walking = np.mean([bank.sample(rng, REST, PARENTS).kind == "walking" for _ in range(600)])
        assert walking < 0.75 * np.mean(np.array(bank.kinds) == "walking")

    def test_refusals(self):
        with pytest.raises(ValueError, match="has none for 'val'"):
            PoseBank(build(clip("a")), "val")
        with pytest.raises(ValueError, match="got 'dev'"):
            PoseBank(SHIPPED, "dev")

    def test_sample_pose_takes_turns(self):
        rng = np.random.default_rng(0)
        mine = PoseBank(build(clip("a", "recorded")), "train")
        drawn = [poses.sample_pose(rng, REST, PARENTS, mine, 0.25).kind for _ in range(400)]
        assert 70 < drawn.count("recorded") < 130
        named = poses.sample_pose(rng, REST, PARENTS, mine, 1.0, attitude_name="carry")
        assert named.kind == "carry"


class TestShipped:
    def test_splits_share_no_clip_and_mirror_twins_stay_together(self):
        split = dict(zip(SHIPPED.clip_names, SHIPPED.clip_split.tolist(), strict=True))
        assert len(split) == len(SHIPPED.clip_names)
        twins = [name for name in split if name.endswith(MIRROR_SUFFIX)]
        assert len(twins) == 3
        assert all(split[name] == split[name.removesuffix(MIRROR_SUFFIX)] for name in twins)

    @pytest.mark.parametrize("split", SPLITS)
    def test_each_split_has_many_poses_and_extreme_ones(self, split):
        bank = PoseBank.load(split)
        assert len(bank) > 800
        assert bank.extreme.sum() > 100

    def test_people_mostly_stand_and_arms_mostly_hang(self, bank):
        upright = bank.rotmats[:, 0, 1, 1] > np.cos(np.deg2rad(30))
        joints = np.array([anatomy.pose_skeleton(r, REST, PARENTS)[0] for r in bank.rotmats])
        assert upright.mean() > 0.9
        assert (joints[upright, 15, 1] > joints[upright][:, [7, 8], 1].max(1) + 0.6).mean() > 0.99
        assert np.mean(joints[:, [20, 21], 1] < joints[:, [16, 17], 1]) > 0.7
        # left stays left, and toes point forwards
        assert np.mean(joints[upright, 16, 0] > joints[upright, 17, 0]) > 0.99
        assert np.mean(joints[upright][:, [10, 11], 2] > joints[upright][:, [7, 8], 2]) > 0.94

    def test_knees_bend_backwards_and_elbows_forwards(self, bank):
        knees = bank.rotmats[:, [4, 5]]
        assert np.mean(knees[..., 2, 1] > -0.05) > 0.995
        elbows = bank.rotmats[:, [L_ELBOW, R_ELBOW], 2, 0] * (1, -1)
        assert np.mean(elbows > -0.05) > 0.995

    def test_file_is_small_and_acknowledged(self):
        assert asset_path(OPEN_POSES).stat().st_size < 6e6
        notice = " ".join((Path(__file__).parents[2] / "NOTICE").read_text().split())
        assert (
            "obtained from mocap.cs.cmu.edu. The database was created with funding from NSF"
            in notice
        )

"""Files of motion and their retargeting, on small skeletons written here."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dimr.body.keypoints import JOINT_NAMES, JOINT_PARENTS
from dimr.body.model import BodyModel
from dimr.data.motion.bvh import read_bvh
from dimr.data.motion.clip import Clip, is_extreme, kind_of
from dimr.data.motion.read import read_motion
from dimr.data.motion.retarget import Skeleton, forward, retarget
from dimr.data.motion.rigs import CMU, find_rig

J = {name: joint for joint, name in enumerate(JOINT_NAMES)}
ARMS_AND_HEAD = [J[name] for name in JOINT_NAMES if name.split("_")[-1] not in ("hip", "knee")]
CMU_JOINTS = (
    ("Hips", "", (0, 0, 0)),
    ("LeftUpLeg", "Hips", (1.657, -1.803, 0.625)),
    ("LeftLeg", "LeftUpLeg", (2.597, -7.136, 0)),
    ("LeftFoot", "LeftLeg", (2.492, -6.848, 0)),
    ("LeftToeBase", "LeftFoot", (0.197, -0.541, 2.146)),
    ("RightUpLeg", "Hips", (-1.657, -1.803, 0.625)),
    ("RightLeg", "RightUpLeg", (-2.597, -7.136, 0)),
    ("RightFoot", "RightLeg", (-2.492, -6.848, 0)),
    ("RightToeBase", "RightFoot", (-0.197, -0.541, 2.146)),
    ("LowerBack", "Hips", (0, 0, 0)),
    ("Spine", "LowerBack", (0, 2.05, -0.1)),
    ("Spine1", "Spine", (0, 2.06, 0)),
    ("Neck", "Spine1", (0, 0, 0)),
    ("Neck1", "Neck", (0, 1.57, 0.15)),
    ("Head", "Neck1", (0, 1.56, -0.1)),
    ("LeftArm", "Spine1", (3.542, 0.904, -0.17)),
    ("LeftForeArm", "LeftArm", (4.865, 0, 0)),
    ("LeftHand", "LeftForeArm", (3.356, 0, 0)),
    ("RightArm", "Spine1", (-3.498, 0.76, -0.3)),
    ("RightForeArm", "RightArm", (-5.026, 0, 0)),
    ("RightHand", "RightForeArm", (-3.364, 0, 0)),
)
NAMES = [name for name, _, _ in CMU_JOINTS]
T_POSE = {
    "LeftUpLeg": (0, 0, -21), "RightUpLeg": (0, 0, 21), "Neck": (-16, 0, 0), "Neck1": (21, 0, 0),
    "Head": (11, 0, 0), "LeftArm": (30, 0, 0), "RightArm": (30, 0, 0), "LeftHand": (-30, 0, 0),
    "RightHand": (-30, 0, 0),
}  # fmt: skip


def cmu_skeleton() -> Skeleton:
    parents = tuple(NAMES.index(parent) if parent else -1 for _, parent, _ in CMU_JOINTS)
    return Skeleton(tuple(NAMES), parents, np.array([offset for *_, offset in CMU_JOINTS], float))


def rotate(degrees) -> np.ndarray:
    return Rotation.from_rotvec(degrees, degrees=True).as_matrix()


def cmu_frame(**turns) -> np.ndarray:
    """(1, J, 3, 3): the T-pose, joints turned on from it by rotation vectors in degrees."""
    rotmats = np.tile(np.eye(3), (1, len(NAMES), 1, 1))
    for name in NAMES:
        rotmats[0, NAMES.index(name)] = rotate(T_POSE.get(name, (0, 0, 0)))
    for name, degrees in turns.items():
        rotmats[0, NAMES.index(name)] = rotmats[0, NAMES.index(name)] @ rotate(degrees)
    return rotmats


def to_smpl(rotmats: np.ndarray, skeleton: Skeleton | None = None) -> np.ndarray:
    root = np.zeros((len(rotmats), 3))
    return retarget(skeleton or cmu_skeleton(), CMU, rotmats, root).rotmats


def turned(rotmats: np.ndarray) -> np.ndarray:
    """Rotations to the world of SMPL's joints."""
    still = Skeleton(tuple(JOINT_NAMES), JOINT_PARENTS, np.zeros((24, 3)))
    return forward(still, rotmats, np.zeros((len(rotmats), 3)))[0]


def assert_upright(rotmats: np.ndarray) -> None:
    """All but the legs in SMPL's T-pose; feet to the half degree that the table above leaves."""
    world = turned(rotmats[None])[0, ARMS_AND_HEAD]
    np.testing.assert_allclose(world, np.eye(3)[None].repeat(len(world), 0), atol=6e-3)


def write_bvh(path: Path, rotmats: np.ndarray, order: str = "ZYX", axes=None) -> Path:
    """A BVH file of the skeleton above, end sites and all; `axes` turns its world."""
    axes = np.eye(3) if axes is None else axes
    lines = ["HIERARCHY"]

    def joint(index: int, depth: int) -> None:
        name, _, offset = CMU_JOINTS[index]
        pad = "\t" * depth
        places = "Xposition Yposition Zposition " if index == 0 else ""
        turns = " ".join(f"{axis}rotation" for axis in order)
        lines.append(f"{pad}{'ROOT' if index == 0 else 'JOINT'} {name}")
        lines.append(pad + "{")
        lines.append(f"{pad}\tOFFSET " + " ".join(f"{value:.6f}" for value in axes @ offset))
        lines.append(f"{pad}\tCHANNELS {6 if index == 0 else 3} {places}{turns}")
        children = [k for k, (_, parent, _) in enumerate(CMU_JOINTS) if parent == name]
        for child in children:
            joint(child, depth + 1)
        if not children:
            lines.extend([f"{pad}\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET 0 1 0", pad + "\t}"])
        lines.append(pad + "}")

    joint(0, 0)
    lines += ["MOTION", f"Frames: {len(rotmats)}", "Frame Time: 0.0083333"]
    for frame in axes @ rotmats @ axes.T:
        angles = Rotation.from_matrix(frame).as_euler(order, degrees=True)  # capitals: R1 R2 R3
        row = np.concatenate([axes @ [1.0, 2, 3], angles.ravel()])
        lines.append(" ".join(f"{value:.8f}" for value in row))
    path.write_text("\n".join(lines) + "\n")
    return path


def random_frames(seed: int, count: int = 2) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(0, 25, (count, len(NAMES), 3))
    return cmu_frame() @ Rotation.from_rotvec(
        vectors.reshape(-1, 3), degrees=True
    ).as_matrix().reshape(count, -1, 3, 3)


class TestRetarget:
    def test_t_pose_is_smpls_but_for_the_legs_frontal_directions(self):
        smpl = to_smpl(cmu_frame())[0]
        assert_upright(smpl)
        thigh = smpl[J["L_hip"]] @ (np.sin(np.deg2rad(5)), -np.cos(np.deg2rad(5)), 0)
        np.testing.assert_allclose(thigh, (0, -1, 0), atol=0.03)

    def test_bent_knee_bends_backwards_on_its_own_side_only(self):
        hinge = np.array([np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20)), 0])
        smpl = to_smpl(cmu_frame(LeftLeg=70 * hinge))[0]
        left, right = smpl[J["L_knee"]], smpl[J["R_knee"]]
        assert np.rad2deg(np.arctan2(left[2, 1], left[2, 2])) == pytest.approx(70, abs=0.5)
        assert np.rad2deg(np.arctan2(right[2, 1], right[2, 2])) == pytest.approx(0, abs=0.5)

    @pytest.mark.parametrize(("side", "sign"), [("Left", 1), ("Right", -1)])
    def test_elbow_folds_about_the_upright_hinge(self, side, sign):
        hinge = -sign * np.array([0, np.cos(np.deg2rad(30)), -np.sin(np.deg2rad(30))])
        smpl = to_smpl(cmu_frame(**{f"{side}ForeArm": 80 * hinge}))[0]
        np.testing.assert_allclose(
            smpl[J[f"{side[0]}_elbow"]], rotate((0, -sign * 80, 0)), atol=1e-3
        )

    def test_turn_of_the_hand_is_shared_with_the_forearm(self):
        smpl = to_smpl(cmu_frame(LeftHand=(40, 0, 0)))[0]
        np.testing.assert_allclose(smpl[J["L_elbow"]], rotate((20, 0, 0)), atol=1e-3)
        np.testing.assert_allclose(smpl[J["L_wrist"]], rotate((20, 0, 0)), atol=1e-3)

    def test_a_raised_arm_lifts_its_collar_and_keeps_its_direction(self):
        smpl = turned(to_smpl(cmu_frame(LeftArm=(0, 0, 60))))[0]
        assert smpl[J["L_collar"], 1, 0] > 0.1
        np.testing.assert_allclose(smpl[J["R_collar"]], np.eye(3), atol=0.15)
        wanted = rotate((30, 0, 0)) @ rotate((0, 0, 60)) @ (1, 0, 0)
        np.testing.assert_allclose(smpl[J["L_shoulder"], :, 0], wanted, atol=1e-3)

    def test_turning_the_body_turns_the_root_alone(self):
        still, moved = to_smpl(cmu_frame())[0], to_smpl(cmu_frame(Hips=(0, 90, 0)))[0]
        np.testing.assert_allclose(moved[0], rotate((0, 90, 0)), atol=1e-9)
        np.testing.assert_allclose(moved[1:], still[1:], atol=1e-9)

    @given(st.integers(0, 2**32 - 1))
    @settings(max_examples=20, deadline=None)
    def test_bones_point_where_the_sources_do(self, seed):
        frames = random_frames(seed)
        _, places = forward(cmu_skeleton(), frames, np.zeros((len(frames), 3)))
        smpl = turned(to_smpl(frames))
        thigh = np.array([np.sin(np.deg2rad(5)), -np.cos(np.deg2rad(5)), 0])
        for start, end, joint, rest in (
            ("LeftArm", "LeftForeArm", "L_shoulder", (1, 0, 0)),
            ("RightForeArm", "RightHand", "R_elbow", (-1, 0, 0)),
            ("LeftUpLeg", "LeftLeg", "L_hip", thigh),
            ("RightUpLeg", "RightLeg", "R_hip", thigh * (-1, 1, 1)),
        ):
            bone = places[:, NAMES.index(end)] - places[:, NAMES.index(start)]
            bone /= np.linalg.norm(bone, axis=1, keepdims=True)
            np.testing.assert_allclose(smpl[:, J[joint]] @ rest, bone, atol=1e-6)

    def test_a_skeleton_whose_zero_pose_is_a_t_pose(self):
        offsets = forward(cmu_skeleton(), cmu_frame(), np.zeros((1, 3)))[1][0]
        parents = cmu_skeleton().parents
        offsets = offsets - offsets[[max(parent, 0) for parent in parents]]
        rotmats = np.tile(np.eye(3), (1, len(NAMES), 1, 1))
        smpl = to_smpl(rotmats, Skeleton(tuple(NAMES), parents, offsets))
        assert_upright(smpl[0])

    def test_other_skeletons_are_refused_with_what_they_lack(self):
        with pytest.raises(ValueError, match=r"CMU .* need also Head$"):
            find_rig([name for name in NAMES if name != "Head"])


class TestBonesInPieces:
    """MakeHuman's names in its A-pose: z up, facing -y, arms down and elbows bent."""

    def skeleton(self) -> Skeleton:
        table = [
            ("root", "", (0, 0, 0)), ("spine03", "root", (0, 0, 1.5)),
            ("spine02", "spine03", (0, 0, 1)), ("spine01", "spine02", (0, 0, 1)),
            ("head", "spine01", (0, 0, 2)),
        ]  # fmt: skip
        for side, x in (("L", 1), ("R", -1)):
            table += [
                (f"{name}.{side}", parent if parent in ("root", "spine01") else f"{parent}.{side}",
                 (x * out, fore, up))
                for name, parent, (out, fore, up) in (
                    ("upperleg01", "root", (1, 0, -1)), ("upperleg02", "upperleg01", (0, 0, -1)),
                    ("lowerleg01", "upperleg02", (0.3, 0, -3)), ("foot", "lowerleg01", (0, 0, -4)),
                    ("toe3-1", "foot", (0.1, -1.3, -0.5)), ("shoulder01", "spine01", (1, 0, 1)),
                    ("upperarm01", "shoulder01", (0.7, 0, 0)),
                    ("upperarm02", "upperarm01", (0.4, 0, -0.45)),
                    ("lowerarm01", "upperarm02", (1.2, 0, -1.35)),
                    ("wrist", "lowerarm01", (1.2, -1.6, -1.2)),
                    ("finger2-1", "wrist", (0.3, -1.1, -0.4)),
                    ("finger3-1", "wrist", (0.5, -1.0, -0.6)),
                    ("finger4-1", "wrist", (0.6, -0.9, -0.7)),
                    ("finger5-1", "wrist", (0.6, -0.7, -0.8)),
                )
            ]  # fmt: skip
        names = [name for name, _, _ in table]
        parents = tuple(names.index(parent) if parent else -1 for _, parent, _ in table)
        return Skeleton(tuple(names), parents, np.array([offset for *_, offset in table], float))

    def smpl(self, **turns) -> np.ndarray:
        skeleton = self.skeleton()
        rotmats = np.tile(np.eye(3), (1, len(skeleton.names), 1, 1))
        for name, degrees in turns.items():
            joint = skeleton.names.index(name.replace("_", "."))
            rotmats[0, joint] = rotate(degrees)
        rig = find_rig(skeleton.names)
        return retarget(skeleton, rig, rotmats, np.zeros((1, 3))).rotmats[0]

    @pytest.mark.parametrize(("side", "sign"), [("L", 1), ("R", -1)])
    def test_the_a_pose_is_no_t_pose(self, side, sign):
        rotmats = self.smpl()
        world = turned(rotmats[None])[0]
        upper_arm = sign * world[J[f"{side}_shoulder"], :, 0]
        forearm = sign * world[J[f"{side}_elbow"], :, 0]
        fingers = np.array([sign * 2.0, -2.5, 3.7])  # their sum, in SMPL's axes
        for bone, wanted in (
            (upper_arm, (sign * 1.6, -1.8, 0)), (forearm, (sign * 1.2, -1.2, 1.6)),
            (sign * world[J[f"{side}_wrist"], :, 0], fingers),
        ):  # fmt: skip
            np.testing.assert_allclose(bone, wanted / np.linalg.norm(wanted), atol=1e-6)
        # the elbow folds about its hinge; half of the hand's turn is about the forearm
        elbow = Rotation.from_matrix(rotmats[J[f"{side}_elbow"]]).as_euler("YZX", degrees=True)
        assert sign * elbow[0] < -30 and abs(elbow[1]) < 1e-6
        # the palm faces away from the knuckles' back: little finger below, thumb in front
        across = np.array([sign * 0.3, -0.4, -0.4])
        palm = -world[J[f"{side}_wrist"], :, 1]
        assert abs(palm @ across) < 0.05 * np.linalg.norm(across)

    def test_a_bone_in_pieces_points_along_its_ends(self):
        """The upper piece is turned, the lower one turned back: little is left of it."""
        rotmats = self.smpl(upperleg01_L=(-30, 0, 0), upperleg02_L=(30, 0, 0))
        thigh = rotmats[J["L_hip"]] @ (np.sin(np.deg2rad(5)), -np.cos(np.deg2rad(5)), 0)
        assert 5 < np.rad2deg(np.arctan2(thigh[2], -thigh[1])) < 10  # 30 degrees of 1 in 4


class TestBvh:
    @pytest.mark.parametrize("order", ["ZYX", "XYZ", "YXZ", "ZXY"])
    def test_reads_any_order_of_channels(self, tmp_path, order):
        frames = random_frames(3)
        bvh = read_bvh(write_bvh(tmp_path / "a.bvh", frames, order))
        np.testing.assert_allclose(bvh.rotmats, frames, atol=1e-6)
        np.testing.assert_allclose(bvh.root, [(1, 2, 3)] * 2)
        assert bvh.skeleton.names == tuple(NAMES[i] for i in range(len(NAMES)))
        assert bvh.fps == pytest.approx(120, abs=0.1)

    def test_six_channels_at_a_joint_whose_positions_are_ignored(self, tmp_path):
        (tmp_path / "a.bvh").write_text(
            "HIERARCHY\r\nROOT a\r\n{\r\nOFFSET 0 1 0\r\nCHANNELS 3 Zrotation Xrotation Yrotation"
            "\r\nJOINT the b\r\n{\r\nOFFSET 1 0 0\r\nCHANNELS 6 Xposition Yposition Zposition "
            "Xrotation Yrotation Zrotation\r\nEnd Site\r\n{\r\nOFFSET 9 9 9\r\n}\r\n}\r\n}\r\n"
            "MOTION\r\nFrames: 1\r\nFrame Time: 0.5\r\n90 0 0 7 7 7 0 0 90\r\n"
        )
        bvh = read_bvh(tmp_path / "a.bvh")
        turns, places = forward(bvh.skeleton, bvh.rotmats, bvh.root)
        assert bvh.skeleton.names == ("a", "the b")
        np.testing.assert_allclose(places[0], [(0, 1, 0), (0, 2, 0)], atol=1e-12)
        np.testing.assert_allclose(turns[0, 1], rotate((0, 0, 180)), atol=1e-12)

    @pytest.mark.parametrize(
        "axes", [((1, 0, 0), (0, 0, -1), (0, 1, 0)), ((0, 0, 1), (0, 1, 0), (-1, 0, 0))]
    )
    def test_the_sources_axes_do_not_matter(self, tmp_path, axes):
        """z up facing -y, and y up facing +x: the same poses."""
        frames = random_frames(5)
        [clip] = read_motion(write_bvh(tmp_path / "a.bvh", frames, axes=np.array(axes, float)))
        np.testing.assert_allclose(clip.rotmats, to_smpl(frames), atol=1e-6)

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("HIERARCHY", "HIRARCHY", "no BVH file"),
            ("MOTION", "MOTIO", "no BVH file"),
            ("Frames: 2", "Frames: 3", "want 3 frames"),
            ("Frames: 2", "Frames: 0", "at least one"),
            ("Frame Time: 0.0083333", "Frame Time: 0", "at least one"),
            ("Frame Time", "Frametime", "Frame Time"),
            ("1.00000000", "nan", "not finite"),
            ("1.00000000", "one", "one"),
            ("Xposition", "Wposition", "unknown channels Wposition"),
            ("CHANNELS 6", "CHANNELS six", "six"),
            ("\tEnd Site\n", "\tEnd Site {\n", "brackets|incomplete|unexpected"),
            ("}\nMOTION", "MOTION", "brackets"),
            ("ROOT Hips", "JOINT Hips", "outside of a ROOT"),
            ("JOINT LeftUpLeg", "ROOT LeftUpLeg", "second ROOT"),
            ("JOINT Head", "JOINT Haed", "need also Head"),
        ],
    )
    def test_broken_files_are_refused(self, tmp_path, old, new, message):
        path = write_bvh(tmp_path / "a.bvh", random_frames(1))
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=f"a.bvh.*({message})"):
            read_motion(path)

    def test_too_many_rotations_are_refused_before_they_are_made(self, tmp_path, monkeypatch):
        monkeypatch.setattr("dimr.data.motion.bvh.MAX_ROTATIONS", 40)
        with pytest.raises(ValueError, match="2 frames of 21 joints"):
            read_bvh(write_bvh(tmp_path / "a.bvh", random_frames(1)))

    def test_missing_file(self, tmp_path):
        with pytest.raises(ValueError, match="not readable"):
            read_motion(tmp_path / "none.bvh")


class TestAmass:
    @pytest.mark.parametrize("width", [66, 72, 156, 165])
    def test_z_up_becomes_y_up(self, tmp_path, width):
        poses = np.zeros((2, width), np.float32)
        poses[:, 0] = np.pi / 2  # upright in a z-up world, facing -y
        poses[1, 3 * J["L_elbow"] + 1] = -1
        trans = np.array([[0, 0, 0.9], [0, -1, 0.9]], np.float32)
        path = tmp_path / "lab" / "subject7" / "jump_01_poses.npz"
        path.parent.mkdir(parents=True)
        np.savez(path, poses=poses, trans=trans, mocap_framerate=np.float64(60), gender="male")
        [clip] = read_motion(path)
        np.testing.assert_allclose(clip.rotmats[0], np.eye(3)[None].repeat(24, 0), atol=1e-6)
        elbow = rotate((0, -np.rad2deg(1), 0))
        np.testing.assert_allclose(clip.rotmats[1, J["L_elbow"]], elbow, atol=1e-6)
        assert clip.root_m is not None
        np.testing.assert_allclose(clip.root_m, [(0, 0.9, 0), (0, 0.9, 1)], atol=1e-6)
        assert (clip.fps, clip.kind, clip.group) == (60, "jumping", "lab/subject7")

    @pytest.mark.parametrize(
        ("arrays", "message"),
        [
            ({"poses": np.zeros((3, 70), np.float32)}, r"\(3, 70\)"),
            ({"poses": np.zeros((0, 72), np.float32)}, "N > 0"),
            ({"poses": np.full((3, 72), np.nan)}, "finite"),
            ({"poses": np.zeros((3, 72)), "mocap_frame_rate": np.float64(0)}, "positive"),
            ({"poses": np.zeros((3, 72)), "trans": np.zeros((2, 3))}, "trans"),
            ({"poses": np.array([[None]])}, "poses"),
            ({"pose": np.zeros((3, 72))}, "want AMASS's"),
        ],
    )
    def test_broken_files_are_refused(self, tmp_path, arrays, message):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            read_motion(tmp_path / "a.npz")


class TestPacks:
    def test_cmus_vectors_are_negated_and_marked_rows_dropped(self, tmp_path):
        skeleton = cmu_skeleton()
        frame = cmu_frame(LeftForeArm=(0, -40, 0))
        vectors = -Rotation.from_matrix(frame[0]).as_rotvec().ravel()
        frames = np.zeros((5, 3 + len(vectors)), np.float32)
        frames[:, 3:], frames[:, 1] = vectors, 16
        np.savez(
            tmp_path / "cmu.npz", frames=frames, clip_id=np.array([0, 0, 0, 1, 1]),
            clip_name=np.array(["train/walking/walking_1", "train/soccer/soccer_1"]),
            is_tpose=np.array([True, False, False, True, False]),
            is_glitch=np.array([False, False, True, False, False]), fps=120,
            joint_name=np.array(skeleton.names), joint_parent=np.array(skeleton.parents),
            joint_offset=skeleton.offsets, metres_per_unit=0.05,
        )  # fmt: skip
        walk, ball = read_motion(tmp_path / "cmu.npz")
        assert (walk.kind, ball.kind) == ("walking", "ball")
        assert len(walk.rotmats) == len(ball.rotmats) == 1
        np.testing.assert_allclose(walk.rotmats, to_smpl(frame), atol=1e-5)
        assert walk.root_m is not None
        assert 0.8 < walk.root_m[0, 1] < 0.95

    def deepmimic(self, tmp_path, **values) -> list[Clip]:
        offsets = {
            "root": ("", (0, 0, 0)), "chest": ("root", (0, 0.236, 0)),
            "neck": ("chest", (0, 0.224, 0)),
        }  # fmt: skip
        for side, sign in (("right", 1), ("left", -1)):
            offsets |= {
                f"{side}_hip": ("root", (0, 0, sign * 0.085)),
                f"{side}_knee": (f"{side}_hip", (0, -0.42, 0)),
                f"{side}_ankle": (f"{side}_knee", (0, -0.41, 0)),
                f"{side}_shoulder": ("chest", (-0.02, 0.24, sign * 0.18)),
                f"{side}_elbow": (f"{side}_shoulder", (0, -0.27, 0)),
            }
        fields = ["duration", "root_pos", "root_q", "chest_q", "neck_q"]
        for side in ("right", "left"):
            fields += [f"{side}_{part}" for part in ("hip_q", "knee", "ankle_q", "shoulder_q",
                                                     "elbow")]  # fmt: skip
        widths = [1, 3, *(4 if name.endswith("_q") else 1 for name in fields[2:])]
        last = np.cumsum(widths)
        slices = np.stack([last - widths, last], 1)
        frame = np.zeros((2, 44), np.float32)
        for name, (first, end) in zip(fields, slices, strict=True):
            value = values.get(name, (2.0, 0, 0, 0) if name.endswith("_q") else 0)
            frame[:, first:end] = value  # quaternions of norm 2
        frame[:, 0] = 0.02
        np.savez(
            tmp_path / "dm.npz", frames=frame, clip_id=np.array([0, 1]),
            clip_name=np.array(["humanoid3d_walk", "humanoid3d_walk_mirror"]),
            frame_fields=np.array(fields), frame_slices=slices.astype(np.int16),
            joint_name=np.array(list(offsets)),
            joint_parent=np.array([list(offsets).index(p) if p else -1 for p, _ in
                                   offsets.values()]),
            joint_offset=np.array([offset for _, offset in offsets.values()]),
        )  # fmt: skip
        return read_motion(tmp_path / "dm.npz")

    def test_deepmimics_zero_pose_hangs_the_arms_and_twins_stay_together(self, tmp_path):
        clip, twin = self.deepmimic(tmp_path, root_pos=(1, 0.9, 0))
        world = turned(clip.rotmats)[0]
        np.testing.assert_allclose(world[J["L_shoulder"]], rotate((0, 0, -90)), atol=1e-6)
        np.testing.assert_allclose(world[J["R_shoulder"]], rotate((0, 0, 90)), atol=1e-6)
        assert clip.root_m is not None
        np.testing.assert_allclose(clip.root_m[0], (0, 0.9, 1), atol=1e-3)  # +x is forward
        assert clip.group == twin.group and clip.name != twin.name
        assert clip.fps == pytest.approx(50)

    def test_deepmimics_hinges_fold_the_right_way_and_left_is_left(self, tmp_path):
        clip, _ = self.deepmimic(tmp_path, left_elbow=1.2, left_knee=-0.8)
        np.testing.assert_allclose(
            clip.rotmats[0, J["L_elbow"]], rotate((0, -np.rad2deg(1.2), 0)), atol=1e-6
        )
        knee = clip.rotmats[0, J["L_knee"]]
        assert np.arctan2(knee[2, 1], knee[2, 2]) == pytest.approx(0.8, abs=0.01)
        np.testing.assert_allclose(clip.rotmats[0, J["R_elbow"]], np.eye(3), atol=1e-6)

    def test_the_chests_turn_is_spread_over_the_spine(self, tmp_path):
        half = np.deg2rad(45) / 2
        clip, _ = self.deepmimic(tmp_path, chest_q=(np.cos(half), 0, np.sin(half), 0))
        for joint in ("spine1", "spine2", "spine3"):
            np.testing.assert_allclose(clip.rotmats[0, J[joint]], rotate((0, 15, 0)), atol=1e-6)


class TestKinds:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("deepmimic/spinkick", "kicking"), ("deepmimic/dance_spin", "dancing"),
            ("cmu/train/basketball_signal/basketball_signal_1", "signalling"),
            ("cmu/test/basketball/basketball_1", "ball"), ("Jog_03", "running"),
            ("09_11", "other"),
        ],
    )  # fmt: skip
    def test_kind_of(self, name, kind):
        assert kind_of(name) == kind

    def test_who_lies_is_extreme_whatever_the_name_says(self):
        rotmats = np.tile(np.eye(3), (10, 24, 1, 1))
        upright = Clip("a", "other", 30, rotmats, None, "a")
        lying = rotmats.copy()
        lying[:2, 0] = rotate((90, 0, 0))
        assert not is_extreme(upright)
        assert is_extreme(upright._replace(rotmats=lying))
        assert is_extreme(upright._replace(kind="kicking"))


def test_leg_length_is_the_open_bodys():
    from dimr.data.motion.retarget import LEG_M

    joints = BodyModel.load().joints_template.numpy()
    leg = np.linalg.norm(joints[4] - joints[1]) + np.linalg.norm(joints[7] - joints[4])
    assert leg == pytest.approx(LEG_M, abs=0.005)

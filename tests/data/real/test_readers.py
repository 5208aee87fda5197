"""Each data set's format, written and read back: theta, camera and keypoints as they were."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.real import writers
from dimr.body.camera import PerspectiveCamera
from dimr.body.keypoints import COCO17_NAMES
from dimr.data.real.doh import read_doh
from dimr.data.real.eft import read_eft
from dimr.data.real.h36m import read_h36m
from dimr.data.real.human_data import read_human_data
from dimr.data.real.joints import JOINT_SETS, LIMBS, select_joints
from dimr.data.real.labels import posed_body, projector_of
from dimr.data.real.layout import DATASETS, open_dataset
from dimr.data.real.ochuman import read_ochuman
from dimr.data.real.pw3d import read_pw3d
from dimr.data.real.spin import read_spin

PX, RAD, M = 0.02, 1e-5, 1e-4


def angle_between(theta, other):
    turn = Rotation.from_rotvec(theta).inv() * Rotation.from_rotvec(other)
    return np.abs(turn.magnitude()).max()


def check_people(records, people, body, dataset, camera=PX):
    """Pose, shape, 2D joints and where the camera puts the mesh."""
    assert len(records) == len(people)
    assert records.num_skipped == 0, records.skipped
    for record, person in zip(records, people, strict=True):
        assert record.dataset == dataset
        assert angle_between(record.theta_rad, person.theta) < RAD
        np.testing.assert_allclose(record.betas, person.betas, atol=1e-5)
        assert record.load_picture().shape == person.image.shape
        points, known = select_joints(*record.keypoints_px, LIMBS)
        if record.keypoints_px.set_name == "smpl24":
            np.testing.assert_allclose(
                record.keypoints_px.places, person.project(person.joints), atol=PX
            )
        else:
            assert known.all()
            truth = [person.project(person.keypoints[name]) for name in LIMBS]
            np.testing.assert_allclose(points, truth, atol=PX)
        posed = posed_body(record, body)
        projector = projector_of(record, posed, body)
        pixels = projector.to_pixels(posed.vertices_m[0].numpy())[:, :2]
        assert np.abs(pixels - person.project(person.vertices)).mean() < camera
        x, y = record.centre_px
        window = np.array([x, y, x, y]) + record.side_px / 2 * np.array([-1, -1, 1, 1])
        assert (window[:2] < points[known > 0].min(0, initial=1e9)).all()


class TestPw3d:
    def test_world_becomes_camera(self, tmp_path, people, open_body):
        # one actor, whose shape the format holds once
        same = [p for p in people if np.allclose(p.betas, people[0].betas)]
        writers.write_pw3d(tmp_path, [same], open_body)
        records = read_pw3d(tmp_path)
        check_people(records, same, open_body, "3dpw")
        for record, person in zip(records, same, strict=True):
            np.testing.assert_allclose(
                record.keypoints_cam_m.places, person.joints + person.translation, atol=M
            )
            assert record.gender == "male" and record.sequence == "downtown_bus_00"

    def test_a_pelvis_away_from_the_origin(self, tmp_path, people, open_body):
        """As SMPL's is: the world's rotation turns the body around it, not around the origin."""
        body = copy.deepcopy(open_body)
        for buffer in (body.v_template, body.joints_template):
            buffer += torch.tensor([0.02, -0.24, 0.03])
        x, y = people[0].intrinsics[:2, 2].tolist()
        camera = PerspectiveCamera(float(people[0].intrinsics[0, 0]), (x, y))
        shifted = [
            writers.pose_person(body, p.theta, p.betas, p.translation, camera, p.image, p.mask)
            for p in people[:1]
        ]
        writers.write_pw3d(tmp_path, [shifted], body)
        check_people(read_pw3d(tmp_path), shifted, body, "3dpw")

    def test_two_actors_and_frames(self, tmp_path, people, open_body):
        """A frame that one actor lacks stays the other's."""
        actors = [[people[0]] * 3, [people[1]] * 3]
        writers.write_pw3d(tmp_path, actors, open_body, invalid=[(0, 0)], unseen=[(1, 1)])
        records = read_pw3d(tmp_path, ("test",))
        assert [(each.frame, each.person, each.gender) for each in records] == [
            (1, 0, "male"),
            (2, 0, "male"),
            (0, 1, "female"),
            (2, 1, "female"),
        ]
        assert (records.num_listed, records.num_left_out) == (6, 2)
        check_people(records, [people[k] for k in (0, 0, 1, 1)], open_body, "3dpw")

    def test_a_frame_without_joints_is_left_out_a_broken_one_named(
        self, tmp_path, people, open_body
    ):
        writers.write_pw3d(tmp_path, [[people[0]] * 3], open_body)
        path = tmp_path / "sequenceFiles/test/downtown_bus_00.pkl"
        content = pickle.loads(path.read_bytes())
        content["poses2d"][0][0] = 0
        content["poses"][0][1] = np.nan
        path.write_bytes(pickle.dumps(content, protocol=2))
        records = read_pw3d(tmp_path)
        assert [each.frame for each in records] == [2]
        assert records.num_left_out == records.num_skipped == 1
        assert "poses: holds NaN" in records.skipped[0].reason

    def test_one_broken_sequence_does_not_cost_the_others(self, tmp_path, people, open_body):
        writers.write_pw3d(tmp_path, [people[:1]], open_body)
        hostile = b"cos\nsystem\n(S'true'\ntR."
        (tmp_path / "sequenceFiles/test/evil_00.pkl").write_bytes(hostile)
        records = read_pw3d(tmp_path)
        assert len(records) == records.num_skipped == 1
        assert "system" in records.skipped[0].reason

    def test_names_what_is_missing(self, tmp_path):
        with pytest.raises(ValueError, match="no sequenceFiles"):
            read_pw3d(tmp_path)


class TestDoh:
    def test_people(self, tmp_path, people, open_body):
        writers.write_doh(tmp_path, people)
        records = read_doh(tmp_path / "annots.json")
        # placed by a weak camera that is fitted to the 2D joints: not exact
        check_people(records, people, open_body, "3doh", camera=3)
        size = people[0].mask.shape
        assert np.array_equal(records[0].mask.load(size), people[0].mask)
        np.testing.assert_allclose(
            records[1].keypoints_cam_m.places, people[1].joints + people[1].translation, atol=M
        )

    def test_one_broken_record(self, tmp_path, people):
        writers.write_doh(tmp_path, people)
        content = json.loads((tmp_path / "annots.json").read_text())
        del content["00001"]["pose"]
        content["00002"]["img_path"] = "..\\..\\secret.jpg"
        (tmp_path / "annots.json").write_text(json.dumps(content))
        records = read_doh(tmp_path / "annots.json")
        assert [Path(each.key).name for each in records] == ["00000"]
        assert "lacks 'pose'" in records.skipped[0].reason
        assert "outside" in records.skipped[1].reason


class TestSpin:
    def test_people(self, tmp_path, people, open_body):
        writers.write_spin(tmp_path / "x.npz", people)
        records = read_spin(tmp_path / "x.npz", tmp_path / "images")
        check_people(records, people, open_body, "spin", camera=3)
        assert [each.gender for each in records] == ["male", "female", "male"]
        np.testing.assert_allclose(
            records[0].keypoints_cam_m.places[4], people[0].keypoints["L_knee"], atol=M
        )

    def test_openpose_comes_first_in_the_49(self, tmp_path, people):
        openpose = np.array([np.column_stack([np.arange(25)] * 2 + [np.ones(25)])] * 3)
        writers.write_spin(tmp_path / "x.npz", people, openpose=openpose)
        record = read_spin(tmp_path / "x.npz", tmp_path)[0]
        assert record.keypoints_px.set_name == "spin49"
        assert record.keypoints_px.places[9].tolist() == [9, 9]
        assert JOINT_SETS["spin49"][9] == "R_hip_op"

    def test_a_row_without_pose(self, tmp_path, people):
        writers.write_spin(tmp_path / "x.npz", people, has_smpl=np.array([1, 0, 1]))
        records = read_spin(tmp_path / "x.npz", tmp_path)
        assert [each.theta_rad is None for each in records] == [False, True, False]

    def test_refuses_columns_of_other_lengths(self, tmp_path, people):
        writers.write_spin(tmp_path / "x.npz", people, scale=np.ones(2))
        with pytest.raises(ValueError, match="scale has 2 rows, want 3"):
            read_spin(tmp_path / "x.npz", tmp_path)

    def test_refuses_code(self, tmp_path):
        class Hostile:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        np.savez(tmp_path / "x.npz", imgname=np.array([Hostile()]), center=[0], scale=[1])
        with pytest.raises(ValueError, match="open, which no file of arrays needs"):
            read_spin(tmp_path / "x.npz", tmp_path)
        assert not (tmp_path / "ran").exists()


class TestH36m:
    def test_poses_from_mosh(self, tmp_path, people, open_body):
        writers.write_spin(tmp_path / "h36m_train.npz", people, pose=None, shape=None)
        writers.write_mosh(tmp_path / "mosh", people)
        path, pictures = tmp_path / "h36m_train.npz", tmp_path / "images"
        assert read_h36m(path, pictures)[0].theta_rad is None
        records = read_h36m(path, pictures, tmp_path / "mosh")
        for record, person in zip(records, people, strict=True):
            assert angle_between(record.theta_rad, person.theta) < RAD
            np.testing.assert_allclose(record.betas, people[0].betas, atol=1e-6)

    def test_a_frame_beyond_the_fit_is_broken(self, tmp_path, people):
        writers.write_spin(tmp_path / "h36m_train.npz", people, pose=None, shape=None)
        writers.write_mosh(tmp_path / "mosh", people[:2])
        records = read_h36m(tmp_path / "h36m_train.npz", tmp_path, tmp_path / "mosh")
        assert len(records) == 2 and "ends at frame 10" in records.skipped[0].reason


class TestMuco:
    def test_people(self, tmp_path, people, open_body):
        writers.write_muco(tmp_path, people)
        records = open_dataset("muco", tmp_path)
        check_people(records, people, open_body, "muco")
        np.testing.assert_allclose(
            records[0].keypoints_cam_m.places[12],
            people[0].keypoints["L_knee"] + people[0].translation,
            atol=M,
        )

    def test_rules_of_the_benchmark(self, tmp_path, people):
        writers.write_muco(tmp_path, people)
        content = json.loads((tmp_path / "MuCo-3DHP.json").read_text())
        content["annotations"][0]["keypoints_vis"][14] = False
        content["annotations"][1]["keypoints_cam"][3][1] = float("nan")
        (tmp_path / "MuCo-3DHP.json").write_text(json.dumps(content))
        fits = json.loads((tmp_path / "smpl_param.json").read_text())
        fits["102"]["shape"][1] = 3.5
        (tmp_path / "smpl_param.json").write_text(json.dumps(fits))
        records = open_dataset("muco", tmp_path)
        assert [each.key for each in records] == ["102"]
        assert records.num_left_out == 2 and not records[0].betas.any()


class TestEft:
    def test_people(self, tmp_path, people, open_body):
        writers.write_eft(tmp_path, people)
        records = open_dataset("eft", tmp_path)
        check_people(records, people, open_body, "eft", camera=3)
        size = people[0].mask.shape
        assert np.array_equal(records[2].mask.load(size), people[2].mask)
        assert records[0].others == ()
        entry = json.loads((tmp_path / "COCO2014-All-ver01.json").read_text())["data"][0]
        s, x, y = entry["parm_cam"]  # s (X + t)
        np.testing.assert_allclose(records[0].camera_window, [s, s * x, s * y], rtol=1e-5)

    def test_without_coco_there_are_no_masks(self, tmp_path, people):
        writers.write_eft(tmp_path, people)
        records = read_eft(tmp_path / "COCO2014-All-ver01.json", tmp_path)
        assert all(each.mask is None for each in records)

    def test_neighbours_are_the_other_people_of_the_picture(self, tmp_path, people):
        writers.write_eft(tmp_path, people)
        path = tmp_path / "instances_train2014.json"
        content = json.loads(path.read_text())
        for annotation in content["annotations"]:
            annotation["image_id"] = 7
        path.write_text(json.dumps(content))
        assert len(open_dataset("eft", tmp_path)[1].others) == 2


class TestOchuman:
    def test_people(self, tmp_path, people):
        writers.write_ochuman(tmp_path, people)
        records = open_dataset("ochuman", tmp_path)
        assert len(records) == 3 and records.num_left_out == 3
        for record, person in zip(records, people, strict=True):
            points, known = select_joints(*record.keypoints_px, LIMBS)
            assert known.all() and record.theta_rad is None
            truth = [person.project(person.keypoints[name]) for name in LIMBS]
            np.testing.assert_allclose(points, truth, atol=PX)
            assert np.array_equal(record.mask.load(person.mask.shape), person.mask)

    def test_everybody_elses_mask_is_at_hand(self, tmp_path, people):
        writers.write_ochuman(tmp_path, people[:1], people[1:])
        records = open_dataset("ochuman", tmp_path)
        assert [each.key for each in records] == [f"000000/{number}" for number in range(3)]
        for number, record in enumerate(records):
            masks = [each.load(people[0].mask.shape) for each in record.others]
            expected = [each.mask for each in people if each is not people[number]]
            assert len(masks) == 2 and all(map(np.array_equal, masks, expected))

    def test_hidden_joints(self, tmp_path, people):
        states = {"L_wrist": 0, "L_elbow": 1, "L_knee": 2, "R_ankle": 3}
        writers.write_ochuman(tmp_path, people[:1], states=states)
        (record,) = open_dataset("ochuman", tmp_path)
        _, known = select_joints(*record.keypoints_px, tuple(states))
        assert known.tolist() == [0, 1, 1, 0.5]

    def test_an_unknown_state_of_a_joint_is_broken(self, tmp_path, people):
        writers.write_ochuman(tmp_path, people[:1], states={"L_knee": 4})
        (skipped,) = open_dataset("ochuman", tmp_path).skipped
        assert "visibilities [0, 1, 4], want 0 to 3" in skipped.reason

    def test_splits_and_hardness(self, tmp_path, people, monkeypatch):
        writers.write_ochuman(tmp_path, people)
        monkeypatch.setattr("dimr.data.real.ochuman.NUM_VAL_PICTURES", 2)
        path = tmp_path / "ochuman.json"
        assert len(read_ochuman(path, tmp_path, "val")) == 2
        assert [each.key for each in read_ochuman(path, tmp_path, "test")] == ["000002/0"]
        assert len(read_ochuman(path, tmp_path, hardness="moderate")) == 3
        assert len(read_ochuman(path, tmp_path, hardness="hard")) == 0


class TestHumanData:
    @pytest.mark.parametrize("compressed", [True, False])
    def test_people(self, tmp_path, people, open_body, compressed):
        writers.write_human_data(tmp_path / "x.npz", people, compressed)
        records = read_human_data(tmp_path / "x.npz", tmp_path / "images")
        check_people(records, people, open_body, "human_data", camera=3)
        assert records[0].gender == "female"
        known = records[0].keypoints_cam_m.confidence > 0
        names = {JOINT_SETS["human_data190"][place] for place in np.flatnonzero(known)}
        assert names == {*COCO17_NAMES, "neck", "head_top"}

    def test_refuses_a_mask_that_does_not_fit(self, tmp_path):
        np.savez(
            tmp_path / "x.npz",
            image_path=["a.jpg"],
            bbox_xywh=np.ones((1, 5)),
            keypoints2d=np.ones((1, 3, 3)),
            keypoints2d_mask=np.arange(190) < 4,
        )
        with pytest.raises(ValueError, match="want 4 or 190 columns"):
            read_human_data(tmp_path / "x.npz", tmp_path)


def test_no_picture_is_opened_before_it_is_asked_for(tmp_path, people, open_body):
    writers.write_pw3d(tmp_path, [people[:1]], open_body, pictures=False)
    record = read_pw3d(tmp_path)[0]
    with pytest.raises(ValueError, match="no such file"):
        record.load_picture()


def test_unknown_data_sets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="want one of h36m"):
        open_dataset("imagenet", tmp_path)
    for name in DATASETS:
        with pytest.raises((ValueError, FileNotFoundError)):
            open_dataset(name, tmp_path)


class TestJoints:
    def test_sizes(self):
        sizes = {"smpl24": 24, "openpose18": 18, "spin24": 24, "spin49": 49, "muco21": 21}
        sizes |= {"ochuman19": 19, "human_data190": 190}
        for name, count in sizes.items():
            assert len(JOINT_SETS[name]) == len(set(JOINT_SETS[name])) == count

    def test_the_evaluations_14_are_spins_first_and_19th(self):
        chosen = [JOINT_SETS["spin24"][k] for k in (*range(13), 18)]
        assert chosen == [*JOINT_SETS["lsp14"][:13], "head"]

    def test_places_of_human_data(self):
        names = JOINT_SETS["human_data190"]
        places = {"pelvis": 0, "R_wrist": 21, "nose": 55, "L_ear": 59, "R_hip_lsp": 144}
        places |= {"head": 152, "nose_op": 153, "R_heel_op": 177, "L_hand": 188}
        assert {name: names.index(name) for name in places} == places

    def test_smpls_neck_is_not_the_keypoint(self):
        places, ones = np.ones((24, 2), np.float32), np.ones(24, np.float32)
        _, known = select_joints("smpl24", places, ones, ("L_knee", "neck", "nose"))
        assert known.tolist() == [1, 0, 0]

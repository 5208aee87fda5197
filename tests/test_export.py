import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from dimr import export
from dimr.body.camera import PerspectiveCamera
from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.body.rotation import axis_angle_to_rotmat
from dimr.image.load import PictureError, list_pictures
from dimr.types import Crop, Iuv, Person, Prediction

PICTURE_SIZE = (300, 200)
TRANSLATION_M = np.array([0.3, -0.2, 4.0], np.float32)


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def person(body: BodyModel) -> Person:
    """Upright, facing the camera, with some shape; built from the body's tables by hand."""
    rng = np.random.default_rng(5)
    betas = rng.normal(size=10).astype(np.float32)
    upright = np.array([1, -1, -1], np.float32)
    joints = (body.joints_template + body.joints_shapedirs @ torch.from_numpy(betas)).numpy()
    vertices = (body.v_template + body.shapedirs @ torch.from_numpy(betas)).numpy()
    root = joints[0]
    joints_cam_m = (joints - root) * upright + root + TRANSLATION_M
    theta = np.zeros((24, 3), np.float32)
    theta[0, 0] = np.pi
    mask = rng.random((32, 32)) < 0.4
    uv = (rng.random((32, 32, 2)) * mask[..., None]).astype(np.float32)
    return Person(
        box_px=np.array([10, 20, 110, 180], np.float32),
        score=0.87654,
        crop=Crop((60.0, 100.0), 200.0, 64),
        iuv=Iuv(mask, uv, mask.astype(np.float32) * 0.5),
        theta_rad=theta,
        betas=betas,
        camera_crop=np.array([0.8, 0.1, -0.1], np.float32),
        translation_m=TRANSLATION_M,
        vertices_cam_m=(vertices - root) * upright + root + TRANSLATION_M,
        joints_cam_m=joints_cam_m,
        keypoints_px=PerspectiveCamera(360.0, (149.5, 99.5)).project(joints_cam_m),
        focal_px=360.0,
        part_seen=rng.random(24).astype(np.float32),
        vertex_seen=rng.random(body.num_vertices) < 0.3,
        part_confidence=rng.random(24).astype(np.float32),
    )


class TestMeshes:
    @pytest.mark.parametrize("kind", export.MESH_TYPES)
    def test_round_trip_keeps_vertices_faces_and_their_order(self, kind, person, body):
        content = export.mesh_bytes(kind, person, body)
        mesh = trimesh.load(trimesh.util.wrap_as_stream(content), kind, process=False)
        mesh = mesh.to_geometry() if isinstance(mesh, trimesh.Scene) else mesh
        assert np.array_equal(mesh.faces, body.faces.numpy())
        expected = person.vertices_cam_m * [1, -1, -1]
        assert np.abs(mesh.vertices - expected).max() < 1e-5

    @pytest.mark.parametrize("kind", export.MESH_TYPES)
    def test_vertices_at_one_place_stay_apart(self, kind, person, body):
        vertices = person.vertices_cam_m.copy()
        vertices[1] = vertices[0]
        content = export.mesh_bytes(kind, replace(person, vertices_cam_m=vertices), body)
        mesh = trimesh.load(trimesh.util.wrap_as_stream(content), kind, process=False)
        mesh = mesh.to_geometry() if isinstance(mesh, trimesh.Scene) else mesh
        assert len(mesh.vertices) == body.num_vertices

    @pytest.mark.parametrize("kind", export.MESH_TYPES)
    def test_mesh_is_upright_outside_out_and_before_the_viewer(self, kind, person, body):
        content = export.mesh_bytes(kind, person, body)
        mesh = trimesh.load(trimesh.util.wrap_as_stream(content), kind, process=False)
        mesh = mesh.to_geometry() if isinstance(mesh, trimesh.Scene) else mesh
        head, toes = body.v_template[:, 1].argmax(), body.v_template[:, 1].argmin()
        assert mesh.vertices[head, 1] > mesh.vertices[toes, 1] + 1
        assert (mesh.vertices[:, 2] < 0).all()
        assert mesh.volume > 0.02

    @pytest.mark.parametrize("kind", ["ply", "glb"])
    def test_colours_of_vertices_are_kept(self, kind, person, body):
        rgb = np.where(person.vertex_seen[:, None], np.uint8([0, 0, 255]), np.uint8([255, 128, 0]))
        content = export.mesh_bytes(kind, person, body, rgb)
        mesh = trimesh.load(trimesh.util.wrap_as_stream(content), kind, process=False)
        mesh = mesh.to_geometry() if isinstance(mesh, trimesh.Scene) else mesh
        assert np.array_equal(mesh.visual.vertex_colors[:, :3], rgb)

    def test_unknown_type_is_refused(self, person, body):
        with pytest.raises(ValueError, match="stl"):
            export.mesh_bytes("stl", person, body)

    def test_viewer_frame_is_its_own_inverse(self, person):
        twice = export.camera_to_viewer(export.camera_to_viewer(person.vertices_cam_m))
        assert np.array_equal(twice, person.vertices_cam_m)


class TestParameters:
    def test_npz_rebuilds_the_mesh(self, person, body, tmp_path):
        files = export.person_files(person, body, PICTURE_SIZE)
        (tmp_path / "p.npz").write_bytes(files["npz"])
        with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
            rotmats = axis_angle_to_rotmat(torch.from_numpy(arrays["theta_rad"]))[None]
            posed = body(rotmats, torch.from_numpy(arrays["betas"])[None])
            rebuilt = posed.vertices_m[0].numpy() + arrays["translation_m"]
            assert np.abs(rebuilt - arrays["vertices_cam_m"]).max() < 1e-4
            camera = PerspectiveCamera(float(arrays["focal_px"]), tuple(arrays["principal_px"]))
            assert np.allclose(camera.project(arrays["joints_cam_m"]), arrays["keypoints_px"])
            assert np.array_equal(arrays["iuv_mask"], person.iuv.mask)

    def test_json_is_strict_and_names_frames_joints_and_body(self, person, body):
        def refuse(name):
            raise AssertionError(f"{name} is no JSON")

        content = export.person_files(person, body, PICTURE_SIZE)["json"]
        record = json.loads(content, parse_constant=refuse)
        assert record["schema"] == export.PERSON_SCHEMA
        assert "y up" in record["frames"]["meshes"]
        assert record["body"]["sha256"] == body.content_hash
        assert list(record["theta_rad"]) == list(JOINT_NAMES)
        assert record["theta_rad"][JOINT_NAMES[0]] == [3.1416, 0, 0]
        assert record["camera"]["principal_px"] == [149.5, 99.5]
        assert record["seen"]["skin_share"] == pytest.approx(person.vertex_seen.mean(), abs=1e-4)

    def test_numbers_that_are_not_finite_are_refused(self, person, body):
        broken = replace(person, betas=np.full(10, np.nan, np.float32))
        with pytest.raises(ValueError):
            export.person_files(broken, body, PICTURE_SIZE)


def write(out, picture, files, overwrite=False, made_by="t"):
    folder = export.choose_folder(out, picture, overwrite)
    prediction = Prediction(PICTURE_SIZE)
    contents = {name: text.encode() for name, text in files.items()}
    export.write_picture(folder, picture, prediction, contents, {"made_by": made_by}, overwrite)
    return folder


def texts_and_record(folder):
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    return texts, json.loads(texts.pop("picture.json"))


class TestFolders:
    def test_pictures_of_one_stem_get_numbers_that_stay(self, tmp_path):
        out = tmp_path / "out"
        first, second = tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.png"
        for _ in range(2):
            assert write(out, first, {"m.obj": "1"}).name == "x"
            assert write(out, second, {"m.obj": "2"}).name == "x_2"
        assert (out / "x" / "m.obj").read_text() == "1"
        assert (out / "x_2" / "m.obj").read_text() == "2"

    def test_second_run_replaces_and_removes_its_own_files_only(self, tmp_path):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        folder = write(out, picture, {"person_1.obj": "old", "person_2.obj": "old"})
        (folder / "notes.txt").write_text("mine")
        write(out, picture, {"person_1.obj": "new"})
        kept = {path.name: path.read_text() for path in folder.iterdir()}
        assert kept.pop("picture.json")
        assert kept == {"person_1.obj": "new", "notes.txt": "mine"}
        assert [path.name for path in out.iterdir()] == ["x"]

    def test_folder_of_somebody_else_is_refused_unless_told(self, tmp_path):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        (out / "x").mkdir(parents=True)
        (out / "x" / "m.obj").write_text("mine")
        with pytest.raises(ValueError, match="not made by dimr"):
            write(out, picture, {"m.obj": "new"})
        assert (out / "x" / "m.obj").read_text() == "mine"
        write(out, picture, {"m.obj": "new"}, overwrite=True)
        assert (out / "x" / "m.obj").read_text() == "new"

    def test_file_that_the_user_added_is_not_replaced(self, tmp_path):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        folder = write(out, picture, {"person_1.obj": "1"})
        (folder / "person_2.obj").write_text("mine")
        with pytest.raises(ValueError, match=r"person_2\.obj"):
            write(out, picture, {"person_1.obj": "1", "person_2.obj": "2"})
        assert (folder / "person_2.obj").read_text() == "mine"

    def test_file_in_the_folders_place_is_refused(self, tmp_path):
        (tmp_path / "x").write_text("mine")
        with pytest.raises(ValueError, match="not made by dimr"):
            export.choose_folder(tmp_path, tmp_path / "x.jpg", overwrite=True)

    def test_picture_called_like_the_index_does_not_take_its_place(self, tmp_path):
        assert export.choose_folder(tmp_path, tmp_path / "index.json.png").name == "index.json_2"

    @pytest.mark.parametrize("name", ["..jpg", "...jpg", "....jpg", ".jpg"])
    @pytest.mark.parametrize("overwrite", [False, True])
    def test_picture_called_like_a_folder_above_stays_in_the_output_folder(
        self, tmp_path, name, overwrite
    ):
        out = tmp_path / "out"
        out.mkdir()
        folder = export.choose_folder(out, tmp_path / name, overwrite)
        assert folder.resolve().parent == out.resolve()
        assert write(out, tmp_path / name, {"m.obj": "1"}, overwrite) == folder

    def test_nothing_half_written_stays_when_writing_stops(self, tmp_path, monkeypatch):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        write(out, picture, {"m.obj": "old"})

        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(export.os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            write(out, picture, {"m.obj": "new"})
        assert [path.name for path in out.iterdir()] == ["x"]
        assert (out / "x" / "m.obj").read_text() == "old"

    def test_a_kill_at_any_moment_is_mended_by_the_next_run(self, tmp_path, monkeypatch):
        """What lies there when something is renamed or removed is what SIGKILL would leave."""
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        write(out, picture, {"person_1.obj": "old", "person_3.obj": "old"}, made_by="old")
        left = []

        def noting(change):
            def noted(*args, **kwargs):
                left.append(tmp_path / f"killed_{len(left)}")
                shutil.copytree(out, left[-1])
                return change(*args, **kwargs)

            return noted

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", noting(os.replace))
            patch.setattr(Path, "unlink", noting(Path.unlink))
            write(out, picture, {"person_1.obj": "new", "person_2.obj": "new"}, made_by="new")
        assert len(left) >= 4
        for killed in left:
            texts, record = texts_and_record(killed / "x")
            assert set(texts) <= set(record["files"])
            assert "made_by" not in record or set(texts.values()) == {record["made_by"]}
            staging = [path.name for path in killed.iterdir() if path.name != "x"]
            assert staging and all(name.startswith(".") for name in staging)
            with pytest.raises(PictureError, match="holds no pictures"):
                list_pictures(killed)

            texts, record = texts_and_record(write(killed, picture, {"person_2.obj": "newer"}))
            assert texts == {"person_2.obj": "newer"} and record["files"] == ["person_2.obj"]

    def test_what_a_killed_first_run_left_is_no_hindrance(self, tmp_path, monkeypatch):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        rename = Path.rename

        def noted(self, target):
            shutil.copytree(out, tmp_path / "killed")
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", noted)
            write(out, picture, {"m.obj": "1"})
        assert write(tmp_path / "killed", picture, {"m.obj": "2"}).name == "x"
        assert (tmp_path / "killed" / "x" / "m.obj").read_text() == "2"

    def test_folder_can_be_opened_by_whom_the_user_lets(self, tmp_path):
        """Staging folders are private, results are not."""
        out = tmp_path / "out"
        folder = write(out, tmp_path / "x.jpg", {"m.obj": "1"})
        assert folder.stat().st_mode == out.stat().st_mode

    def test_files_that_a_strangers_record_names_stay(self, tmp_path):
        folder = tmp_path / "x"
        folder.mkdir()
        (folder / "m.txt").write_text("mine")
        (folder / "picture.json").write_text('{"schema": "theirs", "files": ["m.txt"]}')
        write(tmp_path, tmp_path / "x.jpg", {"m.obj": "1"}, overwrite=True)
        assert (folder / "m.txt").read_text() == "mine"

    def test_record_cannot_remove_files_outside_of_its_folder(self, tmp_path):
        out, picture = tmp_path / "out", tmp_path / "x.jpg"
        folder = write(out, picture, {"m.obj": "old"})
        (out / "keep.txt").write_text("mine")
        record = json.loads((folder / "picture.json").read_text())
        record["files"].append("../keep.txt")
        (folder / "picture.json").write_text(json.dumps(record))
        write(out, picture, {"m.obj": "new"})
        assert (out / "keep.txt").is_file()


class TestIndex:
    def test_runs_into_one_folder_are_merged(self, tmp_path):
        for name in ("a", "b"):
            folder = write(tmp_path, tmp_path / f"{name}.jpg", {})
            entry = {"picture": str(tmp_path / f"{name}.jpg"), "folder": folder.name}
            export.write_index(tmp_path, [entry])
        pictures = json.loads((tmp_path / "index.json").read_text())["pictures"]
        assert [entry["folder"] for entry in pictures] == ["a", "b"]

    def test_entry_without_results_is_dropped_by_the_next_run(self, tmp_path):
        export.write_index(tmp_path, [{"picture": "/gone.jpg", "folder": None}])
        export.write_index(tmp_path, [{"picture": "/next.jpg", "folder": None}])
        pictures = json.loads((tmp_path / "index.json").read_text())["pictures"]
        assert [entry["picture"] for entry in pictures] == ["/next.jpg"]

    def test_entry_that_names_no_picture_is_dropped(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / export.PICTURE_RECORD).write_text("{}")
        index = {"schema": export.INDEX_SCHEMA, "pictures": [{"folder": "a"}]}
        (tmp_path / "index.json").write_text(json.dumps(index))
        export.write_index(tmp_path, [{"picture": "/next.jpg", "folder": None}])
        pictures = json.loads((tmp_path / "index.json").read_text())["pictures"]
        assert [entry["picture"] for entry in pictures] == ["/next.jpg"]

    def test_index_of_somebody_else_is_refused(self, tmp_path):
        (tmp_path / "index.json").write_text('{"schema": "theirs"}')
        with pytest.raises(ValueError, match="not made by dimr"):
            export.check_index(tmp_path)

    def test_file_as_output_folder_is_refused(self, tmp_path):
        (tmp_path / "out").write_text("")
        with pytest.raises(ValueError, match="not a folder"):
            export.check_index(tmp_path / "out")

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh

import dimr
import dimr.image.load
import dimr.predict
from dimr import cli
from dimr.assets import asset_path
from dimr.body.model import BodyModel
from dimr.commands.predict import MIN_SCORE
from dimr.draw import CAPTION_HEIGHT
from dimr.image.load import load_picture
from dimr.network.dimr import HeadSize
from dimr.sheet import CELL_PX, SHEET_WIDTH
from dimr.surface.atlas import load_atlas
from dimr.train import weights
from dimr.types import Crop, Iuv, Person, Prediction

SKIN_RGB = (200, 150, 120)
"""The double of the model sees a person in every picture whose first pixel has this colour."""


class ToyModel(dimr.predict.Model):
    """Sees a person by the colour of a pixel; the rest of the program is real."""

    def __init__(self, body: BodyModel):
        self.body = body
        self.atlas = load_atlas(None)
        self.given, self.scores = [], []
        self.refined = []
        self.least = []
        self.focal_px = []

    def predict(
        self, picture, iuv=None, refine=True, min_score=0.0, focal_px=None, scores=None
    ) -> Prediction:
        self.given.append(iuv)
        self.scores.append(scores)
        self.refined.append(refine)
        self.least.append(min_score)
        self.focal_px.append(focal_px)
        height, width = picture.shape[:2]
        if tuple(picture[0, 0]) == (1, 2, 3):
            raise RuntimeError("out of\nmemory")
        if tuple(picture[0, 0]) == (3, 2, 1):
            raise KeyboardInterrupt
        seen = tuple(picture[0, 0]) == SKIN_RGB
        return Prediction((width, height), [self.person()] if seen else [])

    def person(self) -> Person:
        joints = self.body.joints_template.numpy() * np.float32([1, -1, -1])
        vertices = self.body.v_template.numpy() * np.float32([1, -1, -1])
        place = np.float32([0, 0, 3])
        return Person(
            box_px=np.array([1, 2, 20, 30], np.float32),
            score=0.5,
            crop=Crop((10.0, 15.0), 40.0, 16),
            iuv=Iuv(np.ones((8, 8), bool), np.full((8, 8, 2), 0.5, np.float32)),
            theta_rad=np.zeros((24, 3), np.float32),
            betas=np.zeros(10, np.float32),
            camera_crop=np.array([1, 0, 0], np.float32),
            translation_m=place,
            vertices_cam_m=vertices + place,
            joints_cam_m=joints + place,
            keypoints_px=np.zeros((24, 2), np.float32),
            focal_px=60.0,
            part_seen=np.linspace(0, 0.5, 24).astype(np.float32),
            vertex_seen=np.arange(len(vertices)) % 2 == 0,
            part_confidence=np.ones(24, np.float32),
        )


@pytest.fixture
def toy_model(monkeypatch) -> ToyModel:
    model = ToyModel(BodyModel.load(None))
    monkeypatch.setattr(dimr.predict, "load", lambda *_: model)
    return model


def save_picture(path: Path, rgb: tuple[int, int, int] = SKIN_RGB) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 30, 3), rgb[::-1], np.uint8))
    return path


PERSON_FILES = [f"person_1.{kind}" for kind in ("glb", "json", "npz", "obj", "ply")]


class TestPredict:
    def test_one_picture_gives_all_files_and_a_summary(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        code, out, err = run("predict", picture, "-o", tmp_path / "out")
        assert code == 0, err
        folder = tmp_path / "out" / "me"
        names = sorted(path.name for path in folder.iterdir())
        assert names == sorted([*PERSON_FILES, "overlay.png", "picture.json"])
        assert cv2.imread(str(folder / "overlay.png")) is not None
        mesh = trimesh.load(folder / "person_1.glb")
        assert mesh.geometry
        assert "me.png" in out and "0.50" in out and "50%" in out and "23/24" in out
        assert str(folder / "overlay.png") in out.replace("\n", "")
        assert err == ""
        index = json.loads((tmp_path / "out" / "index.json").read_text())
        (entry,) = index["pictures"]
        assert entry["picture"] == str(picture) and entry["folder"] == "me"
        assert entry["problem"] is None and len(entry["people"]) == 1

    def test_again_gives_the_same_files(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        contents = []
        for _ in range(2):
            assert run("predict", picture, "-o", tmp_path / "out")[0] == 0
            contents.append(
                {p.name: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
            )
        assert contents[0].keys() == contents[1].keys()
        assert contents[0]["person_1.obj"] == contents[1]["person_1.obj"]
        assert contents[0]["index.json"] == contents[1]["index.json"]

    def test_refinement_is_recorded_and_can_be_left_out(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        for flags in ([], ["--no-refine"]):
            out = tmp_path / f"out{len(flags)}"
            assert run("predict", picture, "-o", out, *flags)[0] == 0
            about = json.loads((out / "me" / "picture.json").read_text())
            assert about["refined"] is not bool(flags)
        assert toy_model.refined == [True, False]

    def test_who_is_not_sure_enough_can_be_had(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        for number, flags in enumerate(([], ["--min-score", "0"])):
            assert run("predict", picture, "-o", tmp_path / f"out{number}", *flags)[0] == 0
        assert toy_model.least == [MIN_SCORE, 0.0]
        assert run("predict", picture, "--min-score", "2")[0] != 0

    def test_the_camera_is_the_callers_or_the_files(self, run, toy_model, tmp_path, monkeypatch):
        picture = save_picture(tmp_path / "me.png")
        monkeypatch.setattr(dimr.image.load, "read_focal_px", lambda path, size: sum(size) / 8)
        for number, flags in enumerate(([], ["--focal", "900"])):
            assert run("predict", picture, "-o", tmp_path / f"out{number}", *flags)[0] == 0
        height, width = load_picture(picture).shape[:2]
        assert toy_model.focal_px == [(width + height) / 8, 900.0]
        assert run("predict", picture, "--focal", "0")[0] != 0

    def test_bad_pictures_do_not_stop_the_others(self, run, toy_model, tmp_path):
        album = tmp_path / "album"
        for name in ("a", "e"):
            save_picture(album / f"{name}.png")
        (album / "b.jpg").write_bytes(b"")
        (album / "c.jpg").write_text("no picture")
        (album / "d.png").write_bytes((album / "a.png").read_bytes()[:60])
        save_picture(album / "f.png", (1, 2, 3))
        (album / "readme.txt").write_text("skipped")
        (album / ".hidden.png").write_text("skipped")
        code, out, err = run("predict", album, "-o", tmp_path / "out")
        assert code == 1
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "e", "index.json"]
        lines = err.strip().splitlines()
        assert len(lines) == 4
        for line, name in zip(lines, ("b.jpg", "c.jpg", "d.png", "f.png"), strict=True):
            assert line.startswith("dimr: ") and line.count(name) == 1
        assert "RuntimeError: out of memory" in lines[3]
        assert "6 pictures, 2 people, 4 without a result" in out
        entries = json.loads((tmp_path / "out" / "index.json").read_text())["pictures"]
        assert [entry["problem"] is None for entry in entries] == [
            True, False, False, False, True, False,
        ]  # fmt: skip

    def test_links_that_lead_nowhere_are_reported(self, run, toy_model, tmp_path):
        photos = tmp_path / "photos"
        photos.mkdir()
        save_picture(photos / "me.png")
        (photos / "loop.png").symlink_to(photos / "loop.png")
        (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
        code, _, err = run(
            "predict", photos, "-o", tmp_path / "out", "--sheet", tmp_path / "s.jpg"
        )
        assert code == 1 and "loop.png: " in err and "gone.png: " in err
        assert (tmp_path / "out" / "me" / "overlay.png").is_file()

    def test_a_path_that_leads_nowhere_costs_no_other(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        code, out, err = run("predict", tmp_path / "gone.png", picture, "-o", tmp_path / "out")
        assert code == 1 and "gone.png: no such file" in err and "1 without a result" in out
        index = json.loads((tmp_path / "out" / "index.json").read_text())
        assert [bool(each["problem"]) for each in index["pictures"]] == [True, False]

    def test_pictures_of_other_kinds_are_named(self, run, toy_model, tmp_path):
        save_picture(tmp_path / "photos" / "me.png")
        for name in ("a.HEIC", "b.avif"):
            (tmp_path / "photos" / name).write_bytes(b"?")
        code, _, err = run("predict", tmp_path / "photos", "-o", tmp_path / "out")
        assert code == 0
        assert "photos: 2 pictures of kinds that are not read: a.HEIC, ..." in err

    def test_nobody_found_is_said_and_shown(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "empty.png", (0, 0, 0))
        code, _, err = run("predict", picture, "-o", tmp_path / "out")
        assert code == 1
        problem = "no person found with a score of at least 0.35 (--min-score)"
        assert err.strip() == f"dimr: {picture}: {problem}"
        code, _, err = run("predict", picture, "-o", tmp_path / "all", "--min-score", "0")
        assert err.strip() == f"dimr: {picture}: no person found"
        files = sorted(p.name for p in (tmp_path / "out" / "empty").iterdir())
        assert files == ["overlay.png", "picture.json"]

    def test_same_stems_get_folders_of_their_own(self, run, toy_model, tmp_path):
        pictures = [save_picture(tmp_path / folder / "x.png") for folder in "ab"]
        code, _, _ = run("predict", *pictures, pictures[0], "-o", tmp_path / "out")
        assert code == 0
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["index.json", "x", "x_2"]

    def test_folder_that_dimr_did_not_make_stays(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        (tmp_path / "out" / "me").mkdir(parents=True)
        (tmp_path / "out" / "me" / "overlay.png").write_text("mine")
        code, _, err = run("predict", picture, "-o", tmp_path / "out")
        assert code == 1 and "--overwrite" in err
        assert (tmp_path / "out" / "me" / "overlay.png").read_text() == "mine"
        assert run("predict", picture, "-o", tmp_path / "out", "--overwrite")[0] == 0
        assert (tmp_path / "out" / "me" / "person_1.obj").is_file()

    def test_interrupt_keeps_finished_pictures(self, run, toy_model, tmp_path):
        album = tmp_path / "album"
        save_picture(album / "a.png")
        save_picture(album / "b.png", (3, 2, 1))
        save_picture(album / "c.png")
        code, _, _ = run("predict", album, "-o", tmp_path / "out")
        assert code != 0
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a", "index.json"]

    def test_sheet_has_a_row_for_every_picture(self, run, toy_model, tmp_path):
        album, sheet = tmp_path / "album", tmp_path / "new" / "sheet.jpg"
        save_picture(album / "a.png")
        (album / "b.jpg").write_text("no picture")
        save_picture(album / "c.png", (0, 0, 0))
        arguments = [album, "-o", tmp_path / "out", "--sheet", sheet]
        code, out, _ = run("predict", *arguments)
        assert code == 1 and str(sheet) in out.replace("\n", "")
        page = cv2.imread(str(sheet))
        titles, rows = 4 * CAPTION_HEIGHT, 2 * CELL_PX[1]  # heading and three titles; a and c
        assert page.shape[:2] == (titles + rows, SHEET_WIDTH)
        before = sheet.read_bytes()
        assert run("predict", *arguments)[0] == 1
        assert sheet.read_bytes() == before

    def test_sheet_of_an_interrupted_run_is_written(self, run, toy_model, tmp_path):
        album, sheet = tmp_path / "album", tmp_path / "sheet.jpg"
        save_picture(album / "a.png")
        save_picture(album / "b.png", (3, 2, 1))
        run("predict", album, "-o", tmp_path / "out", "--sheet", sheet)
        assert cv2.imread(str(sheet)).shape[0] == 2 * CAPTION_HEIGHT + CELL_PX[1]

    def test_own_iuv_reaches_the_model(self, run, toy_model, tmp_path):
        picture = save_picture(tmp_path / "me.png")
        mask = np.zeros((40, 30), bool)
        mask[5:20, 5:20] = True
        score, uv = np.array([0.25], np.float32), np.zeros((1, 40, 30, 2), np.float32)
        np.savez(tmp_path / "i.npz", mask=mask[None], uv=uv, score=score)
        code, _, _ = run("predict", picture, "--iuv", tmp_path / "i.npz", "-o", tmp_path / "out")
        assert code == 0
        assert np.array_equal(toy_model.given[0][0].mask, mask) and toy_model.scores == [[0.25]]

    def test_own_iuv_for_several_pictures_is_refused(self, run, toy_model, tmp_path):
        pictures = [save_picture(tmp_path / name) for name in ("a.png", "b.png")]
        code, _, err = run("predict", *pictures, "--iuv", tmp_path / "i.npz")
        assert code == 1 and err.startswith("dimr: error: --iuv")

    @pytest.mark.parametrize("name", ["[red]x.png", "\u00e4 b.png", "x\ny.png"])
    def test_odd_names(self, run, toy_model, tmp_path, name):
        picture = tmp_path / name
        picture.write_bytes(save_picture(tmp_path / "plain.png").read_bytes())
        code, out, _ = run("predict", picture, "-o", tmp_path / "out")
        assert code == 0
        assert name.replace("\n", "?") in out
        assert (tmp_path / "out" / picture.stem / "person_1.json").is_file()


class TestUserErrors:
    """One line on stderr, exit code 1, nothing written."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nowhere.jpg"],
            ["empty_folder"],
            ["me.png", "-o", "me.png"],
            ["me.png", "--device", "cuda:99"],
            ["me.png", "--weights", "nonsense"],
            ["me.png", "--data", "empty_folder"],
            ["me.png", "-o", "me.png/below"],
            ["me.png", "--focal", "inf"],
            ["me.png", "--iuv-table", "me.jpg"],
            ["me.png", "--sheet", "me.png/sheet.jpg"],
            ["me.png", "--sheet", "me.png"],
            ["me.jpg", "--sheet", "./me.jpg"],
            ["me.png", "--sheet", "me.jpg"],
        ],
        ids=" ".join,
    )
    def test_is_one_line(self, run, tmp_path, monkeypatch, arguments):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty_folder").mkdir()
        save_picture(tmp_path / "me.png")
        save_picture(tmp_path / "me.jpg")
        code, out, err = run("predict", *arguments)
        assert code == 1
        assert err.startswith("dimr: error: ") and err.count("\n") == 1
        assert out == ""
        assert not (tmp_path / "dimr_output").exists()

    def test_debug_shows_where(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DIMR_DEBUG", "1")
        monkeypatch.setattr(sys, "argv", ["dimr", "predict", str(tmp_path / "nowhere.jpg")])
        with pytest.raises(ValueError, match="nowhere"):
            cli.main()

    def test_unknown_command(self, run):
        code, _, err = run("fly")
        assert code == 2 and "fly" in err


class TestOtherCommands:
    def test_version_is_the_projects(self, run):
        code, out, _ = run("--version")
        assert code == 0
        pyproject = (Path(__file__).parents[1] / "pyproject.toml").read_text()
        assert f'version = "{out.split()[1]}"' in pyproject

    def test_body(self, run):
        body = BodyModel.load(None)
        code, out, _ = run("body")
        assert code == 0
        assert body.content_hash in out and str(body.num_vertices) in out

    def test_doctor_looks_for_all_that_ships(self, run):
        _, out, _ = run("doctor")
        for path in asset_path("open_body.npz").parent.rglob("*.*"):
            if path.suffix not in (".py", ".pyc") and path.parent.name not in weights.SHIPPED:
                assert f"found    {path.name} " in out
        for folder in weights.SHIPPED:
            for path in weights.weights_folder(folder).glob("*.safetensors"):
                assert f"found    weights/{folder}/{path.name} " in out

    def test_doctor_needs_the_folder_that_is_named(self, run, tmp_path):
        code, out, err = run("doctor", "--data", tmp_path / "nope")
        assert code == 1 and "--data: " in err and out == ""

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("--threads", "0"), "--threads: got 0"),
            (("--workers", "-1"), "--workers: got -1"),
            (("--max-minutes", "-1"), "--max-minutes: got -1"),
            (("--device", "cuda"), "--device: recipe stage1 has no use for it, only paper has"),
            (("--batch-size", "7"), "--batch-size: recipe stage1 has no use"),
            (("--iuv-table", "t.npz"), "--iuv-table: recipe stage1 has no use"),
        ],
    )
    def test_what_training_cannot_use(self, run, tmp_path, words, reason):
        code, _, err = run("train", "stage1", "-o", tmp_path / "run", *words)
        assert code == 1 and reason in err and err.count("\n") == 1
        assert not (tmp_path / "run").exists()

    def test_a_run_folder_is_a_folder(self, run, tmp_path):
        (tmp_path / "run").write_text("mine")
        for command in (("train", "stage1"), ("ablate", "BASELINES")):
            code, _, err = run(*command, "-o", tmp_path / "run")
            assert code == 1 and "--out: " in err and "not a folder" in err

    def test_any_error_is_one_line(self, run, tmp_path, monkeypatch):
        def fail(*_):
            raise RuntimeError("out of\nmemory")

        monkeypatch.setattr("dimr.predict.load", fail)
        code, _, err = run("predict", save_picture(tmp_path / "me.png"), "-o", tmp_path / "out")
        assert code == 1 and err == "dimr: error: out of memory\n"

    def test_doctor_names_every_extra(self, run):
        _, out, _ = run("doctor")
        for name in ("demo", "paper", "body", "encoder", "open_body.npz"):
            assert name in out

    def test_help_and_import_are_quick(self):
        """Neither `import dimr` nor `dimr --help` may load torch."""
        probe = (
            "import sys, dimr.cli; assert 'torch' not in sys.modules; "
            "assert 'numpy' not in sys.modules"
        )
        source = str(Path(dimr.__file__).parents[1])
        environment = os.environ | {"PYTHONPATH": source}
        subprocess.run([sys.executable, "-c", probe], check=True, env=environment)


@pytest.fixture(scope="module")
def fresh_weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    body, atlas, size = BodyModel.load(None), load_atlas(None), HeadSize()
    network = weights.new_stage1_network(body, atlas)
    stage2 = weights.new_stage2("dimr", network.encoder, body, atlas, size)
    weights.save_stage1(folder, network, body, atlas, {})
    weights.save_stage2(folder, stage2, size, body, atlas, {"variant": "dimr"})
    return folder


class TestUntrained:
    """Real networks with fresh weights: every file and every step but the training."""

    def test_own_iuv_becomes_a_person_at_its_place(self, run, fresh_weights, tmp_path):
        photo = tmp_path / "noise.png"
        rng = np.random.default_rng(0)
        cv2.imwrite(str(photo), rng.integers(0, 255, (240, 320, 3), np.uint8))
        mask = np.zeros((2, 240, 320), bool)
        mask[0, 40:200, 20:80] = True
        mask[1, 100:180, 200:300] = True
        uv = rng.random((2, 240, 320, 2)).astype(np.float32)
        np.savez(tmp_path / "i.npz", mask=mask, uv=uv)
        arguments = ["--weights", fresh_weights, "--iuv", tmp_path / "i.npz"]
        code, out, err = run("predict", photo, *arguments, "-o", tmp_path / "out")
        assert code == 0, err
        assert "1 picture, 2 people;" in out
        for number, (x, y) in enumerate([(50, 120), (250, 140)], start=1):
            path = tmp_path / "out" / "noise" / f"person_{number}.json"
            keypoints_px = json.loads(path.read_text())["keypoints_px"].values()
            assert np.abs(np.mean(list(keypoints_px), axis=0) - [x, y]).max() < 60

    def test_weights_of_another_body_are_refused(self, fresh_weights, tmp_path):
        with np.load(asset_path("open_body.npz")) as arrays:
            other = dict(arrays)
        other["v_template"] = other["v_template"] * np.float32(1.1)
        np.savez(tmp_path / "taller.npz", **other)
        body, atlas = BodyModel.load(tmp_path / "taller.npz"), load_atlas(None)
        with pytest.raises(ValueError, match=r"weights: .* was made for body"):
            weights.load_stages(fresh_weights, body, atlas)


def has_weights() -> bool:
    try:
        asset_path("weights/open/stage2.safetensors")
    except FileNotFoundError:
        return False
    return True


@pytest.mark.skipif(not has_weights(), reason="the package holds no weights")
class TestRealPath:
    """The shipped weights on a photograph; nothing is replaced by a double."""

    def test_astronaut_is_found(self, run, tmp_path):
        data = pytest.importorskip("skimage.data")
        photo = tmp_path / "astronaut.png"
        cv2.imwrite(str(photo), data.astronaut()[..., ::-1])
        code, _, err = run("predict", photo, "-o", tmp_path / "out")
        assert code == 0, err
        folder = tmp_path / "out" / "astronaut"
        mesh = trimesh.load(folder / "person_1.ply", process=False)
        assert mesh.is_watertight or len(mesh.vertices) > 5000
        record = json.loads((folder / "person_1.json").read_text())
        assert 0.02 < record["seen"]["skin_share"] < 0.6
        x0, y0, x1, y1 = record["box_px"]
        assert x0 < 220 < x1 and y0 < 300 < y1  # the woman, not the flag or the shuttle
        head = record["keypoints_px"]["head"]
        assert abs(head[0] - 220) < 120 and abs(head[1] - 120) < 130
        with np.load(folder / "person_1.npz") as arrays:
            assert 0.5 < np.ptp(arrays["vertices_cam_m"][:, 1]) < 2.5

    def test_python_interface(self):
        data = pytest.importorskip("skimage.data")
        prediction = dimr.load().predict(data.astronaut())
        assert prediction.people
        assert torch.is_tensor(BodyModel.load(None).v_template)
        assert dimr.load().predict(np.zeros((7, 5, 3), np.uint8)).people == []

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dimr.cli import app
from dimr.data.synthetic.pose_bank import PoseBank

RUN = CliRunner()


def run(*words):
    result = RUN.invoke(app, [str(word) for word in ("synth", *words)])
    return result


class TestShow:
    def test_sheet_has_the_asked_cells(self, tmp_path):
        out = tmp_path / "sheet.png"
        result = run("show", "clean", "-o", out, "--count", 3, "--columns", 2, "--cell", 64)
        assert result.exit_code == 0, result.output
        assert Image.open(out).size == (128, 128)

    def test_labels_stand_below(self, tmp_path):
        out = tmp_path / "sheet.png"
        run("show", "scenes", "-o", out, "--count", 3, "--columns", 2, "--cell", 64, "--labels")
        assert Image.open(out).size == (128, 256)

    def test_faces(self, tmp_path):
        out = tmp_path / "sheet.png"
        result = run("show", "faces", "-o", out, "--count", 1, "--columns", 1)
        assert result.exit_code == 0, result.output

    def test_unknown_subset(self, tmp_path):
        result = run("show", "crowd", "-o", tmp_path / "a.png")
        assert isinstance(result.exception, ValueError) and "subset" in str(result.exception)

    def test_unknown_kind_of_picture(self, tmp_path):
        result = run("show", "clean", "-o", tmp_path / "a.gif", "--count", 1)
        assert isinstance(result.exception, ValueError) and "suffix" in str(result.exception)
        assert list(tmp_path.iterdir()) == []


class TestStats:
    def test_numbers_and_page(self, tmp_path):
        result = run("stats", "-o", tmp_path, "--count", 6, "--subset", "clean")
        assert result.exit_code == 0, result.output
        numbers = json.loads((tmp_path / "stats.json").read_text())
        assert numbers["count"] == 6 and numbers["hidden_share"]["p95"] <= 0.02
        assert Image.open(tmp_path / "stats.png").size[0] > 800

    def test_scenes_have_no_target(self, tmp_path):
        result = run("stats", "-o", tmp_path, "--subset", "scenes")
        assert "crops" in str(result.exception)


class TestWrite:
    def test_files_hold_the_sample(self, tmp_path):
        assert run("write", "object", "-o", tmp_path, "--limit", 1).exit_code == 0
        with np.load(tmp_path / "000.npz") as arrays:
            assert arrays["labels_uv"].shape == (128, 128, 2)
            assert len(str(arrays["sha256"])) == 64
        assert Image.open(tmp_path / "000.png").size == (256, 256)

    def test_goes_on_where_it_stopped(self, tmp_path):
        run("write", "clean", "-o", tmp_path, "--limit", 1)
        before = (tmp_path / "000.npz").stat().st_mtime_ns
        run("write", "clean", "-o", tmp_path, "--limit", 2)
        assert (tmp_path / "000.npz").stat().st_mtime_ns == before
        assert (tmp_path / "001.npz").exists()

    @pytest.mark.parametrize("other", [["hug"], ["clean", "--split", "val"]], ids=" ".join)
    def test_other_samples_are_no_substitute(self, tmp_path, other):
        run("write", "clean", "-o", tmp_path, "--limit", 1)
        before = (tmp_path / "000.npz").read_bytes()
        result = run("write", *other, "-o", tmp_path, "--limit", 1)
        assert "000.npz is clean 0 of test, want" in str(result.exception)
        assert (tmp_path / "000.npz").read_bytes() == before

    def test_files_that_do_not_say_whose_they_are(self, tmp_path):
        np.savez(tmp_path / "000.npz", sha256="0")
        result = run("write", "clean", "-o", tmp_path, "--limit", 1)
        assert "000.npz is unknown, want clean 0 of test" in str(result.exception)

    @pytest.mark.parametrize("words", [["train"], ["banana"], ["clean", "--split", "train"]])
    def test_what_there_is_not(self, tmp_path, words):
        result = run("write", *words, "-o", tmp_path, "--limit", 1)
        assert isinstance(result.exception, ValueError) and "got" in str(result.exception)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--count", "--columns", "--cell"])
def test_counts_are_positive(tmp_path, option):
    result = run("show", "clean", "-o", tmp_path / "a.png", option, 0)
    assert f"{option}: got 0" in str(result.exception)


def test_a_cell_has_bounds(tmp_path):
    result = run("show", "clean", "-o", tmp_path / "a.png", "--cell", 1_000_000)
    assert "--cell: got 1000000" in str(result.exception)


def test_one_sample_has_no_statistics(tmp_path):
    assert "--count: got 1" in str(run("stats", "-o", tmp_path, "--count", 1).exception)


def test_real_crops_are_looked_for_first(tmp_path, monkeypatch):
    monkeypatch.setattr("dimr.commands.synth._maker", None)
    result = run("stats", "-o", tmp_path, "--real", tmp_path / "nope")
    assert isinstance(result.exception, ValueError | OSError)


class TestPoses:
    @pytest.fixture
    def clip(self, tmp_path):
        """Two seconds of somebody who waves, as AMASS stores it (z up)."""
        poses = np.zeros((120, 156))
        poses[:, 0] = np.pi / 2  # upright in a z-up world
        poses[:, 3 * 17 + 2] = np.linspace(0, 1.5, 120)
        path = tmp_path / "subject" / "wave.npz"
        path.parent.mkdir()
        np.savez(path, poses=poses, trans=np.zeros((120, 3)), mocap_framerate=60.0)
        return path

    def test_bank_can_be_trained_with(self, clip, tmp_path):
        out = tmp_path / "bank.npz"
        result = run("poses", clip, "-o", out)
        assert result.exit_code == 0, result.output
        assert len(PoseBank.load("train", out)) > 3

    def test_nothing_is_overwritten(self, clip, tmp_path):
        out = tmp_path / "bank.npz"
        out.write_bytes(b"mine")
        assert "exists" in str(run("poses", clip, "-o", out).exception)
        assert out.read_bytes() == b"mine"

    def test_what_is_no_motion(self, tmp_path):
        path = tmp_path / "notes.bvh"
        path.write_text("hello")
        result = run("poses", path, "-o", tmp_path / "bank.npz")
        assert isinstance(result.exception, ValueError) and "notes.bvh" in str(result.exception)

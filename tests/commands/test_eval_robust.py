import json

import cv2
import pytest

ONE = ("--subset", "person", "--limit", 1)


@pytest.fixture(scope="module")
def another_variant(save_variant):
    """Works without an atlas."""
    return save_variant("hmr_iuv")


def test_two_models_under_the_same_damage(run, tmp_path, another_variant):
    files = ("--json", tmp_path / "errors.json", "--draw", tmp_path / "curves.png")
    code, out, err = run(
        "eval", "ROBUST", *ONE, *files, "--weights", "open", "--weights", another_variant
    )
    assert code == 0, err
    for words in ("dropout", "leakage", "hidden share", "hmr_iuv", "completed"):
        assert words in out
    report = json.loads((tmp_path / "errors.json").read_text())
    models = report["models"]
    assert [each["variant"] for each in models.values()] == ["dimr", "hmr_iuv"]
    assert models["open"]["weights_hash"] != models[str(another_variant)]["weights_hash"]
    for each in models.values():
        assert each["damage"]["erosion"]["4"]["people"] == 1
        assert list(each["damage"]["resolution"]) == ["1", "2", "4", "8", "16"]
        undamaged = each["damage"]["swaps"]["0"]
        assert undamaged["seen_joints"] + undamaged["completed_joints"] == 23
        assert undamaged in each["hidden"].values()
        assert undamaged["mpjpe_mm"] != each["damage"]["swaps"]["1"]["mpjpe_mm"]
    assert cv2.imread(str(tmp_path / "curves.png")).std() > 10


def test_landmarks_beside_meshes(run, tmp_path):
    path = tmp_path / "errors.json"
    code, out, err = run("eval", "LANDMARKS", *ONE, "--json", path)
    assert code == 0, err
    assert "not the package of MediaPipe" in out
    report = json.loads(path.read_text())
    for method in ("blazepose", "dimr"):
        assert report[method]["all"] == report[method]["person"]
        found = report[method]["all"]["found"]
        assert found["people"] == 1 and (found["n"] == 0) == ("mpjpe_mm" not in found)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("ROBUST", "--subset", "scenes"), "--subset: got 'scenes'"),
        (("ROBUST", "--draw", "curves.jpg"), "--draw: got curves.jpg"),
        (("ROBUST", "--weights", "a", "--weights", "a"), "--weights: got a, a"),
        (("LANDMARKS", "--limit", "0"), "--limit: got 0"),
        (("LANDMARKS", "--weights", "a", "--weights", "b"), "--weights: got 2"),
    ],
)
def test_refusals(run, words, reason):
    code, _, err = run("eval", *words)
    assert code == 1 and reason in err

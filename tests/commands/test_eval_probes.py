import json

import cv2
import pytest

ONE = ("--subset", "person", "--limit", 1)


@pytest.fixture(scope="module")
def plain_weights(save_variant):
    """Neither attention nor expected errors."""
    return save_variant("hmr_iuv", uncertainty=False)


def test_expected_errors_beside_actual_ones(run, tmp_path):
    files = ("--json", tmp_path / "errors.json", "--draw", tmp_path / "reliability.png")
    code, out, err = run("eval", "CONFIDENCE", *ONE, *files)
    assert code == 0, err
    for words in ("predicted", "hidden", "ECE", "< 95%"):
        assert words in out
    report = json.loads((tmp_path / "errors.json").read_text())
    for kind in ("gt", "predicted"):
        groups = report[kind]["all"]
        assert groups == report[kind]["person"]
        assert groups["all"]["joints"] == 23 == sum(one["joints"] for one in groups["all"]["bins"])
        assert groups["seen"]["joints"] + groups["hidden"]["joints"] == 23
        assert list(groups["all"]["coverage"]) == ["0.5", "0.8", "0.95"]
    assert (
        report["gt"]["all"]["all"]["actual_mm"] != report["predicted"]["all"]["all"]["actual_mm"]
    )
    assert cv2.imread(str(tmp_path / "reliability.png")).std() > 10


def test_where_parts_look(run, tmp_path):
    files = ("--json", tmp_path / "parts.json", "--draw", tmp_path / "sheet.png")
    two = ("--subset", "clean", "--subset", "person", "--limit", 1)
    code, out, err = run("eval", "ATTENTION", *two, "--iuv", "gt", *files)
    assert code == 0, err
    for words in ("L_shoulder", "map alone", "part shown / hidden", "mean"):
        assert words in out
    report = json.loads((tmp_path / "parts.json").read_text())
    assert "predicted" not in report and report["gt"]["people"] == 2
    assert len(report["gt"]["parts"]) == 24
    for part in report["gt"]["parts"].values():
        assert 0 <= part["own_share"] <= 1 and 0 < part["entropy"] < 4.2
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 10


def test_weights_without_what_is_measured_are_refused(run, plain_weights):
    code, _, err = run("eval", "ATTENTION", *ONE, "--weights", plain_weights)
    assert code == 1 and "has no attention" in err
    code, _, err = run("eval", "CONFIDENCE", *ONE, "--weights", plain_weights)
    assert code == 1 and "expects no errors" in err


@pytest.mark.parametrize("protocol", ["CONFIDENCE", "ATTENTION"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--subset", "scenes"), "--subset: got 'scenes'"),
        (("--draw", "sheet.jpg"), "--draw: got sheet.jpg"),
        (("--iuv", "files"), "--iuv: got 'files'"),
        (("--limit", "0"), "--limit: got 0"),
        (("--weights", "a", "--weights", "b"), "--weights: got 2"),
    ],
)
def test_refusals(run, protocol, words, reason):
    code, _, err = run("eval", protocol, *words)
    assert code == 1 and reason in err

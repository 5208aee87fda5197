import json

import cv2
import numpy as np
import pytest


@pytest.fixture
def log(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


def line(step, **validation):
    return {"step": step, "validation": validation}


def test_a_panel_for_each_metric_that_all_runs_have(run, log, tmp_path):
    first = log("first.jsonl", line(100, iou=0.5, loss=2.0), line(200, iou=0.6, loss=1.5))
    second = log("second.jsonl", line(50, iou=0.7))
    pictures = []
    for logs in ((first,), (first, second)):
        code, out, err = run("curves", *logs, "-o", tmp_path / "curves.png")
        assert code == 0 and "curves.png" in out, err
        pictures.append(cv2.imread(str(tmp_path / "curves.png")))
    one, both = pictures
    assert abs(one.shape[1] - 2 * both.shape[1]) < 10  # loss is not in the second
    colours = np.unique(both.reshape(-1, 3), axis=0).tolist()
    assert [0xB4, 0x77, 0x1F] in colours and [0x0E, 0x7F, 0xFF] in colours  # a colour a run


@pytest.mark.parametrize("content", ["", "no json", "[]", "{}", '{"step": 1}', '{"step": "a"}'])
def test_what_is_no_log_is_refused(run, tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    code, _, err = run("curves", path, "-o", tmp_path / "curves.png")
    assert code == 1 and f"logs: {path} is no log" in err and err.count("\n") == 1


def test_runs_without_a_metric_in_common_and_other_pictures_are_refused(run, log, tmp_path):
    logs = log("a.jsonl", line(1, iou=0.5)), log("b.jsonl", line(1, mpjpe_mm=90))
    code, _, err = run("curves", *logs, "-o", tmp_path / "curves.png")
    assert code == 1 and "no metric in common" in err
    code, _, err = run("curves", *logs, "-o", tmp_path / "curves.svg")
    assert code == 1 and "--output" in err and not list(tmp_path.glob("curves*"))


def test_places_that_are_none(run, log, tmp_path):
    there = log("log.jsonl", line(100, iou=0.5))
    code, _, err = run("curves", tmp_path / "nope.jsonl", "-o", tmp_path / "curves.png")
    assert code == 1 and "logs: no file" in err and "nope.jsonl" in err
    code, _, err = run("curves", there, "-o", there / "curves.png")
    assert code == 1 and "--output: " in err and "not a folder" in err

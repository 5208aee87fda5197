import json

import cv2
import numpy as np
import pytest


def test_bodies_of_synthocc(run, tmp_path):
    path = tmp_path / "errors.json"
    chosen = ("--subset", "clean", "--subset", "hug", "--limit", 1, "--json", path)
    code, out, err = run("eval", "SYNTHOCC", *chosen)
    assert code == 0, err
    assert "hug" in out and "mean pose" not in out  # which of two people says nothing
    report = json.loads(path.read_text())
    assert report["set"] == "shipped" and len(report["weights_hash"]) == 64
    assert report["gt"]["clean"]["n"] == 1 and report["gt"]["all"]["n"] == 2
    assert report["gt"]["clean"]["mask_iou"] == 1 >= report["predicted"]["clean"]["mask_iou"]


def test_one_kind_of_iuv(run, tmp_path):
    path = tmp_path / "errors.json"
    chosen = ("--subset", "clean", "--limit", 1, "--iuv", "gt", "--json", path)
    assert run("eval", "SYNTHOCC", *chosen)[0] == 0
    assert "predicted" not in json.loads(path.read_text())


def test_refined_bodies_have_other_errors(run, tmp_path):
    reports = []
    for flags in (["--no-refine"], []):
        path = tmp_path / "errors.json"
        chosen = ("--subset", "clean", "--limit", 1, "--iuv", "gt", "--json", path)
        assert run("eval", "SYNTHOCC", *chosen, *flags)[0] == 0
        reports.append(json.loads(path.read_text()))
    plain, refined = reports
    assert refined["refined"] is True and plain["refined"] is False
    assert refined["gt"]["clean"]["mpjpe_mm"] != plain["gt"]["clean"]["mpjpe_mm"]


def test_stage_1_on_crops_and_scenes(run, tmp_path):
    path = tmp_path / "scores.json"
    chosen = ("--subset", "clean", "--subset", "scenes", "--limit", 1, "--json", path)
    code, out, err = run("eval", "STAGE1", *chosen, "--draw", tmp_path / "worst.png")
    assert code == 0, err
    picture, true, found = np.split(cv2.imread(str(tmp_path / "worst.png"))[40:], 3, axis=1)
    assert picture.std() > 10 and 0 < (true != found).mean() < 0.5
    report = json.loads(path.read_text())
    assert 0 <= report["crops"]["clean"]["right_share"] <= 1
    assert report["scenes"]["n"] == 1 and "AP at mask IoU .5" in out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("SYNTHOCC", "--subset", "crowd"), "--subset: got 'crowd'"),
        (("SYNTHOCC", "--subset", "scenes"), "--subset: got 'scenes'"),
        (("SYNTHOCC", "--limit", "0"), "--limit: got 0"),
        (("SYNTHOCC", "--iuv", "files"), "--iuv: got 'files'"),
        (("STAGE1", "--limit", "-3"), "--limit: got -3"),
        (("STAGE1", "--subset", "scenes", "--photos", "/nowhere"), "photos: /nowhere"),
        (("SYNTH",), "protocol: got 'SYNTH'"),
        (("SYNTHOCC", "--draw", "x.png"), "--draw: SYNTHOCC has no use for it"),
        (("LANDMARKS", "--iuv", "gt"), "--iuv: LANDMARKS has no use for it"),
        (("SYNTHOCC", "--lspet", "/nowhere"), "--lspet: SYNTHOCC has no use for it"),
        (("CONFIDENCE", "--no-refine"), "--no-refine: CONFIDENCE has no use for it"),
        (("TABLE1", "--limit", "0"), "--limit: got 0"),
        (("TABLE1", "--device", "nosuch"), "device: nosuch cannot be used here"),
        (("SYNTHOCC", "--device", "cpu"), "--device: SYNTHOCC has no use for it"),
        (("TABLE1", "--data", "/nowhere"), "--data: /nowhere is not a folder"),
        (("TABLE2", "--3dpw", "/nowhere"), "--3dpw: /nowhere is not a folder"),
        (("REALVAL", "--lspet", "/nowhere"), "lspet: /nowhere has no joints.npz"),
        (("SYNTHOCC", "--json", f"{__file__}/numbers.json"), "--json: "),
        (("STAGE1", "--draw", f"{__file__}/worst.png"), "--draw: "),
    ],
)
def test_refusals(run, words, reason):
    code, out, err = run("eval", *words)
    assert out == ""
    assert code == 1 and reason in err and "Traceback" not in err


@pytest.mark.parametrize("protocol", ["STAGE1", "REALVAL"])
def test_street_photographs_are_looked_for_first(run, tmp_path, monkeypatch, protocol):
    def measured(*_, **__):
        raise AssertionError("measured before")

    monkeypatch.setattr("dimr.predict.load", measured)
    code, _, err = run("eval", protocol, "--street", tmp_path)
    assert code == 1 and "street: " in err

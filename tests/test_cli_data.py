"""`dimr data check` and `dimr doctor` on written data sets."""

import cv2
import numpy as np
import pytest

from data.real import writers
from dimr.data.real.layout import FILES


def test_check_compares_body_and_labels(run, tmp_path, people, open_body, open_atlas):
    writers.write_body_files(tmp_path / "body", open_body, open_atlas)
    # 3DOH's people are neutral: the body that drew them
    writers.write_doh(tmp_path / "3doh/testset", people)
    sheet = tmp_path / "sheet.png"
    code, out, err = run(
        "data", "check", "3doh", tmp_path / "3doh", "--data", tmp_path, "-o", sheet
    )
    assert code == 0, err
    assert "3doh: 3 records of 3" in out and "pictures missing: 0" in out
    assert "against the file's: median 0.0 mm, worst 0.0 mm of 3" in out
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (160, 1280, 3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 1000


def test_check_names_what_is_missing(run, tmp_path, people):
    writers.write_ochuman(tmp_path, people)
    (tmp_path / "images/000001.jpg").unlink()
    code, out, _ = run("data", "check", "ochuman", tmp_path, "-o", tmp_path / "sheet.jpg")
    assert code == 0
    assert "pictures missing: 1" in out and "000001.jpg" in out
    assert "SMPL parameters: 0 records (missing)" in out and "instance masks: 3 records" in out
    assert "3 left out" in out and (tmp_path / "sheet.jpg").is_file()


def test_check_of_a_wrong_reading_shows(run, tmp_path, people, open_body, monkeypatch):
    """If the world's rotation were forgotten, the distance would say so."""
    import dimr.data.real.doh as doh

    writers.write_body_files(tmp_path / "body", open_body)
    writers.write_doh(tmp_path / "3doh/testset", people)
    monkeypatch.setattr(doh, "turn_root", lambda theta, before: theta)
    sheet = tmp_path / "s.png"
    _, out, _ = run("data", "check", "3doh", tmp_path / "3doh", "--data", tmp_path, "-o", sheet)
    assert "no IUV is drawn" in out
    median = float(out.split("file's: median ")[1].split(" mm")[0])
    assert median > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", "."), "want one of h36m"),
        (("3doh", "."), "no such file"),
        (("3doh", ".", "-o", "x.txt"), "want a .png or .jpg"),
    ],
)
def test_check_refuses(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("data", "check", *arguments)
    assert code == 1 and message in err and not list(tmp_path.iterdir())


def test_doctor_tells_of_every_licensed_file(run, tmp_path):
    _, out, _ = run("doctor")
    assert f"licensed files: {len(FILES)}, all optional" in out and FILES[0].place not in out
    _, out, _ = run("doctor", "--data", tmp_path)
    for file in FILES:
        assert f"not found {file.place}: " in out and file.source in out
    (tmp_path / "body").mkdir()
    (tmp_path / "body/SMPL_NEUTRAL.pkl").touch()
    _, out, _ = run("doctor", "--data", tmp_path)
    assert "found     body/SMPL_NEUTRAL.pkl" in out
    assert "not found body/SMPL_MALE.pkl: 3DPW's ground truth; from SMPL" in out

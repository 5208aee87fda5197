"""`dimr eval TABLE1` from weights on disk to numbers, on written data sets."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny import TinyEncoder, save_whole_model

from data.real import writers
from dimr.correspondence.iuv_window import iuv_to_window, windows_bytes
from dimr.data.real.layout import open_dataset
from dimr.image.crop import full_to_crop, norm_to_crop
from dimr.network.dimr import Dimr
from dimr.train.benchmark import load_real_model
from dimr.train.run import Run, surface_of
from dimr.types import Iuv


@pytest.fixture(scope="module")
def root(tmp_path_factory, people, open_body, open_atlas):
    folder = tmp_path_factory.mktemp("root")
    writers.write_body_files(folder / "body", open_body, open_atlas)
    writers.write_pw3d(folder / "3dpw", [people[:1]], open_body, "courtyard_golf_00", "train")
    writers.write_doh(folder / "3doh/testset", people)
    writers.write_ochuman(folder / "ochuman", people)
    return folder


@pytest.fixture
def whole_model(root, tmp_path, monkeypatch):
    """A model as the recipe `paper` leaves it, with a tiny encoder."""
    monkeypatch.setattr("dimr.train.weights.HrnetEncoder", TinyEncoder)
    return save_whole_model(tmp_path / "weights", *surface_of(Run(folder=tmp_path, data=root)))


def test_table_of_a_whole_model(run, root, whole_model, tmp_path):
    path = tmp_path / "table.json"
    code, out, err = run(
        "eval", "TABLE1", "--data", root, "--weights", whole_model, "--json", path
    )
    assert code == 0, err
    assert "PARE (published)" in out and "90.5" in out
    assert "3DPW-PC: nobody could be measured" in out
    assert "3DPW-OC: the weights were trained on 3dpw" in out
    stored = json.loads(path.read_text())
    assert stored["results"]["3DPW-OC"]["num"] == 1 and stored["results"]["3DOH"]["num"] == 3
    assert "no SMPL parameters" in stored["missing"]["OCHuman"]
    assert len(stored["weights_hash"]) == 64
    assert all(value > 0 for value in stored["ours"][3:])


def test_shipped_weights_are_measured_by_joints(run, root, tmp_path):
    path = tmp_path / "table.json"
    code, _, err = run("eval", "TABLE1", "--data", root, "--json", path)
    assert code == 0, err
    ours = json.loads(path.read_text())["ours"]
    assert ours[3] > 0 and ours[4] > 0


def test_folders_may_lie_elsewhere(run, root, tmp_path):
    path = tmp_path / "table.json"
    chosen = ("--ochuman", root / "ochuman", "--iuv", "predicted", "--json", path)
    code, out, err = run("eval", "TABLE1", *chosen)
    assert code == 0, err
    stored = json.loads(path.read_text())
    num = stored["results"]["OCHuman"]["num"] if "OCHuman" in stored["results"] else 0
    assert num + stored["results"].get("OCHuman", {"num_failed": 3})["num_failed"] == 3
    assert "3doh: missing" in out


def test_iuvs_may_come_from_the_users_stage_1(run, root, open_atlas, tmp_path):
    """A folder of IUVs of whole pictures: in each, the person whose box fits is taken."""
    folder = tmp_path / "iuvs"
    folder.mkdir()
    for picture in (root / "3doh").rglob("*.jpg"):
        width, height = Image.open(picture).size
        mask = np.zeros((height, width), bool)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = True
        iuv = Iuv(mask, 0.4 * np.stack([mask, mask], axis=-1).astype(np.float32))
        packed = windows_bytes([iuv_to_window(iuv)], (width, height), open_atlas)
        (folder / f"{picture.stem}.npz").write_bytes(packed)
    assert list(folder.iterdir())
    path = tmp_path / "table.json"
    code, _, err = run("eval", "TABLE1", "--data", root, "--iuv", folder, "--json", path)
    assert code == 0, err
    stored = json.loads(path.read_text())
    assert stored["results"]["3DOH"]["num"] == 3 and stored["iuv"] == str(folder)


def test_bodies_are_measured_against_smpl_alone(run, root, tmp_path):
    """The open body knows nothing of the betas in the data sets."""
    path = tmp_path / "table.json"
    code, out, err = run("eval", "TABLE1", "--3doh", root / "3doh", "--json", path)
    assert code == 0, err
    assert "3DOH: body: the ground truth is SMPL's: want ROOT/body" in out
    assert json.loads(path.read_text())["results"] == {}


@pytest.mark.parametrize("iuv", ["gt", "predicted"])
def test_stage_2_hears_the_landmarks_of_whoever_is_meant(root, people, monkeypatch, iuv):
    model = load_real_model("open", root, iuv)
    heard = []
    regress_from = Dimr.regress_from

    def listen(self, maps, mask, uv, image=None, pose=None):
        heard.append(pose)
        return regress_from(self, maps, mask, uv, image, pose)

    monkeypatch.setattr(Dimr, "regress_from", listen)
    record = next(iter(open_dataset("3doh", root / "3doh")))
    recovered = model.recover(record)
    assert recovered.rotmats.shape == (24, 3, 3) and recovered.crop.size == 192
    points_px = full_to_crop(recovered.crop, record.keypoints_px.places)
    known = record.keypoints_px.confidence > 0.5
    (pose,) = heard
    # the network's landmarks lie around the person, whose joints the record knows
    middle = norm_to_crop(pose[0, 11:29, :2].numpy(), 192).mean(0)
    assert np.linalg.norm(middle - points_px[known].mean(0)) < 30


def test_without_data_the_printed_table_remains(run):
    code, out, _ = run("eval", "TABLE2")
    assert code == 0 and "DIMR (GT IUV) (published)" in out and "give --data ROOT" in out


def test_refusals(run, root, whole_model):
    code, _, err = run("eval", "TABLE9")
    assert code == 1 and "want SYNTHOCC, STAGE1, ROBUST, LANDMARKS, " in err
    chosen = ("--data", root, "--weights", whole_model)
    code, _, err = run("eval", "TABLE2", *chosen, "--iuv", "guessed")
    assert code == 1 and "want one of gt, predicted, files" in err

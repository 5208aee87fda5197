"""Weights of recipe `paper` on a stand-in for SMPL: from a photograph to its people."""

import json

import numpy as np
import pytest
from tiny import TinyEncoder, save_whole_model

from data.real import writers
from dimr.body.keypoints import JOINT_NAMES
from dimr.data.real.bodies import Bodies, load_surface_map
from dimr.network.dimr import HeadSize
from dimr.predict import load
from dimr.train.weights import MODEL_FILE, load_model, new_stage2, open_stage1_on, save_model
from dimr.types import Iuv
from fake_densepose import fake_smpl, write_densepose_mat

data, io = (pytest.importorskip(f"skimage.{name}") for name in ("data", "io"))
H36M_AS_SMPL = [0, 1, 4, 7, 2, 5, 8, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21]
SIZE = HeadSize(atlas=16, features=8, blocks=((8, 2),), norm_groups=4, hidden=16, landmarks=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory, open_body, open_atlas):
    """A folder as docs/licensed.md says: a fake SMPL, DensePose's charts on it."""
    folder = tmp_path_factory.mktemp("root")
    fake = fake_smpl(open_body, seed=0)
    (folder / "body").mkdir()
    writers.dump(folder / "body/SMPL_NEUTRAL.pkl", fake.content)
    np.save(folder / "body/J_regressor_h36m.npy", fake.content["J_regressor"][H36M_AS_SMPL])
    write_densepose_mat(folder / "body/UV_Processed.mat", fake, open_atlas)
    return folder


@pytest.fixture
def whole_model(root, tmp_path, monkeypatch):
    """A model as the recipe `paper` leaves it, with a tiny encoder."""
    monkeypatch.setattr("dimr.train.weights.HrnetEncoder", TinyEncoder)
    body = Bodies.load(root).neutral
    return save_whole_model(tmp_path / "weights", body, load_surface_map(root, body))


def test_a_photograph_with_the_users_body(run, root, whole_model, tmp_path):
    """People are found by the open stage 1; what it sees is laid out on the user's map."""
    io.imsave(tmp_path / "photo.png", data.astronaut())
    chosen = ("--weights", whole_model, "--data", root, "-o", tmp_path / "out")
    code, out, err = run("predict", tmp_path / "photo.png", *chosen)
    assert code == 0, err
    assert "1 picture, 1 person" in out
    body = Bodies.load(root).neutral
    record = json.loads((tmp_path / "out/photo/person_1.json").read_text())
    assert record["body"]["sha256"] == body.content_hash
    with np.load(tmp_path / "out/photo/person_1.npz") as person:
        assert person["vertices_cam_m"].shape == (body.num_vertices, 3)
        np.testing.assert_array_equal(person["faces"], body.faces.numpy())
        seen = person["vertex_seen"]
    moved_by = body.weights.argmax(1).numpy()
    share = {name: seen[moved_by == number].mean() for number, name in enumerate(JOINT_NAMES)}
    assert share["head"] > 0.15 and share["spine3"] > 0.1
    assert share["L_ankle"] == share["R_foot"] == 0


def sizes_seen(model, monkeypatch):
    """Shapes of the pictures and masks that stage 2 will be shown."""
    sizes = []
    regress = model.stage2.regress_from

    def regress_from(maps, mask, uv, image, pose=None):
        sizes.append((tuple(image.shape), tuple(mask.shape)))
        return regress(maps, mask, uv, image, pose)

    monkeypatch.setattr(model.stage2, "regress_from", regress_from)
    return sizes


def test_stage_2_sees_crops_of_its_own_size(root, whole_model, monkeypatch):
    model = load(whole_model, root)
    sizes = sizes_seen(model, monkeypatch)
    assert len(model.predict(data.astronaut(), refine=False, min_score=0.35).people) == 1
    assert sizes == [((1, 3, 64, 64), (1, 96, 96))]


def test_given_iuvs_are_as_fine_as_in_training(root, whole_model, monkeypatch):
    model = load(whole_model, root)
    sizes = sizes_seen(model, monkeypatch)
    mask = np.zeros((300, 200), bool)
    mask[50:250, 60:140] = True
    given = Iuv(mask, np.float32(0.4) * np.stack([mask, mask], axis=-1).astype(np.float32))
    (person,) = model.predict(np.zeros((300, 200, 3), np.uint8), given, refine=False).people
    assert sizes == [((1, 3, 64, 64), (1, 32, 32))]
    assert person.crop.size == 64 and person.iuv.mask.shape == (32, 32)


def test_tables_can_ask_the_open_stage_1(run, root, whole_model, tmp_path, people):
    writers.write_ochuman(tmp_path / "ochuman", people)
    path = tmp_path / "table.json"
    chosen = ("--data", root, "--weights", whole_model, "--ochuman", tmp_path / "ochuman")
    code, _, err = run("eval", "TABLE1", *chosen, "--iuv", "predicted", "--json", path)
    assert code == 0, err
    stored = json.loads(path.read_text())
    assert stored["results"]["OCHuman"]["num"] > 0


def test_the_open_stage_1_on_its_own_map_is_itself(open_body, open_atlas):
    table = open_stage1_on(open_body, open_atlas).table
    col, row = open_atlas.uv_to_texel(table.uv, 128)
    assert (open_atlas.texels(128).face[row, col] >= 0).all()


def test_refusals(root, whole_model, tmp_path):
    with pytest.raises(ValueError, match=r"made for body .* want the folder of their body"):
        load(whole_model)
    with pytest.raises(ValueError, match="data: weights 'open' are of the open body"):
        load("open", root)
    body = Bodies.load(root).neutral
    atlas = load_surface_map(root, body)
    model = new_stage2("dimr", TinyEncoder(), body, atlas, SIZE)
    for change in ({"head": {}}, {"head": {"colour": 1}}, {"head": None}, {"crop_size": None}):
        about = {"encoder": "tiny", "variant": "dimr", "crop_size": 64, "data": {}, **change}
        save_model(tmp_path / "odd", model, SIZE, body, atlas, about)
        with pytest.raises(ValueError, match=MODEL_FILE):
            load_model(tmp_path / "odd", body, atlas)

"""The recipe `paper` on miniature data sets, in one process and in two."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TinyEncoder

from data.real import writers
from dimr.body.rotation import rotmat_to_rot6d
from dimr.data.real.mixture import Augmentation
from dimr.network.dimr import HeadSize
from dimr.train.cards import about_checkpoint
from dimr.train.checkpoint import load_checkpoint, load_weights
from dimr.train.loop import LAST, train
from dimr.train.paper import INPAINT, PLAIN, PaperSettings, PaperTask, start_from_mean, train_paper
from dimr.train.recipes import RECIPES
from dimr.train.run import Run, surface_of
from dimr.train.weights import MODEL_FILE, load_model

SETTINGS = PaperSettings(
    batch_size=2,
    crop_size=64,
    size=HeadSize(
        atlas=16, features=8, blocks=((8, 2),), norm_groups=4, hidden=16, standardise=False
    ),
    validate_every=100,
)


def write_root(root, people, open_body, open_atlas):
    writers.write_body_files(root / "body", open_body, open_atlas)
    writers.write_spin(root / "h36m/h36m_mosh_train.npz", people, gender=None)
    for name, write in (("muco", writers.write_muco), ("coco", writers.write_eft)):
        (root / name).mkdir()
        write(root / name, people)
    writers.write_voc(root / "voc/VOC2012")
    from dimr.encoder.hrnet import POSE_LACKS, HrnetEncoder

    torch.manual_seed(0)
    state = HrnetEncoder().backbone.state_dict()
    # untrained norms let features grow with depth: shrink them to what training would give
    state = {name: value * 0.5 if value.ndim == 1 else value for name, value in state.items()}
    (root / "encoder").mkdir()
    pose = {name: value for name, value in state.items() if not name.startswith(POSE_LACKS)}
    torch.save(pose, root / "encoder/pose_hrnet_w32_256x192.pth")


@pytest.fixture(scope="module")
def root(tmp_path_factory, people, open_body, open_atlas):
    pytest.importorskip("timm")
    folder = tmp_path_factory.mktemp("root")
    write_root(folder, people, open_body, open_atlas)
    return folder


def run_of(root, folder, **changes):
    return Run(folder=folder, data=root, validation=2, steps=2, **changes)


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = run_of(root, folder)
    train_paper(run, *surface_of(run), SETTINGS)
    return folder


def test_the_papers_numbers():
    settings = PaperSettings()
    assert (settings.plain_steps, settings.inpaint_steps) == (50_000, 15_000)
    assert (settings.batch_size, settings.learning_rate) == (128, 2.5e-4)
    losses = settings.losses
    assert (losses.smpl, losses.joints_3d, losses.joints_2d, losses.similarity) == (1, 5, 5, 1)
    assert settings.shares == {"h36m": 0.2, "muco": 0.3, "eft": 0.5}
    assert settings.crop_size == 256


def test_two_steps_of_each_stage_give_a_loadable_model(trained, root):
    assert [load_checkpoint(trained / name / LAST)["step"] for name in (PLAIN, INPAINT)] == [2, 2]
    body, atlas = surface_of(run_of(root, trained))
    model, card = load_model(trained / "weights", body, atlas)
    last = load_checkpoint(trained / INPAINT / LAST)["model"]
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, last[name], atol=1e-3, rtol=1e-3)
    assert card["recipe"] == "paper" and card["crop_size"] == 64 and card["encoder"] == "hrnet_w32"
    terms = {
        name: json.loads((trained / name / "log.jsonl").read_text())["train"]
        for name in (PLAIN, INPAINT)
    }
    assert terms[PLAIN]["similarity"] == 0 < terms[INPAINT]["similarity"]
    # Adam, constant: both groups at the paper's rate, without decay
    optimizer = load_checkpoint(trained / INPAINT / LAST)["optimizer"]
    assert [g["lr"] for g in optimizer["param_groups"]] == [2.5e-4, 2.5e-4]
    assert all(g["weight_decay"] == 0 for g in optimizer["param_groups"])


def test_inpaint_goes_on_from_plain(trained):
    before, after = (load_checkpoint(trained / name / LAST)["model"] for name in (PLAIN, INPAINT))
    name = "encoder.backbone.conv1.weight"
    moved = (before[name] - after[name]).abs().max()
    assert 0 < moved < 0.01  # two steps of Adam at 2.5e-4


def train_tiny(root, folder, settings=SETTINGS, **limits):
    """Both stages with the tiny encoder, on one data set, whose records are all fully labelled."""
    from dimr.train import paper

    paper.HrnetEncoder = TinyEncoder
    run = run_of(root, folder, batch_size=4, **limits)
    return train_paper(run, *surface_of(run), replace(settings, shares={"muco": 1.0}))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("dimr.train.paper.HrnetEncoder", TinyEncoder)


@pytest.mark.usefixtures("tiny")
def test_two_processes_are_one(root, tmp_path):
    """Each takes half of every batch; averaged gradients make the same model."""
    train_tiny(root, tmp_path / "one")
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nimport torch\ntorch.set_num_threads(1)\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[1])!r}]\n"
        "from dimr.train.processes import start_processes\n"
        "from test_paper import train_tiny\n"
        "start_processes('cpu')\n"
        f"train_tiny(Path({str(root)!r}), Path({str(tmp_path / 'two')!r}))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in (PLAIN, INPAINT):
        one, two = (load_checkpoint(tmp_path / each / name / LAST) for each in ("one", "two"))
        moments = [each["optimizer"]["state"] for each in (one, two)]
        for key, state in moments[0].items():
            # gradients, not weights: Adam's first steps are signs, which rounding turns over
            ours, theirs = state["exp_avg"], moments[1][key]["exp_avg"]
            assert (ours - theirs).norm() <= 2e-3 * ours.norm() + 1e-7, (name, key)
        assert one["step"] == two["step"] == 2
    assert len((tmp_path / "two" / PLAIN / "log.jsonl").read_text().splitlines()) == 1


@pytest.mark.usefixtures("tiny")
def test_the_card_tells_of_both_stages_and_of_what_is_written(root, tmp_path, monkeypatch):
    scores = []

    def gets_worse(task, model):
        scores.append(float(len(scores)))
        return {"score": scores[-1]}

    monkeypatch.setattr(PaperTask, "validate", gets_worse)
    best = train_tiny(root, tmp_path, replace(SETTINGS, validate_every=1))
    _, card = load_weights(tmp_path / "weights" / MODEL_FILE)
    assert best == card["validation"] == {"score": scores[-1]}
    before = card["goes_on_from"]
    assert [each["samples"] for each in (before, card)] == [8, 8]
    assert before["recipe"] == "paper, plain" and before["settings"]["steps"] == 2
    assert "validation" not in before
    assert card["machine"].endswith(", CPU")
    saved = load_checkpoint(tmp_path / INPAINT / LAST)
    assert about_checkpoint(saved, "cuda:1")["machine"].endswith(", CUDA")


@pytest.mark.usefixtures("tiny")
def test_the_same_command_goes_on_after_each_timed_stop(root, tmp_path):
    settings = replace(SETTINGS, size=replace(SETTINGS.size, dropout=0.5))  # which draws
    train_tiny(root, tmp_path / "whole", settings)
    stopped = tmp_path / "stopped"
    for begun in ([PLAIN], [PLAIN, INPAINT], [PLAIN, INPAINT]):
        train_tiny(root, stopped, settings, max_minutes=1e-9)
        assert [name for name in (PLAIN, INPAINT) if (stopped / name).is_dir()] == begun
        assert (stopped / "weights").is_dir() == (INPAINT in begun)
    one, two = (load_checkpoint(each / INPAINT / LAST) for each in (tmp_path / "whole", stopped))
    assert one["step"] == two["step"] == 2
    for name, value in one["model"].items():
        assert torch.equal(value, two["model"][name]), name


@pytest.mark.usefixtures("tiny")
def test_both_stages_share_the_minutes(root, tmp_path, monkeypatch):
    given = []

    def record(task, loop, folder, max_minutes, *others):
        given.append(max_minutes)
        return train(task, loop, folder, max_minutes, *others)

    monkeypatch.setattr("dimr.train.paper.train", record)
    train_tiny(root, tmp_path, max_minutes=60.0)
    assert given[0] == 60.0 and 58 < given[1] < 60


@pytest.mark.parametrize("written", [True, False])
def test_the_command_says_where_weights_are_only_if_there_are_some(
    written, run, tmp_path, monkeypatch
):
    def recipe(about, body, atlas):
        if written:
            (about.folder / "weights").mkdir(parents=True)
        return {"score": 1.5}

    monkeypatch.setitem(RECIPES, "paper", recipe)
    code, printed, _ = run("train", "paper", "-o", tmp_path / "out")
    assert code == 0 and "1.5" in printed
    assert ("weights in" in printed) == written


def test_occluded_branch_learns_from_the_clean_one(root, tmp_path, open_body):
    """L_sim is in the loss of the second stage and its gradient skips the clean branch."""
    from dimr.data.real.labels import record_iuv
    from dimr.data.real.layout import open_dataset
    from dimr.data.real.mixture import RealSamples

    body, atlas = surface_of(run_of(root, tmp_path))
    records = open_dataset("muco", root / "muco")

    def iuv_of(record, crop, size):
        return record_iuv(record, body, atlas, crop, size)

    objects = [np.full((40, 40, 4), 255, np.uint8)]
    data = RealSamples([(records, 1.0)], body, iuv_of, 64, Augmentation.still(), objects)
    from dimr.train.weights import new_stage2

    torch.manual_seed(0)
    size = replace(SETTINGS.size, zero_start=False)
    model = new_stage2("dimr", TinyEncoder(), body, atlas, size)
    task = PaperTask(model, body, data, data, SETTINGS)
    batch = {name: torch.as_tensor(np.stack([data[0][name], data[1][name]])) for name in data[0]}
    with_twin = task.loss(batch, 0)
    assert with_twin.terms["similarity"] > 0
    same = {**batch, "occluded_image": batch["image"], "occluded_mask": batch["mask"]}
    assert task.loss(same, 0).terms["similarity"] < 1e-5
    plain = {k: v for k, v in batch.items() if not k.startswith("occluded")}
    assert task.loss(plain, 0).terms["similarity"] == 0


def test_missing_files_are_named(root, tmp_path):
    run = run_of(None, tmp_path)
    with pytest.raises(ValueError, match="--data ROOT"):
        train_paper(run, *surface_of(run_of(root, tmp_path)))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"SMPL_NEUTRAL\.pkl is missing"):
        surface_of(run_of(empty, tmp_path))
    with pytest.raises(ValueError, match=r"pose_hrnet_w32_256x192\.pth is missing"):
        train_paper(run_of(empty, tmp_path), *surface_of(run_of(root, tmp_path)))


def test_an_asymmetric_map_is_never_flipped(root, tmp_path, monkeypatch):
    import dimr.train.paper as paper

    seen = []
    monkeypatch.setattr(paper, "new_model", lambda r, b, a, settings: seen.append(settings))
    monkeypatch.setattr(paper, "_stage", lambda *_: (None, {"score": 0.0}))
    body, atlas = surface_of(run_of(root, tmp_path))
    lopsided = replace(atlas, uv_vertices=atlas.uv_vertices * np.float32([0.5, 1]))
    with pytest.raises(FileNotFoundError):
        train_paper(run_of(root, tmp_path), body, lopsided)
    assert seen[0].augmentation.flip == 0


def test_mean_pose_starts_the_regressor(tmp_path):
    from dimr.network.regress import IterativeRegressor

    regress = IterativeRegressor(4, 8)
    pose = rotmat_to_rot6d(torch.eye(3).repeat(24, 1, 1)).flatten().numpy()
    path = tmp_path / "mean.npz"
    np.savez(path, pose=pose, shape=np.full(10, 0.5), cam=np.array([0.9, 0.1, -0.2]))
    start_from_mean(regress, path)
    expected = [*pose, *[0.5] * 10, 0.9, 0.09, -0.18]
    np.testing.assert_allclose(regress.initial_state.numpy(), expected, atol=1e-6)
    np.savez(path, pose=pose[:5], shape=np.zeros(10), cam=np.ones(3))
    with pytest.raises(ValueError, match="got 18 numbers, want 157"):
        start_from_mean(regress, path)

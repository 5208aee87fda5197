import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.synthetic import sample_errors
from dimr.train import study as studies
from dimr.train.checkpoint import load_weights
from dimr.train.loop import LOG
from dimr.train.recipes import train_stage2, train_stage2_geometry
from dimr.train.run import Run, surface_of
from dimr.train.seen import MANIFEST, SeenSamples
from dimr.train.study import KINDS, ROWS, TABLES, Budget, Study
from dimr.train.weights import STAGE2_FILE, load_stages, weights_folder

BUDGET = Budget(samples=4, twins=2, validation=2, per_subset=1, steps=2, steps_on=1, batch_size=2)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    run = Run(folder=tmp_path_factory.mktemp("study"), stage1=weights_folder("open"))
    found = Study(run, *surface_of(run), BUDGET, ["clean", "person"])
    found.see()
    return found


def test_tables_name_rows():
    assert {name for names in TABLES.values() for name in names} == set(ROWS)


@pytest.mark.parametrize("name", ["hmr", "shuffled_uv", "no_uv_feature", "inpainting"])
def test_a_row_is_trained_and_measured_once(study, name, monkeypatch):
    errors = study.errors(name, 0)
    assert errors.keys() == set(KINDS)
    for each in errors.values():
        assert all(len(values) == 2 and (values > 0).all() for values in each)
    monkeypatch.setattr(studies, "train", lambda *_: pytest.fail("trained already"))
    again = study.errors(name, 0)
    assert np.array_equal(again["gt"].mpjpe_mm, errors["gt"].mpjpe_mm)


def test_heads_are_measured_as_everything_else_is(study):
    """What is kept on disk (16-bit maps, halved pictures) gives `dimr eval SYNTHOCC`'s errors."""
    errors = study.errors("dimr", 0)
    stage1, stage2 = load_stages(study._run_folder("dimr", 0) / "weights", study.body, study.atlas)
    sample = SynthOcc(study.body, study.atlas, "test").crop("person", 0)
    for kind, wanted in sample_errors(sample, stage1, stage2, study.body).items():
        assert errors[kind].mpjpe_mm[1] == pytest.approx(wanted.mpjpe_mm, rel=0.01)
        assert errors[kind].pve_mm[1] == pytest.approx(wanted.pve_mm, rel=0.01)


def test_every_head_of_a_seed_gets_the_same_samples(study, monkeypatch):
    asked, get = [], SeenSamples.__getitem__

    def record(samples, index):
        if samples.endless:  # those to train on
            asked.append(index)
        return get(samples, index)

    monkeypatch.setattr(SeenSamples, "__getitem__", record)
    for name in ("dimr", "hmr"):
        study._head(name, seed=1)
    count = BUDGET.steps * BUDGET.batch_size
    assert asked == 2 * list(range(count))


def test_rows_of_table_5_differ_in_the_similarity_alone():
    assert replace(ROWS["occlusion"], similarity=1.0) == ROWS["inpainting"]


def test_another_budget_needs_another_folder(study):
    other = Study(study.run, study.body, study.atlas, replace(BUDGET, steps=3), study.subsets)
    with pytest.raises(ValueError, match=r"holds a study with budget .* want .*'steps': 3"):
        other.see()


def write_pictures(folder, names):
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (8, 8)).save(folder / split / name)
    return folder


def test_other_pictures_need_another_folder(study, tmp_path):
    def see(pictures):
        run = replace(study.run, folder=tmp_path / "study", backgrounds=pictures)
        return Study(run, study.body, study.atlas, BUDGET, study.subsets)._claim_folder()

    one, same, other = (
        write_pictures(tmp_path / name, [f"{picture}.png" for picture in pictures])
        for name, pictures in (("one", "ab"), ("same", "ab"), ("other", "ac"))
    )
    see(one)
    see(same)
    for pictures in (other, None):
        with pytest.raises(ValueError, match="holds a study with backgrounds"):
            see(pictures)
    older = tmp_path / "study" / studies.STUDY_FILE
    about = json.loads(older.read_text())
    older.write_text(json.dumps({name: about[name] for name in ("budget", "subsets")}))
    see(other)  # which says nothing of pictures
    with pytest.raises(ValueError, match="holds a study with backgrounds"):
        see(one)


def test_stage_2_learns_from_what_was_seen(study, tmp_path):
    run = Run(
        folder=tmp_path / "stage2",
        stage1=weights_folder("open"),
        geometry=weights_folder("open"),
        seen=study.run.folder / "seen",
        steps=1,
    )
    train_stage2(run, study.body, study.atlas)
    assert (run.folder / "weights").is_dir()
    (line,) = (run.folder / LOG).read_text().splitlines()
    assert {"total", "alone_total"} <= set(json.loads(line)["train"])  # IUVs alone beside them
    manifest = json.loads((run.seen / "train" / MANIFEST).read_text())
    manifest["about"]["stage1"] = "another"
    other = tmp_path / "seen"
    shutil.copytree(run.seen, other)
    (other / "train" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="another stage 1"):
        train_stage2(replace(run, folder=tmp_path / "other", seen=other), study.body, study.atlas)


def test_iuvs_alone_borrow_errors_of_landmarks(study, tmp_path):
    seen = study.run.folder / "seen"
    run = Run(folder=tmp_path / "run", seen=seen, steps=1, validation=2)
    train_stage2_geometry(run, study.body, study.atlas)
    _, card = load_weights(run.folder / "weights" / STAGE2_FILE)
    count = len(np.load(seen / "train" / "pose.npy"))
    assert f"from {count} drawn" in card["landmarks"]


def test_a_blend_lies_between_what_was_and_what_was_learnt(study, tmp_path):
    shipped = weights_folder("open")
    run = Run(
        folder=tmp_path / "whole",
        stage1=shipped,
        geometry=shipped,
        seen=study.run.folder / "seen",
        steps=1,
    )
    train_stage2(run, study.body, study.atlas)
    train_stage2(replace(run, folder=tmp_path / "half", blend=0.5), study.body, study.atlas)
    name = "regress.hidden.weight"
    before, whole, half = (
        load_weights(folder / STAGE2_FILE)[0][name].float()
        for folder in (shipped, tmp_path / "whole" / "weights", tmp_path / "half" / "weights")
    )
    assert (whole - before).abs().max() > 0
    torch.testing.assert_close(half, (before + whole) / 2, atol=1e-3, rtol=0)
    assert load_weights(tmp_path / "half" / "weights" / STAGE2_FILE)[1]["blend"] == 0.5


def test_a_study_needs_stage_1(tmp_path):
    run = Run(folder=tmp_path)
    with pytest.raises(ValueError, match="stage 1"):
        Study(run, *surface_of(run), BUDGET, ["clean"])

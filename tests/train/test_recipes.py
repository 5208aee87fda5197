import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from dimr.body.model import BodyModel
from dimr.correspondence.outlines import OutlineNet
from dimr.encoder.blazepose import BlazePoseEncoder
from dimr.network.dimr import HeadSize
from dimr.predict import load
from dimr.surface.atlas import load_atlas
from dimr.train.checkpoint import load_weights, save_weights
from dimr.train.loop import LOG
from dimr.train.recipes import (
    train_stage1,
    train_stage1_decoder,
    train_stage2,
    train_stage2_geometry,
    train_stage2_inpainting,
)
from dimr.train.run import Run
from dimr.train.seen import stage1_hash
from dimr.train.weights import (
    ENCODER_FILE,
    OUTLINES_FILE,
    STAGE1_FILE,
    STAGE2_FILE,
    hear_surface,
    keep_encoder,
    load_stages,
    new_stage2,
    save_outlines,
    save_stage2,
    stage1_files,
)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(None)


@pytest.fixture(scope="module")
def atlas():
    return load_atlas(None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, body, atlas):
    """A folder of weights after one update of each recipe."""
    root = tmp_path_factory.mktemp("runs")
    short = {"steps": 1, "validation": 2}
    train_stage1(Run(folder=root / "stage1", **short), body, atlas)
    train_stage2_geometry(Run(folder=root / "geometry", **short), body, atlas)
    run = Run(
        folder=root / "stage2",
        stage1=root / "stage1" / "weights",
        geometry=root / "geometry" / "weights",
        **short,
    )
    train_stage2(run, body, atlas)
    folder = run.folder / "weights"
    (root / "stage1" / "weights" / STAGE1_FILE).rename(folder / STAGE1_FILE)
    return folder


def test_one_step_of_each_recipe_gives_loadable_weights(trained, body, atlas):
    stage1, stage2 = load_stages(trained, body, atlas)
    assert stage2.encoder is stage1.network.encoder
    model = load(trained)
    assert isinstance(model.predict(np.zeros((64, 80, 3), np.uint8)).people, list)


def test_cards_say_what_went_in(trained, body, atlas):
    for name in (STAGE1_FILE, STAGE2_FILE):
        _, card = load_weights(trained / name)
        assert card["body"] == body.content_hash and card["atlas"] == atlas.content_hash
        assert card["licence"] == "Apache-2.0" and card["data"] and card["samples"] > 0
    lines = (trained.parent / LOG).read_text().splitlines()
    assert card["goes_on_from"]["recipe"] == "stage2_geometry"
    assert card["goes_on_from"]["samples"] == 64  # of the one step it took, not the recipe's own
    assert {"mpjpe_mm", "pa_mpjpe_mm", "score"} == json.loads(lines[-1])["validation"].keys()


def test_weights_of_another_body_are_refused(trained, body, atlas, tmp_path):
    for name in (STAGE1_FILE, STAGE2_FILE):
        state, card = load_weights(trained / name)
        save_weights(tmp_path / name, state, card | {"body": "another"})
    with pytest.raises(ValueError, match="made for body 'another'"):
        load_stages(tmp_path, body, atlas)


def test_a_head_of_another_encoder_is_refused(trained, body, atlas, tmp_path):
    state, card = load_weights(trained / STAGE1_FILE)
    changed = {name: value + 0.5 for name, value in state.items()}
    save_weights(tmp_path / STAGE1_FILE, changed, card)
    save_weights(tmp_path / STAGE2_FILE, *load_weights(trained / STAGE2_FILE))
    with pytest.raises(ValueError, match="made for encoder_hash"):
        load_stages(tmp_path, body, atlas)


def test_a_decoder_that_goes_on_leaves_the_shared_encoder_alone(trained, body, atlas, tmp_path):
    run = Run(folder=tmp_path, stage1=trained, steps=1, validation=2)
    train_stage1_decoder(run, body, atlas)
    before, _ = load_weights(trained / STAGE1_FILE)
    after, card = load_weights(tmp_path / "weights" / STAGE1_FILE)
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed and not any(name.startswith("encoder.") for name in changed)
    assert card["recipe"] == "stage1_decoder"


def test_who_outlines_people_goes_along(trained, body, atlas, tmp_path):
    """Also with an encoder of stage 1 that learns: it has an encoder of its own."""
    shutil.copy(trained / STAGE1_FILE, tmp_path)
    save_outlines(tmp_path, OutlineNet(), {"recipe": "outlines"})
    known, _ = load_weights(tmp_path / OUTLINES_FILE)
    for recipe in (train_stage1_decoder, train_stage1):
        run = Run(folder=tmp_path / recipe.__name__, stage1=tmp_path, steps=1, validation=2)
        recipe(run, body, atlas)
        kept, card = load_weights(run.folder / "weights" / OUTLINES_FILE)
        assert card["recipe"] == "outlines" and kept.keys() == known.keys()
        assert all(kept[name].equal(known[name]) for name in known)


def test_a_head_fits_though_stage_1_has_learnt_on(trained, body, atlas, tmp_path):
    """What it sees pictures with is kept beside the new stage 1, also a second time."""
    source = trained
    for number in range(2):
        run = Run(folder=tmp_path / str(number), stage1=source, steps=1, validation=2)
        (train_stage1_decoder if number else train_stage1)(run, body, atlas)
        source = run.folder / "weights"
        shutil.copy(trained / STAGE2_FILE, source)
        assert [path.name for path in stage1_files(source)] == [STAGE1_FILE, ENCODER_FILE]
    before, _ = load_stages(trained, body, atlas)
    stage1, stage2 = load_stages(source, body, atlas)
    kept, learnt = stage2.encoder.state_dict(), stage1.network.encoder.state_dict()
    known = before.network.encoder.state_dict()
    assert all(kept[name].equal(known[name]) for name in known)
    assert not all(kept[name].equal(learnt[name]) for name in known)
    image, marker = torch.rand(1, 3, 192, 192), torch.rand(1, 2, 96, 96)
    with torch.no_grad():
        features = stage1.features((image, marker))
        for found, wanted in zip(features.maps, stage2.encoder(image), strict=True):
            assert torch.equal(found, wanted)
        assert not torch.equal(features.maps[-1], features.pyramid.maps[-1])
    assert stage1_hash(stage1) != stage1_hash(before)


def test_an_encoder_of_another_body_is_refused(trained, body, atlas, tmp_path):
    for name in (STAGE1_FILE, STAGE2_FILE):
        shutil.copy(trained / name, tmp_path)
    keep_encoder(trained, tmp_path, body, atlas)
    state, card = load_weights(tmp_path / ENCODER_FILE)
    save_weights(tmp_path / ENCODER_FILE, state, card | {"body": "another"})
    with pytest.raises(ValueError, match=r"encoder\.safetensors was made for body 'another'"):
        load_stages(tmp_path, body, atlas)


def test_a_head_goes_on_from_another_without_its_features(trained, body, atlas, tmp_path):
    run = Run(folder=tmp_path, geometry=trained, steps=1, validation=2)
    train_stage2_geometry(run, body, atlas)
    after, card = load_weights(tmp_path / "weights" / STAGE2_FILE)
    assert card["recipe"] == "stage2_geometry"
    assert card["goes_on_from"]["recipe"] == "stage2"
    assert card["goes_on_from"]["goes_on_from"]["recipe"] == "stage2_geometry"
    assert not after["fuse.feature_gain.weight"].any()
    before, _ = load_weights(trained / STAGE2_FILE)
    gap = (after["regress.hidden.weight"] - before["regress.hidden.weight"]).abs().max()
    assert 0 < gap < 0.1


def test_parallel_inpainting_goes_on_from_stage2(trained, body, atlas, tmp_path):
    run = Run(folder=tmp_path, stage1=trained, geometry=trained, steps=1, validation=2)
    train_stage2_inpainting(run, body, atlas)
    _, card = load_weights(tmp_path / "weights" / STAGE2_FILE)
    assert card["recipe"] == "stage2_inpainting" and card["goes_on_from"]["recipe"] == "stage2"
    line = json.loads((tmp_path / LOG).read_text().splitlines()[-1])
    assert line["train"]["similarity"] > 0


def test_a_head_that_knows_another_stage_1_is_refused(trained, body, atlas, tmp_path):
    state, card = load_weights(trained / STAGE2_FILE)
    save_weights(tmp_path / STAGE2_FILE, state, {**card, "encoder_hash": "other"})
    run = Run(folder=tmp_path / "run", stage1=trained, geometry=tmp_path)
    with pytest.raises(ValueError, match="another stage 1"):
        train_stage2(run, body, atlas)


@pytest.mark.parametrize("train", [train_stage2_geometry, train_stage2])
def test_a_head_of_another_variant_is_refused(train, trained, body, atlas, tmp_path):
    """What goes on is written as `dimr`."""
    size = HeadSize(hidden=32)
    model = new_stage2("no_attention", BlazePoseEncoder(), body, atlas, size)
    about = {"variant": "no_attention", "recipe": "stage2_geometry"}
    save_stage2(tmp_path / "head", model, size, body, atlas, about)
    short = {"steps": 1, "validation": 2, "folder": tmp_path / "run"}
    run = Run(stage1=trained, geometry=tmp_path / "head", **short)
    with pytest.raises(ValueError, match="made for variant 'no_attention'"):
        train(run, body, atlas)


def test_stage2_asks_for_what_it_goes_on_from(body, atlas, tmp_path):
    with pytest.raises(ValueError, match="--stage1, --geometry"):
        train_stage2(Run(folder=tmp_path), body, atlas)


def test_unknown_weights_are_refused(body, atlas):
    with pytest.raises(ValueError, match=r"neither a shipped set \(open, research\) nor a folder"):
        load_stages("nonsense", body, atlas)


def test_a_head_from_before_hears_its_surface_and_says_the_same_at_first(body, atlas):
    size = HeadSize(hidden=32, surface=False)
    old = new_stage2("dimr", BlazePoseEncoder(), body, atlas, size).eval()
    grown, larger = hear_surface(old, size, body, atlas)
    assert larger == replace(size, surface=True) and grown.regress.surface_gap is not None
    assert hear_surface(grown, larger, body, atlas)[0] is grown
    mask, uv = torch.rand(2, 96, 96) > 0.7, torch.rand(2, 96, 96, 2)
    with torch.no_grad():
        before, after = (each.eval().regress_from(None, mask, uv) for each in (old, grown))
    torch.testing.assert_close(before.rotmats, after.rotmats)
    torch.nn.init.normal_(grown.regress.surface_gap.enter.weight)
    torch.nn.init.normal_(grown.regress.decode_camera.weight)
    with torch.no_grad():
        assert not torch.equal(grown.regress_from(None, mask, uv).camera, before.camera)

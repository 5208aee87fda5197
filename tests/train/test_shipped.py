import pytest

import dimr
from dimr.train.checkpoint import load_weights
from dimr.train.weights import (
    ENCODER_FILE,
    LANDMARKS_FILE,
    OUTLINES_FILE,
    STAGE1_FILE,
    STAGE2_FILE,
    weights_folder,
)

LARGEST_BYTES = 12_000_000


@pytest.mark.parametrize("name", ["open", "research"])
def test_both_sets_load_and_are_small(name):
    regress = dimr.load(name).stage2.regress
    assert regress.landmark_gap is not None and regress.surface_gap is not None
    for file in (STAGE1_FILE, LANDMARKS_FILE, OUTLINES_FILE, STAGE2_FILE, ENCODER_FILE):
        assert (weights_folder(name) / file).stat().st_size <= LARGEST_BYTES


@pytest.mark.parametrize("file", [STAGE1_FILE, LANDMARKS_FILE, STAGE2_FILE])
def test_cards_say_what_went_in_and_what_for(file):
    for name, photographs, licence in (
        ("open", False, "Apache-2.0"),
        ("research", True, "research only"),
    ):
        _, card = load_weights(weights_folder(name) / file)
        assert card["licence"].startswith(licence)
        last = "street photographs" if file == STAGE1_FILE else "LSP-Extended"
        assert (last in card["data"]) == photographs
        while "goes_on_from" in card:  # no part of the open set went on from a photo recipe
            card = card["goes_on_from"]
            assert photographs or "photos" not in card["recipe"]


@pytest.mark.parametrize("name", ["open", "research"])
def test_what_stage_2_sees_with_knows_drawn_people_alone(name):
    _, card = load_weights(weights_folder(name) / ENCODER_FILE)
    assert card["licence"] == "Apache-2.0" and card["recipe"].startswith("stage1")
    assert "street" not in card["data"] and "LSP" not in card["data"]


@pytest.mark.parametrize("name", ["open", "research"])
def test_people_are_told_apart_by_what_learnt_from_drawn_people_alone(name):
    _, card = load_weights(weights_folder(name) / OUTLINES_FILE)
    assert card["licence"] == "Apache-2.0" and card["samples"] > 0
    assert dimr.load(name).stage1.outliner is not None


def test_a_folder_of_the_same_name_does_not_come_in_between(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    monkeypatch.chdir(tmp_path)
    assert weights_folder("open").is_absolute()
    assert weights_folder("./open") != weights_folder("open")
    with pytest.raises(ValueError, match="open, research"):
        weights_folder("opened")

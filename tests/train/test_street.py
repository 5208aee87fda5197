from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from dimr.correspondence.network import CorrespondenceMaps
from dimr.train.recipes import train_stage1_photos
from dimr.train.run import Run, surface_of
from dimr.train.stage1 import CYCLE, Stage1Weights, stage1_loss
from dimr.train.street import SIZE, StreetSamples, WithStreet


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


@pytest.fixture
def street(tmp_path):
    """Three photographs of a bright figure on grey; 0021 is for validation."""
    for folder in ("images", "mask"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((128, 60), np.uint8)
    mask[10:120, 20:40] = 255
    picture = np.where(mask[..., None] > 0, 250, 100).repeat(3, 2).astype(np.uint8)
    for number in ("0002", "0003", "0021"):
        cv2.imwrite(str(tmp_path / "images" / f"{number}.jpg"), picture)
        cv2.imwrite(str(tmp_path / "mask" / f"{number}.png"), mask)
    return tmp_path


def test_validation_photographs_do_not_take_part(street):
    assert StreetSamples(street, []).numbers == ["0002", "0003"]


def test_the_outline_is_that_of_the_framed_person(street):
    samples = StreetSamples(street, [])
    for index in range(8):
        sample = samples[index]
        assert sample["image"].shape == (SIZE, SIZE, 3)
        bright = sample["image"][::2, ::2, 0] > 175
        visible = sample["visible"]
        assert visible.mean() > 0.02
        assert (bright & visible).sum() > 0.85 * (bright | visible).sum()


def test_a_sample_depends_on_its_number_alone(street):
    first, again = StreetSamples(street, []), StreetSamples(street, [])
    assert np.array_equal(first[5]["image"], again[5]["image"])
    assert not np.array_equal(first[5]["image"], first[6]["image"])
    assert not np.array_equal(first[5]["image"], StreetSamples(street, [], 1)[5]["image"])


def test_what_is_pasted_is_not_visible(street):
    block = np.full((90, 90, 4), 255, np.uint8)
    block[..., :3] = (255, 0, 0)
    samples = StreetSamples(street, [block])
    hidden = 0
    for index in range(24):
        sample = samples[index]
        red = (sample["image"][::2, ::2].astype(int) - [255, 0, 0]).__abs__().sum(-1) < 40
        assert (red & sample["visible"]).mean() < 0.01
        hidden += bool(red.any())
    assert 3 < hidden < 20


def test_whoever_is_to_be_found_has_a_centre_and_votes_and_no_mark(street):
    samples = StreetSamples(street, [])
    found = [samples[index] for index in range(40)]
    scenes = [sample for sample in found if sample["is_scene"]]
    assert 3 < len(scenes) < 20
    for sample in scenes:
        assert not sample["marker"].any()
        assert sample["centre"].max() == 1
        assert (sample["coarse_id"] == 0).any()
        row, col = np.unravel_index(sample["centre"].argmax(), sample["centre"].shape)
        there = sample["coarse_id"] == 0
        y, x = np.nonzero(there)
        votes = np.stack([x, y]) + sample["offset"][:, there] * len(there)
        assert np.abs(votes - np.array([[col], [row]])).max() < 1.5
    for sample in (each for each in found if not each["is_scene"]):
        assert sample["marker"].any() and (sample["coarse_id"] < 0).all()


def test_photographs_teach_the_outline_alone(street):
    sample = StreetSamples(street, [])[0]
    batch = {name: torch.as_tensor(np.asarray(value))[None] for name, value in sample.items()}
    side = len(sample["visible"])
    maps = CorrespondenceMaps(
        *(
            torch.zeros(1, *shape, requires_grad=True)
            for shape in (
                (side, side),
                (24, side, side),
                (72, side, side),
                (side // 2, side // 2),
                (2, side // 2, side // 2),
            )
        )
    )
    loss = stage1_loss(maps, batch, Stage1Weights())
    assert loss.terms["person"] > 0 and loss.terms["part"] == loss.terms["position"] == 0
    loss.total.backward()
    assert maps.person.grad.any() and not maps.part.grad.any() and not maps.position_m.grad.any()


def test_half_of_the_marked_samples_and_of_the_unmarked_crops_are_photographs():
    drawn, photos = ([{name: index} for index in range(CYCLE)] for name in ("drawn", "photo"))
    mixed = WithStreet(Rows(drawn), Rows(photos))
    chosen = [mixed[index] for index in range(CYCLE)]
    assert [list(each) == ["photo"] for each in chosen] == [0, 1, 1, 0, 0, 0, 1, 0]
    assert [list(each.values()) for each in chosen] == [[index] for index in range(CYCLE)]


def test_the_recipe_needs_photographs(tmp_path):
    run = Run(folder=tmp_path)
    with pytest.raises(ValueError, match="--street"):
        train_stage1_photos(run, *surface_of(run))

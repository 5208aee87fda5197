import json

import numpy as np
import pytest
from torch.utils.data import Dataset

from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.train import first_pass
from dimr.train.first_pass import see_found
from dimr.train.recipes import train_stage1
from dimr.train.run import Run
from dimr.train.weights import load_stage1, weights_folder


class Squares(Dataset):
    """Black pictures with one bright pixel per picture number."""

    def __init__(self):
        self.asked = []

    def __getitem__(self, number):
        self.asked.append(number)
        picture = np.zeros((16, 16, 3), np.uint8)
        picture[0, 0] = number
        return picture


@pytest.fixture(scope="module")
def stage1(open_body, open_atlas):
    return load_stage1(weights_folder("open"), open_body, open_atlas)


@pytest.fixture
def two_found(monkeypatch):
    """The surer one is above and covers the other's first row."""

    def find_people(_, picture):
        above, below = np.zeros((16, 16), bool), np.zeros((16, 16), bool)
        above[: 4 + 2 * picture[0, 0, 0]], below[4:] = True, True
        return [mask_to_detection(0.9, above), mask_to_detection(0.5, below)]

    monkeypatch.setattr(Stage1, "find_people", find_people)


def test_who_is_found_is_kept_at_stride_2_the_surer_one_in_front(tmp_path, stage1, two_found):
    found = see_found(tmp_path / "marks", stage1, Squares(), {"seed": 1}, count=3)
    assert found.people.shape == (3, 8, 8) and found.people.dtype == np.uint8
    assert [column.tolist() for column in found.people[:, :, 0]] == [
        [1] * ahead + [2] * (8 - ahead) for ahead in (2, 3, 4)
    ]


def test_what_was_found_is_not_looked_for_again(tmp_path, stage1, two_found, monkeypatch):
    monkeypatch.setattr(first_pass, "CHUNK", 2)
    first, again = Squares(), Squares()
    see_found(tmp_path, stage1, first, {"seed": 1}, count=3)
    manifest = json.loads((tmp_path / "seen.json").read_text())
    (tmp_path / "seen.json").write_text(json.dumps(manifest | {"done": 2}))
    see_found(tmp_path, stage1, again, {"seed": 1}, count=3)
    assert first.asked == [0, 1, 2] and again.asked == [2]


def test_marks_of_other_pictures_are_refused(tmp_path, stage1, two_found):
    see_found(tmp_path, stage1, Squares(), {"seed": 1}, count=1)
    with pytest.raises(ValueError, match="choose another folder"):
        see_found(tmp_path, stage1, Squares(), {"seed": 2}, count=1)


def test_marks_need_a_stage_1(tmp_path, open_body, open_atlas):
    run = Run(folder=tmp_path / "run", marks=tmp_path / "marks", steps=1, validation=1)
    with pytest.raises(ValueError, match="--marks needs the weights of stage 1"):
        train_stage1(run, open_body, open_atlas)


def test_stage_1_learns_from_marks_that_were_found(tmp_path, open_body, open_atlas, monkeypatch):
    monkeypatch.setattr("dimr.train.run.FOUND", 2)
    run = Run(
        folder=tmp_path / "run",
        stage1=weights_folder("open"),
        marks=tmp_path / "marks",
        steps=1,
        validation=1,
    )
    train_stage1(run, open_body, open_atlas)
    card = json.loads((tmp_path / "run" / "weights" / "stage1.json").read_text())
    assert card["marks"].startswith("half of them the first pass's")
    assert np.load(tmp_path / "marks" / "drawn" / "people.npy").shape == (2, 128, 128)

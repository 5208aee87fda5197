import json

import numpy as np
import pytest
import torch

from dimr.body.model import BodyModel
from dimr.surface.uv_table import UvTable
from dimr.train.seen import (
    MANIFEST,
    SeenSamples,
    borrowed_errors,
    halve_pictures,
    write_seen,
)

COUNT = 10


def rows_between(first, last):
    number = np.arange(first, last)
    mask = np.zeros((len(number), 4, 4), bool)
    mask[:, 1, 2] = True
    uv = np.repeat(0.25 * mask[..., None], 2, axis=-1).astype(np.float32)
    map0 = np.broadcast_to(number[:, None].astype(np.float32) / 8, (len(number), 3)).copy()
    return {"number": number, "map0": map0, "mask": mask, "uv": uv, "occluded_uv": uv}


def rows_from(first):
    for start in range(first, COUNT, 4):
        yield rows_between(start, min(start + 4, COUNT))


@pytest.fixture
def folder(tmp_path):
    write_seen(tmp_path / "seen", {"stage1": "a"}, COUNT, rows_from)
    return tmp_path / "seen"


def test_rows_come_back_as_they_were(folder):
    samples = SeenSamples(folder)
    assert len(samples) == COUNT
    for index in range(COUNT):
        wanted = {name: values[0] for name, values in rows_between(index, index + 1).items()}
        found = samples[index]
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            assert np.array_equal(found[name], value) and found[name].dtype == value.dtype


def test_maps_and_uv_take_half_the_room(folder):
    kinds = {path.stem: np.load(path).dtype for path in folder.glob("*.npy")}
    assert kinds["map0"] == kinds["uv"] == kinds["occluded_uv"] == np.float16
    assert kinds["mask"].kind == "b" and kinds["number"] == np.int64


def test_an_interrupted_writing_goes_on_where_it_stopped(tmp_path, folder):
    def breaks(first):
        yield from list(rows_from(first))[:1]
        raise KeyboardInterrupt

    started = []

    def goes_on(first):
        started.append(first)
        return rows_from(first)

    with pytest.raises(KeyboardInterrupt):
        write_seen(tmp_path / "again", {"stage1": "a"}, COUNT, breaks)
    with pytest.raises(ValueError, match="got 4 rows, want 10"):
        SeenSamples(tmp_path / "again")
    write_seen(tmp_path / "again", {"stage1": "a"}, COUNT, goes_on)
    assert started == [4]
    for path in folder.glob("*.npy"):
        assert np.array_equal(np.load(path), np.load(tmp_path / "again" / path.name))


def test_whole_folders_are_left_alone(folder):
    write_seen(folder, {"stage1": "a"}, COUNT, lambda first: pytest.fail("nothing is missing"))


@pytest.mark.parametrize(("about", "count"), [({"stage1": "b"}, COUNT), ({"stage1": "a"}, 11)])
def test_rows_of_something_else_are_not_overwritten(folder, about, count):
    before = (folder / MANIFEST).read_text()
    with pytest.raises(ValueError, match="choose another folder"):
        write_seen(folder, about, count, rows_from)
    assert (folder / MANIFEST).read_text() == before == json.dumps(json.loads(before))


def test_a_folder_without_rows_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no seen\.json"):
        SeenSamples(tmp_path)


def test_each_pass_shows_every_row_once_in_another_order(folder):
    samples = SeenSamples(folder, endless=True)
    passes = [
        [int(samples[turn * COUNT + place]["number"]) for place in range(COUNT)] for turn in (0, 1)
    ]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(COUNT))
    assert passes[0] != passes[1]
    assert int(samples[3]["number"]) == passes[0][3]  # whatever was asked before


def test_another_map_takes_every_uv_of_the_mask(folder):
    table = np.zeros((1, 5, 5, 2), np.float32)
    table[0, 1, 1] = 0.75, 0.5  # the node at u = v = 0.25
    samples = SeenSamples(folder, UvTable(table, "", ""), endless=False)
    # the twin's mask is its own
    samples.arrays["occluded_mask"] = np.zeros_like(samples.arrays["mask"])
    row = samples[0]
    assert row["uv"][1, 2].tolist() == [0.75, 0.5] and np.count_nonzero(row["uv"]) == 2
    assert not row["occluded_uv"].any()


def test_halved_pictures_are_means_of_four_pixels():
    picture = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    picture[0, :2, :2, 0] = torch.tensor([[10, 20], [30, 40]])
    halved = halve_pictures(picture)
    assert halved.shape == (1, 2, 2, 3)
    assert halved[0, 0, 0].tolist() == [25, 0, 0] and halved.sum() == 25


class TestBorrowing:
    BODY = BodyModel.load()

    @staticmethod
    def rows(visible):
        """Three drawn people in the middle of their crops."""
        pose = np.zeros((3, 39, 10), np.float32)
        pose[..., 3] = visible
        return {
            "pose": pose,
            "mask": np.ones((3, 8, 8), bool),
            "rotmats": np.tile(np.eye(3, dtype=np.float32), (3, 24, 1, 1)),
            "betas": np.zeros((3, 10), np.float32),
            "joints_norm": np.random.default_rng(0).random((3, 24, 2), np.float32),
        }

    def borrowed(self, rows):
        seen = SeenSamples.__new__(SeenSamples)
        seen.arrays = rows
        return borrowed_errors(seen, self.BODY)

    def test_of_everybody(self):
        assert len(self.borrowed(self.rows(0.9)).errors) == 3

    def test_of_nobody(self):
        rows = self.rows(0.9)
        del rows["pose"]
        assert self.borrowed(rows) is None

"""Learning to tell people apart: who was sighted, bad marks, one step, weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dimr.body.model import BodyModel
from dimr.correspondence.network import CorrespondenceNet
from dimr.correspondence.outlines import OutlineNet
from dimr.correspondence.sightings import Sighting
from dimr.encoder.blazepose import BlazePoseEncoder
from dimr.surface.atlas import load_atlas
from dimr.surface.parts import NUM_CHARTS
from dimr.train.outlines import (
    MOST,
    OutlineTask,
    mistaken_marks,
    touched_by,
    who_was_sighted,
)
from dimr.train.recipes import train_outlines
from dimr.train.run import Run
from dimr.train.weights import (
    load_outlines,
    load_stage1,
    new_stage1_network,
    save_outlines,
    save_stage1,
)

SIDE = 64


def labels(*spans: tuple[int, int]) -> np.ndarray:
    """People as columns, by number."""
    person_id = np.full((SIDE, SIDE), -1, np.int8)
    for who, (left, right) in enumerate(spans):
        person_id[10:54, left:right] = who
    return person_id


def sighting(left: int, right: int, score: float = 0.5) -> Sighting:
    """In pixels of the picture, which has twice as many."""
    points = np.full((17, 2), float(left + right))
    points[:, 1] = np.linspace(24, 104, 17)
    box = np.array([2.0 * left, 20, 2.0 * right, 108])
    return Sighting(score, box, points, np.full(17, 0.8))


class TestWho:
    def test_the_best_fits_come_first_and_each_counts_once(self):
        person_id = labels((10, 20), (20, 30))
        seen = [sighting(12, 30), sighting(11, 20), sighting(9, 21), sighting(50, 60)]
        assert who_was_sighted(seen, person_id) == {1: 0, 0: 1}

    def test_hardly_anything_of_somebody_is_nobody(self):
        person_id = labels((10, 20))
        person_id[:2, 40:49] = 1
        assert who_was_sighted([sighting(10, 20), sighting(40, 49)], person_id) == {0: 0}
        assert who_was_sighted([sighting(10, 20)], labels()) == {}

    def test_neighbours_touch(self):
        person_id = labels((5, 15), (16, 25), (40, 50))
        assert touched_by(0, person_id) == [1]
        assert touched_by(1, person_id) == [0]
        assert touched_by(2, person_id) == []


def test_marks_are_as_bad_as_at_inference():
    """Some are one for two, or the other's; the best are nearly right."""
    person_id = labels((10, 25), (25, 40))
    mine, other = person_id == 0, person_id == 1
    rng = np.random.default_rng(0)
    marks = [mistaken_marks(0, person_id, rng) for _ in range(150)]
    assert all(each.shape == (2, SIDE, SIDE) for each in marks)
    own = np.array([each[0] for each in marks]) > 0.5

    def share(with_whom):
        common = (own & with_whom).sum((1, 2)) / np.maximum((own | with_whom).sum((1, 2)), 1)
        return (common > 0.7).mean()

    assert share(mine) > 0.2 and share(mine | other) > 0.1 and share(other) > 0.03


class Drawn:
    """Stands for the generator: the same crowd again and again."""

    def __init__(self, person_id: np.ndarray) -> None:
        self.person_id = person_id
        self.image = np.random.default_rng(0).integers(0, 255, (2 * SIDE, 2 * SIDE, 3), np.uint8)

    def batch(self, count: int) -> dict[str, torch.Tensor]:
        image, person_id = torch.from_numpy(self.image), torch.from_numpy(self.person_id)
        return {
            "image": image.expand(count, *image.shape),
            "person_id": person_id.expand(count, *person_id.shape),
        }


@pytest.fixture
def task(monkeypatch):
    torch.manual_seed(0)
    task = OutlineTask.__new__(OutlineTask)
    task.model = OutlineNet.of_second_pass(
        CorrespondenceNet(BlazePoseEncoder(), torch.zeros(NUM_CHARTS, 3))
    )
    task.model.encoder.requires_grad_(False)
    task.spotter = None
    monkeypatch.setattr(
        "dimr.train.outlines.find_sightings",
        lambda spotter, image: [sighting(10, 25), sighting(25, 40), sighting(50, 60)],
    )
    return task


class TestTask:
    def test_who_touches_others_is_learnt_from(self, task):
        crops = task._crops(Drawn(labels((10, 25), (25, 40), (50, 60))).batch(3), _rng())
        image, marks, visible = crops
        assert len(image) == len(marks) == len(visible) == 6  # the third stands alone
        assert image.shape[1:] == (3, 192, 192) and marks.shape[1:] == (4, 96, 96)
        # crops are made around the sighted boxes, which are as tall as the people
        assert visible.any(2).sum(1).float().mean() == pytest.approx(96 / 1.25, rel=0.1)
        limbs = marks[:, 2] > 0.4
        inside = (limbs & visible).sum((1, 2)) / limbs.sum((1, 2))
        assert (inside > 0.6).all()  # sticks are soft, and their ends lie beyond

    def test_there_are_not_too_many(self, task):
        crowd = Drawn(labels((10, 25), (25, 40)))
        assert len(task._crops(crowd.batch(MOST), _rng())[0]) == MOST

    def test_where_nobody_touches_anybody_nothing_is_learnt(self, task):
        result = task.loss(Drawn(labels((10, 25))).batch(2), 0)
        result.total.backward()
        assert float(result.total.detach()) == 0
        assert all(each.grad is None or not each.grad.any() for each in task.model.parameters())

    def test_it_learns_and_the_layers_of_the_marks_learn_fast(self, task):
        batch = Drawn(labels((10, 25), (25, 40))).batch(2)
        fast, slow = task.parameter_groups(2e-3)
        assert fast["lr"] > slow["lr"] and fast["params"] and slow["params"]
        optimizer = torch.optim.AdamW([fast, slow])
        losses = []
        for step in range(12):
            torch.manual_seed(1)
            result = task.loss(batch, step)
            optimizer.zero_grad()
            result.total.backward()
            optimizer.step()
            losses.append(float(result.total.detach()))
        assert losses[-1] < 0.7 * losses[0], losses
        assert all(each.grad is None for each in task.model.encoder.parameters())


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def surface():
    return BodyModel.load(None), load_atlas(None)


@pytest.fixture(scope="module")
def stage1(surface, tmp_path_factory):
    """Weights of a stage 1 that has learnt nothing."""
    folder = tmp_path_factory.mktemp("stage1")
    save_stage1(folder, new_stage1_network(*surface), *surface, {"recipe": "none"})
    return folder


class TestRecipe:
    def test_one_step_gives_weights_that_stage_1_asks(self, surface, stage1, tmp_path):
        run = Run(folder=tmp_path / "run", stage1=stage1, steps=1, validation=2)
        train_outlines(run, *surface)
        weights = tmp_path / "run" / "weights"
        (stage1_file,) = stage1.glob("*.safetensors")
        (weights / stage1_file.name).write_bytes(stage1_file.read_bytes())
        outliner = load_stage1(weights, *surface).outliner
        assert outliner is not None and not outliner.training
        _, card = load_outlines(weights, outliner.encoder)
        assert card["recipe"] == "outlines" and card["samples"] == 8
        assert "goes_on_from" not in card
        train_outlines(replace(run, folder=tmp_path / "on", stage1=weights), *surface)
        _, card = load_outlines(tmp_path / "on" / "weights", outliner.encoder)
        assert card["goes_on_from"]["recipe"] == "outlines"

    def test_without_them_nobody_is_asked(self, surface, stage1):
        assert load_stage1(stage1, *surface).outliner is None

    def test_it_asks_for_what_it_goes_on_from(self, surface, tmp_path):
        with pytest.raises(ValueError, match="outlines needs the weights of stage1"):
            train_outlines(Run(folder=tmp_path), *surface)

    def test_those_of_another_encoder_are_refused(self, tmp_path):
        network = OutlineNet(BlazePoseEncoder())
        save_outlines(tmp_path, network, {"recipe": "outlines"})
        loaded, _ = load_outlines(tmp_path, network.encoder)
        assert loaded is not None
        for name, value in network.half().float().state_dict().items():
            torch.testing.assert_close(loaded.state_dict()[name], value)
        with pytest.raises(ValueError, match="encoder_hash"):
            load_outlines(tmp_path, BlazePoseEncoder())

"""Learning to outline people: who was sighted, bad marks, a few steps, weights."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from dimr.body.model import BodyModel
from dimr.correspondence.outlines import OutlineNet
from dimr.correspondence.sightings import Sighting
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.samples import OBJECT
from dimr.surface.atlas import load_atlas
from dimr.train import outlines
from dimr.train.outlines import (
    MOST,
    CrowdsAndThings,
    OutlineTask,
    imitated_marks,
    marks_over_things,
    mistaken_marks,
    touched_by,
    who_was_sighted,
)
from dimr.train.recipes import train_outlines
from dimr.train.run import Run
from dimr.train.schedules import SCHEDULES
from dimr.train.surroundings import PICTURE_SIZE
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


def overlaps(marks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Share of a mask's pixels that each mark holds."""
    return (marks > 0.5)[:, mask].mean(1)


class TestThings:
    """Columns 10 to 20 are seen of somebody, what is before them hides 20 to 25."""

    mine = labels((10, 20)) == 0
    things = labels((20, 25)) == 0
    others = labels((40, 50)) == 0

    def test_marks_over_things_cover_somebody_and_the_things(self):
        marks = np.array(
            [marks_over_things(self.mine, self.things, self.others, _rng(k)) for k in range(100)]
        )
        assert marks.shape == (100, 2, SIDE, SIDE)
        for mask in (self.mine, self.things):
            assert overlaps(marks[:, 0], mask).mean() > 0.85
        assert overlaps(marks[:, 0], self.others).max() == 0
        known = overlaps(marks[:, 1], self.others)
        assert ((known > 0.5) | (known == 0)).all()
        assert (known > 0).mean() == pytest.approx(0.5, abs=0.15)

    def test_some_marks_of_who_is_hidden_are_drawn_on(self):
        person_id = labels((10, 20))

        def drawn_on(things):
            marks = [imitated_marks(0, person_id, things, _rng(k))[0] for k in range(200)]
            return (overlaps(np.array(marks), things) > 0.6).mean()

        # imitations of the first pass reach so far at times, too
        assert drawn_on(self.things) == pytest.approx(0.6, abs=0.15)
        few = self.things & (np.arange(SIDE)[:, None] < 13)
        assert 0 < few.sum() <= 0.04 * self.mine.sum() and drawn_on(few) < 0.3


class Drawn(SyntheticPeople):
    """Stands for the generator: the same people again and again, in plain colours."""

    def __init__(self, person_id: np.ndarray, hidden_by: np.ndarray | None = None) -> None:
        self.config, self.size = SyntheticConfig(), 2 * SIDE
        hidden_by = np.where(person_id == 0, 0, -1) if hidden_by is None else hidden_by
        image = np.random.default_rng(0).integers(0, 40, (2 * SIDE, 2 * SIDE, 3), np.uint8)
        image += (60 * (person_id + 1)).astype(np.uint8).repeat(2, 0).repeat(2, 1)[..., None]
        self.sample = SimpleNamespace(
            image=image,
            labels=SimpleNamespace(person_id=person_id),
            occlusion=SimpleNamespace(hidden_by=hidden_by.astype(np.int8)),
        )

    def reconfigured(self, config, size):
        other = Drawn(self.sample.labels.person_id, self.sample.occlusion.hidden_by)
        other.config, other.size = config, size
        return other

    def crop_sample(self, index):
        return self.sample


def test_crowds_and_people_behind_things_by_turns():
    drawn = CrowdsAndThings(Drawn(labels((10, 20))))
    crowds, behind = drawn.kinds
    assert crowds.config == replace(SyntheticConfig(), **outlines.CROWDS)
    assert behind.config == replace(SyntheticConfig(), **outlines.BEHIND)
    assert crowds.size == behind.size == PICTURE_SIZE
    asked = []
    for kind in drawn.kinds:
        kind.crop_sample = lambda index, kind=kind: asked.append((kind, index)) or kind.sample
    items = [drawn[index] for index in range(4)]
    assert asked == [(crowds, 0), (behind, 1), (crowds, 2), (behind, 3)]
    assert items[0].keys() == {"image", "person_id", "hidden_by"}


@pytest.fixture
def make_task(monkeypatch):
    """A task whose pictures show the same people, sighted where they are."""
    monkeypatch.setattr(
        outlines,
        "find_sightings",
        lambda spotter, image: [sighting(10, 25), sighting(25, 40), sighting(50, 60)],
    )

    def make(*spans: tuple[int, int]) -> OutlineTask:
        torch.manual_seed(0)
        drawn = Drawn(labels(*spans))
        return OutlineTask(OutlineNet(), drawn, drawn, [], num_validation=2)

    return make


def batch_of(task: OutlineTask, count: int) -> dict[str, torch.Tensor]:
    return default_collate([task.samples()[index] for index in range(count)])


class TestWhoIsLearntFrom:
    def test_who_touches_others(self, make_task):
        task = make_task((10, 25), (25, 40))
        crops = task._crops(batch_of(task, 8), _rng())
        assert len(crops) == 16
        image, marks, visible = (np.stack(each) for each in zip(*crops, strict=True))
        assert image.shape[1:] == (192, 192, 3) and marks.shape[1:] == (4, 96, 96)
        # crops are made around boxes which are as tall as the people, or around such marks
        assert (visible > 0.5).any(2).sum(1).mean() == pytest.approx(96 / 1.25, rel=0.15)
        own, others = marks[:, 2] > 0.4, marks[:, 3] > 0.4
        inside = (own & (visible > 0.5)).sum((1, 2)) / own.sum((1, 2))
        assert (inside > 0.6).all()  # sticks are soft, and their ends lie beyond
        assert ((others & (visible > 0.5)).sum((1, 2)) < 0.3 * others.sum((1, 2))).all()

    def test_some_who_stand_alone(self, make_task):
        task = make_task((10, 20), (28, 38), (50, 60))
        crops = task._crops(batch_of(task, 60), _rng())
        assert 60 + 0.3 * 120 - 18 < len(crops) < 60 + 0.3 * 120 + 18

    def test_the_picture_shows_who_is_meant(self, make_task):
        """Person 0 has about 80, person 1 140 in this picture, the ground 20."""
        task = make_task((10, 25), (25, 40))
        for crop in task._crops(batch_of(task, 3), _rng()):
            levels = crop.image[::2, ::2, 0][crop.visible > 0.99]
            assert levels.std() < 15 and np.abs(levels.mean() - [80, 140]).min() < 3

    def test_nobody_sighted_is_person_0_without_limbs(self, make_task, monkeypatch):
        monkeypatch.setattr(outlines, "find_sightings", lambda spotter, image: [])
        task = make_task((10, 25), (25, 40))
        crops = task._crops(batch_of(task, 3), _rng())
        assert len(crops) == 3
        for crop in crops:
            assert not crop.marks[2:].any()
            levels = crop.image[::2, ::2, 0][crop.visible > 0.99]
            assert levels.mean() == pytest.approx(80, abs=3)

    def test_nobody_who_is_hardly_seen(self, make_task, monkeypatch):
        monkeypatch.setattr(outlines, "find_sightings", lambda spotter, image: [])
        task = make_task((10, 10))
        assert task._crops(batch_of(task, 3), _rng()) == []
        result = task.loss(batch_of(task, 3), 0)
        result.total.backward()
        assert float(result.total.detach()) == 0
        assert all(each.grad is None or not each.grad.any() for each in task.model.parameters())
        assert task.validate(task.model)["people"] == 0

    def test_things_before_person_0_are_marked_in_some(self, monkeypatch):
        """What hides the others is not known."""
        person_id = labels((10, 25), (40, 55))
        hidden_by = np.full((SIDE, SIDE), -1, np.int8)
        hidden_by[person_id == 0] = 0
        hidden_by[10:54, 25:32] = OBJECT + 1
        asked = []

        def spy(who, person_id, things, rng):
            asked.append((who, things.copy()))
            return imitated_marks(who, person_id, things, rng)

        monkeypatch.setattr(outlines, "imitated_marks", spy)
        monkeypatch.setattr(
            outlines,
            "find_sightings",
            lambda spotter, image: [sighting(10, 25), sighting(40, 55)],
        )
        drawn = Drawn(person_id, hidden_by)
        task = OutlineTask(OutlineNet(), drawn, drawn, [], num_validation=1)
        task._crops(batch_of(task, 12), _rng())
        assert {who for who, _ in asked} == {0, 1}
        for who, things in asked:
            assert (things == ((hidden_by == OBJECT + 1) & (who == 0))).all()


class TestTask:
    def test_there_are_not_too_many_at_once(self, make_task, monkeypatch):
        task = make_task((10, 25), (25, 40))
        asked = []

        def spy(model, crops):
            asked.append(len(crops))
            size = (len(crops), 96, 96)
            return torch.zeros(size), torch.zeros(size, dtype=torch.bool)

        monkeypatch.setattr(task, "_outline", spy)
        assert len(task._crops(batch_of(task, MOST), _rng())) == 2 * MOST
        task.loss(batch_of(task, MOST), 0)
        assert asked == [MOST]

    def test_training_is_augmented_validation_is_not(self, make_task, monkeypatch):
        task = make_task((10, 25), (25, 40))
        task.cutouts = [np.full((20, 20, 4), 255, np.uint8)]
        asked = []

        def spy(crop, others, cutouts, rng):
            asked.append((len(others), len(cutouts), any(each is crop for each in others)))
            return crop

        monkeypatch.setattr(outlines, "augmented", spy)
        metrics = task.validate(task.model)
        assert not asked and metrics["people"] == 4 and 0 <= metrics["iou"] <= 1
        assert metrics["score"] == 1 - metrics["iou"]
        assert task.validate(task.model) == metrics
        task.loss(batch_of(task, 2), 0)
        assert asked == [(3, 1, False)] * 4

    def test_fine_layers_stay_and_the_encoder_learns_slowly(self, make_task):
        task = make_task((10, 25), (25, 40))
        encoder, decoder = task.parameter_groups(1e-3)
        assert encoder["lr"] == pytest.approx(2e-4) and decoder["lr"] == pytest.approx(5e-4)
        net = task.model.encoder
        coarse = [*net.stages[2].parameters(), *net.stages[3].parameters()]
        assert {id(each) for each in encoder["params"]} == {id(each) for each in coarse}
        rest = {id(each) for each in task.model.parameters()}
        rest -= {id(each) for each in net.parameters()}
        assert {id(each) for each in decoder["params"]} == rest

    def test_it_learns(self, make_task):
        task = make_task((10, 25), (25, 40))
        before = {name: value.clone() for name, value in task.model.state_dict().items()}
        batch = batch_of(task, 2)
        optimizer = torch.optim.AdamW(task.parameter_groups(4e-3))
        losses = []
        for step in range(12):
            torch.manual_seed(1)
            result = task.loss(batch, step)
            optimizer.zero_grad()
            result.total.backward()
            optimizer.step()
            losses.append(float(result.total.detach()))
        assert losses[-1] < 0.7 * losses[0], losses
        after = task.model.state_dict()
        changed = {name for name in before if not before[name].equal(after[name])}
        frozen = tuple(f"encoder.{name}." for name in ("stem", "first", "stages.0", "stages.1"))
        assert not any(name.startswith(frozen) for name in changed)
        assert {"encoder.stages.2.0.expand.weight", "encoder.stages.3.0.expand.weight"} <= changed


def _rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


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
        torch.manual_seed(0)
        earlier = tmp_path / "earlier"
        save_outlines(earlier, OutlineNet(), {"recipe": "none"})
        run = Run(folder=tmp_path / "run", stage1=earlier, steps=1, validation=2)
        train_outlines(run, *surface)
        weights = tmp_path / "run" / "weights"
        (stage1_file,) = stage1.glob("*.safetensors")
        (weights / stage1_file.name).write_bytes(stage1_file.read_bytes())
        outliner = load_stage1(weights, *surface).outliner
        assert outliner is not None and not outliner.training
        _, card = load_outlines(weights)
        assert card["recipe"] == "outlines"
        assert card["samples"] == SCHEDULES["outlines"]["batch_size"]
        assert card["goes_on_from"]["recipe"] == "none"
        before, _ = load_outlines(earlier)
        stem = before.encoder.stem.weight
        assert stem.equal(outliner.encoder.stem.weight)

    def test_without_them_nobody_is_asked(self, surface, stage1):
        assert load_stage1(stage1, *surface).outliner is None
        assert load_outlines(stage1) == (None, {})

    def test_weights_come_back_with_their_encoder(self, tmp_path):
        network = OutlineNet()
        save_outlines(tmp_path, network, {"recipe": "outlines"})
        loaded, card = load_outlines(tmp_path)
        assert loaded is not None and card["encoder"] == "lite0"
        state, wanted = loaded.state_dict(), network.half().float().state_dict()
        assert state.keys() == wanted.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(state[name], value)

import numpy as np
import pytest
import torch

from dimr.body.model import BodyModel
from dimr.correspondence.network import CorrespondenceMaps
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import PeopleLabels, SyntheticPeople
from dimr.surface.atlas import load_atlas
from dimr.train.marked import LEAST_PIXELS
from dimr.train.stage1 import (
    CYCLE,
    SCENES,
    UNMARKED,
    Stage1Samples,
    Stage1Weights,
    centre_loss,
    centre_map,
    offset_map,
    stage1_loss,
)
from dimr.train.surroundings import LEAST_MARK, PICTURE_SIZE, middle_of


def people_at(*centres_and_sizes):
    boxes, centres = [], []
    for x, y, size in centres_and_sizes:
        boxes.append([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
        centres.append([x, y])
    return PeopleLabels(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(centres, np.float32).reshape(-1, 2),
        np.ones(len(centres), np.float32),
    )


class TestCentreMap:
    def test_centre_map_peaks_at_the_people(self):
        heat = centre_map(people_at((49.5, 81.5, 40), (149.5, 21.5, 60)), 48)
        assert heat[20, 12] == 1 and heat[5, 37] == 1
        assert (heat == 1).sum() == 2

    def test_larger_people_have_wider_bumps(self):
        small = centre_map(people_at((96, 96, 20)), 48)
        large = centre_map(people_at((96, 96, 180)), 48)
        assert large.sum() > 2 * small.sum()

    def test_nobody_is_an_empty_map(self):
        assert not centre_map(people_at(), 48).any()


def test_offsets_lead_to_the_centre():
    person_id = np.full((48, 48), -1, np.int8)
    person_id[5:25, 10:20] = 0
    people = people_at((59.5, 60.0, 80))
    offset = offset_map(person_id, people)
    for row, col in [(5, 10), (24, 19), (15, 12)]:
        x, y = 4 * col + 1.5, 4 * row + 1.5
        assert x + 192 * offset[0, row, col] == pytest.approx(59.5, abs=1e-4)
        assert y + 192 * offset[1, row, col] == pytest.approx(60.0, abs=1e-4)
    assert not offset[:, person_id < 0].any()


def perfect_batch():
    """One scene with one person, and maps that answer it perfectly."""
    visible = torch.zeros(1, 8, 8, dtype=torch.bool)
    visible[:, 2:6, 3:5] = True
    part = torch.where(visible, 5, 0)
    position = torch.randn(1, 3, 8, 8)
    centre = torch.zeros(1, 4, 4)
    centre[0, 2, 2] = 1
    offset = torch.randn(1, 2, 4, 4)
    batch = {
        "visible": visible,
        "part": part,
        "position_m": position,
        "centre": centre,
        "coarse_id": torch.where(visible[:, ::2, ::2], 0, -1),
        "offset": offset,
        "is_scene": torch.ones(1),
    }
    logits = torch.where(visible, 20.0, -20.0)
    part_logits = torch.nn.functional.one_hot(part, 25)[..., 1:].permute(0, 3, 1, 2) * 40.0
    maps = CorrespondenceMaps(
        logits,
        part_logits,
        position[:, None].repeat(1, 24, 1, 1, 1),
        torch.where(centre == 1, 20.0, -20.0),
        offset,
    )
    return maps, batch


class TestStage1Loss:
    def test_perfect_answers_cost_nothing(self):
        maps, batch = perfect_batch()
        assert float(stage1_loss(maps, batch, Stage1Weights()).total) == pytest.approx(0, abs=1e-5)

    @pytest.mark.parametrize("name", ["person", "part", "position_m", "centre", "offset"])
    def test_each_wrong_answer_costs(self, name):
        maps, batch = perfect_batch()
        wrong = maps._replace(**{name: -getattr(maps, name)})
        assert float(stage1_loss(wrong, batch, Stage1Weights()).total) > 0.1

    def test_surface_of_hidden_pixels_costs_nothing(self):
        maps, batch = perfect_batch()
        hidden = ~batch["visible"][:, None]
        noise = maps._replace(
            position_m=maps.position_m + 5 * hidden[:, None], part=maps.part + 9 * hidden
        )
        loss = stage1_loss(noise, batch, Stage1Weights())
        assert loss.terms["position"] == pytest.approx(0, abs=1e-6)
        assert loss.terms["part"] == pytest.approx(0, abs=1e-5)

    def test_crops_teach_no_centres(self):
        maps, batch = perfect_batch()
        batch["is_scene"] = torch.zeros(1)
        batch["coarse_id"] = torch.full((1, 4, 4), -1)
        loss = stage1_loss(
            maps._replace(centre=-maps.centre, offset=-maps.offset), batch, Stage1Weights()
        )
        assert loss.terms["centre"] == 0 and loss.terms["offset"] == 0

    def test_position_of_other_parts_costs_nothing(self):
        maps, batch = perfect_batch()
        others = torch.arange(1, 25) != 5
        noise = maps._replace(position_m=maps.position_m + 5 * others[None, :, None, None, None])
        loss = stage1_loss(noise, batch, Stage1Weights())
        assert loss.terms["position"] == pytest.approx(0, abs=1e-6)

    def test_nobody_visible_is_finite(self):
        maps, batch = perfect_batch()
        batch["visible"] = torch.zeros_like(batch["visible"])
        batch["part"] = torch.zeros_like(batch["part"])
        batch["coarse_id"] = torch.full((1, 4, 4), -1)
        assert torch.isfinite(stage1_loss(maps, batch, Stage1Weights()).total)


def test_centre_loss_forgives_near_misses():
    target = torch.zeros(1, 9, 9)
    target[0, 4, 4], target[0, 4, 5] = 1.0, 0.8
    near, far = torch.full((1, 9, 9), -9.0), torch.full((1, 9, 9), -9.0)
    near[0, 4, 4] = far[0, 4, 4] = 9.0
    near[0, 4, 5] = 9.0
    far[0, 0, 0] = 9.0
    one = torch.ones(1)
    assert centre_loss(near, target, one) < 0.05 * centre_loss(far, target, one)


@pytest.fixture(scope="module")
def samples():
    crowd = SyntheticConfig(others=(0.0, 0.0, 1.0, 0.0))
    return Stage1Samples(SyntheticPeople(BodyModel.load(None), load_atlas(None), config=crowd))


MARKED = [kind for kind in range(CYCLE) if kind not in (*SCENES, *UNMARKED)]


class TestStage1Samples:
    def test_all_kinds_fit_in_a_batch(self, samples):
        batch = torch.utils.data.default_collate([samples[kind] for kind in range(CYCLE)])
        assert batch["image"].shape == (CYCLE, 192, 192, 3)
        assert batch["around"].shape == (CYCLE, 288, 288, 3)
        assert batch["around_marker"].shape == (CYCLE, 2, 144, 144)
        assert batch["marker"].shape == (CYCLE, 2, 96, 96)
        for kind in range(CYCLE):
            is_scene = kind not in MARKED
            assert float(batch["is_scene"][kind]) == is_scene
            assert bool(batch["around"][kind].any()) != is_scene
            assert bool(batch["marker"][kind].any()) != is_scene

    @pytest.mark.parametrize("index", MARKED)
    def test_a_marked_crop_is_the_middle_of_its_surroundings(self, samples, index):
        sample = samples[index]
        assert np.array_equal(sample["image"], middle_of(sample["around"], 192))
        for mark, around in zip(sample["marker"], sample["around_marker"], strict=True):
            assert np.array_equal(mark, middle_of(around, 96))

    @pytest.mark.parametrize("index", MARKED)
    def test_who_is_marked_fills_the_crop(self, samples, index):
        sample = samples[index]
        mark = sample["marker"][0] > LEAST_MARK
        rows, cols = np.nonzero(mark)
        extent = max(np.ptp(rows), np.ptp(cols)) / 96
        assert 0.65 < extent < 0.95  # 1 / 1.25 roughly
        assert (mark & sample["visible"]).sum() > 0.2 * sample["visible"].sum()

    def test_labels_are_where_the_person_is(self, samples):
        sample = samples[0]
        assert ((sample["part"] > 0) <= sample["visible"]).all()
        known = sample["part"] > 0
        assert known.sum() > 0.9 * sample["visible"].sum()
        assert np.linalg.norm(sample["position_m"], axis=0)[known].min() > 0

    def test_others_are_asked_for_too(self, samples):
        """Person 0 is near the middle; others often are not."""
        found = set()
        for index in range(0, 20 * CYCLE, CYCLE):
            drawn = samples.marked.people.crop_sample(index)
            sizes = np.bincount(drawn.labels.person_id[drawn.labels.person_id >= 0])
            parts = [
                np.unique(drawn.labels.part[drawn.labels.person_id == who])
                for who in range(len(sizes))
            ]
            shown = np.unique(samples[index]["part"])[1:]
            matches = [who for who in range(len(sizes)) if np.isin(shown, parts[who]).all()]
            if matches and 0 not in matches:
                found.add(index)
                assert max(sizes[who] for who in matches) >= LEAST_PIXELS
        assert found

    def test_a_sample_depends_on_its_index_alone(self, samples):
        first = samples[2]
        samples[4]
        again = samples[2]
        assert all(np.array_equal(first[name], again[name]) for name in first)

    def test_drawn_pictures_are_wider_than_crops(self, samples):
        assert samples.marked.people.crop_sample(0).image.shape == (PICTURE_SIZE, PICTURE_SIZE, 3)

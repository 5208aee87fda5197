import numpy as np
import pytest
import torch

from dimr.correspondence.network import CorrespondenceMaps
from dimr.data.synthetic.people import PeopleLabels
from dimr.train.stage1 import (
    Stage1Weights,
    centre_loss,
    centre_map,
    offset_map,
    stage1_loss,
)


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

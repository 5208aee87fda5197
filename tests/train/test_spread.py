import copy
import math

import pytest
import torch
from torch.utils.data import Dataset

from dimr.correspondence.landmarks import LandmarkNet, SecondOpinion
from dimr.correspondence.looks import Look
from dimr.encoder.blazepose import HIPS
from dimr.train.spread import gaps_of, learn_spread

HALF = 0.5
WRIST, KNEE = 15, 25


class People(Dataset):
    """Their landmarks are all in the middle; nobody knows where their knees are, nor metres of
    every second pair."""

    def __init__(self, count=400):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        weight = torch.ones(39)
        weight[KNEE] = 0
        return {
            "image": torch.full((8, 8, 3), index % 2 * 255, dtype=torch.uint8),
            "marker": torch.zeros(2, 2, 2),
            "places": torch.zeros(39, 6),
            "weight_2d": weight,
            "weight_3d": torch.tensor(float(index % 4 < 2)),
        }


def find_pose(network, image, marker):
    """Of white pictures everything is 0.4 off, of black ones 0.1; the first feature says so."""
    white = image[:, 0, 0, 0]
    pose = torch.zeros(len(image), 39, 8)
    pose[..., 0] = HALF * (0.1 + 0.3 * white)[:, None]
    pose[..., 7] = 2 * (0.1 + 0.3 * white)[:, None]
    summary = torch.randn(len(image), 288, 2, 2, generator=torch.Generator().manual_seed(0))
    summary[:, 0, 0, 0] = 7 + white
    return Look(pose, torch.ones(len(image)), torch.full((len(image),), HALF), summary)


@pytest.fixture(autouse=True)
def found(monkeypatch):
    monkeypatch.setattr("dimr.train.spread.find_pose", find_pose)


def test_gaps_are_in_half_windows_and_metres():
    (data,) = gaps_of(LandmarkNet(), People(6))
    torch.testing.assert_close(data["gap"][:2, WRIST], torch.tensor([[0.1, 0.2], [0.4, 0.8]]))
    assert not data["known"][:, KNEE].any() and data["known"][:, HIPS, 0].all()
    assert data["known"][:, WRIST, 1].tolist() == [True, True, False, False, True, True]
    assert not data["known"][:, HIPS, 1].any()
    assert data["summary"].shape == (6, 4 * 288)


def test_features_that_tell_errors_are_heard_and_nothing_else_changes():
    network = LandmarkNet()
    before = copy.deepcopy(network.state_dict())
    told = learn_spread(network, People())
    image = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    look = find_pose(network, image, torch.zeros(2, 2, 2, 2))
    in_crop, in_metres = network.spread.of(look)[:, WRIST].log().T.tolist()
    assert in_crop == pytest.approx([math.log(0.1 * HALF), math.log(0.4 * HALF)], abs=0.3)
    assert in_metres == pytest.approx([math.log(0.2), math.log(0.8)], abs=0.3)
    # one number for both is the mean, 0.25: that costs log 0.25 - (log 0.1 + log 0.4) / 2 nats
    most = math.log(0.25) - (math.log(0.1) + math.log(0.4)) / 2
    assert 0.7 * most < told["spread_nats"] <= most + 1e-6
    assert told["spread_ratio"] == pytest.approx(1, abs=0.25)
    for name, value in network.state_dict().items():
        assert name.startswith("spread.") or torch.equal(value, before[name]), name


def test_the_ratio_counts_what_is_said_within_limits(monkeypatch):
    """One of those held back has a feature that is far beyond what the others have."""

    def strange(network, image, marker):
        found = find_pose(network, image, marker)
        if len(image) == 32 and not hasattr(strange, "done"):  # the first batch
            strange.done = True
            found.summary[5, 0, 0, 0] = 1000.0  # held back: every fifth
        return found

    monkeypatch.setattr("dimr.train.spread.find_pose", strange)
    assert 0.5 < learn_spread(LandmarkNet(), People())["spread_ratio"] < 1.3


def test_features_that_tell_nothing_leave_the_usual_error(monkeypatch):
    def blind(*args):
        look = find_pose(*args)
        return look._replace(summary=torch.randn(look.summary.shape))

    monkeypatch.setattr("dimr.train.spread.find_pose", blind)
    torch.manual_seed(0)
    network = LandmarkNet()
    told = learn_spread(network, People())
    assert abs(told["spread_nats"]) < 0.03
    spread = network.spread.of(blind(network, torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 2, 2)))
    assert float(spread[0, WRIST, 0].detach()) == pytest.approx(0.25 * HALF, rel=0.5)


def test_of_a_second_opinion_it_is_learnt_likewise(monkeypatch):
    """Which is half as far off, and has features of its own."""

    def look(second, image, marker, middle, axes):
        assert second is network.second and middle.shape == (len(image), 2)
        found = find_pose(second, image, marker)
        return found._replace(pose=found.pose / 2, summary=found.summary + 3)

    monkeypatch.setattr("dimr.correspondence.landmarks.look", look)
    network = LandmarkNet()
    network.second = SecondOpinion()
    before = copy.deepcopy(network.state_dict())
    told = learn_spread(network, People())
    assert told["second_spread_nats"] == pytest.approx(told["spread_nats"], abs=0.05)
    image = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    found = look(network.second, image, None, torch.zeros(2, 2), None)
    in_crop = network.second.spread.of(found)[:, WRIST, 0].log().tolist()
    assert in_crop == pytest.approx([math.log(0.05 * HALF), math.log(0.2 * HALF)], abs=0.3)
    changed = {
        name for name, value in network.state_dict().items() if not value.equal(before[name])
    }
    assert changed == {
        f"{each}spread.{name}" for each in ("", "second.") for name in ("weight", "bias")
    }

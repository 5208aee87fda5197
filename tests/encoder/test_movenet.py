from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from dimr.assets import asset_path
from dimr.correspondence.sightings import SEEN, read_sightings
from dimr.encoder.movenet import HEADS, WEIGHTS, Filter, Inverted, MoveNet

GOLDEN = Path(__file__).parent / "golden_movenet.npz"
"""Of `scripts/import_movenet.py --golden`."""


def test_at_stride_two_the_rim_is_right_and_below():
    block = Filter(1, 2)
    with torch.no_grad():
        block.weight.zero_()
        block.bias.zero_()
        block.weight[0, 0, 0, 0] = 1  # the corner of its window
    features = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(block(features)[0, 0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))


def test_a_block_adds_what_came_only_where_it_fits():
    assert Inverted(8, 16, 1, 8).residual
    assert not Inverted(8, 16, 2, 8).residual and not Inverted(8, 16, 1, 9).residual
    assert Inverted(8, 8, 1, 4).expand is None


def test_maps_are_a_quarter_of_any_picture():
    with torch.no_grad():
        maps = MoveNet()(torch.rand(2, 3, 64, 96))
    shapes = {name: tuple(values.shape) for name, values in maps._asdict().items()}
    assert shapes == {name: (2, channels, 16, 24) for name, channels in HEADS.items()}


def test_it_has_the_size_of_the_original():
    # of the graph's constants, counted
    count = sum(values.numel() for values in MoveNet().parameters())
    assert count == 4_723_346
    assert asset_path(WEIGHTS).stat().st_size < 12e6


@torch.no_grad()
def test_it_agrees_with_the_original():
    with np.load(GOLDEN) as stored:
        golden = dict(stored)
    image = torch.from_numpy(golden["picture"]).permute(2, 0, 1)[None].float() / 255
    image = functional.interpolate(image, (256, 256), mode="bilinear", antialias=True)
    image = (image.clamp(0, 1) * 255).round() / 255
    (row,) = golden["people"]
    person = read_sightings(MoveNet.pretrained().eval()(image), 0.1)[0]
    keypoints, box = row[:51].reshape(17, 3), row[51:55]
    assert np.abs(person.box_px / 256 - box[[1, 0, 3, 2]]).max() < 1e-3
    assert np.abs(person.seen - keypoints[:, 2]).max() < 1e-3
    seen = keypoints[:, 2] >= SEEN
    assert seen.sum() >= 7  # face and shoulders
    assert np.abs(person.keypoints_px / 256 - keypoints[:, [1, 0]])[seen].max() < 1e-3

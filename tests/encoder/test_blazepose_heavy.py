from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from dimr.assets import asset_path
from dimr.encoder.blazepose import BlazePoseEncoder, Refine
from dimr.encoder.blazepose_heavy import (
    HEAVY,
    MASK_WEIGHTS,
    WEIGHTS,
    BlazePoseHeavy,
    HeavyBranch,
)

GOLDEN = Path(__file__).parent / "golden_blazepose_heavy.npz"
"""Of `scripts/import_blazepose_heavy.py --golden`."""


def test_a_block_that_ends_wider_keeps_what_it_has_in_front():
    block = Refine(2, stride=2, outputs=5)
    with torch.no_grad():
        for values in block.parameters():
            values.zero_()
        block.mix.bias[4] = 3
    features = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 2, 4, 4) / 4
    found = block(features)
    assert found.shape == (1, 5, 2, 2)
    kept = torch.tensor([[5.0, 7.0], [13.0, 15.0]]) / 4
    assert torch.equal(found[:, :2], kept.expand(1, 2, 2, 2))
    assert not found[:, 2:4].any() and (found[:, 4] == 3).all()


def test_it_has_the_size_of_the_original():
    # of the graph's constants, counted; heat maps left out
    network = BlazePoseHeavy()
    mask, everything = (
        sum(values.numel() for values in each.parameters()) for each in (network.mask, network)
    )
    assert (mask, everything - mask) == (1_993, 13_747_169)
    assert BlazePoseEncoder(HEAVY).channels == (48, 48, 48, 272)


def test_every_map_has_a_say():
    torch.manual_seed(0)
    branch = HeavyBranch()
    widths = [stage[-1].out for stage in HEAVY.stages]
    sizes = (64, 32, 16, 8)
    maps = [torch.rand(1, width, side, side) for width, side in zip(widths, sizes, strict=True)]
    maps = [each.requires_grad_() for each in [*maps, torch.rand(1, HEAVY.top, 8, 8)]]
    summary = branch.summarise(branch.climb(maps), maps)
    assert summary.shape == (1, 288, 2, 2)
    landmarks, world, presence = branch.read(summary)
    assert landmarks.shape == (1, 39, 5) and world.shape == (1, 39, 3) and presence.shape == (1,)
    landmarks.square().sum().backward()
    heard = [each.grad is not None and bool(each.grad.any()) for each in maps]
    # the last stage is heard through the top features alone
    assert heard == [True, True, True, False, True]


@torch.no_grad()
def test_it_agrees_with_the_original_interpreter():
    with np.load(GOLDEN) as stored:
        golden = dict(stored)
    image = torch.from_numpy(golden["picture"]).permute(2, 0, 1)[None].float() / 255
    image = functional.interpolate(image, (256, 256), mode="bilinear", antialias=True)
    network = BlazePoseHeavy.pretrained().eval()
    landmarks, world, presence, _ = network(image)
    mask_logits, again = network.outline(image)
    assert presence > 0.5 and torch.equal(again, presence)
    for found, name in (
        (landmarks, "landmarks_px"),
        (world, "world_landmarks_m"),
        (mask_logits[..., ::4, ::4], "mask_logits"),
    ):
        wanted = golden[name]
        assert found.shape == wanted.shape
        assert np.abs(found.numpy() - wanted).max() <= 1e-3 * np.abs(wanted).max()


def test_in_bfloat16_it_computes_as_always():
    network = BlazePoseHeavy.pretrained().eval()
    image = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(image.bfloat16().float())
        assert found[0].dtype == torch.float32
        again = network(image.bfloat16().float())
    assert torch.equal(found[0], again[0]) and not torch.equal(found[0], alone[0])


def test_no_file_is_larger_than_others_may_be():
    assert all(asset_path(file).stat().st_size < 12e6 for file in (*WEIGHTS, MASK_WEIGHTS))

import torch

from dimr.encoder.blazepose import BlazePoseEncoder, Refine
from dimr.encoder.blazepose_heavy import HEAVY, HeavyBranch


def test_a_block_that_ends_wider_keeps_what_it_has_in_front():
    block = Refine(2, stride=2, outputs=5)
    with torch.no_grad():
        for values in block.parameters():
            values.zero_()
        block.mix.bias[4] = 3
    features = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 2, 4, 4) / 4
    found = block(features)
    assert found.shape == (1, 5, 2, 2)
    assert torch.equal(
        found[:, :2], torch.tensor([[5.0, 7.0], [13.0, 15.0]]).expand(1, 2, 2, 2) / 4
    )
    assert not found[:, 2:4].any() and (found[:, 4] == 3).all()


def test_it_has_the_size_of_the_original():
    # of the graph's constants, counted; mask and heat maps left out
    encoder, branch = BlazePoseEncoder(HEAVY), HeavyBranch()
    count = sum(
        values.numel()
        for part in (encoder.stem, encoder.stages, encoder.top, branch)
        for values in part.parameters()
    )
    assert count == 13_747_169
    assert encoder.channels == (48, 48, 48, 272)


def test_every_map_has_a_say():
    torch.manual_seed(0)
    branch = HeavyBranch()
    widths = [stage[-1].out for stage in HEAVY.stages]
    sizes = (64, 32, 16, 8)
    maps = [torch.rand(1, width, side, side) for width, side in zip(widths, sizes, strict=True)]
    maps = [each.requires_grad_() for each in [*maps, torch.rand(1, HEAVY.top, 8, 8)]]
    summary = branch.summarise(maps)
    assert summary.shape == (1, 288, 2, 2)
    landmarks, world, presence = branch.read(summary)
    assert landmarks.shape == (1, 39, 5) and world.shape == (1, 39, 3) and presence.shape == (1,)
    landmarks.square().sum().backward()
    heard = [each.grad is not None and bool(each.grad.any()) for each in maps]
    # the last stage is heard through the top features alone
    assert heard == [True, True, True, False, True]

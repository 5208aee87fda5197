import pytest
import torch

from dimr.correspondence.network import (
    ATTENTION_LEVEL,
    NORM_GROUPS,
    CorrespondenceNet,
    Norm,
    Residual,
)
from dimr.encoder.blazepose import BlazePose
from dimr.surface.parts import NUM_CHARTS

CENTRES_M = torch.arange(72.0).reshape(24, 3)


def build(**sizes) -> CorrespondenceNet:
    pose = BlazePose()
    return CorrespondenceNet(pose.encoder, CENTRES_M, **sizes)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build().eval()


@pytest.mark.parametrize("size", [128, 192])
def test_maps_are_at_half_of_the_input(network, size):
    with torch.no_grad():
        maps = network(torch.rand(2, 3, size, size), torch.zeros(2, 2, size // 2, size // 2))
    assert maps.person.shape == (2, size // 2, size // 2)
    assert maps.part.shape == (2, NUM_CHARTS, size // 2, size // 2)
    assert maps.position_m.shape == (2, NUM_CHARTS, 3, size // 2, size // 2)
    assert maps.offset.shape == (2, 2, size // 4, size // 4)
    assert maps.centre.shape == (2, size // 4, size // 4)


def test_decoding_shared_features_equals_the_whole_network(network):
    image, marker = torch.rand(1, 3, 128, 128), torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        whole = network(image, marker)
        parts = network.decode(network.encoder.features(image), marker)
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("channel", [0, 1])
def test_either_mark_changes_the_answer(network, channel):
    image, marker = torch.rand(1, 3, 128, 128), torch.zeros(1, 2, 64, 64)
    with torch.no_grad():
        first = network(image, marker)
        marker[:, channel, 20:40, 20:40] = 1
        assert not torch.equal(first.person, network(image, marker).person)


def test_every_parameter_learns(network):
    image, pose = torch.rand(1, 3, 128, 128), torch.rand(1, 39, 10)
    first = network(image, torch.rand(1, 2, 64, 64), pose)
    sum(maps.square().sum() for maps in first).backward()
    unused = {
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None and not name.startswith("encoder.")
    }
    assert not unused


def test_widths_must_match_the_levels():
    with pytest.raises(ValueError, match="widths: got 2 values, want 5"):
        build(widths=(8, 8))


def test_a_head_that_says_nothing_gives_the_middle_of_each_part(network):
    network = build()
    torch.nn.init.zeros_(network.heads.weight)
    torch.nn.init.zeros_(network.heads.bias)
    maps = network(torch.rand(1, 3, 128, 128), torch.zeros(1, 2, 64, 64))
    assert torch.equal(maps.position_m[0, :, :, 5, 7], CENTRES_M)


def test_norm_is_group_norm_and_keeps_bfloat16():
    maps = torch.randn(2, 16, 5, 7).contiguous(memory_format=torch.channels_last)
    norm = Norm(16)
    torch.nn.init.uniform_(norm.weight)
    plain = torch.nn.GroupNorm(NORM_GROUPS, 16)
    plain.load_state_dict(norm.state_dict())
    torch.testing.assert_close(norm(maps), plain(maps))
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(maps.bfloat16()).dtype == torch.bfloat16


def test_a_mark_in_one_corner_is_known_in_the_other(network):
    """Attention: without it the corner is out of reach of the marker's convolutions."""
    image, marker = torch.rand(1, 3, 256, 256), torch.zeros(1, 2, 128, 128)
    with torch.no_grad():
        features = network.encoder.features(image)
        before = network.context(features.stride32, marker, None)
        marker[..., :16, :16] = 1
        after = network.context(features.stride32, marker, None)
    assert (before - after)[0, :, -1, -1].abs().max() > 1e-4


def test_residuals_start_as_nothing_and_learn():
    torch.manual_seed(0)
    residual, maps = Residual(16, 24), torch.randn(2, 16, 6, 6, requires_grad=True)
    found = residual(maps)
    assert torch.equal(found, maps)
    found.square().sum().backward()
    last = residual.add[-1]
    assert last.weight.grad.abs().max() > 0
    torch.nn.init.normal_(last.weight)
    assert not torch.equal(residual(maps), maps)


def test_what_attends_once_more_starts_as_nothing():
    """So that an older decoder goes on from what it knows."""
    torch.manual_seed(0)
    network = build().eval()
    image, marker, pose = (
        torch.rand(1, 3, 128, 128),
        torch.rand(1, 2, 64, 64),
        torch.rand(1, 39, 10),
    )
    with torch.no_grad():
        before = network(image, marker, pose)
        for each in network.attend.parameters():
            torch.nn.init.normal_(each)
        assert torch.equal(before.part, network(image, marker, pose).part)
        torch.nn.init.normal_(network.attended.weight, std=0.1)
        after = network(image, marker, pose)
        assert not torch.equal(before.part, after.part)
        # and hears the landmarks
        torch.nn.init.normal_(network.attend_hint.to_tokens.weight)
        assert not torch.equal(after.part, network(image, marker, pose).part)
    assert network.encoder.strides[ATTENTION_LEVEL - 1] == 16


def test_heads_read_the_coarser_level_too(network):
    """Its weights come after those of the finest level."""
    network = build()
    torch.nn.init.zeros_(network.heads.weight)
    network.heads.weight.data[0, -1] = 1  # the person's logit is a channel of stride 4
    maps = network(torch.rand(1, 3, 128, 128), torch.zeros(1, 2, 64, 64))
    logit = maps.person[0]
    coarse = torch.nn.functional.avg_pool2d(logit[None, None], 2)
    again = torch.nn.functional.interpolate(coarse, logit.shape, mode="bilinear")[0, 0]
    assert logit.std() > 0
    assert (again - logit).abs().max() < 0.5 * (logit.max() - logit.min())

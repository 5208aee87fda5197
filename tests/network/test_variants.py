import numpy as np
import pytest
import torch
from torch import nn

from dimr.network.dimr import PAPER_SIZE
from dimr.network.variants import VARIANTS, build_stage2

NEEDS_PICTURE = ("hmr", "pare")
WITH_PARTS = ("dimr", "no_uv_feature", "no_uv_structure", "shuffled_uv", "pare")


class Hrnet480(nn.Module):
    """The shape of the paper's encoder."""

    channels = (480,)
    strides = (4,)


@pytest.fixture(params=VARIANTS)
def named_model(request, toy_encoder, toy_size, toy_parts, toy_rest):
    model = build_stage2(request.param, toy_encoder, toy_parts, toy_size, toy_rest)
    torch.nn.init.normal_(model.fuse.feature_gain.weight)
    return request.param, model


def changed(model, first, second):
    with torch.no_grad():
        return (model(*first).betas - model(*second).betas).abs().max().item() > 1e-7


class TestEveryVariant:
    def test_runs_learns_and_stays_finite(self, named_model, toy_batch):
        name, model = named_model
        regression = model(*toy_batch)
        assert regression.rotmats.shape == (3, 24, 3, 3)
        assert (regression.part_features is not None) == (name in WITH_PARTS)
        given = [each for each in regression if each is not None]
        sum(each.sum() for each in given).backward()
        assert all(each.isfinite().all() for each in given)
        assert all(each.grad.isfinite().all() for each in model.parameters())

    def test_from_the_iuv_alone(self, named_model, toy_batch):
        name, model = named_model
        _, mask, uv = toy_batch
        if name in NEEDS_PICTURE:
            with pytest.raises(ValueError, match="features: got None"):
                model.regress_from(None, mask, uv)
        else:
            assert model.regress_from(None, mask, uv).betas.isfinite().all()

    def test_uses_the_iuv_unless_it_is_a_baseline_without(self, named_model, toy_batch):
        name, model = named_model
        image, mask, uv = toy_batch
        moved = (image, mask, uv * 0.5)
        assert changed(model, toy_batch, moved) == (name not in NEEDS_PICTURE)

    def test_uses_the_picture(self, named_model, toy_batch):
        _, model = named_model
        image, mask, uv = toy_batch
        assert changed(model, toy_batch, (1 - image, mask, uv))


def test_no_uv_feature_wraps_colours(toy_encoder, toy_size, toy_parts, toy_batch):
    model = build_stage2("no_uv_feature", toy_encoder, toy_parts, toy_size)
    image, mask, uv = toy_batch
    one = torch.zeros_like(mask)
    one[0, 5, 6] = True
    uv[0, 5, 6] = torch.tensor([0.99, 0.01])
    arranged = model.wrap(None, one, uv, image)
    # an IUV pixel covers 2 x 2 pixels of the crop
    expected = image[0, :, 10:12, 12:14].mean((1, 2))
    torch.testing.assert_close(arranged.features[0, :, 0, 15], expected)
    assert arranged.features.count_nonzero() == 3


def test_no_uv_structure_keeps_the_iuv_in_place(toy_encoder, toy_size, toy_parts, toy_batch):
    model = build_stage2("no_uv_structure", toy_encoder, toy_parts, toy_size)
    _, mask, uv = toy_batch
    features = torch.rand(3, 5, 8, 8)
    arranged = model.wrap(features, mask, uv)
    assert arranged.features is features
    assert arranged.geometry.shape == (3, 20, 8, 8)
    # channels come as mask, u, v, x, y, each with its 2 x 2 pixels in reading order
    assert torch.equal(arranged.geometry[:, 3], mask[:, 1::2, 1::2].float())
    assert torch.equal(arranged.geometry[:, 4], uv[:, ::2, ::2, 0])
    assert arranged.geometry[0, 12, 0, 0] == -1 + 1 / 16


def test_no_attention_flattens_the_map(toy_encoder, toy_size, toy_parts):
    flat = build_stage2("no_attention", toy_encoder, toy_parts, toy_size)
    assert flat.complete.out_features == 16 * 4 * 4
    pooled = build_stage2("no_attention_no_conv", toy_encoder, toy_parts, toy_size)
    assert pooled.complete.out_features == (5 + 3) * 4 * 4
    assert list(pooled.complete.parameters()) == []


def test_papers_configuration():
    """HRNet-W32 at 224 pixels, C = 256, R = 56: shapes and number of parameters."""
    parts = np.arange(56 * 56).reshape(56, 56) % 24
    model = build_stage2("dimr", Hrnet480(), parts, PAPER_SIZE)
    count = {
        name: sum(each.numel() for each in part.parameters())
        for name, part in model.named_children()
    }
    assert count == {
        "encoder": 0,
        "fuse": 480 * 256 + 256,
        "wrap": 0,
        "complete": 259 * 256 * 9 + 256 * 256 * 9 + 4 * 256 + 257 * 24 + 24 * 14 * 14,
        "regress": (24 * 256 + 256 + 157 + 1) * 1024 + 1025 * 1024 + 1025 * 157,
    }
    mask = torch.zeros(1, 112, 112, dtype=torch.bool)
    uv = torch.zeros(1, 112, 112, 2)
    with torch.no_grad():
        regression = model.regress_from([torch.rand(1, 480, 56, 56)], mask, uv)
    assert regression.rotmats.shape == (1, 24, 3, 3)
    assert regression.part_features.shape == (1, 24, 256)
    assert regression.attention.shape == (1, 24, 14, 14)


class TestBuildStage2:
    def test_refuses_an_unknown_name(self, toy_encoder, toy_parts, toy_size):
        with pytest.raises(ValueError, match="name: got 'spin', want one of dimr"):
            build_stage2("spin", toy_encoder, toy_parts, toy_size)

    def test_refuses_an_atlas_of_another_resolution(self, toy_encoder, toy_parts):
        with pytest.raises(
            ValueError, match=r"atlas_parts: got shape \(16, 16\), want \(64, 64\)"
        ):
            build_stage2("dimr", toy_encoder, toy_parts)

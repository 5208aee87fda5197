import numpy as np
import pytest
import torch

from dimr.network.complete import Complete, ConvDown, PartAttention, ResidualBlock, part_area
from dimr.network.wrap import Arranged


class TestPartArea:
    def test_by_hand(self):
        """Part 0 fills one of four cells and half of another; part 1 a quarter of one."""
        parts = np.full((4, 4), -1, dtype=np.int8)
        parts[:2, :2] = 0
        parts[:2, 2] = 0
        parts[3, 3] = 1
        area = part_area(parts, 2, 2)
        assert area[0].tolist() == [[1.0, 0.5], [0.0, 0.0]]
        assert area[1].tolist() == [[0.0, 0.0], [0.0, 1.0]]
        assert not area[2:].any()

    def test_every_part_of_an_atlas_has_a_place(self, toy_parts):
        assert (part_area(toy_parts, 4, 4).amax((1, 2)) == 1).all()


class TestPartAttention:
    def test_equals_the_formula(self):
        """Eq. 2, part by part and cell by cell."""
        torch.manual_seed(0)
        attention = PartAttention(5, torch.rand(24, 3, 2), own_bias=4.0)
        features = torch.randn(2, 5, 3, 2)
        completed = attention(features)
        logits = attention.logits(features) + attention.place_bias
        for crop in range(2):
            for part in (0, 7, 23):
                weight = logits[crop, part].exp() / logits[crop, part].exp().sum()
                phi = (weight * features[crop]).sum((1, 2))
                torch.testing.assert_close(completed.part_features[crop, part], phi)
                torch.testing.assert_close(completed.attention[crop, part], weight)
        assert torch.equal(completed.vector, completed.part_features.flatten(1))

    def test_starts_at_the_parts_own_place(self, toy_parts):
        own = part_area(toy_parts, 8, 8)
        attention = PartAttention(4, own, own_bias=4.0)
        maps = attention(torch.zeros(1, 4, 8, 8)).attention[0].flatten(1)
        assert (own.flatten(1).gather(1, maps.argmax(1, keepdim=True)) == 1).all()
        inside = (maps * (own.flatten(1) > 0)).sum(1)
        assert (inside > 0.5).all()

    def test_what_passes_by_stands_behind_the_parts(self):
        torch.manual_seed(0)
        attention = PartAttention(5, torch.rand(24, 3, 2), own_bias=4.0, bypass=2, cells=6)
        features = torch.randn(2, 5, 3, 2)
        completed = attention(features)
        parts, passed = completed.vector.split([24 * 5, 2 * 6], dim=1)
        assert completed.vector.shape[1] == attention.out_features
        assert torch.equal(parts, completed.part_features.flatten(1))
        weight, bias = attention.squeeze.weight[:, :, 0, 0], attention.squeeze.bias
        wanted = weight @ features.flatten(2) + bias[:, None]
        torch.testing.assert_close(passed, wanted.flatten(1))

    def test_attention_sums_to_one(self):
        attention = PartAttention(4, None, own_bias=4.0)
        assert attention.place_bias is None
        maps = attention(torch.randn(2, 4, 6, 5)).attention
        torch.testing.assert_close(maps.sum((2, 3)), torch.ones(2, 24))


def test_residual_block_is_around_an_identity():
    block = ResidualBlock(8, groups=2)
    torch.nn.init.zeros_(block.body[-1].weight)
    features = torch.rand(1, 8, 3, 3)
    assert torch.equal(block(features), features)


class TestConvDown:
    def test_halves_at_each_stride(self):
        down = ConvDown(3, 4, ((8, 2), (16, 2), (16, 1)))
        arranged = Arranged(torch.rand(2, 3, 20, 20), torch.rand(2, 4, 20, 20))
        assert down(arranged).shape == (2, 16, 5, 5)
        assert down.out_channels == 16

    def test_zero_features_equal_no_features(self):
        down = ConvDown(3, 4, ((8, 2),))
        geometry = torch.rand(2, 4, 8, 8)
        with_zeros = down(Arranged(torch.zeros(2, 3, 8, 8), geometry))
        torch.testing.assert_close(down(Arranged(None, geometry)), with_zeros)

    def test_batch_equals_each_alone(self):
        down = ConvDown(0, 4, ((8, 2), (8, 2))).train()
        geometry = torch.rand(3, 4, 8, 8)
        alone = torch.cat([down(Arranged(None, each[None])) for each in geometry])
        torch.testing.assert_close(down(Arranged(None, geometry)), alone, atol=1e-5, rtol=1e-5)

    def test_finite_on_an_empty_atlas(self):
        down = ConvDown(3, 4, ((8, 2), (8, 2)))
        empty = Arranged(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 8, 8))
        down(empty).sum().backward()
        assert all(each.grad.isfinite().all() for each in down.parameters())

    def test_refuses_nothing_at_all(self):
        with pytest.raises(ValueError, match="features: got None"):
            ConvDown(3, 0, ((8, 2),))(Arranged(None, None))


def test_complete_is_down_then_pool():
    complete = Complete(ConvDown(3, 4, ((8, 2),)), PartAttention(8, None, 4.0))
    completed = complete(Arranged(None, torch.rand(2, 4, 8, 8)))
    assert completed.vector.shape == (2, complete.out_features) == (2, 24 * 8)
    assert completed.attention.shape == (2, 24, 4, 4)

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.network.wrap import Wrap, atlas_maps, bag_pixels, wrap_positions


def wrap(features, mask, uv, resolution):
    """As the network does it."""
    arranged = Wrap(resolution)(features, mask, uv)
    return SimpleNamespace(features=arranged.features, filled=arranged.geometry[:, 2:])


def sample_bilinear(feature_map, row, column, iuv_size):
    """One feature vector at the centre of an IUV pixel, by the resize rule."""
    height, width = feature_map.shape[1:]
    y = min(max((row + 0.5) * height / iuv_size[0] - 0.5, 0), height - 1)
    x = min(max((column + 0.5) * width / iuv_size[1] - 0.5, 0), width - 1)
    total = 0
    for cell_y in (int(y), int(y) + 1):
        for cell_x in (int(x), int(x) + 1):
            weight = max(1 - abs(y - cell_y), 0) * max(1 - abs(x - cell_x), 0)
            if weight > 0:
                total = total + weight * feature_map[:, cell_y, cell_x]
    return total


def slow_wrap(features, mask, uv, resolution):
    """The twin: Eq. 1 pixel by pixel."""
    batch, channels = features.shape[:2]
    cells = [[[[] for _ in range(resolution)] for _ in range(resolution)] for _ in range(batch)]
    for crop, row, column in mask.nonzero().tolist():
        u, v = uv[crop, row, column].tolist()
        texel_column = min(int(u * resolution), resolution - 1)
        texel_row = min(int(v * resolution), resolution - 1)
        cells[crop][texel_row][texel_column].append(
            sample_bilinear(features[crop], row, column, mask.shape[1:])
        )
    empty = features.new_zeros(channels)
    wrapped = [
        torch.stack(
            [torch.stack(cell).mean(0) if cell else empty for line in atlas for cell in line]
        )
        for atlas in cells
    ]
    filled = torch.tensor([[[bool(cell) for cell in line] for line in atlas] for atlas in cells])
    wrapped = torch.stack(wrapped).view(batch, resolution, resolution, channels)
    return wrapped.permute(0, 3, 1, 2), filled[:, None].to(features.dtype)


def random_case(seed, size, feature_size, resolution=4, visible=0.6):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 3, *feature_size, generator=generator, dtype=torch.float64)
    mask = torch.rand(2, *size, generator=generator) < visible
    uv = torch.rand(2, *size, 2, generator=generator, dtype=torch.float64) * mask[..., None]
    return features.requires_grad_(), mask, uv, resolution


class TestWrap:
    @settings(max_examples=15, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
        feature_size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
        visible=st.sampled_from([0.0, 0.2, 1.0]),
    )
    def test_equals_the_slow_twin(self, seed, size, feature_size, visible):
        case = random_case(seed, size, feature_size, visible=visible)
        fast, slow = wrap(*case), slow_wrap(*case)
        torch.testing.assert_close(fast.features, slow[0])
        assert torch.equal(fast.filled, slow[1])
        cotangent = torch.randn_like(fast.features)
        gradients = [
            torch.autograd.grad((wrapped * cotangent).sum(), case[0], allow_unused=True)[0]
            for wrapped in (fast.features, slow[0] + 0 * case[0].sum())
        ]
        torch.testing.assert_close(*gradients)

    def test_gradient_of_the_features(self):
        features, mask, uv, resolution = random_case(3, (6, 5), (3, 4))
        assert torch.autograd.gradcheck(
            lambda each: wrap(each, mask, uv, resolution).features, (features,)
        )

    def test_no_gradient_reaches_the_iuv(self):
        features, mask, uv, resolution = random_case(3, (6, 5), (6, 5))
        uv.requires_grad_()
        wrap(features, mask, uv, resolution).features.sum().backward()
        assert features.grad is not None
        assert uv.grad is None

    def test_by_hand(self):
        """Two pixels share the texel in column 1, row 0; one names the last; one is hidden."""
        features = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])
        mask = torch.tensor([[[True, True], [True, False]]])
        uv = torch.tensor([[[[0.5, 0.0], [0.99, 0.49]], [[1.0, 1.0], [0.0, 0.0]]]])
        wrapped = wrap(features, mask, uv, 2)
        assert wrapped.features.tolist() == [[[[0.0, 1.5], [0.0, 4.0]]]]
        assert wrapped.filled.tolist() == [[[[0.0, 1.0], [0.0, 1.0]]]]

    def test_samples_between_feature_cells(self):
        """Four pixels above two feature cells: centres at 0, 1/4, 3/4 and 1 of the way."""
        features = torch.tensor([[[[0.0, 4.0]]]])
        mask = torch.ones(1, 1, 4, dtype=torch.bool)
        uv = torch.tensor([[[[0.1, 0.0], [0.3, 0.0], [0.6, 0.0], [0.9, 0.0]]]])
        wrapped = wrap(features, mask, uv, 4)
        assert wrapped.features[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]

    def test_ignores_the_order_of_pixels(self):
        features, mask, uv, resolution = random_case(5, (7, 8), (7, 8))
        order = torch.randperm(7 * 8, generator=torch.Generator().manual_seed(0))
        moved = wrap(
            features.flatten(2)[..., order].view_as(features),
            mask.flatten(1)[:, order].view_as(mask),
            uv.flatten(1, 2)[:, order].view_as(uv),
            resolution,
        )
        wrapped = wrap(features, mask, uv, resolution)
        torch.testing.assert_close(moved.features, wrapped.features)
        assert torch.equal(moved.filled, wrapped.filled)

    def test_hidden_pixels_do_not_matter(self):
        features, mask, uv, resolution = random_case(5, (7, 8), (7, 8))
        loud = torch.where(mask[:, None], features, torch.inf)
        noise = torch.where(mask[..., None], uv, torch.rand_like(uv))
        torch.testing.assert_close(
            wrap(loud.nan_to_num(posinf=1e30), mask, noise, resolution).features,
            wrap(features, mask, uv, resolution).features,
        )

    def test_same_twice_and_crop_by_crop(self):
        features, mask, uv, resolution = random_case(6, (20, 20), (10, 10), visible=0.9)
        wrapped = wrap(features, mask, uv, resolution).features
        assert torch.equal(wrapped, wrap(features, mask, uv, resolution).features)
        alone = [
            wrap(features[i : i + 1], mask[i : i + 1], uv[i : i + 1], resolution).features
            for i in range(2)
        ]
        torch.testing.assert_close(torch.cat(alone), wrapped)

    def test_nobody_visible(self):
        features, mask, uv, resolution = random_case(7, (6, 6), (3, 3), visible=0.0)
        wrapped = wrap(features, mask, uv, resolution)
        assert not wrapped.features.any()
        assert not wrapped.filled.any()
        wrapped.features.sum().backward()
        assert not features.grad.any()


def test_wrap_positions_by_hand():
    mask = torch.tensor([[[True, False], [True, True]]])
    uv = torch.zeros(1, 2, 2, 2)
    uv[0, 1, 1] = 0.9
    positions = wrap_positions(bag_pixels(mask, uv, 2), (2, 2))
    assert positions[0, :, 0, 0].tolist() == [-0.5, 0.0]  # mean of (-.5, -.5) and (-.5, .5)
    assert positions[0, :, 1, 1].tolist() == [0.5, 0.5]
    assert not positions[0, :, 0, 1].any()


class TestAtlasMaps:
    def test_centres_and_rest(self):
        rest = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
        rest[0, 0] = np.nan
        maps = atlas_maps(2, rest)
        assert maps[0].tolist() == [[-0.5, 0.5], [-0.5, 0.5]]
        assert maps[1].tolist() == [[-0.5, -0.5], [0.5, 0.5]]
        assert maps[2:, 0, 0].tolist() == [0, 0, 0]
        assert maps[2:, 1, 0].tolist() == [6, 7, 8]

    def test_refuses_another_resolution(self):
        with pytest.raises(ValueError, match="rest_positions_m: got shape"):
            atlas_maps(3, np.zeros((2, 2, 3), dtype=np.float32))


class TestWrapModule:
    def test_geometry_holds_positions_filled_and_constants(self, toy_rest, toy_batch):
        _, mask, uv = toy_batch
        module = Wrap(16, toy_rest)
        arranged = module(None, mask, uv)
        assert arranged.features is None
        assert arranged.geometry.shape == (3, module.geometry_channels, 16, 16)
        _, filled = slow_wrap(torch.zeros(3, 1, 4, 4), mask, uv, 16)
        assert torch.equal(arranged.geometry[:, 2:3], filled)
        assert torch.equal(arranged.geometry[0, 3:], arranged.geometry[2, 3:])
        assert arranged.geometry.isfinite().all()

    def test_without_constants(self, toy_batch):
        _, mask, uv = toy_batch
        assert Wrap(16)(None, mask, uv).geometry.shape == (3, 3, 16, 16)

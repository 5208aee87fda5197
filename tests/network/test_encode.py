import pytest
import torch
from torch.nn import functional as F

from dimr.network.encode import FuseFeatures, Standardise


def test_equals_one_convolution_of_the_concatenated_maps():
    """The twin: enlarge all, concatenate, mix. Exact for two maps."""
    torch.manual_seed(0)
    fuse = FuseFeatures((4, 6), 5, zero_start=False)
    maps = [torch.rand(2, 4, 8, 8), torch.rand(2, 6, 4, 4)]
    large = F.interpolate(maps[1], size=8, mode="bilinear", align_corners=False)
    weight = torch.cat([conv.weight for conv in fuse.project], dim=1)
    twin = F.conv2d(torch.cat([maps[0], large], dim=1), weight, fuse.project[0].bias)
    torch.testing.assert_close(fuse(maps), twin)


def test_constant_maps_are_enlarged_exactly():
    torch.manual_seed(0)
    fuse = FuseFeatures((3, 3, 3), 4, zero_start=False)
    fused = fuse([torch.ones(1, 3, size, size) for size in (12, 6, 3)])
    expected = sum(conv.weight.sum((1, 2, 3)) for conv in fuse.project) + fuse.project[0].bias
    torch.testing.assert_close(fused, expected.view(1, 4, 1, 1).expand(1, 4, 12, 12))


def test_zero_start_is_zero_but_learns():
    fuse = FuseFeatures((4,), 5)
    fused = fuse([torch.rand(1, 4, 3, 3)])
    assert not fused.any()
    fused.sum().backward()
    assert fuse.feature_gain.weight.grad.any()


def test_silenced_features_are_zero_again_and_may_learn_again():
    fuse = FuseFeatures((4,), 5)
    torch.nn.init.ones_(fuse.feature_gain.weight)
    maps = [torch.rand(1, 4, 3, 3)]
    assert fuse(maps).any()
    fuse.silence()
    fused = fuse(maps)
    fused.sum().backward()
    assert not fused.any() and fuse.feature_gain.weight.grad.any()
    with pytest.raises(ValueError, match="without a zero start"):
        FuseFeatures((4,), 5, zero_start=False).silence()


def test_refuses_another_number_of_maps():
    with pytest.raises(ValueError, match="maps: got 1, want 2"):
        FuseFeatures((4, 6), 5)([torch.rand(1, 4, 8, 8)])


class TestStandardise:
    MAPS = (40 + 3 * torch.randn(16, 4, 6, 6, generator=torch.Generator().manual_seed(0))).detach()

    def test_the_first_batch_starts_the_statistics(self):
        layer = Standardise(4)
        found = layer(self.MAPS)
        torch.testing.assert_close(found.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
        torch.testing.assert_close(found.std((0, 2, 3), correction=0), torch.ones(4))

    def test_nobody_depends_on_who_else_is_in_the_batch(self):
        layer = Standardise(4)
        layer(self.MAPS)
        layer.eval()
        torch.testing.assert_close(layer(self.MAPS)[3:4], layer(self.MAPS[3:4]))

    def test_statistics_follow_in_training_only(self):
        layer = Standardise(4)
        layer(self.MAPS)
        before = layer.mean.clone()
        layer.eval()(self.MAPS + 10)
        torch.testing.assert_close(layer.mean, before)
        layer.train()(self.MAPS + 10)
        torch.testing.assert_close(layer.mean, before + 0.1, atol=1e-3, rtol=0)

    def test_a_channel_that_never_changes_stays_finite(self):
        assert torch.isfinite(Standardise(2)(torch.full((3, 2, 4, 4), 7.0))).all()

    def test_a_large_constant_in_one_map_does_not_drown_the_others(self):
        """What happened to the maps of BlazePose at stride 32 before."""
        torch.manual_seed(0)
        fine, coarse = torch.randn(8, 3, 8, 8), 100 + torch.randn(8, 5, 4, 4)
        fuse = FuseFeatures((3, 5), 16, zero_start=True, standardise=True)
        fuse.feature_gain.weight.data.copy_(torch.eye(16)[..., None, None])
        found = fuse([fine, coarse])
        assert 0.3 < (found > 0).float().mean() < 0.7
        assert (found.std((0, 2, 3)) > 0.05).all()

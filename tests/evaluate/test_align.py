import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dimr.evaluate.align import procrustes_align


def random_points(seed: int, batch: int, num: int = 14) -> torch.Tensor:
    return torch.randn(batch, num, 3, generator=torch.Generator().manual_seed(seed)).double()


def slow_align(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Readable twin for one item, by scipy's solver for the rotation."""
    centred, wanted = source - source.mean(0), target - target.mean(0)
    rotation, _ = Rotation.align_vectors(wanted, centred)
    turned = rotation.apply(centred)
    scale = (turned * wanted).sum() / (centred**2).sum()
    return scale * turned + target.mean(0)


class TestProcrustesAlign:
    @given(seed=st.integers(0, 10_000))
    @settings(max_examples=25, deadline=None)
    def test_procrustes_align_undoes_any_similarity(self, seed):
        target = random_points(seed, 1)
        rng = np.random.default_rng(seed)
        rotation = torch.from_numpy(Rotation.random(random_state=seed).as_matrix())
        scale, shift = rng.uniform(0.2, 4), torch.from_numpy(rng.normal(size=3))
        source = scale * target @ rotation.T + shift
        torch.testing.assert_close(procrustes_align(source, target), target, atol=1e-9, rtol=0)

    @pytest.mark.parametrize("seed", range(5))
    def test_procrustes_align_equals_slow_twin(self, seed):
        source, target = random_points(seed, 1), random_points(seed + 100, 1)
        expected = slow_align(source[0].numpy(), target[0].numpy())
        np.testing.assert_allclose(procrustes_align(source, target)[0], expected, atol=1e-8)

    @pytest.mark.parametrize("batch", [1, 2, 3, 4, 7])
    def test_batches_of_two_or_three_align_like_single_items(self, batch):
        source, target = random_points(1, batch), random_points(2, batch)
        alone = [procrustes_align(source[i : i + 1], target[i : i + 1]) for i in range(batch)]
        torch.testing.assert_close(procrustes_align(source, target), torch.cat(alone))

    def test_mirror_images_are_not_aligned_by_reflection(self):
        target = random_points(3, 1)
        source = target * torch.tensor([-1.0, 1.0, 1.0])
        assert (procrustes_align(source, target) - target).abs().max() > 0.1

    def test_coinciding_points_give_finite_output(self):
        source = torch.zeros(1, 14, 3)
        assert torch.isfinite(procrustes_align(source, random_points(0, 1).float())).all()

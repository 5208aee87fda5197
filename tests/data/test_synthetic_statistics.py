"""Statistics of picture sets, on pictures whose numbers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimr.data.synthetic.statistics import (
    histogram_distances,
    picture_statistics,
    spectrum_slope,
)

SIDE = 192


def _flat(*rgb: int) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), rgb, np.uint8)


class TestPictureStatistics:
    def test_two_grey_pictures(self):
        found = picture_statistics([_flat(100, 100, 100), _flat(200, 200, 200)])
        np.testing.assert_allclose(found.mean_rgb, 150)
        np.testing.assert_allclose(found.std_rgb, 50)
        assert found.saturation == 0 and found.contrast == 0 and found.gradient == 0
        assert found.flat_share == 1 and found.dark_share == 0

    def test_saturation_and_dark_share(self):
        found = picture_statistics([_flat(200, 100, 100), _flat(40, 40, 40)])
        assert found.saturation == pytest.approx(0.25, abs=0.01)
        assert found.dark_share == 0.5

    def test_black_border_does_not_count(self):
        """Neither as dark pixels nor as an edge."""
        image = _flat(120, 120, 120)
        image[:, :60] = 0
        found = picture_statistics([image])
        np.testing.assert_allclose(found.mean_rgb, 120)
        assert found.gradient == 0 and found.contrast == 0

    def test_gradient_of_a_ramp(self):
        ramp = np.repeat((np.arange(SIDE) // 2 + 60).astype(np.uint8)[None], SIDE, axis=0)
        found = picture_statistics([np.repeat(ramp[..., None], 3, axis=2)])
        # Half a level of grey per pixel is about half a level of lightness.
        assert 0.35 < found.gradient < 0.75

    def test_histograms_sum_to_one(self):
        rng = np.random.default_rng(0)
        found = picture_statistics([rng.integers(0, 256, (50, 90, 3)).astype(np.uint8)])
        for name in ("lightness", "lab_a", "lab_b", "saturations", "values", "gradients"):
            assert getattr(found, name).sum() == pytest.approx(1)

    @pytest.mark.parametrize("pictures", [[], [np.zeros((20, 20, 3), np.uint8)]])
    def test_nothing_to_see_is_refused(self, pictures):
        with pytest.raises(ValueError, match="pictures"):
            picture_statistics(pictures)


class TestSpectrumSlope:
    @settings(deadline=None, max_examples=8)
    @given(power=st.floats(0, 3), seed=st.integers(0, 100))
    def test_slope_of_filtered_noise(self, power, seed):
        """Noise whose power falls as a power of the frequency."""
        noise = np.random.default_rng(seed).standard_normal((SIDE, SIDE))
        cycles = np.fft.fftfreq(SIDE) * SIDE
        radius = np.maximum(np.hypot(cycles[:, None], cycles[None]), 1)
        shaped = np.fft.ifft2(np.fft.fft2(noise) * radius ** (-power / 2)).real
        assert spectrum_slope(shaped.astype(np.float32)) == pytest.approx(-power, abs=0.25)


class TestComparison:
    def test_distance_of_shifted_lightness(self):
        dark, light = (
            picture_statistics([_flat(60, 60, 60)]),
            picture_statistics([_flat(190, 190, 190)]),
        )
        same, apart = histogram_distances(dark, dark), histogram_distances(dark, light)
        assert set(same.values()) == {0.0}
        assert apart["values"] == pytest.approx((190 // 4 - 60 // 4) / 63)
        assert apart["lab_a"] == 0 and apart["gradients"] == 0

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dimr.encoder.blazepose import BlazePose, BlazePoseEncoder, Refine

GOLDEN = Path(__file__).parent / "golden_blazepose.npz"
GOLDEN_STEP = 4  # as in scripts/import_blazepose.py


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def picture(golden) -> torch.Tensor:
    image = torch.from_numpy(golden["picture"]).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(
        image, size=(256, 256), mode="bilinear", align_corners=False, antialias=True
    )


@pytest.fixture(scope="module")
def outputs(picture) -> dict[str, np.ndarray]:
    with torch.no_grad():
        found = BlazePose.pretrained()(picture)._asdict()
    return {name: values.numpy() for name, values in found.items()}


class TestBlazePose:
    @pytest.mark.parametrize(
        "name", ["landmarks_px", "presence", "mask_logits", "heatmaps", "world_landmarks_m"]
    )
    def test_agrees_with_the_original_interpreter(self, golden, outputs, name):
        ours = outputs[name]
        if name in ("mask_logits", "heatmaps"):
            ours = ours[..., ::GOLDEN_STEP, ::GOLDEN_STEP]
        assert ours.shape == golden[name].shape
        # Mask logits reach 1700 and amplify rounding: the original's own kernels differ by 5e-4.
        tolerance = 2e-3 if name == "mask_logits" else 1e-3
        assert np.abs(ours - golden[name]).max() <= tolerance * np.abs(golden[name]).max()

    def test_finds_the_person(self, outputs):
        assert outputs["presence"][0] > 0.5
        nose_px = outputs["landmarks_px"][0, 0, :2]
        assert np.abs(nose_px - [114, 62]).max() < 10
        row, column = np.round(nose_px[::-1]).astype(int)
        assert outputs["mask_logits"][0, 0, row, column] > 0
        assert outputs["mask_logits"][0, 0, 5, 5] < 0

    def test_heatmap_peaks_lie_on_the_landmarks(self, outputs):
        nose = outputs["heatmaps"][0, 0]
        row, column = np.unravel_index(nose.argmax(), nose.shape)
        peak_px = (np.array([column, row]) + 0.5) * 4 - 0.5
        assert np.abs(peak_px - outputs["landmarks_px"][0, 0, :2]).max() < 8

    def test_other_sizes_are_refused(self):
        with pytest.raises(ValueError, match=r"image: got \(128, 128\) pixels, want 256"):
            BlazePose()(torch.zeros(1, 3, 128, 128))

    def test_weights_are_the_stored_float16_values(self):
        for name, weight in BlazePose.pretrained().state_dict().items():
            assert weight.dtype == torch.float32
            assert torch.equal(weight, weight.half().float()), name


class TestRefine:
    def test_halving_pads_only_the_end(self):
        # A filter that picks its first tap must see pixels 0, 2, ..., not -1, 1, ...
        block = Refine(1, stride=2)
        with torch.no_grad():
            for parameter in block.parameters():
                parameter.zero_()
            block.filter.weight[0, 0, 0, 0] = 1
            block.mix.weight.fill_(1)
        ramp = torch.arange(16, dtype=torch.float32).view(1, 1, 4, 4) / 16
        picked = ramp[..., ::2, ::2]
        largest = ramp[..., 1::2, 1::2]
        assert torch.allclose(block(ramp), picked + largest)


class TestBlazePoseEncoder:
    @pytest.mark.parametrize(("height", "width"), [(128, 128), (192, 192), (256, 256), (320, 160)])
    def test_shapes_follow_the_declared_channels_and_strides(self, height, width):
        encoder = BlazePoseEncoder()
        with torch.no_grad():
            maps = encoder(torch.rand(1, 3, height, width))
        declared = zip(encoder.channels, encoder.strides, strict=True)
        assert [tuple(m.shape[1:]) for m in maps] == [
            (channels, height // stride, width // stride) for channels, stride in declared
        ]

    def test_stride2_map_is_the_stem(self):
        encoder = BlazePoseEncoder()
        image = torch.rand(1, 3, 128, 128)
        with torch.no_grad():
            pyramid = encoder.features(image)
            assert pyramid.stride2.shape == (1, 16, 64, 64)
            assert torch.allclose(pyramid.stride2, encoder.stem(image), atol=1e-5)

    def test_is_fully_convolutional(self, picture):
        # Far from the borders a larger canvas changes nothing but the place. The receptive field
        # is larger than any picture here, so only the stem is exact; the rest must correlate.
        encoder = BlazePoseEncoder.pretrained()
        canvas = F.pad(picture, (64, 64, 64, 64))
        with torch.no_grad():
            alone, inside = encoder.features(picture), encoder.features(canvas)
        assert torch.allclose(
            alone.stride2[..., 2:-2, 2:-2], inside.stride2[..., 34:-34, 34:-34], atol=1e-4
        )
        stacked = torch.stack(
            [alone.stride4.flatten(), inside.stride4[..., 16:-16, 16:-16].flatten()]
        )
        assert torch.corrcoef(stacked)[0, 1] > 0.9

    def test_batch_entries_do_not_mix(self, picture):
        encoder = BlazePoseEncoder.pretrained()
        small = F.interpolate(picture, size=(128, 128), mode="area")
        with torch.no_grad():
            alone = encoder(small)
            together = encoder(torch.cat([torch.zeros_like(small), small]))
        for one, two in zip(alone, together, strict=True):
            assert torch.allclose(one[0], two[1], rtol=1e-4, atol=1e-4 * float(one.abs().max()))

    def test_state_dict_round_trip(self):
        source = BlazePoseEncoder.pretrained()
        target = BlazePoseEncoder()
        target.load_state_dict(source.state_dict())
        image = torch.rand(1, 3, 128, 128)
        with torch.no_grad():
            for ours, theirs in zip(target(image), source(image), strict=True):
                assert torch.equal(ours, theirs)

    def test_gradient_reaches_every_parameter(self):
        encoder = BlazePoseEncoder.pretrained()
        sum(
            features.square().mean() for features in encoder(torch.rand(2, 3, 128, 128))
        ).backward()
        for name, parameter in encoder.named_parameters():
            assert parameter.requires_grad
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name

    def test_odd_sizes_are_refused(self):
        with pytest.raises(ValueError, match="image: got 128 x 100 pixels, want multiples of 32"):
            BlazePoseEncoder()(torch.zeros(1, 3, 128, 100))

"""EfficientNet-Lite0: sizes, TensorFlow's padding, timm's network."""

import pytest
import torch
import torch.nn.functional as F

from dimr.encoder.lite0 import DETAIL_CHANNELS, HalvingDepthwise, Lite0Encoder


@pytest.fixture(scope="module")
def encoder() -> Lite0Encoder:
    torch.manual_seed(0)
    return Lite0Encoder().eval()


def test_maps_have_their_strides_and_channels(encoder):
    with torch.no_grad():
        *maps, top = encoder.features(torch.rand(2, 3, 64, 96))
    channels = (DETAIL_CHANNELS, *encoder.channels)
    assert channels == (16, 24, 40, 112, 320)
    for level, (found, count) in enumerate(zip(maps, channels, strict=True)):
        assert found.shape == (2, count, 64 >> level + 1, 96 >> level + 1)
    assert torch.equal(top, maps[-1])


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_end_is_padded_by_one_more(kernel):
    """SAME of TensorFlow at stride 2: the first window begins (kernel - 2) // 2 before the map."""
    layer = HalvingDepthwise(1, kernel)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.zero_()
        found = layer(torch.ones(1, 1, 8, 8))[0, 0]
    before = (kernel - 2) // 2
    along = [min(8, 2 * k - before + kernel) - max(0, 2 * k - before) for k in range(4)]
    expected = torch.tensor([[float(a * b) for b in along] for a in along])
    assert torch.equal(found, expected)


def test_pictures_are_signed_and_padded_with_grey(encoder):
    """Beside the picture is what a grey of one half is inside of it: zero after signing."""
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        stem = F.relu6(encoder.stem(F.pad(2 * image - 1, (0, 1, 0, 1))))
        expected = encoder.first(stem)
        torch.testing.assert_close(encoder.features(image).stride2, expected)
        grey = F.pad(image, (0, 32, 0, 32), value=0.5)
        inside = encoder.features(grey).stride2[:, :, :15, :15]
        torch.testing.assert_close(inside, expected[:, :, :15, :15])


def test_other_sides_are_refused(encoder):
    with pytest.raises(ValueError, match="image: got 64 x 80 pixels, want multiples of 32"):
        encoder.features(torch.rand(1, 3, 64, 80))


def test_it_is_timms_network(encoder):
    """The same sums, with timm's batch norms folded into the convolutions before them."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True).eval()
    norms = [each for each in theirs.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    convolutions = [each for each in theirs.modules() if isinstance(each, torch.nn.Conv2d)]
    ours = [each for each in encoder.modules() if isinstance(each, torch.nn.Conv2d)]
    with torch.no_grad():
        for layer, convolution, norm in zip(ours, convolutions, norms, strict=True):
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            layer.weight.copy_(convolution.weight * scale[:, None, None, None])
            layer.bias.copy_(norm.bias - norm.running_mean * scale)
        image = torch.rand(1, 3, 64, 64)
        for mine, other in zip(encoder.features(image)[:5], theirs(2 * image - 1), strict=True):
            torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)

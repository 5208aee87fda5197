"""EfficientNet-Lite0 (Google, Apache-2.0): picture -> maps of a network that knows ImageNet.

What people hold and what stands before them is seen better by a network that has learnt what
things look like than by one that has learnt poses. `scripts/import_lite0.py` makes its weights,
with batch norm folded into the convolutions, and compares the maps with those of timm.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dimr.encoder.blazepose import Block, Depthwise, InvertedResidual, Pyramid, pointwise, relu6

DETAIL_CHANNELS = 16
"""Of the map at stride 2."""
STAGES = (
    (Block(96, 3, 2, 24), Block(144, 3, 1, 24)),
    (Block(144, 5, 2, 40), Block(240, 5, 1, 40)),
    (
        Block(240, 3, 2, 80),
        Block(480, 3, 1, 80),
        Block(480, 3, 1, 80),
        Block(480, 5, 1, 112),
        Block(672, 5, 1, 112),
        Block(672, 5, 1, 112),
    ),
    (
        Block(672, 5, 2, 192),
        Block(1152, 5, 1, 192),
        Block(1152, 5, 1, 192),
        Block(1152, 5, 1, 192),
        Block(1152, 3, 1, 320),
    ),
)


class HalvingDepthwise(Depthwise):
    """At stride 2 with TensorFlow's SAME padding: at even sizes one pixel more at the end."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__(channels, kernel, 2, padding=0)
        self.pad = 2 * ((kernel - 2) // 2, (kernel - 1) // 2)

    def forward(self, input: Tensor) -> Tensor:
        """Half the size."""
        return super().forward(F.pad(input, self.pad))


class Lite0Encoder(nn.Module):
    """Picture -> maps at strides 2 to 32, without ways back up. Initial weights are random."""

    channels = tuple(blocks[-1].out for blocks in STAGES)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        self.first = nn.Sequential(Depthwise(32, 3), relu6(), pointwise(32, DETAIL_CHANNELS))
        self.stages = nn.ModuleList()
        width = DETAIL_CHANNELS
        for blocks in STAGES:
            stage = nn.Sequential()
            for block in blocks:
                layer = InvertedResidual(width, block)
                if block.stride == 2:
                    layer.filter = HalvingDepthwise(block.hidden, block.kernel)
                stage.append(layer)
                width = block.out
            self.stages.append(stage)

    def features(self, image: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """All feature maps of a batch of RGB pictures in [0, 1].

        Raises:
            ValueError: if a side of the pictures is not a multiple of 32.
        """
        height, width = image.shape[-2:]
        if height % 32 or width % 32:
            raise ValueError(f"image: got {height} x {width} pixels, want multiples of 32")
        signed = (2 * image - 1).contiguous(memory_format=torch.channels_last)
        maps = [self.first(F.relu6(self.stem(F.pad(signed, (0, 1, 0, 1)))))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return Pyramid(*maps, top=maps[-1])

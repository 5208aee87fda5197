"""MoveNet MultiPose: a picture -> where people are and roughly how they stand, all at once.

Google's network (TensorFlow Hub, movenet/multipose/lightning/1, Apache-2.0) rebuilt as a torch
module: MobileNetV2 down to stride 32, a top-down path back up to stride 4, and six heads in the
manner of CenterNet. It learnt from photographs of many people at a time, which no other network
here did: it says where to look. `scripts/import_movenet.py` makes the weights and compares the
outputs with the original. Batch norm is folded into the convolutions.

Pictures are RGB in [0, 1], of any size that 32 divides; it likes people who fill 256 px best.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from dimr.assets import asset_path
from dimr.encoder.blazepose import pointwise, upsample2

WEIGHTS = "movenet_multipose.safetensors"
SIZE = 256
"""Side of the pictures that it learnt from."""
STRIDE = 4
"""Of its maps."""
NUM_KEYPOINTS = 17
"""COCO's: nose, eyes, ears, then shoulders, elbows, wrists, hips, knees and ankles, left first."""
STEM, FIRST, TOP = 48, 24, 1280
STAGES = (
    ((144, 2, 40), (240, 1, 40)),
    ((240, 2, 48), (288, 1, 48), (288, 1, 48)),
    ((288, 2, 96), (576, 1, 96), (576, 1, 96), (576, 1, 96)),
    (
        *((576, 1, 144), (864, 1, 144), (864, 1, 144)),
        *((864, 2, 240), (1440, 1, 240), (1440, 1, 240), (1440, 1, 480)),
    ),
)
"""(hidden, stride, out) of the inverted residual blocks; all but the last stage have a lateral."""
LATERALS = (24, 32, 64)
"""Widths of the top-down path at strides 4, 8 and 16."""
HEAD = 96


class MoveNetMaps(NamedTuple):
    """The heads' answers, each cell about a person whose middle it is; places are (y, x)."""

    centre: Float[Tensor, "B 1 h w"]
    """Logit of a person's middle."""
    box_size: Float[Tensor, "B 2 h w"]
    """Height and width of their box, cells."""
    box_offset: Float[Tensor, "B 2 h w"]
    """Where in the cell the middle is."""
    heatmap: Float[Tensor, "B 17 h w"]
    """Logit of anybody's keypoint."""
    keypoint: Float[Tensor, "B 34 h w"]
    """From a middle to its keypoints, cells."""
    keypoint_offset: Float[Tensor, "B 34 h w"]
    """From a keypoint's cell to the keypoint."""


HEADS = dict(zip(MoveNetMaps._fields, (1, 2, 2, 17, 34, 34), strict=True))


class Filter(nn.Conv2d):
    """Depthwise 3 x 3, padded as TensorFlow does: at stride 2 of even sizes right and below."""

    def __init__(self, channels: int, stride: int = 1, bias: bool = True):
        padding = 1 if stride == 1 else 0
        super().__init__(channels, channels, 3, stride, padding, groups=channels, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Filtered features."""
        return super().forward(input if self.stride[0] == 1 else F.pad(input, (0, 1, 0, 1)))


class Inverted(nn.Module):
    """Expand to `hidden` (unless that is what comes), filter each channel, project to `out`."""

    def __init__(self, inputs: int, hidden: int, stride: int, out: int):
        super().__init__()
        self.expand = pointwise(inputs, hidden) if hidden != inputs else None
        self.filter = Filter(hidden, stride)
        self.project = pointwise(hidden, out)
        self.residual = stride == 1 and inputs == out

    def forward(self, features: Tensor) -> Tensor:
        """Features after the block."""
        hidden = features if self.expand is None else F.relu6(self.expand(features))
        out = self.project(F.relu6(self.filter(hidden)))
        return features + out if self.residual else out


class FilterAndMix(nn.Module):
    """Depthwise 3 x 3 without bias, 1 x 1 to another width, activated."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.filter = Filter(inputs, bias=False)
        self.mix = pointwise(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the new width."""
        return F.relu(self.mix(self.filter(features)))


class MoveNet(nn.Module):
    """Pictures -> maps at stride 4 that say who is where.

    Initial weights are random; `pretrained` loads the shipped ones.
    """

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        self.first = Inverted(STEM, STEM, 1, FIRST)
        stages, width = [], FIRST
        for blocks in STAGES:
            stage = nn.Sequential()
            for hidden, stride, out in blocks:
                stage.append(Inverted(width, hidden, stride, out))
                width = out
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.top = nn.Sequential(
            pointwise(width, TOP), nn.ReLU6(inplace=True), pointwise(TOP, LATERALS[-1])
        )
        seen = [blocks[-1][2] for blocks in STAGES[:-1]]
        self.laterals = nn.ModuleList(
            pointwise(inputs, outputs) for inputs, outputs in zip(seen, LATERALS, strict=True)
        )
        narrower = (LATERALS[0], *LATERALS[:-1])
        self.merges = nn.ModuleList(
            FilterAndMix(inputs, outputs)
            for inputs, outputs in zip(LATERALS, narrower, strict=True)
        )
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(FilterAndMix(LATERALS[0], HEAD), pointwise(HEAD, channels))
                for name, channels in HEADS.items()
            }
        )

    @classmethod
    def pretrained(cls) -> "MoveNet":
        """The network with the shipped weights, in float32."""
        network = cls()
        network.load_state_dict(load_file(asset_path(WEIGHTS)))
        return network

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> MoveNetMaps:
        """Who is where."""
        padded = F.pad(2 * image - 1, (0, 1, 0, 1))
        fast = padded.contiguous(memory_format=torch.channels_last)
        features = self.first(F.relu6(self.stem(fast)))
        maps: list[Tensor] = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        features = self.top(maps.pop())
        for level in reversed(range(len(LATERALS))):
            features = upsample2(features) + self.laterals[level](maps[level])
            features = self.merges[level](features)
        return MoveNetMaps(**{name: head(features) for name, head in self.heads.items()})

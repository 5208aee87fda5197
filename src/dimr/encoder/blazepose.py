"""The `compact` encoder: picture -> feature pyramid of a network that has already seen people.

This is MediaPipe Pose's landmark network ("BlazePose full", Bazarevsky et al. 2020, Apache-2.0)
rebuilt as a torch module: an inverted-residual encoder down to stride 32, a top-down path of
width 48 back up to stride 4, and the original branches for landmarks, mask and heat maps. The
paper starts from an HRNet trained on COCO poses; this network plays the same role with weights
that may be shipped. `scripts/import_blazepose.py` makes them and compares all outputs with the
original. Batch norm is folded into the convolutions, so they have biases and nothing else.

Pictures are RGB in [0, 1], without further normalisation. The encoder and the mask are fully
convolutional; the landmark branch exists for pictures of 256 x 256 only.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from dimr.assets import asset_path

WEIGHTS = "blazepose_full.safetensors"
STRIDE2_CHANNELS = 16
PYRAMID_CHANNELS = 48
MASK_CHANNELS = 8
LANDMARK_CHANNELS = 288
LANDMARK_SIZE = 256
NUM_LANDMARKS = 39
"""33 body landmarks, then 6 auxiliary ones that MediaPipe uses to place the next crop."""
LANDMARK_VALUES = 8
"""Of each: x, y, z in the picture; being seen, being inside; x, y, z in metres."""
HIPS, CIRCLE = 33, 34
"""Of those: the middle of the hips, and a point on the circle around the whole body."""


class Block(NamedTuple):
    """One inverted residual block: expand to `hidden`, filter each channel, project to `out`."""

    hidden: int
    kernel: int
    stride: int
    out: int


class Size(NamedTuple):
    """What the networks of the family differ in."""

    stem: int
    """Channels of the stem's map at stride 2."""
    stages: tuple[tuple[Block, ...], ...]
    """Encoder stages; they end at strides 4, 8, 16 and 32."""
    top: int
    """Channels of the widened map at stride 32."""


STAGES = (
    (Block(64, 3, 2, 24), Block(144, 3, 1, 24)),
    (Block(144, 5, 2, 32), Block(192, 5, 1, 32)),
    (
        Block(192, 3, 2, 64),
        Block(384, 3, 1, 64),
        Block(384, 3, 1, 64),
        Block(384, 5, 1, 88),
        Block(528, 5, 1, 88),
        Block(528, 5, 1, 88),
    ),
    (
        Block(528, 5, 2, 144),
        Block(864, 5, 1, 144),
        Block(864, 5, 1, 144),
        Block(864, 5, 1, 144),
    ),
)
FULL = Size(STRIDE2_CHANNELS, STAGES, 864)
"""BlazePose full; `dimr.encoder.blazepose_heavy` has a larger one."""


class Pyramid(NamedTuple):
    """Feature maps of one picture, named after their stride."""

    stride2: Float[Tensor, "B 16 H/2 W/2"]
    """Output of the stem: local, no context."""
    stride4: Float[Tensor, "B 48 H/4 W/4"]
    stride8: Float[Tensor, "B 48 H/8 W/8"]
    stride16: Float[Tensor, "B 48 H/16 W/16"]
    """Strides 4 to 16 are the top-down path: each holds its own detail and all coarser context."""
    stride32: Float[Tensor, "B 144 H/32 W/32"]
    """End of the encoder stages."""
    top: Float[Tensor, "B 864 H/32 W/32"]
    """Widened `stride32`, from which the top-down path and the landmark branch start."""

    @property
    def maps(self) -> list[Tensor]:
        """Strides 4, 8, 16, 32: what every encoder of `dimr` gives, fine to coarse."""
        return [self.stride4, self.stride8, self.stride16, self.stride32]


class BlazePoseOutput(NamedTuple):
    """The five outputs of the original network, in its order."""

    landmarks_px: Float[Tensor, "B 39 5"]
    """x, y in crop pixels, z on the same scale, then the logits of visibility and presence."""
    presence: Float[Tensor, "B"]
    """Probability that the crop shows a person."""
    mask_logits: Float[Tensor, "B 1 H W"]
    heatmaps: Float[Tensor, "B 39 H/4 W/4"]
    """Logits of where each landmark is."""
    world_landmarks_m: Float[Tensor, "B 39 3"]
    """Metres, origin between the hips, camera axes (x right, y down, z away)."""


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1 x 1 convolution."""
    return nn.Conv2d(inputs, outputs, 1)


class Depthwise(nn.Conv2d):
    """A convolution that filters every channel by itself.

    Padded alike on all sides, so that only the stride changes the size, unless `padding` is given.
    Under bfloat16 autocast it computes in float32: CPUs gain nothing from bfloat16 here, and its
    backward pass is several times slower.
    """

    def __init__(self, channels: int, kernel: int, stride: int = 1, padding: int | None = None):
        padding = kernel // 2 if padding is None else padding
        super().__init__(channels, channels, kernel, stride, padding, groups=channels)

    def forward(self, input: Tensor) -> Tensor:
        """Filtered features in the precision of the input."""
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float()).to(input.dtype)


def relu6() -> nn.ReLU6:
    """The network's only activation; in place, since no backward pass needs its input."""
    return nn.ReLU6(inplace=True)


def upsample2(features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C 2*H 2*W"]:
    """Twice the size, bilinear, half-pixel centres."""
    return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class Separable(nn.Sequential):
    """Depthwise 3 x 3, then 1 x 1 to another width, both activated: the joints of the network."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(Depthwise(inputs, 3), relu6(), pointwise(inputs, outputs), relu6())


class InvertedResidual(nn.Module):
    """MobileNetV2's block: `Block` says its sizes. The sum is not activated."""

    def __init__(self, inputs: int, block: Block):
        super().__init__()
        self.expand = pointwise(inputs, block.hidden)
        self.filter = Depthwise(block.hidden, block.kernel, block.stride)
        self.project = pointwise(block.hidden, block.out)
        self.activation = relu6()
        self.keeps_shape = inputs == block.out and block.stride == 1

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Features of the stride and width that the block's table entry names."""
        hidden = self.activation(self.expand(features))
        hidden = self.activation(self.filter(hidden))
        projected = self.project(hidden)
        return features + projected if self.keeps_shape else projected


class Refine(nn.Module):
    """Residual block of the branches: depthwise, 1 x 1, add, activate.

    It may halve the size, and end wider than it starts.
    """

    def __init__(self, channels: int, stride: int = 1, outputs: int | None = None):
        super().__init__()
        outputs = outputs or channels
        # The original halves with TensorFlow's SAME padding: at even sizes only the end is padded.
        self.halve = stride == 2
        padding = 0 if self.halve else 1
        self.filter = Depthwise(channels, 3, stride, padding)
        self.mix = pointwise(channels, outputs)
        self.activation = relu6()
        self.new_channels = outputs - channels

    def forward(self, features: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Features at the same or half the size; new channels come last."""
        filtered = self.filter(F.pad(features, (0, 1, 0, 1)) if self.halve else features)
        kept = F.max_pool2d(features, 2) if self.halve else features
        kept = F.pad(kept, (0, 0, 0, 0, 0, self.new_channels)) if self.new_channels else kept
        return self.activation(kept + self.mix(self.activation(filtered)))


class BlazePoseEncoder(nn.Module):
    """Picture -> maps at strides 4, 8, 16, 32 (fine to coarse), as every encoder of `dimr`.

    `features` gives the same maps by name, with the stem's map at stride 2. Initial weights are
    random; `pretrained` loads the shipped ones, which are of the size `FULL`.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32)

    def __init__(self, size: Size = FULL):
        super().__init__()
        self.channels: tuple[int, ...] = (*[PYRAMID_CHANNELS] * 3, size.stages[-1][-1].out)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2, padding=1),
            relu6(),
            Depthwise(24, 3),
            relu6(),
            pointwise(24, size.stem),
        )
        self.stages = nn.ModuleList()
        width = size.stem
        stage_widths = []
        for blocks in size.stages:
            stage = nn.Sequential()
            for block in blocks:
                stage.append(InvertedResidual(width, block))
                width = block.out
            self.stages.append(stage)
            stage_widths.append(width)
        self.top = nn.Sequential(
            pointwise(width, size.top), relu6(), Depthwise(size.top, 3), relu6()
        )
        self.laterals = nn.ModuleList(
            Separable(inputs, PYRAMID_CHANNELS) for inputs in (*stage_widths[:3], size.top)
        )

    @classmethod
    def pretrained(cls) -> "BlazePoseEncoder":
        """The encoder with the shipped weights, in float32 and trainable."""
        return BlazePose.pretrained().encoder

    def features(self, image: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """All feature maps of a batch of RGB pictures in [0, 1].

        Raises:
            ValueError: if a side of the pictures is not a multiple of 32.
        """
        stride2, stage4, stage8, stage16, stride32 = self._descend(image)
        top = self.top(stride32)
        stride16 = upsample2(self.laterals[3](top)) + self.laterals[2](stage16)
        stride8 = upsample2(stride16) + self.laterals[1](stage8)
        stride4 = upsample2(stride8) + self.laterals[0](stage4)
        return Pyramid(stride2, stride4, stride8, stride16, stride32, top)

    def summit(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 864 h w"]:
        """The last map alone, at stride 32: `features` without its way back up."""
        return self.top(self._descend(image)[-1])

    def _descend(self, image: Tensor) -> list[Tensor]:
        """Maps at strides 2 to 32."""
        height, width = image.shape[-2:]
        if height % 32 or width % 32:
            raise ValueError(f"image: got {height} x {width} pixels, want multiples of 32")
        # All later maps inherit this layout, which is 1.5 to 2 times as fast on CPUs.
        maps = [self.stem(image.contiguous(memory_format=torch.channels_last))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """Maps at strides 4, 8, 16, 32 of RGB pictures in [0, 1]; see `features`."""
        return self.features(image).maps


class MaskBranch(nn.Module):
    """Strides 2 and 4 -> logits of the person's mask at the size of the picture."""

    def __init__(self, stride2_channels: int = STRIDE2_CHANNELS):
        super().__init__()
        self.fine = Separable(stride2_channels, MASK_CHANNELS)
        self.coarse = Separable(PYRAMID_CHANNELS, MASK_CHANNELS)
        self.refine_half = nn.Sequential(Refine(MASK_CHANNELS), Refine(MASK_CHANNELS))
        self.refine_full = nn.Sequential(Refine(MASK_CHANNELS), Refine(MASK_CHANNELS))
        self.logits = nn.Conv2d(MASK_CHANNELS, 1, 3, padding=1)

    def forward(
        self, stride2: Float[Tensor, "B C h w"], stride4: Float[Tensor, "B 48 hh ww"]
    ) -> Float[Tensor, "B 1 H W"]:
        """Mask logits."""
        half = self.refine_half(upsample2(self.coarse(stride4)) + self.fine(stride2))
        return self.logits(self.refine_full(upsample2(half)))


class LandmarkReader(nn.Module):
    """A branch's last layers: what it knows of a picture -> landmarks and presence."""

    def __init__(self):
        super().__init__()
        self.landmarks = nn.Conv2d(LANDMARK_CHANNELS, NUM_LANDMARKS * 5, 2)
        self.world_landmarks = nn.Conv2d(LANDMARK_CHANNELS, NUM_LANDMARKS * 3, 2)
        self.presence = nn.Conv2d(LANDMARK_CHANNELS, 1, 2)

    def read(
        self, summary: Float[Tensor, "B 288 2 2"]
    ) -> tuple[Float[Tensor, "B 39 5"], Float[Tensor, "B 39 3"], Float[Tensor, "B"]]:
        """Landmarks (pixels and logits), world landmarks (metres), presence (probability)."""
        return (
            self.landmarks(summary).view(-1, NUM_LANDMARKS, 5),
            self.world_landmarks(summary).view(-1, NUM_LANDMARKS, 3),
            self.presence(summary).view(-1).sigmoid(),
        )


class LandmarkBranch(LandmarkReader):
    """8 x 8 top features -> landmarks in the picture and in the world, and presence."""

    def __init__(self):
        super().__init__()
        width = LANDMARK_CHANNELS
        self.narrow = Separable(FULL.top, width)
        self.refine = nn.Sequential(
            Refine(width, stride=2),
            *(Refine(width) for _ in range(4)),
            Refine(width, stride=2),
            *(Refine(width) for _ in range(5)),
        )

    def forward(
        self, top: Float[Tensor, "B 864 8 8"]
    ) -> tuple[Float[Tensor, "B 39 5"], Float[Tensor, "B 39 3"], Float[Tensor, "B"]]:
        """What `read` says of the top features."""
        return self.read(self.summarise(top))

    def summarise(self, top: Float[Tensor, "B 864 8 8"]) -> Float[Tensor, "B 288 2 2"]:
        """All that the branch knows of a picture."""
        return self.refine(self.narrow(top))


class BlazePose(nn.Module):
    """The whole original network."""

    def __init__(self):
        super().__init__()
        self.encoder = BlazePoseEncoder()
        self.mask = MaskBranch()
        self.heatmaps = pointwise(PYRAMID_CHANNELS, NUM_LANDMARKS)
        self.landmarks = LandmarkBranch()

    @classmethod
    def pretrained(cls) -> "BlazePose":
        """The network with the shipped weights, in float32 and trainable."""
        network = cls()
        network.load_state_dict(load_file(asset_path(WEIGHTS)))
        return network

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> BlazePoseOutput:
        """The five original outputs for RGB pictures in [0, 1] of 256 x 256.

        Raises:
            ValueError: if the pictures have another size.
        """
        _check_size(image)
        pyramid = self.encoder.features(image)
        landmarks_px, world_landmarks_m, presence = self.landmarks(pyramid.top)
        return BlazePoseOutput(
            landmarks_px,
            presence,
            self.mask(pyramid.stride2, pyramid.stride4),
            self.heatmaps(pyramid.stride4),
            world_landmarks_m,
        )

    def find_landmarks(
        self, image: Float[Tensor, "B 3 H W"]
    ) -> tuple[Float[Tensor, "B 39 5"], Float[Tensor, "B 39 3"], Float[Tensor, "B"]]:
        """Landmarks, world landmarks and presence alone, at a third of the price of `forward`."""
        _check_size(image)
        return self.landmarks(self.encoder.summit(image))


def _check_size(image: Tensor) -> None:
    if image.shape[-2:] != (LANDMARK_SIZE, LANDMARK_SIZE):
        raise ValueError(
            f"image: got {tuple(image.shape[-2:])} pixels, want {LANDMARK_SIZE} squared: "
            "the landmark branch knows no other size"
        )

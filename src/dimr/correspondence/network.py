"""The correspondence network: picture and marker -> person, part and surface position per pixel.

It answers two questions with one set of weights. Without a marker (zeros) it labels *everybody*
in the picture and votes for each person's centre; with a marker (a rough mask of one person, and
one of the other people) it labels the *visible surface of that person* alone. Maps are at half of
the input's resolution.

The surface is described by a DensePose part (which side of which limb: a choice that must not be
averaged) and by the rest-pose position of the surface point (smooth: no jumps at UV seams).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dimr.correspondence.hint import PoseHint
from dimr.encoder.blazepose import (
    STRIDE2_CHANNELS,
    BlazePoseEncoder,
    Pyramid,
)
from dimr.encoder.lite0 import Lite0Encoder
from dimr.surface.parts import NUM_CHARTS

NORM_GROUPS = 8
MARKER_CHANNELS = 2
"""Who is meant, who is not."""
HINT_LEVEL = 1
"""Level of the pyramid (stride 4) at which the hint's map joins."""
ATTENTION_LEVEL = 3
"""Level of the pyramid (stride 16) at which places attend to each other once more."""
HEADS = (1, NUM_CHARTS, 3 * NUM_CHARTS)
"""Channels of person, part and position."""
POSITION = 2
"""Which of `HEADS` that is."""
POSITION_SCALE_M = 0.2
"""Unit of the position head: about half of a part's length."""


class CorrespondenceMaps(NamedTuple):
    """Raw outputs at stride 2 (h = H / 2), those that tell people apart at stride 4."""

    person: Float[Tensor, "B h w"]
    """Logit: a visible person (the marked one, if one is marked)."""
    part: Float[Tensor, "B 24 h w"]
    """Logits of DensePose parts 1..24."""
    position_m: Float[Tensor, "B 24 3 h w"]
    """Rest-pose position of the surface point in the body frame, metres, for each part that the
    pixel may show: what is on the left arm need not be averaged with what is on the right one."""
    centre: Float[Tensor, "B c d"]
    """Logit: centre of a person's visible pixels."""
    offset: Float[Tensor, "B 2 c d"]
    """From the place to its person's centre (x, y), as a share of the picture's side."""

    def of_first(
        self,
    ) -> tuple[
        Float[np.ndarray, "h w"], Float[np.ndarray, "24 h w"], Float[np.ndarray, "24 3 h w"]
    ]:
        """The first crop's probabilities of the person and of the parts, and its positions."""
        values = self.person[0].sigmoid(), self.part[0].softmax(0), self.position_m[0]
        person, part, position_m = (each.float().cpu().numpy() for each in values)
        return person, part, position_m


class CropFeatures(NamedTuple):
    """What is seen on a batch of crops: what both stages start from."""

    pyramid: Pyramid
    marker: Float[Tensor, "B 2 h w"]
    """Who is meant and who is not."""
    pose: Float[Tensor, "B 39 10"] | None
    """Landmarks of the marked people; None where nobody can be asked."""
    maps: list[Tensor]
    """What stage 2 sees, if it looks, fine to coarse."""
    hint: Float[Tensor, "B 39 10"] | None = None
    """Landmarks without the second opinion: what the correspondence network learnt to hear."""


class Norm(nn.GroupNorm):
    """Group norm that stays in bfloat16: autocast would carry whole maps to float32 and back.

    It works on planes: its gradient in bfloat16 is ten times slower on interleaved channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(NORM_GROUPS, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Statistics are float32 inside."""
        with torch.autocast(input.device.type, enabled=False):
            weight, bias = self.weight.to(input.dtype), self.bias.to(input.dtype)
            planes = input.contiguous()
            normed = functional.group_norm(planes, self.num_groups, weight, bias, self.eps)
        return normed.contiguous(memory_format=torch.channels_last)


class Residual(nn.Module):
    """Two convolutions beside the map that they add to; at first they add nothing."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        last = nn.Conv2d(hidden, width, 3, padding=1)
        start_at_zero(last)
        self.add = nn.Sequential(
            nn.Conv2d(width, hidden, 3, padding=1), Norm(hidden), nn.ReLU(), last
        )

    def forward(self, features: Tensor) -> Tensor:
        """Of the same shape."""
        return features + self.add(features)


class MergeBlock(nn.Module):
    """One step of the top-down path: upsample, add the lateral map with its marker, convolve.

    The encoder's maps differ in scale by a factor of 30 (its bottlenecks are linear and batch norm
    is folded away), so each is normalised before it is added: else detail would drown context.
    """

    def __init__(
        self,
        lateral_channels: int,
        in_channels: int,
        width: int,
        deep: tuple[int, int],
        marks: int,
    ) -> None:
        """`deep`: how many `Residual`s follow, and their hidden width; `marks`: how many."""
        super().__init__()
        self.lateral = nn.Sequential(nn.Conv2d(lateral_channels, width, 1), Norm(width))
        self.marker = nn.Conv2d(marks, width, 3, padding=1)
        self.top = nn.Conv2d(in_channels, width, 1)
        self.conv = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), Norm(width), nn.ReLU()
        )
        count, hidden = deep
        self.deep = nn.Sequential(*(Residual(width, hidden) for _ in range(count)))

    def forward(
        self, lateral: Tensor, marker: Tensor, top: Tensor, hint: Tensor | None = None
    ) -> Tensor:
        """Returns a map at the lateral's resolution."""
        size = lateral.shape[-2:]
        merged = self.lateral(lateral)
        merged = merged + self.marker(functional.interpolate(marker, size, mode="area"))
        merged = merged + functional.interpolate(self.top(top), size, mode="bilinear")
        return self.deep(self.conv(merged if hint is None else merged + hint))


class Context(nn.Module):
    """Self-attention over the whole picture at a coarse stride.

    Which way a person faces is decided by a few places (face, feet, how limbs overlap) and has to
    be known everywhere on the body.

    Args:
        channels: of the map.
        width: of the tokens.
        layers: of attention.
        marks: how many.
    """

    def __init__(self, channels: int, width: int, layers: int, marks: int) -> None:
        super().__init__()
        self.norm_coarse = nn.GroupNorm(NORM_GROUPS, channels)
        self.enter = nn.Conv2d(channels + marks, width, 1)
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )

    def forward(
        self, coarse: Float[Tensor, "B C h w"], marker: Tensor, hint: Tensor | None
    ) -> Tensor:
        """(B, width, h, w): what each place is, knowing all others."""
        height, width = coarse.shape[-2:]
        marker = functional.interpolate(marker, (height, width), mode="area")
        tokens = self.enter(torch.cat([self.norm_coarse(coarse), marker.to(coarse.dtype)], dim=1))
        tokens = tokens + self.place(tokens)
        if hint is not None:
            tokens = tokens + hint
        attended = self.layers(tokens.flatten(2).transpose(1, 2))
        return attended.transpose(1, 2).unflatten(2, (height, width))


class CorrespondenceNet(nn.Module):
    """Top-down decoder on an encoder's pyramid.

    Args:
        encoder: its `features` start with a stride-2 map and go on with its pyramid.
        part_centres_m: (24, 3) middle of each DensePose part's surface in the rest pose.
        detail_channels: channels of the encoder's stride-2 map.
        context: width and number of the attention layers.
        widths: channels of the decoder from stride 2 to the coarsest level.
        attention: width and number of the attention layers of `ATTENTION_LEVEL`.
        deep: of each level, how many `Residual`s, and their hidden width.
        marks: how many say who is meant.
    """

    head_unit: Tensor
    head_middle: Tensor

    def __init__(
        self,
        encoder: BlazePoseEncoder | Lite0Encoder,
        part_centres_m: Float[Tensor, "24 3"],
        detail_channels: int = STRIDE2_CHANNELS,
        context: tuple[int, int] = (128, 2),
        widths: tuple[int, ...] = (32, 64, 64, 64, 96),
        attention: tuple[int, int] = (192, 4),
        deep: tuple[tuple[int, int], ...] = ((0, 0), (1, 96), (2, 192), (0, 0), (0, 0)),
        marks: int = MARKER_CHANNELS,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        laterals = (detail_channels, *encoder.channels)
        if len(widths) != len(laterals):
            raise ValueError(f"widths: got {len(widths)} values, want {len(laterals)}")
        tops = (*widths[1:], context[0])
        self.context = Context(laterals[-1], *context, marks)
        self.hint = PoseHint(context[0], widths[HINT_LEVEL])
        self.attend = Context(widths[ATTENTION_LEVEL], *attention, marks)
        self.attend_hint = PoseHint(attention[0], attention[0])
        self.attended = nn.Conv2d(attention[0], widths[ATTENTION_LEVEL], 1)
        # Positions are said relative to the middle of their part and in a unit of their own.
        unit = [torch.full((count,), 1.0) for count in HEADS]
        middle = [torch.zeros(count) for count in HEADS]
        unit[POSITION].fill_(POSITION_SCALE_M)
        middle[POSITION] = part_centres_m.flatten().float()
        self.register_buffer("head_unit", torch.cat(unit), persistent=False)
        self.register_buffer("head_middle", torch.cat(middle), persistent=False)
        self.blocks = nn.ModuleList(
            MergeBlock(*sizes, marks) for sizes in zip(laterals, tops, widths, deep, strict=True)
        )
        start_at_zero(self.attended)
        self.heads = nn.Conv2d(widths[0] + widths[1], sum(HEADS), 1)
        # Who is who needs less detail and more context than which surface: a branch of its own.
        apart = nn.Conv2d(widths[1], 3, 1)
        assert apart.bias is not None
        nn.init.zeros_(apart.bias)
        nn.init.constant_(apart.bias[:1], -4.0)  # centres are rare pixels
        self.people = nn.Sequential(
            nn.Conv2d(widths[1], widths[1], 3, padding=1), Norm(widths[1]), nn.ReLU(), apart
        )

    def forward(
        self,
        image: Float[Tensor, "B 3 H W"],
        marker: Float[Tensor, "B 2 h w"],
        pose: Float[Tensor, "B 39 10"] | None = None,
    ) -> CorrespondenceMaps:
        """Encode and decode; H and W at least 128 and divisible by the coarsest stride."""
        return self.decode(self.encoder.features(image), marker, pose)

    def decode(
        self,
        features: Pyramid,
        marker: Float[Tensor, "B 2 h w"],
        pose: Float[Tensor, "B 39 10"] | None = None,
    ) -> CorrespondenceMaps:
        """Maps from encoder features that were computed already.

        Args:
            features: the encoder's.
            marker: zeros for "everybody"; for one person a rough mask in [0, 1], and one of the
                other people in the picture.
            pose: of `look_at_pose`; zeros, or None, where nobody has looked.
        """
        stride_4 = self.climb(features, marker, pose)
        maps = self.read(self.finest(features, marker, stride_4))
        person, part, position = maps.split(HEADS, dim=1)
        people = self.people(stride_4)
        return CorrespondenceMaps(
            person=person[:, 0],
            part=part,
            position_m=position.unflatten(1, (NUM_CHARTS, 3)),
            centre=people[:, 0],
            offset=people[:, 1:],
        )

    def climb(
        self, features: Pyramid, marker: Float[Tensor, "B M h w"], pose: Tensor | None
    ) -> Float[Tensor, "B C c d"]:
        """From the coarsest map to stride 4; arguments are those of `decode`."""
        to_tokens = to_map = attend_hint = None
        if pose is not None:
            to_tokens, to_map = self.hint(pose, tuple(features[HINT_LEVEL].shape[-2:]))
            size = tuple(features[ATTENTION_LEVEL].shape[-2:])
            attend_hint = torch.add(*self.attend_hint(pose, size))
        top = self.context(features.stride32, marker, to_tokens)
        for level in range(len(self.blocks) - 1, 0, -1):
            hint = to_map if level == HINT_LEVEL else None
            top = self.blocks[level](features[level], marker, top, hint)
            if level == ATTENTION_LEVEL:
                top = top + self.attended(self.attend(top, marker, attend_hint))
        return top

    def finest(
        self, features: Pyramid, marker: Float[Tensor, "B M h w"], stride_4: Tensor
    ) -> Float[Tensor, "B C H W"]:
        """What heads at stride 2 read: the last step up, and stride 4 beside it."""
        coarser = functional.interpolate(stride_4, features[0].shape[-2:], mode="bilinear")
        return torch.cat([self.blocks[0](features[0], marker, coarser, None), coarser], dim=1)

    def read(self, fine: Float[Tensor, "B C h w"]) -> Float[Tensor, "B K h w"]:
        """All heads, each in its own unit around its own middle."""
        weight = self.heads.weight * self.head_unit[:, None, None, None]
        assert self.heads.bias is not None
        bias = self.heads.bias * self.head_unit + self.head_middle
        return functional.conv2d(fine, weight, bias)


def start_at_zero(layer: nn.Conv2d) -> None:
    """So that what it adds to is at first as it was."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)

"""The correspondence network: picture and marker -> person, part and surface position per pixel.

It answers two questions with one set of weights. Without a marker (zeros) it labels *everybody*
in the picture and votes for each person's centre; with a marker (a rough mask of one person) it
labels the *visible surface of that person* alone. Maps are at half of the input's resolution.

The surface is described by a DensePose part (which side of which limb: a choice that must not be
averaged) and by the rest-pose position of the surface point (smooth: no jumps at UV seams).
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dimr.encoder.blazepose import BlazePoseEncoder

NUM_PARTS = 24
NORM_GROUPS = 8


class CorrespondenceMaps(NamedTuple):
    """Raw outputs at stride 2 (h = H / 2), the centre map at stride 4."""

    person: Float[Tensor, "B h w"]
    """Logit: a visible person (the marked one, if one is marked)."""
    part: Float[Tensor, "B 24 h w"]
    """Logits of DensePose parts 1..24."""
    position_m: Float[Tensor, "B 3 h w"]
    """Rest-pose position of the surface point in the body frame, metres."""
    centre: Float[Tensor, "B c d"]
    """Logit: centre of a person's visible pixels."""
    offset: Float[Tensor, "B 2 h w"]
    """From the pixel to its person's centre (x, y), as a share of the picture's side."""


class MergeBlock(nn.Module):
    """One step of the top-down path: upsample, add the lateral map with its marker, convolve.

    The encoder's maps differ in scale by a factor of 30 (its bottlenecks are linear and batch norm
    is folded away), so each is normalised before it is added: else detail would drown context.
    """

    def __init__(self, lateral_channels: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.Sequential(
            nn.Conv2d(lateral_channels, width, 1), nn.GroupNorm(NORM_GROUPS, width)
        )
        self.marker = nn.Conv2d(1, width, 3, padding=1)
        self.top = nn.Conv2d(in_channels, width, 1) if in_channels else None
        self.conv = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(NORM_GROUPS, width),
            nn.ReLU(),
        )

    def forward(self, lateral: Tensor, marker: Tensor, top: Tensor | None) -> Tensor:
        """Returns a map at the lateral's resolution."""
        size = lateral.shape[-2:]
        merged = self.lateral(lateral)
        merged = merged + self.marker(functional.interpolate(marker, size, mode="area"))
        if self.top is not None and top is not None:
            merged = merged + functional.interpolate(self.top(top), size, mode="bilinear")
        return self.conv(merged)


class CorrespondenceNet(nn.Module):
    """Top-down decoder on a shared encoder's pyramid.

    Args:
        encoder: its `features` start with a stride-2 map and go on with its pyramid.
        detail_channels: channels of the encoder's stride-2 map.
        widths: channels of the decoder from stride 2 to the coarsest level.
    """

    def __init__(
        self,
        encoder: BlazePoseEncoder,
        detail_channels: int = 16,
        widths: tuple[int, ...] = (32, 64, 64, 64, 96),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        laterals = (detail_channels, *encoder.channels)
        if len(widths) != len(laterals):
            raise ValueError(f"widths: got {len(widths)} values, want {len(laterals)}")
        tops = (*widths[1:], 0)
        self.blocks = nn.ModuleList(
            MergeBlock(*channels) for channels in zip(laterals, tops, widths, strict=True)
        )
        self.heads = nn.Conv2d(widths[0], 1 + NUM_PARTS + 3 + 2, 1)
        self.centre_head = nn.Conv2d(widths[1], 1, 1)
        assert self.centre_head.bias is not None
        nn.init.constant_(self.centre_head.bias, -4.0)  # centres are rare pixels

    def forward(
        self, image: Float[Tensor, "B 3 H W"], marker: Float[Tensor, "B 1 h w"]
    ) -> CorrespondenceMaps:
        """Encode and decode; H and W divisible by the coarsest stride."""
        return self.decode(self.encoder.features(image), marker)

    def decode(
        self, features: Sequence[Tensor], marker: Float[Tensor, "B 1 h w"]
    ) -> CorrespondenceMaps:
        """Maps from encoder features that were computed already.

        Args:
            features: the encoder's stride-2 map followed by its pyramid, fine to coarse.
            marker: zeros for "everybody", a rough mask in [0, 1] for one person.
        """
        top, stride_4 = None, None
        for level in range(len(self.blocks) - 1, -1, -1):
            top = self.blocks[level](features[level], marker, top)
            if level == 1:
                stride_4 = top
        maps = self.heads(top)
        person, part, position, offset = maps.split([1, NUM_PARTS, 3, 2], dim=1)
        return CorrespondenceMaps(
            person=person[:, 0],
            part=part,
            position_m=position,
            centre=self.centre_head(stride_4)[:, 0],
            offset=offset,
        )

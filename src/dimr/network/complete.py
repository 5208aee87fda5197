"""Feature completion: F_UV -> one vector phi_i for each body part (paper Sec. 3.3, Eq. 2).

    phi_i = sum over texels of softmax(A_i) o F_UV^d

F_UV^d is F_UV, down-sampled by convolutions; A is a 1x1 convolution of it with one map a part. The
attention is not supervised. The sizes are lost in our copy of the paper: all are arguments.

Group norm, not batch norm: it does not depend on who else is in the batch, so small CPU batches,
clean / occluded pairs and evaluation all see the same network.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from dimr.network.wrap import Arranged

NUM_PARTS = 24


class Completed(NamedTuple):
    """What the regressor gets from the completion."""

    vector: Float[Tensor, "B D"]
    part_features: Float[Tensor, "B P C"] | None = None
    attention: Float[Tensor, "B P h w"] | None = None

    def float(self) -> "Completed":
        """In single precision."""
        parts, attention = (None if each is None else each.float() for each in self[1:])
        return Completed(self.vector.float(), parts, attention)


class ConvBlock(nn.Sequential):
    """3x3 convolution, group norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            nn.GroupNorm(groups, out_channels),
            nn.ReLU(),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.body = nn.Sequential(
            ConvBlock(channels, channels, 1, groups),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.GroupNorm(groups, channels),
        )

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Same shape in and out."""
        return F.relu(x + self.body(x))


class ConvDown(nn.Module):
    """F_UV -> F_UV^d by strided convolutions, then residual blocks at the lowest resolution.

    The first convolution is kept as two, one for the features and one for the geometry: their sum
    is one convolution of both, and a pass without a picture pays for the geometry only.
    """

    def __init__(
        self,
        feature_channels: int,
        geometry_channels: int,
        blocks: Sequence[tuple[int, int]],
        residual_blocks: int = 1,
        groups: int = 8,
    ):
        """`blocks` lists (channels, stride)."""
        super().__init__()
        (width, stride), *later = blocks
        self.enter_features = _enter(feature_channels, width, stride)
        self.enter_geometry = _enter(geometry_channels, width, stride)
        layers: list[nn.Module] = [nn.GroupNorm(groups, width), nn.ReLU()]
        for next_width, next_stride in later:
            layers.append(ConvBlock(width, next_width, next_stride, groups))
            width = next_width
        layers += [ResidualBlock(width, groups) for _ in range(residual_blocks)]
        self.layers = nn.Sequential(*layers)
        self.out_channels = width

    def forward(self, arranged: Arranged) -> Float[Tensor, "B C h w"]:
        """The down-sampled map."""
        entered = [
            enter(given)
            for enter, given in (
                (self.enter_features, arranged.features),
                (self.enter_geometry, arranged.geometry),
            )
            if enter is not None and given is not None
        ]
        if not entered:
            raise ValueError("features: got None, want the picture's: this variant has no IUV")
        return self.layers(torch.stack(entered).sum(0) if len(entered) > 1 else entered[0])


def _enter(in_channels: int, width: int, stride: int) -> nn.Conv2d | None:
    if not in_channels:
        return None
    return nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)


def part_area(
    atlas_parts: Int[np.ndarray, "R R"], height: int, width: int
) -> Float[Tensor, "24 h w"]:
    """How much of each cell of a coarser atlas belongs to a part; 1 in the part's fullest cell.

    Args:
        atlas_parts: part 0..23 of each texel, -1 where the atlas is empty.
        height: rows of the coarser atlas.
        width: columns of the coarser atlas.
    """
    parts = torch.from_numpy(atlas_parts.astype(np.int64))
    owned = (parts == torch.arange(NUM_PARTS)[:, None, None]).float()
    area = F.adaptive_avg_pool2d(owned, (height, width))
    return area / area.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)


class PartAttention(nn.Module):
    """Eq. 2: pool F_UV^d once for each part, with the part's own softmax attention.

    Differs from the paper: a learnable map is added to the logits, which starts at `own_bias` on
    the part's own chart. The paper's Fig. 5 shows that this is where trained attention peaks;
    from a uniform start it takes most of a short training to get there. And F_UV^d, squeezed to
    few channels, may pass by: a mean over cells no longer knows which of them said what.

    Args:
        channels: of F_UV^d.
        own_area: of each part; None adds no map (picture space has no fixed place for a part).
        own_bias: start of the logit where a part is.
        bypass: channels that pass by; 0 as in the paper.
        cells: of F_UV^d, as many as rows times columns; needed for what passes by.
    """

    def __init__(
        self,
        channels: int,
        own_area: Float[Tensor, "P h w"] | None,
        own_bias: float,
        bypass: int = 0,
        cells: int = 0,
    ):
        super().__init__()
        self.logits = nn.Conv2d(channels, NUM_PARTS, kernel_size=1)
        self.place_bias = None if own_area is None else nn.Parameter(own_bias * own_area)
        self.squeeze = nn.Conv2d(channels, bypass, kernel_size=1) if bypass else None
        self.out_features = NUM_PARTS * channels + bypass * cells

    def forward(self, uv_features: Float[Tensor, "B C h w"]) -> Completed:
        """F_UV^d -> phi (B, 24, C), flattened as `vector`, in front of what passes by."""
        logits = self.logits(uv_features)
        if self.place_bias is not None:
            logits = logits + self.place_bias
        attention = logits.flatten(2).softmax(dim=-1)  # [B, P, h*w]
        phi = attention @ uv_features.flatten(2).transpose(1, 2)  # [B, P, C]
        vector = phi.flatten(1)
        if self.squeeze is not None:
            vector = torch.cat([vector, self.squeeze(uv_features).flatten(1)], dim=1)
        return Completed(vector, phi, attention.view_as(logits))


class Complete(nn.Module):
    """F_UV -> F_UV^d -> what the regressor sees."""

    def __init__(self, down: nn.Module, pool: nn.Module):
        super().__init__()
        self.down = down
        self.pool = pool
        self.out_features = cast(int, pool.out_features)

    def forward(self, arranged: Arranged) -> Completed:
        """Down-sample, then pool."""
        return self.pool(self.down(arranged))

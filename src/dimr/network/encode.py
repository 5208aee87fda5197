"""Encoder maps -> one feature map F_img at the finest stride (paper Sec. 3.1, Fig. 2)."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class FuseFeatures(nn.Module):
    """All maps of an encoder, enlarged to the finest one and mixed by a 1x1 convolution.

    Each map has its own 1x1 convolution; from coarse to fine, the sum so far is enlarged to the
    next map and added. That is the 1x1 convolution of the enlarged, concatenated maps, except that
    enlarging goes in steps of two; it costs a fraction of it.

    Differs from the paper: with `zero_start`, a last convolution `feature_gain` starts at zero, so
    a head that was trained on the IUV alone still computes the same when the picture joins.
    """

    def __init__(self, channels: Sequence[int], width: int, zero_start: bool = True):
        super().__init__()
        self.width = width
        self.project = nn.ModuleList(
            nn.Conv2d(count, width, kernel_size=1, bias=position == 0)
            for position, count in enumerate(channels)
        )
        self.feature_gain = None
        if zero_start:
            self.feature_gain = nn.Conv2d(width, width, kernel_size=1, bias=False)
            nn.init.zeros_(self.feature_gain.weight)

    def silence(self) -> None:
        """Makes F_img zero again, as `zero_start` leaves it."""
        if self.feature_gain is None:
            raise ValueError("this head was built without a zero start")
        nn.init.zeros_(self.feature_gain.weight)

    def forward(self, maps: Sequence[Float[Tensor, "B _ _ _"]]) -> Float[Tensor, "B C h w"]:
        """Maps fine to coarse -> F_img with the finest map's height and width."""
        if len(maps) != len(self.project):
            raise ValueError(f"maps: got {len(maps)}, want {len(self.project)} like the encoder")
        fused = None
        for conv, each in zip(reversed(self.project), reversed(maps), strict=True):
            projected = conv(each)
            fused = projected if fused is None else projected + _enlarge(fused, projected)
        assert fused is not None
        return fused if self.feature_gain is None else self.feature_gain(F.relu(fused))


def _enlarge(coarse: Float[Tensor, "B C _ _"], like: Float[Tensor, "B C h w"]) -> Tensor:
    return F.interpolate(coarse, size=like.shape[-2:], mode="bilinear", align_corners=False)

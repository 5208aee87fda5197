"""Encoder maps -> one feature map F_img at the finest stride (paper Sec. 3.1, Fig. 2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Standardise(nn.Module):
    """Each channel less its mean, by its deviation, over all pictures of training.

    BlazePose's maps were never meant to be added: those at stride 32 are some twenty times larger
    than the others and far from zero, so that a sum of all says little but that constant.

    Unlike batch norm it computes the same in training, from running statistics, so that nobody's
    features depend on who else is in the batch. The first batch starts them; of several training
    processes each has its own, and the first one's are kept.
    """

    MOMENTUM = 0.01
    mean: Tensor
    deviation: Tensor
    started: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, maps: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Same shape in and out; in training the statistics follow."""
        if self.training:
            with torch.no_grad():
                # `std_mean` takes four times as long
                mean = maps.float().mean((0, 2, 3))
                centred = _centre(maps.float(), mean, torch.ones_like(mean))
                deviation = centred.square_().mean((0, 2, 3)).sqrt()
                share = self.MOMENTUM if self.started else 1.0
                self.mean.lerp_(mean, share)
                self.deviation.lerp_(deviation, share)
                self.started.fill_(True)
        return _centre(maps, self.mean, self.deviation.clamp(min=1e-3))


def _centre(
    maps: Float[Tensor, "B C h w"], mean: Float[Tensor, "C"], scale: Float[Tensor, "C"]
) -> Float[Tensor, "B C h w"]:
    """(maps - mean) / scale by channel, in one pass: plain arithmetic takes several."""
    return F.batch_norm(maps, mean, scale.square(), eps=0)


class FuseFeatures(nn.Module):
    """All maps of an encoder, enlarged to the finest one and mixed by a 1x1 convolution.

    Each map has its own 1x1 convolution; from coarse to fine, the sum so far is enlarged to the
    next map and added. That is the 1x1 convolution of the enlarged, concatenated maps, except that
    enlarging goes in steps of two; it costs a fraction of it.

    Differs from the paper: with `zero_start`, a last convolution `feature_gain` starts at zero, so
    a head that was trained on the IUV alone still computes the same when the picture joins. And
    with `standardise` maps are brought to the same scale first (`Standardise`), for an encoder
    that is frozen.
    """

    def __init__(
        self,
        channels: Sequence[int],
        width: int,
        zero_start: bool = True,
        standardise: bool = False,
    ):
        super().__init__()
        self.width = width
        self.standardise = nn.ModuleList(
            Standardise(count) if standardise else nn.Identity() for count in channels
        )
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
        layers = zip(self.standardise, self.project, maps, strict=True)
        for standardise, conv, each in reversed(list(layers)):
            # enlarging and wrapping are several times faster on this layout, gradients too
            interleaved = standardise(each).contiguous(memory_format=torch.channels_last)
            projected = conv(interleaved)
            fused = projected if fused is None else projected + _enlarge(fused, projected)
        assert fused is not None
        return fused if self.feature_gain is None else self.feature_gain(F.relu(fused))


def _enlarge(coarse: Float[Tensor, "B C _ _"], like: Float[Tensor, "B C h w"]) -> Tensor:
    return F.interpolate(coarse, size=like.shape[-2:], mode="bilinear", align_corners=False)

"""The paper's model, its ablations (Tables 3 and 4) and baselines, composed from the same parts.

    name                  wrap                     complete
    dimr                  F_img -> atlas           convolutions, part attention
    no_uv_feature         the picture -> atlas     convolutions, part attention     Table 3a
    no_uv_structure       F_img + IUV, no atlas    convolutions, part attention     Table 3b
    shuffled_uv           F_img -> another atlas   convolutions, part attention     Table 3c
    no_attention          F_img -> atlas           convolutions, flattened          Table 4
    no_attention_no_conv  F_img -> atlas           average pool, flattened          Table 4
    hmr                   nothing                  nothing: GAP(F_img) only         baseline
    hmr_iuv               F_img + IUV, no atlas    convolutions, average pool       baseline
    pare                  F_img, no atlas          convolutions, part attention     baseline

`shuffled_uv` is built like `dimr`; whoever calls it gives `atlas_parts`, `rest_positions_m` and
`uv` of the shuffled atlas. GAP(F_img) reaches the regressor in every variant.
"""

from typing import Literal, cast, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from dimr.image.crop import CORRESPONDENCE_STRIDE
from dimr.network.complete import Complete, Completed, ConvDown, PartAttention, part_area
from dimr.network.dimr import Dimr, HeadSize
from dimr.network.encode import FuseFeatures
from dimr.network.feedback import JointsOf, Surface
from dimr.network.regress import IterativeRegressor
from dimr.network.wrap import Arranged, Wrap

VariantName = Literal[
    "dimr",
    "no_uv_feature",
    "no_uv_structure",
    "shuffled_uv",
    "no_attention",
    "no_attention_no_conv",
    "hmr",
    "hmr_iuv",
    "pare",
]
VARIANTS: tuple[str, ...] = get_args(VariantName)


class WrapPicture(Wrap):
    """Table 3a: the picture's own colours take the place of F_img."""

    def forward(
        self,
        features: Float[Tensor, "B C h w"] | None,
        mask: Bool[Tensor, "B H W"],
        uv: Float[Tensor, "B H W 2"],
        image: Float[Tensor, "B 3 _ _"] | None = None,
    ) -> Arranged:
        """Lay the visible colours out on the atlas; None leaves them out."""
        return super().forward(image, mask, uv)


class StayInPicture(nn.Module):
    """No atlas: F_img where it is, with or without the IUV as further channels.

    The IUV is finer than F_img; its `fold` x `fold` pixels within one cell become channels, so
    that it loses nothing against the wrapping variants.
    """

    def __init__(self, with_iuv: bool, fold: int):
        super().__init__()
        self.with_iuv = with_iuv
        self.fold = fold
        self.geometry_channels = 5 * fold**2 if with_iuv else 0

    def forward(
        self,
        features: Float[Tensor, "B C h w"] | None,
        mask: Bool[Tensor, "B H W"],
        uv: Float[Tensor, "B H W 2"],
        image: Float[Tensor, "B 3 _ _"] | None = None,
    ) -> Arranged:
        """F_img and, if wanted, (mask, u, v, x, y) folded to its size."""
        if not self.with_iuv:
            return Arranged(features, None)
        batch, height, width = mask.shape
        x = (torch.arange(width, device=uv.device, dtype=uv.dtype) + 0.5) * (2 / width) - 1
        y = (torch.arange(height, device=uv.device, dtype=uv.dtype) + 0.5) * (2 / height) - 1
        iuvxy = torch.stack(
            [
                mask.to(uv.dtype),
                *uv.unbind(-1),
                x.expand(batch, height, width),
                y[:, None].expand(batch, height, width),
            ],
            dim=1,
        )
        return Arranged(features, F.pixel_unshuffle(iuvxy, self.fold))


class AverageDown(nn.Module):
    """Table 4, "w/o atten. conv.": features and geometry, averaged to fewer cells."""

    def __init__(self, feature_channels: int, geometry_channels: int, cells: int):
        super().__init__()
        self.feature_channels = feature_channels
        self.cells = cells
        self.out_channels = feature_channels + geometry_channels

    def forward(self, arranged: Arranged) -> Float[Tensor, "B C h w"]:
        """Averages of a `cells` x `cells` grid."""
        geometry = arranged.geometry
        assert geometry is not None
        features = arranged.features
        if features is None:
            features = geometry.new_zeros(
                len(geometry), self.feature_channels, *geometry.shape[2:]
            )
        return F.adaptive_avg_pool2d(torch.cat([features, geometry], dim=1), self.cells)


class FlattenMap(nn.Module):
    """Table 4, "w/o atten.": F_UV^d itself goes to the regressor."""

    def __init__(self, channels: int, cells: int):
        super().__init__()
        self.out_features = channels * cells**2

    def forward(self, uv_features: Float[Tensor, "B C h w"]) -> Completed:
        """All cells of all channels in one vector."""
        return Completed(uv_features.flatten(1))


class AverageMap(nn.Module):
    """One mean over all cells: what HMR does with its features."""

    def __init__(self, channels: int):
        super().__init__()
        self.out_features = channels

    def forward(self, uv_features: Float[Tensor, "B C h w"]) -> Completed:
        """The mean of each channel."""
        return Completed(uv_features.mean(dim=(2, 3)))


class NoCompletion(nn.Module):
    """HMR: the regressor sees GAP(F_img) alone."""

    out_features = 0

    def forward(self, arranged: Arranged) -> Completed:
        """An empty vector."""
        if arranged.features is None:
            raise ValueError("features: got None, want the picture's: this variant has no IUV")
        return Completed(arranged.features.new_zeros(len(arranged.features), 0))


def build_stage2(
    name: str,
    encoder: nn.Module,
    atlas_parts: Int[np.ndarray, "R R"],
    size: HeadSize | None = None,
    rest_positions_m: Float[np.ndarray, "R R 3"] | None = None,
    joints_of: JointsOf | None = None,
    surface: Surface | None = None,
) -> Dimr:
    """The model called `name` around an encoder.

    Args:
        name: one of `VARIANTS`.
        encoder: with `channels` and `strides` as in `dimr.encoder`.
        atlas_parts: part 0..23 of each texel, -1 where empty, at the resolution `size.atlas`.
        size: sizes of everything behind the encoder; None takes the defaults.
        rest_positions_m: the resting body's surface at each texel, as constant input; None
            leaves the constant maps out.
        joints_of: of the body, to compare a pose with landmarks; None does not.
        surface: of the body, to compare a pose with the IUV, where there is an atlas; None does
            not.
    """
    size = size or HeadSize()
    if name not in VARIANTS:
        raise ValueError(f"name: got {name!r}, want one of {', '.join(VARIANTS)}")
    if atlas_parts.shape != (size.atlas, size.atlas):
        raise ValueError(
            f"atlas_parts: got shape {atlas_parts.shape}, want {(size.atlas, size.atlas)}"
        )
    on_atlas = name not in ("no_uv_structure", "hmr", "hmr_iuv", "pare")
    if on_atlas:
        arrange = WrapPicture if name == "no_uv_feature" else Wrap
        wrap = arrange(size.atlas, rest_positions_m)
    else:
        fold = cast(tuple[int, ...], encoder.strides)[0] // CORRESPONDENCE_STRIDE
        wrap = StayInPicture(with_iuv=name in ("no_uv_structure", "hmr_iuv"), fold=fold)
    complete = _build_completion(
        name, wrap.geometry_channels, atlas_parts if on_atlas else None, size
    )
    channels = cast(tuple[int, ...], encoder.channels)
    fuse = FuseFeatures(channels, size.features, size.zero_start, size.standardise)
    regress = IterativeRegressor(
        complete.out_features + size.features,
        size.hidden,
        size.iterations,
        size.dropout,
        landmarks=size.landmarks,
        uncertainty=size.uncertainty,
        joints_of=joints_of,
        surface=surface if on_atlas and size.surface else None,
    )
    return Dimr(encoder, fuse, wrap, complete, regress)


def _build_completion(
    name: str,
    geometry_channels: int,
    atlas_parts: Int[np.ndarray, "R R"] | None,
    size: HeadSize,
) -> Complete | NoCompletion:
    if name == "hmr":
        return NoCompletion()
    feature_channels = 3 if name == "no_uv_feature" else size.features
    cells = -(-size.atlas // size.down_stride)
    if name == "no_attention_no_conv":
        average = AverageDown(feature_channels, geometry_channels, cells)
        return Complete(average, FlattenMap(average.out_channels, cells))
    down = ConvDown(
        feature_channels, geometry_channels, size.blocks, size.residual_blocks, size.norm_groups
    )
    if name == "no_attention":
        return Complete(down, FlattenMap(down.out_channels, cells))
    if name == "hmr_iuv":
        return Complete(down, AverageMap(down.out_channels))
    if atlas_parts is None:
        return Complete(down, PartAttention(down.out_channels, None, size.own_bias))
    own_area = part_area(atlas_parts, cells, cells)
    pool = PartAttention(down.out_channels, own_area, size.own_bias, size.bypass, cells**2)
    return Complete(down, pool)

"""Feature wrapping: picture space -> UV space (paper Sec. 3.2, Eq. 1).

Every visible pixel carries its feature to the texel that its IUV label names; a texel that k
pixels name holds their mean. Texels that no pixel names are zero and not `filled`.

The text of Eq. 1 is lost in our copy of the paper; this is the scatter-mean of DecoMR, the paper's
nearest relative, which does not depend on the order of the pixels. It is computed as a weighted
sum over each texel's own pixels (`embedding_bag`): deterministic on every device, unlike
`index_add`, and several times faster than enlarging the features to the IUV first.

Dimension letters: B crops, C channels, (h, w) feature map, (H, W) IUV, R texels a side,
N visible pixels of the whole batch.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


class Arranged(NamedTuple):
    """What the completion sees, on the atlas or (ablations) in picture space."""

    features: Float[Tensor, "B C H W"] | None
    """Learned features, None where no picture was given."""
    geometry: Float[Tensor, "B G H W"] | None
    """What the IUV alone tells; None for baselines without an IUV."""


class TexelBags(NamedTuple):
    """The visible pixels of a batch, sorted by the texel they fall into."""

    crop: Int[Tensor, "N"]
    row: Int[Tensor, "N"]
    column: Int[Tensor, "N"]
    share: Float[Tensor, "N"]
    """1 / (number of pixels in the same texel)."""
    first: Int[Tensor, "B*R*R"]
    """Where each texel's pixels begin."""
    filled: Bool[Tensor, "B R R"]


def bag_pixels(
    mask: Bool[Tensor, "B H W"], uv: Float[Tensor, "B H W 2"], resolution: int
) -> TexelBags:
    """Group visible pixels by texel: column = floor(u R), row = floor(v R), clamped to R - 1."""
    crop, row, column = mask.nonzero(as_tuple=True)
    cell = (uv[crop, row, column] * resolution).long().clamp(0, resolution - 1)  # [N, 2]
    texel = (crop * resolution + cell[:, 1]) * resolution + cell[:, 0]
    texel, order = texel.sort(stable=True)
    count = torch.bincount(texel, minlength=len(mask) * resolution**2)
    return TexelBags(
        crop=crop[order],
        row=row[order],
        column=column[order],
        share=1 / count[texel].to(uv.dtype),
        first=count.cumsum(0) - count,
        filled=(count > 0).view(len(mask), resolution, resolution),
    )


def _sum_by_texel(
    table: Float[Tensor, "M C"],
    rows: Int[Tensor, "N K"],
    weights: Float[Tensor, "N K"],
    bags: TexelBags,
) -> Float[Tensor, "B C R R"]:
    """Each texel's weighted sum over K table rows for each of its pixels."""
    summed = F.embedding_bag(
        rows.flatten(),
        table,
        bags.first * rows.shape[1],
        mode="sum",
        per_sample_weights=weights.flatten().to(table.dtype),
    )
    return summed.view(*bags.filled.shape, table.shape[1]).permute(0, 3, 1, 2)


def wrap_features(
    features: Float[Tensor, "B C h w"], bags: TexelBags, iuv_size: tuple[int, int]
) -> Float[Tensor, "B C R R"]:
    """Mean over each texel's pixels of the features, sampled bilinearly at the pixels' centres.

    Feature map and IUV cover the same window; where their sizes agree, sampling is exact.
    """
    height, width = features.shape[-2:]
    y0, y1, fy = _neighbours(bags.row, iuv_size[0], height, bags.share.dtype)
    x0, x1, fx = _neighbours(bags.column, iuv_size[1], width, bags.share.dtype)
    cells = torch.stack(
        [y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1], dim=1
    )  # [N, 4]
    weights = torch.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], dim=1)
    table = features.permute(0, 2, 3, 1).flatten(0, 2)  # [B*h*w, C]
    rows = cells + (bags.crop * (height * width))[:, None]
    return _sum_by_texel(table, rows, weights * bags.share[:, None], bags)


def _neighbours(
    index: Int[Tensor, "N"], size: int, new_size: int, dtype: torch.dtype
) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"], Float[Tensor, "N"]]:
    """The two cells around a pixel's centre after resizing, and the second one's weight."""
    place = ((index.to(dtype) + 0.5) * (new_size / size) - 0.5).clamp(0, new_size - 1)
    before = place.floor()
    after = (before + 1).clamp(max=new_size - 1)
    return before.long(), after.long(), place - before


def wrap_positions(bags: TexelBags, iuv_size: tuple[int, int]) -> Float[Tensor, "B 2 R R"]:
    """Mean crop-normalised position (x, y) of the pixels that each texel was seen at."""
    height, width = iuv_size
    x_norm = (bags.column.to(bags.share.dtype) + 0.5) * (2 / width) - 1
    y_norm = (bags.row.to(bags.share.dtype) + 0.5) * (2 / height) - 1
    table = torch.stack([x_norm, y_norm], dim=1)
    rows = torch.arange(len(table), device=table.device)[:, None]
    return _sum_by_texel(table, rows, bags.share[:, None], bags)


def atlas_maps(
    resolution: int, rest_positions_m: Float[np.ndarray, "R R 3"]
) -> Float[Tensor, "5 R R"]:
    """What a texel is on everybody: its (u, v) in [-1, 1] and its place on the resting body."""
    if rest_positions_m.shape[:2] != (resolution, resolution):
        raise ValueError(
            f"rest_positions_m: got shape {rest_positions_m.shape}, "
            f"want {(resolution, resolution, 3)}"
        )
    centres = (torch.arange(resolution) + 0.5) * (2 / resolution) - 1
    v, u = torch.meshgrid(centres, centres, indexing="ij")
    rest = torch.from_numpy(np.nan_to_num(rest_positions_m).astype(np.float32))
    return torch.cat([torch.stack([u, v]), rest.permute(2, 0, 1)])


class Wrap(nn.Module):
    """F_img, IUV -> F_UV (Eq. 1): wrapped features plus where each texel was seen, and whether.

    Geometry channels: mean source position (x, y), filled mask, then the constant maps of
    `atlas_maps` if the body's resting surface is given.
    """

    constant: Tensor

    def __init__(
        self, resolution: int, rest_positions_m: Float[np.ndarray, "R R 3"] | None = None
    ):
        super().__init__()
        self.resolution = resolution
        constant = (
            torch.zeros(0, resolution, resolution)
            if rest_positions_m is None
            else atlas_maps(resolution, rest_positions_m)
        )
        self.register_buffer("constant", constant, persistent=False)
        self.geometry_channels = 3 + len(constant)

    def forward(
        self,
        features: Float[Tensor, "B C h w"] | None,
        mask: Bool[Tensor, "B H W"],
        uv: Float[Tensor, "B H W 2"],
        image: Float[Tensor, "B 3 _ _"] | None = None,
    ) -> Arranged:
        """Lay the visible person out on the atlas; `image` is unused here (see variants).

        Gradients reach the features only. `mask` and `uv` as in docs/conventions.md; the features
        may be coarser or finer than the IUV, they are sampled bilinearly at its visible pixels.
        """
        bags = bag_pixels(mask, uv, self.resolution)
        size = (mask.shape[1], mask.shape[2])
        geometry = torch.cat(
            [
                wrap_positions(bags, size),
                bags.filled[:, None].to(uv.dtype),
                self.constant.expand(len(mask), -1, -1, -1),
            ],
            dim=1,
        )
        wrapped = None if features is None else wrap_features(features, bags, size)
        return Arranged(wrapped, geometry)

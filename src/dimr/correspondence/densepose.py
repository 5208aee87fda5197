"""DensePose's output for one person -> our IUV: parts and chart coordinates in a box.

DensePose (Gueler et al. 2018, detectron2's charts) says for each pixel of a box which of 24 charts
it shows and where, (U, V); a `UvTable` takes that to one global map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import interpolate

from dimr.correspondence.iuv_window import IuvWindow
from dimr.surface.parts import NUM_CHARTS
from dimr.surface.uv_table import UvTable
from dimr.types import Iuv

MIN_SCORE = 0.5
"""Detections of less are no people; DensePose's own programs use 0.3 to 0.8."""
BOX_SLACK_PX = 2
"""How far a box may leave the picture, or differ from its labels, by rounding."""

NEEDED = (
    "DensePose says (part, U, V); to place that on the atlas, make a table once from files that "
    "you get yourself, `dimr iuv table UV_Processed.mat SMPL_NEUTRAL.pkl -o table.npz` (for "
    "weights of `dimr train paper` with --data ROOT), and give it with --table (predict: "
    "--iuv-table). SMPL: register at https://smpl.is.tue.mpg.de. "
    "UV_Processed.mat: in DensePose's densepose_uv_data.tar.gz (non-commercial licence). No free "
    "file can replace the two"
)


class DensePoseInstance(NamedTuple):
    """One detected person."""

    box_px: Float[np.ndarray, "4"]
    """x0, y0, x1, y1 in the picture, as DensePose counts: pixel k reaches from k to k + 1."""
    score: float
    part: Int[np.ndarray, "h w"]
    """0 background, 1..24."""
    chart_uv: Float[np.ndarray, "h w 2"]
    """(U, V) in [0, 1]."""


def box_corner_size(box_px: Float[np.ndarray, "4"]) -> tuple[int, int, int, int]:
    """x, y, width, height in whole pixels as DensePose takes them: cut off, at least 1."""
    x0, y0, x1, y1 = (float(value) for value in box_px)
    return int(x0), int(y0), max(int(x1 - x0), 1), max(int(y1 - y0), 1)


def check_boxes(boxes_px: Float[np.ndarray, "N 4"], picture_size: tuple[int, int]) -> None:
    """Refuses boxes that are not of this picture.

    Raises:
        ValueError: naming the box.
    """
    limit = np.array([*picture_size, *picture_size]) + BOX_SLACK_PX
    for box in boxes_px:
        inside = (box >= -BOX_SLACK_PX) & (box <= limit)  # false for NaN as well
        if not inside.all() or not (box[2:] >= box[:2]).all():
            raise ValueError(
                f"box {box.tolist()} is not in a picture of "
                f"{picture_size[0]} x {picture_size[1]} pixels"
            )


@torch.inference_mode()
def decode_charts(
    coarse: Float[Tensor, "K a b"],
    fine: Float[Tensor, "25 a b"],
    u: Float[Tensor, "25 a b"],
    v: Float[Tensor, "25 a b"],
    box_px: Float[np.ndarray, "4"],
    score: float,
) -> DensePoseInstance:
    """A predictor's maps of one box to labels and coordinates of the box's pixels.

    Everything is resized to the box bilinearly; a pixel's part is the best fine one where the best
    coarse one is not background, its U and V those of that part, clamped to [0, 1].

    Args:
        coarse: logits; channel 0 is background.
        fine: logits of background and 24 parts.
        u: U of each part.
        v: V of each part.
        box_px: x0, y0, x1, y1.
        score: of the detection.
    """
    _, _, width, height = box_corner_size(box_px)
    size = height, width
    part = torch.where(_best(coarse, size) > 0, _best(fine, size), 0)
    chart_uv = torch.zeros(2, height, width)
    for number in part.unique().tolist():
        if number:
            own = part == number
            for axis, maps in enumerate((u, v)):
                chart_uv[axis][own.cpu()] = _resized(maps[number], size)[own].float().cpu()
    return DensePoseInstance(
        box_px, score, part.cpu().numpy(), chart_uv.clamp(0, 1).permute(1, 2, 0).numpy()
    )


def _resized(one: Float[Tensor, "a b"], size: tuple[int, int]) -> Float[Tensor, "h w"]:
    return interpolate(one[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def _best(maps: Float[Tensor, "K a b"], size: tuple[int, int]) -> Int[Tensor, "h w"]:
    """Argmax over resized channels, the first wins; one channel at a time, to save memory."""
    best = _resized(maps[0], size)
    number = torch.zeros(size, dtype=torch.int64, device=maps.device)
    for channel in range(1, len(maps)):
        other = _resized(maps[channel], size)
        number[other > best] = channel
        best = torch.maximum(best, other)
    return number


def parts_to_iuv(
    part: Int[np.ndarray, "h w"], chart_uv: Float[np.ndarray, "h w 2"], table: UvTable | None
) -> Iuv:
    """DensePose's labels to an IUV on the table's atlas.

    Raises:
        ValueError: without a table for DensePose's charts, or for parts that are none.
    """
    if table is None or len(table.uv) != NUM_CHARTS:
        raise ValueError(NEEDED)
    if part.size and not 0 <= part.min() <= part.max() <= NUM_CHARTS:
        raise ValueError(f"parts reach from {part.min()} to {part.max()}, want 0 to {NUM_CHARTS}")
    mask = part > 0
    uv = np.zeros((*mask.shape, 2), np.float32)
    uv[mask] = table.lookup(part[mask], chart_uv[mask])
    return Iuv(mask, uv)


def instance_to_window(instance: DensePoseInstance, table: UvTable | None) -> IuvWindow:
    """A detected person to an IUV window at its place in the picture."""
    x, y, width, height = box_corner_size(instance.box_px)
    rows, cols = instance.part.shape
    if max(abs(rows - height), abs(cols - width)) > BOX_SLACK_PX:
        raise ValueError(f"labels are {cols} x {rows} pixels in a box of {width} x {height}")
    return IuvWindow(parts_to_iuv(instance.part, instance.chart_uv, table), (x, y), instance.score)


def instances_to_windows(
    instances: Sequence[DensePoseInstance], table: UvTable | None, min_score: float = MIN_SCORE
) -> list[IuvWindow]:
    """Everybody who is sure enough and has a visible pixel, the surest first."""
    sure = sorted((one for one in instances if one.score >= min_score), key=lambda x: -x.score)
    windows = [instance_to_window(instance, table) for instance in sure]
    return [window for window in windows if window.iuv.mask.any()]

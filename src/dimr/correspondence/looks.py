"""One look of a landmark network at a window, and the upright windows that bodies ask for.

What networks say in pixels of their windows and in metres of the turned body becomes
crop-normalised and upright here.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dimr.encoder.blazepose import CIRCLE, HIPS, LANDMARK_SIZE

MARK_SIZE = LANDMARK_SIZE // 8
WINDOW_MARGIN = 1.25
"""Half the side of the next window as a multiple of the radius of the circle around the body."""
HALF_SIDE = (0.25, 1.2)
"""Between which that is, crop-normalised: the crop says nothing of what is outside of it."""
LEAST_HALF = 1e-3
"""Below which nothing is a window."""


class Look(NamedTuple):
    """What the network says of some windows."""

    pose: Float[Tensor, "B 39 8"]
    """As `look_at_pose`, but for the spread."""
    upright: Float[Tensor, "B"]
    """How probably the windows are turned as the bodies are."""
    half: Float[Tensor, "B"]
    """Half the windows' sides, crop-normalised."""
    summary: Float[Tensor, "B 288 2 2"]
    """The features that all this was read from."""


def window_after(
    pose: Float[Tensor, "B 39 8"],
) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B 2 2"]]:
    """Where the next look goes after one."""
    return next_window(pose[:, HIPS, :2], pose[:, CIRCLE, :2])


def next_window(
    hips: Float[Tensor, "B 2"], circle: Float[Tensor, "B 2"]
) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B 2 2"]]:
    """Middle and axes of the upright window around a body, no larger than its crop."""
    _, axes = window_around(hips, circle)
    size = axes[:, :, 0].norm(dim=1)
    half = size.clamp(*HALF_SIDE)
    room = (HALF_SIDE[1] - half)[:, None]
    return hips.clamp(-room, room), (half / size)[:, None, None] * axes


def window_around(
    hips: Float[Tensor, "B 2"], circle: Float[Tensor, "B 2"]
) -> tuple[Float[Tensor, "B 2"], Float[Tensor, "B 2 2"]]:
    """Middle and axes of the upright window around a body."""
    upwards = circle - hips
    half = (WINDOW_MARGIN * upwards.norm(dim=1)).clamp(min=LEAST_HALF)
    angle_rad = torch.atan2(upwards[:, 0], -upwards[:, 1])
    return hips, half[:, None, None] * rotations(angle_rad)


def rotations(angle_rad: Float[Tensor, "B"]) -> Float[Tensor, "B 2 2"]:
    """Axes of windows that are turned by angles."""
    cos, sin = angle_rad.cos(), angle_rad.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))


def look(
    network: nn.Module,
    image: Float[Tensor, "B 3 S S"],
    marker: Float[Tensor, "B 2 h w"],
    middle: Float[Tensor, "B 2"],
    axes: Float[Tensor, "B 2 2"],
) -> Look:
    """One look at the windows `middle + axes @ [-1, 1]^2`, black outside of the crops."""
    affine = torch.cat([axes, middle[..., None]], dim=2)

    def window(picture: Tensor, side: int) -> Tensor:
        size = [len(picture), picture.shape[1], side, side]
        grid = functional.affine_grid(affine, size, align_corners=False).to(picture.dtype)
        return functional.grid_sample(picture, grid, align_corners=False)

    mark = functional.avg_pool2d(window(marker, 2 * MARK_SIZE), 2)
    landmarks_px, world_m, upright, summary = network(window(image, LANDMARK_SIZE), mark)
    place = landmarks_px[..., :3] * (2 / LANDMARK_SIZE)
    place = place - place.new_tensor([1.0, 1.0, 0.0])
    half = axes[:, :, 0].norm(dim=1)
    size = half[:, None, None]
    pose = torch.cat(
        [
            middle[:, None] + place[..., :2] @ axes.mT,
            place[..., 2:] * size,
            landmarks_px[..., 3:].sigmoid(),
            world_m[..., :2] @ (axes / size).mT,
            world_m[..., 2:],
        ],
        dim=-1,
    )
    return Look(pose, upright, half, summary)

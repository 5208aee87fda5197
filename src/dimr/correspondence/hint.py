"""What the original BlazePose network says of a crop, as a hint for the correspondence network.

Trained on photographs, that network knows which way a person faces: its world landmarks are within
ten degrees of the true direction where our own labels take backs for fronts. It says so as 39
points; the hint lays them out where the decoder can use them.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dimr.encoder.blazepose import LANDMARK_SIZE, NUM_LANDMARKS, BlazePose

NUM_BODY = 33
"""Landmarks on the body; the others only place MediaPipe's next crop."""
NUM_VALUES = 8
SPREAD = 0.8
"""Standard deviation of a landmark's bump, in cells of the map."""


def look_at_pose(network: BlazePose, image: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B 39 8"]:
    """x, y, z in crop-normalised coordinates, visibility, presence, and x, y, z in metres."""
    if image.shape[-1] != LANDMARK_SIZE:
        image = functional.interpolate(image, (LANDMARK_SIZE, LANDMARK_SIZE), mode="bilinear")
    output = network(image)
    place = output.landmarks_px[..., :3].float() * (2 / LANDMARK_SIZE)
    place = place - place.new_tensor([1.0, 1.0, 0.0])
    sure = output.landmarks_px[..., 3:].float().sigmoid()
    return torch.cat([place, sure, output.world_landmarks_m.float()], dim=-1)


class PoseHint(nn.Module):
    """Landmarks -> something to add to the context's tokens and to a map.

    Both start at zero, so that a network without the hint goes on as it was.

    Args:
        token_width: channels of the context.
        map_width: channels of the map.
    """

    def __init__(self, token_width: int, map_width: int, hidden: int = 256) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Linear(NUM_LANDMARKS * NUM_VALUES, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
        )
        self.to_tokens = nn.Linear(hidden, token_width)
        self.to_map = nn.Linear(hidden, map_width)
        self.bumps = nn.Conv2d(NUM_BODY, map_width, 3, padding=1)
        for layer in (self.to_tokens, self.to_map, self.bumps):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(
        self, pose: Float[Tensor, "B 39 8"], size: tuple[int, int]
    ) -> tuple[Float[Tensor, "B T 1 1"], Float[Tensor, "B C h w"]]:
        """What to add to tokens and to a map of `size`; nothing where `pose` is all zero."""
        known = (pose != 0).any(2).any(1).to(pose.dtype)[:, None, None, None]
        read = self.read(pose.flatten(1))
        bumps = self.bumps(landmark_bumps(pose[:, :NUM_BODY], size).to(read.dtype))
        tokens = self.to_tokens(read)[..., None, None]
        return tokens * known, (bumps + self.to_map(read)[..., None, None]) * known


def landmark_bumps(
    pose: Float[Tensor, "B L 8"], size: tuple[int, int]
) -> Float[Tensor, "B L h w"]:
    """A bump at each landmark, as high as it is visible."""
    height, width = size
    centre = (pose[..., :2] + 1) / 2 * pose.new_tensor([width, height]) - 0.5
    x = torch.arange(width, device=pose.device) - centre[..., :1]
    y = torch.arange(height, device=pose.device) - centre[..., 1:]
    rows, cols = (torch.exp(-(axis**2) / (2 * SPREAD**2)) for axis in (y, x))
    return rows[..., None] * cols[..., None, :] * pose[..., 3, None, None]

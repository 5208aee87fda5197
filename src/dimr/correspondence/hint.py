"""What the landmark network says of a crop, as a hint for the correspondence network.

It began with photographs and knows which way a person faces better than our own labels, which
take backs for fronts (docs/stage1_choices.md). It says so as 39 points; the hint lays them out
where the decoder can use them: as a stick figure that says at each place which limb is near and
how far along it one is.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dimr.encoder.blazepose import LANDMARK_VALUES, NUM_LANDMARKS

LIMBS = (
    (7, 8), (0, 11), (0, 12),  # ears, nose to shoulders
    (11, 12), (23, 24), (11, 23), (12, 24),  # trunk
    (11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20),  # arms and hands
    (23, 25), (25, 27), (29, 31), (24, 26), (26, 28), (30, 32),  # legs and feet
)  # fmt: skip
"""Pairs of landmarks with something of the body between them."""
LIMB_VALUES = 3
HIDDEN_WIDTH = 256
THICKNESS = 0.3
"""Standard deviation of a limb's profile, as a share of the trunk's length."""


class PoseHint(nn.Module):
    """Landmarks -> something to add to the context's tokens and to a map.

    Both start at zero, so that a network without the hint goes on as it was.

    Args:
        token_width: channels of the context.
        map_width: channels of the map.
    """

    def __init__(self, token_width: int, map_width: int) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Linear(NUM_LANDMARKS * LANDMARK_VALUES, HIDDEN_WIDTH),
            nn.GELU(),
            nn.Linear(HIDDEN_WIDTH, HIDDEN_WIDTH),
            nn.GELU(),
        )
        self.to_tokens = nn.Linear(HIDDEN_WIDTH, token_width)
        self.limbs = nn.Conv2d(LIMB_VALUES * len(LIMBS), map_width, 1)
        for layer in (self.to_tokens, self.limbs):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(
        self, pose: Float[Tensor, "B 39 10"], size: tuple[int, int]
    ) -> tuple[Float[Tensor, "B T 1 1"], Float[Tensor, "B C h w"]]:
        """What to add to tokens and to a map of `size`; nothing where `pose` is all zero.

        The spread of landmarks is not heard.
        """
        known = (pose != 0).any(2).any(1).to(pose.dtype)[:, None, None, None]
        tokens = self.to_tokens(self.read(pose[..., :LANDMARK_VALUES].flatten(1)))[..., None, None]
        return tokens * known, self.limbs(stick_figure(pose, size)) * known


def stick_figure(
    pose: Float[Tensor, "B 39 10"], size: tuple[int, int]
) -> Float[Tensor, "B _ h w"]:
    """For each limb how near it is; that times the place along it (-1 to 1); that times its z.

    A limb is as near as its ends are visible; z is in crop-normalised units, as the landmarks'.
    """
    height, width = size
    start, end = (pose[:, [pair[side] for pair in LIMBS]] for side in (0, 1))
    trunk = (pose[:, [11, 12], :2].mean(1) - pose[:, [23, 24], :2].mean(1)).norm(dim=-1)
    thickness = (THICKNESS * trunk).clamp_min(0.02)[:, None, None, None]
    x = (torch.arange(width, device=pose.device) + 0.5) * (2 / width) - 1
    y = ((torch.arange(height, device=pose.device) + 0.5) * (2 / height) - 1)[:, None]
    start_x, start_y, start_z, start_seen = (start[..., k, None, None] for k in range(4))
    along_x, along_y = (end[..., k, None, None] - start[..., k, None, None] for k in range(2))
    length2 = (along_x**2 + along_y**2).clamp_min(1e-6)
    along = ((x - start_x) * along_x + (y - start_y) * along_y) / length2  # [B, limbs, h, w]
    along = along.clamp(0, 1)
    gap2 = (x - start_x - along * along_x) ** 2 + (y - start_y - along * along_y) ** 2
    seen = torch.minimum(start_seen, end[..., 3, None, None])
    near = torch.exp(-gap2 / (2 * thickness**2)) * seen
    depth = start_z + along * (end[..., 2, None, None] - start_z)
    return torch.cat([near, near * (2 * along - 1), near * depth], dim=1)

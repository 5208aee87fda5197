"""What the original BlazePose network says of a crop, as a hint for the correspondence network.

Trained on photographs, that network knows which way a person faces: its world landmarks are within
ten degrees of the true direction where our own labels take backs for fronts. It says so as 39
points; the hint lays them out where the decoder can use them: as a stick figure that says at each
place which limb is near and how far along it one is.

It speaks of the most prominent person. Where somebody else is meant, the others are greyed out
before it looks.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dimr.encoder.blazepose import LANDMARK_SIZE, NUM_LANDMARKS, BlazePose

NUM_VALUES = 8
LIMBS = (
    (7, 8), (0, 11), (0, 12),  # ears, nose to shoulders
    (11, 12), (23, 24), (11, 23), (12, 24),  # trunk
    (11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20),  # arms and hands
    (23, 25), (25, 27), (29, 31), (24, 26), (26, 28), (30, 32),  # legs and feet
)  # fmt: skip
"""Pairs of landmarks with something of the body between them."""
LIMB_VALUES = 3
THICKNESS = 0.3
"""Standard deviation of a limb's profile, as a share of the trunk's length."""
GREY = 0.5
HIPS, CIRCLE = 33, 34
"""Auxiliary landmarks: the middle of the hips, and a point on the circle around the whole body."""
WINDOW_MARGIN = 1.25
"""Half the side of the next window as a multiple of that circle's radius."""
LOOKS = 3
"""The window of each look but the first fits the body that the look before saw."""
TURNS_RAD = (0.0, math.pi / 2, -math.pi / 2, math.pi)
"""Of the first look, tried until somebody is there."""
CERTAIN = 0.97
"""Probability of somebody below which they are."""
SMALLEST_RADIUS = 0.05
"""Of a body that is looked at once more, in crop-normalised coordinates."""


def look_at_pose(
    network: BlazePose,
    image: Float[Tensor, "B 3 S S"],
    others: Float[Tensor, "B 1 h w"] | None = None,
) -> Float[Tensor, "B 39 8"]:
    """Landmarks of the person in each crop.

    The first look is at the crop, each further one at the upright window around the body that was
    seen, as MediaPipe tracks people from frame to frame. Where nobody is certain then, the same
    begins with the crop turned to each side and upside down; whoever is certain there counts.

    Args:
        network: the original one.
        image: crops.
        others: where people are who are not meant.

    Returns:
        x, y, z in crop-normalised coordinates, visibility, presence (both times the probability
        that somebody is there at all), and x, y, z in metres.
    """
    if others is not None:
        image = grey_out(image, others)
    pose, sure = _looks(network, image, TURNS_RAD[0])
    unsure = (sure < CERTAIN).nonzero()[:, 0]
    for turn_rad in TURNS_RAD[1:] if len(unsure) else ():
        turned, sure_of_it = _looks(network, image[unsure], turn_rad)
        surer = (sure_of_it >= CERTAIN) & (sure_of_it > sure[unsure])
        pose[unsure[surer]], sure[unsure[surer]] = turned[surer], sure_of_it[surer]
    pose[..., 3:5] *= sure[:, None, None]
    return pose


def _looks(
    network: BlazePose, image: Float[Tensor, "B 3 S S"], turn_rad: float
) -> tuple[Float[Tensor, "B 39 8"], Float[Tensor, "B"]]:
    """All looks at crops, the first one turned."""
    axes = rotations(image.new_full((len(image),), turn_rad))
    pose, sure = _look(network, image, image.new_zeros(len(image), 2), axes)
    for _ in range(LOOKS - 1):
        middle = pose[:, HIPS, :2]
        upwards = pose[:, CIRCLE, :2] - middle
        radius = upwards.norm(dim=1)
        worth = radius >= SMALLEST_RADIUS
        half = WINDOW_MARGIN * torch.where(worth, radius, 1.0)[:, None, None]
        axes = half * rotations(torch.atan2(upwards[:, 0], -upwards[:, 1]))
        again, sure_again = _look(network, image, middle, axes)
        pose = torch.where(worth[:, None, None], again, pose)
        sure = torch.where(worth, sure_again, sure)
    return pose, sure


def rotations(angle_rad: Float[Tensor, "B"]) -> Float[Tensor, "B 2 2"]:
    """Axes of windows that are turned by angles."""
    cos, sin = angle_rad.cos(), angle_rad.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))


def _look(
    network: BlazePose,
    image: Float[Tensor, "B 3 S S"],
    middle: Float[Tensor, "B 2"],
    axes: Float[Tensor, "B 2 2"],
) -> tuple[Float[Tensor, "B 39 8"], Float[Tensor, "B"]]:
    """One look at the windows `middle + axes @ [-1, 1]^2`, black outside of the crops."""
    affine = torch.cat([axes, middle[..., None]], dim=2)
    size = [len(image), 3, LANDMARK_SIZE, LANDMARK_SIZE]
    grid = functional.affine_grid(affine, size, align_corners=False).to(image.dtype)
    window = functional.grid_sample(image, grid, align_corners=False)
    landmarks_px, world_m, sure = network.find_landmarks(window)
    place = landmarks_px[..., :3].float() * (2 / LANDMARK_SIZE)
    place = place - place.new_tensor([1.0, 1.0, 0.0])
    half = axes[:, :, 0].norm(dim=1)[:, None, None]
    turn = (axes / half).mT
    pose = torch.cat(
        [
            middle[:, None] + place[..., :2] @ axes.mT,
            place[..., 2:] * half,
            landmarks_px[..., 3:].float().sigmoid(),
            world_m[..., :2].float() @ turn,
            world_m[..., 2:].float(),
        ],
        dim=-1,
    )
    return pose, sure.float()


def grey_out(
    image: Float[Tensor, "B 3 S S"], mask: Float[Tensor, "B 1 h w"]
) -> Float[Tensor, "B 3 S S"]:
    """Grey where `mask` is 1."""
    cover = functional.interpolate(mask, image.shape[-2:]).to(image.dtype)
    return torch.lerp(image, image.new_tensor(GREY), cover)


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
        self.limbs = nn.Conv2d(LIMB_VALUES * len(LIMBS), map_width, 1)
        for layer in (self.to_tokens, self.limbs):
            nn.init.zeros_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(
        self, pose: Float[Tensor, "B 39 8"], size: tuple[int, int]
    ) -> tuple[Float[Tensor, "B T 1 1"], Float[Tensor, "B C h w"]]:
        """What to add to tokens and to a map of `size`; nothing where `pose` is all zero."""
        known = (pose != 0).any(2).any(1).to(pose.dtype)[:, None, None, None]
        tokens = self.to_tokens(self.read(pose.flatten(1)))[..., None, None]
        return tokens * known, self.limbs(stick_figure(pose, size)) * known


def stick_figure(pose: Float[Tensor, "B 39 8"], size: tuple[int, int]) -> Float[Tensor, "B _ h w"]:
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

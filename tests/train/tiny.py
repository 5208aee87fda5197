"""Small stand-ins: an encoder that takes milliseconds, labelled joints of somebody who stands."""

import cv2
import numpy as np
import torch

from dimr.network.dimr import HeadSize
from dimr.train.weights import new_stage2, save_model

STANDING_PX = np.array(
    [
        [80, 170], [82, 135], [85, 100], [105, 100], [108, 135], [110, 170],
        [60, 100], [65, 75], [75, 50], [115, 50], [125, 75], [130, 100],
        [95, 42], [95, 20],
    ],
    float,
)  # fmt: skip
"""LSP's fourteen, in a crop of 192 pixels."""


class TinyEncoder(torch.nn.Module):
    channels, strides = (8,), (4,)

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 4, stride=4)

    def load_coco_pose_checkpoint(self, path):
        pass

    def forward(self, image):
        return [self.conv(image)]


def save_whole_model(folder, body, atlas):
    """A model as the recipe `paper` leaves it, but for its encoder and its size."""
    size = HeadSize(
        atlas=16, features=8, blocks=((8, 2),), norm_groups=4, hidden=16, landmarks=False
    )
    torch.manual_seed(0)
    model = new_stage2("dimr", TinyEncoder(), body, atlas, size)
    about = {"encoder": "hrnet_w32", "variant": "dimr", "crop_size": 64, "data": {"3dpw": 1}}
    save_model(folder, model, size, body, atlas, about)
    return folder


def write_lspet(folder, ids, unknown):
    """Crops of noise with somebody who stands labelled; one of them lacks an ankle."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in ids:
        picture = cv2.resize(rng.integers(0, 255, (12, 12, 3), np.uint8), (192, 192))
        cv2.imwrite(str(folder / "images" / f"im{number:05d}.jpg"), picture)
    joints = np.repeat(STANDING_PX[None], len(ids), 0)
    joints[unknown, 0] = np.nan
    np.savez(folder / "joints.npz", ids=np.array(ids), joints=joints)

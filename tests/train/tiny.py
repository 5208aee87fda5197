"""An encoder that takes milliseconds, for where only what is around it matters."""

import torch


class TinyEncoder(torch.nn.Module):
    channels, strides = (8,), (4,)

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 4, stride=4)

    def load_coco_pose_checkpoint(self, path):
        pass

    def forward(self, image):
        return [self.conv(image)]

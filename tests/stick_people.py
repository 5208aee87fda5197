"""People as thin as sticks, and a network that says that people are their limbs."""

import numpy as np
import torch

from dimr.correspondence.outlines import OutlineNet
from dimr.correspondence.people import CROP_SIZE, mask_to_detection
from dimr.correspondence.sightings import Sighting
from dimr.types import Detection

SIZE = 120
PICTURE = np.zeros((SIZE, SIZE, 3), np.uint8)


def upright(x: float, seen: float = 0.9) -> Sighting:
    """Somebody as thin as a stick."""
    y = np.full(17, 20.0)
    y[[5, 6]], y[[7, 8]], y[[9, 10]] = 40, 55, 65
    y[[11, 12]], y[[13, 14]], y[[15, 16]] = 70, 85, 100
    points = np.stack([np.full(17, x), y], axis=1)
    return Sighting(0.8, np.array([x - 10, 16, x + 10, 104.0]), points, np.full(17, seen))


def columns(left: int, right: int) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[16:104, left:right] = True
    return mask


def outlined(left: int, right: int, score: float = 0.7) -> Detection:
    return mask_to_detection(score, columns(left, right))


class Limbs(OutlineNet):
    """Says that people are where their limbs are, and nowhere else."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)  # without a network
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.encoder = torch.nn.Module()
        self.encoder.features = lambda image: image
        self.asked: list[torch.Tensor] = []

    def outline(self, features, marks):
        assert features.shape == (1, 3, CROP_SIZE, CROP_SIZE)
        self.asked.append(marks)
        return 10 * (marks[:, 2] - 0.3)

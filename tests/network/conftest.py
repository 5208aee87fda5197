"""A toy encoder and atlas: small enough that every test runs in milliseconds."""

import numpy as np
import pytest
import torch
from torch import nn

from dimr.network.dimr import HeadSize

ATLAS = 16
CROP = 32


class ToyEncoder(nn.Module):
    """Two maps, at strides 4 and 8."""

    channels = (6, 10)
    strides = (4, 8)

    def __init__(self):
        super().__init__()
        self.fine = nn.Conv2d(3, 6, 4, stride=4)
        self.coarse = nn.Conv2d(3, 10, 8, stride=8)

    def forward(self, image):
        return [self.fine(image), self.coarse(image)]


@pytest.fixture
def toy_encoder():
    torch.manual_seed(0)
    return ToyEncoder()


@pytest.fixture
def toy_size():
    return HeadSize(
        atlas=ATLAS,
        features=5,
        blocks=((8, 2), (16, 2)),
        hidden=32,
        landmarks=False,
        uncertainty=False,
    )


@pytest.fixture
def toy_parts():
    """24 parts of 3 x 2 texels in a 15 x 16 field; the rest is empty."""
    row, column = np.mgrid[:ATLAS, :ATLAS]
    parts = (row // 3) * 5 + column // 3
    return np.where((parts < 24) & (column < 15), parts, -1).astype(np.int8)


@pytest.fixture
def toy_rest():
    rest = np.random.default_rng(0).normal(size=(ATLAS, ATLAS, 3)).astype(np.float32)
    rest[-1] = np.nan  # an empty row of the atlas
    return rest


@pytest.fixture
def toy_batch():
    """Three crops with their IUV; nobody is visible in the last."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand(3, CROP // 2, CROP // 2, generator=generator) < 0.4
    mask[2] = False
    uv = torch.rand(3, CROP // 2, CROP // 2, 2, generator=generator) * mask[..., None]
    return torch.rand(3, 3, CROP, CROP, generator=generator), mask, uv

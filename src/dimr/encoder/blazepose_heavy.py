"""The landmark network's larger sibling, "BlazePose heavy" (Apache-2.0), with its own weights.

The encoder is built as that of `dimr.encoder.blazepose`, six times as large. Landmarks are read
from all its maps, not from the coarsest alone: down again from stride 4, with what it saw at
strides 8, 16 and 32 added on the way. `scripts/import_blazepose_heavy.py` makes the weights and
compares the outputs with the original.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from dimr.assets import asset_path
from dimr.encoder.blazepose import (
    LANDMARK_CHANNELS,
    PYRAMID_CHANNELS,
    BlazePoseEncoder,
    Block,
    LandmarkReader,
    MaskBranch,
    Refine,
    Separable,
    Size,
    upsample2,
)

HEAVY = Size(
    24,
    (
        (Block(96, 3, 2, 32), Block(128, 3, 1, 32), *[Block(192, 3, 1, 32)] * 2),
        (Block(192, 5, 2, 56), *[Block(336, 5, 1, 56)] * 3),
        (
            Block(336, 3, 2, 112),
            *[Block(672, 3, 1, 112)] * 5,
            Block(672, 5, 1, 160),
            *[Block(960, 5, 1, 160)] * 5,
        ),
        (Block(960, 5, 2, 272), *[Block(1632, 5, 1, 272)] * 7),
    ),
    1632,
)
WEIGHTS = tuple(f"blazepose_heavy_{number}.safetensors" for number in (1, 2, 3))
"""No file of the package is larger than 12 MB."""
MASK_WEIGHTS = "blazepose_heavy_mask.safetensors"
WIDTHS = (96, 192, LANDMARK_CHANNELS)
"""Of the branch at strides 8, 16 and 32."""
REFINED = (6, 7, 7)
"""So many blocks there."""


class HeavyBranch(LandmarkReader):
    """Maps at strides 4 to 32 and the top features -> landmarks and presence."""

    def __init__(self):
        super().__init__()
        widths = [stage[-1].out for stage in HEAVY.stages]
        self.laterals = nn.ModuleList(
            Separable(inputs, PYRAMID_CHANNELS) for inputs in (*widths[:3], HEAVY.top)
        )
        starts = zip((PYRAMID_CHANNELS, *WIDTHS[:2]), WIDTHS, REFINED, strict=True)
        self.down = nn.ModuleList(
            nn.Sequential(Refine(inputs, 2, outputs), *(Refine(outputs) for _ in range(count)))
            for inputs, outputs, count in starts
        )
        self.beside = nn.ModuleList(
            Separable(inputs, outputs)
            for inputs, outputs in zip((*widths[1:3], HEAVY.top), WIDTHS, strict=True)
        )
        last = LANDMARK_CHANNELS
        self.refine = nn.Sequential(
            Refine(last, 2),
            *(Refine(last) for _ in range(7)),
            Refine(last, 2),
            *(Refine(last) for _ in range(7)),
        )

    def climb(self, maps: Sequence[Tensor]) -> Float[Tensor, "B 48 64 64"]:
        """All that the maps know, at stride 4; see `summarise`."""
        *fine, _, top = maps
        features = self.laterals[3](top)
        for level in (2, 1, 0):
            features = upsample2(features) + self.laterals[level](fine[level])
        return features

    def summarise(
        self, features: Float[Tensor, "B 48 64 64"], maps: Sequence[Tensor]
    ) -> Float[Tensor, "B 288 2 2"]:
        """All that the branch knows of a picture.

        Args:
            features: of `climb`.
            maps: of the encoder's stages, fine to coarse, and its top features.
        """
        *fine, _, top = maps
        for down, beside, seen in zip(self.down, self.beside, (*fine[1:], top), strict=True):
            features = down(features) + beside(seen)
        return self.refine(features)


class BlazePoseHeavy(nn.Module):
    """Windows of 256 x 256 -> landmarks and outline of the most prominent person; no heat maps.

    Initial weights are random; `pretrained` loads the shipped ones. It is never learnt, nor asked,
    in mixed precision: in bfloat16 its landmarks are two pixels elsewhere.
    """

    def __init__(self):
        super().__init__()
        encoder = BlazePoseEncoder(HEAVY)
        self.stem, self.stages, self.top = encoder.stem, encoder.stages, encoder.top
        self.branch = HeavyBranch()
        self.mask = MaskBranch(HEAVY.stem)

    @classmethod
    def pretrained(cls) -> "BlazePoseHeavy":
        """The network with the shipped weights, in float32."""
        network, state = cls(), {}
        for file in (*WEIGHTS, MASK_WEIGHTS):
            state |= load_file(asset_path(file))
        network.load_state_dict(state)
        return network

    def forward(
        self, image: Float[Tensor, "B 3 256 256"]
    ) -> tuple[
        Float[Tensor, "B 39 5"],
        Float[Tensor, "B 39 3"],
        Float[Tensor, "B"],
        Float[Tensor, "B 288 2 2"],
    ]:
        """Landmarks, world landmarks, presence (see `LandmarkReader.read`), and their features."""
        with torch.autocast(image.device.type, enabled=False):
            _, *maps = self._descend(image)
            summary = self.branch.summarise(self.branch.climb(maps), maps)
            return *self.branch.read(summary), summary

    def outline(
        self, image: Float[Tensor, "B 3 256 256"]
    ) -> tuple[Float[Tensor, "B 1 256 256"], Float[Tensor, "B"]]:
        """Logits of the mask, and presence."""
        with torch.autocast(image.device.type, enabled=False):
            stride2, *maps = self._descend(image)
            stride4 = self.branch.climb(maps)
            *_, presence = self.branch.read(self.branch.summarise(stride4, maps))
            return self.mask(stride2, stride4), presence

    def _descend(self, image: Tensor) -> list[Tensor]:
        """Maps at strides 2 to 32, and the top features."""
        maps = [self.stem(image.float().contiguous(memory_format=torch.channels_last))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return [*maps, self.top(maps[-1])]

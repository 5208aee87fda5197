"""DIMR, stage 2: the crop of a person and its IUV -> body parameters (paper Fig. 2).

    encode    image -> F_img                     encoder and `encode.py`
    wrap      F_img, IUV -> F_UV                 `wrap.py`, Eq. 1
    complete  F_UV -> F_UV^d -> phi_0..phi_23    `complete.py`, Eq. 2
    regress   phi, GAP(F_img) -> theta, beta, pi `regress.py`

The four parts are given to the constructor: the paper's ablations and baselines (`variants.py`)
are the same class with another part in one place.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dimr.network.encode import FuseFeatures
from dimr.types import Regression


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSize:
    """Sizes of stage 2 behind the encoder. The paper's own are lost: see docs/paper_map.md."""

    atlas: int = 64
    """R: texels a side of F_UV."""
    features: int = 32
    """C: channels of F_img."""
    blocks: tuple[tuple[int, int], ...] = ((48, 2), (96, 2), (128, 2))
    """(channels, stride) of the convolutions from F_UV to F_UV^d."""
    residual_blocks: int = 1
    """Residual blocks on F_UV^d."""
    norm_groups: int = 8
    """Groups of each group norm."""
    own_bias: float = 4.0
    """Start of the attention logit on a part's own chart; 0 starts uniform, as the paper may."""
    bypass: int = 0
    """Channels of F_UV^d that reach the regressor beside the parts' features; not in the paper."""
    hidden: int = 1024
    """Width of the regressor."""
    iterations: int = 3
    """Residual steps of the regressor."""
    dropout: float = 0.0
    """Dropout of the regressor; 0.5 in HMR."""
    landmarks: bool = True
    """Whether the regressor hears what the landmark network says of the crop; ours."""
    surface: bool = True
    """Whether the regressor hears how far its surface is from the IUV; ours."""
    uncertainty: bool = True
    """Whether the regressor says how far off each joint may be; ours."""
    zero_start: bool = True
    """Picture features enter at zero (landmarks always do): training on IUV alone comes first."""
    standardise: bool = True
    """Whether the maps of a frozen encoder are brought to the same scale; ours."""

    @property
    def down_stride(self) -> int:
        """How many texels of F_UV a cell of F_UV^d spans."""
        stride = 1
        for _, block_stride in self.blocks:
            stride *= block_stride
        return stride


PAPER_SIZE = HeadSize(
    atlas=56,
    features=256,
    blocks=((256, 2), (256, 2)),
    residual_blocks=0,
    landmarks=False,
    surface=False,
    uncertainty=False,
    zero_start=False,
    standardise=False,
)
"""Our best reconstruction of the paper's sizes, for `hrnet_w32`: F_UV^d is 14x14, the atlas of 56
texels halved twice, whatever the crop (`PaperSettings.crop_size`)."""


class Dimr(nn.Module):
    """Encode, wrap, complete, regress."""

    def __init__(
        self,
        encoder: nn.Module,
        fuse: FuseFeatures,
        wrap: nn.Module,
        complete: nn.Module,
        regress: nn.Module,
    ):
        super().__init__()
        self.encoder = encoder
        self.fuse = fuse
        self.wrap = wrap
        self.complete = complete
        self.regress = regress

    def forward(
        self,
        image: Float[Tensor, "B 3 S S"],
        mask: Bool[Tensor, "B H W"],
        uv: Float[Tensor, "B H W 2"],
    ) -> Regression:
        """Crop in [0, 1] RGB and the visible person's IUV of the same window -> parameters."""
        return self.regress_from(self.encoder(image), mask, uv, image)

    def regress_from(
        self,
        maps: Sequence[Float[Tensor, "B _ _ _"]] | None,
        mask: Bool[Tensor, "B H W"],
        uv: Float[Tensor, "B H W 2"],
        image: Float[Tensor, "B 3 S S"] | None = None,
        pose: Float[Tensor, "B 39 10"] | None = None,
    ) -> Regression:
        """Like `forward`, from encoder maps that the caller has already, or from no picture.

        Args:
            maps: the encoder's output; None regresses from the IUV alone.
            mask: visible pixels of the person.
            uv: their places on the atlas.
            image: the crop itself, needed by the variant `no_uv_feature` only.
            pose: landmarks of the crop (`look_at_pose`) for a head that hears them; None goes
                without.
        """
        features = None if maps is None else self.fuse(maps)  # F_img
        arranged = self.wrap(features, mask, uv, image)  # F_UV
        completed = self.complete(arranged)  # phi
        if features is None:
            global_features = uv.new_zeros(len(mask), self.fuse.width)
        else:
            # in this order the gradient keeps the layout of the maps
            global_features = features.permute(0, 2, 3, 1).mean(dim=(1, 2))
        # poses need more digits than bfloat16 has
        with torch.autocast(uv.device.type, enabled=False):
            return self.regress(completed.float(), global_features.float(), pose, (mask, uv))

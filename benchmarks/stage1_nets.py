"""Encoders, surface codes, heads and marks that `stage1_choices.py` compares."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import laplacian
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch.nn import functional

from dimr.body.model import BodyModel
from dimr.correspondence.decode import TABLE_RESOLUTION, SurfaceTable, surface_table
from dimr.correspondence.network import (
    POSITION_SCALE_M,
    CorrespondenceMaps,
    CorrespondenceNet,
)
from dimr.encoder.blazepose import STRIDE2_CHANNELS, BlazePoseEncoder, Pyramid
from dimr.encoder.blazepose_heavy import HEAVY, BlazePoseHeavy
from dimr.encoder.lite0 import DETAIL_CHANNELS, Lite0Encoder
from dimr.surface.atlas import Atlas
from dimr.surface.parts import NUM_CHARTS
from dimr.train.stage1 import at
from dimr.train.surroundings import LEAST_MARK

EIGENVECTORS = 24
"""Of the surface's Laplacian, for codes called "spectral"; a multiple of 3. Six or nine
are too few to tell the sides of the torso apart."""


class Encoder(NamedTuple):
    """A network with `features` and `channels`, as `CorrespondenceNet` needs it."""

    network: Any
    detail_channels: int
    """Of its map at stride 2."""
    early: list[nn.Module]
    """All up to stride 8."""


class TimmEncoder(nn.Module):
    """A network of timm's with its maps at strides 2 to 32; options are those of timm."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        import timm  # pyright: ignore[reportMissingImports]

        self.net: Any = timm.create_model(name, features_only=True, **options)
        self.detail_channels, *channels = self.net.feature_info.channels()
        self.channels = tuple(channels)

    def features(self, image: Float[Tensor, "B 3 H W"]) -> Pyramid:
        """Of RGB in [0, 1], which these networks want in [-1, 1]."""
        maps = self.net(2 * image - 1)
        return Pyramid(*maps, top=maps[-1])


class Precise(nn.Module):
    """A layer in float32 under autocast, as our own `Depthwise` is."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        """In the precision of the input."""
        with torch.autocast(features.device.type, enabled=False):
            return self.layer(features.float()).to(features.dtype)


def blazepose(lite0: Path | None) -> Encoder:
    """What ships."""
    network = BlazePoseEncoder.pretrained()
    return Encoder(network, STRIDE2_CHANNELS, [network.stem, network.stages[0], network.stages[1]])


def blazepose_heavy(lite0: Path | None) -> Encoder:
    """Its larger sibling, whose longest stage is off in bfloat16."""
    source, network = BlazePoseHeavy.pretrained(), BlazePoseEncoder(HEAVY)
    network.stem, network.stages, network.top = source.stem, source.stages, source.top
    network.laterals = source.branch.laterals
    early = [network.stem, network.stages[0], network.stages[1]]
    network.stages[2] = Precise(network.stages[2])
    return Encoder(network, HEAVY.stem, early)


def efficientnet_lite0(lite0: Path | None) -> Encoder:
    """ImageNet's weights, as `scripts/import_lite0.py` writes them."""
    if lite0 is None:
        raise ValueError("lite0: needs the file of its weights (--lite0)")
    network = Lite0Encoder()
    network.load_state_dict(load_file(lite0))
    return Encoder(network, DETAIL_CHANNELS, [network.stem, network.first, *network.stages[:2]])


def hrnet_w18_small(lite0: Path | None) -> Encoder:
    """Without weights: none could be had."""
    levels = {"feature_location": "", "out_indices": (0, 1, 2, 3, 4)}
    network = TimmEncoder("hrnet_w18_small", **levels)
    return Encoder(network, network.detail_channels, [])


ENCODERS: dict[str, Callable[[Path | None], Encoder]] = {
    "blazepose": blazepose,
    "heavy": blazepose_heavy,
    "lite0": efficientnet_lite0,
    "hrnet_w18_small": hrnet_w18_small,
}
"""Each gets the file of EfficientNet-Lite0's weights."""


def eigenvectors(body: BodyModel, count: int) -> Float[np.ndarray, "V K"]:
    """The smoothest functions on the rest mesh but the constant one, with variance 1."""
    vertices, faces = body.v_template.double().cpu().numpy(), np.asarray(body.faces)
    entries = []
    for corner in range(3):
        start, end = faces[:, (corner + 1) % 3], faces[:, (corner + 2) % 3]
        one, two = (
            vertices[start] - vertices[faces[:, corner]],
            vertices[end] - vertices[faces[:, corner]],
        )
        area2 = np.linalg.norm(np.cross(one, two), axis=1).clip(1e-12)
        entries.append(np.stack([((one * two).sum(1) / area2).clip(1e-3, 20) / 2, start, end]))
    cotangent, start, end = np.concatenate(entries, axis=1)
    one_way = coo_matrix((cotangent, (start, end)), shape=(len(vertices),) * 2)
    stiffness = csc_matrix(laplacian(one_way + one_way.T))
    _, vectors = eigsh(stiffness, count + 1, sigma=-1e-6, v0=np.ones(len(vertices)))
    return vectors[:, 1:] / vectors[:, 1:].std(0)


class Surface(NamedTuple):
    """How a point of the surface is said, and what that means."""

    table: SurfaceTable
    codes: Float[Tensor, "T C"]
    """Of each texel; a short step on the surface is as long in codes as in metres."""
    middles: Float[Tensor, "K C"]
    """Of each part, or of all."""
    is_position: bool

    @classmethod
    def of(cls, kind: str, given_part: bool, body: BodyModel, atlas: Atlas) -> "Surface":
        """Codes that are a "position" in the rest pose, the atlas's "uv" or "spectral"."""
        table = surface_table(atlas, body.v_template.cpu().numpy())
        codes = {"position": table.position_m, "uv": table.uv}.get(kind)
        if codes is None:
            triples = np.split(eigenvectors(body, EIGENVECTORS), EIGENVECTORS // 3, axis=1)
            codes = np.hstack([surface_table(atlas, each).position_m for each in triples])
        beside = np.abs(np.diff(table.uv, axis=0)).sum(1) < 1.1 / TABLE_RESOLUTION
        steps_m, steps = (
            np.linalg.norm(np.diff(each, axis=0)[beside], axis=1)
            for each in (table.position_m, codes)
        )
        codes = torch.from_numpy(codes * np.median(steps_m / steps)).float()
        parts = [slice(*table.start[part : part + 2]) for part in range(1, NUM_CHARTS + 1)]
        middles = [codes[each].mean(0) for each in (parts if given_part else [slice(None)])]
        return cls(table, codes, torch.stack(middles), kind == "position")

    def of_part(self, code: Float[Tensor, "N KC"], part: Int[Tensor, "N"]) -> Float[Tensor, "N C"]:
        """What the network says of pixels of these parts (1..24)."""
        code = code.unflatten(1, self.middles.shape)
        return code[torch.arange(len(code)), part - 1] if len(self.middles) > 1 else code[:, 0]

    def true(
        self, batch: dict[str, Tensor], pixels: Bool[Tensor, "B h w"]
    ) -> Float[Tensor, "N C"]:
        """What it should say."""
        if self.is_position:
            return at(batch["position_m"], pixels)
        return self.codes[batch["texel"][pixels]]

    def texel(self, code: Float[Tensor, "N KC"], part: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
        """That of the part whose code is nearest to what the network says."""
        code, texel = self.of_part(code, part), torch.zeros_like(part)
        for each in part.unique().tolist():
            start, end = self.table.start[each : each + 2].tolist()
            nearest = torch.cdist(code[part == each], self.codes[start:end]).argmin(1)
            texel[part == each] = start + nearest
        return texel


class ChosenNet(CorrespondenceNet):
    """The network with another surface head, or with its heads at stride 4.

    What it gives as `position_m` are K codes of C values: (B, K * C, h, w).
    """

    def __init__(self, encoder: Encoder, surface: Surface, stride: int) -> None:
        super().__init__(encoder.network, torch.zeros(NUM_CHARTS, 3), encoder.detail_channels)
        self.from_stride4 = stride == 4
        width = self.heads.in_channels
        if self.from_stride4:
            width = self.hint.limbs.out_channels  # of stride 4
            self.blocks[0] = nn.Identity()
        self.sizes = (1, NUM_CHARTS, surface.middles.numel())
        self.head_middle = torch.cat([torch.zeros(1 + NUM_CHARTS), surface.middles.flatten()])
        self.head_unit = torch.full_like(self.head_middle, POSITION_SCALE_M)
        self.head_unit[: 1 + NUM_CHARTS] = 1
        self.heads = nn.Conv2d(width, sum(self.sizes), 1)

    def decode(
        self, features: Pyramid, marker: Tensor, pose: Tensor | None = None
    ) -> CorrespondenceMaps:
        """As `CorrespondenceNet.decode`."""
        stride_4 = self.climb(features, marker, pose)
        people = self.people(stride_4)
        if self.from_stride4:
            maps = resized(self.read(stride_4), features[0].shape[-2:])
        else:
            maps = self.read(self.finest(features, marker, stride_4))
        person, part, code = maps.split(self.sizes, dim=1)
        return CorrespondenceMaps(person[:, 0], part, code, people[:, 0], people[:, 1:])


def marks(batch: dict[str, Tensor], kind: str) -> Float[Tensor, "B 2 h w"]:
    """What the network is told: "two" marks, who is "meant", its "box", or the "crop" alone.

    The last says no more than whether anybody is meant: else everybody is to be labelled.
    """
    mark = batch["marker"]
    if kind == "two":
        return mark
    meant = mark[:, 0]
    if kind == "box":
        inside = (meant > LEAST_MARK).float()
        meant = _between(inside.amax(2))[:, :, None] * _between(inside.amax(1))[:, None]
    elif kind == "crop":
        meant = (1 - batch["is_scene"])[:, None, None].expand_as(meant)
    return torch.stack([meant, torch.zeros_like(meant)], dim=1)


def _between(inside: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
    """1 from the first 1 of a row to the last."""
    return inside.cummax(1).values * inside.flip(1).cummax(1).values.flip(1)


def resized(maps: Float[Tensor, "B C H W"], size: torch.Size) -> Float[Tensor, "B C h w"]:
    """On another grid."""
    return functional.interpolate(maps, tuple(size), mode="bilinear")

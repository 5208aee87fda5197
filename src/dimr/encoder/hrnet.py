"""The paper's encoder: HRNet-W32, picture -> one map of 480 channels at stride 4 (Sec. 3.6).

The network is timm's (extra `paper`), whose parameter names are those of the original HRNet
repository. Its four branches (32, 64, 128, 256 channels at strides 4, 8, 16, 32) are enlarged to
stride 4 and concatenated. The paper starts from weights trained on COCO poses:
`HrnetEncoder.load_coco_pose_checkpoint` reads such a file; none is shipped.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

BRANCHES = (32, 64, 128, 256)
BACKBONE = frozenset(
    "conv1 bn1 conv2 bn2 layer1 transition1 stage2 transition2 stage3 transition3 stage4".split()
)
"""First names of the parameters that a pose network shares with us; the rest is its head."""
WRAPPERS = frozenset({"module", "model", "backbone"})
"""First names that training frameworks put in front."""
POSE_LACKS = tuple(f"stage4.2.fuse_layers.{branch}." for branch in (1, 2, 3))
"""A pose network only uses the finest branch, so its last module lacks the paths to the others."""


class HrnetEncoder(nn.Module):
    """HRNet-W32 with its branches joined at stride 4.

    Raises:
        ImportError: timm is not installed.
    """

    channels: tuple[int, ...] = (sum(BRANCHES),)
    strides: tuple[int, ...] = (4,)
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        try:
            import timm  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError(
                'the encoder hrnet_w32 needs timm: pip install -e ".[paper]"'
            ) from error
        self.backbone = timm.create_model(
            "hrnet_w32",
            pretrained=False,
            features_only=True,
            feature_location="",
            out_indices=(1, 2, 3, 4),
        )
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> "HrnetEncoder":
        """Training mode, but for the backbone's batch norms, as in MMHuman3D."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B 480 H/4 W/4"]]:
        """RGB in [0, 1], sides a multiple of 32 -> one map."""
        if image.shape[2] % 32 or image.shape[3] % 32:
            raise ValueError(f"image: got {tuple(image.shape[2:])} pixels, want multiples of 32")
        branches = self.backbone((image - self.mean) / self.deviation)
        size = branches[0].shape[-2:]
        return [torch.cat([_enlarge(branch, size) for branch in branches], dim=1)]

    def load_coco_pose_checkpoint(self, path: Path | str) -> list[str]:
        """Starts the backbone from a COCO pose network (HRNet's, mmpose's or a lightning file).

        The head is dropped. A pose network lacks `stage4.2.fuse_layers.{1,2,3}`; these stay as
        they are. Any other difference is refused.

        Returns:
            The names that the file did not hold.

        Raises:
            ValueError: not a plain file of tensors, or not an HRNet-W32.
        """
        given = pose_backbone(read_tensors(path))
        own = self.backbone.state_dict()
        # counters of batches steer nothing here, and files before torch 0.4.1 lack them
        wanted = {name for name in own if not name.endswith("num_batches_tracked")}
        missing = wanted - given.keys()
        pose_lacks = {name for name in wanted if name.startswith(POSE_LACKS)}
        complaints = [f"lacks {name}" for name in sorted(missing - pose_lacks)]
        if missing & pose_lacks:
            present = sorted(pose_lacks - missing)
            complaints += [f"has {name} without its siblings" for name in present]
        complaints += [f"has unknown {name}" for name in sorted(given.keys() - own.keys())]
        complaints += [
            f"has {name} as {tuple(given[name].shape)}, want {tuple(own[name].shape)}"
            for name in sorted(given.keys() & own.keys())
            if given[name].shape != own[name].shape
        ]
        if complaints:
            raise ValueError(
                f"path: {path} is no HRNet-W32 pose network: {'; '.join(complaints[:3])}"
                + (f" and {len(complaints) - 3} more" if len(complaints) > 3 else "")
            )
        self.backbone.load_state_dict(given, strict=False)
        return sorted(missing)


def _enlarge(features: Float[Tensor, "B C h w"], size: torch.Size) -> Float[Tensor, "B C H W"]:
    if features.shape[-2:] == size:
        return features
    return F.interpolate(features, size=size, mode="bilinear", align_corners=False)


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """The named tensors of a torch checkpoint, without running any code that the file brings."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"path: {path} is not a checkpoint of plain tensors; if you trust it, load it and "
            "save its state_dict alone"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise ValueError(f"path: {path} holds a {type(content).__name__}, want a state_dict")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def pose_backbone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Strips what frameworks put in front of the names; keeps the backbone, drops the head."""
    kept = {}
    for name, value in tensors.items():
        parts = name.split(".")
        while parts[0] in WRAPPERS and len(parts) > 1:
            parts = parts[1:]
        if parts[0] in BACKBONE:
            kept[".".join(parts)] = value
    return kept

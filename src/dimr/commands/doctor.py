"""`dimr doctor`: what is installed, what is missing, and where it would come from."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

SHIPPED = (
    "open_body.npz",
    "open_atlas.npz",
    "blazepose_full.safetensors",
    "blazepose_heavy_1.safetensors",
    "blazepose_heavy_2.safetensors",
    "blazepose_heavy_3.safetensors",
    "blazepose_heavy_mask.safetensors",
    "movenet_multipose.safetensors",
    "open_poses.npz",
    "open_wardrobe.npz",
    "turn_covariance.npz",
    "synthocc.json",
    "weights/open/stage1.safetensors",
    "weights/open/landmarks.safetensors",
    "weights/open/outlines.safetensors",
    "weights/open/encoder.safetensors",
    "weights/open/stage2.safetensors",
    "weights/research/stage1.safetensors",
    "weights/research/landmarks.safetensors",
    "weights/research/outlines.safetensors",
    "weights/research/encoder.safetensors",
    "weights/research/stage2.safetensors",
)
EXTRAS = {
    "demo": ("scikit-image",),
    "paper": ("timm", "torchvision"),
    "body": ("anny",),
    "encoder": ("tflite", "ai-edge-litert"),
}
"""Extra of pyproject.toml -> the packages that it brings."""
PURPOSES = {
    "demo": "the photo of `make demo`",
    "paper": "the HRNet encoder of the paper",
    "body": "rebuilding the open body",
    "encoder": "importing the compact encoder again",
}


def doctor(
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Where your licensed files lie (docs/licensed.md)."),
    ] = None,
) -> None:
    """Say what this installation has and what is missing."""
    import torch

    from dimr import __version__
    from dimr.assets import asset_path

    if data is not None and not data.is_dir():
        raise ValueError(f"--data: {data} is not a folder")
    print(f"dimr {__version__}, torch {torch.__version__}")
    devices = ["cpu"]
    devices += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    devices += ["mps"] if torch.backends.mps.is_available() else []
    print(f"devices: {', '.join(devices)}")
    missing = []
    for name in SHIPPED:
        try:
            size_mb = asset_path(name).stat().st_size / 1e6
            print(f"found    {name} ({size_mb:.1f} MB)")
        except FileNotFoundError:
            missing.append(name)
            print(f"MISSING  {name}: belongs to the package; install dimr again")
    for extra, packages in EXTRAS.items():
        absent = [package for package in packages if not _is_installed(package)]
        state = f'optional, not installed: pip install -e ".[{extra}]"' if absent else "installed"
        print(f"extra    [{extra}] for {PURPOSES[extra]}: {state}")
    _print_licensed(data)
    if missing:
        raise ValueError(f"the installation lacks {', '.join(missing)}")


def _print_licensed(root: Path | None) -> None:
    """The files that nobody may pass on: where each goes, and who gives it."""
    from dimr.data.real.layout import FILES

    if root is None:
        count = f"licensed files: {len(FILES)}, all optional"
        print(f"{count} (docs/licensed.md); --data ROOT lists them")
        return
    print(f"licensed files, optional, below {root}:")
    for file in FILES:
        state = "found    " if (root / file.place).exists() else "not found"
        print(f"{state} {file.place}: {file.purpose}; from {file.source}")


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True

"""What a weights card says of the training that made the weights."""

import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from dimr.train.checkpoint import load_checkpoint
from dimr.train.loop import BEST

RESEARCH = "research only: the photographs state no clean licence"


def best_state(
    folder: Path, checkpoint: str = BEST
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Averaged weights of a checkpoint, that of the best validation, and what the card says."""
    saved = load_checkpoint(folder / checkpoint)
    return averaged_state(saved), about_checkpoint(saved)


def averaged_state(saved: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The averaged weights of a checkpoint."""
    prefix = "module."
    return {
        name.removeprefix(prefix): value
        for name, value in saved["average"].items()
        if name.startswith(prefix)
    }


def about_checkpoint(saved: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """What a weights card says of the training, on a device, that a checkpoint belongs to.

    `validation` is that of the best step, also where the checkpoint is of another.
    """
    settings = saved["settings"]
    return {
        "settings": settings,
        "step": saved["step"],
        "samples": saved["step"] * settings["batch_size"],
        "validation": saved["best"],
        "commit": _commit(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.device(device).type.upper()}",
        "licence": "Apache-2.0",
    }


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def data_text(backgrounds: bool, occluders: bool) -> str:
    """What synthetic people stood before and behind."""
    photos = "photographs without people" if backgrounds else "procedural"
    things = "cut-outs of photographs and procedural" if occluders else "procedural"
    return f"synthetic people; backgrounds: {photos}; occluders: {things}"


def history(card: dict[str, Any]) -> dict[str, Any]:
    """What a card says of its own training, for the card of one that goes on from it."""
    names = ("recipe", "settings", "samples", "validation", "goes_on_from")
    return {name: card[name] for name in names if name in card}

"""Weights that ship (float16 safetensors with a card) and checkpoints that resume a training.

A card says what a weights file belongs to (content hashes of body and atlas, encoder, sizes) and
how it was made (recipe, seeds, commit, metrics, licence). It is stored twice: in the file's
metadata, from where it is read, and as JSON beside it, for people.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dimr.files import replacing, write_atomically

CARD_KEY = "dimr_card"
MAX_WEIGHTS_BYTES = 4 << 30


def state_hash(state: Mapping[str, Tensor]) -> str:
    """sha256 over names and float16 values, the precision in which weights ship.

    Zeros count as positive: averaging weights with themselves turns negative ones over.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update((state[name].detach().cpu().half() + 0.0).contiguous().numpy().tobytes())
    return digest.hexdigest()


def save_weights(path: Path, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Writes PATH (float16 safetensors) and PATH with suffix .json (the card)."""
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in state.items()
    }
    for name, value in half.items():
        if not value.isfinite().all():
            raise ValueError(f"weights: {name} does not fit into float16")
    text = json.dumps(dict(card), indent=2, sort_keys=True)
    write_atomically(path, save(half, metadata={CARD_KEY: text}))
    write_atomically(path.with_suffix(".json"), (text + "\n").encode())


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State (float32) and card of a weights file.

    Raises:
        ValueError: if the file is missing, is no safetensors file, or has no card.
    """
    if not path.is_file():
        raise ValueError(f"weights: no file {path}")
    if path.stat().st_size > MAX_WEIGHTS_BYTES:
        raise ValueError(f"weights: {path} is larger than {MAX_WEIGHTS_BYTES >> 30} GiB")
    try:
        with safe_open(path, framework="pt") as opened:
            card = json.loads((opened.metadata() or {})[CARD_KEY])
            state = {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"weights: {path} is no weights file of dimr ({error})") from error
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    return floats, card


def check_card(card: Mapping[str, Any], path: Path, **wanted: str) -> None:
    """Refuses weights that belong to another body, atlas, encoder or stage.

    Raises:
        ValueError: naming the first entry that differs.
    """
    for key, value in wanted.items():
        if card.get(key) != value:
            raise ValueError(
                f"weights: {path} was made for {key} {str(card.get(key))[:16]!r}, "
                f"but {str(value)[:16]!r} is in use"
            )


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Everything that an exact resume needs, written atomically."""
    with replacing(path) as partial:
        torch.save(dict(content), partial)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads tensors and plain containers only (no arbitrary pickles).

    Raises:
        ValueError: if the file is damaged or holds something else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # hostile or half bytes raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: damaged checkpoint ({reason})") from error

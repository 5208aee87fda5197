"""Bounded parsing of the data sets' files that runs no code: JSON, .npz with pickled entries."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dimr.body.smpl_file import ArrayUnpickler

MAX_JSON_BYTES = 4 << 30
"""MuCo's annotations, the largest, have about 1 GB."""
MAX_NPZ_BYTES = 4 << 30


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if it is too large or no JSON.
    """
    check_size(path, MAX_JSON_BYTES)
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file ({error})") from error


def read_npz(path: Path) -> dict[str, Any]:
    """All entries of a .npz; pickled ones (dictionaries, text) through the restricted unpickler.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if it is too large, damaged, or wants anything but arrays and containers.
    """
    check_size(path, MAX_NPZ_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [each for each in archive.infolist() if each.filename.endswith(".npy")]
            unpacked = sum(each.file_size for each in entries)
            if unpacked > MAX_NPZ_BYTES:
                raise ValueError(f"unpacks to {unpacked} bytes, want at most {MAX_NPZ_BYTES}")
            content = {}
            for entry in entries:
                with archive.open(entry) as stream:
                    content[entry.filename.removesuffix(".npy")] = _read_entry(stream)
            return content
    except Exception as error:  # encrypted, packed in an unknown way, a huge shape, ..
        raise ValueError(f"{path}: not a readable .npz ({error})") from error


def _read_entry(stream: Any) -> Any:
    packed = io.BytesIO(stream.read())
    version = np.lib.format.read_magic(packed)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"holds an array of format {version}, want 1.0 or 2.0")
    _, _, dtype = read_header(packed)
    if dtype.hasobject:
        stored = _unpickle(packed)
        return stored.item() if isinstance(stored, np.ndarray) and stored.ndim == 0 else stored
    packed.seek(0)
    return np.lib.format.read_array(packed, allow_pickle=False)


def _unpickle(stream: io.BytesIO) -> Any:
    try:
        return ArrayUnpickler(stream, encoding="latin1").load()
    except ValueError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ValueError(f"damaged pickle ({type(error).__name__}: {error})") from error


def check_size(path: Path, most: int) -> None:
    """Refuses a missing file, and one of more than `most` bytes."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.stat().st_size > most:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, want at most {most}")

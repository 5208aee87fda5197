"""Bounded reading of .npz files that users bring: no pickles, no bombs, one clear line."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MAX_BYTES = 256 * 2**20


def array_names(path: str | Path) -> list[str]:
    """The names of a .npz file's arrays.

    Raises:
        ValueError: if the file is not a readable .npz.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # of a damaged archive, nearly anything
        raise ValueError(f"{path}: not a readable .npz file ({error})") from error
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def read_arrays(path: str | Path, wanted: Mapping[str, tuple[type, int]]) -> dict[str, np.ndarray]:
    """The named arrays, each of the wanted kind (np.integer, np.floating) and number of axes.

    Raises:
        ValueError: if the file is unreadable, an array is missing, too large, an object array, of
            another kind or shape.
    """
    missing = sorted(set(wanted) - set(array_names(path)))
    if missing:
        raise ValueError(f"{path}: lacks the arrays {', '.join(missing)}")
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name, (kind, axes) in wanted.items():
            entry = f"{name}.npy"
            size = archive.getinfo(entry).file_size
            if size > MAX_BYTES:
                raise ValueError(f"{path}: {name} unpacks to {size} bytes, want <= {MAX_BYTES}")
            try:
                with archive.open(entry) as stream:
                    values = np.lib.format.read_array(stream, allow_pickle=False)
            except Exception as error:  # encrypted, packed in an unknown way, a huge shape, ..
                raise ValueError(f"{path}: cannot read {name} ({error})") from error
            if not np.issubdtype(values.dtype, kind) or values.ndim != axes:
                raise ValueError(
                    f"{path}: {name} is {values.dtype} of shape {values.shape}, want "
                    f"{kind.__name__} numbers with {axes} axes"
                )
            arrays[name] = values
    return arrays

"""Archives whose directory says of their entries what is not so."""

import io
import zipfile
from pathlib import Path

import numpy as np

FIELDS = {"version": (6, 2), "flags": (8, 2), "method": (10, 2), "size": (24, 4)}
"""Place and length in an entry of the directory."""
UNREADABLE = {"encrypted": {"flags": 1}, "packed in an unknown way": {"method": 99}}


def rewrite_directory(path: Path, entries: str, **values: int) -> Path:
    """Overwrites fields of all entries whose names contain `entries`; `size` is added to."""
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.start_dir
    while raw[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = (
            int.from_bytes(raw[at + k : at + k + 2], "little") for k in (28, 30, 32)
        )
        if entries.encode() in raw[at + 46 : at + 46 + name]:
            for field, value in values.items():
                start, length = FIELDS[field]
                place = slice(at + start, at + start + length)
                old = int.from_bytes(raw[place], "little") if field == "size" else 0
                raw[place] = (old + value).to_bytes(length, "little")
        at += 46 + name + extra + comment
    path.write_bytes(raw)
    return path


def write_shape(path: Path, name: str, shape: tuple[int, ...], descr: str = "<f8") -> Path:
    """A .npz with one array of eight bytes that claims a shape."""
    content = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.npy", content.getvalue() + bytes(8))
    return path

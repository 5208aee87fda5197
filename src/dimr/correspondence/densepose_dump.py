"""Reads what DensePose's `apply_net.py dump` writes, without detectron2, densepose or unpickling
foreign code.

`torch.save` writes a zip: a pickle of the structure, and each tensor's numbers as an entry of its
own. The unpickler here knows the handful of names that a dump needs and refuses every other; what
it makes of a tensor is a note of where its numbers are, so a dump of gigabytes costs memory only
for the picture that is asked for.
"""

import base64
import io
import math
import pickle
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from dimr.correspondence.densepose import DensePoseInstance
from dimr.surface.npz import MAX_BYTES
from dimr.surface.parts import NUM_CHARTS

LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save before 1.6 begin: a pickle of its magic number."""
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_CHARTS = "densepose.structures.chart_result"


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    count: int


class _Tensor(NamedTuple):
    """Where a tensor's numbers are."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Record:
    """Stands in for an object of densepose or detectron2; keeps its attributes."""

    fields: dict[str, Any]

    def __new__(cls) -> "_Record":
        """Makes the attributes here, as a pickle need not call __init__."""
        record = super().__new__(cls)
        record.fields = {}
        return record

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise ValueError("the file holds an object without named attributes; refused")
        self.fields = state


class ChartResult(_Record):
    """DensePoseChartResult and DensePoseChartResultWithConfidences."""


class QuantizedResult(_Record):
    """DensePoseChartResultQuantized."""


class CompressedResult(_Record):
    """DensePoseChartResultCompressed."""


class Boxes(_Record):
    """detectron2's Boxes."""


def _rebuild_tensor(
    storage: Any, offset: Any, size: Any, stride: Any, _grad: Any, _hooks: Any, *_more: Any
) -> _Tensor:
    """What the file calls to make a tensor; refuses views that are larger than their storage."""
    whole = [offset, *size, *stride]
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in whole):
        raise ValueError("the file makes a tensor in a way that torch does not; refused")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if count > storage.count or (count and last >= storage.count):
        raise ValueError(f"a tensor of shape {tuple(size)} leaves its {storage.count} numbers")
    return _Tensor(storage, offset, tuple(size), tuple(stride))


_ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): dict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    (_CHARTS, "DensePoseChartResult"): ChartResult,
    (_CHARTS, "DensePoseChartResultWithConfidences"): ChartResult,
    (_CHARTS, "DensePoseChartResultQuantized"): QuantizedResult,
    (_CHARTS, "DensePoseChartResultCompressed"): CompressedResult,
    ("detectron2.structures.boxes", "Boxes"): Boxes,
    **{("torch", name): np.dtype(kind) for name, kind in _STORAGES.items()},
}


class _DumpUnpickler(pickle.Unpickler):
    """Admits what dumps hold."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise ValueError(
                f"the file wants {module}.{name}, which no dump of DensePose's charts needs; "
                "refused, because loading it could run foreign code"
            ) from None

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise ValueError("the file refers to something outside of it; refused")
        _, dtype, key, _, count = pid
        if not isinstance(dtype, np.dtype) or type(key) is not str or type(count) is not int:
            raise ValueError("the file describes a tensor's numbers in an unknown way; refused")
        return _Storage(key, dtype, count)


class DensePoseDump:
    """An open dump: which pictures it has, and the people of each.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is no dump, too large, or wants anything but tensors and charts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                start = stream.read(len(LEGACY_START))
            if start == LEGACY_START:
                raise ValueError(
                    "written by torch.save in its form from before version 1.6, which cannot be "
                    "read safely; load and save it again with a newer torch where it was made"
                )
            if start[:1] == b"\x80":
                raise ValueError("a plain pickle, want a file of torch.save (apply_net.py dump)")
            with zipfile.ZipFile(path) as archive:
                entries = {name: archive.getinfo(name) for name in archive.namelist()}
                pickles = [name for name in entries if name.endswith("/data.pkl")]
                if len(pickles) != 1 or any("/code/" in name for name in entries):
                    raise ValueError("not a file of torch.save that holds a dump")
                self._prefix = pickles[0].removesuffix("data.pkl")
                if entries[pickles[0]].file_size > MAX_BYTES:
                    raise ValueError(f"its structure unpacks to more than {MAX_BYTES} bytes")
                order = entries.get(f"{self._prefix}byteorder")
                if order is not None and archive.read(order)[:8] != b"little":
                    raise ValueError("written on a big-endian machine")
                structure = archive.read(pickles[0])
            content = _DumpUnpickler(io.BytesIO(structure)).load()
            self._records = _checked(content)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path}: not a file of torch.save (no zip archive)") from error
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        except Exception as error:  # a damaged pickle can raise nearly anything
            raise ValueError(f"{path}: damaged ({type(error).__name__}: {error})") from error

    @property
    def pictures(self) -> list[str]:
        """The pictures' names as they were given to apply_net.py."""
        return [record["file_name"] for record in self._records]

    def find(self, picture: str | Path) -> list[DensePoseInstance]:
        """The people of a picture; of several with its name, the one in the same folders.

        Raises:
            ValueError: if the dump has no such picture, cannot tell two apart, or is damaged.
        """
        wanted = _parts(str(picture))
        alike = [_common_end(wanted, _parts(name)) for name in self.pictures]
        best = max(alike, default=0)
        if best == 0:
            some = ", ".join(self.pictures[:3]) or "none"
            raise ValueError(f"{self.path}: no picture {wanted[-1]} in it (it has {some}, ..)")
        if alike.count(best) > 1:
            raise ValueError(f"{self.path}: {alike.count(best)} pictures in it are {wanted[-1]}")
        try:
            with zipfile.ZipFile(self.path) as archive:
                return self._instances(archive, self._records[alike.index(best)])
        except Exception as error:  # damaged, encrypted, packed in an unknown way, ..
            raise ValueError(f"{self.path}: {picture}: {error}") from error

    def _instances(
        self, archive: zipfile.ZipFile, record: dict[str, Any]
    ) -> list[DensePoseInstance]:
        results = record.get("pred_densepose", [])
        if len(results) == 0:
            return []
        boxes = record.get("pred_boxes_XYXY")
        boxes = self._array(archive, boxes.fields.get("tensor") if type(boxes) is Boxes else boxes)
        scores = self._array(archive, record.get("scores"))
        if boxes.shape != (len(results), 4) or scores.shape != (len(results),):
            raise ValueError(
                f"boxes {boxes.shape} and scores {scores.shape} for {len(results)} people"
            )
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError("boxes or scores are not finite")
        people = []
        for box, score, result in zip(boxes, scores, results, strict=True):
            part, chart_uv = self._labels(archive, result)
            people.append(DensePoseInstance(box.astype(np.float64), float(score), part, chart_uv))
        return people

    def _labels(self, archive: zipfile.ZipFile, result: Any) -> tuple[np.ndarray, np.ndarray]:
        """Parts (h, w) and (U, V) in [0, 1] (h, w, 2)."""
        if type(result) is ChartResult:
            part = self._array(archive, result.fields.get("labels"))
            uv = self._array(archive, result.fields.get("uv"))
        else:
            if type(result) is QuantizedResult:
                packed = self._array(archive, result.fields.get("labels_uv_uint8"))
            elif type(result) is CompressedResult:
                packed = _decompress(result.fields)
            else:
                raise ValueError(f"pred_densepose holds {type(result).__name__}, want charts")
            if packed.ndim != 3 or len(packed) != 3 or packed.dtype != np.uint8:
                raise ValueError(f"quantized labels are {packed.dtype} {packed.shape}")
            part, uv = packed[0], packed[1:] / np.float32(255)
        if part.ndim != 2 or part.dtype.kind not in "iu" or uv.shape != (2, *part.shape):
            raise ValueError(f"labels are {part.dtype} {part.shape} but uv {uv.shape}")
        if part.size and not 0 <= part.min() <= part.max() <= NUM_CHARTS:
            raise ValueError(
                f"labels reach from {part.min()} to {part.max()}, want 0 to {NUM_CHARTS}"
            )
        uv = np.clip(np.nan_to_num(uv.astype(np.float32)), 0, 1)
        return part.astype(np.int64), np.moveaxis(uv, 0, -1)

    def _array(self, archive: zipfile.ZipFile, tensor: Any) -> np.ndarray:
        if not isinstance(tensor, _Tensor):
            raise ValueError(f"got {type(tensor).__name__} where a tensor belongs")
        storage = tensor.storage
        entry = archive.getinfo(f"{self._prefix}data/{storage.key}")
        wanted = storage.count * storage.dtype.itemsize
        if wanted > MAX_BYTES or entry.file_size != wanted:
            raise ValueError(
                f"a tensor's numbers take {entry.file_size} bytes, want {wanted} and at most "
                f"{MAX_BYTES}"
            )
        raw = archive.read(entry)
        if len(raw) != wanted:  # until here a claim of the archive's; the view trusts it
            raise ValueError(f"a tensor's numbers take {len(raw)} bytes, want {wanted}")
        numbers = np.frombuffer(raw, storage.dtype)
        strides = [step * storage.dtype.itemsize for step in tensor.stride]
        view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.size, strides)
        return view.copy()


def _checked(content: Any) -> list[dict[str, Any]]:
    """The dump's records, if it is one."""
    if not isinstance(content, list):
        raise ValueError(f"holds {type(content).__name__}, want a list with one entry a picture")
    for record in content:
        if not isinstance(record, dict) or type(record.get("file_name")) is not str:
            raise ValueError("an entry has no file_name; is it a dump of apply_net.py?")
        if not isinstance(record.get("pred_densepose", []), list):
            raise ValueError("pred_densepose is no list (embeddings of CSE are not charts)")
    return content


def _decompress(fields: dict[str, Any]) -> np.ndarray:
    """(3, h, w) uint8 from a base64 PNG, whose size is checked before it is unpacked."""
    shape, text = fields.get("shape_chw"), fields.get("labels_uv_str")
    if not isinstance(shape, tuple) or len(shape) != 3 or not isinstance(text, str):
        raise ValueError("a compressed result lacks shape_chw or labels_uv_str")
    try:
        stream = io.BytesIO(base64.decodebytes(text.encode("ascii", "replace")))
        with Image.open(stream, formats=["PNG"]) as picture:
            if (3, picture.height, picture.width) != shape or picture.mode != "RGB":
                raise ValueError(f"is {picture.mode} {picture.size}, want RGB of {shape}")
            if math.prod(shape) > MAX_BYTES:
                raise ValueError(f"unpacks to {math.prod(shape)} bytes")
            return np.moveaxis(np.asarray(picture), -1, 0)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"a compressed result is damaged ({error})") from error


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _common_end(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many path components agree, from the file name backwards."""
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if one != other:
            break
        count += 1
    return count

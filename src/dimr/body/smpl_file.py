"""Reads body model files: SMPL's .pkl, the same as .npz, and the open body's .npz.

SMPL's files are Python 2 pickles that may hold chumpy objects and scipy sparse matrices. A pickle
can run any code, so the unpickler here makes numpy arrays and stand-ins for sparse matrices and
chumpy objects, and refuses everything else by name.
"""

import io
import math
import operator
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int

from dimr.body.keypoints import KEYPOINT_NAMES

MAX_FILE_BYTES = 1 << 30
"""Larger files are refused before they are read; SMPL's are about 250 MB at most."""
NUM_JOINTS, NUM_BETAS = 24, 10
_NEEDED = ("v_template", "shapedirs", "J_regressor", "kintree_table", "weights", "f")
_REGRESSORS = {f"J_regressor_{name}": (name, len(KEYPOINT_NAMES[name])) for name in KEYPOINT_NAMES}
_KEYS = {*_NEEDED, "posedirs", "mirror_vertices", *_REGRESSORS}


@dataclass(frozen=True, slots=True)
class BodyArrays:
    """A body model's arrays, checked, as float32 and int64."""

    v_template: Float[np.ndarray, "V 3"]
    """Mean rest vertices, metres, y up, facing +z."""
    shapedirs: Float[np.ndarray, "V 3 10"]
    posedirs: Float[np.ndarray, "V 3 207"] | None
    """Pose correctives over the 23 rotations minus identity; None where there are none."""
    J_regressor: Float[np.ndarray, "24 V"]
    parents: Int[np.ndarray, "24"]
    weights: Float[np.ndarray, "V 24"]
    faces: Int[np.ndarray, "F 3"]
    mirror_vertices: Int[np.ndarray, "V"] | None = None
    keypoint_regressors: dict[str, np.ndarray] = field(default_factory=dict)
    """Regressors (K, V) from posed vertices, by the name of the keypoint set."""


class ChumpyArray:
    """Stands in for any chumpy object; keeps what the pickle says of its value."""

    state: dict[str, Any]

    def __new__(cls, *args: Any) -> "ChumpyArray":
        """Takes any arguments; the state is made here, as a pickle need not call __init__."""
        stand_in = super().__new__(cls)
        stand_in.state = {"x": args[0]} if args else {}
        return stand_in

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {"x": state}

    def value(self) -> Any:
        """What the object holds, an array in all of SMPL's files.

        Raises:
            ValueError: if the object is an expression, not a plain array.
        """
        for key in ("x", "r"):
            if key in self.state:
                inner = self.state[key]
                return inner.value() if isinstance(inner, ChumpyArray) else inner
        raise ValueError(
            f"a chumpy object holds no plain array (it has {sorted(self.state)}); "
            "convert the file to .npz with chumpy"
        )


class NamedArray:
    """Stands in for numpy.ndarray, which makes arrays of any size of a few bytes when called."""

    def __new__(cls, *args: Any) -> "NamedArray":
        """Refuses, as no array is pickled so."""
        raise ValueError("the file calls numpy.ndarray, which no pickled array does; refused")


class FilledArray(np.ndarray):
    """An array that a pickle fills."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, is_fortran, content = state
        if isinstance(content, list) and len(content) != math.prod(shape):
            raise ValueError("the file makes an array of another number of objects; refused")
        super().__setstate__((version, shape, _plain(dtype), is_fortran, content))


class SparseArrays:
    """Stands in for a sparse matrix, which takes any memory when called; keeps its attributes."""

    kind: type
    state: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.state = state


class CscArrays(SparseArrays):
    """Stands in for scipy's csc_matrix."""

    kind = scipy.sparse.csc_matrix


class CsrArrays(SparseArrays):
    """Stands in for scipy's csr_matrix."""

    kind = scipy.sparse.csr_matrix


def _admitted_classes() -> dict[tuple[str, str], Any]:
    admitted: dict[tuple[str, str], Any] = {}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        admitted[module, "_reconstruct"] = _reconstruct_array
        admitted[module, "scalar"] = _reconstruct_scalar
    for module in ("numpy.core.numeric", "numpy._core.numeric"):
        admitted[module, "_frombuffer"] = _reconstruct_from_buffer
    admitted["numpy", "ndarray"] = NamedArray
    admitted["numpy", "dtype"] = np.dtype
    for kind, stand_in in (("csc", CscArrays), ("csr", CsrArrays)):
        for module in (f"scipy.sparse.{kind}", f"scipy.sparse._{kind}", "scipy.sparse"):
            admitted[module, f"{kind}_matrix"] = stand_in
    for module in ("__builtin__", "builtins"):
        for plain in (dict, list, set, tuple, object):
            admitted[module, plain.__name__] = plain
    admitted["collections", "OrderedDict"] = dict
    admitted["copy_reg", "_reconstructor"] = _reconstruct_object
    admitted["copyreg", "_reconstructor"] = _reconstruct_object
    admitted["_codecs", "encode"] = _encode_latin1
    return admitted


def _plain(dtype: Any) -> np.dtype:
    """The type of that name, made anew: a pickle can set another one's state, such that it takes
    bytes for the addresses of objects.
    """
    if not isinstance(dtype, np.dtype):
        raise ValueError("the file makes an array of no type; refused")
    return np.dtype(dtype.str)


def _reconstruct_array(cls: type, shape: Any, kind: Any) -> np.ndarray:
    """What pickles call to make an empty array, which the array's data then fill."""
    if cls is not NamedArray or tuple(shape) != (0,):
        raise ValueError("the file makes an array in a way that no array is pickled; refused")
    return FilledArray((0,), dtype=np.int8)


def _reconstruct_from_buffer(buffer: Any, dtype: np.dtype, shape: Any, order: Any) -> np.ndarray:
    """What pickles of protocol 5 call to make an array."""
    dtype = _plain(dtype)
    if dtype.hasobject:
        raise ValueError("the file makes an array of objects; refused")
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order).view(FilledArray)


def _reconstruct_scalar(dtype: np.dtype, content: Any = b"") -> Any:
    """What pickles call to make a number that numpy owns."""
    dtype = _plain(dtype)
    if dtype.hasobject:
        raise ValueError("the file makes a scalar that is no number; refused")
    encoded = content.encode("latin-1") if isinstance(content, str) else content
    return np.frombuffer(encoded, dtype=dtype, count=1)[0]


def _reconstruct_object(cls: Any, base: type, state: Any) -> Any:
    """What protocols 0 and 1 call to make an empty object."""
    if cls not in (ChumpyArray, CscArrays, CsrArrays):
        raise ValueError(f"the file wants an object of {cls!r}; refused")
    return object.__new__(cls)


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Python 3 writes bytes into old pickle protocols as latin-1 text."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"the file wants the codec {encoding!r}; refused")
    return text.encode("latin-1")


class ArrayUnpickler(pickle.Unpickler):
    """Admits arrays, numbers, text and plain containers; what licensed files need."""

    _admitted = _admitted_classes()

    def find_class(self, module: str, name: str) -> Any:
        """The harmless class of that name.

        Raises:
            ValueError: if there is none.
        """
        if module == "chumpy" or module.startswith("chumpy."):
            return ChumpyArray
        try:
            return self._admitted[module, name]
        except KeyError:
            raise ValueError(
                f"the file wants {module}.{name}, which no file of arrays needs; refused, because "
                "loading it could run foreign code"
            ) from None


def load_body_arrays(path: str | Path) -> BodyArrays:
    """Reads a body model file.

    Args:
        path: `.pkl` (SMPL) or `.npz` (the same keys).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, too large, no body model, lacks a key, has wrong shapes, or
            (a pickle) wants anything but arrays.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"body model {path} is a folder, want a .pkl or a .npz file")
    if not path.is_file():
        raise FileNotFoundError(f"body model {path} does not exist")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(
            f"{path}: {path.stat().st_size} bytes, want at most {MAX_FILE_BYTES} for a body model"
        )
    if path.suffix == ".npz":
        content = _read_npz(path)
    elif path.suffix == ".pkl":
        content = read_pickle(path)
    else:
        raise ValueError(f"{path}: a body model is a .pkl or a .npz file")
    try:
        return _check(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_FILE_BYTES:
            raise ValueError(f"unpacks to {unpacked} bytes, want at most {MAX_FILE_BYTES}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if name in _KEYS}
    except Exception as error:  # encrypted, packed in an unknown way, a huge shape, ..
        raise ValueError(f"{path}: not a readable .npz of plain arrays ({error})") from error


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary of a pickle (also of Python 2) that holds arrays and nothing that runs.

    Raises:
        ValueError: if it is too large, damaged, no dictionary, or wants anything else.
    """
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, want at most {MAX_FILE_BYTES}")
    try:
        content = ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ValueError(f"{path}: damaged pickle ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds {type(content).__name__}, want a dictionary of arrays")
    return content


def _check(content: dict[str, Any]) -> BodyArrays:
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise ValueError(f"not a body model: missing {', '.join(missing)}")
    v_template = _floats(content, "v_template", (None, 3))
    count = len(v_template)
    shapedirs = _floats(content, "shapedirs", (count, 3, None))
    if shapedirs.shape[2] < NUM_BETAS:
        raise ValueError(f"shapedirs: got {shapedirs.shape[2]} components, want at least 10")
    faces = _array(content, "f").astype(np.int64)
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"f: got shape {faces.shape}, want (F, 3)")
    if faces.size and not 0 <= faces.min() <= faces.max() < count:
        raise ValueError(f"f: refers to vertices outside of 0 .. {count - 1}")
    posedirs = None
    if "posedirs" in content:
        posedirs = _floats(content, "posedirs", (count, 3, 9 * (NUM_JOINTS - 1)))
        posedirs = posedirs if posedirs.any() else None
    mirror = None
    if "mirror_vertices" in content:
        mirror = _array(content, "mirror_vertices").astype(np.int64)
        if mirror.shape != (count,) or not np.array_equal(mirror[mirror], np.arange(count)):
            raise ValueError(f"mirror_vertices: want {count} numbers that undo themselves")
    regressors = {
        name: _floats(content, key, (rows, count))
        for key, (name, rows) in _REGRESSORS.items()
        if key in content
    }
    return BodyArrays(
        v_template=v_template,
        shapedirs=np.ascontiguousarray(shapedirs[:, :, :NUM_BETAS]),
        posedirs=posedirs,
        J_regressor=_floats(content, "J_regressor", (NUM_JOINTS, count)),
        parents=_parents(_array(content, "kintree_table")),
        weights=_floats(content, "weights", (count, NUM_JOINTS)),
        faces=faces,
        mirror_vertices=mirror,
        keypoint_regressors=regressors,
    )


def _array(content: dict[str, Any], name: str) -> np.ndarray:
    stored = content[name]
    if isinstance(stored, ChumpyArray):
        stored = stored.value()
    if isinstance(stored, SparseArrays):
        stored = _dense(stored, name)
    if not isinstance(stored, np.ndarray):  # a list can hold itself many times over
        raise ValueError(f"{name}: got a {type(stored).__name__}, want an array")
    if stored.dtype.kind not in "fiu":
        raise ValueError(f"{name}: got an array of {stored.dtype}, want numbers")
    if stored.size * 8 > MAX_FILE_BYTES:  # when converted
        raise ValueError(f"{name}: got {stored.size} numbers, want at most {MAX_FILE_BYTES // 8}")
    return np.asarray(stored)


def _dense(stored: SparseArrays, name: str) -> np.ndarray:
    """A sparse matrix as an array; its indices are checked, as they come from a file."""
    try:
        rows, columns = (operator.index(each) for each in stored.state["_shape"])
        if rows * columns * 8 > MAX_FILE_BYTES:
            raise ValueError(f"{rows} x {columns} is too large")
        parts = tuple(stored.state[key] for key in ("data", "indices", "indptr"))
        if not all(isinstance(part, np.ndarray) for part in parts):
            raise ValueError("its parts are no arrays")
        matrix = stored.kind(parts, shape=(rows, columns))
        matrix.check_format(full_check=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: damaged sparse matrix ({error})") from error
    return matrix.toarray()


def _floats(content: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    stored = _array(content, name)
    if stored.ndim != len(shape) or any(
        want is not None and got != want for got, want in zip(stored.shape, shape, strict=True)
    ):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name}: got shape {stored.shape}, want ({wanted})")
    stored = np.ascontiguousarray(stored, dtype=np.float32)
    if not np.isfinite(stored).all():
        raise ValueError(f"{name}: holds numbers that are not finite")
    return stored


def _parents(kintree_table: np.ndarray) -> np.ndarray:
    """Row 0 of the table: parents, the root's being the largest uint32."""
    if kintree_table.shape != (2, NUM_JOINTS):
        raise ValueError(f"kintree_table: got shape {kintree_table.shape}, want (2, 24)")
    parents = kintree_table[0].astype(np.int64)
    parents[0] = -1
    if not all(0 <= parent < joint for joint, parent in enumerate(parents) if joint):
        raise ValueError("kintree_table: want every parent before its children")
    return parents

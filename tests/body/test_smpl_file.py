"""Toy files in the exact format of SMPL's: Python 2 pickles, chumpy objects, sparse matrices."""

import io
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse

from damaged_zip import UNREADABLE, rewrite_directory, write_shape
from dimr.body import smpl_file
from dimr.body.keypoints import JOINT_PARENTS
from dimr.body.smpl_file import load_body_arrays

NUM_VERTICES = 30
OLD_MODULES = {
    "numpy._core.multiarray": "numpy.core.multiarray",
    "scipy.sparse._csc": "scipy.sparse.csc",
    "scipy.sparse._csr": "scipy.sparse.csr",
    "builtins": "__builtin__",
    "copyreg": "copy_reg",
}


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 with an old numpy and scipy wrote: byte strings, old module names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, text):
        raw = text if isinstance(text, bytes) else text.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = save_string

    def save_global(self, obj, name=None):
        name = name or obj.__name__
        module = OLD_MODULES.get(obj.__module__, obj.__module__)
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch[type] = dispatch[types.FunctionType] = save_global
    dispatch[types.BuiltinFunctionType] = save_global


def write_python2(path: Path, content: dict, protocol: int = 2) -> Path:
    with path.open("wb") as file:
        Python2Pickler(file, protocol=protocol).dump(content)
    return path


@pytest.fixture
def chumpy_class(monkeypatch):
    """A class that pickles as chumpy.ch.Ch; gone again before anything is read."""
    module = types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x = x
            self._dirty_vars, self._depends_on_deps, self._cache = set(), {}, {"drs": {}}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    yield Ch
    assert "chumpy" not in sys.modules


def expect_toy(arrays, content):
    np.testing.assert_array_equal(arrays.v_template, content["v_template"].astype(np.float32))
    np.testing.assert_array_equal(
        arrays.shapedirs, content["shapedirs"][:, :, :10].astype(np.float32)
    )
    np.testing.assert_array_equal(arrays.posedirs, content["posedirs"].astype(np.float32))
    dense = content["J_regressor"].toarray()
    np.testing.assert_array_equal(arrays.J_regressor, dense.astype(np.float32))
    np.testing.assert_array_equal(arrays.faces, content["f"])
    assert arrays.parents.tolist() == list(JOINT_PARENTS)
    assert arrays.faces.dtype == arrays.parents.dtype == np.int64
    assert arrays.mirror_vertices is None and arrays.keypoint_regressors == {}


def test_python2_pickle_is_read(tmp_path, content):
    path = write_python2(tmp_path / "toy.pkl", content)
    raw = path.read_bytes()
    assert b"numpy.core.multiarray" in raw and b"scipy.sparse.csc\n" in raw
    assert b"_codecs" not in raw, "not what Python 2 writes"
    expect_toy(load_body_arrays(path), content)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_of_python3_are_read(tmp_path, content, protocol):
    path = tmp_path / "toy.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    expect_toy(load_body_arrays(path), content)


@pytest.mark.parametrize("num_betas", [10, 300])
def test_first_ten_shapes_are_taken(tmp_path, make_content, num_betas):
    content = make_content(num_betas)
    arrays = load_body_arrays(write_python2(tmp_path / "toy.pkl", content))
    assert arrays.shapedirs.shape == (NUM_VERTICES, 3, 10)
    expect_toy(arrays, content)


@pytest.mark.parametrize("protocol", [0, 2])
def test_chumpy_arrays_are_read_without_chumpy(tmp_path, content, chumpy_class, protocol):
    wrapped = dict(content)
    for name in ("v_template", "shapedirs", "posedirs", "weights"):
        wrapped[name] = chumpy_class(content[name])
    wrapped["weights"] = chumpy_class(chumpy_class(content["weights"]))
    if protocol:
        path = write_python2(tmp_path / "toy.pkl", wrapped)
    else:
        path = tmp_path / "toy.pkl"
        path.write_bytes(pickle.dumps(wrapped, protocol=0))
    assert b"chumpy.ch\nCh\n" in path.read_bytes()
    del sys.modules["chumpy.ch"], sys.modules["chumpy"]
    expect_toy(load_body_arrays(path), content)


def test_chumpy_expression_is_refused(tmp_path, content, chumpy_class):
    expression = chumpy_class(1)
    expression.__dict__ = {"a": 1, "b": 2}
    path = write_python2(tmp_path / "toy.pkl", {**content, "weights": expression})
    del sys.modules["chumpy.ch"], sys.modules["chumpy"]
    with pytest.raises(ValueError, match="chumpy object holds no plain array"):
        load_body_arrays(path)


def test_npz_equals_pickle(tmp_path, content, toy_npz):
    expect_toy(load_body_arrays(toy_npz), content)


def test_csr_regressor_is_read(tmp_path, content):
    content["J_regressor"] = scipy.sparse.csr_matrix(content["J_regressor"])
    expect_toy(load_body_arrays(write_python2(tmp_path / "toy.pkl", content)), content)


def test_zero_posedirs_count_as_none(tmp_path, content):
    content["posedirs"][:] = 0
    assert load_body_arrays(write_python2(tmp_path / "toy.pkl", content)).posedirs is None


class Hostile:
    def __init__(self, call, *args):
        self.call, self.args = call, args

    def __reduce__(self):
        return self.call, self.args


@pytest.mark.parametrize(
    ("call", "args", "named"),
    [
        (os.system, ("touch {mark}",), "system"),
        (eval, ("open('{mark}', 'w')",), "eval"),
        (getattr, (dict, "fromkeys"), "getattr"),
        (open, ("{mark}", "w"), "open"),
        (np.load, ("{mark}",), "load"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_hostile_pickle_is_refused_by_name(tmp_path, content, call, args, named, protocol):
    mark = tmp_path / "mark"
    args = tuple(a.format(mark=mark) if isinstance(a, str) else a for a in args)
    path = tmp_path / "toy.pkl"
    path.write_bytes(pickle.dumps({**content, "extra": Hostile(call, *args)}, protocol=protocol))
    with pytest.raises(ValueError, match=rf"wants \S*\.{named}, .*refused"):
        load_body_arrays(path)
    assert not mark.exists()


def test_pickle_cannot_ask_for_a_huge_array(tmp_path):
    reconstruct = np.empty(0).__reduce__()[0]
    path = tmp_path / "toy.pkl"
    path.write_bytes(pickle.dumps(Hostile(reconstruct, np.ndarray, (10**12,), b"b")))
    with pytest.raises(ValueError, match="refused"):
        load_body_arrays(path)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "call",
    [
        Hostile(np.ndarray, (10**6, 10**6), np.dtype("f4"), b"1234", 0, (0, 0)),
        Hostile(scipy.sparse.csc_matrix, (1, 10**7)),
        Hostile(scipy.sparse.csr_matrix, ([1.0], ([0], [0])), (10**7, 1)),
    ],
    ids=lambda call: call.call.__name__,
)
def test_pickle_cannot_call_what_makes_arrays(tmp_path, content, call, protocol):
    path = tmp_path / "toy.pkl"
    path.write_bytes(pickle.dumps({**content, "v_template": call}, protocol=protocol))
    with pytest.raises(ValueError, match=r"refused|damaged pickle"):
        load_body_arrays(path)


def test_list_that_holds_itself_many_times_is_refused(tmp_path, content):
    row = [0.0, 0.0, 0.0]
    for _ in range(12):
        row = [row] * 10
    path = tmp_path / "toy.pkl"
    for name, value, message in (
        ("v_template", row, "v_template: got a list, want an array"),
        ("J_regressor", content["J_regressor"], "J_regressor: damaged sparse matrix"),
    ):
        content["J_regressor"].data = row
        path.write_bytes(pickle.dumps({**content, name: value}))
        assert path.stat().st_size < 200_000
        with pytest.raises(ValueError, match=message):
            load_body_arrays(path)


class WithState:
    """Pickles as `call(*args)` whose state is set then."""

    def __init__(self, call, args, state):
        self.reduced = call, args, state

    def __reduce__(self):
        return self.reduced


def test_bytes_are_no_addresses_of_objects(tmp_path, content):
    """A type of objects that does not say so would let a file name places in memory."""
    pointers = WithState(np.dtype, ("O", False, True), (3, "|", None, None, None, -1, -1, 0))
    reconstruct = np.empty(0).__reduce__()[0]
    array = WithState(reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), pointers, False, bytes(8)))
    from_buffer = np.zeros(1).__reduce_ex__(5)[0]
    scalar = np.float64(1).__reduce__()[0]
    short = (1, (4000,), np.dtype("O"), False, [])
    path = tmp_path / "toy.pkl"
    for hostile in (
        array,
        WithState(reconstruct, (np.ndarray, (0,), b"b"), short),
        WithState(from_buffer, (bytes(8), np.dtype("f8"), (1,), "C"), array.reduced[2]),
        Hostile(from_buffer, bytes(8), pointers, (1,), "C"),
        Hostile(scalar, pointers, bytes(8)),
    ):
        path.write_bytes(pickle.dumps({**content, "bs_type": hostile}, protocol=2))
        with pytest.raises(ValueError, match=r"refused|damaged pickle"):
            load_body_arrays(path)


def test_chumpy_object_that_holds_itself_is_refused(tmp_path, content, chumpy_class):
    ring = chumpy_class(0)
    ring.x = ring
    path = write_python2(tmp_path / "toy.pkl", {**content, "weights": ring})
    del sys.modules["chumpy.ch"], sys.modules["chumpy"]
    with pytest.raises(ValueError, match=r"toy\.pkl: .*recursion"):
        load_body_arrays(path)


def test_small_numbers_are_bounded_before_they_grow(tmp_path, content, monkeypatch):
    path = tmp_path / "toy.pkl"
    template = np.zeros((40_000, 3), np.int8)
    path.write_bytes(pickle.dumps({**content, "v_template": template}))
    monkeypatch.setattr(smpl_file, "MAX_FILE_BYTES", 8 * template.size - 1)
    assert path.stat().st_size < smpl_file.MAX_FILE_BYTES
    with pytest.raises(ValueError, match="v_template: got 120000 numbers"):
        load_body_arrays(path)


@pytest.mark.parametrize("shape", [("ab", 2 * 10**9), ([0], 10**10)])
def test_sparse_matrix_of_an_odd_shape_is_refused(tmp_path, content, shape):
    content["J_regressor"]._shape = shape
    (tmp_path / "toy.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="J_regressor: damaged sparse matrix"):
        load_body_arrays(tmp_path / "toy.pkl")


def test_sparse_matrix_with_bad_indices_is_refused(tmp_path, content):
    content["J_regressor"].indices[0] = 10**6
    with pytest.raises(ValueError, match="J_regressor: damaged sparse matrix"):
        load_body_arrays(write_python2(tmp_path / "toy.pkl", content))


def test_object_array_is_refused(tmp_path, content):
    content["weights"] = np.array([[None]], dtype=object)
    with pytest.raises(ValueError, match="weights: got an array of object"):
        load_body_arrays(write_python2(tmp_path / "toy.pkl", content))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v_template", np.zeros((NUM_VERTICES, 2)), r"v_template: got shape \(30, 2\)"),
        ("v_template", np.full((NUM_VERTICES, 3), np.nan), "v_template: .*not finite"),
        ("shapedirs", np.zeros((NUM_VERTICES, 3, 9)), "shapedirs: got 9 components"),
        ("posedirs", np.zeros((NUM_VERTICES, 3, 200)), "posedirs: got shape"),
        ("J_regressor", np.zeros((23, NUM_VERTICES)), "J_regressor: got shape"),
        ("weights", np.zeros((NUM_VERTICES - 1, 24)), "weights: got shape"),
        ("kintree_table", np.zeros((2, 23)), "kintree_table: got shape"),
        ("kintree_table", np.full((2, 24), 30), "kintree_table: want every parent"),
        ("f", np.array([[0, 1, NUM_VERTICES]]), "f: refers to vertices outside"),
        ("f", np.array([0, 1, 2]), "f: got shape"),
        ("mirror_vertices", np.zeros(NUM_VERTICES, dtype=int), "mirror_vertices"),
        ("J_regressor_lsp14", np.zeros((17, NUM_VERTICES)), "J_regressor_lsp14: got shape"),
    ],
)
def test_wrong_arrays_are_refused_with_their_name(tmp_path, content, name, value, message):
    path = write_python2(tmp_path / "toy.pkl", {**content, name: value})
    with pytest.raises(ValueError, match=message) as caught:
        load_body_arrays(path)
    assert str(path) in str(caught.value)


def test_missing_keys_are_all_named(tmp_path, content):
    del content["weights"], content["J_regressor"]
    with pytest.raises(ValueError, match="missing J_regressor, weights"):
        load_body_arrays(write_python2(tmp_path / "toy.pkl", content))


def test_files_that_are_no_bodies_are_refused(tmp_path, content, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"absent\.pkl"):
        load_body_arrays(tmp_path / "absent.pkl")
    other = tmp_path / "body.obj"
    other.write_text("v 0 0 0")
    with pytest.raises(ValueError, match=r"\.pkl or a \.npz"):
        load_body_arrays(other)
    for suffix in ("pkl", "npz"):
        broken = tmp_path / f"broken.{suffix}"
        for raw in (b"", b"not a body", pickle.dumps([1, 2]), b"\x80\x02" + b"(" * 50):
            broken.write_bytes(raw)
            with pytest.raises(ValueError, match="broken"):
                load_body_arrays(broken)
    whole = write_python2(tmp_path / "toy.pkl", content).read_bytes()
    (tmp_path / "broken.pkl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged pickle"):
        load_body_arrays(tmp_path / "broken.pkl")
    monkeypatch.setattr(smpl_file, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ValueError, match="want at most 1000"):
        load_body_arrays(tmp_path / "toy.pkl")


def test_npz_with_pickled_objects_is_refused(tmp_path, content):
    path = tmp_path / "toy.npz"
    np.savez(path, v_template=np.array([Hostile(os.system, "true")], dtype=object))
    with pytest.raises(ValueError, match="npz"):
        load_body_arrays(path)


def test_npz_that_unpacks_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, v_template=np.zeros((100_000, 3)))
    monkeypatch.setattr(smpl_file, "MAX_FILE_BYTES", 100_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="unpacks to"):
        load_body_arrays(path)


@pytest.mark.parametrize("how", UNREADABLE)
def test_unreadable_entries_of_npz_are_refused(toy_npz, how):
    rewrite_directory(toy_npz, "weights", **UNREADABLE[how])
    with pytest.raises(ValueError, match=r"toy\.npz: not a readable"):
        load_body_arrays(toy_npz)


@pytest.mark.parametrize("shape", [(10**12, 3), (10**30, 3)])
def test_impossible_shapes_in_npz_are_refused(tmp_path, shape):
    write_shape(tmp_path / "toy.npz", "v_template", shape)
    with pytest.raises(ValueError, match=r"toy\.npz: not a readable"):
        load_body_arrays(tmp_path / "toy.npz")


def test_python2_pickler_round_trips_through_latin1():
    raw = io.BytesIO()
    Python2Pickler(raw, protocol=2).dump({"a": np.arange(3.0)})
    assert pickle.loads(raw.getvalue(), encoding="latin1")["a"].tolist() == [0, 1, 2]

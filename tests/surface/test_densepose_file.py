import numpy as np
import pytest
from scipy.io import savemat

from dimr.surface.densepose_file import load_densepose_surface

ARRAYS = {
    "All_FaceIndices": [[1]],
    "All_Faces": [[1, 2, 3]],
    "All_U_norm": [[0.0], [0.5], [1.0]],
    "All_V_norm": [[0.0], [1.0], [0.5]],
    "All_vertices": [[3, 2, 1]],
}
COMPRESSED_AT = 136
"""Behind the file's header and the first array's tag."""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "UV_Processed.mat"
    arrays = {name: np.array(rows, np.float64) for name, rows in ARRAYS.items()}
    savemat(path, arrays, do_compression=True)
    return path


def test_damaged_compressed_file_is_refused(path):
    surface = load_densepose_surface(path, 3)
    np.testing.assert_array_equal(surface.faces, [[2, 1, 0]])
    np.testing.assert_array_equal(surface.chart_uv, [[0, 0], [0.5, 1], [1, 0.5]])
    raw = bytearray(path.read_bytes())
    raw[COMPRESSED_AT + 1] ^= 255
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"UV_Processed\.mat: not DensePose's surface file"):
        load_densepose_surface(path, 3)

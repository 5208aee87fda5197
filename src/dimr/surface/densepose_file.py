"""DensePose's charts on SMPL's surface, from its file `UV_Processed.mat`.

The file is DensePose's (non-commercial licence); it does not ship with us. It cuts SMPL's surface
into 24 charts; vertices on a cut are split, one copy for each chart that they border.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.io import loadmat

from dimr.surface.npz import MAX_BYTES
from dimr.surface.parts import NUM_CHARTS

_ARRAYS = ("All_FaceIndices", "All_Faces", "All_U_norm", "All_V_norm", "All_vertices")


@dataclass(frozen=True, slots=True)
class DensePoseSurface:
    """The charts, face by face; everything counts from 0 except the charts' numbers."""

    faces: Int[np.ndarray, "F 3"]
    """SMPL vertices of each face, in the file's order."""
    chart: Int[np.ndarray, "F"]
    """1..24."""
    split_faces: Int[np.ndarray, "F 3"]
    """Rows of `chart_uv`, corner by corner like `faces`."""
    chart_uv: Float[np.ndarray, "S 2"]
    """DensePose's (U, V) in [0, 1] of the split vertices; V grows upwards."""


def load_densepose_surface(path: str | Path, num_vertices: int) -> DensePoseSurface:
    """Reads `UV_Processed.mat`.

    Args:
        path: the file.
        num_vertices: of the body that it is about, 6890 for SMPL.

    Raises:
        ValueError: if the file is malformed or is of another mesh.
    """
    try:
        size = Path(path).stat().st_size
        if size > MAX_BYTES:
            raise ValueError(f"{size} bytes, want <= {MAX_BYTES}")
        arrays = loadmat(path, variable_names=_ARRAYS)
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(f"lacks the arrays {', '.join(missing)}")
        flat = {name: np.asarray(arrays[name], np.float64) for name in _ARRAYS}
    except Exception as error:  # loadmat raises nearly anything for a damaged file
        raise ValueError(f"{path}: not DensePose's surface file ({error})") from error
    corners = flat["All_Faces"]
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise ValueError(f"{path}: All_Faces has shape {corners.shape}, want (.., 3)")
    corners = corners.astype(np.int64) - 1
    chart, vertex = (flat[key].ravel().astype(np.int64) for key in (_ARRAYS[0], _ARRAYS[4]))
    u, v = flat["All_U_norm"].ravel(), flat["All_V_norm"].ravel()
    if len(chart) != len(corners) or not len(u) == len(v) == len(vertex):
        raise ValueError(f"{path}: rows of the faces or of the vertices do not agree in number")
    check_index(path, "All_FaceIndices", chart - 1, NUM_CHARTS)
    check_index(path, "All_Faces", corners, len(vertex))
    check_index(path, "All_vertices", vertex - 1, num_vertices)
    chart_uv = np.stack([u, v], 1)
    if not (np.abs(chart_uv - 0.5) <= 0.5 + 1e-6).all():
        raise ValueError(f"{path}: All_U_norm or All_V_norm leaves [0, 1]")
    return DensePoseSurface(vertex[corners] - 1, chart, corners, np.clip(chart_uv, 0, 1))


def check_index(path: str | Path, name: str, index: np.ndarray, count: int) -> None:
    """Refuses indices outside of 0 .. count - 1, naming the file and the array."""
    if index.size == 0 or index.min() < 0 or index.max() >= count:
        found = f"{index.min()} to {index.max()}" if index.size else "nothing"
        raise ValueError(f"{path}: {name} points to {found} (from 0), want 0 to {count - 1}")

"""SPIN's and PARE's .npz annotations: one row a person.

    imgname (N)     picture, relative to the data set's folder
    center (N, 2)   window in full-picture pixels; scale (N): its side over 200
    part (N, 24, 3), openpose (N, 25, 3)   2D keypoints; both make SPIN's 49
    S (N, 24, 4)    3D keypoints, metres, camera axes
    pose (N, 72), shape (N, 10), has_smpl (N), gender (N)

All but the first three may be missing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dimr.data.real.files import read_npz
from dimr.data.real.record import (
    Gender,
    Keypoints,
    Record,
    Records,
    checked_floats,
    gender_of,
    keypoints,
    picture_path,
    text_of,
    wanted_keys,
)

SCALE_PX = 200.0
"""Side of a window, in pixels, that the files call scale 1."""
PoseOf = Callable[[str], tuple[np.ndarray, np.ndarray] | None]
"""Picture name -> (theta, betas) from elsewhere, None where there is none."""


def read_spin(
    path: Path, pictures: Path, dataset: str = "spin", pose_of: PoseOf | None = None
) -> Records:
    """Reads an .npz of SPIN's kind.

    Args:
        path: the .npz.
        pictures: the folder that `imgname` is relative to.
        dataset: name of the data set.
        pose_of: where poses come from that the file lacks.

    Raises:
        ValueError: if the file as a whole cannot be used.
    """
    columns = wanted_keys(read_npz(path), ("imgname", "center", "scale"), path)
    num = len(columns["imgname"])
    for name, column in columns.items():
        if isinstance(column, np.ndarray) and column.ndim and len(column) != num:
            raise ValueError(f"{path}: {name} has {len(column)} rows, want {num} like imgname")

    def make(index: int) -> Record:
        row = {name: column[index] for name, column in columns.items() if np.ndim(column)}
        name = text_of(row["imgname"])
        theta, betas = _pose(row, name, pose_of)
        return Record(
            dataset=dataset,
            key=f"{index:07d}",
            picture=picture_path(pictures, name),
            centre_px=_pair(row["center"]),
            side_px=float(row["scale"]) * SCALE_PX,
            theta_rad=theta,
            betas=betas,
            gender=_gender(row.get("gender")),
            keypoints_px=_keypoints_px(row),
            keypoints_cam_m=keypoints("spin24", row["S"], 3) if "S" in row else None,
        )

    return Records(dataset, num, make)


def _pair(values: Any) -> tuple[float, float]:
    x, y = checked_floats("center", values, (2,)).tolist()
    return x, y


def _gender(value: Any) -> Gender:
    return "neutral" if value is None else gender_of(value)


def _pose(
    row: dict[str, Any], name: str, pose_of: PoseOf | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    if "pose" in row and row.get("has_smpl", 1):
        return (
            checked_floats("pose", row["pose"], (24, 3)),
            checked_floats("shape", row["shape"], (10,)),
        )
    return (pose_of and pose_of(name)) or (None, None)


def _keypoints_px(row: dict[str, Any]) -> Keypoints | None:
    if "openpose" in row:
        part = row["part"] if "part" in row else np.zeros((24, 3))
        rows = [checked_floats("openpose", row["openpose"], (25, 3)), np.reshape(part, (24, 3))]
        return keypoints("spin49", np.concatenate(rows), 2)
    return keypoints("spin24", row["part"], 2) if "part" in row else None

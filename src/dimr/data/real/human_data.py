"""MMHuman3D's HumanData .npz: columns of N people, keypoints compressed by a mask.

    image_path (N), bbox_xywh (N, 5), keypoints2d (N, 190, 3), keypoints3d (N, 190, 4)
    keypoints2d_mask, keypoints3d_mask (190): only the columns of the mask may be stored
    smpl {global_orient (N, 3), body_pose (N, 23, 3), betas (N, 10), transl (N, 3)}, has_smpl (N)
    meta {gender}

The window is the box itself, squared: the format's converters have enlarged it by 1.2 already.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dimr.data.real.files import read_npz
from dimr.data.real.record import (
    Gender,
    Keypoints,
    Placement,
    Record,
    Records,
    box_window,
    checked_floats,
    gender_of,
    keypoints,
    picture_path,
    wanted_keys,
)

NUM_KEYPOINTS = 190


def read_human_data(path: Path, pictures: Path) -> Records:
    """Reads a HumanData .npz.

    Args:
        path: the .npz.
        pictures: the folder that `image_path` is relative to.
    """
    content = wanted_keys(read_npz(path), ("image_path", "bbox_xywh"), path)
    names = content["image_path"]
    keypoints_2d = _columns(content, "keypoints2d", path)
    keypoints_3d = _columns(content, "keypoints3d", path)
    smpl = content.get("smpl") or {}
    meta = content.get("meta") or {}

    def make(index: int) -> Record:
        x, y, width, height = checked_floats("bbox_xywh", content["bbox_xywh"][index], (5,))[:4]
        box = np.array([x, y, x + width, y + height], np.float32)
        centre, side = box_window(box, 1.0)
        has_pose = bool(smpl) and bool(_row(content.get("has_smpl"), index, default=True))
        return Record(
            dataset="human_data",
            key=f"{index:07d}",
            picture=picture_path(pictures, names[index]),
            centre_px=centre,
            side_px=side,
            theta_rad=_theta(smpl, index) if has_pose else None,
            betas=checked_floats("betas", smpl["betas"][index], (10,)) if has_pose else None,
            gender=_gender(meta, index),
            placement=_placement(smpl, index) if has_pose else None,
            keypoints_px=_keypoints(keypoints_2d, index, 2),
            keypoints_cam_m=_keypoints(keypoints_3d, index, 3),
            box_px=box,
        )

    return Records("human_data", len(names), make)


def _columns(content: Any, name: str, path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """The stored columns and the places (0..189) that they stand for."""
    if name not in content:
        return None
    stored = np.asarray(content[name])
    if f"{name}_mask" in content:
        places = np.flatnonzero(np.asarray(content[f"{name}_mask"]))
    else:
        places = np.arange(NUM_KEYPOINTS)
    if stored.ndim == 3 and stored.shape[1] == NUM_KEYPOINTS:
        return stored[:, places], places
    if stored.ndim != 3 or stored.shape[1] != len(places) or places.max(initial=0) >= 190:
        raise ValueError(
            f"{path}: {name} has shape {stored.shape}, want {len(places)} or 190 columns"
        )
    return stored, places


def _keypoints(
    columns: tuple[np.ndarray, np.ndarray] | None, index: int, dimensions: int
) -> Keypoints | None:
    if columns is None:
        return None
    stored, places = columns
    rows = np.zeros((NUM_KEYPOINTS, dimensions + 1))
    rows[places] = stored[index]
    return keypoints("human_data190", rows, dimensions)


def _row(column: Any, index: int, default: Any) -> Any:
    return default if column is None else np.asarray(column).reshape(-1)[index]


def _theta(smpl: Any, index: int) -> np.ndarray:
    root = checked_floats("global_orient", smpl["global_orient"][index], (1, 3))
    return np.concatenate([root, checked_floats("body_pose", smpl["body_pose"][index], (23, 3))])


def _placement(smpl: Any, index: int) -> Placement | None:
    if "transl" not in smpl:
        return None
    return Placement(
        checked_floats("transl", smpl["transl"][index], (3,)),
        np.eye(3, dtype=np.float32),
        np.zeros(3, np.float32),
    )


def _gender(meta: Any, index: int) -> Gender:
    values = meta.get("gender")
    return "neutral" if values is None else gender_of(values[index])

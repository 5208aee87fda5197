"""3DOH50K: {trainset,testset}/annots.json, a dictionary of "00000" .. to one person each.

    img_path (may hold backslashes), bbox 2 x 2, pose 72, betas 10, trans 3, scale
    intri 3 x 3, extri 4 x 4, smpl_joints_2d 24 x 2, smpl_joints_3d 24 x 3, mask_path (training)

Camera axes: R_root becomes R_ext R_root. How `scale` enters the authors' body model is not
documented, so the body is placed by its 2D joints (`labels.projector_of`), not by `trans`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dimr.data.real.files import read_json
from dimr.data.real.record import (
    InstanceMask,
    Keypoints,
    Record,
    Records,
    box_window,
    checked_floats,
    picture_path,
    turn_root,
    wanted_keys,
)

WINDOW_MARGIN = 1.2


def read_doh(path: Path) -> Records:
    """Reads 3DOH50K.

    Args:
        path: an annots.json; `img_path` is relative to where it lies.
    """
    content = wanted_keys(read_json(path), (), path)
    part = path.parent.name
    keys = sorted(content)
    root = path.parent
    return Records("3doh", len(keys), lambda index: _record(part, keys[index], content, root))


def _record(part: str, key: str, content: Any, root: Path) -> Record:
    entry = content[key]
    box = checked_floats("bbox", entry["bbox"], (4,))
    centre, side = box_window(box, WINDOW_MARGIN)
    extrinsics = checked_floats("extri", entry["extri"], (4, 4))
    theta = checked_floats("pose", entry["pose"], (24, 3))
    certain = np.ones(24, np.float32)
    joints_world = checked_floats("smpl_joints_3d", entry["smpl_joints_3d"], (24, 3))
    joints_px = checked_floats("smpl_joints_2d", entry["smpl_joints_2d"], (24, 2))
    mask = entry.get("mask_path")
    return Record(
        dataset="3doh",
        key=f"{part}/{key}",
        picture=picture_path(root, entry["img_path"]),
        centre_px=centre,
        side_px=side,
        theta_rad=turn_root(theta, before=extrinsics[:3, :3]),
        betas=checked_floats("betas", entry["betas"], (10,)),
        keypoints_px=Keypoints("smpl24", joints_px, certain),
        keypoints_cam_m=Keypoints(
            "smpl24", joints_world @ extrinsics[:3, :3].T + extrinsics[:3, 3], certain
        ),
        intrinsics=checked_floats("intri", entry["intri"], (3, 3)),
        mask=InstanceMask("picture", picture_path(root, mask)) if mask else None,
        box_px=box,
    )

"""MuCo-3DHP: `MuCo-3DHP.json` in COCO's style, and `smpl_param.json` with pseudo ground truth.

    images:      id, width, height, file_name, f (2), c (2)
    annotations: id, image_id, bbox (x, y, w, h), keypoints_img 21 x 2, keypoints_cam 21 x 3 (mm),
                 keypoints_vis 21
    smpl_param:  {annotation id: {pose 72, shape 10, trans 3}}

Kept are people with a fit, finite keypoints and a visible pelvis (the benchmark's rule; 3DCrowdNet
takes only the nearest person of each picture).
"""

from pathlib import Path
from typing import Any

import numpy as np

from dimr.data.real.files import read_json
from dimr.data.real.record import (
    Keypoints,
    Placement,
    Record,
    Records,
    box_window,
    checked_floats,
    picture_path,
    wanted_keys,
)

PELVIS = 14
WINDOW_MARGIN = 1.2
MM_PER_M = 1000.0
MAX_BETA = 3.0
"""3DCrowdNet's rule: fits with a larger |beta| get the mean shape."""


def read_muco(path: Path, smpl: Path, pictures: Path) -> Records:
    """Reads MuCo.

    Args:
        path: MuCo-3DHP.json.
        smpl: smpl_param.json.
        pictures: the folder that `file_name` is relative to.
    """
    content = wanted_keys(read_json(path), ("images", "annotations"), path)
    fits = wanted_keys(read_json(smpl), (), smpl)
    images = {image["id"]: image for image in content["images"]}
    annotations = content["annotations"]

    def make(index: int) -> Record | None:
        annotation = annotations[index]
        fit = fits.get(str(annotation["id"]))
        visible = checked_floats("keypoints_vis", annotation["keypoints_vis"], (21,))
        if fit is None or not visible[PELVIS] or _has_nan(annotation):
            return None
        image = images[annotation["image_id"]]
        return _record(annotation, image, fit, visible, pictures)

    return Records("muco", len(annotations), make)


def _record(
    annotation: dict[str, Any],
    image: dict[str, Any],
    fit: dict[str, Any],
    visible: np.ndarray,
    pictures: Path,
) -> Record:
    x, y, width, height = checked_floats("bbox", annotation["bbox"], (4,)).tolist()
    box = np.array([x, y, x + width, y + height], np.float32)
    centre, side = box_window(box, WINDOW_MARGIN)
    (fx, fy), (cx, cy) = (checked_floats(name, image[name], (2,)) for name in ("f", "c"))
    betas = checked_floats("shape", fit["shape"], (10,))
    places_px = checked_floats("keypoints_img", annotation["keypoints_img"], (21, 2))
    places_mm = checked_floats("keypoints_cam", annotation["keypoints_cam"], (21, 3))
    return Record(
        dataset="muco",
        key=str(annotation["id"]),
        picture=picture_path(pictures, image["file_name"]),
        centre_px=centre,
        side_px=side,
        theta_rad=checked_floats("pose", fit["pose"], (24, 3)),
        betas=np.zeros_like(betas) if np.abs(betas).max() > MAX_BETA else betas,
        placement=Placement(
            checked_floats("trans", fit["trans"], (3,)),
            np.eye(3, dtype=np.float32),
            np.zeros(3, np.float32),
        ),
        keypoints_px=Keypoints("muco21", places_px, (visible > 0).astype(np.float32)),
        keypoints_cam_m=Keypoints("muco21", places_mm / MM_PER_M, np.ones(21, np.float32)),
        intrinsics=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float32),
        box_px=box,
    )


def _has_nan(annotation: dict[str, Any]) -> bool:
    return any(
        np.isnan(np.asarray(annotation[name], np.float64)).any()
        for name in ("keypoints_img", "keypoints_cam")
    )

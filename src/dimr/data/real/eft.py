"""EFT's pseudo ground truth for COCO: {"ver": .., "data": [..]}, one entry a person.

    parm_pose 24 x 3 x 3, parm_shape 10, parm_cam (s, tx, ty) with x = s (X + t)
    bbox_center (2), bbox_scale: side over 200
    gt_keypoint_2d 49 x 3 (SPIN's order), annotId (COCO's id), imageName

Instance masks come from COCO's own `instances_train2014.json`, by `annotId`.
"""

from pathlib import Path
from typing import Any

import torch

from dimr.body.camera import spin_to_weak
from dimr.body.rotation import rotmat_to_axis_angle
from dimr.data.real.files import read_json
from dimr.data.real.record import (
    InstanceMask,
    Record,
    Records,
    checked_floats,
    keypoints,
    picture_path,
    wanted_keys,
)
from dimr.data.real.spin import SCALE_PX


def read_eft(path: Path, pictures: Path, instances: Path | None = None) -> Records:
    """Reads EFT fits.

    Args:
        path: e.g. COCO2014-All-ver01.json.
        pictures: COCO's train2014.
        instances: COCO's instances_train2014.json, for the masks.
    """
    entries = wanted_keys(read_json(path), ("data",), path)["data"]
    segmentations, of_image = _segmentations(instances)

    def make(index: int) -> Record:
        entry = entries[index]
        x, y = checked_floats("bbox_center", entry["bbox_center"], (2,)).tolist()
        rotmats = torch.from_numpy(checked_floats("parm_pose", entry["parm_pose"], (24, 3, 3)))
        if (torch.linalg.det(rotmats) < 0.9).any():
            raise ValueError("parm_pose: holds what is no rotation")
        camera = torch.from_numpy(checked_floats("parm_cam", entry["parm_cam"], (3,)))
        own = entry.get("annotId")
        rest = [each for each in of_image.get(_image_of(segmentations, own), ()) if each != own]
        return Record(
            dataset="eft",
            key=str(own if own is not None else index),
            picture=picture_path(pictures, entry["imageName"]),
            centre_px=(x, y),
            side_px=float(entry["bbox_scale"]) * SCALE_PX,
            theta_rad=rotmat_to_axis_angle(rotmats).numpy(),
            betas=checked_floats("parm_shape", entry["parm_shape"], (10,)),
            camera_window=spin_to_weak(camera[None])[0].numpy(),
            keypoints_px=keypoints("spin49", entry["gt_keypoint_2d"], 2),
            mask=InstanceMask("coco", segmentations[own][1]) if own in segmentations else None,
            others=tuple(InstanceMask("coco", segmentations[each][1]) for each in rest),
        )

    return Records("eft", len(entries), make)


def _segmentations(
    path: Path | None,
) -> tuple[dict[int, tuple[int, Any]], dict[int | None, list[int]]]:
    """Annotation id -> (image id, segmentation) of COCO's people, and image id -> annotations."""
    if path is None:
        return {}, {}
    people = {
        each["id"]: (each["image_id"], each["segmentation"])
        for each in wanted_keys(read_json(path), ("annotations",), path)["annotations"]
        if each.get("category_id", 1) == 1
    }
    of_image: dict[int | None, list[int]] = {}
    for annotation, (image, _) in people.items():
        of_image.setdefault(image, []).append(annotation)
    return people, of_image


def _image_of(segmentations: dict[int, tuple[int, Any]], annotation: Any) -> int | None:
    return segmentations[annotation][0] if annotation in segmentations else None

"""OCHuman: `ochuman.json`, heavily overlapping people with 19 keypoints and visible masks.

    images: file_name, width, height, annotations
    annotation: bbox x0, y0, x1, y1; keypoints 57 numbers or null; segms {outer, inner, height,
    width} or null; max_iou

A keypoint's third number: 0 missing, 1 visible, 2 hidden by oneself, 3 hidden by others.
"""

from pathlib import Path
from typing import Any, Literal

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
    wanted_keys,
)

WINDOW_MARGIN = 1.2
NUM_VAL_PICTURES = 2500
"""The first so many pictures with keypoints and masks are "val", the others "test"."""
HARDNESS = {"all": (0.0, 1.01), "moderate": (0.5, 0.75), "hard": (0.75, 1.01)}
"""Range of `max_iou`, the overlap with the nearest other person."""
_CONFIDENCE = np.array([0, 1, 1, 0.5], np.float32)
"""By the third number; COCO's version gives the last a visibility of 1 of 2."""


def read_ochuman(
    path: Path,
    pictures: Path,
    split: Literal["val", "test", "all"] = "all",
    hardness: str = "all",
) -> Records:
    """Reads OCHuman; people without keypoints or mask are left out.

    Args:
        path: ochuman.json.
        pictures: the folder of the pictures.
        split: by the order of the pictures.
        hardness: of `HARDNESS`.
    """
    if hardness not in HARDNESS:
        raise ValueError(f"hardness: got {hardness!r}, want one of {', '.join(HARDNESS)}")
    images = wanted_keys(read_json(path), ("images",), path)["images"]
    if split != "all":
        labelled = [
            each for each in images if any(_is_labelled(one) for one in each["annotations"])
        ]
        at = NUM_VAL_PICTURES
        images = labelled[:at] if split == "val" else labelled[at:]
    places = [(image, number) for image in images for number in range(len(image["annotations"]))]
    low, high = HARDNESS[hardness]

    def make(index: int) -> Record | None:
        image, number = places[index]
        annotation = image["annotations"][number]
        if not _is_labelled(annotation) or not low <= float(annotation["max_iou"]) < high:
            return None
        return _record(image, number, pictures)

    return Records("ochuman", len(places), make)


def _is_labelled(annotation: dict[str, Any]) -> bool:
    return annotation["keypoints"] is not None and annotation["segms"] is not None


def _record(image: dict[str, Any], number: int, pictures: Path) -> Record:
    annotations = image["annotations"]
    annotation = annotations[number]
    box = checked_floats("bbox", annotation["bbox"], (4,))
    centre, side = box_window(box, WINDOW_MARGIN)
    rows = checked_floats("keypoints", annotation["keypoints"], (19, 3))
    state = rows[:, 2].astype(np.int64)
    if not ((state >= 0) & (state <= 3)).all():
        raise ValueError(f"keypoints: got visibilities {sorted(set(state.tolist()))}, want 0 to 3")
    others = [each["segms"] for place, each in enumerate(annotations) if place != number]
    return Record(
        dataset="ochuman",
        key=f"{Path(str(image['file_name'])).stem}/{number}",
        picture=picture_path(pictures, image["file_name"]),
        centre_px=centre,
        side_px=side,
        keypoints_px=Keypoints("ochuman19", rows[:, :2], _CONFIDENCE[state]),
        mask=InstanceMask("ochuman", annotation["segms"]),
        others=tuple(InstanceMask("ochuman", each) for each in others if each is not None),
        box_px=box,
        person=number,
    )

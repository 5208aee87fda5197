"""3DPW: sequenceFiles/{train,validation,test}/*.pkl and imageFiles/<sequence>/image_%05d.jpg.

The pickles are of Python 2 (latin-1). What their readme calls `gender` and `poses2D` is called
`genders` and `poses2d` in the files; `poses2d[actor]` is (N, 3, 18), x, y and confidence of
OpenPose's 18 joints, all zero where fewer than six were found. Frames count where the actor's
camera pose is valid (`campose_valid`) and 2D joints were found.

Root rotation and translation are in the world; `cam_poses` (N, 4, 4) takes them to camera axes.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dimr.body.smpl_file import read_pickle
from dimr.data.real.record import (
    Keypoints,
    Placement,
    Record,
    Records,
    box_window,
    checked_floats,
    gender_of,
    join,
    naming,
    turn_root,
    wanted_keys,
)

SPLITS = ("train", "validation", "test")
WINDOW_MARGIN = 1.2
_KEYS = (
    "sequence betas poses trans genders poses2d jointPositions cam_poses campose_valid "
    "cam_intrinsics"
).split()


def read_pw3d(root: Path, splits: tuple[str, ...] = SPLITS) -> Records:
    """Reads the sequences of some splits.

    Args:
        root: with `sequenceFiles` and `imageFiles`.
        splits: of `SPLITS`.

    Raises:
        ValueError: if there is no sequence at all.
    """
    paths = [
        path for split in splits for path in sorted((root / "sequenceFiles" / split).glob("*.pkl"))
    ]
    if not paths:
        raise ValueError(f"{root}: no sequenceFiles/{{{','.join(splits)}}}/*.pkl")
    parts = []
    for path in paths:
        try:
            with naming(path):
                parts.append(read_sequence(path, root / "imageFiles"))
        except ValueError as error:
            parts.append(_broken(error))
    return join("3dpw", parts)


def _broken(error: ValueError) -> Records:
    """A sequence that cannot be read counts as one broken record."""

    def make(index: int) -> Record:
        raise error

    return Records("3dpw", 1, make)


def read_sequence(path: Path, pictures: Path) -> Records:
    """All actors and frames of one sequence."""
    content = wanted_keys(read_pickle(path), _KEYS, path)
    name = str(content["sequence"])
    if not name or "/" in name or "\\" in name:
        raise ValueError(f"{path}: sequence is {name!r}, want a plain name")
    num_actors = len(content["poses"])
    lengths = [len(poses) for poses in content["poses"]]
    for key in ("betas", "trans", "genders", "poses2d", "jointPositions", "campose_valid"):
        if len(content[key]) != num_actors:
            raise ValueError(f"{path}: {key} is of {len(content[key])} actors, want {num_actors}")
    places = [(actor, frame) for actor in range(num_actors) for frame in range(lengths[actor])]

    def make(index: int) -> Record | None:
        actor, frame = places[index]
        return _record(content, name, actor, frame, pictures)

    return Records("3dpw", len(places), make)


def _record(content: Any, name: str, actor: int, frame: int, pictures: Path) -> Record | None:
    rows = checked_floats("poses2d", content["poses2d"][actor][frame], (3, 18)).T
    seen = rows[:, 2] > 0
    if not content["campose_valid"][actor][frame] or not seen.any():
        return None
    points = rows[seen, :2]
    box = np.concatenate([points.min(0), points.max(0)])
    centre, side = box_window(box, WINDOW_MARGIN)
    world_to_cam = checked_floats("cam_poses", content["cam_poses"][frame], (4, 4))
    R_cam, t_cam_m = world_to_cam[:3, :3], world_to_cam[:3, 3]
    theta = checked_floats("poses", content["poses"][actor][frame], (24, 3))
    joints = checked_floats("jointPositions", content["jointPositions"][actor][frame], (24, 3))
    return Record(
        dataset="3dpw",
        key=f"{name}/{frame:05d}/{actor}",
        picture=pictures / name / f"image_{frame:05d}.jpg",
        centre_px=centre,
        side_px=side,
        theta_rad=turn_root(theta, before=R_cam),
        betas=checked_floats("betas", np.asarray(content["betas"][actor])[:10], (10,)),
        gender=gender_of(content["genders"][actor]),
        placement=Placement(
            checked_floats("trans", content["trans"][actor][frame], (3,)), R_cam, t_cam_m
        ),
        keypoints_px=Keypoints("openpose18", rows[:, :2], rows[:, 2].clip(0, 1)),
        keypoints_cam_m=Keypoints("smpl24", joints @ R_cam.T + t_cam_m, np.ones(24, np.float32)),
        intrinsics=checked_floats("cam_intrinsics", content["cam_intrinsics"], (3, 3)),
        box_px=box,
        sequence=name,
        frame=frame,
        person=actor,
    )

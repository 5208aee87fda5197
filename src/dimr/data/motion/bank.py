"""Clips -> a bank of poses: thinned out, balanced over kinds of motion, split by clips; its file.

A bank file (.npz) holds `theta` (N, 24, 3) float16 axis-angles whose root keeps pitch and roll but
no yaw, `clip` (N,), and of each clip `clip_name`, `clip_kind` (index of `kind_name`), `clip_split`
(index of `SPLITS`) and `clip_extreme`.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float16, Int
from scipy.spatial.transform import Rotation

from dimr.body.keypoints import JOINT_PARENTS
from dimr.data.motion.clip import Clip, is_extreme
from dimr.data.motion.retarget import Skeleton, forward
from dimr.files import write_atomically
from dimr.surface.npz import read_arrays

SPLITS = ("train", "val", "test")
VAL_SHARE, TEST_SHARE = 0.1, 0.2
"""Shares of each kind's groups of clips; with three groups or more, none is left empty."""
MIN_FRAMES = 16
"""Shorter clips are all for training: a few stills are nothing to measure on."""
MIN_DISTANCE_M = 0.02
"""Poses of one split and kind differ by at least this (RMS over the joints)."""
MOST_PER_KIND = 2000
"""Poses of one kind of motion in one split, at most."""
MAX_FPS = 60.0
"""Clips are read at no more frames than that; faster ones hardly differ."""
FLAT_TOLERANCE = 1e-6


class PoseRows(NamedTuple):
    """A bank's content."""

    theta: Float16[np.ndarray, "N 24 3"]
    clip: Int[np.ndarray, "N"]
    clip_names: list[str]
    clip_kinds: list[str]
    clip_split: Int[np.ndarray, "C"]
    clip_extreme: Bool[np.ndarray, "C"]


def build_pose_bank(
    clips: Sequence[Clip],
    joints_rest_m: Float[np.ndarray, "24 3"],
    min_distance_m: float = MIN_DISTANCE_M,
    most_per_kind: int = MOST_PER_KIND,
) -> PoseRows:
    """Chooses poses that differ from each other; the same clips give the same bank.

    Args:
        clips: recorded motion; names must differ.
        joints_rest_m: rest joints of the body on which poses are compared.
        min_distance_m: RMS distance of joints from which on two poses are both kept.
        most_per_kind: poses of one kind and split, at most; those farthest from each other stay.

    Raises:
        ValueError: without clips, with two of one name, or without a single frame.
    """
    clips = sorted(clips, key=lambda clip: clip.name)
    names = [clip.name for clip in clips]
    if not clips or len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"clips: got {len(clips)} (twice: {', '.join(twice[:5])}), want names "
                         "that differ and at least one")  # fmt: skip
    splits = _split(clips)
    skeleton = Skeleton(
        tuple(map(str, range(24))),
        JOINT_PARENTS,
        np.diff(joints_rest_m[[[max(p, 0), j] for j, p in enumerate(JOINT_PARENTS)]], axis=1)[
            :, 0
        ],
    )
    rotmats, features, clip_of = [], [], []
    for number, clip in enumerate(clips):
        step = max(round(clip.fps / MAX_FPS), 1)
        chosen = clip.rotmats[::step].copy()
        chosen[:, 0] = without_yaw(chosen[:, 0])
        joints = forward(skeleton, chosen, np.zeros((len(chosen), 3)))[1]
        rotmats.append(chosen)
        features.append(joints.reshape(len(joints), 72).astype(np.float32))
        clip_of.append(np.full(len(joints), number, np.int32))
    rotmats, features = np.concatenate(rotmats), np.concatenate(features)
    clip_of = np.concatenate(clip_of)
    if not len(rotmats):
        raise ValueError("clips: got no frame at all, want at least one")
    kind_of = np.array([clip.kind for clip in clips])[clip_of]
    kept = []
    for split in range(len(SPLITS)):
        for kind in sorted(set(kind_of.tolist())):
            rows = np.flatnonzero((splits[clip_of] == split) & (kind_of == kind))
            far = _farthest(features[rows], min_distance_m * np.sqrt(24), most_per_kind)
            kept.append(rows[far])
    rows = np.sort(np.concatenate(kept))
    vectors = Rotation.from_matrix(rotmats[rows].reshape(-1, 3, 3)).as_rotvec()
    return PoseRows(
        vectors.reshape(-1, 24, 3).astype(np.float16),
        clip_of[rows],
        names,
        [clip.kind for clip in clips],
        splits,
        np.array([is_extreme(clip) for clip in clips]),
    )


def without_yaw(rotmats: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, "N 3 3"]:
    """The same pitch and roll, turned about the vertical so that nothing but they is left.

    What remains has its axis in the horizontal plane, so upside down is no special case; only a
    person that hangs exactly head down has no such turn and is left alone.
    """
    _, y, _, w = Rotation.from_matrix(rotmats).as_quat().T
    yaw = np.where(np.hypot(y, w) > FLAT_TOLERANCE, 2 * np.arctan2(y, w), 0)
    return Rotation.from_euler("y", -yaw[:, None]).as_matrix() @ rotmats


def write_pose_bank(path: str | Path, bank: PoseRows) -> None:
    """Writes a bank's file; readers see the old file or the new one, never half of one."""
    kinds = sorted(set(bank.clip_kinds))
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        theta=bank.theta,
        clip=bank.clip.astype(np.int32),
        clip_name=np.array(bank.clip_names),
        clip_kind=np.array([kinds.index(kind) for kind in bank.clip_kinds], np.int32),
        kind_name=np.array(kinds),
        clip_split=bank.clip_split.astype(np.int32),
        clip_extreme=bank.clip_extreme,
    )
    write_atomically(Path(path), packed.getvalue())


def read_pose_bank(path: str | Path) -> PoseRows:
    """Reads what `write_pose_bank` wrote.

    Raises:
        ValueError: if the file is no bank or its arrays do not fit together.
    """
    arrays = read_arrays(
        path,
        {
            "theta": (np.floating, 3), "clip": (np.integer, 1), "clip_name": (np.str_, 1),
            "clip_kind": (np.integer, 1), "kind_name": (np.str_, 1),
            "clip_split": (np.integer, 1), "clip_extreme": (np.bool_, 1),
        },
    )  # fmt: skip
    theta, clip, kind = arrays["theta"], arrays["clip"], arrays["clip_kind"]
    count = len(arrays["clip_name"])
    per_clip = {len(arrays[name]) for name in ("clip_kind", "clip_split", "clip_extreme")}
    if theta.shape != (len(clip), 24, 3) or per_clip != {count} or not np.isfinite(theta).all():
        raise ValueError(
            f"{path}: theta is {theta.shape} for {len(clip)} rows of {count} clips, want finite "
            "(rows, 24, 3) and one kind, split and extreme a clip"
        )
    for name, values, most in (
        ("clip", clip, count),
        ("clip_kind", kind, len(arrays["kind_name"])),
        ("clip_split", arrays["clip_split"], len(SPLITS)),
    ):
        if len(values) and not (0 <= values.min() and values.max() < most):
            raise ValueError(f"{path}: {name} is not within 0 .. {most - 1}")
    kinds = arrays["kind_name"].tolist()
    return PoseRows(
        theta.astype(np.float16), clip, arrays["clip_name"].tolist(),
        [kinds[number] for number in kind], arrays["clip_split"], arrays["clip_extreme"],
    )  # fmt: skip


def _split(clips: Sequence[Clip]) -> Int[np.ndarray, "C"]:
    """A split for each clip: by group, each kind shared out, in an order that no one chose."""
    kind_of_group = {}
    for clip in clips:
        if len(clip.rotmats) >= MIN_FRAMES:
            kind_of_group.setdefault(clip.group, clip.kind)
    split_of_group = {}
    for kind in set(kind_of_group.values()):
        groups = [group for group, its_kind in kind_of_group.items() if its_kind == kind]
        groups.sort(key=lambda group: hashlib.sha256(group.encode()).digest())
        enough = len(groups) >= len(SPLITS)
        num_val = max(round(VAL_SHARE * len(groups)), 1) if enough else 0
        num_test = max(round(TEST_SHARE * len(groups)), 1) if len(groups) > 1 else 0
        for place, group in enumerate(groups):
            in_val = num_test <= place < num_test + num_val
            split_of_group[group] = 2 if place < num_test else 1 if in_val else 0
    return np.array([split_of_group.get(clip.group, 0) for clip in clips], np.int32)


def _farthest(
    features: Float[np.ndarray, "N F"], min_distance: float, most: int
) -> Int[np.ndarray, "K"]:
    """Farthest-point sampling from the first row on, until all are near or `most` chosen."""
    chosen: list[int] = []
    nearest = np.full(len(features), np.inf, np.float32)
    following = 0
    while len(features) and len(chosen) < most and nearest[following] > min_distance:
        chosen.append(following)
        distances = np.linalg.norm(features - features[following], axis=1)
        nearest = np.minimum(nearest, distances)
        following = int(nearest.argmax())
    return np.array(chosen, np.int64)

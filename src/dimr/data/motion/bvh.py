"""BVH files (Biovision hierarchy): any skeleton, channel orders, degrees.

A joint's rotation is the product of its rotation channels in the order in which they are listed.
Position channels of joints other than the root are read over: where they exist they repeat the
bones' lengths or hold zeros.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dimr.data.motion.retarget import Skeleton

MAX_BYTES = 64 * 2**20
MAX_JOINTS = 1000
MAX_ROTATIONS = 10_000_000
"""Frames times joints: what 720 MB hold."""
POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")


class BvhMotion(NamedTuple):
    """A BVH file's content, in its own axes and unit."""

    skeleton: Skeleton
    rotmats: Float[np.ndarray, "N J 3 3"]
    root: Float[np.ndarray, "N 3"]
    fps: float


def read_bvh(path: str | Path) -> BvhMotion:
    """Reads a BVH file.

    Raises:
        ValueError: if it is unreadable, too large or no BVH file; says where.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error})") from error
    head, found, motion = text.partition("MOTION")
    if not found or not head.lstrip("\ufeff \t\r\n").startswith("HIERARCHY"):
        raise ValueError(f"{path}: no BVH file (want HIERARCHY ... MOTION ...)")
    try:
        skeleton, channels = _hierarchy(head.split()[1:])
        values, fps = _values(motion, sum(len(names) for names in channels))
        if len(values) * len(channels) > MAX_ROTATIONS:
            raise ValueError(
                f"{len(values)} frames of {len(channels)} joints, want <= {MAX_ROTATIONS} in all"
            )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return _motion(skeleton, channels, values, fps)


def _hierarchy(words: list[str]) -> tuple[Skeleton, list[list[str]]]:
    """Joints and the names of their channels; end sites are left out."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    open_joints: list[int] = []  # -1 for an end site
    stream = iter(words)
    try:
        for word in stream:
            if word in ("ROOT", "JOINT", "End"):
                name = next(stream)
                while (more := next(stream)) != "{":  # names may hold blanks
                    name = f"{name} {more}"
                if word == "End":
                    open_joints.append(-1)
                    continue
                if word == "ROOT" and names:
                    raise ValueError(f"a second ROOT ({name}); want one skeleton a file")
                if word == "JOINT" and not open_joints:
                    raise ValueError(f"JOINT {name} outside of a ROOT")
                if len(names) == MAX_JOINTS:
                    raise ValueError(f"more than {MAX_JOINTS} joints")
                parents.append(open_joints[-1] if open_joints else -1)
                open_joints.append(len(names))
                names.append(name)
                offsets.append([0.0, 0.0, 0.0])
                channels.append([])
            elif word == "OFFSET":
                offset = [float(next(stream)) for _ in range(3)]
                if open_joints[-1] >= 0:
                    offsets[open_joints[-1]] = offset
            elif word == "CHANNELS":
                listed = [next(stream) for _ in range(int(next(stream)))]
                if unknown := sorted(set(listed) - {*POSITIONS, *ROTATIONS}):
                    raise ValueError(f"unknown channels {', '.join(unknown)}")
                channels[open_joints[-1]] = listed
            elif word == "}":
                open_joints.pop()
            else:
                raise ValueError(f"unexpected {word[:40]!r} in the hierarchy")
    except (StopIteration, IndexError) as error:
        raise ValueError("the hierarchy is incomplete or its brackets do not match") from error
    if open_joints or not names:
        raise ValueError("the hierarchy is incomplete or its brackets do not match")
    return Skeleton(tuple(names), tuple(parents), np.array(offsets)), channels


def _values(motion: str, width: int) -> tuple[np.ndarray, float]:
    """(frames, channels) numbers, and frames per second."""
    lines = motion.split("\n", 3)
    words = [line.split(":") for line in lines[1:3]]
    if len(lines) < 4 or [word[0].strip() for word in words] != ["Frames", "Frame Time"]:
        raise ValueError("want the lines 'Frames: N' and 'Frame Time: seconds' after MOTION")
    frames, seconds = int(words[0][1]), float(words[1][1])
    if frames < 1 or not seconds > 0:
        raise ValueError(f"got {frames} frames of {seconds} s, want at least one of some length")
    numbers = np.array(lines[3].split(), np.float64)
    if len(numbers) != frames * width:
        raise ValueError(f"got {len(numbers)} numbers, want {frames} frames of {width} channels")
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers.reshape(frames, width), 1 / seconds


def _motion(
    skeleton: Skeleton, channels: list[list[str]], values: np.ndarray, fps: float
) -> BvhMotion:
    rotmats = np.tile(np.eye(3), (len(values), len(channels), 1, 1))
    root = np.tile(skeleton.offsets[0], (len(values), 1))
    first = 0
    for joint, names in enumerate(channels):
        columns = dict(zip(names, values[:, first : first + len(names)].T, strict=True))
        first += len(names)
        turns = [name for name in names if name in ROTATIONS]
        if turns:
            angles = np.stack([columns[name] for name in turns], axis=1)
            order = "".join(name[0] for name in turns)
            rotmats[:, joint] = _turn(order, angles)
        if joint == 0:
            for axis, name in enumerate(POSITIONS):
                root[:, axis] += columns.get(name, 0)
    return BvhMotion(skeleton, rotmats, root, fps)


def _turn(order: str, angles_deg: np.ndarray) -> Float[np.ndarray, "N 3 3"]:
    """R = R_order[0] R_order[1] ..., the first listed being the outermost."""
    total = Rotation.identity(len(angles_deg))
    for axis, angles in zip(order, angles_deg.T, strict=True):
        total = total * Rotation.from_euler(axis.lower(), angles[:, None], degrees=True)
    return total.as_matrix()

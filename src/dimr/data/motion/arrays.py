""".npz files of motion: AMASS and the like, and the packs made of CMU's and DeepMimic's clips."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from dimr.data.motion.clip import Clip, kind_of
from dimr.data.motion.retarget import Skeleton, retarget
from dimr.data.motion.rigs import CMU, DEEPMIMIC
from dimr.surface.npz import array_names, read_arrays

AMASS_WIDTHS = {66: "body only", 72: "SMPL", 156: "SMPL-H", 165: "SMPL-X"}
NUM_BODY_JOINTS = 22
"""Joints that SMPL, SMPL-H and SMPL-X share; hands come after them."""
Z_UP_TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
RATE_NAMES = ("mocap_framerate", "mocap_frame_rate", "fps")
DEFAULT_FPS = 120.0
MIRROR_SUFFIX = "_mirror"


def read_amass(path: str | Path) -> Clip:
    """One file of AMASS: axis-angles of SMPL's family, z up.

    Its folder is taken for the subject, the one above for the data set.

    Raises:
        ValueError: if an array is missing, of another shape, or not finite.
    """
    path = Path(path)
    names = set(array_names(path))
    rates = [name for name in RATE_NAMES if name in names]
    wanted: dict[str, tuple[type, int]] = {"poses": (np.floating, 2)}
    if "trans" in names:
        wanted["trans"] = (np.floating, 2)
    wanted |= {name: (np.number, 0) for name in rates[:1]}
    arrays = read_arrays(path, wanted)
    poses = arrays["poses"].astype(np.float64)
    width = poses.shape[1]
    if width not in AMASS_WIDTHS or not len(poses):
        raise ValueError(f"{path}: poses is {poses.shape}, want (N, {AMASS_WIDTHS}), N > 0")
    fps = float(arrays[rates[0]]) if rates else DEFAULT_FPS
    joints = 24 if width == 72 else NUM_BODY_JOINTS
    if not np.isfinite(poses).all() or not fps > 0:
        raise ValueError(f"{path}: poses or {(rates or ['rate'])[0]} is not finite and positive")
    rotmats = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    rotmats[:, :joints] = axis_angles_to_rotmats(poses[:, : 3 * joints])
    rotmats[:, 0] = Z_UP_TO_Y_UP @ rotmats[:, 0]
    root = None
    if "trans" in arrays:
        root = arrays["trans"].astype(np.float64)
        if root.shape != (len(poses), 3) or not np.isfinite(root).all():
            raise ValueError(f"{path}: trans is {root.shape}, want finite ({len(poses)}, 3)")
        root = root @ Z_UP_TO_Y_UP.T
    subject = "/".join(path.resolve().parts[-3:-1])
    name = f"{subject}/{path.stem}"
    return Clip(name, kind_of(path.stem), fps, rotmats, root, group=subject)


def read_cmu_pack(path: str | Path) -> list[Clip]:
    """Clips of CMU's database in one file: `frames` of root places and rotation vectors.

    The vectors are for row vectors, so they are negated. Rows marked `is_tpose` (the first of each
    clip) or `is_glitch` (errors at the gimbal lock of the original angles) are left out.

    Raises:
        ValueError: if an array is missing or of another shape.
    """
    arrays = read_arrays(
        path,
        {
            "frames": (np.floating, 2), "clip_id": (np.integer, 1), "clip_name": (np.str_, 1),
            "is_tpose": (np.bool_, 1), "is_glitch": (np.bool_, 1), "joint_name": (np.str_, 1),
            "joint_parent": (np.integer, 1), "joint_offset": (np.floating, 2),
            "fps": (np.number, 0), "metres_per_unit": (np.floating, 0),
        },
    )  # fmt: skip
    skeleton = _skeleton(arrays)
    count = len(skeleton.names)
    frames = arrays["frames"].astype(np.float64)
    _check_width(path, frames, 3 + 3 * count)
    good = ~(arrays["is_tpose"] | arrays["is_glitch"])
    clips = []
    for number, name in enumerate(arrays["clip_name"].tolist()):
        rows = frames[good & (arrays["clip_id"] == number)]
        rotmats = axis_angles_to_rotmats(-rows[:, 3:])
        motion = retarget(skeleton, CMU, rotmats, rows[:, :3])
        name = f"cmu/{name}"
        clips.append(Clip(name, kind_of(name), float(arrays["fps"]), *motion, group=name))
    return clips


def read_deepmimic_pack(path: str | Path) -> list[Clip]:
    """Clips of DeepMimic in one file: durations, root places, quaternions and hinge angles.

    Raises:
        ValueError: if an array is missing or of another shape.
    """
    arrays = read_arrays(
        path,
        {
            "frames": (np.floating, 2), "clip_id": (np.integer, 1), "clip_name": (np.str_, 1),
            "frame_fields": (np.str_, 1), "frame_slices": (np.integer, 2),
            "joint_name": (np.str_, 1), "joint_parent": (np.integer, 1),
            "joint_offset": (np.floating, 2),
        },
    )  # fmt: skip
    skeleton = _skeleton(arrays)
    frames = arrays["frames"].astype(np.float64)
    _check_width(path, frames, 44)
    fields = {
        name: frames[:, first:last]
        for name, (first, last) in zip(
            arrays["frame_fields"].tolist(), arrays["frame_slices"].tolist(), strict=True
        )
    }
    rotmats = np.tile(np.eye(3), (len(frames), len(skeleton.names), 1, 1))
    for joint, name in enumerate(skeleton.names):
        if f"{name}_q" in fields:  # w first; scipy normalises
            quaternions = fields[f"{name}_q"][:, [1, 2, 3, 0]]
            rotmats[:, joint] = Rotation.from_quat(quaternions).as_matrix()
        elif name in fields:
            rotmats[:, joint] = Rotation.from_euler("z", fields[name]).as_matrix()
    clips = []
    for number, name in enumerate(arrays["clip_name"].tolist()):
        rows = arrays["clip_id"] == number
        motion = retarget(skeleton, DEEPMIMIC, rotmats[rows], fields["root_pos"][rows])
        seconds = np.median(fields["duration"][rows])
        name = f"deepmimic/{name.split('humanoid3d_')[-1]}"
        group = name.removesuffix(MIRROR_SUFFIX)
        clips.append(Clip(name, kind_of(name), float(1 / seconds), *motion, group=group))
    return clips


def axis_angles_to_rotmats(vectors: Float[np.ndarray, "N J3"]) -> Float[np.ndarray, "N J 3 3"]:
    """Rotation vectors (radians), three columns a joint, to matrices."""
    flat = Rotation.from_rotvec(np.reshape(vectors, (-1, 3))).as_matrix()
    return flat.reshape(len(vectors), -1, 3, 3)


def _skeleton(arrays: dict[str, np.ndarray]) -> Skeleton:
    return Skeleton(
        tuple(arrays["joint_name"].tolist()),
        tuple(arrays["joint_parent"].tolist()),
        arrays["joint_offset"].astype(np.float64),
    )


def _check_width(path: str | Path, frames: np.ndarray, width: int) -> None:
    if frames.shape[1] != width or not np.isfinite(frames).all():
        raise ValueError(f"{path}: frames is {frames.shape}, want finite (N, {width})")

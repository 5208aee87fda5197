"""How well retargeted motion agrees with its source, in numbers.

The sources' joints are placed here once more, straight from the files, without the code that
retargets.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from dimr.body.keypoints import JOINT_NAMES, JOINT_PARENTS
from dimr.data.motion.bvh import read_bvh
from dimr.data.motion.clip import Clip
from dimr.data.motion.retarget import Skeleton, forward
from dimr.data.motion.rigs import CMU, DEEPMIMIC, MAKEHUMAN, Rig
from dimr.data.synthetic import anatomy

BONES = (
    ("thigh", "hip", "knee"), ("shank", "knee", "ankle"), ("upper arm", "shoulder", "elbow"),
    ("forearm", "elbow", "wrist"), ("hip to ankle", "hip", "ankle"),
    ("shoulder to wrist", "shoulder", "wrist"),
)  # fmt: skip
MOVED_DEG = 2.0
"""A joint is outside of its range if the limits turn it by more."""
DEEPMIMIC_TO_SMPL = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
MAKEHUMAN_TO_SMPL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
SMPL_AT = {name: joint for joint, name in enumerate(JOINT_NAMES)}


def measure(folder: Path, clips: Sequence[Clip], joints_rest_m: np.ndarray) -> list[str]:
    """Lines of a report."""
    offsets = joints_rest_m - joints_rest_m[[max(parent, 0) for parent in JOINT_PARENTS]]
    skeleton = Skeleton(tuple(JOINT_NAMES), JOINT_PARENTS, offsets)
    by_name = {clip.name: clip for clip in clips}
    sources = [
        ("CMU", CMU, _cmu(folder / "cmu.npz")),
        ("DeepMimic", DEEPMIMIC, _deepmimic(folder / "deepmimic.npz")),
        ("MakeHuman", MAKEHUMAN, _makehuman(folder / "makehuman_poses")),
    ]
    lines = []
    for title, rig, places in sources:
        pairs = []
        for name, (at, joints) in places.items():
            clip = by_name[name]
            root = np.zeros((len(joints), 3)) if clip.root_m is None else clip.root_m
            pairs.append((clip, at, joints, forward(skeleton, clip.rotmats, root)[1]))
        lines += [f"{title}: {len(pairs)} clips, {sum(len(p[2]) for p in pairs)} frames"]
        lines += _bones(rig, pairs) + _walking(rig, pairs) + _joints([pair[0] for pair in pairs])
    return lines


def _bones(rig: Rig, pairs: Sequence[tuple]) -> list[str]:
    lines = []
    for title, start, end in BONES:
        angles = []
        for _, at, joints, smpl in pairs:
            for side, letter in enumerate("LR"):
                try:
                    a, b = at[rig.joint(start, side)], at[rig.joint(end, side)]
                except KeyError:  # DeepMimic's wrist drives nothing, but has a place
                    a, b = at[rig.joint(start, side)], at[f"{rig.sides[side]}_wrist"]
                before = joints[:, b] - joints[:, a]
                after = smpl[:, SMPL_AT[f"{letter}_{end}"]] - smpl[:, SMPL_AT[f"{letter}_{start}"]]
                angles.append(_angles_deg(before, after))
        angles = np.concatenate(angles)
        lines.append(
            f"  {title}: direction differs by {np.median(angles):.1f} deg (median), "
            f"{np.percentile(angles, 99):.1f} (99 %)"
        )
    return lines


def _walking(rig: Rig, pairs: Sequence[tuple]) -> list[str]:
    """Slip of the standing foot against the pelvis; who goes forwards, and left of right."""
    slips, ahead, left = {"source": [], "retargeted": []}, [], []
    for clip, at, joints, smpl in pairs:
        if clip.kind != "walking" or len(joints) < 30:
            continue
        ankles = [at[rig.joint("ankle", side)] for side in (0, 1)]
        slips["source"].append(_slip(joints[:, at[rig.pelvis]], joints[:, ankles]))
        feet = smpl[:, [SMPL_AT["L_ankle"], SMPL_AT["R_ankle"]]]
        slips["retargeted"].append(_slip(smpl[:, 0], feet))
        way = np.gradient(smpl[:, 0], axis=0)
        facing = clip.rotmats[:, 0, :, 2]
        walks = np.linalg.norm(way[:, [0, 2]], axis=1) * clip.fps > 0.3
        ahead.append((way * facing).sum(1)[walks] > 0)
        left.append(((feet[:, 0] - feet[:, 1]) * clip.rotmats[:, 0, :, 0]).sum(1) > 0)
    if not ahead:
        return []
    slip = ", ".join(f"{name} {np.median(values):.2f}" for name, values in slips.items())
    return [
        f"  walking: speed of the slower ankle / of the pelvis (median of clips): {slip}",
        f"  walking: faces where it goes in {100 * np.concatenate(ahead).mean():.1f} % of frames, "
        f"left ankle left of the right one in {100 * np.concatenate(left).mean():.1f} %",
    ]


def _slip(pelvis: np.ndarray, ankles: np.ndarray) -> float:
    slower = np.linalg.norm(np.diff(ankles[:, :, [0, 2]], axis=0), axis=2).min(1)
    return float(slower.mean() / np.linalg.norm(np.diff(pelvis[:, [0, 2]], axis=0), axis=1).mean())


def _joints(clips: Sequence[Clip]) -> list[str]:
    """Which way hinges bend, and the share of frames within the joints' ranges."""
    rotmats = np.concatenate([clip.rotmats for clip in clips])
    knees = [np.rad2deg(np.arctan2(rotmats[:, k, 2, 1], rotmats[:, k, 2, 2])) for k in (4, 5)]
    elbows = [
        np.rad2deg(np.arctan2(sign * rotmats[:, e, 2, 0], rotmats[:, e, 0, 0]))
        for e, sign in ((18, 1), (19, -1))
    ]
    limited = rotmats.copy()
    for frame in limited:
        anatomy.limit_rotmats(frame, anatomy.TURN_LIMITS_DEG)
    turned = (rotmats.transpose(0, 1, 3, 2) @ limited).reshape(-1, 3, 3)
    moved = np.rad2deg(Rotation.from_matrix(turned).magnitude()).reshape(-1, 24) > MOVED_DEG
    worst = sorted(range(24), key=lambda joint: -moved[:, joint].mean())[:3]
    hyper = [100 * np.mean(np.concatenate(values) < -5) for values in (knees, elbows)]
    return [
        f"  bent backwards by more than 5 deg: knees {hyper[0]:.1f} %, elbows {hyper[1]:.1f} %",
        f"  all joints within their ranges in {100 * (~moved.any(1)).mean():.1f} % of frames; "
        "most often outside: "
        + ", ".join(f"{JOINT_NAMES[j]} {100 * moved[:, j].mean():.1f} %" for j in worst),
    ]


def _angles_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.rad2deg(np.arccos(np.clip((first * second).sum(1) / lengths, -1, 1)))


def _place(local: np.ndarray, parents, offsets, root: np.ndarray) -> np.ndarray:
    """Joints' places, one joint after the other."""
    turned, places = [local[:, 0]], [root]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        turned.append(turned[parent] @ local[:, joint])
        places.append(places[parent] + turned[parent] @ offsets[joint])
    return np.stack(places, axis=1)


def _cmu(path: Path) -> dict:
    pack = dict(np.load(path, allow_pickle=False))
    at = {name: joint for joint, name in enumerate(pack["joint_name"].tolist())}
    good = ~(pack["is_tpose"] | pack["is_glitch"])
    found = {}
    for number, name in enumerate(pack["clip_name"].tolist()):
        rows = pack["frames"][good & (pack["clip_id"] == number)].astype(np.float64)
        local = Rotation.from_rotvec(-rows[:, 3:].reshape(-1, 3)).as_matrix()
        local = local.reshape(len(rows), -1, 3, 3)
        joints = _place(local, pack["joint_parent"], pack["joint_offset"], rows[:, :3])
        found[f"cmu/{name}"] = at, joints
    return found


def _deepmimic(path: Path) -> dict:
    pack = dict(np.load(path, allow_pickle=False))
    names = pack["joint_name"].tolist()
    slices = dict(zip(pack["frame_fields"].tolist(), pack["frame_slices"].tolist(), strict=True))
    frames = pack["frames"].astype(np.float64)
    local = np.tile(np.eye(3), (len(frames), len(names), 1, 1))
    for joint, name in enumerate(names):
        if f"{name}_q" in slices:
            w, x, y, z = frames[:, slice(*slices[f"{name}_q"])].T
            local[:, joint] = Rotation.from_quat(np.stack([x, y, z, w], 1)).as_matrix()
        elif name in slices:
            angle = frames[:, slices[name][0]]
            local[:, joint] = Rotation.from_rotvec(angle[:, None] * [0.0, 0, 1]).as_matrix()
    joints = _place(local, pack["joint_parent"], pack["joint_offset"], frames[:, 1:4])
    joints = joints @ DEEPMIMIC_TO_SMPL.T
    at = {name: joint for joint, name in enumerate(names)}
    found = {}
    for number, name in enumerate(pack["clip_name"].tolist()):
        rows = pack["clip_id"] == number
        found[f"deepmimic/{name.split('humanoid3d_')[-1]}"] = at, joints[rows]
    return found


def _makehuman(folder: Path) -> dict:
    found = {}
    for path in sorted(folder.glob("*.bvh")):
        bvh = read_bvh(path)
        names, parents, offsets = bvh.skeleton
        joints = _place(bvh.rotmats, parents, offsets, bvh.root) @ MAKEHUMAN_TO_SMPL.T
        found[f"{folder.name}/{path.stem}"] = {name: j for j, name in enumerate(names)}, joints
    return found

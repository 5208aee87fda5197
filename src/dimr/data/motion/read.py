"""Files of motion -> clips; the content decides what a file is, not its name."""

from pathlib import Path

from dimr.data.motion.arrays import read_amass, read_cmu_pack, read_deepmimic_pack
from dimr.data.motion.bvh import read_bvh
from dimr.data.motion.clip import Clip, kind_of
from dimr.data.motion.retarget import retarget
from dimr.data.motion.rigs import find_rig
from dimr.surface.npz import array_names

ZIP_MAGIC = b"PK"


def read_motion(path: str | Path) -> list[Clip]:
    """The clips of a file: AMASS's .npz, BVH with CMU's or MakeHuman's joints, or a pack.

    Raises:
        ValueError: if the file is none of these or broken; says what is wrong.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            magic = stream.read(2)
    except OSError as error:
        raise ValueError(f"{path}: not readable ({error})") from error
    if magic != ZIP_MAGIC:
        return [_bvh_clip(path)]
    names = set(array_names(path))
    if "poses" in names:
        return [read_amass(path)]
    if {"frames", "frame_fields"} <= names:
        return read_deepmimic_pack(path)
    if {"frames", "metres_per_unit"} <= names:
        return read_cmu_pack(path)
    raise ValueError(
        f"{path}: got the arrays {', '.join(sorted(names)[:8])}, want AMASS's (poses, trans) or a "
        "pack's (frames, clip_id, clip_name, ...)"
    )


def _bvh_clip(path: Path) -> Clip:
    bvh = read_bvh(path)
    try:
        rig = find_rig(bvh.skeleton.names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    motion = retarget(bvh.skeleton, rig, bvh.rotmats, bvh.root)
    subject = path.resolve().parent.name
    name = f"{subject}/{path.stem}"
    return Clip(name, kind_of(path.stem), bvh.fps, *motion, group=name)

"""Makes src/dimr/assets/open_poses.npz: the bank of recorded poses.

    python scripts/build_open_poses.py --data /path/to/mocap [--out open_poses.npz] [--measure]

The folder holds cmu.npz, deepmimic.npz and makehuman_poses/*.bvh; docs/poses.md tells where they
come from. Deterministic; about a minute. With --measure nothing is written: it prints how well the
retargeted motion agrees with its sources.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from open_poses.measure import measure

from dimr.body.model import BodyModel
from dimr.data.motion.bank import SPLITS, PoseRows, build_pose_bank, write_pose_bank
from dimr.data.motion.clip import Clip
from dimr.data.motion.read import read_motion

ASSETS = Path(__file__).parents[1] / "src" / "dimr" / "assets"


def read_all(folder: Path) -> list[Clip]:
    """Every clip of the three sources."""
    paths = [folder / "cmu.npz", folder / "deepmimic.npz"]
    paths += sorted((folder / "makehuman_poses").glob("*.bvh"))
    return [clip for path in paths for clip in read_motion(path)]


def summary(bank: PoseRows) -> list[str]:
    """Poses and clips by kind and split, as lines of a table."""
    kind = np.array(bank.clip_kinds)
    lines = [f"{'kind':12s} extreme  " + "  ".join(f"{split:>12s}" for split in SPLITS)]
    for name in sorted(set(bank.clip_kinds)):
        cells = []
        for split in range(len(SPLITS)):
            clips = np.flatnonzero((kind == name) & (bank.clip_split == split))
            cells.append(f"{np.isin(bank.clip, clips).sum():6d} ({len(clips):2d})")
        extreme = bank.clip_extreme[kind == name].mean()
        lines.append(f"{name:12s} {extreme:7.2f}  " + "  ".join(f"{cell:>12s}" for cell in cells))
    rows = Counter(bank.clip_split[bank.clip].tolist())
    extreme = bank.clip_extreme[bank.clip]
    for split, name in enumerate(SPLITS):
        mine = bank.clip_split[bank.clip] == split
        lines.append(f"{name}: {rows[split]} poses, {(extreme & mine).sum()} of extreme clips")
    return lines


def main() -> None:
    """Builds and writes the file, or measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ASSETS / "open_poses.npz")
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    rest = BodyModel.load().joints_template.numpy().astype(np.float64)
    clips = read_all(options.data)
    if options.measure:
        print("\n".join(measure(options.data, clips, rest)))
        return
    bank = build_pose_bank(clips, rest)
    write_pose_bank(options.out, bank)
    print("\n".join(summary(bank)))
    print(f"wrote {options.out}: {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

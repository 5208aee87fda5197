"""How long a synthetic sample takes on one core, everything included.

    python benchmarks/synth.py [--photos FOLDER] [--count N]

FOLDER has backgrounds/train and occluders/train; without it all is procedural. As many other
samples are drawn first: they compile, and draw the 64 scenes that pieces are cut from.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from dimr.body.model import BodyModel
from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.synthocc import SUBSETS, SynthOcc
from dimr.surface.atlas import load_atlas


def milliseconds(make, count: int) -> np.ndarray:
    """Time of each of `count` samples after as many others."""
    times = []
    for number in range(count):
        make(number)
    for number in range(count, 2 * count):
        start = time.perf_counter()
        make(number)
        times.append(1e3 * (time.perf_counter() - start))
    return np.array(times)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--count", type=int, default=300)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    body, atlas = BodyModel.load(None), load_atlas(None)
    photos = args.photos
    start = time.perf_counter()
    people = SyntheticPeople(
        body,
        atlas,
        size=192,
        backgrounds=photos and photos / "backgrounds" / "train",
        occluders=photos and photos / "occluders" / "train",
    )
    print(f"start-up {time.perf_counter() - start:.1f} s")
    print(f"{'sample':28}{'mean ms':>9}{'median':>9}{'p95':>9}")
    for name in ("crop_sample", "scene_sample", "iuv_sample"):
        times = milliseconds(getattr(people, name), args.count)
        print(_row(f"{name} at 192 px", times))
    benchmark = SynthOcc(body, atlas)
    for subset in SUBSETS:
        times = milliseconds(lambda number, name=subset: benchmark.crop(name, number), 20)
        print(_row(f"SynthOcc {subset} at 256 px", times))


def _row(name: str, times: np.ndarray) -> str:
    return f"{name:28}{times.mean():9.2f}{np.median(times):9.2f}{np.quantile(times, 0.95):9.2f}"


if __name__ == "__main__":
    main()

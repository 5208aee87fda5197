"""Measures how stage 2's answers err, for src/dimr/assets/turn_covariance.npz (`dimr.fit.prior`).

    python scripts/measure_turns.py SEEN [--weights open] [--output FILE]

SEEN is a folder of people of the training split as stage 1 saw them, e.g. `seen/train` in the
folder of `dimr ablate`. Stage 2 of the weights answers about each of them from stage 1's IUV; what
is written is the scale matrix of the turns from answer to truth. What ships is of the first 8000
people of that study (docs/results.md). A minute or two.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader

from dimr.body.keypoints import JOINT_NAMES
from dimr.files import write_atomically
from dimr.fit.prior import turn_covariance
from dimr.predict import load
from dimr.train.seen import SeenSamples
from dimr.train.stage2 import regress_iuv


@torch.inference_mode()
def main() -> None:
    """Writes the file and prints each joint's deviations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seen", type=Path)
    parser.add_argument("--weights", default="open")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    model = load(arguments.weights)
    samples = SeenSamples(arguments.seen, stage1=model.stage1)
    found, true = [], []
    for batch in track(DataLoader(samples, batch_size=32), "people"):
        regression = regress_iuv(model.stage2, batch, batch["said_mask"], batch["said_uv"])
        found.append(regression.rotmats)
        true.append(batch["rotmats"])
    covariance = turn_covariance(torch.cat(found), torch.cat(true)).numpy().astype(np.float32)
    for name, deviations in zip(
        JOINT_NAMES, np.sqrt(np.diag(covariance)).reshape(24, 3), strict=True
    ):
        Console().print(f"{name}: {', '.join(f'{each:.2f}' for each in deviations)} rad")
    if arguments.output is not None:
        content = io.BytesIO()
        np.savez_compressed(content, covariance=covariance)
        write_atomically(arguments.output, content.getvalue())


if __name__ == "__main__":
    main()

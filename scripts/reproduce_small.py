"""Trains everything from scratch, briefly, and says whether the results lie where they should.

    python scripts/reproduce_small.py --out build/small [--seed 0]
    python scripts/reproduce_small.py --out build/small --measure 0 1 2

The first form is `make reproduce-small`: stage 1, the head on IUVs, the head on pictures, with
fixed small budgets and only what ships; it ends with exit code 1 if a validation metric lies
outside of the interval in reproduce_small.json. The second trains with several seeds and writes
that file: the interval spans the seeds' results, widened by half of its width and by 5 % of its
middle on each side, since other processors round differently and training amplifies it.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from dimr.files import write_atomically
from dimr.train.recipes import train_stage1, train_stage2, train_stage2_geometry
from dimr.train.run import Run, surface_of

CARD = Path(__file__).with_suffix(".json")
STEPS = {"stage1": 200, "geometry": 300, "stage2": 60}
VALIDATION = 64
METRICS = {
    "stage1": ("iou", "part"),
    "geometry": ("mpjpe_mm", "pa_mpjpe_mm"),
    "stage2": ("mpjpe_mm", "pa_mpjpe_mm"),
}


def train_all(out: Path, seed: int) -> dict[str, float]:
    """Validation metrics of the three trainings; each resumes where it was stopped."""

    def run_of(name: str, stage1: Path | None = None, geometry: Path | None = None) -> Run:
        return Run(
            folder=out / name,
            stage1=stage1,
            geometry=geometry,
            steps=STEPS[name],
            validation=VALIDATION,
            seed=seed,
        )

    stage1, geometry = run_of("stage1"), run_of("geometry")
    earlier = {"stage1": stage1.folder / "weights", "geometry": geometry.folder / "weights"}
    trainings = {
        "stage1": (train_stage1, stage1),
        "geometry": (train_stage2_geometry, geometry),
        "stage2": (train_stage2, run_of("stage2", **earlier)),
    }
    body, atlas = surface_of(stage1)
    found = {}
    for name, (recipe, run) in trainings.items():
        torch.manual_seed(seed)
        best = recipe(run, body, atlas)
        found |= {f"{name} {metric}": best[metric] for metric in METRICS[name]}
    return found


def interval(values: list[float]) -> tuple[float, float]:
    """See the first lines of this file."""
    low, high = min(values), max(values)
    more = (high - low) / 2 + 0.05 * (high + low) / 2
    return low - more, high + more


def main() -> int:
    """Exit code: 0 if every metric lies in its interval."""
    parser = argparse.ArgumentParser(description="Train everything, briefly.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", type=int, nargs="+", metavar="SEED")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.measure:
        seeds = [train_all(given.out / str(seed), seed) for seed in given.measure]
        card = {
            "steps": STEPS,
            "seeds": given.measure,
            "measured": {name: [each[name] for each in seeds] for name in seeds[0]},
        }
        write_atomically(CARD, (json.dumps(card, indent=2) + "\n").encode())
        return 0
    measured = json.loads(CARD.read_text())["measured"]
    found, inside = train_all(given.out, given.seed), True
    table = Table("metric", "here", "from", "to", "")
    for name, value in found.items():
        low, high = interval(measured[name])
        fits = low <= value <= high
        inside &= fits
        table.add_row(name, *(f"{each:.3f}" for each in (value, low, high)), "" if fits else "!")
    Console().print(table)
    return 0 if inside else 1


if __name__ == "__main__":
    sys.exit(main())

"""What refinement gains, on SynthOcc's validation people: errors before and after, and its time.

    python benchmarks/refine.py [--limit 60] [--subset clean ...] [--weights open]

A person's hidden joints are those of whose part no pixel is seen in the true IUV. The means are
over people, in millimetres; "worse" is the share of people whose MPJPE grows.
"""

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from dimr.data.synthetic.samples import CropSample
from dimr.data.synthetic.synthocc import SUBSETS, SynthOcc
from dimr.evaluate.errors import MM_PER_M, pa_mpjpe_mm
from dimr.evaluate.synthetic import sample_errors
from dimr.predict import Model, load
from dimr.surface.iuv import part_seen
from dimr.types import Iuv, Regression


def errors_mm(model: Model, sample: CropSample, regression: Regression) -> list[float]:
    """MPJPE, PA-MPJPE, MPJPE of hidden joints (NaN if there are none)."""
    truth = model.body.joints(
        torch.from_numpy(sample.rotmats)[None], torch.from_numpy(sample.betas)[None]
    )
    joints = model.body.joints(regression.rotmats, regression.betas)
    offset = (joints - joints[:, :1]) - (truth - truth[:, :1])
    distance = offset.norm(dim=-1)[0].numpy() * MM_PER_M
    hidden = part_seen(sample.iuv, model.atlas) == 0
    of_hidden = distance[hidden].mean() if hidden.any() else np.nan
    return [distance.mean(), float(pa_mpjpe_mm(joints, truth)), of_hidden]


class Measured:
    """Errors of one person after another."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rows: list[list[float]] = []

    def person(self, sample: CropSample, kind: str) -> None:
        """Adds somebody."""

        def refine(regression: Regression, iuv: Iuv) -> Regression:
            start = time.perf_counter()
            refined = self.model.refine(regression, iuv)
            milliseconds = 1e3 * (time.perf_counter() - start)
            before, after = (errors_mm(self.model, sample, each) for each in (regression, refined))
            self.rows.append([*before, *after, after[0] > before[0], milliseconds])
            return refined

        model = self.model
        sample_errors(sample, model.stage1, model.stage2, model.body, [kind], refine)

    def cells(self) -> list[str]:
        """A row of the table."""
        *errors, worse, _ = np.nanmean(self.rows, axis=0)
        milliseconds = np.median([row[-1] for row in self.rows])  # the first one compiles
        pairs = [f"{errors[k]:.1f} {errors[k + 3]:.1f}" for k in range(3)]
        return [str(len(self.rows)), *pairs, f"{worse:.2f}", f"{milliseconds:.0f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=60, help="people of each subset")
    parser.add_argument("--subset", nargs="+", choices=SUBSETS, default=list(SUBSETS))
    parser.add_argument("--weights", default="open")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load(options.weights)
    people = SynthOcc(model.body, model.atlas, "val")
    headings = ("MPJPE", "PA-MPJPE", "hidden joints", "worse", "ms")
    table = Table("people", "IUV", "n", *headings)
    for subset in options.subset:
        measured = {kind: Measured(model) for kind in ("gt", "predicted")}
        for number in range(options.limit):
            sample = people.crop(subset, number)
            for kind, rows in measured.items():
                rows.person(sample, kind)
        for kind, rows in measured.items():
            table.add_row(subset, kind, *rows.cells())
    Console(width=100).print(table)


if __name__ == "__main__":
    main()

"""What refinement gains, on SynthOcc's validation people: errors before and after, and its time.

    python benchmarks/refine.py [--limit 60] [--first 0] [--subset clean ...] [--set UNSEEN=1 ...]

Each pair is before, after: means over people, in millimetres. A person's hidden joints are those
of whose part no pixel is seen in the true IUV; "worse" is the share of people whose MPJPE grows.
In the rows "20 % wrong" and "all wrong" only the refinement sees a spoiled IUV: every label is
moved by about 0.015 of the map, and that share of the pixels has the label of another pixel. Rows
"predicted" have landmarks, too; "no landmarks" the predicted IUV alone. Milliseconds are of the
fit.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from dimr.body.camera import Lens
from dimr.data.synthetic.samples import CropSample
from dimr.data.synthetic.synthocc import SUBSETS, SynthOcc
from dimr.evaluate.errors import MM_PER_M, pa_mpjpe_mm
from dimr.evaluate.synthetic import sample_errors
from dimr.fit import landmarks, prior, rim, solve, terms
from dimr.predict import Model, load
from dimr.surface.iuv import part_seen
from dimr.types import Iuv, Regression

MODULES = (solve, terms, landmarks, rim, prior)
"""Where the constants of refinement are."""


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


def spoil(iuv: Iuv, wrong_share: float, seed: int) -> Iuv:
    """Labels moved, and a share of them exchanged."""
    rng = np.random.default_rng(seed)
    labels = iuv.uv[iuv.mask]
    moved = labels + rng.normal(0, 0.015, labels.shape)
    wrong = rng.random(len(labels)) < wrong_share
    moved[wrong] = rng.permutation(labels)[wrong]
    uv = np.zeros_like(iuv.uv)
    uv[iuv.mask] = np.clip(moved, 0, 1)
    return Iuv(iuv.mask, uv)


class Measured:
    """Errors of one person after another."""

    def __init__(
        self,
        model: Model,
        kind: str,
        wrong_share: float | None = None,
        with_landmarks: bool = True,
    ) -> None:
        self.model = model
        self.kind = kind
        self.wrong_share = wrong_share
        self.with_landmarks = with_landmarks
        self.rows: list[list[float]] = []

    def person(self, sample: CropSample) -> None:
        """Adds somebody."""

        def refine(
            regress: Callable[[Iuv], Regression], iuv: Iuv, seen: torch.Tensor | None, lens: Lens
        ) -> Regression:
            if not self.with_landmarks:
                seen = None
            regression, given = regress(iuv), iuv
            if self.wrong_share is not None:
                given = spoil(iuv, self.wrong_share, len(self.rows))
            start = time.perf_counter()
            refined = self.model.refine(
                lambda each: regression if each is given else regress(each), given, seen, lens
            )
            milliseconds = 1e3 * (time.perf_counter() - start)
            before, after = (errors_mm(self.model, sample, each) for each in (regression, refined))
            self.rows.append([*before, *after, after[0] > before[0], milliseconds])
            return refined

        model = self.model
        sample_errors(sample, model.stage1, model.stage2, model.body, [self.kind], refine)

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
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--subset", nargs="+", choices=SUBSETS, default=list(SUBSETS))
    parser.add_argument("--weights", default="open")
    parser.add_argument("--set", nargs="+", default=[], help="constants of dimr.fit, NAME=NUMBER")
    options = parser.parse_args()
    for name, _, value in (each.partition("=") for each in options.set):
        having = [each for each in MODULES if isinstance(getattr(each, name, None), int | float)]
        if not having:
            raise SystemExit(f"--set: refinement has no number {name!r}")
        for module in having:  # one may have it from another
            setattr(module, name, type(getattr(module, name))(value))
    torch.set_num_threads(1)
    model = load(options.weights)
    people = SynthOcc(model.body, model.atlas, "val")
    headings = ("MPJPE", "PA-MPJPE", "hidden joints", "worse", "ms")
    table = Table("people", "IUV", "n", *headings, box=MARKDOWN)
    for subset in options.subset:
        measured = {
            "true": Measured(model, "gt"),
            "20 % wrong": Measured(model, "gt", 0.2),
            "all wrong": Measured(model, "gt", 1.0),
            "no landmarks": Measured(model, "predicted", with_landmarks=False),
            "predicted": Measured(model, "predicted"),
        }
        for number in range(options.first, options.first + options.limit):
            sample = people.crop(subset, number)
            for rows in measured.values():
                rows.person(sample)
        for name, rows in measured.items():
            table.add_row(subset, name, *rows.cells())
    Console(width=100).print(table)


if __name__ == "__main__":
    main()

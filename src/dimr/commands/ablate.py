"""`dimr ablate TABLE`: baselines and the paper's ablations under equal budgets."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dimr.commands.train import Backgrounds, Occluders, check_pictures

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *((subset, "mpjpe_mm") for subset in ("clean", "object", "person", "truncated", "hug", "all")),
    ("all", "pa_mpjpe_mm"),
    ("all", "pve_mm"),
)
COMPARED = {
    "BASELINES": (
        *(("dimr", other) for other in ("hmr", "hmr_iuv", "pare")),
        *(("ours", other) for other in ("hmr", "hmr_iuv")),
    ),
    "TABLE5": (("inpainting", "occlusion"),),
}
"""Rows of a table whose errors are also printed as shares of another row's."""


def ablate(
    table: Annotated[
        str, typer.Argument(help="BASELINES, or the paper's TABLE3, TABLE4 or TABLE5.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the study; all tables share it, none redoes."),
    ],
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Whose encoder and stage 1 all heads share.")
    ] = "open",
    backgrounds: Backgrounds = None,
    occluders: Occluders = None,
    seeds: Annotated[int, typer.Option(help="Heads of each row.")] = 1,
    samples: Annotated[int | None, typer.Option(help="Distinct training pictures.")] = None,
    twins: Annotated[int | None, typer.Option(help="Pictures with an occluded copy.")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates of each head.")] = None,
    steps_on: Annotated[int | None, typer.Option(help="Further ones with copies.")] = None,
    limit: Annotated[int | None, typer.Option(help="Test people of each subset.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw pictures.")] = 0,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the numbers to this file.")
    ] = None,
) -> None:
    """Train and measure the heads of a table (mm, mean over seeds, half the range behind it)."""
    import torch
    from rich.console import Console

    from dimr.data.synthetic.synthocc import SUBSETS
    from dimr.files import check_folder_place, write_atomically
    from dimr.train.run import Run, surface_of
    from dimr.train.study import TABLES, Budget, Study
    from dimr.train.weights import weights_folder

    if table not in TABLES:
        raise ValueError(f"table: got {table!r}, want one of {', '.join(TABLES)}")
    if seeds < 1:
        raise ValueError(f"--seeds: got {seeds}, want at least 1")
    given = {
        "samples": samples,
        "twins": twins,
        "steps": steps,
        "steps_on": steps_on,
        "per_subset": limit,
    }
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}: got {value}, want at least 1")
    check_pictures(backgrounds, occluders)
    check_folder_place("--out", out)
    budget = Budget(**{name: value for name, value in given.items() if value is not None})
    torch.set_num_threads(1)
    run = Run(
        folder=out,
        backgrounds=backgrounds,
        occluders=occluders,
        stage1=weights_folder(weights),
        workers=workers,
    )
    study = Study(run, *surface_of(run), budget, list(SUBSETS))
    study.see()
    rows = {name: [study.means(name, seed) for seed in range(seeds)] for name in TABLES[table]}
    for printed in study_tables(table, rows):
        Console(width=160).print(printed)
    report = {"table": table, "budget": asdict(budget), "rows": rows}
    if json_path is not None:
        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())


def study_tables(table: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> "list[Table]":
    """Errors of rows (mm), then those that are compared as shares of each other's.

    Args:
        table: as `ablate` takes it.
        rows: name -> `dimr.train.study.Means` of each seed.
    """
    from rich.box import MARKDOWN
    from rich.table import Table

    def printed(
        first: str, lines: Mapping[str, Sequence[Mapping[str, Any]]], digits: int
    ) -> Table:
        names = [f"{subset} {measure}" for subset, measure in COLUMNS]
        names = [name.removesuffix(" mpjpe_mm").removesuffix("_mm") for name in names]
        found = Table(first, "IUV, crop", *names, box=MARKDOWN)
        for name, seeds in lines.items():
            for kind in seeds[0]:
                each = [
                    [means[kind][subset][measure] for means in seeds]
                    for subset, measure in COLUMNS
                ]
                found.add_row(name, kind, *(_over_seeds(values, digits) for values in each))
        return found

    tables = [printed("row", rows, 1)]
    if table in COMPARED:
        shares = {
            f"{name} / {other}": [
                _shares(*pair) for pair in zip(rows[name], rows[other], strict=True)
            ]
            for name, other in COMPARED[table]
        }
        tables.append(printed("share", shares, 3))
    return tables


def _shares(means: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {
            subset: {name: value / others[kind][subset][name] for name, value in measures.items()}
            for subset, measures in subsets.items()
        }
        for kind, subsets in means.items()
    }


def _over_seeds(values: Sequence[float], digits: int) -> str:
    """Mean, and half the range where there are several."""
    reach = f" ±{(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{reach}"

"""`dimr ablate TABLE`: baselines and the paper's ablations under equal budgets."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dimr.commands.train import Backgrounds, Occluders, check_pictures


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
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import SUBSETS
    from dimr.files import check_folder_place, write_atomically
    from dimr.train.run import Run, surface_of
    from dimr.train.study import KINDS, TABLES, Budget, Study, over_seeds
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
    report: dict[str, Any] = {"table": table, "seeds": seeds}
    columns = ("clean", "object", "person", "all")
    printed = Table("row", "IUV", "all PA", "all PVE", *columns, box=MARKDOWN)
    for name in TABLES[table]:
        means = over_seeds([study.means(name, seed) for seed in range(seeds)])
        report[name] = means
        for kind in KINDS:
            cells = [("all", "pa_mpjpe_mm"), ("all", "pve_mm")]
            cells += [(each, "mpjpe_mm") for each in columns]
            printed.add_row(
                name,
                kind,
                *("{:.1f} ±{:.1f}".format(*means[kind][each][field]) for each, field in cells),
            )
    Console(width=110).print(printed)
    if json_path is not None:
        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())

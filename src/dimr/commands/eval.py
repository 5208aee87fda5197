"""`dimr eval`: errors on held-out synthetic people, or the paper's tables on the user's data."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dimr.evaluate.tables import Measured, Table


def eval(
    protocol: Annotated[
        str, typer.Argument(help="SYNTH: held-out synthetic people; TABLE1, TABLE2: the paper's.")
    ],
    count: Annotated[int, typer.Option(help="Test samples of SYNTH.")] = 500,
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: a name or a folder.")
    ] = "open",
    backgrounds: Annotated[
        Path | None, typer.Option(help="SYNTH: photos without people, in test/; else procedural.")
    ] = None,
    occluders: Annotated[
        Path | None, typer.Option(help="SYNTH: RGBA cut-outs, in test/; else procedural.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="TABLE1, TABLE2: your files (docs/licensed.md)."),
    ] = None,
    pw3d: Annotated[Path | None, typer.Option("--3dpw", help="3DPW, if not in ROOT.")] = None,
    doh: Annotated[Path | None, typer.Option("--3doh", help="3DOH50K, if not in ROOT.")] = None,
    ochuman: Annotated[Path | None, typer.Option(help="OCHuman, if not in ROOT.")] = None,
    iuv: Annotated[
        str,
        typer.Option(
            help="TABLE1, TABLE2: gt (rendered), predicted (stage 1), files "
            "(ROOT/<data set>/iuv/<key>.npz)."
        ),
    ] = "gt",
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the numbers to this file.")
    ] = None,
) -> None:
    """Print errors (mm): MPJPE, PA-MPJPE and PVE."""
    if protocol == "SYNTH":
        report = _synthetic(count, weights, backgrounds, occluders)
    elif protocol in ("TABLE1", "TABLE2"):
        folders = {"3dpw": pw3d, "3doh": doh, "ochuman": ochuman}
        given = {name: folder for name, folder in folders.items() if folder is not None}
        report = _table(protocol, data, given, weights, iuv)
    else:
        raise ValueError(f"protocol: got {protocol!r}, want SYNTH, TABLE1 or TABLE2")
    if json_path is not None:
        from dimr.train.checkpoint import write_atomically

        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())


def _synthetic(
    count: int, weights: str, backgrounds: Path | None, occluders: Path | None
) -> dict[str, Any]:
    """Errors with the true and with the predicted IUV."""
    if count < 1:
        raise ValueError(f"--count: got {count}, want at least 1")

    import numpy as np
    import torch
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from dimr.data.synthetic.people import SyntheticPeople
    from dimr.evaluate.synthetic import blind_mpjpe_mm, group_means, sample_errors
    from dimr.predict import load

    model = load(weights)
    people = SyntheticPeople(
        model.body,
        model.atlas,
        size=model.stage1.crop_size,
        backgrounds=backgrounds and backgrounds / "test",
        occluders=occluders and occluders / "test",
        split="test",
    )
    errors: dict[str, list] = {"gt": [], "predicted": []}
    joints_m = []
    bars = Console(stderr=True)
    with Progress(console=bars, disable=not bars.is_terminal) as progress:
        for index in progress.track(range(count), description="test people"):
            sample = people.crop_sample(index)
            joints_m.append(sample.joints_m)
            of_sample = sample_errors(sample, model.stage1, model.stage2, model.body)
            for name, values in of_sample.items():
                errors[name].append(values)
    blind = blind_mpjpe_mm(torch.from_numpy(np.stack(joints_m)))

    table = Table("people", "n", "IUV", "MPJPE", "PA-MPJPE", "PVE", "mask IoU")
    report = {"protocol": "SYNTH", "count": count, "weights": weights, "blind_mpjpe_mm": blind}
    for name in ("gt", "predicted"):
        for group, (number, means) in group_means(errors[name]).items():
            table.add_row(
                group,
                str(number),
                name,
                f"{means.mpjpe_mm:.1f}",
                f"{means.pa_mpjpe_mm:.1f}",
                f"{means.pve_mm:.1f}",
                f"{means.mask_iou:.3f}",
            )
            report.setdefault(name, {})[group] = {"n": number, **means._asdict()}
    console = Console(width=90)
    console.print(table)
    console.print(f"always the mean pose: MPJPE {blind:.1f} mm")
    return report


def _table(
    name: str, root: Path | None, folders: dict[str, Path], weights: str, iuv: str
) -> dict[str, Any]:
    from rich.console import Console

    from dimr.evaluate.tables import TABLES, datasets_of, measure, report, unfair
    from dimr.train.benchmark import load_real_model

    table = TABLES[name]
    console = Console(width=110, highlight=False)
    if root is None and not folders:
        _print_table(console, table, None, "")
        console.print("ours: nothing to measure; give --data ROOT (docs/licensed.md)")
        return {"table": name, "published": {method: list(row) for method, row in table.rows}}
    model = load_real_model(weights, root, iuv)
    measured = measure(
        table,
        root,
        folders,
        model.recover,
        model.bodies,
        lambda line: console.print(line, markup=False),
    )
    _print_table(console, table, measured, f"ours ({iuv} IUV)")
    console.print(f"ours: weights {weights}", markup=False, soft_wrap=True)
    for protocol, reason in measured.missing.items():
        console.print(f"{protocol}: {reason}", markup=False, soft_wrap=True)
    if iuv == "gt" and "3dpw" in datasets_of(table) and not _has_masks(root):
        console.print(
            "3DPW has no masks, so its IUVs show hidden skin too; ROOT/3dpw/masks/<key>.png helps",
            markup=False,
            soft_wrap=True,
        )
    for line in unfair(table, model.trained_on):
        console.print(line, markup=False, soft_wrap=True)
    depends_on = {
        "weights": weights,
        "weights_hash": model.weights_hash,
        "trained_on": list(model.trained_on),
        "iuv": iuv,
        "body_hash": model.bodies.of_predictions.content_hash,
    }
    return report(table, measured, depends_on)


def _has_masks(root: Path | None) -> bool:
    return root is not None and (root / "3dpw" / "masks").is_dir()


def _print_table(console, table: "Table", measured: "Measured | None", label: str) -> None:
    from rich.table import Table as Grid

    from dimr.evaluate.tables import HEADINGS

    grid = Grid(title=table.caption)
    grid.add_column("method")
    for protocol, metric in table.columns:
        grid.add_column(f"{protocol}\n{HEADINGS[metric]}", justify="right")
    for method, row in table.rows:
        grid.add_row(f"{method} (published)", *(_number(value) for value in row))
    if measured is not None:
        grid.add_section()
        grid.add_row(label, *(_number(value) for value in measured.values(table)))
    console.print(grid)
    if measured is None or not measured.results:
        return
    details = Grid("protocol", "people", "failed", title="ours, every reading")
    names = dict.fromkeys(name for each in measured.results.values() for name in each.means)
    for name in names:
        details.add_column(name.removesuffix("_mm"), justify="right")
    for protocol, result in measured.results.items():
        values = [result.means.get(name) for name in names]
        cells = ["" if v is None else _number(v, n) for v, n in zip(values, names, strict=True)]
        details.add_row(protocol, str(result.num), str(result.num_failed), *cells)
        for failed in result.failed[:3]:
            console.print(f"{protocol}: {failed.key}: {failed.reason}", markup=False)
    console.print(details)


def _number(value: float | None, name: str = "_mm") -> str:
    if value is None or value != value:
        return "-"
    return f"{value:.1f}" if name.endswith("_mm") else f"{value:.3f}"

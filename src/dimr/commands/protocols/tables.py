"""TABLE1, TABLE2: the paper's tables on the user's data."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.commands.protocols.shared import check_limit, number_text

if TYPE_CHECKING:
    from dimr.evaluate.tables import Measured, Table


def paper_table(
    name: str,
    root: Path | None,
    folders: dict[str, Path],
    weights: str,
    iuv: str,
    iuv_table: Path | None,
    limit: int | None,
    device: str,
) -> dict[str, Any]:
    """Published rows, and ours where the data sets are at hand."""
    from rich.console import Console
    from rich.progress import Progress

    from dimr.evaluate.tables import TABLES, datasets_of, measure, report, unfair
    from dimr.predict import parse_device
    from dimr.train.benchmark import load_real_model

    check_limit(limit)
    table, place = TABLES[name], parse_device(device)
    console = Console(width=110, highlight=False)
    if root is None and not folders:
        _print_table(console, table, None, "")
        console.print("ours: nothing to measure; give --data ROOT (docs/licensed.md)")
        return {"table": name, "published": {method: list(row) for method, row in table.rows}}
    model = load_real_model(weights, root, iuv, iuv_table, place)
    bars = Console(stderr=True)
    with Progress(console=bars, disable=not bars.is_terminal) as progress:
        measured = measure(
            table,
            root,
            folders,
            model.recover,
            model.bodies,
            lambda line: console.print(line, markup=False),
            lambda people, protocol: progress.track(people, description=protocol),
            limit,
        )
    _print_table(console, table, measured, f"ours ({iuv} IUV)")
    console.print(f"ours: weights {weights}", markup=False, soft_wrap=True)
    if limit is not None:
        console.print(f"ours: the first {limit} people of each protocol; no result of the table's")
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
        "limit": limit,
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
        grid.add_row(f"{method} (published)", *(number_text(value) for value in row))
    if measured is not None:
        grid.add_section()
        grid.add_row(label, *(number_text(value) for value in measured.values(table)))
    console.print(grid)
    if measured is None or not measured.results:
        return
    details = Grid("protocol", "people", "failed", title="ours, every reading")
    names = dict.fromkeys(name for each in measured.results.values() for name in each.means)
    for name in names:
        details.add_column(name.removesuffix("_mm"), justify="right")
    for protocol, result in measured.results.items():
        values = [result.means.get(name) for name in names]
        pairs = zip(values, names, strict=True)
        cells = ["" if v is None else number_text(v, name) for v, name in pairs]
        details.add_row(protocol, str(result.num), str(result.num_failed), *cells)
        for failed in result.failed[:3]:
            console.print(f"{protocol}: {failed.key}: {failed.reason}", markup=False)
    console.print(details)

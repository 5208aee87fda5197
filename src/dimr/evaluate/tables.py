"""The paper's Tables 1 and 2: its printed numbers, and ours beside them for what the user has.

Printed numbers are those of the paper's text; a dash is a dash there, too. Ours are measured by
the protocols of `dimr.evaluate.protocols`; data sets that are missing are named.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from dimr.data.real.bodies import Bodies
from dimr.data.real.layout import DATASETS, dataset_folder, open_dataset
from dimr.data.real.record import Record, Records
from dimr.evaluate.protocols import PROTOCOLS
from dimr.evaluate.real import Recover, Result, evaluate

PA, MPJPE, PVE = "pa_mpjpe_mm", "mpjpe_mm", "pve_gendered_mm"
"""PVE of the tables: MMHuman3D's reading, on which the paper builds; the others are listed below
the table and stored."""
HEADINGS = {PA: "PA-MPJPE", MPJPE: "MPJPE", PVE: "PVE"}
_ = None
"""A dash."""

Track = Callable[[Sequence[Record], str], Iterable[Record]]
"""People of a protocol and its name -> the same, while somebody watches."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the paper, as printed."""

    name: str
    caption: str
    columns: tuple[tuple[str, str], ...]
    """(protocol, metric)."""
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    """Method -> printed numbers (mm), None for a dash."""
    also: tuple[str, ...] = ()
    """Further protocols that are measured and listed below the table."""

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those of the columns, then the further ones."""
        return (*dict.fromkeys(protocol for protocol, _ in self.columns), *self.also)


TABLES = {
    "TABLE1": Table(
        "TABLE1",
        "Table 1 of arXiv 2307.11074: occlusion benchmarks, mm",
        (
            *(("3DPW-PC", metric) for metric in (PA, MPJPE, PVE)),
            *(("3DPW-OC", metric) for metric in (PA, MPJPE, PVE)),
            *(("3DOH", metric) for metric in (PA, MPJPE)),
        ),
        (
            ("HMR-EFT", (_, _, _, 60.9, 94.9, 111.3, 66.2, 101.9)),
            ("SPIN", (82.6, 129.6, 157.6, 60.8, 95.6, 121.6, 68.3, 104.3)),
            ("PyMAF", (81.3, 126.7, 154.3, _, _, _, _, _)),
            ("ROMP", (79.7, 119.7, 152.8, 65.9, _, _, _, _)),
            ("PARE", (_, _, _, 56.6, 90.5, 107.9, 57.1, 88.6)),
            ("OCHMR", (77.1, 117.5, 149.6, _, _, _, _, _)),
            ("DIMR", (70.7, 109.2, 154.6, 56.6, 88.6, 108.7, 58.8, 91.7)),
            ("DIMR (GT IUV)", (54.6, 88.9, 104.3, 50.6, 75.2, 94.9, 50.9, 79.3)),
        ),
        also=("3DPW-PC-24", "3DPW-Crowd", "OCHuman"),
    ),
    "TABLE2": Table(
        "TABLE2",
        "Table 2 of arXiv 2307.11074: 3DPW, mm",
        tuple(("3DPW", metric) for metric in (PA, MPJPE, PVE)),
        (
            ("DecoMR", (61.7, _, _)),
            ("SPIN", (59.2, 96.9, 116.4)),
            ("PyMAF", (58.9, 92.8, 110.1)),
            ("HMR-EFT", (52.2, 85.1, 98.7)),
            ("METRO", (47.9, 77.1, 88.2)),
            ("OCHMR", (58.3, 89.7, 107.1)),
            ("Pose2UV", (57.1, _, _)),
            ("ROMP", (53.3, 85.5, 103.1)),
            ("PARE", (50.9, 82.0, 97.9)),
            ("DIMR", (52.9, 87.0, 106.6)),
            ("DIMR (GT IUV)", (47.8, 73.0, 99.5)),
        ),
    ),
}


class Measured(NamedTuple):
    """Our rows of a table: results by protocol, and why the others are missing."""

    results: dict[str, Result]
    missing: dict[str, str]

    def values(self, table: Table) -> list[float | None]:
        """In the order of the table's columns; None where nothing could be measured."""
        found = []
        for protocol, metric in table.columns:
            value = self.results[protocol].means[metric] if protocol in self.results else math.nan
            found.append(None if math.isnan(value) else value)
        return found


def measure(
    table: Table,
    root: Path | None,
    folders: Mapping[str, Path],
    recover: Recover,
    bodies: Bodies,
    progress: Callable[[str], None] = lambda line: None,
    track: Track = lambda people, protocol: people,
    limit: int | None = None,
) -> Measured:
    """Runs every protocol of a table whose data set is there.

    Args:
        table: of `TABLES`.
        root: laid out as `dimr.data.real.layout` says, if there is one.
        folders: data set -> its folder, where it lies elsewhere.
        recover: the method.
        bodies: of the ground truth and of the predictions.
        progress: gets a line for each data set that is opened.
        track: is given the people of a protocol and its name, and gives them back one by one.
        limit: first people of each protocol only.
    """
    opened: dict[str, Records | str] = {}
    results: dict[str, Result] = {}
    missing: dict[str, str] = {}
    for name in table.protocols:
        dataset = PROTOCOLS[name].dataset
        if dataset not in opened:
            folder = folders.get(dataset, root and dataset_folder(dataset, root))
            opened[dataset] = _open(dataset, folder)
            about = opened[dataset]
            progress(about.summary() if isinstance(about, Records) else f"{dataset}: {about}")
        records = opened[dataset]
        if isinstance(records, str):
            missing[name] = records
            continue
        try:
            people = list(islice(filter(PROTOCOLS[name].selects, records), limit))
            results[name] = evaluate(PROTOCOLS[name], track(people, name), recover, bodies)
        except ValueError as error:
            missing[name] = " ".join(str(error).removeprefix(f"{name}: ").split())
    return Measured(results, missing)


def _open(dataset: str, folder: Path | None) -> Records | str:
    """The records, or why there are none."""
    if folder is None:
        return "missing: no folder given"
    try:
        return open_dataset(dataset, folder)
    except (ValueError, OSError) as error:
        return f"missing: {' '.join(str(error).split())}"


def report(table: Table, measured: Measured, depends_on: Mapping[str, Any]) -> dict[str, Any]:
    """What `--json` stores: printed rows, ours, and all that they depend on.

    Args:
        table: which.
        measured: ours.
        depends_on: weights, their hash and training sets, IUV source, body.
    """
    protocols = {}
    for name in table.protocols:
        protocol = PROTOCOLS[name]
        protocols[name] = {
            slot: getattr(protocol, slot)
            for slot in (
                "dataset joint_set regressor root alignment truth_gender never_trained_on"
            ).split()
        }
    return {
        "table": table.name,
        "caption": table.caption,
        "columns": [list(column) for column in table.columns],
        "published": {method: list(values) for method, values in table.rows},
        "ours": measured.values(table),
        "results": {
            name: {
                "num": result.num,
                "num_failed": result.num_failed,
                "failed": [each._asdict() for each in result.failed],
                **{k: None if math.isnan(v) else v for k, v in result.means.items()},
            }
            for name, result in measured.results.items()
        },
        "missing": measured.missing,
        "protocols": protocols,
        **depends_on,
    }


def unfair(table: Table, trained_on: tuple[str, ...]) -> list[str]:
    """Lines that say where weights have seen what the paper's had not."""
    return [
        f"{name}: the weights were trained on {', '.join(seen)}; the paper's were not"
        for name in table.protocols
        if (seen := sorted(set(trained_on) & set(PROTOCOLS[name].never_trained_on)))
    ]


def files_hash(paths: list[Path]) -> str:
    """sha256 over the contents of files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def datasets_of(table: Table) -> tuple[str, ...]:
    """The data sets that a table needs."""
    names = dict.fromkeys(PROTOCOLS[name].dataset for name in table.protocols)
    assert set(names) <= set(DATASETS)
    return tuple(names)

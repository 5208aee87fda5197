"""`dimr eval`: errors on SynthOcc, or the paper's tables on the user's data."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dimr.evaluate.tables import Measured, Table


def eval(
    protocol: Annotated[
        str,
        typer.Argument(
            help="SYNTHOCC: bodies of synthetic people; STAGE1: their correspondence; "
            "REALVAL: 2D joints and masks of photographs; TABLE1, TABLE2: the paper's."
        ),
    ],
    subset: Annotated[
        list[str] | None,
        typer.Option(help="SYNTHOCC, STAGE1: one or more; else all (STAGE1: and scenes)."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="SYNTHOCC, STAGE1: first samples of each subset.")
    ] = None,
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: a name or a folder.")
    ] = "open",
    photos: Annotated[
        Path | None,
        typer.Option(
            help="SYNTHOCC, STAGE1: folder with backgrounds/test and occluders/test: the set "
            "`photo`; else only what ships."
        ),
    ] = None,
    street: Annotated[
        Path | None,
        typer.Option(help="STAGE1, REALVAL: street photos with masks (images/, mask/), too."),
    ] = None,
    lspet: Annotated[
        Path | None,
        typer.Option(help="REALVAL: crops with joints (images/, joints.npz)."),
    ] = None,
    occluders: Annotated[
        Path | None,
        typer.Option(help="REALVAL: RGBA cut-outs in val/, to paste over the same crops."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="TABLE1, TABLE2: your files (docs/licensed.md)."),
    ] = None,
    pw3d: Annotated[Path | None, typer.Option("--3dpw", help="3DPW, if not in ROOT.")] = None,
    doh: Annotated[Path | None, typer.Option("--3doh", help="3DOH50K, if not in ROOT.")] = None,
    ochuman: Annotated[Path | None, typer.Option(help="OCHuman, if not in ROOT.")] = None,
    iuv: Annotated[
        str | None,
        typer.Option(
            help="gt (rendered) or predicted (stage 1); SYNTHOCC: both unless given; TABLE1, "
            "TABLE2: gt unless given, or files (ROOT/<data set>/iuv/<key>.npz), or DensePose's "
            "results or model (docs/iuv.md)."
        ),
    ] = None,
    iuv_table: Annotated[
        Path | None, typer.Option(help="Of `dimr iuv table`, for DensePose's results.")
    ] = None,
    refine: Annotated[bool, typer.Option("--refine", help="SYNTHOCC: docs/refine.md.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the numbers to this file.")
    ] = None,
) -> None:
    """Print errors: of bodies (mm: MPJPE, PA-MPJPE, PVE) or of stage 1."""
    if protocol == "SYNTHOCC":
        report = _synthocc(subset, limit, weights, photos, iuv, refine)
    elif protocol == "STAGE1":
        report = _stage1(subset, limit, weights, photos, street)
    elif protocol == "REALVAL":
        report = _realval(lspet, occluders, street, limit, weights)
    elif protocol in ("TABLE1", "TABLE2"):
        folders = {"3dpw": pw3d, "3doh": doh, "ochuman": ochuman}
        given = {name: folder for name, folder in folders.items() if folder is not None}
        report = _table(protocol, data, given, weights, iuv or "gt", iuv_table)
    else:
        raise ValueError(
            f"protocol: got {protocol!r}, want SYNTHOCC, STAGE1, REALVAL, TABLE1 or TABLE2"
        )
    if json_path is not None:
        from dimr.files import write_atomically

        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())


def _synthocc(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    iuv: str | None,
    refine: bool,
) -> dict[str, Any]:
    """Errors of bodies, by subset and over all by what can be seen."""
    if iuv not in (None, "gt", "predicted"):
        raise ValueError(f"--iuv: got {iuv!r}, want gt or predicted")

    import numpy as np
    import torch
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.evaluate.synthetic import blind_mpjpe_mm, group_means, sample_errors
    from dimr.predict import load

    chosen, count = _chosen(subsets, list(SUBSETS)), _count(limit, NUM_CROPS)
    model = load(weights)
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    kinds = ("gt", "predicted") if iuv is None else (iuv,)
    better = model.refine if refine else None
    errors: dict[str, dict[str, list]] = {kind: {} for kind in kinds}
    joints_m = []
    for name in chosen:
        for number in _progress(range(count), name):
            sample = benchmark.crop(name, number)
            joints_m.append(sample.joints_m)
            one = sample_errors(sample, model.stage1, model.stage2, model.body, kinds, better)
            for kind, values in one.items():
                errors[kind].setdefault(name, []).append(values)
    blind = blind_mpjpe_mm(torch.from_numpy(np.stack(joints_m)))

    columns = ("MPJPE", "PA-MPJPE", "PVE", "mask IoU")
    table = Table("people", "n", "IUV", *columns)
    report: dict[str, Any] = {
        **_about("SYNTHOCC", weights, photos, count) | {"refined": refine},
        "blind_mpjpe_mm": blind,
    }
    for kind in kinds:
        everybody = [one for each in errors[kind].values() for one in each]
        rows = {name: group_means(each)["all"] for name, each in errors[kind].items()}
        for name, (number, means) in (rows | group_means(everybody)).items():
            cells = (means.mpjpe_mm, means.pa_mpjpe_mm, means.pve_mm)
            table.add_row(
                name,
                str(number),
                kind,
                *(f"{each:.1f}" for each in cells),
                f"{means.mask_iou:.3f}",
            )
            report.setdefault(kind, {})[name] = {"n": number, **means._asdict()}
    console = Console(width=90)
    console.print(table)
    console.print(f"always the mean pose: MPJPE {blind:.1f} mm")
    return report


def _stage1(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    street: Path | None,
) -> dict[str, Any]:
    """Scores of stage 1 by subset, of whole scenes, and of street photos."""
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import NUM_CROPS, NUM_SCENES, SCENES, SUBSETS, SynthOcc
    from dimr.evaluate.correspondence import (
        average_precision,
        mean_scores,
        score_crop,
        score_scene,
    )
    from dimr.evaluate.geodesic import Geodesics
    from dimr.evaluate.photos import score_street
    from dimr.predict import load

    chosen = _chosen(subsets, [*SUBSETS, SCENES])
    model = load(weights)
    geodesics = Geodesics(model.body.v_template.numpy(), model.body.faces.numpy())
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    report = _about("STAGE1", weights, photos, _count(limit, NUM_CROPS))
    console = Console(width=110)
    scores = {
        name: [
            score_crop(benchmark.crop(name, number), model.stage1, model.atlas, geodesics)
            for number in _progress(range(_count(limit, NUM_CROPS)), name)
        ]
        for name in chosen
        if name != SCENES
    }
    if scores:
        table = Table(
            "people",
            "n",
            "found",
            "mask IoU",
            "within 5 cm",
            "GPS",
            "wrong side",
            "torso",
            "limbs",
        )
        for name, means in mean_scores(scores).items():
            cells = [f"{value:.3f}" for key, value in means.items() if key != "n"]
            table.add_row(name, str(means["n"]), *cells)
            report.setdefault("crops", {})[name] = means
        console.print(table)
    if SCENES in chosen:
        results = [
            score_scene(benchmark.scene(number), model.stage1)
            for number in _progress(range(_count(limit, NUM_SCENES)), SCENES)
        ]
        report[SCENES] = {
            "n": len(results),
            "ap50": average_precision(results),
            "ap50_hidden": average_precision(results, hidden_only=True),
        }
        console.print(
            f"{len(results)} scenes: AP at mask IoU .5 {report[SCENES]['ap50']:.3f}, of people "
            f"more than half hidden {report[SCENES]['ap50_hidden']:.3f}"
        )
    if street is not None:
        report["street"] = score_street(street, model.stage1, limit)
        console.print(f"street photos: {report['street']}")
    return report


def _realval(
    lspet: Path | None,
    occluders: Path | None,
    street: Path | None,
    limit: int | None,
    weights: str,
) -> dict[str, Any]:
    """Photographs: joints as they are and behind pasted things, and masks."""
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.folders import load_folder
    from dimr.evaluate.photos import joint_means, joint_photos, score_joints, score_street
    from dimr.predict import load

    if lspet is None and street is None:
        raise ValueError("REALVAL: nothing to measure; give --lspet FOLDER or --street FOLDER")
    photos = [] if lspet is None else joint_photos(lspet, limit)
    model = load(weights)
    report = _about("REALVAL", weights, None, len(photos))
    console = Console(width=90)
    pasted: list = [("as they are", None)]
    if occluders is not None:
        cutouts = load_folder(occluders / "val", "RGBA", 256)
        if not cutouts:
            raise ValueError(f"--occluders: {occluders} has no pictures in val/")
        pasted.append(("behind things", cutouts))
    if photos:
        table = Table("crops", "n", "found", "PCK@0.1", "joints seen", "joints hidden")
        for name, things in pasted:
            scores = [
                score_joints(photos[number], model.predict, model.body, things)
                for number in _progress(range(len(photos)), name)
            ]
            means = joint_means(scores)
            cells = [_number(float(value), "") for key, value in means.items() if key != "n"]
            table.add_row(name, str(means["n"]), *cells)
            report[name.replace(" ", "_")] = means
        console.print(table)
    if street is not None:
        report["street"] = score_street(street, model.stage1, limit)
        console.print(f"street photos: {report['street']}")
    return report


def _about(protocol: str, weights: str, photos: Path | None, count: int) -> dict[str, Any]:
    """What a result depends on."""
    from dimr.evaluate.tables import files_hash
    from dimr.train.weights import STAGE1_FILE, STAGE2_FILE, weights_folder

    folder = weights_folder(weights)
    return {
        "protocol": protocol,
        "weights": weights,
        "weights_hash": files_hash([folder / STAGE1_FILE, folder / STAGE2_FILE]),
        "set": "shipped" if photos is None else "photo",
        "per_subset": count,
    }


def _chosen(given: list[str] | None, known: list[str]) -> list[str]:
    for name in given or ():
        if name not in known:
            raise ValueError(f"--subset: got {name!r}, want one of {', '.join(known)}")
    return given or known


def _count(limit: int | None, most: int) -> int:
    if limit is not None and limit < 1:
        raise ValueError(f"--limit: got {limit}, want at least 1")
    return most if limit is None else min(limit, most)


def _progress(numbers: range, name: str) -> "Iterable[int]":
    from rich.console import Console
    from rich.progress import track

    bars = Console(stderr=True)
    return track(numbers, description=name, console=bars, disable=not bars.is_terminal)


def _table(
    name: str,
    root: Path | None,
    folders: dict[str, Path],
    weights: str,
    iuv: str,
    iuv_table: Path | None,
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
    model = load_real_model(weights, root, iuv, iuv_table)
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

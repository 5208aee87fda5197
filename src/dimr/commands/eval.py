"""`dimr eval SYNTH`: errors of the shipped or given weights on held-out synthetic people."""

import json
from pathlib import Path
from typing import Annotated

import typer


def eval(
    protocol: Annotated[str, typer.Argument(help="SYNTH: held-out synthetic people.")],
    count: Annotated[int, typer.Option(help="Test samples.")] = 500,
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: a name or a folder.")
    ] = "open",
    backgrounds: Annotated[
        Path | None, typer.Option(help="Photos without people, in test/; else procedural.")
    ] = None,
    occluders: Annotated[
        Path | None, typer.Option(help="RGBA cut-outs, in test/; else procedural.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the table to this file.")
    ] = None,
) -> None:
    """Print MPJPE, PA-MPJPE and PVE (mm) with the true and with the predicted IUV."""
    if protocol != "SYNTH":
        raise ValueError(f"protocol: got {protocol!r}, want SYNTH")
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
    from dimr.train.checkpoint import write_atomically

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
    report = {"protocol": protocol, "count": count, "weights": weights, "blind_mpjpe_mm": blind}
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
    if json_path is not None:
        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())

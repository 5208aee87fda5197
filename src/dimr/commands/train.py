"""`dimr train RECIPE`: train a stage, resumably; on synthetic people or the user's data sets."""

from pathlib import Path
from typing import Annotated

import typer

Backgrounds = Annotated[
    Path | None, typer.Option(help="Photos without people, in train/, val/ and test/.")
]
Occluders = Annotated[Path | None, typer.Option(help="RGBA cut-outs, in train/, val/ and test/.")]


def check_pictures(backgrounds: Path | None, occluders: Path | None) -> None:
    """Refuses folders that training could not draw from."""
    for name, folder in (("--backgrounds", backgrounds), ("--occluders", occluders)):
        if folder is not None and not (folder / "train").is_dir():
            raise ValueError(f"{name}: {folder} has no folder train/")


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="stage1, stage1_decoder, stage1_photos, outlines, landmarks, "
            "landmarks_photos, landmarks_spread, stage2_geometry, stage2, stage2_inpainting, "
            "stage2_photos, paper."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; resumed if it exists.")],
    backgrounds: Backgrounds = None,
    occluders: Occluders = None,
    poses: Annotated[
        Path | None, typer.Option(help="Pose bank of `dimr synth poses`; else the one that ships.")
    ] = None,
    stage1: Annotated[
        Path | None, typer.Option(help="Weights folder of stage1, for those that go on.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option(help="Weights folder of the landmark network that goes on.")
    ] = None,
    geometry: Annotated[
        Path | None, typer.Option(help="Weights folder of the head that stage 2 goes on from.")
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            help="Folder `seen` of `dimr ablate`: stage 2 learns from it, faster; "
            "stage2_geometry: errors of landmarks."
        ),
    ] = None,
    lspet: Annotated[
        Path | None,
        typer.Option(
            help="Crops with joints (images/, joints.npz), of landmarks_photos, "
            "landmarks_spread and stage2_photos."
        ),
    ] = None,
    street: Annotated[
        Path | None,
        typer.Option(help="Photographs with masks (images/, mask/), of stage1_photos."),
    ] = None,
    blend: Annotated[
        float, typer.Option(help="Share of what stage 2 has learnt; the rest is --geometry's.")
    ] = 1.0,
    steps: Annotated[int | None, typer.Option(help="Updates in place of the recipe's.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw samples.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Your data sets and bodies (docs/licensed.md); paper."),
    ] = None,
    iuv: Annotated[
        str,
        typer.Option(
            help="Of paper: gt (rendered), files (ROOT/<data set>/iuv/<key>.npz), or DensePose's "
            "results or model (docs/iuv.md)."
        ),
    ] = "gt",
    iuv_table: Annotated[
        Path | None, typer.Option(help="Of `dimr iuv table`, for DensePose's results.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Of all processes together, in place of 128; paper.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu or cuda; with torchrun one GPU a process; paper.")
    ] = "cpu",
    threads: Annotated[int, typer.Option(help="Threads that learn.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the samples and the initial weights.")] = 0,
) -> None:
    """Train a stage; OUT/weights gets the result, OUT/log.jsonl the curve."""
    import torch

    from dimr.files import check_folder_place
    from dimr.train.processes import Processes, start_processes
    from dimr.train.recipes import RECIPES
    from dimr.train.run import Run, surface_of

    if recipe not in RECIPES:
        raise ValueError(f"recipe: got {recipe!r}, want one of {', '.join(RECIPES)}")
    check_pictures(backgrounds, occluders)
    if iuv not in ("gt", "files") and not Path(iuv).exists():
        raise ValueError(f"--iuv: got {iuv!r}, want gt, files or a path")
    if not 0 < blend <= 1:
        raise ValueError(f"--blend: got {blend}, want a share above 0")
    for name, count, least in (("threads", threads, 1), ("workers", workers, 0)):
        if count < least:
            raise ValueError(f"--{name}: got {count}, want at least {least}")
    if max_minutes is not None and not max_minutes > 0:
        raise ValueError(f"--max-minutes: got {max_minutes}, want more than 0")
    of_paper = {
        "data": data,
        "iuv-table": iuv_table,
        "batch-size": batch_size,
        "iuv": None if iuv == "gt" else iuv,
        "device": None if device == "cpu" else device,
    }
    for name, value in of_paper.items():
        if recipe != "paper" and value is not None:
            raise ValueError(f"--{name}: recipe {recipe} has no use for it, only paper has")
    check_folder_place("--out", out)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run = Run(
        folder=out,
        backgrounds=backgrounds,
        occluders=occluders,
        poses=poses,
        stage1=stage1,
        landmarks=landmarks,
        geometry=geometry,
        seen=seen,
        lspet=lspet,
        street=street,
        blend=blend,
        steps=steps,
        max_minutes=max_minutes,
        workers=workers,
        seed=seed,
        data=data,
        iuv=iuv,
        iuv_table=iuv_table,
        batch_size=batch_size,
        device=start_processes(device),
    )
    best = RECIPES[recipe](run, *surface_of(run))
    if Processes.current().is_first:
        weights = out / "weights"  # not there where time ran out in the first stage of two
        where = f"; weights in {weights}" if weights.is_dir() else ""
        print(f"best validation: {best}{where}")

"""`dimr train RECIPE`: train a stage on synthetic people, resumably."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[
        str, typer.Argument(help="stage1, stage1_decoder, stage2_geometry, stage2.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; resumed if it exists.")],
    backgrounds: Annotated[
        Path | None, typer.Option(help="Photos without people, in train/, val/ and test/.")
    ] = None,
    occluders: Annotated[
        Path | None, typer.Option(help="RGBA cut-outs, in train/, val/ and test/.")
    ] = None,
    poses: Annotated[
        Path | None, typer.Option(help="Pose bank of `dimr synth poses`; else the one that ships.")
    ] = None,
    stage1: Annotated[
        Path | None, typer.Option(help="Weights folder of stage1, for those that go on.")
    ] = None,
    geometry: Annotated[
        Path | None, typer.Option(help="Weights folder of stage2_geometry, for stage2.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Updates in place of the recipe's.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Stop after this time.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that draw samples.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads that learn.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the samples and the initial weights.")] = 0,
) -> None:
    """Train a stage; OUT/weights gets the result, OUT/log.jsonl the curve."""
    import torch

    from dimr.body.model import BodyModel
    from dimr.surface.atlas import load_atlas
    from dimr.train.recipes import RECIPES, Run

    if recipe not in RECIPES:
        raise ValueError(f"recipe: got {recipe!r}, want one of {', '.join(RECIPES)}")
    for name, folder in (("--backgrounds", backgrounds), ("--occluders", occluders)):
        if folder is not None and not (folder / "train").is_dir():
            raise ValueError(f"{name}: {folder} has no folder train/")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run = Run(
        folder=out,
        backgrounds=backgrounds,
        occluders=occluders,
        poses=poses,
        stage1=stage1,
        geometry=geometry,
        steps=steps,
        max_minutes=max_minutes,
        workers=workers,
        seed=seed,
    )
    best = RECIPES[recipe](run, BodyModel.load(None), load_atlas(None))
    print(f"best validation: {best}; weights in {out / 'weights'}")

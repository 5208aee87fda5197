"""STAGE1: correspondence of synthetic people and of street photographs."""

from pathlib import Path
from typing import Any

from dimr.commands.protocols.shared import about, chosen_subsets, progress, sample_count


def stage1(
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

    chosen = chosen_subsets(subsets, [*SUBSETS, SCENES])
    model = load(weights)
    geodesics = Geodesics(model.body.v_template.numpy(), model.body.faces.numpy())
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    report = about("STAGE1", weights, photos, sample_count(limit, NUM_CROPS))
    console = Console(width=110)
    scores = {
        name: [
            score_crop(benchmark.crop(name, number), model.stage1, model.atlas, geodesics)
            for number in progress(range(sample_count(limit, NUM_CROPS)), name)
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
            for number in progress(range(sample_count(limit, NUM_SCENES)), SCENES)
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

"""LANDMARKS: BlazePose's world landmarks beside our meshes."""

from pathlib import Path
from typing import Any

from dimr.commands.protocols.shared import (
    about,
    chosen_subsets,
    number_text,
    progress,
    sample_count,
)


def landmarks(
    subsets: list[str] | None, limit: int | None, weights: str, photos: Path | None
) -> dict[str, Any]:
    """Errors of 12 limb joints of each method, by subset and over all; misses are counted."""
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.encoder.blazepose import BlazePose
    from dimr.evaluate.landmarks import LimbScore, limb_means, marked_landmarks, score_limbs
    from dimr.predict import load

    chosen, count = chosen_subsets(subsets, list(SUBSETS)), sample_count(limit, NUM_CROPS)
    model = load(weights)
    network = BlazePose.pretrained().eval()
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    scores = {
        name: [
            score_limbs(
                benchmark.crop(name, number),
                network,
                lambda sample: marked_landmarks(sample, model.stage1),
                model.predict,
            )
            for number in progress(range(count), name)
        ]
        for name in chosen
    }
    scores["all"] = [score for each in scores.values() for score in each]
    table = Table(
        "people", "method", "found", "PA-MPJPE", "MPJPE", "all found", "PA-MPJPE", "MPJPE"
    )
    report = about("LANDMARKS", weights, photos, count)
    for name, people in scores.items():
        table.add_section()
        for method in LimbScore._fields:
            cells = []
            for key, found_by_both in (("found", False), ("found_by_both", True)):
                means = limb_means(people, method, found_by_both)
                errors = means.errors
                numbers = {} if errors is None else errors._asdict()
                report.setdefault(method, {}).setdefault(name, {})[key] = {
                    "people": means.people,
                    "n": means.found,
                    **numbers,
                }
                values = (None, None) if errors is None else errors
                cells += [f"{means.found}/{means.people}", *map(number_text, values)]
            table.add_row(name, method, *cells)
    console = Console(width=100)
    console.print(table)
    console.print("blazepose: the full network at two looks, not the package of MediaPipe")
    console.print("landmarks: those that both stages hear, of a network that is told who is meant")
    return report

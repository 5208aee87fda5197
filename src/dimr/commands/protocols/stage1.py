"""STAGE1: correspondence of synthetic people and of street photographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.commands.protocols.shared import (
    about,
    check_picture,
    chosen_subsets,
    progress,
    sample_count,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dimr.correspondence.stage1 import Stage1
    from dimr.data.synthetic.synthocc import SynthOcc
    from dimr.evaluate.correspondence import CorrespondenceScore

WORST = 2
"""Of each subset so many people are drawn."""


def measure_stage1(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    street: Path | None,
    picture: Path | None,
    refine: bool,
) -> dict[str, Any]:
    """Scores of stage 1 by subset, of whole scenes, and of street photos.

    With `refine` pixels show the surface of the body that is laid on what stage 1 sees.

    `picture`: where to draw the people with the least mask IoU of each subset, .jpg or .png.
    """
    check_picture(picture, (".jpg", ".png"))

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
    from dimr.evaluate.photos import score_street, street_numbers
    from dimr.predict import load

    chosen = chosen_subsets(subsets, [*SUBSETS, SCENES])
    if street is not None:
        street_numbers(street)  # refuses what has no photographs before anything is measured
    model = load(weights)
    stage1 = model.stage1.laid(model.lay) if refine else model.stage1
    geodesics = Geodesics(model.body.v_template.numpy(), model.body.faces.numpy())
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    report = about("STAGE1", weights, photos, sample_count(limit, NUM_CROPS))
    report["refined"] = refine
    console = Console(width=110)
    scores = {
        name: [
            score_crop(benchmark.crop(name, number), stage1, model.atlas, geodesics)
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
        if picture is not None:
            _draw_worst(picture, scores, benchmark, stage1)
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


def _draw_worst(
    path: Path,
    scores: "Mapping[str, Sequence[CorrespondenceScore]]",
    benchmark: "SynthOcc",
    stage1: "Stage1",
) -> None:
    """A row for each subset: picture, true and found correspondence of its worst people."""
    from dimr.correspondence.iuv_window import iuv_to_window
    from dimr.draw import INK_RGB, captioned_panel, contact_sheet, iuvs_picture, picture_bytes
    from dimr.evaluate.correspondence import target_iuv
    from dimr.files import write_atomically
    from dimr.surface.iuv import resize_iuv

    cells = []
    for name, people in scores.items():
        worst = sorted(range(len(people)), key=lambda number: people[number].mask_iou)[:WORST]
        for number in worst:
            sample = benchmark.crop(name, number)
            height, width = sample.image.shape[:2]
            views = [sample.image]
            for iuv in (sample.iuv, target_iuv(sample, stage1)):
                large = None if iuv is None else resize_iuv(iuv, (height, width))
                seen = [] if large is None or not large.mask.any() else [iuv_to_window(large)]
                views.append(iuvs_picture(sample.image, seen, (width, height)))
            captions = f"{name} {number}", "true", f"found: IoU {people[number].mask_iou:.2f}"
            cells += [
                captioned_panel(view, [(caption, INK_RGB)])
                for view, caption in zip(views, captions, strict=True)
            ]
    height, width = cells[0].shape[:2]
    columns = 3 * min(WORST, len(next(iter(scores.values()))))
    sheet = contact_sheet(cells, columns, (width, height))
    write_atomically(path, picture_bytes(sheet, path.suffix))

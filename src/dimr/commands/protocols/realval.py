"""REALVAL: 2D joints and masks of real photographs."""

from functools import partial
from pathlib import Path
from typing import Any

from dimr.commands.protocols.shared import about, number_text, progress


def realval(
    lspet: Path | None,
    occluders: Path | None,
    street: Path | None,
    limit: int | None,
    weights: str,
    refine: bool,
) -> dict[str, Any]:
    """Photographs: joints as they are and behind pasted things, and masks."""
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.folders import load_folder
    from dimr.data.synthetic.people import LONGEST_CUTOUT_PX
    from dimr.evaluate.photos import (
        joint_means,
        joint_photos,
        score_joints,
        score_street,
        street_numbers,
    )
    from dimr.predict import load

    if lspet is None and street is None:
        raise ValueError("REALVAL: nothing to measure; give --lspet FOLDER or --street FOLDER")
    photos = [] if lspet is None else joint_photos(lspet, limit)
    if street is not None:
        street_numbers(street)  # refuses what has no photographs before anything is measured
    model = load(weights)
    report = about("REALVAL", weights, None, len(photos)) | {"refined": refine}
    predict = partial(model.predict, refine=refine, min_score=0.0)
    console = Console(width=90)
    pasted: list = [("as they are", None)]
    if occluders is not None:
        cutouts = load_folder(occluders / "val", "RGBA", LONGEST_CUTOUT_PX)
        if not cutouts:
            raise ValueError(f"--occluders: {occluders} has no pictures in val/")
        pasted.append(("behind things", cutouts))
    if photos:
        table = Table("crops", "n", "found", "PCK@0.1", "joints seen", "joints hidden")
        for name, things in pasted:
            scores = [
                score_joints(photos[number], predict, model.body, things)
                for number in progress(range(len(photos)), name)
            ]
            means = joint_means(scores)
            cells = [number_text(float(value), "") for key, value in means.items() if key != "n"]
            table.add_row(name, str(means["n"]), *cells)
            report[name.replace(" ", "_")] = means
        console.print(table)
    if street is not None:
        report["street"] = score_street(street, model.stage1, limit)
        console.print(f"street photos: {report['street']}")
    return report

"""SYNTHOCC: errors of bodies of synthetic people."""

from pathlib import Path
from typing import Any

from dimr.commands.protocols.shared import (
    about,
    chosen_subsets,
    crops_of,
    iuv_kinds,
    sample_count,
)

ENOUGH_FOR_MEAN = 20
"""So many people's mean pose is hardly any one's of them."""


def synthocc(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    iuv: str | None,
    refine: bool,
) -> dict[str, Any]:
    """Errors of bodies, by subset and over all by what can be seen."""
    kinds = iuv_kinds(iuv)

    import numpy as np
    import torch
    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.evaluate.synthetic import blind_mpjpe_mm, group_means, sample_errors
    from dimr.predict import load

    chosen, count = chosen_subsets(subsets, list(SUBSETS)), sample_count(limit, NUM_CROPS)
    model = load(weights)
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    better = model.refine if refine else None
    errors: dict[str, dict[str, list]] = {kind: {} for kind in kinds}
    joints_m = []
    for name, sample in crops_of(benchmark, chosen, count):
        joints_m.append(sample.joints_m)
        one = sample_errors(sample, model.stage1, model.stage2, model.body, kinds, better)
        for kind, values in one.items():
            errors[kind].setdefault(name, []).append(values)
    blind = blind_mpjpe_mm(torch.from_numpy(np.stack(joints_m)))

    columns = ("MPJPE", "PA-MPJPE", "PVE", "mask IoU")
    table = Table("people", "n", "IUV", *columns)
    report: dict[str, Any] = {
        **about("SYNTHOCC", weights, photos, count) | {"refined": refine},
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
    if len(joints_m) >= ENOUGH_FOR_MEAN:
        console.print(f"always the mean pose: MPJPE {blind:.1f} mm")
    return report

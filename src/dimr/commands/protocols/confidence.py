"""CONFIDENCE: is the error that stage 2 expects of a joint the one it makes?"""

from pathlib import Path
from typing import Any

from dimr.commands.protocols.shared import (
    about,
    check_picture,
    chosen_subsets,
    crops_of,
    iuv_kinds,
    number_text,
    sample_count,
)


def confidence(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    iuv: str | None,
    picture: Path | None,
) -> dict[str, Any]:
    """Calibration of expected errors by subset and over all, of joints in sight and hidden."""
    kinds = iuv_kinds(iuv)
    check_picture(picture)

    from rich.console import Console
    from rich.table import Table

    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.evaluate.confidence import LEVELS, calibrations, joint_errors
    from dimr.evaluate.synthetic import regress_view, view_of
    from dimr.pages import draw_reliability
    from dimr.predict import load

    chosen, count = chosen_subsets(subsets, list(SUBSETS)), sample_count(limit, NUM_CROPS)
    model = load(weights)
    stage1, stage2 = model.stage1, model.stage2
    if stage2.regress.decode_error is None:
        raise ValueError(f"--weights: {weights} expects no errors, want weights that do")
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    errors: dict[str, dict[str, list]] = {kind: {} for kind in kinds}
    for name, sample in crops_of(benchmark, chosen, count):
        for kind in kinds:
            regression = regress_view(view_of(sample, stage1, kind), stage2)
            one = joint_errors(sample, regression, model.body)
            errors[kind].setdefault(name, []).append(one)

    levels = [f"< {level:.0%}" for level in LEVELS]
    table = Table(
        "IUV", "people", "joints", "n", "expected", "actual", "ratio", "rank", "ECE", *levels
    )
    report = about("CONFIDENCE", weights, photos, count)
    everybody = {}
    for kind in kinds:
        groups = errors[kind] | {"all": [one for each in errors[kind].values() for one in each]}
        found = {name: calibrations(people) for name, people in groups.items()}
        everybody[kind] = found["all"]
        for name, by_joints in found.items():
            table.add_section()
            for joints, each in by_joints.items():
                millimetres = map(number_text, (each.expected_mm, each.actual_mm))
                table.add_row(
                    kind,
                    name,
                    joints,
                    str(each.joints),
                    *millimetres,
                    f"{each.ratio:.2f}",
                    number_text(each.spearman, "spearman"),
                    number_text(each.ece_mm),
                    *(f"{share:.0%}" for share in each.coverage.values()),
                )
                numbers = each._asdict() | {"bins": [one._asdict() for one in each.bins]}
                report.setdefault(kind, {}).setdefault(name, {})[joints] = numbers
    console = Console(width=110)
    console.print(table)
    reliability = Table("IUV", "bin", "n", "expected", "actual", title="all joints of all people")
    for kind, by_joints in everybody.items():
        reliability.add_section()
        for row, one in enumerate(by_joints["all"].bins, 1):
            values = number_text(one.expected_mm), number_text(one.actual_mm)
            reliability.add_row(kind, str(row), str(one.joints), *values)
    console.print(reliability)
    if picture is not None:
        draw_reliability(picture, everybody)
    return report

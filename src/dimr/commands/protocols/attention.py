"""ATTENTION: where on the atlas each part looks, shown and hidden."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.commands.protocols.shared import (
    about,
    check_picture,
    chosen_subsets,
    iuv_kinds,
    progress,
    sample_count,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from dimr.evaluate.attention import PartMeasures


def attention(
    subsets: list[str] | None,
    limit: int | None,
    weights: str,
    photos: Path | None,
    iuv: str | None,
    picture: Path | None,
) -> dict[str, Any]:
    """Place, spread and movement of each part's attention over all chosen people."""
    kinds = iuv_kinds(iuv)
    check_picture(picture)

    from rich.console import Console

    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.evaluate.attention import (
        fixed_attention,
        mean_over_parts,
        measure_parts,
        person_attention,
    )
    from dimr.pages import draw_attention
    from dimr.predict import load
    from dimr.surface.parts import PART_NAMES

    chosen, count = chosen_subsets(subsets, list(SUBSETS)), sample_count(limit, NUM_CROPS)
    model = load(weights)
    fixed = fixed_attention(model.stage2, weights)
    benchmark = SynthOcc(model.body, model.atlas, "test", photos)
    people: dict[str, list] = {kind: [] for kind in kinds}
    for name in chosen:
        for number in progress(range(count), name):
            sample = benchmark.crop(name, number)
            for kind in kinds:
                one = person_attention(sample, model.stage1, model.stage2, model.atlas, kind)
                people[kind].append(one)

    report = about("ATTENTION", weights, photos, count) | {"subsets": chosen}
    console = Console(width=100)
    for kind in kinds:
        parts = dict(zip(PART_NAMES, measure_parts(people[kind], model.atlas, fixed), strict=True))
        means = mean_over_parts(list(parts.values()))
        console.print(_table(f"{kind} IUV: {len(people[kind])} people", parts, means))
        report[kind] = {
            "people": len(people[kind]),
            "parts": {name: _numbers(part) for name, part in parts.items()},
            "mean": _numbers(means),
        }
    if picture is not None:
        draw_attention(picture, people[kinds[0]], model.atlas)
    return report


def _table(title: str, parts: "Mapping[str, PartMeasures]", means: "PartMeasures") -> "Table":
    from rich.table import Table

    table = Table(
        *("part", "shown/hidden", "u", "v", "variance", "own: chance", "map", "shown/hidden"),
        *("entropy: map", "shown/hidden", "distance", "elsewhere"),
        title=title,
    )
    for name, part in (*parts.items(), ("mean", means)):
        if name == "mean":
            table.add_section()
        groups = part.shown, part.hidden
        pairs = {
            field: "/".join(
                "-" if each is None else f"{getattr(each, field):.2f}" for each in groups
            )
            for field in ("own_share", "entropy", "centre_distance", "variation")
        }
        table.add_row(
            name,
            "/".join("-" if each is None else str(each.people) for each in groups),
            *(f"{value:.2f}" for value in part.centre_uv),
            f"{part.variance_ratio:.3f}",
            *(f"{value:.2f}" for value in (part.own_share_uniform, part.own_share_fixed)),
            pairs["own_share"],
            f"{part.entropy_fixed:.2f}",
            pairs["entropy"],
            pairs["centre_distance"],
            pairs["variation"],
        )
    return table


def _numbers(part: "PartMeasures") -> dict[str, Any]:
    groups = {"shown": part.shown, "hidden": part.hidden}
    numbers = {name: None if each is None else each._asdict() for name, each in groups.items()}
    return part._asdict() | numbers

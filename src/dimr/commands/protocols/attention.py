"""ATTENTION: where on the atlas each part looks, shown and hidden."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.commands.protocols.shared import (
    about,
    check_picture,
    chosen_subsets,
    crops_of,
    iuv_kinds,
    number_text,
    sample_count,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

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
    for _, sample in crops_of(benchmark, chosen, count):
        for kind in kinds:
            one = person_attention(sample, model.stage1, model.stage2, model.atlas, kind)
            people[kind].append(one)

    report = about("ATTENTION", weights, photos, count) | {"subsets": chosen}
    titles = {}
    console = Console(width=110)
    for kind in kinds:
        titles[kind] = f"{kind} IUV, {len(people[kind])} people"
        measures = measure_parts(people[kind], model.atlas, fixed)
        parts = {str(name): part for name, part in zip(PART_NAMES, measures, strict=True)}
        means = mean_over_parts(measures)
        _print(console, titles[kind], parts, means)
        report[kind] = {
            "people": len(people[kind]),
            "parts": {name: _numbers(part) for name, part in parts.items()},
            "mean": _numbers(means),
        }
    if picture is not None:
        draw_attention(picture, titles[kinds[0]], people[kinds[0]], model.atlas)
    return report


def _print(
    console: "Console", title: str, parts: "Mapping[str, PartMeasures]", means: "PartMeasures"
) -> None:
    """Two tables: what holds for everybody; who shows a part against who hides it."""
    from rich.table import Table

    from dimr.evaluate.attention import GroupMeans

    place = Table(
        *("part", "u", "v", "variance ratio", "on own chart", "map alone", "uniform"),
        *("entropy", "map alone"),
        title=f"{title}: everybody",
    )
    names = ("people", "on own chart", "entropy", "distance", "elsewhere")
    groups = Table("part", *names, title=f"{title}: part shown / hidden")
    for name, part in (*parts.items(), ("mean", means)):
        if name == "mean":
            place.add_section()
            groups.add_section()
        values = (
            *(*part.centre_uv, part.variance_ratio, part.own_share, part.own_share_fixed),
            *(part.own_share_uniform, part.entropy, part.entropy_fixed),
        )
        place.add_row(name, *(number_text(value, "") for value in values))
        pairs = [
            [None if group is None else group[row] for group in (part.shown, part.hidden)]
            for row in range(len(GroupMeans._fields))
        ]
        people, *rest = pairs
        groups.add_row(
            name,
            " / ".join("-" if number is None else str(number) for number in people),
            *(" / ".join(number_text(value, "") for value in pair) for pair in rest),
        )
    console.print(place)
    console.print(groups)


def _numbers(part: "PartMeasures") -> dict[str, Any]:
    groups = {"shown": part.shown, "hidden": part.hidden}
    numbers = {name: None if each is None else each._asdict() for name, each in groups.items()}
    return part._asdict() | numbers

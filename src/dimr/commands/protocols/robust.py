"""ROBUST: what damage to the IUV costs, and what completion brings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.commands.protocols.shared import (
    check_picture,
    chosen_subsets,
    number_text,
    progress,
    sample_count,
    weights_hash,
)

if TYPE_CHECKING:
    from rich.console import Console

    from dimr.evaluate.robust import JointMeans


def robust(
    subsets: list[str] | None,
    limit: int | None,
    weights: Sequence[str],
    photos: Path | None,
    picture: Path | None,
) -> dict[str, Any]:
    """Errors of seen and of completed joints under each damage, of one or several models.

    Args:
        subsets: of SynthOcc.
        limit: first samples of each.
        weights: sets to compare; all see the same people under the same damage.
        photos: for the set `photo`.
        picture: where to draw the curves, .png.
    """
    if len(set(weights)) < len(weights):
        raise ValueError(f"--weights: got {', '.join(weights)}, want each only once")
    check_picture(picture)

    from rich.console import Console

    from dimr.body.model import BodyModel
    from dimr.data.synthetic.synthocc import NUM_CROPS, SUBSETS, SynthOcc
    from dimr.evaluate.robust import DAMAGES, damage_curve, hidden_curve, sample_distances
    from dimr.pages import draw_curves
    from dimr.surface.atlas import load_atlas
    from dimr.train.checkpoint import load_weights
    from dimr.train.weights import STAGE2_FILE, load_stages, weights_folder

    chosen, count = chosen_subsets(subsets, list(SUBSETS)), sample_count(limit, NUM_CROPS)
    body, atlas = BodyModel.load(None), load_atlas(None)
    models = {name: load_stages(name, body, atlas) for name in weights}
    cards = {name: load_weights(weights_folder(name) / STAGE2_FILE)[1] for name in weights}
    benchmark = SynthOcc(body, atlas, "test", photos)
    people: dict[str, list] = {name: [] for name in models}
    for subset in chosen:
        for number in progress(range(count), subset):
            seed = SUBSETS[subset].number, number
            found = sample_distances(benchmark.crop(subset, number), models, body, seed)
            for name, distances in found.items():
                people[name].append(distances)
    by_damage = {
        name: {damage: damage_curve(each, damage, about) for damage, about in DAMAGES.items()}
        for name, each in people.items()
    }
    by_hidden = {name: hidden_curve(each) for name, each in people.items()}
    labels = {name: f"{name} ({cards[name]['variant']})" for name in weights}
    console = Console(width=90)
    for damage, about in DAMAGES.items():
        curves = {labels[name]: curve[damage] for name, curve in by_damage.items()}
        _print(console, f"{damage} ({about.unit})", "strength", curves)
    _print(
        console,
        "no damage, by the hidden share of the body",
        "hidden",
        {labels[name]: curve for name, curve in by_hidden.items()},
    )
    if picture is not None:
        draw_curves(
            picture,
            {labels[name]: curves for name, curves in by_damage.items()},
            {labels[name]: curve for name, curve in by_hidden.items()},
        )
    return {
        "protocol": "ROBUST",
        "set": "shipped" if photos is None else "photo",
        "subsets": chosen,
        "per_subset": count,
        "models": {
            name: {
                "variant": cards[name]["variant"],
                "weights_hash": weights_hash(name),
                "damage": {damage: _numbers(curve) for damage, curve in by_damage[name].items()},
                "hidden": _numbers(by_hidden[name]),
            }
            for name in weights
        },
    }


def _print(
    console: "Console", title: str, heading: str, curves: Mapping[str, Mapping[Any, "JointMeans"]]
) -> None:
    from rich.table import Table

    table = Table("model", heading, "n", "MPJPE", "joints seen", "completed", title=title)
    for model, curve in curves.items():
        table.add_section()
        for key, means in curve.items():
            values = means.mpjpe_mm, means.seen_mm, means.completed_mm
            cells = [number_text(value) for value in values]
            table.add_row(model, _key(key), str(means.people), *cells)
    console.print(table)


def _numbers(curve: Mapping[Any, "JointMeans"]) -> dict[str, dict[str, Any]]:
    return {_key(key): means._asdict() for key, means in curve.items()}


def _key(key: float | tuple[float, float]) -> str:
    """A strength, or a range."""
    return f"{key[0]:g}-{key[1]:g}" if isinstance(key, tuple) else f"{key:g}"

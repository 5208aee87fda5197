"""What several protocols need: which samples, what a result depends on, how numbers look."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dimr.files import check_file_place

if TYPE_CHECKING:
    from dimr.data.synthetic.people import CropSample
    from dimr.data.synthetic.synthocc import SynthOcc


def about(protocol: str, weights: str, photos: Path | None, count: int) -> dict[str, Any]:
    """What a result depends on."""
    return {
        "protocol": protocol,
        "weights": weights,
        "weights_hash": weights_hash(weights),
        "set": "shipped" if photos is None else "photo",
        "per_subset": count,
    }


def weights_hash(weights: str) -> str:
    """sha256 over the files of both stages."""
    from dimr.evaluate.tables import files_hash
    from dimr.train.weights import STAGE2_FILE, stage1_files, weights_folder

    folder = weights_folder(weights)
    return files_hash([*stage1_files(folder), folder / STAGE2_FILE])


def chosen_subsets(given: list[str] | None, known: list[str]) -> list[str]:
    """The subsets of the option, or all."""
    for name in given or ():
        if name not in known:
            raise ValueError(f"--subset: got {name!r}, want one of {', '.join(known)}")
    return given or known


def check_limit(limit: int | None) -> None:
    """Refuses an option `--limit` that leaves nothing to measure."""
    if limit is not None and limit < 1:
        raise ValueError(f"--limit: got {limit}, want at least 1")


def sample_count(limit: int | None, most: int) -> int:
    """Samples of each subset under the option `--limit`."""
    check_limit(limit)
    return most if limit is None else min(limit, most)


def iuv_kinds(given: str | None) -> tuple[str, ...]:
    """Whose correspondence the option `--iuv` asks for: both unless given."""
    if given not in (None, "gt", "predicted"):
        raise ValueError(f"--iuv: got {given!r}, want gt or predicted")
    return ("gt", "predicted") if given is None else (given,)


def check_picture(path: Path | None, suffixes: Sequence[str] = (".png",)) -> None:
    """Refuses what `--draw` cannot write before anything is measured."""
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"--draw: got {path}, want a name that ends in {' or '.join(suffixes)}")
    check_file_place("--draw", path)


def progress(numbers: range, name: str) -> Iterable[int]:
    """The numbers, with a bar on stderr if somebody sits there."""
    from rich.console import Console
    from rich.progress import track

    bars = Console(stderr=True)
    return track(numbers, description=name, console=bars, disable=not bars.is_terminal)


def crops_of(
    benchmark: "SynthOcc", subsets: Sequence[str], count: int
) -> "Iterator[tuple[str, CropSample]]":
    """(subset, sample) of the first people of each subset, with a bar."""
    for name in subsets:
        for number in progress(range(count), name):
            yield name, benchmark.crop(name, number)


def number_text(value: float | None, name: str = "_mm") -> str:
    """Millimetres with one digit, other numbers with three; - for none and NaN."""
    if value is None or value != value:
        return "-"
    return f"{value:.1f}" if name.endswith("_mm") else f"{value:.3f}"

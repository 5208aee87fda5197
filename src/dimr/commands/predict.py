"""`dimr predict`: pictures -> meshes, parameters and overlay pictures on disk.

One picture that fails does not stop the others: it is reported in one line, recorded in the index,
and makes the exit code 1. So does a picture on which nobody is found.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    import numpy as np

    import dimr.predict
    from dimr.correspondence.iuv_sources import IuvSource
    from dimr.types import Prediction

MIN_SCORE = 0.35
"""Of people who are printed and drawn: more are found behind others, but half of those are false
(docs/finding_people.md)."""
MAX_TABLE_ROWS = 60
"""More people than this are summed up; OUT/index.json has them all."""


def predict(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.")
    ] = Path("dimr_output"),
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, ...")] = "cpu",
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: open, research or a folder.")
    ] = "open",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="ROOT",
            help="Your SMPL and its UV map (docs/licensed.md), for weights of `dimr train paper`.",
        ),
    ] = None,
    iuv: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Your own IUVs in place of stage 1's: a file of one picture, a folder of files "
            "named after the pictures, a DensePose dump, or a TorchScript DensePose (which is "
            "run). docs/iuv.md lists the formats.",
        ),
    ] = None,
    iuv_table: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Table of `dimr iuv table`; DensePose's IUVs need it."),
    ] = None,
    refine: Annotated[
        bool,
        typer.Option(help="Lay each body on its IUV and landmarks (docs/refine.md)."),
    ] = True,
    min_score: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out people of whom stage 1 is less sure; 0 keeps all."
        ),
    ] = MIN_SCORE,
    focal: Annotated[
        float | None,
        typer.Option(
            metavar="PX",
            min=1,
            help="Focal length of the camera. Else a picture's file says it (EXIF), or it is 1.5 "
            "times its diagonal.",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A .jpg to write with a row of panels per picture."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace files that dimr did not make.")
    ] = False,
) -> None:
    """Recover the people of pictures as body meshes.

    OUT/<picture>/ gets overlay.png and, for each person, a mesh
    (.obj, .ply, .glb) and the parameters (.npz, .json);
    OUT/index.json lists all pictures.
    """
    pictures = find_pictures(paths)
    console = Console(stderr=True, highlight=False)
    _name_foreign(paths, console)

    from dimr.export import check_index, write_index
    from dimr.files import write_atomically
    from dimr.predict import load
    from dimr.sheet import Sheet, check_sheet

    if iuv_table is not None and iuv is None:
        raise ValueError("--iuv-table: is of IUVs of yours, and --iuv names none")
    if focal is not None and not math.isfinite(focal):
        raise ValueError(f"--focal: got {focal}, want a number of pixels")
    check_index(out)
    if sheet is not None:
        check_sheet(sheet, pictures, overwrite)
    model = load(weights, data, device)
    rows = Sheet(model.body.faces.cpu().numpy())
    source = None if iuv is None else _open_iuv(iuv, iuv_table, model, device, len(pictures))
    task = _Task(model, weights, source, refine, min_score, focal, out, overwrite)
    entries: list[dict[str, Any]] = []
    try:
        with Progress(console=console, disable=not console.is_terminal) as progress:
            for picture in progress.track(pictures, description="pictures"):
                entry, result = _predict_one(picture, task)
                entries.append(entry)
                if sheet is not None:
                    rows.add(_title(entry), result, entry["problem"])
                problem = entry["problem"]
                if problem:
                    console.print(
                        f"dimr: {printable(picture)}: {problem}", markup=False, soft_wrap=True
                    )
    finally:  # also at Ctrl-C: what is finished stays and is listed
        if entries:
            write_index(out, entries)
            if sheet is not None:
                write_atomically(sheet, rows.to_jpeg())
    _print_summary(entries, out)
    if sheet is not None:
        Console(highlight=False, markup=False, soft_wrap=True).print(f"sheet: {printable(sheet)}")
    if any(entry["problem"] for entry in entries):
        raise typer.Exit(1)


def find_pictures(paths: list[Path]) -> list[Path]:
    """The pictures that are meant, each once: files as they are, folders by suffix.

    Of several paths one that does not exist counts as a picture: it is reported like one that
    cannot be read, and costs none of the others.

    Raises:
        ValueError: for an only path that does not exist, or a folder without pictures.
    """
    from dimr.image.load import list_pictures

    found: dict[str, Path] = {}
    for path in paths:
        missing = len(paths) > 1 and not path.exists()
        for picture in [path] if missing else list_pictures(path):
            found.setdefault(os.path.realpath(picture), picture)
    return list(found.values())


def _name_foreign(paths: list[Path], console: Console) -> None:
    """Says which pictures of folders nobody looks at."""
    from dimr.image.load import foreign_pictures

    for path in paths:
        foreign = foreign_pictures(path)
        if foreign:
            named = f"{printable(foreign[0].name)}{', ...' if len(foreign) > 1 else ''}"
            count = _count(len(foreign), "picture", "pictures")
            line = f"dimr: {printable(path)}: {count} of kinds that are not read: {named}"
            console.print(line, markup=False, soft_wrap=True)


def _open_iuv(
    path: Path, table: Path | None, model: "dimr.predict.Model", device: str, pictures: int
) -> "IuvSource":
    """What --iuv names, on the model's atlas."""
    from dimr.correspondence.iuv_sources import Target, open_source
    from dimr.surface.uv_table import load_table

    try:
        target = Target(model.atlas, table and load_table(table, model.atlas))
        source = open_source(path, target, device)
    except ValueError as error:
        raise ValueError(f"--iuv: {error}") from error
    if source.of_one_picture and pictures != 1:
        raise ValueError(f"--iuv: {path} belongs to one picture, got {pictures}")
    return source


def printable(path: str | Path) -> str:
    """A path as text that any terminal takes, on one line."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)


@dataclass(frozen=True, slots=True)
class _Task:
    """What is done with every picture."""

    model: "dimr.predict.Model"
    weights: str
    source: "IuvSource | None"
    refine: bool
    min_score: float
    focal_px: float | None
    out: Path
    overwrite: bool


def _predict_one(
    picture: Path, task: _Task
) -> "tuple[dict[str, Any], tuple[np.ndarray, Prediction] | None]":
    """Predict and write one picture.

    Returns:
        Its index entry, with "problem" None if all is well, and the picture with its people, None
        if nothing was written.
    """
    entry: dict[str, Any] = {
        "picture": os.path.realpath(picture),
        "problem": None,
        "folder": None,
        "people": [],
    }
    result = None
    try:
        about, pixels, prediction = _write_one(picture, task)
        entry |= about
        result = pixels, prediction
        if not entry["people"]:
            # whose IUV is the user's, stays
            asked = task.source is None and task.min_score > 0
            least = f" with a score of at least {task.min_score:g} (--min-score)" if asked else ""
            entry["problem"] = f"no person found{least}"
    except (ValueError, OSError) as error:
        entry["problem"] = " ".join(str(error).removeprefix(f"{picture}: ").split())
    except Exception as error:  # one picture must not cost the thousand others
        if os.environ.get("DIMR_DEBUG"):
            raise
        entry["problem"] = " ".join(f"{type(error).__name__}: {error}".split())
    return entry, result


def _write_one(picture: Path, task: _Task) -> "tuple[dict[str, Any], np.ndarray, Prediction]":
    from dimr import __version__
    from dimr.draw import overlay_picture, picture_bytes, seen_rgb
    from dimr.export import choose_folder, person_files, write_picture
    from dimr.image.load import load_picture, read_focal_px

    pixels, body = load_picture(picture), task.model.body
    folder = choose_folder(task.out, picture, task.overwrite)
    size = pixels.shape[1], pixels.shape[0]
    given = scores = None
    if task.source is not None:
        windows = task.source.people(picture, pixels)
        whole = [(window.to_picture(size), window.score) for window in windows]
        there = [each for each in whole if each[0].mask.any()]  # the others are beside the picture
        given, scores = [iuv for iuv, _ in there], [score for _, score in there]
    focal_px = task.focal_px or read_focal_px(picture, size)
    prediction = task.model.predict(pixels, given, task.refine, task.min_score, focal_px, scores)
    overlay = overlay_picture(pixels, prediction, body.faces.cpu().numpy())
    files = {"overlay.png": picture_bytes(overlay, ".png")}
    people = []
    for number, person in enumerate(prediction.people, start=1):
        contents = person_files(person, body, size, seen_rgb(person.vertex_seen))
        files |= {f"person_{number}.{kind}": content for kind, content in contents.items()}
        people.append(
            {
                "score": round(float(person.score), 4),
                "skin_seen": round(float(person.vertex_seen.mean()), 4),
                "parts_seen": int((person.part_seen > 0).sum()),
            }
        )
    about = {
        "made_by": f"dimr {__version__}",
        "weights": task.weights,
        "refined": task.refine,
    }
    write_picture(folder, picture, prediction, files, about, task.overwrite)
    return {"folder": folder.name, "people": people}, pixels, prediction


def _title(entry: dict[str, Any]) -> str:
    """What a sheet says of a picture: name, people, how sure the least sure one is."""
    name = printable(Path(Path(entry["picture"]).name))
    scores = [person["score"] for person in entry["people"]]
    if not scores:
        return name
    which = "score" if len(scores) == 1 else "smallest score"
    return f"{name}: {_count(len(scores), 'person', 'people')}, {which} {min(scores):.2f}"


def _print_summary(entries: list[dict[str, Any]], out: Path) -> None:
    """A table of the people, and where the files lie."""
    table = Table()
    for heading in ("picture", "person", "score", "parts seen", "skin seen"):
        table.add_column(heading, justify="left" if heading == "picture" else "right")
    rows = [(entry, number) for entry in entries for number in range(len(entry["people"]))]
    for entry, number in rows[:MAX_TABLE_ROWS]:
        person = entry["people"][number]
        table.add_row(
            printable(Path(Path(entry["picture"]).name)),
            str(number + 1),
            f"{person['score']:.2f}",
            f"{person['parts_seen']}/24",
            f"{person['skin_seen']:.0%}",
        )
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if rows:
        console.print(table, soft_wrap=False)
    if len(rows) > MAX_TABLE_ROWS:
        console.print(f"and {len(rows) - MAX_TABLE_ROWS} more people")
    if len(entries) == 1 and entries[0]["folder"]:
        console.print(f"overlay: {printable(out / entries[0]['folder'] / 'overlay.png')}")
    counts = _count(len(entries), "picture", "pictures"), _count(len(rows), "person", "people")
    problems = sum(entry["problem"] is not None for entry in entries)
    if problems:
        counts += (f"{problems} without a result",)
    console.print(f"{', '.join(counts)}; all files: {printable(out / 'index.json')}")


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"

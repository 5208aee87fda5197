"""`dimr predict`: pictures -> meshes, parameters and overlay pictures on disk.

One picture that fails does not stop the others: it is reported in one line, recorded in the index,
and makes the exit code 1. So does a picture on which nobody is found.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

if TYPE_CHECKING:
    import dimr.predict

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
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: a name or a path.")
    ] = "open",
    body: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="SMPL .pkl or .npz in place of the open body."),
    ] = None,
    iuv: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Your own IUV of the one picture, in place of stage 1's: .npz with mask (H, W) "
            "and uv (H, W, 2) on the open atlas, or a PNG as cv2 writes (mask, 255u, 255v).",
        ),
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
    if iuv is not None and len(pictures) != 1:
        raise ValueError(f"--iuv: belongs to one picture, got {len(pictures)}")

    from dimr.export import check_index, write_index
    from dimr.predict import load

    check_index(out)
    model = load(weights, body, device)
    entries: list[dict[str, Any]] = []
    console = Console(stderr=True, highlight=False)
    try:
        with Progress(console=console, disable=not console.is_terminal) as progress:
            for picture in progress.track(pictures, description="pictures"):
                entries.append(_predict_one(model, picture, out, weights, iuv, overwrite))
                problem = entries[-1]["problem"]
                if problem:
                    console.print(
                        f"dimr: {printable(picture)}: {problem}", markup=False, soft_wrap=True
                    )
    finally:  # also at Ctrl-C: what is finished stays and is listed
        if entries:
            write_index(out, entries)
    _print_summary(entries, out)
    if any(entry["problem"] for entry in entries):
        raise typer.Exit(1)


def find_pictures(paths: list[Path]) -> list[Path]:
    """The pictures that are meant, each once: files as they are, folders by suffix.

    Raises:
        ValueError: for a path that does not exist, or a folder without pictures.
    """
    from dimr.image.load import list_pictures

    found: dict[Path, Path] = {}
    for path in paths:
        for picture in list_pictures(path):
            found.setdefault(picture.resolve(), picture)
    return list(found.values())


def printable(path: Path) -> str:
    """A path as text that any terminal takes, on one line."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)


def _predict_one(
    model: "dimr.predict.Model",
    picture: Path,
    out: Path,
    weights: str,
    iuv: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Predict and write one picture; its index entry, with "problem" None if all is well."""
    entry: dict[str, Any] = {
        "picture": str(picture.resolve()),
        "problem": None,
        "folder": None,
        "people": [],
    }
    try:
        entry |= _write_one(model, picture, out, weights, iuv, overwrite)
        if not entry["people"]:
            entry["problem"] = "no person found"
    except (ValueError, OSError) as error:
        entry["problem"] = " ".join(str(error).removeprefix(f"{picture}: ").split())
    except Exception as error:  # one picture must not cost the thousand others
        if os.environ.get("DIMR_DEBUG"):
            raise
        entry["problem"] = " ".join(f"{type(error).__name__}: {error}".split())
    return entry


def _write_one(
    model: "dimr.predict.Model",
    picture: Path,
    out: Path,
    weights: str,
    iuv: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    import cv2

    from dimr import __version__
    from dimr.draw import overlay_picture, seen_rgb
    from dimr.export import choose_folder, person_files, write_picture
    from dimr.image.load import load_picture
    from dimr.predict import read_iuv

    pixels = load_picture(picture)
    folder = choose_folder(out, picture, overwrite)
    size = pixels.shape[1], pixels.shape[0]
    prediction = model.predict(pixels, None if iuv is None else read_iuv(iuv, size))
    overlay = overlay_picture(pixels, prediction, model.body.faces.cpu().numpy())
    written, encoded = cv2.imencode(".png", overlay[..., ::-1])
    assert written
    files = {"overlay.png": encoded.tobytes()}
    people = []
    for number, person in enumerate(prediction.people, start=1):
        contents = person_files(person, model.body, size, seen_rgb(person.vertex_seen))
        files |= {f"person_{number}.{kind}": content for kind, content in contents.items()}
        people.append(
            {
                "score": round(float(person.score), 4),
                "skin_seen": round(float(person.vertex_seen.mean()), 4),
                "parts_seen": int((person.part_seen > 0).sum()),
            }
        )
    about = {"made_by": f"dimr {__version__}", "weights": weights}
    write_picture(folder, picture, prediction, files, about, overwrite)
    return {"folder": folder.name, "people": people}


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

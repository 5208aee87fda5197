"""`dimr iuv`: convert, check, show, predict an IUV; make the table that DensePose's need."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from dimr.commands.predict import MIN_SCORE

if TYPE_CHECKING:
    from dimr.correspondence.iuv_sources import IuvSource
    from dimr.correspondence.iuv_window import IuvWindow
    from dimr.surface.atlas import Atlas
    from dimr.surface.iuv_check import IuvReport, KnownMesh

iuv = typer.Typer(
    name="iuv",
    help="Bring, make, check and look at IUVs (which skin a pixel shows). See docs/iuv.md.",
    no_args_is_help=True,
)

Picture = Annotated[
    Path | None, typer.Option("--picture", "-p", metavar="PATH", help="The picture it is of.")
]
Table = Annotated[
    Path | None, typer.Option("--table", metavar="PATH", help="Table of `dimr iuv table`.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")]
Channels = Annotated[
    str | None, typer.Option(help="Which channel is which, in the file's order: iuv, vui, ...")
]
Labels = Annotated[
    str | None, typer.Option(help="What I is: mask (u, v on a global map) or densepose (parts).")
]
PartScale = Annotated[
    float | None, typer.Option(help="What DensePose's part numbers are multiplied by in the file.")
]


@iuv.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any format of docs/iuv.md.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .npz to write.")],
    picture: Picture = None,
    table: Table = None,
    channels: Channels = None,
    labels: Labels = None,
    part_scale: PartScale = None,
    min_score: Annotated[float, typer.Option(help="Least score of a detection.")] = 0.5,
    box: Annotated[
        str | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="Only the person whose box overlaps it best."),
    ] = None,
    device: Device = "cpu",
    overwrite: Overwrite = False,
) -> None:
    """Convert an IUV to the .npz that `dimr predict --iuv` reads.

    Dumps and folders of many pictures, and TorchScript models (which are run), need --picture.
    """
    from dimr.correspondence.iuv_pictures import Reading
    from dimr.correspondence.iuv_window import windows_bytes
    from dimr.image.crop import pick_by_box

    _check_out(out, ".npz", overwrite)
    atlas = _atlas()
    reading = Reading(channels, labels, part_scale)
    people, size, how = _read(source, picture, table, atlas, reading, min_score, device)
    if box is not None:
        chosen = pick_by_box([person.box_px() for person in people], _parse_box(box))
        if chosen is None:
            raise ValueError(f"--box: nobody of the {len(people)} people is in {box}")
        people = [people[chosen]]
    if not people:
        raise ValueError(f"{source}: no person found")
    _write(out, windows_bytes(people, size, atlas))
    noun = "person" if len(people) == 1 else "people"
    print(f"read as: {how}")
    print(f"{len(people)} {noun} on a picture of {size[0]} x {size[1]}, on atlas {atlas.name}")
    print(f"written: {out}")


@iuv.command()
def check(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Any format of docs/iuv.md.")],
    picture: Picture = None,
    table: Table = None,
    mesh: Annotated[
        list[Path] | None,
        typer.Option(metavar="PATH", help="person_N.npz of `dimr predict`; one for each person."),
    ] = None,
    channels: Channels = None,
    labels: Labels = None,
    part_scale: PartScale = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the measures to this file.")
    ] = None,
) -> None:
    """Measure an IUV: coverage, impossible places, left for right, fragments, agreement.

    Exit code 1 if there are problems.
    """
    from dimr.body.model import BodyModel
    from dimr.correspondence.iuv_pictures import Reading
    from dimr.surface.iuv_check import check_iuv

    atlas = _atlas()
    reading = Reading(channels, labels, part_scale)
    people, size, how = _read(source, picture, table, atlas, reading, 0.5, "cpu")
    if mesh and len(mesh) != len(people):
        raise ValueError(f"--mesh: got {len(mesh)}, want one for each of {len(people)} people")
    meshes = [_read_mesh(path, size, atlas) for path in mesh] if mesh else [None] * len(people)
    rest_m = BodyModel.load(None).v_template.numpy()
    reports = [
        check_iuv(person.to_picture(size) if known else person.iuv, atlas, rest_m, known)
        for person, known in zip(people, meshes, strict=True)
    ]
    _print_reports(reports)
    print(f"read as: {how}")
    if json_path is not None:
        record = {"file": str(source), "read_as": how, "people": [r.record() for r in reports]}
        _write(json_path, (json.dumps(record, indent=2) + "\n").encode())
    problems = [
        f"person {number}: {problem}"
        for number, report in enumerate(reports, start=1)
        for problem in report.problems
    ]
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)


@iuv.command()
def show(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Any format of docs/iuv.md.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The .png to write.")],
    picture: Picture = None,
    table: Table = None,
    channels: Channels = None,
    labels: Labels = None,
    part_scale: PartScale = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw an IUV in colours, over its picture if that is given."""
    from dimr.correspondence.iuv_pictures import Reading
    from dimr.draw import iuvs_picture, picture_bytes
    from dimr.image.load import load_picture

    _check_out(out, ".png", overwrite)
    reading = Reading(channels, labels, part_scale)
    people, size, _ = _read(source, picture, table, _atlas(), reading, 0.5, "cpu")
    pixels = None if picture is None else load_picture(picture)
    _write(out, picture_bytes(iuvs_picture(pixels, people, size), ".png"))
    print(f"written: {out}")


@iuv.command()
def predict(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT", help="The .npz to write; OUT_drawing.png beside."
        ),
    ],
    weights: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="Trained weights: a name or a path.")
    ] = "open",
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="Your SMPL, for weights of `dimr train paper`."),
    ] = None,
    refine: Annotated[
        bool, typer.Option(help="Lay a body on what stage 1 sees and show its surface.")
    ] = True,
    min_score: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Leave out people of whom stage 1 is less sure; 0 keeps all."
        ),
    ] = MIN_SCORE,
    device: Device = "cpu",
    overwrite: Overwrite = False,
) -> None:
    """The IUV of each person of a picture, and a drawing of them."""
    from dimr.correspondence.iuv_window import windows_bytes
    from dimr.draw import iuvs_picture, picture_bytes
    from dimr.image.load import load_picture, read_focal_px
    from dimr.predict import load

    # a name that a folder of IUVs does not take for one of them
    drawing = out.with_name(f"{out.stem}_drawing.png")
    _check_out(out, ".npz", overwrite)
    _check_out(drawing, ".png", overwrite)
    pixels = load_picture(picture)
    model = load(weights, data, device)
    size = pixels.shape[1], pixels.shape[0]
    stage1 = model.stage1
    if refine:
        stage1 = stage1.laid(partial(model.lay, focal_px=read_focal_px(picture, size)))
    people = [person for person in stage1.find_iuvs(pixels) if person.score >= min_score]
    if not people:
        raise ValueError(f"{picture}: no person found with a score of at least {min_score:g}")
    _write(out, windows_bytes(people, size, model.atlas))
    _write(drawing, picture_bytes(iuvs_picture(pixels, people, size), ".png"))
    for number, person in enumerate(people, start=1):
        print(f"person {number}: score {person.score:.2f}, {person.iuv.mask.sum()} pixels")
    print(f"written: {out}, {drawing}")


@iuv.command()
def table(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="DensePose's UV_Processed.mat, or a global map of SMPL (DecoMR, MMHuman3D .npz).",
        ),
    ],
    smpl: Annotated[Path, typer.Argument(metavar="SMPL", help="SMPL .pkl or .npz.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="The .npz to write.")],
    orientation: Annotated[
        str, typer.Option(help="Of a global map: as_is, flip_v or quarter_turn.")
    ] = "as_is",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="ROOT",
            help="To SMPL's map below this folder (docs/licensed.md), for weights of `dimr train "
            "paper`, in place of the open atlas.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make the table that takes DensePose's (I, U, V), or another map's (u, v), to the open atlas.

    The open body is laid over your SMPL's template, and how well is printed; this takes about
    half a minute.
    """
    from dimr.body.model import BodyModel
    from dimr.data.real.bodies import load_surface_map
    from dimr.surface.bridge import fit_bridge
    from dimr.surface.densepose_file import load_densepose_surface
    from dimr.surface.uv_files import Orientation, load_uv_npz
    from dimr.surface.uv_table import densepose_table, map_table, same_mesh_uv, table_bytes

    _check_out(out, ".npz", overwrite)
    if orientation not in get_args(Orientation):
        raise ValueError(
            f"--orientation: got {orientation!r}, want {', '.join(get_args(Orientation))}"
        )
    body = BodyModel.load(smpl)
    if source.suffix.lower() == ".mat":
        charts = load_densepose_surface(source, body.num_vertices)
        table_of, faces = partial(densepose_table, charts), charts.faces
    else:
        arrays = (body.faces.numpy(), body.weights.numpy(), body.v_template.numpy())
        source_map = load_uv_npz(source, *arrays, cast(Orientation, orientation))
        table_of, faces = partial(map_table, source_map), source_map.faces
    if data is not None:
        atlas = load_surface_map(data, body)
        made = table_of(same_mesh_uv(faces, atlas), atlas)
    else:
        atlas, bridge = _atlas(), fit_bridge(body, BodyModel.load(None))
        made = table_of(bridge.to_uv(faces, atlas), atlas)
        left = bridge.residual
        print(f"bodies differ by     {left.body_rms_mm:.1f} mm RMS (shape and pose fitted)")
        print(
            f"skin to skin         {left.rms_mm:.1f} mm RMS, 95 % within {left.p95_mm:.1f} mm, "
            f"at most {left.max_mm:.1f} mm"
        )
    _write(out, table_bytes(made))
    print(f"written: {out} (to atlas {atlas.name})")


def _atlas() -> "Atlas":
    from dimr.surface.atlas import load_atlas

    return load_atlas(None)


def _read(
    path: Path,
    picture: Path | None,
    table_path: Path | None,
    atlas: "Atlas",
    reading,
    min_score: float,
    device: str,
) -> tuple[list["IuvWindow"], tuple[int, int], str]:
    """People of a source, the size (width, height) of their picture, and how it was read."""
    from dimr.correspondence.iuv_sources import FileSource, Target, open_source
    from dimr.image.load import load_picture
    from dimr.surface.uv_table import load_table

    made = None if table_path is None else load_table(table_path, atlas)
    source: IuvSource = open_source(path, Target(atlas, made, reading, min_score), device)
    how = source.read_as if isinstance(source, FileSource) else type(source).__doc__ or ""
    if picture is None:
        if not isinstance(source, FileSource):
            raise ValueError(f"--picture: say which picture's people of {path} you want")
        return source.windows, source.picture_size, how
    pixels = load_picture(picture)
    return source.people(picture, pixels), (pixels.shape[1], pixels.shape[0]), how


def _parse_box(text: str):
    import numpy as np

    try:
        box = np.array([float(number) for number in text.split(",")])
    except ValueError:
        box = np.zeros(0)
    if box.shape != (4,) or not (box[2:] > box[:2]).all():
        raise ValueError(f"--box: got {text!r}, want X0,Y0,X1,Y1 with X0 < X1 and Y0 < Y1")
    return box


def _read_mesh(path: Path, size: tuple[int, int], atlas: "Atlas") -> "KnownMesh":
    """A person that `dimr predict` wrote."""
    import numpy as np

    from dimr.body.camera import PerspectiveCamera
    from dimr.surface.iuv_check import KnownMesh
    from dimr.surface.npz import read_arrays

    arrays = read_arrays(
        path,
        {
            "vertices_cam_m": (np.floating, 2),
            "faces": (np.integer, 2),
            "focal_px": (np.floating, 0),
            "principal_px": (np.floating, 1),
            "picture_size_px": (np.integer, 1),
        },
    )
    if not np.array_equal(arrays["faces"], atlas.faces):
        raise ValueError(f"--mesh: {path} is of another body than atlas {atlas.name!r}")
    if tuple(arrays["picture_size_px"]) != size:
        raise ValueError(
            f"--mesh: {path} is of a picture of {arrays['picture_size_px'].tolist()} pixels, "
            f"want {list(size)}"
        )
    if arrays["vertices_cam_m"].shape != (int(atlas.faces.max()) + 1, 3):
        raise ValueError(f"--mesh: {path} has vertices {arrays['vertices_cam_m'].shape}")
    x, y = (float(value) for value in arrays["principal_px"])
    camera = PerspectiveCamera(float(arrays["focal_px"]), (x, y))
    return KnownMesh(arrays["vertices_cam_m"].astype(np.float32), camera)


def _print_reports(reports: list["IuvReport"]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    grid = RichTable("measure", *(f"person {n}" for n in range(1, len(reports) + 1)))
    for name, value in reports[0].record().items():
        if name == "problems" or value is None:
            continue
        cells = []
        for report in reports:
            cell = getattr(report, name)
            if isinstance(cell, list):
                cells.append(", ".join(cell) or "-")
            elif isinstance(cell, float):
                cells.append(f"{cell:.0f}" if name.endswith("_mm") else f"{cell:.1%}")
            else:
                cells.append(str(cell))
        grid.add_row(name.replace("_", " "), *cells)
    Console(width=100).print(grid)


def _check_out(out: Path, suffix: str, overwrite: bool) -> None:
    from dimr.files import check_file_place

    if out.suffix.lower() != suffix:
        raise ValueError(f"OUT: got {out}, want a {suffix} file")
    if out.exists() and not overwrite:
        raise ValueError(f"OUT: {out} exists: choose another or give --overwrite")
    check_file_place("OUT", out)


def _write(path: Path, content: bytes) -> None:
    from dimr.files import write_atomically

    write_atomically(path, content)

"""`dimr data check`: can a data set be read, and is it read rightly?"""

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(name="data", help="Look at the data sets of the paper.", no_args_is_help=True)


@data.callback()
def _data() -> None:
    """Look at the data sets of the paper."""


@data.command()
def check(
    dataset: Annotated[
        str,
        typer.Argument(
            help="h36m, muco, eft, 3dpw, 3doh, 3doh_train, ochuman, spin or human_data."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="Its folder; spin, human_data: or the .npz.")],
    root: Annotated[
        Path | None,
        typer.Option("--data", metavar="ROOT", help="With body/, to draw and compare bodies."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The contact sheet (PNG or JPEG).")
    ] = Path("data_check.png"),
) -> None:
    """Count a data set's records, compare its labels with each other, and draw 16 samples.

    With --data, the body is posed by the file's parameters: its joints must meet the file's own
    3D joints (a few mm) and, projected, the 2D joints (a few pixels of 256).
    """
    import numpy as np

    from dimr.data.real.bodies import Bodies, load_surface_map
    from dimr.data.real.check import TILE_PX, inspect, sample_tiles
    from dimr.data.real.layout import open_dataset
    from dimr.draw import contact_sheet, picture_bytes
    from dimr.files import write_atomically

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ValueError(f"--out: got {out.name}, want a .png or .jpg")
    bodies, atlas = None, None
    if root is not None:
        bodies = Bodies.load(root)
        try:
            atlas = load_surface_map(root, bodies.neutral)
        except ValueError as error:
            print(f"no IUV is drawn: {error}")
    records = open_dataset(dataset, path)
    print(records.summary())
    for skipped in records.skipped:
        print(f"  broken: {skipped.key}: {skipped.reason}")
    findings = inspect(records, bodies)
    for name, number in findings.having.items():
        print(f"  {name}: {number} records" + ("" if number else " (missing)"))
    print(f"  pictures missing: {findings.num_pictures_missing}")
    for picture in findings.pictures_missing:
        print(f"    {picture}")
    for problem in findings.problems:
        print(f"  cannot be compared: {problem}")
    if findings.joints_mm:
        print(
            f"  body's joints against the file's: median {np.median(findings.joints_mm):.1f} mm, "
            f"worst {max(findings.joints_mm):.1f} mm of {len(findings.joints_mm)}"
        )
    if findings.limbs_px:
        print(
            "  projected limbs against 2D joints: median "
            f"{np.median(findings.limbs_px):.1f} px of a 256 px window"
        )
    if bodies is None:
        print("  bodies are neither drawn nor compared: give --data ROOT with body/")
    sheet = contact_sheet(sample_tiles(records, bodies, atlas), 4, (2 * TILE_PX, TILE_PX))
    write_atomically(out, picture_bytes(sheet, out.suffix))
    print(f"  samples: {out}")

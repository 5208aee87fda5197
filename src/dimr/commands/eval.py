"""`dimr eval`: errors on SynthOcc and photographs, or the paper's tables on the user's data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dimr.commands.protocols.attention import attention
from dimr.commands.protocols.confidence import confidence
from dimr.commands.protocols.landmarks import landmarks
from dimr.commands.protocols.realval import realval
from dimr.commands.protocols.robust import robust
from dimr.commands.protocols.stage1 import measure_stage1
from dimr.commands.protocols.synthocc import synthocc
from dimr.commands.protocols.tables import paper_table

PAPER = ("limit", "data", "3dpw", "3doh", "ochuman", "iuv", "iuv-table", "device")
"""Options of the paper's tables."""
OPTIONS = {
    "SYNTHOCC": ("subset", "limit", "photos", "iuv", "no-refine"),
    "STAGE1": ("subset", "limit", "photos", "street", "draw", "no-refine"),
    "ROBUST": ("subset", "limit", "photos", "draw"),
    "LANDMARKS": ("subset", "limit", "photos"),
    "CONFIDENCE": ("subset", "limit", "photos", "iuv", "draw"),
    "ATTENTION": ("subset", "limit", "photos", "iuv", "draw"),
    "REALVAL": ("limit", "lspet", "occluders", "street", "no-refine"),
    "TABLE1": PAPER,
    "TABLE2": PAPER,
}
"""Of each protocol, beside --weights and --json; others are refused."""


def eval(
    protocol: Annotated[
        str,
        typer.Argument(
            help="SYNTHOCC: bodies of synthetic people; STAGE1: their correspondence; "
            "ROBUST: bodies from a damaged IUV; LANDMARKS: BlazePose's joints beside ours; "
            "CONFIDENCE: expected against actual errors; ATTENTION: where parts look; "
            "REALVAL: 2D joints and masks of photographs; TABLE1, TABLE2: the paper's."
        ),
    ],
    subset: Annotated[
        list[str] | None,
        typer.Option(help="Of synthetic people: one or more; else all (STAGE1: and scenes)."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="First samples of each subset, photographs, or people of a protocol."),
    ] = None,
    weights: Annotated[
        list[str],
        typer.Option(
            metavar="NAME|PATH",
            help="Trained weights: a name or a folder; ROBUST: several are compared.",
        ),
    ] = ["open"],  # noqa: B006
    photos: Annotated[
        Path | None,
        typer.Option(
            help="Synthetic people: folder with backgrounds/test and occluders/test: the set "
            "`photo`; else only what ships."
        ),
    ] = None,
    street: Annotated[
        Path | None,
        typer.Option(help="STAGE1, REALVAL: street photos with masks (images/, mask/), too."),
    ] = None,
    lspet: Annotated[
        Path | None,
        typer.Option(help="REALVAL: crops with joints (images/, joints.npz)."),
    ] = None,
    occluders: Annotated[
        Path | None,
        typer.Option(help="REALVAL: RGBA cut-outs in val/, to paste over the same crops."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="ROOT", help="TABLE1, TABLE2: your files (docs/licensed.md)."),
    ] = None,
    pw3d: Annotated[Path | None, typer.Option("--3dpw", help="3DPW, if not in ROOT.")] = None,
    doh: Annotated[Path | None, typer.Option("--3doh", help="3DOH50K, if not in ROOT.")] = None,
    ochuman: Annotated[Path | None, typer.Option(help="OCHuman, if not in ROOT.")] = None,
    iuv: Annotated[
        str | None,
        typer.Option(
            help="gt (rendered) or predicted (stage 1); synthetic people: both unless given; "
            "TABLE1, TABLE2: gt unless given, or files (ROOT/<data set>/iuv/<key>.npz), or "
            "DensePose's results or model (docs/iuv.md)."
        ),
    ] = None,
    iuv_table: Annotated[
        Path | None, typer.Option(help="Of `dimr iuv table`, for DensePose's results.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="TABLE1, TABLE2: where to compute; cpu unless given, cuda, ..."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--draw",
            help="ROBUST, CONFIDENCE, ATTENTION: also draw what is found, PNG; STAGE1: whom it "
            "sees worst, PNG or JPEG.",
        ),
    ] = None,
    refine: Annotated[
        bool,
        typer.Option(
            help="SYNTHOCC, REALVAL: as `dimr predict` does (docs/refine.md); STAGE1: as `dimr "
            "iuv predict` does."
        ),
    ] = True,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also write the numbers to this file.")
    ] = None,
) -> None:
    """Print errors: of bodies (mm: MPJPE, PA-MPJPE, PVE) or of stage 1."""
    from dimr.files import check_file_place, write_atomically

    if protocol not in OPTIONS:
        raise ValueError(f"protocol: got {protocol!r}, want {', '.join(OPTIONS)}")
    given = {
        "subset": subset,
        "limit": limit,
        "photos": photos,
        "street": street,
        "lspet": lspet,
        "occluders": occluders,
        "data": data,
        "3dpw": pw3d,
        "3doh": doh,
        "ochuman": ochuman,
        "iuv": iuv,
        "iuv-table": iuv_table,
        "draw": picture,
        "device": device,
        "no-refine": None if refine else True,
    }
    for name, value in given.items():
        if value is not None and name not in OPTIONS[protocol]:
            raise ValueError(f"--{name}: {protocol} has no use for it")
    if json_path is not None:
        check_file_place("--json", json_path)
    if protocol != "ROBUST" and len(weights) > 1:
        raise ValueError(f"--weights: got {len(weights)}, want one for {protocol}")
    if protocol == "SYNTHOCC":
        report = synthocc(subset, limit, weights[0], photos, iuv, refine)
    elif protocol == "STAGE1":
        report = measure_stage1(subset, limit, weights[0], photos, street, picture, refine)
    elif protocol == "ROBUST":
        report = robust(subset, limit, weights, photos, picture)
    elif protocol == "LANDMARKS":
        report = landmarks(subset, limit, weights[0], photos)
    elif protocol == "CONFIDENCE":
        report = confidence(subset, limit, weights[0], photos, iuv, picture)
    elif protocol == "ATTENTION":
        report = attention(subset, limit, weights[0], photos, iuv, picture)
    elif protocol == "REALVAL":
        report = realval(lspet, occluders, street, limit, weights[0], refine)
    else:
        folders = {"3dpw": pw3d, "3doh": doh, "ochuman": ochuman}
        there = {name: folder for name, folder in folders.items() if folder is not None}
        for name, folder in {"data": data, **there}.items():
            if folder is not None and not folder.is_dir():
                raise ValueError(f"--{name}: {folder} is not a folder")
        report = paper_table(
            protocol,
            data,
            there,
            weights[0],
            iuv or "gt",
            iuv_table,
            limit,
            device or "cpu",
        )
    if json_path is not None:
        write_atomically(json_path, (json.dumps(report, indent=2) + "\n").encode())

"""`dimr synth`: look at the synthetic people, measure them, write SynthOcc, read motion files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dimr.data.synthetic.samples import CropSample, SceneSample

synth = typer.Typer(
    name="synth",
    help="Synthetic people: look at them, measure them, write SynthOcc, read motion files.",
    no_args_is_help=True,
)

TRAIN, FACES = "train", "faces"
SPLITS = ("test", "val")
LARGEST_CELL_PX = 1024
Split = Annotated[str, typer.Option(help="test or val.")]
Photos = Annotated[
    Path | None,
    typer.Option(help="Folder with backgrounds/ and occluders/; else only what ships."),
]


@synth.command()
def show(
    subset: Annotated[str, typer.Argument(help="A subset of SynthOcc, scenes, train, or faces.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write.")],
    count: Annotated[int, typer.Option(help="Samples.")] = 32,
    columns: Annotated[int, typer.Option(help="Samples in a row.")] = 8,
    cell: Annotated[int, typer.Option(help="Side of a sample, pixels.")] = 192,
    split: Split = "test",
    photos: Photos = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Below each: its IUV, and what hides the target.")
    ] = False,
) -> None:
    """Draw a contact sheet."""
    from dimr.draw import contact_sheet, picture_bytes
    from dimr.files import check_file_place, write_atomically
    from dimr.pages import label_picture

    _check_positive(count=count, columns=columns, cell=cell)
    if cell > LARGEST_CELL_PX:
        raise ValueError(f"--cell: got {cell}, want at most {LARGEST_CELL_PX}")
    check_file_place("--out", out)
    samples = list(map(_maker(subset, split, photos), range(count)))
    pictures = []
    for first in range(0, count, columns):
        row = samples[first : first + columns]
        pictures += [sample.image for sample in row]
        if labels:
            pictures += [pictures[-1] * 0 + 255] * (columns - len(row))
            pictures += [label_picture(sample) for sample in row]
            pictures += [pictures[-1] * 0 + 255] * (columns - len(row))
    write_atomically(
        out, picture_bytes(contact_sheet(pictures, columns, (cell, cell)), out.suffix)
    )
    print(out)


@synth.command()
def stats(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for stats.json and .png.")],
    subset: Annotated[str, typer.Option(help="A subset of SynthOcc, or train.")] = TRAIN,
    count: Annotated[int, typer.Option(help="Samples.")] = 1000,
    photos: Photos = None,
    real: Annotated[
        Path | None, typer.Option(help="LSP Extended crops (images/, joints.npz) to compare.")
    ] = None,
) -> None:
    """Measure directions, sizes, visibility, poses and colours, beside real crops."""
    import json

    from rich.progress import track

    from dimr.data.synthetic.samples import CropSample
    from dimr.data.synthetic.statistics import picture_statistics
    from dimr.data.synthetic.survey import read_lsp_crops, survey
    from dimr.data.synthetic.synthocc import SCENES
    from dimr.files import check_folder_place, write_atomically
    from dimr.pages import draw_page, summary

    if count < 2:
        raise ValueError(f"--count: got {count}, want at least 2")
    if subset == SCENES:
        raise ValueError(f"subset: got {subset!r}, want one of crops")
    check_folder_place("--out", out)
    crops = None if real is None else read_lsp_crops(real, count)
    made = track(map(_maker(subset, "test", photos), range(count)), total=count)
    samples = [sample for sample in made if isinstance(sample, CropSample)]
    found = survey(samples)
    looks = {"synthetic": picture_statistics([sample.image for sample in samples])}
    if crops is not None:
        looks["photographs"] = picture_statistics(crops.pictures)
    numbers = {"subset": subset, "photos": photos is not None, **summary(found, crops, looks)}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "stats.json", (json.dumps(numbers, indent=2) + "\n").encode())
    draw_page(out / "stats.png", found, crops, looks)
    print(json.dumps(numbers, indent=2))


@synth.command()
def write(
    subset: Annotated[str, typer.Argument(help="A subset of SynthOcc, or scenes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for NUMBER.png and .npz.")],
    limit: Annotated[int | None, typer.Option(help="Only the first so many samples.")] = None,
    split: Split = "test",
    photos: Photos = None,
) -> None:
    """Write SynthOcc to files; samples that are there already are kept.

    Each file says which sample it is: a folder that holds other ones is refused.
    """
    import io

    import numpy as np
    from rich.progress import track

    from dimr.data.synthetic.synthocc import (
        NUM_CROPS,
        NUM_SCENES,
        SCENES,
        SUBSETS,
        content_hash,
        flat_arrays,
    )
    from dimr.draw import picture_bytes
    from dimr.files import check_folder_place, write_atomically
    from dimr.surface.npz import array_names, read_arrays

    if subset not in (*SUBSETS, SCENES):
        raise ValueError(f"subset: got {subset!r}, want one of {', '.join((*SUBSETS, SCENES))}")
    check_folder_place("--out", out)
    count = NUM_SCENES if subset == SCENES else NUM_CROPS
    count = count if limit is None else min(limit, count)
    _check_positive(limit=count)
    make = _maker(subset, split, photos)
    for number in track(range(count), description=subset):
        path = out / f"{number:03d}.npz"
        name = f"{subset} {number} of {split}{'' if photos is None else f' with {photos.name}'}"
        if path.exists():
            known = "name" in array_names(path)
            found = str(read_arrays(path, {"name": (np.str_, 0)})["name"]) if known else "unknown"
            if found != name:
                raise ValueError(f"--out: {path} is {found}, want {name}: choose another folder")
            continue
        sample = make(number)
        write_atomically(path.with_suffix(".png"), picture_bytes(sample.image, ".png"))
        packed = io.BytesIO()
        arrays = {name: value for name, value in flat_arrays(sample).items() if name != "image"}
        arrays |= {"sha256": np.array(content_hash(sample)), "name": np.array(name)}
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        write_atomically(path, packed.getvalue())


@synth.command()
def check() -> None:
    """Make the samples of SynthOcc whose hashes are published, and compare."""
    from dimr.data.synthetic.published import compare, make_record, read_record

    verdicts = compare(read_record(), make_record())
    for name, verdict in verdicts.items():
        print(f"{name}: {verdict}")
    differing = [name for name, verdict in verdicts.items() if verdict not in ("same", "close")]
    if differing:
        raise ValueError(f"SynthOcc: {', '.join(differing)} differ from what is published")


@synth.command()
def poses(
    files: Annotated[list[Path], typer.Argument(help="AMASS .npz, .bvh, CMU or DeepMimic .npz.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Pose bank (.npz) to write.")],
) -> None:
    """Make a pose bank from motion files, for `dimr train --poses BANK`."""
    from rich.progress import track

    from dimr.body.model import BodyModel
    from dimr.data.motion.bank import build_pose_bank, write_pose_bank
    from dimr.data.motion.read import read_motion
    from dimr.files import check_file_place

    if out.exists():
        raise ValueError(f"--out: {out} exists; choose another name")
    check_file_place("--out", out)
    clips = [clip for path in track(files, description="files") for clip in read_motion(path)]
    bank = build_pose_bank(clips, BodyModel.load(None).joints_template.double().numpy())
    write_pose_bank(out, bank)
    print(f"{len(bank.theta)} poses of {len(clips)} clips; {out}")


def _check_positive(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"--{name}: got {value}, want at least 1")


def _maker(
    subset: str, split: str, photos: Path | None
) -> "Callable[[int], CropSample | SceneSample]":
    """Sample of a number: of the training mix, of a subset of SynthOcc, or one of its scenes."""
    from functools import partial

    from dimr.body.model import BodyModel
    from dimr.data.synthetic.people import SyntheticPeople
    from dimr.data.synthetic.synthocc import FACES_CONFIG, SCENES, SynthOcc
    from dimr.surface.atlas import load_atlas

    if split not in SPLITS:
        raise ValueError(f"--split: got {split!r}, want {' or '.join(SPLITS)}")
    body, atlas = BodyModel.load(None), load_atlas(None)
    if subset == FACES:
        return SyntheticPeople(body, atlas, split=split, config=FACES_CONFIG).crop_sample
    if subset == TRAIN:
        people = SyntheticPeople(
            body,
            atlas,
            backgrounds=photos and photos / "backgrounds" / TRAIN,
            occluders=photos and photos / "occluders" / TRAIN,
        )
        return people.crop_sample
    benchmark = SynthOcc(body, atlas, split, photos)
    return benchmark.scene if subset == SCENES else partial(benchmark.crop, subset)

"""What a training run is: where it reads and writes, and the people that it draws."""

from dataclasses import dataclass
from pathlib import Path

from dimr.body.model import BodyModel
from dimr.data.real.bodies import load_neutral, load_surface_map
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.people import Split, SyntheticPeople
from dimr.surface.atlas import Atlas
from dimr.train.cards import data_text
from dimr.train.loop import LoopSettings
from dimr.train.schedules import SCHEDULES

POSES = SyntheticConfig(extreme_poses=0.2, frontal_share=0.55, hug=0.1)
"""More of what is rare: they are to know every pose from every side, also in a hug."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Where a recipe reads and writes, and how much it may do."""

    folder: Path
    """Checkpoints and log; `weights` below it gets the result."""
    backgrounds: Path | None = None
    """Folder with train/, val/ and test/ photos; None: procedural backgrounds."""
    occluders: Path | None = None
    """Folder with train/, val/ and test/ RGBA cut-outs; None: procedural objects."""
    poses: Path | None = None
    """Pose bank of `dimr synth poses`; None: the one that ships."""
    stage1: Path | None = None
    """Folder with the weights of stage 1, of the recipes stage1*, outlines and stage2*."""
    geometry: Path | None = None
    """Folder with the weights of the head that a recipe of stage 2 goes on from: of
    stage2_geometry for stage2, of stage2 for stage2_inpainting."""
    landmarks: Path | None = None
    """Folder with the landmark network that stage 1 hears or that recipes of its own go on from;
    None: for stage 1 that of `stage1`, else the original one."""
    lspet: Path | None = None
    """Leeds Sports Pose Extended (images/, joints.npz), of stage2_photos, landmarks_photos and
    landmarks_spread."""
    street: Path | None = None
    """Street photographs (images/, mask/), of stage1_photos."""
    seen: Path | None = None
    """What stage 1 made of samples already (`dimr.train.seen`), for stage 2; None draws them. For
    stage2_geometry: errors of landmarks."""
    blend: float = 1.0
    """Share of what a head has learnt, at the end, in the weights that are written; the rest is
    the head that it went on from (Wortsman et al. 2022, WiSE-FT): it forgets less where few
    pictures repeat. At 1 the best validation's weights are written."""
    steps: int | None = None
    """Updates; None takes the recipe's own number."""
    max_minutes: float | None = None
    """Stop (resumable) after this time."""
    validation: int = 256
    """Validation samples."""
    workers: int = 0
    """Processes that draw samples beside the one that learns."""
    seed: int = 0
    data: Path | None = None
    """Folder of the user's data sets and bodies (recipe paper), see `dimr.data.real.layout`."""
    iuv: str = "gt"
    """Where the recipe `paper` takes the IUV from: "gt" (rendered), "files", or the path of
    DensePose's results or model."""
    iuv_table: Path | None = None
    """Of `dimr iuv table`, for DensePose's coordinates."""
    batch_size: int | None = None
    """Of the recipe `paper`; None: the paper's."""
    device: str = "cpu"
    """Of the recipe `paper`."""


def surface_of(run: Run) -> tuple[BodyModel, Atlas]:
    """The body and UV map of a run: the user's from `data`/body, without `data` the open ones.

    Raises:
        ValueError: if a file is missing there: the data sets' parameters are SMPL's.
    """
    body = load_neutral(run.data)
    return body, load_surface_map(run.data, body)


def settings_of(recipe: str, run: Run) -> LoopSettings:
    """Schedule of a recipe."""
    chosen = dict(SCHEDULES[recipe])
    if recipe == "stage1" and run.stage1 is not None:
        chosen["learning_rate"] = 1.5e-3  # it knows something already
    if run.steps is not None:
        chosen["steps"] = run.steps
    return LoopSettings(**chosen, seed=run.seed)


def synthetic_people(run: Run, split: Split, body: BodyModel, atlas: Atlas) -> SyntheticPeople:
    """The generator of one split; validation and test keep seed 0 whatever the run's seed is."""
    return SyntheticPeople(
        body,
        atlas,
        backgrounds=run.backgrounds and run.backgrounds / split,
        occluders=run.occluders and run.occluders / split,
        seed=run.seed if split == "train" else 0,
        split=split,
        poses=run.poses if split == "train" else None,
    )


def posed_people(run: Run, body: BodyModel, atlas: Atlas) -> SyntheticPeople:
    """Those to train on, in `POSES`."""
    drawn = synthetic_people(run, "train", body, atlas)
    return drawn.reconfigured(POSES, drawn.size)


def data_of(run: Run) -> str:
    """What pictures are made of, for cards."""
    return data_text(run.backgrounds is not None, run.occluders is not None)

"""Complete trainings by name: what `dimr train RECIPE` runs.

    stage1            correspondence network, from the person-pretrained encoder or an earlier one
    stage1_decoder    goes on from stage1 with its encoder frozen, so that any stage 2 still fits
    stage1_photos     the same with street photographs and their masks in the mix
    outlines          which pixels are whose, from an earlier network or that which ships
    landmarks         the landmark network, from the original one or an earlier one
    landmarks_photos  the same with labelled photographs in the mix
    landmarks_spread  how far off landmarks may be, anew
    stage2_geometry   stage 2's head on IUVs alone; needs no pictures and no stage 1; may go on
                      from an earlier head
    stage2            goes on from both with pictures, shared features and stage 1's own IUV
    stage2_inpainting goes on from stage2, each picture with an occluded twin (paper Sec. 3.4)
    stage2_photos     goes on from stage2 with labelled photographs in the mix
    paper             the paper's own: HRNet on real data sets (`dimr.train.paper`)

Each writes checkpoints to its run folder and, at the end, the weights of its best validation;
`paper` those of its last update, as stage 2 does where it blends them (--blend).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from dimr.body.model import BodyModel
from dimr.correspondence.network import CorrespondenceNet
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.people import LONGEST_CUTOUT_PX
from dimr.encoder.blazepose import BlazePoseEncoder
from dimr.network.dimr import Dimr, HeadSize
from dimr.surface.atlas import Atlas
from dimr.train.cards import RESEARCH, best_state, data_text, history
from dimr.train.checkpoint import load_weights, save_weights, state_hash
from dimr.train.landmark_errors import BorrowedErrors
from dimr.train.landmark_recipes import (
    train_landmarks,
    train_landmarks_photos,
    train_landmarks_spread,
)
from dimr.train.loop import BEST, LAST, train
from dimr.train.outlines import OutlineTask
from dimr.train.paper import train_paper
from dimr.train.photos import VIEWS, AllKnown, Alternating, see_photos
from dimr.train.run import Run, data_of, posed_people, settings_of, synthetic_people
from dimr.train.seen import SeenSamples, SeenTask, borrowed_errors
from dimr.train.stage1 import Stage1Task
from dimr.train.stage2 import GeometryTask, PictureTask, Stage2Task
from dimr.train.street import StreetSamples, WithStreet
from dimr.train.weights import (
    ENCODER_FILE,
    OUTLINES_FILE,
    STAGE1_FILE,
    hear_surface,
    keep_encoder,
    load_landmarks,
    load_outlines,
    load_stage1,
    load_stage1_network,
    load_stage2,
    new_stage1_network,
    new_stage2,
    save_landmarks,
    save_outlines,
    save_stage1,
    save_stage2,
    weights_folder,
)


def train_stage1(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Stage 1 from the person-pretrained encoder, or more of an earlier one with its encoder."""
    if run.stage1 is None:
        network, about = new_stage1_network(body, atlas), {}
    else:
        network, about = _earlier_stage1(run.stage1, body, atlas)
    return _train_correspondence("stage1", network, run, body, atlas, about)


def train_stage1_decoder(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """More of stage 1 at half the price: only the decoder learns."""
    return _train_decoder("stage1_decoder", run, body, atlas)


def train_stage1_photos(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The decoder goes on with street photographs in the mix: weights for research."""
    if run.street is None:
        raise ValueError("stage1_photos needs photographs (--street)")
    return _train_decoder("stage1_photos", run, body, atlas)


def _train_decoder(recipe: str, run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    if run.stage1 is None:
        raise ValueError(f"{recipe} needs the weights of stage1 (--stage1)")
    network, about = _earlier_stage1(run.stage1, body, atlas)
    network.encoder.requires_grad_(False)
    return _train_correspondence(recipe, network, run, body, atlas, about)


def _earlier_stage1(
    folder: Path, body: BodyModel, atlas: Atlas
) -> tuple[CorrespondenceNet, dict[str, Any]]:
    _, before = load_weights(folder / STAGE1_FILE)
    return load_stage1_network(folder, body, atlas), {"goes_on_from": history(before)}


def _train_correspondence(
    recipe: str,
    network: CorrespondenceNet,
    run: Run,
    body: BodyModel,
    atlas: Atlas,
    about: dict[str, Any],
) -> dict[str, float]:
    poser, about_poser = load_landmarks(run.landmarks or run.stage1, body, atlas)
    about = {"data": data_of(run), **about}
    task = Stage1Task(
        network,
        posed_people(run, body, atlas),
        synthetic_people(run, "val", body, atlas),
        num_validation=run.validation,
        poser=poser,
    )
    if recipe == "stage1_photos":
        assert run.street is not None
        occluders = run.occluders and run.occluders / "train"
        cutouts = load_folder(occluders, "RGBA", LONGEST_CUTOUT_PX)
        street = StreetSamples(run.street, cutouts, run.seed)
        task.training = WithStreet(task.training, street)
        about["data"] += f"; street photographs with masks: {len(street.numbers)}"
        about["licence"] = RESEARCH
    best = train(task, settings_of(recipe, run), run.folder, run.max_minutes, run.workers)
    state, about_run = best_state(run.folder)
    network.load_state_dict(state)
    card = {**about_run, "recipe": recipe, **about}
    save_stage1(run.folder / "weights", network, body, atlas, card)
    encoder_learns = any(each.requires_grad for each in network.encoder.parameters())
    if run.stage1 is not None and (encoder_learns or (run.stage1 / ENCODER_FILE).is_file()):
        keep_encoder(run.stage1, run.folder / "weights", body, atlas)
    if about_poser:  # it goes with the network that has learnt to hear it
        save_landmarks(run.folder / "weights", poser, body, atlas, about_poser)
    outlines = run.stage1 and run.stage1 / OUTLINES_FILE
    if outlines and outlines.is_file():
        save_weights(run.folder / "weights" / OUTLINES_FILE, *load_weights(outlines))
    return best


def train_outlines(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The network that outlines people: more of an earlier one, else of that which ships."""
    network, before = None, {}
    if run.stage1 is not None:
        network, before = load_outlines(run.stage1)
    if network is None:
        network, before = load_outlines(weights_folder("open"))
    assert network is not None
    about: dict[str, Any] = {"data": data_of(run), "goes_on_from": history(before)}
    people = posed_people(run, body, atlas)
    validation = synthetic_people(run, "val", body, atlas)
    cutouts = load_folder(run.occluders and run.occluders / "train", "RGBA", LONGEST_CUTOUT_PX)
    task = OutlineTask(network, people, validation, cutouts, run.validation)
    best = train(task, settings_of("outlines", run), run.folder, run.max_minutes, run.workers)
    state, about_run = best_state(run.folder)
    network.load_state_dict(state)
    save_outlines(run.folder / "weights", network, {**about_run, "recipe": "outlines", **about})
    return best


def train_stage2_geometry(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Stage 2's head on IUVs alone, fresh or from an earlier one. The encoder takes no part."""
    encoder = BlazePoseEncoder.pretrained()
    about: dict[str, Any] = {"data": "IUVs alone"}
    if run.geometry is None:
        size = HeadSize()
        model = new_stage2("dimr", encoder, body, atlas, size)
    else:
        model, size, before = load_stage2(run.geometry, encoder, body, atlas, variant="dimr")
        model, size = hear_surface(model, size, body, atlas)
        model.fuse.silence()  # what it knows of pictures belongs to another encoder
        about["goes_on_from"] = history(before)
    errors = None
    if run.seen is not None:
        seen = SeenSamples(run.seen / "train")
        errors = borrowed_errors(seen, body)
        if errors is not None:
            about["landmarks"] = f"errors borrowed from {len(errors.errors)} drawn people"
    task = _geometry_task(model, run, body, atlas, errors)
    return _train_head("stage2_geometry", task, size, run, atlas, about)


def _geometry_task(
    model: Dimr, run: Run, body: BodyModel, atlas: Atlas, errors: BorrowedErrors | None
) -> GeometryTask:
    return GeometryTask(
        model,
        body,
        synthetic_people(run, "train", body, atlas),
        synthetic_people(run, "val", body, atlas),
        num_validation=run.validation,
        errors=errors,
    )


def train_stage2(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Stage 2 on stage 1's features and IUVs, from a head that knows IUVs."""
    return _train_stage2("stage2", run, body, atlas)


def train_stage2_inpainting(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Parallel inpainting: stage 2 goes on with an occluded twin of each picture."""
    return _train_stage2("stage2_inpainting", run, body, atlas)


def train_stage2_photos(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Stage 2 goes on with labelled photographs in the mix: weights for research."""
    if run.seen is None or run.lspet is None:
        raise ValueError("stage2_photos needs what was seen and photographs (--seen, --lspet)")
    return _train_stage2("stage2_photos", run, body, atlas)


def _train_stage2(recipe: str, run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    if run.stage1 is None or run.geometry is None:
        raise ValueError(
            f"{recipe} needs the weights of stage 1 and a head (--stage1, --geometry)"
        )
    stage1 = load_stage1(run.stage1, body, atlas)
    encoder = stage1.encoder
    model, size, before = load_stage2(run.geometry, encoder, body, atlas, variant="dimr")
    model, size = hear_surface(model, size, body, atlas)
    encoder_hash = state_hash(encoder.state_dict())
    if before["recipe"] != "stage2_geometry" and before["encoder_hash"] != encoder_hash:
        raise ValueError(f"--geometry: {run.geometry} knows the pictures of another stage 1")
    twins = recipe == "stage2_inpainting"
    about = {"data": data_of(run), "goes_on_from": history(before)}
    if run.seen is None:
        task = PictureTask(
            model,
            body,
            stage1,
            synthetic_people(run, "train", body, atlas),
            synthetic_people(run, "val", body, atlas),
            num_validation=run.validation,
            inpainting=twins,
        )
    else:
        training = SeenSamples(
            run.seen / ("twins" if twins else "train"), endless=True, stage1=stage1
        )
        validation = SeenSamples(run.seen / "val", stage1=stage1)
        about["data"] = data_text(training.about["backgrounds"], training.about["occluders"])
        about["distinct_samples"] = training.count
        samples: Dataset = training
        if recipe == "stage2_photos":
            assert run.lspet is not None
            photos = see_photos(run.folder / "photos", stage1, run.lspet, run.occluders)
            samples = Alternating(AllKnown(training), photos)
            about["data"] += f"; photographs of LSP-Extended: {photos.count // VIEWS}"
            about["licence"] = RESEARCH
        beside = _geometry_task(model, run, body, atlas, borrowed_errors(training, body))
        task = SeenTask(model, body, samples, validation, twins, beside=beside)
        about["data"] += "; as many IUVs alone"
    return _train_head(recipe, task, size, run, atlas, about)


def _train_head(
    recipe: str,
    task: Stage2Task,
    size: HeadSize,
    run: Run,
    atlas: Atlas,
    about: dict[str, Any],
) -> dict[str, float]:
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    best = train(task, settings_of(recipe, run), run.folder, run.max_minutes, run.workers)
    state, about_run = best_state(run.folder, BEST if run.blend == 1 else LAST)
    if run.blend < 1:
        state = {
            name: torch.lerp(before[name], value, run.blend)
            if value.is_floating_point()
            else value
            for name, value in state.items()
        }
        about = {**about, "blend": run.blend}
    task.model.load_state_dict(state)
    if run.blend < 1:
        about_run["validation"] = best = task.validate(task.model.eval())
    card = {**about_run, "recipe": recipe, "variant": "dimr", **about}
    save_stage2(run.folder / "weights", task.model, size, task.body, atlas, card)
    return best


RECIPES: dict[str, Callable[[Run, BodyModel, Atlas], dict[str, float]]] = {
    "stage1": train_stage1,
    "stage1_decoder": train_stage1_decoder,
    "stage1_photos": train_stage1_photos,
    "outlines": train_outlines,
    "landmarks": train_landmarks,
    "landmarks_photos": train_landmarks_photos,
    "landmarks_spread": train_landmarks_spread,
    "stage2_geometry": train_stage2_geometry,
    "stage2": train_stage2,
    "stage2_inpainting": train_stage2_inpainting,
    "stage2_photos": train_stage2_photos,
    "paper": train_paper,
}

"""Recipes `landmarks` and `closer`, with `_photos` or without: see `dimr.train.recipes`."""

from typing import Any

from torch.utils.data import Dataset, Subset

from dimr.body.model import BodyModel
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.people import LONGEST_CUTOUT_PX
from dimr.evaluate.photos import EVERY, joint_photos
from dimr.surface.atlas import Atlas
from dimr.train.cards import RESEARCH, best_state, history
from dimr.train.landmark_samples import DrawnPeople, LabelledPeople, mended
from dimr.train.landmarks import LandmarkTask
from dimr.train.loop import train
from dimr.train.photos import Alternating
from dimr.train.run import Run, data_of, posed_people, settings_of, synthetic_people
from dimr.train.spread import learn_spread
from dimr.train.weights import (
    keep_landmarks,
    load_closer,
    load_landmarks,
    save_closer,
    save_landmarks,
)

KEPT_BACK = 2
"""Photographs whose number has this remainder by `EVERY` choose the best checkpoint, and tell the
network how far off it is."""
SPREAD_SAMPLES = 4000
"""People from whom it learns that, none of whom it was trained on."""


def train_landmarks(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The landmark network on synthetic people, from the original one or an earlier one."""
    return _train_landmarks("landmarks", run, body, atlas)


def train_landmarks_photos(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The landmark network goes on with labelled photographs in the mix: for research."""
    return _train_landmarks("landmarks_photos", run, body, atlas)


def train_closer(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """Who takes the last look for landmarks, on synthetic people."""
    return _train_landmarks("closer", run, body, atlas)


def train_closer_photos(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The same with labelled photographs in the mix: for research."""
    return _train_landmarks("closer_photos", run, body, atlas)


def _train_landmarks(recipe: str, run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    with_photos = recipe.endswith("_photos")
    if with_photos and run.lspet is None:
        raise ValueError(f"{recipe} needs photographs (--lspet)")
    network, before = load_landmarks(run.landmarks, body, atlas)
    finder = None
    if recipe.startswith("closer"):
        if run.landmarks is None or network.closer is None:
            raise ValueError(f"{recipe} needs a landmark network and a closer one (--landmarks)")
        finder, (network, before) = network, load_closer(run.landmarks, body, atlas)
        finder.eval().requires_grad_(False)
    about: dict[str, Any] = {"data": data_of(run)}
    if before:
        about["goes_on_from"] = history(before)
    samples: Dataset = DrawnPeople(posed_people(run, body, atlas), body)
    unseen, kept_back = samples, None
    if with_photos:
        assert run.lspet is not None
        occluders = run.occluders and run.occluders / "train"
        photos = mended(finder or network, joint_photos(run.lspet, validation=False))
        for_training = [photo for photo in photos if photo.number % EVERY != KEPT_BACK]
        others = [photo for photo in photos if photo.number % EVERY == KEPT_BACK]
        kept_back = LabelledPeople(others, [], augmented=False)
        cutouts = load_folder(occluders, "RGBA", LONGEST_CUTOUT_PX)
        samples = Alternating(samples, LabelledPeople(for_training, cutouts, run.seed))
        unseen = Alternating(unseen, LabelledPeople(others, cutouts, run.seed))
        about["data"] += f"; photographs of LSP-Extended: {len(for_training)}"
        about["licence"] = RESEARCH
    task = LandmarkTask(
        network,
        samples,
        DrawnPeople(synthetic_people(run, "val", body, atlas), body),
        run.validation,
        kept_back,
        finder,
    )
    settings = settings_of(recipe, run)
    best = train(task, settings, run.folder, run.max_minutes, run.workers)
    state, about_run = best_state(run.folder)
    network.load_state_dict(state)
    first = settings.steps * settings.batch_size  # none before was unseen
    unseen = Subset(unseen, range(first, first + SPREAD_SAMPLES))
    if finder is not None:
        finder.closer = network
    spread = learn_spread(finder or network, unseen, run.seed, run.workers)
    card = {**about_run, "recipe": recipe, **about, "spread": spread}
    folder = run.folder / "weights"
    if finder is None:
        save_landmarks(folder, network, body, atlas, card)
    else:
        assert run.landmarks is not None
        keep_landmarks(run.landmarks, folder)
        save_closer(folder, network, body, atlas, card)
    return best | spread

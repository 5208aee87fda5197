"""Recipes `landmarks`, `landmarks_photos` and `landmarks_spread`: see `dimr.train.recipes`."""

from dataclasses import replace
from typing import Any, NamedTuple

from torch.utils.data import Dataset, Subset

from dimr.body.model import BodyModel
from dimr.correspondence.landmarks import LandmarkNet, SecondOpinion
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
from dimr.train.weights import load_landmarks, save_landmarks

KEPT_BACK = 2
"""Photographs whose number has this remainder by `EVERY` choose the best checkpoint, and tell the
network how far off it is."""
SPREAD_SAMPLES = 4000
"""People from whom it learns that, none of whom it was trained on."""


def train_landmarks(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The landmark network on synthetic people, from the original one or an earlier one."""
    run = replace(run, lspet=None)
    return _train_landmarks("landmarks", run, body, atlas)


def train_landmarks_photos(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """The landmark network goes on with labelled photographs in the mix: for research."""
    if run.lspet is None:
        raise ValueError("landmarks_photos needs photographs (--lspet)")
    return _train_landmarks("landmarks_photos", run, body, atlas)


def train_landmarks_spread(run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    """How far off an earlier landmark network and its second opinion may be, learnt anew.

    With photographs (--lspet) if it has learnt from some.

    Raises:
        ValueError: if the run's seed is that of a part of the training, which has then seen these
            people.
    """
    if run.landmarks is None:
        raise ValueError("landmarks_spread needs a landmark network (--landmarks)")
    network, card = load_landmarks(run.landmarks, body, atlas)
    seeds = _seeds(card)
    if run.seed in seeds:
        raise ValueError(
            f"--seed: got {run.seed}, with which {run.landmarks} has learnt; want any but {seeds}"
        )
    people = _people(run, body, atlas, network, learns=False)
    card = {**card, "spread_data": people.data}
    if people.kept_back is not None:
        card["licence"] = RESEARCH
    return _finish(run, body, atlas, network, people, 0, card)


def _seeds(card: dict[str, Any]) -> list[int]:
    """Of all parts of a training, the last first; none of the original network."""
    if not card:
        return []
    return [card["settings"]["seed"], *_seeds(card.get("goes_on_from", {}))]


class _People(NamedTuple):
    """Whom a landmark network learns from."""

    samples: Dataset
    unseen: Dataset
    """The same people behind the last of `samples`; other photographs."""
    kept_back: LabelledPeople | None
    """Those photographs as they are."""
    data: str
    """What they are made of, for cards."""


def _people(
    run: Run, body: BodyModel, atlas: Atlas, network: LandmarkNet, learns: bool = True
) -> _People:
    drawn = DrawnPeople(posed_people(run, body, atlas), body)
    if run.lspet is None:
        return _People(drawn, drawn, None, data_of(run))
    occluders = run.occluders and run.occluders / "train"
    photos = joint_photos(run.lspet, validation=False)
    others = mended(network, [photo for photo in photos if photo.number % EVERY == KEPT_BACK])
    for_training = [photo for photo in photos if photo.number % EVERY != KEPT_BACK]
    for_training = mended(network, for_training) if learns else others
    cutouts = load_folder(occluders, "RGBA", LONGEST_CUTOUT_PX)
    return _People(
        Alternating(drawn, LabelledPeople(for_training, cutouts, run.seed)),
        Alternating(drawn, LabelledPeople(others, cutouts, run.seed)),
        LabelledPeople(others, [], augmented=False),
        f"{data_of(run)}; photographs of LSP-Extended: {len(for_training)}",
    )


def _train_landmarks(recipe: str, run: Run, body: BodyModel, atlas: Atlas) -> dict[str, float]:
    network, before = load_landmarks(run.landmarks, body, atlas)
    network.second = None  # it has nothing to learn but how far off it is, at the end
    people = _people(run, body, atlas, network)
    about: dict[str, Any] = {"data": people.data}
    if before:
        about["goes_on_from"] = history(before)
    if people.kept_back is not None:
        about["licence"] = RESEARCH
    task = LandmarkTask(
        network,
        people.samples,
        DrawnPeople(synthetic_people(run, "val", body, atlas), body),
        run.validation,
        people.kept_back,
    )
    settings = settings_of(recipe, run)
    best = train(task, settings, run.folder, run.max_minutes, run.workers)
    state, about_run = best_state(run.folder)
    network.load_state_dict(state)
    card = {**about_run, "recipe": recipe, **about}
    first = settings.steps * settings.batch_size
    return best | _finish(run, body, atlas, network, people, first, card)


def _finish(
    run: Run,
    body: BodyModel,
    atlas: Atlas,
    network: LandmarkNet,
    people: _People,
    first: int,
    card: dict[str, Any],
) -> dict[str, float]:
    """Teaches how far off landmarks may be, from the `first` unseen person on, and writes."""
    network.second = SecondOpinion()
    unseen = Subset(people.unseen, range(first, first + SPREAD_SAMPLES))
    spread = learn_spread(network, unseen, run.seed, run.workers)
    save_landmarks(run.folder / "weights", network, body, atlas, {**card, "spread": spread})
    return spread

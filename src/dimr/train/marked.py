"""Drawn pictures with somebody marked: as the first pass found them, or as it might have.

Every second sample may come from pictures that `dimr.train.first_pass` looked at, marked as
people were found there; the others are new pictures with imitated marks (`dimr.train.markers`).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int8, UInt8

from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.samples import CropSample
from dimr.train.markers import rough_markers
from dimr.train.surroundings import with_surroundings

FOUND_SHARE = 0.5
"""Of samples that are marked as somebody was found."""
LEAST_IOU = 0.1
"""Of somebody's true pixels with those found: less is nobody's mark."""
LEAST_PIXELS = 150
"""Of somebody else who is marked."""


class FoundPeople:
    """Whom the first pass found in the first pictures.

    Args:
        people: of each picture at stride 2, who was found: 1 for the surest, 0 for nobody.
    """

    def __init__(self, people: UInt8[np.ndarray, "N h w"]) -> None:
        self.people = people

    def pick(self, rng: np.random.Generator) -> int | None:
        """One of those pictures, or None: a new one with imitated marks."""
        return int(rng.integers(len(self.people))) if rng.random() < FOUND_SHARE else None

    def whom(
        self, number: int, person_id: Int8[np.ndarray, "h w"]
    ) -> dict[int, Float[np.ndarray, "2 h w"]]:
        """Who was found in a picture -> the marks that they and the others then have.

        Args:
            number: of the picture.
            person_id: whose each pixel is at stride 2, -1 for nobody's.
        """
        people, whom = self.people[number], {}
        for one in range(1, int(people.max()) + 1):
            mine = people == one
            hits = np.bincount(person_id[mine & (person_id >= 0)], minlength=1)
            who = int(hits.argmax())
            either = (mine | (person_id == who)).sum()
            if hits[who] >= max(1, LEAST_IOU * either):  # the best one comes first
                whom.setdefault(who, np.stack([mine, (people > 0) & ~mine]).astype(np.float32))
        return whom


class MarkedCrop(NamedTuple):
    """A drawn picture with somebody marked."""

    sample: CropSample
    who: int
    """Whose pixels are meant."""
    marker: Float[np.ndarray, "2 h w"]
    """At stride 2."""
    rng: np.random.Generator
    """For what else is drawn."""


class MarkedPeople:
    """Drawn people in pictures that are wider than crops, one of each picture marked, by index.

    Args:
        people: the generator.
        found: whom the first pass found in its first pictures; None imitates all marks.
    """

    def __init__(self, people: SyntheticPeople, found: FoundPeople | None = None) -> None:
        self.people, self.found = with_surroundings(people), found

    def draw(self, index: int, somebody_else: float = 0.0) -> MarkedCrop:
        """One picture; the share of pictures with others in which one of those is meant."""
        rng = np.random.default_rng([self.people.seed, index])
        number = None if self.found is None else self.found.pick(rng)
        sample = self.people.crop_sample(index if number is None else number)
        if self.found is not None and number is not None:
            whom = self.found.whom(number, sample.labels.person_id)
            others = [who for who in whom if who > 0]
            if others and rng.random() < somebody_else:
                who = int(rng.choice(others))
                return MarkedCrop(sample, who, whom[who], rng)
            if 0 in whom:
                return MarkedCrop(sample, 0, whom[0], rng)
        person_id, who = sample.labels.person_id, 0
        size = np.bincount(person_id[person_id >= 0], minlength=1)
        others = [each for each in range(1, len(size)) if size[each] >= LEAST_PIXELS]
        if others and rng.random() < somebody_else:
            who = int(rng.choice(others))
        mine = person_id == who
        return MarkedCrop(sample, who, rough_markers(mine, (person_id >= 0) & ~mine, rng), rng)

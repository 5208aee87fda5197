"""Drawn pictures with somebody marked as the first pass might mark them (`dimr.train.markers`)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.samples import CropSample
from dimr.train.markers import rough_markers
from dimr.train.surroundings import with_surroundings

LEAST_PIXELS = 150
"""Of somebody else who is marked."""


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
    """Drawn people in pictures that are wider than crops, one of each picture marked, by index."""

    def __init__(self, people: SyntheticPeople) -> None:
        self.people = with_surroundings(people)

    def draw(self, index: int, somebody_else: float = 0.0) -> MarkedCrop:
        """One picture; the share of pictures with others in which one of those is meant."""
        rng = np.random.default_rng([self.people.seed, index])
        sample = self.people.crop_sample(index)
        person_id, who = sample.labels.person_id, 0
        size = np.bincount(person_id[person_id >= 0], minlength=1)
        others = [each for each in range(1, len(size)) if size[each] >= LEAST_PIXELS]
        if somebody_else > 0 and others and rng.random() < somebody_else:
            who = int(rng.choice(others))
        mine = person_id == who
        return MarkedCrop(sample, who, rough_markers(mine, (person_id >= 0) & ~mine, rng), rng)

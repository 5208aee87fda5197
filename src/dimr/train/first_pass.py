"""Whom the first pass finds in pictures to train on: marks that err as marks do at inference.

Finding people takes longer than drawing them, so it is done once for some thousands of pictures
and kept in a folder; see `dimr.train.marked`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import SyntheticPeople
from dimr.image.crop import CORRESPONDENCE_STRIDE
from dimr.train.marked import FoundPeople
from dimr.train.processes import Processes
from dimr.train.seen import CHUNK, Rows, SeenSamples, stage1_hash, write_seen
from dimr.train.surroundings import with_surroundings

FOUND = 4000
"""Pictures that are kept."""
MOST_FOUND = 8
"""People of a picture whose pixels are kept."""


class DrawnPictures(Dataset):
    """Pictures by number, as `see_found` wants them."""

    def __init__(self, people: SyntheticPeople) -> None:
        self.people = with_surroundings(people)

    def __getitem__(self, number: int) -> UInt8[np.ndarray, "S S 3"]:
        """One of those that `MarkedPeople` draws."""
        return self.people.crop_sample(number).image


class _Finder(Dataset):
    """Labels of the pixels of whom stage 1 finds: 1 for the surest person, 0 for nobody."""

    def __init__(self, stage1: Stage1, pictures: Dataset) -> None:
        self.stage1, self.pictures = stage1, pictures

    def __getitem__(self, number: int) -> Rows:
        torch.set_num_threads(1)
        picture = self.pictures[number]
        grid = len(picture) // CORRESPONDENCE_STRIDE
        people = np.zeros((grid, grid), np.uint8)
        found = self.stage1.find_people(picture)[:MOST_FOUND]
        for one, person in reversed(list(enumerate(found, start=1))):
            small = cv2.resize(
                person.mask.astype(np.float32), (grid, grid), None, 0, 0, cv2.INTER_AREA
            )
            people[small > 0.5] = one
        return {"people": people}


def see_found(
    folder: Path,
    stage1: Stage1,
    pictures: Dataset,
    about: dict[str, Any],
    count: int,
    workers: int = 0,
) -> FoundPeople:
    """Finds everybody in square pictures, or goes on, or reads what was found.

    Args:
        folder: for `write_seen`.
        stage1: who looks.
        pictures: by number.
        about: what they depend on.
        count: how many.
        workers: processes that look.

    Raises:
        ValueError: if the folder holds something else.
    """
    finder = _Finder(stage1, pictures)

    def rows_from(first: int) -> Iterator[Rows]:
        rest = Subset(finder, range(first, count))
        for batch in DataLoader(rest, batch_size=CHUNK, num_workers=workers):
            yield {name: value.numpy() for name, value in batch.items()}

    processes = Processes.current()
    if processes.is_first:
        write_seen(folder, {"stage1": stage1_hash(stage1), **about}, count, rows_from)
    processes.wait()
    return FoundPeople(SeenSamples(folder).arrays["people"])

"""Photographs with masks for stage 1: recipe `stage1_photos`, weights `research`.

Street photographs (Clothing Co-Parsing) show which pixels are a person's and nothing of the
surface: they teach the outline alone, as somebody who is marked or as somebody to be found, in
front of nothing or behind pasted things. Synthetic samples of the same batch keep the surface.

The photographs that `dimr eval REALVAL` measures on never take part.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from torch.utils.data import Dataset

from dimr.correspondence.landmarks import AROUND
from dimr.correspondence.network import MARKER_CHANNELS
from dimr.data.occlusion import Cutout, occlude
from dimr.data.synthetic import compose
from dimr.data.synthetic.people import PeopleLabels
from dimr.evaluate.photos import PASTING, street_numbers
from dimr.image.crop import CORRESPONDENCE_STRIDE, crop_picture, mask_box_px
from dimr.image.load import load_picture
from dimr.train.markers import rough_markers
from dimr.train.stage1 import (
    CENTRE_STRIDE,
    CYCLE,
    centre_map,
    nobody_found,
    nothing_around,
    offset_map,
)
from dimr.train.surroundings import middle_of
from dimr.types import Crop

UNMARKED_SHARE = 0.25
"""Of the photographs: somebody to be found."""
BEHIND = 0.4
"""Share of the photographs that things are pasted on."""
SIZE = 192
"""Side of the samples."""


class StreetSamples(Dataset):
    """Photographs of one person with a mask, framed at random, by index without end.

    Args:
        folder: with images/ID.jpg and mask/ID.png; the numbers for validation are left out.
        cutouts: to be pasted.
        seed: of framing, marks and what is pasted.
    """

    def __init__(self, folder: Path, cutouts: list[Cutout], seed: int = 0) -> None:
        self.folder, self.cutouts, self.seed = folder, cutouts, seed
        self.numbers = street_numbers(folder, validation=False)

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """As `Stage1Samples` gives them; `part` and `position_m` are zero."""
        rng = np.random.default_rng([self.seed, index])
        number = self.numbers[rng.integers(len(self.numbers))]
        picture = load_picture(self.folder / "images" / f"{number}.jpg")
        mask = load_picture(self.folder / "mask" / f"{number}.png")[..., 0] > 0
        picture, mask = self._frame(picture, mask, rng)
        if self.cutouts and rng.random() < BEHIND:
            picture, pasted = occlude(picture, self.cutouts, rng, PASTING)
            mask &= ~pasted
        grid = len(picture) // CORRESPONDENCE_STRIDE
        visible = (
            cv2.resize(mask.astype(np.float32), (grid, grid), None, 0, 0, cv2.INTER_AREA) > 0.5
        )
        marker = rough_markers(visible, np.zeros_like(visible), rng).astype(np.float32)
        image, visible = (
            middle_of(picture, SIZE),
            middle_of(visible, SIZE // CORRESPONDENCE_STRIDE),
        )
        side = SIZE // CENTRE_STRIDE
        if rng.random() >= UNMARKED_SHARE:
            return {
                "around": picture,
                "around_marker": marker,
                "image": image,
                "marker": np.stack([middle_of(mark, len(visible)) for mark in marker]),
                "visible": visible,
                **no_surface(visible),
                **nobody_found(side),
            }
        person_id = np.where(middle_of(mask, SIZE), 0, -1).astype(np.int8)
        boxes, centres = compose.visible_boxes(person_id, 1)
        people = PeopleLabels(boxes, centres, np.ones(1, np.float32))
        coarse_id = np.where(visible, 0, -1).astype(np.int8)[::2, ::2]
        return nothing_around(image) | {
            "image": image,
            "marker": np.zeros((MARKER_CHANNELS, *visible.shape), np.float32),
            "visible": visible,
            **no_surface(visible),
            "centre": centre_map(people, side),
            "coarse_id": coarse_id,
            "offset": offset_map(coarse_id, people),
            "is_scene": np.float32(1),
        }

    @staticmethod
    def _frame(
        picture: UInt8[np.ndarray, "H W 3"],
        mask: Bool[np.ndarray, "H W"],
        rng: np.random.Generator,
    ) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "S S"]]:
        """A square window around the person's crop, smaller and larger, off, or mirrored."""
        box = mask_box_px(mask)
        extent = float((box[2:] - box[:2]).max())
        middle = (box[:2] + box[2:]) / 2 + rng.normal(0, 0.05, 2) * extent
        side = float(rng.uniform(1.0, 1.5)) * extent
        place = float(middle[0]), float(middle[1])
        size = round(AROUND * SIZE)
        crop = Crop(place, AROUND * side, size, float(rng.normal(0, 0.1)))
        framed = crop_picture(picture, crop)
        mask = crop_picture(mask.astype(np.float32), crop) > 0.5
        if rng.random() < 0.5:
            framed, mask = framed[:, ::-1], mask[:, ::-1]
        return np.ascontiguousarray(framed), np.ascontiguousarray(mask)


def no_surface(visible: Bool[np.ndarray, "h w"]) -> dict[str, np.ndarray]:
    """Labels of photographs, which say nothing of it."""
    return {
        "part": np.zeros(visible.shape, np.int64),
        "position_m": np.zeros((3, *visible.shape), np.float32),
    }


class WithStreet(Dataset):
    """Synthetic samples, some of which are photographs instead.

    Args:
        synthetic: `Stage1Samples`.
        street: photographs.
    """

    INSTEAD = (1, 2, 6)
    """Of a cycle: half of the marked crops."""

    def __init__(self, synthetic: Dataset, street: Dataset) -> None:
        self.synthetic, self.street = synthetic, street

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample."""
        return (self.street if index % CYCLE in self.INSTEAD else self.synthetic)[index]

"""Drawn pictures that are wider than crops, and the crops in them that rough marks lead to.

At inference a crop is made for what is seen of somebody, and landmarks are looked for around it,
too: what learns from drawn people is to be given the same.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from dimr.correspondence.landmarks import AROUND
from dimr.correspondence.people import CROP_MARGIN
from dimr.data.synthetic.people import SyntheticPeople
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    crop_picture,
    crop_to_norm,
    mask_box_px,
    norm_to_crop,
)
from dimr.types import Crop

PICTURE_SIZE = 256
"""Side of a drawn picture: people in it are as large as in stage 1's crops."""
BOX_SCALE = (1.3, 2.2)
"""Of drawn pictures: there is something around the crop."""
SHIFT, ZOOM = 0.03, 0.06
"""How far off a crop may be: standard deviations of its middle, in sides, and of its size."""
LEAST_MARK, LEAST_SIDE_NORM = 0.1, 0.1
"""From which a pixel is the mark's; of somebody's box."""


def with_surroundings(people: SyntheticPeople) -> SyntheticPeople:
    """The same people in wider pictures."""
    return people.reconfigured(replace(people.config, box_scale=BOX_SCALE), PICTURE_SIZE)


class RoughCrop(NamedTuple):
    """Where a rough mark leads to in a square picture."""

    middle: Float[np.ndarray, "2"]
    """Of crop and surroundings, in normalised coordinates of the picture."""
    half: float
    """Half the side of the crop, in the same."""
    size: int
    """Side of the crop in pixels of its own."""

    @classmethod
    def around(
        cls,
        marker: Float[np.ndarray, "2 h w"],
        visible: Bool[np.ndarray, "h w"],
        rng: np.random.Generator,
        size: int,
    ) -> "RoughCrop":
        """The crop that a mark leads to."""
        mark = marker[0] > LEAST_MARK
        somebody = mark if mark.any() else visible
        box = np.array([-1.0, -1.0, 1.0, 1.0])
        if somebody.any():
            box = crop_to_norm(mask_box_px(somebody).astype(float), len(visible))
        wide = AROUND * CROP_MARGIN * max(*(box[2:] - box[:2]), LEAST_SIDE_NORM) / 2
        wide *= np.exp(rng.normal(0, ZOOM))
        middle = (box[:2] + box[2:]) / 2 + 2 * wide * rng.normal(0, SHIFT, 2)
        return cls(middle, float(wide / AROUND), size)

    def wider(self) -> "RoughCrop":
        """Its surroundings."""
        return RoughCrop(self.middle, AROUND * self.half, round(AROUND * self.size))

    def of_picture(self, picture: UInt8[np.ndarray, "S S 3"]) -> UInt8[np.ndarray, "P P 3"]:
        """What is in it of a whole picture."""
        return crop_picture(picture, self.window(len(picture), self.size))

    def of_labels(self, labels: Float32[np.ndarray, "H W *C"], nearest: bool = False):
        """Maps of the whole picture -> those of the crop, at the stride of IUVs."""
        window = self.window(len(labels), self.size // CORRESPONDENCE_STRIDE)
        return crop_picture(labels, window, nearest)

    def window(self, length: int, size: int) -> Crop:
        """In pixels of square pictures with this side."""
        x, y = norm_to_crop(self.middle, length)
        return Crop((float(x), float(y)), self.half * length, size)

    def see(
        self, picture: UInt8[np.ndarray, "S S 3"], marker: Float[np.ndarray, "2 h w"]
    ) -> dict[str, np.ndarray]:
        """`image` and `marker` of the crop, `around` and `around_marker` of its surroundings."""
        wider, small = self.wider(), self.size // CORRESPONDENCE_STRIDE
        around = wider.of_picture(picture)
        marks = wider.of_labels(np.dstack([*marker]).astype(np.float32)).transpose(2, 0, 1)
        return {
            "image": middle_of(around, self.size),
            "marker": np.stack([middle_of(mark, small) for mark in marks]),
            "around": around,
            "around_marker": np.ascontiguousarray(marks),
        }


def middle_of(picture: np.ndarray, size: int) -> np.ndarray:
    """So many rows and columns around the middle."""
    rim = (len(picture) - size) // 2
    return np.ascontiguousarray(picture[rim : rim + size, rim : rim + size])

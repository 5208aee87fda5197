"""What else a crop of somebody outlined might have shown: others and things before them, light.

The generator draws bodies and things of its own; people cut out of other crops and photographed
things hide in other ways. Whatever is pasted hides the picture and the true outline alike, while
the marks know of it, or not, as they would at inference.
"""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from dimr.correspondence.people import of_marks
from dimr.data.occlusion import Cutout
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    crop_picture,
    crop_to_full,
    picture_centre_px,
)
from dimr.train.landmark_samples import shaded
from dimr.train.markers import roughen
from dimr.types import Crop

PERSON, THING = 0.25, 0.3
"""Share of crops with somebody, or something, pasted."""
PERSON_SCALE, THING_SCALE = (0.6, 1.4), (0.15, 0.8)
"""Range of their size over that of the crop, log-uniform: of the whole crop somebody is cut from,
of the longer side of a cut-out."""
OFF, TILT_RAD = 1 / 16, 0.3
"""How far from somebody's pixels things are pasted, in sides, and how they are turned: standard
deviations."""
LEAST_LEFT, LEAST_LEFT_PIXELS = 0.2, 40
"""Of somebody's visible label pixels: what would leave less of them is not pasted."""
THING_KNOWN = 0.4
"""Share of things that the mark leaves out."""
THEIRS_KNOWN, SHARED_MARK, WRONG_MARK = 0.35, 0.25, 0.15
"""Share of pasted people whose outline is known as another's, belongs to the mark, or is all of
it; nobody knows of the rest."""
DIVIDED = 0.7
"""Share of the first of these whom the mark leaves out."""
SHADED, LIMBLESS, MIRRORED = 0.5, 0.1, 0.5
"""Shares of the crops."""


class OutlineCrop(NamedTuple):
    """Somebody's crop, S = 2h pixels wide, with what `OutlineNet` hears and is to say."""

    image: UInt8[np.ndarray, "S S 3"]
    marks: Float32[np.ndarray, "4 h h"]
    """As in `OUTLINE_MARKS`, in [0, 1]."""
    visible: Float32[np.ndarray, "h h"]
    """The share of each label pixel that shows who is meant; they are seen somewhere."""


def augmented(
    crop: OutlineCrop,
    others: list[OutlineCrop],
    cutouts: list[Cutout],
    rng: np.random.Generator,
) -> OutlineCrop:
    """Another crop of the same person.

    Args:
        crop: left as it is.
        others: from which somebody may be pasted.
        cutouts: RGBA, of which one may be pasted.
        rng: source of all randomness.
    """
    if others and rng.random() < PERSON:
        crop = behind_somebody(crop, others[rng.integers(len(others))], rng)
    if cutouts and rng.random() < THING:
        crop = behind_thing(crop, cutouts[rng.integers(len(cutouts))], rng)
    if rng.random() < SHADED:
        crop = crop._replace(image=shaded(crop.image, rng))
    if rng.random() < LIMBLESS:
        crop = without_limbs(crop)
    return mirrored(crop) if rng.random() < MIRRORED else crop


def behind_somebody(
    crop: OutlineCrop, other: OutlineCrop, rng: np.random.Generator
) -> OutlineCrop:
    """With the person of another crop pasted near, whose limbs are the others'; the same crop if
    too little would be left, or nothing of them be seen.
    """
    side = len(other.image)
    window = window_near(crop, (side, side), PERSON_SCALE, rng)
    labels = _of_labels(window)
    alpha = crop_picture(other.visible, labels)
    pasted = covered(crop, crop_picture(other.image, window), alpha)
    theirs = roughen((_halved(alpha) > 0.5).astype(np.float32), rng, mild=True)
    if pasted is None or not theirs.any():
        return crop
    own, known, limbs, others_limbs = pasted.marks
    others_limbs = np.maximum(others_limbs, crop_picture(other.marks[2], of_marks(labels)))
    case = rng.random()
    if case < THEIRS_KNOWN:
        known = np.maximum(known, theirs)
        if rng.random() < DIVIDED:
            own = own * (1 - theirs)
    elif case < THEIRS_KNOWN + SHARED_MARK:
        own = np.maximum(own, theirs)
    elif case < THEIRS_KNOWN + SHARED_MARK + WRONG_MARK:
        own = theirs
    return pasted._replace(marks=np.stack([own, known, limbs, others_limbs]))


def behind_thing(crop: OutlineCrop, cutout: Cutout, rng: np.random.Generator) -> OutlineCrop:
    """With a cut-out pasted near; the same crop if too little would be left."""
    height, width = cutout.shape[:2]
    thing = crop_picture(cutout, window_near(crop, (width, height), THING_SCALE, rng))
    alpha = thing[..., 3].astype(np.float32) / 255
    pasted = covered(crop, shaded(thing[..., :3], rng), alpha)
    if pasted is None:
        return crop
    if rng.random() < THING_KNOWN:
        marks = pasted.marks.copy()
        marks[0] *= 1 - _halved(alpha)
        pasted = pasted._replace(marks=marks)
    return pasted


def window_near(
    crop: OutlineCrop,
    size_px: tuple[int, int],
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> Crop:
    """A window of a picture that, laid on a crop, shows the picture's middle near who is meant.

    Args:
        crop: somebody is visible.
        size_px: width and height of the picture.
        scale: range of the size of its longer side, in sides of the crop.
        rng: place, size and turn.
    """
    side = len(crop.image)
    spots = np.argwhere(crop.visible > 0.5)[:, ::-1]
    spot_px = CORRESPONDENCE_STRIDE * spots[rng.integers(len(spots))] + 0.5
    spot_px = spot_px + rng.normal(0, OFF * side, 2)
    extent = float(np.exp(rng.uniform(*np.log(scale))))
    middle = picture_centre_px(*size_px)
    window = Crop(middle, max(size_px) / extent, side, float(rng.normal(0, TILT_RAD)))
    # The window's own middle lies as far beyond the picture's as that is to lie beyond it.
    x, y = crop_to_full(window, side - 1 - spot_px)
    return replace(window, centre_px=(float(x), float(y)))


def covered(
    crop: OutlineCrop,
    picture: UInt8[np.ndarray, "S S 3"],
    alpha: Float32[np.ndarray, "S S"],
) -> OutlineCrop | None:
    """With a picture laid over image and truth; None if too little of somebody would be left.

    Args:
        crop: its marks stay.
        picture: of the crop's size.
        alpha: how much of the picture each pixel shows, in [0, 1].
    """
    share = alpha[..., None]
    image = np.rint((1 - share) * crop.image + share * picture).astype(np.uint8)
    visible = crop.visible * (1 - _halved(alpha))
    left, before = (visible > 0.5).sum(), (crop.visible > 0.5).sum()
    if left < max(LEAST_LEFT_PIXELS, LEAST_LEFT * before):
        return None
    return crop._replace(image=image, visible=visible)


def without_limbs(crop: OutlineCrop) -> OutlineCrop:
    """As if nobody had been sighted."""
    marks = crop.marks.copy()
    marks[2:] = 0
    return crop._replace(marks=marks)


def mirrored(crop: OutlineCrop) -> OutlineCrop:
    """Left and right exchanged in all of it."""
    return OutlineCrop(
        np.ascontiguousarray(crop.image[:, ::-1]),
        np.ascontiguousarray(crop.marks[..., ::-1]),
        np.ascontiguousarray(crop.visible[:, ::-1]),
    )


def _of_labels(window: Crop) -> Crop:
    """The same window of a picture's labels, at the same resolution."""
    x, y = ((each - 0.5) / CORRESPONDENCE_STRIDE for each in window.centre_px)
    return replace(window, centre_px=(x, y), side_px=window.side_px / CORRESPONDENCE_STRIDE)


def _halved(alpha: Float32[np.ndarray, "S S"]) -> Float32[np.ndarray, "h h"]:
    """Means over label pixels."""
    side = len(alpha) // CORRESPONDENCE_STRIDE
    return cv2.resize(alpha, (side, side), None, 0, 0, cv2.INTER_AREA)

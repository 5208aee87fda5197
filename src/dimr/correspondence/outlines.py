"""Whose the visible pixels are: outlines told by everybody's limbs.

The networks that outline people (`confirm.py`) were trained on single people: they take two who
touch for one, and draw on over what stands before somebody. Where several were sighted, their
limbs say who is meant, if not quite: those that are hidden are drawn through whoever stands in
front. `OutlineNet` hears outlines and limbs, sees with an encoder that knows what things look
like, and says one thing only, where the visible pixels of who is meant are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor, nn

from dimr.correspondence.confirm import overlap
from dimr.correspondence.network import CorrespondenceNet
from dimr.correspondence.people import (
    CROP_MARGIN,
    CROP_SIZE,
    is_apart,
    largest_pieces,
    mark_others,
    marks_of,
    mask_to_detection,
    of_marks,
)
from dimr.correspondence.sightings import EDGES, Sighting
from dimr.encoder.blazepose import Pyramid
from dimr.encoder.lite0 import DETAIL_CHANNELS, Lite0Encoder
from dimr.image.crop import (
    box_to_crop,
    crop_picture,
    full_to_crop,
    pick_by_box,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.surface.parts import NUM_CHARTS
from dimr.types import Crop, Detection

OUTLINE_MARKS = 4
"""The outline of who is meant, those of the others, the limbs of the former and of the latter."""
STICKS = (*EDGES, (5, 6), (11, 12), (5, 11), (6, 12), (0, 5), (0, 6))
"""Limbs, the trunk's sides and two from the shoulders to the nose: pairs of keypoints."""
STICK_SPREAD = 0.06
"""Standard deviation of a stick's rim, in the longer side of the box."""
LEAST_SEEN = 0.05
"""A limb is drawn as strongly as the less seen of its ends is; less than this is not drawn."""
SAME_CLAIM = 0.75
"""Of the pixels that somebody claims: whoever claims so many of a surer one's is that person."""
OUTLINE_TRUST = 0.49
"""Weight of the outline that somebody has in `outline_of`. The network has learnt from drawn
people: it takes pixels where it is sure (less than .02), and adds those of which it is as sure."""
LEAST_PIXELS = 30
"""Of the picture; who has fewer keeps the outline they had."""


class Sighted(NamedTuple):
    """Somebody in a picture."""

    sighting: Sighting
    person: Detection
    """Outlined where they were sighted."""


class OutlineNet(CorrespondenceNet):
    """Features and marks of people's crops -> who is there; it speaks of no surface.

    The decoder is that of stage 1's second pass. Initial weights are random.
    """

    def __init__(self) -> None:
        centres_m = torch.zeros(NUM_CHARTS, 3)
        super().__init__(Lite0Encoder(), centres_m, DETAIL_CHANNELS, marks=OUTLINE_MARKS)
        del self.hint, self.attend_hint, self.people  # nothing that it says needs them
        self.heads = nn.Conv2d(self.heads.in_channels, 1, 1)

    def outline(
        self, features: Pyramid, marks: Float[Tensor, "B 4 h w"]
    ) -> Float[Tensor, "B h w"]:
        """Logit of whoever is meant, at stride 2."""
        stride_4 = self.climb(features, marks, None)
        return self.heads(self.finest(features, marks, stride_4))[:, 0]


def sighted_crop(sighting: Sighting) -> Crop:
    """The window in which somebody is outlined."""
    return box_to_crop(sighting.box_px, CROP_SIZE, CROP_MARGIN)


def limb_map(sighting: Sighting, window: Crop) -> Float32[np.ndarray, "h h"]:
    """Somebody's limbs, soft sticks in [0, 1], in a window of that resolution."""
    points = full_to_crop(window, sighting.keypoints_px).astype(np.float32)
    spread = max(1.0, STICK_SPREAD * sighting.length_px * window.size / window.side_px)
    y, x = np.mgrid[: window.size, : window.size].astype(np.float32)
    limbs = np.zeros((window.size, window.size), np.float32)
    for ends in STICKS:
        sure = float(sighting.seen[list(ends)].min())
        if sure < LEAST_SEEN:
            continue
        start, along = points[ends[0]], points[ends[1]] - points[ends[0]]
        length = max(float(along @ along), 1e-3)
        share = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length
        share = share.clip(0, 1)
        squared = (x - start[0] - share * along[0]) ** 2 + (y - start[1] - share * along[1]) ** 2
        limbs = np.maximum(limbs, sure * np.exp(-squared / (2 * spread**2)))
    return limbs


def limb_maps(sightings: list[Sighting], who: int, crop: Crop) -> Float32[np.ndarray, "2 h h"]:
    """The limbs of one of those who were sighted, and of all the others."""
    window = of_marks(crop)
    own = limb_map(sightings[who], window)
    others = [limb_map(each, window) for k, each in enumerate(sightings) if k != who]
    return np.stack([own, np.max(others, axis=0) if others else np.zeros_like(own)])


def claims_of(
    network: OutlineNet, picture: UInt8[np.ndarray, "H W 3"], seen: list[Sighted]
) -> Iterator[Bool[np.ndarray, "H W"] | None]:
    """The pixels of each of those who were sighted, of whoever touches nobody else, too; one
    after the other: pictures may be large.

    None for whoever was sighted in a box without an inside, or has no pixel.
    """
    people = mark_others([each.person for each in seen])
    sightings = [each.sighting for each in seen]
    for k, person in enumerate(people):
        share = _claim(network, picture, sightings, k, person)
        yield None if share is None else share > 0.5


def tell_apart(
    network: OutlineNet, picture: UInt8[np.ndarray, "H W 3"], seen: list[Sighted]
) -> list[Sighted]:
    """The same people; those who touch others have the pixels that are more theirs than anybody's.

    Whoever claims much the same pixels as somebody surer is that person, sighted twice, and stays
    as they are; so does who touches nobody else, or was sighted in a box without an inside.

    Args:
        network: on the device where it is.
        picture: RGB.
        seen: everybody who was sighted and outlined; outlines may be of several at once.
    """
    sightings = [each.sighting for each in seen]
    people = mark_others([each.person for each in seen])
    claims: dict[int, Bool[np.ndarray, "H W"]] = {}
    best = np.full(picture.shape[:2], 0.5, np.float32)
    whose = np.full(picture.shape[:2], -1, np.int16)
    for k, person in enumerate(people):  # one after the other: pictures may be large
        if is_apart(person, people):
            continue
        share = _claim(network, picture, sightings, k, person)
        if share is None:
            continue
        claim = share > 0.5
        if any(overlap(claim, each) >= SAME_CLAIM for each in claims.values()):
            continue
        claims[k] = claim
        more = share > best
        best[more], whose[more] = share[more], k
    told = list(seen)
    for k in claims if len(claims) > 1 else ():
        mask = largest_pieces(whose == k)
        if mask.sum() >= LEAST_PIXELS:
            told[k] = Sighted(seen[k].sighting, mask_to_detection(people[k].score, mask))
    return told


def outline_of(
    network: OutlineNet,
    picture: UInt8[np.ndarray, "H W 3"],
    person: Detection,
    sightings: list[Sighting],
) -> Bool[np.ndarray, "H W"]:
    """The visible pixels of somebody, as far as the network and the outline they have agree.

    Args:
        network: on the device where it is.
        picture: RGB.
        person: outlined, maybe over what hides them; knows the others' pixels.
        sightings: of everybody; whose box fits the person's best is their own.
    """
    crop = box_to_crop(person.box_px, CROP_SIZE, CROP_MARGIN)
    who = pick_by_box([each.box_px for each in sightings], person.box_px)
    side = of_marks(crop).size
    limbs = np.zeros((2, side, side), np.float32)
    if who is not None:
        limbs = limb_maps(sightings, who, crop)
    share = _share(network, picture, person, crop, limbs)
    return (1 - OUTLINE_TRUST) * share + OUTLINE_TRUST * person.mask > 0.5


@torch.inference_mode()
def _share(
    network: OutlineNet,
    picture: UInt8[np.ndarray, "H W 3"],
    person: Detection,
    crop: Crop,
    limbs: Float32[np.ndarray, "2 h h"],
) -> Float32[np.ndarray, "H W"]:
    """How probably each pixel of the picture shows somebody, asked in a crop."""
    marks = np.concatenate([marks_of(person, crop), limbs])
    place = next(network.parameters()).device
    image = picture_to_tensor(crop_picture(picture, crop)).to(place)
    features, marker = network.encoder.features(image), torch.from_numpy(marks)[None].to(place)
    share = network.outline(features, marker)[0].sigmoid().cpu().numpy()
    return uncrop_picture(share, crop, (picture.shape[1], picture.shape[0]))


def _claim(
    network: OutlineNet,
    picture: UInt8[np.ndarray, "H W 3"],
    sightings: list[Sighting],
    who: int,
    person: Detection,
) -> Float32[np.ndarray, "H W"] | None:
    """The same of one of those who were sighted, where they were; None for a box without an
    inside, and where no pixel probably shows them.
    """
    box = sightings[who].box_px
    if not (box[:2] < box[2:]).all():
        return None
    crop = sighted_crop(sightings[who])
    share = _share(network, picture, person, crop, limb_maps(sightings, who, crop))
    return share if share.max() > 0.5 else None

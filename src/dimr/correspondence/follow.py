"""Sightings -> outlines: whoever was sighted is looked at, told apart, and sought behind others.

Of two people one of whom mostly hides the other MoveNet sees the one in front. Where pixels of
people are left that nobody has, those who were found are painted over with what is around them,
and the picture without them is looked at once more.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from dimr.correspondence.confirm import confirm, is_new, pixels_of, upright_window
from dimr.correspondence.outlines import OutlineNet, Sighted, claims_of, tell_apart
from dimr.correspondence.people import largest_pieces, mask_to_detection, unexplained_pixels
from dimr.correspondence.sightings import SIDES_PX, Sighting, find_sightings, sighted_limbs
from dimr.encoder.blazepose import BlazePose
from dimr.encoder.blazepose_heavy import BlazePoseHeavy
from dimr.encoder.movenet import MoveNet
from dimr.types import Detection

SIGHTED = 0.2
"""Presence from which somebody who was sighted is there."""
LEAST_HIDDEN = 0.05
"""Score of a sighting in the picture without those in front from which somebody may be there."""
HIDDEN_SHARE = 0.2
"""Of the pixels of the largest of those in front: who has fewer is a part of somebody."""
HIDDEN_PEOPLE = 0.35
"""Share of somebody's pixels that the first pass has to take for people's."""
PAINTED_PX = 256
"""Longer side of what is painted: MoveNet sees no more."""
PAINT_REACH, PAINT_RIM = 3, 2
"""Pixels of that: how far colours are taken from, and what is painted beside somebody, too."""


class FollowUp(NamedTuple):
    """The networks that outline those who were sighted.

    `larger` has a say in outlines, `outliner` tells people apart and knows whom to paint over;
    without the latter nobody is sought behind others.
    """

    spotter: MoveNet | None
    confirmer: BlazePose
    larger: BlazePoseHeavy | None
    outliner: OutlineNet | None

    def people(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        sightings: list[Sighting],
        everyone: Bool[np.ndarray, "H W"],
    ) -> tuple[list[Detection], list[Sighting]]:
        """Those who were sighted and are there, and all sightings, of those behind them, too.

        Args:
            picture: RGB.
            sightings: the surest first.
            everyone: pixels of anybody, as far as the first pass knows.
        """
        outlined = [(each, self.look(picture, each)) for each in sightings]
        seen = [Sighted(each, person) for each, person in outlined if person is not None]
        in_front, hidden = len(seen), self.hidden(picture, seen, everyone)
        if self.outliner is not None:
            seen = tell_apart(self.outliner, picture, seen + hidden)
        found: list[Detection] = []
        for number, (sighting, person) in enumerate(seen):
            if number < in_front and not is_new(person, found):
                known = pixels_of(found) & ~sighted_limbs(sighting, picture.shape[:2]).mask
                person = self.look(picture, sighting, known)
            if person is not None and is_new(person, found):
                found.append(person._replace(score=math.sqrt(person.score * sighting.score)))
        return found, sightings + [each.sighting for each in hidden]

    def look(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        sighting: Sighting,
        known: Bool[np.ndarray, "H W"] | None = None,
    ) -> Detection | None:
        """Whoever stands where somebody was sighted and is none of those who are known."""
        window = upright_window(*sighting.body_px)
        if window is None:
            return None
        return confirm(self.confirmer, picture, window, known, SIGHTED, self.larger)

    def hidden(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        seen: list[Sighted],
        everyone: Bool[np.ndarray, "H W"],
    ) -> list[Sighted]:
        """Whom those who were seen hide."""
        if self.spotter is None or self.outliner is None or not seen:
            return []
        outlined = [each.person for each in seen]
        largest = max(int(person.mask.sum()) for person in outlined)
        left = unexplained_pixels(everyone, pixels_of(outlined))
        if left < HIDDEN_PEOPLE * HIDDEN_SHARE * largest:
            return []
        known, largest = np.zeros_like(everyone), 0
        for each, claim in zip(seen, claims_of(self.outliner, picture, seen), strict=True):
            claim = each.person.mask if claim is None else claim
            known, largest = known | claim, max(largest, int(claim.sum()))
        least, rest = HIDDEN_SHARE * largest, paint_over(picture, known)
        found: list[Sighted] = []
        for sighting in find_sightings(self.spotter, rest, LEAST_HIDDEN, SIDES_PX[:1]):
            person = self.look(rest, sighting) if sighting.score >= LEAST_HIDDEN else None
            if person is None:
                continue
            mask = person.mask & ~known
            if mask.sum() < least or (mask & everyone).sum() < HIDDEN_PEOPLE * mask.sum():
                continue
            person = mask_to_detection(person.score, largest_pieces(mask))
            if is_new(person, [other.person for other in found]):
                found.append(Sighted(sighting, person))
        return found


def paint_over(
    picture: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture with what is around a mask in its place (Telea's fast marching), coarsely; black
    where there is nothing around.
    """
    height, width = mask.shape
    shrink = min(1.0, PAINTED_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    kernel = np.ones((2 * PAINT_RIM + 1, 2 * PAINT_RIM + 1), np.uint8)
    covered = cv2.dilate((share > 0).astype(np.uint8), kernel)
    if covered.all():
        return np.zeros_like(picture)
    painted = cv2.inpaint(small, covered, PAINT_REACH, cv2.INPAINT_TELEA)
    if shrink == 1:
        return painted
    large = cv2.resize(painted, (width, height), interpolation=cv2.INTER_LINEAR)
    inside = cv2.resize(covered, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return np.where(inside[..., None], large, picture)

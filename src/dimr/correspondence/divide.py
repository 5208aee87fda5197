"""Outlines that touch -> pixels of one person each, and of whoever else must be there.

A network that is told whom a mark means knows where one person ends and another begins. One
after the other of those who touch, best first, gets what it makes of the pixels that those before
left over; whatever piece of people's pixels nobody explains then is somebody, too.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool

from dimr.correspondence.confirm import SAME_PERSON
from dimr.correspondence.people import (
    hidden_piece,
    is_apart,
    largest_pieces,
    mark_others,
    mask_to_detection,
)
from dimr.types import Detection

UNEXPLAINED = 0.3
"""Score of somebody who is known only as pixels that nobody else explains."""
MOST_HIDDEN = 3
"""So many people at most are sought behind others."""

Outline: TypeAlias = Callable[
    [Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]], Bool[np.ndarray, "H W"]
]
"""Pixels of somebody, pixels of the others -> what a network takes for somebody's."""


def divide(
    found: list[Detection], everyone: Bool[np.ndarray, "H W"], outline: Outline
) -> list[Detection]:
    """Tells people apart who touch, and finds those behind others; each knows the others' pixels.

    Args:
        found: people, best first.
        everyone: pixels of anybody, as far as the first pass knows.
        outline: asks the network.
    """
    if not found:
        return found
    claimed, divided, found = np.zeros_like(everyone), [], mark_others(found)
    for person in found:
        if is_apart(person, found):
            divided.append(person)
            claimed |= person.mask
            continue
        left = person.mask & ~claimed
        if left.sum() < SAME_PERSON * person.mask.sum():
            continue
        others = claimed if person.others is None else claimed | (person.others & ~left)
        mask = outline(left, others) & ~claimed
        if not mask.any():
            mask = left
        divided.append(mask_to_detection(person.score, largest_pieces(mask)))
        claimed |= divided[-1].mask
    for _ in range(MOST_HIDDEN):
        piece = hidden_piece(divided, everyone, claimed)
        if piece is None:
            break
        mask = outline(piece, claimed) & ~claimed
        mask = largest_pieces(mask) if mask.any() else piece
        divided.append(mask_to_detection(UNEXPLAINED, mask))
        claimed = claimed | mask | piece
    return mark_others(divided)

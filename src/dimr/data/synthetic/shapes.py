"""Outlines of everyday things, as lists of pieces: what `objects` puts in front of people.

A thing fits into about [-1, 1]^2, y down; the nearer pieces come later.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dimr.data.synthetic.solids import Number

FLAT, TEXTURED, ROUND, BALL = range(4)
"""How a piece is filled: one colour, a texture on a quadrilateral, shaded like a column between
its left and right sides, shaded like a ball in its box."""

NUM_COLOURS = 3


class Piece(NamedTuple):
    """One part of a thing."""

    contour: np.ndarray
    """(N, 2); top left, top right, bottom right, bottom left for textured and round pieces."""
    finish: int = FLAT
    colour: int = 0
    """Which of the thing's `NUM_COLOURS` colours."""
    light: Number = 1.0


def quad(
    left: Number, top: Number, right: Number, bottom: Number, slant: Number = 0
) -> np.ndarray:
    """A rectangle whose upper edge is moved to the right by `slant`."""
    return np.array([[left + slant, top], [right + slant, top], [right, bottom], [left, bottom]])


def bar(start: Sequence[Number], end: Sequence[Number], width: Number) -> np.ndarray:
    """A straight bar of a width between two points, in the order of `quad`."""
    a, b = np.array(start), np.array(end)
    along = b - a
    across = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-9) * width / 2
    return np.array([a - across, a + across, b + across, b - across])


def oval(x: Number, y: Number, half_x: Number, half_y: Number, corners: int = 28) -> np.ndarray:
    """An ellipse."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([x + half_x * np.cos(turn), y + half_y * np.sin(turn)], axis=1)


def ring(x: Number, y: Number, radius: Number, width: Number) -> np.ndarray:
    """A ring; one polygon that goes round outside and back inside."""
    turn = np.linspace(0, 2 * np.pi, 29)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    inner = circle[::-1] * (radius - width)
    return np.concatenate([circle * radius, inner]) + np.array([x, y])


def box(rng: np.random.Generator) -> list[Piece]:
    """A box that shows two or three faces."""
    wide, tall = 0.4 + 0.6 * rng.random(2)
    fold = wide * rng.uniform(-0.75, 0.75)
    lift = (0.05 + 0.3 * rng.random()) * tall
    # Upright edges get shorter with the distance.
    left = tall * (1 - 0.25 * rng.random() * (fold + wide))
    right = tall * (1 - 0.25 * rng.random() * (wide - fold))
    low = tall + 0.4 * lift
    pieces = [
        Piece(np.array([[-wide, -left], [fold, -tall], [fold, low], [-wide, left]]), TEXTURED),
        Piece(np.array([[fold, -tall], [wide, -right], [wide, right], [fold, low]]), TEXTURED,
              0, 0.62),
    ]  # fmt: skip
    if rng.random() < 0.7:
        far = np.array([wide - fold - wide, -max(left, right) - lift])
        top = np.array([far, [wide, -right], [fold, -tall], [-wide, -left]])
        pieces.append(Piece(top, TEXTURED, 0, 1.2))
    return pieces


def ball(rng: np.random.Generator) -> list[Piece]:
    """A ball or a balloon."""
    tall = 0.7 + 0.3 * rng.random()
    return [Piece(oval(0, 0, 0.8, 0.8 * tall), BALL)]


def bottle(rng: np.random.Generator) -> list[Piece]:
    """A bottle, a can, a vase, a bucket, a bin: columns on each other."""
    foot, belly, neck = 0.15 + 0.4 * rng.random(3)
    shoulder = -0.3 * rng.random()
    pieces = [
        Piece(np.array([[-belly, shoulder], [belly, shoulder], [foot, 1], [-foot, 1]]), ROUND),
        Piece(np.array([[-neck, -0.5], [neck, -0.5], [belly, shoulder], [-belly, shoulder]]),
              ROUND),
        Piece(quad(-neck * 0.6, -0.95, neck * 0.6, -0.5), ROUND, 1),
    ]  # fmt: skip
    if rng.random() < 0.6:
        wide = (belly + foot) / 2
        pieces.append(Piece(quad(-wide, 0.2, wide, 0.55), ROUND, 2))
    return pieces


def bag(rng: np.random.Generator) -> list[Piece]:
    """A bag with a handle."""
    top, low = 0.45 + 0.3 * rng.random(), 0.5 + 0.4 * rng.random()
    flap = 0.1 + 0.4 * rng.random()
    body = np.array([[-top, -0.3], [top, -0.3], [low, 0.85], [-low, 0.85]])
    return [
        Piece(ring(0, -0.35, 0.45, 0.1), FLAT, 0, 0.5),
        Piece(body, TEXTURED),
        Piece(quad(-top, -0.33, top, -0.3 + flap), FLAT, 0, 0.8),
        Piece(quad(-0.07, flap - 0.36, 0.07, flap - 0.24), FLAT, 1),
    ]


def umbrella(rng: np.random.Generator) -> list[Piece]:
    """An open umbrella, its segments in different light."""
    pieces = [Piece(bar((0, -0.4), (0.1 * rng.normal(), 1), 0.06), ROUND, 1)]
    edges = np.linspace(-1, 1, 7)
    for k, (left, right) in enumerate(pairwise(edges)):
        sag = np.array([(left + right) / 2, 0.02])
        crown = [[0, -0.75], [right * 0.75, -0.5], [right, 0.1], sag, [left, 0.1],
                 [left * 0.75, -0.5]]  # fmt: skip
        pieces.append(Piece(np.array(crown), FLAT, 2 * (k % 2) * (rng.random() < 0.4),
                            1.15 - 0.12 * k))  # fmt: skip
    return pieces


def chair(rng: np.random.Generator) -> list[Piece]:
    """A chair seen from behind or the side: slats and legs with gaps."""
    slant, width = 0.2 * rng.normal(), 0.09 + 0.06 * rng.random()
    pieces = []
    for x, low in ((-0.35, 0.85), (0.45, 0.8), (-0.5, 1.0), (0.35, 1.0)):
        pieces.append(Piece(bar((x * 0.95, 0.2), (x, low), width), ROUND, 0, 0.8))
    pieces.append(
        Piece(np.array([[-0.42, 0.08], [0.52, 0.08], [0.45, 0.3], [-0.55, 0.3]]), TEXTURED, 1)
    )
    for x in (-0.45, 0.45):
        pieces.append(Piece(bar((x + slant, -0.95), (x, 0.2), width), ROUND))
    if rng.random() < 0.5:
        for x in np.linspace(-0.27, 0.27, 4):
            pieces.append(Piece(bar((x + slant, -0.85), (x, 0.1), 0.08), ROUND, 0, 0.9))
    else:
        pieces.append(Piece(quad(-0.45, -0.85, 0.45, -0.3, 0.7 * slant), TEXTURED, 1))
    pieces.append(Piece(quad(-0.48, -0.98, 0.48, -0.82, slant), FLAT, 0, 1.1))
    return pieces


def table(rng: np.random.Generator) -> list[Piece]:
    """A table: legs with gaps below a board."""
    width = 0.08 + 0.06 * rng.random()
    pieces = [
        Piece(bar((x, -0.2), (x * 0.98, low), width), ROUND, 0, light)
        for x, low, light in ((-0.7, 0.7, 0.6), (0.75, 0.7, 0.6), (-0.9, 1, 0.9), (0.9, 1, 0.9))
    ]
    board = np.array([[-0.8, -0.5], [0.85, -0.5], [1.0, -0.22], [-1.0, -0.22]])
    pieces.append(Piece(board, TEXTURED, 0, 1.1))
    pieces.append(Piece(quad(-1.0, -0.22, 1.0, -0.12), FLAT, 0, 0.7))
    return pieces


def plant(rng: np.random.Generator) -> list[Piece]:
    """Leaves above a pot, or a branch."""
    pieces = [Piece(np.array([[-0.35, 0.45], [0.35, 0.45], [0.25, 1], [-0.25, 1]]), ROUND, 1)]
    if rng.random() < 0.4:
        pieces = []
    count = 10 + int(rng.random() * 12)
    for _ in range(count):
        angle, length = rng.normal() * 0.9, 0.5 + 0.9 * rng.random()
        root = np.array([0.15 * rng.normal(), 0.5 - 0.4 * rng.random()])
        ahead = np.array([np.sin(angle), -np.cos(angle)])
        beside = np.array([ahead[1], -ahead[0]]) * length * (0.08 + 0.1 * rng.random())
        middle = root + 0.55 * length * ahead
        tip = root + length * ahead + (0, 0.2 * abs(angle))
        leaf = np.array([root, middle + beside, tip, middle - beside])
        pieces.append(Piece(leaf, FLAT, 0, 0.5 + 0.7 * rng.random()))
    return pieces


def fence(rng: np.random.Generator) -> list[Piece]:
    """Bars with gaps between rails."""
    bars, width = 4 + int(rng.random() * 5), 0.06 + 0.08 * rng.random()
    pieces = [
        Piece(bar((float(x), -0.75), (float(x), 1), width), ROUND)
        for x in np.linspace(-0.95, 0.95, bars)
    ]
    for y in (-0.6, 0.8 * rng.random()):
        pieces.append(Piece(quad(-1.2, y - 0.05, 1.2, y + 0.05), FLAT, 0, 0.75))
    return pieces


def car(rng: np.random.Generator) -> list[Piece]:
    """The front of a car."""
    roof = 0.55 + 0.15 * rng.random()
    cabin = np.array([[-roof, -0.7], [roof, -0.7], [0.85, -0.05], [-0.85, -0.05]])
    pane = cabin * (0.88, 0.85) + (0, -0.06)
    pieces = [
        Piece(quad(-0.9, 0.4, -0.6, 0.75), FLAT, 1, 0.3),
        Piece(quad(0.6, 0.4, 0.9, 0.75), FLAT, 1, 0.3),
        Piece(cabin, FLAT, 0, 0.9),
        Piece(pane, FLAT, 1, 0.7),
        Piece(np.array([[-0.85, -0.05], [0.85, -0.05], [1.0, 0.2], [-1.0, 0.2]]), FLAT, 0, 1.15),
        Piece(quad(-1.0, 0.2, 1.0, 0.58), FLAT, 0, 0.85),
        Piece(quad(-0.5, 0.24, 0.5, 0.42), FLAT, 1, 0.4),
        Piece(quad(-0.2, 0.44, 0.2, 0.54), FLAT, 2, 1.3),
    ]
    for x in (-0.78, 0.78):
        pieces.append(Piece(oval(x, 0.3, 0.15, 0.08), BALL, 2, 1.4))
    return pieces


def wheel(rng: np.random.Generator) -> list[Piece]:
    """A steering wheel."""
    width = 0.11 + 0.06 * rng.random()
    pieces = [Piece(ring(0, 0, 0.9, width), FLAT, 0, 0.8)]
    for turn in (0.2, np.pi - 0.2, np.pi / 2):
        tip = (0.85 * float(np.cos(turn)), 0.85 * float(np.sin(turn)))
        pieces.append(Piece(bar((0, 0), tip, 0.16), FLAT))
    return [*pieces, Piece(oval(0, 0, 0.28, 0.25), BALL)]


def bicycle(rng: np.random.Generator) -> list[Piece]:
    """Two wheels and a frame."""
    width = 0.07 + 0.03 * rng.random()
    pieces = [Piece(ring(x, 0.4, 0.48, width), FLAT, 1, 0.4) for x in (-0.65, 0.65)]
    joints = ((-0.65, 0.4), (-0.25, -0.25), (-0.1, 0.4), (0.42, -0.3), (0.65, 0.4), (0.38, -0.55))
    for a, b in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (3, 4), (3, 5)):
        pieces.append(Piece(bar(joints[a], joints[b], width), ROUND))
    pieces.append(Piece(quad(-0.42, -0.42, -0.1, -0.3), FLAT, 1, 0.4))
    pieces.append(Piece(bar((0.25, -0.6), (0.55, -0.52), width), FLAT, 1, 0.5))
    return pieces


def sign(rng: np.random.Generator) -> list[Piece]:
    """A board with something on it, on a pole."""
    pole = Piece(bar((0, -0.2), (0, 1.2), 0.1 + 0.06 * rng.random()), ROUND, 1)
    kind = rng.random()
    if kind < 0.4:
        board = [
            Piece(oval(0, -0.4, 0.5, 0.5), FLAT, 0),
            Piece(oval(0, -0.4, 0.38, 0.38), FLAT, 2),
        ]
    elif kind < 0.6:
        board = [Piece(np.array([[0, -0.95], [0.55, 0.05], [-0.55, 0.05]]), FLAT, 0),
                 Piece(np.array([[0, -0.7], [0.34, -0.07], [-0.34, -0.07]]), FLAT, 2)]  # fmt: skip
    else:
        board = [Piece(quad(-0.8, -0.9, 0.8, 0.1), TEXTURED, 0)]
    return [pole, *board]


SHAPES: tuple[Callable[[np.random.Generator], list[Piece]], ...] = (
    box, box, box, ball, bottle, bottle, bag, umbrella, chair, table, plant, plant, fence, car,
    wheel, bicycle, sign,
)  # fmt: skip
"""Makers of things; the frequent ones more than once."""

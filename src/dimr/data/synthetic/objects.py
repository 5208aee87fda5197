"""Things that hide people: everyday objects, blobs, rods, table tops, cut-outs from a folder.

Outlines are in crop-normalised coordinates ([-1, 1] from edge to edge), so that the same object
can be drawn at any resolution.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.synthetic import shapes, solids
from dimr.data.synthetic.product import product
from dimr.data.synthetic.shapes import BALL, NUM_COLOURS, ROUND, TEXTURED, Piece
from dimr.data.synthetic.textures import TextureBank, random_colour

_THIN_PX = 3.0
"""A narrower column shows no shading."""
_LEAF_GREEN = np.array([62.0, 106, 46])


@dataclass(frozen=True, slots=True)
class Occluder:
    """One object, not yet drawn."""

    contour_norm: np.ndarray | None
    """(N, 2) outline, or None for a cut-out or pieces."""
    picture: np.ndarray | None
    """RGBA cut-out, or None."""
    placement: np.ndarray | None
    """(2, 3) affine from cut-out pixels to crop-normalised coordinates."""
    depth_m: float
    """Hides what is farther from the camera than this."""
    pieces: tuple[Piece, ...] = ()
    """Parts with crop-normalised contours, the nearer ones later."""
    softness_norm: float = 0.0
    """Standard deviation of the blur of the outline: something very near."""
    leafy: bool = False
    """Coloured like leaves."""

    def coverage(self, size: int) -> UInt8[np.ndarray, "S S"]:
        """Alpha 0..255 on a picture of `size` pixels."""
        if self.picture is not None:
            return cv2.warpAffine(
                np.ascontiguousarray(self.picture[..., 3]), self._matrix(size), (size, size)
            )
        fine = 2 * size  # thin bars must not get thicker on small pictures
        alpha = np.zeros((fine, fine), np.uint8)
        contours = [piece.contour for piece in self.pieces]
        if self.contour_norm is not None:
            contours.append(self.contour_norm)
        for contour in contours:
            fixed = np.round(_to_px(contour, fine) * (1 << solids.SHIFT)).astype(np.int32)
            cv2.fillPoly(alpha, [fixed], 255, cv2.LINE_8, solids.SHIFT)
        alpha = cv2.resize(alpha, (size, size), interpolation=cv2.INTER_AREA)
        sigma = self.softness_norm * size / 2
        return cv2.GaussianBlur(alpha, (0, 0), sigma) if sigma > 0.3 else alpha

    def _matrix(self, size: int) -> np.ndarray:
        assert self.placement is not None
        matrix = self.placement * (size / 2)
        matrix[:, 2] += size / 2 - 0.5
        return matrix

    def colours(
        self, rng: np.random.Generator, size: int, bank: TextureBank, photos: list[np.ndarray]
    ) -> UInt8[np.ndarray, "S S 3"]:
        """What the object looks like, on the whole picture; only covered pixels matter."""
        if self.picture is not None:
            rgb = np.ascontiguousarray(self.picture[..., :3])
            gain = 0.6 + 0.7 * rng.random()
            drawn = cv2.warpAffine(
                rgb, self._matrix(size), (size, size), borderMode=cv2.BORDER_REPLICATE
            )
            return cv2.convertScaleAbs(drawn, alpha=gain)
        if self.pieces:
            return self._draw_pieces(rng, size, bank)
        kind = rng.random()
        if kind < 0.15 and photos:
            photo = photos[int(rng.random() * len(photos))]
            drawn = cv2.resize(photo, (size, size), interpolation=cv2.INTER_LINEAR)
        elif kind < 0.45:
            drawn = np.empty((size, size, 3), np.uint8)
            drawn[:] = random_colour(rng, 0.8)
        else:
            drawn = bank.patch(rng, size, size)
        # Light that falls off across the object gives it some body.
        assert self.contour_norm is not None
        low, high = self.contour_norm.min(0), self.contour_norm.max(0)
        slope = rng.uniform(-0.5, 0.5, 2) / np.maximum(high - low, 0.05)
        line = np.linspace(-1, 1, size, dtype=np.float32)
        middle = (low + high) / 2
        light = 0.9 + slope[0] * (line[None] - middle[0]) + slope[1] * (line[:, None] - middle[1])
        light = light.clip(0.25, 1.3).astype(np.float32)
        return cv2.multiply(drawn, cv2.merge([light, light, light]), dtype=cv2.CV_8U)

    def _draw_pieces(
        self, rng: np.random.Generator, size: int, bank: TextureBank
    ) -> UInt8[np.ndarray, "S S 3"]:
        colours = [random_colour(rng, 0.75) for _ in range(NUM_COLOURS)]
        if self.leafy:
            colours[0] = _LEAF_GREEN * (0.5 + 0.9 * rng.random())
        gloss = rng.random() ** 3
        # The sides of textured pieces of one colour have the same texture.
        contrast = 0.35 * rng.random()
        base = colours[0]
        texture = bank.patch(rng, 64, 64, (base * (1 - contrast), base * (1 + contrast)))
        if rng.random() < 0.3:
            texture = bank.patch(rng, 64, 64)
        drawn = np.empty((size, size, 3), np.uint8)
        drawn[:] = (base * 0.6).clip(0, 255)
        for piece in self.pieces:
            contour = _to_px(piece.contour, size)
            colour = colours[piece.colour] * piece.light
            solids.fill(drawn, contour, colour)
            if piece.finish == TEXTURED and piece.colour == 0:
                solids.texture_quad(drawn, contour, texture, piece.light)
            elif piece.finish == ROUND and np.hypot(*(contour[1] - contour[0])) > _THIN_PX:
                solids.texture_quad(drawn, contour, _column_texture(colour, gloss))
            elif piece.finish == BALL:
                low, high = contour.min(0), contour.max(0)
                half = np.maximum((high - low) / 2, 1.0)
                solids.ball(drawn, (low + high) / 2, half, colour, gloss)
        return drawn


def _to_px(contour_norm: np.ndarray, size: int) -> np.ndarray:
    return ((contour_norm + 1) * (size / 2) - 0.5).clip(-4.0 * size, 5.0 * size)


def _column_texture(colour: np.ndarray, gloss: float) -> UInt8[np.ndarray, "2 12 3"]:
    """One row of a column lit from the left."""
    place = np.linspace(-1, 1, 12)[:, None]
    lit = 0.4 + 0.7 * np.maximum(0.85 * np.sqrt(1 - place**2) - 0.45 * place, 0)
    row = colour * lit + 150 * gloss * np.exp(-18 * (place + 0.4) ** 2)
    return np.repeat(row.clip(0, 255).astype(np.uint8)[None], 2, axis=0)


def _placed(
    rng: np.random.Generator, pieces: list[Piece], centre_norm: np.ndarray, extent_norm: float
) -> tuple[Piece, ...]:
    """Pieces turned a little, mirrored at times, scaled and moved."""
    angle = 0.16 * rng.normal() if rng.random() < 0.85 else rng.normal()
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    stretch = extent_norm * np.array([0.8 + 0.4 * rng.random(), 1.0])
    return tuple(
        piece._replace(contour=product(piece.contour * stretch, turn) + centre_norm)
        for piece in pieces
    )


def sample_occluder(
    rng: np.random.Generator,
    centre_norm: np.ndarray,
    extent_norm: float,
    depth_m: float,
    cutouts: list[np.ndarray],
) -> Occluder:
    """An object of random kind.

    Args:
        rng: source of all randomness.
        centre_norm: (2,) place of its middle.
        extent_norm: half of its size, in crop-normalised units.
        depth_m: see `Occluder`.
        cutouts: RGBA pictures; one is taken with probability 0.5 if there are any.
    """
    if cutouts and rng.random() < 0.5:
        picture = cutouts[int(rng.random() * len(cutouts))]
        height, width = picture.shape[:2]
        scale = 2 * extent_norm / max(height, width)
        flip = -1 if rng.random() < 0.5 else 1
        angle = rng.normal() * 0.25
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = product(linear, np.diag([flip * scale, scale]))
        middle = np.array([width - 1, height - 1]) / 2
        placement = np.column_stack([linear, centre_norm - product(linear, middle)])
        return Occluder(None, picture, placement, depth_m)
    kind = rng.random()
    if kind < 0.78:
        shape = shapes.SHAPES[int(rng.random() * len(shapes.SHAPES))]
        pieces = _placed(rng, shape(rng), centre_norm, extent_norm)
        leafy = shape is shapes.plant
        return Occluder(None, None, None, depth_m, pieces, leafy=leafy)
    softness = 0.0
    if kind < 0.92:
        contour = _blob(rng)
        if rng.random() < 0.35:  # very near, out of focus
            softness = extent_norm * (0.05 + 0.12 * rng.random())
    else:
        corners = 3 + int(rng.random() * 5)
        angles = np.sort(rng.random(corners)) * 2 * np.pi
        radius = 0.6 + 0.5 * rng.random(corners)
        contour = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    contour = centre_norm + contour * extent_norm
    return Occluder(contour, None, None, depth_m, softness_norm=softness)


def table_top(rng: np.random.Generator, top_norm: float, depth_m: float) -> Occluder:
    """Something broad that hides all below `top_norm`: a table, a counter, a wall, a hedge."""
    tilt = rng.normal() * 0.06
    left = -1.2 if rng.random() < 0.7 else rng.uniform(-1, 0)
    right = 1.2 if rng.random() < 0.7 else rng.uniform(0, 1)
    a, b = np.array([left, top_norm - tilt]), np.array([right, top_norm + tilt])
    board = 0.04 + 0.25 * rng.random() ** 2
    down = np.array([0, board])
    pieces = [
        Piece(np.array([a + down, b + down, [right, 3], [left, 3]]), TEXTURED, 0, 0.75),
        Piece(np.array([a, b, b + down, a + down]), TEXTURED, 0, 1.15),
    ]
    leafy = rng.random() < 0.2
    if leafy:  # a hedge: ragged above
        for place, deep in rng.random((50, 2)):
            middle = a + (b - a) * place + np.array([0, 0.5 * deep**2 - 0.06])
            reach = 0.02 + 0.06 * rng.random((6, 1))
            leaf = middle + shapes.oval(0, 0, 1, 1, 6) * reach
            pieces.append(Piece(leaf, light=(1.3 - 0.5 * deep) * (0.5 + 0.6 * rng.random())))
    else:
        for place in rng.random(int(rng.random() * 4)):  # what lies on the table
            wide, tall = 0.04 + 0.12 * rng.random(), 0.06 + 0.2 * rng.random()
            foot = a + (b - a) * place + (0, 0.5 * board)
            thing = shapes.quad(foot[0] - wide, foot[1] - tall, foot[0] + wide, foot[1])
            finish = ROUND if rng.random() < 0.5 else TEXTURED
            pieces.append(Piece(thing, finish, 1 + int(rng.random() * 2)))
    return Occluder(None, None, None, depth_m, tuple(pieces), leafy=leafy)


def rod(rng: np.random.Generator, centre_norm: np.ndarray, depth_m: float) -> Occluder:
    """A pole, a branch, a railing: long and thin through a point."""
    angle = rng.normal() * 0.25 + (np.pi / 2 if rng.random() < 0.65 else 0)
    along = np.array([np.cos(angle), np.sin(angle)]) * 3
    start, end = centre_norm - along, centre_norm + along
    width = 2 * (0.015 + 0.09 * rng.random() ** 2)
    contour = shapes.bar((start[0], start[1]), (end[0], end[1]), width)
    return Occluder(None, None, None, depth_m, (Piece(contour, ROUND),))


def _blob(rng: np.random.Generator) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    radius = np.ones_like(angles)
    for frequency in range(1, 5):
        amplitude, phase = 0.3 * rng.random() / frequency, rng.random() * 2 * np.pi
        radius += amplitude * np.cos(frequency * angles + phase)
    squeeze = 0.4 + 0.6 * rng.random()
    contour = np.stack([np.cos(angles), squeeze * np.sin(angles)], axis=1) * radius[:, None]
    turn = rng.random() * np.pi
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return product(contour, spin.T) * 0.8

"""Textures of garments at the size that ships."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from open_wardrobe.catalogue import Piece

SIZE = 256
WORKING_SIZE = 1024
PLAIN = 205
"""Grey of a garment without a texture."""
HAIR_MEAN, HAIR_CONTRAST = 135.0, 34.0
"""Hair becomes grey with this mean and deviation: every hair takes every colour equally well."""
LOGO_DIFFERENCE = 22
"""A texel that differs by more from the median of a logo's box is part of the logo."""


def plain_texture() -> np.ndarray:
    """(SIZE, SIZE, 4) uint8 of a garment to be dyed."""
    texture = np.full((SIZE, SIZE, 4), PLAIN, np.uint8)
    texture[..., 3] = 255
    return texture


def cloth_texture(
    path: Path, face_uv: np.ndarray, logos: list[tuple[float, float, float, float]]
) -> np.ndarray:
    """(SIZE, SIZE, 4) uint8: logos painted over, colours carried beyond the islands' outlines.

    Args:
        path: the JPEG.
        face_uv: (f, 3, 2) of all garments that use it, v down.
        logos: boxes u0, v0, u1, v1.
    """
    picture = _load(path, "RGB")
    for box in logos:
        _paint_over(picture, box)
    used = _used(face_uv)
    nearest = distance_transform_edt(~used, return_distances=False, return_indices=True)
    picture = picture[tuple(nearest)]
    small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.dstack([small, np.full((SIZE, SIZE), 255, np.uint8)])


def hair_texture(path: Path, face_uv: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 4) uint8: grey strands with their alpha, if there is one beside the JPEG."""
    grey = _load(path, "RGB").astype(np.float32).mean(2)
    beside = path.with_name(f"{path.stem}_alpha.png")
    if beside.is_file():
        alpha = _load(beside, "L").astype(np.float32)
    else:
        alpha = np.full_like(grey, 255)
    shown = _used(face_uv) & (alpha > 128)
    mean, deviation = grey[shown].mean(), grey[shown].std()
    grey = HAIR_MEAN + (grey - mean) * HAIR_CONTRAST / max(deviation, 1)
    nearest = distance_transform_edt(alpha < 64, return_distances=False, return_indices=True)
    grey = grey[tuple(nearest)]
    both = np.dstack([grey, grey, grey, alpha]).clip(0, 255)
    return np.rint(cv2.resize(both, (SIZE, SIZE), interpolation=cv2.INTER_AREA)).astype(np.uint8)


def mean_colour(texture: np.ndarray, face_uv: np.ndarray) -> np.ndarray:
    """(3,) mean RGB of the opaque texels that a garment uses."""
    used = cv2.resize(_used(face_uv).astype(np.uint8), (SIZE, SIZE)) > 0
    return texture[used & (texture[..., 3] >= 128)][:, :3].mean(0)


def _load(path: Path, mode: str) -> np.ndarray:
    size = (WORKING_SIZE, WORKING_SIZE)
    with Image.open(path) as picture:
        return np.asarray(picture.convert(mode).resize(size, Image.Resampling.LANCZOS)).copy()


def _used(face_uv: np.ndarray) -> np.ndarray:
    """(WORKING_SIZE, WORKING_SIZE) bool of the texels within triangles."""
    canvas = np.zeros((WORKING_SIZE, WORKING_SIZE), np.uint8)
    for corners in np.rint(face_uv * WORKING_SIZE - 0.5).astype(np.int32):
        cv2.fillConvexPoly(canvas, corners, 1)
    return canvas > 0


def _paint_over(picture: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """Fills what stands out within a box from around it, in place."""
    u0, v0, u1, v1 = (int(edge * WORKING_SIZE) for edge in box)
    part = picture[v0:v1, u0:u1]
    difference = np.abs(part.astype(float) - np.median(part, axis=(0, 1))).max(2)
    logo = cv2.dilate((difference > LOGO_DIFFERENCE).astype(np.uint8), np.ones((9, 9), np.uint8))
    picture[v0:v1, u0:u1] = cv2.inpaint(part, logo, 5, cv2.INPAINT_TELEA)


def pack(
    makehuman: Path, pieces: Sequence[Piece], face_uv: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The textures of all pieces, each file once.

    Returns:
        Textures (N, SIZE, SIZE, 4) uint8, number of each piece's texture (G,) and mean colour of
        each piece (G, 3).
    """
    paths = [
        (makehuman / piece.mesh).parent / f"{piece.texture}.jpg" if piece.texture else None
        for piece in pieces
    ]
    distinct = list(dict.fromkeys(paths))
    stack = []
    for path in distinct:
        users = [index for index, other in enumerate(paths) if other == path]
        uv = np.concatenate([face_uv[index] for index in users])
        logos = [box for index in users for box in pieces[index].logos]
        if path is None:
            stack.append(plain_texture())
        elif pieces[users[0]].kind == "hair":
            stack.append(hair_texture(path, uv))
        else:
            stack.append(cloth_texture(path, uv, logos))
    number = np.array([distinct.index(path) for path in paths], np.int16)
    colours = [mean_colour(stack[k], uv) for k, uv in zip(number, face_uv, strict=True)]
    return np.stack(stack), number, np.array(colours, np.float32)

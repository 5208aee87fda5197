"""Pictures of an atlas for docs/atlas.md: parts in colours, shaded by the body's relief."""

from colorsys import hsv_to_rgb
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import distance_transform_edt

from dimr.surface.atlas import Atlas
from dimr.surface.layouts import densepose_tile_atlas, shuffled_atlas
from dimr.surface.parts import PART_NAMES

LIGHT = np.array([0.35, 0.45, 0.82])


def draw_all(atlas: Atlas, vertices_m: np.ndarray, folder: Path) -> None:
    """Writes atlas.png (SMPL parts, with names) and atlas_layouts.png (three other views)."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = _draw(atlas, vertices_m, atlas.part_of_face, 900)
    _label(picture, atlas, [f"{part} {name}" for part, name in enumerate(PART_NAMES)])
    _save(picture, folder / "atlas.png")
    views = [
        _draw(atlas, vertices_m, atlas.densepose_of_face, 440),
        _draw(shuffled_atlas(atlas, 0), vertices_m, atlas.part_of_face, 440),
        _draw(densepose_tile_atlas(atlas), vertices_m, atlas.densepose_of_face, 440),
    ]
    strip = Image.new("RGB", (3 * 440 + 2 * 20, 440), "white")
    for number, view in enumerate(views):
        strip.paste(view, (number * 460, 0))
    _save(strip, folder / "atlas_layouts.png")


def _save(picture: Image.Image, path: Path) -> None:
    picture.quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)


def _draw(atlas: Atlas, vertices_m: np.ndarray, label: np.ndarray, size: int) -> Image.Image:
    """Colour by label, brightness by the surface's slant, dark lines where the label changes."""
    face = atlas.texels(size).face
    corners = vertices_m[atlas.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    # light from the front and from the back alike, so that both sides show their relief
    shade = 0.55 + 0.45 * np.abs(normal @ LIGHT)
    colours = np.array(
        [hsv_to_rgb((k * 0.381) % 1, 0.35 + 0.3 * (k % 3) / 2, 0.98) for k in range(25)]
    )
    picture = np.where(face[..., None] >= 0, colours[label[face]] * shade[face][..., None], 1.0)
    shown = np.where(face >= 0, label[face], -1)
    line = np.zeros(face.shape, bool)
    line[:, 1:] |= shown[:, 1:] != shown[:, :-1]
    line[1:] |= shown[1:] != shown[:-1]
    picture[line] *= 0.3
    return Image.fromarray((picture * 255).astype(np.uint8))


def _label(picture: Image.Image, atlas: Atlas, names: list[str]) -> None:
    """Writes each part's name where the part is thickest."""
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(11)
    part = atlas.texels(picture.width).part
    for number, name in enumerate(names):
        depth = distance_transform_edt(np.pad(part == number, 1))[1:-1, 1:-1]
        row, col = np.unravel_index(depth.argmax(), depth.shape)
        width = pen.textlength(name, font)
        left = float(np.clip(col - width / 2, 2, picture.width - width - 2))
        pen.text((left, row - 6), name, "black", font, stroke_width=2, stroke_fill="white")

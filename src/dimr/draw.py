"""Prediction -> one overlay picture: what was seen, what was made of it, what was completed.

Panels, left to right: the photo with boxes; the IUV over it; the meshes over it, through the
picture's perspective camera; the people turned to the side; the people from the front, skin that
the picture shows and skin that was completed in two colours. The last two show whole bodies, also
where the picture cuts them off, each person upright in a column of its own and at one scale.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from dimr.body.camera import PerspectiveCamera
from dimr.correspondence.iuv_window import IuvWindow
from dimr.image.crop import picture_centre_px, uncrop_picture
from dimr.surface.iuv import iuv_to_picture
from dimr.surface.raster import ZBuffer, rasterize
from dimr.surface.render import project_to_pixels, shade
from dimr.types import Crop, Person, Prediction

SEEN_RGB = (64, 132, 244)
COMPLETED_RGB = (245, 146, 48)
PERSON_RGB = (
    (120, 170, 250),
    (250, 150, 120),
    (130, 210, 130),
    (220, 150, 230),
    (240, 205, 90),
    (100, 205, 205),
    (240, 130, 170),
    (180, 180, 190),
)
"""Colours of people, in order of detection; repeated from the start when there are more."""
PAPER_RGB = (247, 247, 245)
INK_RGB = (30, 30, 34)

MIN_PANEL_WIDTH = 240
CAPTION_HEIGHT = 34
GAP = 6
Caption = Sequence[tuple[str, tuple[int, int, int]]]
"""Pieces of text with their colours, in one line."""
PANEL_CAPTIONS: Sequence[Caption] = (
    [("photo", INK_RGB)],
    [("IUV: which skin is seen", INK_RGB)],
    [("mesh", INK_RGB)],
    [("from the side", INK_RGB)],
    [("seen", SEEN_RGB), (" and ", INK_RGB), ("completed", COMPLETED_RGB)],
)


def person_rgb(index: int) -> tuple[int, int, int]:
    """Colour of the person at a place in `Prediction.people`."""
    return PERSON_RGB[index % len(PERSON_RGB)]


def seen_rgb(vertex_seen: Bool[np.ndarray, "V"]) -> UInt8[np.ndarray, "V 3"]:
    """Colour of every vertex: seen or completed."""
    two_colours = np.array([COMPLETED_RGB, SEEN_RGB], np.uint8)
    return two_colours[vertex_seen.astype(np.intp)]


def overlay_picture(
    picture: UInt8[np.ndarray, "H W 3"],
    prediction: Prediction,
    faces: Int[np.ndarray, "F 3"],
    panel_px: int = 640,
) -> UInt8[np.ndarray, "h w 3"]:
    """All panels side by side, with captions.

    Args:
        picture: RGB, the one that the prediction is about.
        prediction: May hold nobody: then only the photo is shown, and the caption says so.
        faces: Triangles of the body model.
        panel_px: Longer side of the photo in a panel.
    """
    number = len(prediction.people)
    found = f"photo: {number} {'person' if number == 1 else 'people'}"
    first = [(found if number else "no person found", INK_RGB)]
    bodies = draw_panels(picture, prediction, faces, panel_px)
    panels = [
        captioned_panel(body, caption)
        for body, caption in zip(bodies, (first, *PANEL_CAPTIONS[1:]), strict=False)
    ]
    gap = np.full((panels[0].shape[0], GAP, 3), PAPER_RGB, np.uint8)
    return np.hstack([piece for panel in panels for piece in (panel, gap)][:-1])


def draw_panels(
    picture: UInt8[np.ndarray, "H W 3"],
    prediction: Prediction,
    faces: Int[np.ndarray, "F 3"],
    panel_px: int,
) -> list[UInt8[np.ndarray, "h _ 3"]]:
    """The panels of `PANEL_CAPTIONS`, or the photo alone if nobody was found.

    Args:
        picture: RGB, the one that the prediction is about.
        prediction: The people.
        faces: Triangles of the body model.
        panel_px: Longer side of the photo in a panel.
    """
    height, width = picture.shape[:2]
    if prediction.picture_size != (width, height):
        raise ValueError(
            f"picture: got {width} x {height} pixels, want {prediction.picture_size} "
            "as in the prediction"
        )
    scale = panel_px / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    photo = cv2.resize(picture, size[::-1], interpolation=method)
    people = prediction.people
    if not people:
        return [photo]
    own_colours = [_albedo(person_rgb(index)) for index in range(len(people))]
    two_colours = [seen_rgb(person.vertex_seen).astype(np.float32) / 255 for person in people]
    turned = [_centred(person, side=True) for person in people]
    facing = [_centred(person, side=False) for person in people]
    return [
        _boxes_panel(photo, people, scale),
        _iuv_panel(photo, people, scale),
        _mesh_panel(photo, prediction, faces),
        _line_up(turned, own_colours, faces, size),
        _line_up(facing, two_colours, faces, size),
    ]


def iuvs_picture(
    picture: UInt8[np.ndarray, "H W 3"] | None,
    windows: Sequence[IuvWindow],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "H W 3"]:
    """Which skin each pixel shows, over a darkened picture or on paper; the first is on top.

    Args:
        picture: RGB of `size`, or None.
        windows: the people.
        size: (width, height).
    """
    if picture is None:
        canvas = np.full((size[1], size[0], 3), PAPER_RGB, np.uint8)
    else:
        canvas = (picture * 0.55).astype(np.uint8)
    for window in reversed(windows):
        iuv = window.to_picture(size)
        colours = iuv_to_picture(iuv)[iuv.mask]
        if picture is not None:
            colours = (0.75 * colours + 0.25 * picture[iuv.mask]).astype(np.uint8)
        canvas[iuv.mask] = colours
    return canvas


def _boxes_panel(
    photo: UInt8[np.ndarray, "H W 3"], people: Sequence[Person], scale: float
) -> UInt8[np.ndarray, "H W 3"]:
    canvas = Image.fromarray(photo)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(15)
    for index, person in enumerate(people):
        colour = person_rgb(index)
        x0, y0, x1, y1 = ((person.box_px + 0.5) * scale - 0.5).tolist()
        pen.rectangle((x0, y0, x1, y1), outline=colour, width=3)
        label = f" {index + 1}: {person.score:.2f} "
        tag = pen.textbbox((0, 0), label, font)
        left = min(max(x0, 0), max(0, photo.shape[1] - tag[2]))
        top = min(max(y0, 0), max(0, photo.shape[0] - tag[3] - 4))
        pen.rectangle((left, top, left + tag[2], top + tag[3] + 4), fill=colour)
        pen.text((left, top + 1), label, INK_RGB, font)
    return np.asarray(canvas)


def _iuv_panel(
    photo: UInt8[np.ndarray, "H W 3"], people: Sequence[Person], scale: float
) -> UInt8[np.ndarray, "H W 3"]:
    panel = (photo * 0.55).astype(np.uint8)
    size = photo.shape[1], photo.shape[0]
    for person in reversed(people):  # the surest on top
        x, y = person.crop.centre_px
        centre = (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5
        crop = Crop(centre, person.crop.side_px * scale, person.crop.size, person.crop.angle_rad)
        mask = uncrop_picture(person.iuv.mask.astype(np.uint8), crop, size, nearest=True) > 0
        colours = uncrop_picture(iuv_to_picture(person.iuv), crop, size, nearest=True)
        panel[mask] = (0.75 * colours[mask] + 0.25 * photo[mask]).astype(np.uint8)
    return panel


def _mesh_panel(
    photo: UInt8[np.ndarray, "H W 3"], prediction: Prediction, faces: Int[np.ndarray, "F 3"]
) -> UInt8[np.ndarray, "H W 3"]:
    """All people through the picture's camera with one z-buffer: the nearer hides the farther."""
    panel = photo.copy()
    size = photo.shape[0], photo.shape[1]
    width, height = prediction.picture_size
    buffer = ZBuffer.empty(size)
    for index, person in enumerate(prediction.people):
        camera = PerspectiveCamera(person.focal_px, picture_centre_px(width, height))
        points = project_to_pixels(person.vertices_cam_m, camera, (height, width))
        points[:, 0] = (points[:, 0] + 0.5) * (size[1] / width) - 0.5
        points[:, 1] = (points[:, 1] + 0.5) * (size[0] / height) - 0.5
        buffer.draw(points, faces, index, perspective=True)
    for index, person in enumerate(prediction.people):
        raster = buffer.of_person(index)
        shaded, mask = shade(
            person.vertices_cam_m, faces, raster, albedo=_albedo(person_rgb(index))
        )
        panel[mask] = (0.88 * shaded[mask] + 0.12 * photo[mask]).astype(np.uint8)
    return panel


def _centred(person: Person, side: bool) -> Float[np.ndarray, "V 3"]:
    """Vertices around the root; for `side`, as a viewer at the camera's right (+x) sees them."""
    centred = person.vertices_cam_m - person.joints_cam_m[0]
    if side:
        return np.stack([centred[:, 2], centred[:, 1], -centred[:, 0]], axis=1)
    return centred


def _line_up(
    bodies_m: Sequence[Float[np.ndarray, "V 3"]],
    albedos: Sequence[Float[np.ndarray, "V 3"] | tuple[float, float, float]],
    faces: Int[np.ndarray, "F 3"],
    size: tuple[int, int],
) -> UInt8[np.ndarray, "H W 3"]:
    """Bodies (camera axes) side by side without perspective, as large as the panel allows."""
    height, width = size[0], max(size[1], MIN_PANEL_WIDTH)
    panel = np.full((height, width, 3), PAPER_RGB, np.uint8)
    low = np.array([body[:, :2].min(0) for body in bodies_m])
    high = np.array([body[:, :2].max(0) for body in bodies_m])
    extents = high - low  # [P, 2]
    gap_m = 0.15
    total_m = extents[:, 0].sum() + gap_m * (len(bodies_m) + 1)
    px_per_m = min(width / total_m, height / (extents[:, 1].max() + 2 * gap_m))
    left_px = (width - total_m * px_per_m) / 2
    middles_px = []
    for index, (body, albedo) in enumerate(zip(bodies_m, albedos, strict=True)):
        left_px += gap_m * px_per_m
        middle_m = (low[index, 1] + high[index, 1]) / 2
        points = np.empty_like(body, dtype=np.float32)
        points[:, 0] = (body[:, 0] - low[index, 0]) * px_per_m + left_px
        points[:, 1] = (body[:, 1] - middle_m) * px_per_m + height / 2
        points[:, 2] = body[:, 2]
        shaded, mask = shade(body, faces, rasterize(points, faces, (height, width)), albedo=albedo)
        panel[mask] = shaded[mask]
        middles_px.append(left_px + extents[index, 0] * px_per_m / 2)
        left_px += extents[index, 0] * px_per_m
    if len(bodies_m) == 1:
        return panel
    canvas = Image.fromarray(panel)
    pen = ImageDraw.Draw(canvas)
    for index, middle_px in enumerate(middles_px):
        label_font = ImageFont.load_default(15)
        pen.text((middle_px, 4), str(index + 1), INK_RGB, label_font, anchor="ma")
    return np.asarray(canvas)


def _albedo(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return rgb[0] / 255, rgb[1] / 255, rgb[2] / 255


def captioned_panel(
    body: UInt8[np.ndarray, "H W 3"], caption: Caption
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """A picture under its caption, centred if it is narrower than the caption needs."""
    height, width = body.shape[:2]
    panel_width = max(width, MIN_PANEL_WIDTH)
    canvas = Image.new("RGB", (panel_width, height + CAPTION_HEIGHT), PAPER_RGB)
    canvas.paste(Image.fromarray(body), ((panel_width - width) // 2, CAPTION_HEIGHT))
    return write_line(np.asarray(canvas), caption, 8)


def write_line(
    picture: UInt8[np.ndarray, "H W 3"], caption: Caption, left: int
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture with a line of text at the top, beginning at x = `left`."""
    canvas = Image.fromarray(picture)
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(20)
    x = float(left)
    for text, colour in caption:
        pen.text((x, 5), text, colour, font)
        x += pen.textlength(text, font)
    return np.asarray(canvas)


def contact_sheet(
    pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: int, cell_px: tuple[int, int]
) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures in rows, each brought to the size of a cell (width, height)."""
    cell_width, cell_height = cell_px
    rows = max(1, -(-len(pictures) // columns))
    sheet = np.full((rows * cell_height, columns * cell_width, 3), PAPER_RGB, np.uint8)
    for number, picture in enumerate(pictures):
        scale = min(cell_width / picture.shape[1], cell_height / picture.shape[0])
        width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        top, left = (number // columns) * cell_height, (number % columns) * cell_width
        cell = cv2.resize(picture, (width, height), interpolation=method)
        sheet[top : top + height, left : left + width] = cell
    return sheet


def picture_bytes(picture: UInt8[np.ndarray, "H W 3"], suffix: str) -> bytes:
    """A picture file; JPEG for .jpg and .jpeg, PNG for .png.

    Raises:
        ValueError: any other suffix.
    """
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
    if suffix.lower() not in kinds:
        raise ValueError(f"picture: got suffix {suffix!r}, want one of {', '.join(kinds)}")
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, kinds[suffix.lower()], quality=88)
    return packed.getvalue()

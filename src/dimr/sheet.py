"""Many predictions -> one sheet: a JPEG of bounded size with a row for each picture.

A row is a title over the panels of `dimr.draw`, each in its column. A picture on which nobody was
found has a row, and so has one that could not be read: its title says what went wrong.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from dimr.draw import (
    CAPTION_HEIGHT,
    GAP,
    INK_RGB,
    PANEL_CAPTIONS,
    PAPER_RGB,
    draw_panels,
    write_line,
)
from dimr.files import check_file_place
from dimr.types import Prediction

SHEET_WIDTH = 1600
CELL_PX = (SHEET_WIDTH - GAP) // len(PANEL_CAPTIONS) - GAP, 280
"""Largest width and height of a panel."""
MAX_ROWS = 24
"""More pictures than this are summed up in a last line."""
MAX_BYTES = 1_000_000
MADE_BY = b"dimr: sheet of pictures"
"""Comment in the file by which a sheet is known."""
PROBLEM_RGB = (190, 40, 40)


class Sheet:
    """A sheet that grows picture by picture; all but the first `MAX_ROWS` are only counted."""

    def __init__(self, faces: Int[np.ndarray, "F 3"]) -> None:
        self.faces = faces
        self.rows: list[UInt8[np.ndarray, "_ w 3"]] = []
        self.num_more = 0

    def add(
        self,
        title: str,
        result: tuple[UInt8[np.ndarray, "H W 3"], Prediction] | None,
        problem: str | None = None,
    ) -> None:
        """Draw a picture's row.

        Args:
            title: What is said of the picture.
            result: The picture (RGB) and who was found; None if there is nothing to show.
            problem: What went wrong, said after the title in a colour of its own.
        """
        if len(self.rows) == MAX_ROWS:
            self.num_more += 1
            return
        row = [
            write_line(
                _paper(CAPTION_HEIGHT), [(title, INK_RGB), (_after(problem), PROBLEM_RGB)], GAP
            )
        ]
        if result is not None:
            picture, prediction = result
            height, width = picture.shape[:2]
            scale = min(CELL_PX[0] / width, CELL_PX[1] / height)
            panel_px = max(1, int(scale * max(height, width)))
            panels = draw_panels(picture, prediction, self.faces, panel_px)
            cells = _paper(panels[0].shape[0])
            for column, panel in enumerate(panels):
                cells[:, _left(column) : _left(column) + panel.shape[1]] = panel
            row.append(cells)
        self.rows.append(np.vstack(row))

    def to_jpeg(self) -> bytes:
        """The rows under the panels' captions; reduced until the file has `MAX_BYTES` at most."""
        heading = _paper(CAPTION_HEIGHT)
        for column, caption in enumerate(PANEL_CAPTIONS):
            heading = write_line(heading, caption, _left(column))
        parts = [heading, *self.rows]
        if self.num_more:
            more = f"and {self.num_more} more"
            parts.append(write_line(_paper(CAPTION_HEIGHT), [(more, INK_RGB)], GAP))
        sheet = np.vstack(parts)
        while len(content := _jpeg(sheet)) > MAX_BYTES:
            size = int(0.9 * sheet.shape[1]), int(0.9 * sheet.shape[0])
            sheet = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)
        return content


def check_sheet(path: Path, pictures: Sequence[Path], overwrite: bool = False) -> None:
    """Refuse a place for a sheet that would cost the user a file.

    Raises:
        ValueError: if it is no .jpg, one of the pictures, or (unless `overwrite`) no sheet.
    """
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"--sheet: got {path.name}, want a .jpg")
    check_file_place("--sheet", path)
    if os.path.realpath(path) in map(os.path.realpath, pictures):
        raise ValueError(f"--sheet: {path} is one of the pictures")
    if path.exists() and not overwrite and not is_sheet(path):
        raise ValueError(
            f"--sheet: {path} exists and was not made by dimr: move it or give --overwrite"
        )


def is_sheet(path: Path) -> bool:
    """Whether a file says that it is a sheet; only its header is read."""
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return image.info.get("comment") == MADE_BY
    except Exception:  # whatever it is, it is no sheet
        return False


def _left(column: int) -> int:
    return GAP + column * (CELL_PX[0] + GAP)


def _paper(height: int) -> UInt8[np.ndarray, "h w 3"]:
    return np.full((height, SHEET_WIDTH, 3), PAPER_RGB, np.uint8)


def _after(problem: str | None) -> str:
    return f": {problem}" if problem else ""


def _jpeg(picture: UInt8[np.ndarray, "H W 3"]) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "JPEG", quality=80, comment=MADE_BY)
    return packed.getvalue()

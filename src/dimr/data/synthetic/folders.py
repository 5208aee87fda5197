"""Optional photos and cut-outs from folders, read once into bounded memory."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dimr.image.load import FORMATS

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
MAX_PICTURES = 1000


def load_folder(
    folder: Path | None, mode: str, longest_px: int
) -> list[UInt8[np.ndarray, "h w c"]]:
    """Pictures of a folder in the order of their names; empty without a folder.

    Args:
        folder: where the pictures lie; None or a missing folder gives no pictures.
        mode: "RGB" for photos, "RGBA" for cut-outs.
        longest_px: larger pictures are shrunk so that their longer side has this many pixels.
    """
    if folder is None or not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    pictures = []
    for path in files[:MAX_PICTURES]:
        with Image.open(path, formats=FORMATS) as opened:
            if mode == "RGB":
                opened.draft("RGB", (longest_px, longest_px))
            picture = np.asarray(opened.convert(mode))
        scale = longest_px / max(picture.shape[:2])
        if scale < 1:
            size = (
                max(1, round(picture.shape[1] * scale)),
                max(1, round(picture.shape[0] * scale)),
            )
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        pictures.append(np.ascontiguousarray(picture))
    return pictures

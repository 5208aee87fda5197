"""Picture files -> uint8 RGB arrays; folders -> lists of picture files.

Files come from anywhere, so all sizes are checked in the header before pixels are decoded, only
common formats are read, and whatever cannot be used is refused by a `PictureError` of one line.
"""

import math
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded in full (192 MB as RGB); larger JPEGs are reduced."""
MAX_BYTES = 256_000_000
"""Largest file that is opened."""
MIN_SIDE_PX = 16
"""Shortest side of a picture in which a person could be told from noise."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Formats that are read; Pillow knows more, some of which start other programs."""
FOREIGN_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".nef", ".arw", ".svg")
"""Of pictures that are not read."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
"""What counts as a picture in a folder, in upper or lower case."""

JPEG_START = b"\xff\xd8\xff"
JPEG_REDUCTIONS = (2, 4, 8)
RGB_CONVERTIBLE = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
EXIF_ORIENTATION = 0x0112
EXIF_DETAILS, EXIF_WIDTH, EXIF_HEIGHT, EXIF_FOCAL_MM = 0x8769, 0xA002, 0xA003, 0xA405
"""The directory of what the camera knew; in it sides in pixels, focal length on 35 mm film."""
FILM_MM = (24.0, 36.0)
FOCAL_MM = (8.0, 2000.0)
"""Shortest and longest lens that is believed."""
SAME_SHAPE = 0.02
"""Sides' ratios of a picture as it is and as it was taken that differ by less are the same."""


class PictureError(ValueError):
    """A file or folder that cannot be used; the message is one line and names it."""


def load_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "H W 3"]:
    """Read a picture, upright (EXIF orientation applied), as RGB.

    Grey, palette and CMYK pictures become RGB; 16 bits are scaled to 8; transparent parts lie on
    white; of an animation only the first frame is read. A JPEG of more than `max_pixels` that is
    not progressive comes back at a half, a quarter or an eighth of its size, whichever fits first.

    Raises:
        PictureError: if the file is missing, empty, no picture, damaged, truncated, too large
            or smaller than `MIN_SIDE_PX`.
    """
    path = Path(path)
    check_file(path)
    try:
        # Pillow's warnings (odd metadata, many pixels) would add lines; what matters raises.
        with warnings.catch_warnings(), path.open("rb") as stream:
            warnings.simplefilter("ignore")
            image = read_header(stream)
            bound_size(image, max_pixels)
            image.load()
            orientation = read_orientation(image)
        return turn_upright(to_rgb(image), orientation)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        raise PictureError(f"{path}: not a picture; readable are {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise PictureError(
            f"{path}: has more than {max_pixels:,} pixels; only JPEGs may be larger"
        ) from None
    except Exception as error:  # Decoders of hostile bytes raise nearly anything.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"{path}: damaged or truncated picture ({reason})") from error


def read_focal_px(path: str | Path, size: tuple[int, int]) -> float | None:
    """Focal length that the camera wrote into a picture's file, in pixels.

    None where it wrote none or none that a lens has, and where the sides of the picture are in
    another ratio than those of which the file speaks: then it was cropped since.

    Args:
        path: a picture that `load_picture` reads.
        size: its width and height as they were read, in either order.
    """
    try:
        with warnings.catch_warnings(), Path(path).open("rb") as stream:
            warnings.simplefilter("ignore")
            image = read_header(stream)
            if image.format == "PNG" and "exif" not in image.info:
                return None  # Pillow would decode all pixels to look behind them
            details = image.getexif().get_ifd(EXIF_DETAILS)
        focal_mm = float(details.get(EXIF_FOCAL_MM, 0))
        sides = sorted(float(details.get(tag, 0)) for tag in (EXIF_WIDTH, EXIF_HEIGHT))
    except Exception:  # Broken metadata must not cost the picture.
        return None
    short, long = sorted(size)
    cropped = sides[0] > 0 and abs(sides[0] / sides[1] * long / short - 1) > SAME_SHAPE
    if cropped or not FOCAL_MM[0] <= focal_mm <= FOCAL_MM[1]:
        return None
    return focal_mm / math.hypot(*FILM_MM) * math.hypot(*size)


def list_pictures(path: str | Path) -> list[Path]:
    """Picture files of a folder by name, without its subfolders and hidden files.

    A path to a file gives that file alone, whatever its suffix.

    Raises:
        PictureError: if there is nothing at `path`, or no picture in the folder.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise PictureError(f"{path}: no such file or folder")
    try:
        pictures = sorted(
            entry
            for entry in path.iterdir()
            if entry.suffix.lower() in SUFFIXES
            and not entry.name.startswith(".")
            and (entry.is_file() or not entry.exists())  # links to nothing are to be reported
        )
    except OSError as error:
        raise PictureError(f"{path}: cannot be listed ({error.strerror})") from error
    if not pictures:
        raise PictureError(f"{path}: holds no pictures ({', '.join(SUFFIXES)})")
    return pictures


def foreign_pictures(path: str | Path) -> list[Path]:
    """Files of a folder that are pictures of kinds which are not read; none for a file."""
    folder = Path(path)
    if not folder.is_dir():
        return []
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in FOREIGN_SUFFIXES)


def check_array(picture: object) -> None:
    """Refuse whatever is no picture as `load_picture` gives it.

    Raises:
        ValueError: saying what came.
    """
    wanted = "want a uint8 RGB array (H, W, 3), as dimr.image.load.load_picture gives it"
    if not isinstance(picture, np.ndarray):
        raise ValueError(f"picture: got {type(picture).__name__}, {wanted}")
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"picture: got {picture.dtype} of shape {picture.shape}, {wanted}")


def check_file(path: Path) -> None:
    """Refuse what is no file of a sensible size."""
    if path.is_dir():
        raise PictureError(f"{path}: is a folder, not a picture")
    if not path.exists():
        raise PictureError(f"{path}: no such file")
    if not path.is_file():
        raise PictureError(f"{path}: is not a regular file")
    num_bytes = path.stat().st_size
    if num_bytes == 0:
        raise PictureError(f"{path}: is empty (0 bytes)")
    if num_bytes > MAX_BYTES:
        raise PictureError(
            f"{path}: has {num_bytes / 1e6:,.0f} MB, at most {MAX_BYTES / 1e6:.0f} are read"
        )


def read_header(stream: BinaryIO) -> Image.Image:
    """Open a picture without decoding its pixels."""
    is_jpeg = stream.read(len(JPEG_START)) == JPEG_START
    stream.seek(0)
    # `Image.open` refuses huge JPEGs before they can be reduced; of a JPEG with several pictures
    # this reads the first one, as wanted.
    return JpegImageFile(stream) if is_jpeg else Image.open(stream, formats=FORMATS)


def bound_size(image: Image.Image, max_pixels: int) -> None:
    """Refuse tiny pictures; let the decoder reduce huge JPEGs, and refuse other huge ones."""
    width, height = image.size
    if min(width, height) < MIN_SIDE_PX:
        raise PictureError(
            f"has {width} x {height} pixels, at least {MIN_SIDE_PX} x {MIN_SIDE_PX} are needed"
        )
    if width * height <= max_pixels:
        return
    size = f"has {width} x {height} pixels, at most {max_pixels:,} are read"
    if image.format != "JPEG":
        raise PictureError(f"{size}; only JPEGs may be larger")
    if image.info.get("progressive"):
        # Their decoder holds all coefficients of the full size, reduced or not.
        raise PictureError(f"{size}; only JPEGs that are not progressive may be larger")
    for reduction in JPEG_REDUCTIONS:
        reduced_width, reduced_height = -(-width // reduction), -(-height // reduction)
        if reduced_width * reduced_height <= max_pixels:
            image.draft(image.mode, (width // reduction, height // reduction))
            return
    raise PictureError(f"{size}, JPEGs at most {max_pixels * JPEG_REDUCTIONS[-1] ** 2:,}")


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except Exception:  # Broken metadata must not cost the picture.
        return 1
    return orientation if orientation in range(1, 9) else 1


def to_rgb(image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
    """A decoded picture of any pixel format as RGB, transparent parts on white."""
    if image.mode.startswith("I"):
        return np.repeat(reduce_to_8_bits(np.asarray(image))[..., None], 3, axis=2)
    if image.mode not in RGB_CONVERTIBLE:
        raise PictureError(f"pixel format {image.mode!r} has no agreed meaning as a photograph")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def reduce_to_8_bits(grey: np.ndarray) -> UInt8[np.ndarray, "H W"]:
    """Grey values 0 to 65535 -> 0 to 255, rounded; wider integers are refused."""
    if grey.min() < 0 or grey.max() > 65535:
        raise PictureError(f"grey values reach from {grey.min()} to {grey.max()}, want 16 bits")
    return ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)


def turn_upright(
    picture: UInt8[np.ndarray, "H W 3"], orientation: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Undo an EXIF orientation, 1 to 8."""
    if orientation >= 5:
        picture = picture.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)

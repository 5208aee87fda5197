"""IUVs that are stored as pictures or arrays of three channels -> labels, whatever their order.

Two kinds of labels are in use: (mask, u, v) on one global map (DecoMR), and DensePose's (part, U,
V). Writers disagree on the channels' order and on the scale of the numbers. What the numbers
themselves settle is found out (`detect_reading`); where they leave a choice the file is refused
with the candidates, and the caller says which one is right (`Reading`).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Num
from PIL import Image

from dimr.image.load import MAX_PIXELS
from dimr.surface.npz import MAX_BYTES, array_names, read_arrays
from dimr.surface.parts import NUM_CHARTS

CHANNEL_ORDERS = ("iuv", "vui", "uiv", "viu", "ivu", "uvi")
"""Which channel is which, in the file's order (R, G, B of a picture)."""
_USUAL_ORDERS = ("iuv", "vui", "uiv", "viu")
"""Those that are tried: writers keep [I, U, V] or turn it around; I between U and V is odd."""
PART_SCALES = (1.0, 10.0, 255 / NUM_CHARTS, 1 / NUM_CHARTS, 1 / 255)
"""What a part's number may be multiplied by: not at all; to be seen; to fill 0..255 or 0..1."""
_MASK_VALUES = (1, 255, 65535)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the channels; None is found out."""

    channels: str | None = None
    """One of `CHANNEL_ORDERS`."""
    labels: str | None = None
    """Either "mask" or "densepose"."""
    part_scale: float | None = None

    def __post_init__(self) -> None:
        if self.channels is not None and self.channels not in CHANNEL_ORDERS:
            raise ValueError(
                f"channels: got {self.channels!r}, want one of {', '.join(CHANNEL_ORDERS)}"
            )
        if self.labels not in (None, "mask", "densepose"):
            raise ValueError(f"labels: got {self.labels!r}, want mask or densepose")
        if self.part_scale is not None and not self.part_scale > 0:
            raise ValueError(f"part_scale: got {self.part_scale}, want a positive number")

    def __str__(self) -> str:
        text = f"channels {self.channels}, {self.labels}"
        return text if self.labels == "mask" else f"{text} with part scale {self.part_scale:.6g}"


@dataclass(frozen=True, slots=True)
class LabelPicture:
    """Decoded labels of N people (a picture holds one)."""

    part: Int[np.ndarray, "N H W"]
    """0 background; 1..24 DensePose's part; for a mask 1."""
    uv: Float[np.ndarray, "N H W 2"]
    """In [0, 1]: (U, V) of the part, or the place on the global map; zero on the background."""
    reading: Reading
    """How it was read."""


def read_label_picture(path: Path, reading: Reading) -> LabelPicture:
    """Reads a .png, .tif, .npy or .npz of three channels.

    Raises:
        ValueError: if the file is malformed, or its channels can be read in several ways.
    """
    channels = _load(path)
    try:
        found = detect_reading(channels, reading)
        part, uv = _decode(channels, found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return LabelPicture(part, uv, found)


def detect_reading(channels: Num[np.ndarray, "N H W 3"], wanted: Reading) -> Reading:
    """The only way to read the channels that agrees with `wanted` and with the numbers.

    A channel can be I if it holds one value only (a mask of 1, 255 or 65535), or whole numbers
    0..24 times a part scale. Of several candidates those are kept whose I is zero exactly where
    all channels are: U and V may be zero on the person, I may not.

    Raises:
        ValueError: if there is none, or more than one.
    """
    channels = _without_background(channels)
    anything = channels.any(-1)
    candidates, whole = [], []
    for order in (wanted.channels,) if wanted.channels else _USUAL_ORDERS:
        labels = channels[..., order.index("i")]
        values = np.unique(labels[labels != 0])
        if len(values) == 0:
            continue
        ways: list[Reading] = []
        if len(values) == 1 and values[0] in _MASK_VALUES and wanted.labels != "densepose":
            ways.append(Reading(order, "mask"))
        elif wanted.labels != "mask":
            scales = PART_SCALES if wanted.part_scale is None else (wanted.part_scale,)
            ways += [Reading(order, "densepose", s) for s in scales if _are_parts(values, s)]
        candidates += ways
        if ways and np.array_equal(labels != 0, anything):
            whole += ways
    kept = whole or candidates
    if len(kept) == 1:
        return kept[0]
    if kept:
        raise ValueError(
            f"can be read in {len(kept)} ways ({'; '.join(map(str, kept))}): say which with "
            "--channels, --labels or --part-scale of `dimr iuv convert`"
        )
    raise ValueError(
        "no channel holds a mask (0 and 1, or 0 and 255) or DensePose's parts 0..24"
        + (f" when read as {wanted.channels}" if wanted.channels else "")
        + "; a colour map made for people to look at is no IUV"
    )


def _are_parts(values: Num[np.ndarray, "K"], scale: float) -> bool:
    """Whether non-zero values are part numbers times a scale; integers may be rounded or cut."""
    part = np.rint(values / scale)
    if values.dtype.kind in "iu":
        exact = (values == np.floor(part * scale)) | (values == np.rint(part * scale))
    else:
        exact = np.abs(values / scale - part) <= 2e-3 * np.maximum(part, 1)
    return bool(exact.all() and part.min() >= 1 and part.max() <= NUM_CHARTS)


def _decode(
    channels: Num[np.ndarray, "N H W 3"], reading: Reading
) -> tuple[Int[np.ndarray, "N H W"], Float[np.ndarray, "N H W 2"]]:
    channels = _without_background(channels)
    order = reading.channels or "iuv"
    labels = channels[..., order.index("i")]
    mask = labels != 0
    part = mask.astype(np.int64)
    if reading.labels == "densepose":
        part[mask] = np.rint(labels[mask] / (reading.part_scale or 1.0)).astype(np.int64)
        part[mask] = np.clip(part[mask], 1, NUM_CHARTS)
    places = channels[..., [order.index("u"), order.index("v")]]
    inside = places[mask].astype(np.float32) / np.float32(_uv_scale(places, mask))
    uv = np.zeros(places.shape, np.float32)
    uv[mask] = np.clip(inside, 0, 1)
    return part, uv


def _uv_scale(places: Num[np.ndarray, "N H W 2"], mask: Bool[np.ndarray, "N H W"]) -> int:
    """What u and v were multiplied by: 1, 255 or 65535, by type and largest value."""
    inside = places[mask]
    low, high = float(inside.min()), float(inside.max())
    if places.dtype == np.uint8:
        return 255
    if places.dtype.kind in "iu":
        scale = 255 if high <= 255 else 65535
    else:  # networks go a little beyond; 8-bit numbers stored as floats reach far beyond
        scale = 1 if high <= 1.1 else 255
    if low < -0.1 * scale or high > 1.1 * scale:
        raise ValueError(f"u and v reach from {low:.6g} to {high:.6g}, want [0, 1] or 0..{scale}")
    return scale


def _without_background(channels: Num[np.ndarray, "N H W 3"]) -> Num[np.ndarray, "N H W 3"]:
    """The same with (0, 0, 0) on the background, where it is NaN or one grey at the border.

    Labels of DensePose's background (I = 0) need nothing: whatever U and V say there is ignored.
    """
    if channels.dtype.kind == "f" and not np.isfinite(channels).all():
        return _without_background(
            np.where(np.isfinite(channels).all(-1, keepdims=True), channels, 0)
        )
    if not channels.any(-1).all():
        return channels
    border = np.concatenate(
        [channels[:, [0, -1]].reshape(-1, 3), channels[:, :, [0, -1]].reshape(-1, 3)]
    )
    colours, counts = np.unique(border, axis=0, return_counts=True)
    colour = colours[counts.argmax()]
    if counts.max() < 0.5 * len(border) or len(np.unique(colour)) != 1:
        return channels  # the person fills the picture
    return np.where((channels == colour).all(-1, keepdims=True), channels.dtype.type(0), channels)


def _load(path: Path) -> Num[np.ndarray, "N H W 3"]:
    """The file's channels in its own order; one person has N = 1."""
    if not path.is_file():
        raise ValueError(f"no file {path}")
    suffix = path.suffix.lower()
    if suffix in (".png", ".tif", ".tiff"):
        return _load_picture(path)[None]
    if suffix == ".npz":
        channels = _load_npz(path)
    elif suffix == ".npy":
        try:  # mapped: numpy compares the file's length with the header before it takes memory
            channels = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, OverflowError) as error:
            raise ValueError(f"{path}: cannot be read as .npy ({error})") from error
    else:
        raise ValueError(
            f"{path}: IUVs are read from .npz, .npy, .png, .tif, DensePose dumps and TorchScript"
            + ("; JPEG blurs labels" if suffix in (".jpg", ".jpeg") else "")
        )
    if channels.dtype.kind not in "fiu" or channels.nbytes > MAX_BYTES:
        raise ValueError(f"{path}: {channels.dtype} of {channels.nbytes} bytes, want numbers")
    channels = np.asarray(channels[None] if channels.ndim == 3 else channels)
    if channels.ndim == 4 and channels.shape[-1] != 3 and channels.shape[1] == 3:
        channels = np.moveaxis(channels, 1, -1)
    if channels.ndim != 4 or channels.shape[-1] != 3 or channels.size == 0:
        raise ValueError(
            f"{path}: has shape {channels.shape}, want (H, W, 3) or (3, H, W), with one more axis "
            "in front for several people"
        )
    return channels


def _load_npz(path: Path) -> np.ndarray:
    """The only array with channels."""
    found = []
    for name in array_names(path):
        for axes in (3, 4):
            try:
                found.append(read_arrays(path, {name: (np.number, axes)})[name])
            except ValueError:
                continue
    if len(found) != 1:
        raise ValueError(
            f"{path}: lacks the arrays mask, uv, or one array of three channels (it has "
            f"{', '.join(array_names(path)) or 'nothing'})"
        )
    return found[0]


def _load_picture(path: Path) -> np.ndarray:
    """(H, W, 3) of 8 or 16 bits in the order R, G, B; Pillow would cut 16 bits to 8."""
    try:
        with Image.open(path, formats=["PNG", "TIFF"]) as header:
            size, mode = header.size, header.mode
        if size[0] * size[1] > MAX_PIXELS:
            raise ValueError(f"{size[0]} x {size[1]} pixels, want at most {MAX_PIXELS}")
        if mode != "RGB":
            raise ValueError(f"has mode {mode}, want three channels (RGB)")
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError("damaged, or not three channels")
    except (OSError, SyntaxError, ValueError, cv2.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: cannot be read as an IUV picture ({error})") from error
    return pixels[..., ::-1]

"""The common sample of all real data sets, and the lazy list that readers return.

Frames and units are those of docs/conventions.md: pixels of the full picture (integer = centre),
camera axes of OpenCV, metres. theta's root maps the body frame to camera axes: readers of data
sets with a world frame turn it by the camera's rotation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from dimr.body.rotation import axis_angle_to_rotmat, rotmat_to_axis_angle
from dimr.data.real.joints import JOINT_SETS
from dimr.image.load import load_picture
from dimr.types import Crop

Gender = Literal["neutral", "male", "female"]
GENDERS: dict[str, Gender] = {
    "m": "male",
    "f": "female",
    "n": "neutral",
    "male": "male",
    "female": "female",
    "neutral": "neutral",
}
MAX_SIDE_PX = 50_000.0
MAX_NAMED = 20
"""Broken records that are named one by one; the others are only counted."""
MALFORMED = (KeyError, TypeError, IndexError, AttributeError, OverflowError)
"""What a file raises, besides ValueError, that is built otherwise than its reader expects."""


class Keypoints(NamedTuple):
    """Places of the joints of a named set: pixels (K, 2) or camera-axes metres (K, 3)."""

    set_name: str
    places: Float[np.ndarray, "K D"]
    confidence: Float[np.ndarray, "K"]
    """0 where a joint is unknown, 1 where it is certain."""


class Placement(NamedTuple):
    """Where the body stands, kept apart from theta because it needs the body's resting pelvis.

    SMPL turns a body around its resting pelvis, not around the origin, so a camera that turns the
    world moves the translation by an amount that depends on the body's shape.
    """

    translation_m: Float[np.ndarray, "3"]
    """SMPL's translation, in the frame that the file's root rotation maps to."""
    R_cam: Float[np.ndarray, "3 3"]
    """From that frame to camera axes; the identity where the file is in camera axes already."""
    t_cam_m: Float[np.ndarray, "3"]

    def translation_cam_m(self, pelvis_rest_m: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        """Translation to add to a body whose root is turned into camera axes already.

        Args:
            pelvis_rest_m: joint 0 of the shaped body at rest, body frame.
        """
        return self.R_cam @ (pelvis_rest_m + self.translation_m) + self.t_cam_m - pelvis_rest_m


@dataclass(frozen=True, slots=True)
class InstanceMask:
    """Where the visible pixels of the person come from; decoded when asked for."""

    kind: Literal["coco", "ochuman", "picture"]
    source: Any
    """COCO's `segmentation`, OCHuman's `segms`, or the path of a mask picture."""

    def load(self, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
        """The mask of a picture of `size` = (height, width).

        Raises:
            ValueError: if it is malformed or of another size.
        """
        from dimr.data import masks

        read: dict[str, Callable[..., np.ndarray]] = {
            "coco": masks.segmentation_to_mask,
            "ochuman": masks.ochuman_mask,
            "picture": masks.load_mask,
        }
        return read[self.kind](self.source, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One person in one picture."""

    dataset: str
    key: str
    """Names the record in messages, and files that belong to it."""
    picture: Path
    centre_px: tuple[float, float]
    """Centre (x, y) of the square window that the data set's protocol crops."""
    side_px: float
    theta_rad: Float[np.ndarray, "24 3"] | None = None
    betas: Float[np.ndarray, "10"] | None = None
    gender: Gender = "neutral"
    placement: Placement | None = None
    camera_window: Float[np.ndarray, "3"] | None = None
    """Weak perspective (s, tx, ty) in the window's coordinates [-1, 1], where the file has it."""
    keypoints_px: Keypoints | None = None
    keypoints_cam_m: Keypoints | None = None
    """Camera axes; the origin is the data set's own."""
    intrinsics: Float[np.ndarray, "3 3"] | None = None
    """Pinhole matrix of the full picture, pixels."""
    mask: InstanceMask | None = None
    others: tuple[InstanceMask, ...] = ()
    """Masks of the other people in the picture."""
    box_px: Float[np.ndarray, "4"] | None = None
    """x0, y0, x1, y1 of the data set, where it has one."""
    iuv: Path | None = None
    """Dense correspondence of this very person, .npz with `mask` and `uv`."""
    sequence: str = ""
    frame: int = -1
    person: int = 0

    def __post_init__(self) -> None:
        checked_floats("window", (*self.centre_px, self.side_px), (3,))
        if not 1 <= self.side_px <= MAX_SIDE_PX:
            raise ValueError(f"window: got a side of {self.side_px} px, want 1 to {MAX_SIDE_PX}")
        for keypoints in (self.keypoints_px, self.keypoints_cam_m):
            if keypoints is None:
                continue
            count = len(JOINT_SETS[keypoints.set_name])
            if not len(keypoints.places) == len(keypoints.confidence) == count:
                raise ValueError(
                    f"{keypoints.set_name}: got {len(keypoints.places)} joints, want {count}"
                )

    def load_picture(self) -> UInt8[np.ndarray, "H W 3"]:
        """The full picture, RGB; read-only, because the last ones are kept for who asks again."""
        return _picture(self.picture)

    def window(self, size: int) -> Crop:
        """The protocol's window as a crop of `size` pixels."""
        return Crop(self.centre_px, self.side_px, size)


@lru_cache(maxsize=2)
def _picture(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    picture = load_picture(path)
    picture.flags.writeable = False
    return picture


class Skipped(NamedTuple):
    """A record that cannot be used, and why."""

    key: str
    reason: str


class Records(Sequence[Record]):
    """Records of a data set, made when asked for; the broken ones are left out and named.

    Metadata of every record is checked once, here; pictures are not opened.

    Args:
        dataset: its name.
        num: how many records the file lists.
        make: record `index` of the file; raises ValueError (or one of `MALFORMED`) if it is
            broken, and gives None for one that the data set's own rules leave out.
    """

    def __init__(self, dataset: str, num: int, make: Callable[[int], Record | None]) -> None:
        self.dataset = dataset
        self.num_listed = num
        self.num_skipped = 0
        self.num_left_out = 0
        self.skipped: list[Skipped] = []
        self._make = make
        usable = []
        for index in range(num):
            try:
                record = make(index)
            except (ValueError, *MALFORMED) as error:
                self._skip(f"record {index}", error)
                continue
            if record is None:
                self.num_left_out += 1
            else:
                usable.append(index)
        self._usable = np.array(usable, np.int64)

    def _skip(self, key: str, error: Exception) -> None:
        self.num_skipped += 1
        if len(self.skipped) < MAX_NAMED:
            self.skipped.append(Skipped(key, _reason(error)))

    def __len__(self) -> int:
        return len(self._usable)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        record = self._make(int(self._usable[index]))
        assert record is not None
        return record

    def summary(self) -> str:
        """Counts, in one line."""
        return (
            f"{self.dataset}: {len(self)} records of {self.num_listed} "
            f"({self.num_left_out} left out by the data set's rules, {self.num_skipped} broken)"
        )


def _reason(error: Exception) -> str:
    missing = f"lacks {error}" if isinstance(error, KeyError) else str(error)
    return " ".join(missing.split()) or type(error).__name__


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns what malformed files raise into a ValueError that names `path`."""
    try:
        yield
    except MALFORMED as error:
        raise ValueError(f"{path}: malformed ({_reason(error)})") from error


def join(dataset: str, parts: Sequence[Records]) -> Records:
    """Several files of one data set as one; what they skipped is added up."""
    starts = np.cumsum([0, *(len(part) for part in parts)])

    def make(index: int) -> Record:
        part = int(np.searchsorted(starts, index, side="right")) - 1
        return parts[part][index - int(starts[part])]

    joined = Records(dataset, 0, make)
    joined._usable = np.arange(int(starts[-1]))
    for name in ("num_listed", "num_skipped", "num_left_out"):
        setattr(joined, name, sum(getattr(part, name) for part in parts))
    joined.skipped = [each for part in parts for each in part.skipped][:MAX_NAMED]
    return joined


def checked_floats(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Finite float32 numbers of a wanted shape (or as many in another one).

    Raises:
        ValueError: naming `name`, otherwise.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: not numbers ({error})") from error
    if array.size != int(np.prod(shape)):
        raise ValueError(f"{name}: got shape {array.shape}, want {shape}")
    with np.errstate(over="ignore"):
        array = array.reshape(shape).astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: holds NaN or infinity")
    return array


def turn_root(
    theta_rad: Float[np.ndarray, "24 3"],
    before: Float[np.ndarray, "3 3"] | None = None,
    after: Float[np.ndarray, "3 3"] | None = None,
) -> Float[np.ndarray, "24 3"]:
    """Theta with the root rotation R replaced by `before` R `after`; None is the identity."""
    root = axis_angle_to_rotmat(torch.from_numpy(theta_rad[0]))
    if before is not None:
        root = torch.from_numpy(before) @ root
    if after is not None:
        root = root @ torch.from_numpy(after)
    turned = theta_rad.copy()
    turned[0] = rotmat_to_axis_angle(root).numpy()
    return turned


def keypoints(set_name: str, values: Any, dimensions: int) -> Keypoints:
    """Keypoints from rows of places and, as the last column, confidence."""
    rows = checked_floats(set_name, values, (len(JOINT_SETS[set_name]), dimensions + 1))
    return Keypoints(set_name, rows[:, :dimensions], rows[:, dimensions].clip(0, 1))


def box_window(box_px: Float[np.ndarray, "4"], margin: float) -> tuple[tuple[float, float], float]:
    """Centre and side of the square around x0, y0, x1, y1, enlarged by `margin`."""
    x0, y0, x1, y1 = (float(value) for value in box_px)
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box: got {[x0, y0, x1, y1]}, want x0 < x1 and y0 < y1")
    return ((x0 + x1) / 2, (y0 + y1) / 2), margin * max(x1 - x0, y1 - y0)


def text_of(value: Any) -> Any:
    """Text that a file may hold as bytes; what is neither comes back as it is."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def gender_of(value: Any) -> Gender:
    """m, f, male, female, neutral, in any case, as bytes or text."""
    text = str(text_of(value))
    try:
        return GENDERS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"gender: got {text!r}, want m, f or n") from None


def picture_path(root: Path, name: Any) -> Path:
    """A picture that a file names, below `root`; backslashes are folders.

    Raises:
        ValueError: if the name leaves `root`.
    """
    text = text_of(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"picture: got the name {name!r}, want a path")
    parts = Path(text.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"picture: {text!r} lies outside of the data set's folder")
    return root / parts


def wanted_keys(content: Any, names: Sequence[str], path: Path) -> Mapping[str, Any]:
    """`content` itself, if it is a dictionary that has all of `names`."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds a {type(content).__name__}, want a dictionary")
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"{path}: lacks {', '.join(missing)}")
    return content

"""Everything that can bring a picture's people as IUVs: files, folders, dumps, TorchScript models.

.npz of ours; .npz, .npy, .png, .tif of three channels    one picture       `FileSource`
a folder of such files, named after the pictures          many pictures     `FolderSource`
what `apply_net.py dump` wrote                            many pictures     `DumpSource`
a TorchScript DensePose                                   any picture       `ModelSource`
"""

import os
import re
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from dimr.correspondence.densepose import (
    MIN_SCORE,
    check_boxes,
    instances_to_windows,
    parts_to_iuv,
)
from dimr.correspondence.densepose_dump import DensePoseDump
from dimr.correspondence.iuv_pictures import LabelPicture, Reading, read_label_picture
from dimr.correspondence.iuv_window import IuvWindow, iuv_to_window, read_windows
from dimr.correspondence.torchscript import TorchScriptDensePose
from dimr.surface.atlas import Atlas
from dimr.surface.npz import array_names
from dimr.surface.uv_table import UvTable
from dimr.types import Iuv

FILE_SUFFIXES = (".npz", ".npy", ".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Target:
    """Where places are wanted, and how to read what is ambiguous."""

    atlas: Atlas
    table: UvTable | None = None
    """From the file's coordinates to the atlas; None: the file's are the atlas's already."""
    reading: Reading = field(default_factory=Reading)
    min_score: float = MIN_SCORE
    """Of detections, where the source has scores."""


class IuvSource(ABC):
    """Knows the people of pictures."""

    of_one_picture = False
    """Whether it belongs to a single picture."""

    @abstractmethod
    def people(self, picture: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """The people of a picture, the surest first; there may be none.

        Args:
            picture: the picture's file, for its name.
            pixels: RGB.

        Raises:
            ValueError: if the source has nothing for the picture, or cannot be read.
        """


class FileSource(IuvSource):
    """One file that belongs to one picture."""

    of_one_picture = True

    def __init__(self, path: Path, target: Target) -> None:
        self.path = path
        self.windows, self.picture_size, self.read_as = _read_file(path, target)

    def people(self, picture: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """The file's people, if it is as large as the picture."""
        height, width = pixels.shape[:2]
        if self.picture_size != (width, height):
            raise ValueError(
                f"{self.path} is {self.picture_size[0]} x {self.picture_size[1]} pixels, want "
                f"{width} x {height} like the picture"
            )
        return self.windows


class FolderSource(IuvSource):
    """A folder with files STEM, STEM_iuv or STEM_person1, STEM_person2, .. for picture STEM.

    For pictures of several folders it may hold folders of their names with such files.
    """

    def __init__(self, path: Path, target: Target) -> None:
        self.path, self.target = path, target
        self._files: dict[Path, list[Path]] = {}
        self._home: dict[Path, Path] = {}
        """File -> folder of the picture that it was taken for."""
        if not self._list(path) and not any(each.is_dir() for each in path.iterdir()):
            raise ValueError(f"{path}: no file of {', '.join(FILE_SUFFIXES)} in it")

    def people(self, picture: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """Those of all files named after the picture.

        Raises:
            ValueError: also if a file was taken for a picture of another folder already, or if
                two may show the same person.
        """
        home = Path(os.path.abspath(picture)).parent
        own = self._named(self.path / home.name, picture)
        own = own or self._named(self.path, picture)
        if not own:
            raise ValueError(
                f"{self.path}: no file {picture.stem}.npz, {picture.stem}_iuv.png or alike in it"
            )
        for file in own:
            if self._home.setdefault(file, home) != home:
                raise ValueError(
                    f"{file}: was taken for the picture in {self._home[file]} already; want the "
                    f"files of {home} in {self.path / home.name}"
                )
        sources = [FileSource(file, self.target) for file in own]
        return [one for source in sources for one in source.people(picture, pixels)]

    def _named(self, folder: Path, picture: Path) -> list[Path]:
        """The files in a folder that are named after the picture, which may lie there, too."""
        name = re.compile(re.escape(picture.stem) + r"(_iuv)?(_person_?(\d+))?", re.IGNORECASE)
        files = [file for file in self._list(folder) if not _is_same(file, picture)]
        found = [(file, name.fullmatch(file.stem)) for file in files]
        number_of = {file: match[3] and int(match[3]) for file, match in found if match}
        numbers = list(number_of.values())
        if len(numbers) > 1 and (None in numbers or len(set(numbers)) < len(numbers)):
            raise ValueError(
                f"{folder}: {', '.join(file.name for file in number_of)} may show the same "
                "person; want one file, or one for each person"
            )
        return sorted(number_of, key=lambda file: number_of[file] or 0)

    def _list(self, folder: Path) -> list[Path]:
        if folder not in self._files:
            entries = folder.iterdir() if folder.is_dir() else ()
            self._files[folder] = sorted(
                entry for entry in entries if entry.suffix.lower() in FILE_SUFFIXES
            )
        return self._files[folder]


class DumpSource(IuvSource):
    """What DensePose's apply_net.py wrote for many pictures."""

    def __init__(self, path: Path, target: Target) -> None:
        self.path, self.target = path, target
        self.dump = DensePoseDump(path)

    def people(self, picture: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """The picture's detections, found by its file name."""
        instances = self.dump.find(picture)
        try:
            boxes = np.array([one.box_px for one in instances]).reshape(-1, 4)
            check_boxes(boxes, (pixels.shape[1], pixels.shape[0]))
            return instances_to_windows(instances, self.target.table, self.target.min_score)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error


class ModelSource(IuvSource):
    """A TorchScript DensePose, run on each picture."""

    def __init__(self, path: Path, target: Target, device: str | torch.device) -> None:
        self.path, self.target = path, target
        self.model = TorchScriptDensePose(path, device)

    def people(self, picture: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """What the model finds."""
        try:
            instances = self.model.find(pixels)
            return instances_to_windows(instances, self.target.table, self.target.min_score)
        except ValueError as error:
            raise ValueError(f"{picture}: {error}") from error


def open_source(path: Path, target: Target, device: str | torch.device = "cpu") -> IuvSource:
    """Opens whatever the user has, by what is in it.

    A TorchScript file is a program, and naming one runs it.

    Raises:
        ValueError: if it cannot be read.
    """
    if path.is_dir():
        return FolderSource(path, target)
    if not path.is_file():
        raise ValueError(f"no file {path}")
    if path.suffix.lower() in FILE_SUFFIXES:
        return FileSource(path, target)
    if _is_torchscript(path):
        return ModelSource(path, target, device)
    if path.suffix.lower() in (".pkl", ".pt", ".pth", ".ts", ".dump"):
        return DumpSource(path, target)
    return FileSource(path, target)  # says what is read


def _is_same(file: Path, picture: Path) -> bool:
    return os.path.realpath(file) == os.path.realpath(picture)


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _read_file(path: Path, target: Target) -> tuple[list[IuvWindow], tuple[int, int], str]:
    """People of one file, the size of their picture, and how the file was read."""
    if path.suffix.lower() == ".npz" and {"mask", "uv"} <= set(array_names(path)):
        windows, size, made_for = read_windows(path)
        if made_for is None:
            return [_onto_atlas(one, target.table) for one in windows], size, "mask and uv"
        if made_for != target.atlas.content_hash:
            raise ValueError(f"{path}: is on another atlas than {target.atlas.name!r}")
        return windows, size, f"mask and uv on atlas {target.atlas.name}"
    picture = read_label_picture(path, target.reading)
    size = picture.part.shape[2], picture.part.shape[1]
    try:
        windows = _label_windows(picture, target.table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return windows, size, str(picture.reading)


def _label_windows(picture: LabelPicture, table: UvTable | None) -> list[IuvWindow]:
    windows = []
    for number, (part, uv) in enumerate(zip(picture.part, picture.uv, strict=True), start=1):
        if not part.any():
            raise ValueError(f"person {number} has no visible pixel")
        if picture.reading.labels == "densepose":
            windows.append(iuv_to_window(parts_to_iuv(part, uv, table)))
        else:
            windows.append(_onto_atlas(iuv_to_window(Iuv(part > 0, uv)), table))
    return windows


def _onto_atlas(window: IuvWindow, table: UvTable | None) -> IuvWindow:
    """A window whose uv is on a global map, through the table of that map if there is one."""
    if table is None or len(table.uv) != 1:
        return window
    iuv = window.iuv
    uv = np.zeros_like(iuv.uv, np.float32)
    uv[iuv.mask] = table.lookup(np.ones(int(iuv.mask.sum()), np.int64), iuv.uv[iuv.mask])
    return IuvWindow(Iuv(iuv.mask, uv, iuv.confidence), window.corner_px, window.score)

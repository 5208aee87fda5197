"""A bank of stage 1's samples: drawn once, so that all that is compared sees the same ones.

One .npy file for each field of `FIELDS` in FOLDER/train and FOLDER/val; see `stage1_choices.py`.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.progress import track
from torch import Tensor, multiprocessing
from torch.utils.data import default_collate

from dimr.correspondence.decode import SurfaceTable, nearest_texels, surface_table
from dimr.correspondence.landmarks import POSE_VALUES, LandmarkNet, look_around
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.image.crop import pictures_to_tensor
from dimr.train.precision import mixed_precision
from dimr.train.run import Run, posed_people, surface_of, synthetic_people
from dimr.train.stage1 import Stage1Samples
from dimr.train.weights import load_landmarks, weights_folder

SIDE, GRID, COARSE = 192, 96, 48
"""Of pictures, of labels at stride 2 and at stride 4."""
CHUNK = 48
"""Samples that are drawn and written at a time."""
DONE = "done"
"""Folder that has a file for each chunk that is there."""
FIELDS: dict[str, tuple[type, tuple[int, ...]]] = {
    "image": (np.uint8, (SIDE, SIDE, 3)),
    "marker": (np.uint8, (2, GRID, GRID)),  # of 255
    "visible": (np.bool_, (GRID, GRID)),
    "part": (np.uint8, (GRID, GRID)),
    "position_m": (np.float16, (3, GRID, GRID)),
    "texel": (np.uint16, (GRID, GRID)),  # row of `SurfaceTable` nearest to position_m
    "centre": (np.float16, (COARSE, COARSE)),
    "coarse_id": (np.int8, (COARSE, COARSE)),
    "offset": (np.float16, (2, COARSE, COARSE)),
    "is_scene": (np.float32, ()),
    "pose": (np.float16, (NUM_LANDMARKS, POSE_VALUES)),
}
"""Type and shape of what is kept of a sample."""
Bank = dict[str, np.ndarray]
"""Arrays by field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawer:
    """What it takes to draw samples of one split."""

    samples: Stage1Samples
    poser: LandmarkNet
    table: SurfaceTable

    @classmethod
    @functools.cache
    def of(cls, split: str, backgrounds: Path, occluders: Path) -> "Drawer":
        """One for each process."""
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        run = Run(folder=Path(), backgrounds=backgrounds, occluders=occluders)
        body, atlas = surface_of(run)
        if split == "train":
            people = posed_people(run, body, atlas)
        else:
            people = synthetic_people(run, "val", body, atlas)
        poser, _ = load_landmarks(weights_folder("open"), body, atlas)
        poser.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        table = surface_table(atlas, body.v_template.cpu().numpy())
        return cls(samples=Stage1Samples(people), poser=poser, table=table)

    def draw(self, indices: range) -> dict[str, np.ndarray]:
        """`FIELDS` of some samples."""
        batch = default_collate([self.samples[index] for index in indices])
        fields = {name: batch[name].numpy() for name in FIELDS if name in batch}
        fields["marker"] = np.rint(255 * fields["marker"])
        return fields | {"pose": self._poses(batch).numpy(), "texel": self._texels(fields)}

    @torch.no_grad()
    def _poses(self, batch: dict[str, Tensor]) -> Tensor:
        """As `Stage1Task` hears them: zeros where nobody is marked."""
        marked = batch["is_scene"] == 0
        pose = torch.zeros(len(marked), NUM_LANDMARKS, POSE_VALUES)
        with mixed_precision("cpu"):
            around = pictures_to_tensor(batch["around"][marked])
            marks = batch["around_marker"][marked]
            pose[marked], _ = look_around(self.poser, around, marks, second=False)
        return pose

    def _texels(self, fields: dict[str, np.ndarray]) -> np.ndarray:
        seen = fields["visible"] & (fields["part"] > 0)
        texel = np.zeros(seen.shape, np.uint16)
        position = fields["position_m"].transpose(0, 2, 3, 1)[seen].astype(np.float32)
        table = self.table
        texel[seen] = nearest_texels(fields["part"][seen], position, table.start, table.position_m)
        return texel


def open_bank(folder: Path) -> Bank:
    """The arrays of one split, to read.

    Raises:
        ValueError: if it is not complete.
    """
    bank = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS}
    missing = len(_chunks(len(bank["image"]))) - len(list((folder / DONE).glob("*")))
    if missing:
        raise ValueError(f"{folder}: {missing} chunks are missing; run `bank` again")
    return bank


def batch_of(bank: Bank, indices: list[int]) -> dict[str, Tensor]:
    """Samples as `stage1_loss` wants them, and the hint `pose`."""
    batch: dict[str, Any] = {name: torch.from_numpy(each[indices]) for name, each in bank.items()}
    kept = ("image", "visible", "coarse_id")
    whole = {name: batch[name].long() for name in ("part", "texel")}
    floats = {name: each.float() for name, each in batch.items() if name not in (*kept, *whole)}
    floats["marker"] /= 255
    return batch | whole | floats


def make_bank(
    folder: Path, samples: int, validation: int, backgrounds: Path, occluders: Path
) -> None:
    """Draws both splits with two processes; goes on where it stopped."""
    for split, count in (("val", validation), ("train", samples)):
        target = folder / split
        (target / DONE).mkdir(parents=True, exist_ok=True)
        for name, (kind, shape) in FIELDS.items():
            path = target / f"{name}.npy"
            if not path.exists():
                np.lib.format.open_memmap(path, "w+", np.dtype(kind), (count, *shape))
        todo = [each for each in _chunks(count) if not _mark(target, each).exists()]
        draw = functools.partial(_draw_chunk, target, split, backgrounds, occluders)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            drawn = pool.imap_unordered(draw, todo)
            for _ in track(drawn, f"{split}: chunks of {CHUNK}", total=len(todo)):
                pass


def _chunks(count: int) -> list[range]:
    return [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]


def _mark(folder: Path, chunk: range) -> Path:
    return folder / DONE / str(chunk.start)


def _draw_chunk(
    folder: Path, split: str, backgrounds: Path, occluders: Path, chunk: range
) -> None:
    drawn = Drawer.of(split, backgrounds, occluders).draw(chunk)
    for name, values in drawn.items():
        np.load(folder / f"{name}.npy", mmap_mode="r+")[chunk.start : chunk.stop] = values
    _mark(folder, chunk).touch()

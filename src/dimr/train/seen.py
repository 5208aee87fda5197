"""What stage 1 makes of many samples, kept on disk, so that heads learn at the price of a head.

Encoder and stage 1 are frozen while stage 2 learns: what they make of a picture does not change.
Drawing and encoding a picture takes several times as long as a step of the head, so a study of
many heads, or many passes over the same pictures, sees each picture once and then reads it.

A folder holds one .npy file a field, written in chunks; `seen.json` says what it was made of and
how many rows are there. Maps and uv are 16-bit floats, pictures have half their side (the mean of
2 x 2 pixels is what a variant that wraps colours samples at a pixel of the IUV anyway).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.body.model import BodyModel
from dimr.correspondence.stage1 import Stage1
from dimr.files import write_atomically
from dimr.network.dimr import Dimr
from dimr.surface.uv_table import UvTable
from dimr.train.checkpoint import state_hash
from dimr.train.landmark_errors import BorrowedErrors, landmark_places
from dimr.train.loop import StepLoss
from dimr.train.stage2 import (
    ALONE,
    OCCLUDED,
    BesideIuvs,
    GeometryTask,
    PictureSamples,
    Stage2Task,
    regress_seen,
    see,
    split_alone,
)
from dimr.types import Regression

MANIFEST = "seen.json"
HALVES = ("map", "uv", "said_uv")
"""Fields (after their prefix) that are kept as 16-bit floats begin with these."""
CHUNK = 32

Rows = dict[str, np.ndarray]
"""Field -> values of some rows."""


def write_seen(
    folder: Path,
    about: Mapping[str, Any],
    count: int,
    rows_from: Callable[[int], Iterator[Rows]],
) -> None:
    """Writes `count` rows, or goes on where an earlier call stopped.

    Args:
        folder: for the fields.
        about: what the rows depend on, as JSON takes it.
        count: rows wanted.
        rows_from: gives the rows from a number on, some at a time.

    Raises:
        ValueError: if the folder holds rows that depend on something else.
    """
    manifest, done = folder / MANIFEST, 0
    wanted = {"about": dict(about), "count": count}
    if manifest.is_file():
        found = json.loads(manifest.read_text())
        if {name: found.get(name) for name in wanted} != wanted:
            raise ValueError(
                f"{folder}: holds {found.get('count')} rows of {found.get('about')}, want {count} "
                f"of {dict(about)}; choose another folder"
            )
        done = found["done"]
    folder.mkdir(parents=True, exist_ok=True)
    arrays: Rows = {}
    bars = Console(stderr=True)
    with Progress(console=bars, disable=not bars.is_terminal) as progress:
        task = progress.add_task(folder.name, total=count, completed=done)
        chunks = rows_from(done) if done < count else iter(())
        for rows in chunks:
            size = len(next(iter(rows.values())))
            for name, values in rows.items():
                values = values.astype(_kept_type(name, values))
                if name not in arrays:
                    arrays[name] = _array(folder / f"{name}.npy", values, count, new=done == 0)
                arrays[name][done : done + size] = values
            done += size
            text = json.dumps({**wanted, "done": done})
            write_atomically(manifest, text.encode())
            progress.update(task, completed=done)


def _kept_type(name: str, values: np.ndarray) -> np.dtype:
    plain = name.removeprefix(OCCLUDED)
    return np.dtype(np.float16) if plain.startswith(HALVES) else values.dtype


def _array(path: Path, values: np.ndarray, count: int, new: bool) -> np.ndarray:
    shape = (count, *values.shape[1:])
    if new:
        return np.lib.format.open_memmap(path, "w+", dtype=values.dtype, shape=shape)
    return np.lib.format.open_memmap(path, "r+")


class SeenSamples(Dataset):
    """Rows of a folder, by index.

    Args:
        folder: written by `write_seen`, whole.
        uv_table: takes every uv to another map of the same surface; None leaves them.
        endless: index i is row i of an endless sequence of shuffled passes; else row i.
        stage1: whose rows they must be; None takes anybody's.

    Raises:
        ValueError: if rows are missing or another stage 1 saw them.
    """

    def __init__(
        self,
        folder: Path,
        uv_table: UvTable | None = None,
        endless: bool = False,
        stage1: Stage1 | None = None,
    ) -> None:
        if not (folder / MANIFEST).is_file():
            raise ValueError(f"{folder}: has no {MANIFEST}; `dimr ablate` writes such folders")
        manifest = json.loads((folder / MANIFEST).read_text())
        if stage1 is not None and manifest["about"]["stage1"] != stage1_hash(stage1):
            raise ValueError(f"{folder}: was seen by another stage 1")
        self.about, self.count = manifest["about"], manifest["count"]
        if manifest["done"] < self.count:
            raise ValueError(f"{folder}: got {manifest['done']} rows, want {self.count}")
        self.arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
        self.uv_table = uv_table
        self.endless = endless
        self._order = -1, np.arange(0)

    def __len__(self) -> int:
        return 1 << 40 if self.endless else self.count

    def __getitem__(self, index: int) -> Rows:
        """One row; 16-bit floats come as 32-bit ones."""
        row = self._row_of(index) if self.endless else index
        found = {}
        for name, values in self.arrays.items():
            value = np.array(values[row])
            found[name] = value.astype(np.float32) if value.dtype == np.float16 else value
        if self.uv_table is not None:
            for name in [each for each in found if each.endswith("uv")]:
                mask = found[name.removesuffix("uv") + "mask"]
                found[name] = self._other_uv(found[name], mask)
        return found

    def _row_of(self, index: int) -> int:
        epoch, place = divmod(index, self.count)
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([epoch]).permutation(self.count)
        return int(self._order[1][place])

    def _other_uv(self, uv: np.ndarray, mask: np.ndarray) -> np.ndarray:
        assert self.uv_table is not None
        moved = np.zeros_like(uv)
        moved[mask] = self.uv_table.lookup(np.ones(int(mask.sum()), np.intp), uv[mask])
        return moved


def borrowed_errors(seen: SeenSamples, body: BodyModel) -> BorrowedErrors | None:
    """Of all rows; None where nobody's landmarks were asked for."""
    if "pose" not in seen.arrays:
        return None
    pose, rotmats, betas, joints_norm = (
        torch.from_numpy(np.array(seen.arrays[name]))
        for name in ("pose", "rotmats", "betas", "joints_norm")
    )
    return BorrowedErrors(pose, landmark_places(body, rotmats, betas, joints_norm))


def seen_rows(
    stage1: Stage1, samples: PictureSamples, first: int, count: int, workers: int = 0
) -> Iterator[Rows]:
    """What stage 1 makes of the samples from `first` to `count`, and of their twins if any."""
    loader = DataLoader(
        Subset(samples, range(first, count)), batch_size=CHUNK, num_workers=workers
    )
    for batch in loader:
        prefixes = ("", OCCLUDED) if samples.twins else ("",)
        for prefix in prefixes:
            batch = kept_of(stage1, batch, prefix)
        yield {name: value.numpy() for name, value in batch.items()}


def kept_of(stage1: Stage1, batch: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """A batch with what stage 1 makes of it, without marks and surroundings, pictures halved."""
    kept = batch | see(stage1, batch, prefix)
    kept[prefix + "image"] = halve_pictures(kept[prefix + "image"])
    for name in ("marker", "around", "around_marker"):
        del kept[prefix + name]
    return kept


def halve_pictures(pictures: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 -> half the side."""
    side = pictures.shape[1] // 2
    halved = [
        cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        for picture in pictures.numpy()
    ]
    return torch.from_numpy(np.stack(halved))


def stage1_hash(stage1: Stage1) -> str:
    """What rows depend on besides the samples."""
    networks = {"network": stage1.network, "poser": stage1.poser}
    if stage1.encoder is not stage1.network.encoder:
        networks["encoder"] = stage1.encoder
    states = {
        f"{name}.{key}": value
        for name, network in networks.items()
        if network is not None
        for key, value in network.state_dict().items()
    }
    return state_hash(states)


class SeenTask(Stage2Task):
    """A head that learns from what was seen; see `dimr.train.seen`."""

    def __init__(
        self,
        model: Dimr,
        body: BodyModel,
        training: Dataset,
        validation: SeenSamples,
        twins: bool = False,
        similarity: float = 1.0,
        beside: GeometryTask | None = None,
    ) -> None:
        """`beside` gives as many IUVs alone: what was seen repeats, they do not."""
        super().__init__(model, body, validation, len(validation), twins)
        self.training = training
        self.beside = beside
        self.weights = replace(self.weights, similarity=similarity)

    def samples(self) -> Dataset:
        """The same order for every head."""
        if self.beside is None:
            return self.training
        return BesideIuvs(self.training, self.beside.samples())

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Of what was seen, and of the IUVs beside it."""
        batch, alone = split_alone(batch)
        found = super().loss(batch, step)
        if self.beside is None:
            return found
        other = self.beside.loss(alone, step)
        terms = {ALONE + name: value for name, value in other.terms.items()}
        return StepLoss(found.total + other.total, found.terms | terms)

    def regress(
        self, model: Dimr, batch: dict[str, Tensor], predicted: Tensor, prefix: str = ""
    ) -> Regression:
        """What was seen is in the batch."""
        return regress_seen(model, batch, predicted, prefix)

"""Heads under equal budgets: baselines and the rows of the paper's Tables 3 to 5.

Every head sees the same samples in the same order, through the same frozen encoder and the same
stage 1, for the same number of updates; it starts fresh, without landmarks and without an expected
error unless its row says so. Pictures are drawn and encoded once (`dimr.train.seen`), so a head
costs minutes. Rows of Table 5 go on from the row `dimr` with occluded twins, as the paper's second
stage does, once without and once with L_sim.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor
from torch.utils.data import DataLoader

from dimr.body.model import BodyModel
from dimr.data.synthetic.folders import PICTURE_SUFFIXES
from dimr.data.synthetic.synthocc import SynthOcc
from dimr.evaluate.errors import PosedErrors, posed_errors
from dimr.evaluate.synthetic import view_of
from dimr.files import write_atomically
from dimr.network.dimr import Dimr, HeadSize
from dimr.surface.atlas import Atlas
from dimr.surface.layouts import shuffled_atlas
from dimr.surface.uv_table import UvTable, map_table, same_mesh_uv
from dimr.train.cards import averaged_state
from dimr.train.checkpoint import load_checkpoint, state_hash
from dimr.train.loop import BEST, LoopSettings, train
from dimr.train.run import Run, synthetic_people
from dimr.train.seen import (
    Rows,
    SeenSamples,
    SeenTask,
    halve_pictures,
    seen_rows,
    stage1_hash,
    write_seen,
)
from dimr.train.stage2 import PictureSamples, regress_iuv, see_features
from dimr.train.weights import load_stage1, new_stage2, save_stage2, stage1_files

KINDS = ("gt", "predicted")
STUDY_FILE = "study.json"
SHUFFLE_SEED = 0
"""Of the map of Table 3c."""
STUDY_SIZE = HeadSize(landmarks=False, surface=False, uncertainty=False, zero_start=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table: a head and how it is trained."""

    variant: str = "dimr"
    size: HeadSize = STUDY_SIZE
    shuffled: bool = False
    goes_on: bool = False
    """With occluded twins, from the row `dimr` of the same seed."""
    similarity: float = 1.0
    """Weight of L_sim, where there are twins."""


ROWS = {
    "hmr": Row(variant="hmr"),
    "hmr_iuv": Row(variant="hmr_iuv"),
    "pare": Row(variant="pare"),
    "dimr": Row(),
    "dimr_landmarks": Row(size=replace(STUDY_SIZE, landmarks=True)),
    "ours": Row(size=replace(STUDY_SIZE, landmarks=True, surface=True)),  # what ships hears both
    "no_uv_feature": Row(variant="no_uv_feature"),
    "no_uv_structure": Row(variant="no_uv_structure"),
    "shuffled_uv": Row(shuffled=True),
    "no_attention_no_conv": Row(variant="no_attention_no_conv"),
    "no_attention": Row(variant="no_attention"),
    "uniform_start": Row(size=replace(STUDY_SIZE, own_bias=0.0)),
    "bypass": Row(size=replace(STUDY_SIZE, bypass=16)),
    "feedback": Row(size=replace(STUDY_SIZE, surface=True)),
    "no_attention_no_conv_feedback": Row(
        variant="no_attention_no_conv", size=replace(STUDY_SIZE, surface=True)
    ),
    "occlusion": Row(goes_on=True, similarity=0.0),
    "inpainting": Row(goes_on=True),
}
TABLES = {
    "BASELINES": ("hmr", "hmr_iuv", "pare", "dimr", "dimr_landmarks", "ours"),
    "TABLE3": ("no_uv_feature", "no_uv_structure", "shuffled_uv", "dimr"),
    "TABLE4": (
        "no_attention_no_conv",
        "no_attention",
        "dimr",
        "uniform_start",
        "bypass",
        "feedback",
        "no_attention_no_conv_feedback",
    ),
    "TABLE5": ("dimr", "occlusion", "inpainting"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What every head gets."""

    samples: int = 12_000
    """Distinct training pictures."""
    twins: int = 3_000
    """Distinct pictures with an occluded twin, for Table 5."""
    validation: int = 128
    per_subset: int = 40
    """Test people of each subset."""
    steps: int = 2_500
    """Updates."""
    steps_on: int = 600
    """Further updates with twins, for Table 5."""
    batch_size: int = 32


Means = dict[str, dict[str, dict[str, float]]]
"""Kind of IUV -> subset (and `all`) -> measure -> mean over people."""


class Study:
    """Trains and measures rows; what is done stays in the folder and is not done again.

    Args:
        run: folder, stage 1, where pictures' backgrounds and occluders come from.
        body: of stage 1.
        atlas: of stage 1.
        budget: of every head.
        subsets: of SynthOcc, to be measured on.
    """

    def __init__(
        self, run: Run, body: BodyModel, atlas: Atlas, budget: Budget, subsets: Sequence[str]
    ) -> None:
        if run.stage1 is None:
            raise ValueError("a study needs the weights of stage 1")
        self.run, self.body, self.atlas = run, body, atlas
        self.budget, self.subsets = budget, list(subsets)
        self.stage1 = load_stage1(run.stage1, body, atlas)
        self.shuffled = shuffled_atlas(atlas, SHUFFLE_SEED)

    def see(self) -> None:
        """Draws and encodes everything that is not in the folder yet.

        Raises:
            ValueError: if the folder holds a study with another budget, stage 1 or subsets, or
                of other pictures.
        """
        self._claim_folder()
        people = synthetic_people(self.run, "train", self.body, self.atlas)
        unseen = synthetic_people(self.run, "val", self.body, self.atlas)
        about = {
            "stage1": stage1_hash(self.stage1),
            "backgrounds": self.run.backgrounds is not None,
            "occluders": self.run.occluders is not None,
        }
        for name, samples, count in (
            ("train", PictureSamples(people), self.budget.samples),
            ("val", PictureSamples(unseen), self.budget.validation),
            ("twins", PictureSamples(people, twins=True), self.budget.twins),
        ):

            def rows_from(
                first: int, samples: PictureSamples = samples, count: int = count
            ) -> Iterator[Rows]:
                return seen_rows(self.stage1, samples, first, count, self.run.workers)

            write_seen(self._seen(name), about, count, rows_from)
        per_subset = self.budget.per_subset
        outliner = self.stage1.outliner  # people are found in test pictures alone
        about = {
            "stage1": about["stage1"],
            "outlines": None if outliner is None else state_hash(outliner.state_dict()),
            "subsets": self.subsets,
            "per_subset": per_subset,
        }
        count = len(self.subsets) * per_subset * len(KINDS)
        write_seen(self._seen("test"), about, count, self._test_rows)

    def _claim_folder(self) -> None:
        path = self.run.folder / STUDY_FILE
        wanted = {
            "budget": asdict(self.budget),
            "subsets": self.subsets,
            "backgrounds": _pictures_hash(self.run.backgrounds),
            "occluders": _pictures_hash(self.run.occluders),
        }
        # older studies do not say which pictures they took
        found = wanted | (json.loads(path.read_text()) if path.is_file() else {})
        for name, value in wanted.items():
            if found[name] != value:
                raise ValueError(
                    f"{self.run.folder}: holds a study with {name} {found[name]}, want {value}; "
                    "choose another folder"
                )
        write_atomically(path, json.dumps(wanted, indent=2).encode())

    def _seen(self, name: str) -> Path:
        return self.run.folder / "seen" / name

    def _test_rows(self, first: int) -> Iterator[Rows]:
        """Two rows a person: the crop of the true IUV, then that of stage 1's."""
        benchmark = SynthOcc(self.body, self.atlas, "test")
        for number in range(first // len(KINDS), len(self.subsets) * self.budget.per_subset):
            subset, index = divmod(number, self.budget.per_subset)
            sample = benchmark.crop(self.subsets[subset], index)
            rows: dict[str, list[np.ndarray]] = {}
            for kind in KINDS:
                view = view_of(sample, self.stage1, kind)
                row = {
                    name: value[0].numpy() for name, value in see_features(view.features).items()
                }
                picture = torch.from_numpy(np.ascontiguousarray(view.picture))[None]
                row |= {
                    "mask": view.iuv.mask,
                    "uv": view.iuv.uv,
                    "image": halve_pictures(picture)[0].numpy(),
                    "rotmats": sample.rotmats,
                    "betas": sample.betas,
                }
                for name, value in row.items():
                    rows.setdefault(name, []).append(value)
            yield {name: np.stack(values) for name, values in rows.items()}

    def errors(self, name: str, seed: int) -> dict[str, PosedErrors]:
        """Errors of a row's head by kind of IUV, trained and measured if that is not done yet."""
        path = self.run.folder / "errors" / f"{name}-{seed}.npz"
        if not path.is_file():
            found = self._measure(self._head(name, seed), ROWS[name])
            content = io.BytesIO()
            np.savez(
                content,
                **{
                    f"{kind}_{field}": values
                    for kind, each in found.items()
                    for field, values in each._asdict().items()
                },
            )
            write_atomically(path, content.getvalue())
        with np.load(path) as saved:
            return {
                kind: PosedErrors(
                    *(torch.from_numpy(saved[f"{kind}_{field}"]) for field in PosedErrors._fields)
                )
                for kind in KINDS
            }

    def _table(self, row: Row) -> UvTable | None:
        if not row.shuffled:
            return None
        to_uv = same_mesh_uv(self.atlas.faces, self.shuffled)
        return map_table(self.atlas, to_uv, self.shuffled)

    def _head(self, name: str, seed: int) -> Dimr:
        """The trained head of a row."""
        row = ROWS[name]
        atlas = self.shuffled if row.shuffled else self.atlas
        torch.manual_seed(seed)
        model = new_stage2(row.variant, self.stage1.encoder, self.body, atlas, row.size)
        if row.goes_on:
            self.errors("dimr", seed)  # trains it if that is not done yet
            model.load_state_dict(self._best_state("dimr", seed))
        folder = self._run_folder(name, seed)
        steps = self.budget.steps_on if row.goes_on else self.budget.steps
        settings = LoopSettings(
            steps=steps,
            batch_size=self.budget.batch_size,
            learning_rate=3e-4 if row.goes_on else 1e-3,
            ema_decay=0.99,
            validate_every=max(1, steps // 4),
            seed=seed,
        )
        table = self._table(row)
        kept = "twins" if row.goes_on else "train"
        task = SeenTask(
            model,
            self.body,
            SeenSamples(self._seen(kept), table, endless=True),
            SeenSamples(self._seen("val"), table),
            row.goes_on,
            row.similarity,
        )
        Console().print(f"{name}, seed {seed}")
        train(task, settings, folder)
        model.load_state_dict(self._best_state(name, seed))
        if not row.shuffled:  # its map is no file that weights could be loaded with
            card = {"recipe": "study", "variant": row.variant, "row": name}
            card |= {"settings": asdict(settings), "budget": asdict(self.budget)}
            save_stage2(folder / "weights", model, row.size, self.body, self.atlas, card)
            assert self.run.stage1 is not None
            for file in stage1_files(self.run.stage1):
                shutil.copy(file, folder / "weights")
        return model.eval()

    def _best_state(self, name: str, seed: int) -> dict[str, Tensor]:
        return averaged_state(load_checkpoint(self._run_folder(name, seed) / BEST))

    def _run_folder(self, name: str, seed: int) -> Path:
        return self.run.folder / "runs" / f"{name}-{seed}"

    @torch.inference_mode()
    def _measure(self, model: Dimr, row: Row) -> dict[str, PosedErrors]:
        batches = []
        for batch in DataLoader(SeenSamples(self._seen("test"), self._table(row)), batch_size=32):
            regression = regress_iuv(model, batch, batch["mask"], batch["uv"])
            found = self.body(regression.rotmats, regression.betas)
            batches.append(posed_errors(found, self.body(batch["rotmats"], batch["betas"])))
        errors = [torch.cat(values) for values in zip(*batches, strict=True)]
        return {
            kind: PosedErrors(*(values[first :: len(KINDS)] for values in errors))
            for first, kind in enumerate(KINDS)
        }

    def means(self, name: str, seed: int) -> Means:
        """Of a row's head."""
        size = self.budget.per_subset
        slices = {each: slice(i * size, (i + 1) * size) for i, each in enumerate(self.subsets)}
        slices["all"] = slice(None)
        return {
            kind: {
                each: {
                    field: float(values[chosen].mean())
                    for field, values in errors._asdict().items()
                }
                for each, chosen in slices.items()
            }
            for kind, errors in self.errors(name, seed).items()
        }


def _pictures_hash(folder: Path | None) -> str | None:
    """Of the names and sizes of the pictures that training and validation draw from a folder."""
    if folder is None:
        return None
    files = [
        f"{path.parent.name}/{path.name} {path.stat().st_size}"
        for split in ("train", "val")
        for path in folder.glob(f"{split}/*")
        if path.suffix.lower() in PICTURE_SUFFIXES
    ]
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()[:16]

"""The paper's own training (Sec. 3.4 to 4): HRNet-W32 on Human3.6M, MuCo and COCO (EFT).

    plain      50K iterations; scale, rotation, flip, channel noise; no occlusion
    inpaint    15K more, each crop clean and occluded (Pascal VOC objects) through shared weights;
               L_sim ties the occluded part features to the clean ones

Batch 128 (here: 128 crops, or 128 pairs; the paper does not say), Adam at 2.5e-4, losses 1 / 5 / 5
/ 1. The shares of the data sets are not in the paper: they are those of the benchmark that it
cites for its training sets (Pang et al. 2022).
"""

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.body.camera import spin_to_weak
from dimr.body.model import BodyModel
from dimr.data.occlusion import Cutout, OcclusionSettings, load_voc_objects
from dimr.data.real.labels import IuvOf, record_iuv
from dimr.data.real.layout import (
    HRNET,
    MEAN_POSE,
    VOC,
    dataset_folder,
    open_dataset,
    with_mask,
)
from dimr.data.real.mixture import Augmentation, RealSamples
from dimr.data.real.record import Records
from dimr.encoder.hrnet import HrnetEncoder
from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm
from dimr.evaluate.real import given_iuv
from dimr.image.crop import pictures_to_tensor
from dimr.network.dimr import PAPER_SIZE, Dimr, HeadSize
from dimr.surface.atlas import Atlas
from dimr.surface.npz import read_arrays
from dimr.train.cards import about_checkpoint, history
from dimr.train.checkpoint import load_checkpoint
from dimr.train.loop import LAST, LoopSettings, StepLoss, train
from dimr.train.losses import LossWeights, Target, parallel_inpainting_loss, stage2_losses
from dimr.train.processes import Processes
from dimr.train.run import Run
from dimr.train.weights import new_stage2, save_model
from dimr.types import Regression

PLAIN, INPAINT = "plain", "inpaint"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperSettings:
    """The paper's numbers, and what it leaves open."""

    shares: Mapping[str, float] = field(
        default_factory=lambda: {"h36m": 0.2, "muco": 0.3, "eft": 0.5}
    )
    """Data set -> share of the samples."""
    plain_steps: int = 50_000
    inpaint_steps: int = 15_000
    batch_size: int = 128
    """Crops (plain) or pairs (inpaint) of an iteration, over all processes."""
    learning_rate: float = 2.5e-4
    encoder_factor: float = 1.0
    """Times the learning rate, for HRNet; the benchmark's own HRNet took 0.2."""
    head_factor: float = 1.0
    """Times the learning rate, for everything behind HRNet."""
    crop_size: int = 256
    size: HeadSize = PAPER_SIZE
    losses: LossWeights = field(default_factory=LossWeights)
    """lambda 1, 5, 5, 1."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    occlusion: OcclusionSettings = field(default_factory=OcclusionSettings)
    validate_every: int = 1000


class PaperTask:
    """Eq. 4 on a mixture of data sets, with or without an occluded twin of each crop."""

    def __init__(
        self,
        model: Dimr,
        body: BodyModel,
        data: RealSamples,
        validation: Dataset,
        settings: PaperSettings,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.body = body.to(device)
        self.data = data
        self.validation = validation
        self.settings = settings
        self.device = device

    def samples(self) -> Dataset:
        """Training samples by index."""
        return self.data

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The encoder and the rest, with their own learning rates."""
        encoder = list(self.model.encoder.parameters())
        own = {id(each) for each in encoder}
        head = [each for each in self.model.parameters() if id(each) not in own]
        settings = self.settings
        return [
            {"params": encoder, "lr": learning_rate * settings.encoder_factor},
            {"params": head, "lr": learning_rate * settings.head_factor},
        ]

    def joints(
        self, rotmats: Float[Tensor, "B 24 3 3"], betas: Float[Tensor, "B 10"]
    ) -> Float[Tensor, "B 38 3"]:
        """`LABEL_JOINTS`: SMPL's joints, then the 14 of the evaluation."""
        posed = self.body(rotmats, betas)
        return torch.cat([posed.joints_m, self.body.keypoints(posed.vertices_m, "lsp14")], dim=1)

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Eq. 4; L_sim where the batch has occluded twins."""
        batch = {name: value.to(self.device) for name, value in batch.items()}
        names = ("rotmats", "betas", "joints_m", "joints_norm")
        weights = ("weight_smpl", "weight_3d", "weight_2d")
        target = Target(*(batch[name] for name in (*names, *weights)))
        clean = self._regress(self.model, batch["image"], batch["mask"], batch["uv"])
        if "occluded_image" in batch:
            occluded = self._regress(
                self.model, batch["occluded_image"], batch["occluded_mask"], batch["uv"]
            )
            losses = parallel_inpainting_loss(
                clean, occluded, target, self.joints, self.settings.losses
            )
        else:
            losses = stage2_losses(clean, target, self.joints, self.settings.losses)
        terms = {name: float(getattr(losses, name).detach()) for name in losses._fields}
        return StepLoss(losses.total, terms)

    def _regress(self, model: Dimr, image: Tensor, mask: Tensor, uv: Tensor) -> Regression:
        visible = torch.where(mask[..., None], uv, torch.zeros_like(uv))
        return model(pictures_to_tensor(image), mask, visible)

    @torch.no_grad()
    def validate(self, model: Dimr) -> dict[str, float]:
        """Errors of SMPL's joints on crops without augmentation, of the training sets."""
        errors: dict[str, list[float]] = {"mpjpe_mm": [], "pa_mpjpe_mm": []}
        for batch in DataLoader(self.validation, batch_size=32):
            batch = {name: value.to(self.device) for name, value in batch.items()}
            found = self._regress(model, batch["image"], batch["mask"], batch["uv"])
            joints = self.body.joints(found.rotmats, found.betas)
            known = batch["weight_smpl"] > 0
            truth = batch["joints_m"][:, :24]
            errors["mpjpe_mm"] += mpjpe_mm(joints, truth)[known].tolist()
            errors["pa_mpjpe_mm"] += pa_mpjpe_mm(joints, truth)[known].tolist()
        means = {name: float(np.mean(values)) for name, values in errors.items()}
        return means | {"score": means["mpjpe_mm"]}


def train_paper(
    run: Run, body: BodyModel, atlas: Atlas, settings: PaperSettings | None = None
) -> dict[str, float]:
    """Both trainings, each resumable in its own folder; RUN/weights gets the model as it is last.

    The time limit is for both together; RUN/weights is not there before the second has begun.

    Returns:
        The metrics of the written model, or of the first training's best if time ran out there.

    Raises:
        ValueError: if files are missing; names them.
    """
    settings = _adjusted(settings or PaperSettings(), run)
    if run.data is None:
        raise ValueError("paper needs your data sets (--data ROOT, see docs/licensed.md)")
    if not atlas.symmetric:  # a flip would need the mirrored body to be rendered again
        settings = replace(settings, augmentation=replace(settings.augmentation, flip=0.0))
    torch.manual_seed(run.seed)
    model = new_model(run.data, body, atlas, settings)
    sources = [
        (open_dataset(name, dataset_folder(name, run.data)), share)
        for name, share in settings.shares.items()
    ]
    iuv_of = training_iuv(run, body, atlas)
    objects = load_voc_objects(run.data / VOC)[0]  # of the second training; not missed first then
    started = time.monotonic()
    _, best = _stage(PLAIN, model, sources, iuv_of, run, body, settings, None)
    plain = load_checkpoint(run.folder / PLAIN / LAST)
    if plain["step"] < settings.plain_steps:  # out of time; the same command goes on
        return best
    model.load_state_dict(plain["model"])
    if run.max_minutes is not None:
        left = run.max_minutes - (time.monotonic() - started) / 60
        run = replace(run, max_minutes=left)
    task, best = _stage(INPAINT, model, sources, iuv_of, run, body, settings, objects)
    saved = load_checkpoint(run.folder / INPAINT / LAST)
    if Processes.current().is_first:
        model.load_state_dict(saved["model"])
        best = task.validate(model.eval())
        before = about_checkpoint(plain) | {"recipe": f"paper, {PLAIN}"}
        del before["validation"]  # of its best step; inpaint goes on from its last
        about = {
            **about_checkpoint(saved, run.device),
            "validation": best,
            "recipe": "paper",
            "goes_on_from": history(before),
            "variant": "dimr",
            "encoder": "hrnet_w32",
            "crop_size": settings.crop_size,
            "iuv": run.iuv,
            "data": dict(settings.shares),
            "licence": "that of the data sets: not for commercial use",
        }
        save_model(run.folder / "weights", model.cpu(), settings.size, body, atlas, about)
    return best


def _adjusted(settings: PaperSettings, run: Run) -> PaperSettings:
    if run.steps is not None:
        settings = replace(settings, plain_steps=run.steps, inpaint_steps=run.steps)
    if run.batch_size is not None:
        settings = replace(settings, batch_size=run.batch_size)
    return settings


def _stage(
    name: str,
    model: Dimr,
    sources: list[tuple[Records, float]],
    iuv_of: IuvOf,
    run: Run,
    body: BodyModel,
    settings: PaperSettings,
    objects: list[Cutout] | None,
) -> tuple[PaperTask, dict[str, float]]:
    """The task of a stage after its training, and the best validation."""
    data = RealSamples(
        sources,
        body,
        iuv_of,
        settings.crop_size,
        settings.augmentation,
        objects,
        settings.occlusion,
        seed=2 * run.seed + (name == INPAINT),
    )
    still = RealSamples(
        sources, body, iuv_of, settings.crop_size, Augmentation.still(), seed=1 << 30
    )
    task = PaperTask(
        model, deepcopy(body), data, Subset(still, range(run.validation)), settings, run.device
    )
    loop = LoopSettings(
        steps=settings.plain_steps if name == PLAIN else settings.inpaint_steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=0,
        schedule="constant",
        weight_decay=0.0,
        clip_norm=float("inf"),
        ema_decay=0.0,
        validate_every=settings.validate_every,
        seed=run.seed,
    )
    best = train(task, loop, run.folder / name, run.max_minutes, run.workers, run.device)
    return task, best


def new_model(root: Path, body: BodyModel, atlas: Atlas, settings: PaperSettings) -> Dimr:
    """A stage 2 around an encoder that starts from COCO poses; the regressor from the mean pose.

    Raises:
        ValueError: if HRNet's checkpoint is missing or of another network.
    """
    encoder = HrnetEncoder()
    if not (root / HRNET).is_file():
        raise ValueError(f"encoder: {root / HRNET} is missing; see docs/licensed.md")
    encoder.load_coco_pose_checkpoint(root / HRNET)
    model = new_stage2("dimr", encoder, body, atlas, settings.size)
    if (root / MEAN_POSE).is_file():
        start_from_mean(model.regress, root / MEAN_POSE)
    return model


def start_from_mean(regress: nn.Module, path: Path) -> None:
    """Starts an `IterativeRegressor` from SPIN's smpl_mean_params.npz (pose 6D, shape, cam)."""
    wanted = {"pose": (np.floating, 1), "shape": (np.floating, 1), "cam": (np.floating, 1)}
    arrays = read_arrays(path, wanted)
    pose, shape, camera = (torch.from_numpy(arrays[name]).float() for name in wanted)
    state = torch.cat([pose, shape, spin_to_weak(camera[None])[0]])
    initial = regress.get_buffer("initial_state")
    if state.shape != initial.shape:
        raise ValueError(f"{path}: got {len(state)} numbers, want {len(initial)}")
    initial.copy_(state)


def training_iuv(run: Run, body: BodyModel, atlas: Atlas) -> IuvOf:
    """Rendered from the data sets' parameters and masks, or the user's own."""
    root = run.data
    assert root is not None
    if run.iuv != "gt":
        return given_iuv(run.iuv, root, run.iuv_table, atlas)
    return lambda record, crop, size: record_iuv(with_mask(record, root), body, atlas, crop, size)

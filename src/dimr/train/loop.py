"""One training loop for all stages: schedule, EMA, exact resume, time limit, several processes.

The loop owns the order of samples: batch k of a run always holds samples k * B to (k + 1) * B - 1
of its data set, so a run that stops and resumes sees what an uninterrupted one would have seen,
and several processes (`dimr.train.processes`) together see what one would. It owns the draws, too:
torch's global generators are seeded anew in each step, from the run's seed, the process's rank and
the step. What a task draws in `loss` then depends on nothing that was drawn before (by a
validation, by a DataLoader), and differs between processes.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from dimr.files import write_atomically
from dimr.train.checkpoint import load_checkpoint, save_checkpoint
from dimr.train.processes import Processes

LAST = "last.pt"
BEST = "best.pt"
LOG = "log.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopSettings:
    """How long and how fast; what is learnt stands in the task."""

    steps: int
    """Updates of the whole schedule."""
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    schedule: str = "cosine"
    """After the warm-up: "cosine" or "constant"."""
    weight_decay: float = 1e-4
    """Of AdamW; at 0 it is Adam."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; infinity leaves it alone."""
    ema_decay: float = 0.998
    """Decay of the averaged weights that are validated and shipped; 0 takes the last ones."""
    validate_every: int = 500
    checkpoint_minutes: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, want at least 1")
        if self.schedule not in ("cosine", "constant"):
            raise ValueError(f"schedule: got {self.schedule!r}, want 'cosine' or 'constant'")


class StepLoss(NamedTuple):
    """Loss of a batch and what to print of it."""

    total: Tensor
    terms: dict[str, float]


@runtime_checkable
class Task(Protocol):
    """What a stage has to bring to be trained."""

    @property
    def model(self) -> nn.Module:
        """What to train."""
        ...

    def samples(self) -> Dataset:
        """Map-style data set; its item i depends on i alone."""
        ...

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameter groups with their learning rates."""
        ...

    def loss(self, batch: Any, step: int) -> StepLoss:
        """Differentiable loss of a batch; may draw from torch's global generators."""
        ...

    def validate(self, model: Any) -> dict[str, float]:
        """Metrics of averaged weights on the fixed validation samples; `score` is minimised."""
        ...


def learning_rate_factor(
    step: int, warmup_steps: int, steps: int, schedule: str = "cosine"
) -> float:
    """Linear warm-up, then half a cosine down to 2 % at the last step, or no change."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class _Indices:
    """This process's share of the batches from `first_step` on; a sampler for DataLoader."""

    def __init__(self, first_step: int, settings: LoopSettings, processes: Processes) -> None:
        self.first_step, self.steps = first_step, settings.steps
        self.batch_size = settings.batch_size
        self.processes = processes

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first_step, self.steps):
            batch = range(step * self.batch_size, (step + 1) * self.batch_size)
            yield list(self.processes.share_of(batch))

    def __len__(self) -> int:
        return self.steps - self.first_step


def _seed_step(seed: int, rank: int, step: int) -> None:
    """By a hash of the three: neighbouring seeds, ranks and steps are not to draw the same."""
    torch.manual_seed(int(np.random.SeedSequence([seed, rank, step]).generate_state(1)[0]))


def train(
    task: Task,
    settings: LoopSettings,
    folder: Path,
    max_minutes: float | None = None,
    workers: int = 0,
    device: str = "cpu",
) -> dict[str, float]:
    """Trains, or goes on where `folder` says an earlier run stopped.

    Best-checkpoint rule: the averaged weights with the lowest validation `score` go to best.pt.
    A stop after `max_minutes` validates once more; it changes nothing else of what comes after.
    Where torchrun has started several processes, they share each batch and average gradients; the
    first one validates, logs and writes.

    Returns:
        The metrics of the best validation.
    """
    processes = Processes.current()
    if settings.batch_size % processes.world:
        raise ValueError(
            f"batch_size: got {settings.batch_size}, want a multiple of the {processes.world} "
            "processes"
        )
    console = Console(quiet=not processes.is_first)
    folder.mkdir(parents=True, exist_ok=True)
    model = task.model.to(device)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.ema_decay)
    )
    processes.copy_first(model)
    groups = task.parameter_groups(settings.learning_rate)
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: learning_rate_factor(
            step, settings.warmup_steps, settings.steps, settings.schedule
        ),
    )
    step, best = 0, {"score": math.inf}
    if (folder / LAST).is_file():
        saved = load_checkpoint(folder / LAST)
        if saved["settings"] != asdict(settings):
            raise ValueError(f"{folder}: was started with other settings; choose another folder")
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        step, best = saved["step"], saved["best"]
        if processes.is_first:
            _forget_after(folder / LOG, step)
        console.print(f"resuming {folder} at step {step}")

    def checkpoint(name: str) -> None:
        if not processes.is_first:
            return
        content = {
            "settings": asdict(settings),
            "model": model.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "step": step,
            "best": best,
        }
        save_checkpoint(folder / name, content)

    loader = DataLoader(
        task.samples(),
        batch_sampler=_Indices(step, settings, processes),
        num_workers=workers,
        persistent_workers=False,
    )
    started, saved_at, waited = time.monotonic(), time.monotonic(), 0.0
    first_step, running = step, {}
    batches = iter(loader)
    while step < settings.steps:
        before = time.monotonic()
        batch = next(batches)
        waited += time.monotonic() - before
        model.train()
        _seed_step(settings.seed, processes.rank, step)
        result = task.loss(batch, step)
        if not torch.isfinite(result.total):
            raise ValueError(f"{folder}: the loss of step {step} is not finite: {result.terms}")
        optimizer.zero_grad(set_to_none=True)
        result.total.backward()
        processes.average_gradients(model)
        nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
        step += 1
        for name, value in result.terms.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        out_of_time = processes.any(
            max_minutes is not None and (time.monotonic() - started) / 60 >= max_minutes
        )
        is_due = step % settings.validate_every == 0 or step == settings.steps or out_of_time
        if is_due and processes.is_first:
            metrics = task.validate(average.module.eval())
            if metrics["score"] < best["score"]:
                best = metrics
                checkpoint(BEST)
            minutes = (time.monotonic() - started) / 60
            line = {
                "step": step,
                "minutes": round(minutes, 2),
                "samples_per_s": round(
                    (step - first_step) * settings.batch_size / (60 * minutes), 1
                ),
                "waiting_share": round(waited / (60 * minutes), 3),
                "train": {name: round(value, 5) for name, value in running.items()},
                "validation": {name: round(value, 5) for name, value in metrics.items()},
            }
            with (folder / LOG).open("a") as log:
                log.write(json.dumps(line) + "\n")
            console.print(json.dumps(line), soft_wrap=True, highlight=False)
        if (time.monotonic() - saved_at) / 60 > settings.checkpoint_minutes:
            checkpoint(LAST)
            saved_at = time.monotonic()
        if out_of_time:
            break
    checkpoint(LAST)
    processes.wait()
    return best


def _forget_after(log: Path, step: int) -> None:
    """Drops lines of steps that will be taken again: the run ended before its checkpoint."""
    if not log.is_file():
        return
    lines = log.read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    if len(kept) < len(lines):
        write_atomically(log, "".join(kept).encode())

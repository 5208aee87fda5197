"""Choices behind stage 1, compared on equal budgets (docs/stage1_choices.md).

    python benchmarks/stage1_choices.py bank FOLDER --backgrounds DIR --occluders DIR
    python benchmarks/stage1_choices.py run FOLDER CHOICE... --output DIR [--minutes 30]
    python benchmarks/stage1_choices.py table DIR
    python benchmarks/stage1_choices.py picture FOLDER DIR --output FILE

`bank` draws samples and asks the shipped landmark network about them once (`stage1_bank.py`).
`run` trains a fresh decoder for each of `CHOICES` on them, all in the same order, each with so
many minutes of one core's time, and writes DIR/CHOICE.json and its weights; what is there already
is skipped. `picture` draws what those find on a few crops.

The budget is the process's own CPU time without validation; the learning rate falls with the share
of it that is used. Validated are averaged weights on crops with somebody marked. A pixel's place
is the texel of its most probable part that is nearest to what the network says; ms are those of a
crop in single precision on one core, without landmarks.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from stage1_bank import Bank, batch_of, make_bank, open_bank
from stage1_nets import EIGENVECTORS, ENCODERS, ChosenNet, Surface, marks, resized
from torch import Tensor, nn
from torch.nn import functional

from dimr.body.model import BodyModel
from dimr.correspondence.network import CorrespondenceMaps
from dimr.draw import INK_RGB, captioned_panel, contact_sheet, picture_bytes
from dimr.files import write_atomically
from dimr.image.crop import pictures_to_tensor
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import iuv_to_picture
from dimr.surface.parts import compare_sides
from dimr.train.checkpoint import load_weights, save_weights
from dimr.train.loop import LoopSettings, learning_rate_factor
from dimr.train.precision import mixed_precision
from dimr.train.run import Run, surface_of
from dimr.train.schedules import SCHEDULES
from dimr.train.stage1 import NEAR_M, Stage1Weights, at, centre_loss
from dimr.types import Iuv

SETTINGS = LoopSettings(steps=1, learning_rate=SCHEDULES["stage1"]["learning_rate"])
"""Of AdamW and the average; the budget takes the place of `steps`."""
ENCODER_RATE = 0.1
"""Learning rate of the encoder as a share of the decoder's."""
CHECKS = 4
"""Validations in a budget."""
MEASURES = ("mask IoU", "part", "within 5 cm", "wrong side")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One row: what differs from what ships."""

    group: str
    what: str
    encoder: str = "blazepose"
    frozen: str = "early"
    """Of the encoder: "early" (up to stride 8), "all" or "nothing"."""
    size_px: int = 192
    """Side of the crop for the network."""
    stride: int = 2
    """Of the heads, 2 or 4."""
    surface: str = "position"
    """Of `Surface`."""
    given_part: bool = True
    """Say the place on the surface for each part."""
    logarithm: bool = True
    """Of distances on the surface, as in `stage1_loss`."""
    weights: Stage1Weights = field(default_factory=Stage1Weights)
    mark: str = "two"
    """Of `marks`."""
    hint: bool = True


CHOICES = {
    "base": Choice(
        group="what ships",
        what="BlazePose full frozen up to stride 8, 192 px, position given the part, stride 2",
    ),
    "lite0": Choice(group="encoder", what="EfficientNet-Lite0 of ImageNet", encoder="lite0"),
    "hrnet_w18_small": Choice(
        group="encoder",
        what="HRNet-W18-small, random at first, nothing frozen",
        encoder="hrnet_w18_small",
        frozen="nothing",
    ),
    "heavy": Choice(
        group="encoder", what="BlazePose heavy, frozen", encoder="heavy", frozen="all"
    ),
    "size256": Choice(group="input", what="the same crops at 256 px", size_px=256),
    "frozen": Choice(group="frozen", what="the whole encoder", frozen="all"),
    "learning": Choice(group="frozen", what="nothing", frozen="nothing"),
    "one_position": Choice(
        group="surface", what="part, one position for all parts", given_part=False
    ),
    "part_uv": Choice(group="surface", what="part, (u, v) given the part", surface="uv"),
    "spectral": Choice(
        group="surface",
        what=f"part, {EIGENVECTORS} eigenvectors of the Laplacian",
        surface="spectral",
        given_part=False,
    ),
    "stride4": Choice(group="stride", what="4", stride=4),
    "l1": Choice(
        group="loss",
        what="distance, not its logarithm; as steep at 10 cm",
        logarithm=False,
        weights=Stage1Weights(position=2.0),
    ),
    "part2": Choice(group="loss", what="part twice", weights=Stage1Weights(part=2.0)),
    "mark_mean": Choice(group="mark", what="who is meant alone", mark="meant"),
    "mark_box": Choice(group="mark", what="the box of who is meant alone", mark="box"),
    "unmarked": Choice(group="mark", what="none: the crop says who is meant", mark="crop"),
    "no_hint": Choice(group="hint", what="no landmarks", hint=False),
}


class Trial:
    """One choice, trained and validated.

    Args:
        choice: what.
        lite0: file of EfficientNet-Lite0's weights, of scripts/import_lite0.py.
        body: whose surface.
        atlas: of the body.
    """

    def __init__(self, choice: Choice, lite0: Path | None, body: BodyModel, atlas: Atlas) -> None:
        torch.manual_seed(SETTINGS.seed)
        self.choice = choice
        self.surface = Surface.of(choice.surface, choice.given_part, body, atlas)
        encoder = ENCODERS[choice.encoder](lite0)
        self.net = ChosenNet(encoder, self.surface, choice.stride)
        self.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if choice.frozen == "all":
            encoder.network.requires_grad_(False)
        if choice.frozen == "early":
            for each in encoder.early:
                each.requires_grad_(False)

    def learn(self, bank: Bank, validation: Bank, minutes: float) -> Iterator[dict[str, Any]]:
        """Trains for so much CPU time; yields validations. `average` is the result."""
        average = torch.optim.swa_utils.AveragedModel(
            self.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(SETTINGS.ema_decay)
        )
        self.average = average.module
        in_encoder = {id(each) for each in self.net.encoder.parameters()}
        rates = (SETTINGS.learning_rate, SETTINGS.learning_rate * ENCODER_RATE)
        groups: tuple[list[nn.Parameter], ...] = ([], [])
        for each in self.net.parameters():
            if each.requires_grad:
                groups[id(each) in in_encoder].append(each)
        optimizer = torch.optim.AdamW(
            [{"params": each} for each in groups if each], weight_decay=SETTINGS.weight_decay
        )
        count, batch_size = len(bank["image"]), SETTINGS.batch_size
        step, checks, used_s = 0, 0, 0.0
        while checks < CHECKS:
            start = time.process_time()
            warmth = min(1, (step + 1) / SETTINGS.warmup_steps)
            cosine = learning_rate_factor(int(used_s), 0, int(60 * minutes))
            for group, rate in zip(optimizer.param_groups, rates, strict=False):
                group["lr"] = rate * warmth * cosine
            first = step * batch_size
            batch = batch_of(bank, [each % count for each in range(first, first + batch_size)])
            loss = self.loss(self.maps(self.net.train(), batch), batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), SETTINGS.clip_norm)
            optimizer.step()
            average.update_parameters(self.net)
            step += 1
            used_s += time.process_time() - start
            if used_s >= 60 * minutes * (checks + 1) / CHECKS:
                checks += 1
                about = {"minutes": used_s / 60, "samples": step * batch_size}
                yield about | self.validate(self.average.eval(), validation)

    def maps(self, net: nn.Module, batch: dict[str, Tensor]) -> CorrespondenceMaps:
        """What a network says of samples, on the grid of their labels."""
        image = pictures_to_tensor(batch["image"])
        size = self.choice.size_px
        if size != image.shape[-1]:
            image = functional.interpolate(image, (size, size), mode="bilinear")
        image = image.contiguous(memory_format=torch.channels_last)
        pose = batch["pose"] if self.choice.hint else None
        with mixed_precision("cpu"):
            maps = net(image, marks(batch, self.choice.mark), pose)
        if size == batch["image"].shape[1]:
            return maps
        fine, coarse = batch["visible"].shape[1:], batch["centre"].shape[1:]
        return CorrespondenceMaps(
            resized(maps.person[:, None], fine)[:, 0],
            resized(maps.part, fine),
            resized(maps.position_m, fine),
            resized(maps.centre[:, None], coarse)[:, 0],
            resized(maps.offset, coarse),
        )

    def loss(self, maps: CorrespondenceMaps, batch: dict[str, Tensor]) -> Tensor:
        """`stage1_loss`, with the choice's surface, distance and weights."""
        visible, in_scene = batch["visible"], batch["coarse_id"] >= 0
        shown = visible & (batch["part"] > 0)  # a few pixels at outlines have no part
        part = batch["part"][shown]
        code = self.surface.of_part(at(maps.position_m, shown), part)
        gap_m = ((code - self.surface.true(batch, shown)).square().sum(1) + 1e-12).sqrt()
        if self.choice.logarithm:
            gap_m = NEAR_M * (gap_m / NEAR_M).log1p()
        offset = (at(maps.offset, in_scene) - at(batch["offset"], in_scene)).abs().sum()
        weights = self.choice.weights
        return (
            weights.person
            * functional.binary_cross_entropy_with_logits(maps.person.float(), visible.float())
            + weights.part * functional.cross_entropy(at(maps.part, shown), part - 1)
            + weights.position * gap_m.mean()
            + weights.centre * centre_loss(maps.centre.float(), batch["centre"], batch["is_scene"])
            + weights.offset * offset / in_scene.sum().clamp_min(1)
        )

    @torch.no_grad()
    def validate(self, net: nn.Module, bank: Bank) -> dict[str, float]:
        """`MEASURES` of the crops with somebody marked."""
        sums: dict[str, list[float]] = {name: [] for name in MEASURES}
        marked = np.flatnonzero(bank["is_scene"] == 0).tolist()
        for first in range(0, len(marked), SETTINGS.batch_size):
            batch = batch_of(bank, marked[first : first + SETTINGS.batch_size])
            maps = self.maps(net, batch)
            visible = batch["visible"]
            found = maps.person > 0
            union = (found | visible).sum((1, 2))
            ious = (found & visible).sum((1, 2)) / union
            shown = visible & (batch["part"] > 0)
            part, true_part = at(maps.part, shown).argmax(1) + 1, batch["part"][shown]
            texel = self.surface.texel(at(maps.position_m, shown), part)
            position_m = torch.from_numpy(self.surface.table.position_m)[texel]
            gap_m = (position_m - at(batch["position_m"], shown)).norm(dim=1)
            sides = compare_sides(part.numpy(), true_part.numpy())
            values = (
                ious[union > 0],
                part == true_part,
                gap_m < NEAR_M,
                torch.from_numpy(sides < 0),
            )
            for name, each in zip(MEASURES, values, strict=True):
                sums[name] += each.float().tolist()
        return {name: float(np.mean(values)) for name, values in sums.items()}

    @torch.no_grad()
    def draw(self, batch: dict[str, Tensor]) -> UInt8[np.ndarray, "h w 3"]:
        """The surface found on samples, side by side."""
        maps = self.maps(self.net.eval(), batch)
        found = maps.person > 0
        part = at(maps.part, found).argmax(1) + 1
        return surface_picture(
            self.surface, found, self.surface.texel(at(maps.position_m, found), part)
        )

    @torch.inference_mode()
    def forward_ms(self, bank: Bank) -> float:
        """CPU time that the network takes for a crop: median of ten."""
        batch, size = batch_of(bank, [0]), self.choice.size_px
        image = torch.zeros(1, 3, size, size).contiguous(memory_format=torch.channels_last)
        spent_s = []
        for _ in range(12):
            start = time.process_time()
            self.average(image, batch["marker"], batch["pose"] if self.choice.hint else None)
            spent_s.append(time.process_time() - start)
        return 1e3 * statistics.median(spent_s[2:])


def run(folder: Path, names: list[str], output: Path, minutes: float, lite0: Path | None) -> None:
    """Trains choices one after the other, with one thread."""
    torch.set_num_threads(1)
    console = Console()
    body, atlas = surface_of(Run(folder=folder))
    bank, validation = open_bank(folder / "train"), open_bank(folder / "val")
    for name in names:
        path = output / f"{name}.json"
        if path.exists():
            console.print(f"{path}: is there already")
            continue
        trial, curve = Trial(CHOICES[name], lite0, body, atlas), []
        for checked in trial.learn(bank, validation, minutes):
            curve.append(checked)
            console.print(name, json.dumps(checked), soft_wrap=True, highlight=False)
        about = {
            "choice": name,
            "group": trial.choice.group,
            "what": trial.choice.what,
            "minutes": minutes,
            "samples": curve[-1]["samples"],
            "samples_per_s": curve[-1]["samples"] / (60 * curve[-1]["minutes"]),
            "parameters": sum(each.numel() for each in trial.net.parameters()),
            "forward_ms": trial.forward_ms(validation),
            "curve": curve,
        }
        save_weights(path.with_suffix(".safetensors"), trial.average.state_dict(), about)


def print_table(folder: Path) -> None:
    """Prints the rows that are there, in the order of `CHOICES`."""
    table = Table("group", "what", "parameters, M", "ms", "samples, k", *MEASURES, box=MARKDOWN)
    for path in (folder / f"{name}.json" for name in CHOICES):
        if path.exists():
            row = json.loads(path.read_text())
            table.add_row(
                row["group"],
                row["what"],
                f"{1e-6 * row['parameters']:.2f}",
                f"{row['forward_ms']:.0f}",
                f"{1e-3 * row['samples']:.1f}",
                *(f"{row['curve'][-1][name]:.3f}" for name in MEASURES),
            )
    Console(width=200).print(table)


def surface_picture(
    surface: Surface, mask: Bool[Tensor, "B h w"], texel: Int[Tensor, "N"]
) -> UInt8[np.ndarray, "H W 3"]:
    """Colours of texels of pixels, side by side, twice as large."""
    uv = np.zeros((*mask.shape, 2), np.float32)
    uv[mask.numpy()] = surface.table.uv[texel.numpy()]
    pictures = [iuv_to_picture(Iuv(*each)) for each in zip(mask.numpy(), uv, strict=True)]
    return np.hstack(pictures).repeat(2, axis=0).repeat(2, axis=1)


def draw(folder: Path, results: Path, output: Path, crops: int, lite0: Path | None) -> None:
    """Writes a picture: crops with somebody marked, the true surface, what each choice found."""
    body, atlas = surface_of(Run(folder=folder))
    bank = open_bank(folder / "val")
    marked = np.flatnonzero(bank["is_scene"] == 0)
    batch = batch_of(bank, marked[:: len(marked) // crops][:crops].tolist())
    surface = Surface.of("position", True, body, atlas)
    shown = batch["visible"] & (batch["part"] > 0)
    true = surface_picture(surface, shown, batch["texel"][shown])
    panels = {"crops": np.hstack([*batch["image"].numpy()]), "true surface": true}
    for name, choice in CHOICES.items():
        path = results / f"{name}.safetensors"
        if path.exists():
            trial = Trial(choice, lite0, body, atlas)
            trial.net.load_state_dict(load_weights(path)[0])
            panels[f"{choice.group}: {choice.what}"] = trial.draw(batch)
    captioned = [captioned_panel(each, [(name, INK_RGB)]) for name, each in panels.items()]
    height, width = captioned[0].shape[:2]
    sheet = contact_sheet(captioned, 2, (width, height))
    write_atomically(output, picture_bytes(sheet, output.suffix))


def main() -> None:
    """Runs one of the four commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    bank = commands.add_parser("bank")
    bank.add_argument("folder", type=Path)
    bank.add_argument("--backgrounds", type=Path, required=True)
    bank.add_argument("--occluders", type=Path, required=True)
    bank.add_argument("--samples", type=int, default=12000)
    bank.add_argument("--validation", type=int, default=384)
    training = commands.add_parser("run")
    training.add_argument("folder", type=Path)
    training.add_argument("names", nargs="+", choices=list(CHOICES))
    training.add_argument("--output", type=Path, required=True)
    training.add_argument("--minutes", type=float, default=30.0)
    table = commands.add_parser("table")
    table.add_argument("folder", type=Path)
    picture = commands.add_parser("picture")
    picture.add_argument("folder", type=Path)
    picture.add_argument("results", type=Path)
    picture.add_argument("--output", type=Path, required=True)
    picture.add_argument("--crops", type=int, default=4)
    for each in (training, picture):
        each.add_argument("--lite0", type=Path, help="file of scripts/import_lite0.py")
    options = vars(parser.parse_args())
    does = {"bank": make_bank, "run": run, "table": print_table, "picture": draw}
    does[options.pop("command")](**options)


if __name__ == "__main__":
    main()

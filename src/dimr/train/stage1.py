"""Stage 1's task: label everybody of a scene, or the marked person of a crop.

Scenes and crops share a batch and the weights. Scenes, and some crops (people who fill the
picture), come without a marker and teach centres; the other crops come with an imitated marker and
teach whom to label. Surface terms count visible pixels
only; where nobody is, only "nobody" is taught.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int8, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dimr.correspondence.landmarks import AROUND, POSE_VALUES, LandmarkNet, look_around
from dimr.correspondence.network import (
    MARKER_CHANNELS,
    CorrespondenceMaps,
    CorrespondenceNet,
)
from dimr.data.synthetic.people import PeopleLabels, SyntheticPeople
from dimr.encoder.blazepose import NUM_LANDMARKS
from dimr.image.crop import CORRESPONDENCE_STRIDE, pictures_to_tensor
from dimr.surface.parts import NUM_CHARTS, compare_sides
from dimr.train.loop import StepLoss
from dimr.train.marked import MarkedPeople
from dimr.train.precision import mixed_precision
from dimr.train.surroundings import RoughCrop

CENTRE_STRIDE = 4
CYCLE = 8
"""After this many samples the kinds repeat."""
SCENES = (3,)
"""Whole scenes, without a marker."""
UNMARKED = (7,)
"""Crops without a marker: people who fill the picture."""
ENCODER_RATE = 0.1
"""Learning rate of the encoder as a share of the decoder's."""
SOMEBODY_ELSE = 0.35
"""Share of the crops of pictures with others that are theirs."""
NEAR_M = 0.05
"""A pixel is right when its rest-pose position is at most this far from the true one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage1Weights:
    """Weights of the loss terms, chosen so that their gradients in the shared trunk are alike."""

    person: float = 1.5
    part: float = 1.0
    position: float = 6.0
    """On metres; see `stage1_loss`."""
    centre: float = 0.1
    offset: float = 3.0
    """On shares of the picture's side, L1."""


def centre_map(people: PeopleLabels, side: int) -> Float32[np.ndarray, "c c"]:
    """Bumps of height 1 at the centres of visible people, at stride 4; wider for larger people."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    heat = np.zeros((side, side), np.float32)
    for box, centre in zip(people.box_px, people.centre_px, strict=True):
        size = float(np.max(box[2:] - box[:2])) / CENTRE_STRIDE
        if size <= 0:
            continue
        col, row = np.rint((centre + 0.5) / CENTRE_STRIDE - 0.5).clip(0, side - 1)
        spread = max(0.7, 0.06 * size)
        bump = np.exp(-((x - col) ** 2 + (y - row) ** 2) / (2 * spread**2))
        heat = np.maximum(heat, bump)
    return heat.astype(np.float32)


def offset_map(
    person_id: Int8[np.ndarray, "c c"], people: PeopleLabels
) -> Float32[np.ndarray, "2 c c"]:
    """From each cell at stride 4 to its person's centre in shares of the picture's side."""
    side = person_id.shape[0]
    size = side * CENTRE_STRIDE
    offset = np.zeros((2, side, side), np.float32)
    y, x = np.mgrid[:side, :side] * CENTRE_STRIDE + (CENTRE_STRIDE - 1) / 2
    for index, (centre_x, centre_y) in enumerate(people.centre_px):
        mine = person_id == index
        offset[0][mine] = ((centre_x - x) / size)[mine]
        offset[1][mine] = ((centre_y - y) / size)[mine]
    return offset


class Stage1Samples(Dataset):
    """Scenes and crops with their labels at stride 2, by index; see `MarkedPeople`."""

    def __init__(self, people: SyntheticPeople) -> None:
        self.people = people
        self.marked = MarkedPeople(people)

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample; `marker`, `visible`, `part`, `position_m` are at stride 2.

        `around` and `around_marker` are the surroundings of crops with a marker, else black.
        """
        kind = index % CYCLE
        if kind not in (*SCENES, *UNMARKED):
            return self._marked(index)
        draw = self.people.scene_sample if kind in SCENES else self.people.crop_sample
        sample = draw(index)
        person_id = sample.labels.person_id
        visible = person_id >= 0
        side = sample.image.shape[0] // CENTRE_STRIDE
        coarse_id = person_id[::2, ::2]
        return nothing_around(sample.image) | {
            "image": sample.image,
            "marker": np.zeros((MARKER_CHANNELS, *visible.shape), np.float32),
            "visible": visible,
            "part": np.where(visible, sample.labels.part, 0).astype(np.int64),
            "position_m": sample.labels.position_m.transpose(2, 0, 1),
            "centre": centre_map(sample.people, side),
            "coarse_id": coarse_id,
            "offset": offset_map(coarse_id, sample.people),
            "is_scene": np.float32(1),
        }

    def _marked(self, index: int) -> dict[str, Any]:
        """Somebody's crop, mostly that of whom the picture is about."""
        sample, who, marker, rng = self.marked.draw(index, SOMEBODY_ELSE)
        labels = sample.labels
        mine = labels.person_id == who
        crop = RoughCrop.around(marker, mine, rng, self.people.size)
        visible = crop.of_labels(mine.astype(np.float32)) > 0.5
        surface = np.dstack([np.where(mine, labels.part, 0), labels.position_m])
        surface = crop.of_labels(surface.astype(np.float32), nearest=True)
        return {
            **crop.see(sample.image, marker),
            "visible": visible,
            "part": np.where(visible, surface[..., 0], 0).astype(np.int64),
            "position_m": surface[..., 1:].transpose(2, 0, 1),
            **nobody_found(crop.size // CENTRE_STRIDE),
        }


def nothing_around(image: UInt8[np.ndarray, "S S 3"]) -> dict[str, np.ndarray]:
    """Black surroundings, for samples whose surroundings nobody looks at."""
    side = round(AROUND * len(image))
    grid = side // CORRESPONDENCE_STRIDE
    return {
        "around": np.zeros((side, side, 3), np.uint8),
        "around_marker": np.zeros((MARKER_CHANNELS, grid, grid), np.float32),
    }


def nobody_found(side: int) -> dict[str, Any]:
    """Labels of crops with a marker: nobody's centre is asked for."""
    return {
        "centre": np.zeros((side, side), np.float32),
        "coarse_id": np.full((side, side), -1, np.int8),
        "offset": np.zeros((2, side, side), np.float32),
        "is_scene": np.float32(0),
    }


def centre_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of a centre map: positives where the bump peaks, near misses forgiven."""
    positive = (target > 0.99).float()
    probability = logits.sigmoid()
    hit = positive * (1 - probability) ** 2 * functional.logsigmoid(logits)
    miss = (1 - positive) * (1 - target) ** 4 * probability**2 * functional.logsigmoid(-logits)
    per_picture = -(hit + miss).sum((1, 2)) / positive.sum((1, 2)).clamp_min(1)
    return (per_picture * weight).sum() / weight.sum().clamp_min(1)


def of_part(position_m: Float[Tensor, "N 72"], part: Tensor) -> Float[Tensor, "N 3"]:
    """Positions of one DensePose part (1..24) of each pixel."""
    return position_m.view(-1, NUM_CHARTS, 3)[torch.arange(len(part)), part - 1]


def at(maps: Float[Tensor, "B ... h w"], pixels: Bool[Tensor, "B h w"]) -> Float[Tensor, "N C"]:
    """Rows of the chosen pixels, in float32."""
    return maps.flatten(1, -3).permute(0, 2, 3, 1)[pixels].float()


def stage1_loss(
    maps: CorrespondenceMaps, batch: dict[str, Tensor], weights: Stage1Weights
) -> StepLoss:
    """Sum of the five terms; `batch` as from `Stage1Samples`.

    Where nobody is visible, surface heads are not even read: they are most of the maps. Visible
    pixels of part 0 teach the outline alone. Distances on the surface count as logarithms of what
    they are beside `NEAR_M`: a pixel that may be got right counts more than one that may not.
    """
    visible = batch["visible"] & (batch["part"] > 0)
    scene = batch["is_scene"]
    in_scene = batch["coarse_id"] >= 0
    num_visible = visible.sum().clamp_min(1)
    true_part = batch["part"][visible]
    person = functional.binary_cross_entropy_with_logits(
        maps.person.float(), batch["visible"].float()
    )
    part = functional.cross_entropy(at(maps.part, visible), true_part - 1, reduction="sum")
    position = of_part(at(maps.position_m, visible), true_part)
    gap = (position - at(batch["position_m"], visible)).square().sum(1)
    position = NEAR_M * ((gap + 1e-12).sqrt() / NEAR_M).log1p().sum()
    offset = (at(maps.offset, in_scene) - at(batch["offset"], in_scene)).abs().sum()
    terms = {
        "person": person,
        "part": part / num_visible,
        "position": position / num_visible,
        "centre": centre_loss(maps.centre.float(), batch["centre"], scene),
        "offset": offset / in_scene.sum().clamp_min(1),
    }
    total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return StepLoss(total, {name: float(term.detach()) for name, term in terms.items()})


class Stage1Task:
    """Fine-tunes the person-pretrained encoder under a fresh decoder.

    Args:
        network: what to train.
        people: training samples.
        validation: samples of the validation split.
        num_validation: validation samples.
        poser: whose landmarks are heard; None: as the original network would say them.
    """

    def __init__(
        self,
        network: CorrespondenceNet,
        people: SyntheticPeople,
        validation: SyntheticPeople,
        num_validation: int = 256,
        poser: LandmarkNet | None = None,
    ) -> None:
        self.model = network
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.training: Dataset = Stage1Samples(people)
        self.validation = torch.utils.data.Subset(Stage1Samples(validation), range(num_validation))
        self.weights = Stage1Weights()
        self.poser = (poser or LandmarkNet.pretrained()).eval().requires_grad_(False)
        self.poser.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        # Stem and first stages see edges and textures: they need no tuning, and their backward
        # pass at high resolution is the most expensive one.
        for frozen in (network.encoder.stem, *network.encoder.stages[:2]):
            frozen.requires_grad_(False)

    def samples(self) -> Dataset:
        """Training samples by index."""
        return self.training

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The encoder learns slowly, the decoder fast."""
        encoder = [p for p in self.model.encoder.parameters() if p.requires_grad]
        mine = {id(p) for p in self.model.encoder.parameters()}
        decoder = [p for p in self.model.parameters() if id(p) not in mine]
        groups = [{"params": decoder, "lr": learning_rate}]
        if encoder:
            groups.append({"params": encoder, "lr": learning_rate * ENCODER_RATE})
        return groups

    def _maps(self, model: nn.Module, batch: dict[str, Tensor]) -> CorrespondenceMaps:
        image = pictures_to_tensor(batch["image"])
        image = image.contiguous(memory_format=torch.channels_last)
        with mixed_precision(image.device.type):
            with torch.no_grad():
                pose = self._poses(batch, batch["is_scene"] == 0)
            return model(image, batch["marker"], pose)

    def _poses(self, batch: dict[str, Tensor], marked: Bool[Tensor, "B"]) -> Tensor:
        """Hints for crops with a marker, zeros for the others."""
        pose = torch.zeros(len(marked), NUM_LANDMARKS, POSE_VALUES)
        if marked.any():
            around = pictures_to_tensor(batch["around"][marked])
            marks = batch["around_marker"][marked]
            pose[marked], _ = look_around(self.poser, around, marks, second=False)
        return pose

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Loss of one batch."""
        return stage1_loss(self._maps(self.model, batch), batch, self.weights)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mask IoU, part accuracy, share of points within 5 cm; score = what is missing."""
        names = ("iou", "part", "near", "wrong_side", "loss")
        sums: dict[str, list[float]] = {name: [] for name in names}
        for batch in DataLoader(self.validation, batch_size=16):
            maps = self._maps(model, batch)
            sums["loss"].append(float(stage1_loss(maps, batch, self.weights).total))
            visible = batch["visible"]
            found = maps.person > 0
            union = (found | visible).sum((1, 2))
            sums["iou"] += ((found & visible).sum((1, 2)) / union)[union > 0].tolist()
            part, true_part = at(maps.part, visible).argmax(1) + 1, batch["part"][visible]
            sums["part"] += (part == true_part).float().tolist()
            sides = compare_sides(part.numpy(), true_part.numpy())
            sums["wrong_side"] += (sides < 0).tolist()
            gap = of_part(at(maps.position_m, visible), part) - at(batch["position_m"], visible)
            sums["near"] += (gap.norm(dim=1) < NEAR_M).float().tolist()
        means = {name: float(np.mean(values)) for name, values in sums.items()}
        return means | {"score": 3 - means["iou"] - means["part"] - means["near"]}

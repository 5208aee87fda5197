"""The task of `OutlineNet`: people who touch, marked as badly as they are at inference.

Crowds are drawn, MoveNet sights people in them, and whoever is there and touches somebody is
outlined, told by their limbs and the others'. A third of the marks are one for two people, or the
other one's; the rest are imitations of the first pass.
"""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int8, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.correspondence.outlines import OutlineNet, limb_maps, sighted_crop
from dimr.correspondence.sightings import Sighting, find_sightings
from dimr.data.synthetic.people import SyntheticPeople
from dimr.encoder.movenet import MoveNet
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    crop_to_norm,
    mask_box_px,
    match_boxes,
    pictures_to_tensor,
)
from dimr.train.loop import StepLoss
from dimr.train.markers import rough_markers, roughen
from dimr.train.precision import mixed_precision
from dimr.train.surroundings import PICTURE_SIZE, SHIFT, ZOOM, RoughCrop
from dimr.types import Crop

CROWDS: dict[str, Any] = {
    "others": (0.0, 0.5, 0.3, 0.2),
    "hug": 0.4,
    "box_scale": (1.05, 2.2),
}
"""Of the generator: nobody is alone."""
LEAST_PIXELS, LEAST_IOU = 20, 0.3
"""Of somebody's label pixels; of their box and that of who was sighted there."""
NEAR = np.ones((5, 5), np.uint8)
"""Label pixels around somebody within which others touch them."""
MISTAKEN, WRONG_ONE = 0.35, 0.4
"""Share of marks that take two for one; and of these that leave one of the two out."""
MOST = 16
"""People of a batch that are learnt from."""
KNOWN_RATE = 1 / 6
"""Learning rate of what the second pass knew, as a share of that of the layers of the marks."""


class Crowds(Dataset):
    """Drawn pictures of several people, by index."""

    def __init__(self, people: SyntheticPeople) -> None:
        config = replace(people.config, **CROWDS)
        self.people = people.reconfigured(config, PICTURE_SIZE)

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`image` and, at stride 2, `person_id`."""
        sample = self.people.crop_sample(index)
        return {"image": sample.image, "person_id": sample.labels.person_id}


def who_was_sighted(
    sightings: list[Sighting], person_id: Int8[np.ndarray, "h w"]
) -> dict[int, int]:
    """Number of the sighting -> of the person, where boxes fit; each once, best first."""
    everybody = [person_id == who for who in range(person_id.max() + 1)]
    people = [who for who, mine in enumerate(everybody) if mine.sum() >= LEAST_PIXELS]
    boxes = [CORRESPONDENCE_STRIDE * (mask_box_px(everybody[who]) + 0.5) - 0.5 for who in people]
    found = match_boxes([each.box_px for each in sightings], boxes, LEAST_IOU)
    return {number: people[which] for number, which in found.items()}


def touched_by(who: int, person_id: Int8[np.ndarray, "h w"]) -> list[int]:
    """Who is next to somebody."""
    near = cv2.dilate((person_id == who).astype(np.uint8), NEAR) > 0
    return [int(each) for each in np.unique(person_id[near]) if each not in (-1, who)]


def mistaken_marks(
    who: int, person_id: Int8[np.ndarray, "h w"], rng: np.random.Generator
) -> Float[np.ndarray, "2 h w"]:
    """Marks of somebody who touches others and of these, as bad as those at inference."""
    mine = person_id == who
    others = (person_id >= 0) & ~mine
    if rng.random() >= MISTAKEN:
        return rough_markers(mine, others, rng)
    other = person_id == rng.choice(touched_by(who, person_id))
    both = mine | other
    if rng.random() < WRONG_ONE:
        both = other if rng.random() < 0.5 else mine
    rest = others & ~other
    seen = rest if rng.random() < 0.5 else np.zeros_like(rest)
    return np.stack([roughen(each.astype(np.float32), rng) for each in (both, seen)])


class OutlineTask:
    """Teaches a second pass to read limbs.

    Args:
        network: what to train; its encoder stays.
        people: draws training samples.
        validation: draws validation samples.
        num_validation: pictures.
    """

    def __init__(
        self,
        network: OutlineNet,
        people: SyntheticPeople,
        validation: SyntheticPeople,
        num_validation: int = 256,
    ) -> None:
        self.model = network
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        network.encoder.requires_grad_(False)
        self.training = Crowds(people)
        self.validation = Subset(Crowds(validation), range(num_validation))
        self.spotter = MoveNet.pretrained().eval()

    def samples(self) -> Dataset:
        """Training samples by index."""
        return self.training

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The layers of the marks learn fast, all else slowly."""
        marks, known = [], []
        for name, each in self.model.named_parameters():
            if each.requires_grad:
                (marks if ".marker." in name or ".enter." in name else known).append(each)
        return [
            {"params": marks, "lr": learning_rate},
            {"params": known, "lr": learning_rate * KNOWN_RATE},
        ]

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Cross-entropy and Dice of the outlines of those who touch others."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        crops = self._crops(batch, rng)
        if crops is None:  # nobody touches anybody
            nothing = torch.stack([each.sum() for each in self.model.heads.parameters()]).sum()
            return StepLoss(0 * nothing, {})
        image, marks, visible = crops
        logits = self._outline(self.model, image, marks)
        share, target = logits.sigmoid(), visible.float()
        told = functional.binary_cross_entropy_with_logits(logits, target)
        common = 2 * (share * target).sum((1, 2)) + 1
        dice = 1 - common / (share.sum((1, 2)) + target.sum((1, 2)) + 1)
        total = 2 * told + dice.mean()
        return StepLoss(total, {"loss": float(total.detach()), "told": float(told.detach())})

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mask IoU of those who touch others; score = what is missing."""
        ious: list[float] = []
        for number, batch in enumerate(DataLoader(self.validation, batch_size=8)):
            crops = self._crops(batch, np.random.default_rng(number))
            if crops is None:
                continue
            image, marks, visible = crops
            found = self._outline(model, image, marks) > 0
            common, union = (found & visible).sum((1, 2)), (found | visible).sum((1, 2))
            ious += (common / union.clamp(min=1)).tolist()
        iou = float(np.mean(ious)) if ious else 0.0
        return {"score": 1 - iou, "iou": iou, "people": float(len(ious))}

    def _outline(self, model: Any, image: Tensor, marks: Tensor) -> Float[Tensor, "B h w"]:
        with mixed_precision(image.device.type):
            with torch.no_grad():
                features = model.encoder.features(image)
            return model.outline(features, marks).float()

    def _crops(
        self, batch: dict[str, Tensor], rng: np.random.Generator
    ) -> tuple[Float[Tensor, "N 3 S S"], Float[Tensor, "N 4 h w"], Bool[Tensor, "N h w"]] | None:
        """Pictures, marks and true outlines of those in a batch who touch others."""
        rows = []
        for image, person_id in zip(batch["image"], batch["person_id"], strict=True):
            rows += self._people(image.numpy(), person_id.numpy(), rng)
        if not rows:
            return None
        chosen = [rows[k] for k in rng.permutation(len(rows))[:MOST]]
        images, marks, visible = (
            torch.from_numpy(np.stack(each)) for each in zip(*chosen, strict=True)
        )
        return pictures_to_tensor(images), marks, visible

    def _people(
        self,
        image: UInt8[np.ndarray, "S S 3"],
        person_id: Int8[np.ndarray, "h w"],
        rng: np.random.Generator,
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Of one picture: crops, marks, who is seen."""
        sightings = find_sightings(self.spotter, image)
        rows = []
        for number, who in who_was_sighted(sightings, person_id).items():
            if not touched_by(who, person_id):
                continue
            crop = _shaken(sighted_crop(sightings[number]), len(image), rng)
            marks = mistaken_marks(who, person_id, rng)
            marks = [crop.of_labels(each.astype(np.float32)) for each in marks]
            limbs = limb_maps(sightings, number, crop.window(len(image), crop.size))
            visible = crop.of_labels((person_id == who).astype(np.float32)) > 0.5
            marks = np.concatenate([marks, limbs]).astype(np.float32)
            rows.append((crop.of_picture(image), marks, visible))
        return rows


def _shaken(crop: Crop, length: int, rng: np.random.Generator) -> RoughCrop:
    """The window somewhat beside, larger or smaller, in a square picture of that side."""
    middle, half = crop_to_norm(np.array(crop.centre_px), length), crop.side_px / length
    middle = middle + 2 * half * rng.normal(0, SHIFT, 2)
    return RoughCrop(middle, half * float(np.exp(rng.normal(0, ZOOM))), crop.size)

"""The task of `OutlineNet`: people who touch or stand behind things, marked as at inference.

Crowds and people behind things are drawn by turns, MoveNet sights people in them, and whoever is
there is outlined, told by their limbs and the others'. Some of the marks are drawn on over things,
are one for two people, or the other one's; the rest are imitations of the first pass. What else
crops show stands in `dimr.train.pasting`.
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
from dimr.correspondence.people import CROP_SIZE
from dimr.correspondence.sightings import Sighting, find_sightings
from dimr.data.occlusion import Cutout
from dimr.data.synthetic.people import SyntheticPeople
from dimr.data.synthetic.samples import OBJECT
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
from dimr.train.pasting import OutlineCrop, augmented
from dimr.train.precision import mixed_precision
from dimr.train.surroundings import PICTURE_SIZE, SHIFT, ZOOM, RoughCrop
from dimr.types import Crop

CROWDS: dict[str, Any] = {
    "others": (0.0, 0.5, 0.3, 0.2),
    "hug": 0.4,
    "box_scale": (1.05, 2.2),
}
"""Of the generator: nobody is alone."""
BEHIND: dict[str, Any] = {
    "box_scale": (1.05, 2.0),
    "objects": (0.05, 0.35, 0.35, 0.25),
    "object_in_front": 0.9,
}
"""Of the generator: hardly anybody has nothing before them."""
LEAST_PIXELS, LEAST_IOU = 20, 0.3
"""Of somebody's label pixels; of their box and that of who was sighted there."""
NEAR = np.ones((5, 5), np.uint8)
"""Label pixels around somebody within which others touch them."""
MISTAKEN, WRONG_ONE = 0.35, 0.4
"""Share of marks that take two for one; and of these that leave one of the two out."""
HIDDEN, DRAWN_ON = 0.04, 0.6
"""Of somebody's pixels: where things hide more, the share of marks that are drawn on over them."""
LONE_LEFT_OUT = 0.7
"""Share of those who touch nobody and are not whom the picture was drawn for."""
AROUND_SIGHTED = 0.6
"""Share of the crops that are made around the box where somebody was sighted; the others are made
around the mark."""
MOST = 16
"""People of a batch that are learnt from."""
COARSE = ("stages.2.", "stages.3.")
"""Names of the encoder's layers that learn, at strides 16 and 32; finer ones know edges, not
things, and stay."""
ENCODER_RATE, DECODER_RATE = 0.2, 0.5
"""Their learning rates, as shares of the recipe's: the encoder knows more than it is to learn."""


class CrowdsAndThings(Dataset):
    """Drawn pictures, by turns of several people and of people behind things, by index."""

    def __init__(self, people: SyntheticPeople) -> None:
        self.kinds = [
            people.reconfigured(replace(people.config, **kind), PICTURE_SIZE)
            for kind in (CROWDS, BEHIND)
        ]

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`image` and, at stride 2, `person_id` and what hides person 0, `hidden_by`."""
        sample = self.kinds[index % len(self.kinds)].crop_sample(index)
        return {
            "image": sample.image,
            "person_id": sample.labels.person_id,
            "hidden_by": sample.occlusion.hidden_by,
        }


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


def marks_over_things(
    mine: Bool[np.ndarray, "h w"],
    things: Bool[np.ndarray, "h w"],
    others: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 h w"]:
    """Marks of somebody, drawn on over the things before them, and of the others, or of none."""
    known = others if rng.random() < 0.5 else np.zeros_like(others)
    masks = (each.astype(np.float32) for each in (mine | things, known))
    return np.stack([roughen(each, rng, mild=rng.random() < 0.6) for each in masks])


def imitated_marks(
    who: int,
    person_id: Int8[np.ndarray, "h w"],
    things: Bool[np.ndarray, "h w"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "2 h w"]:
    """Marks of somebody and of the others, as bad as those at inference.

    Args:
        who: number of the person.
        person_id: of each label pixel, -1 where nobody is seen.
        things: where things hide them.
        rng: source of all randomness.
    """
    mine = person_id == who
    others = (person_id >= 0) & ~mine
    if things.sum() > HIDDEN * mine.sum() and rng.random() < DRAWN_ON:
        return marks_over_things(mine, things, others, rng)
    if touched_by(who, person_id):
        return mistaken_marks(who, person_id, rng)
    return rough_markers(mine, others, rng)


class OutlineTask:
    """Teaches to outline people as they are seen.

    Args:
        network: what to train; the fine layers of its encoder stay.
        people: draws training samples.
        validation: draws validation samples.
        cutouts: RGBA, to be pasted on training samples; without any, people alone are.
        num_validation: pictures.
    """

    def __init__(
        self,
        network: OutlineNet,
        people: SyntheticPeople,
        validation: SyntheticPeople,
        cutouts: list[Cutout],
        num_validation: int = 256,
    ) -> None:
        self.model = network
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        for name, each in network.encoder.named_parameters():
            each.requires_grad_(name.startswith(COARSE))
        self.training = CrowdsAndThings(people)
        self.validation = Subset(CrowdsAndThings(validation), range(num_validation))
        self.cutouts = cutouts
        self.spotter = MoveNet.pretrained().eval()

    def samples(self) -> Dataset:
        """Training samples by index."""
        return self.training

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The encoder's coarse layers learn slowly, the decoder faster."""
        encoder, decoder = [], []
        for name, each in self.model.named_parameters():
            if each.requires_grad:
                (encoder if name.startswith("encoder.") else decoder).append(each)
        return [
            {"params": encoder, "lr": learning_rate * ENCODER_RATE},
            {"params": decoder, "lr": learning_rate * DECODER_RATE},
        ]

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Cross-entropy and Dice of the outlines of some who are in a batch."""
        rng = np.random.default_rng(int(torch.randint(1 << 62, ())))
        crops = self._crops(batch, rng)
        if not crops:
            nothing = torch.stack([each.sum() for each in self.model.heads.parameters()]).sum()
            return StepLoss(0 * nothing, {})
        chosen = [
            augmented(crops[k], crops[:k] + crops[k + 1 :], self.cutouts, rng)
            for k in rng.permutation(len(crops))[:MOST]
        ]
        logits, visible = self._outline(self.model, chosen)
        share, target = logits.sigmoid(), visible.float()
        told = functional.binary_cross_entropy_with_logits(logits, target)
        common = 2 * (share * target).sum((1, 2)) + 1
        dice = 1 - common / (share.sum((1, 2)) + target.sum((1, 2)) + 1)
        total = 2 * told + dice.mean()
        return StepLoss(total, {"loss": float(total.detach()), "told": float(told.detach())})

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mask IoU of everybody's crops as they are drawn; score = what is missing."""
        ious: list[float] = []
        for number, batch in enumerate(DataLoader(self.validation, batch_size=8)):
            crops = self._crops(batch, np.random.default_rng(number))
            if not crops:
                continue
            logits, visible = self._outline(model, crops)
            found = logits > 0
            common, union = (found & visible).sum((1, 2)), (found | visible).sum((1, 2))
            ious += (common / union.clamp(min=1)).tolist()
        iou = float(np.mean(ious)) if ious else 0.0
        return {"score": 1 - iou, "iou": iou, "people": float(len(ious))}

    def _outline(
        self, model: Any, crops: list[OutlineCrop]
    ) -> tuple[Float[Tensor, "N h w"], Bool[Tensor, "N h w"]]:
        """Logits and truth."""
        images, marks, visible = (
            torch.from_numpy(np.stack(each)) for each in zip(*crops, strict=True)
        )
        image = pictures_to_tensor(images)
        with mixed_precision(image.device.type):
            logits = model.outline(model.encoder.features(image), marks).float()
        return logits, visible > 0.5

    def _crops(self, batch: dict[str, Tensor], rng: np.random.Generator) -> list[OutlineCrop]:
        """Of all people of a batch who are learnt from."""
        arrays = (batch[name].numpy() for name in ("image", "person_id", "hidden_by"))
        crops = []
        for image, person_id, hidden_by in zip(*arrays, strict=True):
            crops += self._people(image, person_id, hidden_by, rng)
        return crops

    def _people(
        self,
        image: UInt8[np.ndarray, "S S 3"],
        person_id: Int8[np.ndarray, "h w"],
        hidden_by: Int8[np.ndarray, "h w"],
        rng: np.random.Generator,
    ) -> list[OutlineCrop]:
        """Of one picture: those who were sighted, else person 0 without limbs."""
        sightings = find_sightings(self.spotter, image)
        crops = []
        for number, who in list(who_was_sighted(sightings, person_id).items()) or [(None, 0)]:
            if who != 0 and not touched_by(who, person_id) and rng.random() < LONE_LEFT_OUT:
                continue
            mine = person_id == who
            things = (hidden_by >= OBJECT) & (who == 0)  # it is known of person 0 alone
            marks = imitated_marks(who, person_id, things, rng)
            if number is not None and rng.random() < AROUND_SIGHTED:
                window = _shaken(sighted_crop(sightings[number]), len(image), rng)
            else:
                window = RoughCrop.around(marks, mine, rng, CROP_SIZE)
            visible = window.of_labels(mine.astype(np.float32))
            if (visible > 0.5).sum() < LEAST_PIXELS:
                continue
            limbs = np.zeros((2, *visible.shape), np.float32)
            if number is not None:
                limbs = limb_maps(sightings, number, window.window(len(image), window.size))
            marks = [window.of_labels(each.astype(np.float32)) for each in marks]
            crops.append(
                OutlineCrop(window.of_picture(image), np.stack([*marks, *limbs]), visible)
            )
        return crops


def _shaken(crop: Crop, length: int, rng: np.random.Generator) -> RoughCrop:
    """The window somewhat beside, larger or smaller, in a square picture of that side."""
    middle, half = crop_to_norm(np.array(crop.centre_px), length), crop.side_px / length
    middle = middle + 2 * half * rng.normal(0, SHIFT, 2)
    return RoughCrop(middle, half * float(np.exp(rng.normal(0, ZOOM))), crop.size)

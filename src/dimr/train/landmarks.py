"""The landmark network's task: recipes `landmarks` and `landmarks_photos`.

Each picture is looked at twice a step, as `look_at_pose` begins: at all of it, turned by the
quarter that makes the body most upright or, to learn which one does, by another; and at the window
around the body, here the true one roughly.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.correspondence.landmarks import AROUND, MARKED_LEVEL, LandmarkNet, find_pose
from dimr.correspondence.looks import look, next_window, rotations
from dimr.correspondence.people import CROP_MARGIN
from dimr.encoder.blazepose import CIRCLE, HIPS
from dimr.evaluate.photos import PCK_SHARE
from dimr.image.crop import pictures_to_tensor
from dimr.train.landmark_samples import DrawnPeople, LabelledPeople
from dimr.train.loop import StepLoss
from dimr.train.photos import LANDMARKS
from dimr.train.precision import mixed_precision

KNOWN_RATE = 0.08
"""Learning rate of what the original network knows, as a share of that of the mark's layer: much
more costs it its knowledge of photographs within minutes."""
ON_MASK_REACH = 2
"""A landmark is seen within so many pixels of the visible ones, of the mask's grid."""
MISTURNED = 0.25
"""Share of first looks at crops that are turned by another quarter."""
WORLD, DEPTH, SEEN, UPRIGHT = 1.0, 0.3, 0.1, 0.1
"""Weights of errors in metres, of z, and of the probabilities, against those of places as shares
of the body's radius."""


class LandmarkTask:
    """Fine-tunes the landmark network.

    Args:
        network: what to train.
        samples: `DrawnPeople`, with photographs or without.
        validation: synthetic people of the validation split.
        num_validation: of these.
        photos: photographs to validate on, too.
    """

    def __init__(
        self,
        network: LandmarkNet,
        samples: Dataset,
        validation: DrawnPeople,
        num_validation: int = 256,
        photos: LabelledPeople | None = None,
    ) -> None:
        self.model = network
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.training = samples
        self.validation: list[tuple[str, Dataset]] = [
            ("", Subset(validation, range(num_validation)))
        ]
        if photos is not None:
            self.validation.append(("photo_", photos))
        for frozen in (network.stem, *network.stages[: MARKED_LEVEL + 1], network.spread):
            frozen.requires_grad_(False)

    def samples(self) -> Dataset:
        """Training samples by index."""
        return self.training

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The mark's layer learns fast, all else slowly."""
        fast = list(self.model.mark.parameters())
        own = {id(each) for each in fast}
        slow = [each for each in self.model.parameters() if id(each) not in own]
        slow = [each for each in slow if each.requires_grad]
        return [
            {"params": fast, "lr": learning_rate},
            {"params": slow, "lr": learning_rate * KNOWN_RATE},
        ]

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Of both looks at one batch."""
        image = pictures_to_tensor(batch["image"])
        windows = [first_window(batch), rough_window(batch)]
        middle, axes, right = (torch.cat(each) for each in zip(*windows, strict=True))
        twice = {name: torch.cat([value, value]) for name, value in batch.items()}
        with mixed_precision(image.device.type):
            pose, upright, _, _ = look(
                self.model, torch.cat([image, image]), twice["marker"].float(), middle, axes
            )
        known = (twice["weight_2d"][:, CIRCLE] > 0).float()
        told = functional.binary_cross_entropy(upright.clamp(1e-6, 1 - 1e-6), right, known)
        twice["weight_2d"] = twice["weight_2d"] * right[:, None]  # of the others nothing is asked
        found = landmark_loss(pose, twice)
        terms = found.terms | {"upright": float(told.detach())}
        return StepLoss(found.total + UPRIGHT * told, terms)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Errors of places (half pictures) and metres; share of places within a tenth of boxes."""
        found: dict[str, float] = {}
        for prefix, samples in self.validation:
            sums: dict[str, list[Tensor]] = {}
            for batch in DataLoader(samples, batch_size=32):
                image = pictures_to_tensor(batch["image"])
                pose = find_pose(model, image, batch["marker"].float()).pose
                limbs = torch.from_numpy(LANDMARKS)
                gap = (pose[..., :2] - batch["places"][..., :2]).norm(dim=-1)[:, limbs]
                known = batch["weight_2d"][:, limbs] > 0
                right = gap < 2 * PCK_SHARE / (AROUND * CROP_MARGIN)  # pictures are 2 wide
                sums.setdefault("place", []).append(gap.clamp(max=1)[known])
                sums.setdefault("pck", []).append(right[known].float())
                if not prefix:
                    gap_m = (pose[..., 5:8] - batch["places"][..., 3:]).norm(dim=-1)[:, limbs]
                    sums.setdefault("world_m", []).append(gap_m.flatten())
            found |= {prefix + name: float(torch.cat(each).mean()) for name, each in sums.items()}
        score = found["place"] + found["world_m"] + found.get("photo_place", 0.0)
        return found | {"score": score}


def first_window(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Middles and axes of looks at whole pictures, and whether the right quarter is up."""
    upwards = batch["places"][:, CIRCLE, :2] - batch["places"][:, HIPS, :2]
    known = batch["weight_2d"][:, CIRCLE] > 0
    count, quarter = len(known), torch.pi / 2
    upright = torch.atan2(upwards[:, 0], -upwards[:, 1]) / quarter
    nearest = torch.where(known, upright.round(), 0.0)
    other = torch.where(torch.rand(count) < MISTURNED, torch.randint(1, 4, (count,)), 0)
    other = torch.where(known, other, 0)
    angle_rad = quarter * (nearest + other) + 0.1 * torch.randn(count)
    half = 0.9 + 0.25 * torch.rand(count)
    axes = half[:, None, None] * rotations(angle_rad)
    return 0.03 * torch.randn(count, 2), axes, (other == 0).float()


def rough_window(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Where the first look might say that the second is to be; a first one if nobody knows."""
    hips, circle = (batch["places"][:, each, :2] for each in (HIPS, CIRCLE))
    count, known = len(hips), batch["weight_2d"][:, CIRCLE] > 0
    upwards = circle - hips
    radius = upwards.norm(dim=1, keepdim=True)
    hips = hips + 0.12 * radius * torch.randn(count, 2)
    size = torch.exp(0.15 * torch.randn(count))
    turn = rotations(0.3 * torch.randn(count))
    upwards = (turn @ upwards[..., None])[..., 0] * size[:, None]
    found = next_window(hips, hips + upwards)
    other = first_window(batch)
    return (
        torch.where(known[:, None], found[0], other[0]),
        torch.where(known[:, None, None], found[1], other[1]),
        torch.ones(count),
    )


def landmark_loss(pose: Float[Tensor, "B 39 8"], batch: dict[str, Tensor]) -> StepLoss:
    """Distances in the picture and in the world, and the two probabilities.

    Places count as shares of the body's radius, or of half the crop where nobody knows that.
    """
    places, weight = batch["places"], batch["weight_2d"]
    radius = (places[:, CIRCLE, :2] - places[:, HIPS, :2]).norm(dim=1).clamp(0.1, 3.0)
    radius = torch.where(weight[:, CIRCLE] > 0, radius, 1.0)[:, None]
    gap = _distance(pose[..., :2] - places[..., :2]) / radius
    place = (gap * weight).sum() / weight.sum().clamp_min(1)
    deep = weight * batch["weight_3d"][:, None]
    deep[:, HIPS:] = 0  # they are places in the picture alone
    total = deep.sum().clamp_min(1)
    depth = ((pose[..., 2] - places[..., 2]).abs() / radius * deep).sum() / total
    world = (_distance(pose[..., 5:] - places[..., 3:]) * deep).sum() / total
    seen, inside = on_mask(places[..., :2], batch["visible"]), places[..., :2].abs().amax(-1) < 1
    truth = torch.stack([seen, inside], dim=-1).float()
    said = pose[..., 3:5].clamp(1e-6, 1 - 1e-6)
    told = functional.binary_cross_entropy(said, truth, reduction="none").mean(-1)
    told = (told * (weight > 0)).sum() / (weight > 0).sum().clamp_min(1)
    loss = place + WORLD * world + DEPTH * depth + SEEN * told
    terms = {"place": place, "world_m": world, "depth": depth, "seen": told}
    return StepLoss(loss, {name: float(term.detach()) for name, term in terms.items()})


def on_mask(
    places: Float[Tensor, "B 39 2"], visible: Bool[Tensor, "B h w"]
) -> Bool[Tensor, "B 39"]:
    """Whether landmarks lie on visible pixels or beside one."""
    grown = functional.max_pool2d(
        visible[:, None].float(), 2 * ON_MASK_REACH + 1, 1, ON_MASK_REACH
    )
    found = functional.grid_sample(grown, places[:, None], "nearest", align_corners=False)
    return found[:, 0, 0] > 0.5


def _distance(difference: Tensor) -> Tensor:
    """Its length, with a gradient at zero."""
    return (difference.square().sum(-1) + 1e-8).sqrt()

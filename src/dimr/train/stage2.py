"""Stage 2's tasks: the head on the IUV alone, then on pictures, plain and as parallel inpainting.

`GeometryTask` needs no picture: it is cheap, so it sees hundreds of thousands of bodies, with
clean IUVs and IUVs that are damaged as a network would damage them. `PictureTask` goes on with the
shared encoder's features (which enter through a zero-initialised layer, so nothing is forgotten)
and with what stage 1 really says, so that the head is good at what it will be given. With
`inpainting` each crop has a twin behind pasted things (paper Sec. 3.4): both pass through the same
weights, and the part features of the twin are pulled to those of the original (L_sim).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from dimr.body.model import BodyModel
from dimr.correspondence.decode import embedding_to_iuv
from dimr.correspondence.network import CropFeatures
from dimr.correspondence.stage1 import Stage1
from dimr.data.synthetic.people import CropSample, IuvSample, SyntheticPeople
from dimr.evaluate.errors import mpjpe_mm, pa_mpjpe_mm
from dimr.image.crop import pictures_to_tensor
from dimr.network.dimr import Dimr
from dimr.train.damage import damage_iuv, mistake_person
from dimr.train.landmark_errors import BorrowedErrors, landmark_places
from dimr.train.loop import StepLoss
from dimr.train.losses import LossWeights, Target, parallel_inpainting_loss, stage2_losses
from dimr.train.marked import MarkedPeople
from dimr.train.markers import rough_markers
from dimr.train.precision import mixed_precision
from dimr.train.surroundings import RoughCrop
from dimr.types import Regression

OCCLUDED = "occluded_"
"""Names of what belongs to a picture's twin start with this."""
ALONE = "alone_"
"""Names of IUVs without pictures beside others start with this."""
HEARD = 0.75
"""Share of batches of IUVs alone in which landmarks are heard."""


def target_labels(sample: CropSample | IuvSample) -> dict[str, np.ndarray]:
    """What stage 2 is to say of a sample."""
    return {
        "rotmats": sample.rotmats,
        "betas": sample.betas,
        "joints_m": sample.joints_m,
        "joints_norm": sample.keypoints_norm,
    }


def batch_to_target(batch: dict[str, Tensor]) -> Target:
    """Collated labels; all present where no `weight_smpl`, `weight_3d`, `weight_2d` say less."""
    ones = torch.ones(batch["joints_m"].shape[:2])
    return Target(
        batch["rotmats"],
        batch["betas"],
        batch["joints_m"],
        batch["joints_norm"],
        batch.get("weight_smpl", ones[:, 0]),
        batch.get("weight_3d", ones),
        batch.get("weight_2d", ones),
    )


class GeometrySamples(Dataset):
    """IUVs without pictures; two in three are damaged, one in six has somebody else's pixels."""

    def __init__(
        self, people: SyntheticPeople, damaged_share: float = 0.67, mistaken_share: float = 0.17
    ) -> None:
        self.people = people
        self.damaged_share = damaged_share
        self.mistaken_share = mistaken_share

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`mask`, `uv` at stride 2 and the target's labels."""
        sample = self.people.iuv_sample(index)
        rng = np.random.default_rng([self.people.seed, index])
        mask, uv = sample.mask, sample.uv
        if rng.random() < self.mistaken_share:
            other = self.people.iuv_sample(index + len(self))
            mask, uv = mistake_person((mask, uv), (other.mask, other.uv), rng)
        if rng.random() < self.damaged_share:
            mask, uv = damage_iuv(mask, uv, rng)
        return {"mask": mask, "uv": uv, **target_labels(sample)}


class PictureSamples(Dataset):
    """Pictures with the true IUV and an imitated marker for stage 1.

    Args:
        people: the generator.
        twins: whether each picture comes with an occluded copy.
    """

    def __init__(self, people: SyntheticPeople, twins: bool = False) -> None:
        self.marked = MarkedPeople(people)
        self.size = people.size
        self.twins = twins

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`image`, `marker`, the true `mask` and `uv`, and the target's labels.

        `around` and `around_marker` are the crop's surroundings. With twins also
        `occluded_image`, `occluded_mask` and so on.
        """
        sample, _, marker, rng = self.marked.draw(index)
        iuv, others = sample.iuv, sample.labels.person_id > 0
        crop = RoughCrop.around(marker, iuv.mask, rng, self.size)
        labels = target_labels(sample)
        labels["joints_norm"] = ((labels["joints_norm"] - crop.middle) / crop.half).astype(
            np.float32
        )
        mask = crop.of_labels(iuv.mask.astype(np.float32), nearest=True) > 0
        uv = crop.of_labels(iuv.uv, nearest=True)
        found = {**crop.see(sample.image, marker), "mask": mask, "uv": uv, **labels}
        if not self.twins:
            return found
        image, hidden = self.marked.people.occlude(sample.image, index)
        marker = rough_markers(iuv.mask & ~hidden, others & ~hidden, rng)
        twin = crop.see(image, marker) | {
            "mask": mask & ~(crop.of_labels(hidden.astype(np.float32), nearest=True) > 0)
        }
        return found | {OCCLUDED + name: value for name, value in twin.items()}


class BesideIuvs(Dataset):
    """Samples of one data set, each with one of another, whose names then start with `ALONE`."""

    def __init__(self, samples: Dataset, iuvs: Dataset) -> None:
        self.samples, self.iuvs = samples, iuvs

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Both."""
        alone = {ALONE + name: value for name, value in self.iuvs[index].items()}
        return self.samples[index] | alone


def split_alone(batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A batch of `BesideIuvs` -> its samples, its IUVs alone."""
    alone = {name.removeprefix(ALONE): batch[name] for name in batch if name.startswith(ALONE)}
    return {name: batch[name] for name in batch if not name.startswith(ALONE)}, alone


def read_iuvs(stage1: Stage1, features: CropFeatures) -> tuple[Tensor, Tensor]:
    """Masks and uvs that stage 1 predicts of a batch of crops."""
    maps = stage1.decode(features)
    person, part = (each.float().numpy() for each in (maps.person.sigmoid(), maps.part.softmax(1)))
    position = maps.position_m.float().numpy()
    iuvs = [
        embedding_to_iuv(*each, stage1.table) for each in zip(person, part, position, strict=True)
    ]
    mask, uv = np.stack([iuv.mask for iuv in iuvs]), np.stack([iuv.uv for iuv in iuvs])
    return torch.from_numpy(mask), torch.from_numpy(uv)


def see(stage1: Stage1, batch: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """What stage 1 makes of a batch of `PictureSamples`: all that stage 2 starts from.

    Returns:
        `map0` to `map3` (the encoder's), `said_mask`, `said_uv` and `pose`, each behind `prefix`.
    """
    crop, around = (
        (pictures_to_tensor(batch[prefix + picture]), batch[prefix + marker])
        for picture, marker in (("image", "marker"), ("around", "around_marker"))
    )
    with torch.no_grad(), mixed_precision(stage1.device.type):
        features = stage1.features(crop, around)
        mask, uv = read_iuvs(stage1, features)
    seen = see_features(features) | {"said_mask": mask, "said_uv": uv}
    return {prefix + name: value for name, value in seen.items()}


def see_features(features: CropFeatures) -> dict[str, Tensor]:
    """`map0` to `map3` and `pose`."""
    seen = {f"map{level}": each.float() for level, each in enumerate(features.maps)}
    return seen if features.pose is None else seen | {"pose": features.pose.float()}


def regress_seen(
    model: Dimr, batch: dict[str, Tensor], predicted: Tensor, prefix: str = ""
) -> Regression:
    """Stage 2 on what was seen; where `predicted`, on stage 1's IUV instead of the given one."""
    mask, uv = batch[prefix + "mask"], batch["uv"]
    mask = torch.where(predicted[:, None, None], batch[prefix + "said_mask"], mask)
    uv = torch.where(predicted[:, None, None, None], batch[prefix + "said_uv"], uv)
    return regress_iuv(model, batch, mask, uv, prefix)


def regress_iuv(
    model: Dimr, batch: dict[str, Tensor], mask: Tensor, uv: Tensor, prefix: str = ""
) -> Regression:
    """Stage 2 on the encoder's maps of a batch and on an IUV."""
    maps = [batch[f"{prefix}map{level}"] for level in range(len(model.fuse.project))]
    image = pictures_to_tensor(batch[prefix + "image"])
    return model.regress_from(maps, mask, uv * mask[..., None], image, batch.get(prefix + "pose"))


class Stage2Task:
    """What all tasks of stage 2 share: the loss and the metrics.

    Args:
        model: what learns; its encoder does not.
        body: for the joints.
        validation: samples of the validation split.
        num_validation: how many of them.
        twins: whether each sample has an occluded twin that learns, too.
    """

    def __init__(
        self,
        model: Dimr,
        body: BodyModel,
        validation: Dataset,
        num_validation: int,
        twins: bool = False,
    ) -> None:
        self.model = model
        self.body = body
        self.twins = twins
        self.validation = Subset(validation, range(num_validation))
        self.weights = LossWeights(norm="l1", joints_3d=5.0, joints_2d=5.0, betas=0.01)
        model.encoder.requires_grad_(False)

    def samples(self) -> Dataset:
        """Training samples by index."""
        raise NotImplementedError

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Everything but the encoder."""
        learnt = [p for p in self.model.parameters() if p.requires_grad]
        return [{"params": learnt, "lr": learning_rate}]

    def regress(
        self, model: Dimr, batch: dict[str, Tensor], predicted: Tensor, prefix: str = ""
    ) -> Regression:
        """Stage 2 on a batch; where `predicted`, on stage 1's IUV instead of the given one.

        `prefix` `OCCLUDED` takes the twins.
        """
        raise NotImplementedError

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """Eq. 4; with twins the mean over both, and L_sim."""
        predicted = torch.rand(len(batch["mask"])) < 0.75
        target = batch_to_target(batch)
        with mixed_precision(batch["mask"].device.type):
            found = self.regress(self.model, batch, predicted)
            twins = self.regress(self.model, batch, predicted, OCCLUDED) if self.twins else None
        if twins is not None:
            losses = parallel_inpainting_loss(found, twins, target, self.body.joints, self.weights)
        else:
            losses = stage2_losses(found, target, self.body.joints, self.weights)
        terms = {name: float(getattr(losses, name).detach()) for name in losses._fields}
        return StepLoss(losses.total, terms)

    @torch.no_grad()
    def validate(self, model: Dimr) -> dict[str, float]:
        """Mean errors on the validation samples."""
        errors = {"mpjpe_mm": [], "pa_mpjpe_mm": []}
        for batch in DataLoader(self.validation, batch_size=32):
            regression = self.regress(
                model, batch, torch.ones(len(batch["mask"]), dtype=torch.bool)
            )
            joints = self.body.joints(regression.rotmats, regression.betas)
            errors["mpjpe_mm"] += mpjpe_mm(joints, batch["joints_m"]).tolist()
            errors["pa_mpjpe_mm"] += pa_mpjpe_mm(joints, batch["joints_m"]).tolist()
        means = {name: float(np.mean(values)) for name, values in errors.items()}
        return means | {"score": means["mpjpe_mm"]}


class GeometryTask(Stage2Task):
    """The head on IUVs alone."""

    def __init__(
        self,
        model: Dimr,
        body: BodyModel,
        people: SyntheticPeople,
        validation: SyntheticPeople,
        num_validation: int = 256,
        errors: BorrowedErrors | None = None,
    ) -> None:
        """`errors` of landmarks, which the head then hears three times in four."""
        validated = GeometrySamples(validation, 0.0, 0.0)
        super().__init__(model, body, validated, num_validation)
        self.people = people
        self.errors = errors

    def samples(self) -> Dataset:
        """Training samples by index."""
        return GeometrySamples(self.people)

    def loss(self, batch: dict[str, Tensor], step: int) -> StepLoss:
        """With landmarks, mostly."""
        if self.errors is not None and torch.rand(()) < HEARD:
            places = landmark_places(
                self.body, batch["rotmats"], batch["betas"], batch["joints_norm"]
            )
            batch = batch | {"pose": self.errors.pose_at(places)}
        return super().loss(batch, step)

    def regress(
        self, model: Dimr, batch: dict[str, Tensor], predicted: Tensor, prefix: str = ""
    ) -> Regression:
        """No picture, no stage 1: the IUV of the batch, and landmarks if it has any."""
        return model.regress_from(None, batch["mask"], batch["uv"], pose=batch.get("pose"))


class PictureTask(Stage2Task):
    """The head on features and IUVs, three in four of them stage 1's own."""

    def __init__(
        self,
        model: Dimr,
        body: BodyModel,
        stage1: Stage1,
        people: SyntheticPeople,
        validation: SyntheticPeople,
        num_validation: int = 256,
        inpainting: bool = False,
    ) -> None:
        super().__init__(model, body, PictureSamples(validation), num_validation, inpainting)
        self.people = people
        self.stage1 = stage1

    def samples(self) -> Dataset:
        """Training samples by index."""
        return PictureSamples(self.people, self.twins)

    def regress(
        self, model: Dimr, batch: dict[str, Tensor], predicted: Tensor, prefix: str = ""
    ) -> Regression:
        """Features of the shared encoder, IUVs by `predicted`."""
        return regress_seen(model, batch | see(self.stage1, batch, prefix), predicted, prefix)

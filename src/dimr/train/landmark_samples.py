"""People with landmarks for the landmark network: drawn ones, and photographs with labels.

Each is what `dimr.correspondence.landmarks.surroundings` of the marked person's crop would be.

Synthetic people have every landmark, seen or hidden, in the picture and in metres; photographs
(Leeds Sports Pose Extended) have twelve joints in the picture, some of them wrong, some with left
and right exchanged: the latter are recognised by what the network says before it starts. The
photographs that `dimr eval REALVAL` measures on never take part.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch.utils.data import DataLoader, Dataset

from dimr.body.landmarks import ALL_ON_BODY
from dimr.body.model import BodyModel
from dimr.correspondence.landmarks import LandmarkNet, look_at_pose
from dimr.data.occlusion import Cutout
from dimr.data.synthetic.people import SyntheticPeople
from dimr.encoder.blazepose import CIRCLE, HIPS, NUM_LANDMARKS
from dimr.evaluate.photos import JointPhoto
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    crop_to_norm,
    pictures_to_tensor,
)
from dimr.image.load import load_picture
from dimr.train.landmark_errors import landmark_places
from dimr.train.marked import MarkedPeople
from dimr.train.markers import rough_markers
from dimr.train.photos import LANDMARKS, MIRROR, behind_things, labels_mask, mend_sides
from dimr.train.surroundings import RoughCrop

PLACED = np.array(list(ALL_ON_BODY))
"""Landmarks whose places on the body are known."""
SHOULDERS, HIP_JOINTS = (11, 12), (23, 24)
CIRCLE_MARGIN, LABELS_MARGIN = 1.05, 1.15
"""Radius of the circle around the body over the distance of the farthest landmark, or of the
farthest label, which leave out the feet."""
MOST_LABELS = 10
"""So many of twelve at least say where the whole body is."""
UNMARKED = 0.1
"""Share of samples without a mark."""
BEHIND = 0.4
"""Share of the photographs that things are pasted on."""
WEIGHTS = np.ones(NUM_LANDMARKS, np.float32)
WEIGHTS[1:11], WEIGHTS[17:23], WEIGHTS[29:] = 0.3, 0.5, 0.5
WEIGHTS[[HIPS, CIRCLE]] = 1.0
"""Of the landmarks: there are eleven of the face, of a limb's end one."""
CROP_SIZE = 192
"""Side of the crops whose surroundings samples are."""
Sample = dict[str, Any]
"""`image`, `marker`, `visible`; `places` (39, 6) with `weight_2d` (39,) and `weight_3d`."""


def circle_around(
    points: Float[np.ndarray, "N 2"],
    shoulders: Float[np.ndarray, "2"],
    hips: Float[np.ndarray, "2"],
    margin: float,
) -> Float[np.ndarray, "2"]:
    """The point straight above the hips, along the trunk, on the circle around all points."""
    upwards = shoulders - hips
    length = float(np.linalg.norm(upwards))
    radius = margin * float(np.linalg.norm(points - hips, axis=1).max())
    return hips + radius * (upwards / length if length > 1e-6 else np.array([0.0, -1.0]))


class DrawnPeople(Dataset):
    """Synthetic people with all landmarks, by index without end."""

    def __init__(self, people: SyntheticPeople, body: BodyModel) -> None:
        self.marked, self.body = MarkedPeople(people), body

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, index: int) -> Sample:
        """One sample."""
        sample, _, marker, rng = self.marked.draw(index)
        visible, others = sample.labels.person_id == 0, sample.labels.person_id > 0
        rotmats, betas, joints_norm = (
            torch.from_numpy(each)[None]
            for each in (sample.rotmats, sample.betas, sample.keypoints_norm)
        )
        (known,) = landmark_places(self.body, rotmats, betas, joints_norm, ALL_ON_BODY).numpy()
        places = np.zeros((NUM_LANDMARKS, 6), np.float32)
        places[PLACED] = known
        places[HIPS] = places[list(HIP_JOINTS)].mean(0)
        places[CIRCLE, :2] = circle_around(
            known[:, :2], places[list(SHOULDERS), :2].mean(0), places[HIPS, :2], CIRCLE_MARGIN
        )
        weight = WEIGHTS.copy()
        weight[CIRCLE + 1 :] = 0
        found = surrounded(sample.image, marker, visible, places, rng)
        if rng.random() < UNMARKED and not others.any():
            found["marker"][:] = 0
        return found | {"weight_2d": weight, "weight_3d": np.float32(1)}


class LabelledPeople(Dataset):
    """Photographs with twelve labelled joints, mirrored, shaded, behind things, without end.

    Args:
        photos: labelled crops.
        cutouts: to be pasted.
        seed: of all that is drawn.
        augmented: False leaves photographs as they are, in their order.
    """

    def __init__(
        self,
        photos: list[JointPhoto],
        cutouts: list[Cutout],
        seed: int = 0,
        augmented: bool = True,
    ) -> None:
        self.photos, self.cutouts, self.seed = photos, cutouts, seed
        self.augmented = augmented

    def __len__(self) -> int:
        return 1 << 40 if self.augmented else len(self.photos)

    def __getitem__(self, index: int) -> Sample:
        """One sample."""
        rng = np.random.default_rng([self.seed, index])
        if not self.augmented:
            photo = self.photos[index]
            return self._sample(load_picture(photo.path), photo.joints_px, photo.head_px, rng)
        photo = self.photos[rng.integers(len(self.photos))]
        picture, joints_px, head_px = load_picture(photo.path), photo.joints_px, photo.head_px
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            last = len(picture) - 1
            joints_px, head_px = (
                np.stack([last - each[:, 0], each[:, 1]], axis=1)
                for each in (joints_px[MIRROR], head_px)
            )
        return self._sample(shaded(picture, rng), joints_px, head_px, rng)

    def _sample(
        self,
        picture: UInt8[np.ndarray, "S S 3"],
        joints_px: Float[np.ndarray, "12 2"],
        head_px: Float[np.ndarray, "2 2"],
        rng: np.random.Generator,
    ) -> Sample:
        side = len(picture)
        everything = np.concatenate([joints_px, head_px])
        mask = labels_mask(everything, side, rng)
        if self.augmented and self.cutouts and rng.random() < BEHIND:
            picture, mask = behind_things(picture, mask, self.cutouts, rng)
        visible = mask[::CORRESPONDENCE_STRIDE, ::CORRESPONDENCE_STRIDE]
        marker = rough_markers(visible, np.zeros_like(visible), rng)
        places, weight = labelled_places(
            crop_to_norm(joints_px, side), crop_to_norm(head_px, side)
        )
        found = surrounded(picture, marker, visible, places, rng)
        if rng.random() < UNMARKED:
            found["marker"][:] = 0
        return found | {"weight_2d": weight, "weight_3d": np.float32(0)}


def surrounded(
    picture: UInt8[np.ndarray, "S S 3"],
    marker: Float[np.ndarray, "2 h w"],
    visible: Bool[np.ndarray, "h w"],
    places: Float[np.ndarray, "39 6"],
    rng: np.random.Generator,
) -> Sample:
    """The surroundings of the crop that the mark leads to, roughly: all but the weights."""
    wide = RoughCrop.around(marker, visible, rng, CROP_SIZE).wider()
    moved = places.copy()
    moved[:, :2] = (places[:, :2] - wide.middle) / wide.half
    moved[:, 2] /= wide.half
    masks = wide.of_labels(np.dstack([*marker, visible]).astype(np.float32))
    *marks, seen = np.moveaxis(masks, 2, 0)
    return {
        "image": wide.of_picture(picture),
        "marker": np.stack(marks),
        "visible": seen > 0.5,
        "places": moved,
    }


def shaded(
    picture: UInt8[np.ndarray, "S S 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "S S 3"]:
    """Another light: brightness, contrast, and a cast of colour."""
    gain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    shifted = (picture - 128.0) * np.exp(rng.normal(0, 0.15)) + 128 + rng.normal(0, 12)
    return (shifted * gain).clip(0, 255).astype(np.uint8)


def labelled_places(
    joints_norm: Float[np.ndarray, "12 2"], head_norm: Float[np.ndarray, "2 2"]
) -> tuple[Float[np.ndarray, "39 6"], Float[np.ndarray, "39"]]:
    """Landmarks that twelve joints tell of, and how much each one counts."""
    places, weight = np.zeros((NUM_LANDMARKS, 6), np.float32), np.zeros(NUM_LANDMARKS, np.float32)
    known = ~np.isnan(joints_norm[:, 0])
    places[LANDMARKS[known], :2] = joints_norm[known]
    weight[LANDMARKS[known]] = 1
    if weight[[*SHOULDERS, *HIP_JOINTS]].all():
        hips, shoulders = (places[list(pair), :2].mean(0) for pair in (HIP_JOINTS, SHOULDERS))
        places[HIPS, :2], weight[HIPS] = hips, 1
        if known.sum() >= MOST_LABELS:
            points = np.concatenate([joints_norm[known], head_norm[~np.isnan(head_norm[:, 0])]])
            places[CIRCLE, :2] = circle_around(points, shoulders, hips, LABELS_MARGIN)
            weight[CIRCLE] = 1
    return places, weight


@torch.inference_mode()
def mended(network: LandmarkNet, photos: list[JointPhoto]) -> list[JointPhoto]:
    """Photographs with left and right exchanged where landmarks that are sure say so."""
    network = network.eval()
    samples = LabelledPeople(photos, [], augmented=False)
    poses, places = [], []
    for batch in DataLoader(samples, batch_size=32):
        image = pictures_to_tensor(batch["image"])
        poses.append(look_at_pose(network, image, batch["marker"]).numpy())
        unknown = batch["weight_2d"][:, LANDMARKS, None] == 0
        places.append(batch["places"][:, LANDMARKS, :2].masked_fill(unknown, torch.nan).numpy())
    found = []
    for photo, pose, norm in zip(
        photos, np.concatenate(poses), np.concatenate(places), strict=True
    ):
        same = np.array_equal(mend_sides(norm, pose), norm, equal_nan=True)
        found.append(photo if same else photo._replace(joints_px=photo.joints_px[MIRROR]))
    return found

"""(seed, split, index) -> synthetic people with exact labels.

Entry point of the generator. A sample depends on its numbers alone, not on what was drawn before,
in which process, or in which order; it is byte-identical every time (with the same versions of the
libraries and the same files in the optional folders). The splits "train", "val" and "test" draw
from different streams of random numbers for every seed and index, and each has its own motion
clips, garments and textures.
"""

import copy
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, UInt8

from dimr.body.camera import fit_weak
from dimr.body.model import BodyModel
from dimr.data.synthetic import background, compose, objects, photo, shading, staging
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.drawing import AloneLayers, Layer
from dimr.data.synthetic.dressing import Dressed, Stylist
from dimr.data.synthetic.figure import Tailor
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.outfit import Dresser
from dimr.data.synthetic.pose_bank import PoseBank
from dimr.data.synthetic.product import product
from dimr.data.synthetic.samples import (
    OBJECT,
    CropSample,
    DenseLabels,
    IuvSample,
    Occlusion,
    PeopleLabels,
    SceneSample,
)
from dimr.data.synthetic.scenes import Scenery
from dimr.data.synthetic.staging import Placed, Stage
from dimr.data.synthetic.textures import TextureBank
from dimr.data.synthetic.wardrobe import Wardrobe
from dimr.image.crop import CORRESPONDENCE_STRIDE
from dimr.surface.atlas import Atlas

__all__ = [
    "CropSample",
    "DenseLabels",
    "IuvSample",
    "Occlusion",
    "PeopleLabels",
    "SceneSample",
    "Split",
    "SyntheticPeople",
]

Split = Literal["train", "val", "test"]
_CROP, _SCENE, _IUV, _TEXTURES, _OUTFITS, _PASTE = range(6)
LONGEST_PHOTO_PX = 320
LONGEST_CUTOUT_PX = 256
NUM_READY_MADE = 64
"""Outfits that `iuv_sample` chooses from; the other samples have a new one for each person."""
FRONT_M = 0.01
"""Depth of what is nearer than everybody."""


class SyntheticPeople:
    """The generator; make one per process (it reuses its buffers, so one per thread, too).

    Args:
        body: whose rest pose, shapes and skinning are used.
        atlas: its UV map.
        size: side of the samples in pixels; even.
        backgrounds: folder of photos; None or missing: procedural backgrounds only.
        occluders: folder of RGBA cut-outs; None or missing: procedural objects only.
        seed: samples of different seeds share nothing.
        split: one of `Split`; samples of different splits share nothing either. Give each split
            its own folders.
        config: probabilities.
        poses: pose bank made by `dimr synth poses`; None: the one that ships.
    """

    def __init__(
        self,
        body: BodyModel,
        atlas: Atlas,
        size: int = 192,
        backgrounds: Path | None = None,
        occluders: Path | None = None,
        seed: int = 0,
        split: str = "train",
        config: SyntheticConfig | None = None,
        poses: Path | None = None,
    ) -> None:
        if size < 16 or size % CORRESPONDENCE_STRIDE:
            raise ValueError(f"size: got {size}, want an even number of pixels, at least 16")
        if seed < 0:
            raise ValueError(f"seed: got {seed}, want 0 or more")
        if split not in get_args(Split):
            raise ValueError(f"split: got {split!r}, want one of {get_args(Split)}")
        self.seed, self.split = seed, split
        self.config = config or SyntheticConfig()
        self._split_number = get_args(Split).index(split)
        self._atlas = atlas
        self._tailor = Tailor(body, atlas)
        self._stage = Stage(self._tailor, self.config, PoseBank.load(split, poses))
        self._photos = load_folder(backgrounds, "RGB", LONGEST_PHOTO_PX)
        self._cutouts = load_folder(occluders, "RGBA", LONGEST_CUTOUT_PX)
        rng = self._rng(_TEXTURES, 0)
        self._bank = TextureBank(rng)
        self._scenery = Scenery(rng, self._bank)
        wardrobe = Wardrobe.load(split)
        if wardrobe.body_hash != body.content_hash:
            wardrobe = None  # garments fit the open body alone
        self._stylist = Stylist(Dresser(body, atlas), self._tailor, wardrobe, self.config)
        self._make_room(size)

    def reconfigured(self, config: SyntheticConfig, size: int) -> "SyntheticPeople":
        """The same streams and assets with other probabilities and another size."""
        other = copy.copy(self)
        other.config = config
        other._stage = Stage(self._tailor, config, self._stage.bank)
        other._stylist = Stylist(
            self._stylist.dresser, self._tailor, self._stylist.wardrobe, config
        )
        other._make_room(size)
        return other

    def _make_room(self, size: int) -> None:
        self.size = size
        most = max(len(self.config.others) + 1, len(self.config.scene_people))
        self._alone = AloneLayers(
            size // CORRESPONDENCE_STRIDE, most, self._atlas, self._tailor.template
        )
        self._layer = Layer(size)
        self._ready_made: list[Dressed] = []

    def crop_sample(self, index: int) -> CropSample:
        """A crop around one target, with up to three other people and three objects."""
        rng = self._rng(_CROP, index)
        count = 1 + staging.pick(rng, self.config.others)
        crop = self._stage.crop(rng, [self._stylist.sample(rng) for _ in range(count)])
        things = self._objects(rng, crop)
        things.sort(key=lambda thing: -thing.depth_m)
        inside = _inside(crop.edges_norm, self.size)
        half_inside = _inside(crop.edges_norm, self.size // CORRESPONDENCE_STRIDE)
        alphas = [thing.coverage(self.size) for thing in things]
        covers = [compose.halve_cover(alpha) for alpha in alphas]
        self._alone.draw(crop.people, crop.window, self._stylist.textures)
        people, kept, (person, shares) = self._keep_target_visible(
            crop.people, things, covers, half_inside
        )
        seen = [k for k in people if k == 0 or shares[k] > 0]
        renumber = _renumber(seen, len(people))
        labels = self._alone.labels(renumber[person], crop.people, seen)
        occlusion = self._occlusion(crop, seen, things, covers, kept, half_inside)
        image, person_id = self._picture(
            rng,
            [crop.people[k] for k in people],
            crop,
            [things[k] for k in kept],
            [alphas[k] for k in kept],
            horizon=float(rng.random() * 1.3 - 0.1),
        )
        image[~inside] = 0
        person_id[~inside] = -1
        person_id = renumber[person_id]
        boxes, centres = compose.visible_boxes(person_id, len(seen))
        about = PeopleLabels(boxes, centres, shares[seen])
        return CropSample(
            image, person_id, labels, about, **self._target(crop), occlusion=occlusion
        )

    def scene_sample(self, index: int) -> SceneSample:
        """A picture with 0 to 8 people of very different size."""
        rng = self._rng(_SCENE, index)
        count = staging.pick(rng, self.config.scene_people)
        scene = self._stage.scene(rng, [self._stylist.sample(rng) for _ in range(count)])
        people = scene.people
        things = []
        for _ in range(staging.pick(rng, self.config.objects)):
            depth = FRONT_M
            if people and rng.random() < 0.5:  # between people
                depth = people[int(rng.random() * len(people))].depth_m + 0.4
            place, extent = 2 * rng.random(2) - 1, staging.log_uniform(rng, (0.06, 0.6))
            things.append(objects.sample_occluder(rng, place, extent, depth, self._cutouts))
        things.sort(key=lambda thing: -thing.depth_m)
        alphas = [thing.coverage(self.size) for thing in things]
        covers = [compose.halve_cover(alpha) for alpha in alphas]
        self._alone.draw(people, scene.window, self._stylist.textures)
        half = self.size // CORRESPONDENCE_STRIDE
        person, visible, alone = self._hide(
            range(len(people)),
            things,
            covers,
            range(len(things)),
            np.ones((half, half), np.bool_),
        )
        seen = [k for k in range(len(people)) if visible[k] > 0]
        renumber = _renumber(seen, len(people))
        labels = self._alone.labels(renumber[person], people, seen)
        image, person_id = self._picture(rng, people, scene, things, alphas, scene.horizon)
        person_id = renumber[person_id]
        boxes, centres = compose.visible_boxes(person_id, len(seen))
        shares = (visible[seen] / np.maximum(alone[seen], 1)).astype(np.float32)
        return SceneSample(image, person_id, labels, PeopleLabels(boxes, centres, shares))

    def iuv_sample(self, index: int) -> IuvSample:
        """The target's visible IUV and parameters only; neighbours behind the target are left out.

        Bodies are dressed here, too, so that silhouettes are those of `crop_sample`.
        """
        rng = self._rng(_IUV, index)
        count = 1 + staging.pick(rng, self.config.others)
        outfits = (rng.random(count) * NUM_READY_MADE).astype(np.int64)
        if not self._ready_made:
            tailor_rng = self._rng(_OUTFITS, 0)
            self._ready_made = [self._stylist.sample(tailor_rng) for _ in range(NUM_READY_MADE)]
        wardrobe = [self._ready_made[outfit] for outfit in outfits]
        crop = self._stage.crop(rng, wardrobe, only_nearer=True)
        half = self.size // CORRESPONDENCE_STRIDE
        things = self._objects(rng, crop)
        covers = [thing.coverage(half) >= 128 for thing in things]
        self._alone.draw(crop.people, crop.window, self._stylist.textures)
        inside = _inside(crop.edges_norm, half)
        _, _, (person, shares) = self._keep_target_visible(crop.people, things, covers, inside)
        mask = person == 0
        person[~mask] = -1
        labels = self._alone.labels(person, crop.people, [0])
        return IuvSample(mask, labels.uv, float(shares[0]), **self._target(crop))

    def occlude(
        self, image: UInt8[np.ndarray, "S S 3"], index: int
    ) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "h w"]]:
        """A copy of a sample's picture behind one to three things, and the label pixels they hide.

        The occluded twin of parallel inpainting (paper Sec. 3.4): things lie around the middle.
        """
        rng = self._rng(_PASTE, index)
        twin, size = image.copy(), self.size
        nobody, far = np.full((size, size), -1, np.int8), np.full((size, size), np.inf, np.float32)
        hidden = np.zeros((size // CORRESPONDENCE_STRIDE,) * 2, np.bool_)
        for _ in range(1 + int(3 * rng.random())):
            place, extent = rng.random(2) - 0.5, staging.log_uniform(rng, (0.15, 0.75))
            thing = objects.sample_occluder(rng, place, extent, FRONT_M, self._cutouts)
            alpha = thing.coverage(size)
            colours = thing.colours(rng, size, self._bank, self._photos)
            compose.cover_picture(twin, nobody, far, alpha, colours, FRONT_M)
            hidden |= compose.halve_cover(alpha)
        return twin, hidden

    def _rng(self, kind: int, index: int) -> np.random.Generator:
        if index < 0:
            raise ValueError(f"index: got {index}, want 0 or more")
        entropy = [self.seed, self._split_number, kind, index]
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))

    def _objects(self, rng: np.random.Generator, crop: staging.Crop) -> list[objects.Occluder]:
        """Objects around the target, nearer than everybody or between target and background."""
        config = self.config
        target = crop.people[0]
        behind = float((target.figure.vertices_m[:, 2]).max() + target.translation_m[2]) + 0.1
        things = []
        for _ in range(staging.pick(rng, config.objects)):
            depth = FRONT_M if rng.random() < config.object_in_front else behind
            box = crop.box_norm
            if rng.random() < config.table_top:
                share = 0.3 + 0.65 * rng.random()
                top = float(box[1] + share * (box[3] - box[1]))
                things.append(objects.table_top(rng, top, depth))
                continue
            if rng.random() < 0.7:  # at a limb or the trunk
                joint = target.figure.joints_m[int(rng.random() * 24)][None]
                place = crop.window.to_norm(joint + target.translation_m)[0].clip(-1, 1)
                place = place + 0.08 * rng.standard_normal(2)
            else:
                place = 2 * rng.random(2) - 1
            if rng.random() < 0.08:
                things.append(objects.rod(rng, place, depth))
                continue
            extent = staging.log_uniform(rng, (0.1, 0.75))
            things.append(objects.sample_occluder(rng, place, extent, depth, self._cutouts))
        return things

    def _hide(self, people, things, covers, kept, inside):
        """`compose.visible_person` of some people (by layer) and some things."""
        half = self.size // CORRESPONDENCE_STRIDE
        chosen = np.array([covers[k] for k in kept], np.bool_).reshape(-1, half, half)
        depths = np.array([things[k].depth_m for k in kept], np.float64)
        return compose.visible_person(self._alone.depth[list(people)], chosen, depths, inside)

    def _keep_target_visible(self, placed, things, covers, inside):
        """Takes away objects, then people, until enough of the target is seen.

        Returns:
            Layers kept, objects kept, (person of each label pixel, visible shares).
        """
        people, kept = list(range(len(placed))), list(range(len(things)))
        while True:
            person, visible, alone = self._hide(people, things, covers, kept, inside)
            enough = visible[0] >= max(
                self.config.min_visible_share * alone[0],
                min(self.config.min_visible_pixels, alone[0]),
            )
            if enough or (not kept and len(people) == 1):
                shares = (visible / np.maximum(alone, 1)).astype(np.float32)
                return people, kept, (person, shares)
            if kept:
                kept.pop()
            else:
                people.pop()

    def _occlusion(self, crop, seen, things, covers, kept, inside) -> Occlusion:
        """What hides the target; `seen` are the layers that get numbers in the labels."""
        half = self.size // CORRESPONDENCE_STRIDE
        chosen = np.array([covers[k] for k in kept], np.bool_).reshape(-1, half, half)
        depths = np.array([things[k].depth_m for k in kept], np.float64)
        alone = self._alone
        code = compose.hidden_by(
            0, alone.depth[0], alone.depth[seen], chosen, depths, inside, OBJECT
        )
        shares = compose.part_shares(
            code, 0, alone.layers[0].face, crop.people[0].dressed.outfit.densepose_of_face
        )
        target = crop.people[0]
        places = crop.window.to_norm(target.figure.vertices_m + target.translation_m)
        low, high = np.maximum(crop.edges_norm[:2], -1), np.minimum(crop.edges_norm[2:], 1)
        within = ((places >= low) & (places <= high)).all(1)
        return Occlusion(code, shares, float(within.mean()))

    def _picture(
        self, rng, people, view, things, alphas, horizon
    ) -> tuple[UInt8[np.ndarray, "S S 3"], np.ndarray]:
        """Image and person of each of its pixels; `things` from far to near."""
        size, bank, layer = self.size, self._bank, self._layer
        if self._photos and rng.random() < self.config.photo:
            image = background.photo_background(rng, size, self._photos, bank)
        else:
            image = background.procedural_background(rng, size, bank, horizon, self._scenery)
        if rng.random() < 0.75:
            up = view.world_to_camera[:, 1]
            spots = [spot for placed in people for spot in _feet_px(placed, view, up, size)]
            shading.floor_shadow(image, spots, 0.2 + 0.5 * rng.random())
        layer.clear()
        for who, placed in enumerate(people):
            layer.draw(placed, view.window, who, self._stylist.textures)
        lights = shading.sample_lights(rng, view.world_to_camera)
        layer.paint(image, people, self._tailor, self._stylist.textures, bank.grey[0], lights)
        person_id = layer.person.astype(np.int8)
        for thing, alpha in zip(things, alphas, strict=True):
            colours = thing.colours(rng, size, bank, self._photos)
            compose.cover_picture(image, person_id, layer.depth, alpha, colours, thing.depth_m)
        dark = rng.random() < self.config.low_light
        return photo.degrade(rng, image, bank, dark), person_id

    def _target(self, crop: staging.Crop) -> dict[str, np.ndarray]:
        target = crop.people[0]
        keypoints = crop.window.to_norm(target.figure.joints_m + target.translation_m)
        return {
            "rotmats": target.figure.rotmats.astype(np.float32),
            "betas": target.figure.betas.astype(np.float32),
            "joints_m": target.figure.joints_m.astype(np.float32),
            "camera": fit_weak(target.figure.joints_m, keypoints),
            "keypoints_norm": keypoints.astype(np.float32),
        }


def _renumber(seen: list[int], count: int) -> np.ndarray:
    """Table from old person id (-1 included) to the place in `seen`, -1 for the others."""
    table = np.full(count + 1, -1, np.int8)
    table[seen] = np.arange(len(seen))
    return table


def _feet_px(placed: Placed, view, up: np.ndarray, size: int) -> list[tuple[float, float, float]]:
    """(x, y, radius) of the shadow below each joint that is near the floor, in pixels."""
    joints = placed.figure.joints_m + placed.translation_m
    height = product(joints, up)
    floor = height.min() - 0.03
    spots = []
    for joint in np.nonzero(height < floor + 0.25)[0]:
        below = joints[joint] - up * (height[joint] - floor)
        if below[2] < 0.1:
            continue
        x, y = (view.window.to_norm(below[None])[0] + 1) * (size / 2) - 0.5
        spots.append((float(x), float(y), float(0.17 / below[2] / view.window.side * size)))
    return spots


def _inside(edges_norm: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: pixels whose centre is within the picture's edges."""
    centre = (np.arange(size) + 0.5) * (2 / size) - 1
    cols = (centre >= edges_norm[0]) & (centre <= edges_norm[2])
    rows = (centre >= edges_norm[1]) & (centre <= edges_norm[3])
    return rows[:, None] & cols[None]

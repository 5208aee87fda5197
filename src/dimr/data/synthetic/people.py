"""(seed, split, index) -> synthetic people with exact labels.

Entry point of the generator. A sample depends on its numbers alone, not on what was drawn before,
in which process, or in which order; it is byte-identical every time (with the same versions of the
libraries and the same files in the optional folders). The splits "train", "val" and "test" draw
from different streams of random numbers for every seed and index, and each has its own textures.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt8

from dimr.body.camera import NEAR_M, fit_weak
from dimr.body.model import BodyModel
from dimr.data.synthetic import background, compose, figure, looks, objects, paint, photo, staging
from dimr.data.synthetic.config import SyntheticConfig
from dimr.data.synthetic.figure import Tailor
from dimr.data.synthetic.folders import load_folder
from dimr.data.synthetic.samples import (
    CropSample,
    DenseLabels,
    IuvSample,
    PeopleLabels,
    SceneSample,
)
from dimr.data.synthetic.staging import Placed, Stage, Window, to_pixels
from dimr.data.synthetic.textures import TextureBank
from dimr.image.crop import CORRESPONDENCE_STRIDE
from dimr.surface.atlas import Atlas
from dimr.surface.raster import z_draw

__all__ = [
    "CropSample",
    "DenseLabels",
    "IuvSample",
    "PeopleLabels",
    "SceneSample",
    "Split",
    "SyntheticPeople",
]

Split = Literal["train", "val", "test"]
_CROP, _SCENE, _IUV, _TEXTURES = range(4)
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
    ) -> None:
        if size < 16 or size % CORRESPONDENCE_STRIDE:
            raise ValueError(f"size: got {size}, want an even number of pixels, at least 16")
        if seed < 0:
            raise ValueError(f"seed: got {seed}, want 0 or more")
        if split not in get_args(Split):
            raise ValueError(f"split: got {split!r}, want one of {get_args(Split)}")
        self.size, self.seed, self.split = size, seed, split
        self.config = config or SyntheticConfig()
        self._split_number = get_args(Split).index(split)
        self._tailor = Tailor(body, atlas)
        self._stage = Stage(self._tailor, self.config)
        self._photos = load_folder(backgrounds, "RGB", LONGEST_PHOTO_PX)
        self._cutouts = load_folder(occluders, "RGBA", LONGEST_CUTOUT_PX)
        rng = self._rng(_TEXTURES, 0)
        self._bank = TextureBank(rng)
        marks = self._tailor.landmarks
        self._wardrobe = [
            self._tailor.dress(looks.sample_look(rng, marks)) for _ in range(NUM_READY_MADE)
        ]
        half = size // CORRESPONDENCE_STRIDE
        layers = 1 + max(len(self.config.others), len(self.config.scene_people))
        self._half_depth = np.empty((layers, half, half), np.float32)
        self._half_face = np.empty((layers, half, half), np.int32)
        self._half_bary = np.empty((layers, half, half, 3), np.float32)
        self._half_id = np.empty((half, half), np.int32)
        self._depth = np.empty((size, size), np.float32)
        self._face = np.empty((size, size), np.int32)
        self._bary = np.empty((size, size, 3), np.float32)
        self._person = np.empty((size, size), np.int32)

    def crop_sample(self, index: int) -> CropSample:
        """A crop around one target, with up to three other people and three objects."""
        rng = self._rng(_CROP, index)
        count = 1 + staging.pick(rng, self.config.others)
        wardrobe = [looks.sample_look(rng, self._tailor.landmarks) for _ in range(count)]
        crop = self._stage.crop(rng, [self._tailor.dress(look) for look in wardrobe])
        things = self._objects(rng, crop)
        inside = _inside(crop.edges_norm, self.size)
        half_inside = _inside(crop.edges_norm, self.size // CORRESPONDENCE_STRIDE)
        alphas = [thing.coverage(self.size) for thing in things]
        covers = [compose.halve_cover(alpha) for alpha in alphas]
        self._draw_layers(crop.people, crop.window)
        people, kept, hidden = self._keep_target_visible(crop.people, things, covers, half_inside)
        person, shares = hidden
        seen = [k for k in people if k == 0 or shares[k] > 0]
        renumber = _renumber(seen, len(people))
        labels = self._labels(renumber[person], seen)
        placed = [crop.people[k] for k in people]
        image, person_id = self._picture(
            rng,
            placed,
            [wardrobe[k] for k in people],
            crop.window,
            crop.world_to_camera,
            [things[k] for k in kept],
            [alphas[k] for k in kept],
            horizon=float(rng.random() * 1.3 - 0.1),
        )
        image[~inside] = 0
        person_id[~inside] = -1
        person_id = renumber[person_id]
        boxes, centres = compose.visible_boxes(person_id, len(seen))
        about = PeopleLabels(boxes, centres, shares[seen])
        return CropSample(image, person_id, labels, about, **self._target(crop))

    def scene_sample(self, index: int) -> SceneSample:
        """A picture with 0 to 5 people of very different size."""
        rng = self._rng(_SCENE, index)
        count = staging.pick(rng, self.config.scene_people)
        wardrobe = [looks.sample_look(rng, self._tailor.landmarks) for _ in range(count)]
        people, window, world_to_camera, horizon = self._stage.scene(
            rng, [self._tailor.dress(look) for look in wardrobe]
        )
        things = []
        for _ in range(staging.pick(rng, self.config.objects)):
            depth = FRONT_M
            if people and rng.random() < 0.5:  # between people
                who = people[int(rng.random() * count)]
                depth = float(who.figure.joints_m[0, 2] + who.translation_m[2]) + 0.4
            place, extent = 2 * rng.random(2) - 1, staging.log_uniform(rng, (0.06, 0.6))
            things.append(objects.sample_occluder(rng, place, extent, depth, self._cutouts))
        alphas = [thing.coverage(self.size) for thing in things]
        covers = [compose.halve_cover(alpha) for alpha in alphas]
        self._draw_layers(people, window)
        half = self.size // CORRESPONDENCE_STRIDE
        person, visible, alone = self._hide(
            range(count), things, covers, range(len(things)), np.ones((half, half), np.bool_)
        )
        seen = [k for k in range(count) if visible[k] > 0]
        renumber = _renumber(seen, count)
        labels = self._labels(renumber[person], seen)
        image, person_id = self._picture(
            rng, people, wardrobe, window, world_to_camera, things, alphas, horizon
        )
        person_id = renumber[person_id]
        boxes, centres = compose.visible_boxes(person_id, len(seen))
        shares = (visible[seen] / np.maximum(alone[seen], 1)).astype(np.float32)
        return SceneSample(image, person_id, labels, PeopleLabels(boxes, centres, shares))

    def iuv_sample(self, index: int) -> IuvSample:
        """The target's visible IUV and parameters only; neighbours behind the target are left out.

        Bodies wear a few clothes here, too, so that silhouettes are those of `crop_sample`.
        """
        rng = self._rng(_IUV, index)
        count = 1 + staging.pick(rng, self.config.others)
        outfits = (rng.random(count) * NUM_READY_MADE).astype(np.int64)
        pushes = [self._wardrobe[outfit] for outfit in outfits]
        crop = self._stage.crop(rng, pushes, only_nearer=True)
        half = self.size // CORRESPONDENCE_STRIDE
        things = self._objects(rng, crop)
        covers = [thing.coverage(half) >= 128 for thing in things]
        self._draw_layers(crop.people, crop.window)
        inside = _inside(crop.edges_norm, half)
        _, _, (person, shares) = self._keep_target_visible(crop.people, things, covers, inside)
        mask = person == 0
        person[~mask] = -1
        labels = self._labels(person, [0])
        return IuvSample(mask, labels.uv, float(shares[0]), **self._target(crop))

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

    def _draw_layers(self, people: list[Placed], window: Window) -> None:
        """Draws each person alone on the labels' grid."""
        half = self.size // CORRESPONDENCE_STRIDE
        for layer, placed in enumerate(people):
            points = _project(placed, window, half)
            depth, face = self._half_depth[layer], self._half_face[layer]
            depth.fill(np.inf)
            z_draw(
                points, self._tailor.faces, depth, face, self._half_bary[layer], self._half_id,
                0, True, True, NEAR_M,
            )  # fmt: skip

    def _hide(self, people, things, covers, kept, inside):
        """`compose.visible_person` of some people (by layer) and some things."""
        half = self.size // CORRESPONDENCE_STRIDE
        chosen = np.array([covers[k] for k in kept], np.bool_).reshape(-1, half, half)
        depths = np.array([things[k].depth_m for k in kept], np.float64)
        return compose.visible_person(self._half_depth[list(people)], chosen, depths, inside)

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

    def _labels(self, person: np.ndarray, layers: list[int]) -> DenseLabels:
        half = self.size // CORRESPONDENCE_STRIDE
        part = np.zeros((half, half), np.uint8)
        uv, position = np.zeros((half, half, 2), np.float32), np.zeros((half, half, 3), np.float32)
        tailor = self._tailor
        compose.write_labels(
            person, self._half_face[layers], self._half_bary[layers], tailor.faces, tailor.face_uv,
            tailor.template, tailor.densepose_of_face, part, uv, position,
        )  # fmt: skip
        return DenseLabels(person, part, uv, position)

    def _picture(
        self, rng, people, wardrobe, window, world_to_camera, things, alphas, horizon
    ) -> tuple[UInt8[np.ndarray, "S S 3"], np.ndarray]:
        """Image and person of each of its pixels."""
        size, bank, tailor = self.size, self._bank, self._tailor
        if self._photos and rng.random() < self.config.photo:
            image = background.photo_background(rng, size, self._photos, bank)
        else:
            image = background.procedural_background(rng, size, bank, horizon)
        self._depth.fill(np.inf)
        self._person.fill(-1)
        normals = np.empty((len(people), *tailor.template.shape), np.float32)
        for who, placed in enumerate(people):
            points = _project(placed, window, size)
            z_draw(
                points, tailor.faces, self._depth, self._face, self._bary, self._person,
                who, True, True, NEAR_M,
            )  # fmt: skip
            normals[who] = figure.vertex_normals(placed.figure.vertices_m, tailor.faces)
        if people:
            paint.paint_people(
                image, self._face, self._bary, self._person, tailor.faces, tailor.part_of_face,
                tailor.template, normals, np.array(wardrobe, looks.LOOK), tailor.landmarks,
                bank.grey[0], _lights(rng, world_to_camera),
            )  # fmt: skip
        person_id = self._person.astype(np.int8)
        order = sorted(range(len(things)), key=lambda k: -things[k].depth_m)
        for k in order:
            colours = things[k].colours(rng, size, bank, self._photos)
            compose.cover_picture(
                image, person_id, self._depth, alphas[k], colours, things[k].depth_m
            )
        return photo.degrade(rng, image, bank), person_id

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


def _project(placed: Placed, window: Window, size: int) -> np.ndarray:
    return to_pixels(
        placed.figure.vertices_m, placed.translation_m, window.centre[0], window.centre[1],
        window.side, size,
    )  # fmt: skip


def _inside(edges_norm: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: pixels whose centre is within the picture's edges."""
    centre = (np.arange(size) + 0.5) * (2 / size) - 1
    cols = (centre >= edges_norm[0]) & (centre <= edges_norm[2])
    rows = (centre >= edges_norm[1]) & (centre <= edges_norm[3])
    return rows[:, None] & cols[None]


def _lights(rng: np.random.Generator, world_to_camera: np.ndarray) -> np.ndarray:
    """Ambient light and two directional ones, see `paint.paint_people`."""
    lights = np.zeros((3, 6))
    warmth = 0.1 * rng.normal() * np.array([1.0, 0.1, -1.0])
    lights[0, 3:] = (0.3 + 0.35 * rng.random()) * (1 - 0.6 * warmth)
    for k, strength in ((1, 0.35 + 0.5 * rng.random()), (2, 0.25 * rng.random())):
        above_in_front = np.array([0, 1.0, 0.6])
        direction = world_to_camera @ (rng.standard_normal(3) + above_in_front)
        lights[k, :3] = direction / max(np.linalg.norm(direction), 1e-6)
        lights[k, 3:] = strength * (1 + warmth)
    return lights

"""Stage 1 as the other stages see it: people of a picture, then the Iuv of each one's crop."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor

from dimr.correspondence.confirm import (
    confirm,
    distinct_people,
    is_new,
    pixels_of,
    window_tensor,
)
from dimr.correspondence.decode import SurfaceTable, embedding_to_iuv
from dimr.correspondence.divide import divide
from dimr.correspondence.figure import find_figure
from dimr.correspondence.follow import FollowUp
from dimr.correspondence.iuv_window import IuvWindow, crop_region, iuv_to_window
from dimr.correspondence.landmarks import LandmarkNet, look_around, surroundings, widen
from dimr.correspondence.network import (
    MARKER_CHANNELS,
    CorrespondenceMaps,
    CorrespondenceNet,
    CropFeatures,
)
from dimr.correspondence.outlines import OutlineNet, outline_of
from dimr.correspondence.people import (
    CROP_MARGIN,
    CROP_SIZE,
    group_pixels,
    is_apart,
    mark_others,
    marks_of,
    mask_to_detection,
    of_marks,
)
from dimr.correspondence.sightings import Sighting, find_sightings, sighted_limbs, with_bodies
from dimr.encoder.blazepose import LANDMARK_SIZE, BlazePose, BlazePoseEncoder
from dimr.encoder.movenet import MoveNet
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    box_to_crop,
    crop_matrix,
    crop_picture,
    crop_to_norm,
    full_to_crop,
    picture_centre_px,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.surface.iuv import mask_iuv, warp_iuv
from dimr.types import Crop, Detection, Iuv

SCENE_SIZE = 256
"""Side to which a whole picture is reduced to find people."""
SURE = 0.5
"""Score from which a person of the first pass is believed without confirmation."""
UNCONFIRMED = 0.45
"""What the score of such a person is worth, compared with that of a confirmed one."""
ALL_SURE = 0.5
"""Score from which whoever is found needs no look for others with nobody marked."""
ROOM = 1.4
"""Side of the window of that look, in sides of the picture."""
MARK_TRUST = 0.45
"""Weight of the mark in the second pass's mask."""

Lay = Callable[[UInt8[np.ndarray, "H W 3"], Crop, CropFeatures, Iuv], Iuv]
"""A picture, a crop, what is seen on it, and which surface each cell would show if it were the
person's -> the same with a surface that is one body's."""


class Stage1:
    """Finds people and reads off which surface they show.

    Args:
        network: a `CorrespondenceNet`.
        table: texels of the atlas whose uv the network speaks of.
        confirmer: the network that checks whom others found and outlines them; None believes the
            first pass.
        poser: the network that hints at the pose of whoever is looked at again; None does not.
        encoder: what stage 2 sees pictures with; None: what the network does.
        spotter: the network that sees where people are, all at once; None sees nobody.
        outliner: the network that says whose the visible pixels are; None leaves people with the
            outlines that the confirmer draws, and those who touch to the second pass.
    """

    crop_size = CROP_SIZE
    """Side of a person's crop, pixels."""
    lay: Lay | None = None
    """Corrects the surface that `look_again` finds."""

    def __init__(
        self,
        network: CorrespondenceNet,
        table: SurfaceTable,
        confirmer: BlazePose | None = None,
        poser: LandmarkNet | None = None,
        encoder: BlazePoseEncoder | None = None,
        spotter: MoveNet | None = None,
        outliner: OutlineNet | None = None,
    ) -> None:
        self.network = network.eval()
        self.table = table
        self.confirmer = None if confirmer is None else confirmer.eval()
        self.poser = None if poser is None else poser.eval()
        self.spotter = None if spotter is None else spotter.eval()
        self.outliner = None if outliner is None else outliner.eval()
        second = None if self.poser is None else self.poser.second
        self.larger = None if second is None else second.network
        self.encoder = network.encoder if encoder is None else encoder.eval()

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.network.parameters()).device

    @torch.inference_mode()
    def see(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        detection: Detection,
        crop: Crop,
        for_stage2: bool = True,
    ) -> CropFeatures:
        """What is seen of somebody: the pass that both stages share; arguments of `features`."""
        around = surroundings(crop)
        view, wider = (
            (picture_to_tensor(crop_picture(picture, each)), self.marker(detection, each))
            for each in (crop, around)
        )
        body = None
        if detection.body_px is not None:
            norm = crop_to_norm(full_to_crop(crop, detection.body_px), crop.size)
            body = torch.from_numpy(norm)[None].float()
        return self.features(view, wider, body, for_stage2)

    def features(
        self,
        crop: tuple[Tensor, Tensor],
        around: tuple[Tensor, Tensor] | None = None,
        body: Float[Tensor, "B 2 2"] | None = None,
        for_stage2: bool = True,
    ) -> CropFeatures:
        """What is seen on crops.

        Args:
            crop: pictures (B, 3, S, S) and marks (B, 2, h, w).
            around: the same of their `surroundings`; None where nobody knows them.
            body: where the people were seen, as `look_at_pose`; None where they were not.
            for_stage2: whether that looks, too; it hears a second opinion, has its own encoder.
        """
        image, marker = (each.to(self.device) for each in crop)
        around = around or (widen(image), widen(marker))
        pose = hint = None
        if self.poser is not None:
            body = None if body is None else body.to(self.device)
            image_around, marker_around = (each.to(self.device) for each in around)
            hint, pose = look_around(self.poser, image_around, marker_around, body, for_stage2)
        pyramid = self.network.encoder.features(image)
        own = for_stage2 and self.encoder is not self.network.encoder
        maps = self.encoder(image) if own else pyramid.maps
        return CropFeatures(pyramid, marker, pose, maps, hint)

    def laid(self, lay: Lay) -> "Stage1":
        """The same, whose `look_again` says which surface of a body pixels show."""
        other = copy(self)
        other.lay = lay
        return other

    def decode(self, features: CropFeatures) -> CorrespondenceMaps:
        """The network's answer about the marked people."""
        return self.network.decode(features.pyramid, features.marker, features.hint)

    def to(self, device: torch.device) -> "Stage1":
        """Moves the networks."""
        others = (self.confirmer, self.poser, self.encoder, self.spotter, self.outliner)
        for network in (self.network, *others):
            if network is not None:
                network.to(device)
        return self

    @torch.inference_mode()
    def find_people(self, picture: UInt8[np.ndarray, "H W 3"]) -> list[Detection]:
        """People of the whole picture, best first; each knows which pixels are the others'."""
        height, width = picture.shape[:2]
        window = Crop(picture_centre_px(width, height), float(max(width, height)), SCENE_SIZE)
        candidates, everyone = self._candidates(picture, window)
        if self.confirmer is None:
            return divide(candidates, everyone, partial(self._outline, picture, []))
        sightings = [] if self.spotter is None else find_sightings(self.spotter, picture)
        networks = FollowUp(self.spotter, self.confirmer, self.larger, self.outliner)
        found, sightings = networks.people(picture, sightings, everyone)
        for person in distinct_people(candidates):
            if not is_new(person, found):
                continue
            near = box_to_crop(person.box_px, LANDMARK_SIZE, CROP_MARGIN)
            known = pixels_of(found) & ~person.mask if found else None
            again = confirm(self.confirmer, picture, near, known, larger=self.larger)
            if again is not None and is_new(again, found):
                found.append(again)
            elif person.score >= SURE:
                found.append(person._replace(score=UNCONFIRMED * person.score))
        if not found:
            doubtful = [sighted_limbs(each, everyone.shape) for each in sightings[:1]] + candidates
            found = [each._replace(score=UNCONFIRMED * each.score) for each in doubtful[:1]]
        if found and self.poser is not None and all(each.score < ALL_SURE for each in found):
            room = replace(window, side_px=ROOM * window.side_px, size=LANDMARK_SIZE)
            figure = find_figure(self.poser, picture, room)
            if figure.is_sure and figure.is_other(found):
                found = figure.among(found)
        outline = partial(self._outline, picture, sightings)
        found = self._outlined(picture, mark_others(found), sightings)
        people = divide(sorted(found, key=lambda person: -person.score), everyone, outline)
        return with_bodies(people, sightings)

    def _outlined(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        found: list[Detection],
        sightings: list[Sighting],
    ) -> list[Detection]:
        """The same people; who touches nobody has the visible pixels, as well as they are known.

        Who touches others gets theirs in `divide`.
        """
        if self.outliner is None:
            return found
        outlined = []
        for person in found:
            mask = person.mask
            if is_apart(person, found):
                mask = outline_of(self.outliner, picture, person, sightings)
            outlined.append(mask_to_detection(person.score, mask if mask.any() else person.mask))
        return outlined

    def _outline(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        sightings: list[Sighting],
        mask: Bool[np.ndarray, "H W"],
        others: Bool[np.ndarray, "H W"],
    ) -> Bool[np.ndarray, "H W"]:
        """What the networks make of a mark and leave of it, in pixels of the picture."""
        detection = mask_to_detection(1.0, mask)._replace(others=others)
        if self.outliner is not None:
            return outline_of(self.outliner, picture, detection, sightings)
        crop = self.refine_crop(detection)
        features = self.see(picture, detection, crop, for_stage2=False)
        person = self.decode(features).person[0].sigmoid().float().cpu().numpy()
        size = picture.shape[1], picture.shape[0]
        return with_mark(uncrop_picture(person, crop, size), mask) > 0.5

    def _candidates(
        self, picture: UInt8[np.ndarray, "H W 3"], window: Crop
    ) -> tuple[list[Detection], Bool[np.ndarray, "H W"]]:
        """The first pass, without a marker: people, and the pixels of anybody."""
        stride_2 = SCENE_SIZE // CORRESPONDENCE_STRIDE
        maps = self.network.decode(
            self.network.encoder.features(window_tensor(self.network, picture, window)),
            torch.zeros(1, MARKER_CHANNELS, stride_2, stride_2, device=self.device),
        )
        person = maps.person[0].sigmoid().float().cpu().numpy()
        centre, offset = maps.centre[0].sigmoid().cpu().numpy(), maps.offset[0].cpu().numpy()
        size = picture.shape[1], picture.shape[0]
        people = []
        for score, mask in group_pixels(person, centre, offset):
            full = uncrop_picture(mask.astype(np.float32), window, size) > 0.5
            if full.any():
                people.append(mask_to_detection(score, full))
        return people, uncrop_picture(person, window, size) > 0.5

    def refine_crop(self, detection: Detection) -> Crop:
        """The square window in which stage 1 looks again and stage 2 looks at all."""
        return box_to_crop(detection.box_px, self.crop_size, CROP_MARGIN)

    def marker(self, detection: Detection, crop: Crop) -> Float[Tensor, "1 2 h w"]:
        """The masks of the person and of the others, as found, as the second pass's mark."""
        return torch.from_numpy(marks_of(detection, crop))[None]

    @torch.inference_mode()
    def look_again(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        detection: Detection,
        matrix: Float[np.ndarray, "2 3"],
        size: tuple[int, int],
    ) -> Iuv:
        """The second pass on somebody, on other pixels than those of the crop.

        A pixel's surface point is that of the crop's cell around it; its being the person's is
        blended as in `refine`, between the cells, and with a mark that is as fine as the picture.

        Args:
            picture: the whole one.
            detection: who is meant.
            matrix: takes pixels of the picture to the wanted ones.
            size: (height, width) of the wanted ones.
        """
        crop = self.refine_crop(detection)
        features = self.see(picture, detection, crop)
        person, part, position_m = self.decode(features).of_first()
        cells = embedding_to_iuv(person, part, position_m, self.table, threshold=-1.0)
        if self.lay is not None:
            cells = self.lay(picture, crop, features, cells)
        own = of_marks(crop)
        from_cells = np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(
            np.vstack([crop_matrix(own), [0, 0, 1]])
        )
        height, width = size
        outline = cv2.warpAffine(person, from_cells[:2], (width, height))
        mark = cv2.warpAffine(detection.mask.astype(np.float32), matrix, (width, height))
        return mask_iuv(warp_iuv(cells, from_cells[:2], size), with_mark(outline, mark) > 0.5)

    def find_iuvs(self, picture: UInt8[np.ndarray, "H W 3"]) -> list[IuvWindow]:
        """Both passes: everybody's visible surface in pixels of the picture, best first."""
        found = []
        for person in self.find_people(picture):
            size = picture.shape[1], picture.shape[0]
            low, high = crop_region(self.refine_crop(person), size)
            matrix = np.array([[1.0, 0, -low[0]], [0, 1, -low[1]]])
            iuv = self.look_again(picture, person, matrix, (high[1] - low[1], high[0] - low[0]))
            if iuv.mask.any():
                found.append(iuv_to_window(iuv, person.score, low))
        return found

    @torch.inference_mode()
    def refine(self, features: CropFeatures) -> Iuv:
        """The visible surface of the marked person, at half of the crop's resolution."""
        person, part, position_m = self.decode(features).of_first()
        person = with_mark(person, features.marker[0, 0].cpu().numpy())
        return embedding_to_iuv(person, part, position_m, self.table)


def with_mark(
    person: Float[np.ndarray, "h w"], mark: Shaped[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """Probability of somebody's pixels; the mark counts, too: who drew it knows photographs."""
    return (1 - MARK_TRUST) * person + MARK_TRUST * mark

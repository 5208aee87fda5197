"""A picture -> its people as body meshes in the picture's camera: both stages, end to end.

Stage 1 finds the people on the whole picture and looks again at each one's crop; stage 2 looks at
the same crop (one encoder pass where both stages share the encoder) and its IUV. Its weak
perspective becomes a place in the full picture's camera. An IUV that the caller brings takes
the place of stage 1's; it is on the model's atlas, in pixels of the full picture. On demand the
body is then laid on its IUV and on landmarks.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from dimr.body.camera import (
    NEAR_M,
    WEAK,
    Lens,
    PerspectiveCamera,
    crop_lens,
    default_camera,
    fit_weak,
    project_lens,
    weak_to_lens,
    weak_to_translation,
)
from dimr.body.model import BodyModel
from dimr.body.rotation import rotmat_to_axis_angle
from dimr.correspondence.network import CropFeatures
from dimr.correspondence.people import mark_others, mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.data.real.bodies import load_neutral, load_surface_map
from dimr.evaluate.synthetic import regress_crop
from dimr.fit import fit_to_iuv, lay_surface
from dimr.fit.landmarks import MOSTLY_SEEN, limbs_seen
from dimr.image.crop import crop_picture, picture_to_tensor
from dimr.image.load import check_array
from dimr.network.dimr import Dimr
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.iuv import crop_iuv, part_seen, vertex_seen
from dimr.surface.uv_table import same_mesh_uv
from dimr.train.weights import (
    MODEL_FILE,
    load_model,
    load_stages,
    open_stage1_on,
    weights_folder,
)
from dimr.types import Crop, Detection, Iuv, Person, Prediction, Regression

MIN_SCORE = 0.35
"""Of people who are given back: more are found behind others, but half of those are false
(docs/finding_people.md)."""
MIN_SCALE = 0.05
"""Smallest weak-perspective scale that is believed: a 2 m body over 5 % of the crop."""
ENOUGH_SEEN = 50
"""Vertices from which those in sight say where a body is; else its joints do."""
WHOLLY_SEEN = 0.85
"""Mean visibility of limbs from which the rim of the body is laid on that of the mask."""


class Model:
    """Body, atlas and both stages; made by `load`.

    Args:
        body: whose parameters stage 2 says.
        atlas: of the body; its triangles may have an order of their own.
        stage1: its IUVs are on `atlas`.
        stage2: made for `body` and `atlas`.
        crop_size: side of a crop for stage 2, pixels; None: as large as stage 1's.
    """

    def __init__(
        self,
        body: BodyModel,
        atlas: Atlas,
        stage1: Stage1,
        stage2: Dimr,
        crop_size: int | None = None,
    ) -> None:
        faces = body.faces.cpu().numpy()
        if not np.array_equal(atlas.faces, faces):
            same_mesh_uv(faces, atlas)  # raises where it is a map of something else
        self.body = body.eval()
        self.atlas = atlas
        self.stage1 = stage1
        self.stage2 = stage2.eval()
        self.crop_size = crop_size

    @torch.inference_mode()
    def predict(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        iuv: Iuv | Sequence[Iuv] | None = None,
        refine: bool = True,
        min_score: float = MIN_SCORE,
        focal_px: float | None = None,
        scores: Sequence[float] | None = None,
    ) -> Prediction:
        """Everybody in an RGB picture, the surest first.

        Args:
            picture: RGB; OpenCV reads BGR.
            iuv: One per person, with the picture's height and width; None asks stage 1.
            refine: Lay each body on its IUV, and where that is stage 1's on landmarks, after
                stage 2 (dimr.fit).
            min_score: Leave out people of whom stage 1 is less sure; 0 keeps all. With an IUV of
                yours all stay.
            focal_px: Focal length of the picture's camera; None: `default_camera`'s.
            scores: One per IUV of yours, in [0, 1]; None: 1.

        Raises:
            ValueError: for anything but a uint8 RGB picture, for an IUV or a focal length that
                cannot be this picture's, and for scores that are not one per IUV.
        """
        check_array(picture)
        height, width = picture.shape[:2]
        camera = _camera_of(picture, focal_px)
        if iuv is None:
            people = [
                self._recover(picture, detection, None, camera, refine)
                for detection in self.stage1.find_people(picture)
                if detection.score >= min_score
            ]
        else:
            given = [iuv] if isinstance(iuv, Iuv) else list(iuv)
            found = [
                _detection_of(one, (height, width), score)
                for one, score in zip(given, _scores_of(given, scores), strict=True)
            ]
            people = [
                self._recover(picture, detection, one, camera, refine)
                for detection, one in zip(mark_others(found), given, strict=True)
            ]
        found = [person for person in people if person is not None]
        return Prediction((width, height), sorted(found, key=lambda person: -person.score))

    def _recover(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        detection: Detection,
        given: Iuv | None,
        camera: PerspectiveCamera,
        refine: bool,
    ) -> Person | None:
        """One person; None if the second look finds nobody there."""
        crop = self.stage1.refine_crop(detection)
        if given is not None:  # as fine as stage 2 wants it, which stage 1's own is not
            crop = self._sized(crop)
        features = self.stage1.see(picture, detection, crop)
        iuv = self.stage1.refine(features) if given is None else crop_iuv(given, crop)
        if not iuv.mask.any():
            return None
        regress = self._stage2_on(picture, crop, features)
        lens = crop_lens(camera, crop)
        if refine:
            # whoever brings an IUV knows better than landmarks
            pose = features.pose if given is None else None
            regression = self.refine(regress, iuv, None if pose is None else pose[0], lens)
        else:
            regression = self._look_through(lens, regress(iuv), iuv)
        return self._place(detection, crop, iuv, regression, camera)

    def refine(
        self,
        regress: Callable[[Iuv], Regression],
        iuv: Iuv,
        landmarks: Float[Tensor, "39 10"] | None = None,
        lens: Lens = WEAK,
    ) -> Regression:
        """Stage 2's answer about one crop, laid on what is seen; see `dimr.fit.fit_to_iuv`.

        Where landmarks see most of somebody, stage 2 is asked once more: what it has laid there
        says better than stage 1 which surface the pixels show. Where they see nearly all, the rim
        of the body is laid on that of the mask, too.

        Args:
            regress: stage 2 on an IUV of the crop.
            iuv: what is seen.
            landmarks: of `look_at_pose`; None does without.
            lens: of the crop, through which the answer's camera then is.
        """

        def lay(seen: Iuv, rims: bool = False) -> Regression:
            start = self._look_through(lens, regress(seen), seen)
            return fit_to_iuv(start, seen, self.body, self.atlas, None, landmarks, lens, rims)

        laid = lay(iuv)
        visible = limbs_seen(landmarks)
        if visible < MOSTLY_SEEN:
            return laid
        again = lay_surface(laid, iuv, self.body, self.atlas, lens)
        return lay(again, visible >= WHOLLY_SEEN)

    def _look_through(self, lens: Lens, regression: Regression, iuv: Iuv) -> Regression:
        """Stage 2's answer in weak perspective, with the camera that the lens shows alike.

        Laid on its root where perspective is strong, a body would be beside its picture, most of
        all in close-ups, whose root nobody sees: what is in sight says where it is.
        """
        posed = self.body(regression.rotmats, regression.betas)
        vertices, joints = posed.vertices_m[0].cpu().float(), posed.joints_m[0].cpu().float()
        points_m = _in_sight(vertices, joints, vertex_seen(iuv, self.atlas, len(vertices)))
        weak = regression.camera[0].cpu().float()
        weak = torch.cat([weak[:1].clamp(min=MIN_SCALE), weak[1:]])
        camera = weak_to_lens(points_m, weak, lens)
        return regression._replace(camera=camera[None].to(regression.camera))

    def lay(
        self,
        picture: UInt8[np.ndarray, "H W 3"],
        crop: Crop,
        features: CropFeatures,
        cells: Iuv,
        focal_px: float | None = None,
    ) -> Iuv:
        """Stage 1's surface of a crop, corrected by the body that both stages make of it.

        For `Stage1.laid`; see `dimr.fit.lay_surface`. `focal_px` is that of `predict`.
        """
        iuv = self.stage1.refine(features)
        if not iuv.mask.any():
            return cells
        regress = self._stage2_on(picture, crop, features)
        pose = None if features.pose is None else features.pose[0]
        lens = crop_lens(_camera_of(picture, focal_px), crop)
        regression = self.refine(regress, iuv, pose, lens)
        return lay_surface(regression, cells, self.body, self.atlas, lens)

    def _sized(self, crop: Crop) -> Crop:
        """The same window, of as many pixels as stage 2 wants."""
        return replace(crop, size=self.crop_size or crop.size)

    def _stage2_on(
        self, picture: UInt8[np.ndarray, "H W 3"], crop: Crop, features: CropFeatures
    ) -> Callable[[Iuv], Regression]:
        """Stage 2 on a crop that stage 1 has seen, to be asked about IUVs of it."""
        cropped = crop_picture(picture, self._sized(crop))
        if self.stage2.encoder is not self.stage1.encoder:
            image = picture_to_tensor(cropped).to(self.stage1.device)
            features = features._replace(maps=self.stage2.encoder(image))
        return partial(regress_crop, self.stage2, features, cropped)

    def _place(
        self,
        detection: Detection,
        crop: Crop,
        iuv: Iuv,
        regression: Regression,
        camera: PerspectiveCamera,
    ) -> Person:
        """Parameters of a crop, its camera through the lens, to a person in the full picture's."""
        posed = self.body(regression.rotmats, regression.betas)
        expected = regression.joint_error_m
        joints, vertices = posed.joints_m[0].cpu(), posed.vertices_m[0].cpu()
        joints_m, vertices_m = _array(joints), _array(vertices)
        found = regression.camera[0].cpu().float()
        if not (joints.isfinite().all() and found.isfinite().all()):
            raise ValueError(
                "stage 2 returned numbers that are not finite: the weights are broken"
            )
        seen = vertex_seen(iuv, self.atlas, len(vertices_m))
        points_m = _in_sight(vertices, joints, seen)
        places = project_lens(points_m, found, crop_lens(camera, crop))
        weak = fit_weak(_array(points_m), _array(places))
        weak[0] = max(weak[0], MIN_SCALE)
        translation_m = weak_to_translation(_array(found), crop, camera, np.zeros(3, np.float32))
        nearest_m = (vertices_m[:, 2] + translation_m[2]).min()
        if nearest_m < NEAR_M:  # back along the ray of the body's origin
            translation_m *= 1 + (NEAR_M - nearest_m) / translation_m[2]
        joints_cam_m, vertices_cam_m = joints_m + translation_m, vertices_m + translation_m
        return Person(
            box_px=detection.box_px,
            score=detection.score,
            crop=crop,
            iuv=iuv,
            theta_rad=_array(rotmat_to_axis_angle(regression.rotmats[0])),
            betas=_array(regression.betas[0]),
            camera_crop=weak,
            translation_m=translation_m.astype(np.float32),
            vertices_cam_m=vertices_cam_m,
            joints_cam_m=joints_cam_m,
            keypoints_px=camera.project(joints_cam_m),
            focal_px=camera.focal_px,
            part_seen=part_seen(iuv, self.atlas),
            vertex_seen=seen,
            part_confidence=part_confidence(iuv, self.atlas),
            joint_error_m=None if expected is None else _array(expected[0]),
        )


def load(
    weights: str | Path = "open",
    data: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> Model:
    """A model that is ready to predict.

    Args:
        weights: A set that ships ("open", or "research", which has seen photographs without a
            clean licence), a folder with both stages' weights, or one of recipe `paper`, whose
            stage 1 is that of "open".
        data: Folder of your SMPL and its UV map (docs/licensed.md), for weights of recipe `paper`.
        device: Where the networks run, e.g. "cpu" or "cuda:0".

    Raises:
        ValueError: for weights, a body or a device that cannot be used, saying why.
    """
    place = parse_device(device)
    folder = weights_folder(weights)
    if (folder / MODEL_FILE).is_file():
        root = None if data is None else Path(data)
        body = load_neutral(root)
        atlas = load_surface_map(root, body)
        try:
            stage2, card = load_model(folder, body, atlas)
        except ValueError as error:
            hint = "; data: want the folder of their body (--data ROOT)" if root is None else ""
            raise ValueError(f"{error}{hint}") from error
        stage1, crop_size = open_stage1_on(body, atlas), card["crop_size"]
    elif data is not None:
        raise ValueError(f"data: weights {str(weights)!r} are of the open body and need no files")
    else:
        body, atlas, crop_size = BodyModel.load(None), load_atlas(None), None
        stage1, stage2 = load_stages(folder, body, atlas)
    return Model(body.to(place), atlas, stage1.to(place), stage2.to(place), crop_size)


def parse_device(name: str | torch.device) -> torch.device:
    """A torch device that exists on this machine.

    Raises:
        ValueError: if there is no such device.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device: {name!s} cannot be used here ({reason})") from error
    return device


def part_confidence(iuv: Iuv, atlas: Atlas) -> Float[np.ndarray, "24"]:
    """Mean confidence of the pixels of each part, zero where none is seen.

    Without confidences (an IUV that the caller brought) a seen part counts as sure.
    """
    resolution = 128
    cols, rows = atlas.uv_to_texel(iuv.uv[iuv.mask], resolution)
    part = atlas.texels(resolution).part[rows, cols].astype(np.int64) + 1  # 0: beside the charts
    sure = np.ones(len(part)) if iuv.confidence is None else iuv.confidence[iuv.mask]
    pixels = np.bincount(part, minlength=25)[1:]
    total = np.bincount(part, weights=sure, minlength=25)[1:]
    return (total / np.maximum(pixels, 1)).astype(np.float32)


def _camera_of(picture: UInt8[np.ndarray, "H W 3"], focal_px: float | None) -> PerspectiveCamera:
    """The default camera of a picture, with the caller's focal length if there is one."""
    camera = default_camera(picture.shape[1], picture.shape[0])
    if focal_px is None:
        return camera
    if not (np.isfinite(focal_px) and focal_px > 0):
        raise ValueError(f"focal_px: got {focal_px}, want a positive number of pixels")
    return replace(camera, focal_px=float(focal_px))


def _in_sight(
    vertices_m: Float[Tensor, "V 3"], joints_m: Float[Tensor, "24 3"], seen: Bool[np.ndarray, "V"]
) -> Float[Tensor, "N 3"]:
    """Vertices that are seen; of somebody of whom little is seen, all joints."""
    return vertices_m[torch.from_numpy(seen)] if seen.sum() >= ENOUGH_SEEN else joints_m


def _scores_of(given: list[Iuv], scores: Sequence[float] | None) -> Sequence[float]:
    if scores is None:
        return [1.0] * len(given)
    if len(scores) != len(given) or not all(0 <= score <= 1 for score in scores):
        raise ValueError(f"scores: got {list(scores)}, want {len(given)} numbers in [0, 1]")
    return scores


def _detection_of(iuv: Iuv, size: tuple[int, int], score: float) -> Detection:
    if iuv.mask.shape != size or not iuv.mask.any():
        raise ValueError(
            f"iuv: got mask {iuv.mask.shape} with {iuv.mask.sum()} pixels, want {size} like the "
            "picture and at least one"
        )
    if not np.isfinite(iuv.uv[iuv.mask]).all():
        raise ValueError("iuv: got uv that is not finite within the mask, want places in [0, 1]")
    return mask_to_detection(float(score), iuv.mask)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy().astype(np.float32)

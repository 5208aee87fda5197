"""Runs a protocol on a real data set: records -> recovered bodies -> means of errors.

Whoever recovers bodies is a function from a record to `Recovered`, so networks, stored results and
the tests' stand-ins are measured by the same code. A record that cannot be recovered (a missing
picture) is counted and named, never silently left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import nn

from dimr.body.camera import project_weak
from dimr.body.model import BodyModel
from dimr.correspondence.iuv_sources import IuvSource, Target, open_source
from dimr.correspondence.people import mask_to_detection
from dimr.correspondence.stage1 import Stage1
from dimr.data.real.bodies import Bodies
from dimr.data.real.joints import JOINT_SETS, LIMBS, select_joints
from dimr.data.real.labels import IuvOf, file_iuv, record_iuv, record_pose
from dimr.data.real.layout import with_iuv
from dimr.data.real.record import Record, Skipped
from dimr.evaluate.errors import pck
from dimr.evaluate.protocols import METRICS_3D, Protocol, body_errors
from dimr.evaluate.synthetic import detection_at, mask_iou, regress_crop
from dimr.image.crop import (
    CORRESPONDENCE_STRIDE,
    LEAST_BOX_IOU,
    crop_matrix,
    crop_picture,
    crop_to_full,
    norm_to_crop,
    pick_by_box,
    picture_to_tensor,
    uncrop_picture,
)
from dimr.network.dimr import Dimr
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import warp_iuv
from dimr.surface.raster import rasterize
from dimr.surface.uv_table import load_table
from dimr.types import Crop, Detection, Iuv, Regression

MAX_NAMED = 20
BATCH = 32


class Recovered(NamedTuple):
    """A recovered body in the crop that it was recovered from."""

    rotmats: Float[torch.Tensor, "24 3 3"]
    betas: Float[torch.Tensor, "10"]
    camera: Float[torch.Tensor, "3"]
    """Weak perspective (s, tx, ty) in the crop."""
    crop: Crop


Recover = Callable[[Record], Recovered]


class Result(NamedTuple):
    """A benchmark's outcome."""

    protocol: str
    num: int
    """People that were measured."""
    means: dict[str, float]
    """Metric -> mean over people."""
    num_failed: int
    failed: list[Skipped]
    """The first few, with their reasons."""


def evaluate(
    protocol: Protocol, records: Iterable[Record], recover: Recover, bodies: Bodies
) -> Result:
    """Measures everybody whom the protocol selects.

    Raises:
        ValueError: if nobody is selected, nobody could be recovered, or the bodies of the ground
            truth are missing.
    """
    errors: dict[str, list[float]] = {name: [] for name in protocol.metrics}
    failed: list[Skipped] = []
    num_failed = 0
    pending: list[tuple[Record, Recovered]] = []
    if protocol.metrics == METRICS_3D:
        bodies.of("neutral")  # refused before anybody is recovered
    for record in records:
        if not protocol.selects(record):
            continue
        try:
            recovered = recover(record)
            if protocol.metrics != METRICS_3D:
                for name, value in picture_errors(record, recovered, bodies).items():
                    errors[name].append(value)
                continue
            pending.append((record, recovered))
        except (ValueError, OSError) as error:
            num_failed += 1
            if len(failed) < MAX_NAMED:
                failed.append(Skipped(record.key, " ".join(str(error).split())))
        if len(pending) == BATCH:
            _measure(protocol, pending, bodies, errors)
            pending = []
    _measure(protocol, pending, bodies, errors)
    num = len(errors[protocol.metrics[0]])
    if not num:
        reason = f"; first failure: {failed[0].key}: {failed[0].reason}" if failed else ""
        raise ValueError(f"{protocol.name}: nobody could be measured{reason}")
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    return Result(protocol.name, num, means, num_failed, failed)


def _measure(
    protocol: Protocol,
    pending: list[tuple[Record, Recovered]],
    bodies: Bodies,
    errors: dict[str, list[float]],
) -> None:
    """Errors of some people, batched by gender, appended to `errors`."""
    for gender in ("neutral", "male", "female"):
        group = [each for each in pending if each[0].gender == gender]
        if not group:
            continue
        truth = [record_pose(record) for record, _ in group]
        values = body_errors(
            protocol,
            torch.stack([recovered.rotmats for _, recovered in group]),
            torch.stack([recovered.betas for _, recovered in group]),
            torch.cat([rotmats for rotmats, _ in truth]),
            torch.cat([betas for _, betas in truth]),
            bodies,
            gender,
        )
        for name in errors:
            errors[name] += values[name].tolist()


@torch.no_grad()
def picture_errors(record: Record, recovered: Recovered, bodies: Bodies) -> dict[str, float]:
    """OCHuman's errors in the picture, by the names of `METRICS_2D`.

    PCK is over the visible ones of the twelve limb joints, relative to the longer side of the box.
    The silhouette has no neighbours in front of it, the mask has: what other people's masks cover
    is taken out of both.
    """
    body = bodies.of_predictions
    if record.keypoints_px is None or record.mask is None or record.box_px is None:
        raise ValueError(f"{record.key}: has no keypoints, mask or box")
    posed = body(recovered.rotmats[None], recovered.betas[None])
    joints = body.keypoints(posed.vertices_m, "lsp14")
    rows = [JOINT_SETS["lsp14"].index(name) for name in LIMBS]
    points_px = _to_picture(joints[:, rows], recovered)
    target_px, confidence = select_joints(*record.keypoints_px, LIMBS)
    side_px = float(max(record.box_px[2:] - record.box_px[:2]))
    known = confidence > 0.5
    if not known.any():
        raise ValueError(f"{record.key}: no visible limb joint")
    shares = {}
    for name, share in (("pck_05", 0.05), ("pck_10", 0.1)):
        right, num = pck(points_px, target_px, known, share * side_px)
        shares[name] = right / num
    height, width = record.load_picture().shape[:2]
    vertices = posed.vertices_m
    drawn = np.concatenate([_to_picture(vertices, recovered), vertices[0, :, 2:].numpy()], axis=1)
    faces = body.faces.numpy().astype(np.int32)
    silhouette = rasterize(drawn.astype(np.float32), faces, (height, width)).face >= 0
    visible = record.mask.load((height, width))
    others = np.zeros_like(visible)
    for each in record.others:
        others |= each.load((height, width))
    others &= ~visible
    return shares | {"visible_iou": mask_iou(silhouette & ~others, visible)}


def _to_picture(
    points_m: Float[torch.Tensor, "1 N 3"], recovered: Recovered
) -> Float[np.ndarray, "N 2"]:
    norm = project_weak(points_m, recovered.camera[None])[0].numpy()
    crop = recovered.crop
    return crop_to_full(crop, norm_to_crop(norm, crop.size)).astype(np.float32)


def rendered_iuv(bodies: Bodies, atlas: Atlas) -> IuvOf:
    """For the tables' DIMR (GT IUV): from the data set's SMPL parameters and instance masks."""

    def iuv_of(record: Record, crop: Crop, size: int) -> Iuv | None:
        return record_iuv(record, bodies.of(record.gender), atlas, crop, size)

    return iuv_of


def rendered_on_other_body(body: BodyModel, atlas: Atlas) -> IuvOf:
    """The same for a body that theta fits but neither beta nor translation: the open body.

    Its mean shape stands where the 2D keypoints say, through a weak camera.
    """

    def iuv_of(record: Record, crop: Crop, size: int) -> Iuv | None:
        mean_shape = replace(
            record,
            betas=np.zeros(10, np.float32),
            placement=None,
            intrinsics=None,
            camera_window=None,
        )
        return record_iuv(mean_shape, body, atlas, crop, size)

    return iuv_of


def predicted_iuv(stage1: Stage1) -> IuvOf:
    """From our correspondence network, asked about the record's box; as fine as it likes."""

    def iuv_of(record: Record, crop: Crop, size: int) -> Iuv | None:
        picture = record.load_picture()
        person = _person_at(record, stage1, picture)
        return stage1.refine(stage1.see(picture, person, replace(crop, size=stage1.crop_size)))

    return iuv_of


def _person_at(record: Record, stage1: Stage1, picture: UInt8[np.ndarray, "H W 3"]) -> Detection:
    height, width = picture.shape[:2]
    return detection_at(stage1.find_people(picture), _box(record), (height, width))


def source_iuv(source: IuvSource) -> IuvOf:
    """From DensePose's results, the instance whose box fits the record's best (App. C).

    Where the data set has no boxes but windows, which are wider than people, it only has to touch.
    """

    def iuv_of(record: Record, crop: Crop, size: int) -> Iuv | None:
        picture = record.load_picture()
        people = source.people(record.picture, picture)
        least = 0.0 if record.box_px is None else LEAST_BOX_IOU
        best = pick_by_box([person.box_px() for person in people], _box(record), least)
        if best is None:
            raise ValueError(f"none of the {len(people)} people whose IUV is there is in the box")
        window = Crop(crop.centre_px, crop.side_px, size, crop.angle_rad)
        full = people[best].to_picture((picture.shape[1], picture.shape[0]))
        return warp_iuv(full, crop_matrix(window), (size, size))

    return iuv_of


def given_iuv(
    iuv: str, root: Path | None, table: Path | None, atlas: Atlas, device: str = "cpu"
) -> IuvOf:
    """The user's IUVs: a file for each record, or people of whole pictures to choose from.

    Args:
        iuv: "files", or the path of DensePose's results or model (docs/iuv.md).
        root: the user's files, with <data set>/iuv/<key>.npz below.
        table: of `dimr iuv table`, where a path's results are in DensePose's coordinates.
        atlas: where places are wanted.
        device: where a model of the user's runs.

    Raises:
        ValueError: neither, or files without a root.
    """
    if iuv != "files":
        target = Target(atlas, None if table is None else load_table(table, atlas))
        return source_iuv(open_source(Path(iuv), target, device))
    if root is None:
        raise ValueError("--iuv files: needs --data ROOT, below which they lie")
    return lambda record, crop, size: file_iuv(with_iuv(record, root), crop, size, atlas)


def _box(record: Record) -> Float[np.ndarray, "4"]:
    if record.box_px is not None:
        return record.box_px
    (x, y), half = record.centre_px, record.side_px / 2
    return np.array([x - half, y - half, x + half, y + half], np.float32)


def recover_with(stage2: nn.Module, iuv_of: IuvOf, crop_size: int) -> Recover:
    """A whole stage 2 on the protocol's window.

    Args:
        stage2: a `Dimr`, in evaluation mode.
        iuv_of: `rendered_iuv`, `predicted_iuv`, `source_iuv` or `labels.file_iuv`.
        crop_size: pixels a side.

    Who has no visible pixel in the IUV raises ValueError: they count as failures.
    """
    device = next(stage2.parameters()).device

    @torch.inference_mode()
    def recover(record: Record) -> Recovered:
        crop = record.window(crop_size)
        picture: UInt8[np.ndarray, "S S 3"] = crop_picture(record.load_picture(), crop)
        iuv = _shown(iuv_of(record, crop, crop_size // CORRESPONDENCE_STRIDE))
        regression = stage2(
            picture_to_tensor(picture).to(device),
            torch.from_numpy(iuv.mask)[None].to(device),
            torch.from_numpy(iuv.uv)[None].to(device),
        )
        return _recovered(regression, crop)

    return recover


def recover_in_two_stages(stage1: Stage1, stage2: Dimr, iuv_of: IuvOf | None = None) -> Recover:
    """Both stages on the protocol's window, as `dimr predict` but for refinement.

    Args:
        stage1: says whom the box means, and the landmarks that stage 2 hears.
        stage2: in evaluation mode.
        iuv_of: brings the IUV in place of stage 1's, and so says who is meant.

    Who has no visible pixel in the IUV raises ValueError: they count as failures.
    """

    @torch.inference_mode()
    def recover(record: Record) -> Recovered:
        picture, crop = record.load_picture(), record.window(stage1.crop_size)
        if iuv_of is None:
            features = stage1.see(picture, _person_at(record, stage1, picture), crop)
            iuv = _shown(stage1.refine(features))
        else:
            iuv = _shown(iuv_of(record, crop, crop.size // CORRESPONDENCE_STRIDE))
            size = picture.shape[1], picture.shape[0]
            mask = uncrop_picture(iuv.mask.astype(np.float32), crop, size) > 0.5
            if not mask.any():
                raise ValueError("the IUV shows nobody inside of the picture")
            features = stage1.see(picture, mask_to_detection(1.0, mask), crop)
        regression = regress_crop(stage2, features, crop_picture(picture, crop), iuv)
        return _recovered(regression, crop)

    return recover


def _shown(iuv: Iuv | None) -> Iuv:
    if iuv is None:
        raise ValueError("there is no IUV: no file, or no SMPL parameters to render")
    if not iuv.mask.any():
        raise ValueError("the IUV shows nobody")
    return iuv


def _recovered(regression: Regression, crop: Crop) -> Recovered:
    rotmats, betas, camera = (each[0].cpu() for each in regression[:3])
    return Recovered(rotmats, betas, camera, crop)

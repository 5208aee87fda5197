"""What a data set's files hold, measured against each other: counts, agreement, samples.

The samples and the two distances tell whether a reader's reading of the format is right, which no
test without the real files can.
"""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dimr.data.real.bodies import Bodies
from dimr.data.real.joints import LIMBS, select_joints
from dimr.data.real.labels import (
    LABEL_JOINTS,
    crop_mask,
    label_joints_m,
    posed_body,
    projector_of,
    record_iuv,
)
from dimr.data.real.record import Record, Records
from dimr.image.crop import crop_picture, full_to_crop
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import iuv_to_picture

NUM_MEASURED, NUM_TILES = 200, 16
"""Records whose distances are measured, and that are shown."""
TILE_PX = 160
KNOWN_RGB, UNSURE_RGB = (80, 255, 80), (255, 160, 60)
FIELDS = {
    "SMPL parameters": "theta_rad",
    "2D joints": "keypoints_px",
    "3D joints": "keypoints_cam_m",
    "intrinsics": "intrinsics",
    "instance masks": "mask",
}
"""What a record may lack -> its field."""


@dataclass
class Findings:
    """Of one data set."""

    num: int
    pictures_missing: list[Path] = field(default_factory=list)
    num_pictures_missing: int = 0
    having: dict[str, int] = field(default_factory=dict)
    """Field -> records that have it."""
    joints_mm: list[float] = field(default_factory=list)
    """Distances of the body's joints from the file's 3D joints, both moved to the pelvis."""
    limbs_px: list[float] = field(default_factory=list)
    """Distances of the body's projected limb joints from the file's 2D joints, in 256ths of the
    window."""
    problems: list[str] = field(default_factory=list)


def inspect(records: Records, bodies: Bodies | None) -> Findings:
    """Counts over all records, distances over some of them, spread evenly."""
    findings = Findings(len(records), having=dict.fromkeys(FIELDS, 0))
    seen: dict[Path, bool] = {}
    for record in records:
        for name, slot in FIELDS.items():
            findings.having[name] += getattr(record, slot) is not None
        if record.picture not in seen:
            seen[record.picture] = record.picture.is_file()
            if not seen[record.picture]:
                findings.num_pictures_missing += 1
                findings.pictures_missing = [*findings.pictures_missing, record.picture][:3]
    if bodies is not None:
        for record in spread(records, NUM_MEASURED):
            try:
                _compare(record, bodies, findings)
            except ValueError as error:
                findings.problems = [*findings.problems, f"{record.key}: {error}"][:3]
    return findings


def spread(records: Records, count: int) -> list[Record]:
    """Up to `count` records, evenly over the whole."""
    if not len(records):
        return []
    places = np.unique(np.linspace(0, len(records) - 1, count).round().astype(int))
    return [records[int(place)] for place in places]


def _compare(record: Record, bodies: Bodies, findings: Findings) -> None:
    if record.theta_rad is None:
        return
    body = bodies.of(record.gender)
    posed = posed_body(record, body)
    if record.keypoints_cam_m is not None and record.keypoints_cam_m.set_name == "smpl24":
        ours, given = posed.joints_m[0].numpy(), record.keypoints_cam_m.places
        offset = (ours - ours[0]) - (given - given[0])
        findings.joints_mm.append(1000 * float(np.linalg.norm(offset, axis=1).mean()))
    projector = projector_of(record, posed, body)
    if projector is None or record.keypoints_px is None:
        return
    points_px, known = select_joints(*record.keypoints_px, LIMBS)
    rows = [LABEL_JOINTS.index(name, 24) for name in LIMBS]
    drawn = projector.to_pixels(label_joints_m(posed, body)[rows])[:, :2]
    if known.any():
        distance = np.linalg.norm(drawn - points_px, axis=1)[known > 0]
        findings.limbs_px.append(float(np.median(distance)) * 256 / record.side_px)


def sample_tiles(
    records: Records, bodies: Bodies | None, atlas: Atlas | None
) -> list[UInt8[np.ndarray, "H W 3"]]:
    """Samples with their 2D joints and, where a body is at hand, the rendered IUV beside them.

    Each is `TILE_PX` high and twice as wide.
    """
    tiles = []
    for record in spread(records, NUM_TILES):
        try:
            tiles.append(_tile(record, bodies, atlas))
        except (ValueError, OSError) as error:
            tiles.append(_message(str(error)))
    return tiles


def _tile(record: Record, bodies: Bodies | None, atlas: Atlas | None) -> np.ndarray:
    crop = record.window(TILE_PX)
    picture = np.ascontiguousarray(crop_picture(record.load_picture(), crop))
    surface = picture // 3
    if bodies is not None and atlas is not None and record.theta_rad is not None:
        iuv = record_iuv(record, bodies.of(record.gender), atlas, crop, TILE_PX)
        if iuv is not None:
            surface[iuv.mask] = iuv_to_picture(iuv)[iuv.mask]
    elif record.mask is not None:
        surface[crop_mask(record, crop)] = UNSURE_RGB
    if record.keypoints_px is not None:
        places = full_to_crop(crop, record.keypoints_px.places)
        for (x, y), confidence in zip(places, record.keypoints_px.confidence, strict=True):
            if confidence > 0 and 0 <= x < TILE_PX and 0 <= y < TILE_PX:
                colour = KNOWN_RGB if confidence > 0.5 else UNSURE_RGB
                cv2.circle(picture, (round(float(x)), round(float(y))), 2, colour, -1)
    return np.hstack([picture, surface])


def _message(text: str) -> np.ndarray:
    tile = np.full((TILE_PX, 2 * TILE_PX, 3), 60, np.uint8)
    for line in range(5):
        part = text[-200:][44 * line : 44 * (line + 1)]
        cv2.putText(tile, part, (4, 30 + 22 * line), cv2.FONT_HERSHEY_PLAIN, 0.8, KNOWN_RGB)
    return tile

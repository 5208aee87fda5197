"""Synthetic occlusion: objects of Pascal VOC pasted over a crop (paper App. A, Sarandi et al.).

Objects are cut out of VOC2012's segmented pictures; pasted, they hide the picture and, as a binary
mask, the person's IUV. The paper places them "in a random location around the image center and at
a random size"; the distribution around the centre is ours to choose (`OcclusionSettings.spread`).
"""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from dimr.image.load import load_picture

MIN_OBJECT_PX = 500
BORDER_ALPHA = 192
"""Of the eroded border of an object: softer than its inside, 255."""
BORDER_PX = 8
MAX_XML_BYTES = 1 << 20
_SHRINK = 0.5

Cutout = UInt8[np.ndarray, "_ _ 4"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OcclusionSettings:
    """How many objects, how large and where."""

    count: tuple[int, int] = (1, 7)
    """Least and most objects of a crop."""
    scale: tuple[float, float] = (0.2, 1.0)
    """Range of an object's scale, at a crop of 256 pixels."""
    spread: float = 0.5
    """Centres are uniform in the middle part of the crop with this share of its sides; 1 is
    PARE's and MMHuman3D's: anywhere."""

    def __post_init__(self) -> None:
        if not 0 <= self.count[0] <= self.count[1]:
            raise ValueError(f"count: got {self.count}, want 0 <= least <= most")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale: got {self.scale}, want 0 < least <= most")
        if not 0 <= self.spread <= 1:
            raise ValueError(f"spread: got {self.spread}, want a share")


def load_voc_objects(root: Path) -> tuple[list[Cutout], int]:
    """Cuts the objects out of VOC2012.

    Kept are objects of segmented pictures that are no person, not difficult, not truncated and of
    at least 500 pixels; the border is eroded by an ellipse and made translucent, the whole shrunk
    by two.

    Args:
        root: VOC2012, with Annotations, JPEGImages and SegmentationObject.

    Returns:
        RGBA cut-outs, and how many annotations could not be used.

    Raises:
        ValueError: if the folder holds no annotation, or no object at all.
    """
    annotations = sorted((root / "Annotations").glob("*.xml"))
    if not annotations:
        raise ValueError(f"occluders: {root} has no Annotations/*.xml; want VOC2012's folder")
    objects: list[Cutout] = []
    broken = 0
    for path in annotations:
        try:
            objects += _objects_of(path, root)
        except Exception:  # decoders of hostile bytes raise nearly anything
            broken += 1
    if not objects:
        raise ValueError(f"occluders: {root} gives no object ({broken} annotations unreadable)")
    return objects, broken


def _objects_of(path: Path, root: Path) -> list[Cutout]:
    if path.stat().st_size > MAX_XML_BYTES:
        raise ValueError(f"{path}: too large")
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise ValueError(f"{path}: declares entities; refused")
    annotation = ElementTree.fromstring(text)
    if _text(annotation, "segmented") == "0":
        return []
    boxes = []
    for number, each in enumerate(annotation.findall("object"), start=1):
        skip = _text(each, "name") == "person" or "1" in (
            _text(each, "difficult"),
            _text(each, "truncated"),
        )
        if not skip:
            corners = ("xmin", "ymin", "xmax", "ymax")
            boxes.append((number, [int(float(_text(each, f"bndbox/{c}"))) for c in corners]))
    if not boxes:
        return []
    picture = load_picture(root / "JPEGImages" / f"{path.stem}.jpg")
    with Image.open(root / "SegmentationObject" / f"{path.stem}.png", formats=["PNG"]) as opened:
        if opened.mode not in ("P", "L"):
            raise ValueError(f"{path}: its segmentation has mode {opened.mode}, want P")
        if (opened.height, opened.width) != picture.shape[:2]:  # known before it is decoded
            raise ValueError(f"{path}: picture and segmentation differ in size")
        labels = np.asarray(opened)
    objects = []
    for number, (x0, y0, x1, y1) in boxes:
        cutout = _cut_out(picture[y0:y1, x0:x1], labels[y0:y1, x0:x1] == number)
        if cutout is not None:
            objects.append(cutout)
    return objects


def _text(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "0").strip()


def _cut_out(picture: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]) -> Cutout | None:
    if mask.sum() < MIN_OBJECT_PX:
        return None
    solid = mask.astype(np.uint8) * 255
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BORDER_PX, BORDER_PX))
    inside = cv2.erode(solid, ellipse)
    alpha = np.where((solid > 0) & (inside == 0), BORDER_ALPHA, solid).astype(np.uint8)
    rgba = np.concatenate([picture, alpha[..., None]], axis=2)
    return _resize(rgba, _SHRINK)


def _resize(rgba: Cutout, factor: float) -> Cutout:
    height, width = (max(1, round(side * factor)) for side in rgba.shape[:2])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(rgba, (width, height), interpolation=method)


def occlude(
    picture: UInt8[np.ndarray, "S S 3"],
    objects: list[Cutout],
    rng: np.random.Generator,
    settings: OcclusionSettings | None = None,
) -> tuple[UInt8[np.ndarray, "S S 3"], Bool[np.ndarray, "S S"]]:
    """A crop with objects pasted over it, and the pixels that they hide (any alpha)."""
    settings = settings or OcclusionSettings()
    side = picture.shape[0]
    pasted, hidden = picture.copy(), np.zeros((side, side), bool)
    least, most = settings.count
    for _ in range(int(rng.integers(least, most + 1))):
        cutout = objects[int(rng.integers(len(objects)))]
        scaled = _resize(cutout, rng.uniform(*settings.scale) * side / 256)
        centre = (0.5 + settings.spread * (rng.random(2) - 0.5)) * side
        _paste(pasted, hidden, scaled, centre)
    return pasted, hidden


def _paste(
    picture: UInt8[np.ndarray, "S S 3"],
    hidden: Bool[np.ndarray, "S S"],
    cutout: Cutout,
    centre_px: np.ndarray,
) -> None:
    """Blends in place, clipped at the borders."""
    side = len(picture)
    height, width = cutout.shape[:2]
    left, top = np.rint(centre_px - np.array([width, height]) / 2).astype(int)
    x0, x1, y0, y1 = max(left, 0), min(left + width, side), max(top, 0), min(top + height, side)
    if x0 >= x1 or y0 >= y1:
        return
    seen = cutout[y0 - top : y1 - top, x0 - left : x1 - left]
    alpha = seen[..., 3:].astype(np.float32) / 255
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = np.rint(alpha * seen[..., :3] + (1 - alpha) * under)
    hidden[y0:y1, x0:x1] |= seen[..., 3] > 0

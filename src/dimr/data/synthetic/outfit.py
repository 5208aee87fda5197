"""A body and its garments as one mesh, with the labels that cloth takes from the skin below."""

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int32, Int64, UInt8

from dimr.body.model import BodyModel
from dimr.data.synthetic.shading import vertex_normals
from dimr.data.synthetic.wardrobe import Garment
from dimr.surface.atlas import Atlas

CACHED_OUTFITS = 32
TUCK_M = 0.008
"""What lies below a garment without being left out is drawn in by this much."""
MAX_STRETCH = 3.0
"""A cloth triangle is labelled by interpolation if its anchors lie at most this many times as far
apart on the map as the skin between them would."""
UV_SLACK = 0.008
MAX_APART_M = 0.15
"""Anchors farther apart than this are not interpolated: there is a gap between them (two legs)."""


class Outfit(NamedTuple):
    """A body and what it wears as one mesh: body vertices first, then the garments'.

    V vertices; F triangles, first the visible ones of the body; rest pose of the mean body.
    """

    template_m: Float32[np.ndarray, "V 3"]
    shapedirs: Float32[np.ndarray, "V 3 10"]
    weight_idx: Int32[np.ndarray, "V 4"]
    weight_val: Float32[np.ndarray, "V 4"]
    faces: Int32[np.ndarray, "F 3"]
    num_body_faces: int
    part_of_face: Int64[np.ndarray, "F"]
    """SMPL joint 0..23; cloth has that of the skin below."""
    densepose_of_face: UInt8[np.ndarray, "F"]
    corner_uv: Float32[np.ndarray, "F 3 2"]
    """Place of the skin on the atlas."""
    corner_position_m: Float32[np.ndarray, "F 3 3"]
    """Place of the skin on the mean body."""
    nearest_corner: Bool[np.ndarray, "F"]
    """The corners' labels must not be mixed: a pixel takes those of its nearest corner."""
    texture_uv: Float32[np.ndarray, "F 3 2"]
    texture_of_face: Int16[np.ndarray, "F"]
    """Index into `Wardrobe.textures`; -1 on the body."""
    garment_of_face: Int16[np.ndarray, "F"]
    """Index into the chosen garments, in the order given; -1 on the body."""
    covered: Bool[np.ndarray, "B"]
    """Body vertices under clothes: to be pushed out no farther."""


class FaceLabels(NamedTuple):
    """What `Outfit` says of triangles."""

    part_of_face: Int64[np.ndarray, "F"]
    densepose_of_face: UInt8[np.ndarray, "F"]
    corner_uv: Float32[np.ndarray, "F 3 2"]
    corner_position_m: Float32[np.ndarray, "F 3 3"]
    nearest_corner: Bool[np.ndarray, "F"]

    def take(self, kept: Bool[np.ndarray, "F"]) -> "FaceLabels":
        """Those of some triangles."""
        return FaceLabels(*(each[kept] for each in self))


class Dresser:
    """Joins a body and garments into one mesh; the last outfits are kept.

    Args:
        body: that the garments were made for (`Wardrobe.body_hash`).
        atlas: a map of that body; any layout.
    """

    def __init__(self, body: BodyModel, atlas: Atlas) -> None:
        if not np.array_equal(atlas.faces, body.faces.cpu().numpy()):
            raise ValueError("atlas: got faces that are not the body's, want a map of this body")
        self._template = np.ascontiguousarray(body.v_template.cpu().numpy(), np.float32)
        self._shapedirs = np.ascontiguousarray(body.shapedirs.cpu().numpy(), np.float32)
        self._weight_idx, self._weight_val = body.sparse_weights(4)
        self._atlas = atlas
        self._normals = vertex_normals(self._template, np.ascontiguousarray(atlas.faces))
        self._outfits: OrderedDict[tuple[str, ...], Outfit] = OrderedDict()
        self._body_labels = FaceLabels(
            atlas.part_of_face.astype(np.int64),
            atlas.densepose_of_face.astype(np.uint8),
            atlas.face_uv,
            self._template[atlas.faces],
            np.zeros(len(atlas.faces), np.bool_),
        )
        self._cloth_labels: dict[str, FaceLabels] = {}

    def dress(self, garments: list[Garment]) -> Outfit:
        """The outfit of some garments, in any order; do not write into it."""
        key = tuple(garment.name for garment in garments)
        if key in self._outfits:
            self._outfits.move_to_end(key)
            return self._outfits[key]
        outfit = self._join(garments)
        self._outfits[key] = outfit
        if len(self._outfits) > CACHED_OUTFITS:
            self._outfits.popitem(last=False)
        return outfit

    def _join(self, garments: list[Garment]) -> Outfit:
        atlas, count = self._atlas, len(self._template)
        covered, hidden = np.zeros((2, count), np.bool_)
        for garment in garments:
            covered |= garment.covered
            hidden |= garment.hides
        shown = np.logical_not(hidden[atlas.faces].all(1))
        faces = [atlas.faces[shown]]
        templates = [self._template - TUCK_M * covered[:, None] * self._normals]
        labels = [self._body_labels.take(shown)]
        texture_uv = [np.zeros((len(faces[0]), 3, 2), np.float32)]
        offset = count
        for garment in garments:
            above, hiding = np.zeros((2, count), np.bool_)
            for other in garments:
                if other.layer > garment.layer:
                    above |= other.covered
                    hiding |= other.hides
            corners = atlas.faces[garment.anchor_face]  # [v, 3]
            inwards = np.einsum("vk,vki->vi", garment.anchor_bary, self._normals[corners])
            templates.append(
                garment.template_m - TUCK_M * np.asarray(above[corners].all(1))[:, None] * inwards
            )
            below = np.asarray(hiding[corners].all(1))
            kept = np.logical_not(below[garment.faces].all(1))
            faces.append(garment.faces[kept] + np.int32(offset))
            if garment.name not in self._cloth_labels:
                made = _cloth_labels(atlas, self._template, garment)
                self._cloth_labels[garment.name] = made
            labels.append(self._cloth_labels[garment.name].take(kept))
            texture_uv.append(garment.texture_uv[kept])
            offset += len(garment.template_m)
        sizes = [len(part) for part in faces]
        joined = FaceLabels(*map(np.concatenate, zip(*labels, strict=True)))
        return Outfit(
            template_m=np.concatenate(templates),
            shapedirs=np.concatenate([self._shapedirs, *(g.shapedirs for g in garments)]),
            weight_idx=np.concatenate([self._weight_idx, *(g.weight_idx for g in garments)]),
            weight_val=np.concatenate([self._weight_val, *(g.weight_val for g in garments)]),
            faces=np.concatenate(faces).astype(np.int32),
            num_body_faces=sizes[0],
            **joined._asdict(),
            texture_uv=np.concatenate(texture_uv),
            texture_of_face=np.repeat(
                np.array([-1, *(g.texture for g in garments)], np.int16), sizes
            ),
            garment_of_face=np.repeat(np.arange(-1, len(garments), dtype=np.int16), sizes),
            covered=covered,
        )


def _cloth_labels(atlas: Atlas, template: np.ndarray, garment: Garment) -> FaceLabels:
    """Labels of cloth triangles: those of the skin at their corners' anchors."""
    face, bary = garment.anchor_face, garment.anchor_bary
    skin = template[atlas.faces[face]]  # [v, 3, 3]
    uv = np.einsum("vki,vk->vi", atlas.face_uv[face], bary)
    position = np.einsum("vki,vk->vi", skin, bary)
    corners = garment.faces
    # the part that two corners share, or the first corner's
    part = atlas.part_of_face[face][corners]
    chosen = face[np.where(part[:, 1] == part[:, 2], corners[:, 1], corners[:, 0])]
    map_scale = np.sqrt(_area(atlas.face_uv[face]) / np.maximum(_area(skin), 1e-12))[corners]
    on_map, apart = _sides(uv[corners]), _sides(position[corners])
    near = on_map <= MAX_STRETCH * map_scale.max(1)[:, None] * apart + UV_SLACK
    mixed = (near & (apart <= MAX_APART_M)).all(1)
    return FaceLabels(
        atlas.part_of_face[chosen].astype(np.int64),
        atlas.densepose_of_face[chosen].astype(np.uint8),
        uv[corners].astype(np.float32),
        position[corners].astype(np.float32),
        ~mixed,
    )


def _sides(corners: np.ndarray) -> np.ndarray:
    """(f, 3) lengths of the sides of triangles (f, 3, n)."""
    return np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)


def _area(corners: np.ndarray) -> np.ndarray:
    """(f,) areas of triangles (f, 3, n), by Heron."""
    sides = _sides(corners).astype(np.float64)
    s = sides.sum(1, keepdims=True) / 2
    return np.sqrt(np.maximum(s[:, 0] * (s - sides).prod(1), 0))

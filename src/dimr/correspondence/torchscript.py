"""Runs a DensePose model that the user has as a TorchScript file.

A TorchScript file is a program: opening one runs what is in it, so only files whose maker is
trusted should be named. The interface is that of the known exports of detectron2's DensePose: one
uint8 BGR picture (H, W, 3) in, a dictionary of tensors out.
"""

import contextlib
import warnings
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from dimr.correspondence.densepose import DensePoseInstance, check_boxes, decode_charts

_FINE_CHANNELS = 25
_MAPS = ("coarse_segm", "fine_segm", "u", "v")


class TorchScriptDensePose:
    """A DensePose network.

    Args:
        path: the TorchScript file.
        device: where it runs.

    Raises:
        ValueError: if the file cannot be loaded.
    """

    def __init__(self, path: Path, device: str | torch.device = "cpu") -> None:
        self.path = path
        self.device = torch.device(device)
        with contextlib.suppress(ImportError):
            import torchvision  # noqa: F401 - registers nms, which such models call
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # it is deprecated, and what exists
                self.model = torch.jit.load(str(path), map_location=self.device).eval()
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "damaged"
            hint = (
                "; it needs torchvision: pip install torchvision"
                if "torchvision" in str(error)
                else ""
            )
            raise ValueError(
                f"{path}: cannot be loaded as TorchScript ({reason}){hint}"
            ) from error

    @torch.inference_mode()
    def find(self, picture: UInt8[np.ndarray, "H W 3"]) -> list[DensePoseInstance]:
        """People of an RGB picture, as the model orders them.

        Raises:
            ValueError: if the model fails or does not return what a DensePose model returns.
        """
        bgr = torch.from_numpy(np.ascontiguousarray(picture[..., ::-1])).to(self.device)
        try:
            output = self.model(bgr)
        except (RuntimeError, TypeError) as error:
            # TorchScript's errors are long; what went wrong stands at their end
            reason = str(error).strip().splitlines()[-1]
            raise ValueError(f"{self.path}: the model failed ({reason})") from error
        try:
            return _instances(output, (picture.shape[1], picture.shape[0]))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error


def _instances(output: object, picture_size: tuple[int, int]) -> list[DensePoseInstance]:
    """The output dictionary, checked and decoded."""
    if not isinstance(output, dict):
        raise ValueError(f"the model returned {type(output).__name__}, want a dictionary")
    keys = ["pred_boxes", "scores", *(f"pred_densepose_{name}" for name in _MAPS)]
    missing = [key for key in keys if not isinstance(output.get(key), Tensor)]
    if missing:
        found = ", ".join(sorted(map(str, output)))
        raise ValueError(
            f"the model's output lacks the tensors {', '.join(missing)} (it has {found})"
        )
    boxes, scores, coarse, fine, u, v = (output[key] for key in keys)
    count = len(boxes)
    if boxes.shape != (count, 4) or scores.shape != (count,):
        raise ValueError(
            f"pred_boxes is {tuple(boxes.shape)} and scores {tuple(scores.shape)}, "
            "want (N, 4) and (N,)"
        )
    if count == 0:
        return []
    for key, maps in zip(keys[2:], (coarse, fine, u, v), strict=True):
        channels = maps.shape[1] if maps.ndim == 4 else 0
        fits = channels >= 2 if maps is coarse else channels == _FINE_CHANNELS
        if not fits or len(maps) != count or not maps.is_floating_point():
            wanted = "K >= 2" if maps is coarse else str(_FINE_CHANNELS)
            raise ValueError(
                f"{key} is {maps.dtype} {tuple(maps.shape)}, want floats ({count}, {wanted}, h, w)"
            )
    boxes_px = boxes.double().cpu().numpy()
    check_boxes(boxes_px, picture_size)
    return [
        decode_charts(coarse[n], fine[n], u[n], v[n], boxes_px[n], float(scores[n]))
        for n in range(count)
    ]

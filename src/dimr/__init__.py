"""Full 3D human bodies from one picture, also when much of the person is hidden.

    import dimr
    model = dimr.load()
    prediction = model.predict(picture)  # uint8 RGB (H, W, 3)

The command line is `dimr` (see `dimr --help`). Frames and units: docs/conventions.md.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import torch

    import dimr.predict

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    weights: str | Path = "open",
    data: str | Path | None = None,
    device: "Union[str, torch.device]" = "cpu",  # noqa: UP007 - the name stays unimported
) -> "dimr.predict.Model":
    """A model that is ready to predict; see `dimr.predict.load`, imported when it is called."""
    from dimr import predict

    return predict.load(weights, data, device)

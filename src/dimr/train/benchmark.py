"""Weights and the user's files -> what the paper's tables run: a method and the bodies.

Two kinds of weights can be measured. A whole model (recipe `paper`) belongs to the user's SMPL and
its UV map; where it is not given IUVs, it gets those of the open stage 1. The two stages that ship
belong to the open body: theta means the same there, so joints can be compared with SMPL's; shapes
and vertices cannot, so PVE stays open.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from dimr.body.model import BodyModel
from dimr.data.real.bodies import Bodies, load_surface_map
from dimr.data.real.labels import IuvOf
from dimr.data.real.layout import with_mask
from dimr.evaluate.real import (
    Recover,
    given_iuv,
    predicted_iuv,
    recover_in_two_stages,
    recover_with,
    rendered_iuv,
    rendered_on_other_body,
)
from dimr.evaluate.tables import files_hash
from dimr.surface.atlas import load_atlas
from dimr.train.weights import (
    MODEL_FILE,
    STAGE2_FILE,
    load_model,
    load_stages,
    open_stage1_on,
    stage1_files,
    weights_folder,
)

IUV_CHOICES = ("gt", "predicted", "files")


class RealModel(NamedTuple):
    """A method that is ready to be measured."""

    recover: Recover
    bodies: Bodies
    weights_hash: str
    """sha256 over the weights files."""
    trained_on: tuple[str, ...]
    """Real data sets that the weights have seen."""


def load_real_model(
    weights: str,
    root: Path | None,
    iuv: str,
    iuv_table: Path | None = None,
    device: str | torch.device = "cpu",
) -> RealModel:
    """Loads weights for real data.

    Args:
        weights: a shipped set or a folder.
        root: the user's files; without `body` in it only pictures are measured (OCHuman).
        iuv: of `IUV_CHOICES`, or the path of DensePose's results or model (docs/iuv.md).
        iuv_table: of `dimr iuv table`, where those are in DensePose's coordinates.
        device: where the networks run.

    Raises:
        ValueError: if weights, bodies and the kind of IUV do not go together.
    """
    if iuv not in IUV_CHOICES and not Path(iuv).exists():
        raise ValueError(f"--iuv: got {iuv!r}, want one of {', '.join(IUV_CHOICES)}, or a path")
    folder, place = weights_folder(weights), torch.device(device)
    body_root = root if root is not None and (root / "body").is_dir() else None
    bodies = Bodies.load(body_root)
    masks = _with_masks(root)
    if (folder / MODEL_FILE).is_file():
        atlas = load_surface_map(body_root, bodies.neutral)
        model, card = load_model(folder, bodies.neutral, atlas)
        if iuv == "predicted":
            source = predicted_iuv(open_stage1_on(bodies.neutral, atlas).to(place))
        elif iuv == "gt":
            source = masks(rendered_iuv(bodies, atlas))
        else:
            source = given_iuv(iuv, root, iuv_table, atlas, str(place))
        recover = recover_with(model.to(place), source, card["crop_size"])
        hashed = files_hash([folder / MODEL_FILE])
        return RealModel(recover, bodies, hashed, tuple(card["data"]))
    body, atlas = BodyModel.load(None), load_atlas(None)
    stage1, stage2 = load_stages(folder, body, atlas)
    if iuv == "predicted":
        source = None
    elif iuv == "gt":
        source = masks(rendered_on_other_body(body, atlas))
    else:
        source = given_iuv(iuv, root, iuv_table, atlas, str(place))
    return RealModel(
        recover_in_two_stages(stage1.to(place), stage2.to(place), source),
        bodies._replace(predicted=body),
        files_hash([*stage1_files(folder), folder / STAGE2_FILE]),
        trained_on=(),
    )


def _with_masks(root: Path | None) -> Callable[[IuvOf], IuvOf]:
    """Gives records the user's masks before their IUV is rendered."""
    if root is None:
        return lambda iuv_of: iuv_of
    return lambda iuv_of: lambda record, crop, size: iuv_of(with_mask(record, root), crop, size)

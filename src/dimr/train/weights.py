"""Networks <-> a folder of weights: stage1, landmarks, outlines, encoder, stage2, and their cards.

A card holds what it takes to build the network again and what it belongs to; anything that does
not fit the body, atlas or encoder in use is refused.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dimr.assets import asset_path
from dimr.body.model import BodyModel
from dimr.correspondence.decode import surface_table
from dimr.correspondence.landmarks import LandmarkNet, SecondOpinion
from dimr.correspondence.network import CorrespondenceNet
from dimr.correspondence.outlines import OutlineNet
from dimr.correspondence.stage1 import Stage1
from dimr.encoder.blazepose import BlazePose, BlazePoseEncoder
from dimr.encoder.hrnet import HrnetEncoder
from dimr.encoder.movenet import MoveNet
from dimr.network.dimr import Dimr, HeadSize
from dimr.network.feedback import surface_of
from dimr.network.variants import build_stage2
from dimr.surface.atlas import Atlas, load_atlas
from dimr.surface.bridge import fit_bridge
from dimr.surface.uv_table import SurfaceToUv
from dimr.train.checkpoint import check_card, load_weights, save_weights, state_hash

SHIPPED = ("open", "research")
"""Sets of weights that ship: of synthetic people alone, and gone on with photographs."""
STAGE1_FILE = "stage1.safetensors"
LANDMARKS_FILE = "landmarks.safetensors"
OUTLINES_FILE = "outlines.safetensors"
STAGE2_FILE = "stage2.safetensors"
ENCODER_FILE = "encoder.safetensors"
"""What stage 2 sees pictures with, where stage 1's encoder has learnt on since."""
MODEL_FILE = "model.safetensors"
"""A stage 2 with an encoder of its own (recipe `paper`)."""
ENCODER_PREFIX = "encoder."
SECOND, SECOND_NETWORK = "second.", "second.network."


def weights_folder(name: str | Path) -> Path:
    """Folder of a shipped set of weights, or of a path.

    A shipped set's name means that set, whatever lies in the current folder; `./open` is a path.

    Raises:
        ValueError: if it is neither.
    """
    if str(name) in SHIPPED:
        return asset_path(f"weights/{name}/{STAGE1_FILE}").parent
    if not Path(name).is_dir():
        raise ValueError(
            f"weights: {str(name)!r} is neither a shipped set ({', '.join(SHIPPED)}) nor a folder"
        )
    return Path(name)


def stage1_files(folder: Path) -> list[Path]:
    """What stage 1 of a folder of weights consists of: its network and, if there, the others."""
    others = (folder / LANDMARKS_FILE, folder / OUTLINES_FILE, folder / ENCODER_FILE)
    return [folder / STAGE1_FILE, *(path for path in others if path.is_file())]


def new_stage1_network(body: BodyModel, atlas: Atlas) -> CorrespondenceNet:
    """Pretrained encoder, fresh decoder."""
    table = surface_table(atlas, body.v_template.cpu().numpy())
    encoder = BlazePoseEncoder.pretrained()
    return CorrespondenceNet(encoder, torch.from_numpy(table.part_centres_m))


def new_stage2(
    variant: str, encoder: nn.Module, body: BodyModel, atlas: Atlas, size: HeadSize
) -> Dimr:
    """A fresh stage 2 around an encoder, for a body and its atlas."""
    template = body.v_template.cpu().numpy()
    parts = atlas.texels(size.atlas).part
    positions_m = atlas.positions(template, size.atlas)
    return build_stage2(
        variant,
        encoder,
        parts,
        size,
        positions_m,
        joints_of=body.joints,
        surface=surface_of(body, parts, positions_m) if size.surface else None,
    )


def belongings(body: BodyModel, atlas: Atlas) -> dict[str, str]:
    """What weights of either stage are tied to."""
    return {"body": body.content_hash, "atlas": atlas.content_hash}


def save_stage1(
    folder: Path,
    network: CorrespondenceNet,
    body: BodyModel,
    atlas: Atlas,
    about: Mapping[str, Any],
) -> None:
    """Writes stage 1; `about` says how it was made."""
    card = {"stage": "stage1", "encoder": "compact", **belongings(body, atlas), **about}
    save_weights(folder / STAGE1_FILE, network.state_dict(), card)


def save_stage2(
    folder: Path,
    model: Dimr,
    size: HeadSize,
    body: BodyModel,
    atlas: Atlas,
    about: Mapping[str, Any],
) -> None:
    """Writes stage 2 without its encoder; the card names that by hash."""
    head = without_encoder(model.state_dict())
    card = {
        "stage": "stage2",
        "encoder_hash": state_hash(model.encoder.state_dict()),
        "head": asdict(size),
        **belongings(body, atlas),
        **about,
    }
    save_weights(folder / STAGE2_FILE, head, card)


def without_encoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Only what a network adds to what it sees with."""
    return {name: value for name, value in state.items() if not name.startswith(ENCODER_PREFIX)}


def load_stage1_network(folder: Path, body: BodyModel, atlas: Atlas) -> CorrespondenceNet:
    """The correspondence network of a folder of weights."""
    path = folder / STAGE1_FILE
    state, card = load_weights(path)
    check_card(card, path, stage="stage1", encoder="compact", **belongings(body, atlas))
    network = new_stage1_network(body, atlas)
    _load_state(network, state, path)
    return network


def save_landmarks(
    folder: Path, network: LandmarkNet, body: BodyModel, atlas: Atlas, about: Mapping[str, Any]
) -> None:
    """Writes the landmark network; `about` says how it was made.

    Of its second opinion there is only how far off that may be: the rest ships once for all.
    """
    state = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith(SECOND_NETWORK)
    }
    card = {"stage": "landmarks", **belongings(body, atlas), **about}
    save_weights(folder / LANDMARKS_FILE, state, card)


def load_landmarks(
    folder: Path | None, body: BodyModel, atlas: Atlas
) -> tuple[LandmarkNet, dict[str, Any]]:
    """The landmark network of a folder of weights and its card; else the original one."""
    if folder is None or not (folder / LANDMARKS_FILE).is_file():
        return LandmarkNet.pretrained(), {}
    path = folder / LANDMARKS_FILE
    state, card = load_weights(path)
    check_card(card, path, stage="landmarks", **belongings(body, atlas))
    network = LandmarkNet()
    if any(name.startswith(SECOND) for name in state):
        network.second = SecondOpinion()
        known = network.second.network.state_dict(prefix=SECOND_NETWORK)
        state = {**known, **state}
    _load_state(network, state, path)
    return network, card


def save_outlines(folder: Path, network: OutlineNet, about: Mapping[str, Any]) -> None:
    """Writes the network that outlines people, with the encoder of its own."""
    card = {"stage": "outlines", "encoder": "lite0", **about}
    save_weights(folder / OUTLINES_FILE, network.state_dict(), card)


def load_outlines(folder: Path) -> tuple[OutlineNet | None, dict[str, Any]]:
    """The network that outlines people, and its card; None where a folder has none."""
    path = folder / OUTLINES_FILE
    if not path.is_file():
        return None, {}
    state, card = load_weights(path)
    check_card(card, path, stage="outlines", encoder="lite0")
    network = OutlineNet()
    _load_state(network, state, path)
    return network, card


def save_encoder(
    folder: Path,
    encoder: BlazePoseEncoder,
    body: BodyModel,
    atlas: Atlas,
    about: Mapping[str, Any],
) -> None:
    """Writes what stage 2 sees pictures with; `about` says how it was made."""
    card = {**about, "stage": "encoder", "encoder": "compact", **belongings(body, atlas)}
    save_weights(folder / ENCODER_FILE, encoder.state_dict(), card)


def load_encoder(folder: Path, body: BodyModel, atlas: Atlas) -> BlazePoseEncoder | None:
    """What stage 2 sees pictures with, if it is not stage 1's encoder."""
    path = folder / ENCODER_FILE
    if not path.is_file():
        return None
    state, card = load_weights(path)
    check_card(card, path, stage="encoder", encoder="compact", **belongings(body, atlas))
    encoder = BlazePoseEncoder()
    _load_state(encoder, state, path)
    return encoder


def keep_encoder(source: Path, target: Path, body: BodyModel, atlas: Atlas) -> None:
    """Writes what stage 2 sees with beside a stage 1 that has learnt on: heads still fit.

    `source` is the folder that stage 1 went on from, `target` that of the new one.
    """
    if (source / ENCODER_FILE).is_file():
        _, card = load_weights(source / ENCODER_FILE)
        encoder = load_encoder(source, body, atlas)
    else:
        _, card = load_weights(source / STAGE1_FILE)
        encoder = load_stage1_network(source, body, atlas).encoder
    assert isinstance(encoder, BlazePoseEncoder)
    save_encoder(target, encoder, body, atlas, card)


def load_stage1(
    folder: Path, body: BodyModel, atlas: Atlas, to_uv: SurfaceToUv | None = None
) -> Stage1:
    """Stage 1 of a folder of weights, with the networks that confirm people and see poses.

    `to_uv` is that of `surface_table`.
    """
    network = load_stage1_network(folder, body, atlas)
    table = surface_table(atlas, body.v_template.cpu().numpy(), to_uv)
    poser, _ = load_landmarks(folder, body, atlas)
    encoder = load_encoder(folder, body, atlas)
    outliner, _ = load_outlines(folder)
    return Stage1(
        network,
        table,
        confirmer=BlazePose.pretrained(),
        poser=poser,
        encoder=encoder,
        spotter=MoveNet.pretrained(),
        outliner=outliner,
    )


def open_stage1_on(body: BodyModel, atlas: Atlas) -> Stage1:
    """The open stage 1, whose IUVs are on the map of another body, SMPL.

    The open body is laid over the other one's template (`fit_bridge`), which takes some seconds.

    Raises:
        ValueError: if it cannot be.
    """
    open_body, open_atlas = BodyModel.load(None), load_atlas(None)
    folder = weights_folder("open")
    to_uv = None
    if atlas.content_hash != open_atlas.content_hash:
        to_uv = fit_bridge(body, open_body).reversed.to_uv(open_atlas.faces, atlas)
    return load_stage1(folder, open_body, open_atlas, to_uv)


def load_stage2(
    folder: Path, encoder: nn.Module, body: BodyModel, atlas: Atlas, **wanted: str
) -> tuple[Dimr, HeadSize, dict[str, Any]]:
    """Stage 2 of a folder of weights around an encoder, its size and its card.

    Args:
        folder: with STAGE2_FILE.
        encoder: not in the file; a head trained on IUVs alone takes any.
        body: must be the one of the card.
        atlas: must be the one of the card.
        **wanted: further entries that the card must have.
    """
    path = folder / STAGE2_FILE
    state, card = load_weights(path)
    check_card(card, path, stage="stage2", **wanted, **belongings(body, atlas))
    variant, size = _head_of(card, path)
    model = new_stage2(variant, encoder, body, atlas, size)
    _load_state(model, {**encoder.state_dict(prefix=ENCODER_PREFIX), **state}, path)
    return model, size, card


def hear_surface(
    model: Dimr, size: HeadSize, body: BodyModel, atlas: Atlas
) -> tuple[Dimr, HeadSize]:
    """A head as it is, if need be with the feedback of its surface, which says nothing yet."""
    if size.surface:
        return model, size
    size = replace(size, surface=True)
    grown = new_stage2("dimr", model.encoder, body, atlas, size)
    grown.load_state_dict({**grown.state_dict(), **model.state_dict()})
    return grown, size


def save_model(
    folder: Path,
    model: Dimr,
    size: HeadSize,
    body: BodyModel,
    atlas: Atlas,
    about: Mapping[str, Any],
) -> None:
    """Writes a stage 2 that has an encoder of its own, whole; `about` names `encoder`."""
    card = {"stage": "model", "head": asdict(size), **belongings(body, atlas), **about}
    save_weights(folder / MODEL_FILE, model.state_dict(), card)


def load_model(folder: Path, body: BodyModel, atlas: Atlas) -> tuple[Dimr, dict[str, Any]]:
    """A whole stage 2 in evaluation mode, and its card.

    Raises:
        ValueError: if the weights are missing or belong to something else.
    """
    path = folder / MODEL_FILE
    state, card = load_weights(path)
    check_card(card, path, stage="model", encoder="hrnet_w32", **belongings(body, atlas))
    variant, size = _head_of(card, path)
    if not (isinstance(card.get("crop_size"), int) and isinstance(card.get("data"), dict)):
        raise ValueError(f"weights: {path} has a card without crop_size or data")
    model = new_stage2(variant, HrnetEncoder(), body, atlas, size)
    _load_state(model, state, path)
    return model.eval(), card


def _head_of(card: Mapping[str, Any], path: Path) -> tuple[str, HeadSize]:
    """Variant and size of a head."""
    # what older cards do not speak of
    older = {"landmarks": False, "uncertainty": False, "surface": False}
    try:
        blocks = tuple(tuple(block) for block in card["head"]["blocks"])
        return str(card["variant"]), HeadSize(**{**older, **card["head"], "blocks": blocks})
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"weights: {path} has a card that this version cannot read ({error})"
        ) from error


def load_stages(name: str | Path, body: BodyModel, atlas: Atlas) -> tuple[Stage1, Dimr]:
    """Both stages and what stage 2 sees with, checked against body and atlas.

    Raises:
        ValueError: if weights are missing or belong to something else.
    """
    folder = weights_folder(name)
    stage1 = load_stage1(folder, body, atlas)
    encoder_hash = state_hash(stage1.encoder.state_dict())
    stage2, _, _ = load_stage2(folder, stage1.encoder, body, atlas, encoder_hash=encoder_hash)
    return stage1, stage2.eval()


def _load_state(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Strict; a file that does not fit is the user's to mend."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"weights: {path} does not fit the network ({reason} ...)") from error

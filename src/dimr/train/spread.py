"""How far off landmarks may be, learnt from people that the landmark network has not seen.

The network is done and stays as it is: a `Spread` learns to read from the features of its last
look how far from the truth what it said of it is; that of its `SecondOpinion` likewise. Whatever
goes wrong on the way there (a window at somebody else, a turn by a quarter) is among what it
learns from.
"""

import copy

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dimr.correspondence.landmarks import (
    LARGEST_SPREAD,
    LEAST_SPREAD,
    LandmarkNet,
    Spread,
    find_pose,
)
from dimr.encoder.blazepose import HIPS
from dimr.image.crop import pictures_to_tensor

HELD_BACK = 5
"""Every so many-th sample says when to stop."""
EPOCHS, PATIENCE = 100, 5
BATCH = 256
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.1
LEAST_GAP = 1e-3


Gaps = dict[str, Tensor]
"""`summary`, the features of looks that count; `gap` (N, 39, 2), how far off landmarks are, in
half windows and in metres; `known` (N, 39, 2), where anybody knows."""


@torch.no_grad()
def gaps_of(
    network: LandmarkNet, samples: Dataset, batch_size: int = 32, workers: int = 0
) -> list[Gaps]:
    """What the network says of samples, against the truth; and what its second opinion says."""
    found: list[dict[str, list[Tensor]]] = [{}, {}][: 1 if network.second is None else 2]
    for batch in DataLoader(samples, batch_size=batch_size, num_workers=workers):
        image, marker = pictures_to_tensor(batch["image"]), batch["marker"].float()
        looks = [find_pose(network, image, marker)]
        if network.second is not None:
            looks.append(network.second.look_after(looks[0].pose, image, marker))
        places, known = batch["places"], batch["weight_2d"] > 0
        deep = known & (batch["weight_3d"] > 0)[:, None]
        deep[:, HIPS:] = False
        for each, rows in zip(looks, found, strict=True):
            in_crop = (each.pose[..., :2] - places[..., :2]).norm(dim=-1) / each.half[:, None]
            in_metres = (each.pose[..., 5:8] - places[..., 3:]).norm(dim=-1)
            rows.setdefault("summary", []).append(each.summary.flatten(1))
            rows.setdefault("gap", []).append(torch.stack([in_crop, in_metres], dim=-1))
            rows.setdefault("known", []).append(torch.stack([known, deep], dim=-1))
    return [{name: torch.cat(values) for name, values in rows.items()} for rows in found]


def learn_spread(
    network: LandmarkNet, samples: Dataset, seed: int = 0, workers: int = 0
) -> dict[str, float]:
    """Trains `network.spread`, that of its second opinion, and nothing else, on samples.

    Returns:
        `spread_nats`: how much better the held-back gaps are told than by one number a landmark;
        `spread_ratio`: their mean over the mean of what is expected, 1 if that is right; both of
        the second opinion after `second_`.
    """
    network.eval()
    layers = [("", network.spread)]
    if network.second is not None:
        layers.append(("second_", network.second.spread))
    told = {}
    gaps = gaps_of(network, samples, workers=workers)
    for (prefix, layer), data in zip(layers, gaps, strict=True):
        learnt = _learn(layer, data, seed)
        told |= {prefix + name: value for name, value in learnt.items()}
    return told


def _learn(spread: Spread, data: Gaps, seed: int) -> dict[str, float]:
    back = torch.arange(len(data["gap"])) % HELD_BACK == 0
    mean, std = data["summary"][~back].mean(0), data["summary"][~back].std(0) + 1e-3
    data["summary"] = (data["summary"] - mean) / std
    learnt, kept = ({k: v[rows] for k, v in data.items()} for rows in (~back, back))
    weight = learnt["known"].float()
    usual = (learnt["gap"] * weight).sum(0) / weight.sum(0).clamp(min=1)
    usual = usual.clamp(min=LEAST_GAP).log()
    generator = torch.Generator().manual_seed(seed)
    layer = copy.deepcopy(spread).requires_grad_()
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(usual.flatten())
    optimiser = torch.optim.AdamW(layer.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def nats(rows: dict[str, Tensor]) -> Tensor:
        """Of an exponential distribution: its mean is what is expected."""
        said = layer(rows["summary"]).view_as(rows["gap"])
        loss = said + rows["gap"] * (-said).exp()
        return loss[rows["known"]].mean()

    with torch.no_grad():
        first = best = float(nats(kept))
    state, waited = copy.deepcopy(layer.state_dict()), 0
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(weight), generator=generator).split(BATCH):
            optimiser.zero_grad()
            nats({name: values[chosen] for name, values in learnt.items()}).backward()
            optimiser.step()
        with torch.no_grad():
            now = float(nats(kept))
        waited += 1
        if now < best:
            best, state, waited = now, copy.deepcopy(layer.state_dict()), 0
        if waited == PATIENCE:
            break
    layer.load_state_dict(state)
    with torch.no_grad():
        said = layer(kept["summary"]).view_as(kept["gap"]).exp()
        said = said.clamp(LEAST_SPREAD, LARGEST_SPREAD)  # as `Spread.of` does
        ratio = float(kept["gap"][kept["known"]].mean() / said[kept["known"]].mean())
        spread.weight.copy_(layer.weight / std)
        spread.bias.copy_(layer.bias - layer.weight @ (mean / std))
    return {"spread_nats": first - best, "spread_ratio": ratio}

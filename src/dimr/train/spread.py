"""How far off landmarks may be, learnt from people that the landmark network has not seen.

The network is done and stays as it is: `LandmarkNet.spread` learns to read from the features of
its last look how far from the truth what it said of it is. Whatever goes wrong on the way there (a
window at somebody else, a turn by a quarter) is among what it learns from.
"""

import copy

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dimr.correspondence.landmarks import LARGEST_SPREAD, LEAST_SPREAD, LandmarkNet, find_pose
from dimr.encoder.blazepose import HIPS
from dimr.image.crop import pictures_to_tensor

HELD_BACK = 5
"""Every so many-th sample says when to stop."""
EPOCHS, PATIENCE = 100, 5
BATCH = 256
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.1
LEAST_GAP = 1e-3


@torch.no_grad()
def gaps_of(
    network: LandmarkNet, samples: Dataset, batch_size: int = 32, workers: int = 0
) -> dict[str, Tensor]:
    """What the network says of samples, against the truth.

    Returns:
        `summary`, the features of the looks that count; `gap` (N, 39, 2), how far off landmarks
        are, in half windows and in metres; `known` (N, 39, 2), where anybody knows.
    """
    found: dict[str, list[Tensor]] = {"summary": [], "gap": [], "known": []}
    for batch in DataLoader(samples, batch_size=batch_size, num_workers=workers):
        image = pictures_to_tensor(batch["image"])
        look = find_pose(network, image, batch["marker"].float())
        places = batch["places"]
        in_crop = (look.pose[..., :2] - places[..., :2]).norm(dim=-1) / look.half[:, None]
        in_metres = (look.pose[..., 5:8] - places[..., 3:]).norm(dim=-1)
        known = batch["weight_2d"] > 0
        deep = known & (batch["weight_3d"] > 0)[:, None]
        deep[:, HIPS:] = False
        found["summary"].append(look.summary.flatten(1))
        found["gap"].append(torch.stack([in_crop, in_metres], dim=-1))
        found["known"].append(torch.stack([known, deep], dim=-1))
    return {name: torch.cat(values) for name, values in found.items()}


def learn_spread(
    network: LandmarkNet, samples: Dataset, seed: int = 0, workers: int = 0
) -> dict[str, float]:
    """Trains the `spread` of who takes the last look, and nothing else, on samples.

    Returns:
        `spread_nats`: how much better the held-back gaps are told than by one number a landmark;
        `spread_ratio`: their mean over the mean of what is expected, 1 if that is right.
    """
    network.eval()
    data = gaps_of(network, samples, workers=workers)
    back = torch.arange(len(data["gap"])) % HELD_BACK == 0
    mean, std = data["summary"][~back].mean(0), data["summary"][~back].std(0) + 1e-3
    data["summary"] = (data["summary"] - mean) / std
    learnt, kept = ({k: v[rows] for k, v in data.items()} for rows in (~back, back))
    weight = learnt["known"].float()
    usual = (learnt["gap"] * weight).sum(0) / weight.sum(0).clamp(min=1)
    usual = usual.clamp(min=LEAST_GAP).log()
    generator = torch.Generator().manual_seed(seed)
    spread = network.last.spread
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
        said = said.clamp(LEAST_SPREAD, LARGEST_SPREAD)  # as `LandmarkNet.spread_of` does
        ratio = float(kept["gap"][kept["known"]].mean() / said[kept["known"]].mean())
        spread.weight.copy_(layer.weight / std)
        spread.bias.copy_(layer.bias - layer.weight @ (mean / std))
    return {"spread_nats": first - best, "spread_ratio": ratio}

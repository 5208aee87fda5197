"""Several training processes as one: shares of a batch, averaged gradients.

Works under torchrun (`torchrun --nproc-per-node 8 -m dimr.cli train paper ...`) on one machine or
many; a single process is the case of one. Gradients are averaged explicitly after each backward
pass, so a task may call its networks however it likes. Losses are means over a process's share: if
every label is present, N processes compute what one would.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True, slots=True)
class Processes:
    """Which process this is, of how many."""

    rank: int = 0
    world: int = 1

    @classmethod
    def current(cls) -> "Processes":
        """Of the group that `start_processes` joined; one alone if there is none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process validates, logs and writes."""
        return self.rank == 0

    def share_of(self, batch: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch whose size the number of processes divides."""
        size = len(batch) // self.world
        return batch[self.rank * size : (self.rank + 1) * size]

    def copy_first(self, model: nn.Module) -> None:
        """Every process starts from the first one's weights."""
        if self.world > 1:
            for value in model.state_dict().values():
                distributed.broadcast(value, 0)

    def average_gradients(self, model: nn.Module) -> None:
        """The mean over all processes; parameters that one did not use count as zero there."""
        if self.world == 1:
            return
        learnt = [each for each in model.parameters() if each.requires_grad]
        for each in learnt:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        flat = torch.cat([each.grad.flatten() for each in learnt if each.grad is not None])
        distributed.all_reduce(flat)
        flat /= self.world
        start = 0
        for each in learnt:
            assert each.grad is not None
            each.grad.copy_(flat[start : start + each.numel()].view_as(each))
            start += each.numel()

    def wait(self) -> None:
        """Until every process is here."""
        self.any(False)

    def any(self, condition: bool) -> bool:
        """Whether it holds in any process."""
        if self.world == 1:
            return condition
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        flag = torch.tensor(float(condition), device=device)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
        return bool(flag.item())


def start_processes(device: str) -> str:
    """Joins the group that torchrun made, if it started this process.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl, one GPU a process).

    Returns:
        The device of this process.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return device
    on_gpu = device.startswith("cuda")
    if on_gpu:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    return device

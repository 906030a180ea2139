"""One training over several processes, as `torchrun` starts them; one process alone needs nothing of it."""

import contextlib
import datetime
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn

from ...bus.errors import BadSettings
from .options import TrainOptions

_WAIT = datetime.timedelta(minutes=30)
"""How long one process waits for the others: one of them checks and saves while they wait."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process this is."""

    rank: int
    """0 checks, saves and exports."""
    world: int
    """How many there are."""
    device: str
    """`cpu`, `cuda` or `cuda:N`."""

    @property
    def first(self) -> bool:
        """True for the process that writes."""
        return self.rank == 0

    def share(self, places: Any) -> Any:
        """This process's part of a step's pictures."""
        return places[self.rank :: self.world]

    def wrapped(self, net: nn.Module) -> nn.Module:
        """Return the net with its gradients averaged over all processes."""
        if self.world == 1:
            return net
        if self.device != "cpu":
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return nn.parallel.DistributedDataParallel(net, device_ids=None if self.device == "cpu" else [self.device])

    def agreed(self, value: Any) -> Any:
        """Return the first process's value in every process."""
        if self.world == 1:
            return value
        held = [value]
        distributed.broadcast_object_list(held, src=0)
        return held[0]


def device_of(options: TrainOptions) -> str:
    """Return the device asked for. BadSettings: it is not there."""
    there = torch.cuda.is_available()
    if options.device == "cuda" and not there:
        raise BadSettings("device = 'cuda': torch sees no GPU here")
    return "cuda" if there and options.device != "cpu" else "cpu"


@contextlib.contextmanager
def joined(options: TrainOptions) -> Iterator[Ranks]:
    """Join the other processes, where `torchrun` started some (WORLD_SIZE is set), and leave them at the end.

    BadSettings: the device is not there, or a step's pictures cannot be shared out evenly.
    """
    device, world = device_of(options), int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Ranks(0, 1, device)
        return
    if options.batch % world:
        raise BadSettings(f"batch = {options.batch}: expected a multiple of the {world} processes")
    if device != "cpu":
        place, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if place >= there:
            raise BadSettings(
                f"device = '{options.device}': this machine has {there} GPU(s) and torchrun started more processes: "
                f"expected --nproc-per-node={there} at most, or --device cpu"
            )
        device = f"cuda:{place}"
        torch.cuda.set_device(device)
    distributed.init_process_group("gloo" if device == "cpu" else "nccl", timeout=_WAIT)
    try:
        yield Ranks(distributed.get_rank(), world, device)
    finally:
        distributed.destroy_process_group()

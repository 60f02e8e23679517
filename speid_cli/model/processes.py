"""The processes of one run: this one alone, or as many as torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

from speid_cli.errors import SpeidError


@dataclass(frozen=True)
class Processes:
    """The place of this process among those of the run.

    Attributes
    ----------
    rank, count : int
        This process's number and how many processes there are, on all machines.
    local_rank, local_count : int
        The same on this machine.
    restarts : int
        How often torchrun has restarted the processes.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    restarts: int = 0

    @classmethod
    def of_torchrun(cls) -> Processes:
        """From the environment variables that torchrun sets; one process alone where they are not set."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if not all(os.environ.get(name, "").isdecimal() for name in names):
            return SINGLE_PROCESS
        restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
        rank, count, local_rank, local_count = (int(os.environ[name]) for name in names)
        return cls(rank, count, local_rank, local_count, restarts)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes the run's outputs and messages."""
        return self.rank == 0

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Connect the processes: by gloo for what is in memory, by nccl for what is on GPUs."""
        if self.count == 1:
            yield
            return
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with _naming_other_processes():
            store, rank, count = next(rendezvous("env://"))
            # torchrun keeps the store over its restarts, with the addresses of processes that are gone.
            own = PrefixStore(f"start {self.restarts}", store)
            dist.init_process_group(backend, store=own, rank=rank, world_size=count)
        yield
        dist.destroy_process_group()  # not after an error: the others may be waiting for this process

    def sum(self, values: Tensor) -> Tensor:
        """The sum of all processes' values, in place and without gradient."""
        if self.count > 1:
            with _naming_other_processes():
                dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The plain values of all processes by rank, in the main process; an empty list in the others."""
        if self.count == 1:
            return [value]
        values = [None] * self.count if self.is_main else None
        with _naming_other_processes():
            dist.gather_object(value, values)
        return values or []

    def broadcast(self, value: Any) -> Any:
        """The main process's plain value, in every process."""
        if self.count == 1:
            return value
        values = [value]
        with _naming_other_processes():
            dist.broadcast_object_list(values)
        return values[0]

    def local_slice(self, items: Sequence[Any] | Any) -> slice:
        """This process's part of a sequence: equal parts in order of rank, the first few one longer."""
        part, rest = divmod(len(items), self.count)
        start = self.rank * part + min(self.rank, rest)
        return slice(start, start + part + (self.rank < rest))


SINGLE_PROCESS = Processes()


def sum_with_gradient(processes: Processes, values: Tensor) -> Tensor:
    """The sum of all processes' values; its gradient is the sum of their gradients."""
    return _Sum.apply(processes, values)


class _Sum(Function):
    @staticmethod
    def forward(ctx: Any, processes: Processes, values: Tensor) -> Tensor:
        """The sum over all processes."""
        ctx.processes = processes
        return processes.sum(values.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        """Gradients of what `forward` was given; None where there is none."""
        return None, ctx.processes.sum(gradient.clone())


@contextmanager
def _naming_other_processes() -> Iterator[None]:
    """Report a failed collective as what it means: another process has ended, and has printed why."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).strip().splitlines() or [repr(error)]
        raise SpeidError(f"another process of this run has ended or cannot be reached ({text[0][:200]})") from error

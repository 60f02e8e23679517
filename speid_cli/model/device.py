"""Devices: CPU, CUDA and MPS. Only this module calls CUDA functions."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speid_cli.errors import OptionError
from speid_cli.memory import total_bytes
from speid_cli.model.native.layers import LONGEST_POOL
from speid_cli.model.native.library import load
from speid_cli.model.native.network import NativeNetwork
from speid_cli.model.processes import SINGLE_PROCESS, Processes
from speid_cli.model.speid import Speid

Precision = Literal["fp32", "tf32", "bf16"]


class Device:
    """A device and the precision of its matrix products.

    Parameters
    ----------
    choice : str
        ``auto`` (CUDA where there is one, else CPU), ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    precision : {"fp32", "tf32", "bf16"}
    threads : int, optional
        CPU threads; None leaves PyTorch's choice, all cores, or one where torchrun starts several processes.
    processes : Processes
        The processes that share the work; each uses its own GPU.

    Raises
    ------
    OptionError
        This machine has no such device, or the device does not support the precision.
    """

    def __init__(
        self,
        choice: str = "auto",
        precision: Precision = "fp32",
        threads: int | None = None,
        processes: Processes = SINGLE_PROCESS,
    ) -> None:
        if choice == "auto":
            choice = "cuda" if torch.cuda.is_available() else "cpu"
        if choice == "cuda" and processes.local_count > 1:
            choice = f"cuda:{processes.local_rank}"
        self.torch = _existing(choice)
        self.precision, self.processes = precision, processes
        if precision == "tf32" and not self.is_cuda:
            raise OptionError(f"--precision tf32 needs CUDA, and the device is {choice}")
        if self.is_cuda:
            self.torch = torch.device("cuda", self.torch.index or 0)
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cudnn.deterministic = True
            torch.cuda.set_device(self.torch)
        if threads is not None:
            torch.set_num_threads(threads)
        self.kernels, self._route = None, "PyTorch kernels"
        if self.torch.type == "cpu" and precision == "fp32":
            self.kernels, self._route = load(torch.get_num_threads())

    @property
    def is_cuda(self) -> bool:
        """Whether this is an NVIDIA or AMD GPU."""
        return self.torch.type == "cuda"

    @property
    def description(self) -> str:
        """One line for people: the device, its name, the precision, and native or PyTorch kernels."""
        if self.is_cuda:
            name = torch.cuda.get_device_name(self.torch)
        else:
            count = torch.get_num_threads() if self.kernels is None else self.kernels.threads
            threads = f", {count} threads" if self.torch.type == "cpu" else ""
            name = f"{_processor()}{threads}"
        return f"{self.torch} ({name}), {self.precision}, {self._route}"

    @property
    def memory_bytes(self) -> int:
        """Memory that is free on the GPU, or this process's share of the memory of the machine or container."""
        if self.is_cuda:
            return torch.cuda.mem_get_info(self.torch)[0]
        return total_bytes() // self.processes.local_count

    def put(self, array: NDArray[Any] | Tensor) -> Tensor:
        """The values as a tensor on the device; the host does not wait for the copy."""
        tensor = torch.from_numpy(array) if isinstance(array, np.ndarray) else array
        if self.is_cuda and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()
        return tensor.to(self.torch, non_blocking=True)

    def autocast(self) -> AbstractContextManager[Any]:
        """Context in which matrix products run in bf16, if that is the precision."""
        return torch.autocast(self.torch.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def replaying(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """A function of tensors of constant shapes that, on CUDA, launches all its kernels as one graph.

        The first call runs as it is, and the second is recorded. Other tensors that `function` reads must
        stay where they are in memory.
        """
        return _Replaying(function) if self.is_cuda else function

    def adam(self, groups: Iterable[dict[str, Any]], learning_rate: float) -> torch.optim.Adam:
        """Adam (Kingma and Ba 2014) of parameter groups, fused where the device supports it."""
        return torch.optim.Adam(groups, lr=learning_rate, fused=self.torch.type in ("cuda", "cpu"))

    def prepare_training(self, model: Speid) -> Speid | NativeNetwork:
        """Move the model to the device, and return the fastest network that trains its parameters.

        On the native kernels, PyTorch itself has one thread from then on.
        """
        if self.is_cuda and self.processes.count > 1:
            nn.SyncBatchNorm.convert_sync_batchnorm(model)  # replaces the norms inside the model
        else:
            model.share_batches(self.processes)
        model.to(self.torch)
        if self.kernels is None or not model.has_fast_paths or model.config.pool_length > LONGEST_POOL:
            return model
        # Else the threads of OpenMP wait for PyTorch's small operations on the cores that the kernels need.
        torch.set_num_threads(1)
        return NativeNetwork(model, self.kernels)


class _Replaying:
    """See `Device.replaying`."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function, self._calls = function, 0

    def __call__(self, *inputs: Tensor) -> Tensor:
        self._calls += 1
        if self._calls == 1:
            return self._function(*inputs)
        if self._calls == 2:
            self._inputs, self._graph = [values.clone() for values in inputs], torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._result = self._function(*self._inputs)
        for held, values in zip(self._inputs, inputs, strict=True):
            held.copy_(values)
        self._graph.replay()
        return self._result


def _processor() -> str:
    """The processor's name where Linux tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _existing(choice: str) -> torch.device:
    try:
        device = torch.device(choice)
    except RuntimeError:
        device = torch.device("meta")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in available:
        raise OptionError(f"--device {choice}: expected auto, cpu, cuda, cuda:N or mps")
    if not available[device.type]:
        count = torch.cuda.device_count()
        raise OptionError(
            f"--device {choice}: not on this machine, where PyTorch {torch.__version__} sees {count} CUDA devices"
        )
    return device

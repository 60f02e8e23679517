"""Loads the compiled kernels for the machine's vector unit, and runs them on several threads.

The kernels are plain functions of numbers and addresses, called without Python's lock; each call
works on a range, and `Kernels.parallel` hands ranges to a pool of threads.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Part = TypeVar("Part")
Result = TypeVar("Result")
KINDS = ("avx512", "avx2", "plain")
SWITCH = "SPEID_NATIVE"
_CACHE_LINE = 64


class Recurrence(ctypes.Structure):
    """One direction of an LSTM over some rows; the fields are explained in ``kernels.c``."""

    _fields_ = (
        ("units", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("weights", ctypes.c_void_p),
        ("gates", ctypes.c_void_p),
        ("gate_start", ctypes.c_void_p),
        ("gate_step", ctypes.c_int64),
        ("states", ctypes.c_void_p),
        ("state_start", ctypes.c_void_p),
        ("state_step", ctypes.c_int64),
        ("cells", ctypes.c_void_p),
        ("hidden", ctypes.c_void_p),
        ("cell", ctypes.c_void_p),
    )


class Dropped(ctypes.Structure):
    """A dropout mask: values where a hash of seed, row and column is below the threshold are zeroed."""

    _fields_ = (("seed", ctypes.c_uint64), ("threshold", ctypes.c_uint32))

    @classmethod
    def share(cls, share: float, seed: int) -> Dropped:
        """A mask that drops a share of all values."""
        return cls(seed, round(share * 2**32))


class Memory:
    """Large tensors whose memory is reused when they are freed.

    Fresh memory of this size comes from the kernel page by page, which costs more than the
    arithmetic of a training step that asks for it each time.
    """

    def __init__(self) -> None:
        self._free: list[NDArray[np.uint8]] = []
        self._lock = threading.RLock()  # a finaliser may run while its own thread holds it

    def empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """An uninitialised tensor."""
        size = int(np.prod(shape)) * dtype.itemsize
        with self._lock:
            fitting = [block for block in self._free if size <= len(block) <= 2 * size]
            block = min(fitting, key=len, default=None)
            self._free = [other for other in self._free if other is not block]
        if block is None:
            block = np.empty(size + _CACHE_LINE, np.uint8)
            block = block[-block.ctypes.data % _CACHE_LINE :]
        held = block[:size]
        weakref.finalize(held, self._free_again, block).atexit = False
        return torch.from_numpy(held).view(dtype).view(shape)

    def _free_again(self, block: NDArray[np.uint8]) -> None:
        with self._lock:
            self._free = [*self._free, block]


class Kernels:
    """The kernels of one kind of vector unit on a number of threads.

    Parameters
    ----------
    kind : {"avx512", "avx2", "plain"}, optional
        Default: the best that the machine has.
    path : Path, optional
        The library; default: the one built with the package.

    Raises
    ------
    FileNotFoundError
        The library was not built.
    OSError
        It is there and cannot be loaded.
    """

    def __init__(self, threads: int, kind: str | None = None, path: Path | None = None) -> None:
        self._library = ctypes.CDLL(str(path or _built()))
        self._library.best_kind.restype = ctypes.c_char_p
        self.kind = kind or self._library.best_kind().decode()
        self.lanes: int = ctypes.c_int64.in_dll(self._library, f"lanes_{self.kind}").value
        self.panel = 4 * self.lanes
        self.threads = threads
        self.memory = Memory()
        self._pool = ThreadPoolExecutor(threads, "speid", initializer=torch.set_num_threads, initargs=(1,))

    def call(self, name: str, *arguments: Tensor | int | ctypes.Structure | None) -> None:
        """Run a kernel on addresses and numbers.

        Raises
        ------
        MemoryError
            It could not get its scratch memory.
        """
        if getattr(self._library, f"{name}_{self.kind}")(*map(_argument, arguments)):
            raise MemoryError(f"no memory for {name}")

    def parallel(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
        """`work` on each part, on the threads; results in order."""
        futures = [self._pool.submit(work, part) for part in parts]
        wait(futures)
        return [future.result() for future in futures]

    def run(self, tasks: Iterable[Callable[[], None]]) -> None:
        """Tasks of different kinds on the threads."""
        self.parallel(lambda task: task(), tasks)

    def spans(self, count: int, least: int = 1, pieces: int | None = None) -> list[slice]:
        """Split `count` into equal pieces, by default one for each thread, each a multiple of `least`."""
        pieces = pieces or self.threads
        size = -(-count // (pieces * least)) * least
        return [slice(start, min(start + size, count)) for start in range(0, count, max(1, size))]

    def recur(self, name: str, rows: slice, units: int, steps: int, **fields: Tensor | int | None) -> None:
        """Run ``recur`` or ``recur_backward`` on rows; fields as in `Recurrence`, tensors for addresses."""
        values = {key: value.data_ptr() if isinstance(value, Tensor) else value for key, value in fields.items()}
        self.call(name, Recurrence(units=units, steps=steps, **values), rows.start, rows.stop)

    def group_codes(self, codes: Tensor) -> Tensor:
        """Index uint16 (B, L) of the four bases from each position of base codes uint8 (B, L)."""
        codes = codes.contiguous()
        index = torch.empty(codes.shape, dtype=torch.uint16)
        self._library.group_codes(*map(_argument, (codes, *codes.shape, index)))
        return index

    def panels(self, matrix: Tensor) -> Tensor:
        """A matrix (inner, columns) as `product` reads it: (panels, inner, panel width)."""
        inner, columns = matrix.shape
        padded = F.pad(matrix, (0, -columns % self.panel))
        return padded.view(inner, -1, self.panel).transpose(0, 1).contiguous()

    def recurrent_panels(self, weight: Tensor) -> Tensor:
        """Recurrent weights (4H, H), gates i, f, g, o, as the recurrence reads them."""
        units = weight.shape[1]
        padded = F.pad(weight.view(4, units, units), (0, 0, 0, -units % self.lanes))
        return padded.view(4, -1, self.lanes, units).permute(1, 3, 0, 2).contiguous()

    def product(self, a: Tensor, panels: Tensor, out: Tensor, bias: Tensor | None = None, add: bool = False) -> None:
        """out (rows, columns) = bias + a b, or out + a b, on this thread; b's first rows if a is narrower."""
        rows, inner = a.shape
        self.call("product", a, a.stride(0), a.stride(1), panels, panels.stride(0), rows, inner, out.shape[1], out,
                  out.stride(0), bias, int(add))  # fmt: skip

    def product_by_rows(self, a: Tensor, panels: Tensor, out: Tensor, bias: Tensor | None = None) -> None:
        """`product` on all threads, which share its rows."""
        parts = self.spans(len(a), 6, 4 * self.threads)
        self.parallel(lambda part: self.product(a[part], panels, out[part], bias), parts)

    def product_of(self, a: Tensor, b: Tensor, out: Tensor, bias: Tensor | None = None) -> None:
        """out = bias + a b with b as it lies in memory, on all threads, which share its columns."""
        rows, inner = a.shape

        def task(part: slice) -> None:
            columns, some = out[:, part], b[:, part]
            self.call("product_of", a, a.stride(0), a.stride(1), some, some.stride(0), some.stride(1), rows, inner,
                      columns.shape[1], columns, out.stride(0), None if bias is None else bias[part])  # fmt: skip

        self.parallel(task, self.spans(out.shape[1], self.panel))


def load(threads: int) -> tuple[Kernels | None, str]:
    """The kernels, or None; and a description for people of which they are, or why there are none."""
    if os.environ.get(SWITCH) == "0":
        return None, f"PyTorch kernels ({SWITCH}=0)"
    try:
        kernels = Kernels(threads)
    except FileNotFoundError:
        return None, "PyTorch kernels (the native ones were not built)"
    except OSError as error:
        return None, f"PyTorch kernels (the native ones cannot be loaded: {error})"
    return kernels, f"native kernels ({kernels.kind})"


def addresses(starts: Sequence[int] | NDArray[np.int64]) -> Tensor:
    """Starts of rows, in floats, as a recurrence takes them."""
    return torch.from_numpy(np.ascontiguousarray(starts, np.int64))


def _built() -> Path:
    path = Path(__file__).with_name("_kernels.so")
    if not path.exists():
        raise FileNotFoundError("the native kernels were not built")
    return path


def _argument(value: Tensor | int | ctypes.Structure | None) -> Any:
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    return value if value is None else ctypes.c_int64(value)

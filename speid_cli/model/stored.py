"""Files that `torch.save` writes, taken apart without believing or running anything in them.

`torch.load(..., weights_only=True)` reads the same files. It runs nothing either, but takes whatever
memory and time a few bytes ask for: it makes strings of any length, tensors larger than what is
stored of them, dictionaries whose keys all collide. Here only what dense tensors and plain values
need is understood, and a tensor is read when it is asked for.
"""

from __future__ import annotations

import io
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED

import torch
from torch import Tensor

from speid_cli.dataset.zips import ZipReader, brief, check_memory
from speid_cli.errors import DataError, located
from speid_cli.model.instructions import ForbiddenError, Machine

# A byte of it can become a hundred in memory; that of a paper-sized model has 100,000.
LONGEST_PICKLE_BYTES = 4 << 20
_MOST_DIMENSIONS = 8
_LARGEST = 1 << 60

_DTYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch BFloat16Storage": torch.bfloat16,
    "torch ComplexFloatStorage": torch.complex64,
    "torch LongStorage": torch.int64,
    "torch IntStorage": torch.int32,
    "torch ShortStorage": torch.int16,
    "torch CharStorage": torch.int8,
    "torch ByteStorage": torch.uint8,
    "torch BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class Storage:
    """Numbers in a member of the file, of one tensor or of several."""

    member: str
    dtype: torch.dtype
    length: int

    @property
    def n_bytes(self) -> int:
        """Size of the member."""
        return self.length * self.dtype.itemsize


@dataclass(frozen=True)
class StoredTensor:
    """A dense tensor that has not been read; it lies inside its storage and is no larger."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> torch.dtype:
        """Type of its values."""
        return self.storage.dtype

    @property
    def n_bytes(self) -> int:
        """Memory that its values take."""
        return math.prod(self.shape) * self.dtype.itemsize


class StoredFile:
    """A file that `torch.save` wrote, opened for reading.

    Attributes
    ----------
    content : object
        What was saved, with a `StoredTensor` for each tensor.

    Raises
    ------
    DataError
        The file cannot be read, is damaged or not PyTorch's, or holds more than dense tensors and
        plain values.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._zip = ZipReader(path, "a PyTorch file", "a model written by speid", (ZIP_STORED,))
        try:
            with located(path):
                self._root = self._find_root()
                self.content = self._read_content()
        except BaseException:
            self._zip.__exit__()
            raise

    def __enter__(self) -> StoredFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.__exit__()

    def load(self, stored: StoredTensor) -> Tensor:
        """The values of a tensor, in memory of its own.

        Raises
        ------
        DataError
            They are damaged, or there is not enough memory for them.
        """
        with located(self.path):
            check_memory("a tensor", stored.storage.n_bytes + stored.n_bytes)
        if not stored.n_bytes:
            return torch.empty(stored.shape, dtype=stored.dtype)
        values = torch.frombuffer(self._zip.read(stored.storage.member), dtype=stored.dtype)
        view = values.as_strided(stored.shape, stored.stride, stored.offset)
        return view.clone(memory_format=torch.contiguous_format)

    def _find_root(self) -> str:
        """The folder in the archive that all its members lie in."""
        roots = [name.removesuffix("data.pkl") for name in self._zip.members if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise DataError("not a PyTorch file", expected="a model written by speid")
        return roots[0]

    def _read_content(self) -> Any:
        size = self._zip.members[f"{self._root}data.pkl"].file_size
        if size > LONGEST_PICKLE_BYTES:
            raise DataError(f"{size:,} bytes of plain values", expected=f"at most {LONGEST_PICKLE_BYTES:,}")
        order = f"{self._root}byteorder"
        if order in self._zip.members and self._zip.read(order) != sys.byteorder.encode():
            raise DataError("stored with another order of bytes", expected=f"{sys.byteorder}-endian numbers")
        names = _DTYPES | {
            "torch._utils _rebuild_tensor_v2": _rebuilt,
            "torch._utils _rebuild_parameter": _parameter,
            "collections OrderedDict": _ordered,
        }
        try:
            return Machine(names, self._storage).run(self._zip.read(f"{self._root}data.pkl"))
        except ForbiddenError as error:
            raise DataError(
                "holds more than tensors and plain values, and was not opened",
                expected="a model written by speid",
                hint=f"it asks for {brief(error)}; do not run models from sources you do not trust",
            ) from error
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise DataError(f"damaged ({brief(error)})") from error

    def _storage(self, identity: Any) -> Storage:
        """The storage that a pickle names, if the file has as much of it as the pickle says."""
        kind, dtype, key, _, length = identity
        if kind != "storage" or not (isinstance(dtype, torch.dtype) and type(key) is str and type(length) is int):
            raise ValueError("a storage without type, name and length")
        storage = Storage(f"{self._root}data/{key}", dtype, length)
        if storage.member not in self._zip.members or self._zip.members[storage.member].file_size != storage.n_bytes:
            raise ValueError(f"{storage.member!r:.60} does not hold {length} values")
        return storage


def _rebuilt(storage: Any, offset: int, shape: Any, stride: Any, *rest: Any) -> StoredTensor:
    """What a pickle calls `torch._utils._rebuild_tensor_v2`; whether it learns and its hooks, the rest, are dropped."""
    shape, stride = tuple(shape), tuple(stride)
    if not isinstance(storage, Storage) or len(rest) > 2 or not len(shape) == len(stride) <= _MOST_DIMENSIONS:
        raise ValueError("a tensor that is more than storage, offset, shape and stride")
    if not all(type(number) is int and 0 <= number < _LARGEST for number in (offset, *shape, *stride)):
        raise ValueError("a tensor whose offset, shape or stride is no number")
    count = math.prod(shape)
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if count > storage.length or (count and last >= storage.length):
        raise ValueError(f"a tensor {shape} of {storage.length} stored values")
    return StoredTensor(storage, offset, shape, stride)


def _parameter(values: Any, *_: Any) -> StoredTensor:
    if not isinstance(values, StoredTensor):
        raise ValueError("a parameter that is no tensor")
    return values


def _ordered() -> dict[Any, Any]:
    return {}


def save_plain(content: dict[str, Any], stream: BinaryIO) -> None:
    """Write a dictionary of tensors and plain values; the same content gives the same bytes.

    It is packed in memory first: PyTorch's writer takes a full disk for an error of its own.
    """
    packed = io.BytesIO()
    torch.save(_interned(content), packed)
    stream.write(packed.getbuffer())


def _interned(value: Any) -> Any:
    """The same value with equal texts as one object, on which the bytes of a pickle depend."""
    if isinstance(value, dict):
        return {_interned(name): _interned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_interned, value))
    return sys.intern(value) if isinstance(value, str) else value


def load_plain(path: str | Path) -> dict[str, Any]:
    """A dictionary of tensors and plain values from a PyTorch file; nothing in it is run.

    Raises
    ------
    DataError
        The file is missing or damaged, or holds anything else.
    """
    with StoredFile(path) as file:
        try:
            content = _filled(file.content, file, {})
        except RecursionError as error:
            raise DataError("values that hold one another without end", path=path) from error
    if not isinstance(content, dict):
        raise DataError("not a speid model", path=path)
    return content


def _filled(value: Any, file: StoredFile, done: dict[int, Any]) -> Any:
    """The same value with its tensors read; what stands in several places is made once."""
    if id(value) not in done:
        if isinstance(value, StoredTensor):
            done[id(value)] = file.load(value)
        elif isinstance(value, dict):
            done[id(value)] = {name: _filled(item, file, done) for name, item in value.items()}
        elif isinstance(value, list | tuple):
            done[id(value)] = type(value)(_filled(item, file, done) for item in value)
        else:
            return value
    return done[id(value)]

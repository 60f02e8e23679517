"""PyTorch files of tensors and plain values, read by `torch.load(..., weights_only=True)` after checks.

`torch.load` runs nothing that is stored in a file, but a few bytes can make it take any amount of memory or
time. So the pickle in the file may only ask for what `torch.save` writes for dense tensors and plain values.
"""

from __future__ import annotations

import copy
import io
import pickletools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import torch
from torch import Tensor

from speid_cli.dataset.zips import brief, check_memory, check_zip
from speid_cli.errors import DataError, located

# That of a paper-sized model has 100,000.
LONGEST_PICKLE_BYTES = 1 << 20
_KINDS = "Float Double Half BFloat16 ComplexFloat Long Int Short Char Byte Bool"
_NAMES = {f"torch {kind}Storage" for kind in _KINDS.split()}
_NAMES |= {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "collections OrderedDict"}
# Hashing a deep tuple overflows the stack; that of a training state holds 1,000 tuples, none of them deep.
_MOST_TUPLES = 10_000
# Larger integers can be chosen such that all have the same hash, which makes a dictionary of them slow.
_WIDE_BITS, _MOST_WIDE = 60, 1000


def load_stored(path: str | Path) -> Any:
    """The content of a PyTorch file, with tensors that are mapped from the file; nothing in it is run.

    Raises
    ------
    DataError
        The file is missing or damaged, or holds more than dense tensors and plain values.
    """
    stored, sizes = _check_members(path), list[int]()

    def note_size(storage: Any, place: str) -> Any:
        """Leave a storage where it is, on the CPU."""
        sizes.append(storage.nbytes())
        return storage

    try:
        content = torch.load(path, map_location=note_size, weights_only=True, mmap=True)
        tensors = {id(values): values.nbytes for values in _tensors(content)}
    except Exception as error:  # torch raises many kinds of errors on damaged files
        raise DataError(f"damaged ({brief(error)})", path=path) from error
    if sorted(sizes) != stored or sum(tensors.values()) > sum(stored):
        raise DataError("damaged (tensors of other sizes than stored)", path=path)
    return content


def _check_members(path: str | Path) -> list[int]:
    """Check all of a PyTorch file but its tensors, and return the sizes of these, in bytes, sorted."""
    members = check_zip(path, "a PyTorch file", ZIP_STORED)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise DataError("not a PyTorch file", expected="a model written by speid", path=path)
    if (size := members[pickles[0]].file_size) > LONGEST_PICKLE_BYTES:
        raise DataError(f"{size:,} bytes of plain values", expected=f"at most {LONGEST_PICKLE_BYTES:,}", path=path)
    folder = pickles[0].removesuffix("data.pkl")
    try:
        with located(path), ZipFile(path) as archive:
            order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in members else b"little"
            if order != sys.byteorder.encode():
                raise DataError("stored with another byte order", expected=f"{sys.byteorder}-endian numbers")
            _check_pickle(archive.read(pickles[0]))
            if damaged := archive.testzip():
                raise DataError(f"{damaged:.60}: damaged")
    except DataError:
        raise
    except Exception as error:  # zipfile and pickletools raise many kinds of errors on damaged files
        raise DataError(f"damaged ({brief(error)})", path=path) from error
    return sorted(member.file_size for name, member in members.items() if name.startswith(f"{folder}data/"))


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in a value."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _check_pickle(pickle: bytes) -> None:
    """Refuse a pickle that asks for more than dense tensors and plain values, or for too much of them.

    Only names and texts may be used twice: nested lists that share their items are small in a file and
    exponentially large outside.
    """
    used_twice: dict[Any, bool] = {}
    tuples = wide = 0
    last = ""
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL") and argument not in _NAMES:
            raise _forbidden(f"{argument!r:.100}")
        if opcode.name == "PROTO" and argument != 2:
            raise _forbidden(f"version {argument} of the pickle protocol")
        if opcode.name in ("BINPUT", "LONG_BINPUT"):
            used_twice[argument] = last in ("GLOBAL", "BINUNICODE")
            continue
        if opcode.name in ("BINGET", "LONG_BINGET") and not used_twice.get(argument):
            raise _forbidden("a value that is used twice")
        tuples += opcode.name.startswith("TUPLE")
        wide += isinstance(argument, int) and argument.bit_length() > _WIDE_BITS
        last = opcode.name
    if tuples > _MOST_TUPLES or wide > _MOST_WIDE:
        raise _forbidden(f"{tuples:,} tuples and {wide:,} large integers")


def _forbidden(asked: str) -> DataError:
    return DataError(
        "holds more than tensors and plain values, and was not opened",
        expected="a model written by speid",
        hint=f"it asks for {asked}; do not run models from sources you do not trust",
    )


def load_plain(path: str | Path) -> dict[str, Any]:
    """A dictionary of tensors and plain values from a PyTorch file, in memory; nothing in it is run.

    Raises
    ------
    DataError
        The file is missing or damaged, or holds anything else.
    """
    content = load_stored(path)
    if not isinstance(content, dict):
        raise DataError("not a speid model", path=path)
    with located(path):
        check_memory("the content of the file", Path(path).stat().st_size)
        try:
            return copy.deepcopy(content)
        except RecursionError as error:
            raise DataError("values nested too deep") from error


def save_plain(content: dict[str, Any], stream: BinaryIO) -> None:
    """Write a dictionary of tensors and plain values; the same content gives the same bytes.

    It is written to memory first, because PyTorch's writer hides the error of a full disk.
    """
    packed = io.BytesIO()
    torch.save(_interned(content), packed)
    stream.write(packed.getbuffer())


def _interned(value: Any) -> Any:
    """A copy in which equal strings are one object, so that equal values have equal pickles."""
    if isinstance(value, dict):
        return {_interned(name): _interned(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_interned, value))
    return sys.intern(value) if isinstance(value, str) else value

""".npz archives: written with the same bytes for the same arrays, read without trusting them."""

from __future__ import annotations

import io
import json
import sys
import tokenize
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.plain import is_plain
from speid_cli.dataset.zips import DAMAGE, ZipReader, brief, check_memory
from speid_cli.errors import DataError, located
from speid_cli.genome.onehot import ALPHABET

# Level 6 takes six times as long for 6% fewer bytes on packed sequence.
DEFLATE_LEVEL = 1
# Text is held several times over while it is taken apart; speid writes some kilobytes.
LONGEST_TEXT_BYTES = 32 << 20
# numpy writes headers of 128 bytes, and parses those of others as Python.
_LONGEST_HEADER = 1024

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What numpy raises besides: its headers are Python literals.
_DAMAGE = (*DAMAGE, TypeError, LookupError, SyntaxError, tokenize.TokenError, MemoryError)


def write_archive(stream: BinaryIO, arrays: Mapping[str, Any]) -> None:
    """Write arrays as an .npz that `numpy.load(..., allow_pickle=False)` reads.

    Unlike `numpy.savez_compressed` it holds no clock, and deflates at a level that is fast.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            # A ZipInfo of its own bears no date; it must be told the level too, or deflates at 6.
            member = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(member, content.getbuffer(), zipfile.ZIP_DEFLATED, DEFLATE_LEVEL)


def _is_kind(dtype: np.dtype[Any], kind: str) -> bool:
    return dtype.kind == "U" and dtype.isnative if kind == "U" else dtype == np.dtype(kind)


class Archive:
    """An .npz opened for reading; each member is checked before memory is taken for it.

    Raises
    ------
    DataError
        The file is missing, no .npz, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._zip = ZipReader(path, "an .npz archive")
        self.names = {name.removesuffix(".npy") for name in self._zip.members}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.__exit__()

    def shape(self, name: str, kind: str, shape: tuple[int | None, ...]) -> tuple[int, ...]:
        """The shape of one member, which is not read.

        Parameters
        ----------
        kind : str
            The dtype in NumPy's spelling (``"int64"``), or ``"U"`` for text.
        shape : tuple
            Its shape; None where any length will do.

        Raises
        ------
        DataError
            The member is missing or damaged, its dtype, shape or stored size is another, or it
            does not fit into memory.
        """
        if f"{name}.npy" not in self._zip.members:
            raise DataError(f"no array {name!r}", hint="was it written by speid?", path=self.path)
        with self._reading(name):
            found, dtype, start = self._header(f"{name}.npy")
        fits = len(found) == len(shape) and all(want in (None, have) for want, have in zip(shape, found, strict=True))
        if not fits or not _is_kind(dtype, kind):
            wanted = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
            raise DataError(f"{name} is {dtype!s:.60} {found}", expected=f"{kind} {wanted}", path=self.path)
        size = dtype.itemsize * int(np.prod(found, dtype=object))
        if min(found, default=0) < 0 or size != self._zip.members[f"{name}.npy"].file_size - start:
            raise DataError(f"{name}: its stored size does not fit its shape {found}", path=self.path)
        if dtype.kind == "U" and not (dtype.itemsize > 0 and size <= LONGEST_TEXT_BYTES):
            expected = f"text of 1 to {LONGEST_TEXT_BYTES:,} bytes"
            raise DataError(f"{name} is {dtype} {found}", expected=expected, path=self.path)
        with located(self.path):
            check_memory(name, size)
        return found

    def read(self, name: str, kind: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """One member, in C order; parameters and errors are those of `shape`."""
        self.shape(name, kind, shape)
        with self._reading(name), self._zip.open(f"{name}.npy") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_LONGEST_HEADER)
            return np.asarray(array, order="C")

    def read_values(self, name: str, kind: str, shape: tuple[int | None, ...]) -> Any:
        """One member as Python objects: a list, or one value where the shape is ()."""
        array = self.read(name, kind, shape)
        if kind == "U" and array.reshape(-1).view(np.uint32).max(initial=0) > sys.maxunicode:
            raise DataError(f"{name} holds what is no character", path=self.path)
        return array.tolist()

    def read_json(self, name: str) -> Any:
        """What a member that is JSON says.

        Raises
        ------
        DataError
            It is missing, no JSON, or deeper or longer than records are.
        """
        try:
            value = json.loads(self.read_values(name, "U", ()))
        except (ValueError, RecursionError, MemoryError) as error:
            raise DataError(f"{name} is no JSON ({brief(error)})", path=self.path) from error
        if not is_plain(value):
            raise DataError(f"{name} holds more than records", path=self.path)
        return value

    def check_version(self, version: int) -> None:
        """Refuse another format version or another order of the bases.

        Raises
        ------
        DataError
            ``format_version`` or ``alphabet`` is missing or another.
        """
        if (found := self.read_values("format_version", "int64", ())) != version:
            raise DataError(f"format version {found}", expected=str(version), hint="make it anew", path=self.path)
        if (alphabet := self.read_values("alphabet", "U", ())) != ALPHABET:
            raise DataError(f"alphabet {alphabet!r:.40}", expected=ALPHABET, path=self.path)

    def _header(self, member: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        """Shape and dtype that a member states, and where its values start."""
        with self._zip.open(member) as stream:
            head = io.BytesIO(stream.read(_LONGEST_HEADER + 12))
        version = np.lib.format.read_magic(head)
        if version not in _HEADERS:
            raise ValueError(f"header of version {version}")
        shape, _, dtype = _HEADERS[version](head, max_header_size=_LONGEST_HEADER)
        return shape, dtype, head.tell()

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Turns whatever a damaged member makes numpy and zipfile raise into an error with its name."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about headers that no numpy wrote
                yield
        except _DAMAGE as error:
            raise DataError(f"{name}: damaged ({brief(error)})", path=self.path) from error

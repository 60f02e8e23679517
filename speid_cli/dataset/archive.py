""".npz archives: written with the same bytes for the same arrays, checked before they are read."""

from __future__ import annotations

import io
import json
import sys
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from speid_cli.dataset.plain import is_plain
from speid_cli.dataset.zips import brief, check_memory, check_zip
from speid_cli.errors import DataError, located
from speid_cli.genome.onehot import ALPHABET

# Level 6 takes six times as long for 6% fewer bytes on packed sequence.
DEFLATE_LEVEL = 1
# Text is held several times over while it is parsed; speid writes some kilobytes.
LONGEST_TEXT_BYTES = 32 << 20
# NumPy writes headers of 128 bytes, and parses longer ones as Python.
_LONGEST_HEADER = 1024
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def write_archive(stream: BinaryIO, arrays: Mapping[str, Any], sequences: Collection[str] = ()) -> None:
    """Write arrays as an .npz that `numpy.load(..., allow_pickle=False)` reads.

    Unlike `numpy.savez_compressed` it stores no time, and deflates fast. Those named in `sequences` are
    packed bases, which hold few repeats: without searching for these, deflate is much faster.
    """
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            npy.write_array(content, np.asarray(array), allow_pickle=False)
            # A new ZipInfo has no date; it must be told the level too, or deflates at 6.
            member = zipfile.ZipInfo(f"{name}.npy")
            if name not in sequences:
                archive.writestr(member, content.getbuffer(), zipfile.ZIP_DEFLATED, DEFLATE_LEVEL)
                continue
            member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, content.tell()
            with archive.open(member, "w") as out:
                # zipfile has no option for this; where it names its compressor otherwise, it deflates at 6.
                out._compressor = zlib.compressobj(  # type: ignore[attr-defined]
                    DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, strategy=zlib.Z_HUFFMAN_ONLY
                )
                out.write(content.getbuffer())


class Archive:
    """An .npz opened for reading; the stated size of an array is checked before memory is allocated.

    Raises
    ------
    DataError
        The file is missing, not an .npz, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._members = check_zip(path, "an .npz archive", zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        self._npz = np.load(path, allow_pickle=False, max_header_size=_LONGEST_HEADER)
        self.names = {name.removesuffix(".npy") for name in self._members}

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._npz.close()

    def shape(self, name: str, kind: str, shape: tuple[int | None, ...]) -> tuple[int, ...]:
        """The shape of an array, which is not read.

        Parameters
        ----------
        kind : str
            The dtype in NumPy's spelling (``"int64"``), or ``"U"`` for text.
        shape : tuple
            The expected shape; None where any length will do.

        Raises
        ------
        DataError
            The array is missing or damaged, its dtype, shape or stored size is another, or it
            does not fit into memory.
        """
        if f"{name}.npy" not in self._members:
            raise DataError(f"no array {name!r}", hint="was it written by speid?", path=self.path)
        with self._reading(name), self._npz.zip.open(f"{name}.npy") as stream:
            head = io.BytesIO(stream.read(_LONGEST_HEADER + 12))
            if (version := npy.read_magic(head)) not in _HEADERS:
                raise ValueError(f"header of version {version}")
            found, _, dtype = _HEADERS[version](head, max_header_size=_LONGEST_HEADER)
        fits = len(found) == len(shape) and all(want in (None, have) for want, have in zip(shape, found, strict=True))
        right_type = dtype.kind == "U" and dtype.isnative if kind == "U" else dtype == np.dtype(kind)
        if not fits or not right_type:
            wanted = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
            raise DataError(f"{name} is {dtype!s:.60} {found}", expected=f"{kind} {wanted}", path=self.path)
        size = dtype.itemsize * int(np.prod(found, dtype=object))
        if min(found, default=0) < 0 or size != self._members[f"{name}.npy"].file_size - head.tell():
            raise DataError(f"{name}: its stored size does not fit its shape {found}", path=self.path)
        if kind == "U" and not (dtype.itemsize > 0 and size <= LONGEST_TEXT_BYTES):
            expected = f"text of 1 to {LONGEST_TEXT_BYTES:,} bytes"
            raise DataError(f"{name} is {dtype} {found}", expected=expected, path=self.path)
        with located(self.path):
            check_memory(name, size)
        return found

    def read(self, name: str, kind: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """An array, in C order; parameters and errors are those of `shape`."""
        self.shape(name, kind, shape)
        with self._reading(name):
            return np.asarray(self._npz[name], order="C")

    def read_values(self, name: str, kind: str, shape: tuple[int | None, ...]) -> Any:
        """An array as Python objects: a list, or one value where the shape is ()."""
        array = self.read(name, kind, shape)
        if kind == "U" and array.reshape(-1).view(np.uint32).max(initial=0) > sys.maxunicode:
            raise DataError(f"{name} holds a code that is not a character", path=self.path)
        return array.tolist()

    def read_json(self, name: str) -> Any:
        """The value of an array that holds JSON.

        Raises
        ------
        DataError
            It is missing, not JSON, or nested deeper than records are.
        """
        with self._reading(name):
            value = json.loads(self.read_values(name, "U", ()))
        if not is_plain(value):
            raise DataError(f"{name} holds values that are not plain JSON, or is nested too deeply", path=self.path)
        return value

    def check_version(self, version: int) -> None:
        """Refuse another format version or another order of the bases.

        Raises
        ------
        DataError
            ``format_version`` or ``alphabet`` is missing or another.
        """
        if (found := self.read_values("format_version", "int64", ())) != version:
            raise DataError(f"format version {found}", expected=str(version), hint="make it again", path=self.path)
        if (alphabet := self.read_values("alphabet", "U", ())) != ALPHABET:
            raise DataError(f"alphabet {alphabet!r:.40}", expected=ALPHABET, path=self.path)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Turn any error of NumPy, zipfile or json into one that names this array."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers that NumPy did not write
                yield
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{name}: damaged ({brief(error)})", path=self.path) from error

"""Zip archives from anywhere: what a directory states is compared with the file before memory is taken for it."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED

from speid_cli.errors import DataError
from speid_cli.files import unreadable
from speid_cli.memory import available_bytes

# Most that is read at once: room for a directory of some 10,000 members, where speid writes fewer than 50.
CHUNK_BYTES = 1 << 20
# Two bits of a deflate stream stand for 258 bytes at most.
_MOST_INFLATED = 1032
_ENCRYPTED = 0x1 | 0x40
_METHODS = {ZIP_STORED: "stored", ZIP_DEFLATED: "deflated"}

# What zipfile raises on a damaged archive.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)


def check_memory(what: str, size: int) -> None:
    """Refuse what takes more memory than there is, since a system ends the process that asks for it.

    Raises
    ------
    DataError
        There is less memory than `size` bytes. The caller adds the place.
    """
    if size > (available := available_bytes()):
        raise DataError(f"{what} takes {size:,} bytes of memory", expected=f"at most the {available:,} that are free")


class _Source(io.BufferedReader):
    """A file of which little is read at once, since zipfile reads as long a directory as the file says it has."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file's, but never more than `CHUNK_BYTES`."""
        if size is None or size < 0:  # all that is left, which zipfile asks for near the end only
            size = CHUNK_BYTES
        if size > CHUNK_BYTES:
            raise zipfile.BadZipFile(f"a directory of {size:,} bytes")
        return super().read(size)


class ZipReader:
    """A zip archive opened for reading, whose members are no larger than they can be.

    Parameters
    ----------
    path : str or Path
    kind, expected : str
        What the file should be, for the message: ``"an .npz archive"``.
    methods : sequence of int
        How members may be packed.

    Attributes
    ----------
    members : dict of ZipInfo
        What the archive holds, by name.

    Raises
    ------
    DataError
        The file cannot be read or is no zip archive, or a member is there twice, encrypted, packed
        in another way, or larger than its bytes can be.
    """

    def __init__(
        self, path: str | Path, kind: str, expected: str = "", methods: Sequence[int] = (ZIP_STORED, ZIP_DEFLATED)
    ) -> None:
        self.path = path
        with contextlib.ExitStack() as opened:
            try:
                source = opened.enter_context(_Source(io.FileIO(path)))
                self._zip = opened.enter_context(zipfile.ZipFile(source))
            except OSError as error:
                raise unreadable(path, error) from error
            except DAMAGE as error:
                raise DataError(f"not {kind} ({brief(error)})", expected=expected, path=path) from error
            self.members = {member.filename: member for member in self._zip.infolist()}
            self._check(source.seek(0, os.SEEK_END), methods)
            self._opened = opened.pop_all()

    def __enter__(self) -> ZipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def open(self, name: str) -> IO[bytes]:
        """The bytes of a member, unpacked as they are read."""
        return self._zip.open(name)

    def read(self, name: str) -> bytearray:
        """All bytes of a member, once their checksum is right.

        Raises
        ------
        KeyError
            There is no such member.
        DataError
            It is damaged.
        """
        content = bytearray()
        try:
            with self._zip.open(name) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    content += chunk
            if len(content) != self.members[name].file_size:
                raise EOFError("fewer bytes than the directory states")
        except DAMAGE as error:
            raise DataError(f"{name:.60}: damaged ({brief(error)})", path=self.path) from error
        return content

    def _check(self, file_size: int, methods: Sequence[int]) -> None:
        if len(self.members) != len(self._zip.infolist()):
            raise DataError("two members of one name", path=self.path)
        for name, member in self.members.items():
            if member.flag_bits & _ENCRYPTED or member.compress_type not in methods:
                raise DataError(
                    f"member {name!r:.60} is encrypted, or packed by method {member.compress_type}",
                    expected=" or ".join(_METHODS[method] for method in methods),
                    path=self.path,
                )
            growth = 1 if member.compress_type == ZIP_STORED else _MOST_INFLATED
            if member.compress_size > file_size or member.file_size > growth * member.compress_size:
                raise DataError(f"member {name!r:.60} states a size that it cannot have", path=self.path)


def brief(error: BaseException) -> str:
    """The first line of what an error says, cut short; its kind where it says nothing."""
    return f"{(str(error) or type(error).__name__).splitlines()[0]:.100}"

"""Checks of zip archives (.npz and PyTorch files) from unknown sources, before a library reads them."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from speid_cli.errors import DataError
from speid_cli.files import unreadable
from speid_cli.memory import available_bytes

# Room for a directory of some 10,000 members; speid writes fewer than 50.
_LONGEST_DIRECTORY = 1 << 20
# Two bits of a deflate stream stand for 258 bytes at most.
_MOST_INFLATED = {ZIP_STORED: 1, ZIP_DEFLATED: 1032}
_METHODS = {ZIP_STORED: "stored", ZIP_DEFLATED: "deflated"}
_ENCRYPTED = 0x1 | 0x40
# The two records at the end of an archive, of which the first is optional and points to a third before it.
_ENDS, _END64_BYTES = struct.Struct("<4s4xQ4x4s12xI2x"), 56


class _Source(io.BufferedReader):
    """A file that refuses long reads: zipfile reads a directory of any length at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Like a file's, but at most `_LONGEST_DIRECTORY` bytes at once."""
        if size is not None and size > _LONGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"a directory of {size:,} bytes")
        return super().read(_LONGEST_DIRECTORY if size is None or size < 0 else size)


def check_zip(path: str | Path, kind: str, *methods: int) -> dict[str, ZipInfo]:
    """Members of a zip archive by name, whose stated sizes have been compared with the file.

    Parameters
    ----------
    kind : str
        Expected kind of file, for the message: ``"an .npz archive"``.
    methods : int
        How members may be compressed.

    Raises
    ------
    DataError
        The file cannot be read or is not a zip archive, two members have one name, or a member is
        encrypted, compressed otherwise, or larger than its bytes can be.
    """
    try:
        with _Source(io.FileIO(path)) as source, zipfile.ZipFile(source) as archive:
            infos, file_size = archive.infolist(), source.seek(0, os.SEEK_END)
            _check_ends(source, file_size, archive.start_dir)
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # zipfile raises many kinds of errors on damaged archives
        raise DataError(f"not {kind} ({brief(error)})", path=path) from error
    members = {info.filename: info for info in infos}
    if len({name.lower() for name in members}) != len(infos) or any("\0" in info.orig_filename for info in infos):
        raise DataError("two members have the same name", path=path)
    for name, info in members.items():
        if info.flag_bits & _ENCRYPTED or info.compress_type not in methods:
            names = " or ".join(_METHODS[method] for method in methods)
            found = f"member {name!r:.60} is encrypted, or compressed by method {info.compress_type}"
            raise DataError(found, expected=names, path=path)
        if info.compress_size > file_size or info.file_size > _MOST_INFLATED[info.compress_type] * info.compress_size:
            raise DataError(f"member {name!r:.60} states a size that it cannot have", path=path)
    return members


def _check_ends(source: _Source, file_size: int, directory: int) -> None:
    """Refuse an archive in which another program may find another directory than Python does."""
    source.seek(0)
    first = source.read(4)
    source.seek(max(0, file_size - _ENDS.size))
    locator, place64, end, place = _ENDS.unpack(source.read(_ENDS.size).rjust(_ENDS.size, b"\0"))
    expected64 = file_size - _ENDS.size - _END64_BYTES
    if first != b"PK\3\4" or end != b"PK\5\6" or place not in (directory, 0xFFFFFFFF):
        raise zipfile.BadZipFile("its beginning or its directory is not where it should be")
    if locator == b"PK\6\7" and place64 != expected64:
        raise zipfile.BadZipFile("its directory is not where it should be")


def check_memory(what: str, size: int) -> None:
    """Refuse what needs more memory than is available, since the system would end the process.

    Raises
    ------
    DataError
        Less than `size` bytes of memory are available. The caller adds the place.
    """
    if size > (available := available_bytes()):
        raise DataError(f"{what} takes {size:,} bytes of memory", expected=f"at most the {available:,} that are free")


def brief(error: BaseException) -> str:
    """The first line of an error's message, shortened; its type where there is no message."""
    return f"{(str(error) or type(error).__name__).splitlines()[0]:.100}"

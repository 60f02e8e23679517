"""Files: text read line by line whatever its packing, and outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from speid_cli.errors import DataError
from speid_cli.kinds import GZIP_MAGIC, TEXT, recognised
from speid_cli.locks import alone

LONGEST_LINE_BYTES = 1 << 20


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Lines of a text file, counted from 1, without their endings (LF or CRLF).

    Parameters
    ----------
    path : str
        A plain or gzip-compressed file (told by content, not by name); ``-`` is standard input.

    Raises
    ------
    DataError
        The file cannot be read, its gzip stream is damaged, a line is longer than 1 MiB, holds a
        NUL byte or is not UTF-8. The message names the line.
    """
    number = 0
    try:
        with _open_bytes(path) as stream:
            while raw := stream.readline(LONGEST_LINE_BYTES + 1):
                number += 1
                yield number, _decode(raw, path, number)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"damaged gzip stream ({error})", hint="copy or compress the file again", path=path, line=number + 1
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except DataError as error:
        raise recognised(error, TEXT) from error


def count_lines(path: str) -> int | None:
    """Lines of a text file, as `read_lines` counts them; None where it is damaged, or a stream, which is read once."""
    if not Path(path).is_file():
        return None
    count, last = 0, b"\n"
    try:
        with _open_bytes(path) as stream:
            while chunk := stream.read(1 << 20):
                count, last = count + chunk.count(b"\n"), chunk[-1:]
    except (OSError, EOFError, zlib.error):
        return None
    return count + (last != b"\n")


def unreadable(path: object, error: OSError) -> DataError:
    """The error of a file that the system will not let us read or write."""
    return DataError(error.strerror or str(error), path=path)


@contextlib.contextmanager
def _open_bytes(path: str) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked; what was opened here is closed, standard input is not."""
    with contextlib.ExitStack() as opened:
        stream = sys.stdin.buffer if path == "-" else opened.enter_context(open(path, "rb"))
        peekable = cast(io.BufferedReader, stream)
        if peekable.peek(2)[:2] == GZIP_MAGIC:
            yield cast(IO[bytes], opened.enter_context(gzip.GzipFile(fileobj=peekable, mode="rb")))
        else:
            yield peekable


def _decode(raw: bytes, path: str, number: int) -> str:
    if len(raw) > LONGEST_LINE_BYTES:
        raise DataError(
            f"a line longer than {LONGEST_LINE_BYTES:,} bytes", expected="a text file", path=path, line=number
        )
    if b"\0" in raw:
        raise DataError("a NUL byte", expected="a text file", path=path, line=number)
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8", expected="UTF-8 text", path=path, line=number
        ) from error


def check_output_path(path: str | Path, force: bool, inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuse to replace an output, before any work is done for it.

    Raises
    ------
    DataError
        `path` exists and `force` is false, or it is one of the inputs, or its folder does not exist.
    """
    path = Path(path)
    if path.exists() and any(name and Path(name).exists() and path.samefile(name) for name in inputs):
        raise DataError("is an input of this command", expected="another -o", path=path)
    if str(path) == "-" or (path.exists() and not path.is_file()):
        raise DataError("is no regular file", expected="the name of a file to write", path=path.absolute())
    if path.exists() and not force:
        raise DataError("exists already", hint="give --force to replace it, or another -o", path=path)
    if not path.parent.is_dir():
        raise DataError("no such folder", hint=f"mkdir -p {path.parent}", path=path.parent)


@contextlib.contextmanager
def atomic_file(path: str | Path, force: bool, keep: bool = False) -> Iterator[BinaryIO]:
    """A binary file that stands at `path` only once it is complete and on the disk.

    Written beside `path`, flushed to the disk, then renamed; only one process at a time can. If the
    block fails, what was written is removed, and whatever stood at `path` is untouched.

    Parameters
    ----------
    keep : bool
        Begin with what a block that was cut off had written, and keep what this one has.

    Raises
    ------
    DataError
        `path` cannot be written, or another process is writing it.
    """
    check_output_path(path, force)
    path = Path(path).resolve()  # through a link, to what it points at
    beside = part_of(path)
    with _claimed(beside, path) as stream, _removed_if_it_fails(beside, keep):
        if not keep:
            stream.truncate(0)
        yield stream
        with blamed_on(path):
            stream.flush()
            os.fsync(stream.fileno())
            check_output_path(path, force)
            os.replace(beside, path)


@contextlib.contextmanager
def blamed_on(path: object) -> Iterator[None]:
    """Say of the system errors raised inside that they are this file's."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


class _Output(io.FileIO):
    """A file that says which output it is to become when it cannot be written."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "r+")
        self.path = path

    def write(self, content: Any, /) -> int:
        """As a file's."""
        with blamed_on(self.path):
            return super().write(content)


@contextlib.contextmanager
def _removed_if_it_fails(path: Path, keep: bool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not (keep and path.stat().st_size):
                path.unlink()
        raise


def part_of(path: str | Path) -> Path:
    """Where `atomic_file` writes what becomes `path`."""
    path = Path(path).resolve()
    return path.with_name(f".{path.name}.part")


@contextlib.contextmanager
def _claimed(beside: Path, path: Path) -> Iterator[BinaryIO]:
    """`beside` opened for this process alone, made where it is missing.

    What a killed process left there bears no lock, and is taken over.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        with contextlib.ExitStack() as held:
            with blamed_on(path):
                raw = _Output(os.open(beside, flags, 0o666), path)
                stream = held.enter_context(cast(BinaryIO, io.BufferedRandom(raw)))
                held.enter_context(alone(stream, beside, path))
            if _stands_at(stream, beside):
                yield stream
                return
        # Its owner has renamed or removed it meanwhile.


def _stands_at(stream: BinaryIO, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    return False


def check_output_folder(path: str | Path, force: bool) -> None:
    """Refuse to write into a folder that exists, before any work is done for it.

    Raises
    ------
    DataError
        `path` exists and `force` is false, or it is no folder, or its parent does not exist.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise DataError("is no folder", expected="the name of a folder to write", path=path)
    if path.exists() and not force:
        raise DataError("exists already", hint="give --force to replace what it holds, or another -o", path=path)
    if not path.absolute().parent.is_dir():
        raise DataError("no such folder", hint=f"mkdir -p {path.parent}", path=path.parent)


def check_writable_folder(path: Path) -> None:
    """Refuse a folder in which no file can be made, before any work is done for it.

    Raises
    ------
    DataError
        The system's reason.
    """
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise unreadable(path, error) from error


@contextlib.contextmanager
def atomic_folder(path: str | Path, force: bool) -> Iterator[Path]:
    """A folder whose files stand in `path` only once all of them are complete.

    Written beside `path`, then renamed; into a folder that exists, file by file, and what else it
    holds stays. If the block fails, nothing is changed.
    """
    check_output_folder(path, force)
    path = Path(path).resolve()
    with blamed_on(path):
        temporary = tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    with temporary, _blamed_unless_named(path, temporary.name):
        folder = Path(temporary.name, "folder")
        folder.mkdir()
        yield folder
        for file in folder.iterdir():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
        if path.exists():
            for file in folder.iterdir():
                os.replace(file, path / file.name)
        else:
            os.replace(folder, path)


@contextlib.contextmanager
def _blamed_unless_named(path: Path, within: str) -> Iterator[None]:
    """Say of system errors that they are this folder's, unless they name a file that is not in it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(within):
            raise
        raise unreadable(path, error) from error


def finite(value: Any) -> Any:
    """The same plain value with None for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_lines(lines: Iterable[str]) -> str:
    """SHA-256 of text lines, each ended by LF, in hexadecimal."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()

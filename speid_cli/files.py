"""Output files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from speid_cli.errors import DataError
from speid_cli.locks import exclusive


def unreadable(path: object, error: OSError) -> DataError:
    """The error for a file that the operating system cannot read or write."""
    return DataError(error.strerror or str(error), path=path)


def check_output_path(path: str | Path, force: bool, inputs: Iterable[str | Path | None] = ()) -> None:
    """Check, before any work, that an output can be written and that nothing is replaced unasked.

    Raises
    ------
    DataError
        `path` exists and `force` is false, it is one of the inputs, or its folder does not exist.
    """
    path = Path(path)
    if path.exists() and any(name and Path(name).exists() and path.samefile(name) for name in inputs):
        raise DataError("is an input of this command", expected="another -o", path=path)
    if str(path) == "-" or (path.exists() and not path.is_file()):
        raise DataError("not a regular file", expected="the name of a file to write", path=path.absolute())
    if path.exists() and not force:
        raise DataError("exists already", hint="give --force to replace it, or another -o", path=path)
    if not path.parent.is_dir():
        raise DataError("no such folder", hint=f"mkdir -p {path.parent}", path=path.parent)


@contextlib.contextmanager
def atomic_file(path: str | Path, force: bool, keep: bool = False) -> Iterator[BinaryIO]:
    """A binary file that is at `path` only once it is complete and on disk.

    It is written under another name in the same folder, flushed to disk and renamed; only one process
    at a time can do so. If the block fails, the new file is removed, and a file at `path` is unchanged.

    Parameters
    ----------
    keep : bool
        Start from what an interrupted run has written, and keep what this one writes if it is interrupted.

    Raises
    ------
    DataError
        `path` cannot be written, or another process is writing it.
    """
    check_output_path(path, force)
    path = Path(path).resolve()  # a link stays; its target is replaced
    beside = partial_path(path)
    with _open_exclusively(beside, path) as stream, _removed_on_failure(beside, keep):
        if not keep:
            stream.truncate(0)
        yield stream
        with os_errors_of(path):
            stream.flush()
            os.fsync(stream.fileno())
            check_output_path(path, force)
            os.replace(beside, path)


@contextlib.contextmanager
def os_errors_of(path: object) -> Iterator[None]:
    """Raise system errors of the block as data errors of this file."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


class _Output(io.FileIO):
    """A temporary file whose errors name the output that it will become."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "r+")
        self.path = path

    def write(self, content: Any, /) -> int:
        """Write bytes."""
        with os_errors_of(self.path):
            return super().write(content)


@contextlib.contextmanager
def _removed_on_failure(path: Path, keep: bool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not (keep and path.stat().st_size):
                path.unlink()
        raise


def partial_path(path: str | Path) -> Path:
    """The temporary file in which `atomic_file` writes the content of `path`."""
    path = Path(path).resolve()
    return path.with_name(f".{path.name}.part")


@contextlib.contextmanager
def _open_exclusively(beside: Path, path: Path) -> Iterator[BinaryIO]:
    """`beside`, created if it is missing, opened and locked for this process.

    A file that a killed process has left is not locked, and is used.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        with contextlib.ExitStack() as held:
            with os_errors_of(path):
                raw = _Output(os.open(beside, flags, 0o666), path)
                stream = held.enter_context(cast(BinaryIO, io.BufferedRandom(raw)))
                held.enter_context(exclusive(stream, beside, path))
            if _is_at(stream, beside):
                yield stream
                return
        # The process that held it has renamed or removed it meanwhile: try again.


def _is_at(stream: BinaryIO, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    return False


def check_output_folder(path: str | Path, force: bool) -> None:
    """Check, before any work, that an output folder can be written and that nothing is replaced unasked.

    Raises
    ------
    DataError
        `path` exists and `force` is false, it is not a folder, or its parent does not exist.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise DataError("not a folder", expected="the name of a folder to write", path=path)
    if path.exists() and not force:
        raise DataError("exists already", hint="give --force to replace what it holds, or another -o", path=path)
    if not path.absolute().parent.is_dir():
        raise DataError("no such folder", hint=f"mkdir -p {path.parent}", path=path.parent)


def check_writable_folder(path: Path) -> None:
    """Check, before any work, that a file can be created in a folder.

    Raises
    ------
    DataError
        It cannot; the message gives the system's reason.
    """
    with os_errors_of(path), tempfile.TemporaryFile(dir=path):
        pass


@contextlib.contextmanager
def atomic_folder(path: Path, force: bool) -> Iterator[Path]:
    """A folder to write files into, which are at `path` only once all are complete and on disk.

    It is a temporary folder, which is then renamed. If `path` exists, the files are moved into it one by
    one, and its other files stay. If the block fails, nothing is left.
    """
    check_output_folder(path, force)
    path = path.resolve()
    with contextlib.ExitStack() as held:
        with os_errors_of(path):
            temporary = tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
            folder = Path(held.enter_context(temporary), "folder")
            folder.mkdir()
        yield folder
        with os_errors_of(path):
            files = sorted(folder.iterdir())
            for file in files:
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
            if path.exists():
                for file in files:
                    os.replace(file, path / file.name)
            else:
                os.replace(folder, path)


def write_folder(path: Path, contents: Mapping[str, bytes], force: bool) -> None:
    """Write files by name into an `atomic_folder`."""
    with atomic_folder(path, force) as folder, os_errors_of(path):
        for name, content in contents.items():
            (folder / name).write_bytes(content)


def finite(value: Any) -> Any:
    """The same plain value with None for infinite numbers and NaN, which JSON lacks."""
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

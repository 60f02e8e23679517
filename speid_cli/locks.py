"""Locks: only one process at a time writes an output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from speid_cli.errors import DataError


def exclusive(stream: BinaryIO, beside: Path, path: Path) -> contextlib.AbstractContextManager[None]:
    """Lock the temporary file of an output, or create a lock file where the file system has no locks.

    Raises
    ------
    DataError
        Another process holds the lock.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError("another process is writing it", hint="wait for it, or give another -o", path=path) from None
    except OSError:
        return _lock_file(beside.with_suffix(".lock"), path)
    return contextlib.nullcontext()


@contextlib.contextmanager
def _lock_file(lock: Path, path: Path) -> Iterator[None]:
    """A file that only one process can create, with that process's number and computer in it."""
    try:
        stream = lock.open("x")
    except FileExistsError:
        found = f"another process is writing it ({lock.read_text()})"
        hint = f"wait until it has finished; if it no longer runs, remove its lock: rm {lock}"
        raise DataError(found, hint=hint, path=path) from None
    try:
        with stream:
            stream.write(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        lock.unlink(missing_ok=True)

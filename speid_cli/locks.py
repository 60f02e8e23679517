"""One process at a time writes an output."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from speid_cli.errors import DataError


def alone(stream: BinaryIO, beside: Path, path: Path) -> contextlib.AbstractContextManager[None]:
    """What only one process can hold: a lock on the part of an output, or a file where there are no locks.

    Raises
    ------
    DataError
        Another process holds it.
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
    """A file that only one process can make, and that says which one."""
    try:
        stream = lock.open("x")
    except FileExistsError:
        found = f"another process is writing it ({lock.read_text()})"
        hint = f"wait for it, or, if it has ended without removing its lock: rm {lock}"
        raise DataError(found, hint=hint, path=path) from None
    try:
        with stream:
            stream.write(f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        lock.unlink(missing_ok=True)

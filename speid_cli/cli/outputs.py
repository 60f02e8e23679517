"""Where text output goes: standard output, or a file that appears whole."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from speid_cli.files import whole_file


@contextmanager
def text_output(output: str | None, force: bool, keep: bool = False) -> Iterator[IO[bytes]]:
    """Bytes to standard output (None or ``-``), or to a file, compressed if its name ends in .gz.

    `keep` as for `whole_file`.
    """
    if output in (None, "-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with whole_file(str(output), force, keep) as stream:
        if str(output).endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=6, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield stream

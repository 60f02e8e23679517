"""Text output: standard output, or a file that appears only once it is complete."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from Bio.bgzf import BgzfWriter

from speid_cli.files import atomic_file

_BLOCK_BYTES = 1 << 16


class _Bgzf(BgzfWriter):  # type: ignore[misc]  # Biopython has no types
    """A BGZF writer, whose blocks tabix can index, that does not close the file it writes to."""

    def write(self, content: bytes) -> None:
        """Write bytes, one block at a time, since Biopython copies all remaining bytes for each block."""
        for start in range(0, len(content), _BLOCK_BYTES):
            super().write(content[start : start + _BLOCK_BYTES])

    def flush(self) -> None:
        """Write buffered bytes, if any; an empty block would mark the end of the file."""
        if self._buffer:
            super().flush()

    def close(self) -> None:
        """Write buffered bytes and the empty block that marks the end of the file."""
        self.flush()
        self._write_block(b"")


@contextmanager
def text_output(output: str | None, force: bool, keep: bool = False) -> Iterator[IO[bytes]]:
    """Bytes to standard output (None or ``-``), or to a file, as BGZF if its name ends in .gz.

    `keep` as for `atomic_file`.
    """
    if output in (None, "-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic_file(str(output), force, keep) as stream:
        if str(output).endswith(".gz"):
            with _Bgzf(fileobj=stream) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield stream

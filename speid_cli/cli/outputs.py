"""Text output: standard output, or a file that appears only once it is complete."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import IO, BinaryIO, cast

from Bio.bgzf import BgzfWriter

from speid_cli.cli.console import say
from speid_cli.files import atomic_file

_BLOCK_BYTES = 1 << 16
_ROWS_SHOWN = 100
_NUMBER = re.compile(r"NA|[-+.\d][-+.\deE]*")


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


def write_table(
    output: str | None, force: bool, columns: Sequence[str], rows: Iterable[Sequence[str]], shown: Sequence[str]
) -> None:
    """Write a header and rows as tab-separated text; on a terminal, some columns, aligned."""
    if output in (None, "-") and sys.stdout.isatty():
        kept = [columns.index(name) for name in shown]
        _show(shown, ([row[number] for number in kept] for row in rows))
        return
    with text_output(output, force) as out:
        for row in chain([columns], rows):
            out.write(("\t".join(row) + "\n").encode())


def _show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned tables of `_ROWS_SHOWN` rows, the first even if there are none."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, taken = Console(highlight=False), iter(rows)
    shown, is_first = list(islice(taken, _ROWS_SHOWN)), True
    while shown or is_first:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, name in enumerate(columns):
            is_number = all(_NUMBER.fullmatch(row[number]) for row in shown)
            table.add_column(name, justify="right" if is_number else "left", overflow="fold")
        for row in shown:
            table.add_row(*map(Text, row))
        console.print(table)
        shown, is_first = list(islice(taken, _ROWS_SHOWN)), False
    say("> FILE gives all columns")

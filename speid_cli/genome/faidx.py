"""Sequence of an uncompressed FASTA by its index ``.fai``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_BLANKS = b" \t\r\n\v\f"  # which are no bases, as for htslib


class _Contig(NamedTuple):
    """A line of the index: where the first base is, and bases and bytes of each line of sequence."""

    length: int
    offset: int
    line_bases: int
    line_bytes: int


class IndexedFasta:
    """Reads parts of contigs without htslib, which copies the sequence base by base.

    Raises
    ------
    OSError
        The FASTA or its index cannot be read.
    ValueError
        The index is not valid.
    """

    def __init__(self, path: str) -> None:
        self._contigs: dict[str, _Contig] = {}
        for line in filter(None, Path(f"{path}.fai").read_bytes().decode().replace("\r", "").split("\n")):
            name, *numbers = line.split("\t") if "\t" in line else line.split()
            if len(numbers) < len(_Contig._fields):
                raise ValueError(f"index: {line!r:.100}")
            contig = self._contigs.setdefault(name, _Contig(*map(int, numbers[: len(_Contig._fields)])))
            if min(contig) < 0 or contig.length and not 0 < contig.line_bases <= contig.line_bytes:
                raise ValueError(f"index of {name}: {line!r:.100}")
        self._file = os.open(path, os.O_RDONLY)

    def close(self) -> None:
        """Close the FASTA."""
        os.close(self._file)

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """Letters of [start, end), which is inside the contig; fewer where the file is too short.

        Raises
        ------
        OSError
            The FASTA cannot be read.
        ValueError
            The index is that of another FASTA.
        """
        _, offset, bases, size = self._contigs[contig]
        first, last = (offset + position // bases * size + position % bases for position in (start, end))
        found = os.pread(self._file, last - first, first)
        if b">" in found:
            raise ValueError("the index is that of another FASTA")
        return found.translate(None, _BLANKS)

"""Sorted text compressed as BGZF, with an index by which browsers read parts of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pysam

from speid_cli.errors import DataError
from speid_cli.files import os_errors_of


def write_indexed(path: Path, rows: Iterable[tuple[str, int, int, str]]) -> Path:
    """Write sorted rows of contig, start, end and more to ``path.gz``, and ``path.gz.tbi`` beside it.

    Raises
    ------
    DataError
        The files cannot be written.
    """
    with os_errors_of(path), path.open("w") as out:
        out.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    packed = Path(f"{path}.gz")
    try:
        pysam.tabix_compress(str(path), str(packed))
        pysam.tabix_index(str(packed), preset="bed")
    except (OSError, ValueError) as error:
        raise DataError(f"the index could not be written ({error})", hint="is the disk full?", path=packed) from error
    return packed

"""bigWig, one value a base, and bigBed. The only user of pybigtools."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError
from speid_cli.files import os_errors_of
from speid_cli.genome.intervals import Interval
from speid_cli.kinds import BIGWIG, recognised

_DEFINED_FIELDS_AT = 34  # in the header, a 16-bit number


def is_available() -> bool:
    """Whether pybigtools is installed."""
    return importlib.util.find_spec("pybigtools") is not None


def read_contigs(path: str) -> dict[str, int]:
    """Names and lengths in bp of the contigs.

    Raises
    ------
    DataError
        The file cannot be read, is not a bigWig, or is empty.
    OptionError
        pybigtools is not installed.
    """
    lengths: dict[str, int] = _read(path, "reader.chroms()")
    if not lengths:
        raise DataError("no contigs", expected="a bigWig with values", path=path)
    return lengths


def sums_of_values(path: str, intervals: Sequence[Interval]) -> NDArray[np.float64]:
    """The sum (N,) of the values of all bases of each interval; bases without a value count as 0.

    Parameters
    ----------
    intervals : sequence of Interval
        On contigs of the file; an interval may end beyond its contig.

    Raises
    ------
    DataError, OptionError
        As `read_contigs`.
    """
    with tempfile.TemporaryDirectory(prefix="speid-") as folder:
        bed = Path(folder, "intervals.bed")
        with os_errors_of(bed), bed.open("w") as out:
            out.writelines(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in intervals)
        return np.array(_read(path, "list(reader.average_over_bed(sys.argv[2], None, 'sum'))", str(bed)), np.float64)


# Python would find modules in the current folder first.
_READER = (
    "import sys; sys.path = [*filter(None, sys.path)]; import json, pybigtools; reader = pybigtools.open(sys.argv[1])"
)


def _read(path: str, expression: str, *arguments: str) -> Any:
    """The value of an expression of the reader of a bigWig, which may be any value that JSON has.

    It is read in another process, since pybigtools aborts its process where data are damaged; and by a link
    that ends in ``.bw``, since pybigtools knows few spellings of the ending.
    """
    if not is_available():
        raise OptionError("pybigtools is needed to read a bigWig and not installed; try: pip install pybigtools")
    with tempfile.TemporaryDirectory(prefix="speid-") as folder:
        link = Path(folder, "values.bw")
        link.symlink_to(Path(path).resolve())
        command = [sys.executable, "-c", f"{_READER}; print(json.dumps({expression}))", str(link), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        error = DataError("cannot be read", expected=BIGWIG, hint="was it copied or written completely?", path=path)
        raise recognised(error, BIGWIG)
    return json.loads(done.stdout)


def write_bigwig(path: Path, contig: str, length: int, start: int, values: NDArray[np.float32]) -> None:
    """Write a value a base from a start on; positions that are NaN have none.

    The file is read back, since pybigtools prints some errors instead of raising them.

    Parameters
    ----------
    length : int
        Of the contig, in bp.

    Raises
    ------
    DataError
        What is read back is not what was to be written.
    """
    import pybigtools

    places = np.flatnonzero(~np.isnan(values))
    rows = [(start + place, start + place + 1, value) for place, value in
            zip(places.tolist(), values[places].tolist(), strict=True)]  # fmt: skip
    try:
        pybigtools.open(str(path), "w").write({contig: length}, ((contig, *row) for row in rows))
        written = list(pybigtools.open(str(path)).records(contig))
    except Exception as error:  # pybigtools raises nothing narrower
        raise _not_written(error).at(path.name) from error
    if written != rows:
        raise _not_written(f"{len(written):,} of {len(rows):,} values are there").at(path.name)


def write_bigbed(path: Path, lengths: dict[str, int], rows: Sequence[tuple[str, int, int, str]], sql: str) -> None:
    """Write sorted rows of contig, start, end and other columns, described by autoSql, as a bigBed of BED5 and more.

    Raises
    ------
    DataError
        What is read back is not what was to be written.
    OptionError
        pybigtools is not installed.
    """
    if not is_available():
        raise OptionError("pybigtools is needed to write a bigBed and not installed; try: pip install pybigtools")
    if not rows:
        raise DataError("nothing to write", expected="at least one row in a bigBed")
    import pybigtools

    try:
        pybigtools.open(str(path), "w").write(lengths, iter(rows), autosql=sql)
        with path.open("r+b") as stream:  # pybigtools counts all columns as those of BED
            stream.seek(_DEFINED_FIELDS_AT)
            stream.write((5).to_bytes(2, "little"))
        reader = pybigtools.open(str(path))
        contigs = dict.fromkeys(contig for contig, *_ in rows)
        written = [
            (contig, start, end, "\t".join(rest)) for contig in contigs for start, end, *rest in reader.records(contig)
        ]
    except Exception as error:  # pybigtools raises nothing narrower
        raise _not_written(error) from error
    if written != list(rows):
        raise _not_written(f"{len(written):,} of {len(rows):,} rows are there")


def _not_written(reason: object) -> DataError:
    return DataError(f"the file could not be written ({reason})", hint="is the disk full?")

"""bigWig tracks: one value a base. The only user of pybigtools."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError


def can_write() -> bool:
    """Whether pybigtools is installed."""
    return importlib.util.find_spec("pybigtools") is not None


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
        raise _not_written(path, error) from error
    if written != rows:
        raise _not_written(path, f"{len(written):,} of {len(rows):,} values are there")


def _not_written(path: Path, reason: object) -> DataError:
    return DataError(f"the bigWig could not be written ({reason})", hint="is the disk full?", path=path.name)

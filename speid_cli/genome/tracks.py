"""TRACKS.tsv: the signal tracks of a cell type. Tab-separated with a header; a line names a track and one of its files.

The columns are ``name`` and ``path``, a path that is relative to the folder of the table. The ending of a file's name
tells its format: ``.narrowPeak``, ``.broadPeak`` and ``.bed``, each also with ``.gz``, and ``.bigWig`` or ``.bw``. The
signal of a track is the sum of its files'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speid_cli.errors import DataError, counted, located
from speid_cli.genome.bedpe import is_comment
from speid_cli.genome.peaks import SIGNAL_COLUMNS
from speid_cli.text import read_lines

COLUMNS = ("name", "path")
_BIGWIG = (".bigWig", ".bw")
_EXPECTED = "the columns 'name' and 'path', separated by a tab"


@dataclass(frozen=True)
class Track:
    """One assay: its name, and its files, whose signals are added."""

    name: str
    paths: tuple[str, ...]


def signal_column(path: str) -> int | None:
    """The column of the signal, from 1; None for a bigWig.

    Raises
    ------
    DataError
        The ending of the name is not known.
    """
    name = path.casefold()
    for ending, column in SIGNAL_COLUMNS.items():
        if name.removesuffix(".gz").endswith(ending.casefold()):
            return column
    if name.endswith(tuple(map(str.casefold, _BIGWIG))):
        return None
    raise DataError(
        f"the name {Path(path).name!r} tells no format",
        expected=f"a name that ends in {', '.join(SIGNAL_COLUMNS)} (with or without .gz), {' or '.join(_BIGWIG)}",
    )


def read_tracks(path: str) -> list[Track]:
    """The tracks in the order in which their names first appear.

    Raises
    ------
    DataError
        The table cannot be read or is not valid, or a file in it is missing or of no known format; the message
        gives the line of the table.
    """
    paths: dict[str, list[str]] = {}
    for line, name, file in _rows(path):
        with located(path, line):
            file = str(Path(path).parent / file)
            if file in paths.setdefault(name, []):
                raise DataError(f"{file} is in track {name!r} already", expected="each file once in a track")
            signal_column(file)
            _check_readable(file)
        paths[name].append(file)
    if not paths:
        raise DataError("no tracks", expected="a line for each file, below the header", path=path)
    return [Track(name, tuple(files)) for name, files in paths.items()]


def _rows(path: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and path of each row."""
    header: list[str] = []
    for line, text in read_lines(path):
        if is_comment(text):
            continue
        fields = text.split("\t")
        with located(path, line):
            if not header:
                if missing := [column for column in COLUMNS if column not in fields]:
                    raise DataError(f"no column {missing[0]!r} in the header {text[:60]!r}", expected=_EXPECTED)
                header = fields
                continue
            if len(fields) != len(header):
                found = f"{counted(len(fields), 'column')}, and {len(header)} in the header"
                raise DataError(found, expected="the same number; names and paths hold no tab")
            name, file = (fields[header.index(column)] for column in COLUMNS)
            for column, value in zip(COLUMNS, (name, file), strict=True):
                if not value.strip():
                    raise DataError(f"an empty {column}", expected="a name and a path")
        yield line, name, file


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", expected="a file that exists") from error

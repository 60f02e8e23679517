"""Tables as tab-separated text with a header line; an empty field is a value that is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def table_lines(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Header and rows; numbers to 6 significant digits."""
    yield "\t".join(columns)
    for row in rows:
        yield "\t".join(field(row[name]) for name in columns)


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The lines of a table as one text."""
    return "".join(f"{line}\n" for line in table_lines(columns, rows))


def field(value: Any) -> str:
    """A value as text; empty for None and NaN."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")

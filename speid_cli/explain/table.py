"""Tables as tab-separated text with a header line; an empty field is a value that is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any


def table_fields(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The fields of rows; numbers to 6 significant digits."""
    return ([field(row[name]) for name in columns] for row in rows)


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Header and rows as one text."""
    return "".join("\t".join(fields) + "\n" for fields in chain([columns], table_fields(columns, rows)))


def field(value: Any) -> str:
    """A value as text; empty for None and NaN."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")

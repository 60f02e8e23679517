"""Tables as pandas reads them back."""

from __future__ import annotations

import io

import numpy as np
import pandas

from speid_cli.explain.table import field, table_text


def test_values_as_text() -> None:
    values = [1.23456789, float("nan"), None, 12, "a\tb\nc", -1e-7, np.float64(2 / 3), np.float64("nan"), 0.0, True]
    assert [field(value) for value in values] == [
        "1.23457", "", "", "12", "a b c", "-1e-07", "0.666667", "", "0", "True",
    ]  # fmt: skip


def test_a_table_is_read_back_with_what_is_unknown_missing() -> None:
    rows = [{"name": "a", "x": 0.5, "more": 1}, {"name": "b", "x": float("nan"), "more": 2}]
    text = table_text(["x", "name"], rows)
    assert text == "x\tname\n0.5\ta\n\tb\n"
    table = pandas.read_csv(io.StringIO(text), sep="\t")
    assert table.x.isna().tolist() == [False, True]
    assert table_text(["x"], []) == "x\n"

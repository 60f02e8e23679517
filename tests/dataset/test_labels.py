"""Labelled pairs one by one are those that are read at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from speid_cli.dataset.labels import labelled_pairs, read_labelled_pairs
from speid_cli.errors import DataError
from speid_cli.genome.pair_reader import PairReader
from tests import builders

LINE = "chr1\t0\t5\tchr1\t7\t9"


@pytest.mark.parametrize("header", [builders.HEADER, None])
def test_one_by_one_and_at_once_are_the_same(folder: Path, header: str | None) -> None:
    lines = builders.pair_lines(20)
    if header is None:
        lines = ["\t".join([*line.split("\t")[:7], line.split("\t")[10]]) for line in lines]
    reader = PairReader(str(builders.write_pairs(Path("pairs.bedpe"), lines, header)))
    expected = [(labelled.pair, labelled.label) for _, labelled in read_labelled_pairs(reader)]
    assert list(labelled_pairs(reader)) == expected and len(expected) == 20


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([LINE], "x.bedpe:1: no label column: none is headed 'label', and there is no column 8; expected 0 or 1 for every"),
        ([f"{LINE}\tx\t1", f"{LINE}\tx\t2"], "x.bedpe:2: label '2' in column 8; expected 1"),
        ([f"{LINE}\tx\t1", LINE], "x.bedpe:2: no column 8 for the label; the line has 6"),
        ([f"{LINE}\tx\t1", "chr1\t5"], "x.bedpe:2: 2 columns; expected 6 or more"),
    ],
)  # fmt: skip
def test_a_line_at_fault_is_named(folder: Path, lines: Sequence[str], message: str) -> None:
    builders.write_pairs(Path("x.bedpe"), lines, None)
    with pytest.raises(DataError, match=f"^{message}"):
        list(labelled_pairs(PairReader("x.bedpe")))

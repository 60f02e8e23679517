"""Neighbours against a naive double loop."""

from __future__ import annotations

import pytest

from speid_cli.genome.intervals import Interval
from speid_cli.genome.neighbours import Neighbours
from tests.intervals import gap, random_places


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 5000), (1, 2), (1, 5000), (3000, 20_000), (1, 10**7)])
@pytest.mark.parametrize("queries", [slice(None), slice(7, 19)])
def test_neighbours_are_a_naive_double_loop_s(low: int, high: int, queries: slice) -> None:
    targets, asking = random_places(60, 1, span=40_000), random_places(40, 2, span=40_000)
    first, second = Neighbours(targets, asking, high).within(low, high, queries).pairs()
    found = sorted(zip(first.tolist(), second.tolist(), strict=True))
    assert found == [
        (i, j) for i, e in enumerate(targets) for j, p in enumerate(asking)
        if e.chrom == p.chrom and low <= gap(e, p) < high and p in asking[queries]
    ]  # fmt: skip


@pytest.mark.parametrize(("targets", "queries"), [([], []), ([], [Interval("chr1", 1, 2)])])
def test_nothing_has_no_neighbours(targets: list[Interval], queries: list[Interval]) -> None:
    assert len(Neighbours(targets, queries, 9).within(0, 9)) == 0

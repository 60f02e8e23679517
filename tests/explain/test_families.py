"""Families of motifs on hand-made sites."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from speid_cli.explain.families import add_couple_families, add_families

NAN = float("nan")


class Side:
    """The sites of motifs by element and start, all of one width, in two elements of 100 bp."""

    def __init__(self, number: int, sites: list[list[tuple[int, int]]], widths: list[int]) -> None:
        self.side, self._sites, self._widths = number, sites, widths
        self.elements = SimpleNamespace(codes=np.zeros((2, 100), np.uint8))

    def bases(self, motif: int) -> tuple[Any, Any]:
        places = np.array(self._sites[motif]).reshape(-1, 2)
        position = places[:, 1:] + np.arange(self._widths[motif])
        return np.broadcast_to(places[:, :1], position.shape), position


def families(side: Side, figures: list[tuple[float, float]]) -> list[tuple[str | None, float]]:
    """Family and share of shared sites of each motif, by q and effect."""
    rows: list[dict[str, Any]] = [
        {"side": "enhancer", "name": f"m{number}", "q_value": q, "effect": effect}
        for number, (q, effect) in enumerate(figures)
    ]
    other = {"side": "promoter", "name": "other", "q_value": 0.9, "effect": 9.0}
    add_families([*rows, other], [side, Side(1, [[(0, 0)]], [4])])  # type: ignore[list-item]
    assert other["family"] is None
    return [(row["family"], row["shared_sites"]) for row in rows]


def test_motifs_at_the_same_places_are_a_family_named_after_the_largest_effect() -> None:
    side = Side(0, [[(0, 10), (1, 10)], [(0, 12), (1, 60)], [(0, 80)]], [8, 8, 6])
    # The second is shifted by 2 in one element and elsewhere in the other: half of its sites.
    found = families(side, [(0.01, -1.0), (0.01, 2.0), (0.01, 0.5)])
    assert found == [("m1", 0.5), ("m1", 0.5), ("m2", 0.0)]


@pytest.mark.parametrize(("shift", "family"), [(4, "m0"), (5, "m1")])
def test_a_site_is_the_same_where_half_of_it_is_covered(shift: int, family: str) -> None:
    side = Side(0, [[(0, 10)], [(0, 10 + shift)]], [8, 8])
    found = families(side, [(0.01, 2.0), (0.01, 1.0)])
    assert found == [("m0", float(family == "m0")), (family, float(family == "m0"))]


def test_only_significant_motifs_count() -> None:
    side = Side(0, [[(0, 10)], [(0, 10)], [(0, 10)]], [8, 8, 8])
    found = families(side, [(0.01, 1.0), (0.05, 2.0), (NAN, 3.0)])
    assert found == [("m0", 0.0), (None, pytest.approx(NAN, nan_ok=True)), (None, pytest.approx(NAN, nan_ok=True))]


def test_a_family_has_its_leader_s_sites_only() -> None:
    """The third has half of the second's sites, but the second leads no family: it is in the first's."""
    side = Side(0, [[(0, 10)], [(0, 10), (0, 40)], [(0, 40)]], [8, 8, 8])
    found = families(side, [(0.01, 3.0), (0.01, 2.0), (0.01, 1.0)])
    assert found == [("m0", 1.0), ("m0", 1.0), ("m2", 1.0)]


def test_couples_of_the_same_two_families_are_one() -> None:
    """Enhancer motifs 0 and 1 are at the same places, and so are promoter motifs 0 and 2."""
    sides = [
        Side(0, [[(0, 10)], [(0, 10)], [(0, 60)]], [8, 8, 8]),
        Side(1, [[(0, 10)], [(0, 60)], [(0, 10)]], [8, 8, 8]),
    ]
    couples = [(0, 0), (1, 1), (1, 2), (2, 0), (0, 1), (2, 2)]
    rows: list[dict[str, Any]] = [
        {"couple": couple, "q_value": 0.01 if number < 5 else 0.5, "leads": True,
         "enhancer_name": f"e{couple[0]}", "promoter_name": f"p{couple[1]}"}
        for number, couple in enumerate(couples)
    ]  # fmt: skip
    add_couple_families(rows, sides)  # type: ignore[arg-type]
    assert [(row["family"], row["leads"]) for row in rows] == [
        ("e0 with p0", True), ("e1 with p1", True), ("e0 with p0", False), ("e2 with p0", True), ("e1 with p1", False),
        (None, True),
    ]  # fmt: skip

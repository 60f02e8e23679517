"""Motifs whose sites are the same places: families, and how many sites are shared. L bp of a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import SIDES
from speid_cli.explain.occurrences import Occurrences
from speid_cli.explain.statistics import SIGNIFICANT


def leaders(side: Occurrences, motifs: Sequence[int]) -> dict[int, int]:
    """The leader of each motif's family; motifs are given strongest first.

    A motif belongs to the first family whose leader has half of its sites, else leads one itself. Two sites
    are the same where half of one is covered by the other.
    """
    covers, found = dict[int, NDArray[np.bool_]](), dict[int, int]()
    for motif in motifs:
        sites = side.bases(motif)
        found[motif] = next((other for other, cover in covers.items() if _covered(cover[sites]).mean() >= 0.5), motif)
        if found[motif] == motif:
            covers[motif] = _cover(side, motif)
    return found


def add_families(rows: Sequence[dict[str, Any]], sides: Sequence[Occurrences]) -> None:
    """Add to the rows of significant motifs ``family``, ``leads`` and ``shared_sites``; to others, None, True and NaN.

    A family is named after its motif with the largest effect. ``shared_sites`` is the share of a motif's
    sites that other significant motifs have too.
    """
    for side in sides:
        mine = [row for row in rows if row["side"] == SIDES[side.side]]
        for row in mine:
            row |= {"family": None, "leads": True, "shared_sites": float("nan")}
        numbers = [number for number, row in enumerate(mine) if row["q_value"] < SIGNIFICANT]
        numbers.sort(key=lambda number: -abs(mine[number]["effect"]))
        together = np.zeros(side.elements.codes.shape, np.int16)
        for number in numbers:
            together += _cover(side, number)
        for number, leader in leaders(side, numbers).items():
            shared = _covered((together > _cover(side, number))[side.bases(number)]).mean()
            mine[number] |= {"family": mine[leader]["name"], "leads": leader == number, "shared_sites": float(shared)}


def add_couple_families(rows: Sequence[dict[str, Any]], sides: Sequence[Occurrences]) -> None:
    """Add to the rows of significant couples, in their order, ``family`` and ``leads``; to others, the family None.

    A family of couples is a family of enhancer motifs with one of promoter motifs, named after its first couple.
    """
    significant = [row for row in rows if row["q_value"] < SIGNIFICANT]
    couples = [row["couple"] for row in significant]
    led = [leaders(side, list(dict.fromkeys(couple[side.side] for couple in couples))) for side in sides]
    first: dict[tuple[int, ...], str] = {}
    for row in rows:
        row["family"] = None
    for row, couple in zip(significant, couples, strict=True):
        family, name = (
            tuple(led[side][motif] for side, motif in enumerate(couple)),
            "{enhancer_name} with {promoter_name}",
        )
        row |= {"leads": family not in first, "family": first.setdefault(family, name.format(**row))}


def _cover(side: Occurrences, motif: int) -> NDArray[np.bool_]:
    """Which bases (E, L) are in sites of a motif."""
    cover = np.zeros(side.elements.codes.shape, np.bool_)
    cover[side.bases(motif)] = True
    return cover


def _covered(bases: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which sites (M,) have at least half of their bases (M, w) covered."""
    covered: NDArray[np.bool_] = bases.mean(axis=1) >= 0.5
    return covered

"""Which motif of the enhancer the model reads together with which motif of the promoter.

The epistasis of two motifs in a pair is f(pair) - f(without the first) - f(without the second) +
f(without both), on logits f: 0 where the model adds up their effects, above 0 where it needs both.
From it, the same figure for the controls of the sites is subtracted; a mean over draws is taken.

M pairs of the sample; n pairs with a site of both motifs; D draws; U resampling units.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError
from speid_cli.explain.families import add_couple_families
from speid_cli.explain.knockout import pairs_with, scored, usual, with_p_values
from speid_cli.explain.occurrences import MotifsInPairs
from speid_cli.explain.pairs import Mutated, PairScorer, Rows
from speid_cli.explain.record import Parts
from speid_cli.explain.removal import CONTROLS, SITES, Removed, remove
from speid_cli.explain.settings import Advance
from speid_cli.explain.statistics import SIGNIFICANT, mean_intervals, unit_sums
from speid_cli.explain.subject import REPLICATES, Subject

Array = NDArray[np.float64]
COLUMNS = (
    "enhancer_motif", "promoter_motif", "pairs", "effect", "low", "high", "p_value", "q_value", "enhancer_name",
    "promoter_name", "family",
)  # fmt: skip


class Single(NamedTuple):
    """One motif taken out of one side.

    Attributes
    ----------
    row : int64 (M,)
        Row of each pair's element in `removed`, or -1.
    logit : float64 (2, D, M)
        Logits without the sites, and without the controls; NaN for pairs without a site.
    """

    removed: Removed
    row: Rows
    logit: Array


def take_out(asked: MotifsInPairs, side: int, motif: int) -> Single:
    """Take one motif out of all elements of a side."""
    scorer, draws, generator = asked.scorer, asked.draws, np.random.default_rng([asked.subject.seed, side, motif])
    removed = remove(asked.sides[side], motif, draws, generator)
    elements = scorer.sides[side]
    pair, row = pairs_with(elements, removed.element)
    logit = np.full((2, draws, len(elements.of_pair)), np.nan)
    logit[:, :, pair] = scored(scorer, side, pair, row, removed.all_at_once(elements.codes[removed.element]))
    rows = np.full(len(elements.of_pair), -1)
    rows[pair] = row
    return Single(removed, rows, logit)


def epistasis(asked: MotifsInPairs, first: Single, second: Single) -> tuple[Rows, Array]:
    """Pairs (n,) with a site of both motifs, and the epistasis (n,) of the two in each."""
    pair = np.flatnonzero((first.row >= 0) & (second.row >= 0))
    mutated = [_windows(asked.scorer, side, single, pair) for side, single in enumerate((first, second))]
    draws = asked.draws
    both = asked.scorer.logits(np.tile(pair, 2 * draws), *mutated).reshape(2, draws, len(pair))
    found = asked.subject.logit[pair] - first.logit[:, :, pair] - second.logit[:, :, pair] + both
    return pair, (found[SITES] - found[CONTROLS]).mean(axis=0)


def _windows(scorer: PairScorer, side: int, single: Single, pair: Rows) -> Mutated:
    """The windows of one side of pairs (n,), for all kinds and draws: 2 D n mutants."""
    used, row = np.unique(single.row[pair], return_inverse=True)
    codes = single.removed.all_at_once(scorer.sides[side].codes[single.removed.element])[:, :, used]
    turn = np.arange(codes.shape[0] * codes.shape[1])
    return Mutated(codes.reshape(-1, codes.shape[3]), (turn[:, None] * len(used) + row).ravel())


def summarise(subject: Subject, pair: Rows, values: Array) -> dict[str, Any]:
    """Pairs, effect and interval of one couple of motifs, and the sum over each resampling unit."""
    sums, counts = unit_sums(values[None], subject.clusters.cluster[pair], subject.units)
    means = mean_intervals(sums, counts, REPLICATES, np.random.default_rng(subject.seed))
    effect, low, high = (float(figure[0]) for figure in means)
    return {"row": {"pairs": len(pair), "effect": effect, "low": low, "high": high}, "units": sums[0].tolist()}


def couples_of(asked: MotifsInPairs) -> Rows:
    """Upper limit of the mutants (I, J) of each couple of an enhancer motif and a promoter motif.

    Raises
    ------
    DataError
        No pair has a site in both elements.
    """
    has = [np.stack([side.has_site(number) for number in range(len(side.hits))]) for side in asked.sides]
    couples = 2 * asked.draws * (has[0].astype(np.int64) @ has[1].T.astype(np.int64))
    if not couples.any():
        raise DataError("no pair with a site of a motif in both elements", hint="give other motifs, or more pairs")
    return couples


def trial(asked: MotifsInPairs) -> int:
    """Compute a couple with a usual number of mutants; how many it took, single motifs included."""
    couples = couples_of(asked)
    i, j = usual({(i, j): int(couples[i, j]) for i, j in np.argwhere(couples).tolist()})
    summarise(asked.subject, *epistasis(asked, take_out(asked, 0, i), take_out(asked, 1, j)))
    return 3 * int(couples[i, j])


def epistasis_of_all(
    asked: MotifsInPairs, finished: Parts, advance: Advance = lambda mutants: None
) -> list[dict[str, Any]]:
    """Rows of the table: all couples with a pair; those that are finished are not computed again.

    Parameters
    ----------
    advance : callable
        Is told the number of mutants of each couple once it is done.
    """
    couples, second, parts = couples_of(asked), dict[int, Single](), dict[tuple[int, int], dict[str, Any]]()
    for i in range(len(couples)):
        partners: list[int] = np.flatnonzero(couples[i]).tolist()
        unknown = any(f"{i} {j}" not in finished.parts for j in partners)
        first = take_out(asked, 0, i) if unknown else None
        for j in partners:
            if first is not None and (name := f"{i} {j}") not in finished.parts:
                second[j] = second.get(j) or take_out(asked, 1, j)
                finished.add(name, summarise(asked.subject, *epistasis(asked, first, second[j])))
            parts[i, j] = finished.parts[f"{i} {j}"]
            advance(int(couples[i, j]))
    motifs = asked.motifs
    names = [
        {"enhancer_motif": motifs[i].identifier, "promoter_motif": motifs[j].identifier,
         "enhancer_name": motifs[i].name, "promoter_name": motifs[j].name, "couple": (i, j), "leads": True}
        for i, j in parts
    ]  # fmt: skip
    rows = with_p_values(list(parts.values()), asked.subject)
    found = sorted((name | row for name, row in zip(names, rows, strict=True)), key=rank)
    add_couple_families(found, asked.sides)
    return sorted(found, key=rank)


def rank(row: dict[str, Any]) -> tuple[bool, bool, float]:
    """Significant couples first, the leaders of families before the rest; then by need, unknown ones last."""
    effect = row["effect"]
    return not row["q_value"] < SIGNIFICANT, not row["leads"], np.inf if np.isnan(effect) else -effect

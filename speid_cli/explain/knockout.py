"""What the model loses without the sites of a motif, beside what it loses without as much other sequence.

An effect is the change of a pair's logit when the sites of a motif are replaced, minus the change when
their controls are, as a mean over draws; so it is 0 where the motif means no more than any sequence.

M pairs of the sample; n pairs with a site; D draws; U resampling units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import SIDES
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.families import add_families
from speid_cli.explain.occurrences import MotifsInPairs, Occurrences
from speid_cli.explain.pairs import Elements, Mutated, PairScorer, Rows
from speid_cli.explain.record import Parts
from speid_cli.explain.removal import CONTROLS, SITES, Removed, remove
from speid_cli.explain.settings import Advance
from speid_cli.explain.statistics import SIGNIFICANT, mean_intervals, q_values, sign_flip_p, unit_sums
from speid_cli.explain.subject import REPLICATES, Subject
from speid_cli.genome.motif_files import Motif

Array = NDArray[np.float64]
COLUMNS = (
    "side", "motif", "name", "pairs", "sites", "effect", "low", "high", "effect_negatives", "effect_per_site",
    "probability_change", "auprc_change", "auprc_low", "auprc_high", "p_value", "q_value", "redundancy", "family",
    "shared_sites", "left_out",
)  # fmt: skip
Key = TypeVar("Key")


class KnockedOut(NamedTuple):
    """Pairs (n,) whose element has a site of a motif.

    Attributes
    ----------
    pair : int64 (n,)
        Positions in the sample.
    logit : float64 (2, n)
        Without the sites, and without the controls; means over draws.
    probability : float64 (2, n)
        The same for probabilities.
    apart : float64 (n,)
        Sum of the effects of replacing one stretch with sites at a time.
    sites : int64 (n,)
        Number of sites.
    """

    pair: Rows
    logit: Array
    probability: Array
    apart: Array
    sites: Rows

    @property
    def effect(self) -> Array:
        """Effect (n,) of replacing all sites at once."""
        return self.logit[SITES] - self.logit[CONTROLS]


def mutants(occurrences: Occurrences, motif: int, draws: int) -> int:
    """Mutants that knocking a motif out takes, at most."""
    stretches, _ = occurrences.stretches(motif)
    elements = occurrences.elements
    count = np.bincount(stretches.element, minlength=len(elements.codes))[elements.of_pair]
    return int(2 * draws * ((count > 0) + count * (count > 1)).sum())


def knock_out(scorer: PairScorer, side: int, removed: Removed) -> KnockedOut:
    """Score the pairs whose element has sites, without all of them and without each of them."""
    elements = scorer.sides[side]
    pair, row = pairs_with(elements, removed.element)
    logits = scored(scorer, side, pair, row, removed.all_at_once(elements.codes[removed.element]))  # (2, D, n)
    owner = removed.stretches.element
    stretches = np.bincount(owner, minlength=len(removed.element))
    sites = np.bincount(owner, removed.sites, minlength=len(removed.element)).astype(np.int64)[row]
    logit = logits.mean(axis=1)
    apart, several = logit[SITES] - logit[CONTROLS], np.flatnonzero(stretches[row] > 1)
    which = np.flatnonzero(stretches[owner] > 1)
    codes = removed.one_at_a_time(elements.codes[removed.element], which)
    position, stretch = _pairs_of(row[several], owner[which])
    single = scored(scorer, side, pair[several][position], stretch, codes)
    effects = (single[SITES] - single[CONTROLS]).mean(axis=0)
    apart[several] = np.bincount(position, effects, minlength=len(several))
    return KnockedOut(pair, logit, sigmoid(logits).mean(axis=1), apart, sites)


def pairs_with(elements: Elements, chosen: Rows) -> tuple[Rows, Rows]:
    """Pairs (n,) that have one of these elements, and which."""
    number = np.full(len(elements.codes), -1)
    number[chosen] = np.arange(len(chosen))
    pair = np.flatnonzero(number[elements.of_pair] >= 0)
    return pair, number[elements.of_pair[pair]]


def _pairs_of(row: Rows, owner: Rows) -> tuple[Rows, Rows]:
    """For each of rows (n,) all positions in a sorted list at which it stands: position in `row`, and in the list."""
    first, last = np.searchsorted(owner, row), np.searchsorted(owner, row, "right")
    count = last - first
    position = np.repeat(np.arange(len(row)), count)
    return position, np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)


def scored(scorer: PairScorer, side: int, pair: Rows, row: Rows, codes: NDArray[np.uint8]) -> Array:
    """Logits (2, D, n) of pairs (n,) with rows (n,) of codes (2, D, U, L)."""
    kinds, draws, size, length = codes.shape
    turn = np.arange(kinds * draws)
    mutated = Mutated(codes.reshape(-1, length), (turn[:, None] * size + row).ravel())
    given = (mutated, None) if side == 0 else (None, mutated)
    logits = scorer.logits(np.tile(pair, len(turn)), *given)
    return logits.reshape(kinds, draws, len(pair)).astype(np.float64)


def summarise(
    subject: Subject, side: int, motif: Motif, removed: Removed, found: KnockedOut, comparisons: int
) -> dict[str, Any]:
    """One motif in one side, as plain values: its row of the table, and the sum of effects of each resampling unit."""
    interacts = subject.label[found.pair] == 1
    probability = found.probability[SITES] - found.probability[CONTROLS]
    changes = np.stack([found.effect, found.apart / found.sites, probability, found.effect - found.apart])
    values = np.concatenate([np.where(interacts, changes, np.nan), np.where(interacts, np.nan, changes[:1])])
    sums, counts = unit_sums(values, subject.clusters.cluster[found.pair], subject.units)
    means = mean_intervals(sums, counts, REPLICATES, np.random.default_rng(subject.seed))
    effect, per_site, change, redundancy, negatives = means.value.tolist()
    without, control = (subject.logit.astype(np.float64) for _ in (SITES, CONTROLS))
    without[found.pair], control[found.pair] = found.logit
    auprc = subject.auprc_change(control, without, comparisons) if len(found.pair) else Estimate(*[np.nan] * 3)
    row = {
        "side": SIDES[side], "motif": motif.identifier, "name": motif.name,
        "pairs": int(interacts.sum()), "sites": len(removed.stretches),
        "effect": effect, "low": float(means.low[0]), "high": float(means.high[0]), "effect_negatives": negatives,
        "effect_per_site": per_site, "probability_change": change,
        "auprc_change": auprc.value, "auprc_low": auprc.low, "auprc_high": auprc.high,
        "redundancy": redundancy, "left_out": removed.left_out,
    }  # fmt: skip
    return {"row": row, "units": sums[0].tolist()}


def knock_out_one(asked: MotifsInPairs, side: int, motif: int, comparisons: int) -> dict[str, Any]:
    """What `summarise` says of one motif in one side; `comparisons` are made in all."""
    subject = asked.subject
    removed = remove(asked.sides[side], motif, asked.draws, np.random.default_rng([subject.seed, side, motif]))
    found = knock_out(asked.scorer, side, removed)
    return summarise(subject, side, asked.motifs[motif], removed, found, comparisons)


def knock_out_all(
    asked: MotifsInPairs, finished: Parts, advance: Advance = lambda mutants: None
) -> list[dict[str, Any]]:
    """Rows of the table: all motifs in both sides; those that are finished are not computed again.

    Parameters
    ----------
    advance : callable
        Is told the number of mutants of each motif once it is done.
    """
    parts, counts = [], mutants_of_all(asked)
    for (side, motif), count in counts.items():
        name = f"{SIDES[side]} {motif}"
        if name not in finished.parts:
            finished.add(name, knock_out_one(asked, side, motif, len(counts)))
        parts.append(finished.parts[name])
        advance(count)
    rows = with_p_values(parts, asked.subject)
    add_families(rows, asked.sides)
    return sorted(rows, key=rank)


def mutants_of_all(asked: MotifsInPairs) -> dict[tuple[int, int], int]:
    """Mutants that knocking out each motif in each side takes, at most."""
    numbers = range(len(asked.motifs))
    return {(side.side, motif): mutants(side, motif, asked.draws) for side in asked.sides for motif in numbers}


def trial(asked: MotifsInPairs) -> int:
    """Knock out a motif with a usual number of mutants; that number."""
    counts = mutants_of_all(asked)
    side, motif = usual(counts)
    knock_out_one(asked, side, motif, 1)
    return counts[side, motif]


def usual(counts: Mapping[Key, int]) -> Key:
    """The key with the number that is nearest to their mean."""
    mean = sum(counts.values()) / len(counts)
    return min(counts, key=lambda key: abs(counts[key] - mean))


def with_p_values(parts: Sequence[dict[str, Any]], subject: Subject) -> list[dict[str, Any]]:
    """Rows with p-values by sign flips over resampling units, and q-values over all rows; NaN without pairs."""
    sums = np.array([part["units"] for part in parts])
    p = sign_flip_p(sums, np.random.default_rng(subject.seed))
    p[[part["row"]["pairs"] == 0 for part in parts]] = np.nan
    figures = zip(parts, p.tolist(), q_values(p).tolist(), strict=True)
    return [part["row"] | {"p_value": p_value, "q_value": q_value} for part, p_value, q_value in figures]


def rank(row: dict[str, Any]) -> tuple[bool, bool, float]:
    """Significant rows first, the leaders of families before the rest; then the largest effects, unknown ones last."""
    effect = row["effect"]
    return not row["q_value"] < SIGNIFICANT, not row["leads"], np.inf if np.isnan(effect) else -abs(effect)

"""Epistasis of two motifs: its formula, on logits of the network called afresh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from speid_cli.explain import epistasis as module
from speid_cli.explain.epistasis import (
    COLUMNS,
    couples_of,
    epistasis,
    epistasis_of_all,
    rank,
    summarise,
    take_out,
    trial,
)
from speid_cli.explain.record import Record, Run
from speid_cli.explain.removal import remove
from tests.explain.planted import DRAWS, MOTIFS, PLACES, Question, nothing
from tests.scoring.test_perturbed import in_float64

NAN = float("nan")
WITH = [{element for element, word, _ in PLACES if word == motif} for motif in range(len(MOTIFS))]


def expected_couples(question: Question) -> NDArray[np.int64]:
    """Pairs with a site of both, couple by couple."""
    first, second = (side.of_pair.tolist() for side in question.scorer.sides)
    return np.array(
        [[sum(a in WITH[i] and b in WITH[j] for a, b in zip(first, second, strict=True)) for j in range(3)]
         for i in range(3)]
    )  # fmt: skip


@pytest.mark.parametrize("motifs", [(0, 1), (0, 0), (1, 0)])
def test_epistasis_is_its_formula(question: Question, motifs: tuple[int, int]) -> None:
    pair, values = epistasis(question.motifs, *(take_out(question.motifs, *place) for place in enumerate(motifs)))
    assert len(pair) == expected_couples(question)[motifs] > 0
    model = question.checkpoint.model()
    for place, value in zip(pair.tolist(), values.tolist(), strict=True):
        own, without = [], []
        for number, (side, motif) in enumerate(zip(question.scorer.sides, motifs, strict=True)):
            element = side.of_pair[place]
            own.append(side.codes[element])
            removed = remove(
                question.sides[number], motif, DRAWS, np.random.default_rng([question.subject.seed, number, motif])
            )
            row = removed.element.tolist().index(element)
            without.append(removed.all_at_once(side.codes[removed.element])[:, :, row])
        kinds = []
        for kind in (0, 1):
            draws = []
            for draw in range(DRAWS):
                a, b = without[0][kind, draw], without[1][kind, draw]
                both = [(own[0], own[1]), (a, own[1]), (own[0], b), (a, b)]
                wild, first, second, neither = in_float64(model, *(np.stack(side) for side in zip(*both, strict=True)))
                draws.append(wild - first - second + neither)
            kinds.append(sum(draws) / DRAWS)
        assert value == pytest.approx(kinds[0] - kinds[1], abs=5e-5)


def test_one_motif_alone(question: Question) -> None:
    single = take_out(question.motifs, 1, 1)
    of_pair = question.scorer.sides[1].of_pair
    for pair, row in enumerate(single.row.tolist()):
        assert (row >= 0) == (of_pair[pair] in WITH[1]) == (not np.isnan(single.logit[:, :, pair]).any())
        assert row < 0 or single.removed.element[row] == of_pair[pair]


def test_couples_are_counted_in_mutants(question: Question) -> None:
    np.testing.assert_array_equal(couples_of(question.motifs), 2 * DRAWS * expected_couples(question))


def test_a_summary_is_that_of_plain_loops(question: Question) -> None:
    subject, pair, values = question.subject, np.array([3, 7, 8, 21]), np.array([1.0, -2.0, 0.5, 4.0])
    part = summarise(subject, pair, values)
    assert (part["row"]["pairs"], part["row"]["effect"]) == (4, 3.5 / 4)
    assert part["row"]["low"] <= 3.5 / 4 <= part["row"]["high"]
    sums = [0.0] * subject.units
    for place, value in zip(pair.tolist(), values.tolist(), strict=True):
        sums[subject.clusters.cluster[place]] += value
    assert part["units"] == sums
    none = summarise(subject, pair[:0], values[:0])
    assert none["row"]["pairs"] == 0 and np.isnan(none["row"]["effect"])


def test_all_couples_with_a_pair_and_those_in_the_record_only_once(
    question: Question, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[int]()
    with Record(Run(folder / "out", force=True), {}) as record:
        rows = epistasis_of_all(question.motifs, record, told.append)
    couples = couples_of(question.motifs)
    assert sum(told) == couples.sum() and len(rows) == (couples > 0).sum()
    assert all(set(row) == {*COLUMNS, "couple", "leads"} for row in rows)
    assert rows == sorted(rows, key=rank)
    pairs = {(row["enhancer_motif"], row["promoter_motif"]): row["pairs"] for row in rows}
    assert pairs == {
        (MOTIFS[i].identifier, MOTIFS[j].identifier): count
        for (i, j), count in np.ndenumerate(expected_couples(question)) if count
    }  # fmt: skip
    lines = record.path.read_bytes().splitlines(keepends=True)
    record.path.write_bytes(b"".join(lines[:-1]) + lines[-1][:9])
    taken, whole = list[int](), module.take_out
    monkeypatch.setattr(module, "take_out", lambda *rest: taken.append(rest[2]) or whole(*rest))  # type: ignore[func-returns-value]
    with Record(Run(folder / "out", resume=True), {}) as record:
        np.testing.assert_equal(epistasis_of_all(question.motifs, record, nothing), rows)
    last = np.argwhere(couples)[-1].tolist()
    assert taken == last, "only the two motifs of the last couple"


def test_couples_are_ranked_by_significance_then_by_need_of_each_other() -> None:
    figures = [(0.2, -9.0), (0.01, 0.5), (NAN, NAN), (0.04, -2.0), (0.05, 1.0)]
    rows = sorted(({"q_value": q, "effect": effect, "leads": effect != 0.5} for q, effect in figures), key=rank)
    np.testing.assert_array_equal([row["effect"] for row in rows], [-2.0, 0.5, 1.0, -9.0, NAN])


def test_a_trial_tells_its_number_of_mutants(question: Question) -> None:
    assert trial(question.motifs) in 3 * couples_of(question.motifs)

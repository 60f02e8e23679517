"""Knock-out against the network called on each mutated element, and its summary against plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.explain import knockout
from speid_cli.explain.knockout import (
    COLUMNS,
    KnockedOut,
    knock_out,
    knock_out_all,
    mutants,
    rank,
    summarise,
    trial,
    usual,
    with_p_values,
)
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.record import Record, Run
from speid_cli.explain.removal import CONTROLS, SITES, remove
from speid_cli.explain.statistics import q_values, sign_flip_p
from speid_cli.model.device import Device
from tests.explain.planted import DRAWS, MOTIFS, PLACES, Question, nothing
from tests.scoring.test_perturbed import in_float64

NAN = float("nan")


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("side", [0, 1])
def test_every_pair_is_that_of_the_network(question: Question, side: int) -> None:
    """Motif 0 has one stretch in some elements and two in one."""
    removed = remove(question.sides[side], 0, DRAWS, np.random.default_rng(1))
    found, elements = knock_out(question.scorer, side, removed), question.scorer.sides[side]
    expected = [pair for pair, element in enumerate(elements.of_pair) if element in removed.element]
    assert found.pair.tolist() == expected
    together = removed.all_at_once(elements.codes[removed.element])
    single = removed.one_at_a_time(elements.codes[removed.element], np.arange(len(removed.stretches)))

    def logits(pair: int, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Logits of windows (n, L) in one pair."""
        own = [np.repeat(each.codes[each.of_pair[[pair]]], len(codes), axis=0) for each in question.scorer.sides]
        own[side] = codes
        return in_float64(question.checkpoint.model(), *own)

    for number, pair in enumerate(found.pair.tolist()):
        row = removed.element.tolist().index(elements.of_pair[pair])
        mine = [stretch for stretch, owner in enumerate(removed.stretches.element) if owner == row]
        codes = np.stack(
            [together[:, :, row], *(single[:, :, stretch] for stretch in mine)]
        )  # (1 + stretches, 2, D, L)
        each, *one_by_one = logits(pair, codes.reshape(-1, codes.shape[-1])).reshape(-1, 2, DRAWS)
        np.testing.assert_allclose(found.logit[:, number], each.mean(axis=1), atol=1e-5)
        np.testing.assert_allclose(found.probability[:, number], sigmoid(each).mean(axis=1), atol=1e-5)
        apart = sum(np.mean(one[SITES] - one[CONTROLS]) for one in one_by_one)
        assert found.apart[number] == pytest.approx(apart, abs=2e-5)
        assert found.sites[number] == sum(removed.sites[stretch] for stretch in mine)
    assert max(found.sites) == 2
    one = np.bincount(removed.stretches.element)[np.searchsorted(removed.element, elements.of_pair[found.pair])] == 1
    np.testing.assert_array_equal(found.apart[one], found.effect[one], "exactly, so that there is no redundancy")


def test_the_number_of_mutants_is_at_most_what_is_told(question: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    side, scored = question.sides[0], list[int]()
    logits = question.scorer.logits
    monkeypatch.setattr(
        question.scorer, "logits", lambda pair, *sides: scored.append(len(pair)) or logits(pair, *sides)
    )
    for motif in range(len(MOTIFS)):
        scored.clear()
        removed = remove(side, motif, DRAWS, np.random.default_rng(0))
        knock_out(question.scorer, 0, removed)
        assert sum(scored) == mutants(side, motif, DRAWS), "no element of these is left out"
    pairs = [int((question.scorer.sides[0].of_pair == element).sum()) for element in (0, 1, 2, 3, 4)]
    assert mutants(side, 0, DRAWS) == 2 * DRAWS * (sum(pairs) + 2 * pairs[2])


def test_a_summary_is_that_of_plain_loops(question: Question) -> None:
    rng = np.random.default_rng(0)
    pair = np.array([0, 1, 4, 8, 9, 10, 20, 33])
    logit, probability = rng.normal(size=(2, 8)), rng.random((2, 8))
    found = KnockedOut(pair, logit, probability, rng.normal(size=8), rng.integers(1, 4, 8))
    removed = remove(question.sides[0], 0, DRAWS, rng)
    subject, motif = question.subject, MOTIFS[0]
    part = summarise(subject, 0, motif, removed, found, 6)
    row = part["row"]
    ones = [number for number in range(8) if subject.label[pair[number]] == 1]
    assert len(ones) == 4
    effect = [logit[0, number] - logit[1, number] for number in range(8)]
    expected = {
        "side": "enhancer", "motif": motif.identifier, "name": motif.name, "pairs": 4,
        "sites": len(removed.stretches), "left_out": 0, "effect": mean([effect[n] for n in ones]),
        "effect_negatives": mean([effect[n] for n in range(8) if n not in ones]),
        "effect_per_site": mean([found.apart[n] / found.sites[n] for n in ones]),
        "probability_change": mean([probability[0, n] - probability[1, n] for n in ones]),
        "redundancy": mean([effect[n] - found.apart[n] for n in ones]),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["low"] <= row["effect"] <= row["high"]
    without, control = subject.logit.astype(float), subject.logit.astype(float)
    for number, place in enumerate(pair.tolist()):
        without[place], control[place] = logit[0, number], logit[1, number]
    change = subject.auprc_change(control, without, 6)
    assert [row[f"auprc_{name}"] for name in ("change", "low", "high")] == [change.value, change.low, change.high]
    sums = [0.0] * subject.units
    for number in ones:
        sums[subject.clusters.cluster[pair[number]]] += effect[number]
    assert part["units"] == pytest.approx(sums)


def test_a_summary_of_no_pairs_is_unknown(question: Question) -> None:
    none = KnockedOut(np.empty(0, np.int64), np.empty((2, 0)), np.empty((2, 0)), np.empty(0), np.empty(0, np.int64))
    removed = remove(question.sides[0], 0, DRAWS, np.random.default_rng(0))
    row = summarise(question.subject, 0, MOTIFS[0], removed, none, 6)["row"]
    assert row["pairs"] == 0
    unknown = "effect", "low", "high", "effect_negatives", "redundancy", "auprc_change", "auprc_low", "auprc_high"
    assert all(np.isnan(row[name]) for name in unknown)


def test_p_and_q_are_over_all_rows_and_unknown_without_pairs(question: Question) -> None:
    units = [[1.0, 2.0, 3.0, 0.5], [0.0, 0.0, 0.0, 0.0], [-1.0, 2.0, 0.1, 0.1]]
    parts = [{"row": {"pairs": pairs, "x": 1}, "units": sums} for pairs, sums in zip((5, 0, 3), units, strict=True)]
    rows = with_p_values(parts, question.subject)
    p = sign_flip_p(np.array(units), np.random.default_rng(0))
    p[1] = NAN
    np.testing.assert_array_equal([row["p_value"] for row in rows], p)
    np.testing.assert_array_equal([row["q_value"] for row in rows], q_values(p))
    assert p[0] == 2 / 16 and rows[0]["x"] == 1


def test_rows_are_ranked_by_significance_then_by_effect() -> None:
    figures = [(0.2, -9.0), (0.01, 0.5), (NAN, NAN), (0.04, -2.0), (0.05, 1.0), (NAN, 3.0)]
    rows = [{"q_value": q, "effect": effect, "leads": effect != -2.0} for q, effect in figures]
    effects = [row["effect"] for row in sorted(rows, key=rank)]
    np.testing.assert_array_equal(effects, [0.5, -2.0, -9.0, 3.0, 1.0, NAN])


def test_the_usual_is_nearest_to_the_mean() -> None:
    assert usual({"a": 0, "b": 40, "c": 100, "d": 10}) == "b"


def test_all_motifs_in_both_sides_and_those_in_the_record_only_once(
    question: Question, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[int]()
    with Record(Run(folder / "out", force=True), {}) as record:
        rows = knock_out_all(question.motifs, record, told.append)
        assert len(record.path.read_bytes().splitlines()) == 1 + 2 * len(MOTIFS)
    assert told == [mutants(side, motif, DRAWS) for side in question.sides for motif in range(len(MOTIFS))]
    assert rows == sorted(rows, key=rank)
    assert all(list(row) != [] and {*COLUMNS, "leads"} == set(row) for row in rows)
    assert {(row["side"], row["motif"]) for row in rows} == {
        (side, motif.identifier) for side in ("enhancer", "promoter") for motif in MOTIFS
    }
    usable = sum(word == 0 for _, word, _ in PLACES) - 1  # two of them are in one stretch
    assert [row["sites"] for row in rows if row["motif"] == "MA0"] == [usable, usable]
    lines = record.path.read_bytes().splitlines(keepends=True)
    record.path.write_bytes(b"".join(lines[:4]) + b'["promoter 0", {"ro')
    computed, knock_out_one = list[int](), knockout.knock_out_one
    monkeypatch.setattr(
        knockout, "knock_out_one", lambda *rest: computed.append(rest[2]) or knock_out_one(*rest)  # type: ignore[func-returns-value]
    )  # fmt: skip
    with Record(Run(folder / "out", resume=True), {}) as record:
        again = knock_out_all(question.motifs, record, nothing)
    np.testing.assert_equal(again, rows)
    assert computed == [0, 1, 2]


def test_a_trial_tells_its_number_of_mutants(question: Question) -> None:
    found = trial(question.motifs)
    assert found in [mutants(side, motif, DRAWS) for side in question.sides for motif in range(len(MOTIFS))]


def test_a_motif_that_the_network_does_not_read_has_no_effect(question: Question, folder: Path) -> None:
    """No logit changes where the output layer is 0."""
    state = {name: values.clone() for name, values in question.checkpoint.state_dict.items()}
    state["output.weight"].zero_()
    model = replace(question.checkpoint, state_dict=state).model()
    scorer = PairScorer(model, question.dataset, question.subject.members, Device("cpu"))
    with Record(Run(folder / "out", force=True), {}) as record:
        rows = knock_out_all(replace(question.motifs, scorer=scorer), record, nothing)
    for row in rows:
        assert row["effect"] == 0 or not row["pairs"]
        assert not row["q_value"] < 1
        assert (row["family"], row["auprc_low"], row["auprc_high"]) == (None, 0, 0)

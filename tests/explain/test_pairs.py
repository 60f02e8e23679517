"""Sampled pairs with mutated windows, against the network called on each."""

from __future__ import annotations

import numpy as np
import pytest

from speid_cli.explain import pairs
from speid_cli.explain.pairs import Mutated, PairScorer
from speid_cli.scoring.perturbed import silence
from tests.explain import planted
from tests.explain.planted import Question
from tests.scoring.test_perturbed import in_float64


@pytest.fixture(params=[None, 1], ids=["all held", "one held"])
def scorer(request: pytest.FixtureRequest, question: Question) -> PairScorer:
    return planted.question(request.param).scorer if request.param else question.scorer


def test_the_cache_of_one_byte_holds_one_pair() -> None:
    assert planted.question(1).scorer._scorer.capacity == 1


@pytest.mark.parametrize("sides", [(0,), (1,), (0, 1)])
def test_mutants_are_those_of_the_network(
    question: Question, scorer: PairScorer, sides: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "_AT_A_TIME", 7)
    rng = np.random.default_rng(0)
    pair = rng.integers(0, planted.PAIRS, 60)
    given: list[Mutated | None] = [None, None]
    expected = [side.codes[side.of_pair[pair]] for side in scorer.sides]
    for side in sides:
        codes = rng.integers(0, 5, (9, scorer.sides[side].codes.shape[1]), dtype=np.uint8)
        given[side] = Mutated(codes, rng.integers(0, 9, len(pair)))
        expected[side] = codes[given[side].row]  # type: ignore[union-attr]
    found = scorer.logits(pair, *given)
    np.testing.assert_allclose(found, in_float64(question.checkpoint.model(), *expected), atol=1e-5)


def test_no_mutants(scorer: PairScorer) -> None:
    assert scorer.logits(np.empty(0, np.int64)).shape == (0,)


def test_pairs_without_a_kernel(question: Question, scorer: PairScorer) -> None:
    own = [side.codes[side.of_pair] for side in scorer.sides]
    for side in (0, 1):
        expected = [in_float64(silence(question.checkpoint.model(), side, kernel), *own) for kernel in (3, 0)]
        np.testing.assert_allclose(scorer.silenced(side, [3, 0]), expected, atol=1e-5)


def test_elements_are_those_of_the_sample_only(question: Question) -> None:
    members, dataset = np.array([30, 3, 13]), question.dataset
    scorer = PairScorer(question.checkpoint.model(), dataset, members, planted.Device("cpu"))
    for (_, elements, index), side in zip(dataset.sides, scorer.sides, strict=True):
        assert len(side.codes) == len(np.unique(index[members]))
        np.testing.assert_array_equal(side.codes[side.of_pair], elements.window_codes(index[members].tolist()))

"""The shared-element scorer, by both routes, against the network run pair by pair."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.model.device import Device
from speid_cli.model.native.library import KINDS, Kernels
from speid_cli.scoring.engine import Scorer
from tests import builders

WINDOWS = builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW


@pytest.fixture(params=["pytorch", *KINDS])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A CPU on each route, and on each kind of vector unit that it has."""
    device = Device("cpu")
    if request.param == "pytorch":
        device.kernels = None
    elif device.kernels is None:
        pytest.skip("the native kernels were not built")
    elif KINDS.index(request.param) < KINDS.index(device.kernels.kind):
        pytest.skip(f"this machine has no {request.param}")
    else:
        device.kernels = Kernels(2, request.param)
    yield device


def random_codes(*counts: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 5, (count, width), dtype=np.uint8) for count, width in zip(counts, WINDOWS, strict=True)]


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_sharing_elements_changes_no_logit(device: Device, batch_size: int) -> None:
    rng, (enhancers, promoters) = np.random.default_rng(0), random_codes(9, 6)
    left, right = rng.integers(0, 9, 250), rng.integers(0, 6, 250)
    model = builders.random_checkpoint().model()
    scorer = Scorer(model, device, batch_size)
    with torch.no_grad():
        one_by_one = [model(torch.from_numpy(enhancers[[e]]), torch.from_numpy(promoters[[p]])).item()
                      for e, p in zip(left, right, strict=True)]  # fmt: skip
    np.testing.assert_allclose(builders.score(scorer, enhancers, promoters, left, right), one_by_one, atol=1e-5)


def test_no_pairs_are_no_logits(device: Device) -> None:
    nothing = np.empty(0, np.int64)
    scorer = Scorer(builders.random_checkpoint().model(), device)
    assert builders.score(scorer, *random_codes(1, 1), nothing, nothing).shape == (0,)


def test_a_scorer_keeps_the_weights_that_it_was_made_of(device: Device) -> None:
    model, codes = builders.random_checkpoint().model().train(), random_codes(1, 1)
    scorer = Scorer(model, device)
    before = builders.score(scorer, *codes, [0], [0])
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.1)
    fresh = builders.score(Scorer(model, device), *codes, [0], [0])
    scorer.enhancers._cache.clear()
    assert builders.score(scorer, *codes, [0], [0]) == before != fresh
    assert model.training


def test_features_are_what_the_dense_layer_is_given(device: Device) -> None:
    codes, model = random_codes(3, 3), builders.random_checkpoint().model()
    left, right = np.array([0, 1, 2, 2]), np.array([2, 1, 0, 2])
    with torch.no_grad():
        expected = model.sequence_features(torch.from_numpy(codes[0][left]), torch.from_numpy(codes[1][right]))
    scorer = Scorer(model, device, 3, features=True)
    found = scorer.sequence_features(*builders.found(scorer, *codes, left, right))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_an_element_is_computed_once_while_the_cache_holds_it(device: Device) -> None:
    model, (enhancers, promoters) = builders.random_checkpoint().model(), random_codes(8, 8)
    read: list[int] = []

    def reading(rows: list[int]) -> NDArray[np.uint8]:
        read.extend(rows)
        return enhancers[rows]

    scorer = Scorer(model, device, cache_bytes=1)  # two elements of a side at least
    right = scorer.promoters.find([0], lambda rows: promoters[rows])
    whole = builders.score(Scorer(model, device), enhancers, promoters, range(8), [0] * 8)
    for wanted in ([3, 4], [4, 3], [4, 5], [4], [5, 3]):
        left = scorer.enhancers.find(wanted, reading)
        logits = scorer.logits(left, np.repeat(right, len(wanted)))
        np.testing.assert_allclose(logits, whole[wanted], atol=1e-6)
    assert read == [3, 4, 5, 3]


def test_an_element_that_could_not_be_read_is_not_taken_for_computed(device: Device) -> None:
    scorer, (enhancers, promoters) = Scorer(builders.random_checkpoint().model(), device), random_codes(2, 2)
    expected = builders.score(scorer, enhancers, promoters, [0, 1], [0, 1])
    scorer.enhancers._cache.clear()

    def fail(rows: list[int]) -> NDArray[np.uint8]:
        raise ValueError("no sequence")

    with pytest.raises(ValueError, match="no sequence"):
        scorer.enhancers.find([1, 0], fail)
    np.testing.assert_allclose(builders.score(scorer, enhancers, promoters, [0, 1], [0, 1]), expected, atol=1e-6)


def test_bf16_is_near() -> None:
    codes, model = random_codes(3, 3), builders.random_checkpoint().model()
    full, low = (
        builders.score(Scorer(model, Device("cpu", precision)), *codes, range(3), range(3))  # type: ignore[arg-type]
        for precision in ("fp32", "bf16")
    )
    np.testing.assert_allclose(full, low, atol=0.05)


def test_the_tests_run_natively_where_they_can() -> None:
    """A build that fails silently would leave the kernels untested."""
    if os.environ.get("SPEID_NATIVE") == "0" or not _compiler():
        pytest.skip("no compiler here, or PyTorch's kernels were asked for")
    assert Device("cpu").kernels is not None


def _compiler() -> bool:
    import shutil

    return any(shutil.which(name) for name in ("cc", "gcc", "clang"))


@pytest.mark.parametrize("native", ["1", "0"])
def test_a_score_does_not_depend_on_what_is_scored_beside_it(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit on the native kernels, to rounding on PyTorch's: all at once, in parts, or one by one."""
    monkeypatch.setenv("SPEID_NATIVE", native)
    device, model, rng = Device("cpu"), builders.random_checkpoint().model(), np.random.default_rng(0)
    enhancers, promoters = random_codes(40, 30)
    left, right = rng.integers(0, 40, 300), rng.integers(0, 30, 300)

    def score(parts: int) -> NDArray[np.float32]:
        scorer, found = Scorer(model, device), []
        for rows in np.array_split(np.arange(300), parts):
            sides = []
            for store, codes, side in ((scorer.enhancers, enhancers, left), (scorer.promoters, promoters, right)):
                used, index = np.unique(side[rows], return_inverse=True)
                sides.append(store.find(used.tolist(), lambda keys, codes=codes: codes[keys])[index])
            found.append(scorer.logits(*sides))
        return np.concatenate(found)

    whole = score(1)
    for parts in (2, 7, 300):
        np.testing.assert_allclose(score(parts), whole, rtol=0, atol=0 if device.kernels is not None else 1e-6)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60), st.sampled_from([None, 1, 7]))
def test_spans_hold_no_more_elements_than_slots(pairs: list[tuple[int, int]], most: int | None) -> None:
    scorer = Scorer(builders.random_checkpoint().model(), Device("cpu"), most_elements=(10, 6), cache_bytes=1)
    enhancers, promoters = ([pair[side] for pair in pairs] for side in (0, 1))
    spans = list(scorer.spans(enhancers, promoters, most))
    assert [pair for span in spans for pair in pairs[span]] == pairs
    for span in spans:
        assert 1 <= span.stop - span.start <= (most or 60)
        assert len(set(enhancers[span])) <= scorer.enhancers.slots == 2
        assert len(set(promoters[span])) <= scorer.promoters.slots == 2

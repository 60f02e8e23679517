"""The scorer on every backend against the network run pair by pair."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.scoring.scorer import ElementCache, PairSide, Scorer
from tests import builders

WINDOWS = builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW
Codes = NDArray[np.uint8]


def random_codes(*counts: int) -> list[Codes]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 5, (count, width), dtype=np.uint8) for count, width in zip(counts, WINDOWS, strict=True)]


def onehot(codes: Codes, rows: object) -> torch.Tensor:
    return expand(torch.from_numpy(codes[rows]))


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_sharing_elements_changes_no_logit(device: Device, batch_size: int) -> None:
    rng, codes = np.random.default_rng(0), random_codes(9, 6)
    left, right = rng.integers(0, 9, 250).tolist(), rng.integers(0, 6, 250).tolist()
    model = builders.random_checkpoint().model()
    with torch.no_grad():
        one_by_one = [model(onehot(codes[0], [e]), onehot(codes[1], [p])).item()
                      for e, p in zip(left, right, strict=True)]  # fmt: skip
    for cache_bytes in (1 << 20, 1):
        scorer = builders.scorer(model, device, codes, batch_size=batch_size, cache_bytes=cache_bytes)
        np.testing.assert_allclose(scorer.logits(left, right), one_by_one, atol=1e-5)


def test_no_pairs_are_no_logits(device: Device) -> None:
    scorer = builders.scorer(builders.random_checkpoint().model(), device, random_codes(1, 1))
    assert scorer.logits([], []).shape == (0,)


def test_a_scorer_keeps_the_weights_that_it_was_made_of(device: Device) -> None:
    model, codes = builders.random_checkpoint().model().train(), random_codes(1, 1)
    scorer = builders.scorer(model, device, codes)
    before = scorer.logits([0], [0])
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.1)
    scorer.enhancers.clear()
    assert scorer.logits([0], [0]) == before != builders.scorer(model, device, codes).logits([0], [0])
    assert model.training


def test_features_are_what_the_dense_layer_is_given(device: Device) -> None:
    codes, model = random_codes(3, 3), builders.random_checkpoint().model()
    left, right = [0, 1, 2, 2], [2, 1, 0, 2]
    with torch.no_grad():
        expected = model.sequence_features(onehot(codes[0], left), onehot(codes[1], right))
    scorer = builders.scorer(model, device, codes, batch_size=3, features=True)
    found = torch.cat(list(scorer.sequence_features(left, right))).cpu()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_an_element_is_computed_once_while_the_cache_holds_it(device: Device) -> None:
    model, (enhancers, promoters) = builders.random_checkpoint().model(), random_codes(8, 8)
    read: list[int] = []

    def reading(rows: list[int]) -> Codes:
        read.extend(rows)
        return enhancers[rows]

    scorer = Scorer(model, device, (reading, lambda rows: promoters[rows]), cache_bytes=1)  # two of a side at least
    whole = builders.scorer(model, device, (enhancers, promoters)).logits(range(8), [0] * 8)
    for wanted in ([3, 4], [4, 3], [4, 5], [4], [5, 3]):
        np.testing.assert_allclose(scorer.logits(wanted, [0] * len(wanted)), whole[wanted], atol=1e-6)
    assert read == [3, 4, 5, 3]


def test_an_element_that_could_not_be_read_is_not_taken_for_computed(device: Device) -> None:
    model, (enhancers, promoters), broken = builders.random_checkpoint().model(), random_codes(2, 2), [True]

    def reading(rows: list[int]) -> Codes:
        if broken:
            raise ValueError("no sequence")
        return enhancers[rows]

    scorer = Scorer(model, device, (reading, lambda rows: promoters[rows]))
    with pytest.raises(ValueError, match="no sequence"):
        scorer.logits([1, 0], [0, 1])
    broken.clear()
    expected = builders.scorer(model, device, (enhancers, promoters)).logits([0, 1], [0, 1])
    np.testing.assert_allclose(scorer.logits([0, 1], [0, 1]), expected, atol=1e-6)


def test_several_networks_read_each_element_once_and_share_the_memory(device: Device) -> None:
    models = [builders.random_checkpoint(seed=seed).model() for seed in range(3)]
    enhancers, promoters = random_codes(8, 5)
    read: list[int] = []

    def reading(rows: list[int]) -> Codes:
        read.extend(rows)
        return enhancers[rows]

    readers = reading, (lambda rows: promoters[rows])
    several = Scorer[int](models[0], device, readers, cache_bytes=10**6, others=models[1:])
    left, right = [0, 7, 0, 3, 3], [4, 0, 0, 2, 4]
    found = several.all_logits(PairSide.of(left), PairSide.of(right))
    assert found.shape == (3, 5) and read == [0, 7, 3]
    for row, model in zip(found, models, strict=True):
        alone = builders.scorer(model, device, (enhancers, promoters), cache_bytes=10**6)
        np.testing.assert_allclose(row, alone.logits(left, right), atol=1e-6)
        assert alone.enhancers.slots // 3 == several.enhancers.slots
    np.testing.assert_array_equal(several.logits(left, right), found[0])
    assert several.all_logits(PairSide.of([]), PairSide.of([])).shape == (3, 0)


def test_bf16_is_near() -> None:
    codes, model = random_codes(3, 3), builders.random_checkpoint().model()
    full, low = (
        builders.scorer(model, Device("cpu", precision), codes).logits(range(3), range(3))  # type: ignore[arg-type]
        for precision in ("fp32", "bf16")
    )
    np.testing.assert_allclose(full, low, atol=0.05)


def test_the_tests_run_natively_where_they_can() -> None:
    """A build that fails silently would leave the kernels untested."""
    if os.environ.get("SPEID_NATIVE") == "0" or not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no compiler here, or PyTorch's kernels were asked for")
    assert Device("cpu").kernels is not None


@pytest.mark.parametrize("native", ["1", "0"])
def test_a_score_does_not_depend_on_what_is_scored_beside_it(native: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit on the native kernels, to rounding on PyTorch's: all at once, in parts, or one by one."""
    monkeypatch.setenv("SPEID_NATIVE", native)
    device, model, rng = Device("cpu"), builders.random_checkpoint().model(), np.random.default_rng(0)
    codes, left, right = random_codes(40, 30), rng.integers(0, 40, 300), rng.integers(0, 30, 300)

    def score(parts: int) -> NDArray[np.float32]:
        scorer = builders.scorer(model, device, codes)
        rows = np.array_split(np.arange(300), parts)
        return np.concatenate([scorer.logits(left[some].tolist(), right[some].tolist()) for some in rows])

    whole = score(1)
    for parts in (2, 7, 300):
        np.testing.assert_allclose(score(parts), whole, rtol=0, atol=0 if device.kernels is not None else 1e-6)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=60))
def test_spans_hold_no_more_elements_than_slots(pairs: list[tuple[int, int]]) -> None:
    model, codes = builders.random_checkpoint().model(), random_codes(10, 6)
    scorer = builders.scorer(model, Device("cpu"), codes, most_elements=(10, 6), cache_bytes=1)
    enhancers, promoters = ([pair[side] for pair in pairs] for side in (0, 1))
    spans = list(scorer.spans(PairSide.of(enhancers), PairSide.of(promoters)))
    assert [pair for span in spans for pair in pairs[span]] == pairs
    for span in spans:
        assert 1 <= len(set(enhancers[span])) <= scorer.enhancers.slots == 2
        assert 1 <= len(set(promoters[span])) <= scorer.promoters.slots == 2


class Filled:
    """A backend that keeps the codes it is given."""

    def __init__(self) -> None:
        self.contents: dict[int, int] = {}

    def fill(self, side: int, slots: NDArray[np.int64], codes: Codes) -> None:
        self.contents |= dict(zip(slots.tolist(), codes.tolist(), strict=True))


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=30))
def test_a_slot_holds_what_was_last_filled_into_it(requests: list[list[int]]) -> None:
    backend, order, read = Filled(), list[int](), list[int]()

    def reading(keys: list[int]) -> Codes:
        read.extend(keys)
        return np.array(keys, np.uint8)

    cache = ElementCache([backend], 0, 4, reading)  # type: ignore[list-item]
    for keys in requests:
        read.clear()
        slots = cache.find(PairSide.of(keys)).tolist()
        different = list(dict.fromkeys(keys))
        new = [key for key in different if key not in order]
        assert read == new
        assert [backend.contents[slot] for slot in slots] == keys
        assert all(0 <= slot < 4 for slot in slots)
        order = ([key for key in order if key not in keys] + [key for key in different if key not in new] + new)[-4:]

"""The shared-element scorer against the network run pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speid_cli.model.device import Device
from speid_cli.scoring.engine import Scorer
from tests import builders


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_sharing_elements_changes_no_logit(batch_size: int) -> None:
    rng = np.random.default_rng(0)
    enhancers = rng.integers(0, 5, (9, builders.ENHANCER_WINDOW), dtype=np.uint8)
    promoters = rng.integers(0, 5, (6, builders.PROMOTER_WINDOW), dtype=np.uint8)
    left, right = rng.integers(0, 9, 50), rng.integers(0, 6, 50)
    model = builders.random_checkpoint().model()
    scorer = Scorer(model, Device("cpu"), batch_size)
    with torch.no_grad():
        one_by_one = [model(torch.from_numpy(enhancers[[e]]), torch.from_numpy(promoters[[p]])).item()
                      for e, p in zip(left, right, strict=True)]  # fmt: skip
    np.testing.assert_allclose(scorer.logits(enhancers, promoters, left, right), one_by_one, atol=1e-5)


def test_no_pairs_are_no_logits() -> None:
    scorer = Scorer(builders.random_checkpoint().model(), Device("cpu"))
    nothing = np.empty(0, np.int64)
    codes = [np.zeros((1, width), np.uint8) for width in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    assert scorer.logits(*codes, nothing, nothing).shape == (0,)


def test_a_scorer_keeps_the_weights_that_it_was_made_of() -> None:
    model = builders.random_checkpoint().model().train()
    codes = [np.zeros((1, width), np.uint8) for width in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    first = np.zeros(1, np.int64)
    scorer = Scorer(model, Device("cpu"))
    before = scorer.logits(*codes, first, first)
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.1)
    assert scorer.logits(*codes, first, first) == before != Scorer(model, Device("cpu")).logits(*codes, first, first)
    assert model.training


def test_features_are_what_the_dense_layer_is_given() -> None:
    rng = np.random.default_rng(1)
    codes = [rng.integers(0, 5, (3, w), dtype=np.uint8) for w in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    model = builders.random_checkpoint().model()
    left, right = np.array([0, 1, 2, 2]), np.array([2, 1, 0, 2])
    with torch.no_grad():
        branches = (model.enhancer_features(torch.from_numpy(codes[0][left])),
                    model.promoter_features(torch.from_numpy(codes[1][right])))  # fmt: skip
        expected = model.recur(*branches)
    found = Scorer(model, Device("cpu"), 3).sequence_features(*codes, left, right)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_bf16_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    codes = [rng.integers(0, 5, (3, w), dtype=np.uint8) for w in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    model, index = builders.random_checkpoint().model(), np.arange(3)
    full, low = (Scorer(model, Device("cpu", p)).logits(*codes, index, index) for p in ("fp32", "bf16"))  # type: ignore[arg-type]
    np.testing.assert_allclose(full, low, atol=0.05)

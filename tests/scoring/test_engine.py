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


def test_scoring_leaves_the_mode_as_it_was() -> None:
    model = builders.random_checkpoint().model().train()
    codes = [np.zeros((1, width), np.uint8) for width in (builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW)]
    Scorer(model, Device("cpu")).logits(*codes, np.zeros(3, np.int64), np.zeros(3, np.int64))
    assert model.training
    assert model.lstm.training

"""The rivals of the accuracy bench are networks that can learn."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.training.batches import PairWindows, Samples

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from rivals import RIVALS
from rivals.epivan import UNKNOWN, kmers
from rivals.training import logits_of, train


@pytest.mark.parametrize("name", RIVALS)
def test_each_learns_a_few_pairs_by_heart(dataset: PairDataset, name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = RIVALS[name]()
        windows = PairWindows(dataset, Device("cpu"))
        still = np.zeros(20, np.int64)
        codes = windows.windows(Samples(np.arange(20), still, still))
        label = (torch.arange(20) % 2).float()
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(60):
            loss = F.binary_cross_entropy_with_logits(model(*codes), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert loss < 0.3


@pytest.mark.parametrize("name", RIVALS)
def test_training_gives_logits_of_held_out_pairs(dataset: PairDataset, name: str) -> None:
    settings = TrainingConfig(copies=0, shift="all", learning_rate=1e-3)
    logits, epochs, auprc = train(RIVALS[name], dataset, settings, 0.2, seed=0)
    assert epochs > 0
    assert 0 < auprc <= 1
    assert logits.shape == (len(dataset),)
    assert (np.isfinite(logits) == (dataset.subset > 0)).all()


def test_kmers_are_numbered_and_unknown_ones_set_apart() -> None:
    codes = torch.tensor([[0, 1, 2, 3, 0, 1, 4, 0]], dtype=torch.uint8)
    first = sum(code * 4**place for place, code in enumerate([0, 1, 2, 3, 0, 1]))
    assert kmers(codes).tolist() == [[first, UNKNOWN, UNKNOWN]]


@pytest.mark.parametrize("name", RIVALS)
def test_elements_read_once_score_like_whole_pairs(dataset: PairDataset, name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, windows = RIVALS[name]().eval(), PairWindows(dataset, Device("cpu"))
    pairs, still = np.arange(len(dataset))[::-1], np.zeros(len(dataset), np.int64)
    with torch.no_grad():
        expected = model(*windows.windows(Samples(pairs, still, still))).numpy()
    assert logits_of(model, windows, pairs) == pytest.approx(expected, abs=1e-5)

"""From logits to probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from speid_cli.scoring.scale import PLAIN, Scale


def test_without_more_the_logits_are_averaged() -> None:
    found = PLAIN.probabilities(np.array([[0.0, 2.0], [1.0, -4.0]], np.float32))
    assert found == pytest.approx([1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(1))])


def test_each_network_has_its_own_log_odds() -> None:
    scale = Scale((lambda logits, distance: 2.0 * logits, lambda logits, distance: logits - 1.0))
    assert scale.probabilities(np.array([[3.0], [2.0]])) == pytest.approx([1 / (1 + math.exp(-3.5))])


def test_distances_outside_the_reach_are_counted() -> None:
    assert Scale((), (10.0, 20.0)).outside(np.array([9, 10, 15, 20, 21, 99])) == 3

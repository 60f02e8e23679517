"""Mutants on every backend against the network run on each of them in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from speid_cli.model.config import PRESETS, SpeidConfig
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer, silence
from tests import builders, plain

Codes = NDArray[np.uint8]
Mutate = Callable[[np.random.Generator, Codes], object]


def windows(count: int, config: SpeidConfig = builders.TINY) -> tuple[Codes, Codes]:
    """Random windows that begin outside a chromosome or have a run of N."""
    rng = np.random.default_rng(1)
    enhancers, promoters = (
        rng.integers(0, 4, (count, width), dtype=np.uint8) for width in (config.enhancer_window, config.promoter_window)
    )
    enhancers[::2, :40], promoters[1::2, -60:], promoters[:, 70:90] = 4, 4, 4
    return enhancers, promoters


def substitute(rng: np.random.Generator, codes: Codes) -> None:
    codes[rng.integers(0, len(codes))] = rng.integers(0, 5)


def replace_stretches(rng: np.random.Generator, codes: Codes) -> None:
    for start in rng.integers(0, len(codes) - 30, 2):
        codes[start : start + 30] = rng.integers(0, 4, 30)


def insert(rng: np.random.Generator, codes: Codes) -> None:
    start, length = rng.integers(0, len(codes) - 1), rng.integers(1, 9)
    codes[:] = np.insert(codes, start, rng.integers(0, 4, length))[: len(codes)]


def delete(rng: np.random.Generator, codes: Codes) -> None:
    start, length = rng.integers(1, len(codes) - 9), rng.integers(1, 9)
    codes[length : start + length] = codes[:start].copy()


def mutants(wild: Codes, pair: NDArray[np.int64], kinds: list[Mutate]) -> Codes:
    rng, found = np.random.default_rng(2), wild[pair]
    for number, codes in enumerate(found):
        kinds[number % len(kinds)](rng, codes)
    return found


def in_float64(model: Speid, enhancers: Codes, promoters: Codes) -> NDArray[np.float64]:
    """The network on each pair, in float64."""
    double = type(model).with_weights(model.config, model.state_dict()).double().cpu()
    with torch.no_grad():
        sides = [
            (torch.from_numpy(codes)[:, None] == torch.arange(4)[:, None]).double() for codes in (enhancers, promoters)
        ]
        return torch.cat([double(*part) for part in zip(*(side.split(16) for side in sides), strict=True)]).numpy()


@pytest.mark.parametrize("cache_bytes", [1, None])
def test_mutants_score_as_if_each_were_computed_afresh(device: Device, cache_bytes: int | None) -> None:
    model, wild = builders.random_checkpoint().model(), windows(4)
    scorer = PerturbedScorer(model, device, cache_bytes)
    assert scorer.capacity >= 1
    held = [codes[: min(4, scorer.capacity)] for codes in wild]
    np.testing.assert_allclose(scorer.hold(*held), in_float64(model, *held), atol=1e-5)
    pair = np.random.default_rng(3).integers(0, len(held[0]), 500)
    kinds = [substitute, replace_stretches, insert, delete]
    enhancers, promoters = (mutants(codes, pair, kinds) for codes in held)
    for given in ((enhancers, None), (None, promoters), (enhancers, promoters)):
        sides = [held[side][pair] if codes is None else codes for side, codes in enumerate(given)]
        np.testing.assert_allclose(scorer.logits(pair, *given), in_float64(model, *sides), atol=1e-5)


def test_every_substitution_of_a_window_matches_the_written_out_network(device: Device) -> None:
    checkpoint, wild = builders.random_checkpoint(), windows(1)
    scorer = PerturbedScorer(checkpoint.model(), device)
    scorer.hold(*wild)
    rng, config = np.random.default_rng(0), vars(checkpoint.config)
    for side in (0, 1):
        length = wild[side].shape[1]
        codes = np.repeat(wild[side], length, axis=0)
        codes[np.arange(length), np.arange(length)] = rng.integers(0, 4, length)
        given = (codes, None) if side == 0 else (None, codes)
        found = scorer.logits(np.zeros(length, np.int64), *given)
        for place in (0, 1, 5, 6, 7, length // 2, length - 18, length - 2, length - 1):
            onehot = [(row[place] if number == side else row[0]) == np.arange(4)[:, None]
                      for number, row in enumerate((codes, codes) if side == 0 else (wild[0], codes))]  # fmt: skip
            onehot[1 - side] = wild[1 - side][0] == np.arange(4)[:, None]
            expected = plain.logit(checkpoint.state_dict, config, *(1.0 * values for values in onehot))
            assert found[place] == pytest.approx(expected, abs=1e-5)


def test_a_mutant_like_the_wild_type_has_its_logit(device: Device) -> None:
    model, wild = builders.random_checkpoint().model(), windows(3)
    scorer = PerturbedScorer(model, device)
    logits = scorer.hold(*wild)
    np.testing.assert_allclose(scorer.logits(np.arange(3), *wild), logits, atol=1e-6)
    np.testing.assert_allclose(scorer.logits(np.array([2, 0])), logits[[2, 0]], atol=1e-6)
    assert scorer.logits(np.empty(0, np.int64)).shape == (0,)


def test_the_scorer_keeps_the_weights_that_it_was_made_of(device: Device) -> None:
    model, wild = builders.random_checkpoint().model(), windows(1)
    scorer = PerturbedScorer(model, device)
    before = scorer.hold(*wild)
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.1)
    assert scorer.hold(*wild) == before != PerturbedScorer(model, device).hold(*wild)


@pytest.mark.parametrize("side", [0, 1])
def test_without_a_kernel_the_network_scores_as_one_whose_kernel_is_its_mean(device: Device, side: int) -> None:
    model, wild = builders.trained_network(), windows(5)
    scorer = PerturbedScorer(model, device)
    whole = scorer.hold(*wild)
    found = scorer.silenced(side, [5, 0, 7])
    for row, kernel in zip(found, (5, 0, 7), strict=True):
        np.testing.assert_allclose(row, in_float64(silence(model, side, kernel), *wild), atol=1e-5)
        assert np.abs(row - whole).max() > 1e-3


@pytest.mark.parametrize("side", [0, 1])
def test_a_silenced_kernel_is_0_before_the_scale_of_the_norm(side: int) -> None:
    model, seen = builders.trained_network(), list[torch.Tensor]()
    copy = silence(model, side, 2)
    copy.feature_norm.register_forward_hook(lambda layer, given, out: seen.append(out))
    copy.logits_of_codes(*map(torch.from_numpy, windows(3)))
    by_step = seen[0].view(3, -1, model.config.n_kernels)[:, :, 2]
    sides = by_step[:, : model.config.enhancer_steps], by_step[:, model.config.enhancer_steps :]
    np.testing.assert_allclose(sides[side].detach(), float(model.feature_norm.bias[2].detach()), atol=1e-6)
    assert sides[1 - side].std() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_mutants_at_the_full_size(preset: str) -> None:
    """All kinds, on trained-like norms; the bench asks it of 1,000."""
    checkpoint = builders.random_checkpoint(PRESETS[preset].model)
    model, wild = checkpoint.model(), windows(2, checkpoint.config)
    scorer = PerturbedScorer(model, Device("cpu"))
    scorer.hold(*wild)
    pair = np.arange(40) % 2
    enhancers, promoters = (mutants(codes, pair, [substitute, replace_stretches, insert, delete]) for codes in wild)
    np.testing.assert_allclose(
        scorer.logits(pair, enhancers, promoters), in_float64(model, enhancers, promoters), atol=1e-5
    )
    np.testing.assert_allclose(scorer.logits(pair, enhancers), in_float64(model, enhancers, wild[1][pair]), atol=1e-5)

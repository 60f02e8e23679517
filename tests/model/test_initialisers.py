"""A start that reads a motif alike wherever it stands, and reads motifs first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from speid_cli.genome.motif_files import Motif
from speid_cli.model.initialisers import (
    MOTIFS_PER_UNIT,
    OTHER_KERNELS,
    RECURRENCE,
    init_lstm_from_motifs,
    init_position_invariant,
    initialise,
)
from speid_cli.model.motif_kernels import KernelInitialisers, place
from speid_cli.model.speid import Speid
from tests import builders

CONFIG = replace(builders.TINY, lstm_units=400)
CHANGED = {"lstm.bias_ih_l0", "lstm.bias_ih_l0_reverse", "dense.weight"}


def network(seed: int = 0) -> Speid:
    model = Speid(CONFIG)
    generator = torch.Generator().manual_seed(seed)
    initialise(model, generator)
    init_position_invariant(model, generator)
    return model


def test_a_new_network_reads_the_steps_of_a_side_in_any_order_but_not_the_sides() -> None:
    model, generator = network().eval(), torch.Generator().manual_seed(1)
    sequence = torch.randn(5, CONFIG.steps, 2 * CONFIG.lstm_units, generator=generator)
    border = CONFIG.enhancer_steps
    shuffled = torch.cat(
        [
            torch.randperm(border, generator=generator),
            border + torch.randperm(CONFIG.promoter_steps, generator=generator),
        ]
    )
    expected = model.classify(sequence)
    torch.testing.assert_close(model.classify(sequence[:, shuffled]), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model.classify(sequence.flip(1)), expected, rtol=1e-2)


def test_memories_are_of_all_lengths_up_to_the_sequence() -> None:
    units = CONFIG.lstm_units
    for bias in (network().lstm.bias_ih_l0, network().lstm.bias_ih_l0_reverse):
        enter, forget, cell, leave = bias.detach().split(units)
        lengths = torch.linspace(1, CONFIG.steps - 1, units)  # a share of 1 / (1 + length) fades a step
        torch.testing.assert_close(forget.exp().sort().values, lengths, rtol=0, atol=CONFIG.steps / 8)
        assert torch.equal(enter, -forget)
        assert not cell.any()
        assert not leave.any()


def test_the_rest_is_as_it_was_and_the_same_seed_gives_the_same() -> None:
    plain = Speid(CONFIG)
    initialise(plain, torch.Generator().manual_seed(0))
    once, again, other = network().state_dict(), network().state_dict(), network(1).state_dict()
    for name, values in plain.state_dict().items():
        assert torch.equal(values, once[name]) == (name not in CHANGED), name
        assert torch.equal(once[name], again[name])
    assert not any(torch.equal(once[name], other[name]) for name in CHANGED)


def placed(motifs: int) -> KernelInitialisers:
    return place([Motif(str(number), "", np.ones((4, 4)), "test") for number in range(motifs)], 11, 0.0, seed=0)


@pytest.mark.parametrize("motifs", [1, 2, 7, CONFIG.n_kernels])
def test_each_unit_reads_a_few_motifs_and_all_motifs_are_read(motifs: int) -> None:
    before, model = network(), network()
    init_lstm_from_motifs(model, placed(motifs), torch.Generator().manual_seed(2))
    for direction in ("", "_reverse"):
        old, new = (getattr(each.lstm, f"weight_ih_l0{direction}").detach() for each in (before, model))
        reads = new.view(4, CONFIG.lstm_units, CONFIG.n_kernels) != 0
        assert (reads == reads[0]).all()  # all gates of a unit
        assert set(reads[0].sum(1).tolist()) <= set(range(1, MOTIFS_PER_UNIT + 1))
        readers = reads[0].sum(0)
        assert not readers[motifs:].any()
        assert readers[:motifs].min() > 0.8 * readers.max()
        strength = (CONFIG.n_kernels / MOTIFS_PER_UNIT) ** 0.5
        torch.testing.assert_close(new[new != 0], (old * strength)[new != 0])
        old, new = (getattr(each.lstm, f"weight_hh_l0{direction}") for each in (before, model))
        torch.testing.assert_close(new, old * RECURRENCE)
    assert model.feature_norm.weight.tolist() == [1.0] * motifs + [pytest.approx(OTHER_KERNELS)] * (
        CONFIG.n_kernels - motifs
    )


def test_without_motifs_nothing_changes() -> None:
    model = network()
    init_lstm_from_motifs(model, placed(0), torch.Generator().manual_seed(2))
    for name, values in network().state_dict().items():
        assert torch.equal(values, model.state_dict()[name]), name

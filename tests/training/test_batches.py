"""Epochs: who comes how often, shifted by how much, and which bases that gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speid_cli.dataset.pairs import PairDataset
from speid_cli.model.config import TrainingConfig
from speid_cli.model.device import Device
from speid_cli.training.batches import PairWindows, Samples, epoch_samples
from tests import builders

SETTINGS = TrainingConfig(copies=4)


def test_positives_come_in_copies_and_negatives_once(dataset: PairDataset) -> None:
    members = dataset.members(0)
    samples = epoch_samples(dataset, members, SETTINGS, seed=0, epoch=1)
    times = np.bincount(samples.pair, minlength=len(dataset))
    assert (times[members] == np.where(dataset.label[members] == 1, 4, 1)).all()
    assert times.sum() == len(samples) == times[members].sum()


@pytest.mark.parametrize("shift", ["positives", "all", "none"])
def test_shifts_are_inside_each_element_s_range(dataset: PairDataset, shift: str) -> None:
    settings = replace(SETTINGS, shift=shift)
    seen: dict[tuple[str, int], set[int]] = {}
    for epoch in range(200):
        samples = epoch_samples(dataset, dataset.members(0), settings, seed=0, epoch=epoch)
        for side in ("enhancer", "promoter"):
            index = getattr(dataset, f"{side}_index")[samples.pair]
            shifts = getattr(samples, f"{side}_shift")
            lowest, highest = getattr(dataset, f"{side}s").shift[index].T
            assert ((lowest <= shifts) & (shifts <= highest)).all()
            moved = dataset.label[samples.pair] == 1 if shift == "positives" else np.full(len(index), shift == "all")
            assert (shifts[~moved] == 0).all()
            for element, value in zip(index[moved].tolist(), shifts[moved].tolist(), strict=True):
                seen.setdefault((side, element), set()).add(value)
    if shift == "none":
        assert not seen
        return
    ranges = {key: getattr(dataset, f"{key[0]}s").shift[key[1]].tolist() for key in seen}
    for key, (lowest, highest) in ranges.items():  # of 200 draws or more some are near each end
        width = highest - lowest
        assert min(seen[key]) <= lowest + width * 0.06
        assert max(seen[key]) >= highest - width * 0.06


def test_both_ends_of_a_range_are_drawn(dataset: PairDataset) -> None:
    elements = replace(dataset.enhancers, shift=np.full_like(dataset.enhancers.shift, (-2, 1)))
    narrow = builders.relabelled(dataset, enhancers=elements)
    samples = epoch_samples(narrow, dataset.members(0), replace(SETTINGS, shift="all"), seed=0, epoch=1)
    assert set(samples.enhancer_shift.tolist()) == {-2, -1, 0, 1}


def test_shifts_are_drawn_anew_each_epoch_unless_fixed(dataset: PairDataset) -> None:
    members = dataset.members(0)

    def drawn(epoch: int, fixed: bool, seed: int = 0) -> list[tuple[int, int, int]]:
        samples = epoch_samples(dataset, members, replace(SETTINGS, fixed_shifts=fixed), seed, epoch)
        return list(zip(samples.pair.tolist(), samples.enhancer_shift.tolist(), samples.promoter_shift.tolist(),
                        strict=True))  # fmt: skip

    assert drawn(1, False) == drawn(1, False) != drawn(1, False, seed=1)
    assert sorted(drawn(1, False)) != sorted(drawn(2, False))
    assert sorted(drawn(1, True)) == sorted(drawn(2, True))
    assert drawn(1, True) != drawn(2, True)


def test_batches_are_equal_and_none_is_alone() -> None:
    samples = Samples(*(np.arange(201) for _ in range(3)))
    sizes = [len(batch) for batch in samples.batches(100)]
    assert sizes == [67, 67, 67]
    assert np.concatenate([batch.pair for batch in samples.batches(100)]).tolist() == list(range(201))
    assert [len(batch) for batch in samples.batches(2)] == [3] + [2] * 99


def test_gathered_windows_are_the_shifted_stretches(dataset: PairDataset) -> None:
    windows = PairWindows(dataset, Device("cpu"))
    samples = epoch_samples(dataset, dataset.members(0), replace(SETTINGS, shift="all"), seed=0, epoch=1)
    gathered = windows.windows(samples)
    for codes, side in zip(gathered, ("enhancer", "promoter"), strict=True):
        elements = getattr(dataset, f"{side}s")
        stored = elements.codes()
        for row, pair, shift in zip(codes.numpy(), samples.pair, getattr(samples, f"{side}_shift"), strict=True):
            first = elements.margin + shift
            expected = stored[getattr(dataset, f"{side}_index")[pair], first : first + elements.window]
            np.testing.assert_array_equal(row, expected)
    assert windows.labels(samples).tolist() == dataset.label[samples.pair].tolist()


def test_no_number_of_copies_balances_the_classes(dataset: PairDataset) -> None:
    members = dataset.members(0)
    label = dataset.label[members]
    samples = epoch_samples(dataset, members, TrainingConfig(copies=0), seed=0, epoch=1)
    copies = round((label == 0).sum() / label.sum())
    assert dataset.label[samples.pair].sum() == copies * label.sum()
    assert (dataset.label[samples.pair] == 0).sum() == (label == 0).sum()

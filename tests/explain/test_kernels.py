"""The sites of each kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from speid_cli.dataset.pairs import TEST, Elements, PairDataset
from speid_cli.explain.kernels import Kernel, find_sites
from speid_cli.explain.matching import match_kernels
from speid_cli.genome.motif_files import read_jaspar_release
from speid_cli.genome.onehot import pack
from speid_cli.model.device import Device
from speid_cli.model.motif_kernels import place
from speid_cli.model.speid import Speid
from tests import builders

CPU = Device("cpu")


def plain_counts(model: Speid, branch: str, sequences: NDArray[np.uint8], kernel: int) -> tuple[NDArray[np.int64], int]:
    """Counts and sites of a kernel, position by position."""
    layer = model.get_submodule(f"{branch}_conv")
    weight, bias = layer.weight[kernel].detach().double().numpy(), float(layer.bias[kernel].detach())  # type: ignore[union-attr, operator, index, arg-type]
    length = weight.shape[1]

    def activation(bases: NDArray[np.uint8]) -> float:
        return max(0.0, bias + sum(weight[code, offset] for offset, code in enumerate(bases) if code < 4))

    strongest = []
    for sequence in sequences:
        places = range(len(sequence) - length + 1)
        strongest.append(max((activation(sequence[i : i + length]), -i) for i in places))
    limit = max(value for value, _ in strongest) / 2
    counts, sites = np.zeros((length, 4), np.int64), 0
    for sequence, (value, start) in zip(sequences, strongest, strict=True):
        if value > limit:
            sites += 1
            for offset, code in enumerate(sequence[-start : -start + length]):
                if code < 4:
                    counts[offset, code] += 1
    return counts, sites


def test_sites_are_those_of_a_plain_loop(dataset: PairDataset) -> None:
    model, members = builders.trained_network(), dataset.members(TEST)
    with torch.no_grad():
        model.promoter_conv.bias[3] = -100.0  # type: ignore[index]
    found = find_sites(model, dataset, members, CPU)
    assert [kernel.name for kernel in found[:2]] == ["enhancer_0", "enhancer_1"]
    for kernel in found:
        _, elements, index = dataset.sides[kernel.branch == "promoter"]
        sequences = elements.window_codes(np.unique(index[members]).tolist())
        counts, sites = plain_counts(model, kernel.branch, sequences, kernel.number)
        assert kernel.sites == sites
        np.testing.assert_array_equal(kernel.counts, counts)
    assert (found[8 + 3].sites, found[8 + 3].counts.sum()) == (0, 0)
    assert any((kernel.counts.sum(1) < kernel.sites).any() for kernel in found), "no site has an N"


def test_pieces_change_no_site(dataset: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model, members, read = builders.trained_network(), dataset.members(TEST), list[int]()
    whole = find_sites(model, dataset, members, CPU)
    monkeypatch.setattr("speid_cli.explain.kernels._PIECE", 1)
    one_by_one = find_sites(model, dataset, members, CPU, read.append)
    for kernel, other in zip(whole, one_by_one, strict=True):
        np.testing.assert_array_equal(kernel.counts, other.counts)
    assert sum(read) == sum(len(np.unique(index[members])) for _, _, index in dataset.sides)


def test_bits_and_ppm() -> None:
    kernel = Kernel("enhancer", 3, np.array([[4, 0, 0, 0], [1, 1, 1, 1], [2, 2, 0, 0], [0, 0, 0, 0]]), 4)
    assert kernel.bits == pytest.approx(2 + 0 + 1 + 0)
    np.testing.assert_allclose(kernel.ppm()[[0, 3]], [[1, 0, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(kernel.ppm(1)[0], [5 / 8, 1 / 8, 1 / 8, 1 / 8])


def side_of(sequences: NDArray[np.uint8], window: int) -> Elements:
    count = len(sequences)
    interval = np.arange(count)[:, None] * np.array([0, window, window]) + np.array([0, 0, window])
    return Elements(pack(sequences), window, window, np.zeros((count, 2), np.int16), interval)


def test_a_jaspar_matrix_in_a_kernel_is_found_in_its_branch_only() -> None:
    """Random windows with sites of CTCF in both branches; the matrix in one kernel of the promoter branch."""
    release = read_jaspar_release("2016", "CORE", ["vertebrates"])
    ctcf = next(item for item in release if item.name == "CTCF")
    config = replace(builders.TINY, kernel_length=25)
    model, rng, sides = builders.random_checkpoint(config).model(), np.random.default_rng(0), []
    for window in (config.enhancer_window, config.promoter_window):
        sequences = rng.integers(0, 4, (200, window), dtype=np.uint8)
        for row, start in zip(sequences[:60], rng.integers(0, window - ctcf.length, 60), strict=True):
            row[start : start + ctcf.length] = [rng.choice(4, p=column) for column in ctcf.ppm()]
        sides.append(side_of(sequences, window))
    kernels = place([ctcf], 25, 0.0, 0)
    with torch.no_grad():
        model.promoter_conv.weight[5] = torch.from_numpy(kernels.weight[0])
        model.promoter_conv.bias[5] = float(kernels.bias[0])  # type: ignore[index]
    index, none = np.arange(200, dtype=np.int32), np.zeros(200, np.int8)
    dataset = PairDataset(*sides, index, index, none, none, ("chr1",), {})
    found = match_kernels(find_sites(model, dataset, np.arange(200), CPU), release, 0)
    significant = [row for row, item in enumerate(found.kernels) if item and item.q_value < 0.01]
    assert significant == [8 + 5]
    best = found.kernels[8 + 5]
    assert best is not None and best.motif.identifier == ctcf.identifier
    assert not any(item and item.q_value < 0.01 for item in found.controls)

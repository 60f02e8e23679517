"""Motifs in kernels: where they stand, what stays as it was, and what they score."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from speid_cli.dataset.archive import write_archive
from speid_cli.errors import DataError
from speid_cli.genome.motif_files import COMPLEMENT, Motif
from speid_cli.genome.onehot import encode
from speid_cli.model.convolution import expand
from speid_cli.model.initialisers import initialise, place_motifs
from speid_cli.model.motif_kernels import KernelInitialisers, choose, fit, place
from speid_cli.model.speid import Speid
from tests import builders


def motif(identifier: str, length: int, seed: int = 0) -> Motif:
    return Motif(identifier, identifier.lower(), np.random.default_rng(seed).random((length, 4)) * 20, "test")


def network(seed: int = 0) -> Speid:
    model = Speid(builders.TINY)
    initialise(model, torch.Generator().manual_seed(seed))
    return model


def test_motifs_stand_in_both_branches_and_nothing_else_changes() -> None:
    motifs = [motif("A", 5, 1), motif("B", 11, 2), motif("C", 1, 3)]
    kernels = place(motifs, 11, 0.0, seed=4)
    before, after = network(), network()
    place_motifs(after, kernels)
    for side in ("enhancer_conv", "promoter_conv"):
        old, new = getattr(before, side), getattr(after, side)
        untouched = torch.ones_like(old.weight, dtype=torch.bool)
        for item, source in zip(kernels.placed, motifs, strict=True):
            columns = slice(item.offset, item.offset + item.length)
            untouched[item.kernel, :, columns] = False
            np.testing.assert_allclose(new.weight[item.kernel, :, columns].detach(), source.ppm().T - 0.25, atol=1e-6)
            assert -1 < new.bias[item.kernel] < 0
        assert torch.equal(new.weight[untouched], old.weight[untouched])
        assert torch.equal(new.bias[3:], old.bias[3:])
    assert torch.equal(after.enhancer_conv.bias[:3], after.promoter_conv.bias[:3])


def test_offsets_use_the_whole_room_and_no_more() -> None:
    kernels = place([motif("A", 8)] * 400, 11, 0.0, seed=0)
    assert {item.offset for item in kernels.placed} == {0, 1, 2, 3}
    assert [item.kernel for item in kernels.placed] == list(range(400))
    assert -1 <= kernels.bias.min() < -0.9 < -0.1 < kernels.bias.max() <= 0


def test_a_reverse_complement_scores_the_reverse_strand() -> None:
    forward = motif("A", 7, 5)
    kernels = place([forward, forward.reverse_complement()], 11, 0.5, seed=1)
    model = network()
    with torch.no_grad():
        model.enhancer_conv.weight.zero_()
        place_motifs(model, kernels)
        model.enhancer_conv.bias.zero_()
        codes = encode(builders.random_sequence(300, 7).encode())
        reverse = np.array([*COMPLEMENT, 4], np.uint8)[codes][::-1].copy()
        one, other = (model.enhancer_conv(expand(torch.from_numpy(c)[None]))[0] for c in (codes, reverse))
    offsets = [item.offset for item in kernels.placed]
    positions = 300 - 7 + 1
    for start in range(30, positions - 30):
        torch.testing.assert_close(one[0, start - offsets[0]], other[1, positions - 1 - start - offsets[1]])


def test_long_motifs_are_cut_to_their_middle() -> None:
    long, short = motif("L", 14), motif("S", 3)
    cut, same = fit([long, short], 11)
    np.testing.assert_array_equal(cut.matrix, long.matrix[1:12])
    assert same is short


def test_a_choice_keeps_the_order_and_pairs_strands() -> None:
    motifs = [motif(str(number), 4) for number in range(50)]
    assert choose(motifs, 50, both_strands=False, seed=0) == motifs
    chosen = choose(motifs, 21, both_strands=True, seed=0)
    assert [item.strand for item in chosen] == ["+", "-"] * 10
    names = [int(item.identifier) for item in chosen[::2]]
    assert names == sorted(names)
    assert chosen != choose(motifs, 21, both_strands=True, seed=1)


def test_the_file_brings_back_what_was_placed(folder: Path) -> None:
    kernels = place([motif("A", 5), motif("B", 11).reverse_complement()], 11, 0.0, seed=4)
    with open("k.npz", "wb") as stream:
        kernels.write(stream)
    again = KernelInitialisers.read("k.npz")
    assert (again.placed, again.kernel_length) == (kernels.placed, 11)
    for one, other in zip(kernels.weight, again.weight, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(kernels.bias, again.bias)
    assert again.records()[1] == {
        "identifier": "B", "name": "b", "kernel": 1, "offset": 0, "length": 11, "strand": "-", "source": "test",
    }  # fmt: skip


def test_motifs_that_do_not_fit_the_network_are_refused() -> None:
    with pytest.raises(DataError, match="motifs for kernels of 12 bp; expected 11 bp; run speid motifs"):
        place_motifs(network(), place([motif("A", 5)], 12, 0.0, 0))
    with pytest.raises(
        DataError, match="motifs for 9 kernels; expected at most 8, as many as the network has; run speid motifs"
    ):
        place_motifs(network(), place([motif("A", 5)] * 9, 11, 0.0, 0))


RECORD = {"identifier": "A", "name": "a", "kernel": 0, "offset": 2, "length": 5, "strand": "+", "source": "x"}


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([RECORD | {"offset": 9}], "is not inside a kernel of 11 bp"),
        ([RECORD | {"kernel": -1}], "is not inside a kernel of 11 bp"),
        ([RECORD | {"length": "5"}], "is not inside a kernel of 11 bp"),
        ([RECORD, RECORD], "motifs: 2 records for 1 kernels"),
        ([{"kernel": 0}], "motifs: no list of placed motifs"),
        ({"a": 1}, "motifs: no list of placed motifs"),
        (7, "motifs: no list of placed motifs"),
        ([RECORD | {"identifier": "x" * 9999}, {}], "motifs: no list of placed motifs"),
        ([RECORD | {"identifier": "x" * 9999, "length": 12}], "is not inside|motifs: PlacedMotif.identifier='x{170}"),
        ([RECORD | {"length": True}], "is not inside a kernel of 11 bp"),
        ([RECORD | {"source": ["x"] * 99}], "motifs: PlacedMotif"),
        ([RECORD | {"strand": {}}], "is not inside a kernel of 11 bp"),
    ],
)
def test_a_file_whose_records_lie_is_refused(folder: Path, records: Any, message: str) -> None:
    with open("k.npz", "wb") as stream:
        write_archive(stream, {"format_version": 1, "alphabet": "ATCG", "weight": np.zeros((1, 4, 11), np.float32), "bias": np.zeros(1, np.float32),
                               "motifs": json.dumps(records)})  # fmt: skip
    with pytest.raises(DataError, match=message):
        KernelInitialisers.read("k.npz")


def spoilt(**arrays: Any) -> str:
    sound = {"format_version": 1, "alphabet": "ATCG", "weight": np.zeros((1, 4, 11), np.float32), "bias": np.zeros(1, np.float32), "motifs": json.dumps([RECORD])}  # fmt: skip
    with open("k.npz", "wb") as stream:
        write_archive(stream, sound | arrays)
    return "k.npz"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weight", np.full((1, 4, 11), np.nan, np.float32), "kernels that are not finite numbers"),
        ("bias", np.full(1, np.inf, np.float32), "kernels that are not finite numbers"),
        ("bias", np.zeros(2, np.float32), r"bias is float32 \(2,\); expected float32 \(1\)"),
        ("weight", np.zeros((1, 4, 0), np.float32), "kernels of 0 bp; expected 1 to 1000000 bp"),
        ("weight", np.zeros((1, 4, 1_000_001), np.float32), "kernels of 1000001 bp; expected 1 to 1000000 bp"),
        (
            "weight",
            np.zeros((1, 3, 11), np.float32),
            r"weight is float32 \(1, 3, 11\); expected float32 \(any, 4, any\)",
        ),
        ("weight", np.zeros((1, 4, 11)), "weight is float64"),
        ("weight", np.zeros((1, 4, 11), np.complex64), "weight is complex64"),
        ("motifs", "[", "motifs: damaged"),
        ("motifs", "[" * 100_000, "motifs: damaged"),
        ("motifs", "[" * 60 + "]" * 60, "motifs holds values that are not plain JSON, or is nested too deeply"),
        ("alphabet", "x" * 9999, "alphabet 'x{39}; expected ATCG"),
    ],
)
def test_a_file_whose_arrays_lie_is_refused(folder: Path, name: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^k.npz: {message}"):
        KernelInitialisers.read(spoilt(**{name: value}))


def test_kernels_are_not_unpacked_before_their_records_fit(folder: Path) -> None:
    path = spoilt(weight=np.zeros((40, 4, 100_000), np.float32), bias=np.zeros(40, np.float32))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="motifs: 1 records for 40 kernels"):
            KernelInitialisers.read(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()

"""Dinucleotide shuffles: what they keep, and that no sequence is favoured."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from speid_cli.explain.shuffle import dinucleotide_shuffle
from speid_cli.genome.onehot import encode

SEQUENCES = st.integers(1, 40).flatmap(
    lambda length: st.lists(st.lists(st.integers(0, 4), min_size=length, max_size=length), min_size=1, max_size=5)
)


def dinucleotides(sequence: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(zip(sequence[:-1].tolist(), sequence[1:].tolist(), strict=True))


@given(SEQUENCES, st.integers(0, 1000))
def test_a_shuffle_keeps_dinucleotides_and_both_ends(sequences: list[list[int]], seed: int) -> None:
    codes = np.array(sequences, np.uint8)
    before = codes.copy()
    shuffled = dinucleotide_shuffle(codes, np.random.default_rng(seed))
    np.testing.assert_array_equal(codes, before)
    assert (shuffled.shape, shuffled.dtype) == (codes.shape, codes.dtype)
    for original, new in zip(codes, shuffled, strict=True):
        assert dinucleotides(original) == dinucleotides(new)
        assert (original[0], original[-1]) == (new[0], new[-1])


@pytest.mark.parametrize("sequence", [b"ACGATACAA", b"AACAGACC", b"CACANANCT", b"AACCAACGC"])
def test_all_sequences_with_the_same_dinucleotides_are_equally_likely(sequence: bytes) -> None:
    codes = encode(sequence)
    wanted = dinucleotides(codes)
    middles = set(permutations(codes[1:-1].tolist()))
    alike = {m for m in middles if dinucleotides(np.array([codes[0], *m, codes[-1]])) == wanted}
    drawn = dinucleotide_shuffle(np.tile(codes, (20_000, 1)), np.random.default_rng(0))
    found = Counter(tuple(row) for row in drawn[:, 1:-1].tolist())
    assert found.keys() == alike
    assert len(alike) > 2
    assert chisquare(list(found.values())).pvalue > 0.01


def test_long_runs_take_no_longer() -> None:
    codes = encode(b"A" * 1000 + b"N" * 1000 + b"C" * 1000 + b"G")[None]
    shuffled = dinucleotide_shuffle(codes, np.random.default_rng(0))
    np.testing.assert_array_equal(shuffled, codes)


def test_the_seed_decides() -> None:
    codes = np.random.default_rng(0).integers(0, 4, (3, 100)).astype(np.uint8)
    first, again, other = (dinucleotide_shuffle(codes, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != codes).any(axis=1).all()


def test_no_sequences() -> None:
    assert dinucleotide_shuffle(np.empty((0, 40), np.uint8), np.random.default_rng(0)).shape == (0, 40)

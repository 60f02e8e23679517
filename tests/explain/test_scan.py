"""Sites of motifs: the scanner beside plain loops, all words, and Biopython."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from Bio.motifs.matrix import FrequencyPositionMatrix, PositionSpecificScoringMatrix
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.explain.scan import BITS, PSEUDOCOUNT, Hits, Scanner, background_of, log_odds, threshold
from speid_cli.genome.motif_files import COMPLEMENT, Motif, read_jaspar_release
from speid_cli.genome.onehot import ALPHABET, encode

UNIFORM = np.full(4, 0.25)


def random_motif(rng: np.random.Generator, length: int) -> Motif:
    """Counts of some 20 sites, with sharp and flat positions."""
    return Motif("m", "m", rng.multinomial(20, rng.dirichlet(np.full(4, 0.3), length)).astype(float), "here")


def rows(hits: Hits) -> list[tuple[int, ...]]:
    return list(zip(*(part.tolist() for part in hits), strict=True))


def plain_hits(codes: np.ndarray, scores: np.ndarray, lowest: int) -> list[tuple[int, ...]]:
    found = []
    for number, sequence in enumerate(codes.tolist()):
        for start in range(len(sequence) - len(scores) + 1):
            site = sequence[start : start + len(scores)]
            if 4 in site:
                continue
            for strand, word in ((1, site), (-1, [COMPLEMENT[base] for base in site[::-1]])):
                score = sum(int(scores[column, base]) for column, base in enumerate(word))
                if score >= lowest:
                    found.append((number, start, strand, score))
    return found


@given(st.integers(0, 10_000), st.lists(st.integers(1, 25), min_size=1, max_size=3), st.sampled_from([1e-4, 0.01, 0.2]))
def test_sites_are_those_of_a_plain_loop(seed: int, lengths: list[int], p_value: float) -> None:
    rng = np.random.default_rng(seed)
    motifs = [random_motif(rng, length) for length in lengths]
    background = rng.dirichlet(np.full(4, 20.0))
    codes = rng.choice(5, (3, int(rng.integers(1, 120))), p=[0.24, 0.24, 0.24, 0.24, 0.04]).astype(np.uint8)
    for motif in motifs:  # a site of each, where there is room
        if motif.length <= codes.shape[1]:
            start = int(rng.integers(codes.shape[1] - motif.length, endpoint=True))
            codes[rng.integers(3), start : start + motif.length] = motif.matrix.argmax(axis=1)
    scanner = Scanner(motifs, background, p_value)
    found = list(scanner.scan(codes))
    for motif, lowest, hits in zip(motifs, scanner.thresholds, found, strict=True):
        assert rows(hits) == plain_hits(codes, log_odds(motif, background), lowest)
    (only,) = scanner.scan(codes, [len(motifs) - 1])
    assert rows(only) == rows(found[-1])


@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(0.001, 0.9))
def test_the_threshold_is_exact_over_all_words(seed: int, length: int, p_value: float) -> None:
    rng = np.random.default_rng(seed)
    background = rng.dirichlet(np.full(4, 20.0))
    scores = log_odds(random_motif(rng, length), background)
    words = np.array(list(product(range(4), repeat=length)))
    score, probability = scores[np.arange(length), words].sum(axis=1), background[words].prod(axis=1)
    lowest = threshold(scores, background, p_value)
    assert probability[score >= lowest].sum() <= p_value < probability[score >= lowest - 1].sum()


def test_a_motif_too_short_for_the_p_value_has_no_sites() -> None:
    short, long = (Motif(name, name, np.tile([20.0, 0, 0, 0], (len(name), 1)), "") for name in ("AAAAAA", "AAAAAAA"))
    scanner = Scanner([short, long], UNIFORM)
    assert scanner.unreachable == (short,)
    none, some = scanner.scan(encode(b"CAAAAAAAC")[None])
    assert rows(none) == []
    assert [row[:3] for row in rows(some)] == [(0, 1, 1)]
    assert Scanner([short], UNIFORM, p_value=0.001).unreachable == ()


def test_positions_are_those_of_the_forward_strand_on_both_strands() -> None:
    motif = Motif("m", "m", np.eye(4)[encode(b"AAACCCGG")] * 50, "")
    (hits,) = Scanner([motif], UNIFORM).scan(np.stack([encode(b"TTAAACCCGGNN"), encode(b"NTTCCGGGTTTA")]))
    assert [row[:3] for row in rows(hits)] == [(0, 2, 1), (1, 3, -1)]
    assert [part.dtype for part in hits] == [np.int64, np.int64, np.int8, np.int64]


@pytest.mark.parametrize("shape", [(0, 50), (2, 3), (2, 0)])
def test_nothing_to_find(shape: tuple[int, int]) -> None:
    motif = random_motif(np.random.default_rng(0), 12)
    (hits,) = Scanner([motif], UNIFORM).scan(np.zeros(shape, np.uint8))
    assert rows(hits) == []
    assert list(Scanner([], UNIFORM).scan(np.zeros(shape, np.uint8))) == []


def test_background_is_the_same_on_both_strands() -> None:
    np.testing.assert_allclose(background_of(encode(b"AAATCCNN")[None]), np.array([3, 3, 2, 2]) / 10)
    np.testing.assert_array_equal(background_of(encode(b"NNN")[None]), UNIFORM)


def by_letter(table: np.ndarray) -> dict[str, list[float]]:
    return {letter: table[:, ALPHABET.index(letter)].tolist() for letter in "ACGT"}


def jaspar() -> list[Motif]:
    pytest.importorskip("pyjaspar")
    return read_jaspar_release("2016", "CORE", ["vertebrates"])


def test_thresholds_are_biopython_s_within_its_rounding() -> None:
    background, precision = np.array([0.3, 0.3, 0.2, 0.2]), 1000
    for motif in [motif for motif in jaspar() if motif.length <= 11][::80]:
        weights = FrequencyPositionMatrix("ACGT", by_letter(motif.matrix)).normalize(PSEUDOCOUNT)
        shares = dict(zip(ALPHABET, background.tolist(), strict=True))
        distribution = weights.log_odds(shares).distribution(shares, precision=precision)
        rounding = motif.length * (distribution.step + 1 / BITS) / 2 + 1 / BITS
        lowest = threshold(log_odds(motif, background), background, 1e-3) / BITS
        assert lowest == pytest.approx(distribution.threshold_fpr(1e-3), abs=rounding + distribution.step)


def test_sites_are_biopython_s() -> None:
    motifs = jaspar()[::25]
    codes = np.random.default_rng(0).integers(0, 4, (1, 20_000)).astype(np.uint8)
    sequence = "".join(ALPHABET[base] for base in codes[0])
    scanner = Scanner(motifs, UNIFORM)
    total = 0
    for motif, lowest, hits in zip(motifs, scanner.thresholds, scanner.scan(codes), strict=True):
        pssm = PositionSpecificScoringMatrix("ACGT", by_letter(log_odds(motif, UNIFORM) / BITS))
        found = pssm.search(sequence, (lowest - 0.5) / BITS, both=True)
        sites = [(place % len(sequence), 1 if place >= 0 else -1, round(float(s) * BITS)) for place, s in found]
        assert sorted(sites) == sorted(row[1:] for row in rows(hits))
        total += len(sites)
    assert total > 50

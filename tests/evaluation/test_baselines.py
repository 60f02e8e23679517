"""Baselines: features against naive counts, and nothing learnt from other subsets."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TEST, TRAIN, PairDataset
from speid_cli.evaluation.baselines import BASELINES, baseline_logits, kmer_counts
from speid_cli.genome.intervals import distance_bp
from tests.builders import relabelled

LETTERS = "ATCGN"


def reverse_complement(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_kmer_counts_are_a_naive_loop_s(dataset: PairDataset, length: int) -> None:
    elements = dataset.enhancers
    kmers = [""]
    for _ in range(length):
        kmers = [kmer + letter for kmer in kmers for letter in "ATCG"]
    order = {kmer: number for number, kmer in enumerate(kmers)}
    columns = sorted(
        {min(kmer, reverse_complement(kmer), key=order.__getitem__) for kmer in kmers}, key=order.__getitem__
    )
    counts = kmer_counts(elements, length)
    assert counts.shape == (len(elements), len(columns))
    for row, codes in enumerate(elements.codes()):
        text = "".join(LETTERS[code] for code in codes[elements.margin : elements.margin + elements.window])
        found: Counter[str] = Counter()
        for start in range(len(text) - length + 1):
            kmer = text[start : start + length]
            if "N" not in kmer:
                found[min(kmer, reverse_complement(kmer), key=order.__getitem__)] += 1
        assert counts[row].tolist() == [found[column] for column in columns]


def test_distance_is_between_nearest_edges() -> None:
    assert distance_bp(100, 200, 350, 400) == distance_bp(350, 400, 100, 200) == 150
    assert distance_bp(100, 200, 200, 300) == distance_bp(100, 200, 150, 160) == 0


def learnable(dataset: PairDataset) -> PairDataset:
    """2,000 pairs of the data set's elements, labelled by the GC content of their promoter."""
    rng = np.random.default_rng(0)
    enhancer = rng.integers(0, len(dataset.enhancers), 2000).astype(np.int32)
    promoter = rng.integers(0, len(dataset.promoters), 2000).astype(np.int32)
    share = kmer_counts(dataset.promoters, 1)[:, 1]
    label = (share > np.median(share))[promoter].astype(np.int8)
    subset = rng.integers(0, 3, 2000).astype(np.int8)
    return relabelled(dataset, enhancer_index=enhancer, promoter_index=promoter, label=label, subset=subset)


def test_each_learns_what_it_can_see(dataset: PairDataset) -> None:
    pairs = learnable(dataset)
    test = pairs.members(TEST)
    logits = {name: found for name, (found,) in baseline_logits([pairs], 0, BASELINES)}
    assert list(logits) == list(BASELINES)
    scores = {name: average_precision_score(pairs.label[test], values[test]) for name, values in logits.items()}
    assert scores["GC content"] > 0.99
    assert scores["element names"] > 0.99
    assert scores["5-mer counts"] > 0.9
    assert sigmoid(logits["base rate"]) == pytest.approx(pairs.label[pairs.members(TRAIN)].mean())


@pytest.mark.parametrize("name", BASELINES)
def test_labels_outside_the_training_subset_change_nothing(dataset: PairDataset, name: str) -> None:
    pairs = learnable(dataset)
    hidden = np.where(pairs.subset == TRAIN, pairs.label, 1 - pairs.label).astype(np.int8)
    ((_, (first,)),) = baseline_logits([pairs], 0, {name: BASELINES[name]})
    ((_, (second,)),) = baseline_logits([relabelled(pairs, label=hidden)], 0, {name: BASELINES[name]})
    assert (first == second).all()

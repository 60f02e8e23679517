"""Folds: every pair is tested once, on sequence that its fold alone has."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.dataset.folds import NO_FOLD, fold_of_pairs
from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from tests import builders
from tests.dataset.test_blocks import WINDOW, random_pairs


def labels(count: int) -> NDArray[np.int8]:
    return np.array([number % 5 == 0 for number in range(count)], np.int8)


def test_random_folds_have_equal_sizes_and_change_with_the_seed() -> None:
    enhancers, promoters = random_pairs(101, 3, 0)
    first, second = (fold_of_pairs("random", 4, enhancers, promoters, labels(101), WINDOW, seed) for seed in (0, 1))
    assert sorted(np.bincount(first).tolist()) == [0, 25, 25, 25, 26]
    assert (first != second).any()


@given(st.integers(3, 5), st.integers(1, 3), st.integers(0, 10_000))
def test_blocks_follow_one_another_two_windows_apart(count: int, chromosomes: int, seed: int) -> None:
    enhancers, promoters = random_pairs(400, chromosomes, seed)
    fold = fold_of_pairs("block", count, enhancers, promoters, labels(400), WINDOW, seed)
    assert set(fold.tolist()) - {NO_FOLD} == set(range(1, count + 1))
    placed = sorted(
        (chrom, start, end, number)
        for side in (enhancers, promoters)
        for (chrom, start, end), number in zip(side.tolist(), fold.tolist(), strict=True)
        if number != NO_FOLD
    )
    assert [place[3] for place in placed] == sorted(place[3] for place in placed)
    farthest: dict[tuple[int, int], int] = {}
    for chrom, start, end, number in placed:
        others = [last for (where, other), last in farthest.items() if where == chrom and other != number]
        assert all(start - last >= 2 * WINDOW for last in others)
        farthest[chrom, number] = max(end, farthest.get((chrom, number), 0))


def test_borders_divide_few_pairs() -> None:
    """Clusters of pairs that a border at an equal share of the pairs would divide."""
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(8), 50)
    start = cluster * 1_000_000 + rng.integers(0, 100_000, 400)
    enhancers = np.stack([0 * start, start, start + 100], axis=1)
    fold = fold_of_pairs("block", 3, enhancers, enhancers + [0, 300_000, 300_000], labels(400), WINDOW, 0)
    assert (fold != NO_FOLD).all()
    assert all(len(np.unique(fold[cluster == number])) == 1 for number in range(8))


@given(st.integers(3, 4), st.integers(0, 10_000))
def test_chromosomes_are_whole_and_no_exchange_makes_folds_more_equal(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chromosomes = int(rng.integers(count, 9))
    chrom = np.concatenate([np.arange(chromosomes), rng.integers(0, chromosomes, 300) // 2])
    enhancers = np.stack([chrom, chrom * 0 + 100, chrom * 0 + 200], axis=1)
    label = (rng.random(len(chrom)) < 0.2).astype(np.int8)
    fold = fold_of_pairs("chrom", count, enhancers, enhancers, label, WINDOW, seed)
    of_chrom = {number: set(fold[chrom == number].tolist()) for number in range(chromosomes)}
    assert all(len(found) == 1 for found in of_chrom.values())

    def squares(place: dict[int, int]) -> float:
        folds = np.array([place[number] for number in chrom.tolist()])
        shares = [
            np.bincount(folds, weight, minlength=count + 1) / max(weight.sum(), 1) for weight in (label >= 0, label)
        ]
        return float(sum((share**2).sum() for share in shares))

    found = {number: folds.pop() for number, folds in of_chrom.items()}
    least = squares(found)
    for first, second in combinations(found, 2):
        assert squares(found | {first: found[second], second: found[first]}) > least - 1e-9
    for number in found:
        for other in range(1, count + 1):
            assert squares(found | {number: other}) > least - 1e-9


def test_pairs_between_folds_are_dropped() -> None:
    enhancers = np.array([[number % 4, 100, 200] for number in range(40)])
    promoters = enhancers.copy()
    promoters[0, 0] = 1
    fold = fold_of_pairs("chrom", 4, enhancers, promoters, labels(40), WINDOW, 0)
    assert fold[0] == NO_FOLD and (fold[1:] != NO_FOLD).all()


def test_too_few_chromosomes_or_pairs_for_the_folds() -> None:
    enhancers = np.array([[number % 2, 100, 200] for number in range(40)])
    with pytest.raises(DataError, match="pairs within 2 chromosomes only; expected 3 or more for --split chrom --folds 3; "
                       "use fewer --folds, or --split block, which divides chromosomes"):  # fmt: skip
        fold_of_pairs("chrom", 3, enhancers, enhancers, labels(40), WINDOW, 0)
    with pytest.raises(DataError, match="no pair lies wholly in fold 2 of 3; use fewer --folds"):
        fold_of_pairs("block", 3, enhancers, enhancers, labels(40), WINDOW, 0)
    with pytest.raises(DataError, match="no pair lies wholly in fold 3 of 3"):
        fold_of_pairs("random", 3, enhancers[:2], enhancers[:2], labels(2), WINDOW, 0)


@pytest.fixture
def folded(dataset: PairDataset) -> PairDataset:
    return replace(dataset, fold=(np.arange(len(dataset)) % 4 + 1).astype(np.int8))


def test_a_fold_is_tested_the_next_validates_the_others_train(folded: PairDataset) -> None:
    assert folded.folds == 4 and len(folded.divisions) == 4
    assert folded.for_fold(2).subset[:5].tolist() == [0, 2, 1, 0, 0]
    assert folded.for_fold(4).subset[:5].tolist() == [1, 0, 0, 2, 1]
    assert folded.for_fold(3).metadata["fold"] == {"number": 3, "count": 4, "data": folded.digest}
    with pytest.raises(DataError, match="no fold 5: it has 4 folds"):
        folded.for_fold(5)


def test_a_data_set_without_folds_has_one_division(dataset: PairDataset) -> None:
    assert dataset.folds == 0 and dataset.divisions == (dataset,)
    with pytest.raises(DataError, match="no fold 1: it has 0 folds; speid prepare --folds K makes them"):
        dataset.for_fold(1)


def test_folds_are_stored(folded: PairDataset) -> None:
    with open("folded.npz", "wb") as stream:
        folded.write(stream)
    read = PairDataset.read("folded.npz")
    assert read.fold is not None and folded.fold is not None
    assert (read.fold == folded.fold).all() and read.digest == folded.digest
    assert replace(folded, fold=None).digest != folded.digest
    with open("folded.npz", "wb") as stream:
        replace(folded, fold=folded.fold - np.int8(1)).write(stream)
    with pytest.raises(DataError, match="folded.npz: fold holds values outside 1..100"):
        PairDataset.read("folded.npz")


def test_leaks_of_folds_are_those_of_each_together(folded: PairDataset) -> None:
    one_by_one = [leak_report([part])["test pairs"] for part in folded.divisions]
    together = leak_report(folded.divisions)["test pairs"]
    assert together == {name: sum(found[name] for found in one_by_one) for name in together}
    assert together["pairs"] == len(folded)


def test_names_that_no_fold_has_seen_rank_no_better_or_worse_than_chance(folded: PairDataset) -> None:
    rows = np.arange(len(folded)) % len(folded.promoters)
    apart = replace(
        folded,
        enhancer_index=rows.astype(np.int32),
        promoter_index=rows.astype(np.int32),
        fold=(rows % 4 + 1).astype(np.int8),
    )
    names = leak_report(apart.divisions)["element names"]
    assert names["auroc"] == 0.5 and names["auprc"] == pytest.approx(names["base rate"], abs=1e-6)


def test_real_folds_by_chromosome_have_a_tenth_of_pairs_and_of_positives() -> None:
    path = builders.shared_data() / "targetfinder.GM12878.hg19.bedpe.gz"
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    names = sorted({row[0] for row in rows})
    sides = [np.array([(names.index(row[at]), int(row[at + 1]), int(row[at + 2])) for row in rows]) for at in (0, 3)]
    label = np.array([int(row[10]) for row in rows], np.int8)
    for method in ("chrom", "block"):
        fold = fold_of_pairs(method, 10, sides[0], sides[1], label, 3000, 0)
        assert (fold != NO_FOLD).all()
        for weight in (np.ones(len(label)), label):
            shares = np.bincount(fold, weight)[1:] / weight.sum()
            assert shares.min() > 0.07 and shares.max() < 0.13

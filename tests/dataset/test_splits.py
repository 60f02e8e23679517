"""Splits: who trains, who tests."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.dataset.blocks import DROPPED
from speid_cli.dataset.splits import SplitSettings, split
from speid_cli.errors import DataError, OptionError

NAMES = tuple(f"chr{number}" for number in range(1, 9))


def divided(settings: SplitSettings, enhancer: list[int], promoter: list[int] | None = None, label=None):  # type: ignore[no-untyped-def]
    enhancer_chrom = np.array(enhancer)
    promoter_chrom = enhancer_chrom if promoter is None else np.array(promoter)
    labels = np.array(label if label is not None else [i % 2 for i in range(len(enhancer))], np.int8)
    return split(settings, anywhere(enhancer_chrom), anywhere(promoter_chrom), labels, NAMES, window=100)


def anywhere(chrom: NDArray[np.int64]) -> NDArray[np.int64]:
    """Elements at the same place of chromosomes."""
    return np.stack([chrom, np.full_like(chrom, 5000), np.full_like(chrom, 5100)], axis=1)


def test_none_trains_on_everything_and_test_tests_on_it() -> None:
    assert divided(SplitSettings("none"), [0, 1, 2]).tolist() == [0, 0, 0]
    assert divided(SplitSettings("test"), [0, 1, 2]).tolist() == [2, 2, 2]


def test_two_chromosomes_are_enough_without_validation() -> None:
    subset = divided(SplitSettings("chrom", validation_fraction=0), [0] * 9 + [1])
    assert subset.tolist() == [0] * 9 + [2]


def test_a_random_subset_without_pairs_is_an_error() -> None:
    with pytest.raises(DataError, match="no pair lies wholly in the validation subset; expected at least one; choose"):
        divided(SplitSettings("random"), [0] * 4)
    assert divided(SplitSettings("random", test_fraction=0, validation_fraction=0), [0] * 4).tolist() == [0] * 4


def test_random_takes_its_fractions_of_the_pairs_and_its_seed() -> None:
    first = divided(SplitSettings("random", seed=1), [0] * 1000)
    assert np.bincount(first).tolist() == [800, 100, 100]
    assert (first == divided(SplitSettings("random", seed=1), [0] * 1000)).all()
    assert (first != divided(SplitSettings("random", seed=2), [0] * 1000)).any()


@given(st.lists(st.integers(0, 7), min_size=30, max_size=200), st.floats(0.05, 0.3))
def test_chrom_holds_out_whole_chromosomes(chroms: list[int], fraction: float) -> None:
    if len(set(chroms)) < 3:
        return
    subset = divided(SplitSettings("chrom", fraction, fraction), chroms)
    assert set(subset) == {0, 1, 2}
    for chrom in set(chroms):
        assert len(set(subset[np.array(chroms) == chrom])) == 1


def test_chrom_comes_as_near_the_fractions_as_any_choice() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.integers(5, 100, 8)
        chroms = np.repeat(np.arange(8), sizes)
        label = (rng.random(len(chroms)) < 0.3).astype(np.int8)
        subset = divided(SplitSettings("chrom", 0.2, 0.0), chroms.tolist(), label=label)

        def distance(chosen: tuple[int, ...], chroms=chroms, label=label) -> float:  # type: ignore[no-untyped-def]
            held = np.isin(chroms, chosen)
            return abs(held.mean() - 0.2) + abs(label[held].sum() / label.sum() - 0.2)

        best = min(distance(chosen) for size in range(1, 8) for chosen in combinations(range(8), size))
        got = distance(tuple(set(chroms[subset == 2])))
        assert got <= best + 0.01


def test_ties_go_to_the_first_name() -> None:
    subset = divided(SplitSettings("chrom"), [3, 1, 2, 0] * 10, label=[0] * 20 + [1] * 20)
    assert set(np.flatnonzero(subset == 2) % 4) == {3}  # chr1
    assert set(np.flatnonzero(subset == 1) % 4) == {1}  # chr2


def test_named_chromosomes_are_taken() -> None:
    settings = SplitSettings("chrom", test_chroms=("chr3", "chr4"), validation_chroms=("chr1",))
    assert divided(settings, [0, 1, 2, 3]).tolist() == [1, 0, 2, 2]


def test_pairs_across_subsets_are_dropped() -> None:
    settings = SplitSettings("chrom", test_chroms=("chr3",), validation_chroms=("chr1",))
    subset = divided(settings, [0, 1, 2, 0, 1, 1], [0, 1, 2, 2, 1, 0])
    assert subset.tolist() == [1, 0, 2, DROPPED, 0, DROPPED]


@pytest.mark.parametrize("sizes", [(9000, 500, 500), (500, 9000, 500), (1, 1, 1)])
def test_three_chromosomes_always_make_three_subsets(sizes: tuple[int, ...]) -> None:
    subset = divided(SplitSettings("chrom"), np.repeat(np.arange(3), sizes).tolist())
    assert set(subset) == {0, 1, 2}


def test_a_chromosome_without_pairs_cannot_be_held_out() -> None:
    with pytest.raises(OptionError, match="no pair lies on 'chrX', which is to be held out; there are chr1, chr2"):
        divided(SplitSettings(test_chroms=("chrX",)), [0, 1, 2])


@pytest.mark.parametrize(
    ("settings", "chroms", "message"),
    [
        (
            SplitSettings(),
            [0, 1],
            "pairs within 2 chromosomes only; expected 3 or more for --split chrom; use --split block, "
            "which divides each chromosome, or --split test, to test a trained model on all",
        ),
        (
            SplitSettings(test_chroms=("chr1",), validation_fraction=0),
            [0, 0],
            "no chromosome is left to train on; hold out fewer chromosomes, or use --split test",
        ),
        (
            SplitSettings(test_chroms=("chr1", "chr2"), validation_chroms=("chr3",)),
            [0, 1, 2],
            "no chromosome is left to train on; hold out fewer chromosomes, or use --split test, to test a trained model",
        ),
    ],
)
def test_splits_that_cannot_be(settings: SplitSettings, chroms: list[int], message: str) -> None:
    with pytest.raises(DataError) as caught:
        divided(settings, chroms)
    assert str(caught.value).startswith(message)


def test_pairs_between_chromosomes_do_not_count_for_the_choice() -> None:
    within = [0] * 60 + [1] * 20 + [2] * 20
    enhancer, promoter = within + [3] * 500, within + [0] * 500
    subset = divided(SplitSettings("chrom", 0.2, 0.2), enhancer, promoter)
    assert np.bincount(subset[:100]).tolist() == [60, 20, 20]


def test_a_subset_that_loses_all_its_pairs_is_an_error() -> None:
    settings = SplitSettings("chrom", test_chroms=("chr4",), validation_chroms=("chr2",))
    with pytest.raises(
        DataError, match="no pair lies wholly in the test subset; expected at least one; choose the chr"
    ):
        divided(settings, [0, 1, 2, 3], [0, 1, 2, 0])

"""The split by blocks: borders that nothing crosses."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speid_cli.dataset.blocks import DROPPED
from speid_cli.dataset.splits import SplitSettings, split
from speid_cli.errors import DataError
from tests import builders

WINDOW = 300
NAMES = ("chr1", "chr2", "chr3")


def random_pairs(count: int, chromosomes: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Elements of up to 700 bp, most pairs within a chromosome and closer than 20 kb."""
    rng = np.random.default_rng(seed)
    chrom = rng.integers(0, chromosomes, count)
    start = rng.integers(0, 1_000_000, count)
    enhancer = np.stack([chrom, start, start + rng.integers(1, 700, count)], axis=1)
    other = np.where(rng.random(count) < 0.05, rng.integers(0, chromosomes, count), chrom)
    start = np.abs(start + rng.integers(-20_000, 20_000, count))
    return enhancer, np.stack([other, start, start + rng.integers(1, 700, count)], axis=1)


def blocks(
    enhancers: NDArray[np.int64], promoters: NDArray[np.int64], seed: int = 0, **fractions: float
) -> NDArray[np.int8]:
    label = np.array([number % 5 == 0 for number in range(len(enhancers))], np.int8)
    return split(SplitSettings("block", seed=seed, **fractions), enhancers, promoters, label, NAMES, WINDOW)


@given(st.integers(1, 3), st.integers(0, 10_000))
def test_elements_of_different_subsets_are_two_windows_apart_on_a_line(chromosomes: int, seed: int) -> None:
    enhancers, promoters = random_pairs(400, chromosomes, seed)
    subset = blocks(enhancers, promoters, seed)
    for chrom in range(chromosomes):
        kept = [(start, end, part) for side in (enhancers, promoters) for (place, start, end), part in
                zip(side.tolist(), subset, strict=True) if place == chrom and part != DROPPED]  # fmt: skip
        farthest: dict[int, int] = {}
        for start, end, part in sorted(kept):
            assert all(start - other >= 2 * WINDOW for name, other in farthest.items() if name != part)
            farthest[part] = max(end, farthest.get(part, 0))


def test_fractions_are_met_by_what_is_left_whole() -> None:
    enhancers, promoters = random_pairs(4000, 3, seed=1)
    subset = blocks(enhancers, promoters, test_fraction=0.2, validation_fraction=0.1)
    within = (enhancers[:, 0] == promoters[:, 0]).sum()
    assert abs((subset == 2).sum() / within - 0.2) < 0.03
    assert abs((subset == 1).sum() / within - 0.1) < 0.02
    assert 0 < (subset == DROPPED).sum() < 600


def test_blocks_change_with_the_seed_alone() -> None:
    enhancers, promoters = random_pairs(4000, 1, seed=2)
    assert len({float(enhancers[blocks(enhancers, promoters, seed) == 2, 1].mean()) for seed in range(8)}) > 4
    assert (blocks(enhancers, promoters) == blocks(enhancers, promoters)).all()


def test_without_fractions_all_pairs_train() -> None:
    enhancers, promoters = random_pairs(50, 3, seed=3)
    subset = blocks(enhancers, promoters, test_fraction=0.0, validation_fraction=0.0)
    assert (subset == 0).all()


def test_pairs_as_long_as_the_chromosome_cannot_be_divided() -> None:
    enhancers = np.array([[0, 1000 + i, 1100 + i] for i in range(20)])
    with pytest.raises(
        DataError, match="no pair lies wholly in the train subset; expected at least one; choose other fractions"
    ):
        blocks(enhancers, enhancers + [0, 500_000, 500_000], test_fraction=0.4, validation_fraction=0.4)


def test_a_side_on_another_chromosome_s_block_drops_the_pair() -> None:
    enhancers, promoters = random_pairs(2000, 2, seed=4)
    subset, own = blocks(enhancers, promoters), blocks(promoters, enhancers)
    between = enhancers[:, 0] != promoters[:, 0]
    assert (subset == own).all()
    assert 0 < (subset[between] == DROPPED).sum() < between.sum()


def test_a_held_out_subset_that_is_left_empty_is_an_error() -> None:
    enhancers = np.array([[0, 1000 + 5000 * i, 1100 + 5000 * i] for i in range(4)])
    with pytest.raises(DataError, match="no pair lies wholly in the validation subset"):
        blocks(enhancers, enhancers, test_fraction=0.3)


@pytest.mark.parametrize("cell", ["GM12878", "HUVEC", "K562", "HeLa-S3", "IMR90", "NHEK"])
def test_every_subset_of_real_chr22_has_its_share_of_positives(cell: str) -> None:
    text = gzip.decompress((builders.shared_data() / f"targetfinder.{cell}.chr22.hg38.bedpe.gz").read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    enhancers, promoters = (np.array([(0, int(row[i + 1]), int(row[i + 2])) for row in rows]) for i in (0, 3))
    label = np.array([row[10] == "1" for row in rows], np.int8)
    for seed in range(5):
        subset = split(SplitSettings("block", seed=seed), enhancers, promoters, label, ("chr22",), 3000)
        for part in (1, 2):
            assert label[subset == part].any()
            assert (subset == part).mean() == pytest.approx(0.1, abs=0.06)
        assert label[subset == 0].sum() >= label.sum() / 2

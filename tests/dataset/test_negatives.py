"""Negatives: at the positives' distances, none of them interacting, none twice."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from speid_cli.dataset import balance
from speid_cli.dataset.labels import read_positives
from speid_cli.dataset.negatives import NegativeSettings, draw_negatives, pair_distance, quantile_edges
from speid_cli.errors import DataError
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair, Interval
from tests import builders
from tests.intervals import gap, meets, needs_bedtools, random_places


def random_positives(enhancers: list[Interval], promoters: list[Interval], count: int, seed: int) -> list[ElementPair]:
    """More near ones than far ones."""
    near = [ElementPair(e, p) for e in enhancers for p in promoters if e.chrom == p.chrom and 0 < gap(e, p) < 100_000]
    weight = np.array([1 / (2000 + gap(*pair)) for pair in near])
    chosen = np.random.default_rng(seed).choice(len(near), count, replace=False, p=weight / weight.sum())
    return sorted(near[index] for index in chosen)


@needs_bedtools
@pytest.mark.parametrize("test_chroms", [(), ("chr2",)])
def test_each_bin_holds_what_was_asked_for_and_nothing_interacts(test_chroms: tuple[str, ...]) -> None:
    enhancers, promoters = random_places(300, 3), random_places(150, 4)
    positives = random_positives(enhancers, promoters, 90, 5)
    settings = NegativeSettings(ratio=3, bins=4, test_chroms=test_chroms)
    negatives, counts = draw_negatives(positives, enhancers, promoters, settings)
    assert len(set(negatives)) == len(negatives) == 3 * 90
    assert negatives == sorted(negatives)
    assert all(row.asked == row.found for row in counts)
    for row in counts:
        here = [
            pair
            for pair in negatives
            if row.subset == "all" or (row.subset == "test") == (pair.enhancer.chrom == "chr2")
        ]
        assert sum(row.low <= gap(*pair) <= row.high for pair in here) == row.found
    for pair in negatives:
        assert pair.enhancer in enhancers and pair.promoter in promoters
        assert pair.enhancer.chrom == pair.promoter.chrom
        assert not any(meets(pair.enhancer, e) and meets(pair.promoter, p) for e, p in positives)
    assert ks_2samp([gap(*pair) for pair in negatives], [gap(*pair) for pair in positives]).pvalue > 0.2
    if test_chroms:
        share = sum(pair.enhancer.chrom == "chr2" for pair in positives)
        assert sum(pair.enhancer.chrom == "chr2" for pair in negatives) == 3 * share


@needs_bedtools
def test_all_candidates_are_found_where_there_are_too_few() -> None:
    enhancers, promoters = random_places(20, 3), random_places(20, 4)
    positives = random_positives(enhancers, promoters, 6, 5)
    low, high = min(map(pair_distance, positives)), max(map(pair_distance, positives))
    expected = [
        ElementPair(e, p) for e in enhancers for p in promoters
        if e.chrom == p.chrom and low <= gap(e, p) <= high
        and not any(meets(e, a) and meets(p, b) for a, b in positives)
    ]  # fmt: skip
    negatives, counts = draw_negatives(positives, enhancers, promoters, NegativeSettings(ratio=1000))
    assert negatives == expected
    assert sum(row.found for row in counts) == len(expected) < sum(row.asked for row in counts) == 6000


@needs_bedtools
def test_balanced_elements_appear_as_often_as_asked_and_tell_nothing() -> None:
    enhancers, promoters = random_places(400, 6, chromosomes=2), random_places(60, 7, chromosomes=2)
    positives = random_positives(enhancers, promoters, 300, 8)
    settings = NegativeSettings(ratio=2, bins=3, balance="elements")
    negatives, counts = draw_negatives(positives, enhancers, promoters, settings)
    assert len(set(negatives)) == len(negatives) > 0.9 * 600
    assert not set(negatives) & set(positives)
    assert sum(row.found for row in counts) == len(negatives)
    for side in (0, 1):
        among = Counter(pair[side] for pair in positives)
        drawn = Counter(pair[side] for pair in negatives)
        assert all(count <= 2 * among[place] for place, count in drawn.items())
        pairs = [*((pair, 1) for pair in positives), *((pair, 0) for pair in negatives)]
        rate = [among[pair[side]] / (among[pair[side]] + drawn[pair[side]]) for pair, _ in pairs]
        assert roc_auc_score([label for _, label in pairs], rate) < 0.6
    unbalanced, _ = draw_negatives(positives, enhancers, promoters, NegativeSettings(ratio=2))
    assert len({pair.enhancer for pair in unbalanced} - {pair.enhancer for pair in positives}) > 0


@needs_bedtools
def test_balance_is_exact_where_it_can_be() -> None:
    enhancers = [Interval("chr1", 1000 * i, 1000 * i + 100) for i in range(12)]
    promoters = [Interval("chr1", 100_000 + 990 * i, 100_100 + 990 * i) for i in range(12)]
    farthest, nearest = ElementPair(enhancers[0], promoters[11]), ElementPair(enhancers[11], promoters[0])
    within = [ElementPair(e, p) for e in enhancers for p in promoters]
    chosen = np.random.default_rng(1).choice(len(within), 16, replace=False)
    positives = sorted({farthest, nearest, *(within[index] for index in chosen)})
    settings = NegativeSettings(ratio=2, bins=3, balance="elements")
    negatives, counts = draw_negatives(positives, enhancers, promoters, settings)
    assert len(set(negatives)) == 2 * len(positives) == sum(row.found for row in counts)
    for side in (0, 1):
        among, drawn = (Counter(pair[side] for pair in pairs) for pairs in (positives, negatives))
        assert drawn == {place: 2 * count for place, count in among.items()}


@needs_bedtools
def test_pairs_that_overlap_have_negatives_that_overlap() -> None:
    promoters = random_places(40, 2, span=40_000)
    enhancers = random_places(60, 1, span=40_000)
    touching = [ElementPair(e, p) for e in enhancers for p in promoters if e.chrom == p.chrom and gap(e, p) == 0]
    positives = touching[:2]
    negatives, (row,) = draw_negatives(positives, enhancers, promoters, NegativeSettings(ratio=3))
    assert (row.low, row.high, row.asked, row.found) == (0, 0, 6, 6)
    assert set(negatives) <= set(touching) - set(positives)


@needs_bedtools
def test_exchanges_bring_balanced_distances_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    enhancers, promoters = random_places(300, 6, chromosomes=1), random_places(80, 7, chromosomes=1)
    positives = random_positives(enhancers, promoters, 200, 8)
    settings, off = NegativeSettings(ratio=1, bins=4, balance="elements"), []
    for swaps in (0, 20):
        monkeypatch.setattr(balance, "_SWAPS_A_PAIR", swaps)
        _, counts = draw_negatives(positives, enhancers, promoters, settings)
        off.append(sum(abs(row.asked - row.found) for row in counts))
    assert off[1] < 0.5 * off[0]


@needs_bedtools
def test_distances_of_real_negatives_follow_the_positives_s(folder: Path) -> None:
    data = builders.shared_data()
    enhancers, promoters, positives = set(), set(), set()
    for path in sorted(data.glob("targetfinder.*.chr22.hg38.bedpe.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]:
            fields = line.split("\t")
            pair = ElementPair(*(Interval(fields[i], int(fields[i + 1]), int(fields[i + 2])) for i in (0, 3)))
            enhancers.add(pair.enhancer)
            promoters.add(pair.promoter)
            if fields[10] == "1" and pair_distance(pair):
                positives.add(pair)
    negatives, counts = draw_negatives(sorted(positives), sorted(enhancers), sorted(promoters), NegativeSettings())
    assert len(negatives) == 20 * len(positives)
    assert all(row.asked == row.found for row in counts)
    assert ks_2samp([gap(*pair) for pair in negatives], [gap(*pair) for pair in positives]).pvalue > 0.5


def test_quantile_edges_hold_equally_many() -> None:
    distance = np.random.default_rng(0).permutation(1000) + 1
    assert quantile_edges(distance, 5).tolist() == [1, 200, 400, 600, 800, 1001]
    assert quantile_edges(np.full(9, 70), 5).tolist() == [70, 71]


def test_positives_are_read_by_their_label(folder: Path) -> None:
    lines = [
        "chr1\t1\t2\tchr1\t5\t6\t1",
        "chr1\t1\t2\tchr1\t8\t9\t0",
        "chr1\t1\t2\tchr2\t8\t9\t1",
        "chr1\t1\t2\tchr1\t5\t6\t1",
    ]
    builders.write_pairs(Path("a.bedpe"), lines, "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tlabel")
    assert read_positives("a.bedpe", ContigNames()) == (
        [ElementPair(Interval("chr1", 1, 2), Interval("chr1", 5, 6))],
        1,
        1,
        1,
    )
    builders.write_pairs(Path("b.bedpe"), lines, None)
    assert len(read_positives("b.bedpe", ContigNames()).pairs) == 2
    builders.write_pairs(Path("c.bedpe"), lines[2:3], None)
    with pytest.raises(DataError, match="c.bedpe: no positives on one chromosome; expected at least one"):
        read_positives("c.bedpe", ContigNames())
    builders.write_pairs(Path("d.bedpe"), ["chr1\t1\t2"], None)
    with pytest.raises(DataError, match="d.bedpe: is BED; expected BEDPE"):
        read_positives("d.bedpe", ContigNames())

"""The leak report against naive loops over pairs, and against published facts on the real data."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from speid_cli.dataset.leakage import element_name_scores, leak_report
from speid_cli.dataset.pairs import TEST, TRAIN, Elements, PairDataset
from tests import builders

CELLS = ("GM12878", "HeLa-S3", "HUVEC", "IMR90", "K562", "NHEK")
WINDOW = 100


def elements(interval: np.ndarray, window: int = WINDOW) -> Elements:  # type: ignore[type-arg]
    count = len(interval)
    return Elements(np.zeros((count, window // 2), np.uint8), window, window, np.zeros((count, 2), np.int16), interval)


def random_dataset(seed: int, pairs: int = 120) -> PairDataset:
    """Elements so crowded on two chromosomes that windows overlap by all amounts."""
    rng = np.random.default_rng(seed)
    sides = []
    for count in (40, 25):
        start = rng.integers(0, 1500, count)
        sides.append(np.stack([rng.integers(0, 2, count), start, start + rng.integers(1, 300, count)], axis=1))
    return PairDataset(
        elements(sides[0]), elements(sides[1]),
        rng.integers(0, 40, pairs).astype(np.int32), rng.integers(0, 25, pairs).astype(np.int32),
        (rng.random(pairs) < 0.3).astype(np.int8), rng.integers(0, 3, pairs).astype(np.int8), ("chr1", "chr2"), {},
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_counts_are_a_naive_loop_s(seed: int) -> None:
    dataset = random_dataset(seed)
    sides = {
        "enhancer": (dataset.enhancers, dataset.enhancer_index),
        "promoter": (dataset.promoters, dataset.promoter_index),
    }
    train, test = dataset.members(TRAIN), dataset.members(TEST)
    expected = dict.fromkeys(leak_report([dataset])["test pairs"], 0)
    for pair in test:
        found = set()
        for side, (items, index) in sides.items():
            chrom, start, end = items.interval[index[pair]]
            for other in train:
                other_chrom, other_start, other_end = items.interval[index[other]]
                first, second = (start + end - WINDOW) // 2, (other_start + other_end - WINDOW) // 2
                overlap = WINDOW - abs(first - second)
                if index[pair] == index[other]:
                    found.add(f"same {side}")
                if chrom == other_chrom and overlap >= WINDOW / 2:
                    found.add(f"half of the {side} window or more")
        for name in found | ({"any of these"} if found else set()):
            expected[name] += 1
    assert leak_report([dataset])["test pairs"] == expected | {"pairs": len(test)}


def test_element_names_are_naive_bayes_and_unseen_ones_say_nothing() -> None:
    dataset = random_dataset(1)
    train = dataset.members(TRAIN)
    base = dataset.label[train].mean()
    scores = element_name_scores(dataset, train)
    for pair in range(len(dataset)):
        odds = 0.0
        for index in (dataset.enhancer_index, dataset.promoter_index):
            labels = dataset.label[train][index[train] == index[pair]]
            rate = (labels.sum() + base) / (len(labels) + 1)
            odds += np.log(rate / (1 - rate)) - np.log(base / (1 - base))
        assert scores[pair] == pytest.approx(odds, abs=1e-12)


def test_no_test_pairs_no_report() -> None:
    dataset = random_dataset(0)
    assert leak_report([builders.relabelled(dataset, subset=np.zeros(len(dataset), np.int8))]) == {}
    one_class = builders.relabelled(dataset, label=np.zeros(len(dataset), np.int8))
    assert leak_report([one_class])["element names"] == {}


def real_dataset(cell: str) -> PairDataset:
    """Names and places of a cell line's pairs, without sequence."""
    path = builders.shared_data() / f"targetfinder.{cell}.hg19.bedpe.gz"
    rows = [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    chromosomes = sorted({row[0] for row in rows})
    sides = []
    for first, window in ((0, 3000), (3, 2000)):
        places = [(chromosomes.index(row[first]), int(row[first + 1]), int(row[first + 2])) for row in rows]
        interval, index = np.unique(places, axis=0, return_inverse=True)
        sides.append((elements(interval, window), index.astype(np.int32)))
    label = np.array([int(row[10]) for row in rows], np.int8)
    subset = np.zeros(len(rows), np.int8)
    return PairDataset(sides[0][0], sides[1][0], sides[0][1], sides[1][1], label, subset, tuple(chromosomes), {})


@pytest.mark.parametrize("cell", CELLS)
def test_on_the_paper_s_data_a_random_split_leaks_and_chromosomes_do_not(cell: str) -> None:
    dataset = real_dataset(cell)
    rng = np.random.default_rng(0)
    random = np.where(rng.random(len(dataset)) < 0.1, TEST, TRAIN).astype(np.int8)
    leaks = leak_report([builders.relabelled(dataset, subset=random)])
    pairs = leaks["test pairs"]
    assert 0.94 < pairs["same promoter"] / pairs["pairs"] < 0.99
    positives = leaks["test positives"]
    assert 0.6 < positives["half of the enhancer window or more"] / positives["pairs"] < 0.86
    assert 0.87 < leaks["element names"]["auroc"] < 0.98
    assert 0.35 < leaks["element names"]["auprc"] < 0.7
    chrom = dataset.enhancers.interval[dataset.enhancer_index, 0]
    held_out = np.where(np.isin(chrom, [0, 1]), TEST, TRAIN).astype(np.int8)
    leaks = leak_report([builders.relabelled(dataset, subset=held_out)])
    assert leaks["test pairs"]["any of these"] == 0
    assert leaks["element names"]["auroc"] == 0.5
    assert leaks["element names"]["auprc"] == pytest.approx(leaks["element names"]["base rate"], abs=1e-6)


def test_the_report_s_ranking_is_that_of_its_scores() -> None:
    dataset = random_dataset(2)
    test = dataset.members(TEST)
    expected = roc_auc_score(dataset.label[test], element_name_scores(dataset, dataset.members(TRAIN))[test])
    assert leak_report([dataset])["element names"]["auroc"] == pytest.approx(expected, abs=1e-6)

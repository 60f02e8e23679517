"""Leakage: sequence and elements that a held-out subset shares with the training subset.

On the paper's data a random split puts the promoter of almost every test pair into the training
subset. The names of the elements alone, without any sequence, then rank the test pairs nearly as
well as published networks do (Cao and Fullwood 2019; Xi and Beer 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import has_both_classes, ranking
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, Elements, PairDataset
from speid_cli.genome.intervals import window_start

# Each element counts as having this many more training pairs, which interact at the base rate.
_PSEUDOCOUNT = 1.0


def leak_report(parts: Sequence[PairDataset], subset: int = TEST) -> dict[str, Any]:
    """How much a subset shares with the training subset.

    Parameters
    ----------
    parts : sequence of PairDataset
        A data set, or all its folds, each with its own subsets; counts are then those of all folds together.

    Returns
    -------
    dict
        ``test pairs`` and ``test positives`` (or ``validation ...``): how many there are, and how
        many of them share an enhancer, a promoter, or half or more of a window of either side with
        a training pair. ``element names``: AUROC and AUPRC of `element_name_scores` on these pairs,
        and the base rate; empty where they are all of one class. The whole is empty where one of
        the subsets is.
    """
    found = [_shared(part, subset) for part in parts if len(part.members(TRAIN)) and len(part.members(subset))]
    if not found or subset == TRAIN:
        return {}
    shared = {name: np.concatenate([each[name] for each, _, _ in found]) for name in found[0][0]}
    label, score = (np.concatenate([each[place] for each in found]) for place in (1, 2))
    return {
        f"{SUBSETS[subset]} pairs": _counts(shared, np.ones(len(label), bool)),
        f"{SUBSETS[subset]} positives": _counts(shared, label == 1),
        "element names": _ranking(label, score),
    }


def _shared(
    dataset: PairDataset, subset: int
) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.int8], NDArray[np.float64]]:
    """What each pair of a subset shares with a training pair, the pairs' labels, and their scores by names."""
    train, test = dataset.members(TRAIN), dataset.members(subset)
    shared: dict[str, NDArray[np.bool_]] = {}
    for side, elements, index in dataset.sides:
        seen = np.unique(index[train])
        shared[f"same {side}"] = np.isin(index[test], seen)
        shared[f"half of the {side} window or more"] = _near(elements, seen)[index[test]]
    shared["any of these"] = np.any(list(shared.values()), axis=0)
    return shared, dataset.label[test], element_name_scores(dataset, train)[test]


def _counts(shared: dict[str, NDArray[np.bool_]], among: NDArray[np.bool_]) -> dict[str, int]:
    return {"pairs": int(among.sum())} | {name: int((found & among).sum()) for name, found in shared.items()}


def _ranking(label: NDArray[np.int8], score: NDArray[np.float64]) -> dict[str, float]:
    if not has_both_classes(label):
        return {}
    # Elements that were not seen have a score of 0, but for rounding that differs from fold to fold.
    (auprc,), (auroc,) = ranking(label, score.round(9), np.ones((1, len(label))))
    figures = {"auroc": auroc, "auprc": auprc, "base rate": label.mean()}
    return {name: round(float(value), 6) for name, value in figures.items()}


def _near(elements: Elements, seen: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which elements (E,) have a window of which half or more overlaps the window of an element `seen`."""
    chrom, start, end = elements.interval.T
    first = window_start(start, end, elements.window)
    # Chromosomes are placed one after the other, more than a window apart.
    place = chrom * (int(np.ptp(first)) + 2 * elements.window) + first
    known, half = np.sort(place[seen]), elements.window // 2
    nearby: NDArray[np.bool_] = np.searchsorted(known, place - half) < np.searchsorted(known, place + half, "right")
    return nearby


def element_name_scores(dataset: PairDataset, train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-odds (N,) of every pair from its two elements alone, without their sequence.

    Naive Bayes: the sum over both sides of the log-odds that a training pair of the same element
    interacts, relative to the base rate; 0 for an element without training pairs.
    """
    label = dataset.label[train].astype(np.float64)
    base = label.mean()
    odds = np.zeros(len(dataset))
    for _, elements, index in dataset.sides:
        pairs = np.bincount(index[train], minlength=len(elements))
        positives = np.bincount(index[train], label, minlength=len(elements))
        positive = positives + _PSEUDOCOUNT * base
        negative = pairs - positives + _PSEUDOCOUNT * (1 - base)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds += (np.log(positive) - np.log(negative) - np.log(base) + np.log1p(-base))[index]
    return np.nan_to_num(odds)

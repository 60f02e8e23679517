"""What ``prepare --report`` writes: the pairs of each subset, or of each fold, in distance, length and GC."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.pairs import SUBSETS, PairDataset
from speid_cli.evaluation.baselines import pair_distances
from speid_cli.evaluation.pictures import Groups, histograms
from speid_cli.genome.onehot import gc_content
from speid_cli.report.page import render

_ROWS_AT_A_TIME = 1024


def split_page(title: str, dataset: PairDataset, made_by: str) -> str:
    """The page of a data set that `assemble` made; `made_by` is the command line and the date."""
    groups, images = _groups(dataset), []
    for name, values in _quantities(dataset):
        seen = f"Histograms of {name}, of interacting and of other pairs, a row for each of {', '.join(groups)}"
        picture = histograms(name, values, dataset.label, groups)
        images.append((seen, base64.b64encode(picture).decode()))
    rows = [
        {"name": name, "pairs": int(members.sum()), "positives": int(dataset.label[members].sum()),
         "share": float(dataset.label[members].mean())}
        for name, members in groups.items()
    ]  # fmt: skip
    positives = int(dataset.label.sum())
    return render(
        __package__, "split.html.j2", name=title, rows=rows, images=images, metadata=dataset.metadata,
        made_by=made_by, pairs=len(dataset), positives=positives,
    )  # fmt: skip


def _groups(dataset: PairDataset) -> Groups:
    """Pairs (N,) of each fold, or of each subset, that has any."""
    if dataset.fold is not None:
        found = {f"fold {number}": dataset.fold == number for number in range(1, dataset.folds + 1)}
    else:
        found = {name: dataset.subset == part for part, name in enumerate(SUBSETS)}
    return {name: members for name, members in found.items() if members.any()}


def _quantities(dataset: PairDataset) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Names and values (N,) of what is drawn."""
    distance = pair_distances(dataset)
    if np.isfinite(distance).any():
        yield "distances, log10 bp", np.log10(np.maximum(distance, 1))
    for side, elements, index in dataset.sides:
        yield f"{side} lengths, log10 bp", np.log10(elements.interval[:, 2] - elements.interval[:, 1])[index]
        gc = [
            gc_content(elements.window_codes(slice(row, row + _ROWS_AT_A_TIME)))
            for row in range(0, len(elements), _ROWS_AT_A_TIME)
        ]
        if np.isfinite(known := np.concatenate(gc)).any():
            yield f"GC content of {side} windows", known[index]

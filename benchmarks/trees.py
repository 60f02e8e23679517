#!/usr/bin/env python3
"""Which gradient-boosted trees stand for TargetFinder's: accuracy and time on its own features and pairs.

TargetFinder's are scikit-learn's exact trees: 4,000 of depth 5, learning rate 0.1, log2 of the number of features at
each split. They are compared with histogram trees. One run writes TREES.md. Each result is saved in the work folder as
soon as it is known, and a run that was stopped continues from there.

usage: python benchmarks/trees.py --data FOLDER [--work FOLDER]
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier

from speid_cli.dataset.metrics import classification_metrics, sigmoid
from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION
from speid_cli.dataset.splits import SplitSettings, split
from speid_cli.evaluation.calibration import fit_threshold
from speid_cli.evaluation.feature_table import read_feature_pairs
from speid_cli.evaluation.features import REGIONS, track_features
from speid_cli.evaluation.targetfinder import VARIANTS
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.tracks import read_tracks

HERE = Path(__file__).parent
COUNTS = (300, 1000, 4000)
SPLITS = ("fold 0", "fold 1", "chromosomes")
FOLDS = 10


class Trees(NamedTuple):
    """One way of growing trees."""

    make: Callable[[int], Any]  # from the number of features
    count_option: str


def exact(features: int) -> GradientBoostingClassifier:
    """TargetFinder's."""
    return GradientBoostingClassifier(
        learning_rate=0.1, max_depth=5, max_features="log2", random_state=0, warm_start=True
    )


def histogram(features: int, **settings: Any) -> HistGradientBoostingClassifier:
    """The same rate and depth on features in 255 bins."""
    return HistGradientBoostingClassifier(
        learning_rate=0.1, max_depth=5, early_stopping=False, random_state=0, warm_start=True, **settings
    )


def histogram_log2(features: int) -> HistGradientBoostingClassifier:
    """And as many features at each split."""
    return histogram(features, max_features=math.log2(features) / features)


def histogram_leaves(features: int) -> HistGradientBoostingClassifier:
    """And leaves as small as TargetFinder's."""
    return histogram(features, max_features=math.log2(features) / features, min_samples_leaf=1, max_leaf_nodes=None)


TREES = {
    "exact, log2 of the features": Trees(exact, "n_estimators"),
    "histogram, all features": Trees(histogram, "max_iter"),
    "histogram, log2 of the features": Trees(histogram_log2, "max_iter"),
    "histogram, log2 of the features, leaves of 1": Trees(histogram_leaves, "max_iter"),
}
EXACT, ALL, LOG2, LEAVES = TREES
# Where each is tried: exact trees take long, and the many assays of GM12878 too.
PLAN = {
    "HUVEC": {EXACT: ("fold 0", "chromosomes"), ALL: SPLITS, LOG2: SPLITS, LEAVES: SPLITS},
    "GM12878": {EXACT: ("fold 0",), LOG2: ("fold 0",)},
}
TRIED = ("TargetFinder (E/P)", "TargetFinder (E/P/W)")


class Data(NamedTuple):
    """The features (N, T, 4) of a cell line's pairs, their labels (N,), and the subset (N,) of each by split."""

    value: NDArray[np.float64]
    label: NDArray[np.int8]
    subset: dict[str, NDArray[np.int8]]


def main() -> None:
    """Compute the features, train what is not yet trained, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with targetfinder.*.hg19.bedpe.gz and peaks")
    parser.add_argument("--work", type=Path, default=HERE / ".trees", help="folder for results")
    options = parser.parse_args()
    for cell in PLAN:
        folder = options.work / cell
        folder.mkdir(parents=True, exist_ok=True)
        data = read_data(options.data, cell, folder)
        for name, places in PLAN[cell].items():
            for place in places:
                for variant in TRIED:
                    kept(folder, name, place, variant, data)
    write_page(HERE / "TREES.md", options.work)


def read_data(data: Path, cell: str, folder: Path) -> Data:
    """Features of all published pairs of a cell line, which are kept in the work folder."""
    path = data / f"targetfinder.{cell}.hg19.bedpe.gz"
    pairs = read_feature_pairs(PairReader(str(path)), None)
    sides, chromosomes = pairs.places(), tuple(pairs.chromosomes)
    if not (folder / "features.npy").exists():
        rows = [line.split(",") for line in (data / "peaks" / cell / "filenames.csv").read_text().splitlines()[1:]]
        table = [f"{name}\t{(data / 'peaks' / cell / file).absolute()}.gz\n" for name, file, *_ in rows]
        (folder / "tracks.tsv").write_text("name\tpath\n" + "".join(table))
        tracks = read_tracks(str(folder / "tracks.tsv"))
        features = track_features(tracks, *sides, chromosomes, pairs.contigs).of_pairs()
        np.save(folder / "features.npy", features.reshape(len(features), len(tracks), len(REGIONS)))
    label = np.array([labelled.label for labelled in pairs.given], np.int8)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    fold = np.array([int(line.split("\t")[11]) for line in lines])
    subset = {f"fold {test}": of_fold(fold, test) for test in (0, 1)}
    subset["chromosomes"] = split(SplitSettings("chrom"), *sides, label, chromosomes, window=3000)
    return Data(np.load(folder / "features.npy"), label, subset)


def of_fold(fold: NDArray[np.int64], test: int) -> NDArray[np.int8]:
    """Subsets (N,) that test on one of TargetFinder's folds and validate on the next."""
    subset = np.full(len(fold), TRAIN, np.int8)
    subset[fold == test], subset[fold == (test + 1) % FOLDS] = TEST, VALIDATION
    return subset


def kept(folder: Path, trees: str, place: str, variant: str, data: Data) -> None:
    """Train, and save what the test subset says after each number of trees, unless it is saved."""
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{trees} {place} {variant}")
    path = folder / f"{name}.json"
    if path.exists():
        return
    regions = [REGIONS.index(region) for region in VARIANTS[variant]]
    values = data.value[:, :, regions].reshape(len(data.label), -1)
    found = list(stages(TREES[trees], values, data.label, data.subset[place]))
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps({"trees": trees, "split": place, "variant": variant, "stages": found}, indent=1))
    beside.replace(path)
    print(f"{folder.name}: {trees}, {place}, {variant}: {found[-1]}", flush=True)


def stages(
    trees: Trees, values: NDArray[np.float64], label: NDArray[np.int8], subset: NDArray[np.int8]
) -> Iterator[dict[str, float]]:
    """Measures of the test pairs after each of `COUNTS` trees."""
    model, seconds = trees.make(values.shape[1]), 0.0
    train, validation, test = (np.flatnonzero(subset == part) for part in (TRAIN, VALIDATION, TEST))
    for count in COUNTS:
        start = time.process_time()
        model.set_params(**{trees.count_option: count}).fit(values[train], label[train])
        seconds += time.process_time() - start
        of_validation, of_test = (model.decision_function(values[rows]) for rows in (validation, test))
        threshold = fit_threshold(label[validation], sigmoid(of_validation))
        at_half, at_best = (classification_metrics(label[test], of_test, at) for at in (0.5, threshold))
        yield {"count": count, "seconds": seconds, "auprc": at_half["auprc"], "auroc": at_half["auroc"],
               "f1": at_half["f1"], "best_f1": at_best["f1"]}  # fmt: skip


def write_page(path: Path, work: Path) -> None:
    """Write the table from the results that are kept in the work folder."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn"))
    lines = [
        "# Trees for TargetFinder's features", "",
        f"Written by `python benchmarks/trees.py --data DATA`, {versions}, "
        f"Python {platform.python_version()}, {platform.machine()}, one thread. "
        "TargetFinder's published pairs and folds: fold 0 tests on its fold 0, validates on fold 1 and trains on the "
        "other eight, fold 1 likewise; chromosomes holds out whole chromosomes, as `speid prepare` does. Learning rate "
        "0.1, depth 5. AUPRC and F1 of the test pairs, F1 at 0.5 and at the threshold that is best on the validation "
        "pairs; processor seconds of the training.",
    ]  # fmt: skip
    for cell in PLAN:
        results = [json.loads(file.read_text()) for file in (work / cell).glob("*.json")]
        results.sort(key=lambda result: [*TREES].index(result["trees"]))
        for variant in TRIED:
            for place in SPLITS:
                rows = [row for row in results if (row["variant"], row["split"]) == (variant, place)]
                if rows:
                    lines += ["", f"## {cell}, {variant}, {place}", "", *table(rows)]
    path.write_text("\n".join(lines) + "\n")


def table(results: list[dict[str, Any]]) -> list[str]:
    """A line for each kind and number of trees."""
    lines = ["| trees | number | AUPRC | F1 at 0.5 | F1 | s |", "|---|---|---|---|---|---|"]
    for result in results:
        for row in result["stages"]:
            measures = " | ".join(f"{row[name]:.3f}" for name in ("auprc", "f1", "best_f1"))
            lines.append(f"| {result['trees']} | {row['count']:,} | {measures} | {row['seconds']:.0f} |")
    return lines


if __name__ == "__main__":
    main()

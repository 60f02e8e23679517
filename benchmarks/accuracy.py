#!/usr/bin/env python3
"""Accuracy of speid, baselines and rival networks on held-out pairs.

One run writes ACCURACY.md. Each result is saved in the work folder as soon as it is known, and a run
that was stopped continues from there.

usage: python benchmarks/accuracy.py [--data FOLDER] [--work FOLDER] [--jobs N] [--paper]
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from accuracy_report import write_report
from measurements import SilentObserver
from numpy.typing import NDArray
from rivals import RIVALS
from rivals.training import train

from speid_cli.cli import main as speid
from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION, Elements, PairDataset
from speid_cli.dataset.splits import SplitSettings, split
from speid_cli.evaluation.baselines import BASELINES, baseline_logits
from speid_cli.evaluation.calibration import fit_threshold
from speid_cli.evaluation.evaluate import resampling_clusters
from speid_cli.evaluation.measures import Predictions, estimate
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import PRESETS
from speid_cli.model.device import Device
from speid_cli.model.motif_kernels import KernelInitialisers
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.training.stages import finetune, pretrain
from speid_cli.training.state import TrainingState

HERE = Path(__file__).parent
WINDOWS = {"match": (800, 500), "and": (800, 500), "null": (800, 500), "hard": (900, 700)}  # of each grammar
SEVERAL_SEEDS = ("match", "hard")
# The preset paper with its own first weights and with those of the other presets, and the grammars it is trained on.
PAPER: dict[str, tuple[Start, tuple[str, ...]]] = {
    "speid, preset paper": ("keras", ("match", "and")),
    "speid, preset paper, --start invariant": ("invariant", ("match",)),
}
Start = Literal["keras", "invariant"]
VARIANTS = {
    f"speid, --shift {shift}, {start}": (shift, start == "motif start")
    for shift in ("all", "positives")  # the presets' own first
    for start in ("motif start", "random start")
}

# Each gets the whole time, and the one with the best validation is evaluated.
RIVAL_RATES = (1e-3, 3e-3)


class Data(NamedTuple):
    """One data set of the bench: a folder with pairs.npz and, for training, kernels.npz."""

    name: str
    seed: int
    preset: str | None  # None: no sequence, so that only baselines run

    @property
    def key(self) -> str:
        """Its folder's name."""
        return f"{self.name}-{self.seed}".replace(" ", "_").replace(",", "")


class Scored(NamedTuple):
    """Logits of all pairs of a data set, the number of epochs trained, the training time, and speid's history.

    The time is None where it is the time that passes until the logits are there.
    """

    logits: NDArray[np.floating]
    epochs: float = 0.0
    seconds: float | None = None
    history: Sequence[dict[str, Any]] = ()


def main() -> None:
    """Make the data, train what is not yet trained, write the table."""
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    seeds = {name: range(options.seeds if name in SEVERAL_SEEDS else 1) for name in WINDOWS}
    data = [Data(name, seed, "tiny") for name in WINDOWS for seed in seeds[name]]
    for item in data:
        simulate(options.work / item.key, item)
    if options.data is not None:
        data += [Data("chr22, six lines, block", 0, "tiny")]
        real_chr22(options.work / data[-1].key, options.data)
        for method in ("random", "chrom"):
            data.append(Data(f"GM12878 names, {method}", 0, None))
            names_only(options.work / data[-1].key, options.data, "GM12878", method)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context, torch.set_num_threads, (1,)) as pool:
        steps = [speid_parts, other_parts]  # rivals are given the time that speid took
        for step in [*steps, paper_parts] if options.paper else steps:
            parts = [pool.submit(part) for item in data for part in step(options.work / item.key, item)]
            for part in parts:
                part.result()
    command = "python benchmarks/accuracy.py" + " --data DATA" * bool(options.data) + " --paper" * options.paper
    write_report(HERE / "ACCURACY.md", options.work, data, command)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with chr22.hg38.fa.gz and targetfinder.*.bedpe.gz")
    parser.add_argument("--work", type=Path, default=HERE / ".accuracy", help="folder for results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at a time, one thread each")
    parser.add_argument("--seeds", type=int, default=3, help=f"seeds of {' and '.join(SEVERAL_SEEDS)}")
    parser.add_argument("--paper", action="store_true", help="also train the preset paper, which takes hours")
    return parser.parse_args()


def run(*arguments: object) -> None:
    """A speid command that must succeed."""
    if status := speid([str(argument) for argument in arguments]):
        sys.exit(status)


def simulate(folder: Path, item: Data) -> None:
    """A simulated genome of one grammar, prepared by chromosome."""
    if (folder / "pairs.npz").exists():
        return
    script = str(HERE.parent / "examples" / "simulate.py")
    command = [sys.executable, script, "-o", str(folder), "--grammar", item.name, "--seed", str(item.seed)]
    subprocess.run(command, check=True)
    for preset, kernels in ((item.preset, "kernels.npz"), ("paper", "paper.kernels.npz")):
        run("motifs", folder / "motifs.jaspar", "--preset", preset, "-o", folder / kernels, "--force")
    enhancer, promoter = WINDOWS[item.name]
    windows = "--enhancer-window", enhancer, "--promoter-window", promoter
    run("prepare", folder / "pairs.bedpe", folder / "genome.fa", *windows, "-o", folder / "pairs.npz")


def real_chr22(folder: Path, data: Path) -> None:
    """The chr22 pairs of all six cell lines, prepared by block."""
    if (folder / "pairs.npz").exists():
        return
    folder.mkdir(exist_ok=True)
    (folder / "chr22.fa").write_bytes(gzip.decompress((data / "chr22.hg38.fa.gz").read_bytes()))
    lines = []
    for path in sorted(data.glob("targetfinder.*.chr22.hg38.bedpe.gz")):
        lines += gzip.decompress(path.read_bytes()).decode().splitlines()[bool(lines) :]
    (folder / "pairs.bedpe").write_text("\n".join(lines) + "\n")
    run("motifs", "--jaspar", 2016, "--preset", "tiny", "-o", folder / "kernels.npz", "--force")
    windows = "--enhancer-window", 1000, "--promoter-window", 1000
    held_out = "--split", "block", "--test-fraction", 0.25, "--validation-fraction", 0.15
    run("prepare", folder / "pairs.bedpe", folder / "chr22.fa", *held_out, *windows, "-o", folder / "pairs.npz")


def names_only(folder: Path, data: Path, cell: str, method: str) -> None:
    """All pairs of a cell line of hg19 with names and coordinates, but without sequence."""
    if (folder / "pairs.npz").exists():
        return
    text = gzip.decompress((data / f"targetfinder.{cell}.hg19.bedpe.gz").read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    chromosomes = tuple(sorted({row[0] for row in rows}))
    label = np.array([int(row[10]) for row in rows], np.int8)
    places, sides, index = [], [], []
    for first, window in ((0, 3000), (3, 2000)):
        places.append(
            np.array([(chromosomes.index(row[first]), int(row[first + 1]), int(row[first + 2])) for row in rows])
        )
        interval, position = np.unique(places[-1], axis=0, return_inverse=True)
        nothing, still = np.zeros((len(interval), window // 2), np.uint8), np.zeros((len(interval), 2), np.int16)
        sides.append(Elements(nothing, window, window, still, interval))
        index.append(position.astype(np.int32))
    subset = split(SplitSettings(method), places[0], places[1], label, chromosomes, window=3000)  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    with (folder / "pairs.npz").open("wb") as stream:
        PairDataset(*sides, *index, label, subset, chromosomes, {}).write(stream)


def speid_parts(folder: Path, item: Data) -> Iterator[Callable[[], None]]:
    """Every way of training speid on a data set."""
    if item.preset is not None:
        for name, (shift, motifs) in VARIANTS.items():
            yield partial(kept, folder, name, partial(train_speid, item, shift, motifs))


def other_parts(folder: Path, item: Data) -> Iterator[Callable[[], None]]:
    """Rivals, with the processor time of the first of speid's variants, and baselines."""
    if item.preset is None:
        for name in ("base rate", "distance", "element names"):
            yield partial(kept, folder, name, partial(one_baseline, name))
        return
    seconds = json.loads(result_path(folder, next(iter(VARIANTS))).read_text())["processor_seconds"]
    for name in RIVALS:
        yield partial(kept, folder, name, partial(train_rival, item, name, seconds))
    for name in BASELINES:
        yield partial(kept, folder, name, partial(one_baseline, name))


def paper_parts(folder: Path, item: Data) -> Iterator[Callable[[], None]]:
    """The paper's network, trained as published, or with other first weights only; with the first seed."""
    for name, (start, grammars) in PAPER.items():
        if item.name in grammars and item.seed == 0:
            yield partial(kept, folder, name, partial(train_paper, item, start))


def result_path(folder: Path, name: str) -> Path:
    """The file of a result."""
    return folder / f"{name.replace(' ', '_').replace(',', '')}.json"


def kept(folder: Path, name: str, scores: Callable[[Path, PairDataset], Scored]) -> None:
    """Score the pairs of a data set, evaluate the test subset, and save the result, unless it is saved."""
    path = result_path(folder, name)
    if path.exists():
        return
    dataset, start = PairDataset.read(folder / "pairs.npz"), time.process_time()
    scored = scores(folder, dataset)
    logits, seconds = scored.logits, scored.seconds
    seconds = time.process_time() - start if seconds is None else seconds
    test, validation = dataset.members(TEST), dataset.members(VALIDATION)
    threshold = fit_threshold(dataset.label[validation], sigmoid(logits[validation]))
    probability = sigmoid(logits[test])
    clusters = resampling_clusters(dataset, test)
    found = estimate(Predictions(dataset.label[test], probability, probability, threshold), clusters.cluster, 1000, 0)
    content = {
        "name": name,
        "processor_seconds": seconds,
        "epochs": scored.epochs,
        "history": scored.history,
        "base_rate": float(dataset.label[test].mean()),
        "pairs": {"train": len(dataset.members(TRAIN)), "test": len(test)},
        "resampled_by": clusters.unit,
        "measures": {name: value.__dict__ for name, value in found.items()},
    }
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)
    print(f"{folder.name}: {name}: AUPRC {found['auprc'].value:.3f}, {seconds:.0f} s", flush=True)


def train_speid(item: Data, shift: str, motifs: bool, folder: Path, dataset: PairDataset) -> Scored:
    """Both stages at the preset's settings."""
    preset, device = PRESETS[str(item.preset)], Device("cpu", threads=1)
    windows = {"enhancer_window": dataset.enhancers.window, "promoter_window": dataset.promoters.window}
    settings = replace(preset.pretrain, shift=shift)
    kernels = KernelInitialisers.read(folder / "kernels.npz") if motifs else None
    config = replace(preset.model, **windows)
    start = pretrain(dataset, config, settings, kernels, device, item.seed, SilentObserver(), str(item.preset))
    model = finetune(start, dataset, preset.finetune, device, item.seed, SilentObserver())
    return scored_by(model, len(start.history), dataset)


def train_paper(item: Data, start: Start, folder: Path, dataset: PairDataset) -> Scored:
    """The preset paper at its own settings, on a GPU if there is one; a run that was stopped is continued."""
    preset, device = PRESETS["paper"], Device("auto", threads=1)
    windows = {"enhancer_window": dataset.enhancers.window, "promoter_window": dataset.promoters.window}
    config, settings = replace(preset.model, **windows), replace(preset.pretrain, start=start)
    states = [TrainingState(folder / f"paper.{start}.{stage}.state") for stage in ("pretrain", "finetune")]
    kernels, observer = KernelInitialisers.read(folder / "paper.kernels.npz"), SilentObserver()
    pretrained = pretrain(dataset, config, settings, kernels, device, item.seed, observer, "paper", states[0])
    model = finetune(pretrained, dataset, preset.finetune, device, item.seed, observer, states[1])
    return scored_by(model, len(pretrained.history), dataset)


def scored_by(model: Checkpoint, epochs: int, dataset: PairDataset) -> Scored:
    """Logits of all pairs, and how the model was trained."""
    scorer = DatasetScorer(model.model(), dataset, Device("cpu", threads=1))
    return Scored(scorer.logits(np.arange(len(dataset))), epochs, history=model.history)


def train_rival(item: Data, name: str, seconds: float, folder: Path, dataset: PairDataset) -> Scored:
    """A rival on speid's samples, with all windows shifted, at the learning rate that validates best."""
    settings = replace(PRESETS[str(item.preset)].pretrain, shift="all")
    tried = [
        train(RIVALS[name], dataset, replace(settings, learning_rate=rate), seconds, item.seed) for rate in RIVAL_RATES
    ]
    best = max(tried, key=lambda trained: trained.auprc)
    return Scored(best.logits, best.epochs, seconds)


def one_baseline(name: str, folder: Path, dataset: PairDataset) -> Scored:
    """Logits of a baseline."""
    ((_, (logits,)),) = baseline_logits([dataset], 0, {name: BASELINES[name]})
    return Scored(logits)


if __name__ == "__main__":
    main()

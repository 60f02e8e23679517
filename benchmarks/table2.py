#!/usr/bin/env python3
"""Table 2 of the paper, as far as it can be measured without the sequence of the whole genome.

TargetFinder's variants on whole cell lines, from their peaks; the network, TargetFinder and both together on chr22;
each under random folds, as in the paper, and on parts of the genome that were held out. One run writes TABLE2.md.
Whatever is finished stays in the work folder, and a run that was stopped continues from there.

usage: python benchmarks/table2.py DATA [--work FOLDER] [--jobs N]     (hours)
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from accuracy import names_only
from lift import lift_peaks
from table2_report import write_report
from threadpoolctl import threadpool_limits

from speid_cli.dataset.folds import fold_of_pairs
from speid_cli.dataset.pairs import TEST, TRAIN, PairDataset
from speid_cli.evaluation.evaluate import evaluate
from speid_cli.evaluation.parts import Part
from speid_cli.evaluation.results import as_plain
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.evaluation.targetfinder import dataset_features
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.tracks import read_tracks

HERE = Path(__file__).parent
CELLS = ("GM12878", "HeLa-S3", "HUVEC", "IMR90", "K562", "NHEK")
WITH_PEAKS = ("GM12878", "HUVEC")
PRESETS = ("tiny", "small")
# Of chr22: the cell lines whose pairs are together, and the ways to divide them.
SETS = {"six lines": CELLS, **{cell: (cell,) for cell in WITH_PEAKS}}
SPLITS = {"random": ("--split", "random", "--folds", "10"), "block": ("--split", "block", "--folds", "5")}


def main() -> None:
    """Run what is not yet finished, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with chr22.hg38.fa.gz, targetfinder.*.bedpe.gz and peaks/")
    parser.add_argument("--work", type=Path, default=HERE / ".table2", help="folder for results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time, one thread each")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    prepare_chr22(options.work, options.data)
    judgements = [*evaluations(options.work), *whole_lines(options.work, options.data)]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for stage in (trainings(options.work), judgements):
            for done in [pool.submit(part) for part in stage]:
                done.result()
    write_report(HERE / "TABLE2.md", options.work)


def speid(*arguments: object) -> None:
    """A command on one thread that must succeed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "speid_cli", *map(str, arguments)]
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")


def whole_lines(work: Path, data: Path) -> Iterator[Callable[[], None]]:
    """TargetFinder on whole cell lines, without sequence."""
    for cell in WITH_PEAKS:
        for protocol in ("published", "chrom"):
            yield partial(whole_line, work / f"{cell}.{protocol}.json", data, cell, protocol)


def whole_line(path: Path, data: Path, cell: str, protocol: str) -> None:
    """One line under TargetFinder's own folds, or folds by chromosome."""
    if path.exists():
        return
    folder = path.with_suffix("")
    names_only(folder, data, cell, "none")
    dataset = PairDataset.read(folder / "pairs.npz")
    places = [elements.interval[index] for _, elements, index in dataset.sides]
    fold = published_folds(data, cell)
    if protocol == "chrom":
        fold = fold_of_pairs("chrom", 10, places[0], places[1], dataset.label, 3000, 0)
    dataset = replace(dataset, fold=fold)
    parts = [Part(divided) for divided in dataset.divisions]
    if protocol == "published":  # as TargetFinder: trained on nine folds, nothing to choose a threshold on
        parts = [Part(replace(divided, subset=np.where(divided.subset == TEST, TEST, TRAIN))) for divided, *_ in parts]
    tracks = tracks_of_peaks(folder / "tracks.tsv", data / "peaks" / cell)
    features = dataset_features(dataset, str(tracks), read_tracks(str(tracks)), ContigNames(dataset.chromosomes))
    settings = EvaluationSettings()
    with threadpool_limits(1):
        write_json(path, as_plain(evaluate(parts, None, settings, features), settings))


def published_folds(data: Path, cell: str) -> np.ndarray:
    """TargetFinder's own random fold of each pair, from 1."""
    text = gzip.decompress((data / f"targetfinder.{cell}.hg19.bedpe.gz").read_bytes()).decode()
    return np.array([int(line.split("\t")[11]) + 1 for line in text.splitlines()[1:]], np.int8)


def tracks_of_peaks(path: Path, peaks: Path) -> Path:
    """TRACKS.tsv of a folder with TargetFinder's filenames.csv."""
    rows = [line.split(",")[:2] for line in (peaks / "filenames.csv").read_text().splitlines()[1:]]
    path.write_text("name\tpath\n" + "".join(f"{name}\t{(peaks / f'{file}.gz').resolve()}\n" for name, file in rows))
    return path


def prepare_chr22(work: Path, data: Path) -> None:
    """Sequence, motifs, pairs in folds, and peaks in the coordinates of hg38."""
    fasta = work / "chr22.fa"
    if not fasta.exists():
        fasta.write_bytes(gzip.decompress((data / "chr22.hg38.fa.gz").read_bytes()))
    for preset in PRESETS:
        if not (kernels := work / f"kernels.{preset}.npz").exists():
            speid("motifs", "--jaspar", 2016, "--preset", preset, "-o", kernels)
    for cell in WITH_PEAKS:
        lift_peaks(data, cell, work / f"{cell}.peaks")
    for name, cells in SETS.items():
        for split, options in SPLITS.items():
            folder = folder_of(work, name, split)
            folder.mkdir(exist_ok=True)
            pairs = folder / "pairs.bedpe"
            lines = [line for cell in cells for line in published_lines(data, cell)[1:]]
            pairs.write_text("\n".join([published_lines(data, cells[0])[0], *lines]) + "\n")
            if not (folder / "pairs.npz").exists():
                speid("prepare", pairs, fasta, *options, "-o", folder / "pairs.npz")


def published_lines(data: Path, cell: str) -> list[str]:
    """Header and chr22 pairs of a cell line."""
    return gzip.decompress((data / f"targetfinder.{cell}.chr22.hg38.bedpe.gz").read_bytes()).decode().splitlines()


def folder_of(work: Path, name: str, split: str) -> Path:
    """Of one set of pairs, divided in one way."""
    return work / f"chr22.{name.replace(' ', '_')}.{split}"


def trainings(work: Path) -> Iterator[Callable[[], None]]:
    """Both stages of every fold; the small network on the six lines only."""
    for preset in PRESETS:
        for name in SETS if preset == "tiny" else ("six lines",):
            for split, options in SPLITS.items():
                for fold in range(1, int(options[-1]) + 1):
                    yield partial(train, work, folder_of(work, name, split), preset, fold)


def train(work: Path, folder: Path, preset: str, fold: int) -> None:
    """Pre-train and fine-tune the model of one fold."""
    start, model = folder / f"{preset}.fold{fold}.pretrained.pt", folder / f"{preset}.fold{fold}.pt"
    if model.exists():
        return
    data, kernels = folder / "pairs.npz", work / f"kernels.{preset}.npz"
    one = "--threads", 1, "--resume"
    if not start.exists():
        speid("pretrain", data, "--preset", preset, "--motifs", kernels, "--fold", fold, "-o", start, *one)
    speid("finetune", start, data, "-o", model, *one)


def evaluations(work: Path) -> Iterator[Callable[[], None]]:
    """The models of all folds together, beside everything else."""
    for preset in PRESETS:
        for name, cells in SETS.items() if preset == "tiny" else [("six lines", CELLS)]:
            for split, options in SPLITS.items():
                tracks = work / f"{cells[0]}.peaks" / "tracks.tsv" if len(cells) == 1 else None
                yield partial(judge, folder_of(work, name, split), preset, int(options[-1]), tracks)


def judge(folder: Path, preset: str, folds: int, tracks: Path | None) -> None:
    """Evaluate the models of one preset."""
    target = folder / f"{preset}.evaluation"
    if not (target / "metrics.json").exists():
        models = [folder / f"{preset}.fold{fold}.pt" for fold in range(1, folds + 1)]
        beside: Sequence[object] = ("--tracks", tracks) if tracks else ()
        speid("evaluate", *models, folder / "pairs.npz", *beside, "-o", target, "--threads", 1, "--force")


def write_json(path: Path, content: object) -> None:
    """A result, whole or not at all."""
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(content))
    beside.replace(path)


if __name__ == "__main__":
    main()

"""Inputs made inside the test that uses them."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pysam
import pytest
import torch
from numpy.typing import NDArray

from speid_cli.cli import main
from speid_cli.dataset.pairs import PairDataset
from speid_cli.genome.bedpe import BedpeLine, is_comment, is_header
from speid_cli.genome.motif_files import Motif
from speid_cli.genome.onehot import ALPHABET
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import SpeidConfig
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import Scorer
from speid_cli.text import read_lines

CHROMOSOMES = ("chr1", "chr2", "chr3", "chr4")
CONTIG_BP = 6000
ENHANCER_WINDOW, PROMOTER_WINDOW = 300, 200
TINY = SpeidConfig(
    enhancer_window=ENHANCER_WINDOW,
    promoter_window=PROMOTER_WINDOW,
    n_kernels=8,
    kernel_length=11,
    pool_length=7,
    lstm_units=5,
    dense_units=6,
)
WINDOW_OPTIONS = ["--enhancer-window", str(ENHANCER_WINDOW), "--promoter-window", str(PROMOTER_WINDOW)]
TINY_OPTIONS = [
    *("--preset", "tiny", "--set", "n_kernels=8", "--set", "kernel_length=11", "--set", "pool_length=7"),
    *("--set", "lstm_units=5", "--set", "dense_units=6"),
]
HEADER = "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2\tlabel"


def shared_data() -> Path:
    """The folder of real data beside the checkout; skips the test where there is none."""
    folder = Path(os.environ.get("SPEID_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not there")
    return folder


def copy_of_project(path: Path) -> Path:
    """What a build reads, at another place: builds write beside it."""
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "*.so", "__pycache__", "quickstart")
    return Path(shutil.copytree(Path(__file__).parents[1], path, ignore=left_out))


def random_sequence(length: int, seed: int, alphabet: str = "ACGT") -> str:
    """Letters drawn uniformly."""
    return "".join(np.random.default_rng(seed).choice(list(alphabet), length))


def write_fasta(path: Path, contigs: dict[str, str], width: int = 60) -> Path:
    """A plain FASTA."""
    with path.open("w") as out:
        for name, sequence in contigs.items():
            out.write(f">{name}\n")
            out.writelines(sequence[i : i + width] + "\n" for i in range(0, len(sequence), width))
    return path


def write_genome(path: Path, seed: int = 0, names: Sequence[str] = CHROMOSOMES) -> dict[str, str]:
    """A FASTA with soft-masked letters, other letters and a run of N; returns its sequences."""
    contigs = {name: random_sequence(CONTIG_BP, seed + i, "ACGTacgtNR") for i, name in enumerate(names)}
    contigs = {name: text[:500] + "N" * 200 + text[700:] for name, text in contigs.items()}
    write_fasta(path, contigs)
    return contigs


def write_bgzip(path: Path, source: Path) -> Path:
    """The same FASTA, bgzip-compressed."""
    pysam.tabix_compress(str(source), str(path), force=True)
    return path


def write_gzip(path: Path, text: str) -> Path:
    """Text, gzip-compressed."""
    path.write_bytes(gzip.compress(text.encode()))
    return path


def write_bigwig(path: Path, values: dict[str, NDArray[np.floating]]) -> Path:
    """A bigWig by pyBigWig, of a value for each base of each contig; NaN is no value."""
    import pyBigWig

    with pyBigWig.open(str(path), "w") as out:
        out.addHeader([(name, len(track)) for name, track in values.items()])
        for name, track in values.items():
            start = np.flatnonzero(~np.isnan(track))
            out.addEntries([name] * len(start), start.tolist(), ends=(start + 1).tolist(), values=track[start].tolist())
    return path


def pair_lines(count: int, seed: int = 0, chromosomes: Sequence[str] = CHROMOSOMES) -> list[str]:
    """BEDPE lines of 11 columns whose elements may be at the ends or longer than their windows."""
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(count):
        chrom = chromosomes[number % len(chromosomes)]
        sides = []
        for _ in range(2):
            start = int(rng.choice([0, rng.integers(0, CONTIG_BP - 1)]))
            end = min(CONTIG_BP, start + int(rng.choice([1, rng.integers(1, 700)])))
            sides += [chrom, start, end]
        lines.append("\t".join(map(str, [*sides, f"pair{number}", ".", "+", "-", int(number % 5 == 0)])))
    return lines


def write_pairs(path: Path, lines: Sequence[str], header: str | None = HEADER, end: str = "\n") -> Path:
    """A BEDPE file."""
    rows = ([header] if header else []) + list(lines)
    path.write_bytes((end.join(rows) + end).encode())
    return path


def random_checkpoint(config: SpeidConfig = TINY, seed: int = 0, **provenance: object) -> Checkpoint:
    """An untrained network whose norms have statistics, scales and offsets far from their start."""
    generator = torch.Generator().manual_seed(seed)
    model = Speid(config)
    initialise(model, generator)
    state = model.state_dict()
    for name, values in state.items():
        if "norm" in name and "num_batches" not in name:
            low = -0.4 if name.endswith(("bias", "mean")) else 0.5
            values.uniform_(low, low + 0.8, generator=generator)
    return Checkpoint(config, state, "finetuned", [], dict(provenance))


def trained_network(seed: int = 0) -> Speid:
    """A network as `random_checkpoint` makes it, whose features have means that features can have."""
    model = random_checkpoint(seed=seed).model()
    model.feature_norm.running_mean.abs_()  # type: ignore[union-attr, operator]
    return model


def consensus_motif(identifier: str, consensus: str, count: int = 20) -> Motif:
    """A motif of `count` times a consensus; N is any base."""
    rows = [[count * (letter in (base, "N")) for base in ALPHABET] for letter in consensus]
    return Motif(identifier, identifier, np.array(rows, np.float64), "test")


def scorer(model: Speid, device: Device, codes: Sequence[NDArray[np.uint8]], **options: object) -> Scorer[int]:
    """A scorer of elements given by the base codes of both sides, which it knows by their rows."""
    enhancers, promoters = codes
    read = (lambda rows: enhancers[rows]), (lambda rows: promoters[rows])
    return Scorer(model, device, read, **options)  # type: ignore[arg-type]


def relabelled(dataset: PairDataset, **arrays: object) -> PairDataset:
    """A data set with some arrays exchanged."""
    return replace(dataset, **arrays)  # type: ignore[arg-type]


def read_bedpe(path: str) -> Iterator[BedpeLine]:
    """Every line of a BEDPE file, one at a time: the plain way of `PairReader.lines`."""
    header_possible = True
    for number, text in read_lines(path):
        is_a_header = header_possible and is_header(text)
        role: Literal["header", "comment", "pair"] = "comment" if is_comment(text) else "pair"
        role = "header" if is_a_header else role
        header_possible = header_possible and role == "comment"
        yield BedpeLine(number, role, text)


def run(*arguments: object) -> int:
    """The real command line, in this process."""
    return main([str(argument) for argument in arguments])


class SilentObserver:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.samples = 0

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None: ...

    def samples_done(self, samples: int) -> None:
        self.samples += samples

    def epoch_ended(self, row: dict[str, object], best: bool) -> None:
        self.rows.append(row)

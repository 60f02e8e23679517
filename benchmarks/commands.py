"""Whole commands, from start to end, each beside what one would run instead, or beside its own computing part.

usage: python benchmarks/commands.py --scorer GENOME.fa MODEL.pt CANDIDATES.bedpe     (seconds of the scorer alone)
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from measurements import Times
from stream import make_inputs, write_candidates
from work import DISTANCE_BP, apart, elements_of, unpacked_chr22

from speid_cli.genome.intervals import window_start
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import PRESETS, SpeidConfig
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import PairSide, Scorer

# A network that costs next to nothing, so that lines are all that is left.
SMALLEST = SpeidConfig(
    enhancer_window=100, promoter_window=100, n_kernels=4, kernel_length=11, lstm_units=2, dense_units=2
)
LINES = 2_000_000
CANDIDATES = {"tiny": 500_000, "small": 400_000, "paper": 60_000}
TRAINED_PAIRS = 2000
PANDAS = """
import sys, pandas
reader = pandas.read_csv(sys.argv[1], sep="\\t", header=None, chunksize=100_000)
for number, some in enumerate(reader):
    some[7] = 0.5
    some.to_csv(sys.argv[2], sep="\\t", header=False, index=False, mode="a" if number else "w", float_format="%.6g")
"""
SPEID = (sys.executable, "-m", "speid_cli")
TRAINING = "`speid pretrain`, preset `paper`, one epoch"


@dataclass
class Way:
    """A command and what it is compared with.

    Attributes
    ----------
    what, count
        What it does, and how often.
    command : sequence
        Prints its seconds, if `is_timed`.
    beside : str
        Name of the way that it is compared with; empty: none here.
    """

    what: str
    count: int
    command: Sequence[object]
    beside: str = ""
    is_timed: bool = False
    times: Times = field(default_factory=Times)


def measure_commands(data: Path, python: str, folder: Path, rounds: int) -> dict[str, Way]:
    """All ways in turn, `rounds` times; `python` has pandas."""
    ways = dict(all_ways(data, python, folder))
    for number in range(rounds):
        for name, way in ways.items():
            print(f"round {number + 1}/{rounds}: {name}", file=sys.stderr)
            measure(way, folder)
    return ways


def measure(way: Way, folder: Path) -> None:
    """Run a way once."""
    start = time.perf_counter()
    with open(folder / "standard.output", "wb+") as out:
        command = [str(part) for part in way.command]
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.DEVNULL)
        status = process.wait()
        seconds = time.perf_counter() - start
        out.seek(0)
        way.times.seconds.append(float(out.read()) if way.is_timed else seconds)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")


def all_ways(data: Path, python: str, folder: Path) -> Iterator[tuple[str, Way]]:
    """Ways by name; makes their inputs."""
    make_inputs(folder)
    write_candidates(folder / "lines.bedpe", LINES)
    write_model(folder / "smallest.pt", SMALLEST)
    predict = [*SPEID, "predict", "--force", "-o", "scored.bedpe", "-f"]
    usual = "pandas: read, add a column, write"
    yield usual, Way("lines", LINES, [python, "-c", PANDAS, "lines.bedpe", "pandas.bedpe"])
    yield (
        "`speid predict`, a network of 4 kernels and 2 units",
        Way("lines", LINES, [*predict, "genome.fa", "smallest.pt", "lines.bedpe"], usual),
    )
    unpacked_chr22(data, folder)
    for preset, count in CANDIDATES.items():
        files = write_model(folder / f"{preset}.pt", PRESETS[preset].model), write_neighbours(data, folder, count)
        count = (folder / files[1]).read_bytes().count(b"\n")  # there may be fewer
        alone = f"the scorer alone, preset `{preset}`"
        command = [sys.executable, Path(__file__).resolve(), "--scorer", "chr22.fa", *files]
        yield alone, Way("pairs", count, command, is_timed=True)
        yield f"`speid predict`, preset `{preset}`", Way("pairs", count, [*predict, "chr22.fa", *files], alone)
    yield from candidate_ways(data, folder)
    yield training_way(data, folder)


def candidate_ways(data: Path, folder: Path) -> Iterator[tuple[str, Way]]:
    """All pairs within 2 Mb of the elements of six whole cell lines."""
    beds = ["enhancers.bed", "promoters.bed"]
    for name, side in zip(beds, elements_of(data, "targetfinder.*.hg19.bedpe.gz"), strict=True):
        (folder / name).write_text("".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in side))
    window = ["bedtools", "window", "-w", DISTANCE_BP, "-a", beds[0], "-b", beds[1]]
    way = Way("pairs", 0, window)
    measure(way, folder)
    with open(folder / "standard.output", "rb") as found:
        count = sum(chunk.count(b"\n") for chunk in iter(lambda: found.read(1 << 20), b""))
    yield "`bedtools window`", Way("pairs", count, window)
    ours = [*SPEID, "candidates", *beds, "--min-distance", 0]
    yield "`speid candidates`", Way("pairs", count, ours, "`bedtools window`")


def training_way(data: Path, folder: Path) -> tuple[str, Way]:
    """One epoch of `pretrain` at the preset paper, from start to end."""
    pairs = folder / write_neighbours(data, folder, TRAINED_PAIRS)
    rows = [line.split("\t")[:6] for line in pairs.read_text().splitlines()]
    pairs.write_text("".join("\t".join([*row, ".", str(number % 2)]) + "\n" for number, row in enumerate(rows)))
    prepare = [*SPEID, "prepare", pairs, "chr22.fa", "--split", "random", "--test-fraction", "0"]
    prepare += ["--validation-fraction", "0", "-o", "trained.npz"]
    subprocess.run([str(part) for part in prepare], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    command = [*SPEID, "pretrain", "trained.npz", "--epochs", 1, "--copies", 1, "--force", "-o", "trained.pt"]
    return TRAINING, Way("pairs", TRAINED_PAIRS, command)


def write_model(path: Path, config: SpeidConfig) -> str:
    """An untrained network; its file's name."""
    model = Speid(config)
    initialise(model, torch.Generator().manual_seed(0))
    with path.open("wb") as stream:
        Checkpoint(config, model.state_dict(), "finetuned", [], {}).write(stream)
    return path.name


def write_neighbours(data: Path, folder: Path, count: int) -> str:
    """The first pairs along chr22 within 2 Mb, of all elements of six cell lines; the file's name."""
    enhancers, promoters = elements_of(data, "targetfinder.*.chr22.hg38.bedpe.gz")
    near = ((e, p) for e in enhancers for p in promoters if apart(e, p) <= DISTANCE_BP)
    path = folder / f"neighbours.{count}.bedpe"
    path.write_text("".join("\t".join(map(str, (*e, *p))) + "\n" for e, p in islice(near, count)))
    return path.name


def scorer_alone(fasta: str, model: str, candidates: str) -> float:
    """Seconds in which the scorer computes all elements and pairs, whose sequence is in memory."""
    network, pairs = Checkpoint.read(model).model(), [pair for _, pair in PairReader(candidates)]
    lengths = network.config.enhancer_window, network.config.promoter_window
    sides = [PairSide.of([pair[side] for pair in pairs]) for side in (0, 1)]
    with Reference(fasta) as reference:
        codes = [
            reference.codes([(chrom, window_start(start, end, length)) for chrom, start, end in side.keys], length)
            for side, length in zip(sides, lengths, strict=True)
        ]
    most = len(codes[0]), len(codes[1])
    scorer = Scorer[int](
        network, Device("cpu"), (lambda rows: codes[0][rows], lambda rows: codes[1][rows]), most_elements=most
    )
    numbered = [PairSide(range(len(side.keys)), side.index) for side in sides]
    start = time.perf_counter()
    scorer.all_logits(*numbered)
    return time.perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1:2] != ["--scorer"]:
        sys.exit(__doc__)
    print(scorer_alone(*sys.argv[2:]))

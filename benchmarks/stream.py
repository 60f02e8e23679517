#!/usr/bin/env python3
"""Memory and time of `speid predict` for each line, without its network, for up to ten million lines.

The network is small and the elements are few, so that reading, locating and writing take most time.

usage: python benchmarks/stream.py [--lines N] [-o STREAM.md]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from measurements import machine_line, run_apart

from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import PRESETS
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid

HERE = Path(__file__).parent
CONTIG_BP = 1_000_000


class Run(NamedTuple):
    """One run of predict."""

    what: str
    lines: int
    seconds: float
    peak_bytes: int
    output_bytes: int


def main() -> None:
    """Make candidates, score them, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000, help="lines of the longest input")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "STREAM.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder)
        runs = list(measure(folder, options.lines))
    write_page(options.output, f"python benchmarks/stream.py --lines {options.lines}", runs)


def make_inputs(folder: Path) -> None:
    """A genome of one contig and an untrained network of preset tiny."""
    letters = np.random.default_rng(0).choice(list("ACGT"), CONTIG_BP)
    (folder / "genome.fa").write_text(">chr1\n" + "".join(letters) + "\n")
    config = replace(PRESETS["tiny"].model, enhancer_window=400, promoter_window=300)
    model = Speid(config)
    initialise(model, torch.Generator().manual_seed(0))
    with (folder / "model.pt").open("wb") as stream:
        Checkpoint(config, model.state_dict(), "finetuned", [], {}).write(stream)


def write_candidates(path: Path, lines: int) -> None:
    """Pairs of 100 enhancers and 100 promoters, in any order."""
    rng = np.random.default_rng(1)
    with path.open("w") as out:
        for start in range(0, lines, 100_000):
            sides = rng.integers(0, 100, (min(100_000, lines - start), 2))
            out.writelines(
                f"chr1\t{e * 9000}\t{e * 9000 + 500}\tchr1\t{p * 9500}\t{p * 9500 + 300}\tpair{number}\n"
                for number, (e, p) in enumerate(sides.tolist(), start)
            )


def measure(folder: Path, most: int) -> Iterator[Run]:
    """Runs on a hundredth, a tenth and all of the lines, and on the last of a hundred shares."""
    for lines in (most // 100, most // 10, most):
        write_candidates(folder / "candidates.bedpe", lines)
        yield predict(folder, "all lines", lines)
    yield predict(folder, "the last of 100 shards", most // 100, "--shard", "100/100")


def predict(folder: Path, what: str, lines: int, *more: str) -> Run:
    """One run, and its peak memory."""
    arguments = ["predict", "model.pt", "candidates.bedpe", "-f", "genome.fa", "-o", "out.bedpe", "--force", *more]
    seconds, peak = run_apart(arguments, folder)
    run = Run(what, lines, seconds, peak, (folder / "out.bedpe").stat().st_size)
    print(run, flush=True)
    return run


def write_page(path: Path, command: str, runs: list[Run]) -> None:
    """Write the table, and the difference between the peaks."""
    peaks = [run.peak_bytes for run in runs if run.what == "all lines"]
    lines = [
        "# What a line costs", "", f"Written by `{command}`.", "",
        machine_line(), "",
        "`speid predict -o`, start to end, an untrained network of preset tiny, pairs of 100 enhancers and 100",
        "promoters.", "",
        "| | lines | seconds | lines/s | peak memory, MB | output, bytes a line |", "|---|---|---|---|---|---|",
        *(
            f"| {run.what} | {run.lines:,} | {run.seconds:.1f} | {run.lines / run.seconds:,.0f} "
            f"| {run.peak_bytes / 1e6:.0f} | {run.output_bytes / run.lines:.0f} |"
            for run in runs
        ),
        "", f"The peaks of all lines are within {100 * (max(peaks) / min(peaks) - 1):.1f}% of each other (limit: 10%).",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

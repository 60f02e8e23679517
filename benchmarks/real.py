#!/usr/bin/env python3
"""On real chr22: the error of each backend against float64, and the time of `speid predict` and its scorer.

usage: python benchmarks/real.py FOLDER [--candidates N] [--rounds N] [-o REAL.md]

FOLDER holds the paper's pairs and chr22 (targetfinder.*.chr22.hg38.bedpe.gz, chr22.hg38.fa.gz). A
network of the paper's sizes is trained for one epoch on GM12878's pairs first, so that its weights
and norm statistics are a trained network's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from measurements import machine_line
from numpy.typing import NDArray
from torch import nn
from work import DISTANCE_BP, WINDOWS, apart, elements_of, unpacked_chr22, windows

from speid_cli.genome.intervals import Interval
from speid_cli.genome.reference import Reference
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.convolution import branch, expand
from speid_cli.model.device import Device
from speid_cli.model.native.layers import Features
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import Scorer

Codes = NDArray[np.uint8]
CHECKED = 200
# A relative difference of gradients that rounding explains only where it moves a maximum.
MOVED = 1e-6


def main() -> None:
    """Measure and write the page."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fasta, model = trained(options.data, folder)
        lines, elements = candidates(options.data, options.candidates)
        with Reference(str(fasta)) as reference:
            codes = [windows(reference, side, width) for side, width in zip(elements, WINDOWS, strict=True)]
        text = "\n".join(
            [
                "# On real chr22\n\nWritten by `python benchmarks/real.py`.\n",
                f"{machine_line()}\n",
                exactness(Checkpoint.read(str(model)).model(), codes, lines),
                gradients(Checkpoint.read(str(model)).model(), [side[:20] for side in codes]),
                end_to_end(model, codes, lines, elements, folder, options.rounds),
            ]
        )
    options.output.write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "REAL.md")
    return parser.parse_args()


def trained(data: Path, folder: Path) -> tuple[Path, Path]:
    """Unpacked chr22, and a model of the paper's sizes after one epoch on GM12878's pairs there."""
    fasta, model = unpacked_chr22(data, folder), folder / "model.pt"
    pairs = data / "targetfinder.GM12878.chr22.hg38.bedpe.gz"
    for command in (
        ["prepare", pairs, fasta, "--split", "random", "-o", folder / "pairs.npz"],
        ["pretrain", folder / "pairs.npz", "--epochs", 1, "--lr", 1e-4, "-o", model],
    ):
        subprocess.run([sys.executable, "-m", "speid_cli", *map(str, command)], check=True)
    return fasta, model


def candidates(data: Path, count: int) -> tuple[list[tuple[int, int]], list[list[Interval]]]:
    """The first pairs along chr22 within 2 Mb of each other, of all elements of six cell lines."""
    elements = elements_of(data, "targetfinder.*.chr22.hg38.bedpe.gz")
    pairs = [
        (i, j)
        for i, enhancer in enumerate(elements[0])
        for j, promoter in enumerate(elements[1])
        if apart(enhancer, promoter) <= DISTANCE_BP
    ]
    return pairs[:count], elements


def exactness(model: Speid, codes: list[Codes], pairs: list[tuple[int, int]]) -> str:
    """Differences from float64 of some pairs on every backend."""
    some = np.array(pairs[:: max(1, len(pairs) // CHECKED)][:CHECKED])
    left, right = some.T
    exact = modules(model, codes[0][left], codes[1][right], double=True)
    pytorch, native = Device("cpu"), Device("cpu")
    pytorch.kernels = None
    found = {"the network's modules": modules(model, codes[0][left], codes[1][right])}
    changed = Unknown.with_weights(model.config, model.state_dict())
    for name, network, device in (("plain", changed, native), ("PyTorch", model, pytorch), ("native", model, native)):
        logits = scorer(network, device, codes).logits(left.tolist(), right.tolist())
        found[f"{name} backend"] = logits.astype(np.float64)
    rows = [
        f"| {name} | {np.abs(logits - exact).max():.1e} | {np.abs(sigmoid(logits) - sigmoid(exact)).max():.1e} |"
        for name, logits in found.items()
    ]
    return "\n".join(
        [
            f"## Scores\n\nOf {len(some)} pairs, against the network's modules in float64 (logits from "
            f"{exact.min():.2f} to {exact.max():.2f}):\n",
            "| in fp32 | largest difference in logit | in probability |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def gradients(model: Speid, codes: list[Codes]) -> str:
    """Convolution gradients per kernel against float64, given the same upstream gradient."""
    both = torch.from_numpy(codes[0]), torch.from_numpy(codes[1])
    convolutions = model.enhancer_conv, model.promoter_conv
    kernels = Device("cpu").kernels
    upstream = torch.randn(20, model.config.steps, model.config.n_kernels, generator=torch.Generator().manual_seed(0))
    sizes = 4, model.config.n_kernels, model.config.kernel_length
    exact = nn.Conv1d(*sizes).double(), nn.Conv1d(*sizes).double()
    for one, other in zip(exact, convolutions, strict=True):
        one.load_state_dict(other.state_dict())
    expected = weight_gradients(exact, plain_features(exact, both), upstream.double())
    ways = {"plain modules": plain_features(convolutions, both)}
    if kernels is not None:
        weights = [values for layer in convolutions for values in (layer.weight, layer.bias)]
        ways["native kernels"] = Features.apply(kernels, both, 20, *weights)
    rows = []
    for name, features in ways.items():
        worst = []
        for found, true in zip(weight_gradients(convolutions, features, upstream), expected, strict=True):
            off = (found.double() - true).flatten(1).norm(dim=1) / true.flatten(1).norm(dim=1)
            worst.append(
                f"{off.median():.1e}, {off[off <= MOVED].max():.1e}; {int((off > MOVED).sum())}, {off.max():.1e}"
            )
        rows.append(f"| {name} | " + " | ".join(worst) + " |")
    return "\n".join(
        [
            "## Gradients\n\nOf the convolution weights, kernel by kernel, relative to float64's, given the same "
            "upstream gradient, of 20 pairs: the median of 1,024 kernels and the largest difference "
            f"up to {MOVED:.0e}; how many kernels differ by more, since rounding moves a maximum to another position, "
            "and the largest difference of all:\n",
            "| in fp32 | enhancer | promoter |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def plain_features(convolutions: tuple[nn.Conv1d, nn.Conv1d], codes: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Pooled features of both sides in the convolutions' own precision."""
    sides = zip(convolutions, codes, strict=True)
    pooled = [branch(layer, expand(side).to(layer.weight.dtype), 20) for layer, side in sides]
    return torch.cat(pooled, 2).transpose(1, 2)


def weight_gradients(
    convolutions: tuple[nn.Conv1d, nn.Conv1d], features: torch.Tensor, upstream: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Gradients of both sides' weights."""
    return torch.autograd.grad(features, [layer.weight for layer in convolutions], upstream)


def end_to_end(
    model: Path,
    codes: list[Codes],
    pairs: list[tuple[int, int]],
    elements: list[list[Interval]],
    folder: Path,
    rounds: int,
) -> str:
    """Wall time of the command against the scorer on sequence that is already in memory."""
    bedpe, out = folder / "candidates.bedpe", folder / "scored.bedpe"
    with open(bedpe, "w") as stream:
        for number, (i, j) in enumerate(pairs):
            fields = [*elements[0][i], *elements[1][j], f"pair{number}", "."]
            stream.write("\t".join(map(str, fields)) + "\n")
    left, right = np.array(pairs).T
    network = Checkpoint.read(str(model)).model()
    command, alone = [], []
    for _ in range(rounds):
        with timed(command):
            subprocess.run(
                [sys.executable, "-m", "speid_cli", "predict", model, bedpe, "-o", out, "--force"], check=True
            )
        with timed(alone):
            logits = scorer(network, Device("cpu"), codes).logits(left.tolist(), right.tolist())
    scored = np.array([float(line.split("\t")[7]) for line in out.read_text().splitlines()])
    difference = np.abs(scored - sigmoid(logits)).max()
    medians = statistics.median(command), statistics.median(alone)
    return "\n".join(
        [
            f"## End to end\n\n{len(pairs):,} candidates of {len(np.unique(left)):,} enhancers and "
            f"{len(np.unique(right)):,} promoters through `speid predict`, {rounds} rounds in turn, medians (range):\n",
            "| | seconds | pairs/s |\n|---|---|---|",
            *(
                f"| {name} | {statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f}) "
                f"| {len(pairs) / statistics.median(times):,.0f} |"
                for name, times in (("`speid predict`, start to end", command), ("scorer, sequence in memory", alone))
            ),
            f"\nStarting, reading BEDPE and FASTA and writing cost {medians[0] / medians[1] - 1:.0%} on top (goal: "
            f"under 15%). The probabilities differ by at most {difference:.1e}: the file has 6 digits.\n",
        ]
    )


class Unknown(Speid):
    """The same network as a class without a fast backend."""

    has_fast_paths = False


def scorer(model: Speid, device: Device, codes: list[Codes]) -> Scorer[int]:
    """A scorer of elements that are identified by their rows."""
    read = (lambda rows: codes[0][rows]), (lambda rows: codes[1][rows])
    return Scorer(model, device, read, most_elements=(len(codes[0]), len(codes[1])))


def modules(model: Speid, enhancers: Codes, promoters: Codes, double: bool = False) -> NDArray[np.float64]:
    """Logits of the network's modules, in fp32 or float64."""
    network = Speid.with_weights(model.config, model.state_dict()).to(torch.float64 if double else torch.float32)
    parts = []
    with torch.no_grad():
        for start in range(0, len(enhancers), 10):
            sides = (expand(torch.from_numpy(side[start : start + 10])) for side in (enhancers, promoters))
            parts.append(network(*(side.to(network.dense.weight.dtype) for side in sides)))
    return torch.cat(parts).double().numpy()


@contextmanager
def timed(times: list[float]) -> Iterator[None]:
    """Append the seconds of the block."""
    start = time.perf_counter()
    yield
    times.append(time.perf_counter() - start)


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities."""
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


if __name__ == "__main__":
    main()

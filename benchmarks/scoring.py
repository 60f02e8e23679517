#!/usr/bin/env python3
"""How fast pairs are scored: the shared-element scorer beside the network run pair by pair.

usage: python benchmarks/scoring.py [--rounds N] [--preset paper|small|tiny]

Both take turns in one process, several rounds; the table has medians and ranges. Sequence is
random and the weights are untrained, which changes no amount of work. "Unrelated" pairs share no
element; "shared" pairs are all against all, as a scan of candidates has them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import speid_cli
from speid_cli.model.config import PRESETS
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid
from speid_cli.scoring.engine import Scorer

PLAIN_BATCH = 100


def main() -> None:
    """Measure and print."""
    options = parse()
    model = Speid(PRESETS[options.preset].model).eval()
    initialise(model, torch.Generator().manual_seed(0))
    device = Device("cpu")
    scorer = Scorer(model, device)
    rng = np.random.default_rng(0)
    print(
        f"speid {speid_cli.__version__}, PyTorch {torch.__version__}, {device.description}, preset {options.preset}\n"
    )
    print("| pairs | unique elements | scorer | pairs/s, median (range) | against pair by pair |")
    print("|---|---|---|---|---|")
    for name, elements, pairs in (("unrelated", options.unrelated, options.unrelated), ("shared", 40, 1600)):
        enhancers = rng.integers(0, 4, (elements, model.config.enhancer_window), dtype=np.uint8)
        promoters = rng.integers(0, 4, (elements, model.config.promoter_window), dtype=np.uint8)
        left, right = np.arange(pairs) % elements, np.arange(pairs) // max(1, pairs // elements)
        some = slice(0, PLAIN_BATCH)
        plain = torch.from_numpy(enhancers[left[some]]), torch.from_numpy(promoters[right[some]])
        works: dict[str, tuple[int, Callable[[], object]]] = {
            "pair by pair": (len(plain[0]), lambda plain=plain: run_plain(model, *plain)),
            "shared elements": (pairs, lambda e=enhancers, p=promoters, a=left, b=right: scorer.logits(e, p, a, b)),
        }
        rates = measure(works, options.rounds)
        for work, values in rates.items():
            ratio = statistics.median(values) / statistics.median(rates["pair by pair"])
            spread = f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"
            print(f"| {pairs:,} {name} | {2 * elements:,} | {work} | {spread} | {ratio:.1f} |")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--preset", choices=list(PRESETS), default="paper")
    parser.add_argument("--unrelated", type=int, default=256, help="unrelated pairs to score")
    return parser.parse_args()


@torch.no_grad()
def run_plain(model: Speid, enhancers: torch.Tensor, promoters: torch.Tensor) -> torch.Tensor:
    """The network's modules on a batch of pairs."""
    logits: torch.Tensor = model(enhancers, promoters)
    return logits


def measure(works: dict[str, tuple[int, Callable[[], object]]], rounds: int) -> dict[str, list[float]]:
    """Pairs/s of each work, the works taking turns; a first round warms up and does not count."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, (pairs, work) in works.items():
            start = time.perf_counter()
            work()
            if number:
                rates[name].append(pairs / (time.perf_counter() - start))
    return rates


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Speed of scoring and training on a GPU by precision, with the error of each against float64, and of whole commands.

usage: python benchmarks/gpu.py [--preset paper|small|tiny] [--rounds N] [--lines N] > GPU.md

Works differ only in device, precision and batch. Sequence is random, and the weights are untrained
with changed norm statistics, which does not affect the amount of work. Training runs the trainer
itself, with PyTorch set to fail at any call that makes the host wait for the device.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from commands import write_model
from measurements import SilentObserver, run_apart
from stream import make_inputs, write_candidates

import speid_cli
from speid_cli.dataset.pairs import Elements, PairDataset
from speid_cli.model.config import PRESETS, SpeidConfig
from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.model.initialisers import initialise
from speid_cli.model.speid import Speid
from speid_cli.scoring.scorer import PairSide, Scorer
from speid_cli.training.inputs import WholeNetwork
from speid_cli.training.state import TrainingState
from speid_cli.training.trainer import Trainer

TRAINED = 20_000


def main() -> None:
    """Measure and print."""
    options = parse()
    config = PRESETS[options.preset].model
    name = torch.cuda.get_device_name()
    print("# On a GPU\n\nWritten by `python benchmarks/gpu.py`. Medians; convolution, LSTM and dense in PyTorch.\n")
    print(f"speid {speid_cli.__version__}, PyTorch {torch.__version__}, {name}, preset {options.preset}.\n")
    model = untrained(config)
    score(model, options.rounds)
    train(config, options.rounds)
    torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as name:
        run_commands(options.preset, Path(name), options.lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=10_000_000, help="candidates for the whole command")
    parser.add_argument("--preset", choices=list(PRESETS), default="paper")
    return parser.parse_args()


def untrained(config: SpeidConfig) -> Speid:
    """A network with random weights and norm statistics."""
    generator = torch.Generator().manual_seed(0)
    model = Speid(config).eval()
    initialise(model, generator)
    for name, values in model.state_dict().items():
        if "norm" in name and "num_batches" not in name:
            low = -0.4 if name.endswith(("bias", "mean")) else 0.5
            values.uniform_(low, low + 0.8, generator=generator)
    return model


def score(model: Speid, rounds: int) -> None:
    """Elements and pairs per second, and the largest error in probability of some pairs against float64."""
    config, count = model.config, 512
    rng = np.random.default_rng(0)
    codes = [rng.integers(0, 4, (count, w), dtype=np.uint8) for w in (config.enhancer_window, config.promoter_window)]
    left, right = np.arange(count * 100) // 100, np.arange(count * 100) * 7 % count
    keys = left.tolist(), right.tolist()
    checked = np.arange(0, count * 100, count * 100 // 64)
    with torch.no_grad():
        exact = torch.sigmoid(exact_logits(model, codes[0][left[checked]], codes[1][right[checked]])).numpy()
    print("512 enhancers and 512 promoters; 51,200 pairs of them. Error: of 64 pairs, against float64.\n")
    print("| scoring | elements/s | pairs/s | largest error in probability |\n|---|---|---|---|")
    for precision in ("fp32", "tf32", "bf16"):
        for batch_size in (256, 2048, 8192, 16384):
            device = Device("cuda", precision)  # type: ignore[arg-type]
            read = (lambda rows: codes[0][rows]), (lambda rows: codes[1][rows])
            scorer = Scorer[int](model, device, read, batch_size)
            elements, pairs, logits = [], [], np.empty(0)
            for _ in range(rounds + 1):
                caches = scorer.enhancers, scorer.promoters
                for cache in caches:
                    cache.clear()
                with timed(elements):
                    for cache in caches:
                        cache.find(PairSide.of(range(count)))
                with timed(pairs):
                    logits = scorer.logits(*keys)
            error = np.abs(1 / (1 + np.exp(-logits[checked].astype(np.float64))) - exact).max()
            rates = [n / statistics.median(times[1:]) for n, times in ((2 * count, elements), (len(left), pairs))]
            print(f"| {precision}, batches of {batch_size} | {rates[0]:,.0f} | {rates[1]:,.0f} | {error:.1e} |")
            model.cpu()


def exact_logits(model: Speid, enhancers: np.ndarray, promoters: np.ndarray) -> torch.Tensor:
    """The network's modules in float64 on the CPU."""
    exact = Speid(model.config).double().eval()
    exact.load_state_dict(model.state_dict())
    logits: torch.Tensor = exact(*(expand(torch.from_numpy(side)).double() for side in (enhancers, promoters)))
    return logits


@contextmanager
def timed(times: list[float]) -> Iterator[None]:
    """Append the seconds until the device has finished the block."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    yield
    torch.cuda.synchronize()
    times.append(time.perf_counter() - start)


def train(config: SpeidConfig, rounds: int) -> None:
    """Training steps of 100 pairs; the loss after them, so that precisions can be compared."""
    data = random_dataset(config, 400)
    settings = replace(PRESETS["paper"].pretrain, learning_rate=1e-4, copies=1)
    print("\n400 unrelated pairs an epoch; from the second epoch on no call may wait for the device.\n")
    print("| training, batches of 100 | pairs/s | first and last loss |\n|---|---|---|")
    for precision in ("fp32", "tf32", "bf16"):
        device = Device("cuda", precision)  # type: ignore[arg-type]
        model = Speid(config)
        initialise(model, torch.Generator().manual_seed(0))
        trainer = Trainer(model, WholeNetwork(model, data, device), data, settings, device, 0)
        times: list[float] = []
        losses = []
        for epoch in range(rounds + 1):
            torch.cuda.set_sync_debug_mode("error" if epoch else "default")
            with timed(times):
                trainer.position.batches, before = 0, trainer.position.loss.clone()
                trainer.steps(SilentObserver(), TrainingState())
                losses.append((trainer.position.loss - before) / 400)
            torch.cuda.set_sync_debug_mode("default")
        values = [float(loss) for loss in losses]
        rate = 400 / statistics.median(times[1:])
        print(f"| {precision} | {rate:,.0f} | {values[0]:.4f}, {values[-1]:.4f} |")


def run_commands(preset: str, folder: Path, lines: int) -> None:
    """`predict` and one epoch of `pretrain`, each from start to end in a process of its own."""
    config = PRESETS[preset].model
    make_inputs(folder)
    write_model(folder / "model.pt", config)
    print("\nThe commands, from start to end: pairs of 100 enhancers and 100 promoters; unrelated pairs.\n")
    print("| command | pairs | seconds | pairs/s |\n|---|---|---|---|")
    for count in (lines // 100, lines):
        write_candidates(folder / "candidates.bedpe", count)
        run_command(folder, "predict model.pt candidates.bedpe -f genome.fa -o scored.bedpe", count)
    with (folder / "pairs.npz").open("wb") as stream:
        random_dataset(config, TRAINED).write(stream)
    run_command(folder, f"pretrain pairs.npz --preset {preset} --epochs 1 --copies 1 -o trained.pt", TRAINED)


def run_command(folder: Path, command: str, pairs: int) -> None:
    """A row of the table."""
    seconds, _ = run_apart([*command.split(), "--device", "cuda", "--force"], folder)
    print(f"| `speid {command.partition(' ')[0]}` | {pairs:,} | {seconds:.1f} | {pairs / seconds:,.0f} |", flush=True)


def random_dataset(config: SpeidConfig, pairs: int) -> PairDataset:
    """Unrelated pairs of random sequence, every other one interacting, all for training."""
    rng = np.random.default_rng(0)

    def side(window: int) -> Elements:
        bases = 1 << rng.integers(0, 4, (2, pairs, window // 2))
        onehot = (bases[0] * 16 + bases[1]).astype(np.uint8)
        start = window * np.arange(pairs)
        interval = np.stack([0 * start, start, start + window], axis=1)
        return Elements(onehot, window, window, np.zeros((pairs, 2), np.int16), interval)

    index = np.arange(pairs, dtype=np.int32)
    label = (index % 2).astype(np.int8)
    sides = side(config.enhancer_window), side(config.promoter_window)
    return PairDataset(*sides, index, index, label, np.zeros(pairs, np.int8), ("chr1",), {})


if __name__ == "__main__":
    main()

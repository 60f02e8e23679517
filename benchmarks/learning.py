#!/usr/bin/env python3
"""What makes training on little data steady? Changes of the training, one at a time, on simulated pairs.

Writes LEARNING.md. Each run is saved in the work folder as soon as it has ended, and a bench that was
stopped continues from there. A run has one thread.

usage: python benchmarks/learning.py [--work FOLDER] [--jobs N]
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, redirect_stderr
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from learning_changes import Clipping, EitherStrand, Estimating, Falling
from measurements import SilentObserver, machine_line

from speid_cli.cli import main as speid
from speid_cli.dataset.metrics import classification_metrics
from speid_cli.dataset.pairs import TEST, PairDataset
from speid_cli.model.config import PRESETS
from speid_cli.model.device import Device
from speid_cli.model.motif_kernels import KernelInitialisers
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.training import inputs, stages
from speid_cli.training.batches import PairWindows
from speid_cli.training.trainer import Trainer

HERE = Path(__file__).parent


class Grammar(NamedTuple):
    """Options of examples/simulate.py, and windows in bp."""

    options: tuple[str, ...]
    enhancer_window: int = 800
    promoter_window: int = 500


GRAMMARS = {
    "hard": Grammar(("--grammar", "hard"), 900, 700),
    "hard, half as many elements": Grammar(("--grammar", "hard", "--elements", "126"), 900, 700),
    "match": Grammar(("--grammar", "match")),
    "and": Grammar(("--grammar", "and")),
    "null": Grammar(("--grammar", "null")),
}
HARD, HALF = list(GRAMMARS)[:2]


class Change(NamedTuple):
    """A change of how the presets train: of the settings, of the network's, of the code, of the number of motifs."""

    training: Mapping[str, Any] = {}
    model: Mapping[str, Any] = {}
    trainer: type[Trainer] = Trainer
    windows: type[PairWindows] = PairWindows
    motifs: int | None = None


LAST, WHOLE = {"averaging": 0.0}, {"patience": 0}
DROPOUT = {"feature_dropout": 0.25, "sequence_dropout": 0.25, "dense_dropout": 0.5}
DROPOUTS = {"averaged, dropout .1 before the LSTM": 0.1, "averaged, no dropout before the LSTM": 0.0}
PRESET, FEW, BEFORE, LAST_STEP = (
    "averaged weights (the presets)", "averaged, 16 motif kernels", "last step, 16 motif kernels", "last step",
)  # fmt: skip
CHANGES = {
    PRESET: Change(),
    FEW: Change(motifs=16),
    BEFORE: Change(LAST, motifs=16),
    LAST_STEP: Change(LAST),
    "last step, norms' statistics estimated anew": Change(LAST, trainer=Estimating),
    "last step, norms' statistics of 100 batches": Change(LAST, {"norm_momentum": 0.01}),
    "last step, no early stop": Change(LAST | WHOLE),
    "last step, learning rate falls to 0": Change(LAST | WHOLE, trainer=Falling),
    "last step, learning rate 5e-4": Change(LAST | {"learning_rate": 5e-4}),
    "last step, batches of 400": Change(LAST | {"batch_size": 400}),
    "last step, gradients clipped": Change(LAST, trainer=Clipping),
    "averaged, learning rate falls to 0": Change(WHOLE, trainer=Falling),
    "averaged, at most 24 epochs": Change({"epochs": 24}),
    "averaged, either strand": Change(windows=EitherStrand),
    "averaged, dropout .25, .25, .5": Change(model=DROPOUT),
    **{name: Change(model={"feature_dropout": share}) for name, share in DROPOUTS.items()},
    "averaged, batches of 50": Change({"batch_size": 50}),
}


class Run(NamedTuple):
    """A training run."""

    preset: str
    grammar: str
    change: str
    seed: int

    def path(self, work: Path) -> Path:
        """The file of its result."""
        words = "".join(letter if letter.isalnum() else "_" for letter in self.change)
        return work / f"{self.preset}-{data_key(self.grammar, self.seed)}-{words}.json"


def data_key(grammar: str, seed: int) -> str:
    """The name of a data set's folder."""
    return f"{grammar.replace(', ', '-').replace(' ', '-')}-{seed}"


def runs() -> list[Run]:
    """The presets on everything, each change once, and those that were hard to decide on three seeds."""
    return [
        *(
            Run(preset, grammar, PRESET, seed)
            for preset, grammar, seed in product(("tiny", "small"), GRAMMARS, range(3))
        ),
        *(Run("tiny", HARD, change, 1) for change in CHANGES),
        *(Run("tiny", HARD, change, seed) for change, seed in product((FEW, BEFORE), range(3))),
        *(Run("tiny", grammar, change, seed) for grammar, change, seed in product((HALF, "and"), DROPOUTS, range(3))),
    ]


def main() -> None:
    """Run what has not been run, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=HERE / ".learning", help="folder for data and results")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--report", action="store_true", help="only write the page, from the runs that there are")
    options = parser.parse_args()
    if not options.report:
        for grammar, seed in product(GRAMMARS, range(3)):
            simulate(options.work / data_key(grammar, seed), GRAMMARS[grammar], seed)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.jobs, context, torch.set_num_threads, (1,)) as pool:
            for done in [pool.submit(train, options.work, run) for run in dict.fromkeys(runs())]:
                done.result()
    (HERE / "LEARNING.md").write_text("\n".join(page(options.work)) + "\n")


def simulate(folder: Path, grammar: Grammar, seed: int) -> None:
    """A simulated genome, prepared by chromosome."""
    if (folder / "pairs.npz").exists():
        return
    script = str(HERE.parent / "examples" / "simulate.py")
    subprocess.run([sys.executable, script, "-o", str(folder), "--seed", str(seed), *grammar.options], check=True)
    sizes = "--enhancer-window", grammar.enhancer_window, "--promoter-window", grammar.promoter_window
    command_line("prepare", folder / "pairs.bedpe", folder / "genome.fa", *sizes, "-o", folder / "pairs.npz")


def motif_kernels(folder: Path, run: Run) -> KernelInitialisers:
    """The motifs that a run starts with, as `speid motifs` chooses them."""
    limit = CHANGES[run.change].motifs or PRESETS[run.preset].motif_kernels
    path = folder / f"{run.preset}-{limit}.npz"
    if not path.exists():
        sizes = "--preset", run.preset, "--max-kernels", limit
        command_line("motifs", folder / "motifs.jaspar", *sizes, "-o", path)
    return KernelInitialisers.read(path)


def command_line(*arguments: object) -> None:
    """A speid command that must succeed."""
    with redirect_stderr(io.StringIO()) as messages:
        status = speid([str(argument) for argument in arguments])
    if status:
        sys.exit(messages.getvalue())


def train(work: Path, run: Run) -> None:
    """Both stages, and the result, unless it is there."""
    path = run.path(work)
    if path.exists():
        return
    folder, change, preset = work / data_key(run.grammar, run.seed), CHANGES[run.change], PRESETS[run.preset]
    dataset, device = PairDataset.read(folder / "pairs.npz"), Device("cpu", threads=1)
    windows = {"enhancer_window": dataset.enhancers.window, "promoter_window": dataset.promoters.window}
    config = replace(preset.model, **windows, **change.model)
    first, second = (replace(stage, **change.training) for stage in (preset.pretrain, preset.finetune))
    kernels, start = motif_kernels(folder, run), time.process_time()
    with ExitStack() as stack:
        stack.enter_context(patch.object(stages, "Trainer", change.trainer))
        stack.enter_context(patch.object(inputs, "PairWindows", change.windows))
        model = stages.pretrain(dataset, config, first, kernels, device, run.seed, SilentObserver(), run.preset)
        model = stages.finetune(model, dataset, second, device, run.seed, SilentObserver())
    seconds, test = time.process_time() - start, dataset.members(TEST)
    found = classification_metrics(dataset.label[test], DatasetScorer(model.model(), dataset, device).logits(test))
    curve = [(row["stage"], row["validation_auprc"]) for row in model.history]
    content = run._asdict() | {"auprc": found["auprc"], "processor_seconds": seconds, "curve": curve}
    path.with_suffix(".part").write_text(json.dumps(content, indent=1))
    path.with_suffix(".part").replace(path)
    print(f"{path.stem}: test AUPRC {found['auprc']:.3f}, {seconds:.0f} s", flush=True)


HEAD = """# Learning from little data

Written by `python benchmarks/learning.py` from the runs that were made. Simulated pairs (`examples/simulate.py`), about
15,000 for training (7,500 with half as many elements), and a sixth of that each for validation and testing, on other
chromosomes; both stages, with the motifs' kernels. AUPRC on the test pairs, base rate .1. The *largest fall* is that
of the validation AUPRC from one epoch of pre-training to the next, over all seeds. In the hard grammar (windows of 900
and 700 bp) the file of motifs has 23, of which 12 matter; `tiny` starts with up to 24 of its 32 kernels as motifs.

What makes validation jump are the running statistics of the norms, which are those of the last few batches, while each
step moves the weights on: estimated anew at the same weights, they bring most of the loss back. An average of weights
and statistics over about a tenth of all steps removes this, and early stopping no longer ends at such a jump."""


def page(work: Path) -> Iterable[str]:
    """LEARNING.md, line by line."""
    found = [json.loads(run.path(work).read_text()) for run in dict.fromkeys(runs()) if run.path(work).exists()]
    yield HEAD
    for preset, grammar in product(("tiny", "small"), GRAMMARS):
        results = [one for one in found if (one["preset"], one["grammar"]) == (preset, grammar)]
        if results:
            yield f"\n## Preset {preset}, grammar {grammar}\n"
            yield "| | seeds | test AUPRC, worst | mean | best | largest fall | epochs | processor s |"
            yield "|---|---|---|---|---|---|---|---|"
            yield from (line(change, results) for change in CHANGES if any(one["change"] == change for one in results))
    yield from ("\n## Validation AUPRC of each epoch of pre-training, grammar hard\n", "```")
    for one in found:
        if one["grammar"] == HARD and one["change"] in (PRESET, BEFORE, LAST_STEP):
            values = " ".join(f"{value:.2f}".removeprefix("0") for value in pretraining(one))
            yield f"{one['preset']:<5} seed {one['seed']}, {one['change'].partition(' (')[0]:<28} {values}"
    yield from ("```\n", machine_line())


def line(change: str, results: list[dict[str, Any]]) -> str:
    """A row of a table."""
    some = [one for one in results if one["change"] == change]
    auprc = [one["auprc"] for one in some]
    fall = max(-float(np.diff(pretraining(one)).min(initial=0)) for one in some)
    epochs, seconds = (np.mean([value(one) for one in some]) for value in (lambda one: len(pretraining(one)), cost))
    return (
        f"| {change} | {len(some)} | {min(auprc):.3f} | {np.mean(auprc):.3f} | {max(auprc):.3f} | {fall:.2f} "
        f"| {epochs:.1f} | {seconds:.0f} |"
    )


def cost(result: dict[str, Any]) -> float:
    """Processor seconds of both stages."""
    return float(result["processor_seconds"])


def pretraining(result: dict[str, Any]) -> list[float]:
    """Validation AUPRC of each epoch of pre-training."""
    return [value for stage, value in result["curve"] if stage == "pretrained"]


if __name__ == "__main__":
    main()

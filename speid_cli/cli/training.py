"""What ``pretrain`` and ``finetune`` show and write alike."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from speid_cli.cli.console import Progress, Stopwatch, progress, say, warn
from speid_cli.files import refuse_existing, whole_file
from speid_cli.model.config import PRESETS, TrainingConfig

if TYPE_CHECKING:
    from speid_cli.dataset.pairs import PairDataset
    from speid_cli.model.checkpoint import Checkpoint


def presets_table(stage: str) -> str:
    """Help on what each preset's stage defaults to."""
    rows = []
    for name, preset in PRESETS.items():
        settings: TrainingConfig = getattr(preset, stage)
        rows.append(
            f"  {name:<5}  {settings.epochs} epochs, batches of {settings.batch_size}, "
            f"lr {settings.learning_rate:g}, patience {settings.patience}, keep {settings.keep}"
        )
    return "\n".join(["\b", "Defaults by preset:", *rows])


def history_path(model: Path) -> Path:
    """The history TSV that stands beside a model."""
    return model.with_suffix(".history.tsv")


def refuse_outputs(model: Path, force: bool, *inputs: str | None) -> None:
    """Refuse to replace a model or its history, before training."""
    for path in (model, history_path(model)):
        refuse_existing(path, force, inputs)


def write_outputs(checkpoint: Checkpoint, model: Path, force: bool) -> None:
    """Write a model and, beside it, its history."""
    from speid_cli.training.trainer import HISTORY_COLUMNS

    lines = ["\t".join(("stage", *HISTORY_COLUMNS))]
    for row in checkpoint.history:
        lines.append("\t".join([str(row.get("stage")), *(_cell(row.get(name)) for name in HISTORY_COLUMNS)]))
    with whole_file(model, force) as stream:
        checkpoint.write(stream)
    with whole_file(history_path(model), force) as stream:
        stream.write(("\n".join(lines) + "\n").encode())
    say(f"{model}: {checkpoint.stage}; history in {history_path(model)}")


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) and not math.isnan(value) else "nan"


class ConsoleObserver:
    """Shows training: a bar with pairs/s and time left on a terminal, and a line an epoch."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._progress: Progress | None = None
        self._clock, self._samples = Stopwatch(), 0

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Open the epoch's bar."""
        self._clock, self._samples = Stopwatch(), samples
        self._progress = self._stack.enter_context(progress(f"epoch {epoch}/{epochs}", samples))

    def samples_done(self, samples: int) -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.advance(samples)

    def epoch_ended(self, row: dict[str, Any], best: bool) -> None:
        """Close the bar and print the epoch's line."""
        self.close()
        validation = {name: value for name, value in row.items() if name.startswith("validation_")}
        figures = "  ".join(f"{name.removeprefix('validation_')} {value:.4g}" for name, value in validation.items())
        rate = self._samples / max(self._clock.seconds, 1e-9)
        say(
            f"epoch {row['epoch']}: training loss {row['training_loss']:.4g}; validation: {figures}; "
            f"{rate:,.0f} pairs/s{', best so far' if best else ''}"
        )

    def close(self) -> None:
        """Take the bar off the terminal, if one is there."""
        self._stack.close()

    def __enter__(self) -> ConsoleObserver:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def announce(dataset: PairDataset, device_description: str, settings: TrainingConfig) -> None:
    """Device first, then what is about to be done."""
    from speid_cli.dataset.pairs import SUBSETS, VALIDATION

    say(f"device: {device_description}")
    if not len(dataset.members(VALIDATION)):
        warn("no validation pairs: the last epoch is kept, whatever it is worth")
    sizes = ", ".join(f"{len(dataset.members(part)):,} {name}" for part, name in enumerate(SUBSETS))
    say(
        f"pairs: {sizes}; up to {settings.epochs} epochs, batches of {settings.batch_size}, "
        f"learning rate {settings.learning_rate:g}"
    )


def assignments(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE options as a dictionary."""
    pairs = [value.partition("=") for value in values]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{bad[0]!r}: expected NAME=VALUE")
    return {name: value for name, _, value in pairs}

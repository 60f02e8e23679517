"""What ``pretrain`` and ``finetune`` show and write alike."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from speid_cli.cli.console import Progress, Stopwatch, progress, say, warn
from speid_cli.errors import DataError, Terminated
from speid_cli.files import refuse_existing, whole_file
from speid_cli.model.config import PRESETS, TrainingConfig

if TYPE_CHECKING:
    from speid_cli.dataset.pairs import PairDataset
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.model.device import Device
    from speid_cli.model.processes import Processes
    from speid_cli.training.keeper import Keeper


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


def state_path(model: Path) -> Path:
    """The state of an unfinished run, which stands where its model will."""
    return model.with_name(f"{model.name}.state")


@dataclass(frozen=True)
class TrainingRun:
    """A run whose outputs are its own from beginning to end."""

    model: Path
    keeper: Keeper
    processes: Processes
    stream: BinaryIO | None

    def write(self, checkpoint: Checkpoint) -> None:
        """Write the model and, beside it, its history; one process does."""
        from speid_cli.training.trainer import HISTORY_COLUMNS

        if self.stream is None:
            return
        lines = ["\t".join(("stage", *HISTORY_COLUMNS))]
        for row in checkpoint.history:
            lines.append("\t".join([str(row.get("stage")), *(_cell(row.get(name)) for name in HISTORY_COLUMNS)]))
        with whole_file(history_path(self.model), force=True) as stream:
            stream.write(("\n".join(lines) + "\n").encode())
        checkpoint.write(self.stream)
        say(f"{self.model}: {checkpoint.stage}; history in {history_path(self.model)}")


@contextmanager
def training_run(
    model: Path, force: bool, resume: bool, save_every: float, *inputs: str | None
) -> Iterator[TrainingRun]:
    """Outputs checked and claimed before training; the state kept beside them until they are written."""
    from speid_cli.model.processes import Processes
    from speid_cli.training.keeper import Keeper

    processes, state = Processes.of_torchrun(), state_path(model)
    keeper, resume = Keeper(state, 60 * save_every, processes.writes), resume or processes.restarts > 0
    _refuse_outputs(model, force, resume, inputs)  # in every process: one that waits for another cannot be ended
    if not processes.writes:
        with processes.connected():
            yield TrainingRun(model, keeper, processes, None)
        return
    replace = force or (resume and state.exists())
    try:
        with whole_file(model, replace) as stream:
            if not resume:
                state.unlink(missing_ok=True)
            with processes.connected():
                yield TrainingRun(model, keeper, processes, stream)
    except Terminated:
        if state.exists():
            say(f"{state}: training can go on from here; give --resume")
        raise
    state.unlink(missing_ok=True)


def _refuse_outputs(model: Path, force: bool, resume: bool, inputs: tuple[str | None, ...]) -> None:
    """Refuse to replace a model, its history or the state of an unfinished run that nobody gave up."""
    state = state_path(model)
    unfinished = state.exists()
    for path in (model, history_path(model)):
        refuse_existing(path, force or (resume and unfinished), inputs)
    if unfinished and not (resume or force):
        hint = "--resume goes on from it, --force starts anew"
        raise DataError("the state of an unfinished run", hint=hint, path=state)
    refuse_existing(state, unfinished, inputs)


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


def announce(dataset: PairDataset, device: Device, settings: TrainingConfig) -> None:
    """Device first, then what is about to be done."""
    from speid_cli.dataset.pairs import SUBSETS, VALIDATION

    each = f", in each of {device.processes.count} processes" if device.processes.count > 1 else ""
    say(f"device: {device.description}{each}")
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

"""Options, outputs and messages that ``pretrain`` and ``finetune`` share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from speid_cli.cli.console import Progress, Stopwatch, duration, progress, say, warn
from speid_cli.cli.options import OutputOptions, TrainingOptions
from speid_cli.dataset.pairs import SUBSETS, TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError, Terminated, counted
from speid_cli.files import atomic_file, check_output_path
from speid_cli.model.config import PRESETS, TrainingConfig

if TYPE_CHECKING:
    from speid_cli.model.checkpoint import Checkpoint
    from speid_cli.model.processes import Processes
    from speid_cli.training.state import TrainingState
    from speid_cli.training.trainer import Row


# The total time is estimated after 20 s of training, and reported if it is more than an hour.
_SECONDS_TO_ESTIMATE, _LONG_SECONDS = 20.0, 3600.0


def presets_table(stage: str) -> str:
    """Help text with each preset's defaults for a stage."""
    rows = []
    for name, preset in PRESETS.items():
        settings: TrainingConfig = getattr(preset, stage)
        rows.append(
            f"  {name:<5}  {settings.epochs} epochs, batches of {settings.batch_size}, "
            f"lr {settings.learning_rate:g}, patience {settings.patience}, keep {settings.keep}"
        )
    return "\n".join(["\b", "Defaults by preset:", *rows])


def history_path(model: Path) -> Path:
    """Path of the history TSV of a model; the picture of it ends in ``.svg``."""
    return model.with_name(f"{model.name.removesuffix('.pt')}.history.tsv")


def state_path(model: Path) -> Path:
    """Path of the state of an unfinished run."""
    return model.with_name(f"{model.name}.state")


@dataclass(frozen=True)
class TrainingRun:
    """A training run that no other process can write the outputs of."""

    model: Path
    training_state: TrainingState
    processes: Processes
    stream: BinaryIO | None

    def write(self, checkpoint: Checkpoint) -> None:
        """Write the model, its history and a picture of it; only the main process does."""
        from speid_cli.training.trainer import HISTORY_COLUMNS

        if self.stream is None:
            return
        lines = ["\t".join(("stage", *HISTORY_COLUMNS))]
        for row in checkpoint.history:
            lines.append("\t".join([str(row.get("stage")), *(_cell(row.get(name)) for name in HISTORY_COLUMNS)]))
        table = history_path(self.model)
        contents = {table: ("\n".join(lines) + "\n").encode()}
        if (picture := _picture(checkpoint.history)) is not None:
            contents[table.with_suffix(".svg")] = picture
        for path, content in contents.items():
            with atomic_file(path, force=True) as stream:
                stream.write(content)
        checkpoint.write(self.stream)
        say(f"{self.model}: {checkpoint.stage}; history in {table}{' and .svg' if picture else ''}")


@contextmanager
def training_run(
    output: OutputOptions, default: str, training: TrainingOptions, *inputs: str | None
) -> Iterator[TrainingRun]:
    """Check and lock the outputs before training; keep the state of the run until they are written."""
    from speid_cli.model.processes import Processes
    from speid_cli.training.state import TrainingState

    processes, model = Processes.of_torchrun(), Path(output.path or default)
    state, resume = state_path(model), training.resume or processes.restarts > 0
    training_state = TrainingState(state, 60 * training.save_every, processes.is_main)
    _refuse_outputs(model, output.force, resume, inputs)  # in every process: one that waits for another would hang
    if not processes.is_main:
        with processes.connected():
            yield TrainingRun(model, training_state, processes, None)
        return
    replace = output.force or (resume and state.exists())
    try:
        with atomic_file(model, replace) as stream:
            if not resume:
                state.unlink(missing_ok=True)
            with processes.connected():
                yield TrainingRun(model, training_state, processes, stream)
    except Terminated:
        if state.exists():
            say(f"{state}: training can continue from here with --resume")
        raise
    state.unlink(missing_ok=True)


def _refuse_outputs(model: Path, force: bool, resume: bool, inputs: tuple[str | None, ...]) -> None:
    """Refuse to replace a model, its history or the state of an unfinished run without being told to."""
    state = state_path(model)
    unfinished = state.exists()
    for path in (model, history_path(model), history_path(model).with_suffix(".svg")):
        check_output_path(path, force or (resume and unfinished), inputs)
    if unfinished and not (resume or force):
        hint = "--resume continues from it, --force starts again"
        raise DataError("the state of an unfinished run", hint=hint, path=state)
    check_output_path(state, unfinished, inputs)


def _picture(history: list[Row]) -> bytes | None:
    """The picture of a history; without matplotlib none, and a warning, since the model is trained."""
    try:
        from speid_cli.evaluation.pictures import training_picture
    except ImportError as error:
        warn(f"no picture of the history: {error}")
        return None
    return training_picture(history)


def _cell(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) and not math.isnan(value) else "nan"


class ConsoleObserver:
    """Shows training: a bar with pairs/s and the time left on a terminal, and a line for each epoch.

    Parameters
    ----------
    smaller : str
        Printed once if training is estimated to take more than an hour; empty: nothing.
    """

    def __init__(self, smaller: str = "") -> None:
        self._stack, self._smaller = ExitStack(), smaller
        self._progress: Progress | None = None
        self._clock, self._samples = Stopwatch(), 0
        self._epochs = self._ended = 0

    def epoch_begins(self, epoch: int, epochs: int, samples: int) -> None:
        """Show the epoch; the first one opens the bar."""
        self._clock, self._samples, self._epochs = Stopwatch(), samples, epochs
        if self._progress is None:
            self._progress = self._stack.enter_context(progress("", epochs * samples))
            self._progress.skip((epoch - 1) * samples)
        self._progress.title = f"epoch {epoch} of {epochs} at most"

    def samples_done(self, samples: int) -> None:
        """Move the bar."""
        if self._progress is None:
            return
        self._progress.advance(samples)
        left = self._progress.seconds_left
        if self._smaller and left is not None and self._progress.seconds > _SECONDS_TO_ESTIMATE:
            if left > _LONG_SECONDS:
                say(f"this will take up to {duration(left)}; {self._smaller}")
            self._smaller = ""

    def epoch_ended(self, row: Row, best: bool) -> None:
        """Print the epoch's line."""
        validation = {name: value for name, value in row.items() if name.startswith("validation_")}
        figures = "  ".join(f"{name.removeprefix('validation_')} {value:.4g}" for name, value in validation.items())
        rate, self._ended = self._samples / max(self._clock.seconds, 1e-9), row["epoch"]
        say(
            f"epoch {row['epoch']}: training loss {row['training_loss']:.4g}; validation: {figures}; "
            f"{rate:,.0f} pairs/s{', best so far' if best else ''}"
        )

    def __enter__(self) -> ConsoleObserver:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self._stack.close()
        if kind is None and 0 < self._ended < self._epochs:
            say(f"ended after epoch {self._ended} of {self._epochs}: validation no longer improves (--patience)")


def announce(dataset: PairDataset, settings: TrainingConfig) -> None:
    """Print the sizes of the subsets and the main settings."""
    from speid_cli.training.batches import copies_of_positives

    if not len(dataset.members(VALIDATION)):
        warn("no validation pairs: the last epoch is kept, since the best cannot be determined")
    sizes = ", ".join(f"{len(dataset.members(part)):,} {name}" for part, name in enumerate(SUBSETS))
    say(
        f"pairs: {sizes}; up to {counted(settings.epochs, 'epoch')}, batches of {settings.batch_size}, "
        f"learning rate {settings.learning_rate:g}"
    )
    positives = int(dataset.label[dataset.members(TRAIN)].sum())
    negatives, copies = len(dataset.members(TRAIN)) - positives, copies_of_positives(dataset, settings)
    each = f"{positives:,} positives, {copies} copies each" if copies > 1 else counted(positives, "positive")
    say(f"{positives * copies + negatives:,} samples an epoch: {each}, and {counted(negatives, 'negative')}")


def assignments(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE options as a dictionary."""
    pairs = [value.partition("=") for value in values]
    if bad := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{bad[0]!r}: expected NAME=VALUE")
    return {name: value for name, _, value in pairs}

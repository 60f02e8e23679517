"""Messages, tables and progress on standard error; standard output holds data only."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import click

SECONDS_BETWEEN_LINES = 60.0


def is_first_process() -> bool:
    """Whether this is the only process of the run, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0" or "WORLD_SIZE" not in os.environ


def say(text: str) -> None:
    """Print a line on standard error."""
    if is_first_process():
        click.echo(text, err=True)


def warn(text: str | None) -> None:
    """Print a warning, if there is one."""
    if text:
        say(click.style("warning: ", fg="yellow") + text)


def format_value(value: object) -> str:
    """A value for people: thousands separated by commas, lists by spaces."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{format_value(item)} {key}" if isinstance(item, int) else f"{key} {format_value(item)}"
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return " ".join(map(format_value, value)) or "-"
    return str(value)


def report(rows: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, rows), default=0)
    for name, value in rows.items():
        say(f"  {name:<{width}}  {format_value(value)}")


def report_leaks(leaks: Mapping[str, Mapping[str, float]]) -> None:
    """Print what held-out pairs share with the training subset, from `leak_report`."""
    if not leaks:
        say("leaks: there are no held-out pairs that could share anything with training pairs")
        return
    pairs_name, positives_name, _ = leaks
    for group in (pairs_name, positives_name):
        counts = dict(leaks[group])
        pairs = counts.pop("pairs")
        say(f"leaks: of {pairs:,} {group}, this many share with a training pair")
        report({name: f"{count:,} ({100 * count / max(pairs, 1):.1f}%)" for name, count in counts.items()})
    if names := leaks["element names"]:
        say(
            f"leaks: the names of the elements alone rank the {pairs_name} with AUROC {names['auroc']:.3f}, "
            f"AUPRC {names['auprc']:.3f} (base rate {names['base rate']:.3f})"
        )
    if leaks[pairs_name]["any of these"]:
        warn(
            f"{pairs_name} share elements or sequence with training pairs: their scores are too good "
            "(--split chrom avoids it)"
        )


def command_line() -> str:
    """The command line that runs."""
    return shlex.join(["speid", *sys.argv[1:]])


def command_and_date() -> str:
    """The command line that runs, and the date."""
    return f"{command_line()} ({datetime.now().astimezone():%Y-%m-%d %H:%M %Z})"


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Elapsed wall time."""
        return time.monotonic() - self._start


def duration(seconds: float) -> str:
    """``40 s``, ``12 min`` or ``3 h 5 min``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class Progress:
    """Progress, rate and time left: a bar on a terminal, else a line each minute."""

    def __init__(self, title: str, total: int | None, unit: str, show: Callable[..., None] | None = None) -> None:
        self.title, self._total, self._unit, self._show = title, total, unit, show
        self._done, self._before = 0, 0
        self._clock, self._next_line = Stopwatch(), SECONDS_BETWEEN_LINES

    def skip(self, amount: int) -> None:
        """Count what an earlier run has done, which does not count for the rate."""
        self._before += amount

    def advance(self, amount: int) -> None:
        """Count `amount` more."""
        self._done += amount
        done, rate = self._done + self._before, f"{self._done / max(self.seconds, 1e-9):,.0f} {self._unit}/s"
        left = "" if self.seconds_left is None else f"{duration(self.seconds_left)} left"
        if self._show is not None:
            self._show(completed=done, description=self.title, rate=rate, left=left)
        elif self._clock.seconds > self._next_line:
            self._next_line += SECONDS_BETWEEN_LINES
            total = "" if self._total is None else f" of {self._total:,}"
            say(f"{self.title}: {', '.join(filter(None, (f'{done:,}{total}', left, rate)))}")

    @property
    def seconds_left(self) -> float | None:
        """Seconds left at the rate so far; None where the rate or the total is unknown."""
        if self._total is None or not self._done:
            return None
        return (self._total - self._before - self._done) * self._clock.seconds / self._done

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock.seconds


@contextmanager
def progress(title: str, total: int | None, unit: str = "pairs") -> Iterator[Progress]:
    """Show progress over `total` items (None: unknown)."""
    if not (sys.stderr.isatty() and is_first_process()):
        yield Progress(title, total, unit)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, rate="", left="")
        yield Progress(title, total, unit, partial(bar.update, task))

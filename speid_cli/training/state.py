"""The state of a training run, saved beside its output so that an interrupted run can be resumed."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from speid_cli.errors import DataError, Terminated
from speid_cli.files import atomic_file
from speid_cli.model.stored import load_plain, save_plain

STATE_VERSION = 1
_ANEW = "--force without --resume starts again"
# Sent by people, and by schedulers before they stop a job.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class TrainingState:
    """Saves and loads the state of a run, and notes the signals that ask it to end.

    Parameters
    ----------
    path : Path, optional
        File of the state; None saves nothing and handles no signals.
    every_seconds : float
        How often it is saved, in addition to the end of each epoch.
    is_main : bool
        Whether this process saves; only one of several does.
    """

    def __init__(self, path: Path | None = None, every_seconds: float = 600.0, is_main: bool = True) -> None:
        self._path, self._every, self._is_main = path, every_seconds, is_main
        self._saved = time.monotonic()
        self._run: dict[str, Any] = {}
        self.signal = 0

    def load(self, run: dict[str, Any]) -> dict[str, Any] | None:
        """The saved state of the run that these plain values describe; None where there is none.

        Raises
        ------
        DataError
            The state is damaged, or of a run with other values, which the message names.
        """
        self._run = run
        if self._path is None or not self._path.exists():
            return None
        try:
            content = load_plain(self._path)
        except DataError as error:
            error.hint = error.hint or _ANEW
            raise
        if content.get("state_version") != STATE_VERSION or not isinstance(content.get("run"), dict):
            raise DataError("not the state of a training run", hint=_ANEW, path=self._path)
        if differences := list(_differences(content["run"], run)):
            raise DataError(
                f"the state of another run: {'; '.join(differences)}",
                hint=f"use the same settings to resume; {_ANEW}",
                path=self._path,
            )
        return content

    def due(self) -> bool:
        """Whether it is time to save."""
        return self._path is not None and time.monotonic() - self._saved >= self._every

    def save(self, state: dict[str, Any]) -> None:
        """Save a state."""
        if self._path is not None and self._is_main:
            with atomic_file(self._path, force=True) as stream:
                save_plain(state | {"state_version": STATE_VERSION, "run": self._run}, stream)
        self._saved = time.monotonic()

    @contextlib.contextmanager
    def deferring_signals(self) -> Iterator[None]:
        """Inside, a first signal is noted, so that the batch can be finished; a second one ends the process at once."""
        if self._path is None:
            yield
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise Terminated(number)
        self.signal = number


def _differences(saved: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted({*saved, *now}, key=str):
        before, after = saved.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name} was {before!r:.70} and is {after!r:.70}"

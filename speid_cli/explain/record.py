"""What an interrupted run has finished, as JSON lines in a file beside its output folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from speid_cli.errors import DataError
from speid_cli.files import os_errors_of
from speid_cli.locks import exclusive

_ANEW = "--force without --resume begins anew"
_CHOICE = "--resume goes on, --force begins anew"


def record_path(folder: Path) -> Path:
    """Where the record of an output folder is."""
    folder = folder.resolve()
    return folder.with_name(f".{folder.name}.part.jsonl")


class Run(NamedTuple):
    """A run's output folder, whether it goes on from an interrupted run, and whether it may begin anew in its place."""

    folder: Path
    resume: bool = False
    force: bool = False


class Parts:
    """Finished parts of a run by name, in memory."""

    def __init__(self) -> None:
        self.parts = dict[str, Any]()

    def add(self, name: str, part: Any) -> None:
        """Keep a finished part, a plain value."""
        self.parts[name] = part


class Record(Parts, AbstractContextManager["Record"]):
    """Finished parts in a file; each is on disk before the next one begins.

    The first line says what the results are made of, so that a run goes on only from the same inputs.

    Parameters
    ----------
    made_of : dict
        Digests of the inputs, and the options that decide the results, as plain values.

    Raises
    ------
    DataError
        An interrupted run has finished parts, and this one neither resumes nor forces; what is there is
        damaged or was made of something else; or another process is writing it.
    """

    def __init__(self, run: Run, made_of: Mapping[str, Any]) -> None:
        super().__init__()
        self.path = record_path(run.folder)
        self._made_of = json.loads(json.dumps(made_of))
        with os_errors_of(self.path), ExitStack() as stack:
            self._stream = stack.enter_context(open(self.path, "a+b"))
            stack.enter_context(exclusive(self._stream, self.path, run.folder))
            self._begin(run)
            self._opened = stack.pop_all()

    def _begin(self, run: Run) -> None:
        self._stream.seek(0)
        *lines, _ = self._stream.read().split(b"\n")  # what follows the last line end was cut off
        if run.resume and lines:
            try:
                made_of, *parts = map(json.loads, lines)
                self.parts = dict(parts)
            except (ValueError, TypeError) as error:
                raise DataError("not a record of speid", hint=_ANEW, path=self.path) from error
            self._compare(made_of)
            self._stream.truncate(sum(len(line) + 1 for line in lines))
        elif len(lines) > 1 and not run.force:
            raise DataError("holds what an interrupted run has finished", hint=_CHOICE, path=self.path)
        else:
            self._stream.truncate(0)
            self._write(self._made_of)

    def _compare(self, made_of: dict[str, Any]) -> None:
        names = [name for name in self._made_of.keys() | made_of.keys() if self._made_of.get(name) != made_of.get(name)]
        if names:
            raise DataError(
                f"was begun with another {', '.join(sorted(names))}",
                expected="the same inputs and options",
                hint=_ANEW,
                path=self.path,
            )

    def add(self, name: str, part: Any) -> None:
        """Keep a finished part, a plain value."""
        super().add(name, part)
        self._write((name, part))

    def _write(self, value: Any) -> None:
        with os_errors_of(self.path):
            self._stream.write(json.dumps(value).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def remove(self) -> None:
        """Remove the file, once the output is complete."""
        self.path.unlink()

    def __exit__(self, *_: object) -> None:
        if not self.parts:  # there is nothing to go on from
            self.path.unlink(missing_ok=True)
        self._opened.close()

"""The output of ``predict``: standard output, or a file that an interrupted run can go on from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from speid_cli.cli.console import progress, say
from speid_cli.cli.outputs import text_output
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.files import check_output_path, partial_path, read_lines

if TYPE_CHECKING:
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.formats import Format
    from speid_cli.scoring.stream import PairStream, Portion, ScoredLine

# Names and plain values: the model, the reference, and the options that decide what a line says.
MadeOf = dict[str, str | float | bool | None]


@dataclass(frozen=True)
class ScoredOutput:
    """Standard output, or a file.

    Attributes
    ----------
    path : str, optional
        None or ``-`` is standard output.
    force : bool
        Replace a file that exists.
    resume : bool
        Keep a record of what is written, and go on from what an interrupted run left.
    """

    path: str | None
    force: bool
    resume: bool

    def check(self, inputs: Iterable[str | None]) -> None:
        """Refuse an output that cannot be written, before any work is done."""
        if self.resume and (self.path in (None, "-") or str(self.path).endswith(".gz")):
            raise OptionError("--resume-output needs an uncompressed -o, to which it can add lines")
        if self.path not in (None, "-"):
            check_output_path(str(self.path), self.force or self.resume, inputs)

    def fill(
        self,
        stream: PairStream,
        format_: Format,
        candidates: str,
        portion: Portion,
        processes: Processes,
        made_of: MadeOf,
        total: int | None,
    ) -> int:
        """Score a portion of the candidates into the output; return the number of lines that were done before.

        `total` is the number of lines of `candidates`, where it is known. Only the main process writes.
        """
        if not processes.is_main:
            if (done := processes.broadcast(None)) is not None:
                for _ in stream.score(candidates, portion.after(done), processes):
                    pass
            return done or 0
        target = Path(self.path or "-")
        record = Record(target, made_of, self.force) if self.resume else None
        if record is not None and record.is_complete(_lines(candidates, portion)):
            processes.broadcast(None)
            say(f"{self.path} is already complete, with {counted(record.lines, 'line')}; unchanged")
            return record.lines
        if record is None:
            record_path(target).unlink(missing_ok=True)
        with text_output(self.path, self.force or self.resume, keep=self.resume) as out:
            done = record.begin(out, _lines(candidates, portion)) if record else 0
            rest = portion.after(processes.broadcast(done))
            stop = total if rest.stop is None else rest.stop
            with progress("scoring", None if stop is None else stop - rest.first, "lines") as bar:
                for block in stream.score(candidates, rest, processes):
                    text = "".join(map(format_.text, block)).encode()
                    if record is not None:
                        record.compare(text)
                    out.write(text)
                    out.flush()
                    if record is not None:
                        record.add(block, text)
                    bar.advance(len(block))
            if record is not None:
                record.compare(b"")
        return done


def _lines(path: str, portion: Portion) -> Iterator[str]:
    return islice((text for _, text in read_lines(path)), *portion)


def _sha256(lines: Iterable[str]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for text in lines:
        digest.update(f"{text}\n".encode())
    return digest


class Record:
    """How far an output is, saved beside it as JSON after each block of lines.

    Parameters
    ----------
    target : Path
        The output.
    made_of : dict
        What its lines depend on.
    force : bool
        Replace an existing output, even if it is not the beginning of the new one.

    Attributes
    ----------
    lines : int
        Lines of the candidates that are done.

    Raises
    ------
    DataError
        The existing output was made of something else; the message names it.
    """

    def __init__(self, target: Path, made_of: MadeOf, force: bool) -> None:
        self._target, self._part, self._made_of, self._force = target, partial_path(target), made_of, force
        self._path = record_path(target)
        self.lines, self._size, self._candidates = 0, 0, ""
        try:
            found = json.loads(self._path.read_text())
            before, lines, size, candidates = (
                dict(found["made_of"]),
                int(found["lines"]),
                int(found["size"]),
                found["candidates"],
            )
        except (FileNotFoundError, ValueError, TypeError, LookupError):
            return
        if self._part.exists() or (target.exists() and target.stat().st_size == size):
            _check_made_of(before, made_of, target)
            self.lines, self._size, self._candidates = lines, size, candidates

    def is_complete(self, lines: Iterator[str]) -> bool:
        """Whether the output is finished, with all of these lines of the candidates."""
        if not self.lines or self._part.exists():
            return False
        return _sha256(islice(lines, self.lines)).hexdigest() == self._candidates and next(lines, None) is None

    def begin(self, out: IO[bytes], lines: Iterator[str]) -> int:
        """Position `out` after the part of these lines that is done, and return their number."""
        if self._size > os.fstat(out.fileno()).st_size:
            self.lines = self._size = 0
        self._digest = _sha256(islice(lines, self.lines))
        if self.lines and self._digest.hexdigest() != self._candidates:
            found = f"the first {counted(self.lines, 'line')} of the candidates have changed since it was started"
            hint = "use the same candidates to resume, or leave out --resume-output to start again"
            raise DataError(found, hint=hint, path=self._target)
        if self.lines:
            say(f"{self._target}: resuming after {counted(self.lines, 'line')}")
        out.seek(self._size)
        out.truncate()
        return self.lines

    def compare(self, text: bytes) -> None:
        """Refuse to replace an output that has other bytes here than `text`; without text, one that goes on."""
        if self._force or not self._target.exists():
            return
        with self._target.open("rb") as before:
            before.seek(self._size)
            if not text.startswith(before.read(len(text) or 1)):
                found = "is not an output of this model, these candidates and options"
                raise DataError(found, hint="--force replaces it", path=self._target)

    def add(self, block: list[ScoredLine], text: bytes) -> None:
        """Record a block that has been written and flushed."""
        self.lines, self._size = self.lines + len(block), self._size + len(text)
        self._digest.update("".join(f"{scored.line.text}\n" for scored in block).encode())
        done = {"made_of": self._made_of, "lines": self.lines, "size": self._size}
        beside = self._path.with_suffix(".part")
        beside.write_text(json.dumps(done | {"candidates": self._digest.hexdigest()}))
        beside.replace(self._path)


def record_path(target: Path) -> Path:
    """Where the record of an output is."""
    return partial_path(target).with_suffix(".resume.json")


def _check_made_of(before: MadeOf, now: MadeOf, path: Path) -> None:
    differences = [
        f"{name} was {before.get(name)} and is {value}" for name, value in now.items() if before.get(name) != value
    ]
    if differences:
        hint = "use the same settings to resume, or leave out --resume-output to start again"
        raise DataError(f"was started with other settings: {'; '.join(differences)}", hint=hint, path=path)

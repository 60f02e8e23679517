"""The output of ``predict``: standard output, or a file that an interrupted run can go on from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from speid_cli.cli.console import progress, say
from speid_cli.cli.outputs import text_output
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.files import atomic_file, check_output_path, part_of, read_lines

if TYPE_CHECKING:
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.formats import Format
    from speid_cli.scoring.stream import PairStream, Portion, ScoredLine

# Names and plain values: the model, the reference, and the options that decide what a line says.
MadeOf = dict[str, str | float | bool | None]
_SECONDS_BETWEEN_RECORDS = 1.0


@dataclass(frozen=True)
class ScoredOutput:
    """Standard output, or a file.

    Attributes
    ----------
    path : str, optional
        None is standard output.
    force : bool
        Replace a file that exists.
    resume : bool
        Keep a record of what is written, and go on from what an interrupted run left.
    """

    path: str | None
    force: bool
    resume: bool

    def check(self, inputs: Iterable[str | None]) -> None:
        """Refuse what cannot be written, before any work is done for it."""
        if self.resume and (self.path is None or self.path.endswith(".gz")):
            raise OptionError("--resume-output needs an uncompressed -o, to which it can add lines")
        if self.path is not None:
            check_output_path(self.path, self.force or self.resume, inputs)

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
        """Score a portion of the candidates into it, and give the number of lines that were there already.

        `total` is how many lines `candidates` has, where that is known. Only the main process writes.
        """
        if not processes.is_main:
            if (there := processes.broadcast(None)) is not None:
                for _ in stream.score(candidates, portion.after(there), processes):
                    pass
            return there or 0
        resumption = Resumption(Path(self.path or ""), made_of, self.resume)
        if resumption.is_complete(_lines(candidates, portion)):
            processes.broadcast(None)
            say(f"{self.path}: complete, with {counted(resumption.lines, 'line')}; left as it is")
            return resumption.lines
        with (
            text_output(self.path, self.force or self.resume, keep=self.resume) as out,
            resumption.recording(out, _lines(candidates, portion)),
        ):
            rest = portion.after(processes.broadcast(resumption.lines))
            stop = total if rest.stop is None else rest.stop
            with progress("scoring", None if stop is None else stop - rest.first, "lines") as bar:
                for block in stream.score(candidates, rest, processes):
                    text = "".join(map(format_.text, block)).encode()
                    out.write(text)
                    out.flush()
                    resumption.wrote(text, block)
                    bar.advance(len(block))
        return rest.first - portion.first


def _lines(path: str, portion: Portion) -> Iterator[str]:
    return islice((text for _, text in read_lines(path)), *portion)


@dataclass(frozen=True)
class Record:
    """How far an output is.

    Attributes
    ----------
    made_of : dict
        What its lines depend on.
    lines, size : int
        Lines of the candidates that are done, and bytes written for them.
    candidates : str
        SHA-256 of those lines of the candidates.
    """

    made_of: MadeOf
    lines: int
    size: int
    candidates: str

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file; None where there is none, or none that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


class Resumption:
    """Where an output begins, and the record that is kept beside it, as JSON, while it is written.

    A file that is there without a record is replaced once the same beginning has been written again.

    Parameters
    ----------
    target : Path
    made_of : dict
    keeps : bool
        Whether a record is kept; without, an output begins with its first line.

    Raises
    ------
    DataError
        What is there was made of something else; the message names it.
    """

    def __init__(self, target: Path, made_of: MadeOf, keeps: bool) -> None:
        self._target, self._part, self._made_of, self._keeps = target, part_of(target), made_of, keeps
        self._path = self._part.with_suffix(".resume.json")
        self.lines, self._size, self._digest, self._saved = 0, 0, hashlib.sha256(), 0.0
        self._before: IO[bytes] | None = None
        self._record = Record.read(self._path) if keeps else None
        if self._record is not None and (self._part.exists() or self._is_whole(self._record)):
            _check_made_of(self._record.made_of, made_of, target)

    def _is_whole(self, record: Record) -> bool:
        return not self._part.exists() and self._target.exists() and self._target.stat().st_size == record.size

    def is_complete(self, lines: Iterator[str]) -> bool:
        """Whether the output is in its place, with each of these lines of the candidates done."""
        record = self._record
        if record is None or not self._is_whole(record):
            return False
        self.lines = record.lines
        return _sha256(islice(lines, record.lines)).hexdigest() == record.candidates and next(lines, None) is None

    @contextmanager
    def recording(self, out: IO[bytes], lines: Iterator[str]) -> Iterator[None]:
        """Have `out` stand after what is there already of these lines of the candidates; save the record at the end."""
        self.lines = 0
        if not self._keeps:
            if self._target.name:
                self._path.unlink(missing_ok=True)
            yield
            return
        with ExitStack() as opened:
            if self._record is not None and 0 < self._record.size <= os.fstat(out.fileno()).st_size:
                self._go_on_from(self._record, lines)
            elif self._target.exists():
                self._before = opened.enter_context(self._target.open("rb"))
            out.seek(self._size)
            out.truncate()
            try:
                yield
            finally:
                if self.lines:
                    self._save()
                else:
                    out.truncate(0)

    def _go_on_from(self, record: Record, lines: Iterator[str]) -> None:
        self.lines, self._size, self._digest = record.lines, record.size, _sha256(islice(lines, record.lines))
        if self._digest.hexdigest() != record.candidates:
            raise DataError(
                f"the first {counted(record.lines, 'line')} of the candidates have changed since it was begun",
                hint="go on with the same candidates, or without --resume-output to start anew",
                path=self._target,
            )
        say(f"{self._target}: goes on after {counted(self.lines, 'line')}")

    def wrote(self, text: bytes, block: list[ScoredLine]) -> None:
        """Count a block that has been written and flushed."""
        if not self._keeps:
            return
        if self._before is not None and not text.startswith(self._before.read(len(text))):
            raise DataError(
                "is not an output of this model, these candidates and options",
                hint="--force replaces it without --resume-output",
                path=self._target,
            )
        self.lines, self._size = self.lines + len(block), self._size + len(text)
        self._digest.update("".join(f"{scored.line.text}\n" for scored in block).encode())
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_RECORDS:
            self._save()

    def _save(self) -> None:
        record = Record(self._made_of, self.lines, self._size, self._digest.hexdigest())
        with atomic_file(self._path, force=True) as stream:
            stream.write(json.dumps(asdict(record)).encode())
        self._saved = time.monotonic()


def _sha256(lines: Iterable[str]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for text in lines:
        digest.update(f"{text}\n".encode())
    return digest


def _check_made_of(before: MadeOf, now: MadeOf, path: Path) -> None:
    differences = [
        f"{name} was {before.get(name)} and is {value}" for name, value in now.items() if before.get(name) != value
    ]
    if differences:
        hint = "run as before to go on from it, or without --resume-output to start anew"
        raise DataError(f"was begun otherwise: {'; '.join(differences)}", hint=hint, path=path)

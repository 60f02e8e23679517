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
        to_file = self.path not in (None, "-")
        if self.resume and (not to_file or str(self.path).endswith(".gz")):
            raise OptionError("--resume-output needs an uncompressed -o, to which it can add lines")
        if to_file:
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
            if (there := processes.broadcast(None)) is not None:
                for _ in stream.score(candidates, portion.after(there), processes):
                    pass
            return there or 0
        resumption = Resumption(self.path, made_of, self.resume)
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
    """The progress of an output.

    Attributes
    ----------
    made_of : dict
        What its lines depend on, such as the model.
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
        """The record in a file; None where it is missing or unreadable."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


class Resumption:
    """The record of an output, saved beside it as JSON while it is written, and where to resume it.

    An existing output without a record is replaced if it is the beginning of the new one.

    Parameters
    ----------
    path : str, optional
    made_of : dict
    keeps : bool
        Whether to keep a record and resume; otherwise the output starts with its first line.

    Raises
    ------
    DataError
        The existing output was made of something else; the message names it.
    """

    def __init__(self, path: str | None, made_of: MadeOf, keeps: bool) -> None:
        self._target, self._made_of, self._keeps = Path(path or "-"), made_of, keeps
        self._part = part_of(self._target)
        self._path = self._part.with_suffix(".resume.json")
        self.lines, self._size, self._digest, self._saved = 0, 0, hashlib.sha256(), 0.0
        self._before: IO[bytes] | None = None
        self._record = Record.read(self._path) if keeps else None
        if self._record is not None and (self._part.exists() or self._is_whole(self._record)):
            _check_made_of(self._record.made_of, made_of, self._target)

    def _is_whole(self, record: Record) -> bool:
        return not self._part.exists() and self._target.exists() and self._target.stat().st_size == record.size

    def is_complete(self, lines: Iterator[str]) -> bool:
        """Whether the output is finished, with all of these lines of the candidates."""
        record = self._record
        if record is None or not self._is_whole(record):
            return False
        self.lines = record.lines
        return _sha256(islice(lines, record.lines)).hexdigest() == record.candidates and next(lines, None) is None

    @contextmanager
    def recording(self, out: IO[bytes], lines: Iterator[str]) -> Iterator[None]:
        """Position `out` after the part of these lines that is done; save the record at the end."""
        self.lines = 0
        if not self._keeps:
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
                self._check_before(b"")
            finally:
                if self.lines:
                    self._save()
                else:
                    out.truncate(0)
                    self._path.unlink(missing_ok=True)

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
        """Record a block that has been written and flushed."""
        if not self._keeps:
            return
        self._check_before(text)
        self.lines, self._size = self.lines + len(block), self._size + len(text)
        self._digest.update("".join(f"{scored.line.text}\n" for scored in block).encode())
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_RECORDS:
            self._save()

    def _check_before(self, text: bytes) -> None:
        """Compare an output without a record with the next bytes of the new one; no bytes are its end."""
        if self._before is not None and not text.startswith(self._before.read(len(text) or 1)):
            self.lines = 0  # nothing to go on from
            raise DataError(
                "is not an output of this model, these candidates and options",
                hint="--force replaces it without --resume-output",
                path=self._target,
            )

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

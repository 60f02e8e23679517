"""The output of ``predict``: standard output, or a file that an interrupted run can go on from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from speid_cli.cli.console import progress, say
from speid_cli.cli.outputs import text_output
from speid_cli.errors import DataError, OptionError, counted
from speid_cli.files import atomic_file, check_output_path, partial_path
from speid_cli.text import Share

if TYPE_CHECKING:
    from speid_cli.genome.pair_reader import PairBlock
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.formats import Format
    from speid_cli.scoring.stream import PairStream, ScoredBlock

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
        candidates: Share,
        processes: Processes,
        made_of: MadeOf,
        total: int | None,
    ) -> int:
        """Score a share of the candidates into the output; return the number of lines that were done before.

        `total` is the number of lines, where it is known. Only the main process writes, on another
        thread than the one that computes.
        """
        if not processes.is_main:
            for _ in stream.score(candidates, processes.broadcast(0), processes):
                pass
            return 0
        record = Record(Path(self.path or "-"), made_of, self.force) if self.resume else None
        with text_output(self.path, self.force or self.resume, keep=self.resume) as out:
            done, size = record.begin(out, candidates) if record else (0, 0)
            left = None if total is None else total - done
            with progress("scoring", left, "lines") as bar, ThreadPoolExecutor(1, "speid-writing") as beside:
                before: Future[None] | None = None
                for scored in stream.score(candidates, processes.broadcast(size), processes):
                    if before is not None:
                        before.result()
                    before = beside.submit(_write, scored, format_, out, record)
                    bar.advance(len(scored.block))
                if before is not None:
                    before.result()
            if record is not None:
                record.compare(b"")
        if self.path not in (None, "-"):
            with suppress(OSError):
                record_path(Path(str(self.path))).unlink()
        return done


def _write(scored: ScoredBlock, format_: Format, out: IO[bytes], record: Record | None) -> None:
    text = format_.text(scored).encode()
    if record is not None:
        record.compare(text)
    out.write(text)
    out.flush()
    if record is not None:
        record.add(scored.block, text)


def _sha256(parts: Iterable[bytes]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest


def _chunks(path: Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, or all if it is shorter."""
    with path.open("rb") as stream:
        while chunk := stream.read(min(1 << 20, size)):
            yield chunk
            size -= len(chunk)


def record_path(target: Path) -> Path:
    """Where the record of an output is."""
    return partial_path(target).with_suffix(".resume.json")


class Record:
    """How far an unfinished output is, saved beside it as JSON after each block of lines.

    It holds what the output is made of, the number of lines of the candidates that are done and their
    bytes, the bytes written for them, and the SHA-256 of both, so that it cannot be taken for that of
    another file.

    Parameters
    ----------
    target : Path
        The output.
    made_of : dict
        What its lines depend on.
    force : bool
        Replace an existing output, even if it is not the beginning of the new one.

    """

    def __init__(self, target: Path, made_of: MadeOf, force: bool) -> None:
        self._target, self._part, self._made_of, self._force = target, partial_path(target), made_of, force
        self._path = record_path(target)
        self._start_anew()

    def _start_anew(self) -> None:
        self._lines, self._read, self._candidates = 0, 0, hashlib.sha256()
        self._size, self._output = 0, hashlib.sha256()

    def begin(self, out: IO[bytes], candidates: Share) -> tuple[int, int]:
        """Position `out` after the part of these candidates that is done; return its lines and bytes.

        Raises
        ------
        DataError
            The part was made of something else, or is not the beginning of an existing output.
        """
        if not self._resume(candidates):
            self._start_anew()
        elif self._target.exists() and not self._force:
            size = min(self._size, self._target.stat().st_size)
            before, now = (_sha256(_chunks(path, size)).digest() for path in (self._target, self._part))
            if before != now:
                raise self._another()
        if self._target.exists() and not self._force:
            say(f"{self._target} exists, and is replaced only by an output that begins with the same lines")
        if self._lines:
            say(f"{self._target}: resuming after {counted(self._lines, 'line')}")
        out.seek(self._size)
        out.truncate()
        return self._lines, self._read

    def _resume(self, candidates: Share) -> bool:
        """Take over the saved record if it is that of the part and of the first of these lines."""
        try:
            saved = json.loads(self._path.read_text())
            made_of, size, done, read = dict(saved["made_of"]), saved["size"], saved["lines"], saved["read"]
            self._output = _sha256(_chunks(self._part, size))
            valid = type(size) is type(done) is type(read) is int
            valid = valid and 0 < done <= read and done <= size <= self._part.stat().st_size
            if not valid or self._output.hexdigest() != saved["output"]:
                return False
        except (OSError, ValueError, TypeError, LookupError, RecursionError, OverflowError):
            return False  # no record, or none that was written here
        differences = [
            f"{name} was {made_of.get(name)} and is {value}"
            for name, value in self._made_of.items()
            if made_of.get(name) != value
        ]
        self._candidates = _sha256(candidates.begin(read))
        if self._candidates.hexdigest() != saved["candidates"]:
            differences.append(f"the first {counted(done, 'line')} of the candidates have changed")
        if differences and not self._force:
            hint = "use the same settings and candidates to resume, or leave out --resume-output to start again"
            raise DataError(f"was started otherwise: {'; '.join(differences)}", hint=hint, path=self._target)
        self._lines, self._read, self._size = done, read, size
        return not differences

    def _another(self) -> DataError:
        found = "is not an output of this model, these candidates and options"
        return DataError(found, hint="--force replaces it", path=self._target)

    def compare(self, text: bytes) -> None:
        """Refuse to replace an output that has other bytes here than `text`; without text, one that goes on."""
        if self._force or not self._target.exists():
            return
        with self._target.open("rb") as before:
            before.seek(self._size)
            if not text.startswith(before.read(len(text) or 1)):
                raise self._another()

    def add(self, block: PairBlock, text: bytes) -> None:
        """Record a block that has been written and flushed."""
        self._lines, self._read, self._size = (
            self._lines + len(block), self._read + len(block.raw), self._size + len(text),
        )  # fmt: skip
        self._candidates.update(block.raw)
        self._output.update(text)
        saved = {"made_of": self._made_of, "lines": self._lines, "read": self._read, "size": self._size}
        saved |= {"candidates": self._candidates.hexdigest(), "output": self._output.hexdigest()}
        with atomic_file(self._path, force=True) as stream:
            stream.write(json.dumps(saved).encode())

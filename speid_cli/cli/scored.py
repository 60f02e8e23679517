"""The output of ``predict``: written as blocks are done, so that what a killed run leaves can be gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from speid_cli.cli.console import progress, say, warn
from speid_cli.cli.outputs import text_output
from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.files import atomic_file, check_output_path, cut_off_last_line, ends_whole, part_of, whole_lines

if TYPE_CHECKING:
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.stream import PairStream, Portion

# Names and plain values: the model, the reference, and the options that decide what a line says.
MadeOf = dict[str, Any]
_CANDIDATES = "candidates"


class _CompleteError(Exception):
    """There is nothing to write; ends the writing so that what stands there is left."""


@dataclass(frozen=True)
class ScoredOutput:
    """Standard output, or a file, which may be there in part.

    Attributes
    ----------
    path : str, optional
        None is standard output.
    force : bool
        Replace a file that is there.
    resume : bool
        Go on after the last whole line of what is there: in `path`, or in what an interrupted run
        left of it.
    """

    path: str | None
    force: bool
    resume: bool

    def check(self, inputs: Iterable[str | None]) -> None:
        """Refuse what cannot be written, before any work is done for it."""
        if self.resume and (self.path is None or self.path.endswith(".gz")):
            raise OptionError("--resume-output needs an uncompressed -o, in which it can find the last whole line")
        if self.path is not None:
            check_output_path(self.path, self.force or self.resume, inputs)

    def fill(
        self,
        stream: PairStream,
        candidates: str,
        portion: Portion,
        processes: Processes,
        made_of: MadeOf,
        lines: int | None,
    ) -> int:
        """Score candidates into it, after the lines that are there already, and give their number; one process writes.

        `made_of`, what its lines depend on, is kept beside what is there in part (`resume`). `lines`
        is how many `candidates` has, where that is known.
        """
        if not processes.is_main:
            there = processes.broadcast(0)
            for _ in stream.score(candidates, portion.after(there), processes):
                pass
            return there
        try:
            with suppress(_CompleteError), text_output(self.path, self.force or self.resume, keep=self.resume) as out:
                there, complete = self._begin(stream, candidates, portion, cast(BinaryIO, out), made_of)
                processes.broadcast(there)
                if complete:
                    raise _CompleteError
                rest = portion.after(there)
                stop = lines if rest.stop is None else rest.stop
                with progress("scoring", None if stop is None else stop - rest.first, "lines") as bar:
                    for block in stream.score(candidates, rest, processes):
                        out.write("".join(f"{line}\n" for line in block).encode())
                        out.flush()
                        bar.advance(len(block))
        finally:
            if self.path is not None and not part_of(self.path).exists():
                _record_of(self.path).unlink(missing_ok=True)
        return there

    def _begin(
        self, stream: PairStream, candidates: str, portion: Portion, out: BinaryIO, made_of: MadeOf
    ) -> tuple[int, bool]:
        """How many lines are there, at whose end `out` then stands, and whether they are all of a finished output."""
        if self.path is None:
            return 0, False
        target, part, record = Path(self.path), part_of(self.path), _record_of(self.path)
        if not self.resume:
            record.unlink(missing_ok=True)
            return 0, False
        found = part if part.stat().st_size else target
        count, complete = 0, False
        if found.exists():
            with located(found):
                count, complete = _check(stream, candidates, portion, found, record if found is part else None, made_of)
        if complete:
            say(f"{target}: complete, with {counted(count, 'line')}; left as it is")
            return count, True
        with atomic_file(record, force=True) as beside:
            beside.write(json.dumps(made_of).encode())
        if found is target and target.exists():
            with target.open("rb") as source:
                shutil.copyfileobj(source, out)
        cut_off_last_line(out)
        if count:
            say(f"{target}: goes on after {counted(count, 'line')}")
        return count, False


def _record_of(path: str) -> Path:
    """Where is kept what a part of an output was made of."""
    return part_of(path).with_suffix(".made-of.json")


def _check(
    stream: PairStream, candidates: str, portion: Portion, found: Path, record: Path | None, made_of: MadeOf
) -> tuple[int, bool]:
    """How many whole lines are there, and whether they are a finished output; refuses those that were made otherwise.

    `record` is None for what stands at the output's own place.
    """
    before = _read_record(record)
    differences = [
        f"{name} was {before[name]} and is {value}"
        for name, value in made_of.items()
        if name != _CANDIDATES and before and before.get(name) != value
    ]
    if differences:
        hint = "run as before to go on from it, or without --resume-output to start anew"
        raise DataError(f"was begun otherwise: {'; '.join(differences)}", hint=hint)
    count, ended = stream.check(candidates, portion, whole_lines(str(found)), compare=not before)
    if before and before.get(_CANDIDATES) != made_of[_CANDIDATES]:
        warn(f"{candidates} has changed since this output was begun, though not in the lines that are done")
    return count, ended and record is None and ends_whole(found)


def _read_record(record: Path | None) -> MadeOf:
    """What a part was made of; nothing where that is not known."""
    try:
        return dict(json.loads(record.read_text())) if record else {}
    except (FileNotFoundError, ValueError, TypeError):
        return {}

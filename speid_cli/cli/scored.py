"""The output of ``predict``: written as blocks are done, so that what a killed run leaves can be gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from speid_cli.cli.console import progress, say
from speid_cli.cli.outputs import text_output
from speid_cli.errors import OptionError, located
from speid_cli.files import cut_off_last_line, part_of, refuse_existing, whole_lines

if TYPE_CHECKING:
    from speid_cli.model.processes import Processes
    from speid_cli.scoring.stream import PairStream, Portion


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
            refuse_existing(self.path, self.force or self.resume, inputs)

    def fill(self, stream: PairStream, candidates: str, portion: Portion, processes: Processes) -> None:
        """Score candidates into it; of several processes, one writes."""
        there = processes.agree(self._there(stream, candidates, portion) if processes.writes else 0)
        rest = portion._replace(first=portion.first + there)
        if not processes.writes:
            for _ in stream.score(candidates, rest, processes):
                pass
            return
        with text_output(self.path, self.force, keep=self.resume) as out, progress("scoring", None) as bar:
            if self.resume:
                cut_off_last_line(cast(BinaryIO, out))
            for lines in stream.score(candidates, rest, processes):
                out.write("".join(f"{line}\n" for line in lines).encode())
                out.flush()
                bar.advance(len(lines))

    def _there(self, stream: PairStream, candidates: str, portion: Portion) -> int:
        """How many lines are there, all of them what this model makes of these candidates."""
        if not self.resume or self.path is None:
            return 0
        target, part = Path(self.path), part_of(self.path)
        found = part if part.exists() else target
        if not found.exists():
            return 0
        with located(found):
            count = stream.check(candidates, portion, whole_lines(str(found)))
        if found is target:
            os.replace(target, part)
        say(f"{target}: {count:,} lines are there")
        return count

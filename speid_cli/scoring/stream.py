"""Candidates in, scored candidates out: a stream of BEDPE lines in bounded memory and in order."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.composition import Composition, ElementSample
from speid_cli.errors import DataError, located
from speid_cli.genome.bedpe import (
    MISSING,
    SCORE_COLUMN,
    BedpeLine,
    PairReader,
    header_with_probability,
    with_probability,
)
from speid_cli.genome.intervals import ElementPair, Interval, window_start
from speid_cli.genome.onehot import encode
from speid_cli.genome.reference import Reference
from speid_cli.model.config import ScoringConfig
from speid_cli.model.processes import ALONE, Processes
from speid_cli.scoring.engine import Scorer
from speid_cli.scoring.metrics import sigmoid

Item = TypeVar("Item")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?", re.ASCII)  # a probability as it is written
# Of an output that is gone on with, so many of the last lines are scored again, to this relative tolerance.
LINES_SCORED_AGAIN = 100
TOLERANCE = 1e-4


@dataclass(frozen=True)
class StreamSettings:
    """What ``speid predict`` is told.

    Attributes
    ----------
    append : bool
        Probability in a new last column instead of column 8.
    invalid_as_missing : bool
        Give lines that cannot be scored ``.`` instead of stopping at the first.
    block_size : int
        Lines held at a time, at most.
    """

    append: bool = False
    promoter_first: bool = False
    invalid_as_missing: bool = False
    block_size: int = ScoringConfig.block_size


@dataclass
class StreamCounts:
    """What went through so far."""

    pairs: int = 0
    invalid: int = 0
    first_invalid: str = ""
    columns: set[int] = field(default_factory=set)  # where the probability is, of lines that it was added to


class Portion(NamedTuple):
    """Lines [first, stop) of a file, counted from 0; None: to its end."""

    first: int = 0
    stop: int | None = None

    @classmethod
    def shard(cls, number: int, count: int, lines: int) -> Portion:
        """The `number`-th, from 1, of `count` equal shares of `lines` lines."""
        return cls((number - 1) * lines // count, number * lines // count)

    def after(self, lines: int) -> Portion:
        """The same without its first `lines` lines."""
        return self._replace(first=self.first + lines)


WHOLE = Portion()


class PairStream:
    """Scores the lines of a BEDPE file.

    Parameters
    ----------
    scorer : Scorer
    reference : Reference
    settings : StreamSettings
    probabilities : callable
        Probabilities (N,) of logits (N,).
    """

    def __init__(
        self,
        scorer: Scorer,
        reference: Reference,
        settings: StreamSettings,
        probabilities: Callable[[NDArray[np.float32]], NDArray[np.float64]] = sigmoid,
    ) -> None:
        self.scorer, self.reference, self.settings = scorer, reference, settings
        self._of_logits = probabilities
        self.counts = StreamCounts()
        self._seen = ElementSample(), ElementSample()

    def score(self, path: str, portion: Portion = WHOLE, processes: Processes = ALONE) -> Iterator[list[str]]:
        """Output lines, without their endings, one for each line of `path` and in order, block by block.

        Of several processes each scores every so-manieth block; the one that writes is given all.

        Raises
        ------
        DataError
            A line cannot be scored, unless invalid lines are to be marked as missing.
        """
        blocks = _batched(islice(self._lines(path), *portion), self.settings.block_size)
        for round_ in _batched(blocks, processes.count):
            mine = round_[processes.rank] if processes.rank < len(round_) else []
            yield list(chain.from_iterable(processes.gather(self._score_block(path, mine))))

    def check(self, path: str, portion: Portion, kept: Iterable[str], compare: bool = True) -> tuple[int, bool]:
        """How many output lines `kept` holds, each of them that of a line of `path`, and whether none is missing.

        With `compare` the last of them are scored again.

        Raises
        ------
        DataError
            One is not, or has another score; the message names it by its number in `kept`.
        """
        number, lines, last = 0, islice(self._lines(path), *portion), deque[str](maxlen=LINES_SCORED_AGAIN)
        for number, text in enumerate(kept, start=1):
            last.append(text)
            line = next(lines, None)
            if line is None or not self._comes_of(line, text):
                raise DataError(
                    f"{text[:60]!r} does not come of the candidates' line in this place",
                    hint="go on with the same candidates and options, or give another -o",
                    line=number,
                )
        end = portion.first + number
        if compare:
            self._check_scores(path, Portion(end - len(last), end), list(last), number)
        return number, next(lines, None) is None

    def _check_scores(self, path: str, portion: Portion, kept: list[str], number: int) -> None:
        """Refuse lines that end with line `number` if this model gives them other scores."""
        again = list(chain.from_iterable(self.score(path, portion)))
        self.counts = StreamCounts()
        for line, texts in enumerate(zip(kept, again, strict=True), start=number - len(kept) + 1):
            before, now = map(self.score_of, texts)
            if before != now and (MISSING in (before, now) or not _close(float(before), float(now))):
                raise DataError(f"a score of {before}", expected=f"{now}, which this model gives", line=line)

    def _comes_of(self, line: BedpeLine, text: str) -> bool:
        score = self.score_of(text)
        missing = self.settings.invalid_as_missing and score == MISSING
        scored = line.role != "pair" or missing or _NUMBER.fullmatch(score) is not None
        return scored and self._output_line(line, score) == text

    def score_of(self, text: str) -> str:
        """The field of an output line that holds the probability."""
        fields = text.split("\t")
        return fields[-1 if self.settings.append else min(SCORE_COLUMN, len(fields) - 1)]

    def _lines(self, path: str) -> Iterator[BedpeLine]:
        self._reader = PairReader(path, self.settings.promoter_first)
        return self._reader.lines()

    def _score_block(self, path: str, lines: Sequence[BedpeLine]) -> list[str]:
        located = [(line, self._locate(path, line)) for line in lines]
        pairs = [pair for _, pair in located if pair is not None]
        spans = self.scorer.spans([pair.enhancer for pair in pairs], [pair.promoter for pair in pairs])
        probabilities = chain.from_iterable(self._probabilities(pairs[span]) for span in spans)
        return [
            self._output_line(line, MISSING if pair is None else f"{next(probabilities):.6g}") for line, pair in located
        ]

    def _output_line(self, line: BedpeLine, text: str) -> str:
        if line.role == "comment":
            return line.text
        if line.role == "header":
            return header_with_probability(line, self.settings.append)
        header = self._reader.header
        output = with_probability(line.fields, text, self.settings.append, len(header.fields) if header else 0)
        if self.settings.append:
            self.counts.columns.add(output.count("\t") + 1)
        return output

    def _locate(self, path: str, line: BedpeLine) -> ElementPair | None:
        if line.role != "pair":
            return None
        self.counts.pairs += 1
        try:
            pair = self._reader.pair(line)
            with located(path, line.number):
                return ElementPair(*map(self.reference.contigs.locate, pair))
        except DataError as error:
            if not self.settings.invalid_as_missing:
                raise error from None
            self.counts.first_invalid = self.counts.first_invalid or str(error)
            self.counts.invalid += 1
            return None

    def _probabilities(self, pairs: Sequence[ElementPair]) -> NDArray[np.float64]:
        config, scorer = self.scorer.config, self.scorer
        enhancers, left = _unique(pair.enhancer for pair in pairs)
        promoters, right = _unique(pair.promoter for pair in pairs)
        first = scorer.enhancers.find(enhancers, lambda some: self._windows(0, some, config.enhancer_window))
        second = scorer.promoters.find(promoters, lambda some: self._windows(1, some, config.promoter_window))
        return self._of_logits(scorer.logits(first[left], second[right]))

    def _windows(self, side: int, intervals: Sequence[Interval], length: int) -> NDArray[np.uint8]:
        codes = np.empty((len(intervals), length), np.uint8)
        for row, (contig, start, end) in zip(codes, intervals, strict=True):
            first = window_start(start, end, length)
            row[:] = encode(self.reference.fetch(contig, first, first + length))
        self._seen[side].add(intervals, codes)
        return codes

    def compositions(self) -> tuple[Composition, Composition]:
        """What the enhancers and promoters look like that were scored first."""
        return self._seen[0].composition(), self._seen[1].composition()


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items, the last one of what is left."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _close(before: float, now: float) -> bool:
    return math.isclose(before, now, rel_tol=TOLERANCE, abs_tol=1e-12)


def _unique(intervals: Iterable[Interval]) -> tuple[list[Interval], NDArray[np.int64]]:
    place: dict[Interval, int] = {}
    index = [place.setdefault(interval, len(place)) for interval in intervals]
    return list(place), np.array(index, np.int64)

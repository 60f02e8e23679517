"""Candidates in, scored candidates out: a stream of BEDPE lines in bounded memory and in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError
from speid_cli.genome.bedpe import MISSING, BedpeLine, header_with_probability, parse_pair, read_bedpe, with_probability
from speid_cli.genome.intervals import ElementPair, Interval, window_start
from speid_cli.genome.onehot import encode
from speid_cli.genome.reference import Reference
from speid_cli.model.config import ScoringConfig
from speid_cli.scoring.engine import Scorer
from speid_cli.scoring.metrics import sigmoid


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
        self._header_columns = 0

    def score(self, path: str) -> Iterator[str]:
        """One output line, without its ending, for each line of `path`, in order.

        Raises
        ------
        DataError
            A line cannot be scored, unless invalid lines are to be marked as missing.
        """
        for block in self._blocks(path):
            probabilities = iter(self._probabilities([pair for _, pair in block if pair is not None]))
            for line, pair in block:
                yield self._output_line(line, MISSING if pair is None else f"{next(probabilities):.6g}")

    def _blocks(self, path: str) -> Iterator[list[tuple[BedpeLine, ElementPair | None]]]:
        """Lines with their pairs, as many at a time as may be held and as the scorer has slots for."""
        block: list[tuple[BedpeLine, ElementPair | None]] = []
        elements: set[Interval] = set()
        most = min(self.scorer.enhancers.slots, self.scorer.promoters.slots)
        for line in read_bedpe(path):
            pair = self._locate(path, line)
            block.append((line, pair))
            elements.update(pair or ())
            if len(block) >= self.settings.block_size or len(elements) >= most:
                yield block
                block, elements = [], set()
        yield block

    def _output_line(self, line: BedpeLine, text: str) -> str:
        if line.role == "comment":
            return line.text
        if line.role == "header":
            self._header_columns = len(line.fields)
            return header_with_probability(line, self.settings.append)
        return with_probability(line.fields, text, self.settings.append, self._header_columns)

    def _locate(self, path: str, line: BedpeLine) -> ElementPair | None:
        if line.role != "pair":
            return None
        self.counts.pairs += 1
        try:
            pair = parse_pair(line.fields, self.settings.promoter_first)
            contigs = self.reference.contigs
            return ElementPair(contigs.locate(pair.enhancer), contigs.locate(pair.promoter))
        except DataError as error:
            error.at(path, line.number)
            if not self.settings.invalid_as_missing:
                raise error from None
            self.counts.first_invalid = self.counts.first_invalid or str(error)
            self.counts.invalid += 1
            return None

    def _probabilities(self, pairs: Sequence[ElementPair]) -> NDArray[np.float64]:
        if not pairs:
            return np.empty(0)
        config, scorer = self.scorer.config, self.scorer
        enhancers, left = _unique(pair.enhancer for pair in pairs)
        promoters, right = _unique(pair.promoter for pair in pairs)
        first = scorer.enhancers.find(enhancers, lambda some: self._windows(some, config.enhancer_window))
        second = scorer.promoters.find(promoters, lambda some: self._windows(some, config.promoter_window))
        return self._of_logits(scorer.logits(first[left], second[right]))

    def _windows(self, intervals: Sequence[Interval], length: int) -> NDArray[np.uint8]:
        codes = np.empty((len(intervals), length), np.uint8)
        for row, (contig, start, end) in zip(codes, intervals, strict=True):
            first = window_start(start, end, length)
            row[:] = encode(self.reference.fetch(contig, first, first + length))
        return codes


def _unique(intervals: Iterable[Interval]) -> tuple[list[Interval], NDArray[np.int64]]:
    place: dict[Interval, int] = {}
    index = [place.setdefault(interval, len(place)) for interval in intervals]
    return list(place), np.array(index, np.int64)

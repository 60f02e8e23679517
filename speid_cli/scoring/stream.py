"""Scores the lines of a BEDPE file in order, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.composition import Composition, ElementSample
from speid_cli.errors import DataError, located
from speid_cli.genome.bedpe import BedpeLine, PairReader
from speid_cli.genome.intervals import ElementPair, Interval, bounds_of, distance_bp, window_start
from speid_cli.genome.reference import Reference
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device
from speid_cli.model.processes import SINGLE_PROCESS, Processes
from speid_cli.model.speid import Speid
from speid_cli.scoring.scale import PLAIN, Scale
from speid_cli.scoring.scorer import Scorer

Item = TypeVar("Item")


@dataclass
class StreamCounts:
    """Counts of the lines so far; `outside`: pairs at distances outside the reach of the scale."""

    pairs: int = 0
    invalid: int = 0
    first_invalid: str = ""
    outside: int = 0


class ScoredLine(NamedTuple):
    """A line of the candidates.

    `probability` is that of a pair, NaN where it could not be scored; None for comments and headers.
    `header_columns` is the number of columns of the header above it; 0 where there is none.
    """

    line: BedpeLine
    probability: float | None
    header_columns: int


class Portion(NamedTuple):
    """Lines [first, stop) of a file, counted from 0; None: to its end."""

    first: int = 0
    stop: int | None = None

    @classmethod
    def shard(cls, number: int, count: int, lines: int) -> Portion:
        """The `number`-th, from 1, of `count` equal shares of `lines` lines."""
        return cls((number - 1) * lines // count, number * lines // count)

    def after(self, lines: int) -> Portion:
        """This portion without its first `lines` lines."""
        return self._replace(first=self.first + lines)


WHOLE = Portion()


class PairStream:
    """Scores the lines of a BEDPE file.

    Parameters
    ----------
    models : iterable of Speid
        One or more networks with the same windows.
    scale : Scale
        From their logits to probabilities.
    """

    def __init__(
        self,
        models: Iterable[Speid],
        device: Device,
        reference: Reference,
        settings: StreamSettings,
        scale: Scale = PLAIN,
    ) -> None:
        self.reference, self.settings, self.scale, self.counts = reference, settings, scale, StreamCounts()
        first, *others = models
        self._seen = ElementSample(), ElementSample()
        self._lengths = first.config.enhancer_window, first.config.promoter_window
        read = partial(self._windows, 0), partial(self._windows, 1)
        self.scorer = Scorer[Interval](first, device, read, settings.batch_size, settings.cache_bytes, others=others)

    def score(
        self, path: str, portion: Portion = WHOLE, processes: Processes = SINGLE_PROCESS
    ) -> Iterator[list[ScoredLine]]:
        """All lines of `path` in order, in blocks; each process scores a part, and the main process gets all lines.

        Raises
        ------
        DataError
            A line is at fault; the message names it.
        """
        self._reader = PairReader(path, self.settings.promoter_first)
        blocks = _batched(islice(self._reader.lines(), *portion), self.settings.block_size)
        for round_ in _batched(blocks, processes.count):
            mine = round_[processes.rank] if processes.rank < len(round_) else []
            found = processes.gather(self._score_block(path, mine))  # nothing where this is not the main process
            columns = len(self._reader.header.fields) if self._reader.header else 0
            for lines, probabilities in zip(round_, found, strict=False):
                yield [ScoredLine(line, value, columns) for line, value in zip(lines, probabilities, strict=True)]

    def _score_block(self, path: str, lines: Sequence[BedpeLine]) -> list[float | None]:
        """The probability of each line, as in `ScoredLine`."""
        located = [self._locate(path, line) for line in lines]
        pairs = [pair for pair in located if pair is not None]
        logits = self.scorer.all_logits([pair.enhancer for pair in pairs], [pair.promoter for pair in pairs])
        found = iter(self.scale.probabilities(logits, self._distances(pairs)).tolist())
        return [
            None if line.role != "pair" else float("nan") if pair is None else next(found)
            for line, pair in zip(lines, located, strict=True)
        ]

    def _distances(self, pairs: Sequence[ElementPair]) -> NDArray[np.int64] | None:
        """Distances (N,) in bp, where the scale needs them; counts those outside its reach."""
        if self.scale.reach_bp is None:
            return None
        sides = (bounds_of(pair[side] for pair in pairs).T for side in (0, 1))
        distances: NDArray[np.int64] = distance_bp(*chain.from_iterable(sides))
        self.counts.outside += self.scale.outside(distances)
        return distances

    def _locate(self, path: str, line: BedpeLine) -> ElementPair | None:
        """The pair with the reference's contig names; None for other lines and those that cannot be scored."""
        if line.role != "pair":
            return None
        self.counts.pairs += 1
        try:
            pair = self._reader.pair(line)
            with located(path, line.number):
                pair = ElementPair(*map(self.reference.contigs.locate, pair))
                if self.scale.reach_bp is not None:
                    _check_chromosome(pair)
                return pair
        except DataError as error:
            if self.settings.on_invalid == "error":
                raise error from None
            self.counts.first_invalid = self.counts.first_invalid or str(error)
            self.counts.invalid += 1
            return None

    def _windows(self, side: int, intervals: Sequence[Interval]) -> NDArray[np.uint8]:
        length = self._lengths[side]
        places = [(contig, window_start(start, end, length)) for contig, start, end in intervals]
        codes = self.reference.codes(places, length)
        self._seen[side].add(intervals, codes)
        return codes

    def compositions(self) -> tuple[Composition, Composition]:
        """Composition of the first enhancers and promoters that were scored."""
        return self._seen[0].composition(), self._seen[1].composition()


def _check_chromosome(pair: ElementPair) -> None:
    if pair.enhancer.chrom != pair.promoter.chrom:
        raise DataError(
            f"elements on {pair.enhancer.chrom} and {pair.promoter.chrom}, between which there is no distance",
            expected="both on one chromosome, for --prevalence distance",
            hint="leave out such pairs, or give --prevalence as a number",
        )


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items; the last one may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

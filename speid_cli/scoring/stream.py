"""Scores the lines of a BEDPE file in order, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.composition import Composition, ElementSample
from speid_cli.errors import DataError, located
from speid_cli.genome.bedpe import BedpeLine
from speid_cli.genome.distinct import Numbers, distinct
from speid_cli.genome.intervals import ElementPair, Interval, distance_bp, window_start
from speid_cli.genome.pair_columns import PairColumns
from speid_cli.genome.pair_reader import PairBlock, PairReader
from speid_cli.genome.reference import Reference
from speid_cli.model.config import StreamSettings
from speid_cli.model.device import Device
from speid_cli.model.processes import SINGLE_PROCESS, Processes
from speid_cli.model.speid import Speid
from speid_cli.scoring.scale import PLAIN, Scale
from speid_cli.scoring.scorer import PairSide, Scorer
from speid_cli.text import Share

Item = TypeVar("Item")
_NOWHERE = np.empty((0, 3), np.int64)


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
    """

    line: BedpeLine
    probability: float | None


class ScoredBlock(NamedTuple):
    """Lines of the candidates, and the probability of each, as in `ScoredLine`."""

    block: PairBlock
    probabilities: list[float | None]

    def lines(self) -> Iterator[ScoredLine]:
        """The lines one by one."""
        return map(ScoredLine, self.block.read(), self.probabilities)


class Places(NamedTuple):
    """The elements of N pairs, int64 (N, 3): number of the contig in the reference, start, end."""

    enhancers: Numbers
    promoters: Numbers


class Located(NamedTuple):
    """The pairs of a block that can be scored, and the probability of each other line, by its position, in order."""

    places: Places
    others: dict[int, float | None]


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
        self._names, ends = zip(*reference.contigs.lengths.items(), strict=True)
        self._number = {name: number for number, name in enumerate(self._names)}
        self._ends = np.array(ends, np.int64)
        read = partial(self._windows, 0), partial(self._windows, 1)
        self.scorer = Scorer[Interval](first, device, read, settings.batch_size, settings.cache_bytes, others=others)

    def score(self, share: Share, after: int = 0, processes: Processes = SINGLE_PROCESS) -> Iterator[ScoredBlock]:
        """All lines of a share of a file in order, without its first `after` bytes.

        Each process scores a part, and the main process gets all lines. The next block is parsed while the
        network computes.

        Raises
        ------
        DataError
            A line is at fault; the message names it.
        """
        self._reader = PairReader(share.path, self.settings.promoter_first)
        blocks = self._reader.blocks(self.settings.block_size, share, after)
        rounds = _batched(blocks, processes.count)
        with ThreadPoolExecutor(1, "speid-parsing") as beside:
            coming = ((round_, beside.submit(self._locate_mine, round_, processes.rank)) for round_ in rounds)
            for round_, located in _one_ahead(coming):
                found = processes.gather(self._probabilities(located.result()))
                yield from map(ScoredBlock, round_, found)  # nothing where this is not the main process

    def _locate_mine(self, round_: Sequence[PairBlock], rank: int) -> Located:
        """The pairs of this process's block of a round."""
        if rank >= len(round_):
            return Located(Places(_NOWHERE, _NOWHERE), {})
        block = round_[rank]
        usual = None if block.columns is None else self._locate_all(block.columns)
        return self._locate_each(block) if usual is None else Located(usual, dict.fromkeys(range(len(block.head))))

    def _locate_all(self, columns: PairColumns) -> Places | None:
        """The pairs of a usual block; None if any of them cannot be scored."""
        names = [self.reference.contigs.find(name) for name in columns.names]
        number = np.array([self._number.get(name or "", -1) for name in names])
        sides = self._reader.sides(columns)
        places = Places(*(np.column_stack([number[side[:, 0]], side[:, 1:]]) for side in sides))
        if None in names or any((side[:, 2] > self._ends[side[:, 0]]).any() for side in places):
            return None
        if self.scale.reach_bp is not None and (places.enhancers[:, 0] != places.promoters[:, 0]).any():
            return None
        self.counts.pairs += len(places.enhancers)
        return places

    def _locate_each(self, block: PairBlock) -> Located:
        """The pairs of any block, line by line."""
        pairs, others = list[ElementPair](), dict[int, float | None]()
        for index, line in enumerate(block.lines):
            if pair := self._locate(line):
                pairs.append(pair)
            else:
                others[index] = float("nan") if line.role == "pair" else None
        enhancers, promoters = (
            np.array([(self._number[pair[side].chrom], *pair[side][1:]) for pair in pairs], np.int64).reshape(-1, 3)
            for side in (0, 1)
        )
        return Located(Places(enhancers, promoters), others)

    def _locate(self, line: BedpeLine) -> ElementPair | None:
        """The pair with the reference's contig names; None for other lines and those that cannot be scored."""
        if line.role != "pair":
            return None
        self.counts.pairs += 1
        try:
            pair = self._reader.pair(line)
            with located(self._reader.path, line.number):
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

    def _probabilities(self, located: Located) -> list[float | None]:
        """The probability of each line, as in `ScoredLine`."""
        places, others = located
        logits = self.scorer.all_logits(*map(self._elements, places))
        found: list[float | None] = self.scale.probabilities(logits, self._distances(places)).tolist()
        for index, value in others.items():
            found.insert(index, value)
        return found

    def _elements(self, places: Numbers) -> PairSide[Interval]:
        first, index = distinct(places)
        return PairSide([Interval(self._names[name], start, end) for name, start, end in places[first].tolist()], index)

    def _distances(self, places: Places) -> Numbers | None:
        """Distances (N,) in bp, where the scale needs them; counts those outside its reach."""
        if self.scale.reach_bp is None:
            return None
        distances: Numbers = distance_bp(*places.enhancers[:, 1:].T, *places.promoters[:, 1:].T)
        self.counts.outside += self.scale.outside(distances)
        return distances

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


def _one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each when the next one is there; an error after all items before it."""
    held = list[Item]()
    try:
        for item in items:
            yield from held
            held = [item]
    except DataError:
        yield from held
        raise
    yield from held

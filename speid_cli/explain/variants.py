"""What a variant changes: SNVs, multi-base changes and short indels in the windows of pairs, each alone.

An indel shifts everything behind it against the pooling grid, so that much of its effect may be that of
the shift. Its window is cut twice, keeping the left end in place and keeping the right end in place, and
the change is the mean of both. ``shift_change`` is what the same shift does alone: the mean size of the
changes when the window of the reference is moved by as many bp to the left, and to the right.

N pairs; V variants; L bp of a window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import SIDES
from speid_cli.errors import DataError, counted, located
from speid_cli.explain.mutagenesis import substitutions
from speid_cli.explain.settings import Advance
from speid_cli.genome.bedpe import MISSING
from speid_cli.genome.intervals import ElementPair, Interval, window_start
from speid_cli.genome.onehot import encode
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference
from speid_cli.genome.variants import Skipped, Variant
from speid_cli.model.config import SpeidConfig
from speid_cli.scoring.perturbed import PerturbedScorer

COLUMNS = (
    "chrom", "position", "id", "reference", "alternative", "line", "name", "side", "probability_reference",
    "probability_alternative", "logit_change", "percentile", "shift_change",
)  # fmt: skip
BOTH = "both"
# Changes of the logit that differ by less count as equal: what is scored together decides the last digits.
_SAME_LOGIT = 1e-6
# Held in memory together, at most: variants and, but for the last variant's, hits; pairs and hits that are scored.
_VARIANTS, _HITS, _PAIRS, _SCORED = 4096, 1 << 16, 256, 1024
Codes = NDArray[np.uint8]
Rows = NDArray[np.int64]


class Pairs:
    """The pairs of a BEDPE file, found by the position of their windows.

    Attributes
    ----------
    line, name : list
        Line in the file, from 1, and name of each pair.
    pairs : list of ElementPair
        With the reference's contig names.
    spelling : dict of str
        The file's own name of each contig, the first if it has two.

    Raises
    ------
    DataError
        A line is not valid or not on the reference, or there is no pair.
    """

    def __init__(self, reader: PairReader, reference: Reference, config: SpeidConfig) -> None:
        self.line, self.name, self.pairs = list[int](), list[str](), list[ElementPair]()
        self.spelling: dict[str, str] = {}
        self.lengths = config.enhancer_window, config.promoter_window
        for line, pair in reader:
            with located(reader.path, line.number):
                found = ElementPair(*map(reference.contigs.locate, pair))
            for ours, theirs in zip(found, pair, strict=True):
                self.spelling.setdefault(ours.chrom, theirs.chrom)
            self.line.append(line.number)
            self.name.append(line.fields[6] if len(line.fields) > 6 else MISSING)
            self.pairs.append(found)
        if not self.pairs:
            raise DataError("no pairs", expected="at least one BEDPE line of 6 or more columns", path=reader.path)
        self._index = {side: self._by_contig(side) for side in (0, 1)}

    def start(self, pair: int, side: int) -> int:
        """First base of a pair's window."""
        _, start, end = self.pairs[pair][side]
        first: int = window_start(start, end, self.lengths[side])
        return first

    def _by_contig(self, side: int) -> dict[str, tuple[Rows, Rows]]:
        """Of each contig, sorted window starts and their pairs."""
        places: dict[str, list[tuple[int, int]]] = {}
        for number, pair in enumerate(self.pairs):
            places.setdefault(pair[side].chrom, []).append((self.start(number, side), number))
        arrays = {contig: np.array(sorted(found), np.int64).T for contig, found in places.items()}
        return {contig: (starts, numbers) for contig, (starts, numbers) in arrays.items()}

    def touched(self, contig: str, start: int, end: int) -> dict[int, str]:
        """Pairs, in order, with a window that holds bases [start, end), or the place between two bases; and which."""
        found: dict[int, str] = {}
        for side, index in self._index.items():
            starts, numbers = index.get(contig, (np.empty(0, np.int64),) * 2)
            low, high = starts.searchsorted(start - self.lengths[side], "right"), starts.searchsorted(end)
            for pair in numbers[low:high].tolist():
                found[pair] = BOTH if pair in found else SIDES[side]
        return dict(sorted(found.items()))


class Hit(NamedTuple):
    """A variant in the windows of a pair; `side` may be both."""

    variant: Variant
    pair: int
    side: str

    def touches(self, side: int) -> bool:
        """Whether it is in this side's window."""
        return self.side in (SIDES[side], BOTH)


class _Block(NamedTuple):
    """Hits of variants that follow one another, and the line of the last variant."""

    hits: list[Hit]
    line: int


@dataclass
class Counts:
    """Numbers of variants read, of those on no known contig or in no window, and of rows."""

    variants: int = 0
    unknown_contig: int = 0
    first_unknown: str = ""
    untouched: int = 0
    rows: int = 0


class VariantScorer:
    """Scores variants in the windows of pairs.

    Parameters
    ----------
    percentiles : bool
        Compare each change with all substitutions of the pair.
    memory_bytes : int
        For the effects of substitutions that are kept.
    """

    def __init__(
        self, scorer: PerturbedScorer, pairs: Pairs, reference: Reference, percentiles: bool, memory_bytes: int
    ) -> None:
        self._scorer, self._pairs, self._reference, self._percentiles = scorer, pairs, reference, percentiles
        self.counts, self.skipped = Counts(), Skipped()
        held_pairs = memory_bytes // (12 * sum(pairs.lengths))  # three float32 a base
        self._sizes = lru_cache(max(1, held_pairs))(self._substitution_sizes)

    def rows(
        self, path: str, variants: Iterable[Variant], advance: Advance = lambda lines: None
    ) -> Iterator[dict[str, Any]]:
        """Values of `COLUMNS` for each variant and each pair that it touches, in the order of the variants.

        `advance` is told of numbers of lines of the file as they are done.

        Raises
        ------
        DataError
            REF is not the reference's sequence, a position is beyond its contig, or no contig is known.
        """
        iterator, line = iter(variants), 0
        while block := self._block(path, iterator):
            yield from self._score(block.hits)
            advance(block.line - line)
            line = block.line
        if 0 < self.counts.variants == self.counts.unknown_contig:
            self._reference.contigs.find_all(path, [Interval(self.counts.first_unknown, 0, 1)])  # raises

    def left_out(self) -> Iterator[str]:
        """Sentences on alleles and variants that were not asked about."""
        yield from self.skipped.describe()
        if self.counts.unknown_contig:
            unknown = counted(self.counts.unknown_contig, "variant")
            yield f"{unknown} on contigs that the reference does not have, such as {self.counts.first_unknown!r}"

    def _block(self, path: str, variants: Iterator[Variant]) -> _Block | None:
        """The next variants; None where there is no more."""
        hits, line = list[Hit](), 0
        for variant in islice(variants, _VARIANTS):
            hits += self._hits(path, variant)
            line = variant.line
            if len(hits) >= _HITS:
                break
        return _Block(hits, line) if line else None

    def _hits(self, path: str, variant: Variant) -> list[Hit]:
        self.counts.variants += 1
        contigs = self._reference.contigs
        contig = contigs.find(variant.chrom)
        if contig is None:
            self.counts.unknown_contig += 1
            self.counts.first_unknown = self.counts.first_unknown or variant.chrom
            return []
        if variant.start + len(variant.reference) > contigs.lengths[contig]:
            raise DataError(
                f"REF ends at {variant.start + len(variant.reference)}, beyond {contig}, which is "
                f"{contigs.lengths[contig]} bp long",
                hint="is the VCF of another genome build?", path=path, line=variant.line,
            )  # fmt: skip
        self._check_reference(path, variant, contig)
        start, end, _ = variant.change
        touching = [Hit(variant, pair, side) for pair, side in self._pairs.touched(contig, start, end).items()]
        hits = [hit for hit in touching if abs(hit.variant.shift) <= self._shortest_window(hit)]
        if len(hits) < len(touching):
            self.skipped.add("an indel longer than the window", variant.line)
        self.counts.untouched += not touching
        self.counts.rows += len(hits)
        return hits

    def _shortest_window(self, hit: Hit) -> int:
        return min(length for side, length in enumerate(self._pairs.lengths) if hit.touches(side))

    def _check_reference(self, path: str, variant: Variant, contig: str) -> None:
        end = variant.start + len(variant.reference)
        found = self._reference.fetch(contig, variant.start, end)
        # Of the codes for several bases, VCF's REF has one of the bases.
        is_exact = np.isin(np.frombuffer(found.upper(), np.uint8), np.frombuffer(b"ACGTN", np.uint8))
        if ((encode(found) != encode(variant.reference.encode())) & is_exact).any():
            raise DataError(
                f"REF {variant.reference:.40} at {variant.chrom}:{variant.start + 1}",
                expected=f"{found.decode().upper():.40}, which {self._reference.path} has there",
                hint="is the VCF of another genome build?", path=path, line=variant.line,
            )  # fmt: skip

    def _score(self, hits: Sequence[Hit]) -> Iterator[dict[str, Any]]:
        """Rows of the hits, in order; pairs are held together."""
        rows, by_pair = dict[int, dict[str, Any]](), defaultdict[int, list[int]](list)
        for number, hit in enumerate(hits):
            by_pair[hit.pair].append(number)
        pairs, size = sorted(by_pair), min(self._scorer.capacity, _PAIRS)
        for first in range(0, len(pairs), size):
            held = {pair: row for row, pair in enumerate(pairs[first : first + size])}
            mine = [number for pair in held for number in by_pair[pair]]
            found = list(self._changes([hits[number] for number in mine], held))  # percentiles hold other pairs
            rows |= {number: self._row(hits[number], *values) for number, values in zip(mine, found, strict=True)}
        return (rows[number] for number in range(len(hits)))

    def _changes(self, hits: Sequence[Hit], held: dict[int, int]) -> Iterator[tuple[float, float, float]]:
        """Logit of each hit's pair, its change, and the change by the shift alone (NaN without one)."""
        windows = [np.stack([self._window(pair, side) for pair in held]) for side in (0, 1)]
        wild = self._scorer.hold(*windows)
        for start in range(0, len(hits), _SCORED):
            some = hits[start : start + _SCORED]
            mutants = [(number, mutant) for number, hit in enumerate(some) for mutant in self._mutants(hit)]
            owners = [number for number, _ in mutants]
            rows = np.array([held[some[number].pair] for number in owners], np.int64)
            given = [side[rows] for side in windows]
            for place, (_, mutant) in enumerate(mutants):
                for side, codes in enumerate(mutant):
                    if codes is not None:
                        given[side][place] = codes
            changes = self._scorer.logits(rows, *given) - wild[rows]
            parts = np.split(changes, np.searchsorted(owners, np.arange(1, len(some))))
            for hit, found in zip(some, parts, strict=True):  # the variant once or twice, then shifts alone
                shift = float(np.abs(found[2:]).mean()) if hit.variant.shift else np.nan
                yield float(wild[held[hit.pair]]), float(found[:2].mean()), shift

    def _window(self, pair: int, side: int, shift: int = 0) -> Codes:
        contig, start = self._pairs.pairs[pair][side].chrom, self._pairs.start(pair, side) + shift
        (codes,) = self._reference.codes([(contig, start)], self._pairs.lengths[side])
        return codes

    def _mutants(self, hit: Hit) -> Iterator[tuple[Codes | None, Codes | None]]:
        """The windows with the variant; of an indel, with the left and the right end kept, then shifted only."""
        shift = hit.variant.shift

        def of_sides(window: Callable[[int], Codes]) -> tuple[Codes | None, Codes | None]:
            """The window of each side that the variant touches."""
            enhancer, promoter = (window(side) if hit.touches(side) else None for side in (0, 1))
            return enhancer, promoter

        yield of_sides(lambda side: self._mutated(hit, side, keep_left=True))
        if shift:
            yield of_sides(lambda side: self._mutated(hit, side, keep_left=False))
            yield of_sides(lambda side: self._window(hit.pair, side, shift))
            yield of_sides(lambda side: self._window(hit.pair, side, -shift))

    def _mutated(self, hit: Hit, side: int, keep_left: bool) -> Codes:
        """The window of one side on the contig with the variant, its left or its right end where it was.

        Where that end is deleted, it is at the place of the deletion.
        """
        start, end, replacement = hit.variant.change
        length, first = self._pairs.lengths[side], self._pairs.start(hit.pair, side)
        contig = self._pairs.pairs[hit.pair][side].chrom
        low, high = min(first, start) - length, max(first + length, end) + length
        before, after = (self._reference.fetch(contig, *part) for part in ((low, start), (end, high)))
        mutated = encode(before + replacement.encode() + after)

        def place(position: int) -> int:
            """Where a boundary between two bases of the contig is on the mutated one."""
            if position <= start:
                return position - low
            joined = start - low + len(replacement)
            return joined if position < end else joined + position - end

        begin = place(first) if keep_left else place(first + length) - length
        return mutated[begin : begin + length]

    def _row(self, hit: Hit, logit: float, change: float, shift: float) -> dict[str, Any]:
        variant = hit.variant
        contig = self._reference.contigs.find(variant.chrom) or variant.chrom
        before, after = sigmoid(np.array([logit, logit + change])).tolist()
        return {
            "chrom": self._pairs.spelling.get(contig, contig), "position": variant.start + 1,
            "id": variant.identifier, "reference": variant.reference, "alternative": variant.alternative,
            "line": self._pairs.line[hit.pair], "name": self._pairs.name[hit.pair], "side": hit.side,
            "probability_reference": before, "probability_alternative": after, "logit_change": change,
            "percentile": self._percentile(hit.pair, change), "shift_change": shift,
        }  # fmt: skip

    def _percentile(self, pair: int, change: float) -> float | None:
        """Share of a pair's substitutions whose change is at most as large, in %."""
        if not self._percentiles:
            return None
        sizes = self._sizes(pair)
        return 100.0 * int(np.searchsorted(sizes, abs(change) + _SAME_LOGIT, "right")) / max(len(sizes), 1)

    def rank_first_pair(self) -> int:
        """Score the substitutions of the first pair, to see how long it takes; the number of pairs."""
        self._sizes(0)
        return len(self._pairs.line)

    def _substitution_sizes(self, pair: int) -> NDArray[np.float32]:
        """Sorted sizes of the changes by all substitutions of a pair."""
        codes = self._window(pair, 0), self._window(pair, 1)
        effects = substitutions(self._scorer, codes, (np.arange(len(codes[0])), np.arange(len(codes[1]))))
        changes = [side[np.arange(4) != window[:, None]] for side, window in zip(effects.changes, codes, strict=True)]
        sizes = np.abs(np.concatenate(changes))
        return np.sort(sizes[~np.isnan(sizes)])

"""From labelled BEDPE pairs and a reference to a `PairDataset`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli import __version__
from speid_cli.dataset.labels import label_column, parse_label
from speid_cli.dataset.pairs import SUBSETS, Elements, PairDataset
from speid_cli.dataset.splits import DROPPED, SplitSettings, split
from speid_cli.errors import DataError
from speid_cli.files import sha256_of
from speid_cli.genome.bedpe import parse_pair, read_bedpe
from speid_cli.genome.intervals import ElementPair, Interval, shift_range, window_start
from speid_cli.genome.onehot import N_CODE, encode, pack
from speid_cli.genome.overlaps import overlapping, read_bed
from speid_cli.genome.reference import ContigNames, Reference

# Shifts are stored as int16 and reach half a window.
LONGEST_WINDOW = 2 * np.iinfo(np.int16).max


@dataclass(frozen=True)
class PrepareSettings:
    """What ``speid prepare`` is told; windows in bp (Singh et al. 2016, section 3.1)."""

    enhancer_window: int = 3000
    promoter_window: int = 2000
    label_column: str | None = None
    promoter_first: bool = False
    exclude: str | None = None
    split: SplitSettings = SplitSettings()


@dataclass(frozen=True)
class LabelledPair:
    """One pair of the input, on the reference's contig names."""

    pair: ElementPair
    label: int


def assemble(pairs_path: str, reference: Reference, settings: PrepareSettings) -> PairDataset:
    """Read, check, divide and encode a study's pairs.

    Raises
    ------
    DataError
        Any line or file is at fault; the message names it.
    """
    read = read_labelled_pairs(pairs_path, reference.contigs, settings)
    kept = _without_excluded(read, settings.exclude, reference.contigs)
    if not kept:
        raise DataError("no pair is left outside the excluded regions", path=settings.exclude)
    contigs = list(reference.contigs.lengths)
    chromosomes = tuple(sorted({side.chrom for labelled in kept for side in labelled.pair}, key=contigs.index))
    subset = _split(settings.split, kept, chromosomes, pairs_path, reference.contigs)
    used = [labelled for labelled, part in zip(kept, subset, strict=True) if part != DROPPED]
    enhancers, enhancer_index = _unique([labelled.pair.enhancer for labelled in used], chromosomes)
    promoters, promoter_index = _unique([labelled.pair.promoter for labelled in used], chromosomes)
    dataset = PairDataset(
        _elements(enhancers, settings.enhancer_window, chromosomes, reference),
        _elements(promoters, settings.promoter_window, chromosomes, reference),
        enhancer_index,
        promoter_index,
        np.array([labelled.label for labelled in used], np.int8),
        subset[subset != DROPPED],
        chromosomes,
        metadata={},
    )
    dropped = {"excluded": len(read) - len(kept), "split across subsets": len(kept) - len(used)}
    return replace(dataset, metadata=_metadata(pairs_path, reference, settings, dataset, dropped))


def read_labelled_pairs(path: str, contigs: ContigNames, settings: PrepareSettings) -> list[LabelledPair]:
    """Every pair of a BEDPE file with its label.

    Raises
    ------
    DataError
        The first line at fault, named.
    """
    header, lines = None, []
    for line in read_bedpe(path):
        if line.role == "header":
            header = line
        elif line.role == "pair":
            lines.append((line.number, line.fields))
    if not lines:
        raise DataError("no pairs", expected="at least one BEDPE line of 6 or more columns", path=path)
    try:
        column = label_column(settings.label_column, header, lines)
    except DataError as error:
        raise error.at(path) from None
    return [_labelled(path, number, fields, column, contigs, settings.promoter_first) for number, fields in lines]


def _labelled(
    path: str, number: int, fields: list[str], column: int, contigs: ContigNames, promoter_first: bool
) -> LabelledPair:
    try:
        pair = parse_pair(fields, promoter_first)
        located = ElementPair(contigs.locate(pair.enhancer), contigs.locate(pair.promoter))
        return LabelledPair(located, parse_label(fields, column))
    except DataError as error:
        raise error.at(path, number) from None


def _without_excluded(read: list[LabelledPair], exclude: str | None, contigs: ContigNames) -> list[LabelledPair]:
    if exclude is None:
        return read
    regions = read_bed(exclude, contigs)
    hit = np.zeros(len(read), bool)
    for side in (0, 1):
        hit |= overlapping([labelled.pair[side] for labelled in read], regions)
    return [labelled for labelled, out in zip(read, hit, strict=True) if not out]


def _split(
    settings: SplitSettings, kept: list[LabelledPair], chromosomes: tuple[str, ...], path: str, contigs: ContigNames
) -> NDArray[np.int8]:
    def indices(side: int) -> NDArray[np.int64]:
        return np.array([chromosomes.index(labelled.pair[side].chrom) for labelled in kept])

    label = np.array([labelled.label for labelled in kept], np.int8)
    try:
        named = replace(
            settings,
            test_chroms=tuple(map(contigs.resolve, settings.test_chroms)),
            validation_chroms=tuple(map(contigs.resolve, settings.validation_chroms)),
        )
        return split(named, indices(0), indices(1), label, chromosomes)
    except DataError as error:
        raise error.at(path) from None


def _unique(intervals: Sequence[Interval], chromosomes: tuple[str, ...]) -> tuple[list[Interval], NDArray[np.int32]]:
    """Unique intervals in genome order, and where each one given stands among them."""
    rank = {name: index for index, name in enumerate(chromosomes)}
    unique = sorted(set(intervals), key=lambda interval: (rank[interval.chrom], interval.start, interval.end))
    place = {interval: index for index, interval in enumerate(unique)}
    return unique, np.array([place[interval] for interval in intervals], np.int32)


def _elements(
    intervals: Sequence[Interval], window: int, chromosomes: tuple[str, ...], reference: Reference
) -> Elements:
    start = np.array([interval.start for interval in intervals], np.int64)
    end = np.array([interval.end for interval in intervals], np.int64)
    shift = np.stack(shift_range(start, end, window), axis=1).astype(np.int16).reshape(-1, 2)
    margin = int(np.abs(shift).max(initial=0))
    width = window + 2 * margin
    packed = np.empty((len(intervals), -(-width // 2)), np.uint8)
    for row, interval, first in zip(packed, intervals, window_start(start, end, window) - margin, strict=True):
        row[:] = pack(encode(reference.fetch(interval.chrom, int(first), int(first) + width)))
    chrom = np.array([chromosomes.index(interval.chrom) for interval in intervals], np.int64)
    return Elements(packed, width, window, shift, np.stack([chrom, start, end], axis=1).reshape(-1, 3))


def _metadata(
    path: str, reference: Reference, settings: PrepareSettings, dataset: PairDataset, dropped: dict[str, int]
) -> dict[str, Any]:
    return {
        "reference": {"path": str(reference.path.resolve()), "digest": reference.digest},
        "source": {"path": path, "sha256": None if path == "-" else sha256_of(path)},
        "split": asdict(settings.split),
        "exclude": settings.exclude,
        "promoter_first": settings.promoter_first,
        "seed": settings.split.seed,
        "speid_version": __version__,
        "counts": counts(dataset, reference.contigs, dropped),
    }


def counts(dataset: PairDataset, contigs: ContigNames, dropped: dict[str, int]) -> dict[str, Any]:
    """What a reader of the data set wants to know of it, ready to print."""
    table: dict[str, Any] = {
        "pairs": len(dataset),
        "positives": int((dataset.label == 1).sum()),
        "negatives": int((dataset.label == 0).sum()),
        **{f"dropped, {reason}": number for reason, number in dropped.items()},
    }
    for side, elements in (("enhancer", dataset.enhancers), ("promoter", dataset.promoters)):
        table |= _element_counts(side, elements, [contigs.lengths[name] for name in dataset.chromosomes])
    for part, name in enumerate(SUBSETS):
        members = dataset.subset == part
        table[name] = {
            "pairs": int(members.sum()),
            "positives": int((dataset.label[members] == 1).sum()),
            "chromosomes": dataset.chromosomes_of(part),
        }
    return table


def _element_counts(side: str, elements: Elements, contig_lengths: Iterable[int]) -> dict[str, Any]:
    chrom, start, end = elements.interval.T
    first = window_start(start, end, elements.window)
    overhang = (first < 0) | (first + elements.window > np.array(list(contig_lengths), np.int64)[chrom])
    unknown = sum(
        int((_window_codes(elements, row) == N_CODE).sum()) for row in range(0, len(elements), _ROWS_AT_A_TIME)
    )
    return {
        f"unique {side}s": len(elements),
        f"{side}s longer than the window": int((end - start > elements.window).sum()),
        f"{side} windows that overhang": int(overhang.sum()),
        f"N fraction of {side} windows": round(unknown / max(len(elements) * elements.window, 1), 6),
    }


_ROWS_AT_A_TIME = 1024


def _window_codes(elements: Elements, row: int) -> NDArray[np.uint8]:
    block = replace(elements, onehot=elements.onehot[row : row + _ROWS_AT_A_TIME])
    return block.codes()[:, elements.margin : elements.margin + elements.window]

"""From labelled BEDPE pairs and a reference to a `PairDataset`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli import __version__
from speid_cli.dataset.composition import composition, nearby_gc
from speid_cli.dataset.labels import LabelledPair, read_labelled_pairs
from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.pairs import SUBSETS, Elements, PairDataset
from speid_cli.dataset.splits import DROPPED, SplitSettings, split
from speid_cli.errors import DataError, OptionError, located
from speid_cli.files import sha256_of
from speid_cli.genome.bed import read_regions
from speid_cli.genome.bedpe import PairReader
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.intervals import ElementPair, Interval, shift_range, window_start
from speid_cli.genome.onehot import N_CODE, gc_content, pack_sequence
from speid_cli.genome.overlaps import overlaps
from speid_cli.genome.reference import Reference

_ROWS_AT_A_TIME = 1024
CONTRADICTIONS = "with both labels, taken as 1"
# Of the positives: more than measurements repeated by hand would leave.
MOST_CONTRADICTIONS = 0.05


@dataclass(frozen=True)
class PrepareSettings:
    """What ``speid prepare`` is told; windows in bp (Singh et al. 2016, section 3.1)."""

    enhancer_window: int
    promoter_window: int
    label_column: str | None = None
    promoter_first: bool = False
    exclude: str | None = None
    split: SplitSettings = SplitSettings()


def assemble(pairs_path: str, reference: Reference, settings: PrepareSettings) -> PairDataset:
    """Read, check, divide and encode a study's pairs.

    Raises
    ------
    DataError
        Any line or file is at fault; the message names it.
    """
    read = _read_pairs(pairs_path, reference.contigs, settings)
    consistent, remarks = _without_contradictions(read, pairs_path)
    kept, excluded = _without_excluded(consistent, settings.exclude, reference.contigs)
    order = {contig: rank for rank, contig in enumerate(reference.contigs.lengths)}
    chromosomes = tuple(sorted({side.chrom for labelled in kept for side in labelled.pair}, key=order.__getitem__))
    rank = {contig: index for index, contig in enumerate(chromosomes)}
    subset = _split(settings, kept, rank, pairs_path, reference.contigs)
    used = [labelled for labelled, part in zip(kept, subset, strict=True) if part != DROPPED]
    enhancers, enhancer_index = _unique([labelled.pair.enhancer for labelled in used], rank)
    promoters, promoter_index = _unique([labelled.pair.promoter for labelled in used], rank)
    dataset = PairDataset(
        _elements(enhancers, settings.enhancer_window, rank, reference),
        _elements(promoters, settings.promoter_window, rank, reference),
        enhancer_index,
        promoter_index,
        np.array([labelled.label for labelled in used], np.int8),
        subset[subset != DROPPED],
        chromosomes,
        metadata={},
        name=tuple(labelled.name for labelled in used),
    )
    remarks |= excluded | {"dropped, across subsets or near a border": len(kept) - len(used)}
    remarks |= {"repeated": len(used) - len({labelled.pair for labelled in used})}
    return replace(dataset, metadata=_metadata(pairs_path, reference, settings, dataset, remarks))


def _without_contradictions(read: list[LabelledPair], path: str) -> tuple[list[LabelledPair], dict[str, int]]:
    """Of pairs that stand with both labels, the lines with label 1."""
    positive = {labelled.pair for labelled in read if labelled.label == 1}
    both = {labelled.pair for labelled in read if labelled.label == 0 and labelled.pair in positive}
    if len(both) > MOST_CONTRADICTIONS * len(positive):
        raise DataError(
            f"{len(both):,} of {len(positive):,} positive pairs also stand with label 0",
            expected="one label for each pair",
            hint="were the negatives drawn for these positives, with the same contig names?",
            path=path,
        )
    kept = [labelled for labelled in read if labelled.label == 1 or labelled.pair not in both]
    return kept, {CONTRADICTIONS: len(both)}


def _read_pairs(path: str, contigs: ReferenceContigs, settings: PrepareSettings) -> list[LabelledPair]:
    """Every pair with its label, on the reference's contig names."""
    found = []
    for number, (pair, label, name) in read_labelled_pairs(
        PairReader(path, settings.promoter_first), settings.label_column
    ):
        with located(path, number):
            found.append(LabelledPair(ElementPair(*map(contigs.locate, pair)), label, name))
    return found


def _without_excluded(
    read: list[LabelledPair], exclude: str | None, contigs: ReferenceContigs
) -> tuple[list[LabelledPair], dict[str, int]]:
    if exclude is None:
        return read, {}
    regions, elsewhere = read_regions(exclude, contigs)
    hit = np.zeros(len(read), bool)
    for side in (0, 1):
        hit |= overlaps([labelled.pair[side] for labelled in read], regions)
    kept = [labelled for labelled, out in zip(read, hit, strict=True) if not out]
    if not kept:
        raise DataError("no pair is left outside the excluded regions", path=exclude)
    return kept, {"regions to exclude on unknown contigs": elsewhere, "dropped, excluded": len(read) - len(kept)}


def _split(
    settings: PrepareSettings, kept: list[LabelledPair], rank: dict[str, int], path: str, contigs: ReferenceContigs
) -> NDArray[np.int8]:
    def places(side: int) -> NDArray[np.int64]:
        """Chromosome rank, start and end int64 (N, 3) of a side."""
        sides = (labelled.pair[side] for labelled in kept)
        return np.array([(rank[chrom], start, end) for chrom, start, end in sides], np.int64).reshape(-1, 3)

    def resolved(names: tuple[str, ...]) -> tuple[str, ...]:
        """The names as the reference has them."""
        try:
            return tuple(map(contigs.resolve, names))
        except DataError as error:
            raise OptionError(f"cannot hold out: {error}") from None

    named = replace(
        settings.split,
        test_chroms=resolved(settings.split.test_chroms),
        validation_chroms=resolved(settings.split.validation_chroms),
    )
    if both := set(named.test_chroms) & set(named.validation_chroms):
        raise OptionError(f"--test-chroms and --validation-chroms both name {', '.join(sorted(both))}")
    label = np.array([labelled.label for labelled in kept], np.int8)
    window = max(settings.enhancer_window, settings.promoter_window)
    with located(path):
        return split(named, places(0), places(1), label, tuple(rank), window)


def _unique(intervals: Sequence[Interval], rank: dict[str, int]) -> tuple[list[Interval], NDArray[np.int32]]:
    """Unique intervals in genome order, and where each one given stands among them."""
    unique = sorted(set(intervals), key=lambda interval: (rank[interval.chrom], interval.start, interval.end))
    place = {interval: index for index, interval in enumerate(unique)}
    return unique, np.array([place[interval] for interval in intervals], np.int32)


def _elements(intervals: Sequence[Interval], window: int, rank: dict[str, int], reference: Reference) -> Elements:
    start = np.array([interval.start for interval in intervals], np.int64)
    end = np.array([interval.end for interval in intervals], np.int64)
    shift = np.stack(shift_range(start, end, window), axis=1).astype(np.int16).reshape(-1, 2)
    margin = int(np.abs(shift).max(initial=0))
    width = window + 2 * margin
    packed = np.empty((len(intervals), -(-width // 2)), np.uint8)
    for row, interval, first in zip(packed, intervals, window_start(start, end, window) - margin, strict=True):
        row[:] = pack_sequence(reference.fetch(interval.chrom, int(first), int(first) + width))
    chrom = np.array([rank[interval.chrom] for interval in intervals], np.int64)
    return Elements(packed, width, window, shift, np.stack([chrom, start, end], axis=1).reshape(-1, 3))


def _metadata(
    path: str, reference: Reference, settings: PrepareSettings, dataset: PairDataset, remarks: dict[str, int]
) -> dict[str, Any]:
    return {
        "reference": {
            "path": str(reference.path.resolve()),
            "digest": reference.digest,
            "sample": reference.sample,
        },
        "source": {"path": path, "sha256": sha256_of(path) if Path(path).is_file() else None},
        "split": asdict(settings.split),
        "exclude": settings.exclude,
        "promoter_first": settings.promoter_first,
        "seed": settings.split.seed,
        "speid_version": __version__,
        "counts": counts(dataset, reference.contigs, remarks),
        "composition": _composition(dataset, reference, settings.split.seed),
        "leaks": leak_report(dataset),
    }


def counts(dataset: PairDataset, contigs: ReferenceContigs, remarks: dict[str, int]) -> dict[str, Any]:
    """What a reader of the data set wants to know of it, ready to print."""
    table: dict[str, Any] = {
        "pairs": len(dataset),
        "positives": int((dataset.label == 1).sum()),
        "negatives": int((dataset.label == 0).sum()),
        **remarks,
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


def _composition(dataset: PairDataset, reference: Reference, seed: int) -> dict[str, Any]:
    """What the elements of both sides look like, and the sequence near the promoters."""
    sides = {}
    for side, elements in (("enhancer", dataset.enhancers), ("promoter", dataset.promoters)):
        rows = range(0, len(elements), _ROWS_AT_A_TIME)
        gc = np.concatenate([gc_content(_window_codes(elements, row)) for row in rows])
        sides[side] = composition(elements.interval[:, 2] - elements.interval[:, 1], gc)._asdict()
    promoters = [
        Interval(dataset.chromosomes[chrom], start, end) for chrom, start, end in dataset.promoters.interval.tolist()
    ]
    return sides | {"gc near promoters": nearby_gc(reference, promoters, dataset.promoters.window, seed)}


def _window_codes(elements: Elements, row: int) -> NDArray[np.uint8]:
    return elements.codes(slice(row, row + _ROWS_AT_A_TIME))[:, elements.margin : elements.margin + elements.window]

"""From labelled BEDPE pairs and a reference to a `PairDataset`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli import __version__
from speid_cli.dataset.blocks import DROPPED
from speid_cli.dataset.composition import Composition, composition, nearby_gc
from speid_cli.dataset.folds import NO_FOLD, fold_of_pairs
from speid_cli.dataset.labels import LabelledPair, read_labelled_pairs
from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, Elements, PairDataset
from speid_cli.dataset.splits import SplitSettings, split
from speid_cli.errors import DataError, OptionError, located
from speid_cli.files import sha256_of
from speid_cli.genome.bed import read_regions
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.intervals import ElementPair, Interval, shift_range, window_start
from speid_cli.genome.onehot import N_CODE, gc_content, pack_sequence
from speid_cli.genome.overlaps import overlaps
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference

_ROWS_AT_A_TIME = 1024
CONTRADICTIONS = "with both labels, taken as 1"
# The share of the positives above which contradictions are a mistake, not repeated measurements.
MOST_CONTRADICTIONS = 0.05


@dataclass(frozen=True)
class PrepareSettings:
    """Settings of ``speid prepare``; windows in bp (Singh et al. 2016, section 3.1)."""

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
        A line or a file is not valid; the message names it.
    """
    read = _read_pairs(pairs_path, reference.contigs, settings)
    consistent, remarks = _without_contradictions(read, pairs_path)
    kept, excluded = _without_excluded(consistent, settings.exclude, reference.contigs)
    chroms = {side.chrom for labelled in kept for side in labelled.pair}
    chromosomes = tuple(contig for contig in reference.contigs.lengths if contig in chroms)
    rank = {contig: index for index, contig in enumerate(chromosomes)}
    first, second = (
        np.array([(rank[chrom], start, end) for chrom, start, end in side], np.int64)
        for side in zip(*(labelled.pair for labelled in kept), strict=True)
    )  # int64 (N, 3): chromosome rank, start, end
    label = np.array([labelled.label for labelled in kept], np.int8)
    window = max(settings.enhancer_window, settings.promoter_window)
    with located(pairs_path):
        chosen, fold = _on_reference(settings.split, reference.contigs), None
        if chosen.folds:
            fold = fold_of_pairs(chosen.method, chosen.folds, first, second, label, window, chosen.seed)
            subset = np.where(fold == NO_FOLD, DROPPED, TRAIN).astype(np.int8)
        else:
            subset = split(chosen, first, second, label, chromosomes, window)
    used = np.flatnonzero(subset != DROPPED)
    enhancers, enhancer_index = _elements(first[used], settings.enhancer_window, chromosomes, reference)
    promoters, promoter_index = _elements(second[used], settings.promoter_window, chromosomes, reference)
    dataset = PairDataset(
        enhancers,
        promoters,
        enhancer_index,
        promoter_index,
        label[used],
        subset[used],
        chromosomes,
        metadata={},
        name=tuple(kept[row].name for row in used),
        fold=None if fold is None else fold[used],
    )
    if dataset.folds:
        dataset = replace(dataset, subset=dataset.for_fold(1).subset)
    unique = set(zip(enhancer_index.tolist(), promoter_index.tolist(), strict=True))
    remarks |= excluded | {"dropped, across subsets or near a border": len(kept) - len(used)}
    remarks |= {"repeated": len(used) - len(unique)}
    return replace(dataset, metadata=_metadata(pairs_path, reference, settings, dataset, remarks))


def _read_pairs(path: str, contigs: ReferenceContigs, settings: PrepareSettings) -> list[LabelledPair]:
    """Every pair with its label, under the reference's contig names."""
    found = []
    reader = PairReader(path, settings.promoter_first)
    for number, (pair, label, name) in read_labelled_pairs(reader, settings.label_column):
        with located(path, number):
            found.append(LabelledPair(ElementPair(*map(contigs.locate, pair)), label, name))
    return found


def _without_contradictions(read: list[LabelledPair], path: str) -> tuple[list[LabelledPair], dict[str, int]]:
    """All lines but those with label 0 of pairs that also have label 1."""
    positive = {labelled.pair for labelled in read if labelled.label == 1}
    both = {labelled.pair for labelled in read if labelled.label == 0 and labelled.pair in positive}
    if len(both) > MOST_CONTRADICTIONS * len(positive):
        raise DataError(
            f"{len(both):,} of {len(positive):,} positive pairs also have label 0",
            expected="one label for each pair",
            hint="were the negatives drawn for these positives, with the same contig names?",
            path=path,
        )
    kept = [labelled for labelled in read if labelled.label == 1 or labelled.pair not in both]
    return kept, {CONTRADICTIONS: len(both)}


def _without_excluded(
    read: list[LabelledPair], exclude: str | None, contigs: ReferenceContigs
) -> tuple[list[LabelledPair], dict[str, int]]:
    if exclude is None:
        return read, {}
    regions, elsewhere = read_regions(exclude, contigs)
    hit = overlaps([side for labelled in read for side in labelled.pair], regions)
    kept = [labelled for labelled, out in zip(read, hit[::2] | hit[1::2], strict=True) if not out]
    if not kept:
        raise DataError("no pair is left outside the excluded regions", path=exclude)
    return kept, {"regions to exclude on unknown contigs": elsewhere, "dropped, excluded": len(read) - len(kept)}


def _on_reference(chosen: SplitSettings, contigs: ReferenceContigs) -> SplitSettings:
    """The settings with the chromosomes to hold out under the reference's names."""
    try:
        test = tuple(map(contigs.resolve, chosen.test_chroms))
        validation = tuple(map(contigs.resolve, chosen.validation_chroms))
    except DataError as error:
        raise OptionError(f"cannot hold out: {error}") from None
    if both := set(test) & set(validation):
        raise OptionError(f"--test-chroms and --validation-chroms both name {', '.join(sorted(both))}")
    return replace(chosen, test_chroms=test, validation_chroms=validation)


def _elements(
    places: NDArray[np.int64], window: int, chromosomes: tuple[str, ...], reference: Reference
) -> tuple[Elements, NDArray[np.int32]]:
    """The unique elements among places (N, 3), in genome order, and the index (N,) of each place among them."""
    interval, index = np.unique(places, axis=0, return_inverse=True)
    chrom, start, end = interval.T
    shift = np.stack(shift_range(start, end, window), axis=1).astype(np.int16)
    margin = int(np.abs(shift).max(initial=0))
    width = window + 2 * margin
    packed = np.empty((len(interval), -(-width // 2)), np.uint8)
    first = (window_start(start, end, window) - margin).tolist()
    for row, rank, position in zip(packed, chrom, first, strict=True):
        row[:] = pack_sequence(reference.fetch(chromosomes[rank], position, position + width))
    return Elements(packed, width, window, shift, interval), index.reshape(-1).astype(np.int32)


def _metadata(
    path: str, reference: Reference, settings: PrepareSettings, dataset: PairDataset, remarks: dict[str, int]
) -> dict[str, Any]:
    lengths = np.array([reference.contigs.lengths[name] for name in dataset.chromosomes], np.int64)
    sides = {side: _describe(side, elements, lengths) for side, elements, _ in dataset.sides}
    promoters = [Interval(dataset.chromosomes[chrom], *place) for chrom, *place in dataset.promoters.interval.tolist()]
    nearby = nearby_gc(reference, promoters, dataset.promoters.window, settings.split.seed)
    return {
        "reference": {"path": str(reference.path.resolve()), "digest": reference.digest, "sample": reference.sample},
        "source": {"path": path, "sha256": sha256_of(path) if Path(path).is_file() else None},
        "split": asdict(settings.split),
        "exclude": settings.exclude,
        "promoter_first": settings.promoter_first,
        "seed": settings.split.seed,
        "speid_version": __version__,
        "counts": _counts(dataset, remarks, [counts for counts, _ in sides.values()]),
        "composition": {side: found._asdict() for side, (_, found) in sides.items()} | {"gc near promoters": nearby},
        "leaks": leak_report(dataset.divisions),
    }


def _counts(dataset: PairDataset, remarks: dict[str, int], sides: list[dict[str, Any]]) -> dict[str, Any]:
    """What a data set holds, in the order in which it is printed."""
    positives = int((dataset.label == 1).sum())
    table: dict[str, Any] = {
        "pairs": len(dataset),
        "positives": positives,
        "negatives": len(dataset) - positives,
        **remarks,
    }
    for side in sides:
        table |= side
    tested = {f"fold {number}": (fold, TEST) for number, fold in enumerate(dataset.divisions, start=1)}
    subsets = {name: (dataset, part) for part, name in enumerate(SUBSETS)}
    for name, (divided, part) in (tested if dataset.folds else subsets).items():
        members = divided.subset == part
        table[name] = {
            "pairs": int(members.sum()),
            "positives": int((dataset.label[members] == 1).sum()),
            "chromosomes": divided.chromosomes_of(part),
        }
    return table


def _describe(side: str, elements: Elements, contig_lengths: NDArray[np.int64]) -> tuple[dict[str, Any], Composition]:
    """Counts of the elements of one side, to print, and what their windows look like."""
    chrom, start, end = elements.interval.T
    first = window_start(start, end, elements.window)
    overhang = (first < 0) | (first + elements.window > contig_lengths[chrom])
    unknown, gc = 0, []
    for row in range(0, len(elements), _ROWS_AT_A_TIME):
        codes = elements.window_codes(slice(row, row + _ROWS_AT_A_TIME))
        unknown += int((codes == N_CODE).sum())
        gc.append(gc_content(codes))
    counts = {
        f"unique {side}s": len(elements),
        f"{side}s longer than the window": int((end - start > elements.window).sum()),
        f"{side} windows that overhang": int(overhang.sum()),
        f"N fraction of {side} windows": round(unknown / max(len(elements) * elements.window, 1), 6),
    }
    return counts, composition(end - start, np.concatenate(gc))

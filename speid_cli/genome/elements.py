"""Promoters around transcription starts, and enhancers from segmentations and peaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement, read_bed
from speid_cli.genome.bedpe import MISSING
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.genes import Start
from speid_cli.genome.intervals import Interval

_NAMES_SHOWN, _NAMES_JOINED = 30, 20


def promoters_at(starts: Iterable[Start], upstream: int, downstream: int) -> list[BedElement]:
    """An element around each start, sorted; named by its genes, joined by commas.

    Parameters
    ----------
    upstream, downstream : int
        Length in bp before the first transcribed base, and from it on; cut where the chromosome begins.
    """
    found = []
    for (chrom, position, strand), some in groupby(sorted(starts), key=lambda start: start[:3]):
        genes = sorted({start.gene for start in some})
        before, after = (upstream, downstream) if strand == "+" else (downstream - 1, upstream + 1)
        interval = Interval(chrom, max(0, position - before), position + after)
        if interval.start < interval.end:
            found.append(BedElement(interval, ",".join(genes), strand))
    return sorted(found)


def of_gene_types(starts: Sequence[Start], types: Sequence[str], path: object) -> list[Start]:
    """The starts of genes of some types.

    Raises
    ------
    DataError
        There are none: the message lists the types that there are.
    """
    found = [start for start in starts if start.gene_type and start.gene_type in types]
    if not found:
        known = ", ".join(sorted({start.gene_type or MISSING for start in starts})[:_NAMES_SHOWN])
        raise DataError(f"no gene is of type {' or '.join(types)}; there are {known}", path=path)
    return found


def bed_starts(path: str) -> list[Start]:
    """The 5' ends of the intervals of a BED file with strands, such as CAGE peaks.

    Raises
    ------
    DataError
        A line is not valid or has no strand.
    """
    found = []
    for number, (interval, name, strand), _ in read_bed(path):
        if strand == MISSING:
            raise DataError(
                "an interval without a strand", expected="+ or - in column 6", path=path, line=number,
                hint="without --promoters, the intervals are taken as they are",
            )  # fmt: skip
        position = interval.start if strand == "+" else interval.end - 1
        found.append(Start(interval.chrom, position, strand, name))
    if not found:
        raise DataError("no intervals", expected="at least one BED line", path=path)
    return found


def read_named(path: str, names: Sequence[str]) -> Iterator[BedElement]:
    """The intervals of a BED file whose name, in column 4, is one of `names`; all, where there are none.

    Raises
    ------
    DataError
        A line is not valid, or no interval has one of the names: the message lists those that there are.
    """
    seen, matched = dict[str, None](), False
    for _, element, _ in read_bed(path):
        if not names or element.name in names:
            matched = True
            yield element._replace(strand=MISSING)
        elif len(seen) <= _NAMES_SHOWN:
            seen[element.name] = None
    if not matched:
        known = ", ".join(sorted(seen)[:_NAMES_SHOWN]) + (", ..." if len(seen) > _NAMES_SHOWN else "")
        found = f"no interval is named {' or '.join(names)}; there are {known}" if seen else "no intervals"
        raise DataError(found, expected="at least one BED line", path=path)


def on_contigs(elements: Iterable[BedElement], contigs: ReferenceContigs) -> list[BedElement]:
    """The elements on the contigs of a reference, by its names, sorted; ended where their contigs end."""
    found = []
    for element in elements:
        chrom = contigs.find(element.interval.chrom)
        if chrom is not None and element.interval.start < contigs.lengths[chrom]:
            interval = Interval(chrom, element.interval.start, min(element.interval.end, contigs.lengths[chrom]))
            found.append(element._replace(interval=interval))
    return sorted(found)


def merged(elements: Iterable[BedElement]) -> list[BedElement]:
    """Elements that overlap or touch as one, sorted; its name holds theirs, joined by commas; beyond 20, ``...``."""
    found: list[tuple[Interval, dict[str, None]]] = []
    for interval, name, _ in sorted(elements):
        if found and found[-1][0].chrom == interval.chrom and interval.start <= found[-1][0].end:
            last, names = found.pop()
            interval = last._replace(end=max(last.end, interval.end))
        else:
            names = {}
        if name != MISSING:
            names[name if len(names) < _NAMES_JOINED else "..."] = None
        found.append((interval, names))
    return [BedElement(interval, ",".join(names) or MISSING) for interval, names in found]

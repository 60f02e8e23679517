"""Formats that genome browsers draw hits from, as lines.

interact and bigInteract: UCSC Genome Browser. longrange: WashU Epigenome Browser. links: pyGenomeTracks (score in
column 7) and CoolBox (a number in column 8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from speid_cli.errors import DataError
from speid_cli.genome.bed import place_of
from speid_cli.genome.hits import Hit

_COLOUR = "86,60,140"
TABLE = (
    "promoter", "enhancer", "probability", "distance", "promoter_chrom", "promoter_start", "promoter_end",
    "promoter_strand", "enhancer_chrom", "enhancer_start", "enhancer_end",
)  # fmt: skip
INTERACT_SQL = """table interact
"Interaction between two regions"
    (
    string chrom;        "Chromosome (or contig, scaffold, etc.). For interchromosomal, use 2 records"
    uint chromStart;     "Start position of lower region. For interchromosomal, set to chromStart of this region"
    uint chromEnd;       "End position of upper region. For interchromosomal, set to chromEnd of this region"
    string name;         "Name of item, for display"
    uint score;          "Score from 0-1000"
    double value;        "Strength of interaction or other data value"
    string exp;          "Experiment name"
    string color;        "Item color"
    string sourceChrom;  "Chromosome of source region (directional) or lower region"
    uint sourceStart;    "Start position of source/lower/this region"
    uint sourceEnd;      "End position in chromosome of source/lower/this region"
    string sourceName;   "Identifier of source/lower/this region"
    string sourceStrand; "Orientation of source/lower/this region: + or -"
    string targetChrom;  "Chromosome of target region (directional) or upper region"
    uint targetStart;    "Start position in chromosome of target/upper region"
    uint targetEnd;      "End position in chromosome of target/upper region"
    string targetName;   "Identifier of target/upper region"
    string targetStrand; "Orientation of target/upper region: + or -"
    )
"""
_TABIX_END = 2**29
_TABIX_NAME = re.compile(r"[A-Za-z0-9_.]+")


def interact_header(name: str) -> str:
    """The track line of an interact file."""
    shown = " ".join(name.replace('"', "'").split())
    return f'track type=interact name="{shown}" description="{shown}" interactDirectional=true visibility=full'


def interact_rows(hits: Iterable[Hit]) -> Iterator[tuple[str, int, int, str]]:
    """Contig, start, end and the other 15 columns of interact, tab-separated; two rows for a pair between contigs.

    The source is the enhancer.
    """
    for probability, (enhancer, promoter), names, strands, *_ in hits:
        source, target = (
            f"{chrom}\t{start}\t{end}\t{_word(name)}\t{strand}"
            for (chrom, start, end), name, strand in zip((enhancer, promoter), names, strands, strict=True)
        )
        name = f"{_word(names[0])}~{_word(names[1])}"
        rest = f"{name}\t{round(1000 * probability)}\t{probability:.6g}\t.\t{_COLOUR}\t{source}\t{target}"
        if enhancer.chrom == promoter.chrom:
            yield enhancer.chrom, min(enhancer.start, promoter.start), max(enhancer.end, promoter.end), rest
        else:
            yield from ((*side, rest) for side in (enhancer, promoter))


def longrange_rows(hits: Iterable[Hit]) -> Iterator[tuple[str, int, int, str]]:
    """Contig, start, end and the partner with the probability: two rows for each pair.

    Raises
    ------
    DataError
        A contig's name has other characters than letters, digits, ``_`` and ``.``.
    """
    for hit in hits:
        for here, there in (hit.pair, hit.pair[::-1]):
            if not _TABIX_NAME.fullmatch(here.chrom):
                raise DataError(
                    f"contig {here.chrom!r:.60}", expected="letters, digits, _ and . only, in the format longrange",
                    line=hit.line,
                )  # fmt: skip
            if here.end > _TABIX_END:
                raise DataError(f"position {here.end}", expected=f"at most {_TABIX_END:,}, as for tabix", line=hit.line)
            yield *here, f"{place_of(there)},{hit.probability:.6g}"


def links_lines(hits: Iterable[Hit]) -> Iterator[str]:
    """Both intervals, and the probability twice."""
    for hit in hits:
        value = f"{hit.probability:.6g}"
        yield "\t".join(map(str, (*hit.pair.enhancer, *hit.pair.promoter, value, value)))


def table_rows(hits: Iterable[Hit]) -> Iterator[tuple[str, ...]]:
    """Fields of `TABLE`; the distance between chromosomes is ``NA``."""
    for hit in hits:
        distance = "NA" if hit.distance is None else str(hit.distance)
        promoter, enhancer = (tuple(map(str, side)) for side in hit.pair[::-1])
        yield (hit.names[1], hit.names[0], f"{hit.probability:.6g}", distance, *promoter, hit.strands[1], *enhancer)


def _word(name: str) -> str:
    """A name without blanks, which separate the columns of interact."""
    return "_".join(name.split()) or "."

"""Transcription starts from gene annotations: GTF, GFF3, and UCSC's tables refFlat, refGene and knownGene.

GTF and GFF have 9 columns, 1-based and closed intervals, and attributes in column 9. The starts are
those of transcripts; in a file without transcripts, rows of a single base, such as GENCODE's CapSite;
else those of genes. UCSC's tables are 0-based and half-open, and every row is a transcript.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from speid_cli.errors import DataError, counted
from speid_cli.genome.bedpe import MISSING, is_comment
from speid_cli.text import read_lines

_POSITION = re.compile(r"\d{1,15}", re.ASCII)
# Of GTF: name "value"; of GFF3: name=value; of others: name value.
_ATTRIBUTE = re.compile(r'([^\s=;,"]+)(?:=([^;]*)|\s+"([^"]*)"|\s+([^\s;,"]+))')
_NAMES = ("gene_name", "gene", "Name", "gene_id", "ID")
_TYPES = ("gene_type", "gene_biotype", "biotype", "transcript_type", "transcript_biotype")
_TRANSCRIPT = re.compile(r"transcript|primary_transcript|.*rna", re.IGNORECASE)
_GFF_COLUMNS = 9
# Where UCSC's tables have the strand: behind a bin or the gene's name, or not. Other columns stand relative to it.
_UCSC_STRANDS, _EXTENDED_COLUMNS = (3, 2), 13


class Start(NamedTuple):
    """A transcription start: its base, 0-based; its strand, gene and type of gene (``""``: not told)."""

    chrom: str
    position: int
    strand: str
    gene: str
    gene_type: str = ""


class _Row(NamedTuple):
    kind: str
    start: Start


def is_annotation(path: str) -> bool:
    """Whether the first line of a file is one of a gene annotation, and not of BED."""
    for _, text in read_lines(path):
        if not is_comment(text):
            fields = text.split("\t")
            return _is_gff(fields) or _ucsc_strand(fields) is not None
    return False


def read_starts(path: str) -> list[Start]:
    """The transcription starts of an annotation, in order along the genome, each once for each gene.

    Raises
    ------
    DataError
        The file cannot be read, or a line is none of these formats; the message gives its number.
    """
    found: dict[str, set[Start]] = {"transcript": set(), "base": set(), "gene": set()}
    others: dict[str, None] = {}
    for number, text in read_lines(path):
        if is_comment(text):
            continue
        try:
            kind, start = _row(text.split("\t"))
        except DataError as error:
            raise error.at(path, number) from None
        if kind in found:
            found[kind].add(start)
        else:
            others[kind] = None
    for starts in found.values():
        if starts:
            return sorted(starts)
    raise DataError(
        f"no transcripts and no genes{': only ' * bool(others)}{', '.join(list(others)[:5])}",
        expected="a GTF, a GFF3, or a refFlat, refGene or knownGene table", path=path,
    )  # fmt: skip


def _row(fields: Sequence[str]) -> _Row:
    """What a line is, ``transcript``, ``base``, ``gene`` or the word of its column 3, and where it starts."""
    if _is_gff(fields):
        return _gff_row(fields)
    if (strand := _ucsc_strand(fields)) is not None:
        return _ucsc_row(fields, strand)
    found = f"{fields[0]!r:.60}" if len(fields) == 1 else counted(len(fields), "column")
    raise DataError(
        found, expected="a line of a GTF, a GFF3, or a refFlat, refGene or knownGene table, separated by tabs"
    )


def _is_gff(fields: Sequence[str]) -> bool:
    is_gff = len(fields) == _GFF_COLUMNS and all(map(_POSITION.fullmatch, fields[3:5]))
    return is_gff and fields[6] in ("+", "-", ".", "?")


def _gff_row(fields: Sequence[str]) -> _Row:
    chrom, _, kind, first, last, _, strand, _, text = fields
    start, end = int(first) - 1, int(last)
    if not 0 <= start < end:
        raise DataError(f"start {first} and end {last}", expected="1-based positions, start not above end")
    wanted = kind.casefold() == "gene" or _TRANSCRIPT.fullmatch(kind) is not None or end - start == 1
    if not wanted:
        return _Row(kind, Start(chrom, start, strand, MISSING))
    if strand not in ("+", "-"):
        raise DataError(f"strand {strand!r} of a {kind}", expected="+ or -")
    attributes = {name: "".join(value).strip() for name, *value in _ATTRIBUTE.findall(text)}
    gene = next((attributes[name] for name in _NAMES if attributes.get(name)), MISSING)
    gene_type = next((attributes[name] for name in _TYPES if attributes.get(name)), "")
    found = Start(chrom, start if strand == "+" else end - 1, strand, gene, gene_type)
    if _TRANSCRIPT.fullmatch(kind):
        return _Row("transcript", found)
    return _Row("gene" if kind.casefold() == "gene" else "base", found)


def _ucsc_strand(fields: Sequence[str]) -> int | None:
    """Column of the strand in a line of a UCSC table, from 0; None where it is none."""
    for column in _UCSC_STRANDS:
        numbers = fields[column + 1 : column + 3]
        if len(fields) > column + 6 and fields[column] in ("+", "-") and all(map(_POSITION.fullmatch, numbers)):
            return column
    return None


def _ucsc_row(fields: Sequence[str], strand: int) -> _Row:
    start, end = int(fields[strand + 1]), int(fields[strand + 2])
    if not start < end:
        raise DataError(f"txStart {start} is not below txEnd {end}", expected="0-based, half-open positions")
    # genePredExt, such as refGene, has the gene's name as column name2; the others begin with a name.
    gene = fields[strand + 9] if len(fields) >= strand + _EXTENDED_COLUMNS else fields[0]
    position = start if fields[strand] == "+" else end - 1
    return _Row("transcript", Start(fields[strand - 1], position, fields[strand], gene))

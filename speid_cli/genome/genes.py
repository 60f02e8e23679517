"""Transcription starts from gene annotations: GTF, GFF3, and UCSC's tables refFlat, refGene and knownGene.

GTF and GFF have 9 columns, 1-based and closed intervals, and attributes in column 9. The starts are
those of transcripts, and of genes without any; in a file without transcripts, those rows that are starts
themselves, such as GENCODE's CapSite, else the genes'. UCSC's tables are 0-based and half-open, and every
row is a transcript.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from speid_cli.errors import DataError, counted, located
from speid_cli.genome.bedpe import MISSING, is_comment
from speid_cli.text import read_lines

_POSITION = re.compile(r"\d{1,15}", re.ASCII)
# Of GFF3: name=value; of GTF: name "value"; of others: name value.
_ATTRIBUTE = re.compile(r'([^\s=;,"]+)(?:=([^;]*)|\s+"([^"]*)"|\s+([^\s;,"]+))')
_NAMES = ("gene_name", "gene", "Name", "gene_id", "ID")
_TYPES = ("gene_type", "gene_biotype", "biotype", "transcript_type", "transcript_biotype")
# Words of column 3, as the Sequence Ontology has them.
_GENE = re.compile(r"gene|pseudogene|.*_gene", re.IGNORECASE)
_TRANSCRIPT = re.compile(r"transcript|.*_transcript|.*rna|.*_gene_segment", re.IGNORECASE)
_START = re.compile(r"capsite|.*tss.*|transcription_start_site", re.IGNORECASE)
_GFF_COLUMNS, _SEQUENCES = 9, "##FASTA"
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
    """A row that may be a start: what it is, its own name in the file and that of the row it is a part of."""

    kind: str
    start: Start
    identifier: str = ""
    parent: str = ""


def is_annotation(path: str) -> bool:
    """Whether the first line of a file is one of a gene annotation, and not of BED."""
    for _, text in read_lines(path):
        if not is_comment(text):
            fields = text.split("\t")
            return _is_gff(fields) or _ucsc_strand(fields) is not None
    return False


def read_starts(path: str) -> tuple[list[Start], int]:
    """The transcription starts of an annotation, in order along the genome, each once for each gene.

    Returns
    -------
    list of Start
    int
        Transcripts, genes and starts that were left out, since they have no strand.

    Raises
    ------
    DataError
        The file cannot be read, or a line is none of these formats; the message gives its number.
    """
    rows: dict[str, list[_Row]] = {"gene": [], "transcript": [], "start": []}
    others, without = dict[str, None](), 0
    for number, fields in _fields(path):
        with located(path, number):
            row = _row(fields)
        if row.kind not in rows:
            others[row.kind] = None
        elif row.start.strand not in ("+", "-"):
            without += 1
        else:
            rows[row.kind].append(row)
    starts = set(_of_transcripts(rows["gene"], rows["transcript"])) if rows["transcript"] else set()
    starts = starts or {row.start for row in rows["start"] or rows["gene"]}
    if not starts:
        found = f"no transcripts and no genes{' with a strand' * bool(without)}"
        raise DataError(
            found + (f": only {', '.join(list(others)[:5])}" if others else ""),
            expected="a GTF, a GFF3, or a refFlat, refGene or knownGene table", path=path,
        )  # fmt: skip
    return sorted(starts), without


def _of_transcripts(genes: list[_Row], transcripts: list[_Row]) -> Iterator[Start]:
    """Starts of transcripts that are no parts of others, with the names of their genes, and of genes without any."""
    of_gene = {row.identifier: row.start for row in genes if row.identifier}
    inside = {row.identifier for row in transcripts if row.identifier}
    for row in transcripts:
        if row.parent not in inside:
            gene = of_gene.get(row.parent)
            yield row.start if gene is None else row.start._replace(gene=gene.gene, gene_type=_type(row.start, gene))
    used = {row.parent for row in transcripts}
    yield from (row.start for row in genes if row.identifier not in used)


def _type(transcript: Start, gene: Start) -> str:
    return gene.gene_type or transcript.gene_type


def _fields(path: str) -> Iterator[tuple[int, list[str]]]:
    """Numbers and columns of the lines that are no comments, up to the sequences at the end of a GFF3."""
    for number, text in read_lines(path):
        if text.startswith(_SEQUENCES):
            return
        if not is_comment(text):
            yield number, text.split("\t")


def _row(fields: Sequence[str]) -> _Row:
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
    chrom, _, word, first, last, _, strand, _, text = fields
    start, end = int(first) - 1, int(last)
    if not 0 <= start < end:
        raise DataError(f"start {first} and end {last}", expected="1-based positions, start not above end")
    kinds = (("gene", _GENE), ("transcript", _TRANSCRIPT), ("start", _START))
    kind = next((kind for kind, words in kinds if words.fullmatch(word)), word)
    attributes = {name: _value(*value) for name, *value in _ATTRIBUTE.findall(text)}
    gene = next((attributes[name] for name in _NAMES if attributes.get(name)), MISSING)
    gene_type = next((attributes[name] for name in _TYPES if attributes.get(name)), "")
    found = Start(chrom, start if strand == "+" else end - 1, strand, gene, gene_type)
    if "ID" in attributes or "Parent" in attributes:  # GFF3
        return _Row(kind, found, attributes.get("ID", ""), attributes.get("Parent", "").partition(",")[0])
    gene_id = attributes.get("gene_id", "")
    return _Row(kind, found, gene_id, "") if kind == "gene" else _Row(kind, found, "", gene_id)


def _value(of_gff3: str, quoted: str, plain: str) -> str:
    return unquote(of_gff3.strip().strip('"')) or quoted.strip() or plain


def _ucsc_strand(fields: Sequence[str]) -> int | None:
    """Column of the strand in a line of a UCSC table, from 0; None where it is none."""
    for column in _UCSC_STRANDS:
        numbers = fields[column + 1 : column + 5]
        if len(fields) > column + 6 and fields[column] in ("+", "-") and all(map(_POSITION.fullmatch, numbers)):
            return column
    return None


def _ucsc_row(fields: Sequence[str], strand: int) -> _Row:
    start, end = int(fields[strand + 1]), int(fields[strand + 2])
    if not start < end:
        raise DataError(f"txStart {start} is not below txEnd {end}", expected="0-based, half-open positions")
    # genePredExt, such as refGene, has the gene in column name2; the others begin with a name, maybe after a bin.
    first = fields[0] if not fields[0].isdecimal() else fields[1]
    gene = fields[strand + 9] if len(fields) >= strand + _EXTENDED_COLUMNS else first
    position = start if fields[strand] == "+" else end - 1
    return _Row("transcript", Start(fields[strand - 1], position, fields[strand], gene))

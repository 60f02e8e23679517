"""Transcription starts of annotations in every format, and promoters around them, against plain loops."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.elements import bed_starts, merged, on_contigs, promoters_at, read_named
from speid_cli.genome.genes import Start, is_annotation, read_starts
from speid_cli.genome.intervals import Interval
from tests import builders

GTF = (
    "#!genome-build GRCh38\n"
    'chr1\tx\tgene\t11\t90\t.\t+\t.\tgene_id "G1"; gene_name "A one"; gene_type "protein_coding"; level 2;\n'
    'chr1\tx\ttranscript\t11\t90\t.\t+\t.\tgene_id "G1"; transcript_id "T1"; gene_name "A one"; gene_type "lncRNA"\n'
    'chr1\tx\texon\t11\t20\t.\t+\t.\tgene_id "G1"; gene_name "A one";\n'
    'chr1\tx\ttranscript\t31\t90\t.\t-\t.\tgene_id "G2"; transcript_id "T2"\n'
)
GFF3 = (
    "##gff-version 3\nchr1\tx\tgene\t11\t90\t.\t+\t.\tID=gene:G1;Name=A one;biotype=protein_coding\n"
    "chr1\tx\tlnc_RNA\t11\t90\t.\t+\t.\tID=T1;Parent=gene:G1;gene=A one;gene_biotype=lncRNA;product=some, thing\n"
    "chr1\tx\tmRNA\t31\t90\t.\t-\t.\tID=T2;gene_id=G2\nchr1\tx\tCDS\t31\t90\t.\t?\t0\tID=C\n"
)
CAPS = (
    "chr1\tGencode\tCapSite\t11\t11\t.\t+\t.\tgene_id A one trlist T1, trbiotlist x, gene_biotype lncRNA\n"
    "chr1\tGencode\tCapSite\t90\t90\t.\t-\t.\tgene_id G2 trlist T2,\n"
)
TAIL = "10\t90\t10\t90\t2\t10,40,\t20,90,"
REFFLAT = f"#geneName\tname\nA\tT1\tchr1\t+\t{TAIL}\nG2\tT2\tchr1\t-\t30\t90\t30\t90\t1\t30,\t90,\n"
REFGENE = (
    f"585\tT1\tchr1\t+\t{TAIL}\t0\tA\tcmpl\tcmpl\t0,0,\n"
    "585\tT2\tchr1\t-\t30\t90\t30\t90\t1\t30,\t90,\t0\tG2\tcmpl\tcmpl\t0,\n"
)
KNOWN = f"A\tchr1\t+\t{TAIL}\tP1\tU1\nG2\tchr1\t-\t30\t90\t30\t90\t1\t30,\t90,\tP2\tU2\n"
PREDICTED = "\n".join(line.partition("\t")[2] for line in REFGENE.splitlines()) + "\n"


@pytest.mark.parametrize(
    ("text", "gene", "gene_type"),
    [
        (GTF, "A one", "protein_coding"), (GFF3, "A one", "protein_coding"), (CAPS, "A", "lncRNA"), (REFFLAT, "A", ""),
        (REFGENE, "A", ""), (KNOWN, "A", ""), (PREDICTED, "A", ""),
    ],
)  # fmt: skip
def test_starts_of_every_format(folder: Path, text: str, gene: str, gene_type: str) -> None:
    Path("genes.txt").write_text(text.replace("A one trlist", "A trlist"))
    assert is_annotation("genes.txt")
    assert read_starts("genes.txt") == ([Start("chr1", 10, "+", gene, gene_type), Start("chr1", 89, "-", "G2")], 0)


def test_of_an_annotation_without_transcripts_genes_count(folder: Path) -> None:
    Path("genes.gtf").write_text("".join(GTF.splitlines(keepends=True)[:2]))
    assert read_starts("genes.gtf") == ([Start("chr1", 10, "+", "A one", "protein_coding")], 0)


ENSEMBL = (
    "1\te\tgene\t11\t90\t.\t+\t.\tID=gene:E1;Name=OR4F5;biotype=protein_coding;gene_id=E1\n"
    "1\te\tmRNA\t11\t90\t.\t+\t.\tID=transcript:T1;Parent=gene:E1;Name=OR4F5-201;biotype=protein_coding\n"
    "1\te\tlnc_RNA\t21\t90\t.\t+\t.\tID=transcript:T2;Parent=gene:E1;Name=OR4F5-202;biotype=lncRNA\n"
    "1\te\texon\t11\t11\t.\t+\t.\tParent=transcript:T1\n"
)
REFSEQ = (
    "1\tr\tgene\t11\t90\t.\t-\t.\tID=gene-A;Name=A;gene=A;gene_biotype=miRNA\n"
    "1\tr\tprimary_transcript\t11\t90\t.\t-\t.\tID=rna-1;Parent=gene-A;gene=A\n"
    "1\tr\tmiRNA\t11\t30\t.\t-\t.\tID=rna-2;Parent=rna-1;gene=A\n"
    "MT\tr\tgene\t5\t50\t.\t+\t.\tID=gene-ND1;Name=ND1;gene_biotype=protein_coding\n"
    "MT\tr\tCDS\t5\t50\t.\t+\t0\tID=cds;Parent=gene-ND1\n"
)
FLYBASE = (
    "2L\tF\ttransposable_element_insertion_site\t9\t9\t.\t.\t.\tID=x;Name=y\n"
    "2L\tF\tgene\t11\t90\t.\t+\t.\tID=g;Name=l(2)gl%2C x\n2L\tF\tmRNA\t11\t90\t.\t+\t.\tID=t;Parent=g;Name=g-RB\n"
    "2L\tF\tmRNA\t31\t90\t.\t?\t.\tID=u;Parent=g\n##FASTA\n>2L\nACGT\n"
)
UCSC = "chr1\t-\t10\t91\t10\t91\t1"
EXONS = 'c\te\texon\t11\t20\t.\t+\t.\tgene_id "A"\nc\te\tCDS\t15\t15\t.\t+\t.\tgene_id "A"\n'


@pytest.mark.parametrize(
    ("text", "starts", "without"),
    [
        (ENSEMBL, [Start("1", 10, "+", "OR4F5", "protein_coding"), Start("1", 20, "+", "OR4F5", "protein_coding")], 0),
        (REFSEQ, [Start("1", 89, "-", "A", "miRNA"), Start("MT", 4, "+", "ND1", "protein_coding")], 0),
        (FLYBASE, [Start("2L", 10, "+", "l(2)gl, x")], 1),
        (f"585\tNM_1\t{UCSC}\t0,\t9,\n", [Start("chr1", 90, "-", "NM_1")], 0),
        (f"SHH\tNM_1\t{UCSC}\t0,\t9,\n", [Start("chr1", 90, "-", "SHH")], 0),
    ],
    ids=["Ensembl", "RefSeq", "FlyBase", "genePred with a bin", "refFlat"],
)
def test_starts_are_named_by_their_genes(folder: Path, text: str, starts: list[Start], without: int) -> None:
    Path("genes.gff3").write_text(text)
    assert read_starts("genes.gff3") == (starts, without)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t5\t9\n", "in:1: 3 columns; expected a line of a GTF, a GFF3, or a refFlat, refGene or knownGene table"),
        ("chr1 x gene 5 9\n", "in:1: 'chr1 x gene 5 9'; expected a line of a GTF"),
        (GTF + "chr1\tx\ttranscript\t9\t5\t.\t+\t.\tx y\n", "in:6: start 9 and end 5; expected 1-based positions"),
        (GTF + "chr1\tx\ttranscript\t0\t5\t.\t+\t.\tx y\n", "in:6: start 0 and end 5"),
        ("chr1\tx\ttranscript\t4\t5\t.\t.\t.\tx y\n", "in: no transcripts and no genes with a strand; expected a GTF"),
        (EXONS, "in: no transcripts and no genes: only exon, CDS; expected a GTF"),
        ("chr1\tx\texon\t4\t5\t.\t.\t.\tx y\n", "in: no transcripts and no genes: only exon; expected a GTF"),
        ("# nothing\n", "in: no transcripts and no genes; expected a GTF"),
        (REFFLAT.replace("30\t90\t30", "90\t30\t30"), "in:3: txStart 90 is not below txEnd 30; expected 0-based"),
    ],
)  # fmt: skip
def test_what_is_no_annotation_is_refused(folder: Path, text: str, message: str) -> None:
    Path("in").write_text(text)
    with pytest.raises(DataError, match=f"^{message}"):
        read_starts("in")


def test_promoters_lie_around_the_start_on_their_strand() -> None:
    starts = [Start("c", 100, "+", "B"), Start("c", 100, "+", "A"), Start("c", 100, "-", "C"), Start("c", 3, "+", "D")]
    assert promoters_at(starts, 30, 10) == [
        BedElement(Interval("c", 0, 13), "D", "+"),
        BedElement(Interval("c", 70, 110), "A,B", "+"),
        BedElement(Interval("c", 91, 131), "C", "-"),
    ]
    assert promoters_at(starts[2:3], 0, 1) == [BedElement(Interval("c", 100, 101), "C", "-")]
    assert promoters_at(starts[2:3], 1, 0) == [BedElement(Interval("c", 101, 102), "C", "-")]
    assert promoters_at([Start("c", 0, "+", "A")], 9, 0) == []


def test_promoters_of_gencode_are_a_plain_loop_s() -> None:
    """Of GENCODE's transcription starts, base by base."""
    path = builders.shared_data() / "hic" / "gencode.v19.TSS.notlow.gff.gz"
    expected: dict[tuple[str, int, int, str], set[str]] = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        chrom, _, _, first, _, _, strand, _, attributes = line.split("\t")
        if "gene_biotype protein_coding" in attributes:
            step, base = (1, int(first) - 1) if strand == "+" else (-1, int(first) - 1)
            bases = [base + step * offset for offset in range(-1500, 500)]
            place = chrom, max(0, min(bases)), max(bases) + 1, strand
            expected.setdefault(place, set()).add(attributes.split()[1])
    starts = [start for start in read_starts(str(path))[0] if start.gene_type == "protein_coding"]
    found = promoters_at(starts, 1500, 500)
    assert {(*interval, strand): set(name.split(",")) for interval, name, strand in found} == expected
    assert {strand for *_, strand in found} == {"+", "-"}


def test_intervals_are_chosen_by_name(folder: Path) -> None:
    Path("states.bed").write_text("c\t0\t9\t1_TssA\nc\t9\t20\t13_EnhA1\nc\t30\t40\n")
    assert [element.name for element in read_named("states.bed", [])] == ["1_TssA", "13_EnhA1", "."]
    assert list(read_named("states.bed", ["13_EnhA1"])) == [BedElement(Interval("c", 9, 20), "13_EnhA1")]
    with pytest.raises(DataError, match="^states.bed: no interval is named EnhA1; there are ., 13_EnhA1, 1_TssA"):
        list(read_named("states.bed", ["EnhA1"]))
    Path("states.bed").write_text("# none\n")
    with pytest.raises(DataError, match="^states.bed: no intervals; expected at least one BED line"):
        list(read_named("states.bed", ["EnhA1"]))


def test_touching_intervals_are_merged() -> None:
    places = [("b", 5, 9, "x"), ("a", 0, 5, "x"), ("a", 5, 6, "y"), ("a", 2, 4, "x"), ("a", 7, 8, "z")]
    elements = [BedElement(Interval(*place), name) for *place, name in places]  # type: ignore[arg-type]
    many = [BedElement(Interval("a", place, place + 1), f"n{place}") for place in range(99)]
    assert merged(many)[0].name.endswith(",n18,n19,...")
    assert merged([BedElement(Interval("a", 0, 1), ".")])[0].name == "."
    assert merged(elements) == [
        BedElement(Interval("a", 0, 6), "x,y"), BedElement(Interval("a", 7, 8), "z"),
        BedElement(Interval("b", 5, 9), "x"),
    ]  # fmt: skip


def test_elements_end_with_their_contigs() -> None:
    elements = [BedElement(Interval(*place), ".") for place in (("1", 5, 90), ("1", 80, 99), ("9", 0, 5))]
    assert on_contigs(elements, ReferenceContigs({"chr1": 50})) == [BedElement(Interval("chr1", 5, 50), ".")]


def test_ends_of_stranded_intervals_are_starts(folder: Path) -> None:
    Path("cage.bed").write_text("c\t5\t9\tp1\t0\t+\nc\t5\t9\tp2\t0\t-\n")
    assert bed_starts("cage.bed") == [Start("c", 5, "+", "p1"), Start("c", 8, "-", "p2")]
    Path("cage.bed").write_text("c\t5\t9\tp1\n")
    with pytest.raises(DataError, match=r"^cage.bed:1: an interval without a strand; expected \+ or - in column 6"):
        bed_starts("cage.bed")

"""A file that stands in another's place is named for what it is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from speid_cli.dataset.pairs import PairDataset
from tests import builders

Fails = Callable[..., str]
FASTA = b">chr1 of hg19\nACGTNACGT\nACGT\n"
JASPAR = b">MA1 one\nA [ 9 0 0 ]\nC [ 0 9 0 ]\nG [ 0 0 9 ]\nT [ 1 1 1 ]\n"
GFF = b"##gff-version 3\nchr1\thavana\tgene\t11869\t14409\t.\t+\t.\tID=g\n" * 2
GTF = b"#!genome-build GRCh38\nchr1\thavana\tgene\t11869\t14409\t.\t+\t.\tgene_id g\n"
VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t10\trs1\tA\tC\t5\tPASS\t.\n"
CSV = b"chrom1,start1,end1,chrom2,start2,end2\nchr1,1,2,chr1,3,4\n"
BED = b"track name=x\nchr1\t10\t20\tname\t0\t+\n"
BEDPE = b"chr1\t10\t20\tchr1\t30\t40\n"
SAM = b"@SQ\tSN:chr1\tLN:100\nread\t0\tchr1\t5\t60\t4M\t*\t0\t0\tACGT\tIIII\n"
BAM = gzip.compress(b"BAM\1\0\0\0\0\xff\xfe", mtime=0)


@pytest.fixture
def files(dataset: PairDataset) -> None:
    """``pairs.bedpe``, ``pairs.npz``, ``genome.fa``, ``kernels.npz`` and ``model.pt``."""
    Path("m.jaspar").write_bytes(JASPAR)
    assert builders.run("motifs", "m.jaspar", "--kernel-length", 11) == 0
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (FASTA, "a FASTA"), (gzip.compress(FASTA, mtime=0), "a FASTA"), (JASPAR, "a file of motifs"), (GFF, "a GFF"),
        (GTF, "a GFF"), (VCF, "a VCF"), (CSV, "comma-separated (CSV)"), (BED, "BED"), (SAM, "a SAM"),
    ],
)  # fmt: skip
def test_text_in_the_place_of_bedpe(files: None, fails: Fails, content: bytes, kind: str) -> None:
    Path("x").write_bytes(content)
    for command in (["predict", "model.pt", "x", "-f", "genome.fa"], ["prepare", "x", "genome.fa"]):
        assert fails(*command).endswith(f"speid: x: is {kind}; expected BEDPE\n")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(FASTA, "a FASTA"), (GFF, "a GFF"), (VCF, "a VCF"), (CSV, "comma-separated (CSV)"), (SAM, "a SAM")],
)
def test_text_in_the_place_of_bed(folder: Path, fails: Fails, content: bytes, kind: str) -> None:
    Path("x").write_bytes(content)
    Path("p.bed").write_bytes(BED)
    assert fails("candidates", "x", "p.bed") == f"speid: x: is {kind}; expected BED\n"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (BAM, "a BAM"), (b"CRAM\3\0", "a CRAM"), (b"HIC\0\xff", "a .hic map"), (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x26\xfc\x8f\x88\0", "a bigWig"), (b"\xeb\xf2\x89\x87\0", "a bigBed"), (b"\x43\x27\x41\x1a\0", "a 2bit file"),
        (b"PK\3\4" + b"\0" * 99 + b"xl/workbook.xml", "an Excel workbook"),
    ],
)  # fmt: skip
def test_a_binary_file_in_the_place_of_text(files: None, fails: Fails, content: bytes, kind: str) -> None:
    Path("x").write_bytes(content)
    assert f"x: is {kind}; expected a text file\n" in fails("prepare", "x", "genome.fa")
    assert f"x: is {kind}; expected a FASTA\n" in fails("prepare", "pairs.bedpe", "x", "-o", "y.npz")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["predict", "pairs.npz", "pairs.bedpe"], "pairs.npz: is a data set; expected a model"),
        (["predict", "kernels.npz", "pairs.bedpe"], "kernels.npz: is a file of motif kernels; expected a model"),
        (["predict", "pairs.bedpe", "pairs.bedpe"], "pairs.bedpe: is BEDPE; expected a model"),
        (["pretrain", "model.pt"], "model.pt: is a model; expected a data set"),
        (["pretrain", "kernels.npz"], "kernels.npz: is a file of motif kernels; expected a data set"),
        (
            ["pretrain", "pairs.npz", "--motifs", "m.jaspar"],
            "m.jaspar: is a file of motifs; expected a file of motif k",
        ),
        (["pretrain", "pairs.npz", "--motifs", "pairs.npz"], "pairs.npz: is a data set; expected a file of motif ker"),
        (["finetune", "pairs.npz", "pairs.npz"], "pairs.npz: is a data set; expected a model"),
        (["prepare", "genome.fa", "pairs.bedpe"], "pairs.bedpe: is BEDPE; expected a FASTA"),
        (["prepare", "pairs.npz", "genome.fa"], "pairs.npz: is a data set; expected a text file"),
        (["motifs", "genome.fa"], "genome.fa: is a FASTA; expected a file of motifs"),
        (["motifs", "kernels.npz"], "kernels.npz: is a file of motif kernels; expected a file of motifs"),
        (["info", "pairs.bedpe"], "pairs.bedpe: is BEDPE; expected a data set or a file of motif kernels or a model"),
    ],
)
def test_one_input_in_the_place_of_another(files: None, fails: Fails, command: list[str], message: str) -> None:
    assert message in fails(*command, *([] if command[0] == "info" else ["-o", "out"]))


def test_a_file_of_the_right_kind_keeps_its_own_error(files: None, fails: Fails) -> None:
    Path("x").write_bytes(b"chr1\t10\t20\n" + BEDPE)
    assert "x:1: 3 columns; expected 6 or more tab-separated columns" in fails("prepare", "x", "genome.fa")
    Path("x").write_bytes(b"chr1\t10\t20\tchr1\tx\t40\n")
    assert "x:1: start2 'x' is not a whole number; expected a position in bp" in fails("prepare", "x", "genome.fa")
    Path("x").write_bytes(b"chr1\tx\t20\n" + BED)
    assert "x:1: 'chr1\\tx\\t20'; expected BED: chromosome, start and end" in fails("candidates", "x", "x")
    Path("x").write_bytes(BEDPE + b"\xff\n")
    assert "x:2: byte 0xff is not UTF-8" in fails("prepare", "x", "genome.fa")
    Path("x").write_bytes(Path("pairs.npz").read_bytes()[:-100])
    assert "x: not an .npz archive" in fails("pretrain", "x")
    Path("x").write_bytes(b"\x1f\x8bgarbage")
    assert "x:1: damaged gzip stream" in fails("prepare", "x", "genome.fa")

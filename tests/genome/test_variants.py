"""VCF: each alternative allele, what is skipped, and what is refused by name and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.variants import Skipped, Variant, read_variants
from tests import builders

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def read(path: Path, text: str) -> tuple[list[Variant], Skipped]:
    skipped = Skipped()
    path.write_text(text)
    return list(read_variants(str(path), skipped)), skipped


def test_each_allele_is_a_variant(tmp_path: Path) -> None:
    found, skipped = read(tmp_path / "a.vcf", HEAD + "chr1\t5\trs1\ta\tC,gt\t.\t.\t.\n\nchr2\t1\t.\tACG\tA\t.\t.\t.\n")
    assert found == [
        Variant("chr1", 4, "rs1", "A", "C", 3),
        Variant("chr1", 4, "rs1", "A", "GT", 3),
        Variant("chr2", 0, ".", "ACG", "A", 5),
    ]
    assert not list(skipped.describe())


def test_gzip_and_windows_line_ends(tmp_path: Path) -> None:
    text = (HEAD + "chr1\t5\t.\tA\tC\t.\t.\t.\n").replace("\n", "\r\n")
    assert list(read_variants(str(builders.write_gzip(tmp_path / "a.vcf.gz", text)), Skipped()))[0].start == 4


@pytest.mark.parametrize(
    ("reference", "alternative", "change"),
    [
        ("A", "C", (9, 10, "C")),
        ("ACG", "ATG", (10, 11, "T")),
        ("A", "ATT", (10, 10, "TT")),
        ("ATT", "A", (10, 12, "")),
        ("CAA", "CA", (10, 11, "")),
        ("AC", "GT", (9, 11, "GT")),
        ("AAA", "AAAA", (9, 9, "A")),
    ],
)
def test_bases_that_both_alleles_share_are_left_out(
    reference: str, alternative: str, change: tuple[int, int, str]
) -> None:
    assert Variant("chr1", 9, ".", reference, alternative, 1).change == change


def test_what_has_no_sequence_is_counted_and_named(tmp_path: Path) -> None:
    lines = ["<DEL>", "*", "G]chr2:7]", "[chr2:7[G", ".G", "G.", ".", "R", "A", "<DUP>", "C,*"]
    text = "".join(f"chr1\t{9 + number}\t.\tA\t{alternative}\t.\t.\t.\n" for number, alternative in enumerate(lines))
    found, skipped = read(tmp_path / "a.vcf", HEAD + text + "chr1\t0\t.\tN\t<DEL>,C\n")
    assert [variant.alternative for variant in found] == ["C"]
    assert list(skipped.describe()) == [
        "3 alleles skipped: symbolic allele; the first in line 3",
        "2 alleles skipped: overlapping deletion (*); the first in line 4",
        "4 alleles skipped: breakend; the first in line 5",
        "1 allele skipped: no alternative allele; the first in line 9",
        "1 allele skipped: letters other than A, C, G, T and N; the first in line 10",
        "1 allele skipped: the same as REF; the first in line 11",
        "1 allele skipped: position 0, a telomere; the first in line 14",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "chr1\t5\t.\tA\n", "a.vcf:3: 4 columns; expected at least 5, separated by tabs"),
        (HEAD + "chr1 5 . A C\n", "a.vcf:3: 1 column; expected at least 5"),
        (HEAD + "chr1\t-1\t.\tA\tC\n", "a.vcf:3: position '-1'; expected a whole number"),
        (HEAD + "chr1\tx\t.\tA\tC\n", "a.vcf:3: position 'x'; expected a whole number"),
        (HEAD + "chr1\t99999999999999999\t.\tA\tC\n", "a.vcf:3: position '99999999999999999'"),
        (HEAD + "\t5\t.\tA\tC\n", "a.vcf:3: an empty contig name or REF"),
        (HEAD + "chr1\t5\t.\t\tC\n", "a.vcf:3: an empty contig name or REF"),
        ("##fileformat=VCFv4.2\nchr1\t5\t.\tA\tC\n", "a.vcf:2: 'chr1.*' before the line of column names"),
        ("##fileformat=VCFv4.2\n#CHROM POS ID REF ALT\n", "a.vcf:2: columns '#CHROM POS ID REF ALT'; expected #CHROM"),
        ("##fileformat=VCFv4.2\n", "a.vcf: no line of column names; expected a VCF"),
        ("", "a.vcf: no line of column names; expected a VCF"),
        ("chr1\t5\t9\tname\n", "a.vcf: is BED; expected a VCF"),
        ("chr1\t5\t9\tchr1\t20\t30\n", "a.vcf: is BEDPE; expected a VCF"),
    ],
)
def test_lines_that_are_not_variants_are_refused_by_number(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.vcf", text)


def test_a_bcf_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.bcf").write_bytes(b"BCF\2\2" + bytes(100))
    with pytest.raises(DataError, match="a.bcf: is a BCF; expected a VCF"):
        list(read_variants(str(tmp_path / "a.bcf"), Skipped()))

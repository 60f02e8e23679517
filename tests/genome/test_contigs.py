"""Contig names that files spell differently."""

from __future__ import annotations

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import Interval

NAMES = {"chr1": 100, "chrM": 10, "2": 50, "KI1": 5}


@pytest.mark.parametrize(
    ("given", "found"), [("chr1", "chr1"), ("1", "chr1"), ("chr2", "2"), ("MT", "chrM"), ("M", "chrM"), ("KI1", "KI1")]
)
def test_other_spellings_of_a_contig(given: str, found: str) -> None:
    contigs = ReferenceContigs(NAMES, "hg.fa")
    assert contigs.locate(Interval(given, 0, 5)) == (found, 0, 5)
    warning = contigs.alias_warning()
    assert warning == (
        None if given == found else f"contig names differ from those of hg.fa: took {given!r} for {found!r}"
    )


def test_several_other_spellings_are_one_warning() -> None:
    contigs = ReferenceContigs(NAMES, "hg.fa")
    for name in ("1", "chr2", "1"):
        contigs.resolve(name)
    assert contigs.alias_warning() == "contig names differ from those of hg.fa: took '1' for 'chr1' and 1 more"


def test_unknown_contigs_and_ends_beyond_are_refused() -> None:
    contigs = ReferenceContigs(NAMES, "hg.fa")
    with pytest.raises(DataError, match=r"unknown contig 'chrX'; expected a contig of hg.fa \(chr1, chrM, 2, KI1\)"):
        contigs.resolve("chrX")
    with pytest.raises(
        DataError, match="end 101 is beyond chr1, which is 100 bp long; .* is this the right genome build"
    ):
        contigs.locate(Interval("chr1", 0, 101))


def test_a_further_file_takes_the_names_of_the_first() -> None:
    contigs = ContigNames()

    def adopted(path: str, *names: str) -> list[str]:
        return [place.chrom for place in contigs.adopt(path, [Interval(name, 5, 9) for name in names])]

    assert adopted("a.bed", "chr2", "chr1", "2") == ["chr2", "chr1", "chr2"]
    assert adopted("b.bed", "1", "X", "KI1", "1") == ["chr1", "X", "KI1", "chr1"]
    assert adopted("c.bed", "chrX", "1") == ["X", "chr1"]
    assert contigs.alias_warning() == "contig names differ from those of a.bed: took '2' for 'chr2' and 2 more"
    assert contigs.examples() == "'chr2' in a.bed, '1' in b.bed, 'chrX' in c.bed"


def test_files_without_a_common_contig_are_refused() -> None:
    contigs = ContigNames()
    contigs.adopt("a.bed", [Interval("chr1", 5, 9)])
    with pytest.raises(
        DataError, match="b.bed: none of its contigs, such as 'scaffold_1', is in a.bed, which has 'chr1'; expected the"
    ):
        contigs.adopt("b.bed", [Interval("scaffold_1", 5, 9)])

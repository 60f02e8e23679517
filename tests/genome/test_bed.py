"""BED lines: what is read of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.bed import BedElement, read_bed, read_elements
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import Interval
from tests import builders


def test_names_strands_comments_and_line_ends(folder: Path) -> None:
    text = "track name=x\r\n#c\r\n\r\nchr2\t5\t9\r\nchr1\t1\t2\tone\t0\t-\textra\r\nchr1\t1\t3\t.\t0\t?\r\n"
    expected = [
        BedElement(Interval("chr2", 5, 9), ".", "."),
        BedElement(Interval("chr1", 1, 2), "one", "-"),
        BedElement(Interval("chr1", 1, 3), ".", "."),
    ]
    builders.write_gzip(folder / "a.bed.gz", text)
    assert [element for _, element, _ in read_bed("a.bed.gz")] == expected
    named = [expected[1], expected[2]._replace(name="chr1:1-3"), expected[0]._replace(name="chr2:5-9")]
    assert read_elements("a.bed.gz", ContigNames()) == (named, 0)


def test_a_repeated_interval_counts_once(folder: Path) -> None:
    Path("a.bed").write_text("chr1\t1\t2\tone\nchr1\t1\t2\ttwo\n")
    assert read_elements("a.bed", ContigNames()) == ([BedElement(Interval("chr1", 1, 2), "one")], 1)


def test_a_file_without_intervals_is_refused(folder: Path) -> None:
    Path("a.bed").write_text("# nothing\n")
    with pytest.raises(DataError, match="a.bed: no intervals; expected at least one BED line"):
        read_elements("a.bed", ContigNames())


def test_a_chromosome_may_begin_like_a_track_line(folder: Path) -> None:
    Path("a.bed").write_text("tracker_1\t1\t2\n")
    assert len(list(read_bed("a.bed"))) == 1


@pytest.mark.parametrize("header", ["chrom\tstart\tend\tname", "#chrom\tstart\tend\nchrom\tstart\tend"])
def test_a_first_line_that_names_the_columns_is_skipped(folder: Path, header: str) -> None:
    Path("a.bed").write_text(f"{header}\nchr1\t1\t2\n")
    assert [element.interval for _, element, _ in read_bed("a.bed")] == [("chr1", 1, 2)]
    Path("a.bed").write_text(f"chr1\t1\t2\n{header}\n")
    with pytest.raises(DataError, match="a.bed:[23]: 'chrom"):
        list(read_bed("a.bed"))


@pytest.mark.parametrize("header", ["", "chr1\tx1\tx2\tchr2\ty1\ty2\n"])
def test_bedpe_in_the_place_of_bed_is_refused(folder: Path, header: str) -> None:
    Path("loops.bedpe").write_text(f"{header}10\t100\t200\t10\t500\t600\t0,255,255\n")
    with pytest.raises(DataError, match="loops.bedpe: is BEDPE; expected BED$"):
        list(read_bed("loops.bedpe"))

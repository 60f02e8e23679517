"""Peaks: which column is the signal, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import Interval
from speid_cli.genome.peaks import Peaks, read_peaks
from tests import builders

NUMBERS = {"chr1": 0, "chr2": 1}
CONTIGS = ContigNames(["chr1", "chr2", "chr3"], "pairs.bedpe")
NARROW = "chr1\t10\t20\t.\t1000\t.\t2.5\t-1\t-1\t4"


def read(text: str, column: int = 7, contigs: ContigNames = CONTIGS) -> Peaks:
    Path("a.peaks").write_text(text)
    return read_peaks("a.peaks", column, contigs, NUMBERS)


def test_the_signal_is_column_7_or_5_or_1(folder: Path) -> None:
    assert read(f"{NARROW}\nchr2\t0\t1\tx\t0\t+\t-1e-3\n").signal.tolist() == [2.5, -0.001]
    assert read("chr1\t10\t20\tx\t12\t+\t9\nchr1\t1\t2\nchr1\t1\t2\tx\n", 5).signal.tolist() == [12, 1, 1]


def test_lines_are_read_as_in_bed_and_contigs_in_any_spelling(folder: Path) -> None:
    text = f"track name=x\r\n#c\r\n{NARROW.removeprefix('chr')}\r\nchr3\t1\t2\t.\t0\t.\t1\r\nchr2\t5\t9\t.\t0\t.\t7\r\n"
    builders.write_gzip(folder / "a.peaks", text)
    found = read_peaks("a.peaks", 7, CONTIGS, NUMBERS)
    assert found.place.tolist() == [[0, 10, 20], [1, 5, 9]]
    assert found.signal.tolist() == [2.5, 7]
    assert (found.first, found.is_known) == (Interval("1", 10, 20), True)
    elsewhere = read("chrUn\t5\t6\t.\t0\t.\t1\n")
    assert elsewhere.place.shape == (0, 3)
    assert elsewhere.place.dtype == np.int64
    assert not elsewhere.is_known


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("chr1\t1\t2\t.\t0\t.", 7, "6 columns; expected the signal in column 7, after a tab"),
        ("chr1\t1\t2\t.\t0\t.\tx", 7, "'x' in column 7; expected the signal, a number$"),
        ("chr1\t1\t2\t.\t0\t.\tnan", 7, "'nan' in column 7; expected the signal, a number$"),
        ("chr1\t1\t2\t.\t0\t.\t1_0", 7, "'1_0' in column 7; expected the signal, a number$"),
        ("chr1\t1\t2\t.\t0\t.\t-inf", 7, "'-inf' in column 7; expected the signal, a number$"),
        ("chr1\t1\t2\t.\t.\t+", 5, "'.' in column 5; expected the signal, a number; cut -f1-3 gives every peak the signal 1"),
        ("chr1\t2\t2\t.\t0\t.\t1", 7, "'chr1.*; expected BED: chromosome, start and end, start below end"),
        ("chr1\t-1\t2\t.\t0\t.\t1", 7, "'chr1.*; expected BED: chromosome, start and end, start below end"),
        ("chr1 1 2 . 0 . 1", 7, "'chr1 1 2 . 0 . 1'; expected BED"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_valid_is_named(folder: Path, line: str, column: int, message: str) -> None:
    with pytest.raises(DataError, match=f"^a.peaks:2: {message}"):
        read(f"{NARROW}\n{line}\n", column)


def test_a_file_without_peaks_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="^a.peaks: no peaks; expected at least one line with a peak$"):
        read("# nothing\n")


def test_a_peak_beyond_its_contig_is_of_another_build(folder: Path) -> None:
    contigs = ReferenceContigs({"1": 20}, "genome.fa")
    assert len(read(NARROW, contigs=contigs).signal) == 0  # there is no pair on it
    message = "a.peaks:2: end 21 is beyond 1, which is 20 bp long; expected coordinates of genome.fa; is this the right"
    with pytest.raises(DataError, match=message):
        read(f"{NARROW}\nchr1\t9\t21\t.\t0\t.\t1\nchr1\t9\t22\t.\t0\t.\t1\n", contigs=contigs)

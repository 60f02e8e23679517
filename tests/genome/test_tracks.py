"""TRACKS.tsv: what is read of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.tracks import Track, read_tracks, signal_column


@pytest.fixture
def peaks(folder: Path) -> Path:
    """A folder of files that no one reads."""
    (folder / "peaks").mkdir()
    for name in ("a.bed", "b.narrowPeak.gz", "c.bw"):
        (folder / "peaks" / name).write_text("")
    return folder / "peaks"


def test_files_of_one_name_are_one_track_and_paths_are_relative_to_the_table(peaks: Path) -> None:
    table = peaks / "tracks.tsv"
    table.write_text(
        f"\ufeff# made by hand\r\nname\tsource\tpath\r\n\r\nH3K4me1\tx\ta.bed\r\nCTCF\ty\t{peaks}/c.bw\r\n"
        "H3K4me1\tz\tb.narrowPeak.gz\r\nDNase-seq\t\t../peaks/a.bed\r\n"
    )
    assert read_tracks("peaks/tracks.tsv") == [
        Track("H3K4me1", ("peaks/a.bed", "peaks/b.narrowPeak.gz")),
        Track("CTCF", (f"{peaks}/c.bw",)),
        Track("DNase-seq", ("peaks/../peaks/a.bed",)),
    ]


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("a.narrowPeak", 7), ("a.broadPeak.gz", 7), ("A.NARROWPEAK", 7), ("a.bed", 5), ("x/a.b.bed.gz", 5), ("a.bigWig", None),
        ("a.bw", None), ("a.bigwig", None), ("a.BW", None),
    ],
)  # fmt: skip
def test_the_ending_tells_the_format(path: str, column: int | None) -> None:
    assert signal_column(path) == column


@pytest.mark.parametrize("path", ["a.txt", "bed", "a.bed.zip", "a.bw.gz", "a.bb", ".gz", "a.bed/x"])
def test_another_ending_is_refused(path: str) -> None:
    message = r"tells no format; expected a name that ends in .narrowPeak, .broadPeak, .bed \(with or without .gz\), .bigWig or .bw$"
    with pytest.raises(DataError, match=message):
        signal_column(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "tracks.tsv: no tracks; expected a line for each file, below the header"),
        ("name\tpath\n", "tracks.tsv: no tracks; expected a line for each file, below the header"),
        ("\nCTCF\ta.bed\n", "tracks.tsv:2: no column 'name' in the header .*; expected the columns 'name' and 'path', sep"),
        ("name path\n", "tracks.tsv:1: no column 'name' in the header 'name path'; expected the columns"),
        ("name\tfile\n", "tracks.tsv:1: no column 'path' in the header .*; expected the columns 'name' and 'path', separated"),
        ("name\tpath\nCTCF\n", "tracks.tsv:2: 1 column, and 2 in the header; expected the same number; names and paths hold no"),
        ("name\tpath\nCT\tCF\ta.bed\n", "tracks.tsv:2: 3 columns, and 2 in the header; expected the same number"),
        ("name\tpath\n \ta.bed\n", "tracks.tsv:2: an empty name; expected a name and a path"),
        ("name\tpath\nCTCF\t\n", "tracks.tsv:2: an empty path; expected a name and a path"),
        ("name\tpath\nA\ta.bed\nB\ta.bed\nA\t./a.bed\n", "tracks.tsv:4: peaks/a.bed is in track 'A' already; expected each"),
        ("name\tpath\nA\ttracks.tsv\n", "tracks.tsv:2: the name 'tracks.tsv' tells no format; expected a name that ends in"),
        ("name\tpath\nA\tx.bed\n", "tracks.tsv:2: cannot read peaks/x.bed: No such file or directory; expected a file that"),
        ("name\tpath\nA\td.bed\n", "tracks.tsv:2: cannot read peaks/d.bed: Is a directory; expected a file that exists"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_valid_is_refused(peaks: Path, text: str, message: str) -> None:
    (peaks / "d.bed").mkdir()
    (peaks / "tracks.tsv").write_text(text)
    with pytest.raises(DataError, match=f"^peaks/{message}"):
        read_tracks("peaks/tracks.tsv")


def test_a_table_that_is_missing_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="^none.tsv: No such file or directory"):
        read_tracks("none.tsv")

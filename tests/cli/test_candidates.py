"""``speid candidates`` through the real command line."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import builders
from tests.builders import run
from tests.intervals import needs_bedtools

Fails = Callable[..., str]

ENHANCERS = "chr2\t50000\t50100\nchr1\t100\t200\te1\t0\t+\nchr1\t40000\t41000\te2\nchr1\t40000\t41000\tagain\n"
PROMOTERS = "chr1\t10200\t10300\tp1\t0\t-\nchr1\t300\t400\tp0\nchr3\t1\t2\tp9\n"
HEADER = "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2\tdistance"
LINES = [
    "chr1\t100\t200\tchr1\t10200\t10300\te1~p1\t.\t+\t-\t10000",
    "chr1\t40000\t41000\tchr1\t300\t400\te2~p0\t.\t.\t.\t39600",
    "chr1\t40000\t41000\tchr1\t10200\t10300\te2~p1\t.\t.\t-\t29700",
]


@pytest.fixture
def beds(folder: Path) -> None:
    Path("e.bed").write_text(ENHANCERS)
    Path("p.bed").write_text(PROMOTERS)


def test_pairs_go_to_standard_output_and_words_to_standard_error(
    beds: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("candidates", "e.bed", "p.bed") == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [HEADER, *LINES]
    assert captured.err.splitlines() == [
        "warning: e.bed: left out 1 line with a repeated interval",
        "warning: e.bed: 1 contig in no other file: chr2",
        "warning: p.bed: 1 contig in no other file: chr3",
        "3 pairs; no partner within the distances for 1 enhancer and 1 promoter",
    ]


@needs_bedtools
def test_anchors_label_and_a_file_may_be_compressed(beds: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("loops.bedpe").write_text("chr1\t10250\t10260\tchr1\t150\t160\nchr1\t350\t351\tchr1\t0\t1\n")
    assert run("candidates", "e.bed", "p.bed", "--anchors", "loops.bedpe", "-o", "out.bedpe.gz") == 0
    text = gzip.decompress(Path("out.bedpe.gz").read_bytes()).decode().splitlines()
    assert text == [f"{HEADER}\tlabel", f"{LINES[0]}\t1", f"{LINES[1]}\t0", f"{LINES[2]}\t0"]
    assert "3 pairs, 1 of them labelled 1" in capsys.readouterr().err


@needs_bedtools
@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ("chr5\t10250\t10260\tchr5\t150\t160\n", "none of its contigs, such as 'chr5', is in e.bed, which has 'chr2'"),
        ("1\t10\t20\t1\t30\t40\n", "no candidate joins the two anchors of a loop (contigs: 'chr2' in e.bed, 'chr1' in "
         "p.bed, '1' in loops.bedpe); expected at least one pair to label 1; do the loops and the elements have the same genome "
         "build?"),
        ("chr1\t150\t160\tchr1\t10350\t10360\n", "no candidate joins the two anchors of a loop"),
        ("1\tx2\t3\t1\t4\t5\n", "start1 'x2' is not a whole number"),
    ],
)  # fmt: skip
def test_loops_that_label_nothing_are_refused_before_a_line_is_written(
    beds: None, fails: Fails, loops: str, message: str
) -> None:
    Path("loops.bedpe").write_text(loops)
    assert message in fails("candidates", "e.bed", "p.bed", "--anchors", "loops.bedpe")


@needs_bedtools
def test_contigs_are_named_as_in_the_first_file(beds: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.bed").write_text(PROMOTERS.replace("chr", ""))
    Path("loops.bedpe").write_text("chr\tx1\tx2\tchr\ty1\ty2\n1\t10250\t10260\t1\t150\t160\n")
    assert run("candidates", "e.bed", "p.bed", "--anchors", "loops.bedpe") == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1:] == [f"{LINES[0]}\t1", f"{LINES[1]}\t0", f"{LINES[2]}\t0"]
    assert "warning: contig names differ from those of e.bed: took '1' for 'chr1'" in captured.err


def test_what_cannot_be_is_refused(beds: None, fails: Fails) -> None:
    message = fails("candidates", "e.bed", "p.bed", "--min-distance", 9, "--max-distance", 8, status=2)
    assert "--min-distance 9 is above --max-distance 8" in message
    for wrong in (2**31, "-1", "1.5", "2Tb", "1,000", "M", "1e99", "nan"):
        message = " ".join(fails("candidates", "e.bed", "p.bed", "--max-distance", wrong, status=2).split())
        assert f"'{wrong}': expected a distance from 0 to 2,000,000,000 bp, such as 500000, 10kb, 2M or 1e6" in message
    for inputs in (["-", "-"], ["e.bed", "-", "--anchors", "-"]):
        assert "only one input can be standard input" in fails("candidates", *inputs, status=2)
    Path("other.bed").write_text("scaffold1\t5\t9\n")
    message = fails("candidates", "other.bed", "p.bed", "-o", "out.bedpe")
    assert (
        "p.bed: none of its contigs, such as 'chr1', is in other.bed, which has 'scaffold1'; expected the same"
        in message
    )
    assert "e.bed: is an input of this command" in fails("candidates", "e.bed", "p.bed", "-o", "e.bed", "--force")


@pytest.mark.parametrize("text", ["29700", "29.7k", "29.7Kb", "0.0297M", "2.97e4", "29700bp", "0.0000297G"])
def test_a_distance_may_have_a_unit(beds: None, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert run("candidates", "e.bed", "p.bed", "--min-distance", text, "--max-distance", text) == 0
    assert capsys.readouterr().out.splitlines() == [HEADER, LINES[2]]


def test_only_anchors_need_bedtools(beds: None, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run("candidates", "e.bed", "p.bed", "-o", "pairs.bedpe") == 0
    Path("loops.bedpe").write_text("chr1\t10250\t10260\tchr1\t150\t160\n")
    Path("out").mkdir()
    message = fails("candidates", "e.bed", "p.bed", "--anchors", "loops.bedpe", "-o", "out/x.bedpe", status=2)
    assert "bedtools is needed here and not installed; try: apt install bedtools" in message
    assert not list(Path("out").iterdir())


def test_the_farthest_distance_that_is_taken_is_right(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.bed").write_text("chr1\t0\t100\n")
    Path("p.bed").write_text("chr1\t2000000100\t2000000200\nchr1\t2000000101\t2000000200\n")
    assert run("candidates", "e.bed", "p.bed", "--max-distance", 2_000_000_000) == 0
    assert [line.split("\t")[10] for line in capsys.readouterr().out.splitlines()] == ["distance", "2000000000"]


def test_standard_input_is_read(
    beds: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("e.bed", "rb") as stream:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": stream}))
        assert run("candidates", "-", "p.bed") == 0
    assert capsys.readouterr().out.splitlines() == [HEADER, *LINES]


def test_no_pairs_is_a_warning(beds: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("candidates", "e.bed", "p.bed", "--min-distance", 10**6) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{HEADER}\n"
    assert "warning: no pairs: do both files have the same genome build?" in captured.err


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    lines = [f"chr1\t{100 * i}\t{100 * i + 50}\n" for i in range(3000)]
    Path("e.bed").write_text("".join(lines))
    command = f"{sys.executable} -m speid_cli candidates e.bed e.bed --min-distance 0 | head -n 2"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode == 141
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


@needs_bedtools
def test_published_files_of_huvec_give_its_published_positives(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = builders.shared_data()
    beds = [data / "hic" / f"HUVEC.{side}.bed.gz" for side in ("enhancers", "promoters")]
    loops = data / "hic" / "HUVEC.HiCCUPS_looplist.txt.gz"
    assert run("candidates", *beds, "--anchors", loops, "-o", "pairs.bedpe") == 0
    assert "1,053,274 pairs, 1,524 of them labelled 1" in capsys.readouterr().err
    with open("pairs.bedpe") as lines:
        found = {tuple(line.split("\t")[:6]) for line in lines if line.endswith("\t1\n")}
    published = gzip.decompress((data / "targetfinder.HUVEC.hg19.bedpe.gz").read_bytes()).decode().splitlines()
    rows = [line.split("\t") for line in published]
    assert found == {tuple(row[:6]) for row in rows if row[10] == "1"}

"""``speid features`` through the real command line."""

from __future__ import annotations

import gzip
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import builders
from tests.builders import run
from tests.intervals import needs_bedtools

Fails = Callable[..., str]

PAIRS = [
    "chr1\t4000\t4100\tchr1\t9000\t9500\tone\t.\t+\t-\tx\t1",
    "chr1\t9000\t9500\tchr1\t1.2e4\t12400\t.\t.\t+\t-\tx\t0",
    "chr1\t4050\t4200\tchr1\t4000\t4100\tnear\t.\t+\t-\tx\t0",
]
HEADER = "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2\tother\tlabel"
NARROW = "1\t4099\t4200\t.\t0\t.\t3.5\t-1\t-1\t-1\n1\t9499\t9502\t.\t0\t.\t1e-3\t-1\t-1\t-1\n"
BED = "chr1\t0\t1001\nchr1\t12000\t12001\n"
REGIONS = ("enhancer", "extended enhancer", "promoter", "window")
COLUMNS = "chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname"
VALUES = [f"{name} ({region})" for name in ("CTCF", "any peak") for region in REGIONS]


@pytest.fixture
def inputs(folder: Path) -> Path:
    """``pairs.bedpe``, and ``peaks/tracks.tsv`` with two tracks."""
    builders.write_pairs(folder / "pairs.bedpe", PAIRS, HEADER)
    (folder / "peaks").mkdir()
    (folder / "peaks" / "ctcf.narrowPeak").write_text(NARROW)
    builders.write_gzip(folder / "peaks" / "any.bed.gz", BED)
    (folder / "peaks" / "tracks.tsv").write_text("name\tpath\nCTCF\tctcf.narrowPeak\nany peak\tany.bed.gz\n")
    return folder


def table(text: str) -> tuple[list[str], list[list[str]]]:
    header, *rows = (line.split("\t") for line in text.splitlines())
    return header, rows


@needs_bedtools
def test_a_line_a_pair_in_order_with_its_label(inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv") == 0
    captured = capsys.readouterr()
    header, rows = table(captured.out)
    assert header == [*COLUMNS.split("\t"), "label", *VALUES]
    assert [row[:8] for row in rows] == [
        ["chr1", "4000", "4100", "chr1", "9000", "9500", "one", "1"],
        ["chr1", "9000", "9500", "chr1", "12000", "12400", ".", "0"],
        ["chr1", "4050", "4200", "chr1", "4000", "4100", "near", "0"],
    ]
    assert [row[8:] for row in rows] == [
        ["0.035", f"{3.5 / 6100:.10g}", "2e-06", f"{3.5 / 4898:.10g}", "0", f"{1 / 6100:.10g}", "0", "0"],
        ["2e-06", f"{1e-3 / 6500:.10g}", "0", f"{1e-3 / 2498:.10g}", "0", f"{1 / 6500:.10g}", "0.0025", "0"],
        [f"{3.5 / 150:.10g}", f"{3.5 / 6150:.10g}", "0.035", "NA", "0", "0", "0", "NA"],
    ]
    said = captured.err.splitlines()
    assert said[0] == "warning: contig names differ from those of pairs.bedpe: took '1' for 'chr1'"
    assert said[1].startswith("3 pairs, 2 tracks, ")
    assert len(said) == 2


@needs_bedtools
def test_labels_are_optional_and_sides_stay_as_given(inputs: Path) -> None:
    builders.write_pairs(inputs / "pairs.bedpe", ["\t".join(line.split("\t")[:6]) for line in PAIRS], None)
    for name, *option in (["a.tsv.gz"], ["b.tsv", "--promoter-first"]):
        assert run("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", "-o", name, *option) == 0
    header, rows = table(gzip.decompress(Path("a.tsv.gz").read_bytes()).decode())
    assert header == [*COLUMNS.split("\t"), *VALUES]
    assert {row[6] for row in rows} == {"."}
    swapped = table(Path("b.tsv").read_text())[1]
    assert [row[:7] for row in swapped] == [row[:7] for row in rows]
    assert swapped[0][7] == rows[0][9]  # CTCF in what is the enhancer now
    builders.write_pairs(inputs / "pairs.bedpe", [line.replace("\t.\t+", "\t1\t+") for line in PAIRS], None)
    assert run("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", "-o", "c.tsv") == 0
    assert [row[7] for row in table(Path("c.tsv").read_text())[1]] == ["1", "1", "1"]


@needs_bedtools
def test_more_pairs_than_a_block_and_standard_input(
    inputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_pairs(inputs / "pairs.bedpe", PAIRS * 400, HEADER)
    with open("pairs.bedpe", "rb") as stream:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": stream}))
        assert run("features", "-", "--tracks", "peaks/tracks.tsv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1201
    assert lines[1:] == lines[1:4] * 400


@needs_bedtools
def test_a_track_without_signal_is_a_warning(inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("peaks/ctcf.narrowPeak").write_text("chrUn\t5\t6\t.\t0\t.\t1\t-1\t-1\t-1\n")
    assert run("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv") == 0
    assert (
        "warning: track 'CTCF' has no signal in any pair: the first interval of peaks/ctcf.narrowPeak is chrUn:5-6, "
        "the first enhancer of pairs.bedpe chr1:4000-4100\n" in capsys.readouterr().err
    )


@needs_bedtools
def test_a_file_of_other_contigs_is_a_warning_beside_files_that_have_signal(
    inputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("peaks/more.narrowPeak").write_text("chrUn\t5\t6\t.\t0\t.\t1\t-1\t-1\t-1\n")
    Path("peaks/tracks.tsv").write_text("name\tpath\nCTCF\tctcf.narrowPeak\nCTCF\tmore.narrowPeak\n")
    assert run("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv") == 0
    assert (
        "warning: track 'CTCF' has 1 file without a contig of pairs.bedpe: the first interval of peaks/more.narrowPeak "
        "is chrUn:5-6, the first enhancer of pairs.bedpe chr1:4000-4100\n" in capsys.readouterr().err
    )


@needs_bedtools
def test_a_reference_tells_of_another_build(inputs: Path, fails: Fails, capsys: pytest.CaptureFixture[str]) -> None:
    builders.write_fasta(inputs / "right.fa", {"1": "A" * 13_000, "2": "C" * 50})
    builders.write_fasta(inputs / "short.fa", {"chr1": "A" * 12_399})
    builders.write_fasta(inputs / "other.fa", {"chr9": "A" * 13_000})
    command = "features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", "-f"
    assert run(*command, "right.fa", "-o", "with.tsv") == 0
    assert "contig names differ from those of right.fa: took 'chr1' for '1'" in capsys.readouterr().err
    assert run(*command[:-1], "-o", "without.tsv") == 0
    assert Path("with.tsv").read_text() == Path("without.tsv").read_text()
    beyond = "pairs.bedpe:3: end 12400 is beyond chr1, which is 12399 bp long; expected coordinates of short.fa"
    assert beyond in fails(*command, "short.fa")
    assert "pairs.bedpe:2: unknown contig 'chr1'; expected a contig of other.fa (chr9)" in fails(*command, "other.fa")
    Path("peaks/ctcf.narrowPeak").write_text("2\t5\t51\t.\t0\t.\t1\t-1\t-1\t-1\n")
    message = "peaks/ctcf.narrowPeak:1: end 51 is beyond 2, which is 50 bp long; expected coordinates of right.fa"
    assert message in fails(*command, "right.fa")


@needs_bedtools
def test_a_bigwig_of_another_build_is_refused(inputs: Path, fails: Fails) -> None:
    builders.write_bigwig(inputs / "peaks" / "a.bw", {"1": np.ones(10_000)})
    Path("peaks/tracks.tsv").write_text("name\tpath\nA\ta.bw\n")
    message = (
        "pairs.bedpe:3: end 12400 is beyond chr1, which is 10000 bp long; expected coordinates of peaks/a.bw; is this"
    )
    assert message in fails("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv")


def test_what_cannot_be_is_refused(inputs: Path, fails: Fails) -> None:
    command = "features", "pairs.bedpe", "--tracks"
    assert "peaks/none.tsv: No such file or directory" in fails(*command, "peaks/none.tsv")
    assert "Missing option '--tracks'" in fails("features", "pairs.bedpe", status=2)
    assert "tracks.tsv: is an input of this command" in fails(
        *command, "peaks/tracks.tsv", "-o", "peaks/tracks.tsv", "--force"
    )
    peaks = "peaks/ctcf.narrowPeak"
    assert f"{peaks}: is an input of this command" in fails(*command, "peaks/tracks.tsv", "-o", peaks, "--force")
    assert Path(peaks).read_text() == NARROW
    Path("empty.bedpe").write_text("# nothing\n")
    message = "empty.bedpe: no pairs; expected at least one BEDPE line of 6 or more columns"
    assert message in fails("features", "empty.bedpe", *command[2:], "peaks/tracks.tsv")


@needs_bedtools
def test_a_bad_line_of_any_file_is_named_and_nothing_is_written(inputs: Path, fails: Fails) -> None:
    command = "features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", "-o", "out.tsv"
    Path("peaks/ctcf.narrowPeak").write_text(NARROW.replace("1e-3", "much"))
    assert fails(*command) == "speid: peaks/ctcf.narrowPeak:2: 'much' in column 7; expected the signal, a number\n"
    builders.write_pairs(inputs / "pairs.bedpe", [*PAIRS, PAIRS[0].replace("\t1", "\tyes")], HEADER)
    assert "pairs.bedpe:5: label 'yes' in column 12; expected 1 (interacting) or 0" in fails(*command)


@needs_bedtools
def test_torch_and_sklearn_are_not_imported(inputs: Path) -> None:
    arguments = ["features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", "-o", "out.tsv"]
    code = f"import sys; from speid_cli.cli import main; print(main({arguments!r}), {{'torch', 'sklearn'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 set()\n"


def test_bedtools_is_needed(inputs: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    message = fails("features", "pairs.bedpe", "--tracks", "peaks/tracks.tsv", status=2)
    assert "bedtools is needed here and not installed; try: apt install bedtools" in message


def awk_command() -> str:
    """The command of the documentation that turns filenames.csv into a table."""
    text = (Path(__file__).parents[2] / "docs" / "howto" / "table2.md").read_text()
    (command,) = re.findall(r"^awk .*?[^\\]$", text, re.M | re.S)
    return command


@needs_bedtools
def test_huvec_is_what_bedtools_says(folder: Path) -> None:
    data = builders.shared_data()
    peaks = Path("targetfinder", "HUVEC", "peaks")
    peaks.mkdir(parents=True)
    for path in (data / "peaks" / "HUVEC").iterdir():
        (peaks / path.name).symlink_to(path)
    subprocess.run(awk_command(), shell=True, check=True)
    assay = [row.split("\t") for row in (peaks / "tracks.tsv").read_text().splitlines()]
    assert len(assay) == 23
    text = gzip.decompress((data / "targetfinder.HUVEC.hg19.bedpe.gz").read_bytes()).decode().splitlines()
    sample = text[1::40]
    builders.write_pairs(folder / "pairs.bedpe", sample, text[0])
    assert run("features", "pairs.bedpe", "--tracks", peaks / "tracks.tsv", "-o", "features.tsv.gz") == 0
    header, rows = table(gzip.decompress(Path("features.tsv.gz").read_bytes()).decode())
    assert [row[:7] for row in rows] == [pair.split("\t")[:7] for pair in sample]
    assert [row[7] for row in rows] == [pair.split("\t")[10] for pair in sample]
    for name, path in (assay[1], assay[8], assay[17]):
        for region in REGIONS:
            column = [float(row[header.index(f"{name} ({region})")]) for row in rows]
            np.testing.assert_allclose(column, said_by_bedtools(str(peaks / path), sample, region), rtol=1e-6, atol=0)


def said_by_bedtools(path: str, pairs: list[str], region: str) -> list[float]:
    """Values of one track in one region of each pair, by bedtools alone."""
    queries = []
    for number, pair in enumerate(pairs):
        chrom, *bounds = pair.split("\t")[:6]
        start, end, _, other_start, other_end = (int(field) if field.isdecimal() else 0 for field in bounds)
        start, end = {
            "enhancer": (start, end), "extended enhancer": (max(0, start - 3000), end + 3000),
            "promoter": (other_start, other_end),
            "window": (min(end, other_end) + 1, max(start, other_start) - 1),
        }[region]  # fmt: skip
        queries.append(f"{chrom}\t{start}\t{end}\t{number}\n")
    Path("queries.bed").write_text("".join(queries))
    command = (
        f"bedtools sort -i {path} > peaks.bed; bedtools sort -i queries.bed | "
        "bedtools map -a - -b peaks.bed -c 7 -o sum -prec 12 -null 0"
    )
    found = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    values = {}
    for line in found.splitlines():
        _, start, end, number, value = line.split("\t")
        values[int(number)] = float(value) / (int(end) - int(start))
    assert all(map(math.isfinite, values.values()))
    return [values[number] for number in range(len(pairs))]

"""``speid negatives`` through the real command line, and on to ``prepare``."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import ks_2samp

from speid_cli.cli.negatives import _report
from speid_cli.dataset.negatives import BinCount
from speid_cli.dataset.pairs import PairDataset
from speid_cli.errors import DataError
from tests import builders
from tests.builders import WINDOW_OPTIONS, run

Fails = Callable[..., str]
pytestmark = pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
HEADER = "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2\tdistance\tlabel"


@pytest.fixture
def inputs(folder: Path) -> None:
    """Ten elements a side on two chromosomes, 100 bp wide, and three positives 400 bp apart."""
    for name, first in (("e", 0), ("p", 500)):
        rows = [
            f"chr{c}\t{i * 1000 + first}\t{i * 1000 + first + 100}\t{name}{c}{i}\n" for c in (1, 2) for i in range(5)
        ]
        Path(f"{name}.bed").write_text("".join(rows))
    lines = ["chr1\t0\t100\tchr1\t500\t600", "chr1\t1000\t1100\tchr1\t1500\t1600", "chr2\t0\t100\tchr2\t500\t600"]
    builders.write_pairs(Path("pos.bedpe"), lines, None)


def test_lines_and_words_go_where_they_belong(inputs: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 1) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0] == HEADER
    assert len(lines) == 4
    for line in lines[1:]:
        fields = line.split("\t")
        assert fields[10:] == ["400", "0"]
        assert (
            fields[6]
            == f"e{fields[0][3]}{fields[1][0] if len(fields[1]) > 1 else 0}~p{fields[3][3]}{int(fields[4]) // 1000}"
        )
    assert captured.err.split("\n")[1].split() == ["all", "400", "-", "400", "3", "3"]


def test_with_positives_it_is_what_prepare_takes(inputs: None) -> None:
    genome = {f"chr{number}": builders.random_sequence(6000, number) for number in (1, 2)}
    builders.write_fasta(Path("genome.fa"), genome)
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 2, "--with-positives", "-o", "pairs.bedpe") == 0
    assert run("prepare", "pairs.bedpe", "genome.fa", "--split", "none", *WINDOW_OPTIONS) == 0
    assert sorted(PairDataset.read("pairs.npz").label.tolist()) == [0] * 6 + [1] * 3


def test_the_same_seed_gives_the_same_bytes(inputs: None) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 2, "--seed", seed, "-o", name) == 0
    first, again, other = (Path(name).read_bytes() for name in "abc")
    assert first == again != other


def test_the_same_seed_balances_to_the_same_bytes(folder: Path) -> None:
    for name, first in (("e", 0), ("p", 50_000)):
        Path(f"{name}.bed").write_text("".join(f"chr1\t{first + 997 * i}\t{first + 997 * i + 99}\n" for i in range(9)))
    lines = [f"chr1\t{997 * i}\t{997 * i + 99}\tchr1\t{50_000 + 997 * j}\t{50_099 + 997 * j}"
             for i, j in ((8, 0), (0, 8), (3, 4), (4, 4), (5, 1))]  # fmt: skip
    builders.write_pairs(Path("pos.bedpe"), lines, None)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ["--ratio", 2, "--balance", "elements", "--seed", seed, "-o", name]
        assert run("negatives", "pos.bedpe", "e.bed", "p.bed", *options) == 0
    first, again, other = (Path(name).read_bytes() for name in "abc")
    assert first == again != other


def test_elements_of_the_positives_that_the_beds_lack_are_counted(
    inputs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("p.bed").write_text("chr1\t500\t600\nchr1\t7500\t7600\nchr2\t5\t6\n")
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--balance", "elements") == 0
    message = capsys.readouterr().err
    assert "warning: p.bed: lacks 2 of the 3 promoters of the positives" in message
    assert "warning: e.bed" not in message


def test_only_one_input_is_standard_input(inputs: None, fails: Fails) -> None:
    assert "only one input can be standard input" in fails("negatives", "-", "-", "p.bed", status=2)
    assert "only one input can be standard input" in fails("negatives", "-", "e.bed", "-", status=2)


def test_negatives_in_other_bins_than_asked_for_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    counts = [BinCount("all", 1, 9, 3, 5), BinCount("all", 10, 19, 3, 1)]
    _report(counts, False, "pos.bedpe")
    text = "pos.bedpe: 2 of 6 negatives are from another bin of distances than requested"
    assert f"warning: {text}" in capsys.readouterr().err
    with pytest.raises(DataError, match=f"{text}; use a lower --ratio or fewer --bins"):
        _report(counts, True, "pos.bedpe")


def test_too_few_is_a_warning_or_with_strict_an_error(
    inputs: None, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed") == 0
    captured = capsys.readouterr()
    assert "warning: pos.bedpe: negatives: 60 asked for, 15 found" in captured.err
    message = fails("negatives", "pos.bedpe", "e.bed", "p.bed", "--strict", "-o", "out.bedpe")
    assert "pos.bedpe: negatives: 60 asked for, 15 found; use a lower --ratio or fewer --bins" in message


def test_subsets_are_drawn_apart(inputs: None, fails: Fails, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 2, "--test-chroms", "chr2") == 0
    captured = capsys.readouterr()
    chroms = [line.split("\t")[0] for line in captured.out.splitlines()[1:]]
    assert chroms == ["chr1"] * 4 + ["chr2"] * 2
    assert [line.split()[0] for line in captured.err.splitlines()[1:3]] == ["rest", "test"]
    message = fails("negatives", "pos.bedpe", "e.bed", "p.bed", "--test-chroms", "chr9", status=2)
    assert "--test-chroms: no positive lies on chr9" in message


def test_what_is_left_out_is_said(inputs: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["chr1\t0\t100\tchr1\t500\t600\t1", "chr1\t0\t100\tchr1\t500\t600\t0", "chr1\t0\t100\tchr2\t500\t600\t1"]
    lines.append(lines[0])
    builders.write_pairs(Path("pos.bedpe"), lines, "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tlabel")
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 1, "--balance", "elements") == 0
    message = capsys.readouterr().err
    assert "pos.bedpe: left out 1 line with label 0\npos.bedpe: left out 1 line that repeat a positive\n" in message
    assert "warning: pos.bedpe: left out 1 pair between chromosomes, which have no distance" in message
    assert "warning: pos.bedpe: negatives: 1 asked for, 0 found" in message


@pytest.mark.parametrize("bare", ["pos.bedpe", "e.bed", "p.bed"])
def test_contigs_are_named_as_in_the_positives(inputs: None, capsys: pytest.CaptureFixture[str], bare: str) -> None:
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--test-chroms", "chr2", "--with-positives") == 0
    expected = capsys.readouterr().out
    Path(bare).write_text(Path(bare).read_text().replace("chr", ""))
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--test-chroms", "chr2", "--with-positives") == 0
    captured = capsys.readouterr()
    named = expected.replace("chr", "").replace("#om", "#chrom").replace("\tom", "\tchrom")
    assert captured.out == (named if bare == "pos.bedpe" else expected)
    first = "took 'chr1' for '1'" if bare == "pos.bedpe" else "took '1' for 'chr1'"
    assert f"warning: contig names differ from those of pos.bedpe: {first}" in captured.err


def test_loops_or_the_sides_exchanged_are_refused(inputs: None, fails: Fails) -> None:
    message = fails("negatives", "pos.bedpe", "p.bed", "e.bed")
    assert "pos.bedpe: none of these positives' enhancers (3) is in p.bed; expected pairs of an interval" in message
    assert "`speid candidates ENHANCERS.bed PROMOTERS.bed --anchors LOOPS.bedpe`, or exchange the two BED" in message
    Path("loops.bedpe").write_text("chr1\t0\t5000\tchr1\t500\t5500\n")
    assert "none of these positives' enhancers (1) is in e.bed" in fails("negatives", "loops.bedpe", "e.bed", "p.bed")


def test_labels_follow_the_rule_of_prepare(inputs: None, capsys: pytest.CaptureFixture[str], fails: Fails) -> None:
    lines = ["chr1\t0\t100\tchr1\t500\t600\tn\t1", "chr1\t1000\t1100\tchr1\t1500\t1600\tn\t0"]
    builders.write_pairs(Path("pos.bedpe"), lines, None)
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 1, "--with-positives") == 0
    captured = capsys.readouterr()
    assert "pos.bedpe: left out 1 line with label 0\n" in captured.err
    assert [line.split("\t")[0:5:4] for line in captured.out.splitlines() if line.endswith("\t1")] == [["chr1", "500"]]
    builders.write_pairs(Path("pos.bedpe"), lines[1:], None)
    assert "pos.bedpe: label 0 throughout, in 1 pair; expected at least one positive" in fails(
        "negatives", "pos.bedpe", "e.bed", "p.bed"
    )


@pytest.mark.parametrize("bare", [(), (0,), (1, 2), (1,)], ids=["chr everywhere", "positives", "elements", "enhancers"])
def test_negatives_of_the_published_positives_of_huvec(
    folder: Path, bare: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    data = builders.shared_data()
    published = gzip.decompress((data / "targetfinder.HUVEC.hg19.bedpe.gz").read_bytes()).decode().splitlines()
    texts = ["\n".join(line for line in published[1:] if line.split("\t")[10] == "1")]
    texts += [
        gzip.decompress((data / "hic" / f"HUVEC.{side}.bed.gz").read_bytes()).decode()
        for side in ("enhancers", "promoters")
    ]
    for number, text in enumerate(texts):
        Path(f"{number}.in").write_text(text.replace("chr", "") if number in bare else text)
    assert run("negatives", "0.in", "1.in", "2.in", "--ratio", 5, "--with-positives") == 0
    rows = [line.replace("chr", "").split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    keys = {label: {tuple(row[:6]) for row in rows if row[11] == label} for label in "01"}
    assert keys["1"] == {tuple(line.replace("chr", "").split("\t")[:6]) for line in texts[0].splitlines()}
    assert len(keys["0"]) == 5 * 1524
    assert not keys["0"] & keys["1"]
    distances = [[int(row[10]) for row in rows if row[11] == label] for label in "01"]
    assert ks_2samp(*distances).pvalue > 0.5

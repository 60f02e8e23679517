"""``speid negatives`` through the real command line, and on to ``prepare``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from speid_cli.dataset.pairs import PairDataset
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
            == f"e{fields[0][3]}{fields[1][0] if len(fields[1]) > 1 else 0}:p{fields[3][3]}{int(fields[4]) // 1000}"
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


def test_too_few_is_a_warning_or_with_strict_an_error(
    inputs: None, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed") == 0
    captured = capsys.readouterr()
    assert "warning: pos.bedpe: candidates for 15 negatives where 60 are asked for" in captured.err
    message = fails("negatives", "pos.bedpe", "e.bed", "p.bed", "--strict", "-o", "out.bedpe")
    assert "pos.bedpe: candidates for 15 negatives where 60 are asked for; lower --ratio, or fewer --bins" in message


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
    builders.write_pairs(Path("pos.bedpe"), lines, "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tlabel")
    assert run("negatives", "pos.bedpe", "e.bed", "p.bed", "--ratio", 1, "--balance", "elements") == 0
    message = capsys.readouterr().err
    assert "pos.bedpe: 1 lines with label 0 were left out" in message
    assert "warning: pos.bedpe: 1 pairs between chromosomes have no distance and were left out" in message
    assert "warning: pos.bedpe: candidates for 0 negatives where 1 are asked for" in message

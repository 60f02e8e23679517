"""``speid elements``: from annotations, segmentations and peaks to the two files that everything begins with."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.builders import run
from tests.genome.test_genes import GFF3, GTF
from tests.intervals import needs_bedtools

Fails = Callable[..., str]
STATES = "chr1\t0\t30\t13_EnhA1\nchr1\t30\t40\t14_EnhA2\nchr1\t200\t260\t13_EnhA1\nchr1\t300\t360\t25_Quies\n"


@pytest.fixture
def files(folder: Path) -> None:
    """``genes.gtf`` and ``states.bed``."""
    Path("genes.gtf").write_text(GTF)
    Path("states.bed").write_text(STATES)


def test_promoters_of_an_annotation(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("elements", "genes.gtf", "--upstream", "20", "--downstream", "5") == 0
    captured = capsys.readouterr()
    assert captured.out == "chr1\t0\t15\tA one\t.\t+\nchr1\t85\t110\tG2\t.\t-\n"
    assert captured.err == "2 promoters at the starts of 2 genes\n"
    assert run("elements", "genes.gtf", "--gene-types", "protein_coding,lncRNA", "-o", "p.bed") == 0
    assert Path("p.bed").read_text() == "chr1\t0\t510\tA one\t.\t+\n"


@needs_bedtools
def test_enhancers_of_a_segmentation_without_promoters(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("promoters.bed").write_text("1\t255\t300\n")
    command = ["elements", "states.bed", "--names", "13_EnhA1, 14_EnhA2,15_EnhAF", "--minus", "promoters.bed"]
    assert run(*command) == 0
    captured = capsys.readouterr()
    assert captured.out == "chr1\t0\t40\t13_EnhA1,14_EnhA2\t.\t.\n"
    assert captured.err == (
        "warning: no interval is named 15_EnhAF\n2 elements of 3 intervals\nwarning: contig names differ from those of the elements: took '1' for 'chr1'\n"
        "left out 1 element that overlap promoters.bed\n"
    )


def test_elements_on_a_reference(files: None, genome: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("states.bed").write_text("1\t5900\t7000\tx\nchr9\t0\t5\tx\n")
    assert run("elements", "states.bed", "-f", "genome.fa") == 0
    captured = capsys.readouterr()
    assert captured.out == "chr1\t5900\t6000\tx\t.\t.\n"
    assert "left out 1 element on contigs that genome.fa does not have, or beyond their ends" in captured.err


def test_contigs_are_named_as_in_the_first_file(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.bed").write_text("chr1\t10\t20\ta\n")
    Path("b.bed").write_text("1\t15\t30\tb\nchr7\t1\t2\tc\n")
    assert run("elements", "a.bed", "b.bed") == 0
    captured = capsys.readouterr()
    assert captured.out == "chr1\t10\t30\ta,b\t.\t.\nchr7\t1\t2\tc\t.\t.\n"
    assert "warning: contig names differ from those of a.bed: took '1' for 'chr1'" in captured.err
    Path("bare.gtf").write_text(GTF.replace("chr1", "1"))
    assert run("elements", "genes.gtf") == run("elements", "genes.gtf", "bare.gtf") == 0
    both = capsys.readouterr().out
    assert both.count("\n") == 4 and both[: len(both) // 2] * 2 == both


def test_starts_of_a_bed_file(files: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("cage.bed").write_text("chr1\t50\t60\tp1@A\t0\t-\n")
    assert run("elements", "cage.bed", "--promoters", "--upstream", "10", "--downstream", "1") == 0
    assert capsys.readouterr().out == "chr1\t59\t70\tp1@A\t.\t-\n"


@pytest.mark.parametrize(("kind", "text"), [("--promoters", GFF3), ("--enhancers", STATES)])
def test_standard_input(
    files: None, kind: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text(text)
    assert run("elements", "file", kind) == 0
    expected = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(text.encode()))))
    assert run("elements", "-", kind) == 0
    assert capsys.readouterr().out == expected


def test_what_does_not_fit_is_refused(files: None, fails: Fails) -> None:
    os.mkfifo("pipe")
    for name in ("-", "pipe"):
        assert "standard input and pipes need --promoters, for a gene annotation" in fails("elements", name, status=2)
    assert "gene annotations and BED files cannot be mixed" in fails("elements", "genes.gtf", "states.bed", status=2)
    assert "genes.gtf: is a gene annotation; expected a BED file, for" in fails("elements", "genes.gtf", "--enhancers")
    assert "--names selects enhancers from BED files" in fails("elements", "genes.gtf", "--names", "x", status=2)
    upstream = fails("elements", "states.bed", "--upstream", "5", status=2)
    assert "--upstream and --downstream are for promoters: give --promoters, or an annotation" in upstream
    assert "--gene-types is for gene annotations" in fails("elements", "states.bed", "--gene-types", "x", status=2)
    Path("empty.bed").write_text("# nothing\n")
    for kind in ("--promoters", "--enhancers"):
        assert "no intervals" in fails("elements", "empty.bed", kind)
    message = fails("elements", "genes.gtf", "--gene-types", "snRNA")
    assert "genes.gtf: no gene is of type snRNA; there are ., protein_coding" in message
    both = fails("elements", "genes.gtf", "--upstream", "0", "--downstream", "0", status=2)
    assert "--upstream and --downstream are both 0" in both

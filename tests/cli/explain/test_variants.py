"""``speid explain variants``: the same table from every form of a VCF, and what is said beside it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas
import pysam
import pytest

from speid_cli.explain.variants import COLUMNS
from speid_cli.genome.reference import Reference
from tests import builders
from tests.builders import run

PAIRS = ["chr1\t2000\t2100\tchr1\t2080\t2120\tnear", "chr1\t1990\t2110\tchr1\t4000\t4300\tother"]


@pytest.fixture
def inputs(genome: dict[str, str]) -> dict[str, str]:
    """A model, pairs, and a VCF with all kinds of alleles."""
    with Reference("genome.fa") as reference:
        known = {"path": str(Path("genome.fa").resolve()), "digest": reference.digest, "sample": reference.sample}
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint(reference=known).write(stream)
    Path("pairs.bedpe").write_text("".join(f"{line}\n" for line in PAIRS))
    text = genome["chr1"].upper()
    header = pysam.VariantHeader()
    for name, sequence in genome.items():
        header.add_line(f"##contig=<ID={name},length={len(sequence)}>")
    header.add_line('##ALT=<ID=DEL,Description="deletion">')
    with pysam.VariantFile("a.vcf", "w", header=header) as out:
        for start in (2010, 2090, 4150):
            while text[start] not in "ACGT":
                start += 1
            others = [base for base in "ACGT" if base != text[start]]
            out.write(out.new_record("chr1", start, alleles=(text[start], *others[:2]), id=f"rs{start}"))
            out.write(out.new_record("chr1", start, alleles=(text[start], text[start] + "AC"), id="insertion"))
            out.write(out.new_record("chr1", start, alleles=(text[start], "<DEL>"), stop=start + 9))
    return genome


def test_the_table_of_a_plain_and_of_a_bgzipped_vcf(
    inputs: dict[str, str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf") == 0
    out, err = capfd.readouterr()
    assert out.splitlines()[0].split("\t") == list(COLUMNS)
    assert "3 alleles skipped: symbolic allele; the first in line" in err
    assert "9 variants; 0 in no window; 15 rows" in err
    assert re.search(r"percentiles: \S+ s a pair, so .* if every one of 2 pairs has a variant \(--no-percentile", err)
    pysam.tabix_compress("a.vcf", "a.vcf.gz")
    pysam.tabix_index("a.vcf.gz", preset="vcf")
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf.gz", "-o", "table.tsv") == 0
    assert Path("table.tsv").read_text() == out
    with open("a.vcf.gz") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert run("explain", "variants", "model.pt", "pairs.bedpe", "-") == 0
    assert capfd.readouterr().out == out
    table = pandas.read_csv("table.tsv", sep="\t")
    assert list(table.columns) == list(COLUMNS)
    assert set(table.side) == {"enhancer", "promoter", "both"}
    assert table.percentile.between(0, 100).all()
    assert (table.shift_change.notna() == (table.id == "insertion")).all()
    assert "table.tsv: exists already" in failing(capfd, "a.vcf", "-o", "table.tsv")


def failing(capfd: pytest.CaptureFixture[str], vcf: str, *options: str) -> str:
    capfd.readouterr()
    assert run("explain", "variants", "model.pt", "pairs.bedpe", vcf, *options) == 1
    return capfd.readouterr().err


def test_without_percentiles_and_with_other_names(inputs: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf", "--no-percentile", "-o", "one.tsv") == 0
    assert "percentiles:" not in capfd.readouterr().err
    table = pandas.read_csv("one.tsv", sep="\t")
    assert table.percentile.isna().all()
    Path("b.vcf").write_text(Path("a.vcf").read_text().replace("\nchr1\t", "\n1\t"))
    capfd.readouterr()
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "b.vcf", "--no-percentile", "-o", "two.tsv") == 0
    assert "contig names differ from those of genome.fa: took '1' for 'chr1'" in capfd.readouterr().err.replace(
        str(Path.cwd()) + "/", ""
    )
    assert Path("two.tsv").read_bytes() == Path("one.tsv").read_bytes()


def test_nothing_is_written_where_the_vcf_is_of_another_genome(
    inputs: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    Path("c.vcf").write_text(Path("a.vcf").read_text().replace("\nchr1\t", "\nchr9\t"))
    assert "c.vcf: none of its contigs, such as 'chr9', is in" in failing(capfd, "c.vcf", "-o", "out.tsv")
    lines = Path("a.vcf").read_text().splitlines()
    record = next(number for number, line in enumerate(lines) if line.startswith("chr1"))
    fields = lines[record].split("\t")
    fields[3] = "ACGT".replace(fields[3], "")[0]
    lines[record] = "\t".join(fields)
    Path("d.vcf").write_text("\n".join(lines) + "\n")
    message = failing(capfd, "d.vcf", "-o", "out.tsv")
    assert f"d.vcf:{record + 1}: REF" in message
    assert "is the VCF of another genome build?" in message
    assert not Path("out.tsv").exists()

"""``speid export``: every format is read back by another program."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyBigWig
import pysam
import pytest

from speid_cli.genome.hits import HitReader, strongest
from tests import builders
from tests.builders import run

Fails = Callable[..., str]
HEADER = "#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2"
LINES = [
    "chr1\t500\t600\tchr1\t100\t200\te 1~GENE\t0.25\t.\t-",
    "chr1\t700\t800\tchr1\t100\t200\te2~GENE\t0.75\t.\t-",
    "chr2\t700\t800\tchr2\t100\t200\te%7E3~B,C\t1e-05\t.\t+",
    "chr2\t10\t20\tchr2\t100\t200\te4~B,C\t.\t.\t+",
    "chr1\t700\t800\tchr2\t100\t200\tplain\t0.75",
]


@pytest.fixture
def scored(genome: dict[str, str]) -> None:
    """``scored.bedpe`` beside ``genome.fa``: five pairs, one without a probability, one between chromosomes."""
    builders.write_pairs(Path("scored.bedpe"), LINES, HEADER)


def export(capsys: pytest.CaptureFixture[str], *options: object) -> list[list[str]]:
    capsys.readouterr()
    assert run("export", "scored.bedpe", *options) == 0
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_the_table_has_genes_distances_and_probabilities(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "scored.bedpe") == 0
    captured = capsys.readouterr()
    header, *rows = (line.split("\t") for line in captured.out.splitlines())
    assert header[:6] == ["promoter", "enhancer", "probability", "distance", "promoter_chrom", "promoter_start"]
    assert rows[0] == ["GENE", "e 1", "0.25", "300", "chr1", "100", "200", "-", "chr1", "500", "600"]
    assert [row[:4] for row in rows[1:]] == [
        ["GENE", "e2", "0.75", "500"], ["B,C", "e~3", "1e-05", "500"],
        ["chr2:100-200", "chr1:700-800", "0.75", "NA"],
    ]  # fmt: skip
    assert captured.err == "warning: 1 pair without a probability left out\n4 hits of 5 pairs\n"


def test_two_spellings_of_a_contig_are_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builders.write_pairs(Path("scored.bedpe"), [LINES[0].replace("chr1", "1", 1)], HEADER)
    (row,) = export(capsys)[1:]
    assert row[3:5] == ["300", "1"] and row[8] == "1"
    assert len(export(capsys, "--format", "interact")) == 2  # a track line and the hit


def test_the_strongest_hits(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row[1] for row in export(capsys, "--top", 3)[1:]] == ["e2", "chr1:700-800", "e 1"]
    assert [row[1] for row in export(capsys, "--top", 1, "--per", "promoter")[1:]] == ["e2", "chr1:700-800"]
    assert [row[1] for row in export(capsys, "--top", 2, "--per", "promoter")[1:]] == [
        "e2", "e 1", "chr1:700-800", "e~3"
    ]  # fmt: skip
    assert [row[0] for row in export(capsys, "--top", 9, "--per", "enhancer")[1:]] == [
        "GENE", "GENE", "chr2:100-200", "B,C"
    ]  # fmt: skip


def test_the_strongest_are_those_of_a_sort(pairs: list[str]) -> None:
    lines = [f"{line.rsplit('	', 4)[0]}\t{number * 37 % 11 / 11}\t.\t." for number, line in enumerate(pairs)]
    builders.write_pairs(Path("in.bedpe"), lines, None)
    hits = list(HitReader("in.bedpe"))
    ordered = sorted(hits, key=lambda hit: -hit.probability)
    assert strongest(hits, 7) == ordered[:7]
    expected = [
        hit
        for place in sorted({hit.pair.promoter for hit in hits})
        for hit in [hit for hit in ordered if hit.pair.promoter == place][:2]
    ]
    assert strongest(hits, 2, "promoter") == expected


def test_bedpe_is_cut_at_a_probability(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(capsys, "--format", "bedpe", "--min-score", 0.5) == [
        HEADER.split("\t"), LINES[1].split("\t"), LINES[4].split("\t")
    ]  # fmt: skip
    bioframe = pytest.importorskip("bioframe")
    assert run("export", "scored.bedpe", "--format", "bedpe", "--min-score", 0.25, "-o", "cut.bedpe") == 0
    table = bioframe.read_table("cut.bedpe", schema="bedpe", comment="#")
    assert table["start1"].tolist() == [500, 700, 700]
    assert table["score"].tolist() == [0.25, 0.75, 0.75]


def test_an_appended_probability_is_in_the_last_column(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{line}\t0.5" for line in LINES[:3]]
    builders.write_pairs(Path("scored.bedpe"), lines, f"{HEADER}\tprobability")
    assert [row[2] for row in export(capsys, "--append")[1:]] == ["0.5"] * 3


def test_lines_that_predict_could_not_score_are_left_out(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["chr1\tx\t5\tchr1\t7\t9\t.\t.", "chr1\t5\t.\t.\t.\t.\t.\t.", LINES[0].replace("0.25", "-0")]
    builders.write_pairs(Path("scored.bedpe"), lines, HEADER)
    assert run("export", "scored.bedpe") == 0
    captured = capsys.readouterr()
    assert [line.split("\t")[2] for line in captured.out.splitlines()[1:]] == ["0"]
    assert "2 pairs without a probability left out\n1 hit of 3 pairs" in captured.err
    builders.write_pairs(Path("scored.bedpe"), lines[:2], HEADER)
    assert run("export", "scored.bedpe") == 0
    assert (
        "left out; were they scored by speid predict? --append, if it is in the last column" in capsys.readouterr().err
    )
    Path("scored.bedpe").write_text("")
    assert run("export", "scored.bedpe") == 0
    assert "warning: no pairs in the input" in capsys.readouterr().err


def test_promoters_may_come_first(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    (_, row, *_) = export(capsys, "--promoter-first")
    assert row == ["e 1", "GENE", "0.25", "300", "chr1", "500", "600", ".", "chr1", "100", "200"]


def test_interact(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = export(capsys, "--format", "interact", "--name", 'a "b"')
    assert header[0].startswith("track type=interact name=\"a 'b'\" description=\"a 'b'\" interactDirectional=true")
    assert all(len(row) == 18 and not any(" " in field or not field for field in row) for row in rows)
    assert rows[0] == [
        "chr1", "100", "600", "e_1~GENE", "250", "0.25", ".", "86,60,140",
        "chr1", "500", "600", "e_1", ".", "chr1", "100", "200", "GENE", "-",
    ]  # fmt: skip
    assert [row[:3] for row in rows[3:]] == [["chr1", "700", "800"], ["chr2", "100", "200"]]
    assert rows[3][8:] == rows[4][8:]


def test_biginteract_is_read_by_pybigwig(scored: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "scored.bedpe", "--format", "biginteract", "-f", "genome.fa", "-o", "hits.bb") == 0
    rows = export(capsys, "--format", "interact")[1:]
    with pyBigWig.open("hits.bb") as reader:
        assert reader.isBigBed() and reader.SQL().decode().startswith("table interact\n")
        found = [
            [contig, str(start), str(end), *rest.split("\t")]
            for contig in reader.chroms()
            for start, end, rest in reader.entries(contig, 0, builders.CONTIG_BP) or []
        ]
    assert sorted(found) == sorted(rows)
    assert struct.unpack("<HH", Path("hits.bb").read_bytes()[32:36]) == (18, 5)


def test_longrange_is_read_by_tabix(scored: None) -> None:
    assert run("export", "scored.bedpe", "--format", "longrange", "-o", "hits.gz") == 0
    with pysam.TabixFile("hits.gz") as reader:
        assert list(reader.fetch("chr1", 0, 550)) == ["chr1\t100\t200\tchr1:500-600,0.25",
                                                      "chr1\t100\t200\tchr1:700-800,0.75",
                                                      "chr1\t500\t600\tchr1:100-200,0.25"]  # fmt: skip
        assert list(reader.fetch("chr2", 100, 101))[0] == "chr2\t100\t200\tchr1:700-800,0.75"
        assert sum(1 for contig in reader.contigs for _ in reader.fetch(contig)) == 8
    assert run("export", "scored.bedpe", "--format", "longrange", "-o", "hits.gz") == 1
    assert run("export", "scored.bedpe", "--format", "longrange", "-o", "hits.gz", "--force") == 0


@pytest.mark.slow
def test_links_are_drawn_by_pygenometracks(scored: None) -> None:
    program = shutil.which("pyGenomeTracks")
    if program is None:
        pytest.skip(
            "pyGenomeTracks is not installed; tests/run.sh installs it beside, since it needs an old matplotlib"
        )
    assert run("export", "scored.bedpe", "--format", "links", "-o", "hits.links") == 0
    assert Path("hits.links").read_text().splitlines()[0] == "chr1\t500\t600\tchr1\t100\t200\t0.25\t0.25"
    Path("tracks.ini").write_text("[links]\nfile = hits.links\nfile_type = links\nlinks_type = arcs\nheight = 3\n")
    command = [program, "--tracks", "tracks.ini"]
    command += ["--region", "chr1:0-1000", "-o", "hits.svg"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "2 were links plotted" in done.stderr
    assert Path("hits.svg").read_text().count("<path") > 2


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ("chr1\t1\t2\tchr1\t3\t4", [], "scored.bedpe:2: there is no column 8; expected a probability, as speid predict"),
        (LINES[0].replace("0.25", "+"), [], "scored.bedpe:2: '+' in column 8; expected a probability from 0 to 1; "
         "--append, if it is in the last column"),
        (LINES[0].replace("0.25", "1.5"), [], "scored.bedpe:2: '1.5' in column 8"),
        (LINES[0].replace("0.25", "nan"), [], "scored.bedpe:2: 'nan' in column 8"),
        (LINES[0], ["--append"], "scored.bedpe:1: the last column is headed 'strand2'; expected probability, as predict"),
        (LINES[0].replace("0.25", "0_1"), [], "scored.bedpe:2: '0_1' in column 8"),
        (LINES[0].replace("500", "600000000").replace("600\t", "600000009\t"), ["--format", "longrange", "-o", "x.gz"],
         "scored.bedpe:2: position 600000009; expected at most 536,870,912, as for tabix"),
        (LINES[0], ["--min-score", 1, "--format", "biginteract", "-f", "genome.fa", "-o", "x.bb"],
         "x.bb: nothing to write; expected at least one row in a bigBed"),
        (LINES[0].replace("chr1", "chr-1"), ["--format", "longrange", "-o", "x.gz"],
         "scored.bedpe:2: contig 'chr-1'; expected letters, digits, _ and . only, in the format longrange"),
        (LINES[0].replace("chr1", "chr9"), ["--format", "biginteract", "-f", "genome.fa", "-o", "x.bb"],
         "scored.bedpe:2: unknown contig 'chr9'; expected a contig of genome.fa"),
    ],
)  # fmt: skip
def test_what_is_no_scored_pair_is_refused(
    scored: None, fails: Fails, line: str, options: list[str], message: str
) -> None:
    builders.write_pairs(Path("scored.bedpe"), [line], HEADER)
    assert message in fails("export", "scored.bedpe", *options)


def test_outputs_that_do_not_fit_are_refused(scored: None, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--per needs --top" in fails("export", "scored.bedpe", "--per", "promoter", status=2)
    for format_, ending in (("longrange", ".gz"), ("biginteract", ".bb")):
        message = f"--format {format_} is not text, and needs -o FILE{ending}"
        assert message in fails("export", "scored.bedpe", "--format", format_, status=2)
    monkeypatch.delenv("SPEID_REFERENCE", raising=False)
    message = fails("export", "scored.bedpe", "--format", "biginteract", "-o", "x.bb", status=2)
    assert "--format biginteract needs the lengths of contigs: give -f, or set SPEID_REFERENCE" in message
    Path("x.gz.tbi").touch()
    assert "x.gz.tbi: exists already" in fails("export", "scored.bedpe", "--format", "longrange", "-o", "x.gz")


def test_a_terminal_gets_an_aligned_table(
    scored: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run("export", "scored.bedpe", "--top", 2) == 0
    captured = capsys.readouterr()
    lines = re.sub(r"\x1b\[\d*m", "", captured.out).splitlines()
    assert max(map(len, lines)) <= 80
    head, first = (next(line for line in lines if word in line) for word in ("promoter", "GENE"))
    assert head.split() == ["promoter", "enhancer", "probability", "distance"]
    assert first.split() == ["GENE", "e2", "0.75", "500"]
    assert head.index("distance") + len("distance") == first.index("500") + 3
    assert "> FILE gives all columns" in captured.err

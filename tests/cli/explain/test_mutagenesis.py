"""``speid explain mutagenesis``: its files, its options, and going on after a kill."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speid_cli.explain.record import Record, record_path
from tests import builders

COMMAND = ["explain", "mutagenesis", "model.pt", "pairs.bedpe", "-f", "genome.fa"]
OUT = Path("model.mutagenesis")


@pytest.fixture
def three(folder: Path, genome: dict[str, str]) -> list[str]:
    """``pairs.bedpe`` of three pairs, and ``model.pt``."""
    lines = builders.pair_lines(3)
    builders.write_pairs(folder / "pairs.bedpe", lines)
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    return lines


def table(folder: Path = OUT) -> list[dict[str, str]]:
    with gzip.open(folder / "mutagenesis.tsv.gz", "rt", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_and_the_same_again(three: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert builders.run(*COMMAND, "--modisco", "m") == 0
    assert builders.run(*COMMAND, "--modisco", "n", "-o", "again") == 0
    err = capsys.readouterr().err
    assert f"{len(table()):,} substitutions in 3 pairs\n" in err
    assert "again/report.html: open it in a browser\n" in err
    assert contents(OUT) == contents(Path("again"))
    tracks = [f"{line}.pair{line - 2}.{side}.bw" for line in (2, 3, 4) for side in ("enhancer", "promoter")]
    assert sorted(contents(OUT)) == [*tracks, "mutagenesis.tsv.gz", "report.html"]
    assert list(table()[0]) == [
        "line", "side", "chrom", "position", "reference", "alternative", "probability", "logit_change",
    ]  # fmt: skip
    assert {row["line"] for row in table()} == {"2", "3", "4"}
    for side, length in (("enhancer", 300), ("promoter", 200)):
        onehot, effects = (np.load(f"m.{side}.{kind}.npz")["arr_0"] for kind in ("onehot", "effects"))
        assert onehot.shape == effects.shape == (3, 4, length)
        for kind in ("onehot", "effects"):
            assert Path(f"m.{side}.{kind}.npz").read_bytes() == Path(f"n.{side}.{kind}.npz").read_bytes()
    assert not list(Path().glob(".*"))


def test_a_region_and_the_elements(three: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, start, end, *_ = three[1].split("\t")
    where = f"2:{int(start) + 1:,}-{int(end):,}"
    assert builders.run(*COMMAND, "--region", where) == 0
    err = capsys.readouterr().err
    assert "2 pairs left out: they have no base to substitute\n" in err
    assert "warning: contig names differ from those of genome.fa: took '2' for 'chr2'" in err
    limited = table()
    assert {row["line"] for row in limited} == {"3"}
    assert all(int(start) <= int(row["position"]) < int(end) for row in limited)
    page = (OUT / "report.html").read_text()
    assert f"--region: <code>{where.replace(',', '')}</code>; --precision: <code>fp32</code>." in page
    assert "--elements" not in page
    assert "<h3>Enhancer, window " in page
    assert "<h3>Promoter" not in page
    assert builders.run(*COMMAND, "--elements", "--force") == 0
    for row in table():
        fields = three[int(row["line"]) - 2].split("\t")
        chrom, first, last = fields[:3] if row["side"] == "enhancer" else fields[3:6]
        assert row["chrom"] == chrom
        assert int(first) <= int(row["position"]) < int(last)


def test_sides_may_be_exchanged(three: list[str]) -> None:
    assert builders.run(*COMMAND, "--elements") == 0
    exchanged = ["\t".join([*line.split("\t")[3:6], *line.split("\t")[:3], *line.split("\t")[6:]]) for line in three]
    builders.write_pairs(Path("pairs.bedpe"), exchanged)
    assert builders.run(*COMMAND, "--elements", "--promoter-first", "-o", "other") == 0
    assert contents(OUT) == contents(Path("other"))


def test_the_names_of_contigs_are_those_of_the_pairs(three: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert builders.run(*COMMAND, "--elements") == 0
    expected = [row | {"chrom": row["chrom"].removeprefix("chr")} for row in table()]
    builders.write_pairs(Path("pairs.bedpe"), [line.replace("chr", "") for line in three])
    assert builders.run(*COMMAND, "--elements", "--force") == 0
    assert table() == expected
    assert "took '1' for 'chr1'" in capsys.readouterr().err


def test_tracks_of_an_earlier_run_are_removed_and_other_files_stay(three: list[str]) -> None:
    assert builders.run(*COMMAND, "--elements") == 0
    Path(OUT, "notes.bw").write_text("mine")
    before = {path.name for path in OUT.glob("*.bw")}
    builders.write_pairs(Path("pairs.bedpe"), three[:1])
    assert builders.run(*COMMAND, "--elements", "--force") == 0
    after = {path.name for path in OUT.glob("*.bw")}
    assert len(before) == 6 and after == {"notes.bw", "2.pair0.enhancer.bw"}


def test_what_is_refused(three: list[str], fails: Callable[..., str]) -> None:
    for wrong in ("chr1", "chr1:0-5", "chr1:9-5", "chr1:,-5", "chr1:1-2000000000000000"):
        message = f"'{wrong}': expected CHROM:START-END, counted from 1, such as chr1:1,000,001-1,000,500"
        assert message in fails(*COMMAND, "--region", wrong, status=2)
    assert "--region: unknown contig 'chr9'; expected a contig of genome.fa (chr1, " in fails(
        *COMMAND, "--region", "chr9:1-5"
    )
    assert "pairs.bedpe: the windows of these pairs have no base in chr4:1-5; expected a region such as chr1:" in fails(
        *COMMAND, "--region", "chr4:1-5"
    )
    Path("m.promoter.onehot.npz").touch()
    assert "m.promoter.onehot.npz: exists already" in fails(*COMMAND, "--modisco", "m")
    OUT.mkdir()
    assert "model.mutagenesis: exists already; give --force" in fails(*COMMAND)


def test_without_pybigtools_all_the_rest_is_written(
    three: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speid_cli.genome.bigwig.importlib.util.find_spec", lambda name: None)
    assert builders.run(*COMMAND, "--elements") == 0
    assert "warning: no bigWig tracks: they need pybigtools; try: pip install pybigtools" in capsys.readouterr().err
    assert sorted(contents(OUT)) == ["mutagenesis.tsv.gz", "report.html"]


def test_a_killed_run_goes_on_to_the_same_bytes(three: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Many pairs, of which the first are finished when the run is killed."""
    builders.write_pairs(Path("pairs.bedpe"), builders.pair_lines(40))
    assert builders.run(*COMMAND, "-o", "whole") == 0
    process = subprocess.Popen([sys.executable, "-m", "speid_cli", *COMMAND], stderr=subprocess.DEVNULL)
    record = record_path(OUT)
    while not (record.exists() and record.read_bytes().count(b"\n") > 2) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = record.read_bytes().count(b"\n") - 1
    assert 0 < done < 40
    assert not OUT.exists()
    capsys.readouterr()
    assert builders.run(*COMMAND, "--resume") == 0
    assert f"going on after {done} pair" in capsys.readouterr().err
    assert contents(OUT) == contents(Path("whole"))
    assert not list(Path().glob(".model*"))


def test_an_interrupted_run_says_how_to_go_on(
    three: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(record: Record, *part: object) -> None:
        add(record, *part)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    add = Record.add
    monkeypatch.setattr(Record, "add", interrupt)
    assert builders.run(*COMMAND) == 130
    assert f"{record_path(OUT)}: what is finished; --resume continues from it\n" in capsys.readouterr().err


def test_only_the_same_question_goes_on(three: list[str], fails: Callable[..., str]) -> None:
    record = record_path(OUT)
    record.write_text(json.dumps({"model": "another", "--elements": False}) + "\n")
    message = fails(*COMMAND, "--resume")
    assert (
        ".model.mutagenesis.part.jsonl: was begun with another --precision, model, pairs, reference; "
        "expected the same inputs and options; --force without --resume begins anew" in message
    )
    assert record.exists()
    assert builders.run(*COMMAND, "--elements") == 0
    assert not record.exists()

"""``speid explain epistasis``, over a data set and of one pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from speid_cli.explain import epistasis
from speid_cli.explain.record import record_path
from tests import builders
from tests.builders import run
from tests.cli.explain.runs import check_page, contents, kill_after, write_motifs
from tests.explain.planted import Question

ASK = ["explain", "epistasis", "pairs.pt", "pairs.npz"]
EPISTASIS = [*ASK, "--motifs", "motifs.jaspar", "--p-value", "1e-5"]
COLUMNS = ["enhancer_motif", "promoter_motif", "pairs", "effect", "low", "high", "p_value", "q_value", "enhancer_name",
           "promoter_name", "family"]  # fmt: skip
PAIR = [*ASK, "-f", "genome.fa", "-o", "map", "--draws", 2]


def table(path: str = "pairs.epistasis/epistasis.tsv") -> pandas.DataFrame:
    return pandas.read_csv(path, sep="\t")


def test_it_writes_a_table_and_a_page(asked: Question, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*EPISTASIS) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    for text in (
        f"{asked.subject.verdict}\n",
        "warning: p-values cannot be below 0.002: they are by promoter, and the pairs have 10 of these only\n",
        "couples: ", " mutants, about ", "couples significant: none\n",
        "pairs.epistasis/report.html: open it in a browser\n",
    ):  # fmt: skip
        assert text in captured.err
    assert sorted(contents("pairs.epistasis")) == ["epistasis.tsv", "report.html"]
    assert not record_path(Path("pairs.epistasis")).exists()
    found = table()
    assert list(found.columns) == COLUMNS
    assert (found.enhancer_motif.str[2:] == found.enhancer_name.str[3:]).all()
    assert not ((found.low > found.effect) | (found.effect > found.high)).any() and (found.pairs > 0).all()
    assert found.low.isna().equals(found.high.isna()) and found.low.notna().any()
    assert found.q_value.between(0, 1).all()
    check_page("pairs.epistasis", "How well the model predicts these pairs:", "The model does not predict these 40 test",
               "What the numbers mean:", "Which motif needs which", "one0", "resampled by promoter (10")  # fmt: skip


def test_a_killed_run_goes_on_to_the_same_bytes(asked: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*EPISTASIS, "--draws", 40]
    assert run(*command, "-o", "whole") == 0
    couples = len(table("whole/epistasis.tsv"))
    done = kill_after(1, "out", *command)
    assert 1 <= done < couples, "partial results are on disk"
    computed, summarise = list[int](), epistasis.summarise

    def counting(*given: object) -> object:
        computed.append(1)
        return summarise(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(epistasis, "summarise", counting)
    assert run(*command, "-o", "out", "--resume") == 0
    assert len(computed) == 2 + couples - done, "two are trials of the time that it takes"
    assert contents("out") == contents("whole")


def test_the_same_bytes_twice_whatever_the_cache(asked: Question) -> None:
    assert run(*EPISTASIS, "-o", "one") == run(*EPISTASIS, "-o", "two", "--cache-memory", "1") == 0
    assert contents("one") == contents("two")


def test_nothing_to_ask_about(asked: Question, fails: Callable[..., str]) -> None:
    assert "speid: no motifs to ask about; give --motifs FILE or --jaspar RELEASE\n" in fails(*ASK, status=2)
    write_motifs("TGACTCAGGCCATTGTTC")
    err = fails(*EPISTASIS)
    assert "speid: no pair with a site of a motif in both elements; give other motifs, or more pairs\n" in err
    write_motifs("ACGT")
    err = fails(*EPISTASIS)
    assert "warning: 1 motif (one0) too short or too vague to have a site at this --p-value\n" in err


def test_pairs_that_were_seen_are_refused(asked: Question, genome: dict[str, str], fails: Callable[..., str]) -> None:
    with open("pairs.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    for command in (EPISTASIS, [*PAIR, "--pair", "chr1:1-9,chr1:11-20"]):
        assert "pairs.npz: the model has seen these test pairs, or may have: it does not say" in fails(*command)


def test_a_map_of_one_pair(asked: Question, pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The same pair as a line of a BEDPE file, header counted, and as two regions."""
    fields = pairs[1].split("\t")
    regions = [f"{chrom}:{int(start) + 1:,}-{int(end):,}" for chrom, start, end in (fields[:3], fields[3:6])]
    write_motifs("ACCTG", "GATTC", "TTGCA")
    motifs = ["--motifs", "motifs.jaspar", "--p-value", "0.002"]
    assert run(*PAIR, *motifs, "--pair", "pairs.bedpe:3") == 0
    err = capsys.readouterr().err
    assert f"{asked.subject.verdict}\n" in err and "map/report.html: open it in a browser\n" in err
    assert run(*PAIR, *motifs, "--pair", ",".join(regions), "-o", "again") == 0
    assert contents("map") == contents("again")
    assert sorted(contents("map")) == ["report.html", "sites.tsv", "tiles.tsv"]
    tiles, sites = table("map/tiles.tsv"), table("map/sites.tsv")
    assert list(tiles.columns) == [
        "enhancer_chrom", "enhancer_start", "enhancer_end", "promoter_chrom", "promoter_start", "promoter_end",
        "epistasis",
    ]  # fmt: skip
    assert len(tiles) == 6 * 4 and tiles.epistasis.abs().is_monotonic_decreasing
    first = (int(fields[1]) + int(fields[2]) - builders.ENHANCER_WINDOW) // 2
    assert sorted(set(tiles.enhancer_start)) == [first + 50 * number for number in range(6)]
    assert list(sites.columns) == ["side", "chrom", "start", "end", "strand", "motif", "name", "bits", "effect"]
    assert len(sites) > 0 and (sites.end - sites.start == 5).all()
    check_page("map", f"enhancer {fields[0]}:{int(fields[1]) + 1}-", "How well the model predicts these pairs:",
               "The model does not predict these 40 test pairs", "probability that the pair interacts",
               "What the numbers mean:", "What each base contributes", "Sites of motifs")  # fmt: skip


def test_a_map_of_a_pair_with_other_names_or_without_bases(
    asked: Question, genome: dict[str, str], fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*PAIR, "--pair", "1:1001-1200,1:3001-3100") == 0
    assert "took '1' for 'chr1'" in capsys.readouterr().err
    assert set(table("map/tiles.tsv").enhancer_chrom) == {1}
    builders.write_fasta(Path("n.fa"), {name: "N" * len(sequence) for name, sequence in genome.items()})
    message = fails(*PAIR, "--pair", "chr1:1001-1200,chr1:3001-3100", "-f", "n.fa", "-o", "none")
    assert "--pair: the windows of this pair hold only N; is this the right genome build?" in message


def test_a_map_needs_no_motifs(asked: Question, pairs: list[str]) -> None:
    assert run(*PAIR, "--pair", "pairs.bedpe:3") == 0
    assert Path("map/sites.tsv").read_text() == "side\tchrom\tstart\tend\tstrand\tmotif\tname\tbits\teffect\n"
    assert "Sites of motifs" not in Path("map/report.html").read_text()


@pytest.mark.parametrize(
    ("pair", "status", "message"),
    [
        ("chr1-5", 2, "--pair: 'chr1-5': expected CHROM:START-END,CHROM:START-END or FILE:LINE"),
        ("chr1:1-9", 2, "--pair: 'chr1:1-9': expected CHROM:START-END,CHROM:START-END or FILE:LINE"),
        (
            "chr1:9-5,chr1:1-9",
            2,
            "Invalid value for --pair: 'chr1:9-5': expected CHROM:START-END, counted from 1, such as chr1:1,000,001-",
        ),
        ("pairs.bedpe:1", 1, "pairs.bedpe:1: no pair on this line; lines are counted from 1, headers included\n"),
        ("pairs.bedpe:62", 1, "pairs.bedpe:62: no pair on this line; lines are counted from 1, headers included\n"),
        ("pairs.bedpe:0", 1, "pairs.bedpe:0: no pair on this line"),
        ("nothing.bedpe:3", 1, "nothing.bedpe: No such file"),
        (
            "chr1:1-100,chr1:5990-7000",
            1,
            "end 7000 is beyond chr1, which is 6000 bp long; expected coordinates of",
        ),
        ("chr9:1-3,chr1:1-9", 1, "speid: --pair: unknown contig 'chr9'; expected a contig of genome.fa (chr1, "),
    ],
)
def test_pairs_that_are_none(
    asked: Question, pairs: list[str], fails: Callable[..., str], pair: str, status: int, message: str
) -> None:
    err = fails(*PAIR, "--pair", pair, status=status)
    assert message in err
    assert "AUPRC" not in err, "it is known before all pairs are scored"


def test_options_of_the_other_question_are_refused(asked: Question, fails: Callable[..., str]) -> None:
    err = fails(*PAIR, "--pair", "pairs.bedpe:3", "--resume", status=2)
    assert "speid: --resume does not fit --pair: a map of one pair is made in one go\n" in err
    err = fails(*EPISTASIS, "-f", "genome.fa", status=2)
    assert "speid: --reference is read with --pair only; otherwise the data set has the sequence\n" in err

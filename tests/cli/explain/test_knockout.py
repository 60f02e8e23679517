"""``speid explain knockout``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest

from speid_cli.dataset.pairs import TEST, TRAIN
from speid_cli.explain import knockout
from speid_cli.explain.record import record_path
from tests import builders
from tests.builders import run
from tests.cli.explain.runs import check_page, contents, kill_after, write_motifs
from tests.explain.planted import PAIRS, Question

KNOCKOUT = ["explain", "knockout", "pairs.pt", "pairs.npz", "--motifs", "motifs.jaspar", "--p-value", "1e-5"]
COLUMNS = [
    "side", "motif", "name", "pairs", "sites", "effect", "low", "high", "effect_negatives", "effect_per_site",
    "probability_change", "auprc_change", "auprc_low", "auprc_high", "p_value", "q_value", "redundancy", "family",
    "shared_sites", "left_out",
]  # fmt: skip
FILES = ["knockout.tsv", "report.html"]


def table(folder: str = "pairs.knockout") -> pandas.DataFrame:
    return pandas.read_csv(f"{folder}/knockout.tsv", sep="\t")


def test_it_writes_a_table_and_a_page(asked: Question, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*KNOCKOUT) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    for text in (
        f"{asked.subject.verdict}\n",
        "warning: p-values cannot be below 0.002: they are by promoter, and the pairs have 10 of these only\n",
        "3 motifs in either side: ", " mutants, about ",
        "0 of 6 effects are significant (q < 0.05): none\n",
        "pairs.knockout/report.html: open it in a browser\n",
    ):  # fmt: skip
        assert text in captured.err
    assert sorted(contents("pairs.knockout")) == FILES
    assert not record_path(Path("pairs.knockout")).exists()
    found = table()
    assert list(found.columns) == COLUMNS
    assert sorted(zip(found.side, found.motif, found.name, strict=True)) == [
        (side, f"MA{number}", f"one{number}") for side in ("enhancer", "promoter") for number in range(3)
    ]
    known = found[found.pairs > 0]
    assert (known.low <= known.effect).all() and (known.effect <= known.high).all()
    assert known.q_value.between(0, 1).all() and found[found.pairs == 0].q_value.isna().all()
    np.testing.assert_allclose(known.redundancy[known.motif != "MA0"], 0)
    check_page("pairs.knockout", "How well the model predicts these pairs:", "The model does not predict these 40 test",
               "What the numbers mean:", "Effects", "one0", "resampled by promoter (10 of them)")  # fmt: skip


def test_the_same_bytes_twice_whatever_the_cache(asked: Question) -> None:
    assert run(*KNOCKOUT, "-o", "one") == run(*KNOCKOUT, "-o", "two", "--cache-memory", "1") == 0
    assert contents("one") == contents("two")
    assert run(*KNOCKOUT, "-o", "other", "--seed", 1) == 0
    assert contents("one")["knockout.tsv"] != contents("other")["knockout.tsv"]


def test_a_killed_run_goes_on_to_the_same_bytes(
    asked: Question, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*KNOCKOUT, "--draws", 40]
    assert run(*command, "-o", "whole") == 0
    done = kill_after(1, "out", *command)
    assert 1 <= done < 6, "partial results are on disk"
    computed, knock_out_one = list[int](), knockout.knock_out_one

    def counting(*given: object) -> object:
        computed.append(1)
        return knock_out_one(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(knockout, "knock_out_one", counting)
    assert run(*command, "-o", "out", "--resume") == 0
    assert len(computed) == 2 + 6 - done, "two are trials of the time that it takes"
    assert contents("out") == contents("whole")
    assert not record_path(Path("out")).exists()


def test_only_the_same_question_goes_on(asked: Question, fails: Callable[..., str]) -> None:
    record_path(Path("out")).write_text('{"draws": 4, "seed": 2}\n')
    message = fails(*KNOCKOUT, "-o", "out", "--resume")
    assert (
        ".out.part.jsonl: was begun with another --precision, allow_seen, data, draws, model, most_pairs, motifs, p_value, seed, subset; expected the same inputs and options; --force"
        in message
    )


def test_nothing_to_ask_about(asked: Question, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    message = "speid: no motifs to ask about; give --motifs FILE or --jaspar RELEASE\n"
    assert message in fails(*KNOCKOUT[:4], status=2)
    write_motifs("ACGT", "CATG")
    assert run(*KNOCKOUT) == 0
    err = capsys.readouterr().err
    assert "warning: 2 motifs (one0, one1) too short or too vague to have a site at this --p-value\n" in err
    assert "2 motifs in either side: 0 mutants, about " in err
    assert table().effect.isna().all() and (table()[["pairs", "sites", "left_out"]] == 0).all(axis=None)
    assert "4 more rows, of motifs without a usable site" in Path("pairs.knockout/report.html").read_text()


def test_pairs_that_were_seen_are_refused_or_warned_of(
    asked: Question, fails: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with open("pairs.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)
    reason = "it does not say what it was trained on"
    assert f"pairs.npz: the model has seen these test pairs, or may have: {reason}; expected pairs held out" in fails(
        *KNOCKOUT
    )
    assert run(*KNOCKOUT, "--allow-seen") == 0
    warning = f"The model may have been trained on these pairs: {reason}."
    assert f"warning: {warning}\n" in capsys.readouterr().err
    check_page("pairs.knockout", "How well the model predicts", warning, "What the numbers mean:")


def test_a_split_that_leaks_is_warned_of_on_top(asked: Question, capsys: pytest.CaptureFixture[str]) -> None:
    subset = np.where(np.arange(PAIRS) < 10, TRAIN, TEST).astype(np.int8)
    leaking = builders.relabelled(asked.dataset, subset=subset)
    checkpoint = builders.random_checkpoint(stages=[{"stage": "finetuned", "dataset": leaking.digest}])
    for path, content in (("pairs.npz", leaking), ("pairs.pt", checkpoint)):
        with open(path, "wb") as stream:
            content.write(stream)
    assert run(*KNOCKOUT) == 0
    warning = "30 of 30 test pairs share an element or sequence with training pairs, so that the model may have"
    assert f"warning: {warning}" in capsys.readouterr().err
    check_page("pairs.knockout", "How well the model predicts", "Too good:", warning, "What the numbers mean:")


def test_a_folder_that_exists_is_kept(asked: Question, fails: Callable[..., str]) -> None:
    Path("pairs.knockout").mkdir()
    assert "pairs.knockout: exists already; give --force" in fails(*KNOCKOUT)

"""``speid explain kernels``."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from Bio import motifs as biopython

from speid_cli.dataset.pairs import PairDataset
from speid_cli.explain import importance
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.record import record_path
from speid_cli.model.checkpoint import Checkpoint
from tests import builders
from tests.builders import run

Fails = Callable[..., str]
KERNELS = ["explain", "kernels", "pairs.pt", "pairs.npz"]
MOTIFS = ">MA1 first\n" + "".join(
    f"{letter} [ {' '.join(row)} ]\n" for letter, row in zip("ACGT", ("9011", "0900", "0080", "0018"), strict=True)
)
FILES = ["kernels.meme", "kernels.tsv", "report.html"]


@pytest.fixture
def model(dataset: PairDataset) -> Checkpoint:
    """``pairs.pt``, whose kernels 0 and 1 began as motifs, and ``motifs.jaspar``."""
    stages = [{"stage": "finetuned", "dataset": dataset.digest}]
    record = {"name": "first", "offset": 2, "length": 4, "strand": "+", "source": "motifs.jaspar"}
    motifs = [record | {"identifier": name, "kernel": kernel} for kernel, name in enumerate(("MA1", "MA2"))]
    checkpoint = builders.random_checkpoint(stages=stages, motifs=motifs)
    write(checkpoint)
    Path("motifs.jaspar").write_text(MOTIFS)
    return checkpoint


def write(checkpoint: Checkpoint) -> None:
    with open("pairs.pt", "wb") as stream:
        checkpoint.write(stream)


def test_it_writes_a_table_a_motif_file_and_a_page(model: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(*KERNELS, "--motifs", "motifs.jaspar") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    for text in (
        "The model does not predict these 15 test pairs significantly better than the base rate",
        "warning: 1 motif to compare with: q-values are reliable from 50 on\n",
        "comparing with 1 motif (the first time on a machine, about a minute of compiling)\n",
        "with their positions shuffled, ",
        "pairs.kernels/report.html: open it in a browser\n",
    ):
        assert text in captured.err
    assert sorted(path.name for path in Path("pairs.kernels").iterdir()) == FILES
    assert not record_path(Path("pairs.kernels")).exists()
    table = pandas.read_csv("pairs.kernels/kernels.tsv", sep="\t")
    assert table.branch.tolist() == ["enhancer"] * 8 + ["promoter"] * 8
    assert sorted(table.kernel[:8]) == list(range(8))
    for _, rows in table.groupby("branch"):
        assert rows.auprc_drop.is_monotonic_decreasing
        assert (rows.auprc_low <= rows.auprc_drop).all() and (rows.auprc_drop <= rows.auprc_high).all()
    assert table.start_motif[table.kernel < 2].isin(["MA1", "MA2"]).all() and table.start_motif.count() == 4
    assert table.moved.notna().tolist() == (table.start_motif == "MA1").tolist(), "MA2 is in no file that was given"
    with open("pairs.kernels/kernels.meme") as stream:
        assert len(biopython.parse(stream, "minimal")) == (table.sites > 0).sum()


def test_the_page_holds_everything_itself(model: Checkpoint) -> None:
    Path("pairs.pt").rename("a<b>&.pt")
    assert run("explain", "kernels", "a<b>&.pt", "pairs.npz", "--motifs", "motifs.jaspar", "-o", "out") == 0
    text = Path("out/report.html").read_text()
    assert "a&lt;b&gt;&amp;" in text and "<b>" not in text
    assert not re.search(r"@import|url\(|<script src|<link|https?:", text)
    verdict, lead = text.index("does not predict these 15 test pairs"), text.index("A logo shows the sequences")
    assert verdict < lead < text.index("All kernels") < text.index("How to cite")
    for words in (
        "Kernels were compared with 1 motifs",
        "95% intervals hold for all kernels",
        "negative control",
        "Tomtom",
    ):
        assert words in text
    assert text.count("<title>enhancer_") <= 8
    assert run("explain", "kernels", "a<b>&.pt", "pairs.npz", "--no-importance", "-o", "less") == 0
    less = Path("less/report.html").read_text()
    assert "Kernels were not compared with known motifs" in less and "Kernels that matter" not in less


def test_without_motifs_and_importance(model: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*KERNELS, "--no-importance", "-o", "out") == 0
    assert "no match: give motifs to compare with by --motifs or --jaspar\n" in capsys.readouterr().err
    table = pandas.read_csv("out/kernels.tsv", sep="\t")
    unknown = ["auprc_drop", "auprc_low", "auprc_high", "match", "match_name", "q_value", "moved"]
    assert table[unknown].isna().all(axis=None)
    for _, rows in table.groupby("branch"):
        assert rows.bits.is_monotonic_decreasing


def test_without_memelite_all_the_rest_is_written(
    model: Checkpoint, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "memelite", None)
    assert run(*KERNELS, "--motifs", "motifs.jaspar") == 0
    assert "warning: no match: matching motifs needs memelite; try: pip install memelite\n" in capsys.readouterr().err
    table = pandas.read_csv("pairs.kernels/kernels.tsv", sep="\t")
    assert table.match.isna().all() and table.moved.count() == 2 and table.auprc_drop.notna().all()


def test_the_same_bytes_twice_and_after_a_resume(
    model: Checkpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importance, "KERNELS_AT_A_TIME", 3)
    assert run(*KERNELS, "-o", "one") == 0
    silenced, calls = PairScorer.silenced, list[int]()

    def interrupt(*given: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return silenced(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(PairScorer, "silenced", interrupt)
    assert run(*KERNELS, "-o", "two") == 130
    assert not Path("two").exists() and record_path(Path("two")).exists()
    assert ".two.part.jsonl: what is finished; --resume continues from it\n" in capsys.readouterr().err
    assert run(*KERNELS, "-o", "two", "--resume") == 0
    assert len(calls) == 3 + 4 and not record_path(Path("two")).exists()
    for name in FILES:
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_resuming_with_other_options_is_refused(model: Checkpoint, fails: Fails) -> None:
    record_path(Path("pairs.kernels")).write_text(json.dumps({"seed": 1}) + "\n")
    message = fails(*KERNELS, "--resume")
    assert re.search(
        r"was begun with another .*seed.*; expected the same inputs and options; --force without --resume begins anew",
        message,
    )


def test_a_folder_that_exists_is_kept(model: Checkpoint, fails: Fails) -> None:
    Path("pairs.kernels").mkdir()
    assert "pairs.kernels: exists already; give --force" in fails(*KERNELS)


def test_pairs_that_were_trained_on_are_refused(model: Checkpoint, fails: Fails) -> None:
    assert "pairs.npz: the model has seen these train pairs" in fails(*KERNELS, "--subset", "train")
    assert run(*KERNELS, "--subset", "train", "--allow-seen", "--no-importance") == 0


def test_another_window_is_refused(model: Checkpoint, fails: Fails) -> None:
    write(builders.random_checkpoint(replace(model.config, enhancer_window=301), stages=[{}]))
    assert "pairs.npz: windows of 300 and 200 bp; expected the model's 301 and 200 bp" in fails(*KERNELS)


@pytest.mark.parametrize(
    ("record", "message"),
    [({"kernel": 1}, "pairs.pt: motifs: no list of placed motifs"), ({"offset": 9}, "is not inside a kernel of 11 bp")],
)
def test_a_damaged_record_of_motifs_is_refused(
    model: Checkpoint, fails: Fails, record: dict[str, object], message: str
) -> None:
    first = model.provenance["motifs"][0]
    damaged = first | record if "offset" in record else record
    write(replace(model, provenance=model.provenance | {"motifs": [damaged]}))
    assert message in fails(*KERNELS)


def test_a_sample_of_the_pairs_is_repeatable(model: Checkpoint) -> None:
    for name in ("one", "two"):
        assert run(*KERNELS, "-o", name, "--pairs", 8, "--seed", 3, "--no-importance") == 0
    assert Path("one/kernels.tsv").read_bytes() == Path("two/kernels.tsv").read_bytes()
    sites = pandas.read_csv("one/kernels.tsv", sep="\t").sites
    assert np.all(sites <= 8)

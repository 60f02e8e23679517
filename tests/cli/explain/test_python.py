"""`speid_cli.api` gives the tables that the commands write."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas
import pytest

from speid_cli.api import KnockoutSettings, Model, SubjectSettings, Table, load_model, read_motifs
from speid_cli.dataset.pairs import TRAIN
from speid_cli.errors import DataError, OptionError
from tests.builders import run
from tests.cli.explain.test_variants import inputs as inputs  # a fixture
from tests.explain.planted import Question

ASK = ["pairs.pt", "pairs.npz", "--motifs", "motifs.jaspar"]
REPLACEMENT = KnockoutSettings(draws=2, p_value=1e-5)
WITH_REPLACEMENT = ["--draws", 2, "--p-value", "1e-5"]


@pytest.fixture
def model(asked: Question) -> Iterator[Model]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield load_model("pairs.pt")


def check(table: Table, expected: str | io.StringIO) -> None:
    """The table has the columns, rows and values of a written one."""
    text = io.StringIO()
    pandas.DataFrame(table).to_csv(text, sep="\t", index=False)
    text.seek(0)
    found, written = (pandas.read_csv(source, sep="\t") for source in (text, expected))
    assert len(written)
    pandas.testing.assert_frame_equal(found, written, check_dtype=False, rtol=1e-4, atol=1e-6)


def test_knockout(model: Model) -> None:
    assert run("explain", "knockout", *ASK, *WITH_REPLACEMENT, "-o", "out") == 0
    found = model.explain_knockout("pairs.npz", read_motifs("motifs.jaspar"), replacement=REPLACEMENT)
    check(found, "out/knockout.tsv")


def test_epistasis(model: Model) -> None:
    assert run("explain", "epistasis", *ASK, *WITH_REPLACEMENT, "-o", "out", "--pairs", 20, "--seed", 3) == 0
    settings = SubjectSettings(most_pairs=20, seed=3)
    found = model.explain_epistasis("pairs.npz", read_motifs("motifs.jaspar"), settings, REPLACEMENT)
    check(found, "out/epistasis.tsv")


@pytest.mark.parametrize("silence", [True, False])
def test_kernels(model: Model, silence: bool) -> None:
    options = () if silence else ("--no-importance",)
    assert run("explain", "kernels", *ASK, "-o", "out", *options) == 0
    check(model.explain_kernels("pairs.npz", read_motifs("motifs.jaspar"), silence=silence), "out/kernels.tsv")


def test_variants(inputs: dict[str, str]) -> None:
    assert run("explain", "variants", "model.pt", "pairs.bedpe", "a.vcf", "-o", "out.tsv") == 0
    with pytest.warns(UserWarning, match="symbolic"):
        found = load_model("model.pt").explain_variants("pairs.bedpe", "a.vcf")
    check(found, "out.tsv")


def test_what_the_commands_warn_of(asked: Question) -> None:
    model = load_model("pairs.pt")
    with pytest.warns(UserWarning) as caught:
        model.explain_knockout("pairs.npz", read_motifs("motifs.jaspar"), replacement=REPLACEMENT)
    said = [str(warning.message) for warning in caught]
    assert asked.subject.verdict in said
    assert "p-values cannot be below 0.002: they are by promoter, and the pairs have 10 of these only" in said


def test_what_is_refused(model: Model) -> None:
    with pytest.raises(DataError, match="pairs.npz: the train subset"):
        model.explain_kernels("pairs.npz", settings=SubjectSettings(subset=TRAIN))
    asks: list[Callable[..., Table]] = [model.explain_knockout, model.explain_epistasis]
    for ask in asks:
        with pytest.raises(OptionError, match="no motifs to ask about"):
            ask("pairs.npz", [])
    Path("other.pt").write_bytes(Path("pairs.pt").read_bytes())
    with pytest.raises(OptionError, match="one model is explained at a time, and these are 2"):
        load_model("pairs.pt", "other.pt").explain_kernels("pairs.npz")

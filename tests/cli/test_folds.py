"""Folds from ``prepare`` to ``evaluate``: each pair is judged once, by a model that was trained without its fold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TEST, PairDataset
from speid_cli.evaluation.baselines import BASELINES, baseline_logits
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from tests import builders
from tests.builders import TINY_OPTIONS, WINDOW_OPTIONS, read_bedpe, run

Fails = Callable[..., str]
MODELS = [f"pairs.fold{number}.pt" for number in (1, 2, 3)]


@pytest.fixture
def folds(folder: Path, genome: dict[str, str]) -> PairDataset:
    """``pairs.npz`` with three folds by chromosome."""
    builders.write_pairs(folder / "pairs.bedpe", builders.pair_lines(200))
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--folds", 3) == 0
    return PairDataset.read("pairs.npz")


@pytest.fixture
def trained(folds: PairDataset) -> PairDataset:
    """A model for each fold."""
    for fold in (1, 2, 3):
        assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 1, "--fold", fold) == 0
        assert run("finetune", f"pairs.pretrained.fold{fold}.pt", "pairs.npz", "--epochs", 1) == 0
    return folds


def metrics(folder: str = "pairs.evaluation") -> dict[str, object]:
    content: dict[str, object] = json.loads(Path(folder, "metrics.json").read_text())
    return content


def test_prepare_says_what_the_folds_hold_and_share(
    folder: Path, genome: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    builders.write_pairs(folder / "pairs.bedpe", builders.pair_lines(200))
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--folds", 4) == 0
    told = capsys.readouterr().err
    assert "  fold 4                                " in told and "50 pairs, 10 positives, chromosomes chr" in told
    assert "  train  " not in told
    assert "leaks: of 200 test pairs, this many share with a training pair" in told
    assert (
        run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--folds", 50, "--split", "random", "--force") == 0
    )
    assert "fewer than 10 positives in fold 1, fold 2, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "none"], "--folds needs --split chrom, block or random, not none"),
        (
            ["--test-fraction", "0.2"],
            "--folds tests each pair once: leave out fractions, --test-chroms and --validation",
        ),
        (["--test-chroms", "chr1"], "--folds tests each pair once"),
    ],
)
def test_options_that_folds_leave_without_meaning_are_refused(
    folder: Path, genome: dict[str, str], fails: Fails, options: list[str], message: str
) -> None:
    builders.write_pairs(folder / "pairs.bedpe", builders.pair_lines(20))
    assert message in fails("prepare", "pairs.bedpe", "genome.fa", "--folds", 3, *options, status=2)


def test_each_pair_is_judged_once_by_the_model_of_its_fold(trained: PairDataset) -> None:
    assert run("evaluate", *MODELS, "pairs.npz") == 0
    content = metrics()
    assert (content["pairs"], content["folds"]) == (len(trained), 3)
    lines = [line.fields for line in read_bedpe("pairs.evaluation/predictions.bedpe") if line.role == "pair"]
    assert [fields[6] for fields in lines] == list(trained.name)
    scores = np.array([float(fields[7]) for fields in lines])
    for number, path in enumerate(MODELS, start=1):
        tested = trained.for_fold(number).members(TEST)
        logits = DatasetScorer(Checkpoint.read(path).model(), trained, Device("cpu")).logits(tested)
        assert scores[tested] == pytest.approx(sigmoid(logits), rel=1e-4)
    ((_, distance),) = baseline_logits(trained.divisions, 0, {"distance": BASELINES["distance"]})
    column = 12 + list(content["models"]).index("distance") - 1  # type: ignore[call-overload]
    shown = np.array([float(fields[column]) for fields in lines])
    expected = np.select([trained.fold == number for number in (1, 2, 3)], distance)
    assert shown == pytest.approx(sigmoid(expected), rel=1e-5)
    assert content["leaks"]["test pairs"]["any of these"] == 0  # type: ignore[index]
    page = Path("pairs.evaluation/report.html").read_text()
    assert (
        "200 test pairs of 3 folds" in page and "Each pair was judged by a model that was trained without its" in page
    )


def test_fit_stores_what_each_fold_s_validation_pairs_say(trained: PairDataset) -> None:
    assert run("evaluate", *MODELS, "pairs.npz", "--fit", "--no-baselines") == 0
    thresholds = [Checkpoint.read(path).threshold for path in MODELS]
    assert None not in thresholds and metrics()["models"]["speid"]["threshold"] == thresholds  # type: ignore[index]
    fitted = [Checkpoint.read(path).provenance["fitted_on"]["dataset"] for path in MODELS]
    assert fitted == [part.digest for part in trained.divisions]


def test_one_model_is_judged_on_its_own_fold(trained: PairDataset) -> None:
    assert run("evaluate", MODELS[1], "pairs.npz", "--no-baselines") == 0
    content = metrics("pairs.fold2.evaluation")
    assert content["pairs"] == len(trained.for_fold(2).members(TEST)) and content["folds"] is None
    assert run("explain", "kernels", MODELS[1], "pairs.npz", "-o", "kernels") == 0
    assert f"{content['pairs']:,} test pairs" in Path("kernels/report.html").read_text()


def test_models_that_do_not_make_up_the_folds_are_refused(trained: PairDataset, fails: Fails) -> None:
    message = fails("evaluate", MODELS[0], MODELS[2], "pairs.npz")
    assert "pairs.npz: no model of fold 2; expected one for each of 3 folds; " in message
    assert "train it: speid pretrain DATA.npz --fold 2" in message
    Path("copy.pt").write_bytes(Path(MODELS[0]).read_bytes())
    message = fails("evaluate", *MODELS, "copy.pt", "pairs.npz")
    assert f"copy.pt: a model of fold 1, as is {MODELS[0]}; expected one for each fold" in message
    assert "a model is given twice" in fails("evaluate", MODELS[0], MODELS[0], "pairs.npz", status=2)
    assert "leave out --subset validation" in fails(
        "evaluate", *MODELS, "pairs.npz", "--subset", "validation", status=2
    )
    other = ["prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--split", "random", "--folds", 3]
    assert run(*other, "-o", "other.npz") == 0
    message = fails("evaluate", *MODELS, "other.npz")
    assert (
        f"{MODELS[0]}: a model of fold 1 of another data set; expected models of the folds of this data set" in message
    )
    assert "the model has seen these test pairs, or may have" in fails("evaluate", MODELS[0], "other.npz")
    assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 1) == 0
    message = fails("evaluate", "pairs.pretrained.pt", MODELS[1], "pairs.npz")
    assert "pairs.pretrained.pt: a model of no fold; expected models of the folds" in message
    assert "speid pretrain DATA.npz --fold I trains one; judge other models one at a time" in message


def test_a_fold_that_is_not_there_is_an_error(folds: PairDataset, fails: Fails) -> None:
    assert "pairs.npz: no fold 4: it has 3 folds" in fails("pretrain", "pairs.npz", *TINY_OPTIONS, "--fold", 4)
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "-o", "plain.npz") == 0
    message = fails("pretrain", "plain.npz", *TINY_OPTIONS, "--fold", 1)
    assert "plain.npz: no fold 1: it has 0 folds; speid prepare --folds K makes them" in message


def test_models_of_different_stages_are_not_pooled(trained: PairDataset, fails: Fails) -> None:
    message = fails("evaluate", MODELS[0], "pairs.pretrained.fold2.pt", MODELS[2], "pairs.npz")
    assert (
        f"pairs.pretrained.fold2.pt: pretrained, and {MODELS[0]} is finetuned; expected models of the same stage, "
        "pretrained or finetuned" in message
    )


def test_a_fold_is_that_of_its_own_data_set_only(trained: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    other = ["prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--split", "random", "--folds", 3]
    assert run(*other, "-o", "other.npz") == 0
    capsys.readouterr()
    assert run("finetune", "pairs.pretrained.fold2.pt", "other.npz", "--epochs", 1) == 0
    assert "its test pairs may have been seen; its fold is not used\n" in capsys.readouterr().err
    assert Checkpoint.read("other.pt").fold is None


def test_what_baselines_cannot_be_judged_on_is_told(
    folds: PairDataset, fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("one.npz", "wb") as stream:
        replace(folds, label=(folds.label * (folds.fold == 3)).astype(np.int8)).write(stream)
    message = fails("evaluate", "one.npz", "--no-model")
    assert "one.npz: the training subset of fold 2 has 0 positives and " in message
    assert "expected both; the baselines are trained on it" in message
    with open("plain.npz", "wb") as stream:
        replace(folds, fold=None).write(stream)
    message = fails("evaluate", "plain.npz", "--no-model", "--subset", "train", status=2)
    assert "baselines are trained on the training subset: give --subset validation or --subset test" in message
    capsys.readouterr()
    assert run("evaluate", "plain.npz", "--no-model", "--subset", "validation") == 0
    told = capsys.readouterr().err
    assert "the figures are too good: these pairs were used to choose the threshold, calibration\n" in told


def test_without_replicates_there_is_no_verdict(trained: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", MODELS[0], "pairs.npz", "--replicates", 0, "-o", "out") == 0
    assert "without intervals (--replicates 0) nothing is said on which model is better" in capsys.readouterr().err


def test_baselines_alone(folds: PairDataset, fails: Fails, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("evaluate", "pairs.npz", "--no-model") == 0
    told = capsys.readouterr().err
    assert "better than the base rate of 0.200, among pairs of the same fold: " in told and "device" not in told
    content = metrics()
    assert "speid" not in content["models"] and content["model"] is None  # type: ignore[operator]
    assert (content["pairs"], content["folds"]) == (len(folds), 3)
    assert {path.name for path in Path("pairs.evaluation").glob("*.svg")} == {
        "comparison.svg", "precision_recall.svg", "roc.svg"
    }  # fmt: skip
    fields = Path("pairs.evaluation/predictions.bedpe").read_text().splitlines()[1].split("\t")
    assert fields[7] == "." and fields[11] == "." and 0 < float(fields[12]) < 1
    assert "<h2>Comparison" in Path("pairs.evaluation/report.html").read_text()
    for arguments, message in (
        (["pairs.npz"], "MODEL.pt and DATA.npz are needed; --no-model judges the baselines alone"),
        (["model.pt", "pairs.npz", "--no-model"], "--no-model cannot be used with MODEL.pt or --fit"),
        (
            ["pairs.npz", "--no-model", "--no-baselines"],
            "--no-model --no-baselines needs --tracks: nothing else is left to judge",
        ),
    ):
        assert message in fails("evaluate", *arguments, status=2)

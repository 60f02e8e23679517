"""``speid predict`` with several models, and by the prior of distance that ``evaluate --fit --prior`` stores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speid_cli.dataset.pairs import TEST, PairDataset
from speid_cli.evaluation.calibration import Calibration
from speid_cli.evaluation.prior import DistancePrior, fit_prior
from speid_cli.files import sha256_of
from speid_cli.genome.intervals import distance_bp
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from speid_cli.scoring.stream import PairStream, ScoredBlock
from tests import builders
from tests.builders import run

Fails = Callable[..., str]
CALIBRATIONS = Calibration(1.5, -1.0, 0.1), Calibration(0.7, 0.2, 0.3)
PRIOR = DistancePrior((100.0, 1000.0, 10_000.0), (-1.0, -2.0, -5.0), 1000, 50)
PREDICT = ["predict", "a.pt", "b.pt", "pairs.bedpe", "-f", "genome.fa"]


def write(name: str, checkpoint: Checkpoint) -> None:
    with open(name, "wb") as stream:
        checkpoint.write(stream)


@pytest.fixture
def models(pairs: list[str]) -> None:
    """``a.pt`` and ``b.pt``, with different weights and calibrations; only a has a prior."""
    for seed, name in enumerate(["a.pt", "b.pt"]):
        write(name, replace(builders.random_checkpoint(seed=seed), calibration=CALIBRATIONS[seed].as_plain()))
    write("a.pt", replace(Checkpoint.read("a.pt"), prior=PRIOR.as_plain()))


def scored(*arguments: object) -> np.ndarray:  # type: ignore[type-arg]
    assert run(*arguments, "-o", "out.bedpe", "--force") == 0
    return np.array([float(line.split("\t")[7]) for line in Path("out.bedpe").read_text().splitlines()[1:]])


def log_odds(probability: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.log(probability) - np.log1p(-probability)


def test_the_logits_of_several_models_are_averaged(models: None) -> None:
    each = [log_odds(scored("predict", name, *PREDICT[3:])) for name in ("a.pt", "b.pt")]
    both = log_odds(scored(*PREDICT))
    assert both == pytest.approx((each[0] + each[1]) / 2, abs=1e-4)
    assert np.abs(each[0] - each[1]).max() > 0.05
    assert log_odds(scored(*PREDICT, "--cache-memory", "1K", "--block-size", 7)) == pytest.approx(both, abs=1e-4)


@pytest.mark.parametrize("options", [["--calibrated"], ["--prevalence", "0.02"]])
def test_of_several_models_the_calibrated_log_odds_are_averaged(models: None, options: Sequence[str]) -> None:
    each = [log_odds(scored("predict", name, *PREDICT[3:], *options)) for name in ("a.pt", "b.pt")]
    assert log_odds(scored(*PREDICT, *options)) == pytest.approx((each[0] + each[1]) / 2, abs=1e-4)


def test_what_each_model_needs_is_asked_of_it_by_name(models: None, fails: Fails) -> None:
    message = (
        "b.pt: the model has no prior of distance; speid evaluate MODEL.pt DATA.npz --fit --prior CANDIDATES.bedpe"
    )
    assert message in fails(*PREDICT, "--prevalence", "distance")
    write("b.pt", replace(Checkpoint.read("b.pt"), calibration=None))
    assert "b.pt: the model has no calibration; speid evaluate" in fails(*PREDICT, "--calibrated")


def test_files_that_do_not_fit_are_refused(models: None, fails: Fails) -> None:
    usage = "expected MODEL.pt... CANDIDATES.bedpe: one or more models, then the candidates"
    for files in ([], ["a.pt"]):
        message = fails("predict", *files, status=2)
        assert usage in message and "Usage: speid predict [OPTIONS] MODEL.pt... CANDIDATES.bedpe\n" in message
    assert "b.pt: is a model; expected" in fails("predict", "a.pt", "b.pt", "-f", "genome.fa")
    assert "a.pt and a.pt: the same file twice" in fails("predict", "a.pt", "a.pt", "pairs.bedpe")
    assert "is an input of this command" in fails(*PREDICT, "-o", "b.pt", "--force")
    write("b.pt", builders.random_checkpoint(fold={"number": 1, "count": 3, "data": "d"}))
    assert "a.pt and b.pt: models of different sets of folds (none; d); expected the same for all" in fails(*PREDICT)


@pytest.mark.parametrize("value", ["0", "1", "nan", "near", "-1", "inf", ""])
def test_a_prevalence_that_is_none_is_refused(models: None, fails: Fails, value: str) -> None:
    message = fails(*PREDICT, "--prevalence", value, status=2)
    assert f"'--prevalence': '{value}': expected a share between 0 and 1, or the word distance" in message


def test_a_resumed_output_is_made_by_the_same_models(
    models: None, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resume = PairStream.score, [*PREDICT, "--resume-output", "--block-size", 20, "-o", "out.bedpe"]

    def interrupted(*arguments: Any) -> Iterator[ScoredBlock]:
        yield from islice(whole(*arguments), 2)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PairStream, "score", interrupted)
        assert run(*resume) == 130
    record = json.loads(Path(".out.bedpe.resume.json").read_text())
    assert record["made_of"]["model"] == f"{sha256_of('a.pt')} {sha256_of('b.pt')}"
    refused = f"out.bedpe: was started otherwise: model was {sha256_of('a.pt')} "
    assert refused in fails("predict", "a.pt", *resume[3:])
    assert refused in fails("predict", "b.pt", "a.pt", *resume[3:])
    assert run(*resume) == 0
    assert run(*PREDICT, "-o", "whole.bedpe") == 0
    assert Path("out.bedpe").read_bytes() == Path("whole.bedpe").read_bytes()


def test_composition_is_warned_of_once(models: None, dataset: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    gc = dataset.metadata["composition"]["enhancer"]["gc"]
    for name, promoter in (("a.pt", 0.9), ("b.pt", 0.91)):
        table = {side: {"elements": 100, "length_bp": 300.0, "gc": value}
                 for side, value in (("enhancer", gc), ("promoter", promoter))}  # fmt: skip
        write(name, replace(Checkpoint.read(name), provenance={"composition": table}))
    capsys.readouterr()
    assert run(*PREDICT) == 0
    assert capsys.readouterr().err.count("are the pairs of another genome build?") == 1


@pytest.fixture
def ranked(folder: Path, genome: dict[str, str]) -> PairDataset:
    """``model.pt``; ``pairs.npz``, whose labels its scores tell but for noise; and ``all.bedpe``, all candidates."""
    builders.write_pairs(Path("pairs.bedpe"), builders.pair_lines(400))
    assert run("prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS) == 0
    dataset, start, rng = PairDataset.read("pairs.npz"), builders.random_checkpoint(), np.random.default_rng(0)
    logits = DatasetScorer(start.model(), dataset, Device("cpu")).logits(np.arange(len(dataset)))
    score = (logits - logits.mean()) / logits.std() + rng.normal(0, 0.5, len(logits))
    dataset = replace(dataset, label=(score > np.quantile(score, 0.7)).astype(np.int8))
    with open("pairs.npz", "wb") as stream:
        dataset.write(stream)
    stages = [{"stage": "pretrained", "dataset": dataset.digest}]
    write("model.pt", replace(start, provenance={"reference": dataset.metadata["reference"], "stages": stages}))
    lines = [line[: line.rindex("\t")] + f"\t{int(rng.random() < 0.1)}" for line in builders.pair_lines(3000, seed=1)]
    builders.write_pairs(Path("all.bedpe"), [line.replace("chr", "") for line in lines])
    return dataset


EVALUATE = ["evaluate", "model.pt", "pairs.npz", "--no-baselines", "--replicates", 10, "--force"]


def test_evaluate_stores_the_prior_and_predict_uses_it(ranked: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*EVALUATE, "--fit", "--prior", "all.bedpe") == 0
    message = capsys.readouterr().err
    assert message.count("warning: contig names differ from those of the data set: took '") == 1
    prior, checkpoint = fit_prior("all.bedpe", ranked), Checkpoint.read("model.pt")
    assert f"prior of distance: {prior.positives:,} of {prior.candidates:,} training candidates interact\n" in message
    assert checkpoint.prior is not None and checkpoint.calibration is not None
    assert DistancePrior.from_plain(checkpoint.prior) == prior
    found = log_odds(scored("predict", "model.pt", "model.evaluation/predictions.bedpe", "--prevalence", "distance"))
    members = ranked.members(TEST)
    logits = DatasetScorer(checkpoint.model(), ranked, Device("cpu")).logits(members)
    sides = [elements.interval[index[members], 1:].T for _, elements, index in ranked.sides]
    distance, calibration = distance_bp(*sides[0], *sides[1]), Calibration.from_plain(checkpoint.calibration)
    likelihood_ratio = calibration.slope * logits + calibration.intercept - log_odds(np.array(calibration.prevalence))
    assert found == pytest.approx(likelihood_ratio + prior.at(distance), abs=1e-3)


def test_evaluate_judges_sequence_with_distance_as_predict_scores_them(ranked: PairDataset) -> None:
    assert run(*EVALUATE, "--fit", "--prior", "all.bedpe") == 0
    assert list(json.loads(Path("model.evaluation/metrics.json").read_text())["models"]) == [
        "speid",
        "speid + distance",
    ]
    rows = [line.split("\t") for line in Path("model.evaluation/predictions.bedpe").read_text().splitlines()]
    assert rows[0][12] == "speid + distance"
    judged = np.array([float(row[12]) for row in rows[1:]])
    found = scored("predict", "model.pt", "model.evaluation/predictions.bedpe", "--prevalence", "distance")
    assert judged == pytest.approx(found, rel=1e-4)
    picture = Path("model.evaluation/distance.svg").read_text()
    assert picture.startswith("<?xml") and picture == distance_picture()
    assert "Dots of the share of interacting pairs" in Path("model.evaluation/report.html").read_text()


def distance_picture() -> str:
    """The same, of a second run."""
    assert run(*EVALUATE, "-o", "again") == 0
    return Path("again/distance.svg").read_text()


def test_a_prior_stays_until_another_is_fitted(ranked: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*EVALUATE, "--fit", "--prior", "all.bedpe") == 0
    before = Checkpoint.read("model.pt").prior
    assert run(*EVALUATE, "--fit") == 0
    assert Checkpoint.read("model.pt").prior == before
    lines = Path("all.bedpe").read_text().splitlines()[:1500]
    Path("fewer.bedpe").write_text("\n".join(lines) + "\n")
    assert run(*EVALUATE, "--fit", "--prior", "fewer.bedpe") == 0
    assert Checkpoint.read("model.pt").prior != before


def test_a_prior_is_fitted_with_fit_alone_and_a_fault_leaves_the_model(ranked: PairDataset, fails: Fails) -> None:
    before = Path("model.pt").read_bytes()
    message = "--prior needs --fit, which stores it in the model"
    assert message in fails(*EVALUATE, "--prior", "all.bedpe", status=2)
    rivals = "evaluate", "model.pt", "again.pt", "pairs.npz", "--fit"
    message = "--prior is read once for each model: give a file, not a pipe"
    assert message in fails(*rivals, "--prior", "-", status=2)
    Path("few.bedpe").write_text("\n".join(Path("all.bedpe").read_text().splitlines()[:9]) + "\n")
    assert "few.bedpe: " in fails(*EVALUATE, "--fit", "--prior", "few.bedpe")
    assert "nowhere.bedpe: No such file" in fails(*EVALUATE, "--fit", "--prior", "nowhere.bedpe")
    assert Path("model.pt").read_bytes() == before


def test_pairs_outside_the_prior_are_counted_and_warned_of_once(
    models: None, capsys: pytest.CaptureFixture[str], fails: Fails
) -> None:
    lines = ["chr1\t0\t100\tchr1\t600\t700", "chr1\t0\t100\tchr1\t150\t250", "chr1\t0\t100\tchr1\t50\t90"]
    builders.write_pairs(Path("in.bedpe"), [*lines, "chr1\t0\t100\tchr2\t600\t700"], None)
    predict = ["predict", "a.pt", "in.bedpe", "-f", "genome.fa", "--prevalence", "distance"]
    assert "in.bedpe:4: elements on chr1 and chr2, between which there is no distance" in fails(*predict)
    assert run(*predict, "--on-invalid", "na", "--block-size", 1) == 0
    captured = capsys.readouterr()
    assert [line.split("\t")[7] == "." for line in captured.out.splitlines()] == [False] * 3 + [True]
    warned = (
        "warning: 2 pairs not within the 100 to 10,000 bp that the prior was learnt from: the prior at the nearer end"
    )
    assert captured.err.count(warned) == captured.err.count("not within") == 1
    builders.write_pairs(Path("in.bedpe"), lines[:1], None)
    assert run(*predict) == 0
    assert "not within" not in capsys.readouterr().err


def test_info_shows_the_prior(models: None, capsys: pytest.CaptureFixture[str], fails: Fails) -> None:
    wide = DistancePrior((10_000.0, 2_000_000.0), (-2.0, -9.0), 1_053_274, 1524)
    write("a.pt", replace(Checkpoint.read("a.pt"), prior=wide.as_plain()))
    assert run("info", "a.pt") == 0
    shown = capsys.readouterr().out
    for name, value in (("candidates", "1,053,274"), ("positives", "1,524"), ("shortest_bp", "10,000"),
                        ("longest_bp", "2,000,000"), ("20 kb", f"{wide.shares()['20 kb']:.6g}"),
                        ("100 kb", "0.0064186"), ("1 Mb", f"{wide.shares()['1 Mb']:.6g}")):  # fmt: skip
        assert f"prior.{name}\t{value}\n" in shown
    assert run("info", "b.pt") == 0
    assert "prior" not in capsys.readouterr().out
    write("a.pt", replace(Checkpoint.read("a.pt"), prior={"log_odds": [1.0]}))
    assert "a.pt: a prior that speid did not write; fit it again" in fails("info", "a.pt")

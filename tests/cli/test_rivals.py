"""``speid evaluate`` of several models of one division: each, and the differences between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from speid_cli.dataset.pairs import TEST, PairDataset
from speid_cli.evaluation.measures import Predictions, cluster_counts, difference
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from tests import builders
from tests.builders import run

Fails = Callable[..., str]


@pytest.fixture
def models(dataset: PairDataset) -> PairDataset:
    """``a.pt`` and ``b.pt``, which say that they were trained on this data set."""
    for seed, name in enumerate(["a.pt", "b.pt"]):
        stages = [{"stage": "pretrained", "dataset": dataset.digest}]
        with open(name, "wb") as stream:
            builders.random_checkpoint(seed=seed, stages=stages).write(stream)
    return dataset


def metrics() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("pairs.evaluation/metrics.json").read_text())
    return content


def test_models_are_judged_beside_one_another(models: PairDataset, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("evaluate", "a.pt", "b.pt", "pairs.npz", "--ensemble", "--no-baselines") == 0
    told, content = capsys.readouterr().err, metrics()
    assert list(content["models"]) == content["networks"] == ["a", "b", "ensemble"]
    test = models.members(TEST)
    logits = [
        DatasetScorer(builders.random_checkpoint(seed=seed).model(), models, Device("cpu")).logits(test)
        for seed in (0, 1)
    ]
    expected = [average_precision_score(models.label[test], each) for each in (*logits, np.mean(logits, axis=0))]
    found = [model["measures"]["auprc"]["value"] for model in content["models"].values()]
    assert found == pytest.approx(expected, abs=1e-6)
    assert [each["models"] for each in content["differences"]] == [["a", "b"], ["a", "ensemble"], ["b", "ensemble"]]
    first = content["differences"][0]["auprc"]
    assert first["value"] == pytest.approx(expected[0] - expected[1], abs=1e-6)
    assert first["low"] <= first["value"] <= first["high"]
    assert content["compared"][0] in told
    assert "Differences between the models" in Path("pairs.evaluation/report.html").read_text()
    header = Path("pairs.evaluation/predictions.bedpe").read_text().splitlines()[0].split("\t")
    assert header[-2:] == ["b", "ensemble"]


def test_a_model_does_not_differ_from_itself_and_one_that_knows_is_better(
    models: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("c.pt").write_bytes(Path("a.pt").read_bytes())
    assert run("evaluate", "a.pt", "c.pt", "pairs.npz", "--no-baselines") == 0
    assert "a does not differ significantly from c (AUPRC +0.000, 95% interval +0.000 to +0.000)" in (
        capsys.readouterr().err
    )
    rng = np.random.default_rng(0)
    label = (np.arange(400) % 5 == 0).astype(np.int8)
    noise, cluster = rng.random(400), np.arange(400) // 4
    knows, guesses = (Predictions(label, score, score, 0.5) for score in (noise + label, noise))
    found = difference(knows, guesses, cluster, 200, 0)
    assert found["auprc"].low > 0 > difference(guesses, knows, cluster, 200, 0)["auprc"].high
    counts = cluster_counts(100, 200, np.random.default_rng(0))[:, cluster]
    plain = [
        average_precision_score(label, knows.probability, sample_weight=weight)
        - average_precision_score(label, guesses.probability, sample_weight=weight)
        for weight in counts
    ]
    assert (found["auprc"].low, found["auprc"].high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])))


def test_files_of_one_name_are_told_apart_by_their_folders(models: PairDataset) -> None:
    Path("other").mkdir()
    Path("b.pt").rename("other/a.pt")
    assert run("evaluate", "a.pt", "other/a.pt", "pairs.npz", "--no-baselines") == 0
    assert metrics()["networks"] == ["a.pt", "other/a.pt"]
    for taken in ("distance.pt", "label.pt"):
        Path("a.pt").rename(taken)
        assert run("evaluate", taken, "other/a.pt", "pairs.npz", "--force") == 0
        assert list(metrics()["models"])[:2] == metrics()["networks"] == [taken, "other/a.pt"]
        Path(taken).rename("a.pt")


def test_what_is_no_comparison_is_refused(models: PairDataset, fails: Fails) -> None:
    assert "a model is given twice" in fails("evaluate", "a.pt", "./a.pt", "pairs.npz", status=2)
    assert "--ensemble needs several models that were divided" in fails(
        "evaluate", "a.pt", "pairs.npz", "--ensemble", status=2
    )
    with open("b.pt", "wb") as stream:
        checkpoint = builders.random_checkpoint(seed=1, fold={"number": 1, "count": 3, "data": models.digest})
        replace(checkpoint).write(stream)
    assert "a.pt: a model of no fold; expected models of the folds of this data set" in fails(
        "evaluate", "a.pt", "b.pt", "pairs.npz"
    )

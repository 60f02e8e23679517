"""``speid evaluate``, and ``predict`` with what it fitted."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score

from speid_cli import files
from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION, PairDataset
from speid_cli.evaluation.baselines import BASELINES, baseline_logits
from speid_cli.evaluation.evaluate import Clusters, Evaluation, ModelResult, resampling_clusters
from speid_cli.evaluation.measures import Estimate, Predictions
from speid_cli.evaluation.results import meaning
from speid_cli.evaluation.seen import why_seen
from speid_cli.genome.intervals import distance_bp
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer
from tests import builders
from tests.builders import TINY_OPTIONS, WINDOW_OPTIONS, read_bedpe, relabelled, run

Fails = Callable[..., str]
PICTURES = {
    "comparison.svg",
    "distance.svg",
    "precision_recall.svg",
    "roc.svg",
    "reliability.svg",
    "scores.svg",
    "training.svg",
}


@pytest.fixture
def trained(folder: Path, genome: dict[str, str]) -> PairDataset:
    """``pairs.npz`` of 200 pairs and ``pairs.pt``, trained on it for two epochs; chromosomes are held out."""
    builders.write_pairs(folder / "pairs.bedpe", builders.pair_lines(200))
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS) == 0
    assert run("pretrain", "pairs.npz", *TINY_OPTIONS, "--epochs", 1) == 0
    assert run("finetune", "pairs.pretrained.pt", "pairs.npz", "--epochs", 1) == 0
    return PairDataset.read("pairs.npz")


@pytest.fixture
def ranked(trained: PairDataset) -> PairDataset:
    """``ranked.npz``: the same pairs with labels that the model's scores tell, but for some noise."""
    logits = DatasetScorer(Checkpoint.read("pairs.pt").model(), trained, Device("cpu")).logits(np.arange(len(trained)))
    score = (logits - logits.mean()) / logits.std() + np.random.default_rng(0).normal(0, 0.5, len(logits))
    dataset = relabelled(trained, label=(score > np.quantile(score, 0.7)).astype(np.int8))
    with open("ranked.npz", "wb") as stream:
        dataset.write(stream)
    return dataset


def metrics(folder: str = "pairs.evaluation") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(folder, "metrics.json").read_text())
    return content


def test_it_writes_figures_predictions_pictures_and_a_page(
    trained: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run("evaluate", "pairs.pt", "pairs.npz") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "95% bootstrap intervals, resampled by promoter" in captured.err
    table = captured.err.split("auprc")[1].split("95% bootstrap")[0]
    assert len(table.splitlines()) == 2 + len(BASELINES) and max(map(len, table.splitlines())) <= 80
    assert "\nbaseline 5 of 5: 5-mer counts\n" in captured.err
    assert {path.name for path in Path("pairs.evaluation").iterdir()} == PICTURES | {
        "metrics.json", "predictions.bedpe", "report.html",
    }  # fmt: skip
    content = metrics()
    assert list(content["models"]) == ["speid", *BASELINES]
    calls = [
        f"{name}{suffix}" for name in ("precision", "recall", "f1", "balanced_accuracy") for suffix in ("", "_at_0.5")
    ]
    measures = {"auprc", "auprc_gain", "auroc", "brier", "ece", "calibrated_brier", "calibrated_ece", *calls}
    assert all(set(model["measures"]) == measures for model in content["models"].values())
    test = trained.members(TEST)
    assert (content["pairs"], content["positives"]) == (len(test), int(trained.label[test].sum()))
    lines = [line.fields for line in read_bedpe("pairs.evaluation/predictions.bedpe") if line.role == "pair"]
    label, score = [int(line[10]) for line in lines], [float(line[7]) for line in lines]
    assert label == trained.label[test].tolist()
    shown = content["models"]["speid"]["measures"]["auprc"]
    assert average_precision_score(label, score) == pytest.approx(shown["value"], abs=1e-6)
    assert shown["low"] <= shown["value"] <= shown["high"]


def test_predictions_are_predict_s(ranked: PairDataset) -> None:
    assert run("evaluate", "pairs.pt", "ranked.npz", "--no-baselines", "--fit") == 0
    lines = list(read_bedpe("pairs.evaluation/predictions.bedpe"))
    names = [line.fields[6] for line in lines if line.role == "pair"]
    assert names == [ranked.name[pair] for pair in ranked.members(TEST)] and names[0].startswith("pair")
    for options, column in (((), 7), (("--calibrated",), 11)):
        name = "scored.bedpe"
        assert run("predict", "pairs.pt", "pairs.evaluation/predictions.bedpe", "-o", name, "--force", *options) == 0
        scores = [float(line.fields[7]) for line in read_bedpe(name) if line.role == "pair"]
        expected = [float(line.fields[column]) for line in lines if line.role == "pair"]
        assert scores == pytest.approx(expected, abs=2e-5)


class Links(HTMLParser):
    """Collects what a page would ask a network for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "action")]


def test_the_page_holds_everything_itself_and_escapes_names(trained: PairDataset) -> None:
    Path("pairs.pt").rename("a<b>&.pt")
    assert run("evaluate", "a<b>&.pt", "pairs.npz", "-o", "out") == 0
    text = Path("out/report.html").read_text()
    assert "a&lt;b&gt;&amp;" in text and "<b>" not in text
    links = Links()
    links.feed(text)
    assert len(links.found) == len(PICTURES)
    assert all(link.startswith("data:image/svg+xml;base64,") for link in links.found)
    assert not re.search(r"@import|url\(|<script src|<link", text)
    seen = re.findall('<img alt="([^"]*)"', text)
    assert len(seen) == len(PICTURES) and seen[0].startswith("A dot for each model at its AUPRC")
    assert re.search(r"AUPRC: speid 0\.\d{3}, base rate 0\.\d{3}, ", seen[0])
    strongest = text.index("The strongest predictions")
    assert text.index("Verdict:") < text.index("base rate: the AUPRC of guessing") < strongest
    rows = [line.fields for line in read_bedpe("out/predictions.bedpe") if line.role == "pair"]
    best = max(rows, key=lambda fields: float(fields[7]))
    assert f"{best[0]}:{best[1]}-{best[2]}" in text[strongest:]
    assert re.search(r"Made by <code>speid .*\(\d{4}-\d\d-\d\d \d\d:\d\d .*\)</code>", text)
    for name in ("Leaks", "Comparison with the baselines", "What was held out", "How to cite", *BASELINES):
        assert name in text


def test_the_same_seed_gives_the_same_bytes_and_force_replaces(trained: PairDataset, fails: Fails) -> None:
    assert run("evaluate", "pairs.pt", "pairs.npz", "-o", "one") == 0
    assert "one: exists already; give --force" in fails("evaluate", "pairs.pt", "pairs.npz", "-o", "one")

    def written() -> dict[str, bytes]:
        """All files; the page without its date."""
        files = {path.name: path.read_bytes() for path in Path("one").iterdir()}
        return files | {"report.html": re.sub(rb"Made by .*", b"", files["report.html"])}

    before = written()
    Path("one/notes.txt").write_text("kept")
    assert run("evaluate", "pairs.pt", "pairs.npz", "-o", "one", "--force") == 0
    assert written() == before | {"notes.txt": b"kept"}


def test_fit_stores_threshold_and_calibration_from_validation_alone(
    ranked: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", "pairs.pt", "ranked.npz", "--fit", "--no-baselines") == 0
    assert re.search(
        r"pairs.pt: stored a threshold of \S+ for uncalibrated probabilities and a calibration\n",
        capsys.readouterr().err,
    )
    fitted = Checkpoint.read("pairs.pt")
    assert fitted.calibration is not None
    assert fitted.threshold == metrics()["models"]["speid"]["threshold"]
    assert fitted.calibration == metrics()["models"]["speid"]["calibration"]
    label = np.where(ranked.subset == VALIDATION, ranked.label, 1 - ranked.label).astype(np.int8)
    changed = relabelled(ranked, label=label)
    with open("other.npz", "wb") as stream:
        changed.write(stream)
    assert run("evaluate", "pairs.pt", "other.npz", "--fit", "--no-baselines", "--allow-seen", "-o", "b") == 0
    assert Checkpoint.read("pairs.pt").threshold == fitted.threshold
    assert Checkpoint.read("pairs.pt").calibration == fitted.calibration


def test_a_calibration_that_validation_does_not_support_is_not_stored(
    ranked: PairDataset, capsys: pytest.CaptureFixture[str], fails: Fails
) -> None:
    assert run("evaluate", "pairs.pt", "ranked.npz", "--fit", "--no-baselines") == 0
    reverse = relabelled(ranked, label=1 - ranked.label)
    with open("reverse.npz", "wb") as stream:
        reverse.write(stream)
    assert run("evaluate", "pairs.pt", "reverse.npz", "--fit", "--no-baselines", "-o", "out") == 0
    message = capsys.readouterr().err
    assert (
        "for uncalibrated probabilities\nwarning: no calibration is stored: it needs at least 10 validation" in message
    )
    assert "no calibration of speid: its brier and ece are those of one probability for all pairs" in message
    assert Checkpoint.read("pairs.pt").calibration is None
    lines = [line.fields for line in read_bedpe("out/predictions.bedpe") if line.role == "pair"]
    assert {line[11] for line in lines} == {"."}
    assert (
        "speid's are not, since the validation pairs do not allow a calibration" in Path("out/report.html").read_text()
    )
    assert "pairs.pt: the model has no calibration" in fails("predict", "pairs.pt", "pairs.bedpe", "--calibrated")


def test_pairs_that_the_model_was_chosen_on_are_warned_of(
    ranked: PairDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged(data: str, subset: str) -> tuple[str, Any]:
        """What evaluate says, and what it notes of the choice."""
        capsys.readouterr()
        options = ["--subset", subset, "--no-baselines", "--force"]
        assert run("evaluate", "pairs.pt", data, *options) == 0
        return capsys.readouterr().err, metrics()["chosen_on_these_pairs"]

    chosen = "warning: the figures are too good: these pairs were used to choose the "
    message, found = judged("pairs.npz", "validation")
    assert f"{chosen}epoch, threshold, calibration" in message and found == "epoch, threshold, calibration"
    assert "Chosen on these pairs" in Path("pairs.evaluation/report.html").read_text()
    assert "validation pairs, this many share with a training pair" in message and "test pairs" not in message
    assert f"{chosen}epoch, threshold, calibration" in judged("ranked.npz", "validation")[0]
    message, found = judged("pairs.npz", "test")
    assert chosen not in message and found is None
    exchanged = replace(ranked, subset=np.array([0, 2, 1], np.int8)[ranked.subset])
    with open("exchanged.npz", "wb") as stream:
        exchanged.write(stream)
    assert f"{chosen}epoch" in judged("exchanged.npz", "test")[0]


@pytest.mark.parametrize(
    ("gain", "lowest_auroc", "positives", "rivals", "message"),
    [
        (-0.01, 0.51, 50, {}, "speid is not significantly better than the base rate (AUPRC 0.500, 95% interval 0.400 to 0.600; base rate 0.100)"),
        (0.0, 0.51, 8, {}, "speid is not significantly better than the base rate (AUPRC 0.500, 95% interval 0.400 to 0.600; base rate 0.016); "
         "8 positives: too few to tell"),
        (0.1, 0.51, 8, {}, "8 positives: too few to tell whether speid is better than the base rate (AUPRC 0.500"),
        (0.1, 0.51, 50, {"distance": 0.3}, "speid is better than the base rate and than every baseline (AUPRC 0.500"),
        (0.1, 0.51, 50, {"distance": 0.45, "base rate": 0.1}, "speid is better than the base rate but not clearly better than distance (AUPRC"),
        (0.1, 0.5, 50, {}, "speid is not significantly better than the base rate (AUPRC 0.500"),
        (0.1, 0.51, 50, {}, "speid is better than the base rate (AUPRC 0.500, 95% interval 0.400 to 0.600; base rate 0.100)"),
    ],
)  # fmt: skip
def test_what_the_figures_mean_is_said(
    gain: float, lowest_auroc: float, positives: int, rivals: dict[str, float], message: str
) -> None:
    predictions = Predictions((np.arange(500) < positives).astype(np.int8), np.zeros(500), np.zeros(500), 0.5)
    found = {
        "speid": {
            "auprc": Estimate(0.5, 0.4, 0.6),
            "auprc_gain": Estimate(0.5 - positives / 500, gain, 0.5),
            "auroc": Estimate(0.6, lowest_auroc, 0.7),
        }
    }
    found |= {name: {"auprc": Estimate(high, 0.1, high)} for name, high in rivals.items()}
    models = {name: ModelResult(predictions, estimates, ()) for name, estimates in found.items()}
    clusters = Clusters("promoter", np.arange(500))
    evaluation = Evaluation([], np.arange(500), models, ("speid",), {}, clusters, "", "", {})
    assert meaning(evaluation).startswith(message)
    assert "may have been trained on" in meaning(replace(evaluation, seen="it was"))


def test_predict_exchanges_the_prior(ranked: PairDataset, fails: Fails) -> None:
    message = fails("predict", "pairs.pt", "pairs.bedpe", "--calibrated")
    assert "pairs.pt: the model has no calibration; speid evaluate MODEL.pt DATA.npz --fit stores one" in message
    assert run("evaluate", "pairs.pt", "ranked.npz", "--fit", "--no-baselines") == 0
    odds = []
    for options in (["--calibrated"], ["--prevalence", "0.01"]):
        assert run("predict", "pairs.pt", "pairs.bedpe", "-o", "out.bedpe", "--force", *options) == 0
        scores = np.array([float(line.fields[7]) for line in read_bedpe("out.bedpe") if line.role == "pair"])
        odds.append(scores / (1 - scores))
    prevalence = Checkpoint.read("pairs.pt").calibration["prevalence"]  # type: ignore[index]
    told = odds[0] < 50  # six digits of a probability near 1 say little of its odds
    assert told.sum() > 100
    assert odds[1][told] / odds[0][told] == pytest.approx((0.01 / 0.99) / (prevalence / (1 - prevalence)), rel=1e-3)
    for value in ("0", "1", "nan"):
        assert run("predict", "pairs.pt", "pairs.bedpe", "--prevalence", value) == 2


def test_pairs_that_were_trained_on_are_refused(trained: PairDataset, fails: Fails) -> None:
    message = fails("evaluate", "pairs.pt", "pairs.npz", "--subset", "train")
    assert "pairs.npz: the model has seen these train pairs, or may have: it was pretrained on them" in message
    assert "use --allow-seen to evaluate anyway" in message
    assert run("prepare", "pairs.bedpe", "genome.fa", *WINDOW_OPTIONS, "--split", "random", "-o", "random.npz") == 0
    message = fails("evaluate", "pairs.pt", "random.npz")
    assert re.search(r"it was pretrained on another data set with pairs on chr\d, chr\d", message)
    message = fails("evaluate", "pairs.pt", "random.npz", "--fit")
    assert "the model has seen these validation pairs, or may have: it was pretrained on another" in message
    assert run("evaluate", "pairs.pt", "random.npz", "--allow-seen", "--no-baselines") == 0
    assert metrics()["may_have_been_seen"].startswith("it was pretrained on another data set")
    assert "may have been trained on these pairs" in Path("pairs.evaluation/report.html").read_text()


def test_seen_is_told_by_digest_and_chromosome_whatever_the_spelling(trained: PairDataset) -> None:
    checkpoint = Checkpoint.read("pairs.pt")
    assert why_seen(checkpoint, trained, TEST) == ""
    other = replace(trained, chromosomes=tuple(name.removeprefix("chr") for name in trained.chromosomes))
    assert why_seen(checkpoint, other, TEST) == ""
    assert "another data set with pairs on" in why_seen(checkpoint, replace(other, subset=2 - other.subset), TEST)
    assert why_seen(builders.random_checkpoint(), trained, TEST) == "it does not say what it was trained on"


def test_a_subset_of_one_class_is_an_error(trained: PairDataset, fails: Fails) -> None:
    lines = builders.pair_lines(200)
    builders.write_pairs(Path("none.bedpe"), lines)
    assert run("prepare", "none.bedpe", "genome.fa", *WINDOW_OPTIONS, "--split", "none") == 0
    assert "the test subset has 0 positives and 0 negatives; expected both" in fails("evaluate", "pairs.pt", "none.npz")
    message = fails("evaluate", "pairs.pt", "none.npz", "--subset", "train", "--allow-seen", "--fit")
    assert "the validation subset has 0 positives and 0 negatives" in message


def test_other_windows_are_refused(trained: PairDataset, fails: Fails) -> None:
    assert (
        run("prepare", "pairs.bedpe", "genome.fa", "--enhancer-window", 310, "--promoter-window", 200, "-o", "w.npz")
        == 0
    )
    assert "w.npz: windows of 310 and 200 bp; expected the model's 300 and 200 bp" in fails(
        "evaluate", "pairs.pt", "w.npz"
    )


@pytest.mark.parametrize(
    ("chromosomes", "spread", "unit"),
    [(8, 1, "chromosome"), (2, 60_000_000, "block of 5 Mb"), (1, 4_000_000, "promoter")],
)
def test_the_largest_unit_that_is_frequent_enough_is_resampled(
    dataset: PairDataset, chromosomes: int, spread: int, unit: str
) -> None:
    rng = np.random.default_rng(0)
    count = len(dataset.promoters)
    start = rng.integers(0, spread, count)
    interval = np.stack([np.arange(count) % chromosomes, start, start + 100], axis=1)
    placed = replace(dataset, promoters=replace(dataset.promoters, interval=interval))
    clusters = resampling_clusters(placed, np.arange(len(placed)))
    assert clusters.unit == unit
    assert len(np.unique(clusters.cluster)) == clusters.cluster.max() + 1


def test_an_output_that_is_no_folder_is_refused(trained: PairDataset, fails: Fails) -> None:
    Path("file").touch()
    assert run("evaluate", "pairs.pt", "pairs.npz", "-o", "file") == 2
    assert "no such folder; mkdir -p no" in fails("evaluate", "pairs.pt", "pairs.npz", "-o", "no/where")


@pytest.mark.parametrize("options", [["-o", "there/out"], ["--fit", "-o", "out"]])
def test_what_cannot_be_written_is_refused_before_anything_is_read(
    folder: Path, fails: Fails, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the refusal is put in the system's place."""
    Path("there").mkdir()
    Path("there/pairs.pt").touch()

    def refuse(dir: Path) -> None:
        if dir == folder / "there":
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", lambda dir: refuse(dir) or contextlib.nullcontext())
    assert "there: Permission denied" in fails("evaluate", "there/pairs.pt", "nowhere.npz", *options)


def test_a_baseline_is_scikit_learn_s_trees_on_the_training_pairs(trained: PairDataset) -> None:
    said: list[str] = []
    asked = {name: BASELINES[name] for name in ("distance", "GC content")}
    found = {name: logits for name, (logits,) in baseline_logits([trained], 3, asked, said.append)}
    assert said == ["baseline 1 of 2: distance", "baseline 2 of 2: GC content"]
    train = trained.members(TRAIN)
    distance = distance_bp(
        *(
            side.interval[index, end]
            for side, index in (
                (trained.enhancers, trained.enhancer_index),
                (trained.promoters, trained.promoter_index),
            )
            for end in (1, 2)
        )
    )
    features = np.log1p(distance)[:, None].astype(np.float32)
    trees = HistGradientBoostingClassifier(random_state=3).fit(features[train], trained.label[train])
    np.testing.assert_array_equal(found["distance"], trees.decision_function(features))

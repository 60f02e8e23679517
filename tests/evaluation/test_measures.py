"""Measures against scikit-learn, whose weights are pairs repeated; intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from speid_cli.dataset.metrics import sigmoid
from speid_cli.evaluation.measures import (
    ECE_BINS,
    Estimate,
    Predictions,
    beats_chance,
    curve,
    estimate,
    weighted_measures,
)


def random_predictions(seed: int, pairs: int = 60, levels: int = 25) -> Predictions:
    """Scores with ties that say something about the label."""
    rng = np.random.default_rng(seed)
    label = (rng.random(pairs) < 0.3).astype(np.int8)
    probability = np.round(np.clip(rng.random(pairs) * 0.7 + 0.3 * label * rng.random(pairs), 0, 1) * levels) / levels
    return Predictions(label, probability, probability**2, threshold=0.4)


def oracle(found: Predictions, weights: np.ndarray) -> dict[str, float]:  # type: ignore[type-arg]
    y, p, c = (np.repeat(values, weights) for values in (found.label, found.probability, found.calibrated))
    auprc = metrics.average_precision_score(y, p)
    values = {"auprc": auprc, "auprc_gain": auprc - y.mean(), "auroc": metrics.roc_auc_score(y, p)}
    for suffix, threshold in (("", found.threshold), ("_at_0.5", 0.5)):
        called = p >= threshold
        values |= {
            f"precision{suffix}": metrics.precision_score(y, called, zero_division=0),
            f"recall{suffix}": metrics.recall_score(y, called),
            f"f1{suffix}": metrics.f1_score(y, called, zero_division=0),
            f"balanced_accuracy{suffix}": metrics.balanced_accuracy_score(y, called),
        }
    for prefix, scores in (("", p), ("calibrated_", c)):
        values[f"{prefix}brier"] = metrics.brier_score_loss(y, scores)
        values[f"{prefix}ece"] = 0.0
        for low in range(ECE_BINS):
            inside = [i for i, score in enumerate(scores) if min(int(score * ECE_BINS), ECE_BINS - 1) == low]
            if inside:
                gap = abs(np.mean([scores[i] for i in inside]) - np.mean([y[i] for i in inside]))
                values[f"{prefix}ece"] += len(inside) / len(y) * gap
    return values


@given(st.integers(0, 10_000))
def test_weighted_measures_are_those_of_repeated_pairs(seed: int) -> None:
    found = random_predictions(seed)
    rng = np.random.default_rng(seed + 1)
    weights = rng.integers(0, 4, (3, len(found.label)))
    weights[:, [found.label.argmax(), found.label.argmin()]] = 1
    if not 0 < found.label.sum() < len(found.label):
        return
    values = weighted_measures(found, weights.astype(float))
    for row in range(3):
        expected_values = oracle(found, weights[row])
        assert values.keys() == expected_values.keys()
        for name, expected in expected_values.items():
            assert values[name][row] == pytest.approx(expected, abs=1e-12), name


def test_a_measure_without_positives_is_undefined() -> None:
    found = random_predictions(0)
    weights = (found.label == 0).astype(float)[None]
    values = weighted_measures(found, weights)
    assert all(math.isnan(values[name][0]) for name in ("auprc", "auroc", "recall", "balanced_accuracy"))
    assert values["precision"][0] == 0


def test_a_bootstrap_of_single_pairs_has_the_textbook_s_width() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(4000) < 0.2).astype(np.int8)
    called = np.where(rng.random(4000) < 0.9, label, 1 - label).astype(float)
    found = estimate(Predictions(label, called, called, 0.5), np.arange(4000), 2000, seed=1)["recall"]
    width = 2 * 1.96 * math.sqrt(found.value * (1 - found.value) / label.sum())
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(width, rel=0.1)


def test_clusters_are_drawn_whole_and_the_seed_decides() -> None:
    found = random_predictions(3, pairs=400)
    one = estimate(found, np.zeros(400, np.int64), 50, seed=0)["auprc"]
    assert one.low == one.value == one.high
    cluster = np.arange(400) % 20
    first, again, other = (estimate(found, cluster, 50, seed)["auprc"] for seed in (0, 0, 1))
    assert first == again != other


@given(st.integers(0, 10_000))
def test_an_interval_holds_its_measure(seed: int) -> None:
    found = random_predictions(seed, pairs=40)
    for name, measure in estimate(found, np.arange(40) // 2, 40, seed).items():
        assert measure.low <= measure.value <= measure.high or math.isnan(measure.value), name


def test_no_replicates_no_interval() -> None:
    found = estimate(random_predictions(3), np.arange(60), 0, seed=0)["auprc"]
    assert math.isnan(found.low) and math.isnan(found.high) and not math.isnan(found.value)


@pytest.mark.parametrize("points", [10_000, 50])
def test_curves_begin_and_end_where_they_must_and_hold_their_area(points: int) -> None:
    found = random_predictions(5, pairs=3000, levels=10_000)
    line = curve(found.label, found.probability, points)
    assert line["recall"][-1] == line["false_positive_rate"][-1] == 1
    assert line["precision"][-1] == pytest.approx(found.label.mean())
    area = np.trapezoid(np.append(0, line["recall"]), np.append(0, line["false_positive_rate"]))
    assert area == pytest.approx(
        metrics.roc_auc_score(found.label, found.probability), abs=1e-9 if points > 50 else 0.01
    )


def test_rankings_within_folds_are_those_of_each_fold() -> None:
    """Also where every other fold has much higher probabilities, which ruins the pooled ranking."""
    rng = np.random.default_rng(0)
    fold = rng.integers(0, 4, 800)
    label = (rng.random(800) < np.array([0.05, 0.1, 0.2, 0.4])[fold]).astype(np.int8)
    score = rng.random(800) + label
    pooled = Predictions(label, sigmoid(score - 3 * fold), label, 0.5, fold)
    found = {name: values[0] for name, values in weighted_measures(pooled, np.ones((1, 800))).items()}
    parts = [(label[fold == number], score[fold == number]) for number in range(4)]
    positives = np.array([part.sum() for part, _ in parts])
    couples = np.array([part.sum() * (1 - part).sum() for part, _ in parts])
    auprc = [metrics.average_precision_score(*part) for part in parts]
    assert found["auprc_within_folds"] == pytest.approx((positives * auprc).sum() / positives.sum())
    base_rate = (positives * [part.mean() for part, _ in parts]).sum() / positives.sum()
    assert found["auprc_within_folds_gain"] == pytest.approx(found["auprc_within_folds"] - base_rate)
    auroc = [metrics.roc_auc_score(*part) for part in parts]
    assert found["auroc_within_folds"] == pytest.approx((couples * auroc).sum() / couples.sum())
    assert found["auroc"] < found["auroc_within_folds"] - 0.1
    repeated = rng.integers(0, 3, 800).astype(float)
    weighted = {name: values[0] for name, values in weighted_measures(pooled, repeated[None]).items()}
    copied = Predictions(*(np.repeat(values, repeated.astype(int)) for values in (label, pooled.probability, label)), 0.5,
                         np.repeat(fold, repeated.astype(int)))  # fmt: skip
    expected = weighted_measures(copied, np.ones((1, int(repeated.sum()))))
    assert weighted == pytest.approx({name: values[0] for name, values in expected.items()})


@pytest.mark.parametrize(
    ("gain", "auroc", "expected"),
    [(0.01, 0.51, True), (0.0, 0.51, False), (0.01, 0.5, False), (math.nan, 0.6, False), (0.1, math.nan, False)],
)
def test_chance_is_beaten_by_both_rankings(gain: float, auroc: float, expected: bool) -> None:
    found = {"auprc_gain": Estimate(0.4, gain, 0.5), "auroc": Estimate(0.7, auroc, 0.8)}
    assert beats_chance(found) == expected


def test_random_rankings_have_more_than_the_base_rate_where_positives_are_few() -> None:
    """The figure that `beats_chance` and docs/evaluation.md give, for 10 positives among 200 pairs."""
    label, rng = np.repeat([1, 0], [10, 190]), np.random.default_rng(0)
    found = np.mean([metrics.average_precision_score(label, rng.random(200)) for _ in range(3000)])
    ranks = np.arange(1, 201)
    expected = np.mean((1 + (ranks - 1) * 9 / 199) / ranks)
    assert round(float(expected), 3) == 0.073
    assert found == pytest.approx(expected, abs=0.002)

"""Evaluate a model and the baselines on the same pairs, one subset of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.metrics import has_both_classes, sigmoid
from speid_cli.dataset.pairs import SUBSETS, TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError, counted
from speid_cli.evaluation.baselines import Watch, baseline_logits, unwatched
from speid_cli.evaluation.calibration import Calibration, fit_calibration, fit_threshold
from speid_cli.evaluation.measures import Estimate, Predictions, estimate
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.genome.contigs import canonical
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer, check_windows

MODEL_NAME = "speid"
BLOCK_BP = 5_000_000
# Fewer clusters are too few for a 95% interval.
_FEWEST_CLUSTERS = 8
Logits = NDArray[np.floating]


class Clusters(NamedTuple):
    """What the bootstrap resamples: the kind of cluster, and the cluster (N,) of each pair."""

    unit: str
    cluster: NDArray[np.int64]


@dataclass(frozen=True)
class ModelResult:
    """Result of one model or baseline on the evaluated pairs.

    Where the validation pairs do not allow a calibration, each pair's calibrated probability is
    their share of positives.
    """

    predictions: Predictions
    estimates: dict[str, Estimate]
    calibration: Calibration | None


@dataclass(frozen=True)
class Evaluation:
    """Results of an evaluation; the network is the first of `models`.

    Attributes
    ----------
    members : int64 (N,)
        The evaluated pairs, as positions in the data set.
    seen : str
        Why the model may have seen these pairs; empty if it has not.
    chosen : str
        Parts of the model that were chosen on these pairs, such as its threshold; empty if none was.
    leaks : dict
        What these pairs share with the training subset, from `leak_report`.
    """

    members: NDArray[np.int64]
    models: dict[str, ModelResult]
    clusters: Clusters
    seen: str
    chosen: str
    leaks: dict[str, Any]


def evaluate(
    checkpoint: Checkpoint,
    dataset: PairDataset,
    device: Device,
    settings: EvaluationSettings,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = unwatched,
) -> Evaluation:
    """Evaluate a model and the baselines on one subset.

    The model's stored threshold and calibration are used if it has them. Otherwise, and for the
    baselines, they are fitted on the validation pairs.

    Raises
    ------
    DataError
        The windows differ, the subset lacks positives or negatives, or the model was trained on it.
    """
    check_windows(checkpoint.config, dataset)
    dataset.check_both_classes(settings.subset)
    members = dataset.members(settings.subset)
    seen = refuse_seen(checkpoint, dataset, settings.subset, settings.allow_seen)
    clusters = resampling_clusters(dataset, members)
    models: dict[str, ModelResult] = {}
    for title, logits in _all_logits(checkpoint, dataset, device, settings, members, say, watch):
        stored = checkpoint if title == MODEL_NAME else None
        models[title] = _judge(dataset, logits, members, clusters, settings, stored)
    chosen = chosen_on(checkpoint, dataset, settings.subset)
    return Evaluation(members, models, clusters, seen, chosen, leak_report(dataset, settings.subset))


def fit(checkpoint: Checkpoint, dataset: PairDataset, device: Device, allow_seen: bool = False) -> Checkpoint:
    """The model with a threshold (best F1) and a calibration, both fitted on the validation subset.

    The calibration is None where these pairs support none (`fit_calibration`).

    Raises
    ------
    DataError
        The windows differ, the validation subset lacks positives or negatives, or the model was
        trained on it.
    """
    check_windows(checkpoint.config, dataset)
    refuse_seen(checkpoint, dataset, VALIDATION, allow_seen)
    dataset.check_both_classes(VALIDATION, hint="threshold and calibration are fitted on it")
    members = dataset.members(VALIDATION)
    logits, label = DatasetScorer(checkpoint.model(), dataset, device).logits(members), dataset.label[members]
    calibration = fit_calibration(label, logits)
    fitted_on = {"dataset": dataset.digest, "validated_chromosomes": dataset.chromosomes_of(VALIDATION)}
    return replace(
        checkpoint,
        threshold=fit_threshold(label, sigmoid(logits)),
        calibration=calibration.as_plain() if calibration else None,
        provenance=checkpoint.provenance | {"fitted_on": fitted_on},
    )


def _all_logits(
    checkpoint: Checkpoint,
    dataset: PairDataset,
    device: Device,
    settings: EvaluationSettings,
    members: NDArray[np.int64],
    say: Callable[[str], None],
    watch: Watch,
) -> Iterator[tuple[str, Logits]]:
    """Name and logits (N,) of the network and each baseline; pairs that are not needed have no defined logit."""
    needed = np.union1d(members, dataset.members(VALIDATION))
    say(f"scoring {counted(len(needed), 'pair')}")
    logits = np.full(len(dataset), np.nan)
    logits[needed] = DatasetScorer(checkpoint.model(), dataset, device).logits(needed)
    yield MODEL_NAME, logits
    if not settings.no_baselines:
        train = dataset.label[dataset.members(TRAIN)]
        if not has_both_classes(train):
            say("no baselines: the training subset lacks positives or negatives")
            return
        say(f"training the baselines on {counted(len(train), 'pair')}")
        yield from baseline_logits(dataset, settings.seed, watch=watch)


def _judge(
    dataset: PairDataset,
    logits: Logits,
    members: NDArray[np.int64],
    clusters: Clusters,
    settings: EvaluationSettings,
    stored: Checkpoint | None,
) -> ModelResult:
    validation = dataset.members(VALIDATION)
    calibration = fit_calibration(dataset.label[validation], logits[validation])
    threshold = fit_threshold(dataset.label[validation], sigmoid(logits[validation]))
    if stored is not None and stored.calibration is not None:
        calibration = Calibration.from_plain(stored.calibration)
    if stored is not None and stored.threshold is not None:
        threshold = stored.threshold
    probability = sigmoid(logits[members])
    if calibration is not None:
        calibrated = calibration.probabilities(logits[members])
    else:
        share = dataset.label[validation].mean() if len(validation) else dataset.label[members].mean()
        calibrated = np.full(len(members), float(share))
    predictions = Predictions(dataset.label[members], probability, calibrated, threshold)
    estimates = estimate(predictions, clusters.cluster, settings.replicates, settings.seed)
    return ModelResult(predictions, estimates, calibration)


def refuse_seen(checkpoint: Checkpoint, dataset: PairDataset, subset: int, allow: bool) -> str:
    """Refuse pairs that a model was trained on; where that is allowed, return why it may have been.

    Raises
    ------
    DataError
        It was, or may have been, and that is not allowed.
    """
    seen, name = why_seen(checkpoint, dataset, subset), SUBSETS[subset]
    if seen and not allow:
        raise DataError(
            f"the model has seen these {name} pairs, or may have: {seen}",
            expected="pairs held out of its training",
            hint="use --allow-seen to evaluate anyway; the report will say so",
        )
    return seen


def why_seen(checkpoint: Checkpoint, dataset: PairDataset, subset: int) -> str:
    """Why a model may have been trained on a subset; empty if it was not.

    A stage that trained on this very data set has seen its training subset only. One that trained
    on another has seen what lies on the chromosomes that it names.
    """
    tested = dataset.chromosomes_of(subset)
    for entry in checkpoint.provenance.get("stages", []):
        stage = entry.get("stage", "training")
        if entry.get("dataset") == dataset.digest:
            if subset == TRAIN:
                return f"it was {stage} on them"
            continue
        trained = {canonical(chrom) for chrom in entry.get("trained_chromosomes", [])}
        if shared := [chrom for chrom in tested if canonical(chrom) in trained]:
            return f"it was {stage} on another data set with pairs on {', '.join(shared[:5])}"
    if not checkpoint.provenance.get("stages"):
        return "it does not say what it was trained on"
    return ""


def chosen_on(checkpoint: Checkpoint, dataset: PairDataset, subset: int) -> str:
    """Parts of a model that were chosen on the evaluated pairs, or on pairs of their chromosomes."""
    tested = {canonical(chrom) for chrom in dataset.chromosomes_of(subset)}

    def met(validation: Mapping[str, Any]) -> bool:
        """Whether the validation pairs of a data set are evaluated."""
        if validation.get("dataset") == dataset.digest:
            return subset == VALIDATION
        return bool(tested & {canonical(chrom) for chrom in validation.get("validated_chromosomes", [])})

    stages = checkpoint.provenance.get("stages", [])
    fitted = checkpoint.provenance.get("fitted_on") or {"dataset": dataset.digest}
    names = ["epoch"] * any(entry.get("settings", {}).get("keep") == "best" and met(entry) for entry in stages)
    for name, stored in (("threshold", checkpoint.threshold), ("calibration", checkpoint.calibration)):
        names += [name] * (subset == VALIDATION if stored is None else met(fitted))
    return ", ".join(names)


def resampling_clusters(dataset: PairDataset, members: NDArray[np.int64]) -> Clusters:
    """Clusters to resample: chromosomes, else blocks of `BLOCK_BP`, else promoters.

    Pairs that share a promoter or a neighbourhood are not independent. Therefore the largest clusters
    are used that are numerous enough for an interval.
    """
    chrom, start, _ = dataset.promoters.interval[dataset.promoter_index[members]].T
    units = {
        "chromosome": chrom,
        f"block of {BLOCK_BP // 1_000_000} Mb": chrom * (1 << 32) + start // BLOCK_BP,
        "promoter": dataset.promoter_index[members],
    }
    large = (unit for unit, values in units.items() if len(np.unique(values)) >= _FEWEST_CLUSTERS)
    unit = next(large, "promoter")
    return Clusters(unit, np.unique(units[unit], return_inverse=True)[1])

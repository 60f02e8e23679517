"""Evaluate models and baselines on the same pairs: one subset of a data set, or the test pairs of all its folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.metrics import has_both_classes, sigmoid
from speid_cli.dataset.pairs import SUBSETS, TEST, TRAIN, VALIDATION, PairDataset, check_both_classes
from speid_cli.errors import OptionError, counted
from speid_cli.evaluation.baselines import BASELINES, baseline_logits, pair_distances
from speid_cli.evaluation.calibration import Calibration, fit_calibration, fit_threshold
from speid_cli.evaluation.features import TrackFeatures
from speid_cli.evaluation.measures import Estimate, Predictions, difference, estimate
from speid_cli.evaluation.parts import Part, check_trainable
from speid_cli.evaluation.posterior import log_odds_with_distance
from speid_cli.evaluation.seen import chosen_on, refuse_seen
from speid_cli.evaluation.settings import EvaluationSettings
from speid_cli.evaluation.targetfinder import COMBINED, combined, targetfinder
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer, check_windows

MODEL_NAME = "speid"
WITH_DISTANCE = "speid + distance"
ENSEMBLE = "ensemble"
BLOCK_BP = 5_000_000
# Fewer clusters are too few for a 95% interval.
_FEWEST_CLUSTERS = 8
Logits = NDArray[np.floating]


class Clusters(NamedTuple):
    """What the bootstrap resamples: the kind of cluster, and the cluster (N,) of each pair."""

    unit: str
    cluster: NDArray[np.int64]


class Fitted(NamedTuple):
    """What turns logits of one part into probabilities and calls.

    Where the validation pairs do not allow a calibration, it is None, and each pair's calibrated
    probability is `share`, the share of positives.
    """

    calibration: Calibration | None
    threshold: float
    share: float


@dataclass(frozen=True)
class ModelResult:
    """Result of one model or baseline on the evaluated pairs; `fitted` is one for each part."""

    predictions: Predictions
    estimates: dict[str, Estimate]
    fitted: tuple[Fitted, ...]


@dataclass(frozen=True)
class Evaluation:
    """Results of an evaluation.

    Attributes
    ----------
    parts : list of Part
    members : int64 (N,)
        The evaluated pairs, as positions in the data set, in order.
    models : dict of ModelResult
        By name.
    networks : tuple of str
        Those of `models` that are networks; the first is the one that is reported on.
    differences : dict
        For each two networks, by both names: the first's AUPRC and AUROC minus the second's.
    seen : str
        Why a model may have seen these pairs; empty if none has.
    chosen : str
        Parts of the models that were chosen on these pairs, such as the threshold; empty if none was.
    leaks : dict
        What these pairs share with the training subset, from `leak_report`.
    """

    parts: list[Part]
    members: NDArray[np.int64]
    models: dict[str, ModelResult]
    networks: tuple[str, ...]
    differences: dict[tuple[str, str], dict[str, Estimate]]
    clusters: Clusters
    seen: str
    chosen: str
    leaks: dict[str, Any]

    @property
    def label(self) -> NDArray[np.int8]:
        """Labels (N,) of the evaluated pairs."""
        return next(iter(self.models.values())).predictions.label

    @property
    def within(self) -> str:
        """Ending of the names of the rankings to report: of folds, they are those among pairs of the same fold."""
        return "_within_folds" if len(self.parts) > 1 else ""

    @property
    def network(self) -> ModelResult | None:
        """Result of the first network; None where only baselines were judged."""
        return self.models[self.networks[0]] if self.networks else None


def evaluate(
    parts: list[Part],
    device: Device | None,
    settings: EvaluationSettings,
    features: TrackFeatures | None = None,
    say: Callable[[str], None] = lambda text: None,
    rivals: Mapping[str, Part] | None = None,
) -> Evaluation:
    """Evaluate the models, the baselines and TargetFinder on one subset, that of all parts together.

    A model's stored threshold and calibration are used if it has them. Otherwise, and for the
    baselines, they are fitted on the validation pairs of the part.

    Parameters
    ----------
    device : Device, optional
        None where no part has a model.
    features : TrackFeatures, optional
        TargetFinder's, of all pairs of the data set; default: without TargetFinder.
    say : callable
        Is told what is done.
    rivals : dict of Part
        Several models that were divided alike, by name; `parts` is the first of them.

    Raises
    ------
    DataError
        The windows differ, the pairs lack positives or negatives, or a model was trained on them.
        Without a model: the training pairs lack positives or negatives.
    OptionError
        Folds are judged together on another subset than the test pairs, or baselines alone on the training
        pairs.
    """
    subset = settings.subset
    contests = {name: [part] for name, part in (rivals or {}).items()} or {MODEL_NAME: parts}
    judged = [part for each in contests.values() for part in each]
    networks = [(part.checkpoint, part.dataset) for part in judged if part.checkpoint is not None]
    if len(parts) > 1 and subset != TEST:
        raise OptionError(f"folds are judged on their test pairs: leave out --subset {SUBSETS[subset]}")
    rows = [part.dataset.members(subset) for part in parts]
    members, dataset = np.sort(np.concatenate(rows)), parts[0].dataset
    check_both_classes(dataset.label[members], f"the {SUBSETS[subset]} subset has")
    for checkpoint, divided in networks:
        check_windows(checkpoint.config, divided)
    if not networks:
        check_trainable(parts, subset)
    reasons = [refuse_seen(checkpoint, divided, subset, settings.allow_seen) for checkpoint, divided in networks]
    clusters = resampling_clusters(dataset, members)
    models = {
        name: _judge(contests.get(name, parts), rows, logits, clusters, settings, name in contests)
        for name, logits in _all_logits(contests, device, settings, features, rows, say)
    }
    names = tuple(name for name in (*contests, ENSEMBLE) if name in models)
    differences = {
        (one, other): difference(
            models[one].predictions, models[other].predictions, clusters.cluster, settings.replicates, settings.seed
        )
        for one, other in combinations(names, 2)
    }
    chosen = dict.fromkeys(name for part in judged for name in chosen_on(part.checkpoint, part.dataset, subset))
    leaks = leak_report([part.dataset for part in parts], subset)
    seen = next(filter(None, reasons), "")
    return Evaluation(parts, members, models, names, differences, clusters, seen, ", ".join(chosen), leaks)


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
    found = _fit(dataset, _network_logits(checkpoint, dataset, dataset.members(VALIDATION), device))
    fitted_on = {"dataset": dataset.digest, "validated_chromosomes": dataset.chromosomes_of(VALIDATION)}
    return replace(
        checkpoint,
        threshold=found.threshold,
        calibration=found.calibration.as_plain() if found.calibration else None,
        provenance=checkpoint.provenance | {"fitted_on": fitted_on},
    )


def _network_logits(checkpoint: Checkpoint, dataset: PairDataset, rows: NDArray[np.int64], device: Device) -> Logits:
    """Logits (N,) of all pairs of a data set; NaN for those that are not among `rows`."""
    logits = np.full(len(dataset), np.nan)
    logits[rows] = DatasetScorer(checkpoint.model(), dataset, device).logits(rows)
    return logits


def _all_logits(
    contests: Mapping[str, list[Part]],
    device: Device | None,
    settings: EvaluationSettings,
    features: TrackFeatures | None,
    rows: list[NDArray[np.int64]],
    say: Callable[[str], None],
) -> Iterator[tuple[str, list[Logits]]]:
    """Name of the network and of each baseline, and, for each part, logits (N,) of all pairs that are needed."""
    parts = next(iter(contests.values()))
    datasets, baselines = [part.dataset for part in parts], {} if settings.no_baselines else BASELINES
    if features is not None:
        baselines = baselines | targetfinder(features)
    if device is not None:
        needed = [np.union1d(each, dataset.members(VALIDATION)) for each, dataset in zip(rows, datasets, strict=True)]
        say(f"scoring {counted(sum(map(len, needed)), 'pair')}")
        every = {name: list(_scores(each, needed, device)) for name, each in contests.items()}
        yield from every.items()
        if settings.ensemble:
            yield ENSEMBLE, [np.mean([logits for (logits,) in every.values()], axis=0)]
        scores = next(iter(every.values()))
        if len(every) == 1 and (with_distance := _with_distance(parts, scores, say)):
            yield WITH_DISTANCE, with_distance
        if features is not None and len(parts) > 1:
            baselines = baselines | combined(features, unseen_scores(datasets, scores))
        elif features is not None:
            say(f"no {COMBINED}: it needs models of all folds, since this one has seen the pairs to train the trees on")
    if not baselines:
        return
    if not all(has_both_classes(dataset.label[dataset.members(TRAIN)]) for dataset in datasets):
        say("no baselines: the training subset lacks positives or negatives")
        return
    size = sum(len(dataset.members(TRAIN)) for dataset in datasets) // len(datasets)
    each_fold = f", for each of {len(parts)} folds" if len(parts) > 1 else ""
    say(f"training the baselines on {counted(size, 'pair')}{each_fold}")
    for name, logits in baseline_logits(datasets, settings.seed, baselines, say):
        yield name, list(logits)


def _scores(parts: list[Part], needed: list[NDArray[np.int64]], device: Device) -> Iterator[Logits]:
    """The network's logits (N,) for each part."""
    for part, rows in zip(parts, needed, strict=True):
        if part.checkpoint is not None:
            yield _network_logits(part.checkpoint, part.dataset, rows, device)


def _with_distance(parts: list[Part], scores: list[Logits], say: Callable[[str], None]) -> list[Logits]:
    """Log-odds (N,) from sequence and distance, for each part; none where a model has no prior of distance."""
    checkpoints = [part.checkpoint for part in parts if part.checkpoint is not None]
    if any(checkpoint.prior is None for checkpoint in checkpoints):
        return []
    if any(checkpoint.calibration is None for checkpoint in checkpoints):
        say(f"no {WITH_DISTANCE}: it needs a calibration, and the validation pairs do not allow one")
        return []
    distance = pair_distances(parts[0].dataset)
    return [
        log_odds_with_distance(checkpoint, logits, distance)
        for checkpoint, logits in zip(checkpoints, scores, strict=True)
    ]


def unseen_scores(datasets: list[PairDataset], scores: list[Logits]) -> NDArray[np.float64]:
    """The network's score (N,) of each pair, by the model that was trained without its fold.

    Models differ in the level and spread of their logits: each is standardised by its logits of
    the validation pairs.
    """
    found = np.full(len(datasets[0]), np.nan)
    for dataset, logits in zip(datasets, scores, strict=True):
        members, validation = dataset.members(TEST), logits[dataset.members(VALIDATION)]
        found[members] = (logits[members] - validation.mean()) / max(validation.std(), np.finfo(float).tiny)
    return found


def _fit(dataset: PairDataset, logits: Logits) -> Fitted:
    """Calibration and threshold from the validation pairs."""
    members = dataset.members(VALIDATION)
    label, found = dataset.label[members], logits[members]
    share = float(label.mean()) if len(label) else float("nan")
    return Fitted(fit_calibration(label, found), fit_threshold(label, sigmoid(found)), share)


def _stored(fitted: Fitted, checkpoint: Checkpoint | None) -> Fitted:
    """What a model has stored, in place of what was fitted."""
    if checkpoint is not None and checkpoint.calibration is not None:
        fitted = fitted._replace(calibration=Calibration.from_plain(checkpoint.calibration))
    if checkpoint is not None and checkpoint.threshold is not None:
        fitted = fitted._replace(threshold=checkpoint.threshold)
    return fitted


def _judge(
    parts: list[Part],
    rows: list[NDArray[np.int64]],
    logits: list[Logits],
    clusters: Clusters,
    settings: EvaluationSettings,
    is_network: bool,
) -> ModelResult:
    """Predictions of all parts, in the order of the data set, and their measures."""
    fitted = [_fit(part.dataset, values) for part, values in zip(parts, logits, strict=True)]
    if is_network:
        fitted = [_stored(found, part.checkpoint) for found, part in zip(fitted, parts, strict=True)]
    columns = [
        _columns(part.dataset.label[here], values[here], found)
        for part, here, values, found in zip(parts, rows, logits, fitted, strict=True)
    ]
    order = np.argsort(np.concatenate(rows))
    label, probability, calibrated, threshold = (np.concatenate(column)[order] for column in zip(*columns, strict=True))
    fold = np.repeat(np.arange(len(parts)), list(map(len, rows)))[order] if len(parts) > 1 else None
    predictions = Predictions(label, probability, calibrated, threshold, fold)
    estimates = estimate(predictions, clusters.cluster, settings.replicates, settings.seed)
    return ModelResult(predictions, estimates, tuple(fitted))


def _columns(label: NDArray[np.int8], logits: Logits, fitted: Fitted) -> tuple[NDArray[Any], ...]:
    """Labels, probabilities, calibrated probabilities and thresholds (n,) of the pairs of one part."""
    share = label.mean() if np.isnan(fitted.share) else fitted.share
    calibrated = fitted.calibration.probabilities(logits) if fitted.calibration else np.full(len(logits), share)
    return label, sigmoid(logits), calibrated, np.full(len(logits), fitted.threshold)


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

"""The model and the held-out pairs that it is asked about, and how well it predicts them.

N labelled pairs of the subset; M of them in the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.leakage import leak_report
from speid_cli.dataset.metrics import Array, ranking, sigmoid
from speid_cli.dataset.pairs import SUBSETS, PairDataset
from speid_cli.evaluation.evaluate import Clusters, resampling_clusters
from speid_cli.evaluation.measures import Estimate, Predictions, beats_chance, cluster_counts, estimate
from speid_cli.evaluation.seen import refuse_seen
from speid_cli.explain.settings import SubjectSettings
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.device import Device
from speid_cli.scoring.dataset import DatasetScorer, check_windows

REPLICATES = 1000


@dataclass(frozen=True)
class Subject:
    """Pairs of a data set, with what the model says of them.

    Attributes
    ----------
    members : int64 (M,)
        The sample, as positions in the data set; both classes are in it.
    label : int8 (M,)
    logit : float32 (M,)
    weight : float64 (M,)
        How many pairs of the subset each pair of the sample stands for.
    clusters : Clusters
        What bootstrap and sign flips resample, over the sample.
    pairs, positives : int
        Of the whole subset.
    auprc : Estimate
        On the whole subset.
    predicts : bool
        Whether the model predicts it better than the base rate (`beats_chance`).
    warnings : tuple of str
        Why the figures may be too good.
    seed : int
        For bootstrap replicates.
    """

    members: NDArray[np.int64]
    label: NDArray[np.int8]
    logit: NDArray[np.float32]
    weight: NDArray[np.float64]
    clusters: Clusters
    subset: str
    pairs: int
    positives: int
    auprc: Estimate
    predicts: bool
    warnings: tuple[str, ...]
    seed: int

    @property
    def base_rate(self) -> float:
        """Share of positives in the whole subset."""
        return self.positives / self.pairs

    @property
    def verdict(self) -> str:
        """One sentence on how well the model predicts the pairs."""
        auprc, pairs = self.auprc, f"{self.pairs:,} {self.subset} pairs"
        figures = f"AUPRC {auprc.value:.3f}, 95% interval {auprc.low:.3f} to {auprc.high:.3f}; base rate "
        figures += f"{self.base_rate:.3f}"
        if self.predicts:
            return f"The model predicts these {pairs} better than the base rate ({figures})."
        return (
            f"The model does not predict these {pairs} significantly better than the base rate ({figures}). "
            "What follows describes the model; its motifs say nothing about which pairs interact."
        )

    @property
    def units(self) -> int:
        """Number of clusters of the sample."""
        return int(self.clusters.cluster.max()) + 1

    @cached_property
    def weights(self) -> Array:
        """Weights (1 + R, M): what each pair stands for, then the same in bootstrap replicates over clusters."""
        drawn = cluster_counts(self.units, REPLICATES, np.random.default_rng(self.seed))
        return np.concatenate([np.ones((1, self.units)), drawn])[:, self.clusters.cluster] * self.weight

    def auprc_change(self, before: Array, after: Array, comparisons: int) -> Estimate:
        """Change of AUPRC from logits `before` (M,) of the sample to `after` (M,), with a simultaneous 95% interval.

        In 95% of cases or more the intervals of all comparisons contain their change. An interval is the
        change plus and minus its standard error, from a bootstrap over clusters, times the quantile of
        Student's t at 0.025 divided by the number of comparisons (Bonferroni).
        """
        from scipy.stats import t

        change, *drawn = ranking(self.label, after, self.weights)[0] - ranking(self.label, before, self.weights)[0]
        known = [value for value in drawn if not np.isnan(value)]  # replicates with both classes
        error = float(np.std(known, ddof=1)) if len(known) > 1 else np.nan
        margin = float(t.ppf(1 - 0.025 / comparisons, max(self.units - 1, 1))) * error
        return Estimate(float(change), float(change) - margin, float(change) + margin)


def ask(checkpoint: Checkpoint, dataset: PairDataset, device: Device, settings: SubjectSettings) -> Subject:
    """Score the labelled pairs of a subset, and draw a sample of them.

    Raises
    ------
    DataError
        The windows differ, the subset lacks positives or negatives, or the model was trained on it.
    """
    check_windows(checkpoint.config, dataset)
    dataset.check_both_classes(settings.subset)
    seen = refuse_seen(checkpoint, dataset, settings.subset, settings.allow_seen)
    members = dataset.members(settings.subset)
    label = dataset.label[members]
    logit = DatasetScorer(checkpoint.model(), dataset, device).logits(members)
    probability = sigmoid(logit)
    clusters = resampling_clusters(dataset, members).cluster
    quality = estimate(Predictions(label, probability, probability, 0.5), clusters, REPLICATES, settings.seed)
    chosen, weight = _sample(label, settings.most_pairs, np.random.default_rng(settings.seed))
    return Subject(
        members[chosen],
        label[chosen],
        logit[chosen],
        weight,
        resampling_clusters(dataset, members[chosen]),
        SUBSETS[settings.subset],
        len(members),
        int(label.sum()),
        quality["auprc"],
        beats_chance(quality),
        tuple(_warnings(dataset, settings.subset, seen)),
        settings.seed,
    )


def _sample(
    label: NDArray[np.int8], most: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions (M,), and what each stands for: up to half positives, since most questions are about these."""
    positives, negatives = np.flatnonzero(label == 1), np.flatnonzero(label == 0)
    if not 0 < most < len(label):
        return np.arange(len(label)), np.ones(len(label))
    count = min(len(positives), max(most // 2, most - len(negatives)))
    classes = (positives, count), (negatives, most - count)
    drawn = [generator.choice(rows, size, replace=False) for rows, size in classes]
    weight = np.concatenate([np.full(size, len(rows) / max(size, 1)) for rows, size in classes])
    chosen = np.concatenate(drawn)
    order = np.argsort(chosen)
    return chosen[order], weight[order]


def _warnings(dataset: PairDataset, subset: int, seen: str) -> list[str]:
    name = f"{SUBSETS[subset]} pairs"
    found = [f"The model may have been trained on these pairs: {seen}."] if seen else []
    leaks = leak_report([dataset], subset)
    if leaks and (shared := leaks[name]["any of these"]):
        found.append(
            f"{shared:,} of {leaks[name]['pairs']:,} {name} share an element or sequence with training pairs, so that "
            "the model may have remembered them: what follows may be about single elements, not about motifs."
        )
    return found

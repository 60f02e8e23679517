"""How likely a pair is to interact by its distance alone, before its sequence is known.

Training pairs are matched by distance, so that the network cannot learn this. It is learnt from all labelled
candidates instead, and stored in the model.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.labels import labelled_pairs
from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TEST, TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError, counted
from speid_cli.evaluation.calibration import FEWEST_OF_A_CLASS
from speid_cli.genome.contigs import ContigNames
from speid_cli.genome.intervals import ElementPair, Interval, distance_bp
from speid_cli.genome.pair_reader import PairReader

# Distances are counted in bins of 1%.
_BINS_PER_E_FOLD = 100
# Distances at which the log-odds are stored, from the shortest to the longest.
_STORED = 33
_SPLINE_KNOTS = 7
# The penalty hardly limits the slope of the power law, whose column has this scale; those of splines have 1.
_SLOPE_SCALE = 10.0
_SHOWN_BP = {"20 kb": 20_000, "100 kb": 100_000, "1 Mb": 1_000_000}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class DistancePrior:
    """Log-odds that a pair interacts, by the distance between its nearest edges.

    Attributes
    ----------
    distance_bp, log_odds : tuple of float
        Ascending distances from 1 bp up, and the log-odds at them. Between them, log-odds are linear in the
        logarithm of the distance.
    candidates, positives : int
        Numbers of pairs that it was learnt from, and of those with label 1.
    """

    distance_bp: tuple[float, ...]
    log_odds: tuple[float, ...]
    candidates: int
    positives: int

    def at(self, distance: NDArray[np.integer | np.floating]) -> Array:
        """Log-odds (N,) at distances (N,) in bp; outside the range, those at its nearer end."""
        found: Array = np.interp(np.log(np.maximum(distance, 1)), np.log(self.distance_bp), self.log_odds)
        return found

    @property
    def reach_bp(self) -> tuple[float, float]:
        """The shortest and the longest distance that it was learnt from, rounded outwards by at most 1%."""
        return self.distance_bp[0], self.distance_bp[-1]

    def shares(self) -> dict[str, float]:
        """The share of pairs that interact at 20 kb, 100 kb and 1 Mb, where these are in its range."""
        low, high = self.reach_bp
        shown = {name: bp for name, bp in _SHOWN_BP.items() if low <= bp <= high}
        return dict(zip(shown, sigmoid(self.at(np.array([*shown.values()], np.int64))).tolist(), strict=True))

    def as_plain(self) -> dict[str, Any]:
        """Plain values for the model file."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> DistancePrior:
        """From the plain values of a model file.

        Raises
        ------
        DataError
            A value is missing, unknown or impossible.
        """
        try:
            distance, log_odds = tuple(values["distance_bp"]), tuple(values["log_odds"])
            found = cls(**{**values, "distance_bp": distance, "log_odds": log_odds})
            sound = all(type(value) in (int, float) and math.isfinite(value) for value in distance + log_odds)
            sound = sound and len(distance) == len(log_odds) > 1 and distance[0] >= 1
            sound = sound and all(low < high for low, high in pairwise(distance))
            sound = sound and type(found.candidates) is type(found.positives) is int
        except (TypeError, KeyError):
            sound = False
        if not sound:
            raise DataError("a prior that speid did not write", hint="fit it again: speid evaluate --fit --prior")
        return found


def fit_prior(
    path: str, dataset: PairDataset, warn: Callable[[str | None], object] = lambda text: None
) -> DistancePrior:
    """Learn the prior from all labelled candidates that lie apart from validation and test pairs (`Apart`).

    Memory does not grow with the file. Pairs between chromosomes are left out.

    Parameters
    ----------
    path : str
        BEDPE with labels; the data set may spell contigs differently.
    warn : callable
        Is told of contigs that are spelt differently, if there are any.

    Raises
    ------
    DataError
        A line is not valid, there is no pair or no label column, no contig is in the data set, or fewer than 10
        positives or 10 negatives are left.
    """
    apart, read, counts = Apart(dataset), 0, Counter[tuple[int, int]]()  # by bin of distance and label
    for pair, label in labelled_pairs(PairReader(path)):
        read += 1
        if apart.has(pair):
            counts[_bin(distance_bp(*pair.enhancer[1:], *pair.promoter[1:])), label] += 1
    if not read:
        raise DataError("no pairs", expected="all candidates, with labels", path=path)
    apart.check_contigs(path)
    warn(apart.contigs.alias_warning())
    classes = [sum(count for (_, label), count in counts.items() if label == wanted) for wanted in (1, 0)]
    if min(classes) < FEWEST_OF_A_CLASS:
        raise DataError(
            f"{counted(classes[0], 'positive')} and {counted(classes[1], 'negative')} apart from validation and test "
            f"pairs, of {counted(read, 'candidate')}",
            expected=f"at least {FEWEST_OF_A_CLASS} of either",
            hint="give all candidates, as speid candidates --anchors writes them, and a data set that is split by "
            "chromosome or block",
            path=path,
        )
    first, last = min(counts)[0], max(counts)[0]
    table = [[counts[number, label] for number in range(first, last + 1)] for label in (0, 1)]
    return _fitted(np.array(table, np.float64), np.arange(first, last + 2) / _BINS_PER_E_FOLD)


class Apart:
    """Which candidates have nothing to do with the validation and test pairs of a data set.

    Candidates on a chromosome with training pairs, whose elements both lie outside the stretch from the first to
    the last validation element there, by at least a window, and likewise for test. A split by
    chromosome leaves all candidates on the training chromosomes, and a split by block those outside of the
    held-out blocks; a random split leaves none.

    Attributes
    ----------
    contigs : ContigNames
        Those of the data set.
    """

    def __init__(self, dataset: PairDataset) -> None:
        self.contigs = ContigNames(dataset.chromosomes, "the data set")
        self._trained = {*dataset.chromosomes_of(TRAIN)}
        self._held_out = _held_out(dataset)
        self._names: dict[str, str | None] = {}  # what each name that was met is called in the data set

    def has(self, pair: ElementPair) -> bool:
        """Whether a candidate is among them."""
        chroms = {self._name(element.chrom) for element in pair}
        if len(chroms) > 1 or not chroms <= self._trained:
            return False
        (chrom,) = chroms
        return not any(
            element.start < stretch.end and stretch.start < element.end
            for stretch in self._held_out[str(chrom)]
            for element in pair
        )

    def _name(self, chrom: str) -> str | None:
        if chrom not in self._names:
            self._names[chrom] = self.contigs.find(chrom)
        return self._names[chrom]

    def check_contigs(self, path: str) -> None:
        """Refuse a file none of whose contigs, so far, is in the data set.

        Raises
        ------
        DataError
            None is.
        """
        self.contigs.find_all(path, [Interval(chrom, 0, 1) for chrom in self._names])


def _held_out(dataset: PairDataset) -> dict[str, list[Interval]]:
    """By chromosome, the stretches of validation and test pairs, with a window's length on both sides."""
    found, window = defaultdict[str, list[Interval]](list), max(dataset.enhancers.window, dataset.promoters.window)
    for subset in (VALIDATION, TEST):
        rows = [elements.interval[index[dataset.subset == subset]] for _, elements, index in dataset.sides]
        places = np.concatenate(rows)  # (2N, 3): chromosome, start, end
        for number in np.unique(places[:, 0]):
            _, start, end = places[places[:, 0] == number].T
            chrom = dataset.chromosomes[number]
            found[chrom].append(Interval(chrom, int(start.min()) - window, int(end.max()) + window))
    return found


def _bin(distance: int) -> int:
    return int(math.log(max(distance, 1)) * _BINS_PER_E_FOLD)


def _fitted(counts: Array, borders: Array) -> DistancePrior:
    """The prior of pairs counted by label, 0 and 1, and bin, (2, B), between logarithms of distances (B + 1,).

    Logistic regression on the logarithm of the distance and on cubic splines of it. Only the coefficients of
    the splines are penalised enough to matter: with few positives the curve is a power law, and with
    many it has the shape of the data. It need not fall with distance: callers of loops miss the shortest ones.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import SplineTransformer

    low, high = borders[0], borders[-1]
    splines = SplineTransformer(_SPLINE_KNOTS).fit(np.array([[low], [high]]))

    def columns(place: Array) -> Array:
        """Predictors (M, F) at logarithms of distances (M,)."""
        slope = _SLOPE_SCALE * (2 * (place - low) / (high - low) - 1)
        return np.column_stack([slope, splines.transform(place[:, None])])

    middle = (borders[1:] + borders[:-1]) / 2
    label, number = np.nonzero(counts)
    model = LogisticRegression(solver="newton-cholesky", max_iter=1000)
    model.fit(columns(middle[number]), label, sample_weight=counts[label, number])
    places = np.linspace(low, high, _STORED)
    log_odds = model.decision_function(columns(places))
    sizes = counts.sum(axis=1).astype(int).tolist()
    return DistancePrior(tuple(np.exp(places).tolist()), tuple(log_odds.tolist()), sum(sizes), sizes[1])

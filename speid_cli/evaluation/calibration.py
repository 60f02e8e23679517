"""Threshold and calibration, fitted on validation pairs and stored in the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.errors import DataError

METHOD = "platt"
FEWEST_OF_A_CLASS = 10
# 95th percentile of the chi-square distribution with one degree of freedom.
_CHI_SQUARE_95 = 3.841


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999): log-odds = slope * logit + intercept.

    Attributes
    ----------
    slope, intercept : float
        The slope is positive, so that calibration keeps the order of pairs.
    prevalence : float
        Share of positives among the pairs it was fitted on.
    """

    slope: float
    intercept: float
    prevalence: float
    method: str = METHOD

    def log_odds(
        self, logit: NDArray[np.floating], prior: float | NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Calibrated log-odds (N,) of logits (N,).

        Parameters
        ----------
        prior : float or float64 (N,), optional
            Log-odds expected before the sequence is known; they replace those of the pairs it was fitted on.
        """
        found = self.slope * logit.astype(np.float64) + self.intercept
        return found if prior is None else found - log_odds_of(self.prevalence) + prior

    def probabilities(self, logit: NDArray[np.floating], prevalence: float | None = None) -> NDArray[np.float64]:
        """Calibrated probabilities (N,) of logits (N,); `prevalence`: the expected share of positives."""
        return sigmoid(self.log_odds(logit, None if prevalence is None else log_odds_of(prevalence)))

    def as_plain(self) -> dict[str, Any]:
        """Plain values for the model file."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Calibration:
        """From the plain values of a model file.

        Raises
        ------
        DataError
            A value is missing, unknown or impossible.
        """
        try:
            found = cls(**values)
            numbers = (found.slope, found.intercept, found.prevalence)
            sound = all(type(value) in (int, float) and math.isfinite(value) for value in numbers)
        except TypeError:
            sound = False
        if not sound or found.method != METHOD or found.slope <= 0 or not 0 < found.prevalence < 1:
            raise DataError("a calibration that speid did not write", hint="fit it again: speid evaluate --fit")
        return found


def fit_calibration(label: NDArray[np.int8], logit: NDArray[np.floating]) -> Calibration | None:
    """Platt scaling of logits (N,) by maximum likelihood; None where labels (N,) do not allow it.

    They do if each class has at least 10 pairs, the slope is positive, and the likelihood-ratio
    test against a slope of 0 has p < 0.05.
    """
    from sklearn.linear_model import LogisticRegression

    if min(label.sum(), len(label) - label.sum()) < FEWEST_OF_A_CLASS:
        return None
    prevalence = float(label.mean())
    values = logit.astype(np.float64)
    centre, spread = values.mean(), values.std() if np.ptp(values) > 0 else 1.0
    fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(((values - centre) / spread)[:, None], label)
    slope = float(fitted.coef_[0, 0] / spread)
    found = Calibration(slope, float(fitted.intercept_[0] - slope * centre), prevalence)
    gained = _log_likelihood(label, found.probabilities(logit)) - _log_likelihood(
        label, np.full(len(label), prevalence)
    )
    return found if slope > 0 and 2 * gained > _CHI_SQUARE_95 else None


def _log_likelihood(label: NDArray[np.int8], probability: NDArray[np.float64]) -> float:
    return float(np.log(np.where(label == 1, probability, 1 - probability).clip(np.finfo(float).tiny)).sum())


def fit_threshold(label: NDArray[np.int8], probability: NDArray[np.float64]) -> float:
    """The threshold of the probabilities (N,) with the best F1; 0.5 without positives.

    It is the middle between the lowest probability called positive and the next lower one; of
    several best thresholds, the highest.
    """
    if not label.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    f1 = 2 * np.cumsum(label[order])[ends] / (ends + 1 + label.sum())
    best = int(f1.argmax())
    below = ranked[ends[best] + 1] if ends[best] + 1 < len(ranked) else 0.0
    return float((ranked[ends[best]] + below) / 2)


def log_odds_of(share: float) -> float:
    """Log-odds of a share between 0 and 1."""
    return math.log(share) - math.log1p(-share)

"""Calibrated probabilities of one or more models, at the share of positives that is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, located
from speid_cli.evaluation.calibration import Calibration, log_odds_of
from speid_cli.evaluation.prior import Array, DistancePrior
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.scoring.scale import LogOdds, Scale

DISTANCE = "distance"


def calibrated(paths: Sequence[str], checkpoints: Sequence[Checkpoint], prevalence: float | str | None) -> Scale:
    """The scale that averages the models' calibrated log-odds.

    The log-odds of one model are the logarithm of its calibrated likelihood ratio, ``slope * logit + intercept
    - log-odds of the prevalence calibrated on``, plus the log-odds expected before the sequence is known.

    Parameters
    ----------
    prevalence : float or "distance", optional
        The expected share of positives; "distance": that at the distance of each pair, as each model's prior has
        it; default: that of the pairs calibrated on.

    Raises
    ------
    DataError
        A model has no calibration, or no prior where one is asked for; the message names it.
    """
    share = log_odds_of(prevalence) if isinstance(prevalence, float) else None
    log_odds, priors = list[LogOdds](), list[DistancePrior]()
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        with located(path):
            calibration = _calibration(checkpoint)
            if prevalence == DISTANCE:
                priors.append(_prior(checkpoint))
                log_odds.append(_log_odds(calibration, priors[-1].at))
            else:
                log_odds.append(_log_odds(calibration, lambda distance: share))
    reaches = [prior.reach_bp for prior in priors]
    reach = (max(low for low, _ in reaches), min(high for _, high in reaches)) if reaches else None
    return Scale(tuple(log_odds), reach)


def log_odds_with_distance(checkpoint: Checkpoint, logits: NDArray[np.floating], distance: Array) -> Array:
    """Log-odds (N,) of one model from logits (N,) and distances (N,) in bp; NaN counts as the longest distance."""
    prior = _prior(checkpoint).at(np.nan_to_num(distance, nan=np.inf))
    return _calibration(checkpoint).log_odds(logits, prior)


def _log_odds(calibration: Calibration, prior: Callable[[Any], Array | float | None]) -> LogOdds:
    """Log-odds of logits (N,) and distances, where `prior` gives the log-odds at distances."""
    return lambda logits, distance: calibration.log_odds(logits, prior(distance))


def _calibration(checkpoint: Checkpoint) -> Calibration:
    if checkpoint.calibration is None:
        raise DataError("the model has no calibration", hint="speid evaluate MODEL.pt DATA.npz --fit stores one")
    return Calibration.from_plain(checkpoint.calibration)


def _prior(checkpoint: Checkpoint) -> DistancePrior:
    if checkpoint.prior is None:
        raise DataError(
            "the model has no prior of distance",
            hint="speid evaluate MODEL.pt DATA.npz --fit --prior CANDIDATES.bedpe stores one",
        )
    return DistancePrior.from_plain(checkpoint.prior)

"""The posterior of several models against its formula in plain Python."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from speid_cli.errors import DataError
from speid_cli.evaluation.calibration import Calibration
from speid_cli.evaluation.posterior import calibrated
from speid_cli.evaluation.prior import DistancePrior
from speid_cli.model.checkpoint import Checkpoint
from tests import builders

CALIBRATIONS = Calibration(0.8, -1.5, 0.05), Calibration(1.7, 0.3, 0.2)
PRIORS = (
    DistancePrior((1000.0, 100_000.0), (-1.0, -5.0), 100, 10), DistancePrior((10_000.0, 10**6), (-3.0, -7.0), 100, 10)
)  # fmt: skip
LOGITS = np.array([[0.5, -2.0, 3.0], [1.5, 0.0, -4.0]], np.float32)
DISTANCES = [500, 31_000, 5_000_000]
PATHS = ["a.pt", "b.pt"]


def checkpoints(**changes: object) -> list[Checkpoint]:
    start = builders.random_checkpoint()
    return [
        replace(start, calibration=calibration.as_plain(), prior=prior.as_plain(), **changes)  # type: ignore[arg-type]
        for calibration, prior in zip(CALIBRATIONS, PRIORS, strict=True)
    ]


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def plain_prior(prior: DistancePrior, distance: int) -> float:
    """The straight line between two points."""
    (x0, x1), (y0, y1) = map(math.log, prior.distance_bp), prior.log_odds
    return y0 + (y1 - y0) * min(max((math.log(distance) - x0) / (x1 - x0), 0), 1)


@pytest.mark.parametrize("models", [1, 2])
@pytest.mark.parametrize("prevalence", [None, 0.001, "distance"])
def test_it_is_likelihood_ratio_times_prior_odds(models: int, prevalence: float | str | None) -> None:
    scale = calibrated(PATHS[:models], checkpoints()[:models], prevalence)
    found = scale.probabilities(LOGITS[:models], np.array(DISTANCES))
    for column, distance in enumerate(DISTANCES):
        total = 0.0
        for calibration, prior, row in zip(CALIBRATIONS[:models], PRIORS, LOGITS, strict=False):
            ratio = calibration.slope * float(row[column]) + calibration.intercept - logit(calibration.prevalence)
            before = {None: logit(calibration.prevalence), 0.001: logit(0.001)}
            total += ratio + (plain_prior(prior, distance) if prevalence == "distance" else before[prevalence])  # type: ignore[index]
        assert found[column] == pytest.approx(1 / (1 + math.exp(-total / models)), rel=1e-9)


def test_the_reach_is_that_of_all_priors() -> None:
    assert calibrated(PATHS, checkpoints(), "distance").reach_bp == (10_000, 100_000)
    assert calibrated(PATHS[:1], checkpoints()[:1], "distance").reach_bp == (1000, 100_000)
    assert calibrated(PATHS, checkpoints(), 0.5).reach_bp is None


def test_what_a_model_lacks_is_named() -> None:
    first, second = checkpoints()
    with pytest.raises(DataError, match=r"^b.pt: the model has no calibration; speid evaluate MODEL.pt DATA.npz --fit"):
        calibrated(PATHS, [first, replace(second, calibration=None)], None)
    message = r"^b.pt: the model has no prior of distance; speid evaluate MODEL.pt DATA.npz --fit --prior CANDIDATES.be"
    with pytest.raises(DataError, match=message):
        calibrated(PATHS, [first, replace(second, prior=None)], "distance")
    assert calibrated(PATHS, [first, replace(second, prior=None)], 0.1).reach_bp is None
    with pytest.raises(DataError, match=r"^a.pt: a prior that speid did not write"):
        calibrated(PATHS, [replace(first, prior={}), second], "distance")

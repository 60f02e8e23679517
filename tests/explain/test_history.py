"""What the history of a model says about how well it predicts."""

from __future__ import annotations

import math
from dataclasses import replace

from speid_cli.evaluation.calibration import Calibration
from speid_cli.explain.history import best_validation
from tests import builders


def test_the_best_epoch_of_the_last_stage_is_told() -> None:
    rows = [("pretrained", 1, 0.9), ("finetuned", 1, 0.3), ("finetuned", 2, 0.4), ("finetuned", 3, math.nan)]
    history = [{"stage": stage, "epoch": epoch, "validation_auprc": auprc} for stage, epoch, auprc in rows]
    checkpoint = replace(builders.random_checkpoint(), history=history)
    said = "The best validation AUPRC in the model's history is 0.400 (finetuned, epoch 2); "
    not_stored = "the base rate of the validation pairs is not stored (speid evaluate --fit does)."
    assert best_validation(checkpoint) == said + not_stored
    calibrated = replace(checkpoint, calibration=Calibration(1.0, 0.0, 0.25).as_plain())
    assert best_validation(calibrated) == said + "the base rate of the validation pairs is 0.250."


def test_a_model_without_validation_says_so() -> None:
    said = "The model's history has no validation AUPRC: how well it predicts is not known here."
    assert best_validation(builders.random_checkpoint()) == said
    unknown = [{"stage": "finetuned", "epoch": 1, "validation_auprc": math.nan}]
    assert best_validation(replace(builders.random_checkpoint(), history=unknown)) == said

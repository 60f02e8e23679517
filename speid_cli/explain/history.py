"""How well a model predicts by its training history, where no held-out pairs are given."""

from __future__ import annotations

import math

from speid_cli.evaluation.calibration import Calibration
from speid_cli.model.checkpoint import Checkpoint


def best_validation(checkpoint: Checkpoint) -> str:
    """One sentence on the best validation AUPRC of the model's last stage, and on the base rate where it is stored."""
    rows = [row for row in checkpoint.history if row.get("stage") == checkpoint.stage]
    known = [row for row in rows if math.isfinite(row.get("validation_auprc", math.nan))]
    if not known:
        return "The model's history has no validation AUPRC: how well it predicts is not known here."
    best = max(known, key=lambda row: row["validation_auprc"])
    where = f"{checkpoint.stage}, epoch {best.get('epoch')}"
    text = f"The best validation AUPRC in the model's history is {best['validation_auprc']:.3f} ({where})"
    if checkpoint.calibration is None:
        return f"{text}; the base rate of the validation pairs is not stored (speid evaluate --fit does)."
    base_rate = Calibration.from_plain(checkpoint.calibration).prevalence
    return f"{text}; the base rate of the validation pairs is {base_rate:.3f}."

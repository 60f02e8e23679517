"""Whether a model, or a part of it, was made from the pairs that it is judged on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speid_cli.dataset.pairs import SUBSETS, TRAIN, VALIDATION, PairDataset
from speid_cli.errors import DataError
from speid_cli.genome.contigs import canonical
from speid_cli.model.checkpoint import Checkpoint


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


def chosen_on(checkpoint: Checkpoint | None, dataset: PairDataset, subset: int) -> list[str]:
    """Parts of a model that were chosen on the evaluated pairs, or on pairs of their chromosomes.

    None stands for the baselines, which have nothing stored.
    """
    if checkpoint is None:
        return ["threshold", "calibration"] * (subset == VALIDATION)
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
    return names

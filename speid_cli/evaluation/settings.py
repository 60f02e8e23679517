"""Settings of an evaluation. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from speid_cli.dataset.pairs import TEST


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of ``speid evaluate``.

    Attributes
    ----------
    subset : int
        The evaluated pairs: 0 train, 1 validation, 2 test.
    replicates : int
        Bootstrap replicates.
    seed : int
        For the bootstrap and the baselines.
    no_baselines : bool
        Leave the baselines out.
    ensemble : bool
        Of several models, also judge the mean of their logits.
    allow_seen : bool
        Also evaluate on pairs that the model may have been trained on.
    """

    subset: int = TEST
    replicates: int = 1000
    seed: int = 0
    no_baselines: bool = False
    ensemble: bool = False
    allow_seen: bool = False

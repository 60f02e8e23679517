"""Settings of an evaluation. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from speid_cli.dataset.pairs import TEST


@dataclass(frozen=True)
class EvaluationSettings:
    """How ``speid evaluate`` judges.

    Attributes
    ----------
    subset : int
        Whose pairs; 0 train, 1 validation, 2 test.
    replicates : int
        Bootstrap replicates.
    seed : int
        Of the bootstrap and of the baselines.
    no_baselines : bool
        Leave them out.
    allow_seen : bool
        Judge also on pairs that the model may have been trained on.
    """

    subset: int = TEST
    replicates: int = 1000
    seed: int = 0
    no_baselines: bool = False
    allow_seen: bool = False

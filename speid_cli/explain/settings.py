"""Settings of the questions that are asked of a model. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from speid_cli.dataset.pairs import TEST
from speid_cli.genome.intervals import Interval

# Is told how many more mutants (windows, kernels, lines) are done.
Advance = Callable[[int], object]


@dataclass(frozen=True)
class SubjectSettings:
    """Which pairs of a data set a model is asked about.

    Attributes
    ----------
    subset : int
        0 train, 1 validation, 2 test.
    most_pairs : int
        Of more pairs than this, a sample is asked about; 0: all pairs.
    seed : int
        For the sample, and for all other draws.
    allow_seen : bool
        Also ask about pairs that the model may have been trained on.
    """

    subset: int = TEST
    most_pairs: int = 1000
    seed: int = 0
    allow_seen: bool = False


@dataclass(frozen=True)
class MutagenesisSettings:
    """Which bases of a pair's windows are substituted; default: all.

    Attributes
    ----------
    region : Interval, optional
        Only those in it.
    elements : bool
        Only those of the enhancer and the promoter themselves.
    """

    region: Interval | None = None
    elements: bool = False


@dataclass(frozen=True)
class KnockoutSettings:
    """How the sites of a motif are found and replaced.

    Attributes
    ----------
    draws : int
        Random replacements of each site, and of its control.
    p_value : float
        Largest p-value of a match of a motif that counts as a site: the probability that random sequence scores as
        high.
    """

    draws: int = 5
    p_value: float = 1e-4

"""How much each kernel matters: the drop in AUPRC on held-out pairs when it is silenced.

A silenced kernel has its mean everywhere, which the norm after it makes 0, so that what the network expects
on average stays.
"""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from speid_cli.dataset.pairs import SIDES
from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.pairs import PairScorer
from speid_cli.explain.record import Parts
from speid_cli.explain.settings import Advance
from speid_cli.explain.subject import Subject

KERNELS_AT_A_TIME = 16


def importance(
    scorer: PairScorer,
    subject: Subject,
    kernels: int,
    finished: Parts,
    advance: Advance = lambda kernels: None,
) -> dict[tuple[str, int], Estimate]:
    """The drop of each kernel, by branch and number, with an interval that holds for all kernels together.

    Parameters
    ----------
    kernels : int
        Number of kernels of a branch.
    finished : Parts
        Kernels that an earlier run has finished are taken from it.
    advance : callable
        Is told how many kernels more are done, but not of those that were finished before.
    """
    whole = subject.logit.astype(np.float64)
    drops: dict[tuple[str, int], Estimate] = {}
    for side, branch in enumerate(SIDES):
        for start in range(0, kernels, KERNELS_AT_A_TIME):
            some = range(start, min(start + KERNELS_AT_A_TIME, kernels))
            if (part := f"{branch} {start}") not in finished.parts:
                others = scorer.silenced(side, some).astype(np.float64)
                changes = [subject.auprc_change(other, whole, len(SIDES) * kernels) for other in others]
                finished.add(part, [astuple(change) for change in changes])
                advance(len(some))
            drops |= {(branch, kernel): Estimate(*row) for kernel, row in zip(some, finished.parts[part], strict=True)}
    return drops

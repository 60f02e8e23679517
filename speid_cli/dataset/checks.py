"""Warnings about a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from speid_cli.dataset.assembly import CONTRADICTIONS
from speid_cli.dataset.composition import Composition, looks_exchanged, looks_like_other_build
from speid_cli.dataset.pairs import SUBSETS, PairDataset
from speid_cli.errors import counted

# With fewer positives, confidence intervals are too wide to compare models.
FEWEST_POSITIVES = 10


def warnings(dataset: PairDataset) -> Iterator[str]:
    """One sentence for each likely mistake, and for each subset that is too small."""
    counts, found = dataset.metadata["counts"], dataset.metadata["composition"]
    if not counts["positives"]:
        yield "no positive pairs: no model can be trained on this data set"
    elif both := counts[CONTRADICTIONS]:
        yield f"{counted(both, 'pair')} with both labels: taken as positive, and the lines with label 0 left out"
    if counts["positives"]:
        yield from _too_few_positives(counts)
    enhancers, promoters = (Composition(**found[side]) for side in ("enhancer", "promoter"))
    if looks_exchanged(enhancers, promoters):
        sides = " and ".join(
            f"the {name} are {side.elements:,} of {side.length_bp:,.0f} bp with GC {side.gc:.2f}"
            for name, side in (("enhancers", enhancers), ("promoters", promoters))
        )
        yield f"{sides} (medians): are the sides exchanged? see --promoter-first"
    elif looks_like_other_build(promoters, found["gc near promoters"], dataset.promoters.window):
        yield (
            f"the promoters have a median GC of {promoters.gc:.2f}, like the sequence 20 to 200 kb from them "
            f"({found['gc near promoters'][0]:.2f}); those of mammals have about 0.6: are the pairs of another genome "
            "build than the reference?"
        )


def _too_few_positives(counts: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each subset with few positives, or for all such folds."""
    parts = {name: part for name, part in counts.items() if name in SUBSETS or name.startswith("fold ")}
    few = [name for name, part in parts.items() if part["pairs"] and part["positives"] < FEWEST_POSITIVES]
    if few and few[0] not in SUBSETS:
        yield f"fewer than {FEWEST_POSITIVES} positives in {', '.join(few)}: too few to validate on; use fewer --folds"
        return
    for name in few:
        yield (
            f"the {name} subset has {counted(parts[name]['positives'], 'positive')}: fewer than {FEWEST_POSITIVES} are "
            f"too few to {'train' if name == 'train' else 'judge a model'} on; try --folds, another --split or other "
            "fractions"
        )


def median_gc(found: Mapping[str, Any]) -> dict[str, float]:
    """Median GC of the windows of both sides, and of windows near the promoters."""
    return {
        "enhancer windows": found["enhancer"]["gc"],
        "promoter windows": found["promoter"]["gc"],
        "windows near promoters": found["gc near promoters"][0],
    }

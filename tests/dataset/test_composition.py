"""What elements look like: against plain loops, and what is said where they look wrong."""

from __future__ import annotations

import numpy as np
import pytest

from speid_cli.dataset.composition import Composition, ElementSample, compare, composition, looks_exchanged
from speid_cli.genome.intervals import Interval
from speid_cli.genome.onehot import encode, gc_content
from tests import builders

ENHANCERS, PROMOTERS = Composition(600, 350, 0.52), Composition(180, 1100, 0.60)


def test_gc_content_is_of_known_bases() -> None:
    sequences = ["ACGT", "NNGC", "NNNG", "nnnn", "ttta", "GCSW"]
    found = gc_content(np.stack([encode(text.encode()) for text in sequences]))
    np.testing.assert_array_equal(found, [0.5, 1, np.nan, np.nan, 0, 1])


def test_medians_leave_out_what_is_unknown() -> None:
    assert composition(np.array([5, 7, 900]), np.array([0.5, np.nan, 0.7])) == (3, 7, 0.6)
    assert composition(np.array([5]), np.array([np.nan])) == (1, 5, 0)


def test_a_sample_is_of_the_first_thousand() -> None:
    sample = ElementSample()
    for start in range(0, 1500, 300):
        codes = encode(builders.random_sequence(300 * 40, start).encode()).reshape(300, 40)
        sample.add([Interval("chr1", 0, start + 1)] * 300, codes)
    assert sample.composition()[:2] == (1000, 301)
    assert ElementSample().composition() == (1, 0, 0)


@pytest.mark.parametrize(
    ("enhancers", "promoters", "expected"),
    [
        (ENHANCERS, PROMOTERS, False),
        (PROMOTERS, ENHANCERS, True),
        (Composition(600, 350, 0.50), Composition(180, 1100, 0.47), False),  # another build, sides as they should be
        (Composition(19, 350, 0.60), Composition(19, 350, 0.50), False),  # too few
    ],
)
def test_exchanged_sides(enhancers: Composition, promoters: Composition, expected: bool) -> None:
    assert looks_exchanged(enhancers, promoters) == expected


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((0.53, 0.58), ""),
        ((0.57, 0.53), "median GC of enhancers and promoters is 0.57 and 0.53, in the training data 0.52 and 0.60: are the "
                       "sides exchanged? see --promoter-first"),
        ((0.49, 0.48), "median GC of enhancers and promoters is 0.49 and 0.48, in the training data 0.52 and 0.60: are the "
                       "pairs of another genome build?"),
    ],
)  # fmt: skip
def test_candidates_are_compared_with_what_was_trained_on(found: tuple[float, float], message: str) -> None:
    some = [Composition(100, 500, gc) for gc in found]
    assert compare((some[0], some[1]), (ENHANCERS, PROMOTERS)) == message
    few = [Composition(19, 500, gc) for gc in found]
    assert compare((few[0], few[1]), (ENHANCERS, PROMOTERS)) == ""

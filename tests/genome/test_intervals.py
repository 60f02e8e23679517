"""Window and shift arithmetic against plain fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.genome.intervals import shift_range, window_start

STARTS = st.integers(0, 250_000_000)
LENGTHS = st.integers(1, 20_000)
WINDOWS = st.integers(1, 65_534)


@given(STARTS, LENGTHS, WINDOWS)
def test_window_is_centred(start: int, length: int, window: int) -> None:
    end = start + length
    assert window_start(start, end, window) == floor(Fraction(start + end - window, 2))


@given(STARTS, LENGTHS, WINDOWS)
def test_shift_range_is_every_shift_that_keeps_the_rule(start: int, length: int, window: int) -> None:
    end, first = start + length, window_start(start, start + length, window)
    lowest, highest = map(int, shift_range(start, end, window))

    def allowed(shift: int) -> bool:
        left, right = first + shift, first + shift + window
        inside = (left <= start and end <= right) if length <= window else (start <= left and right <= end)
        return inside and abs(shift) <= window // 2

    assert allowed(lowest)
    assert allowed(highest)
    assert not allowed(lowest - 1)
    assert not allowed(highest + 1)
    assert lowest <= 0 <= highest


def test_arrays_give_what_integers_give() -> None:
    rng = np.random.default_rng(0)
    start = rng.integers(0, 10**8, 500)
    end = start + rng.integers(1, 20_000, 500)
    lowest, highest = shift_range(start, end, 3000)
    one_by_one = [shift_range(int(s), int(e), 3000) for s, e in zip(start, end, strict=True)]
    assert [(int(a), int(b)) for a, b in one_by_one] == list(zip(lowest.tolist(), highest.tolist(), strict=True))

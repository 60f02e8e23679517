"""Sign flips, intervals over units and q-values: beside plain loops, and right under the null."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from speid_cli.explain import statistics
from speid_cli.explain.statistics import mean_intervals, q_values, sign_flip_p, smallest_p, unit_sums


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(1, 5))
def test_unit_sums_are_those_of_a_plain_loop(seed: int, pairs: int, units: int) -> None:
    values, unit = rng(seed).random((3, pairs)), rng(seed).integers(0, units, pairs)
    values[values < 0.3] = np.nan
    sums, counts = unit_sums(values, unit, units)
    for test in range(3):
        for number in range(units):
            known = [v for v, u in zip(values[test], unit, strict=True) if u == number and not math.isnan(v)]
            assert sums[test, number] == pytest.approx(sum(known))
            assert counts[test, number] == len(known)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_p_is_the_share_of_all_signs(units: list[int]) -> None:
    totals = [
        abs(sum(s * u for s, u in zip(signs, units, strict=True))) for signs in product((1, -1), repeat=len(units))
    ]
    expected = sum(total >= abs(sum(units)) for total in totals) / len(totals)
    # Tenths do not add up exactly, so that equal totals are equal only within rounding.
    (p,) = sign_flip_p(np.array([units]) / 10, rng())
    assert p == pytest.approx(expected)


def test_random_signs_are_near_all_signs_and_never_give_0() -> None:
    sums = rng().normal(0.3, 1, (5, 12))
    sums[0] = 1
    exact, random = sign_flip_p(sums, rng()), sign_flip_p(sums, rng(), flips=4000)
    np.testing.assert_allclose(random, exact, atol=4 * 0.5 / math.sqrt(4000))
    assert exact[0] == smallest_p(12) == 2 / 4096
    assert sign_flip_p(np.ones((1, 60)), rng(), flips=99)[0] == smallest_p(60, flips=99) == 0.01


def test_tests_have_the_same_p_together_and_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = rng().normal(0.2, 1, (6, 20))
    together = sign_flip_p(sums, rng(1), flips=500)
    monkeypatch.setattr(statistics, "_CHUNK", 7)
    apart = np.concatenate([sign_flip_p(row[None], rng(1), flips=500) for row in sums])
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("units", [7, 25])
def test_p_is_uniform_under_the_null(units: int) -> None:
    p = sign_flip_p(rng().standard_cauchy((2000, units)), rng(1), flips=2000)
    steps = smallest_p(units, flips=2000)  # p comes in steps of this, and is uniform but for them
    assert kstest(p - steps * rng(2).random(len(p)), "uniform").pvalue > 0.01


def test_p_without_effect_or_values() -> None:
    p = sign_flip_p(np.array([[0.0, 0, 0], [1, np.nan, 2], [2, 0, 0]]), rng())
    np.testing.assert_array_equal(p, [1, np.nan, 1])
    assert [smallest_p(units) for units in (0, 1, 2, 5)] == [1, 1, 0.5, 1 / 16]


@given(st.integers(0, 10_000))
def test_intervals_are_those_of_a_plain_loop(seed: int) -> None:
    values, unit = rng(seed).normal(1, 1, (3, 20)), rng(seed).integers(0, 6, 20)
    values[:, unit == 2] = np.nan
    values[1] = np.nan
    found = mean_intervals(*unit_sums(values, unit, 6), 40, rng(5))
    draws = rng(5).multinomial(6, np.full(6, 1 / 6), size=40)
    for test in range(3):
        means = []
        for times in draws:
            drawn = [v for v, u in zip(values[test], unit, strict=True) for _ in range(times[u]) if not math.isnan(v)]
            means += [np.mean(drawn)] if drawn else []
        if test == 1:
            assert all(math.isnan(part[test]) for part in found)
            continue
        mean = np.nanmean(values[test])
        low, high = np.quantile(means, [0.025, 0.975])
        assert [part[test] for part in found] == pytest.approx([mean, min(low, mean), max(high, mean)])


def test_intervals_have_the_textbook_s_width_and_hold_their_mean() -> None:
    values = rng().normal(2, 3, (2, 900))
    found = mean_intervals(*unit_sums(values, np.arange(900), 900), 2000, rng(1))
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * 3 / 30, rtol=0.1)
    assert ((found.low < found.value) & (found.value < found.high)).all()
    one = mean_intervals(*unit_sums(values, np.zeros(900, np.int64), 1), 50, rng(1))
    assert np.isnan([one.low, one.high]).all() and not np.isnan(one.value).any()


def test_intervals_do_not_depend_on_how_many_go_through_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = unit_sums(rng().normal(0, 1, (7, 50)), np.arange(50) % 9, 9)
    together = mean_intervals(*sums, 30, rng(1))
    monkeypatch.setattr(statistics, "_CHUNK", 60)
    for part, again in zip(together, mean_intervals(*sums, 30, rng(1)), strict=True):
        np.testing.assert_allclose(part, again)


def test_no_tests() -> None:
    none = np.ones((0, 3))
    assert [len(part) for part in (*mean_intervals(none, none, 10, rng()), sign_flip_p(none, rng()))] == [0, 0, 0, 0]


def test_q_values_of_a_known_example_keep_what_is_not_tested() -> None:
    p = np.array([[0.01, 0.04, np.nan], [0.03, 0.5, np.nan]])
    np.testing.assert_allclose(q_values(p), [[0.04, 0.16 / 3, np.nan], [0.16 / 3, 0.5, np.nan]])
    np.testing.assert_array_equal(q_values(np.array([np.nan])), [np.nan])

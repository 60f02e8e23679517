"""Overlaps against a naive double loop, and a bedtools that fails or is killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.errors import DataError
from speid_cli.genome.intervals import Interval
from speid_cli.genome.overlaps import overlap_sums, overlaps
from tests.intervals import meets, needs_bedtools, random_places

pytestmark = needs_bedtools


def test_overlaps_are_a_naive_double_loop_s() -> None:
    queries, regions = random_places(80, 1, span=20_000)[::-1], random_places(50, 2, span=20_000)
    expected = [any(meets(query, region) for region in regions) for query in queries]
    assert overlaps(queries, regions).tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert not overlaps(queries, []).any()
    assert not len(overlaps([], regions))


def test_bedtools_warns_of_no_contig_name(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("chr1", "1", "GL000192.1", "chr1_random", "01", "chr1.", "~")
    places = [Interval(chrom, 100 * i, 100 * i + 50) for i in range(3) for chrom in names]
    assert overlaps(places, places[::-1]).all()
    assert capfd.readouterr() == ("", "")


PLACES = st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(1, 40)).map(lambda p: (p[0], p[1], p[1] + p[2]))
SIGNALS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1e-12, 5e-324, 1e15, -7.25e-5]))


@given(st.sets(PLACES, min_size=1, max_size=20), st.lists(st.tuples(PLACES, SIGNALS), max_size=30))
def test_sums_are_a_naive_double_loop_s(
    queries: set[tuple[int, int, int]], regions: list[tuple[tuple[int, int, int], float]]
) -> None:
    places, signals = (
        np.array([place for place, _ in regions], np.int64).reshape(-1, 3),
        [value for _, value in regions],
    )
    with overlap_sums(np.array(sorted(queries))) as sums:
        found = [sums(places, np.array(signals, np.float64)) for _ in range(2)]
    for (chrom, start, end), value, again in zip(sorted(queries), *found, strict=True):
        touching = [signal for (other, low, high), signal in regions if other == chrom and low < end and start < high]
        assert value == pytest.approx(sum(touching), rel=1e-12, abs=1e-12 * sum(map(abs, touching)))
        assert value == again
        assert touching or value == 0


@pytest.mark.parametrize("name", ["track1", "track_1", "browser1", "chrom", "chr 1", "#1", "speid-last", "chr1"])
def test_any_name_of_a_contig(name: str) -> None:
    """bedtools takes lines that begin with some of these for headers."""
    places = [Interval(name, 10, 20), Interval("other", 10, 20), Interval(name, 30, 40)]
    assert overlaps(places, [Interval(name, 15, 16)]).tolist() == [True, False, False]


def test_sums_on_many_chromosomes_and_far_along_them(capfd: pytest.CaptureFixture[str]) -> None:
    places = np.array([(chrom, start, start + 5) for chrom in range(0, 1200, 7) for start in (0, 3_000_000_000)])
    with overlap_sums(places) as sums:
        np.testing.assert_array_equal(
            sums(places[::-1], np.arange(1.0, len(places) + 1)), np.arange(len(places), 0, -1.0)
        )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("bedtools %s | head -n 2; kill -9 $$", "^bedtools stopped before the end of its output; was it killed, or is"),
        ("bedtools %s | head -c -1; kill -9 $$", "^bedtools stopped before the end of its output; was it killed, or"),
        ("kill -9 $$", "^bedtools stopped before the end of its output; was it killed, or is there no room left in /"),
        ("echo Error: no such thing >&2; exit 1", "^bedtools failed: .*Error: no such thing"),
    ],
)
def test_a_bedtools_that_fails_or_is_killed_is_an_error(
    script: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = folder / "bin" / "bedtools"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + script.replace("bedtools %s", f'{shutil.which("bedtools")} "$@"') + "\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    intervals = random_places(70, 1)
    with pytest.raises(DataError, match=message):
        overlaps(intervals, intervals)
    places = np.array([(0, start, end) for _, start, end in sorted(intervals, key=lambda interval: interval[1:])])
    with pytest.raises(DataError, match=message), overlap_sums(places) as sums:
        sums(places, np.ones(len(places)))

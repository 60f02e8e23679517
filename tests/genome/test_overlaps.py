"""Overlaps against a naive double loop, and a bedtools that fails or is killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.genome.intervals import Interval
from speid_cli.genome.overlaps import overlaps
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
    with pytest.raises(DataError, match=message):
        overlaps(random_places(70, 1), random_places(70, 1))

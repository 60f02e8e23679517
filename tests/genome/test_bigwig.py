"""bigWigs of another program: sums over intervals, and files that are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError, OptionError
from speid_cli.genome import bigwig
from speid_cli.genome.bigwig import read_contigs, sums_of_values
from speid_cli.genome.intervals import Interval
from tests import builders

LENGTHS = {"chr1": 3000, "chr2": 500}


@pytest.fixture
def values(folder: Path) -> dict[str, np.ndarray]:
    """``a.bw`` and its values; NaN where it has none."""
    rng = np.random.default_rng(0)
    found = {name: np.where(rng.random(length) < 0.5, np.nan, rng.normal(0, 9, length).astype(np.float32).astype(float))
             for name, length in LENGTHS.items()}  # fmt: skip
    builders.write_bigwig(folder / "a.bw", found)
    return found


def test_sums_are_those_of_all_values(values: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(1)
    intervals = [Interval("chr1", 0, 3000), Interval("chr2", 0, 500), Interval("chr2", 490, 4000)]
    for _ in range(50):
        chrom = str(rng.choice(list(LENGTHS)))
        start = int(rng.integers(0, LENGTHS[chrom]))
        intervals.append(Interval(chrom, start, start + int(rng.integers(1, 900))))
    expected = [np.nansum(values[chrom][start:end]) for chrom, start, end in intervals]
    np.testing.assert_allclose(sums_of_values("a.bw", intervals), expected, rtol=1e-12, atol=1e-12)
    assert read_contigs("a.bw") == LENGTHS


def test_any_spelling_of_the_ending_and_any_folder(values: dict[str, np.ndarray]) -> None:
    for module in ("json", "pybigtools"):
        Path(f"{module}.py").write_text("raise SystemExit('a module of the current folder')")
    for name in ("b.BigWig", "b.BW", "b.bigwig"):
        Path("a.bw").rename(name)
        assert read_contigs(name) == LENGTHS
        Path(name).rename("a.bw")


def test_an_interval_without_values_has_exactly_0(folder: Path) -> None:
    far = np.full(3000, np.nan)
    far[:1000], far[2000:] = 1e30, -1e30
    builders.write_bigwig(folder / "a.bw", {"chr1": far})
    assert sums_of_values("a.bw", [Interval("chr1", 1000, 2000)]).tolist() == [0]
    assert sums_of_values("a.bw", []).tolist() == []


def test_a_file_that_is_no_bigwig_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import pybigtools

    Path("text.bw").write_text("chr1\t1\t2\tx\n")
    Path("empty.bw").write_text("")
    pybigtools.open("bed.bb", "w").write({"chr1": 1000}, [("chr1", 1, 5, "a\t1")])
    Path("bed.bb").rename("bed.bw")
    for name, message in (
        ("text.bw", "text.bw: is BED; expected a bigWig"),
        ("bed.bw", "bed.bw: is a bigBed; expected a bigWig"),
        ("empty.bw", "empty.bw: cannot be read; expected a bigWig; was it copied or written completely?"),
        ("none.bw", "none.bw: cannot be read; expected a bigWig"),
    ):
        with pytest.raises(DataError, match=message):
            sums_of_values(name, [Interval("chr1", 1, 5)])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: data[:600] + bytes(200) + data[800:]]
)
def test_a_damaged_bigwig_is_an_error_and_does_not_abort(values: object, damage: object) -> None:
    assert callable(damage)
    Path("a.bw").write_bytes(damage(Path("a.bw").read_bytes()))
    with pytest.raises(
        DataError, match="a.bw: cannot be read; expected a bigWig; was it copied or written completely?"
    ):
        sums_of_values("a.bw", [Interval("chr1", 0, 3000), Interval("chr2", 0, 500)])


def test_a_bigwig_without_contigs_is_refused(values: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigwig, "_read", lambda *arguments: {})
    with pytest.raises(DataError, match="a.bw: no contigs; expected a bigWig with values"):
        read_contigs("a.bw")


def test_without_pybigtools_a_bigwig_cannot_be_read(values: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigwig.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        OptionError, match="pybigtools is needed to read a bigWig and not installed; try: pip install pyb"
    ):
        read_contigs("a.bw")

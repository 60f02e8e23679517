"""What a person sees while waiting."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest

from speid_cli.cli import console
from speid_cli.cli.console import format_value, progress, report
from speid_cli.cli.training import ConsoleObserver


class Terminal(io.StringIO):
    """A standard error that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The seconds that every stopwatch shows."""
    shown = [0.0]
    monkeypatch.setattr(console.Stopwatch, "seconds", property(lambda self: shown[0]))
    yield shown


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with progress("epoch 1 of 2", 300) as bar:
        clock[0] = 10
        bar.advance(100)
        bar.advance(100)
    shown = terminal.getvalue()
    for text in ("epoch 1 of 2", "200/300", "20 pairs/s", "5 s left"):
        assert text in shown


def test_elsewhere_a_line_comes_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("scoring", None, "lines") as bar:
        bar.advance(5)
        assert capsys.readouterr().err == ""
        clock[0] = 61
        bar.advance(117)
    assert capsys.readouterr().err == "scoring: 122, 2 lines/s\n"
    with progress("epoch 1 of 2", 36_000) as bar:
        bar.skip(100)
        bar.advance(610)
    assert capsys.readouterr().err == "epoch 1 of 2: 710 of 36,000, 59 min left, 10 pairs/s\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (3599, "1 h 0 min"), (90_061, "25 h 1 min")]
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


@pytest.mark.parametrize(("samples", "said"), [(100, True), (100_000, False)])
def test_training_that_takes_hours_is_foretold_once(
    clock: list[float], capsys: pytest.CaptureFixture[str], samples: int, said: bool
) -> None:
    with ConsoleObserver("--preset small is smaller") as observer:
        observer.epoch_begins(1, 10, 1_000_000)
        observer.samples_done(samples)
        assert capsys.readouterr().err == ""
        clock[0] = 21
        observer.samples_done(samples)
        observer.samples_done(samples)
    expected = "this will take up to 291 h 40 min; --preset small is smaller\n"
    assert capsys.readouterr().err == (expected if said else "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.123456789, "0.123457"),
        (True, "yes"),
        (None, "-"),
        ([], "-"),
        (["chr1", "chr2"], "chr1 chr2"),
        ({"pairs": 1200, "chromosomes": ["chr1"]}, "1,200 pairs, chromosomes chr1"),
    ],
)
def test_figures_as_people_read_them(value: object, text: str) -> None:
    assert format_value(value) == text


def test_a_report_stands_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    report({"pairs": 1200, "negatives": 3})
    assert capsys.readouterr().err == "  pairs      1,200\n  negatives  3\n"

"""What a person sees while waiting."""

from __future__ import annotations

import io
import sys

import pytest

from speid_cli.cli import console
from speid_cli.cli.console import format_value, progress, report


class Terminal(io.StringIO):
    """A standard error that a person watches."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    with progress("epoch 1/2", 300) as bar:
        bar.advance(100)
        bar.advance(100)
    shown = terminal.getvalue()
    assert "epoch 1/2" in shown
    assert "200/300" in shown
    assert "pairs/s" in shown


def test_elsewhere_a_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("scoring", None) as bar:
        bar.advance(5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", 0.0)
    with progress("epoch 1/2", 300) as bar:
        bar.advance(100)
    line = capsys.readouterr().err
    assert line.startswith("epoch 1/2: 100 of 300, ")
    assert line.endswith(" pairs/s\n")
    assert " s left, " in line


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

"""The page around all reports, on a template made here."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import numpy as np
import pytest
from markupsafe import Markup

import speid_cli
from speid_cli.report.page import count, figure, pvalue, render
from speid_cli.report.svg import letters, logo

HOSTILE = """</td><script>alert("1 & '2'")</script>"""
COLUMNS = [
    {"key": "name", "title": "motif", "kind": "text", "help": HOSTILE},
    {"key": "logo", "title": "logo", "kind": "svg"},
    {"key": "effect", "title": "effect", "kind": "interval"},
    {"key": "q", "title": "q", "kind": "pvalue"},
    {"key": "sites", "title": "sites", "kind": "number"},
    {"key": "bits", "title": "bits", "kind": "number"},
]
TEMPLATE = """\
{% extends "base.html.j2" %}
{% import "parts.html.j2" as parts %}
{% block title %}{{ name }}{% endblock %}
{% block subtitle %}BELOW{% endblock %}
{% block lead %}
{{ parts.headline([(0.5 | figure, name)]) }}
{% call parts.note("bad", name) %}{{ name }}{% endcall %}
{% endblock %}
{% block content %}
{{ parts.table(columns, rows, name) }}
{{ parts.figure(picture, name) }}
{% endblock %}
{% block cite %}CITED{% endblock %}
"""


class Page(HTMLParser):
    """What the tests ask of a page: its tags, what it would load, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.cells: list[tuple[str | None, str]] = []
        self._within_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes.append(values)
        self.loaded += [values[name] or "" for name in ("src", "href", "srcset", "action") if name in values]
        if tag == "td":
            self.cells.append((values.get("data-value"), ""))
            self._within_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._within_cell = self._within_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._within_cell:
            value, before = self.cells[-1]
            self.cells[-1] = value, before + data

    def having(self, name: str) -> list[str | None]:
        return [values[name] for values in self.attributes if name in values]


Draw = Callable[..., str]


def row(**values: object) -> dict[str, object]:
    known = {
        "name": HOSTILE,
        "logo": Markup(logo(np.eye(4), HOSTILE)),
        "effect": {"value": 0.5, "low": -1, "high": 2.0},
        "q": 2e-7,
        "sites": 12345,
        "bits": 1.25,
    }
    return known | values


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Draw:
    """Renders a template of a package that is made here."""
    package = tmp_path / "pages_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "page.html.j2").write_text(TEMPLATE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)

    def drawn(*rows: dict[str, object], **values: object) -> str:
        picture = Markup(letters("ACGT", np.array([1, -1, 2, -2]), 0, HOSTILE))
        return render(package.name, "page.html.j2", name=HOSTILE, columns=COLUMNS, rows=rows, picture=picture, **values)

    return drawn


def test_the_page_is_whole_and_loads_nothing(draw: Draw) -> None:
    text = draw(row())
    page = Page(text)
    assert text.startswith("<!doctype html>") and page.tags.count("html") == 1
    assert page.loaded and all(re.fullmatch("#[ACGT]", link) for link in page.loaded)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link", text)
    assert {f'id="{link[1:]}"' for link in page.loaded} <= set(re.findall(r'id="[^"]*"', text))
    assert "color-scheme: light dark" in text and "prefers-color-scheme: dark" in text
    order = ["BELOW", f"speid {speid_cli.__version__}", "0.500", "<table", "How to cite", "Singh S", "CITED"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_names_are_text_wherever_they_stand(draw: Draw) -> None:
    text = draw(*[row()] * 11)
    page = Page(text)
    assert page.tags.count("script") == 1 and "alert(&#34;1 &amp; &#39;2&#39;&#34;)" in text
    assert HOSTILE in page.having("title") and f"Search {HOSTILE}" in page.having("placeholder")
    assert page.cells[0] == (None, HOSTILE)


def test_the_same_values_give_the_same_page(draw: Draw) -> None:
    assert draw(row(), row(name="b")) == draw(row(), row(name="b"))


def test_what_a_template_asks_for_and_is_not_given_is_an_error(draw: Draw) -> None:
    with pytest.raises(jinja2.UndefinedError, match="has no attribute 'q'"):
        draw({key: value for key, value in row().items() if key != "q"})
    with pytest.raises(jinja2.TemplateNotFound, match="nothing.html.j2"):
        render("speid_cli.report", "nothing.html.j2")


def test_cells_show_rounded_numbers_and_are_sorted_by_exact_ones(draw: Draw) -> None:
    name, _, *numbers = Page(draw(row(name="CTCF"))).cells
    assert name == (None, "CTCF")
    effect = "0.5", "0.500-1.000 to 2.000"
    assert numbers == [effect, ("2e-07", "2e-07"), ("12345", "12,345"), ("1.25", "1.250")]


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_not_known_is_a_dash_that_is_sorted_last(draw: Draw, unknown: float | None) -> None:
    nothing = {"value": unknown, "low": unknown, "high": unknown}
    cells = Page(draw(row(name=None, logo=None, effect=nothing, q=unknown, sites=unknown, bits=unknown))).cells
    assert cells == [(None, ""), (None, ""), ("", "–– to –"), *[("", "–")] * 3]


def test_tables_can_be_sorted_and_long_ones_searched(draw: Draw) -> None:
    short, long = (Page(draw(*[row()] * rows)) for rows in (10, 11))
    for page, fields in ((short, 0), (long, 1)):
        assert page.tags.count("input") == fields
        assert page.tags.count("button") == len(COLUMNS) - 1  # not by logo
        assert page.having("data-kind") == [column["kind"] for column in COLUMNS]
    assert "hidden" in next(values for values in long.attributes if values.get("type") == "search")


def test_numbers_are_shown_as_people_write_them() -> None:
    assert [figure(value) for value in (0.12345, -2, None, math.nan)] == ["0.123", "-2.000", "–", "–"]
    assert [count(value) for value in (0, 999, 1234567)] == ["0", "999", "1,234,567"]
    values = (1, 0.0456, 0.00012345, 1e-15, 9.9e-16, 0, None, math.nan)
    assert [pvalue(value) for value in values] == ["1", "0.046", "0.00012", "1e-15", "< 1e-15", "< 1e-15", "–", "–"]

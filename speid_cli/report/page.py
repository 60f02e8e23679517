"""Pages that contain everything and load nothing from the network."""

from __future__ import annotations

import math
from importlib.resources import files

import jinja2

from speid_cli import __version__
from speid_cli.report.svg import GLYPHS


def render(package: str, template: str, **values: object) -> str:
    """A page from a template of a package, which extends ``base.html.j2`` and imports ``parts.html.j2``.

    The same values give the same text.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(files(name)) for name in (package, __package__)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "count": count, "pvalue": pvalue, "sortable": sortable}
    return environment.get_template(template).render(version=__version__, glyphs=GLYPHS, **values)


def figure(value: float | None) -> str:
    """Three decimals, or a dash for what is not known."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def sortable(value: float | None) -> str:
    """A number that a script can read, or nothing for what is not known."""
    return "" if value is None or math.isnan(value) else str(value)


def count(value: int) -> str:
    """A whole number with thousands separated."""
    return f"{value:,}"


def pvalue(value: float | None) -> str:
    """Two significant digits, or a dash for what is not known; below rounding errors only that."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.2g}" if value >= 1e-15 else "< 1e-15"

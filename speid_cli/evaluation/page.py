"""``report.html``: one page that contains everything and loads nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2

CAPTIONS = {
    "precision_recall": "Precision and recall on the evaluated pairs. The base rate is a horizontal line.",
    "roc": "True against false positive rate on the same pairs.",
    "reliability": "How often pairs of a given probability interact; on the diagonal, as often as predicted.",
    "scores": "The network's probabilities by class, and the threshold that was chosen on the validation pairs.",
    "training": "Loss and validation figures of each epoch; a line separates the two stages.",
}


def page(title: str, content: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """The report of an evaluation.

    Parameters
    ----------
    content : dict
        What ``metrics.json`` holds.
    pictures : dict of bytes
        SVG by name.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = _figure
    template = environment.from_string(files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    images = [(name, CAPTIONS[name], base64.b64encode(svg).decode()) for name, svg in pictures.items()]
    return template.render(title=title, content=content, images=images)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"

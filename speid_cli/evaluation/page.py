"""``report.html``: one page that contains everything and loads nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from speid_cli.report.page import render

# Of each picture: what is seen, for those who cannot see it, and its caption.
PICTURES = {
    "precision_recall": (
        "Curves of precision against recall, one for each model, whose AUPRC is in the legend",
        "Precision and recall on the evaluated pairs. The base rate is a horizontal line.",
    ),
    "roc": (
        "Curves of the true against the false positive rate, one for each model, whose AUROC is in the legend",
        "True against false positive rate on the same pairs.",
    ),
    "reliability": (
        "Dots of the share of interacting pairs against the probability, for each bin of probability, and a diagonal",
        "How often pairs of a given probability interact; on the diagonal, as often as predicted.",
    ),
    "scores": (
        "Histograms of the probabilities of interacting and of other pairs, with a vertical line at the threshold",
        "The network's probabilities by class, and the threshold (of each fold) that was chosen on validation pairs.",
    ),
    "distance": (
        "Dots of the share of interacting pairs, and lines of mean probabilities, against distance",
        "How many pairs interact by distance, and what is predicted from sequence, and from sequence and the prior of "
        "distance. The prior is that of all candidates: where negatives were drawn at the positives' distances, more "
        "pairs interact than it predicts.",
    ),
    "training": (
        "Lines of the training loss, validation loss and validation AUPRC against the epoch",
        "Loss and validation figures of each epoch; a line separates the two stages.",
    ),
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
    images = [(*PICTURES[name], base64.b64encode(svg).decode()) for name, svg in pictures.items()]
    models = [model["measures"] | model | {"name": name} for name, model in content["models"].items()]
    return render(__package__, "report.html.j2", name=title, content=content, models=models, images=images)

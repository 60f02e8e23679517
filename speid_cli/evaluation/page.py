"""``report.html``: one page that contains everything and loads nothing from the network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from speid_cli.report.page import figure, render

# Of each picture: what is seen, for those who cannot see it, and its caption.
PICTURES = {
    "comparison": (
        "A dot for each model at its AUPRC on a line for the 95% interval, and a dotted line at the base rate",
        "AUPRC of all models on the same pairs, with 95% intervals.",
    ),
    "precision_recall": (
        "Curves of precision against recall, one for each model, whose AUPRC is in the legend",
        "Precision and recall on the evaluated pairs. The base rate is a horizontal line. The axis of precision is "
        "scaled to the curves from a recall of 5% on: before that, a few pairs decide.",
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
        "How many pairs interact by distance, and what is predicted from sequence and, where the model has a prior of "
        "distance, from both. The prior is that of all candidates: where negatives were drawn at the positives' "
        "distances, more pairs interact than it predicts.",
    ),
    "training": (
        "Lines of the training loss, validation loss and validation AUPRC against the epoch",
        "Loss and validation figures of each epoch; a line separates the two stages.",
    ),
}


def page(
    title: str,
    content: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    hits: Sequence[Mapping[str, object]],
    made_by: str,
) -> str:
    """The report of an evaluation.

    Parameters
    ----------
    content : dict
        What ``metrics.json`` holds.
    pictures : dict of bytes
        SVG by name.
    hits : sequence of dict
        From `strongest_pairs`.
    made_by : str
        The command line and the date.
    """
    within = "_within_folds" if content["folds"] else ""
    images = []
    for name, svg in pictures.items():
        seen, caption = PICTURES[name]
        images.append((f"{seen}. {_figures(name, content, within)}".rstrip(), caption, base64.b64encode(svg).decode()))
    models = [model["measures"] | model | {"name": name} for name, model in content["models"].items()]
    differences = [{"names": " minus ".join(found["models"])} | found for found in content["differences"]]
    return render(
        __package__, "report.html.j2", name=title, content=content, models=models, images=images, hits=hits,
        made_by=made_by, within=within, differences=differences,
    )  # fmt: skip


def _figures(picture: str, content: Mapping[str, Any], within: str) -> str:
    """What a picture shows, as figures for those who cannot see it."""
    measure = {"comparison": f"auprc{within}", "precision_recall": "auprc", "roc": "auroc"}.get(picture)
    if measure is None:
        return ""
    values = (f"{name} {figure(model['measures'][measure]['value'])}" for name, model in content["models"].items())
    return f"{measure.partition('_')[0].upper()}: {', '.join(values)}"

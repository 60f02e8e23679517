"""Figures of an evaluation, as SVG with the same bytes for the same content."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from speid_cli.evaluation.baselines import pair_distances
from speid_cli.evaluation.evaluate import WITH_DISTANCE, Evaluation
from speid_cli.evaluation.measures import ECE_BINS, Predictions, curve, probability_bins

# The palette of Okabe and Ito, for any colour vision.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
_DISTANCE_BINS = 8
_FIRST_RECALL = 0.05
_POSITIVE, _NEGATIVE = "#D55E00", "#999999"
Groups = Mapping[str, NDArray[np.bool_]]
_STYLE = {
    "svg.hashsalt": "speid",
    "svg.fonttype": "path",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def pictures(evaluation: Evaluation) -> dict[str, bytes]:
    """SVG of each figure by its name: of the network only where there is one, of its training only for one network."""
    drawn: dict[str, Callable[[Axes], None]] = {
        "comparison": lambda axes: _comparison(axes, evaluation),
        "precision_recall": lambda axes: _precision_recall(axes, evaluation),
        "roc": lambda axes: _roc(axes, evaluation),
    }
    if evaluation.network is not None:
        predictions = evaluation.network.predictions
        drawn["reliability"] = lambda axes: _reliability(axes, predictions)
        drawn["scores"] = lambda axes: _scores(axes, predictions)
        distance = pair_distances(evaluation.parts[0].dataset)[evaluation.members]
        if (distance > 0).any() and np.isfinite(distance).any():
            joint = evaluation.models[WITH_DISTANCE].predictions if WITH_DISTANCE in evaluation.models else None
            drawn["distance"] = lambda axes: _by_distance(axes, distance, predictions, joint)
    networks = [part.checkpoint for part in evaluation.parts if part.checkpoint is not None]
    if len(networks) == 1 == len(evaluation.networks) and (history := networks[0].history):
        drawn["training"] = lambda axes: _training(axes, history)
    return {name: _svg(draw) for name, draw in drawn.items()}


def training_picture(history: Sequence[Mapping[str, Any]]) -> bytes:
    """SVG of the loss and the validation of each epoch, from a checkpoint's history."""
    return _svg(lambda axes: _training(axes, history))


def histograms(title: str, values: NDArray[np.float64], label: NDArray[np.int8], groups: Groups) -> bytes:
    """SVG of histograms of values (N,), without NaN, of both classes: one row for each group of pairs (N,)."""

    def draw(figure: Figure) -> None:
        """Draw all rows, on one axis of values."""
        known = np.isfinite(values)
        bins = np.histogram_bin_edges(values[known], 40).tolist()
        rows = figure.subplots(len(groups), squeeze=False, sharex=True)[:, 0]
        for axes, (name, members) in zip(rows, groups.items(), strict=True):
            for kind, value, colour in (("other", 0, _NEGATIVE), ("interacting", 1, _POSITIVE)):
                here = values[members & known & (label == value)]
                axes.hist(here, bins, density=len(here) > 0, color=colour, alpha=0.6, label=kind)
            axes.set(ylabel=name, yticks=[])
        rows[0].set_title(title)
        rows[0].legend(fontsize=8)

    return _figure(draw, 1.2 + 0.9 * len(groups))


def _svg(draw: Callable[[Axes], None]) -> bytes:
    return _figure(lambda figure: draw(figure.add_subplot()), 4.2)


def _figure(draw: Callable[[Figure], None], height: float) -> bytes:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, height), layout="constrained")
        draw(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _comparison(axes: Axes, evaluation: Evaluation) -> None:
    """AUPRC of each model as a dot with its interval, the base rate as a line."""
    key = f"auprc{evaluation.within}"
    names = list(evaluation.models)[::-1]
    found = [evaluation.models[name].estimates for name in names]
    for place, (name, estimates) in enumerate(zip(names, found, strict=True)):
        auprc, colour = estimates[key], _COLOURS[0] if name in evaluation.networks else "#555555"
        axes.plot([auprc.low, auprc.high], [place, place], color=colour, lw=1.6, solid_capstyle="butt")
        axes.plot(auprc.value, place, "o", color=colour, ms=6)
    axes.axvline(found[0][key].value - found[0][f"{key}_gain"].value, color="#bbbbbb", lw=0.8, ls=":")
    within = " among pairs of the same fold" if evaluation.within else ""
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel=f"AUPRC{within}; dotted: base rate", title="AUPRC with 95% intervals")
    axes.set_xlim(left=0)


def _lines(evaluation: Evaluation) -> list[tuple[str, dict[str, Any], dict[str, NDArray[np.float64]]]]:
    """Name, style and curve of each model; the first last, so that it is on top."""
    rows = []
    for number, (name, judged) in enumerate(evaluation.models.items()):
        found = curve(judged.predictions.label, judged.predictions.probability)
        dashes = "-" if number < len(_COLOURS) else "--"
        width = 2.2 if name in evaluation.networks else 1.2
        rows.append((name, {"color": _COLOURS[number % len(_COLOURS)], "lw": width, "ls": dashes}, found))
    return rows[1:] + rows[:1]


def _precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    for name, style, found in _lines(evaluation):
        auprc = evaluation.models[name].estimates["auprc"].value
        axes.step(found["recall"], found["precision"], where="pre", label=f"{name}  {auprc:.3f}", **style)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), title="Precision and recall (AUPRC)")
    axes.set_ylim(0, _highest_precision(evaluation))
    _legend(axes)


def _highest_precision(evaluation: Evaluation) -> float:
    """Top of the axis of precision: above all curves, left out the first few pairs, of which a single one decides."""
    found = [curve(judged.predictions.label, judged.predictions.probability) for judged in evaluation.models.values()]
    highest = max(float(each["precision"][each["recall"] >= _FIRST_RECALL].max(initial=0)) for each in found)
    return min(1.02, max(1.25 * highest, 2 * float(evaluation.label.mean())))


def _roc(axes: Axes, evaluation: Evaluation) -> None:
    for name, style, found in _lines(evaluation):
        auroc = evaluation.models[name].estimates["auroc"].value
        false, true = (np.append(0, found[side]) for side in ("false_positive_rate", "recall"))
        axes.plot(false, true, label=f"{name}  {auroc:.3f}", **style)
    axes.plot([0, 1], [0, 1], color="#bbbbbb", lw=0.8, ls=":")
    axes.set(
        xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.02), title="ROC (AUROC)"
    )
    _legend(axes)


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    axes.legend(handles[-1:] + handles[:-1], names[-1:] + names[:-1], fontsize=8, loc="best")


def _reliability(axes: Axes, predictions: Predictions) -> None:
    axes.plot([0, 1], [0, 1], color="#bbbbbb", lw=0.8, ls=":")
    kinds = (
        ("as the network says", predictions.probability, _NEGATIVE),
        ("calibrated", predictions.calibrated, _COLOURS[0]),
    )
    for name, probability, colour in kinds:
        bins = probability_bins(probability)
        pairs = np.bincount(bins, minlength=ECE_BINS)
        used = pairs > 0
        mean, share = (
            np.bincount(bins, values, minlength=ECE_BINS)[used] / pairs[used]
            for values in (probability, predictions.label)
        )
        axes.plot(mean, share, color=colour, lw=1, alpha=0.6)
        axes.scatter(mean, share, s=12 + 90 * pairs[used] / pairs.max(), color=colour, label=name)
    axes.set(xlabel="mean probability", ylabel="share of positives", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"Reliability, {ECE_BINS} bins (size: pairs)")
    axes.legend(fontsize=8, loc="upper left")


def _by_distance(axes: Axes, distance: NDArray[np.float64], speid: Predictions, joint: Predictions | None) -> None:
    """Share of positives, and mean probability from sequence and, if there is a prior, from both, by distance."""
    within = np.flatnonzero(np.isfinite(distance))
    order = within[np.argsort(distance[within], kind="stable")]
    bins = [part for part in np.array_split(order, min(_DISTANCE_BINS, len(order))) if len(part)]
    middle = [np.median(distance[part]) / 1000 for part in bins]
    kinds: list[tuple[str, NDArray[Any], str]] = [
        ("interacting", speid.label, _POSITIVE),
        ("from sequence, calibrated", speid.calibrated, _COLOURS[2]),
    ]
    if joint is not None:
        kinds.append((WITH_DISTANCE, joint.probability, _COLOURS[0]))
    for name, values, colour in kinds:
        share = [float(values[part].mean()) for part in bins]
        axes.plot(middle, share, marker="o", ms=4, lw=0 if values is speid.label else 1.4, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="distance, kb (median of a bin)", ylabel="share, mean probability")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"By distance, {len(bins)} bins of equal size")
    axes.legend(fontsize=8, loc="best")


def _scores(axes: Axes, predictions: Predictions) -> None:
    bins = np.linspace(0, 1, 41).tolist()
    for name, label, colour in (("not interacting", 0, _NEGATIVE), ("interacting", 1, _POSITIVE)):
        scores = predictions.probability[predictions.label == label]
        axes.hist(scores, bins, color=colour, alpha=0.65, label=f"{name} ({len(scores):,})", log=True)
    thresholds = np.unique(predictions.threshold).tolist()
    shown = ", ".join(f"{threshold:.3g}" for threshold in thresholds)
    for number, threshold in enumerate(thresholds):
        axes.axvline(threshold, color="black", lw=1, ls="--", label=None if number else f"threshold {shown}")
    axes.set(xlabel="probability", ylabel="pairs", xlim=(0, 1), title="Scores by class")
    axes.legend(fontsize=8, loc="best")


def _training(axes: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    epochs = np.arange(1, len(history) + 1)
    kinds = (
        ("training_loss", "training loss", 1),
        ("validation_loss", "validation loss", 0),
        ("validation_auprc", "validation AUPRC", 2),
    )
    for key, name, colour in kinds:
        values = [row.get(key) for row in history]
        numbers = [value if isinstance(value, int | float) else np.nan for value in values]
        axes.plot(epochs, numbers, marker="o", ms=3, lw=1.2, color=_COLOURS[colour], label=name)
    stages = [row.get("stage") for row in history]
    for epoch in range(1, len(stages)):
        if stages[epoch] != stages[epoch - 1]:
            axes.axvline(epoch + 0.5, color="#bbbbbb", lw=0.8)
    axes.set(xlabel="epoch, of both stages", title="Training")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, loc="best")

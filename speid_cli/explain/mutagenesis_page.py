"""``report.html`` of a mutagenesis: tracks, the strongest stretches and the strongest substitutions of each pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from speid_cli.dataset.metrics import has_both_classes, ranking, sigmoid
from speid_cli.errors import counted
from speid_cli.explain.history import best_validation
from speid_cli.explain.mutagenesis import PairEffects, Window, base_values, shown
from speid_cli.genome.intervals import Interval
from speid_cli.genome.onehot import ALPHABET, FILE_CODES, FILE_ORDER
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.report import svg
from speid_cli.report.page import render

PICTURED_PAIRS = 20
STRETCHES, STRETCH_BP = 5, 60
_CELL, _MARGIN, _ABOVE = 13, 15, 112  # pixels: as wide as a letter; left of the heat map; above it
SUBSTITUTIONS_SHOWN = 50
_TEXT = np.array(list(ALPHABET + "N"))


class Stretch(NamedTuple):
    """A part of a window in which bases contribute much.

    Attributes
    ----------
    place : Interval
    sequence : str
    values : float32 (L,)
        `base_values`; NaN where none is known.
    changes : float32 (L, 4)
        Of the logit, in the order of base codes; NaN where none is known.
    """

    place: Interval
    sequence: str
    values: NDArray[np.float32]
    changes: NDArray[np.float32]


def strongest_stretches(window: Window, changes: NDArray[np.float32]) -> Iterator[Stretch]:
    """Up to `STRETCHES` parts of `STRETCH_BP` that do not overlap, by the sum of their absolute values."""
    values = base_values(changes)
    length = min(STRETCH_BP, len(values))
    sums = np.convolve(np.nan_to_num(np.abs(values), nan=0), np.ones(length), "valid")
    for _ in range(STRETCHES):
        best = int(sums.argmax())
        if sums[best] == 0:
            return
        sums[max(0, best - length + 1) : best + length] = 0
        part, start = slice(best, best + length), window.start + best
        place = Interval(window.element.chrom, start, start + length)
        yield Stretch(place, "".join(_TEXT[window.codes[part]]), values[part], changes[part])


class Substitution(NamedTuple):
    """A row of the table of the strongest substitutions; its position counts from 1."""

    side: str
    chrom: str
    position: int
    reference: str
    alternative: str
    logit_change: float
    probability: float


def strongest_substitutions(pair: PairEffects) -> list[Substitution]:
    """Up to `SUBSTITUTIONS_SHOWN` of both sides, the largest change of the logit first."""
    found = []
    for window, changes in zip(pair.windows, pair.effects.changes, strict=True):
        known = np.nan_to_num(changes, nan=0)
        probabilities = sigmoid(pair.effects.logit + known)
        order = np.argsort(-np.abs(known), axis=None, kind="stable")[:SUBSTITUTIONS_SHOWN]
        for place, base in np.stack(np.unravel_index(order[known.flat[order] != 0], known.shape), axis=1).tolist():
            what = window.start + place + 1, ALPHABET[window.codes[place]], ALPHABET[base]
            numbers = float(known[place, base]), float(probabilities[place, base])
            found.append(Substitution(window.side, window.element.chrom, *what, *numbers))
    found.sort(key=lambda row: -abs(row.logit_change))
    return found[:SUBSTITUTIONS_SHOWN]


def stretch_picture(stretch: Stretch) -> str:
    """Letters as high as their values, above the changes of the logit by each base (rows A, C, G, T)."""
    title = f"Contribution of each base, and change of the logit by each substitution, of {shown(stretch.place)}"
    above = svg.letters(stretch.sequence, stretch.values, stretch.place.start + 1, title)
    cells = "".join(_cells(stretch))
    width = _MARGIN + len(stretch.sequence) * _CELL
    parts = [f'<g transform="translate({_MARGIN} 0)">{above}</g><g transform="translate(0 {_ABOVE})">{cells}</g>']
    return svg.picture(width, _ABOVE + 4 * _CELL, parts, title)


def _cells(stretch: Stretch) -> Iterator[str]:
    """The heat map in ten shades of either sign; the base that is there is written in its cell."""
    changes = np.nan_to_num(stretch.changes[:, FILE_CODES], nan=0)
    shades = np.rint(10 * changes / np.abs(changes).max())
    for shade in np.unique(shades[shades != 0]).tolist():
        squares = [f"M{_MARGIN + column * _CELL} {row * _CELL}h{_CELL - 1}v{_CELL - 1}h-{_CELL - 1}z"
                   for column, row in np.argwhere(shades == shade).tolist()]  # fmt: skip
        yield f'<path class="{"pos" if shade > 0 else "neg"}" opacity="{abs(shade) / 10:g}" d="{"".join(squares)}"/>'
    for row, base in enumerate(FILE_ORDER):
        yield svg.text(0, row * _CELL + _CELL - 3, base)
        for column, there in enumerate(stretch.sequence):
            if there == base:
                yield svg.letter(base, _MARGIN + column * _CELL + 3, row * _CELL + 3, _CELL - 7, _CELL - 7)


class Page:
    """Collects what the report shows of each pair.

    Parameters
    ----------
    title : str
        Name of the model.
    made_of : dict
        What the numbers are of, by name; digests of files, and options.
    """

    def __init__(self, title: str, checkpoint: Checkpoint, made_of: Mapping[str, object]) -> None:
        self._title, self._checkpoint, self._made_of = title, checkpoint, made_of
        self._pairs: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        self._label: list[int] = []
        self._logit: list[float] = []

    def add(self, pair: PairEffects) -> None:
        """Add a pair: a row of the table of pairs and, of the first `PICTURED_PAIRS`, pictures."""
        (line, labelled, _), logit = pair.asked, pair.effects.logit
        self._label.append(labelled.label)
        self._logit.append(logit)
        substitutions = strongest_substitutions(pair)
        row: dict[str, Any] = {window.side: shown(window.element) for window in pair.windows}
        row |= {"line": line, "name": labelled.name, "probability": float(sigmoid(np.array(logit))), "logit": logit}
        row["largest"] = substitutions[0].logit_change if substitutions else None
        self._rows.append(row)
        if len(self._pairs) < PICTURED_PAIRS:
            both = zip(pair.windows, pair.effects.changes, strict=True)
            sides = [_side(window, changes) for window, changes in both if len(window.asked)]
            self._pairs.append(row | {"sides": sides, "substitutions": [each._asdict() for each in substitutions]})

    def html(self) -> str:
        """The page of the pairs that were added."""
        verdict = f"{best_validation(self._checkpoint)} {self._on_labels()}".strip()
        return render(
            __package__, "mutagenesis.html.j2", title=self._title, verdict=verdict, rows=self._rows, pairs=self._pairs,
            made_of=self._made_of, checkpoint=self._checkpoint,
        )  # fmt: skip

    def _on_labels(self) -> str:
        """How well the model predicts these pairs, if both labels are among them."""
        label, logit = np.array(self._label, np.int8), np.array(self._logit)
        if not has_both_classes(label):
            return ""
        (auprc,), _ = ranking(label, logit, np.ones((1, len(label))))
        return (
            f"On the {counted(len(label), 'labelled pair')} of this page, of which it may have been trained on some, "
            f"its AUPRC is {auprc:.3f}; the base rate is {label.mean():.3f}."
        )


def _side(window: Window, changes: NDArray[np.float32]) -> dict[str, Any]:
    """Pictures of a window."""
    marked = np.clip(np.array(window.element[1:]) - window.start, 0, len(window.codes))
    title = f"Contribution of each base of the {window.side} window"
    return {
        "name": window.side,
        "place": shown(window.interval),
        "element": shown(window.element),
        "track": Markup(svg.track(base_values(changes), title, marked=(int(marked[0]), int(marked[1])))),
        "stretches": [(_caption(stretch), Markup(stretch_picture(stretch)))
                      for stretch in strongest_stretches(window, changes)],
    }  # fmt: skip


def _caption(stretch: Stretch) -> str:
    largest = (float(np.nanmax(np.abs(values))) for values in (stretch.values, stretch.changes))
    return "{}: letters up to {:.2g}, colours up to {:.2g}.".format(shown(stretch.place), *largest)

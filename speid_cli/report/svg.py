"""Pictures as SVG text, for inside a page of `render`, whose colours and glyphs they use.

Numbers are rounded, so that files stay small and the same values give the same text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
LETTERS = "ATCG"
# Each in a box of 100 by 100.
GLYPHS = {
    "A": "M0 100L36 0H64L100 100H77L70 78H30L23 100ZM36 59H64L50 17Z",
    "C": "M100 31A52 50 0 1 0 100 69L79 60A29 29 0 1 1 79 40Z",
    "G": "M100 31A52 50 0 1 0 100 69V46H54V62H79A29 29 0 1 1 79 40Z",
    "T": "M0 0H100V20H61V100H39V20H0Z",
}
_COLUMN, _LOGO_HEIGHT, _LOGO_AXIS = 13, 52, 14
_SMALLEST = 0.5  # letters below this many pixels are left out
_NAME, _LINE = 7, 20  # pixels of a letter of a name, and of a line of names
_LONGEST = 28  # letters of a name; what is longer is cut
_BARS = 40  # pixels of the bars at the margin of a heat map


class IntervalRow(NamedTuple):
    """A named value with its interval; `strong` rows stand out."""

    name: str
    value: float
    low: float
    high: float
    strong: bool


def picture(width: float, height: float, parts: Iterable[str], title: str, shrinks: bool = False) -> str:
    """An SVG of these parts; `title` is read to those who cannot see it.

    It may shrink to the width of the page, but only as far as its text stays readable.
    """
    style = f' class="shrinks" style="min-width:{0.8 * width:g}px"' if shrinks else ""
    return (
        f'<svg{style} role="img" width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, content: str, anchor: str = "start") -> str:
    """A line of text."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(content)}</text>'


def shortened(name: str) -> str:
    """The first letters of a name that is too long for a picture."""
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "axis") -> str:
    """A line."""
    return f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'


def letter(name: str, x: float, y: float, width: float, height: float) -> str:
    """A glyph of A, C, G or T in a box."""
    scale = f"{width / 100:.3g} {height / 100:.3g}"
    return f'<use href="#{name}" class="{name}" transform="translate({x:g} {y:.4g}) scale({scale})"/>'


def logo(ppm: Array, title: str) -> str:
    """A sequence logo of a PPM (w, 4), columns A, T, C, G; a column is as high as its information, up to 2 bits."""
    width = _LOGO_AXIS + len(ppm) * _COLUMN
    parts = [text(0, 9, "2"), text(0, _LOGO_HEIGHT, "0"), line(_LOGO_AXIS - 4, 0, _LOGO_AXIS - 4, _LOGO_HEIGHT)]
    parts.append(line(_LOGO_AXIS - 4, _LOGO_HEIGHT, width, _LOGO_HEIGHT))
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = 2 + np.nansum(ppm * np.log2(ppm), axis=1)
    for column, heights in enumerate(ppm * bits[:, None] * (_LOGO_HEIGHT / 2)):
        bottom = float(_LOGO_HEIGHT)
        for base in np.argsort(heights, kind="stable"):
            if heights[base] >= _SMALLEST:
                bottom -= float(heights[base])
                x, height = _LOGO_AXIS + column * _COLUMN, float(heights[base])
                parts.append(letter(LETTERS[base], x, bottom, _COLUMN - 1, height))
    return picture(width, _LOGO_HEIGHT + 1, parts, title)


def letters(sequence: str, values: Array, start: int, title: str, height: int = 90) -> str:
    """Letters as high as their values (L,), below the line where these are negative; `start` is the first position."""
    largest, half, width, parts = _largest(values) or 1, height / 2, len(sequence) * _COLUMN, []
    for column, (base, value) in enumerate(zip(sequence.upper(), values.tolist(), strict=True)):
        size = 0.0 if math.isnan(value) else abs(value) / largest * half
        if base in GLYPHS and size >= _SMALLEST:
            parts.append(letter(base, column * _COLUMN, half - (size if value > 0 else 0), _COLUMN - 1, size))
    parts.append(line(0, half, width, half))
    for column in [column for column in range(len(sequence)) if (start + column) % 10 == 0] or [0]:
        x, position = (column + 0.5) * _COLUMN, f"{start + column:,}"
        parts.append(line(x, height, x, height + 4))
        reach = len(position) * _NAME / 2
        parts.append(text(max(reach, min(x, width - reach)), height + 15, position, "middle"))
    return picture(width, height + 18, parts, title)


def intervals(rows: Sequence[IntervalRow], title: str, width: int = 460) -> str:
    """Dots with lines from low to high, one row a name, beside a line at 0; a row of NaN has only its name."""
    names = max([30, *(len(shortened(row.name)) * _NAME + 12 for row in rows)])
    known = [value for row in rows for value in row[1:4] if math.isfinite(value)]
    ticks = ticks_over(min([0.0, *known]), max([0.0, *known]))
    low, high = ticks[0], ticks[-1]

    def at(value: float) -> float:
        """Where a value is, in pixels."""
        return round(names + (value - low) / (high - low) * (width - names - 30), 1)

    bottom = len(rows) * _LINE + 6
    parts = [line(at(tick), 0, at(tick), bottom, "soft") for tick in ticks] + [line(at(0), 0, at(0), bottom)]
    parts += [text(at(tick), bottom + 14, f"{tick:g}", "middle") for tick in ticks]
    for number, row in enumerate(rows):
        middle, kind = number * _LINE + _LINE / 2 + 3, "strong" if row.strong else "weak"
        parts.append(text(names - 10, middle + 4, shortened(row.name), "end"))
        if all(map(math.isfinite, row[1:4])):
            parts.append(line(at(row.low), middle, at(row.high), middle, kind))
            parts.append(f'<circle class="{kind}" cx="{at(row.value):g}" cy="{middle:g}" r="4"/>')
    return picture(width, bottom + 20, parts, title, shrinks=True)


def ticks_over(low: float, high: float) -> list[float]:
    """Round numbers, some three steps, from at most `low` to at least `high`."""
    span = high - low or 1.0
    magnitude = 10.0 ** math.floor(math.log10(span / 3))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude * 3 >= span)
    return [
        float(f"{number * step:.12g}") for number in range(math.floor(low / step), math.ceil((low + span) / step) + 1)
    ]


def track(values: Array, title: str, width: int = 1000, height: int = 60, marked: tuple[int, int] | None = None) -> str:
    """Bars of values (L,) along a window; each pixel shows its most extreme value. `marked` bases have a line below."""
    bins = np.linspace(0, len(values), min(width, len(values)) + 1).astype(int)
    known = np.nan_to_num(values)
    highest, lowest = np.maximum.reduceat(known, bins[:-1]), np.minimum.reduceat(known, bins[:-1])
    shown = np.where(highest >= -lowest, highest, lowest)
    largest, half, step = _largest(shown), height / 2, width / len(shown)
    parts = [
        _bar(size, number * step, half - max(size, 0), step, abs(size))
        for number, size in enumerate((shown / (largest or 1) * half).tolist())
        if abs(size) >= _SMALLEST / 2
    ]
    if marked is not None:
        first, last = (place / len(values) * width for place in marked)
        parts.append(f'<rect class="weak" x="{first:.4g}" y="{height + 2}" width="{last - first:.4g}" height="3"/>')
    parts += [line(0, half, width, half), text(width, height + 18, f"highest bar: {largest:.2g}", "end")]
    return picture(width, height + 22, parts, title, shrinks=True)


def heat_map(
    values: Array,
    row_names: Sequence[str],
    column_names: Sequence[str],
    title: str,
    top: Array | None = None,
    left: Array | None = None,
    cell: int = 14,
) -> str:
    """Values (R, C) as colours: blue below 0, orange above, stronger with distance; 0 and NaN have none.

    Parameters
    ----------
    top, left : (C,), (R,), optional
        Bars at the margins, in the colour of their sign, each margin scaled to its largest.
    """
    names = [max((len(shortened(each)) for each in side), default=0) * _NAME + 8 for side in (row_names, column_names)]
    x0, y0 = (size + (0 if bars is None else _BARS) for size, bars in zip(names, (left, top), strict=True))
    right, bottom = x0 + len(column_names) * cell, y0 + len(row_names) * cell
    largest, parts = _largest(values), []
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        told = f"<title>{escape(f'{row_names[row]}, {column_names[column]}: {value:.3g}')}</title>"
        parts.append(_cell(value / (largest or 1), x0 + column * cell, y0 + row * cell, cell - 1, told))
    for column, size in _bar_sizes(top):
        parts.append(_bar(size, x0 + column * cell, y0 - 4 - abs(size), cell - 1, abs(size)))
    for row, size in _bar_sizes(left):
        parts.append(_bar(size, x0 - 4 - abs(size), y0 + row * cell, abs(size), cell - 1))
    middle = cell / 2 + 4  # of a line of text
    parts += [
        text(names[0] - 6, y0 + row * cell + middle, shortened(each), "end") for row, each in enumerate(row_names)
    ]
    for column, each in enumerate(column_names):
        place = f"{x0 + column * cell + middle:g} {names[1] - 6}"
        parts.append(f'<g transform="translate({place}) rotate(-90)">{text(0, 0, shortened(each))}</g>')
    parts.append(f'<rect class="soft" x="{x0 - 1}" y="{y0 - 1}" width="{right - x0 + 1}" height="{bottom - y0 + 1}"/>')
    parts += _legend(largest, x0, bottom + 8)
    return picture(max(right + 4, x0 + 230), bottom + 24, parts, title, shrinks=True)


def _largest(values: Array) -> float:
    """The largest distance from 0; 0 where no value is known."""
    return float(np.abs(np.nan_to_num(values)).max(initial=0))


def _cell(share: float, x: float, y: float, size: float, content: str = "") -> str:
    """A square whose colour is as strong as its share of the largest value; none for 0 and NaN."""
    if not abs(share) >= 0.01:
        return ""
    kind = "pos" if share > 0 else "neg"
    place = f'x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}"'
    return f'<rect class="{kind}" {place} opacity="{abs(share):.2f}">{content}</rect>'


def _legend(largest: float, x: float, y: float) -> list[str]:
    """The shades from the lowest to the highest value of a colour scale."""
    squares = [_cell(number / 5, x + 60 + (number + 5) * 10, y, 10) for number in range(-5, 6)]
    return [text(x + 55, y + 9, f"{0 - largest:.3g}", "end"), *squares, text(x + 175, y + 9, f"{largest:.3g}")]


def _bar_sizes(values: Array | None) -> list[tuple[int, float]]:
    """Place and signed length in pixels of each bar of a margin."""
    if values is None:
        return []
    lengths = np.nan_to_num(values) / (_largest(values) or 1) * (_BARS - 6)
    return list(enumerate(lengths.tolist()))


def _bar(value: float, x: float, y: float, width: float, height: float) -> str:
    """A bar in the colour of its sign."""
    kind = "pos" if value > 0 else "neg"
    return f'<rect class="{kind}" x="{x:.4g}" y="{y:.4g}" width="{width:.3g}" height="{height:.3g}"/>'

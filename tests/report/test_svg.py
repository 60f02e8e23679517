"""Pictures: where things stand, read back from the SVG."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from speid_cli.report.svg import IntervalRow, heat_map, intervals, letters, logo, ticks_over, track

HOSTILE = """</title><script>alert("1 & '2'")</script>"""
SHORT = "<b>&\"'"
NAN = math.nan


def tree(picture: str) -> ElementTree.Element:
    """The picture, read as XML; whoever cannot see it is told its title."""
    root = ElementTree.fromstring(picture)
    assert root.get("role") == "img" and root[0].tag == "title" and root[0].text
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    return root


def glyphs(picture: str) -> list[tuple[str, float, float, float]]:
    """Letter, x, top and bottom of each glyph."""
    found = []
    for use in tree(picture).iter("use"):
        x, y, _, scale = map(float, re.findall(r"-?\d[\d.]*", use.attrib["transform"]))
        found.append((use.attrib["href"][1:], x, y, y + 100 * scale))
    return found


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in tree(picture).iter("text")]


def squares(picture: str) -> dict[str, tuple[str, float]]:
    """Sign and strength of each cell of a heat map, by what it is called."""
    cells = [rect for rect in tree(picture).iter("rect") if rect.find("title") is not None]
    return {str(rect.findtext("title")): (rect.attrib["class"], float(rect.attrib["opacity"])) for rect in cells}


PICTURES = [
    logo(np.full((3, 4), 0.25), HOSTILE),
    letters("ACN", np.array([1, -1, 0.5]), 7, HOSTILE),
    intervals([IntervalRow(SHORT, 1, 0, 2, True), IntervalRow(HOSTILE, 1, 0, 2, True)], HOSTILE),
    heat_map(np.eye(2), [SHORT, HOSTILE], [HOSTILE, SHORT], HOSTILE, top=np.ones(2), left=np.ones(2)),
    track(np.arange(-5, 5.0), HOSTILE, marked=(2, 4)),
]


@pytest.mark.parametrize("picture", PICTURES)
def test_names_are_text_whatever_is_in_them(picture: str) -> None:
    root = tree(picture)
    assert root[0].text == HOSTILE
    assert {each.tag for each in root.iter()} <= {"svg", "title", "text", "line", "rect", "circle", "use", "g"}


def test_hostile_names_stay_readable_and_long_ones_are_cut() -> None:
    for picture in PICTURES[2:4]:
        assert SHORT in texts(picture) and HOSTILE not in texts(picture)
        assert HOSTILE[:27] + "…" in texts(picture)
    assert f"{SHORT}, {HOSTILE}: 1" in squares(PICTURES[3])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, 0, 0, 0], {"A": 2.0}),
        ([0, 0.5, 0.5, 0], {"T": 0.5, "C": 0.5}),
        ([0.25, 0.25, 0.25, 0.25], {}),
        # 2 + 0.7 log2 0.7 + 3 x 0.1 log2 0.1 = 0.643220
        ([0.1, 0.1, 0.1, 0.7], {"A": 0.064322, "T": 0.064322, "C": 0.064322, "G": 0.450254}),
    ],
)
def test_a_logo_s_letters_are_as_high_as_their_bits(column: list[float], expected: dict[str, float]) -> None:
    found = glyphs(logo(np.array([column]), "logo"))
    heights = {letter: (bottom - top) / 26 for letter, _, top, bottom in found}
    assert heights == pytest.approx(expected, abs=0.01)
    if found:
        assert found[0][3] == pytest.approx(52)
    for (_, _, below, _), (_, _, _, above) in zip(found, found[1:], strict=False):
        assert above == pytest.approx(below, abs=0.1)
    assert [letter for letter, *_ in found] == sorted(heights, key=heights.__getitem__)


def test_a_logo_s_columns_stand_in_order_beside_their_scale() -> None:
    found = glyphs(logo(np.eye(4), "logo"))
    assert [letter for letter, *_ in found] == list("ATCG")
    assert np.diff([x for _, x, *_ in found]).tolist() == [13, 13, 13]
    assert texts(logo(np.eye(4), "logo")) == ["2", "0"]


def test_letters_below_0_hang_from_the_line() -> None:
    values = np.array([1, -0.5, 0.25, 0, NAN, 1])
    found = glyphs(letters("acGTAN", values, 0, "letters"))
    assert [letter for letter, *_ in found] == list("ACG")
    assert [x for _, x, *_ in found] == [0, 13, 26]
    np.testing.assert_allclose(
        [(top, bottom) for _, _, top, bottom in found], [(0, 45), (45, 67.5), (33.75, 45)], atol=0.1
    )


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(999, 22, ["1,000", "1,010", "1,020"]), (1_001, 5, ["1,001"]), (0, 10, ["0"])],
)
def test_positions_are_told_where_they_are_round_or_at_the_start(start: int, length: int, expected: list[str]) -> None:
    picture = letters("A" * length, np.ones(length), start, "letters")
    assert texts(picture) == expected
    for label in tree(picture).iter("text"):
        half = len(label.text or "") * 3.5
        assert half <= float(label.attrib["x"]) <= length * 13 - half + 0.5


def test_intervals_are_dots_with_lines_beside_0() -> None:
    rows = [IntervalRow("a", 1, 0.5, 2, True), IntervalRow("b", -1, -2, 0, False), IntervalRow("c", NAN, 0, 1, False)]
    picture = intervals(rows, "effects")
    root = tree(picture)
    label = {str(each.text): float(each.attrib["x"]) for each in root.iter("text")}
    assert list(label) == ["-2", "0", "2", "a", "b", "c"]
    unit = (label["2"] - label["0"]) / 2
    dots = [(dot.attrib["class"], (float(dot.attrib["cx"]) - label["0"]) / unit) for dot in root.iter("circle")]
    assert dots == [("strong", pytest.approx(1, abs=0.01)), ("weak", pytest.approx(-1, abs=0.01))]
    lines = [line for line in root.iter("line") if line.attrib["class"] in ("strong", "weak")]
    ends = [[(float(line.attrib[end]) - label["0"]) / unit for end in ("x1", "x2")] for line in lines]
    np.testing.assert_allclose(ends, [(0.5, 2), (-2, 0)], atol=0.01)
    assert [float(line.attrib["x1"]) for line in root.iter("line") if line.attrib["class"] == "axis"] == [label["0"]]


@pytest.mark.parametrize("size", [1e-17, 1e-4, 1, 1e5])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 0), (-0.3, 2.9), (-7, 7), (0, 0)])
def test_ticks_are_few_evenly_spaced_and_around_all_values(low: float, high: float, size: float) -> None:
    ticks = ticks_over(low * size, high * size)
    assert 2 <= len(ticks) <= 6 and 0 in ticks
    assert ticks[0] <= low * size and high * size <= ticks[-1]
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    assert f"{steps[0]:e}"[0] in "125" and float(f"{steps[0]:.0e}") == pytest.approx(steps[0])


def test_cells_are_coloured_by_sign_and_share_of_the_largest() -> None:
    values = np.array([[2, -1, 0], [-2, NAN, 0.001]])
    found = squares(heat_map(values, ["a", "b"], ["x", "y", "z"], "map"))
    assert found == {"a, x: 2": ("pos", 1.0), "a, y: -1": ("neg", 0.5), "b, x: -2": ("neg", 1.0)}


@pytest.mark.parametrize(
    ("values", "expected"), [(np.zeros((2, 2)), "0"), (np.full((2, 2), NAN), "0"), (np.eye(2), "1")]
)
def test_a_heat_map_tells_what_its_strongest_colours_mean(values: NDArray[np.float64], expected: str) -> None:
    picture = heat_map(values, ["a", "b"], ["x", "y"], "map")
    assert texts(picture)[-2:] == ["-1" if expected == "1" else "0", expected]
    legend = [rect for rect in tree(picture).iter("rect") if rect.find("title") is None]
    colours = [(rect.attrib["class"], float(rect.get("opacity", 0))) for rect in legend[1:]]
    shares = [1, 0.8, 0.6, 0.4, 0.2]
    assert colours == [("neg", share) for share in shares] + [("pos", share) for share in reversed(shares)]


def test_bars_at_the_margins_stand_at_their_cells() -> None:
    top, left = np.array([1, -2, NAN]), np.array([0.5, 0])
    bare, picture = (heat_map(np.ones((2, 3)), ["a", "b"], ["x", "y", "z"], "map", *more) for more in ((), (top, left)))
    bars = [rect for rect in tree(picture).iter("rect") if rect.find("title") is None and "opacity" not in rect.attrib]
    cells = {
        str(rect.findtext("title"))[:4]: rect for rect in tree(picture).iter("rect") if rect.find("title") is not None
    }
    sizes = [[float(bar.attrib[side]) for side in ("width", "height")] for bar in bars[:-1]]
    assert sizes == [[13, 17], [13, 34], [13, 0], [34, 13], [0, 13]]
    assert [bar.attrib["class"] for bar in bars[:2]] == ["pos", "neg"]
    for bar, cell, side in (
        (bars[0], "a, x", "x"),
        (bars[1], "a, y", "x"),
        (bars[3], "a, x", "y"),
        (bars[4], "b, x", "y"),
    ):
        assert bar.attrib[side] == cells[cell].attrib[side]
    assert len(list(tree(bare).iter("rect"))) == len(list(tree(picture).iter("rect"))) - 5


@pytest.mark.parametrize("length", [3, 1000, 5000])
def test_a_track_keeps_the_extreme_of_each_pixel(length: int) -> None:
    values = np.random.default_rng(length).normal(size=length)
    root = tree(track(values, "track"))
    pixels = np.array_split(values, min(length, 1000))
    step, largest = 1000 / len(pixels), np.abs(values).max()
    expected = {}
    for number, pixel in enumerate(pixels):
        size = pixel[np.abs(pixel).argmax()] / largest * 30
        if abs(size) > 0.26:
            expected[round(number * step)] = size
    found = {}
    for bar in root.iter("rect"):
        height = float(bar.attrib["height"])
        positive = bar.attrib["class"] == "pos"
        assert float(bar.attrib["y"]) == pytest.approx(30 - height if positive else 30, abs=0.06)
        if height > 0.26:
            found[round(float(bar.attrib["x"]))] = height if positive else -height
    assert found == pytest.approx(expected, rel=0.01)
    assert f"highest bar: {largest:.2g}" in texts(track(values, "track"))


def test_a_track_marks_an_element_and_leaves_out_what_is_not_known() -> None:
    (mark,) = tree(track(np.full(100, NAN), "track", marked=(25, 50))).iter("rect")
    assert (mark.attrib["x"], mark.attrib["width"]) == ("250", "250")


def test_the_same_values_give_the_same_text() -> None:
    values = np.random.default_rng(0).normal(size=(60, 40))
    names = [f"n{number}" for number in range(60)]
    pictures = [heat_map(values, names, names[:40], "map", values[0], values[:, 0]) for _ in range(2)]
    assert pictures[0] == pictures[1] and len(pictures[0]) < 300_000

"""What the page of a mutagenesis shows."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from speid_cli.dataset.labels import LabelledPair
from speid_cli.explain.mutagenesis import AskedPair, Effects, PairEffects, Window, base_values
from speid_cli.explain.mutagenesis_page import (
    PICTURED_PAIRS,
    STRETCH_BP,
    Page,
    stretch_picture,
    strongest_stretches,
    strongest_substitutions,
)
from speid_cli.genome.intervals import ElementPair, Interval
from tests import builders

PLACES = Interval("chr1", 1100, 1200), Interval("chr2", 40, 60)
STARTS = 1000, -50


def pair_effects(logit: float = 0.5, label: int = 1, line: int = 1, name: str = "p", size: float = 1) -> PairEffects:
    """A pair with random effects at all bases but the first 100 of each window, which are N."""
    rng, windows, changes = np.random.default_rng(line), [], []
    lengths = builders.ENHANCER_WINDOW, builders.PROMOTER_WINDOW
    for side, element, start, length in zip(("enhancer", "promoter"), PLACES, STARTS, lengths, strict=True):
        codes = np.where(np.arange(length) < 100, 4, rng.integers(0, 4, length)).astype(np.uint8)
        change = rng.normal(size=(length, 4), scale=size).astype(np.float32)
        change[np.arange(100, length), codes[100:]] = 0
        change[:100] = np.nan
        windows.append(Window(side, element, start, codes, np.arange(100, length), 9999))
        changes.append(change)
    asked = AskedPair(line, LabelledPair(ElementPair(*PLACES), label, name), 0)
    return PairEffects(asked, (windows[0], windows[1]), Effects(logit, (changes[0], changes[1])))


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def page_of(*pairs: PairEffects, history: list[dict[str, object]] | None = None) -> str:
    page = Page("model", replace(builders.random_checkpoint(), history=history or []), {"model": "0123"})
    for pair in pairs:
        page.add(pair)
    return page.html()


def test_the_strongest_substitutions_are_in_order() -> None:
    pair = pair_effects()
    expected = []
    for window, changes in zip(pair.windows, pair.effects.changes, strict=True):
        for place, base in np.ndindex(changes.shape):
            if place >= 100 and base != window.codes[place]:
                at = window.start + place + 1, "ATCG"[window.codes[place]], "ATCG"[base]
                expected.append((window.side, window.element.chrom, *at, float(changes[place, base])))
    expected.sort(key=lambda row: -abs(row[-1]))
    found = strongest_substitutions(pair)
    assert [tuple(row[:6]) for row in found] == expected[:50]
    logits = np.array([0.5 + row.logit_change for row in found])
    np.testing.assert_allclose([row.probability for row in found], 1 / (1 + np.exp(-logits)), rtol=1e-6)
    assert strongest_substitutions(pair_effects(size=0)) == []


def test_the_strongest_stretches_do_not_overlap() -> None:
    pair = pair_effects()
    window, changes = pair.windows[0], pair.effects.changes[0]
    values = np.nan_to_num(np.abs(base_values(changes)))

    def total(start: int) -> float:
        return float(values[start : start + STRETCH_BP].sum())

    found = list(strongest_stretches(window, changes))
    starts = [stretch.place.start - window.start for stretch in found]
    free = set(range(len(values) - STRETCH_BP + 1))
    for start in starts:
        assert total(start) == pytest.approx(max(map(total, free)))
        free -= set(range(start - STRETCH_BP + 1, start + STRETCH_BP))
    for stretch, start in zip(found, starts, strict=True):
        part = slice(start, start + STRETCH_BP)
        assert stretch.place == Interval("chr1", 1000 + start, 1060 + start)
        assert stretch.sequence == "".join("ATCGN"[code] for code in window.codes[part])
        np.testing.assert_array_equal(stretch.changes, changes[part])
    assert list(strongest_stretches(window, np.full_like(changes, np.nan))) == []


def cells(picture: str) -> dict[tuple[int, int], float]:
    """Shade, with the sign of its colour, of each column and row that has one."""
    found = {}
    for kind, shade, squares in re.findall(r'<path class="(pos|neg)" opacity="([^"]*)" d="([^"]*)"', picture):
        for x, y in re.findall(r"M(\d+) (\d+)h", squares):
            found[(int(x) - 15) // 13, int(y) // 13] = float(shade) * (1 if kind == "pos" else -1)
    return found


def test_the_heat_map_has_the_changes_in_rows_of_letters() -> None:
    pair = pair_effects()
    stretch = next(strongest_stretches(pair.windows[1], pair.effects.changes[1]))
    changes: NDArray[np.float32] = np.nan_to_num(stretch.changes)
    found = cells(stretch_picture(stretch))
    for column, row in np.ndindex(60, 4):
        expected = changes[column, "ATCG".index("ACGT"[row])] / np.abs(changes).max()
        assert found.get((column, row), 0) == pytest.approx(expected, abs=0.051)


def test_the_page_begins_with_how_well_the_model_predicts() -> None:
    history: list[dict[str, object]] = [{"stage": "finetuned", "epoch": 1, "validation_auprc": 0.1}]
    page = words(page_of(pair_effects(), history=history))
    assert (
        "How well the model predicts: The best validation AUPRC in the model's history is 0.100 (finetuned, epoch 1); "
        in page.replace("&#39;", "'")
    )
    assert "where it predicts no better than that, its motifs mean nothing." in page
    assert page.index("How well the model predicts") < page.index("Pairs")
    assert "labelled pairs" not in page


def test_labelled_pairs_tell_how_well_the_model_predicts_them() -> None:
    pairs = [pair_effects(logit, label, line) for line, (logit, label) in enumerate([(3, 1), (2, 0), (1, 1), (0, 0)])]
    assert (
        "On the 4 labelled pairs of this page, of which it may have been trained on some, its AUPRC is 0.833; "
        "the base rate is 0.500." in words(page_of(*pairs))
    )


def test_pictures_are_of_the_first_pairs() -> None:
    pairs = [pair_effects(line=line, name=f"n<{line}>" if line else ".") for line in range(PICTURED_PAIRS + 2)]
    page = page_of(*pairs)
    assert page.count("The line below marks the element") == 2 * PICTURED_PAIRS
    assert f"Pictures follow for the first {PICTURED_PAIRS} pairs; the other files hold all." in page
    assert "<h2>Line 0</h2>" in page
    assert "<h2>Line 1: n&lt;1&gt;</h2>" in page
    assert "n&lt;21&gt;" in page
    assert "n<1" not in page
    assert page == page_of(*pairs)


def test_a_pair_without_any_effect_has_a_page_too() -> None:
    page = page_of(pair_effects(size=0))
    assert "strongest stretch" not in page
    assert "Strongest substitutions" not in page

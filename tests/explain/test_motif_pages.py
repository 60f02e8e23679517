"""The reports of `knockout` and `epistasis`: what is shown of hand-made rows."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import numpy as np

from speid_cli.explain import motif_pages
from speid_cli.explain.motif_pages import epistasis_page, knockout_page, pair_page
from speid_cli.explain.mutagenesis import Effects
from speid_cli.explain.tiles import SITE_COLUMNS, PairMap
from tests.explain.planted import Question
from tests.explain.test_tiles import WINDOWS

NAN = float("nan")
HOSTILE = "<i>\"'&"


def knocked_out(name: str, effect: float, q: float = 0.2, pairs: int = 5, side: str = "enhancer") -> dict[str, Any]:
    figures = dict.fromkeys(("effect_negatives", "effect_per_site", "probability_change", "auprc_change", "auprc_low",
                             "auprc_high", "p_value", "redundancy", "shared_sites"), 0.0)  # fmt: skip
    return figures | {
        "side": side, "motif": f"M-{name}", "name": name, "pairs": pairs, "sites": 7, "effect": effect,
        "low": effect - 1, "high": effect + 1, "q_value": q, "family": None, "left_out": 0,
    }  # fmt: skip


def couple(first: str, second: str, effect: float, q: float = 0.2) -> dict[str, Any]:
    return {
        "enhancer_motif": f"M{first}", "promoter_motif": f"M{second}", "enhancer_name": first, "promoter_name": second,
        "pairs": 3, "effect": effect, "low": effect - 1, "high": effect + 1, "p_value": 0.1, "q_value": q, "family": None,
    }  # fmt: skip


def of(question: Question) -> tuple[Any, ...]:
    return "a<b>&", question.checkpoint, question.dataset, question.subject


def texts(page: str, pattern: str) -> list[str]:
    return [unescape(found) for found in re.findall(pattern, page)]


def test_a_knock_out_shows_rows_with_pairs_and_counts_the_others(question: Question) -> None:
    rows = [knocked_out(HOSTILE, -2.5, 0.001), knocked_out("b", 0.5, side="promoter"), knocked_out("c", NAN, NAN, 0)]
    page = knockout_page(*of(question), rows)
    assert page == knockout_page(*of(question), rows)
    assert "<i>" not in page and "<b>" not in page
    assert texts(page, r'<tr>\n<td class="text">([^\n]*)</td>') == [HOSTILE, "b"]
    assert texts(page, r'text-anchor="end">([^<]*)<') == [f"{HOSTILE}, enhancer", "b, promoter"]
    assert texts(page, r'<circle class="(\w+)"') == ["strong", "weak"]
    assert '<td data-value="-2.5">-2.500<small>-3.500 to -1.500</small></td>' in page
    assert "1 more rows, of motifs without a usable site" in page
    assert question.subject.verdict in page


def test_a_picture_has_the_first_30_rows_and_the_table_all(question: Question) -> None:
    page = knockout_page(*of(question), [knocked_out(f"m{number}", 1.0) for number in range(40)])
    assert page.count("<circle") == 30 and len(texts(page, r'<tr>\n<td class="text">([^\n]*)</td>')) == 40
    assert 'placeholder="Search motifs"' in page and "more rows" not in page


def test_couples_of_one_motif_are_on_the_diagonal(question: Question) -> None:
    rows = [couple("b", "b", 2.0, 0.001), couple("a", "a", -1.0), couple(HOSTILE, "a", 0.5)]
    page = epistasis_page(*of(question), rows)
    assert "<i>" not in page
    cells = {
        unescape(title): (int(x), int(y))
        for x, y, title in re.findall(r'<rect class="\w+" x="(\d+)" y="(\d+)"[^>]*><title>([^<]*)</title>', page)
    }
    assert set(cells) == {"b, b: 2", "a, a: -1", f"{HOSTILE}, a: 0.5"}
    (bx, by), (ax, ay), (_, hostile_y) = cells["b, b: 2"], cells["a, a: -1"], cells[f"{HOSTILE}, a: 0.5"]
    assert (bx - ax, by - ay, ay - hostile_y) == (20, 20, 20)
    assert texts(page, r'<circle class="(\w+)"') == ["strong", "weak", "weak"]
    assert f"{HOSTILE} with a" in unescape(page)


def test_a_map_of_couples_has_the_20_strongest_motifs_of_a_side(question: Question) -> None:
    rows = [couple(f"e{number:02}", "p", number / 10) for number in range(1, 26)]
    page = epistasis_page(*of(question), rows)
    assert len(re.findall(r"<title>e\d\d, p: ", page)) == 20
    assert "<title>e06, p:" in page and "<title>e05, p:" not in page


def pair_map(sites: int = 0) -> PairMap:
    changes = tuple(np.zeros((len(window.codes), 4), np.float32) for window in WINDOWS)
    changes[0][75, 0], changes[0][210, 1] = -3, 6
    place = ("enhancer", "chr7", 1071, 1080, "+", "M1")
    rows = [
        dict(zip(SITE_COLUMNS, (*place, f"site{number}", 9.5, number / 7 - 1), strict=True)) for number in range(sites)
    ]
    epistasis = np.zeros((6, 4))
    epistasis[2, 1], epistasis[4, 3] = -2.0, 1.0
    return PairMap(WINDOWS, Effects(0.5, changes), epistasis, rows)  # type: ignore[arg-type]


def test_tiles_are_named_after_the_site_that_contributes_most() -> None:
    found = pair_map(sites=3)  # effects -1, -6/7 and -5/7, around 1075: in the second tile
    names = motif_pages._tile_names(found, 0)
    assert names == ["1,001", "site0", "", "", "", "1,251"]
    assert motif_pages._tile_names(found, 1) == ["-19", "", "", ""]


def test_a_pair_is_shown_with_its_strongest_tiles_and_sites(question: Question) -> None:
    page = pair_page(*of(question), pair_map(sites=250), 0.625)
    assert page == pair_page(*of(question), pair_map(sites=250), 0.625)
    assert page.count("0.625") == 1 and "<b>" not in page
    tiles, sites = page.split('aria-label="Search sites"')
    assert '<td class="text">chr7:1101-1150</td>\n<td class="text">chr7:31-80</td>\n<td data-value="-2.0">' in tiles
    assert tiles.count('<td class="text">chr7:') == 2 * 24
    shown = texts(sites, r'<tr>\n<td class="text">([^\n]*)</td>')
    assert len(shown) == 200 and shown[0] == "site249"
    assert "Sites of motifs" not in pair_page(*of(question), pair_map(), 0.5)

"""The map of one pair: tiles against the formula on logits computed afresh, sites against the windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from speid_cli.explain import tiles
from speid_cli.explain.mutagenesis import Effects, Window, base_values
from speid_cli.explain.scan import BITS
from speid_cli.explain.tiles import (
    SITE_COLUMNS,
    TILE_BP,
    TILE_COLUMNS,
    PairMap,
    find_sites,
    map_pair,
    mutants_of,
    tile_epistasis,
    tile_starts,
)
from speid_cli.genome.intervals import Interval
from speid_cli.genome.onehot import encode
from speid_cli.model.device import Device
from speid_cli.scoring.perturbed import PerturbedScorer
from tests import builders
from tests.explain.planted import MOTIFS, P_VALUE, WORDS, nothing
from tests.scoring.test_perturbed import in_float64


def window(side: str, start: int, length: int, seed: int) -> Window:
    """A window with a run of N and the first word at 70, that word's reverse complement at 101."""
    codes = np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)
    codes[:8] = 4
    codes[70:79], codes[101:110] = encode(WORDS[0].encode()), encode(b"CCTGAGTCA")
    return Window(side, Interval("chr7", start + 60, start + 90), start, codes, np.flatnonzero(codes < 4), 9999)


WINDOWS = window("enhancer", 1000, 300, 0), window("promoter", -20, 200, 1)


def test_epistasis_of_tiles_is_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    model = builders.random_checkpoint().model()
    scorer, shuffled, told = PerturbedScorer(model, Device("cpu")), [], list[int]()
    codes = WINDOWS[0].codes, WINDOWS[1].codes
    scorer.hold(*(side[None] for side in codes))
    whole = tiles._shuffled_tiles
    monkeypatch.setattr(tiles, "_shuffled_tiles", lambda *given: shuffled.append(whole(*given)) or shuffled[-1])
    found = tile_epistasis(scorer, *codes, 2, np.random.default_rng(0), told.append)
    assert found.shape == (6, 4) and told == [24, 24]
    for side, mine in zip((0, 1), (shuffled[::2], shuffled[1::2]), strict=True):
        for each in mine:
            for number, row in enumerate(each):
                (changed,) = np.nonzero(row != codes[side])
                assert set(changed // TILE_BP) <= {number}
                assert sorted(row) == sorted(codes[side])
        assert (mine[0] != mine[1]).any()
    for place in np.ndindex(6, 4):
        values = []
        for first, second in zip(shuffled[::2], shuffled[1::2], strict=True):
            a, b = first[place[0]], second[place[1]]
            each = [(codes[0], codes[1]), (a, codes[1]), (codes[0], b), (a, b)]
            wild, without_a, without_b, neither = in_float64(
                model, *(np.stack(side) for side in zip(*each, strict=True))
            )
            values.append(wild - without_a - without_b + neither)
        assert found[place] == pytest.approx(sum(values) / 2, abs=2e-5)


def test_tiles_begin_every_50_bp() -> None:
    assert tile_starts(101).tolist() == [0, 50, 100]
    assert tile_starts(100).tolist() == [0, 50]


def test_sites_of_both_strands_with_the_sum_of_their_bases() -> None:
    values = np.arange(200, dtype=np.float32)
    values[75] = np.nan
    rows = list(find_sites(WINDOWS[1], values, MOTIFS, P_VALUE))
    assert [list(row) for row in rows] == [list(SITE_COLUMNS)] * 2
    assert [list(row.values())[:7] for row in rows] == [
        ["promoter", "chr7", start - 20, start - 11, strand, "MA0", "MA0"] for start, strand in ((70, "+"), (101, "-"))
    ]
    assert [row["effect"] for row in rows] == [sum(range(70, 79)) - 75, sum(range(101, 110))]
    assert all(14 < row["bits"] < 20 for row in rows) and BITS == 1000


def hand_made() -> PairMap:
    """A map of 2 by 1 tiles whose bases contribute hand-made values."""
    windows = tuple(each._replace(codes=each.codes[:length]) for each, length in zip(WINDOWS, (80, 50), strict=True))
    changes = [np.zeros((length, 4), np.float32) for length in (80, 50)]
    changes[0][[3, 52, 79], [0, 1, 2]] = -3, 6, 3
    changes[0][:2] = np.nan
    return PairMap(windows, Effects(0.5, tuple(changes)), np.array([[0.25], [-2.0]]), [])  # type: ignore[arg-type]


def test_rows_begin_with_the_strongest_epistasis() -> None:
    rows = list(hand_made().rows())
    assert [list(row) for row in rows] == [list(TILE_COLUMNS)] * 2
    assert [tuple(row.values()) for row in rows] == [
        ("chr7", 1050, 1080, "chr7", 0, 30, -2.0), ("chr7", 1000, 1050, "chr7", 0, 30, 0.25),
    ]  # fmt: skip
    made = hand_made()
    beside = made.windows[0]._replace(start=-55, contig_length=9)
    rows = list(replace(made, windows=(beside, made.windows[1])).rows())
    assert [tuple(row.values())[:3] for row in rows] == [("chr7", 0, 9)]  # the first tile lies before the contig


def test_a_tile_is_as_strong_as_its_bases_together() -> None:
    found = hand_made()
    assert found.tiles(0) == [(1000, 1050), (1050, 1080)] and found.tiles(1) == [(-20, 30)]
    np.testing.assert_allclose(found.strengths(0), [1, -3])
    assert found.strengths(1).tolist() == [0]


def test_a_pair_is_asked_everything_once() -> None:
    told, scorer = list[int](), PerturbedScorer(builders.random_checkpoint().model(), Device("cpu"))
    found = map_pair(scorer, WINDOWS, MOTIFS, P_VALUE, 2, 5, told.append)
    assert sum(told) == mutants_of(WINDOWS, 2) == 3 * (292 + 192) + 2 * 6 * 4
    again = map_pair(scorer, WINDOWS, MOTIFS, P_VALUE, 2, 5, nothing)
    np.testing.assert_array_equal(found.epistasis, again.epistasis)
    other = map_pair(scorer, WINDOWS, [], P_VALUE, 2, 6, nothing)
    assert (found.epistasis != other.epistasis).any() and other.sites == []
    assert [(site["side"], site["strand"]) for site in found.sites] == [
        (side, strand) for side in ("enhancer", "promoter") for strand in "+-"
    ]
    contribution = base_values(found.effects.changes[0])[70:79].sum()
    assert found.sites[0]["effect"] == pytest.approx(contribution, abs=1e-6)

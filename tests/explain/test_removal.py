"""Sites and their controls replaced, base by base."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from speid_cli.explain.occurrences import Occurrences
from speid_cli.explain.pairs import Elements
from speid_cli.explain.removal import CONTROLS, SITES, Removed, remove
from speid_cli.explain.sites import Stretches
from speid_cli.genome.onehot import encode
from tests import builders
from tests.explain.planted import DRAWS, MOTIFS, P_VALUE, WORDS, windows

Codes = NDArray[np.uint8]


def occurrences(codes: Codes) -> Occurrences:
    return Occurrences.find(0, Elements(codes, np.arange(len(codes))), MOTIFS, P_VALUE)


def removed_of(codes: Codes, motif: int = 0) -> Removed:
    return remove(occurrences(codes), motif, DRAWS, np.random.default_rng(5))


def places(stretches: Stretches) -> list[tuple[int, int, int]]:
    return list(zip(*(part.tolist() for part in (stretches.element, stretches.start, stretches.length)), strict=True))


def sites_of(codes: Codes, motif: int = 0) -> list[tuple[int, int]]:
    hits = occurrences(codes).hits[motif]
    return list(zip(hits.sequence.tolist(), hits.position.tolist(), strict=True))


def test_no_site_is_left_in_the_replaced_elements_and_controls_leave_all_sites() -> None:
    codes = windows(300, 1)
    removed = removed_of(codes)
    assert (removed.element.tolist(), removed.left_out, removed.draws) == ([0, 1, 2, 3, 4], 0, DRAWS)
    wild = codes[removed.element]
    found = removed.all_at_once(wild)
    for draw in range(DRAWS):
        assert sites_of(found[SITES, draw]) == []
        assert sites_of(found[CONTROLS, draw]) == sites_of(wild)
    assert len({found[kind, draw].tobytes() for kind, draw in np.ndindex(2, DRAWS)}) == 2 * DRAWS
    assert removed.sites.tolist() == [1, 1, 1, 1, 2, 1]
    again = removed_of(codes).all_at_once(wild)
    np.testing.assert_array_equal(found, again)


def test_all_at_once_and_one_at_a_time_are_those_of_a_plain_loop() -> None:
    codes = windows(300, 1)
    removed = removed_of(codes)
    wild, which = codes[removed.element], np.array([2, 3, 5])
    together, single = removed.all_at_once(wild), removed.one_at_a_time(wild, which)
    for kind, draw in np.ndindex(2, DRAWS):
        expected, bases = wild.copy(), iter(removed.bases[kind][draw].tolist())
        apart = {}
        for number, (element, start, length) in enumerate(places(removed.places[kind][draw])):
            apart[number] = wild[element].copy()
            for position in range(start, start + length):
                expected[element, position] = apart[number][position] = next(bases)
        np.testing.assert_array_equal(together[kind, draw], expected)
        np.testing.assert_array_equal(single[kind, draw], [apart[number] for number in which.tolist()])
        assert next(bases, None) is None


def test_elements_without_a_control_are_left_out_and_counted() -> None:
    codes = windows(300, 1)
    codes[1, :80] = codes[1, 120:] = 4  # nothing but the stretch is known
    removed = removed_of(codes)
    assert (removed.element.tolist(), removed.left_out) == ([0, 2, 3, 4], 1)
    assert places(removed.stretches) == [(0, 45, 40), (1, 5, 40), (1, 115, 40), (2, 75, 54), (3, 0, 40)]
    assert [len(bases) for bases in removed.bases[CONTROLS]] == [214] * DRAWS


def test_an_element_of_which_one_site_cannot_be_replaced_is_left_out() -> None:
    codes = windows(300, 1)
    codes[:, 199:270] = [2, *np.tile([0, 0, 0, 1], 18)[:70]]  # for controls
    codes[2, 4:46] = [2, *[0] * 40, 2]  # as long as a stretch, and its own only shuffle
    runs = builders.consensus_motif("run", "A" * 40, 200)
    side = Occurrences.find(0, Elements(codes, np.arange(len(codes))), [runs], 1e-20)
    assert places(side.stretches(0)[0]) == [(2, 5, 40)]
    removed = remove(side, 0, DRAWS, np.random.default_rng(0))
    assert (removed.element.tolist(), removed.left_out, len(removed.stretches)) == ([], 1, 0)
    assert removed.all_at_once(codes[removed.element]).shape == (2, DRAWS, 0, 300)


@pytest.mark.parametrize(("crowded", "kept"), [(1, [1, 2, 3]), (2, [2, 3]), (3, [0, 1, 2, 3])])
def test_elements_with_another_motif_beside_are_left_out_where_half_are_alone(crowded: int, kept: list[int]) -> None:
    codes = np.random.default_rng(3).integers(0, 4, (4, 300), dtype=np.uint8)
    codes[:, 100:109] = encode(WORDS[0].encode())
    codes[:crowded, 112:121] = encode(WORDS[1].encode())
    removed = removed_of(codes)
    assert (removed.element.tolist(), removed.left_out) == (kept, 4 - len(kept))


def test_a_motif_without_sites() -> None:
    codes = np.zeros((3, 300), np.uint8)
    removed = removed_of(codes)
    assert (len(removed.element), len(removed.stretches), removed.left_out, removed.draws) == (0, 0, 0, DRAWS)

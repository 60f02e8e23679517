"""Stretches around sites, their controls and their replacement: each rule beside the sequence itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speid_cli.explain import sites
from speid_cli.explain.scan import Hits, Scanner
from speid_cli.explain.sites import Stretches, distance_bin, matched_controls, replaced, stretches_around
from speid_cli.genome.motif_files import Motif
from speid_cli.genome.onehot import encode

UNIFORM = np.full(4, 0.25)
SEEDS = st.integers(0, 10_000)


def motif_of(sequence: bytes) -> Motif:
    return Motif("m", "m", np.eye(4)[encode(sequence)] * 20, "here")


def search(codes: np.ndarray, motif: Motif, p_value: float) -> tuple[Scanner, Hits]:
    """A scanner that knows another motif too, and the hits of this one."""
    scanner = Scanner([motif_of(b"GGGGG"), motif], UNIFORM, p_value)
    return scanner, list(scanner.scan(codes))[1]


def elements(seed: int, window: int = 400) -> np.ndarray:
    """Sequences with runs of N."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (4, window)).astype(np.uint8)
    for row in codes[:2]:
        start = int(rng.integers(window))
        row[start : start + int(rng.integers(60))] = 4
    return codes


def spans(stretches: Stretches) -> list[tuple[int, int, int]]:
    columns = (stretches.element, stretches.start, stretches.start + stretches.length)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def apart(places: list[tuple[int, int, int]]) -> bool:
    """Whether none of these (element, start, end) overlap."""
    return all(
        first[0] != second[0] or first[2] <= second[1] or second[2] <= first[1]
        for number, first in enumerate(places)
        for second in places[:number]
    )


@given(SEEDS, st.sampled_from([b"ACGT", b"ACGGT", b"AAAAA", b"ACGTACCATGATACCAGATTACAGATTACAGATTACAGATTACAGATTACA"]))
def test_every_site_is_in_one_stretch_around_it(seed: int, word: bytes) -> None:
    codes = elements(seed)
    codes[2, 30 : 30 + len(word)] = codes[3, -len(word) :] = encode(word)
    _, hits = search(codes, motif_of(word), 0.004)
    stretches, counts = stretches_around(hits, len(word), 400)
    places = spans(stretches)
    assert places == sorted(places)
    assert apart(places)
    found: Counter[tuple[int, int, int]] = Counter()
    for sequence, position in set(zip(hits.sequence.tolist(), hits.position.tolist(), strict=True)):
        start = min(max(position - (max(40, len(word)) - len(word)) // 2, 0), 400 - max(40, len(word)))
        (place,) = [
            (element, first, end)
            for element, first, end in places
            if element == sequence and first <= start and start + max(40, len(word)) <= end
        ]
        found[place] += 1
    assert [found[place] for place in places] == counts.tolist()
    assert places[-1][0] == 3
    assert all(start >= 0 and end <= 400 and end - start >= max(40, len(word)) for _, start, end in places)


def test_a_site_alone_is_in_the_middle_of_40_bp_and_neighbours_are_joined() -> None:
    sequence, position = np.array([0, 0, 1, 1, 1, 2, 2]), np.array([100, 100, 3, 50, 70, 60, 100])
    hits = Hits(sequence, position, np.ones(7, np.int8), np.zeros(7, np.int64))
    stretches, counts = stretches_around(hits, 10, 200)
    assert spans(stretches) == [(0, 85, 125), (1, 0, 95), (2, 45, 85), (2, 85, 125)]
    assert counts.tolist() == [1, 3, 1, 1]


def test_windows_shorter_than_a_stretch_are_one_stretch() -> None:
    hits = Hits(np.array([0]), np.array([7]), np.ones(1, np.int8), np.zeros(1, np.int64))
    assert spans(stretches_around(hits, 10, 30)[0]) == [(0, 0, 30)]


@pytest.mark.parametrize(("start", "expected"), [(980, 0), (1229, 0), (1230, 1), (730, 1), (0, 3), (1960, 3)])
def test_bins_of_distance(start: int, expected: int) -> None:
    assert distance_bin(np.array([start]), np.array([40]), 2000).tolist() == [expected]


def allowed_controls(codes: np.ndarray, stretches: Stretches, hits: Hits, length: int, number: int) -> dict[int, int]:
    """Every place where the control of a stretch may be, with its bin of distance, by the words of the rule."""
    (element, start, end), window = spans(stretches)[number], codes.shape[1]
    row, size = codes[element].tolist(), end - start
    places = zip(hits.sequence.tolist(), hits.position.tolist(), strict=True)
    closed = [span for span in spans(stretches) if span[0] == element]
    closed += [(element, position, position + length) for sequence, position in places if sequence == element]
    gc = sum(base in (2, 3) for base in row[start:end])
    found = {}
    for place in range(window - size + 1):
        other = row[place : place + size]
        alike = abs(sum(base in (2, 3) for base in other) - gc) * 10 <= size
        if alike and 4 not in other and all(last <= place or place + size <= first for _, first, last in closed):
            found[place] = int(abs(place + size / 2 - window / 2) // 250)
    return found


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=20)
def test_controls_keep_every_rule(seed: int, elements_at_a_time: int) -> None:
    codes = elements(seed, 800)
    _, hits = search(codes, motif_of(b"ACGT"), 0.004)
    stretches, _ = stretches_around(hits, 4, 800)
    others = np.random.default_rng(seed).random(codes.shape) < 0.02
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites, "_CHUNK", 800 * elements_at_a_time)
        starts = matched_controls(codes, stretches, others, np.random.default_rng(seed))
    found = starts >= 0
    assert apart(spans(Stretches(stretches.element, starts, stretches.length).take(found)))
    own, own_others = distance_bin(stretches.start, stretches.length, 800), stretches.sums(others)
    for number in range(len(stretches)):
        allowed = allowed_controls(codes, stretches, hits, 4, number)
        # Places taken by controls drawn before are not allowed, and those drawn later took none that mattered.
        before = found & (stretches.element == stretches.element[number]) & (np.arange(len(found)) < number)
        earlier = Stretches(stretches.element, starts, stretches.length).take(before)
        size, element = int(stretches.length[number]), int(stretches.element[number])
        left = [place for place in allowed if apart([*spans(earlier), (element, place, place + size)])]

        unlike = {
            place: (abs(int(others[element, place : place + size].sum()) - own_others[number]), abs(bins - own[number]))
            for place, bins in allowed.items()
        }
        if found[number]:
            assert starts[number] in left
            assert unlike[int(starts[number])] == min(unlike[place] for place in left)
        else:
            assert not left


def test_controls_are_drawn_uniformly_from_the_bin_of_their_stretch() -> None:
    codes = np.tile(np.random.default_rng(1).integers(0, 4, 700).astype(np.uint8), (3000, 1))
    stretches = Stretches(np.arange(3000), np.full(3000, 330), np.full(3000, 40))
    none = Hits(*(np.empty(0, kind) for kind in (np.int64, np.int64, np.int8, np.int64)))
    one = Stretches(*(part[:1] for part in (stretches.element, stretches.start, stretches.length)))
    places = [place for place, away in allowed_controls(codes[:1], one, none, 1, 0).items() if away == 0]
    drawn = Counter(matched_controls(codes, stretches, np.zeros_like(codes), np.random.default_rng(0)).tolist())
    assert drawn.keys() == set(places)
    expected = 3000 / len(places)
    statistic = sum((count - expected) ** 2 / expected for count in drawn.values())
    assert abs(statistic - (len(places) - 1)) < 3 * np.sqrt(2 * (len(places) - 1))


def test_the_nearest_bin_where_its_own_is_full_and_none_without_a_place() -> None:
    codes = np.zeros((2, 1200), np.uint8)
    codes[0, 350:850] = 4  # all of the first bin but the stretch
    codes[0, 580:620] = 0
    codes[1, :] = encode(b"G")
    codes[1, 580:620] = 0
    stretches = Stretches(np.array([0, 1]), np.array([580, 580]), np.array([40, 40]))
    near, none = matched_controls(codes, stretches, np.zeros_like(codes), np.random.default_rng(0)).tolist()
    assert distance_bin(np.array([near]), np.array([40]), 1200)[0] == 1
    assert none == -1


def dinucleotides(sequence: np.ndarray) -> Counter[tuple[int, ...]]:
    return Counter(zip(sequence[:-1].tolist(), sequence[1:].tolist(), strict=True))


@given(SEEDS, st.sampled_from([b"ACGGT", b"AAAAA", b"CACACA"]))
def test_replaced_stretches_have_no_site_and_all_else_stays(seed: int, word: bytes) -> None:
    codes = elements(seed)
    codes[3, 100:140] = 0  # a shuffle of one base is that base
    scanner, hits = search(codes, motif_of(word), 0.004)
    stretches, _ = stretches_around(hits, len(word), 400)
    before = codes.copy()
    result, done = replaced(codes, stretches, scanner, 1, np.random.default_rng(seed))
    np.testing.assert_array_equal(codes, before)
    after = list(scanner.scan(result))[1]
    places = list(zip(after.sequence.tolist(), after.position.tolist(), strict=True))
    outside = np.ones(codes.shape, bool)
    for (element, start, end), shuffled in zip(spans(stretches), done.tolist(), strict=True):
        outside[element, start:end] = False
        new, old = result[element, start:end], codes[element, start:end]
        assert dinucleotides(new) == dinucleotides(old)
        if shuffled:
            assert not any(e == element and p < end and p + len(word) > start for e, p in places)
        else:
            np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(result[outside], codes[outside])
    assert word == b"AAAAA" or done.all()


def test_a_stretch_stays_after_50_shuffles_with_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.concatenate([encode(b"CCAAAAAAAAGG"), encode(b"C" * 8), encode(b"CACCCCCCCCCCACACAC")])[None]
    shuffles = []
    monkeypatch.setattr(sites, "dinucleotide_shuffle", lambda codes, generator: shuffles.append(codes) or codes)
    scanner, _ = search(codes, motif_of(b"AAAAA"), 0.004)
    stretches = Stretches(np.array([0, 0]), np.array([0, 20]), np.array([12, 18]))
    result, done = replaced(codes, stretches, scanner, 1, np.random.default_rng(0))
    assert done.tolist() == [False, True]
    np.testing.assert_array_equal(result, codes)
    assert len(shuffles) == 50 + 1


def test_a_neighbour_in_which_a_stretch_that_stays_makes_a_site_stays_too(monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = encode(b"CCCCCCCCCA"), encode(b"GGTACGGTCC")
    shuffled = {left.tobytes(): encode(b"CCCCCCCCAC"), right.tobytes(): encode(b"TCACGGTCGC")}

    def known_shuffle(codes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return np.stack([shuffled[row.tobytes()] for row in codes])

    monkeypatch.setattr(sites, "dinucleotide_shuffle", known_shuffle)
    codes = np.concatenate([left, right])[None]
    scanner, _ = search(codes, motif_of(b"ACGGT"), 0.004)
    stretches = Stretches(np.array([0, 0]), np.array([0, 10]), np.array([10, 10]))
    result, done = replaced(codes, stretches, scanner, 1, np.random.default_rng(0))
    assert done.tolist() == [False, False]
    np.testing.assert_array_equal(result, codes)
    assert replaced(codes, stretches.take(np.array([0])), scanner, 1, np.random.default_rng(0))[1].tolist() == [False]


def test_no_sites_nothing_to_do() -> None:
    codes = encode(b"C" * 100)[None]
    scanner, hits = search(codes, motif_of(b"ACGGT"), 0.004)
    stretches, counts = stretches_around(hits, 5, 100)
    assert (len(stretches), counts.tolist()) == (0, [])
    assert matched_controls(codes, stretches, np.zeros_like(codes), np.random.default_rng(0)).tolist() == []
    result, done = replaced(codes, stretches, scanner, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(result, codes)
    assert len(done) == 0

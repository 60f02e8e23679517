"""The sites of motifs in the elements of a side, beside where they were planted."""

from __future__ import annotations

import numpy as np

from speid_cli.explain.occurrences import Occurrences
from speid_cli.explain.pairs import Elements
from speid_cli.genome.onehot import encode
from tests import builders
from tests.explain.planted import MOTIFS, PLACES, WORDS, Question


def test_sites_are_where_they_were_planted(question: Question) -> None:
    for side in question.sides:
        for motif, hits in enumerate(side.hits):
            places = sorted((element, start) for element, word, start in PLACES if word == motif)
            assert list(zip(hits.sequence.tolist(), hits.position.tolist(), strict=True)) == places
            element, position = side.bases(motif)
            assert element.tolist() == [[row] * 9 for row, _ in places]
            assert position.tolist() == [list(range(start, start + 9)) for _, start in places]
            stretches, sites = side.stretches(motif)
            assert sites.sum() == len(places)
            assert (len(stretches), stretches.length.max()) == ((6, 54) if motif == 0 else (len(places), 40))


def test_centres_count_the_sites_of_all_motifs(question: Question) -> None:
    expected = np.zeros((10, 300), int)
    for element, _, start in PLACES:
        expected[element, start + 4] += 1
    np.testing.assert_array_equal(question.sides[0].centres, expected)


def test_other_sites_leave_out_what_is_inside_a_site_of_the_motif() -> None:
    """A longer motif around the first, and one beside it."""
    codes = np.random.default_rng(0).integers(0, 4, (2, 100), dtype=np.uint8)
    codes[0, 20:40] = encode(b"AATGACTCAGGCCATTGTTC")
    motifs = [MOTIFS[0], MOTIFS[1], builders.consensus_motif("long", "AA" + WORDS[0], 200)]
    side = Occurrences.find(0, Elements(codes, np.array([0])), motifs, 1e-5)
    assert [hits.position.tolist() for hits in side.hits] == [[22], [31], [20]]
    assert side.centres[0].nonzero()[0].tolist() == [25, 26, 35]
    assert side.other_sites(0)[0].nonzero()[0].tolist() == [35]
    assert side.other_sites(1)[0].nonzero()[0].tolist() == [25, 26]
    assert side.centres.sum() == 3, "unchanged"


def test_pairs_with_a_site(question: Question) -> None:
    for number, side in enumerate(question.sides):
        index = question.dataset.sides[number][2]
        for motif in range(len(MOTIFS)):
            elements = {element for element, word, _ in PLACES if word == motif}
            assert side.has_site(motif).tolist() == [element in elements for element in index.tolist()]

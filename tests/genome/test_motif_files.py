"""Motif files as they come: read right, or refused with the line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from speid_cli.errors import DataError, OptionError
from speid_cli.genome import motif_files
from speid_cli.genome.motif_files import Motif, read_jaspar_release, read_motifs
from tests import builders

COUNTS = {"A": [1, 2, 3], "C": [4, 5, 6], "G": [7, 8, 9], "T": [10, 11, 12]}
MATRIX = np.array([[1, 10, 4, 7], [2, 11, 5, 8], [3, 12, 6, 9]])  # columns A, T, C, G


def rows(order: str, style: str) -> str:
    def row(letter: str) -> str:
        counts = " ".join(map(str, COUNTS[letter.upper().replace("U", "T")]))
        return {"brackets": f"{letter}  [ {counts} ]", "labels": f"{letter} {counts}", "bare": counts}[style]

    return "\n".join(map(row, order))


@pytest.mark.parametrize(
    "text",
    [
        f">MA1 name\n{rows('ACGT', 'brackets')}\n",
        f">MA1 name\n{rows('ACGT', 'brackets')}",
        f">MA1\tname\n{rows('TGCA', 'brackets')}\n",
        f">MA1 name\n{rows('GATC', 'labels')}\n",
        f">MA1 name\n{rows('ACGU', 'brackets')}\n",
        f">MA1 name\n{rows('acgt', 'brackets')}\n",
        f"# exported\n\n> MA1 name\n{rows('ACGT', 'bare')}\n\n",
    ],
)
def test_jaspar_and_pfm_by_letter(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.jaspar"
    path.write_text(text)
    (motif,) = read_motifs(str(path))
    assert (motif.identifier, motif.name, motif.source) == ("MA1", "name", str(path))
    np.testing.assert_array_equal(motif.matrix, MATRIX)


def test_a_bare_pfm_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "MA0139.1.pfm"
    path.write_text(rows("ACGT", "bare"))
    (motif,) = read_motifs(str(path))
    assert (motif.identifier, motif.name) == ("MA0139", "MA0139")
    np.testing.assert_array_equal(motif.matrix, MATRIX)


MEME = """MEME version 4

{alphabet}
strands: + -

{background}
MOTIF MA1 name

letter-probability matrix: nsites= 20 w= {w} E= 0
 0.1 0.2 0.3 0.4
 0.25\t0.25 0.25 0.25
{third}
URL http
MOTIF MA2
letter-probability matrix:
 1 0 0 0
 0.5 0.5 0.004 0
"""


@pytest.mark.parametrize("alphabet", ["ALPHABET= ACGT", "ALPHABET= ACGU", "", "ALPHABET= TGCA"])
@pytest.mark.parametrize("background", ["", "Background letter frequencies\nA 0.3 C 0.2 G 0.2 T 0.3\n"])
@pytest.mark.parametrize("final_newline", [True, False])
def test_meme_as_it_comes(tmp_path: Path, alphabet: str, background: str, final_newline: bool) -> None:
    text = MEME.format(alphabet=alphabet, background=background, w=3, third=" 0 0 1 0\n")
    path = tmp_path / "m.meme"
    path.write_text(text if final_newline else text.rstrip("\n"))
    first, second = read_motifs(str(path))
    assert (first.identifier, first.name, second.identifier, second.name) == ("MA1", "name", "MA2", "MA2")
    a, c, g, t = (0.4, 0.3, 0.2, 0.1) if "TGCA" in alphabet else (0.1, 0.2, 0.3, 0.4)
    np.testing.assert_allclose(first.ppm()[0], [a, t, c, g])
    np.testing.assert_allclose(first.matrix.sum(axis=1), 20)
    np.testing.assert_allclose(second.ppm().sum(axis=1), 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"w": 4}, ":9: a matrix of 3 rows that states w= 4; expected as many rows"),
        ({"w": "3 nsites= nan"}, ":9: nsites= nan; expected a number of sites"),
        ({"w": "x"}, ":9: 'letter-probability matrix: .* expected numbers after w= and nsites="),
        ({"third": " 0 0 0.5 0.3"}, ":12: probabilities that add up to 0.8; expected 1"),
        ({"third": " 0 0 1"}, ":12: '0 0 1'; expected four probabilities"),
        ({"third": " 0 0 2 -1"}, ":12: '0 0 2 -1'; expected four probabilities"),
        (
            {"third": " 0 0 1 0\n\n 0 0 1 0"},
            ":14: ' 0 0 1 0' after the end of the matrix; expected one matrix per motif",
        ),
        ({"third": " 0 0 x 1"}, ":12: '0 0 x 1'; expected four probabilities"),
        ({"alphabet": "ALPHABET= ACDEFGHIKLMNPQRSTVWY"}, ":3: .* expected ALPHABET= ACGT or ACGU"),
        ({"third": " 0 0 1 0\nMOTIF"}, ":13: MOTIF without an identifier"),
        ({"third": " 0 0 1 0\nMOTIF x"}, ":13: motif x has no letter-probability matrix"),
        ({"third": " 0 0 1 0\nMOTIF " + "x" * 9999}, ":13: motif x{60} has no letter-probability matrix"),
        ({"third": " 0 0 nan 1"}, ":12: '0 0 nan 1'; expected four probabilities"),
        ({"third": " 0 0 1e999 0"}, ":12: '0 0 1e999 0'; expected four probabilities"),
        ({"third": " 0 0 0_1 0"}, ":12: '0 0 0_1 0'; expected four probabilities"),
        ({"third": " 0 0 1e- 0"}, ":12: '0 0 1e- 0'; expected four probabilities"),
        ({"third": " \u0660 0 1 0"}, ":12: '\u0660 0 1 0'; expected four probabilities"),
        ({"third": " 0" * 300_000}, ":12: '0 0 .*'; expected four probabilities"),
        ({"w": "3 nsites= 1e999"}, ":9: nsites= inf; expected a number of sites"),
        ({"w": "3 nsites= 1e-323"}, ":9: motif MA1 has a position that is empty, negative or not a number"),
        ({"w": "9" * 5000}, ":9: 'letter-probability matrix: .*9'; expected numbers after w= and nsites="),
        ({"alphabet": "ALPHABET= " + "A" * 9999}, ":3: 'ALPHABET= A{50}'; expected ALPHABET= ACGT or ACGU"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_meme_that_is_wrong_is_refused_by_line(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    path = tmp_path / "m.meme"
    path.write_text(MEME.format(**{"alphabet": "", "background": "", "w": 3, "third": " 0 0 1 0"} | fields))
    with pytest.raises(DataError, match=f"^{path}{message}"):
        read_motifs(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": no motif; expected a JASPAR, PFM or minimal-MEME file"),
        (">MA1\n1 2\n3 4\n5 6\n", ":1: a matrix of 3 rows; expected four"),
        (">MA1\n1 2\n3 4\n5 6\n7 8\n9 9\n", ":6: a matrix of 5 rows; expected four"),
        (">MA1\nA 1\nC 2\nG 3\nG 4\n", ":2: rows are headed A C G G; expected A, C, G, T"),
        (">MA1\nA 1\nC 2\nG 3\n4\n", ":2: rows are headed A C G -; expected A, C, G, T"),
        (">MA1\nA 1\nC x y\nG 3\nT 4\n", ":3: 'C x y'; expected a row of counts"),
        (">MA1\nA 1 2\nC 2\nG 3\nT 4\n", ":2: rows of different lengths; expected four rows of equally many numbers"),
        (">MA1\nA 1-2\nC 2\nG 3\nT 4\n", ":2: 'A 1-2'; expected a row of counts"),
        (">MA1\nA -1\nC 2\nG 3\nT 4\n", ":2: motif MA1 has a position that is empty, negative or not a number"),
        (">MA1\nA 0\nC 0\nG 0\nT 0\n", ":2: motif MA1 has a position that is empty, negative or not a number"),
        (">MA1\nA []\nC []\nG []\nT []\n", ":2: motif MA1 has a position that is empty, negative or not a number"),
        (">MA1\nA nan\nC 2\nG 3\nT 4\n", ":2: 'A nan'; expected a row of counts"),
        (
            ">MA1\nA 1e308\nC 1e308\nG 1e308\nT 4\n",
            ":2: motif MA1 has a position that is empty, negative or not a number",
        ),
        (">MA1\nA " + " " * 5000 + "x\nC 2\nG 3\nT 4\n", ":2: 'A  .*'; expected a row of counts"),
        (">MA1\nA 1e999\nC 2\nG 3\nT 4\n", ":2: motif MA1 has a position that is empty, negative or not a number"),
        (">MA1\nA 1e999\nC -1e999\nG 3\nT 4\n", ":2: motif MA1 has a position that is empty, negative or not a number"),
        (">MA1\nA inf\nC 2\nG 3\nT 4\n", ":2: 'A inf'; expected a row of counts"),
        (">MA1\nA \u0663\nC 2\nG 3\nT 4\n", ":2: 'A \u0663'; expected a row of counts"),
        (">MA1\nA 1_0\nC 2\nG 3\nT 4\n", ":2: 'A 1_0'; expected a row of counts"),
        (">MA1\nA " + "1" * 9999 + "-\nC 2\nG 3\nT 4\n", ":2: 'A 1{38}'; expected a row of counts"),
        (">MA1\nA" + " 1" * 10_001 + "\n", ":1: a matrix of 1 row; expected four"),
        (">" + "x" * 9999 + "\nA 0\nC 0\nG 0\nT 0\n", ":2: motif x{60} has a position that is empty"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_matrices_that_are_wrong_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.pfm"
    path.write_text(text)
    with pytest.raises(DataError, match=f"^{path}{message}"):
        read_motifs(str(path))


def test_a_file_as_long_as_a_genome_is_refused_by_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motif_files, "MOST_CHARACTERS", 45)
    builders.write_gzip(folder / "m.pfm", f">MA1\n{rows('ACGT', 'bare')}\n" * 9)
    with pytest.raises(DataError, match=r"m.pfm:8: too long for a file of motifs; expected at most 45 characters"):
        read_motifs("m.pfm")


@pytest.mark.parametrize(
    ("name", "head", "identifier"), [(".pfm", "", ".pfm"), ("x.pfm", ">\n", "x"), ("x.pfm", "> \t\n", "x")]
)
def test_a_motif_always_has_a_name(folder: Path, name: str, head: str, identifier: str) -> None:
    Path(name).write_text(head + rows("ACGT", "bare"))
    (motif,) = read_motifs(name)
    assert (motif.identifier, motif.name) == (identifier, identifier)


def test_reverse_complement_and_pseudocount() -> None:
    motif = Motif("x", "x", MATRIX.astype(float), "test")
    reverse = motif.reverse_complement()
    assert (motif.strand, reverse.strand) == ("+", "-")
    np.testing.assert_array_equal(reverse.matrix[0], MATRIX[-1][[1, 0, 3, 2]])
    np.testing.assert_array_equal(reverse.reverse_complement().matrix, MATRIX)
    np.testing.assert_allclose(motif.ppm(2.0)[0], (MATRIX[0] + 2) / (MATRIX[0] + 2).sum())


def test_without_pyjaspar_a_release_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    with pytest.raises(OptionError, match=r"--jaspar needs pyjaspar; try: pip install pyjaspar"):
        read_jaspar_release("2016", "CORE", ["vertebrates"])


def test_every_vertebrate_matrix_of_jaspar_2016() -> None:
    pytest.importorskip("pyjaspar")
    motifs = read_jaspar_release("2016", "CORE", ["vertebrates"])
    assert len(motifs) == len({motif.identifier for motif in motifs}) == 519
    (ctcf,) = [motif for motif in motifs if motif.name == "CTCF"]
    # Position 5 of MA0139.1 is C in 852 of 914 sites.
    assert ctcf.matrix[4].tolist()[2] == ctcf.matrix[4].max()
    with pytest.raises(OptionError, match="JASPAR2016 has no matrices for --collection CORE --tax-group moss"):
        read_jaspar_release("2016", "CORE", ["vertebrates", "moss"])

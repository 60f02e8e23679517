"""Motif matrices from JASPAR, PFM and minimal-MEME files, and from the JASPAR releases.

Matrices are counts or probabilities by letter; in memory their columns are in the order of the
network's channels, A, T, C, G, whatever the order in the file. The content tells the format:

JASPAR
    ``>identifier name``, then four rows ``A [ 1 2 3 ]``, in any order of letters.
PFM
    four rows of numbers, A C G T, with or without a ``>`` line before them.
MEME
    ``MEME version``, then per motif ``MOTIF identifier name``, ``letter-probability matrix:`` and
    one row a position. Alphabet and background may be missing.

Biopython reads the first two, one matrix at a time, so that an error message has a line number.
MEME is read here: Biopython's reader requires a background, does not compare a matrix with its
stated width, and rounds probabilities to counts of ``nsites``.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, OptionError, counted, located
from speid_cli.genome.onehot import ALPHABET, FILE_ORDER
from speid_cli.kinds import MOTIFS, expecting
from speid_cli.text import read_lines

COMPLEMENT = [ALPHABET.index({"A": "T", "T": "A", "C": "G", "G": "C"}[letter]) for letter in ALPHABET]
SUM_TOLERANCE = 0.02
# Far above any collection: the whole of JASPAR has 6,000 matrices, none longer than 40 bp.
MOST_CHARACTERS = 1 << 26
JASPAR_RELEASES = ("2014", "2016", "2018", "2020", "2022", "2024", "2026")

_BRACKETS = str.maketrans("[]|:", "    ")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_MATRIX_KEY = re.compile(r"\b(w|nsites)=\s*(\S+)")

Line = tuple[int, str]


@dataclass(frozen=True)
class Motif:
    """A position frequency matrix.

    Attributes
    ----------
    identifier, name : str
    matrix : float64 (length, 4)
        Counts or probabilities, columns A, T, C, G; every row adds up to more than 0.
    source : str
        File or JASPAR release.
    strand : {"+", "-"}
        "-" for a reverse complement.
    """

    identifier: str
    name: str
    matrix: NDArray[np.float64]
    source: str
    strand: str = "+"

    @property
    def length(self) -> int:
        """Positions in bp."""
        return len(self.matrix)

    def ppm(self, pseudocount: float = 0.0) -> NDArray[np.float64]:
        """Position probability matrix (length, 4), `pseudocount` added to each letter first."""
        counts = self.matrix + pseudocount
        return counts / counts.sum(axis=1, keepdims=True)

    def reverse_complement(self) -> Motif:
        """The motif as it reads on the other strand."""
        return replace(self, matrix=self.matrix[::-1, COMPLEMENT], strand="-" if self.strand == "+" else "+")

    def centre(self, length: int) -> Motif:
        """The middle `length` positions."""
        start = (self.length - length) // 2
        return replace(self, matrix=self.matrix[start : start + length])


@expecting(MOTIFS)
def read_motifs(path: str) -> list[Motif]:
    """All motifs of a file, in its order.

    Raises
    ------
    DataError
        The file holds no motif, is far longer than motif files are, or a line is not valid.
    """
    lines = _lines_of(path)
    first = next((text for _, text in lines if text.strip() and not text.startswith("#")), "")
    with located(path):
        motifs = list(_read_meme(lines, path) if first.startswith("MEME version") else _read_pfm(lines, path))
    if not motifs:
        raise DataError("no motif", expected="a JASPAR, PFM or minimal-MEME file", path=path)
    return motifs


def _lines_of(path: str) -> list[Line]:
    """All lines of a file, unless it is as long as a genome."""
    lines: list[Line] = []
    characters = 0
    for number, text in read_lines(path):
        characters += len(text) + 1
        if characters > MOST_CHARACTERS:
            most = f"at most {MOST_CHARACTERS:,} characters"
            raise DataError("too long for a file of motifs", expected=most, path=path, line=number)
        lines.append((number, text.rstrip()))
    return lines


def read_jaspar_release(
    release: str, collection: str = "CORE", tax_groups: Sequence[str] = ("vertebrates",)
) -> list[Motif]:
    """Latest version of each matrix of a JASPAR release, from the copy that pyjaspar carries.

    Raises
    ------
    OptionError
        pyjaspar is not installed, or the release has no such matrices.
    """
    try:
        from pyjaspar import jaspardb
    except ImportError:
        raise OptionError("--jaspar needs pyjaspar; try: pip install pyjaspar") from None
    source = f"JASPAR{release}"
    database = jaspardb(release=source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyjaspar warns where nothing is found, which is an error below
            groups = {name: database.fetch_motifs(collection=collection, tax_group=name) for name in tax_groups}
    finally:
        database.conn.close()
    if empty := [name for name, found in groups.items() if not found]:
        raise OptionError(f"{source} has no matrices for --collection {collection} --tax-group {','.join(empty)}")
    records = {record.matrix_id: record for found in groups.values() for record in found}
    return [Motif(record.matrix_id, record.name, _by_letter(record.counts), source) for record in records.values()]


def _by_letter(counts: dict[str, Sequence[float]]) -> NDArray[np.float64]:
    return np.array([counts[letter] for letter in ALPHABET], np.float64).T


def _read_pfm(lines: Sequence[Line], path: str) -> Iterator[Motif]:
    for block in _blocks(lines, ">"):
        rows = [line for line in block if line[1].strip() and not line[1].startswith((">", "#"))]
        number, head = block[0]
        titled = head.startswith(">")
        if not titled and not rows:
            continue
        identifier, _, name = head[1:].strip().partition(" " if "\t" not in head else "\t")
        if not titled or not identifier:
            identifier, name = Path(path).name.partition(".")[0] or Path(path).name, ""
        yield _checked(Motif(identifier, name.strip() or identifier, _pfm_matrix(rows, number), path), rows)


def _blocks(lines: Sequence[Line], start: str) -> Iterator[list[Line]]:
    """Runs of lines, each beginning with a line that starts with `start`; lines before the first come first."""
    block: list[Line] = []
    for line in lines:
        if line[1].startswith(start) and block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _pfm_matrix(rows: Sequence[Line], number: int) -> NDArray[np.float64]:
    """Matrix (length, 4) of four rows, one for each letter; rows without letters are A, C, G, T."""
    from Bio.motifs import jaspar

    if len(rows) != 4:
        place = rows[4][0] if len(rows) > 4 else number
        raise DataError(
            f"a matrix of {counted(len(rows), 'row')}", expected="four, one each for A, C, G, T", line=place
        )
    letters, counts = zip(*[_pfm_row(row) for row in rows], strict=True)
    if not any(letters):
        letters = tuple(FILE_ORDER)
    if sorted(letters) != sorted(FILE_ORDER):
        headings = " ".join(letter or "-" for letter in letters)
        raise DataError(f"rows are headed {headings}", expected="A, C, G, T (or U), once each", line=rows[0][0])
    if len(set(map(len, counts))) != 1:
        raise DataError("rows of different lengths", expected="four rows of equally many numbers", line=rows[0][0])
    text = "".join(f"{letter} [{' '.join(row)}]\n" for letter, row in zip(letters, counts, strict=True))
    (record,) = jaspar.read(io.StringIO(f">matrix\n{text}"), "jaspar")
    return _by_letter(record.counts)


def _pfm_row(row: Line) -> tuple[str, list[str]]:
    """The letter of a row, empty if it has none, and its counts as text."""
    line, text = row
    words = text.translate(_BRACKETS).split()
    letter = words.pop(0).upper().replace("U", "T") if words and words[0].isalpha() else ""
    if len(letter) > 1 or not all(_NUMBER.fullmatch(word) for word in words):
        raise DataError(f"{text[:40]!r}", expected="a row of counts, such as: A [ 1 2 3 ]", line=line)
    return letter, words


def _checked(motif: Motif, rows: Sequence[Line]) -> Motif:
    with np.errstate(over="ignore", invalid="ignore"):
        sums = motif.matrix.sum(axis=1)
    if not motif.length or (motif.matrix < 0).any() or not ((sums > 0) & (sums < np.inf)).all():
        raise DataError(
            f"motif {motif.identifier:.60} has a position that is empty, negative or not a number",
            expected="counts or probabilities that add up to more than 0",
            line=rows[0][0] if rows else None,
        )
    return motif


def _read_meme(lines: Sequence[Line], path: str) -> Iterator[Motif]:
    preamble, *blocks = _blocks(lines, "MOTIF")
    order = _meme_alphabet(preamble)
    for block in blocks:
        number, head = block[0]
        words = head.split()[1:]
        if not words:
            raise DataError("MOTIF without an identifier", line=number)
        start = next((i for i, (_, text) in enumerate(block) if text.startswith("letter-probability matrix")), None)
        if start is None:
            raise DataError(f"motif {words[0]:.60} has no letter-probability matrix", line=number)
        name = words[1] if len(words) > 1 else words[0]
        yield _checked(Motif(words[0], name, _meme_matrix(block[start:], order), path), block[start:])


def _meme_alphabet(preamble: Sequence[Line]) -> str:
    """The letters of the matrix columns, in order; ACGT where the file does not say."""
    for number, text in preamble:
        if text.startswith("ALPHABET"):
            letters = text.partition("=")[2].strip().upper().replace("U", "T")
            if sorted(letters) != sorted(FILE_ORDER):
                raise DataError(f"{text[:60]!r}", expected="ALPHABET= ACGT or ACGU, in any order", line=number)
            return letters
    return FILE_ORDER


def _meme_matrix(lines: Sequence[Line], order: str) -> NDArray[np.float64]:
    """Matrix (w, 4) of the lines from ``letter-probability matrix:`` on; counts, where nsites is given."""
    number, head = lines[0]
    rows: list[list[float]] = []
    ended = False
    for line, text in lines[1:]:
        words = text.split()
        if words and re.match(r"[-+.\d]", words[0]):
            if ended:
                raise DataError(
                    f"{text[:60]!r} after the end of the matrix", expected="one matrix per motif", line=line
                )
            rows.append(_meme_row(words, line))
        else:
            ended = bool(rows)
    stated = dict(_MATRIX_KEY.findall(head))
    try:
        width, sites = int(stated.get("w", len(rows))), float(stated.get("nsites", 1))
    except ValueError as error:
        raise DataError(f"{head[:200]!r}", expected="numbers after w= and nsites=", line=number) from error
    if width != len(rows) or not rows:
        raise DataError(
            f"a matrix of {counted(len(rows), 'row')} that states w= {width}", expected="as many rows", line=number
        )
    if not 0 <= sites < float("inf"):
        raise DataError(f"nsites= {sites}", expected="a number of sites", line=number)
    matrix = np.array(rows)[:, [order.index(letter) for letter in ALPHABET]]
    return matrix / matrix.sum(axis=1, keepdims=True) * (sites or 1)


def _meme_row(words: Sequence[str], line: int) -> list[float]:
    row = [float(word) for word in words[:5] if _NUMBER.fullmatch(word)]
    if len(row) != 4 or len(words) != 4 or not all(0 <= value <= 1 + SUM_TOLERANCE for value in row):
        raise DataError(f"{' '.join(words)[:60]!r}", expected="four probabilities", line=line)
    if abs(sum(row) - 1) > SUM_TOLERANCE:
        raise DataError(f"probabilities that add up to {sum(row):.4g}", expected="1", line=line)
    return row

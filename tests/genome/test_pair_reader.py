"""The fast reader of pairs finds what the plain one finds, in whatever file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speid_cli.cli import main
from speid_cli.errors import DataError, located
from speid_cli.genome import pair_reader
from speid_cli.genome.bedpe import BedpeLine, parse_pair
from speid_cli.genome.distinct import distinct
from speid_cli.genome.intervals import ElementPair
from speid_cli.genome.pair_columns import parse_columns
from speid_cli.genome.pair_reader import PairReader
from speid_cli.kinds import BEDPE, expecting
from tests import builders
from tests.builders import read_bedpe

NAME = st.sampled_from(["chr1", "chr2", "1", "chr3", "", "chrUn_gl000220_random", "#chr1", "track", "browser x", "ünd"])
POSITION = st.sampled_from(["0", "5", "007", "120", "300", "5999", "6000", "1e2", "-1", "", "x", "1.5", "٣", "9" * 16])
MORE = st.lists(st.sampled_from(["", ".", "0", "1", "name", "0.5", "\x00", "é"]), max_size=5)
USUAL = st.builds(
    lambda *values: "chr{}\t{}\t{}\tchr{}\t{}\t{}".format(*values),
    *(st.integers(1, 4), st.integers(0, 99), st.integers(100, 6000)) * 2,
)
ODD = st.builds(
    lambda first, second, more: "\t".join([*first, *second, *more]),
    *(st.tuples(NAME, POSITION, POSITION),) * 2,
    MORE,
)
LINE = st.one_of(*[USUAL] * 8, ODD, st.sampled_from(["", "# a comment", "track name=x", builders.HEADER, "chr1\t5\t9"]))
END = st.sampled_from(["\n"] * 9 + ["\r\n", "\r\r\n", ""])


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Files of mostly usual lines."""
    bom = draw(st.sampled_from(["", "", "", "\ufeff"]))
    return (bom + "".join(draw(LINE) + draw(END) for _ in range(draw(st.integers(0, 12))))).encode()


def plain_pairs(path: str, promoter_first: bool) -> Iterator[tuple[BedpeLine, ElementPair]]:
    """The pairs, line by line."""
    for line in read_bedpe(path):
        if line.role == "pair":
            with expecting(BEDPE), located(path, line.number):
                yield line, parse_pair(line.fields, promoter_first)


def outcome(pairs: Iterator[tuple[BedpeLine, ElementPair]]) -> tuple[list[object], str]:
    """The pairs up to the first error, and its message."""
    found = list[object]()
    try:
        found.extend(pairs)
    except DataError as error:
        return found, str(error)
    return found, ""


@given(texts(), st.booleans(), st.integers(1, 5))
@example(b"chr1\t1\t2\tchr1\t3\t4\nchr1\t1\t2\tchr1\t3\t4\tx", False, 5)
def test_the_same_pairs_and_messages(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, promoter_first: bool, lines: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "in.bedpe"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_reader, "_LINES_AT_A_TIME", lines)
        patch.setattr(pair_reader, "check_header", lambda *_: None)
        found = outcome(iter(PairReader(str(path), promoter_first)))
    assert found == outcome(plain_pairs(str(path), promoter_first))


PREDICT = ["predict", "model.pt", "in.bedpe", "-f", "genome.fa"]
OPTIONS = st.lists(
    st.sampled_from(["--append", "--promoter-first", "--on-invalid=na", "--shard=2/3", "--block-size=3"]), unique=True
)


@pytest.fixture
def model(genome: dict[str, str]) -> None:
    """``model.pt`` beside ``genome.fa``."""
    with open("model.pt", "wb") as stream:
        builders.random_checkpoint().write(stream)


def test_the_same_output(model: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Of `predict`, whatever the file and the options."""

    @given(texts(), OPTIONS)
    def same(text: bytes, options: list[str]) -> None:
        Path("in.bedpe").write_bytes(text)
        outputs = []
        for plainly in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                if plainly:
                    patch.setattr(pair_reader, "parse_columns", lambda text: None)
                status = main([*PREDICT, *options])
            captured = capsys.readouterr()
            outputs.append((status, captured.out, captured.err.split(" scored in ")[0]))
        assert outputs[0] == outputs[1]

    same()


@pytest.mark.parametrize(
    "line",
    ["chr1\t1\t2\tchr1\t3\t4", "chr1\t1\t2\tchr1\t3\t4\tname\t.\t+\t-", "x" * 64 + "\t000\t2\tNC_1.1\t3\t999999"],
)
def test_usual_lines_are_read_as_arrays(line: str) -> None:
    columns = parse_columns(f"{line}\n{line}".encode())
    assert columns is not None
    pair = parse_pair(line.split("\t"))
    for element, side in zip(pair, columns.sides, strict=True):
        assert [(columns.names[name], start, end) for name, start, end in side.tolist()] == [element] * 2


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(-1, 1))))
def test_rows_are_numbered_in_order(rows: list[tuple[int, int, int]]) -> None:
    first, number = distinct(np.array(rows, np.int64).reshape(-1, 3))
    different = list(dict.fromkeys(rows))
    assert [rows[index] for index in first] == different
    assert [different[index] for index in number] == rows

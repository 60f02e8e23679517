"""BEDPE lines: what is read, what is refused and with which words, what a scored line looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.errors import DataError
from speid_cli.genome.bedpe import BedpeLine, header_with_probability, parse_pair, with_probability
from speid_cli.genome.pair_reader import PairReader
from tests import builders
from tests.builders import read_bedpe

PAIR = "chr1\t10\t20\tchr2\t30\t40"
JUICER = "chr1\tx1\tx2\tchr2\ty1\ty2\tname\tscore"


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        (PAIR, ["pair"]),
        (f"# a comment\n{PAIR}", ["comment", "pair"]),
        (f"#{JUICER}\n# juicer_tools version 1.22.01\n{PAIR}", ["header", "comment", "pair"]),
        (f"{JUICER}\n{PAIR}", ["header", "pair"]),
        (f"# {JUICER}\n{PAIR}", ["header", "pair"]),
        (f"track name=x\n\n{PAIR}\n{JUICER}", ["comment", "comment", "pair", "pair"]),
        (f"chrom\tstart\tend\tchrom\tstart\tend\n{PAIR}", ["header", "pair"]),
        (f"chr1\t.\t.\tchr1\t.\t.\n{PAIR}", ["pair", "pair"]),
        (f"chr1\tNA\tNA\tchr1\tNA\tNA\n{PAIR}", ["pair", "pair"]),
    ],
)
@pytest.mark.parametrize("packing", ["plain", "crlf", "gzip"])
def test_lines_are_told_apart(tmp_path: Path, text: str, roles: list[str], packing: str) -> None:
    path = tmp_path / "in.bedpe"
    if packing == "gzip":
        builders.write_gzip(path, text)
    else:
        path.write_bytes((text.replace("\n", "\r\n") if packing == "crlf" else text).encode())
    lines = list(read_bedpe(str(path)))
    assert [line.role for line in lines] == roles
    assert [line.text for line in lines] == text.split("\n")
    assert [line.number for line in lines] == list(range(1, len(roles) + 1))


@pytest.mark.parametrize(
    ("written", "value"),
    [("0", 0), ("1.05e+08", 105_000_000), ("1E5", 100_000), ("100000.0", 100_000), ("+7", 7), ("2.5e1", 25)],
)
def test_coordinates_read(written: str, value: int) -> None:
    pair = parse_pair(["chr1", written, "999999999", "chr2", "1", "2"])
    assert pair.enhancer == ("chr1", value, 999_999_999)


@pytest.mark.parametrize(
    "written", ["", ".", "x", "1.5", "1e", "nan", "inf", "1_0", " 1", "0x1", "٣", "1e99", "9" * 400]
)
def test_coordinates_refused(written: str) -> None:
    with pytest.raises(DataError, match="start1 .* is not a whole number; expected a position in bp"):
        parse_pair(["chr1", written, "20", "chr2", "30", "40"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t1\t2\tchr1\t3", "5 columns; expected 6 or more tab-separated columns"),
        ("chr1 1 2 chr1 3 4", "1 column; expected 6 or more tab-separated columns; columns are separated by tabs"),
        ("chr1\t20\t20\tchr2\t30\t40", "start1 20 is not below end1 20; expected 0-based, half-open coordinates"),
        ("chr1\t10\t20\tchr2\t40\t30", "start2 40 is not below end2 30; expected 0-based, half-open coordinates"),
        ("chr1\t-5\t20\tchr2\t30\t40", "start1 -5 is negative; expected a position of 0 or more"),
        ("chr1\t5\t20\tchr2\t-3e1\t40", "start2 -3e1 is negative; expected a position of 0 or more"),
    ],
)
def test_lines_refused(line: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_pair(line.split("\t"))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "written",
    ["1" * 1_000_000 + "x", "1" * 1_000_000, "." * 999_999, "1e" + "1" * 999_999],
    ids=["digits, then a letter", "digits", "points", "exponent"],
)
@pytest.mark.parametrize("column", [1, 4])
def test_long_fields_are_refused_at_once_and_cut_short(written: str, column: int) -> None:
    fields = PAIR.split("\t")
    fields[column] = written
    with pytest.raises(DataError) as caught:
        parse_pair(fields)
    assert (
        str(caught.value) == f"start{column // 3 + 1} '{written[:59]} is not a whole number; expected a position in bp"
    )


@pytest.mark.parametrize("written", ["1" + "0" * 14 + ".0", "0." + "0" * 38, "+00000000000000000007"])
def test_long_coordinates_are_read(written: str) -> None:
    assert parse_pair(["chr1", written, "999999999999999", "chr2", "1", "2"]).enhancer.start == int(float(written))


def test_many_columns_and_odd_names_are_read(folder: Path) -> None:
    names = [
        "$(touch exploded)",
        "`touch exploded`",
        "a;touch exploded",
        "'\"|&>",
        "../../etc",
        "\x1b[31m",
        "-f",
        "\u2028",
    ]
    lines = ["\t".join([name, "1", "2", name, "3", "4", *["x"] * 10_000]) for name in names]
    builders.write_pairs(Path("in.bedpe"), lines, header=None)
    found = [parse_pair(line.fields) for line in read_bedpe("in.bedpe")]
    assert [pair.enhancer.chrom for pair in found] == [pair.promoter.chrom for pair in found] == names
    assert not Path("exploded").exists()


def test_promoter_first_swaps_the_sides() -> None:
    plain, swapped = parse_pair(PAIR.split("\t")), parse_pair(PAIR.split("\t"), promoter_first=True)
    assert plain == (swapped.promoter, swapped.enhancer)


FIELDS = st.lists(st.text(alphabet="ab.1 ", max_size=4), min_size=6, max_size=14)


@given(FIELDS)
def test_a_score_leaves_every_other_field(fields: list[str]) -> None:
    scored = with_probability("\t".join(fields), "0.25", append=False).split("\t")
    assert len(scored) == max(8, len(fields))
    assert scored[7] == "0.25"
    assert scored[:7] == (fields + ["."])[:7]
    assert scored[8:] == fields[8:]


@given(FIELDS)
def test_an_appended_score_leaves_all_fields(fields: list[str]) -> None:
    scored = with_probability("\t".join(fields), "0.25", append=True).split("\t")
    assert scored == [*fields, *["."] * (8 - len(fields)), "0.25"]


def test_an_appended_score_stands_below_its_name() -> None:
    assert with_probability("\t".join("c" * 6), "0.25", True, header_columns=11).split("\t")[11] == "0.25"
    assert len(with_probability("\t".join("c" * 6), "0.25", False, header_columns=11).split("\t")) == 8


@pytest.mark.parametrize(
    ("header", "append", "expected"),
    [
        ("#c1\ts1\te1\tc2\ts2\te2", False, "#c1\ts1\te1\tc2\ts2\te2\tname\tscore"),
        ("#c1\ts1\te1\tc2\ts2\te2", True, "#c1\ts1\te1\tc2\ts2\te2\tname\tscore\tprobability"),
        ("# c1\ts1\te1\tc2\ts2\te2\tn\tlabel\tx", False, "# c1\ts1\te1\tc2\ts2\te2\tn\tscore\tx"),
        ("c1\ts1\te1\tc2\ts2\te2\tn\tlabel\tx", True, "c1\ts1\te1\tc2\ts2\te2\tn\tlabel\tx\tprobability"),
    ],
)
def test_headers_stay_in_step(header: str, append: bool, expected: str) -> None:
    assert header_with_probability(BedpeLine(1, "header", header), append) == expected


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("chrom1\tchrom2\tstart1\tend1\tstart2\tend2", "in.bedpe:2: column 2 is headed 'chrom2'; expected the columns chrom1, "
         "start1, end1, chrom2, start2, end2, in this order; put the columns in order, with cut or awk"),
        ("#chr1\tend1\tstart1\tchr2\tstart2\tend2", "column 2 is headed 'end1'"),
        ("start1\tend1\t#chr1\tstart2\tend2\tchr2", "column 1 is headed 'start1'"),
        ("promoter_chrom\tpromoter_start\tpromoter_end\tenhancer_chrom\tenhancer_start\tenhancer_end",
         "in.bedpe:2: according to the header, columns 1-3 are the promoter; give --promoter-first"),
        ("#chrom2\tstart2\tend2\tchrom1\tstart1\tend1", "in.bedpe:2: according to the header, columns 1-3 are the second "
         "element; expected the columns chrom1, start1, end1, chrom2, start2, end2, in this order; put the columns in order"),
    ],
)  # fmt: skip
def test_headers_that_name_other_columns_are_refused(folder: Path, header: str, message: str) -> None:
    builders.write_pairs(Path("in.bedpe"), [header, PAIR], "# a comment")
    with pytest.raises(DataError, match=message):
        list(PairReader("in.bedpe"))


@pytest.mark.parametrize(
    "header", [JUICER, "chrom\tchromStart\tchromEnd\tchrom\tchromStart\tchromEnd\tlabel", "a\tb\tc\td\te\tf"]
)
def test_other_headers_are_kept(folder: Path, header: str) -> None:
    builders.write_pairs(Path("in.bedpe"), [PAIR], header)
    reader = PairReader("in.bedpe", promoter_first=True)
    ((line, pair),) = reader
    assert reader.header is not None and reader.header.text == header
    assert (line.number, pair.promoter) == (2, ("chr1", 10, 20))


def test_a_header_that_contradicts_promoter_first_is_refused(folder: Path) -> None:
    header = "enhancer_chrom\tenhancer_start\tenhancer_end\tpromoter_chrom\tpromoter_start\tpromoter_end"
    builders.write_pairs(Path("in.bedpe"), [PAIR], header)
    assert len(list(PairReader("in.bedpe"))) == 1
    with pytest.raises(DataError, match="columns 1-3 are the enhancer; leave out --promoter-first"):
        list(PairReader("in.bedpe", promoter_first=True))

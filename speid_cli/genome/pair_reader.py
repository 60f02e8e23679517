"""Reads the pairs of BEDPE files: usual blocks of lines as arrays, others line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, partial
from io import BytesIO
from itertools import islice
from typing import Literal

from speid_cli.errors import located
from speid_cli.genome.bedpe import BedpeLine, check_header, is_comment, is_header, parse_pair
from speid_cli.genome.distinct import Numbers
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.pair_columns import PairColumns, parse_columns
from speid_cli.kinds import BEDPE, TEXT, expecting
from speid_cli.text import Share, decode_line

_LINES_AT_A_TIME = 16384


class PairBlock:
    """Some lines of a BEDPE file that follow one another.

    Parameters
    ----------
    raw : bytes
        The lines.
    first : callable
        Gives the number of the first line, which is known only after reading all that is before it.
    header_columns : int
        Number of columns of the header; 0 where there is none.
    head : list of BedpeLine
        The first lines, where these are comments or the header of the file.
    """

    def __init__(
        self, path: str, raw: bytes, first: Callable[[], int], header_columns: int, head: list[BedpeLine]
    ) -> None:
        self.raw, self.header_columns, self.head = raw, header_columns, head
        self._path, self._first = path, first
        self._rest = raw[sum(map(len, islice(BytesIO(raw), len(head)))) :] if head else raw

    def __len__(self) -> int:
        return self.raw.count(b"\n") + (not self.raw.endswith(b"\n"))

    @cached_property
    def columns(self) -> PairColumns | None:
        """All lines after the head as pairs; None where one is none, is not valid, or is written unusually."""
        return parse_columns(self._rest) if self._rest else None

    @cached_property
    def lines(self) -> list[BedpeLine]:
        """The lines one by one."""
        return list(self.read())

    @cached_property
    def texts(self) -> list[str]:
        """The lines without their endings."""
        if self.columns is None:
            return [line.text for line in self.lines]
        return [line.text for line in self.head] + self._rest.decode().removesuffix("\n").split("\n")

    def read(self) -> Iterator[BedpeLine]:
        """The lines one by one, each read when it is asked for.

        Raises
        ------
        DataError
            A line is not text.
        """
        yield from self.head
        first = self._first() + len(self.head)
        if self.columns is not None:
            pairs = enumerate(islice(self.texts, len(self.head), None), first)
            yield from (BedpeLine(number, "pair", text) for number, text in pairs)
        else:
            yield from (
                BedpeLine(number, _role(text), text) for number, text in _decoded(self._rest, self._path, first)
            )


class PairReader:
    """The pairs of a BEDPE file (``-``: standard input); all commands read pairs by it.

    Attributes
    ----------
    header : BedpeLine or None
        None until the header has been read.
    """

    def __init__(self, path: str, promoter_first: bool = False) -> None:
        self.path, self._promoter_first = path, promoter_first
        self.header: BedpeLine | None = None

    def blocks(self, most_lines: int, share: Share | None = None, after: int = 0) -> Iterator[PairBlock]:
        """The lines in blocks; of a share of the file, without its first `after` bytes.

        Raises
        ------
        DataError
            The file cannot be read, is not text, or its header names the columns in another order.
        """
        share, done = share or Share(self.path), 0
        lines_before = cache(lambda: share.lines_before(after))
        expects_header = not self._read_head(share.start + after)
        for raw in share.blocks(most_lines, after):
            head, first = list[BedpeLine](), partial(_first, lines_before, done)
            if expects_header:
                head = list(self._head(_decoded(raw, self.path, first())))
                expects_header = head[-1].role == "comment"
            columns = len(self.header.fields) if self.header else 0
            block = PairBlock(self.path, raw, first, columns, [line for line in head if line.role != "pair"])
            done += len(block)
            yield block

    def lines(self) -> Iterator[BedpeLine]:
        """Every line, marked as pair, header or comment; errors as of `blocks`."""
        for block in self.blocks(_LINES_AT_A_TIME):
            yield from block.read()

    def __iter__(self) -> Iterator[tuple[BedpeLine, ElementPair]]:
        for block in self.blocks(_LINES_AT_A_TIME):
            if block.columns is None:
                yield from ((line, self.pair(line)) for line in block.read() if line.role == "pair")
            else:
                yield from zip(islice(block.read(), len(block.head), None), self._pairs(block.columns), strict=True)

    def pair(self, line: BedpeLine) -> ElementPair:
        """The elements of a line.

        Raises
        ------
        DataError
            The line is not valid; the message gives its number.
        """
        with expecting(BEDPE), located(self.path, line.number):
            return parse_pair(line.fields, self._promoter_first)

    def sides(self, columns: PairColumns) -> tuple[Numbers, Numbers]:
        """Enhancers and promoters (N, 3): number in `columns.names`, start, end."""
        return columns.sides[::-1] if self._promoter_first else columns.sides

    def _pairs(self, columns: PairColumns) -> Iterator[ElementPair]:
        enhancers, promoters = (
            [Interval(columns.names[name], start, end) for name, start, end in side.tolist()]
            for side in self.sides(columns)
        )
        return map(ElementPair, enhancers, promoters)

    def _read_head(self, stop: int) -> bool:
        """Read the lines before byte `stop` up to the header or the first pair; whether there is either."""
        position = 0
        for number, raw in enumerate(Share(self.path).blocks(1) if stop else (), start=1):
            (line,) = self._head(_decoded(raw, self.path, number))
            position += len(raw)
            if line.role != "comment" or position >= stop:
                return line.role != "comment"
        return False

    def _head(self, numbered: Iterable[tuple[int, str]]) -> Iterator[BedpeLine]:
        """The lines up to the first that is no comment."""
        for number, text in numbered:
            line = BedpeLine(number, "header" if is_header(text) else _role(text), text)
            if line.role == "header":
                self.header = line
                with expecting(BEDPE), located(self.path, number):
                    check_header(line.fields, self._promoter_first)
            yield line
            if line.role != "comment":
                return


def _first(lines_before: Callable[[], int], done: int) -> int:
    return lines_before() + done + 1


def _role(text: str) -> Literal["comment", "pair"]:
    return "comment" if is_comment(text) else "pair"


def _decoded(raw: bytes, path: str, first: int) -> Iterator[tuple[int, str]]:
    """Lines without their endings, numbered from `first`."""
    with expecting(TEXT):
        for number, line in enumerate(BytesIO(raw), first):
            yield number, decode_line(line, path, number)

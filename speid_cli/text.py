"""Text files, plain or gzip-compressed: by lines, or in blocks of whole lines; the whole file or a share of it."""

from __future__ import annotations

import gzip
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from io import SEEK_END, BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np

from speid_cli.errors import DataError
from speid_cli.files import unreadable
from speid_cli.kinds import GZIP_MAGIC, TEXT, recognised

LONGEST_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
# Lines are collected into a block until there are as many as asked for, or so many bytes.
_BLOCK_BYTES = 1 << 24
# A block of BGZF: a gzip member with one extra field, which holds its size - 1.
_BGZF_MAGIC, _BGZF_FIELD, _BGZF_HEADER_BYTES = b"\x1f\x8b\x08\x04", b"BC\2\0", 18


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Lines of a text file, counted from 1, without their endings (LF or CRLF).

    Parameters
    ----------
    path : str
        A plain or gzip-compressed file (recognised by content, not by name); ``-`` is standard input.

    Raises
    ------
    DataError
        The file cannot be read, its gzip stream is damaged, a line is longer than 1 MiB, holds a
        NUL byte or is not UTF-8. The message names the line.
    """
    number = 0
    with _naming_faults(path, lambda: number), _open_bytes(path) as stream:
        while raw := stream.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            yield number, decode_line(raw, path, number)


def decode_line(raw: bytes, path: str, number: int) -> str:
    """A line, counted from 1, without its ending.

    Raises
    ------
    DataError
        As `read_lines`.
    """
    if len(raw) > LONGEST_LINE_BYTES:
        raise DataError(
            f"a line longer than {LONGEST_LINE_BYTES:,} bytes", expected="a text file", path=path, line=number
        )
    if b"\0" in raw:
        raise DataError("a NUL byte", expected="a text file", path=path, line=number)
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x} is not UTF-8", expected="UTF-8 text", path=path, line=number
        ) from error


def count_lines(share: Share) -> int | None:
    """Number of lines of a share, as `read_lines` counts them; None for a damaged file, or one that is a stream."""
    try:
        return share.count_lines() if Path(share.path).is_file() else None
    except DataError:  # it is raised again where the lines are read
        return None


@dataclass(frozen=True)
class Share:
    """One of `count` shares of the lines of a text file, the `number`-th from 1; by default the whole file.

    The bytes of the text, decompressed, are divided equally. A line belongs to the share that holds the
    line ending before it, and the first line to the first share, so that all shares, one after the other,
    are the whole text. A plain file or one in BGZF is not read before the share.
    """

    path: str
    number: int = 1
    count: int = 1

    @cached_property
    def start(self) -> int:
        """Where the share begins in the text, in bytes."""
        if self.number == 1:
            return 0
        with _naming_faults(self.path):
            position = (self.number - 1) * _text_size(self.path) // self.count
            with _open_at(self.path, position) as stream:
                return position + sum(map(len, _to_line_end(stream)))

    def blocks(self, most_lines: int, after: int = 0) -> Iterator[bytes]:
        """The lines in blocks, without the first `after` bytes of the share.

        Each block has whole lines: `most_lines` of them or, where they are long, fewer. A line that is
        far too long is a block without a line ending.

        Raises
        ------
        DataError
            The file cannot be read, or its gzip stream is damaged.
        """
        return _blocks(self._chunks(after), most_lines)

    def begin(self, size: int) -> Iterator[bytes]:
        """The first `size` bytes, or all if there are fewer, in parts."""
        for chunk in self._chunks():
            yield chunk[:size]
            size -= len(chunk)
            if size <= 0:
                return

    def count_lines(self) -> int:
        """Number of lines."""
        count, last = 0, b"\n"
        for chunk in self._chunks():
            count, last = count + chunk.count(b"\n"), chunk[-1:]
        return count + (last != b"\n")

    def lines_before(self, after: int = 0) -> int:
        """Number of lines of the file before the share, and in the first `after` bytes of the share."""
        size = self.start + after
        return sum(part.count(b"\n") for part in Share(self.path).begin(size)) if size else 0

    def _chunks(self, after: int = 0) -> Iterator[bytes]:
        """The bytes of the share, from its byte `after` on."""
        lines = 0
        with _naming_faults(self.path, (lambda: lines) if self.number == 1 and not after else None):
            position, stop = self.start + after, None
            if self.number < self.count:
                stop = self.number * _text_size(self.path) // self.count
            with _open_at(self.path, position) as stream:
                while stop is None or position < stop:
                    chunk = stream.read1(_CHUNK_BYTES if stop is None else min(_CHUNK_BYTES, stop - position))
                    if not chunk:
                        return
                    position, lines = position + len(chunk), lines + chunk.count(b"\n")
                    yield chunk
                if position == stop:
                    yield from _to_line_end(stream)


def _blocks(chunks: Iterable[bytes], most_lines: int) -> Iterator[bytes]:
    """The bytes of all chunks, divided after line endings; see `Share.blocks`."""
    held, size, lines = list[bytes](), 0, 0
    for chunk in chunks:
        held.append(chunk)
        size, lines = size + len(chunk), lines + chunk.count(b"\n")
        if lines >= most_lines or size >= _BLOCK_BYTES:
            text = b"".join(held)
            ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
            cuts = [0, *ends[most_lines - 1 :: most_lines].tolist()]
            if len(cuts) == 1:
                cuts.append(int(ends[-1]) if len(ends) else size)
            yield from (text[start:stop] for start, stop in pairwise(cuts))
            held, size, lines = [text[cuts[-1] :]], size - cuts[-1], len(ends) - (ends <= cuts[-1]).sum()
    if size:
        yield b"".join(held)


@contextmanager
def _naming_faults(path: str, lines: Callable[[], int] | None = None) -> Iterator[None]:
    """Name the file in errors of the block, and in those of gzip the line after `lines()`, if that is known."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        line = None if lines is None else lines() + 1
        raise DataError(
            f"damaged gzip stream ({error})", hint="copy or compress the file again", path=path, line=line
        ) from error
    except OSError as error:
        raise unreadable(path, error) from error
    except DataError as error:
        raise recognised(error, TEXT) from error


@contextmanager
def _open_bytes(path: str) -> Iterator[BufferedReader]:
    """A file's bytes, decompressed; standard input stays open."""
    with ExitStack() as opened:
        stream = sys.stdin.buffer if path == "-" else opened.enter_context(open(path, "rb"))
        peekable = cast(BufferedReader, stream)
        if peekable.peek(2)[:2] == GZIP_MAGIC:
            yield cast(BufferedReader, opened.enter_context(gzip.GzipFile(fileobj=peekable, mode="rb")))
        else:
            yield peekable


@contextmanager
def _open_at(path: str, position: int) -> Iterator[BufferedReader]:
    """A file's bytes, decompressed, from a position on."""
    if not position:
        with _open_bytes(path) as stream:
            yield stream
        return
    with open(path, "rb") as stream, ExitStack() as opened:
        if stream.peek(2)[:2] != GZIP_MAGIC:
            stream.seek(position)
            yield stream
            return
        starts, texts = _bgzf_starts(stream) or ([0], [0])
        block = bisect_right(texts, position) - 1
        stream.seek(starts[block])
        text = cast(BufferedReader, opened.enter_context(gzip.GzipFile(fileobj=stream, mode="rb")))
        _skip(text, position - texts[block])
        yield text


def _text_size(path: str) -> int:
    """Bytes of a file, decompressed."""
    with open(path, "rb") as stream:
        if stream.peek(2)[:2] != GZIP_MAGIC:
            return stream.seek(0, SEEK_END)
        if found := _bgzf_starts(stream):
            return found[1][-1]
    with _open_bytes(path) as text:
        return sum(map(len, iter(partial(text.read1, _CHUNK_BYTES), b"")))


def _bgzf_starts(stream: BufferedReader) -> tuple[list[int], list[int]] | None:
    """Where each block of BGZF begins, in the file and in the text, and where both end; None for other gzip."""
    starts, texts = [0], [0]
    stream.seek(0)
    while header := stream.read(_BGZF_HEADER_BYTES):
        if header[:4] != _BGZF_MAGIC or header[12:16] != _BGZF_FIELD:
            return None
        starts.append(starts[-1] + int.from_bytes(header[16:], "little") + 1)
        stream.seek(starts[-1] - 4)
        texts.append(texts[-1] + int.from_bytes(stream.read(4), "little"))
    return (starts, texts) if starts[-1] == stream.seek(0, SEEK_END) else None  # where the sizes are wrong, it is not


def _to_line_end(stream: BufferedReader) -> Iterator[bytes]:
    """The bytes up to the next line ending, and with it."""
    while chunk := stream.readline(_CHUNK_BYTES):
        yield chunk
        if chunk.endswith(b"\n"):
            return


def _skip(stream: BufferedReader, size: int) -> int:
    """Read `size` bytes and leave them out; return how many there were."""
    left = size
    while left and (chunk := stream.read1(min(_CHUNK_BYTES, left))):
        left -= len(chunk)
    return size - left

"""Text from anything that can be opened: lines in bounded memory, or an error with the line."""

from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest

from speid_cli.errors import DataError
from speid_cli.text import LONGEST_LINE_BYTES, read_lines
from tests import hostile

TOO_LONG = "a line longer than 1,048,576 bytes; expected a text file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fine\n".encode("utf-16"), "1: a NUL byte; expected a text file"),
        ("é\n".encode("latin-1"), "1: byte 0xe9 is not UTF-8; expected UTF-8 text"),
        (b"\n\n\xed\xa0\x80\n", "3: byte 0xed is not UTF-8; expected UTF-8 text"),
        (b"\n\xf4\x90\x80\x80", "2: byte 0xf4 is not UTF-8; expected UTF-8 text"),
        (b"\n\xc3", "2: byte 0xc3 is not UTF-8; expected UTF-8 text"),
        (b"\n\xef\xbb\xbf\n\x80", "3: byte 0x80 is not UTF-8; expected UTF-8 text"),
        (b"\n" + b"\0" * LONGEST_LINE_BYTES * 2, f"2: {TOO_LONG}"),
        (
            gzip.compress(b"a\n", mtime=0) + b"garbage",
            "2: damaged gzip stream (Not a gzipped file (b'ga')); copy or compress",
        ),
        (gzip.compress(b"a\n", mtime=0)[:-8] + bytes(8), "2: damaged gzip stream (CRC check failed"),
        (gzip.compress(b"a\n", mtime=0)[:5], "1: damaged gzip stream (Compressed file ended before the end-of-stream"),
        (b"\x1f\x8b\x07" + bytes(9), "1: damaged gzip stream (Unknown compression method)"),
        (gzip.compress(gzip.compress(b"a\n", mtime=0), mtime=0), "1: "),
        (gzip.compress(b"\n" + bytes(50 << 20), mtime=0), f"2: {TOO_LONG}"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_no_text_is_refused_by_line(folder: Path, content: bytes, message: str) -> None:
    path = hostile.write("in", content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            list(read_lines(path))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"in:{message}")


def test_a_line_of_100_megabytes_is_refused(folder: Path) -> None:
    with open("in", "wb") as stream:
        stream.truncate(100_000_000)
    with pytest.raises(DataError, match=f"in:1: {TOO_LONG}"):
        list(read_lines("in"))


def test_endless_lines_take_no_memory(folder: Path) -> None:
    path = hostile.write("in", gzip.compress(b"\n" * (4 << 20)))
    tracemalloc.start()
    try:
        assert next(islice(read_lines(path), 99_999, None)) == (100_000, "")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_is_no_file_is_read_or_refused(folder: Path) -> None:
    assert not list(read_lines("/dev/null"))
    with pytest.raises(DataError, match=f"/dev/zero:1: {TOO_LONG}"):
        list(read_lines("/dev/zero"))
    with pytest.raises(DataError, match=r"^\.: Is a directory"):
        list(read_lines("."))


@pytest.mark.parametrize(
    "content", [b"", b"one\ntwo", gzip.compress(b"one\ntwo", mtime=0)], ids=["empty", "plain", "gzip"]
)
def test_a_pipe_that_closes_ends(folder: Path, content: bytes) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(content))
    writer.start()
    assert [text for _, text in read_lines("pipe")] == (["one", "two"] if content else [])
    writer.join()

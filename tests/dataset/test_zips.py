"""Zip archives from anywhere: a directory that lies is found out before memory is taken for it."""

from __future__ import annotations

import contextlib
import os
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from speid_cli.dataset import zips
from speid_cli.dataset.zips import brief, check_memory, check_zip
from speid_cli.errors import DataError
from tests import hostile

PLAIN = hostile.zipped({"first": b"one", "second": b"other" * 100})
PACKED = hostile.zipped({"first": b"one", "second": b"other" * 100}, zipfile.ZIP_DEFLATED)


def check(content: bytes) -> dict[str, zipfile.ZipInfo]:
    return check_zip(hostile.write("x.zip", content), "an archive", zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def test_members_are_named(folder: Path) -> None:
    for content in (PLAIN, PACKED):
        assert check(content).keys() == {"first", "second"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (hostile.misstated(PLAIN, "first", flag_bits=0x1), "member 'first' is encrypted, or compressed by method 0"),
        (hostile.misstated(PLAIN, "first", flag_bits=0x40), "member 'first' is encrypted, or compressed by method 0"),
        (
            hostile.misstated(PLAIN, "first", method=93),
            "'first' is encrypted, or compressed by method 93; expected stored or defla",
        ),
        (hostile.misstated(PLAIN, "first", method=98), "member 'first' is encrypted, or compressed by method 98"),
        (hostile.zipped({"a": b"x"}, zipfile.ZIP_BZIP2), "member 'a' is encrypted, or compressed by method 12"),
        (hostile.zipped({"a": b"x"}, zipfile.ZIP_LZMA), "member 'a' is encrypted, or compressed by method 14"),
        (
            hostile.misstated(PLAIN, "second", file_size=4_000_000_000),
            "member 'second' states a size that it cannot have",
        ),
        (
            hostile.misstated(PACKED, "second", file_size=4_000_000_000),
            "member 'second' states a size that it cannot have",
        ),
        (
            hostile.misstated(PACKED, "second", file_size=4_000_000_000, compress_size=4_000_000_000),
            "member 'second' states a size that it cannot have",
        ),
        (hostile.zipped({"aa": b"one", "ab": b"two"}).replace(b"ab", b"aa"), "two members have the same name"),
        (b"#!/bin/sh\n" + PLAIN, "not an archive (its beginning or its directory is not where it should be)"),
        (PLAIN[:-1], "not an archive (File is not a zip file)"),
        (b"", "not an archive (File is not a zip file)"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_directory_that_lies_is_refused(folder: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        check(content)
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.zip: ")


def test_a_long_directory_is_not_read(folder: Path) -> None:
    many = hostile.zipped({f"member{number:050}": b"" for number in range(12_000)})
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"x.zip: not an archive \(a directory of 1,2.* bytes\)"):
            check(many)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_is_no_file_is_refused(folder: Path) -> None:
    for path, message in (
        ("/dev/zero", r"/dev/zero: not an archive \(File is not a zip file\)"),
        (".", r"^\.: Is a directory"),
        ("nowhere", "nowhere: No such file"),
    ):
        with pytest.raises(DataError, match=message):
            check_zip(path, "an archive")


def test_a_pipe_that_closes_is_refused(folder: Path) -> None:
    os.mkfifo("pipe")

    def write() -> None:
        with contextlib.suppress(BrokenPipeError):  # where the reader has gone before
            Path("pipe").write_bytes(b"PK")

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(DataError, match="pipe: "):
        check_zip("pipe", "an archive")
    writer.join()


def test_memory_is_asked_for_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "available_bytes", lambda: 1000)
    check_memory("it", 1000)
    with pytest.raises(DataError, match="^it takes 1,001 bytes of memory; expected at most the 1,000 that are free"):
        check_memory("it", 1001)


def test_errors_are_cut_short() -> None:
    assert brief(EOFError()) == "EOFError"
    assert brief(ValueError("first\nsecond")) == "first"
    assert brief(ValueError("\nsecond")) == ""
    assert len(brief(ValueError("x" * 1000))) == 100

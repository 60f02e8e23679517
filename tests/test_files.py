"""Reading lines from anything, and outputs that appear whole or not at all."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from speid_cli import files
from speid_cli.errors import DataError
from speid_cli.files import atomic_file, check_output_folder, check_output_path, write_folder
from speid_cli.text import LONGEST_LINE_BYTES, Share, count_lines, read_lines


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch, pack) -> None:  # type: ignore[no-untyped-def]
    stream = io.BufferedReader(io.BytesIO(pack(b"one\r\ntwo")))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    assert list(read_lines("-")) == [(1, "one"), (2, "two")]
    assert not stream.closed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"fine\na\0b\n", ":2: a NUL byte; expected a text file"),
        (b"fine\n\xff\n", ":2: byte 0xff is not UTF-8; expected UTF-8 text"),
        (b"x" * (LONGEST_LINE_BYTES + 1), ":1: a line longer than 1,048,576 bytes; expected a text file"),
        (gzip.compress(b"a\n" * 9999, mtime=0)[:-20], ":"),
        (b"\x1f\x8b\x08\x00garbage", ":1: damaged gzip stream"),
    ],
)
def test_what_is_no_text_is_refused_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(read_lines(str(path)))
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_cut_gzip_stream_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "in.gz"
    path.write_bytes(gzip.compress(b"line\n" * 1000)[:-12])
    with pytest.raises(DataError, match="damaged gzip stream .*; copy or compress the file again"):
        list(read_lines(str(path)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: No such file or directory"):
        list(read_lines(str(tmp_path / "nowhere")))


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), atomic_file(path, force=True) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_with_the_file(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match="out: File too large"), atomic_file(tmp_path / "out", False) as stream:
            stream.write(bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_another_file_s_error_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone.bed") as caught, atomic_file(tmp_path / "out", False):
        (tmp_path / "gone.bed").read_text()
    assert caught.value.filename == str(tmp_path / "gone.bed")
    assert not list(tmp_path.iterdir())


def test_an_error_without_a_name_is_not_the_output_s(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), atomic_file(tmp_path / "out", False):
        raise OSError(28, "No space left on device")


def test_without_locks_one_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with atomic_file(tmp_path / "out", False) as stream:
        stream.write(b"first")
        found = rf"out: another process is writing it \(process {os.getpid()} on .*\); wait until it has finished"
        with pytest.raises(DataError, match=found + "; if it no longer runs, remove its lock: rm .*out.lock"):
            atomic_file(tmp_path / "out", False).__enter__()
    with atomic_file(tmp_path / "out", True) as stream:
        stream.write(b"second")
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "out", True):
        raise RuntimeError
    assert (tmp_path / "out").read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_takes_no_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(DataError, match="out: Permission denied"), atomic_file(tmp_path / "out", False):
        pass


def test_a_link_is_written_through_and_a_device_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    with atomic_file(tmp_path / "link", force=True) as stream:
        stream.write(b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"
    with pytest.raises(DataError, match="/dev/null: not a regular file"):
        check_output_path("/dev/null", force=True)


def test_a_written_file_has_the_usual_mode(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "out", force=False) as stream:
        stream.write(b"all")
    (tmp_path / "plain").touch()
    assert (tmp_path / "out").read_bytes() == b"all"
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_outputs_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(DataError, match="there: exists already; give --force to replace it, or another -o"):
        check_output_path(tmp_path / "there", force=False)
    with pytest.raises(DataError, match="not a regular file; expected the name of a file to write"):
        check_output_path(tmp_path, force=True)
    with pytest.raises(DataError, match="no such folder; mkdir -p"):
        check_output_path(tmp_path / "no" / "out", force=False)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    for before in ([], ["a"]):
        with monkeypatch.context() as patch, pytest.raises(DataError, match="out: No space left on device"):
            patch.setattr(files.os, "fsync", full)
            write_folder(out, {"a": b"half", "b": b"half"}, force=True)
        assert [path.name for path in out.glob("*")] == before
        write_folder(out, {"a": b"all"}, force=True)
        assert (out / "a").read_bytes() == b"all"
        assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(DataError, match="out: exists already"):
        write_folder(out, {}, force=False)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: not a folder; expected the name of a folder to write"):
        check_output_folder(tmp_path / "file", force=True)


@pytest.mark.parametrize(("text", "lines"), [(b"", 0), (b"a\nb\n", 2), (b"a\nb", 2), (b"\n", 1)])
def test_lines_are_counted_as_they_are_read(folder: Path, text: bytes, lines: int) -> None:
    Path("plain").write_bytes(text)
    Path("packed.gz").write_bytes(gzip.compress(text))
    assert count_lines(Share("plain")) == count_lines(Share("packed.gz")) == lines == len(list(read_lines("plain")))


def test_lines_of_streams_and_damaged_files_are_not_counted(folder: Path) -> None:
    Path("damaged.gz").write_bytes(gzip.compress(b"a\n" * 999)[:-9])
    os.mkfifo("pipe")
    assert [count_lines(Share(name)) for name in ("damaged.gz", "pipe", "-", "nowhere")] == [None] * 4

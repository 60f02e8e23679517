"""Shares of text files: one after the other they are the file, whatever its compression."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from Bio.bgzf import BgzfWriter
from hypothesis import given
from hypothesis import strategies as st

from speid_cli import text as module
from speid_cli.errors import DataError
from speid_cli.text import Share, count_lines, read_lines

LINES = st.lists(st.sampled_from([b"", b"a", b"chr1\t5", b"x" * 90]), max_size=40)


def write_bgzf(path: Path, text: bytes) -> None:
    """BGZF of blocks of 64 bytes."""
    with BgzfWriter(str(path)) as packed:
        for start in range(0, len(text), 64):
            packed.write(text[start : start + 64])
            packed.flush()


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzf"])
@given(lines=LINES, tail=st.sampled_from([b"", b"tail"]), count=st.integers(1, 9), most=st.integers(1, 7))
def test_shares_and_blocks_are_the_file(
    kind: str, tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], tail: bytes, count: int, most: int
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{kind}.txt"
    text = b"".join(line + b"\n" for line in lines) + tail
    {"plain": Path.write_bytes, "gzip": lambda path, text: path.write_bytes(gzip.compress(text)), "bgzf": write_bgzf}[
        kind
    ](path, text)
    shares = [Share(str(path), number, count) for number in range(1, count + 1)]
    parts = [b"".join(share.blocks(most)) for share in shares]
    assert b"".join(parts) == text
    blocks = list(Share(str(path)).blocks(most))
    assert all(block.count(b"\n") == most and block.endswith(b"\n") for block in blocks[:-1])
    assert (
        sum(share.count_lines() for share in shares)
        == count_lines(Share(str(path)))
        == len(list(read_lines(str(path))))
    )
    for number, (share, part) in enumerate(zip(shares, parts, strict=True)):
        before = b"".join(parts[:number])
        assert not before or before.endswith(b"\n") or not part
        assert share.start == len(before) or not part
        after = part.find(b"\n") + 1
        assert b"".join(share.blocks(most, after)) == part[after:]
        assert b"".join(share.begin(after)) == part[:after]
        if part:
            assert share.lines_before(after) == (before + part[:after]).count(b"\n")


def test_only_the_blocks_of_a_share_of_bgzf_are_unpacked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bgzf(folder / "b.gz", b"some line\n" * 10_000)
    unpacked = list[int]()

    class Counting(gzip.GzipFile):
        def read1(self, size: int = -1) -> bytes:
            found = super().read1(size)
            unpacked.append(len(found))
            return found

    monkeypatch.setattr(module.gzip, "GzipFile", Counting)
    assert b"".join(Share("b.gz", 50, 100).blocks(1000)) == b"some line\n" * 100
    assert sum(unpacked) < 3000


def test_long_lines_make_short_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 64)
    text = b"".join(b"%d" % size + b"x" * size + b"\n" for size in (10, 200, 70, 80, 500, 1, 2))
    (folder / "in").write_bytes(text)
    blocks = list(Share("in").blocks(1000))
    assert b"".join(blocks) == text
    assert max(map(len, blocks)) < 600
    assert len(blocks) > 4


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_share_of_a_damaged_file_is_refused(folder: Path, number: int) -> None:
    (folder / "cut.gz").write_bytes(gzip.compress(b"some line\n" * 10_000)[:-20])
    with pytest.raises(DataError, match="^cut.gz:.* damaged gzip stream .*; copy or compress the file again"):
        list(Share("cut.gz", number, 3).blocks(10))
    share = Share("gone", number, 3)
    with pytest.raises(DataError, match="^gone: No such file or directory"):
        list(share.blocks(10, share.start))


def test_bgzf_with_a_wrong_size_is_read_as_gzip(folder: Path) -> None:
    """Else its shares would be empty, or shifted."""
    text = b"some line\n" * 500
    write_bgzf(folder / "b.gz", text)
    content = bytearray((folder / "b.gz").read_bytes())
    content[16:18] = b"\xff\xff"
    (folder / "b.gz").write_bytes(content)
    assert b"".join(b"".join(Share("b.gz", number, 3).blocks(9)) for number in (1, 2, 3)) == text

"""Compressed output: BGZF, which tabix can index, with the same bytes each time."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pysam
import pytest

from speid_cli.cli.outputs import text_output
from tests.builders import run

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def test_tabix_indexes_candidates(folder: Path) -> None:
    Path("e.bed").write_text("".join(f"chr1\t{start}\t{start + 9}\n" for start in range(0, 900_000, 1000)))
    assert run("candidates", "e.bed", "e.bed", "-o", "x.bedpe.gz") == 0
    pysam.tabix_index("x.bedpe.gz", seq_col=0, start_col=1, end_col=2, zerobased=True, meta_char="#")
    lines = gzip.decompress(Path("x.bedpe.gz").read_bytes()).decode().splitlines()
    with pysam.TabixFile("x.bedpe.gz") as indexed:
        assert list(indexed.fetch("chr1", 500_000, 500_001)) == [
            line for line in lines if line.startswith("chr1\t500000\t")
        ]


@pytest.mark.parametrize("chunk", [1, 7000, 65536, 300_000])
def test_bytes_come_back_whatever_their_portions(folder: Path, chunk: int) -> None:
    text = b"".join(b"chr1\t%d\n" % (number**3) for number in range(20_000))
    for name in ("a.gz", "b.gz"):
        with text_output(name, False) as out:
            for start in range(0, len(text) if chunk > 1 else 500, chunk):
                out.write(text[start : start + chunk])
            out.flush()
    packed = Path("a.gz").read_bytes()
    assert gzip.decompress(packed) == (text if chunk > 1 else text[:500])
    assert packed == Path("b.gz").read_bytes()
    assert packed.endswith(END)
    assert packed.count(END) == 1


def test_nothing_is_a_whole_file_too(folder: Path) -> None:
    with text_output("a.gz", False):
        pass
    assert Path("a.gz").read_bytes() == END


def test_an_interrupted_write_leaves_nothing(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), text_output("a.gz", False) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert not list(Path().iterdir())


def test_a_full_disk_is_an_error(folder: Path) -> None:
    """The limit on a file's size stands for the disk's."""
    script = (
        "import os, resource\n"
        "from speid_cli.cli.outputs import text_output\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "with text_output('a.gz', False) as out:\n"
        "    out.write(os.urandom(150_000).hex().encode())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "a.gz: File too large" in done.stderr
    assert done.returncode == 1
    assert not list(Path().iterdir())

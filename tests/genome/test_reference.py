"""Sequence from FASTA files as they come."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speid_cli.errors import DataError
from speid_cli.genome import reference as module
from speid_cli.genome.reference import Reference
from tests import builders


@pytest.mark.parametrize("packing", ["plain", "bgzip"])
def test_windows_beyond_the_ends_are_n(folder: Path, genome: dict[str, str], packing: str) -> None:
    path = folder / "genome.fa"
    if packing == "bgzip":
        path = builders.write_bgzip(folder / "genome.fa.gz", path)
    with Reference(path) as reference:
        for start, end in [
            (-30, -10),
            (-5, 7),
            (0, 10),
            (490, 710),
            (5990, 6010),
            (6000, 6020),
            (7000, 7010),
            (-3, 6003),
        ]:
            padded = "N" * 100 + genome["chr2"] + "N" * 2000
            assert reference.fetch("chr2", start, end).decode() == padded[start + 100 : end + 100]


@pytest.mark.parametrize("packing", ["plain", "bgzip"])
def test_the_index_is_made_beside_the_fasta(folder: Path, genome: dict[str, str], packing: str) -> None:
    path = folder / "genome.fa"
    if packing == "bgzip":
        path = builders.write_bgzip(folder / "genome.fa.gz", path)
    Reference(path).close()
    wanted = {".fai"} if packing == "plain" else {".fai", ".gzi"}
    assert {file.name.removeprefix(path.name) for file in folder.glob(f"{path.name}.*")} - {".gz"} == wanted
    assert not [file for file in folder.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("packing", ["plain", "bgzip"])
def test_a_folder_that_cannot_be_written_is_no_failure(
    folder: Path, genome: dict[str, str], packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "genome.fa"
    if packing == "bgzip":
        path = builders.write_bgzip(folder / "genome.fa.gz", path)
    before = {file.name for file in folder.iterdir()}
    monkeypatch.setattr(module.tempfile, "mkstemp", _refused_in(folder, module.tempfile.mkstemp))
    with Reference(path) as reference:
        assert reference.fetch("chr1", 0, 10).decode() == genome["chr1"][:10]
        temporary = Path(reference._fasta.filename.decode()).parent
        assert temporary != folder
    assert not temporary.exists()
    assert {file.name for file in folder.iterdir()} == before


def _refused_in(folder: Path, mkstemp: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    def refuse(suffix: str = "", prefix: str = "", dir: Path | None = None) -> tuple[int, str]:
        if dir == folder or dir == Path():
            raise PermissionError(13, "Permission denied")
        return mkstemp(suffix, prefix, dir)

    return refuse


def test_an_index_older_than_its_fasta_is_made_anew(folder: Path, genome: dict[str, str]) -> None:
    Reference("genome.fa").close()
    builders.write_fasta(folder / "genome.fa", {"other": "ACGT"})
    os.utime("genome.fa.fai", (0, 0))
    with Reference("genome.fa") as reference:
        assert reference.contigs.lengths == {"other": 4}


def test_an_empty_index_is_an_error(folder: Path, genome: dict[str, str]) -> None:
    Path("genome.fa.fai").touch()
    with pytest.raises(DataError, match="genome.fa: no sequences in its index; rm genome.fa.fai and run again"):
        Reference("genome.fa")


@pytest.mark.parametrize("name", ["-dash.fa", "a b'\"$x.fa", "é.fa"])
def test_unusual_names_are_names(folder: Path, name: str) -> None:
    builders.write_fasta(folder / name, {"c": "ACGT"})
    with Reference(name) as reference:
        assert reference.fetch("c", 0, 4) == b"ACGT"


def test_the_digest_is_of_names_and_lengths(folder: Path) -> None:
    digests = []
    for number, contigs in enumerate([{"a": "ACGT", "b": "AC"}, {"b": "GG", "a": "TTTT"}, {"a": "ACG", "b": "AC"}]):
        with Reference(builders.write_fasta(folder / f"{number}.fa", contigs)) as reference:
            digests.append(reference.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.fa", b"chr1\n", "a.fa: begins with 'c'; expected a FASTA, which begins with '>'"),
        ("a.fa", b"", "a.fa: empty; expected a FASTA, which begins with '>'"),
        ("a.fa", b">a\nACGT\nAC\nACGT\n", "a.fa: cannot be indexed or read"),
        ("a.fa.gz", b"\x1f\x8b", "a.fa.gz: compressed by plain gzip"),
        ("a.fa.gz", b"\x1f\x8b\x08\x04" + bytes(8) + b"BC" + bytes(30), "a.fa.gz: damaged ("),
        ("a.fa.gz", b"\x1f\x8b\x08\x04" + bytes(6) + b"\x06\0BC\x02\0\xff\0" + b"\xff" * 30, "a.fa.gz: damaged ("),
    ],
)
def test_what_is_no_fasta_is_refused(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        Reference(name)
    assert str(caught.value).startswith(message)
    assert os.listdir() == [name]


def test_plain_gzip_is_refused_with_the_commands(folder: Path) -> None:
    builders.write_gzip(folder / "hg.fa.gz", ">chr1\nACGT\n")
    with pytest.raises(DataError) as caught:
        Reference("hg.fa.gz")
    assert str(caught.value) == (
        "hg.fa.gz: compressed by plain gzip, which has no random access; expected a plain or bgzip-compressed FASTA; "
        "gunzip -k hg.fa.gz, or: gunzip -c hg.fa.gz | bgzip > hg.fa.bgz"
    )


def test_a_fasta_shorter_than_its_index_is_an_error(folder: Path, genome: dict[str, str]) -> None:
    Reference("genome.fa").close()
    with open("genome.fa", "r+b") as stream:
        stream.truncate(1000)
    os.utime("genome.fa", (0, 0))  # else the index may count as older, and be made anew
    with (
        Reference("genome.fa") as reference,
        pytest.raises(
            DataError, match="cannot read chr1:900-2000 .*; if the index is not that of this file: rm genome"
        ),
    ):
        reference.fetch("chr1", 900, 2000)


@given(st.integers(1, 70), st.sampled_from(["\n", "\r\n"]), st.tuples(st.integers(-9, 220), st.integers(0, 90)))
def test_any_part_of_any_layout_is_read(
    tmp_path_factory: pytest.TempPathFactory, width: int, ending: str, place: tuple[int, int]
) -> None:
    sequence = "".join(random.Random(width).choices("ACGTNacgtn", k=200))
    lines = [sequence[start : start + width] + ending for start in range(0, 200, width)]
    path = tmp_path_factory.mktemp("fasta") / "a.fa"
    path.write_bytes((f">one more{ending}AC{ending}>two{ending}" + "".join(lines)).encode())
    start, end = place[0], sum(place)
    with Reference(path) as reference:
        assert reference.fetch("two", start, end).decode() == ("N" * 9 + sequence + "N" * 200)[start + 9 : end + 9]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t6000\t6\t60\t59", "cannot be indexed or read"),
        ("chr1\t6000\t6\t0\t0", "cannot be indexed or read|cannot read chr1:0-10"),
        ("chr1\t0\t6\t0\t0", "no sequences in its index"),
        ("chr1\t6000\t0\t60\t61", "cannot read chr1:0-10 .the index is that of another FASTA"),
        ("chr1\t6000\t99999999\t60\t61", "cannot read chr1:0-10"),
    ],
)
def test_an_index_that_does_not_fit_is_an_error(folder: Path, genome: dict[str, str], line: str, message: str) -> None:
    Path("genome.fa.fai").write_text(line + "\n")
    with pytest.raises(DataError, match=f"^genome.fa: .*({message})"), Reference("genome.fa") as reference:
        reference.fetch("chr1", 0, 10)


def test_what_htslib_reads_is_read(folder: Path) -> None:
    """Blanks at the ends of lines, an empty contig, and an index with more columns."""
    Path("a.fa").write_bytes(b">e\n>a b\nACGT \nAC\n>c\nTTT")
    Path("a.fa.fai").write_text("e\t0\t3\t0\t0\t9\na\t6\t8\t4\t6\t9\nc\t3\t20\t3\t4\t9\n")
    with Reference("a.fa") as reference:
        assert reference.fetch("a", -1, 7) == b"NACGTACN"
        assert reference.fetch("c", 1, 3) == b"TT"
        assert reference.contigs.lengths == {"e": 0, "a": 6, "c": 3}

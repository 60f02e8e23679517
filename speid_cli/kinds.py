"""Recognise the kind of a file by its first bytes or lines, for the message about a file of the wrong kind."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from speid_cli.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
BEDPE, BED, BIGWIG, FASTA, VCF, TEXT = "BEDPE", "BED", "a bigWig", "a FASTA", "a VCF", "a text file"
DATA_SET, KERNELS, MODEL, MOTIFS = "a data set", "a file of motif kernels", "a model", "a file of motifs"

_HEAD_BYTES = 1 << 16
_MAGIC = {
    b"BAM\1": "a BAM",
    b"CRAM": "a CRAM",
    b"BCF": "a BCF",
    b"HIC\0": "a .hic map",
    b"\x89HDF": "an HDF5 file",
    b"\x26\xfc\x8f\x88": BIGWIG,
    b"\xeb\xf2\x89\x87": "a bigBed",
    b"\x43\x27\x41\x1a": "a 2bit file",
    b"%PDF": "a PDF",
}
# File names in the directory at the end of a zip archive.
_MEMBERS = {
    b"enhancer_onehot.npy": DATA_SET,
    b"motifs.npy": KERNELS,
    b"/data.pkl": MODEL,
    b"xl/workbook.xml": "an Excel workbook",
}
_BINARY = {*_MAGIC.values(), *_MEMBERS.values()}
_FIRST_WORDS = {
    "##fileformat=VCF": VCF,
    "##gff": "a GFF",
    "@HD\t": "a SAM",
    "@SQ\t": "a SAM",
    "MEME version": MOTIFS,
}


def recognised(error: DataError, *expected: str) -> DataError:
    """The error of a reader, or one that names the kind of its file where that is clearly none of `expected`."""
    kinds = [] if error.path in (None, "-") else _kinds_at(Path(str(error.path)))
    if not kinds or {*expected} & {*kinds} or (expected == (TEXT,) and kinds[0] not in _BINARY):
        return error
    return DataError(f"is {kinds[0]}", expected=" or ".join(expected), path=error.path)


@contextmanager
def expecting(*expected: str) -> Iterator[None]:
    """Apply `recognised` to data errors of the block; also a decorator."""
    try:
        yield
    except DataError as error:
        raise recognised(error, *expected) from error


def _kinds_at(path: Path) -> list[str]:
    """The kinds that a file may be of, the most likely first; empty where none is recognised."""
    try:
        state = path.stat()
        return _kinds(path, state.st_size, state.st_mtime_ns) if path.is_file() else []
    except OSError:
        return []


@lru_cache(maxsize=8)  # many lines of one file may be wrong
def _kinds(path: Path, size: int, changed: int) -> list[str]:
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
        stream.seek(max(0, size - _HEAD_BYTES))
        tail = stream.read()
    if head.startswith(b"PK\3\4"):
        return [kind for name, kind in _MEMBERS.items() if name in tail]
    if head.startswith(GZIP_MAGIC):
        head = _unpacked(head)
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return [kind]
    return list(_text_kinds(head.decode("utf-8", "replace").splitlines()))


def _unpacked(head: bytes) -> bytes:
    """The beginning of a gzip stream, decompressed."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
    except zlib.error:
        return b""


def _text_kinds(lines: list[str]) -> Iterator[str]:
    """Kinds of text file that have such lines; the last line may be incomplete."""
    first, second = [*filter(str.strip, lines), "", ""][:2]
    if first.startswith(">"):
        yield FASTA if re.fullmatch(r"[A-Za-z*.-]+", second) else MOTIFS
    yield from (kind for word, kind in _FIRST_WORDS.items() if first.startswith(word))
    for line in lines[:100]:
        if not line.startswith(("#", "track", "browser", ">")):
            yield from _line_kind(line.split("\t"))


def _line_kind(fields: list[str]) -> Iterator[str]:
    whole = [number for number, field in enumerate(fields) if field.isdecimal()]
    if {1, 2, 4, 5} <= {*whole}:
        yield BEDPE
    elif {1, 2} <= {*whole} and fields[0] not in fields[3:4]:  # else it is a BEDPE line that is at fault
        yield BED
    elif {3, 4} <= {*whole} and len(fields) >= 8:
        yield "a GFF"
    elif re.match(r"[^,]*,\d+,\d+,", fields[0]):
        yield "comma-separated (CSV)"

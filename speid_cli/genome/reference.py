"""Reference sequence: contigs, their names, and windows with N beyond their ends.

The only user of pysam.
"""

from __future__ import annotations

import bisect
import contextlib
import gzip
import hashlib
import itertools
import os
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from speid_cli.errors import DataError
from speid_cli.files import sha256_of_lines, unreadable
from speid_cli.genome.contigs import ReferenceContigs
from speid_cli.genome.onehot import encode
from speid_cli.kinds import FASTA, GZIP_MAGIC, expecting

# The messages of htslib come as exceptions too; they need not also go to standard error.
pysam.set_verbosity(0)

SAMPLES, SAMPLE_BP = 1024, 64


class Reference(contextlib.AbstractContextManager["Reference"]):
    """An indexed FASTA, plain or bgzip-compressed.

    The index ``.fai`` (and ``.gzi``) is made where it is missing or older than the FASTA; where the
    folder cannot be written, it is made in a temporary folder, beside a link to the FASTA.

    Raises
    ------
    DataError
        The file is missing, not a FASTA, or compressed by plain gzip.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        _check_format(self.path)
        self._cleanup = contextlib.ExitStack()
        self._fasta = self._open()
        lengths = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))
        if not sum(lengths.values()):
            raise DataError("no sequences in its index", hint=f"rm {self.path}.fai and run again", path=self.path)
        self.contigs = ReferenceContigs(lengths, self.path)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the FASTA and remove a temporary index."""
        self._cleanup.close()

    @property
    def digest(self) -> str:
        """SHA-256 over contig names and lengths, whatever their order."""
        return sha256_of_lines(f"{name}\t{length}" for name, length in sorted(self.contigs.lengths.items()))

    @property
    def sample(self) -> str:
        """SHA-256 over bases, in upper case, at `SAMPLES` places spread evenly over all contigs.

        Another sequence with the same names and lengths gives another hash; a small change may not.
        """
        lengths = dict(sorted(self.contigs.lengths.items()))
        ends = list(itertools.accumulate(lengths.values()))
        contigs, digest = list(lengths), hashlib.sha256()
        for number in range(SAMPLES):
            place = number * ends[-1] // SAMPLES
            index = bisect.bisect_right(ends, place)
            first = place - ends[index] + lengths[contigs[index]]
            digest.update(self.fetch(contigs[index], first, first + SAMPLE_BP).upper())
        return digest.hexdigest()

    def fetch(self, contig: str, start: int, end: int) -> bytes:
        """Sequence of [start, end) in the letters of the file; N beyond the ends of the contig.

        Returns
        -------
        bytes
            ``end - start`` letters.
        """
        length = self.contigs.lengths[contig]
        first, last = min(max(start, 0), length), min(max(end, 0), length)
        try:
            inside = self._inside(contig, first, last) if first < last else b""
        except (OSError, ValueError) as error:
            raise DataError(
                f"cannot read {contig}:{first}-{last} ({error})",
                hint=f"if the index is not that of this file: rm {self.path}.fai and run again",
                path=self.path,
            ) from error
        return inside.rjust(min(last, end) - start, b"N").ljust(end - start, b"N")

    def _inside(self, contig: str, start: int, end: int) -> bytes:
        letters = self._fasta.fetch(contig, start, end)
        if ">" in letters or len(letters) < end - start:
            raise ValueError("the index is that of another FASTA")
        return str(letters).encode("ascii", "replace")

    def codes(self, places: Sequence[tuple[str, int]], length: int) -> NDArray[np.uint8]:
        """Base codes (N, length) of the windows that start at these places on contigs."""
        codes = np.empty((len(places), length), np.uint8)
        for row, (contig, start) in zip(codes, places, strict=True):
            row[:] = encode(self.fetch(contig, start, start + length))
        return codes

    def _open(self) -> pysam.FastaFile:
        path = self.path
        try:
            if not _index_is_current(path) and not _make_index(path):
                folder = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="speid-"))
                link = Path(folder, path.name)
                link.symlink_to(path.resolve())
                path = link
                _make_index(path)
            fasta = pysam.FastaFile(str(path.absolute()))
            self._cleanup.callback(fasta.close)
        except (OSError, ValueError, pysam.SamtoolsError) as error:
            self.close()
            raise DataError(
                "cannot be indexed or read",
                expected="a FASTA in which all lines of a sequence have the same length",
                hint=f"rm -f {self.path}.fai; samtools faidx {self.path} may say more",
                path=self.path,
            ) from error
        return fasta


def _index_is_current(fasta: Path) -> bool:
    """Whether there is an index that is not older than its FASTA."""
    index = Path(f"{fasta}.fai")
    return index.exists() and index.stat().st_mtime >= fasta.stat().st_mtime


def _make_index(fasta: Path) -> bool:
    """Index a FASTA; False where the folder cannot be written. Other processes see only the complete index."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{fasta.name}.", suffix=".fai", dir=fasta.parent)
    except OSError:
        return False
    os.close(descriptor)
    compressed_index = f"{temporary}.gzi"
    try:
        pysam.faidx("--fai-idx", temporary, "--gzi-idx", compressed_index, str(fasta.absolute()))
        os.chmod(temporary, 0o644)
        if os.path.exists(compressed_index):
            os.replace(compressed_index, f"{fasta}.gzi")
        os.replace(temporary, f"{fasta}.fai")
    finally:
        for leftover in (temporary, compressed_index):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)
    return True


@expecting(FASTA)
def _check_format(path: Path) -> None:
    try:
        with open(path, "rb") as stream:
            head = stream.read(18)
        if head[:2] == GZIP_MAGIC:
            if not (head[3:4] == b"\x04" and head[12:14] == b"BC"):
                stem = str(path).removesuffix(".gz")
                raise DataError(
                    "compressed by plain gzip, which has no random access",
                    expected="a plain or bgzip-compressed FASTA",
                    hint=f"gunzip -k {path}, or: gunzip -c {path} | bgzip > {stem}.bgz",
                    path=path,
                )
            with gzip.open(path) as unpacked:
                head = unpacked.read(1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"damaged ({error})", hint="copy or compress the file again", path=path) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if head[:1] != b">":
        found = f"begins with {head[:1].decode('latin-1')!r}" if head else "empty"
        raise DataError(found, expected="a FASTA, which begins with '>'", path=path)

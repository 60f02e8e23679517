"""Input of the peers: base codes of unrelated pairs, and of real neighbours that share elements."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.intervals import Interval, window_start
from speid_cli.genome.onehot import encode
from speid_cli.genome.pair_reader import PairReader
from speid_cli.genome.reference import Reference

UNRELATED = 200
WINDOWS = 3000, 2000
DISTANCE_BP = 2_000_000
NEIGHBOURS = slice(600, 640)  # enhancers next to each other on the chromosome: some 20 pairs an element


@dataclass(frozen=True)
class Work:
    """The file of arrays, and a summary of its content."""

    path: Path
    unrelated: int
    enhancers: int
    promoters: int
    pairs: int
    source: str

    @property
    def elements(self) -> int:
        """Unique elements of the shared pairs."""
        return self.enhancers + self.promoters


def make_work(data: Path | None, path: Path) -> Work:
    """Write the arrays."""
    rng = np.random.default_rng(0)
    unrelated = [rng.integers(0, 4, (UNRELATED, width), dtype=np.uint8) for width in WINDOWS]
    if data is None:
        sides = [rng.integers(0, 4, (count, width), dtype=np.uint8) for count, width in ((40, 3000), (70, 2000))]
        left, right = (values.ravel() for values in np.meshgrid(np.arange(40), np.arange(70), indexing="ij"))
        source = "random sequence"
    else:
        sides, left, right = real_neighbours(data, path.parent)
        source = "real elements of six cell lines on chr22, all against all within 2 Mb"
    labels = (np.arange(UNRELATED) % 2).astype(np.float32)
    np.savez(path, enhancers=unrelated[0], promoters=unrelated[1], labels=labels, shared_enhancers=sides[0],
             shared_promoters=sides[1], left=left, right=right)  # fmt: skip
    return Work(path, UNRELATED, len(sides[0]), len(sides[1]), len(left), source)


def real_neighbours(data: Path, folder: Path) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64], NDArray[np.int64]]:
    """Windows of neighbouring elements and all pairs of them within 2 Mb between the nearest edges."""
    elements = elements_of(data, "targetfinder.*.chr22.hg38.bedpe.gz")
    enhancers = elements[0][NEIGHBOURS]
    promoters = [p for p in elements[1] if any(apart(e, p) <= DISTANCE_BP for e in enhancers)]
    pairs = [(i, j) for i, e in enumerate(enhancers) for j, p in enumerate(promoters) if apart(e, p) <= DISTANCE_BP]
    left, right = np.array(pairs, np.int64).T
    with Reference(str(unpacked_chr22(data, folder))) as reference:
        sides = [windows(reference, side, width) for side, width in zip((enhancers, promoters), WINDOWS, strict=True)]
    return sides, left, right


def elements_of(data: Path, names: str) -> list[list[Interval]]:
    """All enhancers and all promoters of files of pairs, in order along the genome."""
    found: tuple[set[Interval], set[Interval]] = set(), set()
    for bedpe in sorted(data.glob(names)):
        for _, pair in PairReader(str(bedpe)):
            for side, element in zip(found, pair, strict=True):
                side.add(element)
    return [sorted(side) for side in found]


def unpacked_chr22(data: Path, folder: Path) -> Path:
    """The FASTA of chr22, unpacked into a folder."""
    fasta = folder / "chr22.fa"
    with gzip.open(data / "chr22.hg38.fa.gz") as packed, open(fasta, "wb") as plain:
        shutil.copyfileobj(packed, plain)
    return fasta


def apart(one: Interval, other: Interval) -> int:
    """Bases between two elements of one chromosome."""
    return max(one.start, other.start) - min(one.end, other.end)


def windows(reference: Reference, elements: list[Interval], width: int) -> NDArray[np.uint8]:
    """Base codes (N, width) of the elements' windows."""
    codes = np.empty((len(elements), width), np.uint8)
    for row, (chrom, start, end) in zip(codes, elements, strict=True):
        first = window_start(start, end, width)
        row[:] = encode(reference.fetch(chrom, first, first + width))
    return codes

"""Peaks of hg19 in the coordinates of hg38, on chr22, by the pairs that were published in both.

The pairs' elements tell by how much every stretch of the chromosome has moved. A peak moves as the nearest element
before or behind it; where these have moved differently, as the nearer one.
"""

from __future__ import annotations

import gzip
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHROM = "chr22"


def lift_peaks(data: Path, cell: str, folder: Path) -> None:
    """Write a cell line's chr22 peaks, and ``tracks.tsv`` with the names of the assays that have some."""
    tracks = folder / "tracks.tsv"
    if tracks.exists():
        return
    folder.mkdir(exist_ok=True)
    place, moved = offsets(data)
    rows = ["name\tpath"]
    for line in (data / "peaks" / cell / "filenames.csv").read_text().splitlines()[1:]:
        name, file = line.split(",")[:2]
        text = gzip.decompress((data / "peaks" / cell / f"{file}.gz").read_bytes()).decode()
        peaks = [fields for fields in map(str.split, text.splitlines()) if fields[0] == CHROM]
        for fields in peaks:
            middle = (int(fields[1]) + int(fields[2])) // 2
            offset = int(moved[nearest(place, middle)])
            fields[1:3] = (str(int(position) + offset) for position in fields[1:3])
        if not peaks:
            continue
        (folder / file).write_text("".join("\t".join(fields) + "\n" for fields in peaks))
        rows.append(f"{name}\t{file}")
    tracks.write_text("\n".join(rows) + "\n")


def nearest(place: NDArray[np.int64], position: int) -> int:
    """Which of the sorted places is nearest."""
    after = int(np.searchsorted(place, position).clip(1, len(place) - 1))
    return after - int(position - place[after - 1] < place[after] - position)


def offsets(data: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ends of elements (M,) in hg19, sorted, and by how much each lies farther on in hg38 (M,)."""
    found: dict[int, int] = {}
    for path in sorted(data.glob(f"targetfinder.*.{CHROM}.hg38.bedpe.gz")):
        new, old = read_pairs(path), read_pairs(path.with_name(path.name.replace(f"{CHROM}.hg38", "hg19")))
        shapes = [[(row[1] - row[0], row[3] - row[2], row[4]) for row in rows] for rows in (old, new)]
        for first, second, size in SequenceMatcher(None, *shapes, autojunk=False).get_matching_blocks():
            for row in range(size):
                found |= {old[first + row][end]: new[second + row][end] - old[first + row][end] for end in range(4)}
    place = np.array(sorted(found))
    return place, np.array([found[position] for position in place.tolist()])


def read_pairs(path: Path) -> list[list[int]]:
    """Starts and ends of both elements, and the label, of each chr22 pair of a file."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()[1:]
    rows = [fields for fields in (line.split("\t") for line in lines) if fields[0] == CHROM]
    return [[int(fields[column]) for column in (1, 2, 4, 5, 10)] for fields in rows]

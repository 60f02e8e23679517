"""TargetFinder's features of pairs: the mean signal of each track in four regions.

Whalen, Truty and Pollard 2016. The value of a region is the sum of the signals of all peaks that share a base with it,
divided by its length in bp; of a bigWig, the mean over all of its bases, of which those without a value count as 0.

N pairs; T tracks; R different regions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import DataError, located
from speid_cli.genome.bigwig import read_contigs, sums_of_values
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.overlaps import overlap_sums
from speid_cli.genome.peaks import read_peaks
from speid_cli.genome.tracks import Track, signal_column

REGIONS = ("enhancer", "extended enhancer", "promoter", "window")
EXTENSION_BP = 3000
Places = NDArray[np.int64]
Values = NDArray[np.float64]
PeakSums = Callable[[Places, Values], Values]
# Is told how many more files have been read.
Advance = Callable[[int], object]


class PairRegions(NamedTuple):
    """The four regions of each pair.

    Attributes
    ----------
    place : int64 (R, 3)
        Number of the chromosome, start and end; sorted, each once.
    row : int64 (N, 4)
        Row of each region, in the order of `REGIONS`; -1 where a pair has no window.
    """

    place: Places
    row: NDArray[np.int64]


def pair_regions(enhancer: Places, promoter: Places) -> PairRegions:
    """The regions of pairs whose elements are (N, 3): number of the chromosome, start and end.

    The extended enhancer has 3,000 bp more on both sides, but begins at 0 at the lowest. The window lies between the
    nearer ends: [lower end + 1, higher start - 1), as in TargetFinder. Pairs without a base there, or on two
    chromosomes, have no window.
    """
    extended = enhancer + [0, -EXTENSION_BP, EXTENSION_BP]
    extended[:, 1] = extended[:, 1].clip(0)
    start = np.minimum(enhancer[:, 2], promoter[:, 2]) + 1
    end = np.maximum(enhancer[:, 1], promoter[:, 1]) - 1
    window = np.stack([enhancer[:, 0], start, end], axis=1)
    has_window = (enhancer[:, 0] == promoter[:, 0]) & (start < end)
    place, found = np.unique(
        np.concatenate([enhancer, extended, promoter, window[has_window]]), axis=0, return_inverse=True
    )
    pairs, row = len(enhancer), np.full((len(enhancer), len(REGIONS)), -1)
    row[:, :3] = found.reshape(-1)[: 3 * pairs].reshape(3, pairs).T
    row[has_window, 3] = found.reshape(-1)[3 * pairs :]
    return PairRegions(place, row)


class FileSums(NamedTuple):
    """The summed signal (R,) of one file, its first interval, and whether it has a contig of the pairs."""

    sums: Values
    first: Interval
    is_known: bool


class Silent(NamedTuple):
    """A track without signal in any region, or files of a track without a contig of the pairs.

    Attributes
    ----------
    path, first : str, Interval
        Such a file, and the first interval there.
    files : int
        How many there are; 0: the whole track has no signal.
    """

    name: str
    path: str
    first: Interval
    files: int = 0


@dataclass(frozen=True)
class TrackFeatures:
    """The features of N pairs.

    Attributes
    ----------
    tracks : tuple of str
        Names.
    value : float64 (R, T)
        Mean signal of each track in each region.
    row : int64 (N, 4)
        Rows of each pair's regions, in the order of `REGIONS`; -1 where a pair has no window.
    silent : tuple of Silent
    """

    tracks: tuple[str, ...]
    value: Values
    row: NDArray[np.int64]
    silent: tuple[Silent, ...]

    @property
    def columns(self) -> list[str]:
        """The names of the columns of `of_pairs`: ``NAME (REGION)``."""
        return [f"{name} ({region})" for name in self.tracks for region in REGIONS]

    def of_pairs(self, pairs: slice = slice(None), regions: Sequence[str] = REGIONS) -> Values:
        """Features (n, T * number of regions) of some pairs; NaN where a pair has no window."""
        row = self.row[pairs][:, [REGIONS.index(region) for region in regions]]
        value = self.value[row]  # (n, regions, T)
        value[row < 0] = np.nan
        return value.transpose(0, 2, 1).reshape(len(row), -1)


def track_features(
    tracks: Sequence[Track],
    enhancer: Places,
    promoter: Places,
    chromosomes: Sequence[str],
    contigs: ContigNames,
    advance: Advance = lambda files: None,
) -> TrackFeatures:
    """The features of pairs; needs bedtools, and pybigtools for bigWigs.

    Parameters
    ----------
    enhancer, promoter : int64 (N, 3)
        Number of the chromosome, start and end.
    chromosomes : sequence of str
        Their names, as known to `contigs`.
    contigs : ContigNames
        Names by which those of the tracks are found; with the lengths of a reference, nothing may end beyond them.
    advance : callable
        Is told of how many more files have been read.

    Raises
    ------
    DataError
        A file is not valid, or no file has a contig of the pairs.
    OptionError
        bedtools or pybigtools is not installed.
    """
    place, row = pair_regions(enhancer, promoter)
    numbers = {name: number for number, name in enumerate(chromosomes)}
    value, silent, is_known = np.zeros((len(place), len(tracks))), list[Silent](), False
    with overlap_sums(place) as sums_of_peaks:
        for column, track in enumerate(tracks):
            unknown = []
            for path in track.paths:
                found = _file_sums(path, place, numbers, contigs, sums_of_peaks)
                value[:, column] += found.sums
                is_known = is_known or found.is_known
                if not found.is_known:
                    unknown.append((path, found.first))
                advance(1)
            if not value[:, column].any():
                silent.append(Silent(track.name, path, found.first))
            elif unknown:
                silent.append(Silent(track.name, *unknown[0], len(unknown)))
    if not is_known:
        contigs.find_all(silent[0].path, [silent[0].first])  # raises
    value /= (place[:, 2] - place[:, 1])[:, None]
    return TrackFeatures(tuple(track.name for track in tracks), value, row, tuple(silent))


def check_ends(
    tracks: Sequence[Track], path: str, lines: Sequence[int | None], pairs: Sequence[ElementPair], contigs: ContigNames
) -> None:
    """Check that no element ends beyond its contig in a bigWig.

    Parameters
    ----------
    path : str
        The file of the pairs.
    lines, pairs : sequence (N,)
        The pairs, under the names of `contigs`, and their lines; None: not known.

    Raises
    ------
    DataError
        An element does; the message gives its line. Or a bigWig cannot be read.
    """
    for file in (file for track in tracks for file in track.paths if signal_column(file) is None):
        lengths = {contigs.find(name) or name: length for name, length in read_contigs(file).items()}
        known = ReferenceContigs(lengths, file)
        for line, pair in zip(lines, pairs, strict=True):
            with located(path, line):
                for element in pair:
                    known.place(element)


def _file_sums(
    path: str, place: Places, numbers: Mapping[str, int], contigs: ContigNames, sums_of_peaks: PeakSums
) -> FileSums:
    column = signal_column(path)
    if column is None:
        found = _bigwig_sums(path, place, numbers, contigs)
    else:
        peaks = read_peaks(path, column, contigs, numbers)
        found = FileSums(sums_of_peaks(peaks.place, peaks.signal), peaks.first, peaks.is_known)
    if not np.isfinite(found.sums).all():
        raise DataError("the sum of the signal in a region is not a finite number", path=path)
    return found


def _bigwig_sums(path: str, place: Places, numbers: Mapping[str, int], contigs: ContigNames) -> FileSums:
    wholes = [Interval(name, 0, length) for name, length in read_contigs(path).items()]
    with located(path):
        placed = [contigs.place(whole) for whole in wholes]
    spelling = {known.chrom: whole.chrom for whole, known in zip(wholes, placed, strict=True) if known}
    names = {number: spelling[chrom] for chrom, number in numbers.items() if chrom in spelling}
    rows = np.flatnonzero(np.isin(place[:, 0], list(names)))
    sums = np.zeros(len(place))
    sums[rows] = sums_of_values(path, [Interval(names[chrom], *bounds) for chrom, *bounds in place[rows].tolist()])
    return FileSums(sums, wholes[0], bool(spelling))

"""A study's pairs in memory and in their file, ``PAIRS.npz``.

Each unique element is stored once, packed, with its window and the same margin on both sides, wide
enough for the largest shift; the unshifted window is the middle. Pairs refer to elements by index.
Symbols below: N pairs; E enhancers or P promoters; W the stored width in bp.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.archive import Archive, write_archive
from speid_cli.dataset.metrics import has_both_classes
from speid_cli.dataset.plain import is_reference
from speid_cli.dataset.zips import brief
from speid_cli.errors import DataError, counted
from speid_cli.genome.intervals import ElementPair, Interval
from speid_cli.genome.onehot import ALPHABET, is_packed, unpack
from speid_cli.kinds import DATA_SET, expecting

FORMAT_VERSION = 1
# Of a BEDPE coordinate too; sums of two positions stay far inside int64.
LAST_POSITION = 10**15
# Counting the bytes of packed sequence takes eight times their memory.
_ROWS_AT_A_TIME = 1024
# Shifts are stored as int16 and reach half a window.
LONGEST_WINDOW = 2 * np.iinfo(np.int16).max
SUBSETS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
SIDES = ("enhancer", "promoter")
# One to test on, one to validate on and one to train on.
FEWEST_FOLDS, MOST_FOLDS = 3, 100


@dataclass(frozen=True)
class Elements:
    """The unique elements of one side.

    Attributes
    ----------
    packed : uint8 (E, ceil(width / 2))
        Packed stored sequence, two bases a byte.
    width, window : int
        Stored and model width in bp; the margin on each side is half their difference.
    shift : int16 (E, 2)
        Lowest and highest allowed shift of the window in bp.
    interval : int64 (E, 3)
        Chromosome index, start, end of the element itself.
    """

    packed: NDArray[np.uint8]
    width: int
    window: int
    shift: NDArray[np.int16]
    interval: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.interval)

    @property
    def margin(self) -> int:
        """Stored bp on each side of the unshifted window."""
        return (self.width - self.window) // 2

    def codes(self, rows: slice = slice(None)) -> NDArray[np.uint8]:
        """Base codes (E, width) of the stored sequences, or of some rows of them."""
        return unpack(self.packed[rows], self.width)

    def window_codes(self, rows: slice | list[int]) -> NDArray[np.uint8]:
        """Base codes (M, window) of the unshifted windows of some rows."""
        return unpack(self.packed[rows], self.width)[:, self.margin : self.margin + self.window]


@dataclass(frozen=True)
class PairDataset:
    """Labelled pairs over two sets of unique elements.

    Attributes
    ----------
    enhancer_index, promoter_index : int32 (N,)
    label : int8 (N,)
        1 interacting, 0 not, -1 unknown.
    subset : int8 (N,)
        0 train, 1 validation, 2 test.
    chromosomes : tuple of str
        The names that the chromosome indices of the elements refer to.
    metadata : dict
        Reference path and digest, source and its SHA-256, split settings, seed, version.
    name : tuple of str
        The pairs' names in the input, ``.`` for none; empty if the file has no names.
    fold : int8 (N,), optional
        1 to K: where the pairs are tested; `subset` is that for fold 1, or for the one that `for_fold` was given.
    """

    enhancers: Elements
    promoters: Elements
    enhancer_index: NDArray[np.int32]
    promoter_index: NDArray[np.int32]
    label: NDArray[np.int8]
    subset: NDArray[np.int8]
    chromosomes: tuple[str, ...]
    metadata: dict[str, Any]
    name: tuple[str, ...] = ()
    fold: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def folds(self) -> int:
        """Number of folds, K; 0 where the data set has none."""
        return 0 if self.fold is None else int(self.fold.max(initial=0))

    def for_fold(self, number: int) -> PairDataset:
        """The data set with one fold as test subset, the next as validation subset and the others to train on.

        Raises
        ------
        DataError
            There is no such fold.
        """
        if self.fold is None or not 1 <= number <= self.folds:
            raise DataError(
                f"no fold {number}: it has {counted(self.folds, 'fold')}",
                hint="speid prepare --folds K makes them" if not self.folds else "",
            )
        held_out = [self.fold == number, self.fold == number % self.folds + 1]
        subset = np.select(held_out, [TEST, VALIDATION], TRAIN).astype(np.int8)
        fold = {"number": number, "count": self.folds, "data": self.digest}
        return replace(self, subset=subset, metadata=self.metadata | {"fold": fold})

    @property
    def divisions(self) -> tuple[PairDataset, ...]:
        """The data set as it is divided for each fold; itself where it has no folds."""
        return tuple(map(self.for_fold, range(1, self.folds + 1))) or (self,)

    @property
    def sides(self) -> tuple[tuple[str, Elements, NDArray[np.int32]], ...]:
        """Name, elements and index (N,) of the enhancers, and of the promoters."""
        return ("enhancer", self.enhancers, self.enhancer_index), ("promoter", self.promoters, self.promoter_index)

    def pair(self, row: int) -> ElementPair:
        """The elements of a pair."""
        places = (side.interval[index[row]].tolist() for _, side, index in self.sides)
        return ElementPair(*(Interval(self.chromosomes[chrom], start, end) for chrom, start, end in places))

    def members(self, subset: int) -> NDArray[np.int64]:
        """Positions of a subset's labelled pairs, in order."""
        return np.flatnonzero((self.subset == subset) & (self.label >= 0))

    def check_both_classes(self, subset: int, hint: str = "") -> None:
        """Refuse a subset that does not hold both classes.

        Raises
        ------
        DataError
            It lacks positives or negatives.
        """
        check_both_classes(self.label[self.members(subset)], f"the {SUBSETS[subset]} subset has", hint)

    def chromosomes_of(self, subset: int) -> list[str]:
        """Chromosomes on which a subset has an element, in order."""
        pairs = self.subset == subset
        used = np.union1d(
            self.enhancers.interval[self.enhancer_index[pairs], 0],
            self.promoters.interval[self.promoter_index[pairs], 0],
        )
        return [self.chromosomes[index] for index in used]

    def write(self, stream: BinaryIO) -> None:
        """Write ``PAIRS.npz``; the same data set gives the same bytes."""
        arrays = {"format_version": FORMAT_VERSION, "alphabet": ALPHABET} | self._content()
        arrays["metadata"] = json.dumps(self.metadata, sort_keys=True)
        if self.name:
            arrays["name"] = np.frombuffer("\n".join(self.name).encode(), np.uint8)
        write_archive(stream, arrays, [f"{side}_onehot" for side, _, _ in self.sides])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of sequence, elements, pairs, labels and subsets, whatever files they were made from."""
        digest = hashlib.sha256()
        for name, values in self._content().items():
            array = np.ascontiguousarray(values)
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def _content(self) -> dict[str, Any]:
        """What a model learns from, by the names of the arrays in the file."""
        arrays: dict[str, Any] = {}
        for side, elements, _ in self.sides:
            arrays |= {
                f"{side}_onehot": elements.packed,
                f"{side}_width": elements.width,
                f"{side}_window": elements.window,
                f"{side}_shift": elements.shift,
                f"{side}_interval": elements.interval,
            }
        arrays |= {f"{side}_index": index for side, _, index in self.sides}
        arrays |= {"label": self.label, "subset": self.subset, "chromosomes": np.array(self.chromosomes, dtype=np.str_)}
        return arrays | ({} if self.fold is None else {"fold": self.fold})

    @classmethod
    @expecting(DATA_SET)
    def read(cls, path: str | Path) -> PairDataset:
        """Read ``PAIRS.npz``.

        Raises
        ------
        DataError
            The file is missing or damaged, or any array has another dtype, shape or range than
            it must have.
        """
        with Archive(path) as archive:
            archive.check_version(FORMAT_VERSION)
            _check_shapes(archive)
            chromosomes = _read_names(archive)
            enhancers, promoters = (_read_elements(archive, side, len(chromosomes)) for side in SIDES)
            label = _in_range(archive, "label", "int8", (None,), -1, 1)
            shape = (len(label),)
            return cls(
                enhancers,
                promoters,
                _in_range(archive, "enhancer_index", "int32", shape, 0, len(enhancers) - 1),
                _in_range(archive, "promoter_index", "int32", shape, 0, len(promoters) - 1),
                label,
                _in_range(archive, "subset", "int8", shape, 0, len(SUBSETS) - 1),
                chromosomes,
                _read_metadata(archive),
                _read_pair_names(archive, len(label)),
                _in_range(archive, "fold", "int8", shape, 1, MOST_FOLDS) if "fold" in archive.names else None,
            )


def check_both_classes(label: NDArray[np.int8], pairs: str, hint: str = "") -> None:
    """Refuse labels (N,) that are not of both classes; `pairs` says which pairs have them."""
    if not has_both_classes(label):
        positives = int(label.sum())
        both = f"{counted(positives, 'positive')} and {counted(len(label) - positives, 'negative')}"
        raise DataError(f"{pairs} {both}", expected="both", hint=hint)


def _check_shapes(archive: Archive) -> None:
    """Refuse arrays that do not fit one another, before any of them is read."""
    pairs = archive.shape("label", "int8", (None,))
    for name, kind in (("enhancer_index", "int32"), ("promoter_index", "int32"), ("subset", "int8")):
        archive.shape(name, kind, pairs)
    for side in SIDES:
        width, _ = _read_widths(archive, side)
        count, _ = archive.shape(f"{side}_interval", "int64", (None, 3))
        archive.shape(f"{side}_shift", "int16", (count, 2))
        archive.shape(f"{side}_onehot", "uint8", (count, -(-width // 2)))


def _read_names(archive: Archive) -> tuple[str, ...]:
    names: list[str] = archive.read_values("chromosomes", "U", (None,))
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"chromosomes: a name is not text ({brief(error)})", path=archive.path) from error
    return tuple(names)


def _read_pair_names(archive: Archive, pairs: int) -> tuple[str, ...]:
    """Names joined by LF; none in a file without them."""
    if "name" not in archive.names:
        return ()
    try:
        names = tuple(archive.read("name", "uint8", (None,)).tobytes().decode().split("\n"))
    except UnicodeDecodeError as error:
        raise DataError(f"name is not UTF-8 text ({brief(error)})", path=archive.path) from error
    if len(names) != pairs:
        raise DataError(f"{len(names):,} names for {pairs:,} pairs", path=archive.path)
    return names


def _read_metadata(archive: Archive) -> dict[str, Any]:
    metadata = archive.read_json("metadata")
    if not isinstance(metadata, dict):
        raise DataError("metadata is not a JSON object", path=archive.path)
    if not is_reference(metadata.get("reference")):
        raise DataError("metadata: reference is not a path and a digest", path=archive.path)
    return metadata


def _read_widths(archive: Archive, side: str) -> tuple[int, int]:
    width = archive.read_values(f"{side}_width", "int64", ())
    window = archive.read_values(f"{side}_window", "int64", ())
    if not 0 < window <= min(width, LONGEST_WINDOW) or width > 2 * window or (width - window) % 2:
        raise DataError(f"{side}_width {width} does not fit {side}_window {window}", path=archive.path)
    return width, window


def _read_elements(archive: Archive, side: str, n_chromosomes: int) -> Elements:
    width, window = _read_widths(archive, side)
    interval = archive.read(f"{side}_interval", "int64", (None, 3))
    chrom, start, end = interval.T
    if len(interval) and (chrom.min() < 0 or chrom.max() >= n_chromosomes or (start >= end).any()):
        raise DataError(f"{side}_interval holds rows that are not intervals", path=archive.path)
    if len(interval) and (start.min() < 0 or end.max() > LAST_POSITION):
        raise DataError(f"{side}_interval: positions outside 0..{LAST_POSITION}", path=archive.path)
    margin = (width - window) // 2
    shift = _in_range(archive, f"{side}_shift", "int16", (len(interval), 2), -margin, margin)
    if (shift[:, 0] > shift[:, 1]).any():
        raise DataError(f"{side}_shift: lowest above highest", path=archive.path)
    onehot = archive.read(f"{side}_onehot", "uint8", (len(interval), -(-width // 2)))
    if not all(is_packed(onehot[row : row + _ROWS_AT_A_TIME]) for row in range(0, len(onehot), _ROWS_AT_A_TIME)):
        raise DataError(f"{side}_onehot holds four bits that are not a base", path=archive.path)
    return Elements(onehot, width, window, shift, interval)


def _in_range(
    archive: Archive, name: str, kind: str, shape: tuple[int | None, ...], low: int, high: int
) -> NDArray[Any]:
    values = archive.read(name, kind, shape)
    if values.size and (values.min() < low or values.max() > high):
        raise DataError(f"{name} holds values outside {low}..{high}", path=archive.path)
    return values

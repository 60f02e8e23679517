"""Motifs placed into convolution kernels, and the file that holds them, ``KERNELS.npz``. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.archive import Archive, write_archive
from speid_cli.dataset.zips import brief
from speid_cli.errors import DataError
from speid_cli.genome.motif_files import Motif
from speid_cli.genome.onehot import ALPHABET
from speid_cli.kinds import KERNELS, expecting
from speid_cli.model.config import LARGEST

FORMAT_VERSION = 1
BACKGROUND = 0.25


@dataclass(frozen=True)
class PlacedMotif:
    """The place of a motif in the kernels, and its source.

    `kernel` counts from 0; `offset` and `length` are in bp inside the kernel; `strand` is "+" or,
    for a reverse complement, "-".
    """

    identifier: str
    name: str
    kernel: int
    offset: int
    length: int
    strand: str
    source: str

    @property
    def columns(self) -> slice:
        """Its positions in the kernel."""
        return slice(self.offset, self.offset + self.length)


@dataclass(frozen=True)
class KernelInitialisers:
    """Motifs placed into kernels, as ``KERNELS.npz`` holds them.

    Attributes
    ----------
    placed : tuple of PlacedMotif (M,)
    weight : float32 (M, 4, kernel_length)
        PPM minus 0.25, channels A, T, C, G; 0 outside the motif.
    bias : float32 (M,)
        Uniform over (-1, 0).
    path : str or Path, optional
        The file that they were read from.
    """

    placed: tuple[PlacedMotif, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    path: str | Path | None = None

    def __len__(self) -> int:
        return len(self.placed)

    @property
    def kernel_length(self) -> int:
        """Length of the kernels in bp."""
        return self.weight.shape[2]

    def records(self) -> list[dict[str, Any]]:
        """The placed motifs as plain values, as the model file keeps them."""
        return [asdict(placed) for placed in self.placed]

    def write(self, stream: BinaryIO) -> None:
        """Write ``KERNELS.npz``."""
        arrays = {"format_version": FORMAT_VERSION, "alphabet": ALPHABET, "weight": self.weight, "bias": self.bias}
        write_archive(stream, arrays | {"motifs": json.dumps(self.records())})

    @classmethod
    @expecting(KERNELS)
    def read(cls, path: str | Path) -> KernelInitialisers:
        """Read ``KERNELS.npz``.

        Raises
        ------
        DataError
            The file is missing or damaged, or its parts do not fit one another.
        """
        with Archive(path) as archive:
            archive.check_version(FORMAT_VERSION)
            count, _, kernel_length = archive.shape("weight", "float32", (None, 4, None))
            if not 0 < kernel_length <= LARGEST:
                raise DataError(f"kernels of {kernel_length} bp", expected=f"1 to {LARGEST} bp", path=path)
            bias = archive.read("bias", "float32", (count,))
            placed = _read_records(archive, count, kernel_length)
            weight = archive.read("weight", "float32", (count, 4, kernel_length))
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise DataError("kernels that are not finite numbers", path=path)
        return cls(placed, weight, bias, path)


def _read_records(archive: Archive, count: int, kernel_length: int) -> tuple[PlacedMotif, ...]:
    placed = placed_motifs(archive.read_json("motifs"), kernel_length, archive.path)
    if len(placed) != count or len({item.kernel for item in placed}) != count:
        raise DataError(f"motifs: {len(placed)} records for {count} kernels", path=archive.path)
    return placed


def placed_motifs(records: Any, kernel_length: int, path: str | Path) -> tuple[PlacedMotif, ...]:
    """Placed motifs from plain values, as `KernelInitialisers.records` gives them.

    Raises
    ------
    DataError
        A record is incomplete, has a value of another type, or lies outside a kernel.
    """
    types = {"identifier": str, "name": str, "kernel": int, "offset": int, "length": int, "strand": str, "source": str}
    try:
        placed = tuple(PlacedMotif(**record) for record in records)
    except TypeError as error:
        raise DataError(f"motifs: no list of placed motifs ({brief(error)})", path=path) from error
    for item in placed:
        well_typed = all(type(getattr(item, name)) is kind for name, kind in types.items())
        if not well_typed or min(item.kernel, item.offset) < 0 or not 0 < item.length <= kernel_length - item.offset:
            raise DataError(f"motifs: {item!s:.200} is not inside a kernel of {kernel_length} bp", path=path)
    return placed


def fit(motifs: Sequence[Motif], kernel_length: int) -> list[Motif]:
    """The motifs, each longer than the kernel cut to its middle."""
    return [motif.centre(kernel_length) if motif.length > kernel_length else motif for motif in motifs]


def choose(motifs: Sequence[Motif], limit: int, both_strands: bool, seed: int) -> list[Motif]:
    """Motifs for at most `limit` kernels, in order; a random choice where there are more.

    With `both_strands` each chosen motif is followed by its reverse complement.
    """
    room = limit // (1 + both_strands)
    if len(motifs) > room:
        chosen = np.random.default_rng(seed).choice(len(motifs), room, replace=False)
        motifs = [motifs[index] for index in sorted(chosen)]
    if not both_strands:
        return list(motifs)
    return [strand for motif in motifs for strand in (motif, motif.reverse_complement())]


def place(motifs: Sequence[Motif], kernel_length: int, pseudocount: float, seed: int) -> KernelInitialisers:
    """Give each motif a kernel, in order, a random offset at which it fits, and a random bias.

    A motif becomes its PPM minus the background of 0.25. Motifs longer than the kernel must have
    been cut before. The kernel is not reversed, because PyTorch computes a cross-correlation.
    """
    generator = np.random.default_rng(seed)
    placed, weight = [], np.zeros((len(motifs), 4, kernel_length), np.float32)
    for kernel, motif in enumerate(motifs):
        offset = int(generator.integers(0, kernel_length - motif.length, endpoint=True))
        place = PlacedMotif(motif.identifier, motif.name, kernel, offset, motif.length, motif.strand, motif.source)
        weight[kernel][:, place.columns] = (motif.ppm(pseudocount) - BACKGROUND).T
        placed.append(place)
    bias = -generator.random(len(motifs), dtype=np.float32)
    return KernelInitialisers(tuple(placed), weight, bias)

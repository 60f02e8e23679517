"""Which known motif a PPM is most like (Tomtom, Gupta et al. 2007), and how far a kernel moved from its motif.

Shapes: L, W positions of a matrix; columns A, T, C, G.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.errors import OptionError, counted
from speid_cli.explain.kernels import Kernel, information
from speid_cli.explain.statistics import q_values
from speid_cli.genome.motif_files import Motif
from speid_cli.genome.onehot import FILE_CODES
from speid_cli.model.motif_kernels import BACKGROUND, PlacedMotif

FLANK_BITS, FEWEST_COLUMNS, FEWEST_BITS = 0.25, 5, 6.0
# Added to each base's count, so that the PPM of a few sites has few bits.
PSEUDOCOUNT = 1.0
# A kernel with a smaller q-value counts as matched.
MATCHED = 0.01
# Tomtom estimates the background of its scores from the motifs compared with (MEME suite's warns below 50).
FEWEST_MOTIFS = 50
Matrix = NDArray[np.float64]


class Match(NamedTuple):
    """The most similar motif, with a p-value corrected for the number of motifs, and over all PPMs (q-value)."""

    motif: Motif
    p_value: float
    q_value: float


@dataclass(frozen=True)
class Matches:
    """The most similar motif of each kernel, and of the negative control; None where it was not compared.

    Attributes
    ----------
    kernels : sequence of Match or None (K,)
    controls : sequence of Match or None
        Of the PPM of each compared kernel with its positions in a random order.
    motifs : int
        Number of motifs compared with; 0: nothing was compared.
    """

    kernels: Sequence[Match | None]
    controls: Sequence[Match | None] = ()
    motifs: int = 0

    @property
    def found(self) -> int:
        """Number of kernels that match a motif."""
        return _matched(self.kernels)

    @property
    def found_in_controls(self) -> int:
        """Number of negative controls that match a motif."""
        return _matched(self.controls)

    @property
    def summary(self) -> str:
        """One sentence on how many kernels match, and how many controls."""
        compared = counted(len(self.controls), "compared kernel")
        return (
            f"{self.found} of {compared} match a motif with q < {MATCHED}; with their positions shuffled, "
            f"{self.found_in_controls}."
        )


def _matched(matches: Sequence[Match | None]) -> int:
    return sum(match is not None and match.q_value < MATCHED for match in matches)


def match_kernels(kernels: Sequence[Kernel], motifs: Sequence[Motif], seed: int) -> Matches:
    """Compare kernels and the negative control with motifs; errors as of `match`."""
    ppms = [kernel.ppm(PSEUDOCOUNT) for kernel in kernels]
    return Matches(match(ppms, motifs), match(shuffled(ppms, seed), motifs), len(motifs))


def match(ppms: Sequence[Matrix], motifs: Sequence[Motif]) -> list[Match | None]:
    """The most similar motif of each PPM (L, 4), on either strand.

    It is compared without the positions at its ends that have less than `FLANK_BITS`. None for a PPM that is not
    compared: it has fewer than `FEWEST_COLUMNS` positions then, or those with at least `FLANK_BITS` have less than
    `FEWEST_BITS` in all. Such PPMs match anything, above all noise along the whole kernel.

    Raises
    ------
    OptionError
        memelite is not installed.
    """
    try:
        from memelite import tomtom
    except ImportError:
        raise OptionError("matching motifs needs memelite; try: pip install memelite") from None

    tested = {row: middle for row, ppm in enumerate(ppms) if is_tested(middle := trimmed(ppm))}
    found: list[Match | None] = [None] * len(ppms)
    if not tested:
        return found
    queries, targets = [_acgt(middle) for middle in tested.values()], [_acgt(motif.ppm()) for motif in motifs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of few motifs, which `FEWEST_MOTIFS` is about
        p_values, *_, nearest = tomtom(queries, targets, n_nearest=1)
    corrected = 1 - (1 - p_values[:, 0]) ** len(motifs)
    for row, index, p, q in zip(tested, nearest[:, 0], corrected, q_values(corrected), strict=True):
        found[row] = Match(motifs[int(index)], float(p), float(q))
    return found


def _acgt(ppm: Matrix) -> Matrix:
    """A PPM (L, 4) as memelite reads it: (4, L), rows A, C, G, T."""
    return ppm[:, FILE_CODES].T.copy()


def trimmed(ppm: Matrix) -> Matrix:
    """A PPM (W, 4) without the positions at its ends that have less than `FLANK_BITS`."""
    informative = np.flatnonzero(information(ppm) >= FLANK_BITS)
    return ppm[informative[0] : informative[-1] + 1] if len(informative) else ppm[:0]


def is_tested(ppm: Matrix) -> bool:
    """Whether a trimmed PPM is long enough, and its positions with `FLANK_BITS` or more say enough, to be matched."""
    bits = information(ppm)
    return len(ppm) >= FEWEST_COLUMNS and float(bits[bits >= FLANK_BITS].sum()) >= FEWEST_BITS


def shuffled(ppms: Sequence[Matrix], seed: int) -> list[Matrix]:
    """Copies of the trimmed PPMs that are tested, with their positions in a random order: the negative control."""
    generator = np.random.default_rng(seed)
    return [generator.permutation(middle) for ppm in ppms if is_tested(middle := trimmed(ppm))]


def moved(weight: NDArray[np.float32], placed: PlacedMotif, motif: Motif) -> float | None:
    """How far a kernel (4, L) moved from the motif it began as: 1 - Pearson correlation of weights and PPM - 0.25.

    None where the motif is too short to be the one that was placed, or says nothing.
    """
    if motif.length < placed.length:
        return None
    middle = motif.centre(placed.length)
    began = (middle if placed.strand == "+" else middle.reverse_complement()).ppm() - BACKGROUND
    now = weight[:, placed.columns].T
    if not (began.std() and now.std()):
        return None
    return 1 - float(np.corrcoef(began.ravel(), now.ravel())[0, 1])

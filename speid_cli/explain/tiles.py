"""Where in the two elements of one pair the model reads the one together with the other.

Both windows are cut into tiles, and each tile is replaced by a dinucleotide shuffle of itself. The
epistasis of two tiles is as in `epistasis`, without controls. I tiles of the enhancer; J of the promoter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.explain.mutagenesis import Effects, Window, base_values, substitutions
from speid_cli.explain.scan import BITS, Scanner, background_of
from speid_cli.explain.settings import Advance
from speid_cli.explain.shuffle import dinucleotide_shuffle
from speid_cli.genome.motif_files import Motif
from speid_cli.scoring.perturbed import PerturbedScorer

TILE_BP = 50
TILE_COLUMNS = (
    "enhancer_chrom", "enhancer_start", "enhancer_end", "promoter_chrom", "promoter_start", "promoter_end", "epistasis",
)  # fmt: skip
SITE_COLUMNS = ("side", "chrom", "start", "end", "strand", "motif", "name", "bits", "effect")
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class PairMap:
    """One pair: its windows, the effects of all substitutions, the epistasis of tiles, and the sites of motifs.

    Attributes
    ----------
    epistasis : float64 (I, J)
    sites : list of dict
        Values of `SITE_COLUMNS`; the effect is the sum over the site's bases of `base_values`.
    """

    windows: tuple[Window, Window]
    effects: Effects
    epistasis: NDArray[np.float64]
    sites: list[dict[str, Any]]

    def tiles(self, side: int) -> list[tuple[int, int]]:
        """Start and end on the contig of each tile of a side."""
        window = self.windows[side]
        starts = tile_starts(len(window.codes))
        return [
            (window.start + start, window.start + min(start + TILE_BP, len(window.codes))) for start in starts.tolist()
        ]

    def strengths(self, side: int) -> NDArray[np.float64]:
        """Sum of `base_values` over each tile of a side."""
        values = np.nan_to_num(base_values(self.effects.changes[side])).astype(np.float64)
        return np.add.reduceat(values, tile_starts(len(values)))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Values of `TILE_COLUMNS`, the strongest epistasis first; without what lies outside of the contigs."""
        order = np.argsort(-np.abs(self.epistasis), axis=None, kind="stable")
        tiles = self.tiles(0), self.tiles(1)
        for flat in order.tolist():
            place = np.unravel_index(flat, self.epistasis.shape)
            values: list[Any] = []
            for window, side, row in zip(self.windows, tiles, place, strict=True):
                start, end = (min(max(bound, 0), window.contig_length) for bound in side[row])
                values += [window.element.chrom, start, end] if start < end else []
            if len(values) == 6:
                yield dict(zip(TILE_COLUMNS, [*values, float(self.epistasis[place])], strict=True))


def map_pair(
    scorer: PerturbedScorer,
    windows: tuple[Window, Window],
    motifs: Sequence[Motif],
    p_value: float,
    draws: int,
    seed: int,
    advance: Advance,
) -> PairMap:
    """Ask about every substitution and every two tiles of a pair.

    Parameters
    ----------
    advance : callable
        Is told the number of mutants that are done; `mutants_of` is their number.
    """
    codes = windows[0].codes, windows[1].codes
    effects = substitutions(scorer, codes, (windows[0].asked, windows[1].asked), advance)
    epistasis = tile_epistasis(scorer, *codes, draws, np.random.default_rng(seed), advance)
    sites = [
        site
        for window, changes in zip(windows, effects.changes, strict=True)
        for site in find_sites(window, base_values(changes), motifs, p_value)
    ]
    return PairMap(windows, effects, epistasis, sites)


def mutants_of(windows: tuple[Window, Window], draws: int) -> int:
    """Mutants that `map_pair` scores."""
    tiles = [len(tile_starts(len(window.codes))) for window in windows]
    return 3 * sum(len(window.asked) for window in windows) + draws * tiles[0] * tiles[1]


def find_sites(
    window: Window, values: NDArray[np.float32], motifs: Sequence[Motif], p_value: float
) -> Iterator[dict[str, Any]]:
    """The sites of motifs in a window, as values of `SITE_COLUMNS`."""
    scanner = Scanner(motifs, background_of(window.codes), p_value)
    for motif, hits in zip(motifs, scanner.scan(window.codes[None]), strict=True):
        for position, strand, score in zip(
            hits.position.tolist(), hits.strand.tolist(), hits.score.tolist(), strict=True
        ):
            start, effect = window.start + position, float(np.nansum(values[position : position + motif.length]))
            place = (window.side, window.element.chrom, start, start + motif.length, "+" if strand > 0 else "-")
            yield dict(zip(SITE_COLUMNS, (*place, motif.identifier, motif.name, score / BITS, effect), strict=True))


def tile_starts(length: int) -> NDArray[np.int64]:
    """Starts of the tiles of a window; the last tile may be shorter."""
    return np.arange(0, length, TILE_BP)


def tile_epistasis(
    scorer: PerturbedScorer,
    enhancer: Codes,
    promoter: Codes,
    draws: int,
    generator: np.random.Generator,
    advance: Advance,
) -> NDArray[np.float64]:
    """Epistasis (I, J) of tiles of base codes (Le,) and (Lp,), in logits: the mean over draws.

    Parameters
    ----------
    scorer : PerturbedScorer
        Holds this pair alone.
    advance : callable
        Is told the number of mutants that are done.
    """
    found = []
    for _ in range(draws):
        first, second = (_shuffled_tiles(codes, generator) for codes in (enhancer, promoter))
        rows = np.repeat(np.arange(len(first)), len(second)), np.tile(np.arange(len(second)), len(first))
        both = _logits(scorer, first[rows[0]], second[rows[1]]).reshape(len(first), len(second))
        wild = _logits(scorer, enhancer[None], promoter[None])
        alone = _logits(scorer, first, None)[:, None] + _logits(scorer, None, second)
        found.append(wild - alone + both)
        advance(both.size)
    return np.mean(found, axis=0)


def _logits(scorer: PerturbedScorer, enhancers: Codes | None, promoters: Codes | None) -> NDArray[np.float64]:
    count = len(next(codes for codes in (enhancers, promoters) if codes is not None))
    return scorer.logits(np.zeros(count, np.int64), enhancers, promoters).astype(np.float64)


def _shuffled_tiles(codes: Codes, generator: np.random.Generator) -> Codes:
    """The window (L,) with one tile shuffled, for each tile: (I, L)."""
    starts = tile_starts(len(codes))
    windows = np.tile(codes, (len(starts), 1))
    for window, start in zip(windows, starts.tolist(), strict=True):
        window[start : start + TILE_BP] = dinucleotide_shuffle(codes[None, start : start + TILE_BP], generator)[0]
    return windows

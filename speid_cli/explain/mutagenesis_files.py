"""Files of the effects of substitutions: the table, bigWig tracks, and the input of TF-MoDISco."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import SIDES
from speid_cli.explain.mutagenesis import Effects, PairEffects, Window, base_values
from speid_cli.genome.bigwig import write_bigwig
from speid_cli.genome.onehot import ALPHABET, FILE_CODES, onehot

COLUMNS = ("line", "side", "chrom", "position", "reference", "alternative", "probability", "logit_change")
_LONGEST_NAME, _TRACK = 100, re.compile(rf"\d+\..+\.(?:{'|'.join(SIDES)})\.bw")


def table_rows(pair: PairEffects) -> Iterator[str]:
    """Lines of the table, a substitution each: `substitution_rows` after the number of the pair's line."""
    for *fields, probability, change in substitution_rows(pair.windows, pair.effects):
        yield "\t".join([str(pair.asked.line), *map(str, fields), f"{probability:.6g}", f"{change:.6g}"])


def substitution_rows(windows: tuple[Window, Window], effects: Effects) -> Iterator[tuple[Any, ...]]:
    """Values of `COLUMNS` but the first, a substitution each: positions 0-based, the probability that of the mutant."""
    for window, changes in zip(windows, effects.changes, strict=True):
        asked = changes[window.asked]
        probabilities = sigmoid(effects.logit + asked)
        for place, change, probability in zip(window.asked.tolist(), asked, probabilities, strict=True):
            code = window.codes[place]
            begin = window.side, window.element.chrom, window.start + place, ALPHABET[code]
            for base in FILE_CODES:
                if base != code:
                    yield *begin, ALPHABET[base], float(probability[base]), float(change[base])


def write_tracks(folder: Path, pair: PairEffects) -> None:
    """Write `base_values` of each side that has any as LINE.NAME.SIDE.bw."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", pair.asked.labelled.name)[:_LONGEST_NAME].strip(".") or "pair"
    for window, changes in zip(pair.windows, pair.effects.changes, strict=True):
        if len(window.asked):
            path = folder / f"{pair.asked.line}.{name}.{window.side}.bw"
            write_bigwig(path, window.element.chrom, window.contig_length, window.start, base_values(changes))


def tracks_of_other_runs(folder: Path, written: Container[str]) -> list[Path]:
    """Files of a folder with the names of tracks that were not written now."""
    return [path for path in folder.iterdir() if _TRACK.fullmatch(path.name) and path.name not in written]


class Modisco:
    """Input of TF-MoDISco, N pairs.

    For each side one-hot sequences uint8 (N, 4, L) and hypothetical contributions float32 (N, 4, L), letters
    A, C, G, T. The contribution of a base is its change of the logit minus the mean change of the four bases;
    0 at positions that were not asked about. At the base that is there, that is 3/4 of `base_values`.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, list[NDArray[np.generic]]] = {name: [] for name in modisco_names("")}

    def add(self, pair: PairEffects) -> None:
        """Add a pair."""
        sides = zip(pair.windows, pair.effects.changes, strict=True)
        for window, changes in sides:
            centred = np.nan_to_num(changes - changes.mean(axis=1, keepdims=True))
            self._arrays[f".{window.side}.onehot.npz"].append(onehot(window.codes)[FILE_CODES].astype(np.uint8))
            self._arrays[f".{window.side}.effects.npz"].append(centred[:, FILE_CODES].T)

    def arrays(self) -> list[NDArray[np.generic]]:
        """Arrays in the order of `modisco_names`."""
        return [np.stack(arrays) for arrays in self._arrays.values()]


def modisco_names(prefix: str) -> list[str]:
    """PREFIX.SIDE.onehot.npz and PREFIX.SIDE.effects.npz."""
    return [f"{prefix}.{side}.{kind}.npz" for side in SIDES for kind in ("onehot", "effects")]

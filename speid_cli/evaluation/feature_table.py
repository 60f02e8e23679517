"""FEATURES.tsv: the features of pairs as a tab-separated table with a header.

The columns are both intervals of the pair and its name, its label if the pairs have labels, and one for each track
and region. ``NA`` stands in the window columns of pairs without a window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speid_cli.dataset.labels import UNLABELLED, LabelledPair, read_labelled_pairs
from speid_cli.errors import located
from speid_cli.evaluation.features import TrackFeatures
from speid_cli.genome.bedpe import COLUMNS, MISSING
from speid_cli.genome.contigs import ContigNames, ReferenceContigs
from speid_cli.genome.intervals import ElementPair
from speid_cli.genome.pair_reader import PairReader

_PAIRS_AT_A_TIME = 1000


@dataclass(frozen=True)
class FeaturePairs:
    """The N pairs of a BEDPE file.

    Attributes
    ----------
    line : list of int
        Their lines in the file.
    given, placed : list
        As the file has them, and under the names of `contigs`.
    contigs : ContigNames
        Those of the reference, or those of the file.
    """

    line: list[int]
    given: list[LabelledPair]
    placed: list[ElementPair]
    contigs: ContigNames

    @property
    def chromosomes(self) -> list[str]:
        """Names of the contigs that have an element."""
        return list(dict.fromkeys(element.chrom for pair in self.placed for element in pair))

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Enhancers and promoters (N, 3): number in `chromosomes`, start and end."""
        number = {name: index for index, name in enumerate(self.chromosomes)}
        enhancer, promoter = (
            np.array([(number[chrom], start, end) for chrom, start, end in side], np.int64)
            for side in zip(*self.placed, strict=True)
        )
        return enhancer, promoter


def read_feature_pairs(reader: PairReader, reference: ReferenceContigs | None) -> FeaturePairs:
    """The pairs of a file, labelled or not.

    Raises
    ------
    DataError
        A line is not valid or not on the reference, or there is no pair.
    """
    line, given = map(list, zip(*read_labelled_pairs(reader, unlabelled=UNLABELLED), strict=True))
    if reference is None:
        contigs = ContigNames()
        elements = contigs.adopt(reader.path, [element for labelled in given for element in labelled.pair])
        placed = list(map(ElementPair, elements[::2], elements[1::2]))
        return FeaturePairs(line, given, placed, contigs)
    placed = []
    for number, labelled in zip(line, given, strict=True):
        with located(reader.path, number):
            placed.append(ElementPair(*map(reference.locate, labelled.pair)))
    return FeaturePairs(line, given, placed, reference)


def table_lines(pairs: FeaturePairs, features: TrackFeatures, promoter_first: bool) -> Iterator[str]:
    """Header and a line a pair, in order; its side 1 is the promoter if `promoter_first`, as in its file."""
    is_labelled = pairs.given[0].label != UNLABELLED
    yield "\t".join([*COLUMNS[:7], *["label"] * is_labelled, *features.columns])
    for start in range(0, len(pairs.given), _PAIRS_AT_A_TIME):
        block = slice(start, start + _PAIRS_AT_A_TIME)
        for (pair, label, name), values in zip(pairs.given[block], features.of_pairs(block).tolist(), strict=True):
            sides = pair[::-1] if promoter_first else pair
            begin = [str(field) for side in sides for field in side] + [name or MISSING, *[str(label)] * is_labelled]
            yield "\t".join([*begin, *map(_number, values)])


def _number(value: float) -> str:
    return "NA" if math.isnan(value) else f"{value:.10g}"

"""``kernels.tsv`` and ``kernels.meme``."""

from __future__ import annotations

import io

import numpy as np
from Bio import motifs as biopython

from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.kernel_files import COLUMNS, kernel_rows, meme_lines
from speid_cli.explain.kernels import Kernel
from speid_cli.explain.matching import Match
from speid_cli.explain.table import table_fields
from speid_cli.model.motif_kernels import PlacedMotif
from tests import builders


def kernels() -> list[Kernel]:
    """Two kernels of a branch and one without sites of the other."""
    counts = np.array([[5, 0, 0, 0], [1, 2, 3, 4], [0, 0, 5, 5]])
    return [
        Kernel("promoter", 1, counts, 10),
        Kernel("enhancer", 0, 0 * counts, 0),
        Kernel("promoter", 0, counts[:2], 10),
    ]


def rows(drops: dict[tuple[str, int], Estimate]) -> list[list[str]]:
    """The fields of the table, in which promoter 1 is like the motif that kernels 1 began as."""
    motif = builders.consensus_motif("MA1", "ACG")
    placed = [PlacedMotif("MA1", "one", 1, 2, 3, "+", "file"), PlacedMotif("MA2", "two", 0, 0, 4, "-", "file")]
    matches = [Match(motif, 0.001, 1 / 3), None, None]
    found = kernel_rows(builders.trained_network(), kernels(), drops, matches, placed, [motif])
    return [list(COLUMNS), *table_fields(COLUMNS, found)]


def test_the_table() -> None:
    drops = {("promoter", 1): Estimate(0.1, -0.1, 0.3), ("promoter", 0): Estimate(0.25, 0.2, 0.3)}
    header, first, second, third = rows(drops)
    assert header == [
        "branch", "kernel", "sites", "bits", "auprc_drop", "match", "match_name", "q_value", "start_motif", "moved",
        "auprc_low", "auprc_high",
    ]  # fmt: skip
    assert first == ["enhancer", "0", "0", "", "", "", "", "", "MA2", "", "", ""]
    assert second == ["promoter", "0", "10", "2.15356", "0.25", "", "", "", "MA2", "", "0.2", "0.3"]
    assert third[:9] == ["promoter", "1", "10", "3.15356", "0.1", "MA1", "MA1", "0.333333", "MA1"]
    assert 0 < float(third[9]) < 2


def test_without_drops_the_table_is_sorted_by_bits() -> None:
    assert [row[:2] for row in rows({})[1:]] == [["enhancer", "0"], ["promoter", "1"], ["promoter", "0"]]


def test_biopython_reads_the_meme_file() -> None:
    read = biopython.parse(io.StringIO("\n".join(meme_lines(kernels()))), "minimal")
    written = [kernel for kernel in kernels() if kernel.sites]
    assert [item.name for item in read] == ["promoter_1", "promoter_0"]
    for item, kernel in zip(read, written, strict=True):
        assert (item.alphabet, item.num_occurrences, item.background["A"]) == ("ACGT", kernel.sites, 0.25)
        matrix = np.array([item.pwm[letter] for letter in "ATCG"]).T
        np.testing.assert_allclose(matrix, kernel.ppm(), atol=1e-6)

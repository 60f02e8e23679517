"""What was found of each kernel, and its files: ``kernels.tsv`` and ``kernels.meme``.

A value is None where it is not known: bits of a kernel without sites, the match of one that was not compared,
the start of one that did not begin as a motif.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from speid_cli.evaluation.measures import Estimate
from speid_cli.explain.kernels import Kernel
from speid_cli.explain.matching import Match, moved
from speid_cli.genome.motif_files import Motif
from speid_cli.genome.onehot import FILE_CODES
from speid_cli.model.motif_kernels import PlacedMotif
from speid_cli.model.speid import Speid

COLUMNS = (
    "branch", "kernel", "sites", "bits", "auprc_drop", "match", "match_name", "q_value", "start_motif", "moved",
    "auprc_low", "auprc_high",
)  # fmt: skip
_MEME_HEAD = """MEME version 4

ALPHABET= ACGT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25
"""


def kernel_rows(
    model: Speid,
    kernels: Sequence[Kernel],
    drops: Mapping[tuple[str, int], Estimate],
    matches: Sequence[Match | None],
    placed: Sequence[PlacedMotif],
    motifs: Sequence[Motif],
) -> list[dict[str, Any]]:
    """Rows of `COLUMNS`, by branch, then from the largest drop, or the most bits where there are no drops.

    Parameters
    ----------
    drops : dict
        By branch and number; empty where kernels were not silenced.
    placed : sequence of PlacedMotif
        The motifs that kernels of both branches began as.
    motifs : sequence of Motif
        Where the matrix of such a motif is found by its identifier.
    """
    starts, matrices = {item.kernel: item for item in placed}, {motif.identifier: motif for motif in motifs}
    rows = []
    for kernel, match in zip(kernels, matches, strict=True):
        drop, start = drops.get((kernel.branch, kernel.number)), starts.get(kernel.number)
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"branch": kernel.branch, "kernel": kernel.number, "sites": kernel.sites}
        if kernel.sites:
            row["bits"] = kernel.bits
        if drop:
            row |= {"auprc_drop": drop.value, "auprc_low": drop.low, "auprc_high": drop.high}
        if match:
            row |= {"match": match.motif.identifier, "match_name": match.motif.name, "q_value": match.q_value}
        if start:
            row["start_motif"] = start.identifier
            if motif := matrices.get(start.identifier):
                weight = model.get_parameter(f"{kernel.branch}_conv.weight")[kernel.number]
                row["moved"] = moved(weight.detach().cpu().numpy(), start, motif)
        rows.append(row)
    key = "auprc_drop" if drops else "bits"
    return sorted(rows, key=lambda row: (row["branch"], -(row[key] or 0), row["kernel"]))


def meme_lines(kernels: Sequence[Kernel]) -> Iterator[str]:
    """The lines of ``kernels.meme`` (minimal MEME): the PPM of each kernel that has sites."""
    yield _MEME_HEAD
    for kernel in kernels:
        if kernel.sites:
            ppm = kernel.ppm()[:, FILE_CODES]
            yield f"MOTIF {kernel.name}"
            yield f"letter-probability matrix: alength= 4 w= {len(ppm)} nsites= {kernel.sites} E= 0"
            yield from (" " + "  ".join(f"{value:.6f}" for value in row) for row in ppm)
            yield ""

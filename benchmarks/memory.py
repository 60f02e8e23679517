#!/usr/bin/env python3
"""Peak memory of each command, on a tenth of an input and on all of it.

usage: python benchmarks/memory.py DATA [-o MEMORY.md]

DATA holds the paper's pairs, peaks and chr22 (targetfinder.*.bedpe.gz, peaks/, chr22.hg38.fa.gz).
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
from pathlib import Path
from typing import NamedTuple

from commands import write_model
from measurements import machine_line, run_apart
from table2 import tracks_of_peaks
from work import elements_of, unpacked_chr22

from speid_cli.model.config import PRESETS

HERE = Path(__file__).parent
PARTS = {"tenth": 10, "all": 1}  # of an input: every line, or every tenth


class Use(NamedTuple):
    """A command, with PART where its inputs' names differ; what it reads; and what its memory grows with."""

    command: str
    reads: str
    grows_with: str


USES = (
    Use("candidates PART.enhancers.bed PART.promoters.bed -o PART.candidates.bedpe", "elements of six cell lines",
        "elements, not pairs"),
    Use("negatives PART.positives.bedpe PART.enhancers.bed PART.promoters.bed -o PART.negatives.bedpe",
        "positives of GM12878, those elements", "elements and positives"),
    Use("features PART.whole.bedpe --tracks tracks.tsv -o PART.features.tsv", "pairs of HUVEC, 22 tracks",
        "8 bytes a region and track"),
    Use("prepare PART.pairs.bedpe chr22.fa --split random -o PART.npz", "pairs on chr22, six cell lines",
        "windows: half a byte a base"),
    Use("motifs --jaspar 2016 --preset paper -o PART.kernels.npz", "JASPAR 2016", "motifs"),
    Use("pretrain PART.npz --preset tiny --epochs 1 -o PART.tiny.pt", "those pairs, tiny", "windows: a byte a base"),
    Use("pretrain PART.npz --preset paper --epochs 1 --copies 1 -o PART.paper.pt", "those pairs, paper",
        "windows; weights, gradients and moments 0.75 GB"),
    Use("finetune PART.tiny.pt PART.npz --epochs 1 -o PART.final.pt", "those pairs, tiny", "frozen features of pairs"),
    Use("evaluate PART.final.pt PART.npz -o PART.evaluation", "those pairs, tiny", "pairs; k-mers of elements"),
    Use("predict PART.final.pt PART.pairs.bedpe -f chr22.fa -o PART.scored.bedpe", "those pairs, tiny",
        "`--cache-memory`, not lines"),
    Use("predict paper.pt PART.pairs.bedpe -f chr22.fa -o PART.paper.bedpe", "those pairs, paper",
        "`--cache-memory`, not lines"),
    Use("explain mutagenesis PART.final.pt PART.few.bedpe -f chr22.fa -o PART.mutagenesis", "200 pairs, tiny",
        "0.1 MB a pair"),
    Use("info PART.npz", "those pairs", "nothing"),
)  # fmt: skip


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "MEMORY.md")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        make_inputs(options.data, Path(name))
        for use in USES:
            peaks = (run_apart(use.command.replace("PART", part).split(), Path(name))[1] for part in PARTS)
            figures = " | ".join(f"{peak / 1e6:,.0f}" for peak in peaks)
            rows.append(f"| `speid {_name(use.command)}` | {use.reads} | {figures} | {use.grows_with} |")
            print(rows[-1], flush=True)
    options.output.write_text("\n".join([
        "# Memory", "", "Written by `python benchmarks/memory.py DATA`.", "", machine_line(), "",
        "Peak memory of whole commands in MB, on every tenth line of an input and on all of it.", "",
        "| command | input | a tenth | all | grows with |", "|---|---|---|---|---|", *rows, "",
    ]))  # fmt: skip


def _name(command: str) -> str:
    """A command's name, of `explain` with its question."""
    first, second, *_ = command.split()
    return f"{first} {second}" if first == "explain" else first


def make_inputs(data: Path, folder: Path) -> None:
    """Files of each part, chr22, tracks and an untrained network of the preset paper."""
    unpacked_chr22(data, folder)
    write_model(folder / "paper.pt", PRESETS["paper"].model)
    tracks_of_peaks(folder / "tracks.tsv", data / "peaks" / "HUVEC")
    local = [line for path in sorted(data.glob("targetfinder.*.chr22.hg38.bedpe.gz")) for line in pairs_of(path)]
    whole, other = (pairs_of(data / f"targetfinder.{cell}.hg19.bedpe.gz") for cell in ("HUVEC", "GM12878"))
    positives = [line for line in other if line.split("\t")[10] == "1"]
    sides = elements_of(data, "targetfinder.*.hg19.bedpe.gz")
    elements = [[f"{chrom}\t{start}\t{end}" for chrom, start, end in side] for side in sides]
    names = "pairs.bedpe", "few.bedpe", "whole.bedpe", "positives.bedpe", "enhancers.bed", "promoters.bed"
    header = "#" + "\t".join(f"c{number}" for number in range(1, 11)) + "\tlabel\tfold"
    for name, lines in zip(names, (local, local[:200], whole, positives, *elements), strict=True):
        for part, step in PARTS.items():
            head = [header] if name.endswith(".bedpe") else []
            (folder / f"{part}.{name}").write_text("\n".join([*head, *lines[::step]]) + "\n")


def pairs_of(path: Path) -> list[str]:
    """Lines of a published file without its header."""
    return gzip.decompress(path.read_bytes()).decode().splitlines()[1:]


if __name__ == "__main__":
    main()

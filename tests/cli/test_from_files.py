"""From an annotation, a segmentation and loops to hits, by commands alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pytest

from tests import builders
from tests.builders import run
from tests.intervals import needs_bedtools

GTF = 'gene_id "G{number}"; gene_name "GENE{number}"; gene_type "protein_coding";'


def write_inputs() -> None:
    """``genes.gtf``, ``states.bed`` and ``loops.bedpe`` on the test genome, whose contigs the loops name without chr."""
    genes, states, loops = ["##description: made here"], [], ["chr1\tx1\tx2\tchr2\ty1\ty2\tcolor"]
    for contig in builders.CHROMOSOMES:
        for number, start in enumerate(range(200, 5600, 900)):
            strand, name = "+-"[number % 2], f"{contig[3:]}{number}"
            genes.append(
                f"{contig}\thand\ttranscript\t{start}\t{start + 90}\t.\t{strand}\t.\t{GTF.format(number=name)}"
            )
            begin = start + 400
            states.append(f"{contig}\t{begin}\t{begin + 60}\t13_EnhA1\t0\t.")
            states.append(f"{contig}\t{begin + 60}\t{begin + 80}\t14_EnhA2\t0\t.")
            states.append(f"{contig}\t{begin + 80}\t{begin + 300}\t25_Quies\t0\t.")
            if number > 1 and number % 3:  # with the enhancer before, or with that before it
                anchor = start - 500 - 900 * (number % 2)
                loops.append(f"{contig[3:]}\t{anchor}\t{anchor + 99}\t{contig[3:]}\t{start}\t{start + 150}\t0,0,0")
    for name, lines in (("genes.gtf", genes), ("states.bed", states), ("loops.bedpe", loops)):
        Path(name).write_text("\n".join(lines) + "\n")


@needs_bedtools
def test_from_published_files_to_hits(genome: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    write_inputs()

    def speid(*arguments: object) -> None:
        assert run(*arguments) == 0, capsys.readouterr().err

    around = "--upstream", 60, "--downstream", 40
    speid("elements", "genes.gtf", *around, "-f", "genome.fa", "-o", "promoters.bed")
    speid("elements", "states.bed", "--names", "13_EnhA1,14_EnhA2", "--minus", "promoters.bed", "-o", "enhancers.bed")
    assert "\t13_EnhA1,14_EnhA2\t" in Path("enhancers.bed").read_text()
    near = "--min-distance", 0, "--max-distance", 2000
    speid("candidates", "enhancers.bed", "promoters.bed", *near, "--anchors", "loops.bedpe", "-o", "all.bedpe")
    speid("negatives", "all.bedpe", "enhancers.bed", "promoters.bed", "--ratio", 2, "--bins", 1, "--with-positives",
          "-o", "pairs.bedpe")  # fmt: skip
    speid("prepare", "pairs.bedpe", "genome.fa", *builders.WINDOW_OPTIONS, "--report", "pairs.html")
    speid("pretrain", "pairs.npz", *builders.TINY_OPTIONS, "--epochs", 1)
    speid("finetune", "pairs.pretrained.pt", "pairs.npz", "--epochs", 1)
    speid("evaluate", "pairs.pt", "pairs.npz", "--replicates", 20)
    speid("predict", "pairs.pt", "all.bedpe", "-o", "scored.bedpe")
    speid("export", "scored.bedpe", "--top", 1, "--per", "promoter", "-o", "hits.tsv")
    header, *rows = (line.split("\t") for line in Path("hits.tsv").read_text().splitlines())
    assert header[:2] == ["promoter", "enhancer"]
    assert all(row[0].startswith("GENE") and row[1] == "13_EnhA1,14_EnhA2" for row in rows)
    scored = [line.split("\t") for line in Path("scored.bedpe").read_text().splitlines()[1:]]
    best: dict[str, float] = {}
    for fields in scored:
        gene = fields[6].split("~")[1]
        best[gene] = max(best.get(gene, 0), float(fields[7]))
    assert {row[0]: float(row[2]) for row in rows} == best
    median = np.median([float(fields[7]) for fields in scored])
    speid("export", "scored.bedpe", "--min-score", median, "--format", "longrange", "-o", "hits.gz")
    with pysam.TabixFile("hits.gz") as reader:
        written = sum(1 for contig in reader.contigs for _ in reader.fetch(contig))
    assert written == 2 * sum(float(fields[7]) >= median for fields in scored)

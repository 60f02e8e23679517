"""Small files with the names that the pages of the documentation use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.builders import write_fasta, write_gzip

CHROMOSOMES = [f"chr{number}" for number in range(1, 9)]
SPACING_BP, PLACES, LOOPS = 8000, 22, 12
# What an interacting enhancer and its promoter carry, several times: a network learns it in seconds.
ENHANCER_SITE, PROMOTER_SITE = "TGACTCAGCAAT", "CCGCCATCTTGG"
LETTERS = np.array(list("ACGT"))
MEME = """MEME version 4

ALPHABET= ACGT

"""
# Commands that make the files which later pages begin with, from those that `write_inputs` writes.
MADE = """
speid elements gencode.gtf.gz --gene-types protein_coding -o promoters.bed
speid elements states.bed.gz --names 13_EnhA1,14_EnhA2 --minus promoters.bed -o enhancers.bed
speid candidates enhancers.bed promoters.bed --max-distance 40kb -o candidates.bedpe
speid candidates enhancers.bed promoters.bed --anchors loops.bedpe -o all.bedpe
speid negatives all.bedpe enhancers.bed promoters.bed --ratio 1 --with-positives -o pairs.bedpe
awk 'NR == 1 || $1 ~ /chr[1-4]/' pairs.bedpe > few.bedpe
speid prepare pairs.bedpe hg19.fa --test-chroms chr8 --validation-chroms chr7
speid motifs found.meme --preset tiny
speid pretrain pairs.npz --preset tiny --motifs kernels.npz --epochs 2
speid finetune pairs.pretrained.pt pairs.npz --epochs 2
speid evaluate pairs.pt pairs.npz --fit --prior all.bedpe --replicates 20 --no-baselines -o ready
speid predict pairs.pt candidates.bedpe -o scored.bedpe
"""
SIMULATED = """
python {examples}/simulate.py --chromosomes 4 --elements 20 --output simulated
mv simulated/genome.fa simulated/motifs.jaspar .
mv simulated/pairs.bedpe simulated.bedpe
"""


def environment() -> dict[str, str]:
    """The environment in which `speid` is the one that is tested, with one thread for its small networks."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def shell(script: str, folder: Path) -> None:
    """Run a script; where a command fails, show what was printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def write_all(folder: Path) -> Path:
    """All files: the given ones, and what the commands make of them."""
    write_inputs(folder)
    shell(MADE, folder)
    shell(SIMULATED.format(examples=Path(__file__).parents[1] / "examples"), folder)
    return folder


def write_inputs(folder: Path) -> None:
    """A genome, an annotation, states, peaks, loops, motifs and variants that belong together."""
    genome = {chrom: chromosome(number) for number, chrom in enumerate(CHROMOSOMES)}
    write_fasta(folder / "hg19.fa", {chrom: "".join(letters) for chrom, letters in genome.items()})
    write_gzip(folder / "gencode.gtf.gz", "".join(genes()))
    write_gzip(folder / "states.bed.gz", "".join(states()))
    for assay in ("H3K27ac", "DNase", "CTCF"):
        write_gzip(folder / f"{assay}.narrowPeak.gz", "".join(peaks(assay)))
    (folder / "tracks.tsv").write_text("name\tpath\nCTCF\tCTCF.narrowPeak.gz\nDNase-seq\tDNase.narrowPeak.gz\n")
    (folder / "loops.bedpe").write_text("chr1\tx1\tx2\tchr2\ty1\ty2\tcolor\n" + "".join(loops()))
    (folder / "blacklist.bed").write_text("chr1\t0\t3000\n")
    (folder / "found.meme").write_text(MEME + "".join(meme_motifs()))
    write_gzip(folder / "calls.vcf.gz", "".join(variants(genome)))
    (folder / "gencode.gff3").write_text("##gff-version 3\n" + "".join(map(as_gff3, genes())))
    (folder / "filenames.csv").write_text("name,path\nCTCF,CTCF.narrowPeak\n")
    (folder / "names.tsv").write_text("NC_000001.10\tchr1\n")
    (folder / "refseq.bed").write_text("NC_000001.10\t2000\t2600\tenhancer\n")


def enhancer_start(place: int) -> int:
    """Start of the enhancer at a place."""
    return place * SPACING_BP + 2000


def partner(place: int) -> int:
    """The place of the promoter that the enhancer at a place interacts with: at three distances by turns."""
    return place + 2 + 2 * (place % 3)


def transcription_start(place: int) -> int:
    """Transcription start of the gene at a place."""
    return place * SPACING_BP + 6500


def chromosome(seed: int) -> NDArray[np.str_]:
    """Letters, with promoters rich in G and C, and the sites of interacting elements."""
    rng = np.random.default_rng(seed)
    letters = rng.choice(LETTERS, (PLACES + 1) * SPACING_BP, p=[0.29, 0.21, 0.21, 0.29])
    for place in range(PLACES):
        start = transcription_start(place) - 1000
        letters[start : start + 1500] = rng.choice(LETTERS, 1500, p=[0.2, 0.3, 0.3, 0.2])
    for place in range(LOOPS):
        plant(letters, enhancer_start(place), ENHANCER_SITE)
        plant(letters, transcription_start(partner(place)) - 300, PROMOTER_SITE)
    return letters


def plant(letters: NDArray[np.str_], start: int, site: str) -> None:
    """Write a site six times, 60 bp apart."""
    for copy in range(6):
        begin = start + 60 * copy
        letters[begin : begin + len(site)] = list(site)


def genes() -> Iterator[str]:
    """A GTF: one transcript a gene."""
    for chrom in CHROMOSOMES:
        for place in range(PLACES):
            start = transcription_start(place)
            name = f"GENE{chrom[3:]}{place:02d}"
            attributes = f'gene_id "{name}"; gene_name "{name}"; gene_type "protein_coding";'
            yield f"{chrom}\tmade\ttranscript\t{start + 1}\t{start + 900}\t.\t+\t.\t{attributes}\n"


def as_gff3(line: str) -> str:
    """A line of the GTF as GFF3."""
    fields = line.split("\t")
    name = fields[8].split('"')[1]
    return "\t".join([*fields[:8], f"ID={name};Name={name}\n"])


def states() -> Iterator[str]:
    """A segmentation, as BED."""
    for chrom in CHROMOSOMES:
        for place in range(PLACES):
            start = enhancer_start(place)
            yield f"{chrom}\t{start}\t{start + 400}\t13_EnhA1\n"
            yield f"{chrom}\t{start + 400}\t{start + 600}\t14_EnhA2\n"
            yield f"{chrom}\t{start + 600}\t{start + 2000}\t25_Quies\n"


def peaks(assay: str) -> Iterator[str]:
    """Peaks in the enhancers, as narrowPeak."""
    rng = np.random.default_rng(len(assay))
    for chrom in CHROMOSOMES:
        for place in range(PLACES):
            start, signal = enhancer_start(place) + int(rng.integers(-50, 50)), rng.gamma(2.0)
            yield f"{chrom}\t{start}\t{start + 500}\t{assay}{place}\t0\t.\t{signal:.3f}\t-1\t-1\t250\n"


def loops() -> Iterator[str]:
    """A loop from each of the first enhancers to its promoter, as HiCCUPS writes it."""
    for chrom in CHROMOSOMES:
        for place in range(LOOPS):
            first, second = enhancer_start(place), transcription_start(partner(place)) - 500
            yield "\t".join(map(str, (chrom, first, first + 1000, chrom, second, second + 1000, "0,255,255"))) + "\n"


def meme_motifs() -> Iterator[str]:
    """The two sites as motifs, in minimal MEME."""
    for name, site in (("AP1", ENHANCER_SITE), ("YY1", PROMOTER_SITE)):
        yield f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {len(site)} nsites= 20\n"
        yield "".join(" ".join(".91" if base == letter else ".03" for base in "ACGT") + "\n" for letter in site) + "\n"


def variants(genome: dict[str, NDArray[np.str_]]) -> Iterator[str]:
    """A VCF with a substitution in one enhancer."""
    yield "##fileformat=VCFv4.2\n"
    yield from (f"##contig=<ID={chrom},length={len(letters)}>\n" for chrom, letters in genome.items())
    yield "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    position = enhancer_start(0) + 3
    reference = str(genome["chr1"][position])
    other = "ACGT"["CGTA".index(reference)]
    yield f"chr1\t{position + 1}\trs1\t{reference}\t{other}\t.\tPASS\t.\n"


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))

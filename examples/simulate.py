#!/usr/bin/env python3
"""Make a small genome with enhancers, promoters and labelled pairs that a network can learn from.

Each element carries one motif family, drawn from a real JASPAR matrix. The grammar decides which
pairs interact (label 1), at a base rate of about 1 in 1 + NEGATIVES:

match  if both elements carry the same family, so that neither side alone predicts it. Each element
       is in exactly one interacting pair and in the same number of others, so that element names
       predict nothing, and both kinds of pairs have the same distances on average.
and    if the enhancer carries the first of three families and the promoter the second.
null   the pairs of match with their labels shuffled.

Writes genome.fa, enhancers.bed, promoters.bed, pairs.bedpe, sites.bed (the planted motifs) and
motifs.jaspar (the families' matrices among others).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speid_cli.genome.motif_files import Motif, read_jaspar_release
from speid_cli.genome.onehot import ALPHABET

LETTERS = np.frombuffer(ALPHABET.encode(), np.uint8)
BACKGROUND = np.array([0.29, 0.29, 0.21, 0.21])  # A, T, C, G
FAMILIES = ("CTCF", "REST", "NRF1", "RFX5", "MEF2A")
DECOYS = 11
PITCH_BP = 4000  # distance of neighbouring elements, plus or minus 500: windows of up to 2 kb never overlap


class Element(NamedTuple):
    """An enhancer or promoter, the family that it carries, and where."""

    chrom: str
    start: int
    end: int
    name: str
    family: int
    sites: tuple[int, int]


class Pair(NamedTuple):
    """An enhancer, a promoter, and whether they interact."""

    enhancer: Element
    promoter: Element
    label: int


def main() -> None:
    """Simulate and write."""
    options = parse()
    rng = np.random.default_rng(options.seed)
    release = read_jaspar_release("2016", "CORE", ["vertebrates"])
    families = [next(motif for motif in release if motif.name == name) for name in FAMILIES]
    options.output.mkdir(parents=True, exist_ok=True)
    genome, enhancers, promoters, pairs = [], [], [], []
    for number in range(1, options.chromosomes + 1):
        chrom = f"chr{number}"
        used = families[:3] if options.grammar == "and" else families
        sequence, first, second = simulate_chromosome(rng, chrom, options.elements, used)
        genome.append((chrom, sequence))
        enhancers += first
        promoters += second
        pairs += GRAMMARS[options.grammar](rng, first, second, options.negatives)
    write_fasta(options.output / "genome.fa", genome)
    write_bed(options.output / "enhancers.bed", enhancers)
    write_bed(options.output / "promoters.bed", promoters)
    write_sites(options.output / "sites.bed", enhancers + promoters, families)
    write_pairs(options.output / "pairs.bedpe", pairs)
    others = [motif for motif in release if motif.name not in FAMILIES]
    decoys = [others[index] for index in rng.choice(len(others), DECOYS, replace=False)]
    write_motifs(options.output / "motifs.jaspar", families + decoys)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated"), help="folder to write")
    parser.add_argument("--grammar", choices=GRAMMARS, default="match", help="which pairs interact")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chromosomes", type=int, default=8)
    parser.add_argument("--elements", type=int, default=250, help="enhancers, and promoters, on each chromosome")
    parser.add_argument("--negatives", type=int, default=9, help="other pairs for each interacting one, about")
    options = parser.parse_args()
    if options.elements % len(FAMILIES) or options.negatives > options.elements - options.elements // len(FAMILIES):
        parser.error(f"--elements must be a multiple of {len(FAMILIES)} and leave room for --negatives")
    return options


def simulate_chromosome(
    rng: np.random.Generator, chrom: str, elements: int, families: Sequence[Motif]
) -> tuple[NDArray[np.uint8], list[Element], list[Element]]:
    """Background sequence as letters, and its enhancers and promoters with their motifs planted."""
    sequence = rng.choice(LETTERS, size=(2 * elements + 1) * PITCH_BP, p=BACKGROUND)
    slots = rng.permutation(2 * elements) + 1
    sides = []
    for side, lengths in (("enhancer", (200, 700)), ("promoter", (200, 500))):
        side_slots, slots = slots[:elements], slots[elements:]
        placed = []
        for index, slot in enumerate(side_slots):
            length = int(rng.integers(*lengths))
            start = int(slot) * PITCH_BP + int(rng.integers(-500, 500))
            family = index % len(families)
            first, second = plant(rng, sequence[start : start + length], families[family])
            name, sites = f"{chrom}_{side}_{index}", (start + first, start + second)
            placed.append(Element(chrom, start, start + length, name, family, sites))
        sides.append(placed)
    return sequence, sides[0], sides[1]


def plant(rng: np.random.Generator, stretch: NDArray[np.uint8], motif: Motif) -> tuple[int, int]:
    """Write two draws from a motif into a stretch, each into its own half; where they start."""
    half, starts = len(stretch) // 2, []
    for first in (0, half):
        start = first + int(rng.integers(0, half - motif.length))
        for offset, probabilities in enumerate(motif.ppm()):
            stretch[start + offset] = rng.choice(LETTERS, p=probabilities)
        starts.append(start)
    return starts[0], starts[1]


def pair_matching(
    rng: np.random.Generator, enhancers: Sequence[Element], promoters: Sequence[Element], negatives: int
) -> list[Pair]:
    """Each element in one pair of its own family and in `negatives` pairs of different ones.

    Element i has family i modulo the number of families, so enhancer i and promoter i + step
    share a family exactly where the step is a multiple of that number.
    """
    count, families = len(enhancers), len(FAMILIES)
    matching = families * int(rng.integers(0, count // families))
    others = rng.choice([step for step in range(count) if step % families], negatives, replace=False)
    return pair_by_steps(enhancers, promoters, [matching, *others], lambda first, second: first == second)


def pair_and(
    rng: np.random.Generator, enhancers: Sequence[Element], promoters: Sequence[Element], negatives: int
) -> list[Pair]:
    """Each element in 1 + `negatives` pairs at random; those of families 0 and 1 interact."""
    steps = rng.choice(len(enhancers), 1 + negatives, replace=False)
    shuffled = [promoters[index] for index in rng.permutation(len(promoters))]  # else a step would fix the families
    return pair_by_steps(enhancers, shuffled, steps, lambda first, second: (first, second) == (0, 1))


def pair_null(
    rng: np.random.Generator, enhancers: Sequence[Element], promoters: Sequence[Element], negatives: int
) -> list[Pair]:
    """Matching pairs with shuffled labels."""
    pairs = pair_matching(rng, enhancers, promoters, negatives)
    labels = rng.permutation([pair.label for pair in pairs])
    return [pair._replace(label=int(label)) for pair, label in zip(pairs, labels, strict=True)]


def pair_by_steps(
    enhancers: Sequence[Element],
    promoters: Sequence[Element],
    steps: Sequence[int] | NDArray[np.int64],
    interact: Callable[[int, int], bool],
) -> list[Pair]:
    """Enhancer i with promoter i + step, for each step."""
    partners = [
        (enhancer, promoters[(i + int(step)) % len(promoters)])
        for i, enhancer in enumerate(enhancers)
        for step in steps
    ]
    return [Pair(first, second, int(interact(first.family, second.family))) for first, second in partners]


GRAMMARS = {"match": pair_matching, "and": pair_and, "null": pair_null}


def write_fasta(path: Path, genome: Sequence[tuple[str, NDArray[np.uint8]]]) -> None:
    """Sequences in lines of 60 letters."""
    with path.open("w") as out:
        for name, letters in genome:
            text = letters.tobytes().decode()
            lines = [text[start : start + 60] for start in range(0, len(text), 60)]
            out.write(f">{name}\n" + "\n".join(lines) + "\n")


def write_bed(path: Path, elements: Sequence[Element]) -> None:
    """Elements with their names, sorted."""
    ordered = sorted(elements, key=lambda element: (element.chrom, element.start))
    path.write_text("".join(f"{e.chrom}\t{e.start}\t{e.end}\t{e.name}\n" for e in ordered))


def write_sites(path: Path, elements: Sequence[Element], families: Sequence[Motif]) -> None:
    """The planted motifs, sorted, with their names."""
    sites = [(element.chrom, start, families[element.family]) for element in elements for start in element.sites]
    rows = sorted((chrom, start, start + motif.length, motif.name) for chrom, start, motif in sites)
    path.write_text("".join(f"{chrom}\t{start}\t{end}\t{name}\t0\t+\n" for chrom, start, end, name in rows))


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Pairs as BEDPE with a header; column 11 is the label."""
    lines = ["#chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\tstrand1\tstrand2\tlabel"]
    for enhancer, promoter, label in sorted(pairs):
        name = f"{enhancer.name}~{promoter.name}"
        lines.append("\t".join(map(str, (*enhancer[:3], *promoter[:3], name, ".", ".", ".", label))))
    path.write_text("\n".join(lines) + "\n")


def write_motifs(path: Path, motifs: Sequence[Motif]) -> None:
    """Matrices in JASPAR format."""
    with path.open("w") as out:
        for motif in motifs:
            out.write(f">{motif.identifier} {motif.name}\n")
            for letter in "ACGT":
                counts = motif.matrix[:, ALPHABET.index(letter)]
                out.write(f"{letter} [ {' '.join(f'{count:g}' for count in counts)} ]\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Make a small genome with enhancers, promoters and labelled pairs that a network can learn from.

Each element carries one motif family, drawn from a real JASPAR matrix. The grammar decides which
pairs interact (label 1), at a base rate of about 1 in 1 + NEGATIVES:

match  if both elements carry the same family, so that neither side alone predicts it. Each element
       is in exactly one interacting pair and in the same number of others, so that element names
       predict nothing, and both kinds of pairs have the same distances on average.
and    if the enhancer carries the first of three families and the promoter the second.
null   the pairs of match with their labels shuffled.
hard   as a table of six enhancer and six promoter families says, which is drawn for each seed. Each
       family interacts with two of the other side. An element has its family's motif once or twice
       and two motifs without a meaning. As in match, neither a side nor element names predict it.

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
FAMILIES = ("CTCF", "REST", "NRF1", "RFX5", "MEF2A", "YY1", "ZNF143", "NFYA", "SRF", "SPI1", "TP53", "EBF1")
OTHERS = 11  # motifs that are no family's in motifs.jaspar
PITCH_BP = 4000  # distance of neighbouring elements, plus or minus 500: windows of up to 2 kb never overlap


class Site(NamedTuple):
    """A planted motif."""

    chrom: str
    start: int
    end: int
    name: str


class Element(NamedTuple):
    """An enhancer or promoter, the number of its family, and the motifs planted in it."""

    chrom: str
    start: int
    end: int
    name: str
    family: int
    sites: tuple[Site, ...]


class Pair(NamedTuple):
    """An enhancer, a promoter, and whether they interact."""

    enhancer: Element
    promoter: Element
    label: int


class Motifs(NamedTuple):
    """The families of enhancers and of promoters, in the order of their numbers, and other motifs."""

    enhancer: list[Motif]
    promoter: list[Motif]
    others: list[Motif]


class Grammar(NamedTuple):
    """How many families a side has, how pairs are made, and whether the sides differ and elements hold other motifs."""

    families: int
    pair: Callable[[np.random.Generator, Sequence[Element], Sequence[Element], int], list[Pair]]
    hard: bool = False


def main() -> None:
    """Simulate and write."""
    options = parse()
    rng, grammar = np.random.default_rng(options.seed), GRAMMARS[options.grammar]
    motifs = choose_motifs(rng, grammar)
    options.output.mkdir(parents=True, exist_ok=True)
    genome, enhancers, promoters, pairs = [], [], [], []
    for number in range(1, options.chromosomes + 1):
        chrom = f"chr{number}"
        sequence, first, second = simulate_chromosome(rng, chrom, options.elements, motifs, grammar.hard)
        genome.append((chrom, sequence))
        enhancers += first
        promoters += second
        pairs += grammar.pair(rng, first, second, options.negatives)
    write_fasta(options.output / "genome.fa", genome)
    write_bed(options.output / "enhancers.bed", enhancers)
    write_bed(options.output / "promoters.bed", promoters)
    write_sites(options.output / "sites.bed", enhancers + promoters)
    write_pairs(options.output / "pairs.bedpe", pairs)
    families = motifs.enhancer + (motifs.promoter if grammar.hard else [])
    write_motifs(options.output / "motifs.jaspar", families + motifs.others)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated"), help="folder to write")
    parser.add_argument("--grammar", choices=GRAMMARS, default="match", help="which pairs interact")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chromosomes", type=int, default=8)
    parser.add_argument("--elements", type=int, help="enhancers, and promoters, on each chromosome; default about 250")
    parser.add_argument("--negatives", type=int, default=9, help="other pairs for each interacting one, about")
    options = parser.parse_args()
    families = GRAMMARS[options.grammar].families
    options.elements = options.elements or -(-250 // families) * families
    if options.elements % families or options.negatives > options.elements // 2:
        parser.error(f"--elements must be a multiple of {families} and leave room for --negatives")
    return options


def choose_motifs(rng: np.random.Generator, grammar: Grammar) -> Motifs:
    """Families, in a hard grammar different ones on each side and in random order, and other motifs."""
    release = read_jaspar_release("2016", "CORE", ["vertebrates"])
    relatives = tuple(name[:3] for name in FAMILIES)
    rest = [motif for motif in release if not motif.name.startswith(relatives)]
    others = [rest[index] for index in rng.choice(len(rest), OTHERS, replace=False)]
    families = [next(motif for motif in release if motif.name == name) for name in FAMILIES]
    if not grammar.hard:
        return Motifs(families[: grammar.families], families[: grammar.families], others)
    shuffled = [families[index] for index in rng.permutation(len(families))]
    return Motifs(shuffled[: grammar.families], shuffled[grammar.families :], others)


def simulate_chromosome(
    rng: np.random.Generator, chrom: str, elements: int, motifs: Motifs, hard: bool
) -> tuple[NDArray[np.uint8], list[Element], list[Element]]:
    """Background sequence as letters, and its enhancers and promoters with their motifs planted."""
    sequence = rng.choice(LETTERS, size=(2 * elements + 1) * PITCH_BP, p=BACKGROUND)
    slots = rng.permutation(2 * elements) + 1
    sides = []
    for side, families, foreign, lengths in (
        ("enhancer", motifs.enhancer, motifs.promoter, (200, 700)),
        ("promoter", motifs.promoter, motifs.enhancer, (200, 500)),
    ):
        side_slots, slots = slots[:elements], slots[elements:]
        placed = []
        for index, slot in enumerate(side_slots):
            length = int(rng.integers(*lengths))
            start = int(slot) * PITCH_BP + int(rng.integers(-500, 500))
            family = index % len(families)
            content = crowded(rng, families[family], foreign + motifs.others) if hard else [families[family]] * 2
            sites = [
                Site(chrom, start + offset, start + offset + motif.length, motif.name)
                for offset, motif in plant(rng, sequence[start : start + length], content)
            ]
            placed.append(Element(chrom, start, start + length, f"{chrom}_{side}_{index}", family, tuple(sites)))
        sides.append(placed)
    return sequence, sides[0], sides[1]


def crowded(rng: np.random.Generator, family: Motif, others: Sequence[Motif]) -> list[Motif]:
    """A family's motif once or twice and two motifs that mean nothing on its side, in random order."""
    content = [family] * int(rng.integers(1, 3)) + [others[index] for index in rng.choice(len(others), 2)]
    return [content[index] for index in rng.permutation(len(content))]


def plant(rng: np.random.Generator, stretch: NDArray[np.uint8], motifs: Sequence[Motif]) -> list[tuple[int, Motif]]:
    """Write a draw from each motif into its own equal part of a stretch; where they start."""
    part, placed = len(stretch) // len(motifs), []
    for number, motif in enumerate(motifs):
        start = number * part + int(rng.integers(0, part - motif.length))
        for offset, probabilities in enumerate(motif.ppm()):
            stretch[start + offset] = rng.choice(LETTERS, p=probabilities)
        placed.append((start, motif))
    return placed


def pair_matching(
    rng: np.random.Generator, enhancers: Sequence[Element], promoters: Sequence[Element], negatives: int
) -> list[Pair]:
    """Each element in one pair of its own family and in `negatives` pairs of different ones.

    Element i has family i modulo the number of families, so enhancer i and promoter i + step
    share a family exactly where the step is a multiple of that number.
    """
    count, families = len(enhancers), GRAMMARS["match"].families
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


def pair_hard(
    rng: np.random.Generator, enhancers: Sequence[Element], promoters: Sequence[Element], negatives: int
) -> list[Pair]:
    """Each element in one pair that interacts and in `negatives` others.

    Families interact where the promoter's number less the enhancer's is 0 or 1, modulo six. A round of
    pairs leads from all six families of enhancers 6 i to 6 i + 5 to all six of as many promoters.
    """
    families, pairs = GRAMMARS["hard"].families, []
    groups = len(enhancers) // families
    steps, shifts = np.divmod(rng.choice(groups * (families - 2), negatives, replace=False), families - 2)
    matching = int(rng.integers(groups))
    for group in range(groups):
        rounds = [(matching, int(rng.integers(2))), *zip(steps, shifts + 2, strict=True)]
        for step, shift in rounds:
            for family in range(families):
                first = enhancers[group * families + family]
                second = promoters[(group + step) % groups * families + (family + shift) % families]
                pairs.append(Pair(first, second, int(shift < 2)))
    return pairs


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


GRAMMARS = {
    "match": Grammar(5, pair_matching),
    "and": Grammar(3, pair_and),
    "null": Grammar(5, pair_null),
    "hard": Grammar(6, pair_hard, hard=True),
}


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


def write_sites(path: Path, elements: Sequence[Element]) -> None:
    """The planted motifs, sorted, with their names."""
    rows = sorted(site for element in elements for site in element.sites)
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

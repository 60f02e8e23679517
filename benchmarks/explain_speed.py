"""How exact and how fast `speid explain` is; a part of explain.py."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pysam
import torch
from measurements import run_apart
from numpy.typing import NDArray

from speid_cli.cli import main as speid
from speid_cli.explain.mutagenesis import substitutions
from speid_cli.explain.scan import Scanner, background_of
from speid_cli.genome.motif_files import read_jaspar_release
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.config import PRESETS
from speid_cli.model.device import Device
from speid_cli.model.initialisers import new_network
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer
from speid_cli.scoring.scorer import Scorer

Codes = NDArray[np.uint8]


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The current folder, for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def run(*arguments: object) -> None:
    """A command of speid, which must succeed."""
    if speid([str(argument) for argument in arguments]):
        raise SystemExit(f"speid {' '.join(map(str, arguments))} failed")


def exactness(mutants: int = 1000) -> Iterator[str]:
    """The largest difference from the network in float64 at the paper preset."""
    model, (enhancers, promoters) = trained_like(), windows(8)
    rng = np.random.default_rng(1)
    pair = rng.integers(0, len(enhancers), mutants)
    sides = [mutate(rng, codes[pair]) for codes in (enhancers, promoters)]
    one_sided = rng.integers(0, 3, mutants)  # some mutants are of one side only
    sides[0][one_sided == 1], sides[1][one_sided == 2] = (
        enhancers[pair][one_sided == 1],
        promoters[pair][one_sided == 2],
    )
    scorer = PerturbedScorer(model, Device("cpu"))
    scorer.hold(enhancers, promoters)
    found = scorer.logits(pair, *sides)
    double, expected = Speid.with_weights(model.config, model.state_dict()).double(), []
    with torch.no_grad():
        for start in range(0, mutants, 20):
            onehot = [
                (torch.from_numpy(codes[start : start + 20])[:, None] == torch.arange(4)[:, None]).double()
                for codes in sides
            ]
            expected.append(double(*onehot).numpy())
    off = np.abs(found - np.concatenate(expected)).max()
    yield f"""
## Exactness

{mutants:,} random mutants at the preset `paper`, with norms as after training: substitutions, replaced stretches,
insertions and deletions, of one side or both, in windows that begin outside a chromosome or hold a run of N. Largest
difference of a logit from the network run on each mutant in float64: {off:.1e} (logits from {found.min():.1f} to
{found.max():.1f})."""


def trained_like() -> Speid:
    """A network of the preset `paper` whose norms have statistics of features, as after training."""
    model = new_network(PRESETS["paper"].model, torch.Generator().manual_seed(0))
    model.train()
    with torch.no_grad():
        for norm in (model.feature_norm, model.sequence_norm, model.dense_norm, model.output_norm):
            norm.momentum = None  # the mean over all batches
        enhancers, promoters = windows(48)
        for start in range(0, 48, 16):
            model.logits_of_codes(
                torch.from_numpy(enhancers[start : start + 16]), torch.from_numpy(promoters[start : start + 16])
            )
    return model.eval()


def windows(count: int) -> tuple[Codes, Codes]:
    """Random windows of the preset `paper`, with N where a chromosome ends and inside."""
    rng, config = np.random.default_rng(0), PRESETS["paper"].model
    enhancers, promoters = (rng.integers(0, 4, (count, width), dtype=np.uint8)
                            for width in (config.enhancer_window, config.promoter_window))  # fmt: skip
    enhancers[::2, :700], promoters[1::2, -300:], promoters[::3, 900:1000] = 4, 4, 4
    return enhancers, promoters


def mutate(rng: np.random.Generator, windows: Codes) -> Codes:
    """One change of a random kind in each window (M, L)."""
    length = windows.shape[1]
    for number, codes in enumerate(windows):
        place, size = int(rng.integers(length - 60)), int(rng.integers(1, 20))
        inserted = rng.integers(0, 4, size)
        match number % 4:
            case 0:
                codes[rng.integers(length)] = rng.integers(0, 5)
            case 1:
                codes[place : place + 40] = rng.integers(0, 4, 40)
            case 2:
                codes[:] = np.insert(codes, place, inserted)[:length]
            case 3:
                codes[:] = np.append(np.delete(codes, slice(place, place + size)), inserted)
    return windows


def speed(folder: Path) -> Iterator[str]:
    """Mutants a second of three ways in turn, the scan, and how time grows."""
    yield SPEED
    yield from mutants_a_second()
    yield from scanning()
    yield from growth(folder)
    yield from streaming()


SPEED = """
## Speed

Medians of 3 rounds, in which the ways of a table were run in turn."""


def mutants_a_second(rounds: int = 3) -> Iterator[str]:
    """Plain PyTorch, the scorer that is given each mutant as a new element, and the perturbed one."""
    model, device = trained_like(), Device("cpu")
    enhancers, promoters = windows(1)
    enhancers[enhancers == 4], promoters[promoters == 4] = 0, 1
    codes = enhancers[0], promoters[0]
    mutants = np.repeat(enhancers, 300, axis=0)
    mutants[np.arange(300), np.arange(300) * 10] ^= 1
    scorer = PerturbedScorer(model, device)

    def plain(batch: int) -> float:
        some = [torch.from_numpy(codes) for codes in (mutants[:batch], promoters.repeat(batch, 0))]
        with torch.no_grad():
            return seconds(lambda: model.logits_of_codes(*some)) / batch

    def elements() -> float:
        each = Scorer[int](model, device, (lambda rows: mutants[rows], lambda rows: promoters[rows]))
        return seconds(lambda: each.logits(range(300), [0] * 300)) / 300

    def perturbed() -> float:
        places = np.arange(len(codes[0])), np.arange(len(codes[1]))
        return seconds(lambda: substitutions(scorer, codes, places)) / (3 * sum(map(len, codes)))

    ways = {"plain PyTorch, one at a time": lambda: statistics.median(plain(1) for _ in range(8)),
            "plain PyTorch, 32 at a time": lambda: plain(32),
            "each mutant as a new element of the shared-element scorer": elements,
            "`explain mutagenesis`: all 15,000 substitutions of a pair": perturbed}  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    medians = {name: statistics.median(values) for name, values in taken.items()}
    slowest = max(medians.values())
    yield "\n| mutants at the preset `paper` | mutants/s | times the slowest | a pair of 15,000 |\n|---|---|---|---|"
    for name, each in medians.items():
        yield f"| {name} | {1 / each:,.1f} | {slowest / each:,.1f} | {15_000 * each:,.0f} s |"


def scanning(rounds: int = 3) -> Iterator[str]:
    """JASPAR 2016 over 1,000 windows."""
    motifs = read_jaspar_release("2016", "CORE", ["vertebrates"])
    codes = np.random.default_rng(0).integers(0, 4, (1000, 3000), dtype=np.uint8)
    taken: dict[int, list[float]] = {}
    for _ in range(rounds):
        for count in (130, 260, len(motifs)):
            scan = lambda some=motifs[:count]: list(Scanner(some, background_of(codes)).scan(codes))  # noqa: E731
            taken.setdefault(count, []).append(seconds(scan))
    yield "\n| motifs scanned over 1,000 windows of 3,000 bp, both strands, p < 1e-4 | seconds |\n|---|---|"
    for count, values in taken.items():
        yield f"| {count} | {statistics.median(values):.1f} |"


def growth(folder: Path, rounds: int = 3) -> Iterator[str]:
    """Seconds of whole commands with once, twice and four times the input."""
    taken: dict[str, dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name, inside(folder):
        work = Path(name)
        files = {count: inputs(work, count) for count in (1, 2, 4)}
        for _ in range(rounds):
            for count, (pairs, variants, motifs) in files.items():
                asked: dict[str, list[Any]] = {
                    "mutagenesis, 10 pairs": ["mutagenesis", "pairs.pt", pairs, "-o", work / "m"],
                    "variants, 10,000 in 1,000 pairs": ["variants", "pairs.pt", work / "all.bedpe", variants,
                                                        "--no-percentile", "-o", work / "v"],
                    "knock-out, 30 motifs": ["knockout", "pairs.pt", "pairs.npz", "--motifs", motifs, "-o", work / "k"],
                }  # fmt: skip
                for title, arguments in asked.items():
                    spent = seconds(lambda arguments=arguments: run("explain", *arguments, "--force"))
                    taken.setdefault(title, {}).setdefault(count, []).append(spent)
    yield "\n| whole commands with preset `tiny` | once | 2 times the input | 4 times |\n|---|---|---|---|"
    for title, counts in taken.items():
        cells = [f"{statistics.median(values):.1f} s" for values in counts.values()]
        yield f"| {title} | {' | '.join(cells)} |"


def inputs(work: Path, count: int) -> tuple[Path, Path, Path]:
    """`count` times 10 pairs, 10,000 variants inside windows of 1,000 pairs, and 30 motifs."""
    lines = Path("pairs.bedpe").read_text().splitlines()[1:]
    pairs, variants, motifs = work / f"{count}.bedpe", work / f"{count}.vcf", work / f"{count}.jaspar"
    pairs.write_text("".join(f"{line}\n" for line in lines[: 10 * count]))
    (work / "all.bedpe").write_text("".join(f"{line}\n" for line in lines[:1000]))
    write_variants(variants, lines[:1000], 10_000 * count)
    with motifs.open("w") as out:
        for motif in read_jaspar_release("2016", "CORE", ["vertebrates"])[: 30 * count]:
            out.write(f">{motif.identifier} {motif.name}\n")
            out.writelines(f"{letter} [ {' '.join(map(str, motif.matrix[:, column]))} ]\n"
                           for letter, column in zip("ATCG", range(4), strict=True))  # fmt: skip
    return pairs, variants, motifs


def write_variants(path: Path, lines: Sequence[str], count: int) -> None:
    """SNVs at random places of the elements of these pairs."""
    rng, places = np.random.default_rng(0), set[tuple[str, int]]()
    elements = [fields[side : side + 3] for fields in (line.split("\t") for line in lines) for side in (0, 3)]
    while len(places) < count:
        chrom, start, end = elements[int(rng.integers(len(elements)))]
        places.add((chrom, int(rng.integers(int(start), int(end)))))
    with pysam.FastaFile("genome.fa") as genome, path.open("w") as out:
        out.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for chrom, place in sorted(places):
            base = genome.fetch(chrom, place, place + 1).upper()
            out.write(f"{chrom}\t{place + 1}\t.\t{base}\t{'C' if base != 'C' else 'T'}\t.\t.\t.\n")


def streaming(pairs: int = 100_000, variants: int = 1_000_000) -> Iterator[str]:
    """Time and peak memory of `variants` against many pairs, on a genome of 8 contigs of 40 Mb."""
    rng, contig_bp = np.random.default_rng(0), 40_000_000
    with tempfile.TemporaryDirectory() as name, inside(Path(name)):
        config = replace(PRESETS["tiny"].model, enhancer_window=800, promoter_window=500)
        model = new_network(config, torch.Generator().manual_seed(0))
        with open("model.pt", "wb") as stream:
            Checkpoint(config, model.state_dict(), "finetuned", [], {}).write(stream)
        with open("genome.fa", "wb") as genome, open("pairs.bedpe", "w") as bedpe, open("variants.vcf", "w") as vcf:
            vcf.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n")
            for contig in (f"chr{number}" for number in range(1, 9)):
                letters = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, contig_bp)]
                genome.write(f">{contig}\n".encode() + letters.tobytes() + b"\n")
                for first, second in rng.integers(1000, contig_bp - 2000, (pairs // 8, 2)).tolist():
                    bedpe.write(f"{contig}\t{first}\t{first + 300}\t{contig}\t{second}\t{second + 300}\n")
                for place in np.sort(rng.choice(contig_bp, variants // 8, replace=False)).tolist():
                    base = chr(letters[place])
                    vcf.write(f"{contig}\t{place + 1}\t.\t{base}\t{'C' if base != 'C' else 'G'}\n")
        arguments = [
            "explain",
            "variants",
            "model.pt",
            "pairs.bedpe",
            "variants.vcf",
            "-f",
            "genome.fa",
            "-o",
            "out.tsv",
        ]
        spent, peak = run_apart([*arguments, "--no-percentile"])
        rows = Path("out.tsv").read_bytes().count(b"\n") - 1
    yield f"""
`explain variants --no-percentile`, {variants:,} SNVs against {pairs:,} pairs, windows of 800 and 500 bp, preset `tiny`:
{rows:,} rows in {spent:.0f} s, peak memory {peak / 1e6:.0f} MB."""


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

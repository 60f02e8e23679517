#!/usr/bin/env python3
"""Does `speid explain` find what was planted, is it exact, and how fast is it? Writes EXPLAIN.md.

Models are trained on the three grammars of examples/simulate.py, and asked by the commands themselves.
What is in the work folder already is not made again.

usage: python benchmarks/explain.py [--work FOLDER] [--seeds N]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas
import torch
from explain_speed import Codes, exactness, inside, run, speed
from measurements import machine_line
from numpy.typing import NDArray

from speid_cli.dataset.metrics import ranking
from speid_cli.dataset.pairs import SIDES, TEST, PairDataset
from speid_cli.explain.mutagenesis import base_values, substitutions
from speid_cli.model.checkpoint import Checkpoint
from speid_cli.model.convolution import expand
from speid_cli.model.device import Device
from speid_cli.model.speid import Speid
from speid_cli.scoring.perturbed import PerturbedScorer

HERE = Path(__file__).parent
GRAMMARS = ("match", "and", "null")
FAMILIES = {"match": ("CTCF", "REST", "NRF1", "RFX5", "MEF2A"), "and": ("CTCF", "REST"), "null": ()}
PLANTED = {"match": [(name, name) for name in FAMILIES["match"]], "and": [("CTCF", "REST")], "null": []}


def main() -> None:
    """Run everything, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("explain-bench"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    folders = {(grammar, seed): options.work.absolute() / f"{grammar}-{seed}"
               for grammar in GRAMMARS for seed in range(options.seeds)}  # fmt: skip
    for (grammar, seed), folder in folders.items():
        prepare(folder, grammar, seed)
    lines = [*truth(folders), *exactness(), *speed(folders["match", 0])]
    (HERE / "EXPLAIN.md").write_text("\n".join([HEAD, *lines, "", machine_line(), ""]))


HEAD = """# What `speid explain` finds, how exact it is, and how fast

Written by `python benchmarks/explain.py`. The models are of preset `tiny`, trained for 4 and 6 epochs on simulated
pairs (`examples/simulate.py`): 2,000 elements a side on 8 chromosomes; all questions are about pairs of a chromosome
that was held out. The motifs asked about are the planted ones and 11 others.
"""


def prepare(folder: Path, grammar: str, seed: int) -> None:
    """Simulate, train, and ask every question about a data set, unless it was done."""
    if not (folder / "sites.bed").exists():
        simulate = [sys.executable, str(HERE.parent / "examples" / "simulate.py"), "-o", str(folder)]
        subprocess.run([*simulate, "--grammar", grammar, "--seed", str(seed)], check=True)
    with inside(folder):
        if not Path("pairs.pt").exists():
            train(seed)
        for question in ("kernels", "knockout", "epistasis"):
            if not Path(question).exists():
                run("explain", question, "pairs.pt", "pairs.npz", "--motifs", "motifs.jaspar", "-o", question)


def train(seed: int) -> None:
    """A model of the pairs in the current folder."""
    common = "--force", "--seed", seed
    run("motifs", "motifs.jaspar", "--preset", "tiny", *common)
    run("prepare", "pairs.bedpe", "genome.fa", "--enhancer-window", 800, "--promoter-window", 500, *common)
    run("pretrain", "pairs.npz", "--preset", "tiny", "--motifs", "kernels.npz", "--epochs", 4, *common)
    run("finetune", "pairs.pretrained.pt", "pairs.npz", "--epochs", 6, *common)


def truth(folders: dict[tuple[str, int], Path]) -> Iterator[str]:
    """What was found of what was planted."""
    parts: list[tuple[str, Callable[[str, Path], list[str] | None]]] = [
        (KERNELS, kernels_row), (KNOCKOUT, knockout_row), (EPISTASIS, epistasis_row), (MUTAGENESIS, mutagenesis_row),
    ]  # fmt: skip
    for head, row in parts:
        yield head
        for (grammar, seed), folder in folders.items():
            if cells := row(grammar, folder):
                yield f"| {grammar} {seed} | {' | '.join(cells)} |"


KERNELS = """
## Kernels

Of the planted motifs, those that a kernel of the branch matches with q < .01; kernels compared; kernels with such a
match; controls (the kernels with shuffled columns) with one; kernels whose drop in AUPRC has an interval above 0.

| data | enhancer branch | promoter branch | compared | matched | controls matched | drop above 0 |
|---|---|---|---|---|---|---|"""


def kernels_row(grammar: str, folder: Path) -> list[str]:
    """Cells of one data set."""
    table = pandas.read_csv(folder / "kernels" / "kernels.tsv", sep="\t")
    page = (folder / "kernels" / "report.html").read_text()
    matched = table[table.q_value < 0.01]
    cells = []
    for branch, side in zip(SIDES, (0, 1), strict=True):
        planted = {couple[side] for couple in PLANTED[grammar]}
        found = planted & set(matched[matched.branch == branch].match_name)
        cells.append(f"{len(found)} of {len(planted)}" if planted else "–")
    (controls,) = re.findall(r'"big">(\d+)</div>of them would match', page)
    return [
        *cells,
        str(int(table.q_value.notna().sum())),
        str(len(matched)),
        controls,
        str(int((table.auprc_low > 0).sum())),
    ]


KNOCKOUT = """
## Knock-out

Whether the first rows (significant ones first, then by the effect on interacting pairs) are exactly the planted motifs
in their sides, their largest q, the weakest of their effects, the largest effect of any other motif (but those in the
family of a planted one, which have its sites), and the rows whose change in AUPRC has an interval without 0.

| data | AUPRC | planted on top | largest q | weakest planted | strongest other | AUPRC intervals without 0 |
|---|---|---|---|---|---|---|"""


def knockout_row(grammar: str, folder: Path) -> list[str]:
    """Cells of one data set."""
    table = pandas.read_csv(folder / "knockout" / "knockout.tsv", sep="\t")
    outside = int(((table.auprc_low > 0) | (table.auprc_high < 0)).sum())
    auprc = (folder / "knockout" / "report.html").read_text().split("(AUPRC ")[1].split(",")[0]
    wanted = {(side, couple[number]) for couple in PLANTED[grammar] for number, side in enumerate(SIDES)}
    if not wanted:
        return [auprc, "–", "–", "–", f"{table.effect.abs().max():.2f}", f"{outside} of {len(table)}"]
    top = set(zip(table.side[: len(wanted)], table.name[: len(wanted)], strict=True))
    planted = np.array([place in wanted for place in zip(table.side, table.name, strict=True)])
    others = ~np.array([place in wanted for place in zip(table.side, table.family, strict=True)]) & ~planted
    return [
        auprc,
        "yes" if top == wanted else f"{len(top & wanted)} of {len(wanted)}",
        f"{table.q_value[planted].max():.1g}",
        f"{table.effect[planted].abs().min():.2f}",
        f"{table.effect[others].abs().max():.2f}",
        f"{outside} of {len(table)}",
    ]


EPISTASIS = """
## Epistasis

Whether the first rows are exactly the planted couples (or, of a family of motifs at the same sites, its strongest
couple), their largest q, the weakest of them, and the strongest other couple with q < .05, in no family of these.

| data | planted on top | largest q | weakest planted | strongest other |
|---|---|---|---|---|"""


def epistasis_row(grammar: str, folder: Path) -> list[str] | None:
    """Cells of one data set with planted couples."""
    if not PLANTED[grammar]:
        return None
    table = pandas.read_csv(folder / "epistasis" / "epistasis.tsv", sep="\t")
    couples = list(zip(table.enhancer_name, table.promoter_name, strict=True))
    wanted, planted = set(PLANTED[grammar]), np.array([couple in PLANTED[grammar] for couple in couples])
    families = set(table.family[planted])
    on_top = len(set(table.family[: len(wanted)]) & families)
    others = ~table.family.isin(families) & (table.q_value < 0.05)
    return [
        "yes" if on_top == len(wanted) else f"{on_top} of {len(wanted)}",
        f"{table.q_value[planted].max():.1g}",
        f"{table.effect[planted].min():.2f}",
        f"{table.effect[others].abs().max():.2f}",
    ]


MUTAGENESIS = """
## Mutagenesis

Area under the precision-recall curve of the positions of both windows of 40 interacting held-out pairs, ranked by the
size of what each base contributes, against the planted sites; the share of planted positions; and the same area for
gradient x input.

| data | mutagenesis | base rate | gradient x input |
|---|---|---|---|"""


def mutagenesis_row(grammar: str, folder: Path, pairs: int = 40) -> list[str] | None:
    """Cells of one data set of `match`."""
    if grammar != "match":
        return None
    checkpoint, dataset = Checkpoint.read(folder / "pairs.pt"), PairDataset.read(folder / "pairs.npz")
    sites = pandas.read_csv(folder / "sites.bed", sep="\t", names=["chrom", "start", "end"], usecols=[0, 1, 2])
    members = dataset.members(TEST)
    members = members[dataset.label[members] == 1][:pairs]
    scorer, model = PerturbedScorer(checkpoint.model(), Device("cpu")), checkpoint.model()
    planted, mutated, gradient = [], [], []
    for pair in members.tolist():
        codes = []
        for _, elements, index in dataset.sides:
            chrom, start, end = elements.interval[index[pair]].tolist()
            (window,) = elements.window_codes([int(index[pair])])
            position = (start + end - len(window)) // 2 + np.arange(len(window))
            near = sites[sites.chrom == dataset.chromosomes[chrom]]
            planted.append(
                ((near.start.to_numpy()[:, None] <= position) & (position < near.end.to_numpy()[:, None])).any(0)
            )
            codes.append(window)
        effects = substitutions(scorer, (codes[0], codes[1]), (np.arange(len(codes[0])), np.arange(len(codes[1]))))
        mutated += [np.abs(np.nan_to_num(base_values(side))) for side in effects.changes]
        gradient += gradients(model, codes)
    label = np.concatenate(planted).astype(np.int8)
    areas = [float(ranking(label, np.concatenate(values).astype(np.float64), np.ones((1, len(label))))[0][0])
             for values in (mutated, gradient)]  # fmt: skip
    return [f"{areas[0]:.3f}", f"{label.mean():.3f}", f"{areas[1]:.3f}"]


def gradients(model: Speid, codes: Sequence[Codes]) -> list[NDArray[np.float32]]:
    """Size of gradient x input of each base of both windows."""
    onehot = [expand(torch.from_numpy(side[None])).requires_grad_() for side in codes]
    model(*onehot).sum().backward()
    return [(side.detach() * side.grad).sum(1)[0].abs().numpy() for side in onehot]  # type: ignore[operator]


if __name__ == "__main__":
    main()

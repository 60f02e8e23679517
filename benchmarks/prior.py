#!/usr/bin/env python3
"""Do sequence and distance together tell more than either alone, and are the probabilities right? Writes PRIOR.md.

In a simulated genome (examples/simulate.py) a pair interacts with a probability that falls with its distance and
depends on whether both elements carry the same motif. A model is trained on pairs matched by distance, and all
candidates of held-out chromosomes are judged.

usage: python benchmarks/prior.py [--work FOLDER] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from explain_speed import inside, run
from matplotlib.figure import Figure
from measurements import machine_line
from numpy.typing import NDArray

from speid_cli.dataset.metrics import sigmoid
from speid_cli.dataset.pairs import TRAIN, Elements, PairDataset
from speid_cli.evaluation.measures import Predictions, estimate
from speid_cli.evaluation.prior import DistancePrior, fit_prior
from speid_cli.model.checkpoint import Checkpoint

HERE = Path(__file__).parent
FAMILIES = 5
NEAREST, FARTHEST = 5_000, 1_000_000
SHARE_AT_10_KB = 0.25
OTHERS = 0.02  # how likely pairs of different motifs are, beside those of the same
HELD_OUT = {"validation": 0.15, "test": 0.35}
BINS = 6
TAB = "\t"
Array = NDArray[np.float64]


class Judged(NamedTuple):
    """All candidates of the held-out chromosomes: distances, labels, promoters, and probabilities by method."""

    distance: NDArray[np.int64]
    label: NDArray[np.int8]
    promoter: NDArray[np.int64]
    probability: dict[str, Array]


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, train, judge, write the page and its picture."""
    options = parse(arguments)
    folder = options.work.absolute()
    options.output.mkdir(parents=True, exist_ok=True)
    with inside(prepare(folder, options)):
        if not Path("pairs.pt").exists():
            train(options)
        judged = judge()
    (options.output / "prior.svg").write_bytes(picture(judged))
    real = real_loops(options.data.absolute(), folder) if options.data else []
    lines = [HEAD, *counts(judged), *accuracy(judged), *by_distance(judged), *by_probability(judged), *real]
    (options.output / "PRIOR.md").write_text("\n".join([*lines, "", machine_line(), ""]))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("prior-bench"), help="folder for what is simulated")
    parser.add_argument("--data", type=Path, help="folder with the Hi-C loops, enhancers and promoters of HUVEC")
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="folder for the page and its picture")
    parser.add_argument("--chromosomes", type=int, default=16)
    parser.add_argument("--elements", type=int, default=250, help="enhancers, and promoters, on each chromosome")
    parser.add_argument("--epochs", type=int, nargs=2, default=(6, 6), help="of pre-training and of fine-tuning")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


HEAD = f"""# Sequence, distance, and both

Written by `python benchmarks/prior.py --data DATA`. Simulated: a pair at distance d interacts with probability
{SHARE_AT_10_KB} · 10 kb / d if both elements carry the same one of {FAMILIES} motifs, else with {OTHERS} of that.
The model (preset `tiny`) is trained on interacting pairs and 20 negatives for each at the same distances, so that it
cannot learn from distance. `evaluate --fit --prior` learns the share at each distance from all candidates of the
training chromosomes. All candidates of chromosomes that were held out are judged:

* sequence: `predict --prevalence SHARE`, with the share of positives among the training candidates;
* distance: the prior alone;
* both: `predict --prevalence distance`;
* the law itself: the probabilities from which the labels were drawn, which no method can surpass by much.
"""


def prepare(folder: Path, options: argparse.Namespace) -> Path:
    """A genome, and ``all.bedpe``: all candidates with labels."""
    if not (folder / "all.bedpe").exists():
        sizes = ["--chromosomes", str(options.chromosomes), "--elements", str(options.elements)]
        script = str(HERE.parent / "examples" / "simulate.py")
        subprocess.run([sys.executable, script, "-o", str(folder), *sizes], check=True)
        with inside(folder):
            reach = "--min-distance", NEAREST, "--max-distance", FARTHEST
            run("candidates", "enhancers.bed", "promoters.bed", *reach, "-o", "unlabelled.bedpe", "--force")
            lines = label(Path("unlabelled.bedpe").read_text().splitlines())
            Path("all.bedpe").write_text("\n".join(lines) + "\n")
    return folder


def label(lines: Sequence[str]) -> Iterator[str]:
    """Candidates with labels drawn by distance and motifs."""
    rng = np.random.default_rng(0)
    yield f"{lines[0]}\tlabel"
    for line in lines[1:]:
        yield f"{line}\t{int(rng.random() < law(line.split(TAB)))}"


def law(fields: Sequence[str]) -> float:
    """The probability that a candidate interacts; its name ends in the numbers of its elements."""
    first, second = (int(name.rpartition("_")[2]) % FAMILIES for name in fields[6].split("~"))
    return SHARE_AT_10_KB * 10_000 / int(fields[10]) * (1.0 if first == second else OTHERS)


def train(options: argparse.Namespace) -> None:
    """``pairs.pt``, with calibration and prior, from the files in the current folder."""
    names = [f"chr{number}" for number in range(1, options.chromosomes + 1)]
    sizes = [max(1, round(share * len(names))) for share in HELD_OUT.values()]
    validation, test = names[: sizes[0]], names[sizes[0] : sum(sizes)]
    held_out = "--validation-chroms", ",".join(validation), "--test-chroms", ",".join(test)
    windows, common = ("--enhancer-window", 800, "--promoter-window", 500), ("--force", "--threads", options.threads)
    run("negatives", "all.bedpe", "enhancers.bed", "promoters.bed", "--with-positives", "-o", "pairs.bedpe", "--force")
    run("motifs", "motifs.jaspar", "--preset", "tiny", "--force")
    run("prepare", "pairs.bedpe", "genome.fa", *windows, *held_out, "--force")
    kernels = "--preset", "tiny", "--motifs", "kernels.npz"
    run("pretrain", "pairs.npz", *kernels, "--epochs", options.epochs[0], *common)
    run("finetune", "pairs.pretrained.pt", "pairs.npz", "--epochs", options.epochs[1], "-o", "fitted.pt", *common)
    run("evaluate", "fitted.pt", "pairs.npz", "--fit", "--prior", "all.bedpe", "-o", "evaluation", *common)
    Path("fitted.pt").rename("pairs.pt")
    lines = Path("all.bedpe").read_text().splitlines()
    kept = [line for line in lines if line.startswith("#") or line.partition("\t")[0] in test]
    Path("held_out.bedpe").write_text("\n".join(kept) + "\n")


def judge() -> Judged:
    """The held-out candidates by each method."""
    prior = DistancePrior.from_plain(Checkpoint.read("pairs.pt").prior or {})
    settings = {"sequence": prior.positives / prior.candidates, "both": "distance"}
    scores = {}
    for name, prevalence in settings.items():
        run("predict", "pairs.pt", "held_out.bedpe", "--prevalence", prevalence, "-o", f"{name}.bedpe", "--force")
        rows = [line.split("\t") for line in Path(f"{name}.bedpe").read_text().splitlines()[1:]]
        scores[name] = np.array([float(row[7]) for row in rows])
    distance, label = (np.array([int(row[column]) for row in rows]) for column in (10, 11))
    probability = {"sequence": scores["sequence"], "distance": sigmoid(prior.at(distance)), "both": scores["both"]}
    probability["the law itself"] = np.array([law(row) for row in rows])
    promoter = np.unique([":".join(row[3:6]) for row in rows], return_inverse=True)[1]
    return Judged(distance, label.astype(np.int8), promoter, probability)


def counts(judged: Judged) -> Iterator[str]:
    """What is judged."""
    yield f"{len(judged.label):,} candidates, {int(judged.label.sum()):,} of them interacting."


def accuracy(judged: Judged) -> Iterator[str]:
    """Measures of each method."""
    yield "\n## Accuracy\n\n95% bootstrap intervals, resampled by promoter.\n"
    yield "| | AUPRC | AUROC | Brier score, in units of the base rate's |\n|---|---|---|---|"
    base = judged.label.mean() * (1 - judged.label.mean())
    for name, probability in judged.probability.items():
        found = estimate(Predictions(judged.label, probability, probability, 0.5), judged.promoter, 300, 0)
        cells = [f"{found[m].value:.3f} ({found[m].low:.3f}-{found[m].high:.3f})" for m in ("auprc", "auroc")]
        yield f"| {name} | {' | '.join(cells)} | {found['brier'].value / base:.3f} |"
    yield f"| base rate | {judged.label.mean():.4f} | .500 | 1 |"


def bins(judged: Judged) -> list[NDArray[np.bool_]]:
    """Candidates by distance, in bins of equal width on a logarithmic scale."""
    edges = np.geomspace(NEAREST, FARTHEST + 1, BINS + 1)
    return [(judged.distance >= low) & (judged.distance < high) for low, high in pairwise(edges)]


def interval(label: NDArray[np.int8]) -> tuple[float, float]:
    """Wilson's 95% interval of a share."""
    share, half = label.mean(), 1.96**2 / (2 * len(label))
    spread = 1.96 * np.sqrt(share * (1 - share) / len(label) + half / (2 * len(label)))
    return (share + half - spread) / (1 + 2 * half), (share + half + spread) / (1 + 2 * half)


def percent(label: NDArray[np.int8]) -> str:
    """The share of label 1 in percent, with its interval."""
    low, high = interval(label)
    return f"{100 * label.mean():.3f} ({100 * low:.3f}-{100 * high:.3f})"


def by_distance(judged: Judged) -> Iterator[str]:
    """Observed and mean predicted shares in bins of distance."""
    yield "\n## Reliability by distance\n\nShares in percent: observed, with its 95% interval, and mean predicted.\n"
    yield f"| distance | candidates | observed | {' | '.join(judged.probability)} |\n{'|---' * 7}|"
    for some in bins(judged):
        places, observed = judged.distance[some], percent(judged.label[some])
        means = [f"{100 * probability[some].mean():.3f}" for probability in judged.probability.values()]
        kb = f"{places.min() / 1000:,.0f}-{places.max() / 1000:,.0f} kb"
        yield f"| {kb} | {some.sum():,} | {observed} | {' | '.join(means)} |"
    yield "\n![Observed and predicted shares by distance](prior.svg)"


def by_probability(judged: Judged) -> Iterator[str]:
    """Observed and mean predicted shares in bins of the probability by both."""
    yield "\n## Reliability by probability, sequence and distance together\n"
    yield "| candidates, from the lowest probability up | predicted, % | observed, % (95% interval) |\n|---|---|---|"
    probability = judged.probability["both"]
    order = np.argsort(probability, kind="stable")
    ends = [0, *(int(len(order) * share) for share in (0.5, 0.8, 0.9, 0.97, 0.99, 1))]
    for first, last in pairwise(ends):
        some = order[first:last]
        yield f"| {len(some):,} | {100 * probability[some].mean():.3f} | {percent(judged.label[some])} |"


def picture(judged: Judged) -> bytes:
    """Observed and predicted shares by distance."""
    with matplotlib.rc_context({"svg.hashsalt": "speid", "svg.fonttype": "none", "legend.frameon": False}):
        figure = Figure(figsize=(5.6, 4.2), layout="constrained")
        axes, stream = figure.add_subplot(), io.BytesIO()
        parts = bins(judged)
        place = [np.exp(np.log(judged.distance[some]).mean()) for some in parts]
        share = np.array([judged.label[some].mean() for some in parts])
        ends = np.array([interval(judged.label[some]) for some in parts]).T
        axes.errorbar(place, share, np.abs(ends - share), fmt="o", color="#000000", capsize=3, label="observed")
        for name, colour in (("sequence", "#E69F00"), ("distance", "#56B4E9"), ("both", "#0072B2")):
            means = [judged.probability[name][some].mean() for some in parts]
            axes.plot(place, means, color=colour, linestyle="--" if name == "distance" else "-", label=name)
        axes.set(xscale="log", yscale="log", xlabel="distance in bp", ylabel="share of pairs that interact")
        axes.legend()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


REAL = """
## Real loops

HUVEC: all candidates 10 kb to 2 Mb apart, labelled by the loops of its Hi-C map. The prior is learnt from those on odd
chromosomes. Loops that are too short are not called, so that the share rises before it falls. Chromosomes differ, and
the prior cannot know that.
"""


def real_loops(data: Path, folder: Path) -> Iterator[str]:
    """The prior of all candidates of HUVEC on odd chromosomes, beside what is observed there and on even ones."""
    path, source = folder / "huvec.bedpe", data / "hic"
    beds = source / "HUVEC.enhancers.bed.gz", source / "HUVEC.promoters.bed.gz"
    run("candidates", *beds, "--anchors", source / "HUVEC.HiCCUPS_looplist.txt.gz", "-o", path, "--force")
    prior = fit_prior(str(path), on_chromosomes([f"chr{number}" for number in range(1, 23, 2)]))
    rows = [line.split(TAB) for line in path.read_text().splitlines()[1:] if not line.startswith("chrX")]
    odd, distance, label = np.array([(int(row[0][3:]) % 2, int(row[10]), int(row[11])) for row in rows]).T
    yield REAL
    yield "| distance | prior, % | observed, %, on odd chromosomes | on even ones |\n|---|---|---|---|"
    for low, high in [*pairwise(np.geomspace(10_000, 2_000_001, 9)), (10_000, 2_000_001)]:
        some = (distance >= low) & (distance < high)
        cells = [f"{100 * sigmoid(prior.at(distance[some & (odd == 1)])).mean():.3f}"]
        cells += [percent(label[some & (odd == side)]) for side in (1, 0)]
        yield f"| {low / 1000:,.0f}-{high / 1000:,.0f} kb | {' | '.join(cells)} |"


def on_chromosomes(names: Sequence[str]) -> PairDataset:
    """A data set with one training pair on each chromosome and no sequence."""
    count = len(names)
    places = np.array([(number, 0, 100) for number in range(count)])
    nothing, still = np.zeros((count, 50), np.uint8), np.zeros((count, 2), np.int16)
    side, rows = Elements(nothing, 100, 100, still, places), np.arange(count, dtype=np.int32)
    label, subset = np.ones(count, np.int8), np.full(count, TRAIN, np.int8)
    return PairDataset(side, side, rows, rows, label, subset, tuple(names), {})


if __name__ == "__main__":
    main()

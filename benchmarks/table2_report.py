"""TABLE2.md: what the table2 bench measured, beside what the paper printed."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import speid_cli

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "examples" / "table2"))
from table import CELLS, PRINTED  # noqa: E402

Content = dict[str, Any]
WHOLE = {
    "published": "TargetFinder's own folds, trained on nine of them, threshold 0.5",
    "chrom": "10 folds of whole chromosomes",
}
SPLITS = {"random": "10 random folds, as in the paper", "block": "5 contiguous blocks"}
OF_SEQUENCE = ("GC content", "5-mer counts")
SHOWN = ("speid", "distance", "element names", "TargetFinder (E/P)", "TargetFinder (EE/P)", "TargetFinder (E/P/W)")


def write_report(path: Path, work: Path) -> None:
    """Write the page from the results in the work folder."""
    chr22 = {}
    for file in sorted(work.glob("chr22.*/*.evaluation/metrics.json")):
        _, name, split = file.parents[1].name.split(".")
        chr22[name.replace("_", " "), split, file.parent.name.split(".")[0]] = json.loads(file.read_text())
    whole = {tuple(file.stem.split(".")): json.loads(file.read_text()) for file in sorted(work.glob("*.json"))}
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    lines = [
        "# Table 2, measured", "", verdict(chr22), "",
        f"Written by `python benchmarks/table2.py DATA`, speid {speid_cli.__version__}, {versions}, Python "
        f"{platform.python_version()}. Intervals are 95% bootstrap intervals. Each pair is judged once, by models that "
        "were trained without its fold.", "",
        "## In short", "", *summary(chr22, whole), "",
        "## chr22, with sequence", "",
        "The pairs of the paper on chr22 (hg38), windows of 3,000 and 2,000 bp, motifs of JASPAR 2016, the presets' "
        "defaults. Peaks are those of hg19, moved to hg38 as the pairs' elements have moved. Of the other four "
        "cell lines no peaks are at hand.",
    ]  # fmt: skip
    for (name, split, preset), content in chr22.items():
        lines += ["", f"### {name}, {SPLITS[split]}, preset `{preset}`", "", *table(content), "", leak(content)]
    lines += [
        "", "## Whole cell lines, without sequence", "",
        "TargetFinder's variants from its own peaks of ChIP-seq, DNase-seq and FAIRE-seq, through histogram trees "
        "([TREES.md](TREES.md) compares them with TargetFinder's). Its features of CAGE and methylation are not in "
        "here: where F1 is lower than printed, that may be the reason. Printed F1 is the paper's, on a tenth of the "
        "pairs.",
    ]  # fmt: skip
    for (cell, protocol), content in whole.items():
        lines += ["", f"### {cell}, {WHOLE[protocol]}", "", *table(content, cell), "", leak(content)]
    path.write_text("\n".join(lines) + "\n")


def summary(chr22: dict[tuple[str, ...], Content], whole: dict[tuple[str, ...], Content]) -> Iterator[str]:
    """A row of AUPRC for each evaluation."""
    titles = {key: f"chr22, {key[0]}, {SPLITS[key[1]]}, `{key[2]}`" for key in chr22}
    titles |= {key: f"{key[0]}, {WHOLE[key[1]].partition(',')[0]}" for key in whole}
    yield f"| AUPRC within folds | base rate | {' | '.join(SHOWN)} | leak |"
    yield "|---" * (len(SHOWN) + 3) + "|"
    for key, content in (chr22 | whole).items():
        figures = {name: found["measures"]["auprc_within_folds"]["value"] for name, found in content["models"].items()}
        cells = [f"{figures[name]:.3f}" if name in figures else "" for name in ("base rate", *SHOWN)]
        yield f"| {titles[key]} | {' | '.join(cells)} | {leaking(content):.1f}% |"


def verdict(chr22: dict[tuple[str, ...], Content]) -> str:
    """Whether the network, and anything else, is better than the base rate on held-out blocks of chr22."""
    networks, better, others = list[bool](), dict[str, None](), set[tuple[str, str]]()
    for (name, split, preset), content in chr22.items():
        for model, found in content["models"].items() if split == "block" else ():
            is_better = beats_base_rate(found["measures"])
            title = f"{model}, {name}" + f", `{preset}`" * model.startswith("speid")
            if model == "speid":
                networks.append(is_better)
            else:
                others.add((name, model))  # the same beside both presets
            if is_better:
                auprc, gain = (found["measures"][f"auprc_within_folds{end}"]["value"] for end in ("", "_gain"))
                better[f"{title} ({auprc:.3f}, base rate {auprc - gain:.3f})"] = None
    if not networks:
        return "**Nothing was judged on held-out blocks of chr22.**"
    return (
        f"**On held-out blocks of chr22, the network ranks pairs better than the base rate in {sum(networks)} of "
        f"{len(networks)} evaluations.** By the 95% intervals of AUPRC and of AUROC, not corrected for their number, "
        f"{len(better)} of {len(networks) + len(others)} results are better: {'; '.join(better) or 'none'}."
    )


def beats_base_rate(measures: Content) -> bool:
    """Whether the intervals of AUPRC and AUROC both lie above those of guessing."""
    gain, auroc = (measures[f"{name}_within_folds{end}"]["low"] for name, end in (("auprc", "_gain"), ("auroc", "")))
    return (gain or 0) > 0 and (auroc or 0) > 0.5


def table(content: Content, cell: str | None = None) -> Iterator[str]:
    """A row for each model."""
    resampling = content["resampling"]
    yield (
        f"{content['pairs']:,} pairs, {content['positives']:,} of them positive; base rate {content['base_rate']:.3f}; "
        f"resampled by {resampling['unit']} ({resampling['units']:,})."
    )
    yield ""
    yield "| | AUPRC within folds | AUROC within folds | F1 | F1 at 0.5 |" + (" printed F1 |" if cell else "")
    yield "|---" * (6 if cell else 5) + "|"
    for name, found in content["models"].items():
        if cell and name in OF_SEQUENCE:
            continue  # there is none
        measures = found["measures"]
        cells = [interval(measures[f"{name}_within_folds"]) for name in ("auprc", "auroc")] + [interval(measures["f1"])]
        cells.append(interval(measures["f1_at_0.5"]))
        if cell:
            cells.append(f"{PRINTED[name][CELLS.index(cell)]:.2f}" if name in PRINTED else "")
        yield f"| {name} | {' | '.join(cells)} |"


def interval(measure: dict[str, float | None]) -> str:
    """A value with its interval."""
    value, low, high = (float("nan") if measure[name] is None else measure[name] for name in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def leak(content: Content) -> str:
    """What the test pairs share with training pairs."""
    pairs, names = content["leaks"]["test pairs"], content["leaks"]["element names"]
    return (
        f"Leak: {leaking(content):.1f}% of the test pairs share an element, or half a window, with a training pair, "
        f"{100 * pairs['same promoter'] / pairs['pairs']:.1f}% the promoter; the names of the elements alone rank them "
        f"with AUPRC {names['auprc']:.3f}."
    )


def leaking(content: Content) -> float:
    """Share of the test pairs, in %, that share an element or half a window with a training pair."""
    pairs = content["leaks"]["test pairs"]
    return 100 * float(pairs["any of these"]) / float(pairs["pairs"])

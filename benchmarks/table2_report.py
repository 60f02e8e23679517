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


def verdict(chr22: dict[tuple[str, ...], Content]) -> str:
    """Whether anything on held-out blocks of chr22 is better than the base rate."""
    better, judged = [], 0
    for (name, split, preset), content in chr22.items():
        if split == "block":
            judged += len(content["models"])
            better += [
                f"{model} ({name}, preset {preset}: AUPRC within folds "
                f"{found['measures']['auprc_within_folds']['value']:.3f}, more than the base rate by "
                f"{found['measures']['auprc_within_folds_gain']['value']:.3f})"
                for model, found in content["models"].items()
                if (found["measures"]["auprc_within_folds_gain"]["low"] or 0) > 0
                and (found["measures"]["auroc_within_folds"]["low"] or 0) > 0.5
            ]
    if not judged:
        return "**Nothing was judged on held-out blocks of chr22.**"
    if not better:
        return (
            "**On held-out blocks of chr22, nothing ranks pairs better than the base rate: neither the network, nor "
            "TargetFinder, nor both together, nor any baseline.**"
        )
    return (
        f"**On held-out blocks of chr22, {len(better)} of {judged} results are better than the base rate (by the 95% "
        f"intervals of AUPRC and of AUROC, not corrected for their number): {'; '.join(better)}.**"
    )


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
    share = 100 * pairs["any of these"] / pairs["pairs"]
    return (
        f"Leak: {share:.1f}% of the test pairs share an element, or half a window, with a training pair, "
        f"{100 * pairs['same promoter'] / pairs['pairs']:.1f}% the promoter; the names of the elements alone rank them "
        f"with AUPRC {names['auprc']:.3f}."
    )

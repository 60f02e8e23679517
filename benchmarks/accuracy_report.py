"""ACCURACY.md: one table for each data set of the accuracy bench."""

from __future__ import annotations

import json
import platform
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import speid_cli

ABOUT = {
    "match": "A pair interacts where both sides carry the same one of five motif families. "
    "No single side, no name and no distance predicts it.",
    "and": "A pair interacts where the enhancer carries one motif and the promoter another.",
    "null": "Random labels: every model must score the base rate.",
    "hard": "A table of six enhancer and six promoter motif families decides; each interacts with two of the other "
    "side. Elements have their family's motif once or twice and two motifs that mean nothing. The network starts with "
    "all 23 motifs.",
    "chr22, six lines, block": "Real pairs of the six cell lines together, whose held-out ends of chr22 share nothing "
    "with the rest.",
    "GM12878 names, random": "Real names and distances without sequence, split at random as in the paper.",
    "GM12878 names, chrom": "The same pairs, whole chromosomes held out.",
}


class Data(Protocol):
    """A data set of the bench."""

    name: str

    @property
    def key(self) -> str:
        """Its folder's name."""


def write_report(path: Path, work: Path, data: Iterable[Data], command: str) -> None:
    """Write the page from the results that are kept in the work folder."""
    results: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for item in data:
        for file in sorted((work / item.key).glob("*.json")):
            found = json.loads(file.read_text())
            results[item.name][found["name"]].append(found)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scikit-learn"))
    lines = [
        "# Accuracy", "",
        f"Written by `{command}`, speid {speid_cli.__version__}, {versions}, Python {platform.python_version()}, "
        f"{platform.machine()}, one thread a training. AUPRC and AUROC on the test subset; the interval is a 95% "
        "bootstrap, for several seeds the range of their values. F1 at the threshold chosen on validation pairs. "
        "Rivals trained at two learning rates, for each as much processor time as speid with all windows shifted "
        "and motif start, their validation not counted; how many epochs that made stands beside them. speid "
        "pre-trains for 12 at most, with the preset paper for 32. The time of a run that was continued is that "
        "of its last part.",
    ]  # fmt: skip
    for name, contenders in results.items():
        lines += ["", f"## {name}", "", ABOUT[name], ""]
        lines += _table(contenders)
        for contender, found in contenders.items():
            lines += _curve(contender, found) if contender.startswith("speid, preset paper") else []
    path.write_text("\n".join(lines) + "\n")


def _table(contenders: dict[str, list[dict[str, Any]]]) -> list[str]:
    first = next(iter(contenders.values()))
    rates = [found["base_rate"] for found in first]
    pairs = first[0]["pairs"]
    lines = [
        f"{len(first)} seed{'s' * (len(first) > 1)}; {pairs['train']:,} training and {pairs['test']:,} test pairs; "
        f"base rate {np.mean(rates):.3f}; resampled by {first[0]['resampled_by']}.",
        "",
        "| | AUPRC | | AUROC | F1 | processor s | epochs |",
        "|---|---|---|---|---|---|---|",
    ]
    ranked = sorted(contenders.items(), key=lambda entry: -np.mean([_value(found, "auprc") for found in entry[1]]))
    for name, found in ranked:
        auprc, auroc, f1 = (np.array([_value(one, key) for one in found]) for key in ("auprc", "auroc", "f1"))
        low, high = (auprc.min(), auprc.max()) if len(found) > 1 else _interval(found[0])
        seconds = np.mean([one["processor_seconds"] for one in found])
        lines.append(
            f"| {name} | {auprc.mean():.3f} | {low:.3f} to {high:.3f} | {auroc.mean():.3f} | {f1.mean():.3f} "
            f"| {seconds:.0f} | {_epochs(found)} |"
        )
    return lines


def _curve(name: str, found: list[dict[str, Any]]) -> list[str]:
    """Validation AUPRC, epoch by epoch."""
    lines = []
    for one, stage in product(found, ("pretrained", "finetuned")):
        rows = [row for row in one["history"] if row["stage"] == stage]
        values = [f"{row['validation_auprc']:.3f}" for row in rows]
        lines += [
            "",
            f"Validation AUPRC of {name}, {stage}, epoch by epoch: {', '.join(values)}. Training loss from "
            f"{rows[0]['training_loss']:.3f} to {rows[-1]['training_loss']:.3f}.",
        ]
    return lines


def _epochs(found: list[dict[str, Any]]) -> str:
    """Mean number of epochs; empty for models without epochs."""
    passes = np.mean([one.get("epochs", 0.0) for one in found])
    return f"{passes:.1f}" if passes else ""


def _value(found: dict[str, Any], key: str) -> float:
    return float(found["measures"][key]["value"])


def _interval(found: dict[str, Any]) -> tuple[float, float]:
    return found["measures"]["auprc"]["low"], found["measures"]["auprc"]["high"]

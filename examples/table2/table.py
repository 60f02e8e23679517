#!/usr/bin/env python3
"""Print Table 2 from the evaluations: the paper's figures, and those of both protocols beside them.

usage: table.py RESULTS > table2.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# F1, Singh et al. 2016, Table 2.
CELLS = ("GM12878", "HeLa-S3", "HUVEC", "IMR90", "K562", "NHEK")
PRINTED = {
    "TargetFinder (E/P)": (0.59, 0.61, 0.48, 0.48, 0.61, 0.83),
    "TargetFinder (EE/P)": (0.84, 0.83, 0.71, 0.83, 0.81, 0.83),
    "TargetFinder (E/P/W)": (0.81, 0.87, 0.77, 0.78, 0.85, 0.90),
    "speid": (0.85, 0.81, 0.75, 0.78, 0.85, 0.94),
}
PROTOCOLS = {
    "paper": "random split, a tenth of the pairs tested",
    "honest": "folds of the genome, each pair tested once",
}


def main(results: str) -> None:
    """Read every ``CELL/PROTOCOL/evaluation/metrics.json``."""
    folders = [path for path in sorted(Path(results).iterdir()) if (path / "paper/evaluation/metrics.json").exists()]
    cells = [path.name for path in folders]
    print("# Table 2\n\nF1 as printed in the paper: its held-out tenth of a random split.\n")
    print("\n".join(rows(cells, {name: printed(values, cells) for name, values in PRINTED.items()})))
    for protocol, what in PROTOCOLS.items():
        found = [json.loads((folder / protocol / "evaluation/metrics.json").read_text()) for folder in folders]
        for measure in ("f1", "auprc"):
            names = list(dict.fromkeys(name for content in found for name in content["models"]))
            table = {name: [cell(content, name, measure) for content in found] for name in names}
            print(f"\n## {measure.upper()}, protocol `{protocol}`: {what}\n")
            print("\n".join(rows(cells, table | {"pairs, positives": list(map(size, found))})))
        shared = ", ".join(f"{cell} {leak(content)}" for cell, content in zip(cells, found, strict=True))
        print(f"\nTest pairs that share an element or sequence with training pairs: {shared}.")


def printed(values: tuple[float, ...], cells: list[str]) -> list[str]:
    """The paper's figures of some cell lines."""
    known = dict(zip(CELLS, values, strict=True))
    return [f"{known[cell]:.2f}" if cell in known else "" for cell in cells]


def rows(cells: list[str], table: dict[str, list[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| | {' | '.join(cells)} |"
    yield "|---" * (len(cells) + 1) + "|"
    for name, values in table.items():
        yield f"| {name} | {' | '.join(values)} |"


def cell(content: dict[str, Any], name: str, measure: str) -> str:
    """A measure with its 95% interval."""
    if name not in content["models"]:
        return ""
    measures = content["models"][name]["measures"]
    found = measures.get(f"{measure}_within_folds", measures[measure])
    value, low, high = (float("nan") if found[key] is None else found[key] for key in ("value", "low", "high"))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def size(content: dict[str, Any]) -> str:
    """Numbers of test pairs and of positives among them."""
    return f"{content['pairs']:,}, {content['positives']:,}"


def leak(content: dict[str, Any]) -> str:
    """Share of the test pairs."""
    pairs = content["leaks"]["test pairs"]
    return f"{100 * pairs['any of these'] / pairs['pairs']:.1f}%"


if __name__ == "__main__":
    main(*sys.argv[1:])

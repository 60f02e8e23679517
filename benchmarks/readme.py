#!/usr/bin/env python3
"""Copy the figures of SPEED.md and ACCURACY.md into the tables of README.md and docs/measured.md; a test compares them.

usage: python benchmarks/readme.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md", HERE.parent / "docs" / "measured.md")
SPEEDS = {
    "score unrelated": "score pairs that share no element",
    "score shared": "score all pairs of real neighbours on chr22",
    "train": "train",
    "finetune": "fine-tune",
}
GRAMMARS = {
    "match": "simulated: both sides carry the same one of five motifs",
    "and": "simulated: each side carries one given motif",
    "hard": "simulated: a table of 6 x 6 motifs decides",
    "null": "simulated: random labels",
    "chr22, six lines, block": "real chr22, six cell lines",
}
SPEID = "speid, --shift all, motif start"
BASELINES = ("distance", "element names", "GC content", "5-mer counts")
RIVALS = ("plain CNN", "dilated CNN", "6-mer embedding + GRU")


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        page.write_text(with_figures(page.read_text()))


def with_figures(text: str) -> str:
    """A page's text with those tables that it has as the pages of the benchmarks have them."""
    for name, rows in (("speed", speed_rows()), ("accuracy", accuracy_rows())):
        begin, end = f"<!-- {name}: python benchmarks/readme.py -->", f"<!-- end of {name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if found and not closed:
            raise SystemExit(f"{end} is missing")
        if found:
            text = f"{head}{begin}\n" + "\n".join(rows) + f"\n{end}{tail}"
    return text


def speed_rows() -> Iterator[str]:
    """The table of speeds at the preset paper."""
    yield "| preset `paper`, 2 cores | pairs/s | speed-up over Keras | over plain PyTorch |"
    yield "|---|---|---|---|"
    page = (HERE / "SPEED.md").read_text()
    for work, words in SPEEDS.items():
        (row,) = re.findall(rf"^\| \*\*speid, native kernels\*\*, {work} \|(.*)\|$", page, re.M)
        speed, keras, plain, _ = (cell.strip() for cell in row.split("|"))
        yield f"| {words} | {speed.partition(' ')[0]} | {keras.strip('x')} | {plain.strip('x')} |"


def accuracy_rows() -> Iterator[str]:
    """The table of AUPRC on held-out pairs."""
    names = "6-mers + GRU" if RIVALS[-1].startswith("6-mer") else RIVALS[-1]
    yield f"| AUPRC | base rate | speid | best baseline | {' | '.join([*RIVALS[:-1], names])} |"
    yield "|---|---|---|---|---|---|---|"
    page = (HERE / "ACCURACY.md").read_text()
    for grammar, words in GRAMMARS.items():
        (section,) = re.findall(rf"^## {re.escape(grammar)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
        base_rate = re.search(r"base rate ([\d.]+);", section)
        auprc = dict(re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", section, re.M))
        assert base_rate is not None
        best = max(auprc[name] for name in BASELINES)
        values = [base_rate[1], auprc[SPEID], best, *(auprc[name] for name in RIVALS)]
        yield f"| {words} | {' | '.join(values)} |"


if __name__ == "__main__":
    main()
